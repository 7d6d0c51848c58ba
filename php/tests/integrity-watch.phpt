--TEST--
watch tells at once what changes, and ends in order by a signal, a time, false or an exception
--EXTENSIONS--
pcntl
--FILE--
<?php
declare(strict_types=1);
require 'integrity.inc';
$site = new Site();
cr0_integrity_baseline($site->options());
$heartbeat = "{$site->root}/sync_state/integrity/watch";
foreach (['SIGTERM' => SIGTERM, 'SIGINT' => SIGINT] as $name => $signal) {
    $script = getenv('CR0SYNC_PHP') . '/website/security_monitoring_script.php';
    $command = [PHP_BINARY, '-n', '-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), $script, 'watch', '--config', $site->ground->config];
    $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes);
    while (!is_file($heartbeat)) {
        usleep(1000);
        clearstatcache();
    }
    echo file_exists($heartbeat) ? 'alive' : 'dead', ' ', cr0_integrity_status($site->options())['watch']['running'] ? 'running' : 'not running', "\n";
    [$code, , $err] = script(['watch', '--config', $site->ground->config], [], null, 'security_monitoring_script.php');
    echo "second: {$code}\n";
    $site->write("{$name}.php", '<?php');
    while (!str_contains($line = (string) fgets($pipes[1]), "{$name}.php")) {
        if ($line === '') {
            exit('it ended');
        }
    }
    echo preg_replace('/ +$|(?<=\S)  +/m', '  ', str_replace($site->root, 'ROOT', $line));
    proc_terminate($process, $signal);
    echo preg_replace('/\d+ checks?/', 'N checks', stream_get_contents($pipes[1]));
    echo "{$name}: ", proc_close($process), "\n";
    clearstatcache();
    var_dump(is_file($heartbeat), cr0_integrity_status($site->options())['watch']['stale']);
}
[$code, $out] = script(['watch', '--seconds', '0', '--config', $site->ground->config], [], null, 'security_monitoring_script.php');
echo $code, ' ', $out;
[$code, $out] = script(['watch', '--seconds', '0', '--json', '--config', $site->ground->config], [], null, 'security_monitoring_script.php');
$report = json_decode($out, true);
echo $code, ' ', implode(' ', array_keys($report)), "\n{$report['ended']} ", count($report['findings']), "\n";
// From PHP.
$news = [];
$report = cr0_integrity_watch($site->options(['progress' => function (array $one) use (&$news, $site): bool {
    $news[] = $one;
    if (count($news) === 1) {
        $site->write('late.php', '');
    }
    return !str_contains(json_encode($one['report']['findings'] ?? []), 'late.php');
}]));
echo implode(' ', array_keys($news[0])), ' ', get_debug_type($news[0]['report']), ' ', $news[0]['watches'], "\n";
echo $report['ended'], ' ', $report['new_findings'], ' ', count($report['findings']), "\n";
echo thrown(static fn () => cr0_integrity_watch($site->options(['progress' => static fn () => throw new DomainException('enough')]))), "\n";
clearstatcache();
var_dump(is_file($heartbeat));
pcntl_async_signals(true);
pcntl_signal(SIGALRM, static fn () => throw new DomainException('from a signal'));
pcntl_alarm(1);
echo thrown(static fn () => cr0_integrity_watch($site->options())), "\n";
clearstatcache();
var_dump(is_file($heartbeat));
echo thrown(static fn () => cr0_integrity_watch($site->options(['seconds' => -1]))), "\n";
echo cr0_integrity_watch($site->options(['seconds' => 0]))['ended'], "\n";
?>
--EXPECT--
alive running
second: 75
MEDIUM  added  ROOT/web/SIGTERM.php  file, mode 0644, 5 bytes
1 finding new; 2 directories watched, N checks.
SIGTERM: 1
bool(false)
bool(false)
alive running
second: 75
MEDIUM  added  ROOT/web/SIGINT.php  file, mode 0644, 5 bytes
1 finding new; 2 directories watched, N checks.
SIGINT: 1
bool(false)
bool(false)
0 0 findings new; 2 directories watched, 1 check.
0 schema ok ended watches events checks rescans overflows exit_bits new_findings findings warnings duration_ms
time 2
watches report warning array 2
asked 1 3
DomainException: enough
bool(false)
DomainException: from a signal
bool(false)
ValueError: cr0_integrity_watch(): Option "seconds" must be greater than or equal to 0
time
