--TEST--
Help of the script of logs and of each command, with examples, needs no extension
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$script = getenv('CR0SYNC_PHP') . '/website/log_sync_script.php';
$commands = ['status', 'bidirectional', 'sync-all', 'rotate', 'clean', 'verify'];
[$code, $out] = process([$script, '--help']);
echo $code, ' ', count(array_filter($commands, static fn (string $one): bool => str_contains($out, "\n  {$one} "))), ' ', substr_count($out, 'database'), "\n";
foreach ($commands as $command) {
    [$code, $out, $err] = process([$script, $command, '--help']);
    echo $code, (int) str_starts_with($out, "usage: php log_sync_script.php {$command} "), (int) str_contains($out, "\nexamples:\n"), $err, ' ';
}
[$code, $out, $err] = process([$script, 'bidirectional']);
echo "\n", $code, $out, ' ', strtok($err, "\n"), "\n";
?>
--EXPECT--
0 6 0
011 011 011 011 011 011 
69 log_sync_script.php: the PHP extension cr0sync is not loaded
