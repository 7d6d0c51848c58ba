--TEST--
On a terminal a run that takes over a second shows how far it is, and takes that away; elsewhere never
--SKIPIF--
<?php
if (trim((string) shell_exec('command -v script')) === '') {
    die('skip script of util-linux is missing');
}
?>
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)');
$sides = ['central', 'website'];
foreach (['first', 'second'] as $name) {
    foreach ($sides as $side) {
        copy($playground->path($side), "{$playground->root}/{$side}/{$name}.db");
        $databases[$name]['replicas'][$side] = "{$side}/{$name}.db";
    }
}
// A hub that stays busy takes as long as a run waits for it; the next database is told of after that.
$playground->configure(['databases' => $databases, 'guards' => ['busy_timeout_ms' => 1200]]);
cr0_db_sync($playground->options());
$owner = new PDO("sqlite:{$playground->root}/central/first.db");
$owner->exec('BEGIN IMMEDIATE');
$website = new PDO("sqlite:{$playground->root}/website/first.db");
$website->exec("INSERT INTO note VALUES ('a', 'b')");
$words = static fn (string ...$more): string => implode(' ', array_map(escapeshellarg(...), [
    PHP_BINARY, '-n', '-d', 'extension=' . getenv('CR0SYNC_EXTENSION'),
    getenv('CR0SYNC_PHP') . '/website/database_sync_script.php', 'bidirectional', '--config', $playground->config,
    ...$more,
]));
$terminal = static fn (string $command): string => (string) shell_exec(
    'TERM=xterm COLUMNS=80 script -qec ' . escapeshellarg($command) . ' /dev/null </dev/null',
);
$bar = "~\r\\[#{10}\\.{10}\\] 2/2 second looking.*\e\\[K.*\r\e\\[K~s";
$out = $terminal($words());
echo preg_match($bar, $out) === 1 ? 'shown' : var_export($out, true), "\n";
$out = $terminal($words('--json') . ' >' . escapeshellarg("{$playground->root}/out"));
echo preg_match($bar, $out) === 1 ? 'shown' : var_export($out, true), "\n";
echo json_decode(file_get_contents("{$playground->root}/out"))->databases->first->state, "\n";
foreach ([$terminal($words('--quiet')), (string) shell_exec($words() . ' 2>&1')] as $out) {
    echo str_contains($out, '[#') || str_contains($out, "\e[K") ? var_export($out, true) : 'not shown', "\n";
}
$owner->exec('ROLLBACK');
// What is done at once needs no bar.
$out = $terminal($words());
echo str_contains($out, '[#') ? var_export($out, true) : 'not shown', "\n";
?>
--EXPECT--
shown
shown
skipped
not shown
not shown
not shown
