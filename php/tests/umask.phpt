--TEST--
Files that a run creates have the configured mode whatever the mask of the process, which nobody touches
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
/** Every file below a root with its mode; numbers in names are times. */
function modes(string $root): array
{
    $modes = [];
    $files = new RecursiveDirectoryIterator($root, FilesystemIterator::SKIP_DOTS);
    foreach (new RecursiveIteratorIterator($files, RecursiveIteratorIterator::SELF_FIRST) as $file) {
        $name = preg_replace('/\d+/', 'N', substr($file->getPathname(), strlen($root)));
        $modes[$name] = sprintf('%04o', fileperms($file->getPathname()) & 07777);
    }
    ksort($modes);

    return $modes;
}
$masks = [];
$found = [];
foreach ([0077, 0002] as $mask) {
    umask(0002);
    $playground = new Playground();
    $playground->sql('website', 'CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)');
    umask($mask);
    $tell = static function (array $progress) use (&$masks, $playground): void {
        $masks[sprintf('%04o', umask())] = true;
        // What SQLite leaves beside a database at that moment.
        foreach (glob("{$playground->root}/*/*.db-*") as $beside) {
            $masks[sprintf('%s %04o', basename($beside), fileperms($beside) & 07777)] = true;
        }
    };
    cr0_db_sync($playground->options(['progress' => $tell]));
    foreach (['central', 'website'] as $side) {
        $sqlite = $playground->open($side);
        $sqlite->exec("INSERT INTO note VALUES ('a', '{$side}')");
    }
    cr0_db_sync($playground->options(['progress' => $tell]));
    $conflict = cr0_db_conflicts($playground->options())['conflicts'][0]['id'];
    cr0_db_resolve($conflict, 'website', $playground->options());
    cr0_db_backup($playground->options());
    printf("%04o %04o\n", umask(), fileperms($playground->path('central')) & 07777);
    $found[] = modes($playground->root);
}
echo implode("\n", array_keys($masks)), "\n";
var_dump(count($found[0]) > 5, array_diff_assoc($found[0], $found[1]), array_diff_assoc($found[1], $found[0]));
?>
--EXPECT--
0077 0664
0002 0664
0077
0002
bool(true)
array(0) {
}
array(0) {
}
