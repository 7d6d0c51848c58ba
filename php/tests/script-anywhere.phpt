--TEST--
The script works from any directory, and where it is installed without the source
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$source = getenv('CR0SYNC_PHP');
[$code] = script(['bidirectional', '--config', 'cr0sync.json', '--quiet'], [], $playground->root);
echo $code, "\n";
mkdir("{$playground->root}/html");
mkdir("{$playground->root}/html/cr0sync");
copy("{$source}/website/database_sync_script.php", "{$playground->root}/html/database_sync_script.php");
foreach (glob("{$source}/src/*.php") as $file) {
    copy($file, "{$playground->root}/html/cr0sync/" . basename($file));
}
$command = ['-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), "{$playground->root}/html/database_sync_script.php"];
[$code, $out, $err] = process([...$command, 'status', '--root', $playground->root], [], '/');
echo $code, $err, ' ', preg_match('/^notes  /m', $out), "\n";
?>
--EXPECT--
69
0 1
