--TEST--
status says that a run was ended in its midst, a dry run foretells nothing then, and the next run finishes it
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs();
$line = str_repeat('x', 999) . "\n";
$logs->append('bot', $line);
cr0_log_merge($logs->options());
$command = [PHP_BINARY, '-n', '-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), getenv('CR0SYNC_PHP') . '/website/log_sync_script.php'];
$tries = 0;
do {
    // Ended as soon as something of it is in the archive; where it was faster than that, once more.
    $before = filesize($logs->path('central'));
    $logs->append('bot', str_repeat($line, 20000));
    $run = proc_open([...$command, 'bidirectional', '--quiet', '--config', $logs->ground->config], [], $pipes);
    do {
        clearstatcache();
    } while (filesize($logs->path('central')) === $before && proc_get_status($run)['running']);
    proc_terminate($run, 9);
    proc_close($run);
    $unfinished = cr0_log_status($logs->options())['logs']['irc']['unfinished'];
} while (!$unfinished && ++$tries < 10);
echo json_encode($unfinished), ' ', preg_match('/^irc: a run is under way, or was ended in its midst: the next one finishes it, or says why it cannot$/m', $logs->script('status')[1]), "\n";
$told = cr0_log_merge($logs->options(['dry_run' => true]))['logs']['irc'];
echo $told['state'], ' ', json_encode($told['reason'] !== null), "\n";
echo $logs->script('bidirectional')[0], ' ', json_encode(cr0_log_status($logs->options())['logs']['irc']['unfinished']), "\n";
foreach (['central', 'website'] as $side) {
    echo $side, ' ', json_encode(md5_file($logs->path($side)) === md5_file($logs->path('bot'))), "\n";
}
?>
--EXPECT--
true 1
skipped true
0 false
central true
website true
