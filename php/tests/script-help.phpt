--TEST--
Help of the script and of each command, with examples, needs no extension
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$script = getenv('CR0SYNC_PHP') . '/website/database_sync_script.php';
$commands = ['status', 'bidirectional', 'sync-from', 'sync-from-bot', 'conflicts', 'resolve', 'acknowledge', 'history', 'undo', 'backup', 'backups', 'verify', 'clean-backups', 'restore', 'queue', 'config', 'doctor'];
[$code, $out] = process([$script, '--help']);
echo $code, ' ', count(array_filter($commands, static fn (string $one): bool => str_contains($out, "\n  {$one} "))), "\n";
foreach ($commands as $command) {
    [$code, $out, $err] = process([$script, $command, '--help']);
    echo $code, (int) str_starts_with($out, "usage: php database_sync_script.php {$command} "), (int) str_contains($out, "\nexamples:\n"), $err, ' ';
}
?>
--EXPECT--
0 17
011 011 011 011 011 011 011 011 011 011 011 011 011 011 011 011 011
