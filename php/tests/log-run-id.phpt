--TEST--
Every run over logs has a number: when it began, whether it had something to do or not
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs();
$logs->append('bot', "one\n");
$before = (int) floor(microtime(true) * 1000);
foreach (['merge', 'merge', 'rotate', 'clean', 'verify'] as $name) {
    $report = ("cr0_log_{$name}")($logs->options());
    $isNow = preg_match('/^\d{13}$/', $report['run']) === 1 && $report['run'] >= $before && $report['run'] <= microtime(true) * 1000;
    echo $name, ' ', $report['logs']['irc']['state'], ' ', json_encode($isNow), "\n";
}
?>
--EXPECT--
merge merged true
merge unchanged true
rotate unchanged true
clean unchanged true
verify ok true
