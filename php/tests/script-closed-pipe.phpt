--TEST--
A reader that has gone, as head, is no matter for a message
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
foreach (['database_sync_script.php', 'log_sync_script.php', 'security_monitoring_script.php'] as $name) {
    $err = tmpfile();
    $pipes = [];
    $command = [PHP_BINARY, '-n', '-d', 'log_errors=1', getenv('CR0SYNC_PHP') . "/website/{$name}", '--help'];
    $process = proc_open($command, [0 => ['file', '/dev/null', 'r'], 1 => ['pipe', 'w'], 2 => $err], $pipes);
    fclose($pipes[1]);
    $code = proc_close($process);
    rewind($err);
    echo $code, " '", stream_get_contents($err), "'\n";
}
?>
--EXPECT--
0 ''
0 ''
0 ''
