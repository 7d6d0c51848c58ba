--TEST--
A run over logs that finds another one at work is refused, and says where; one over databases is none
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs();
mkdir("{$logs->root}/sync_state/logs", 0777, true);
$databases = fopen("{$logs->root}/sync_state/lock", 'c');
flock($databases, LOCK_EX);
echo thrown(static fn () => cr0_log_merge($logs->options())), "\n";
$lock = fopen("{$logs->root}/sync_state/logs/lock", 'c');
flock($lock, LOCK_EX);
foreach (['cr0_log_merge', 'cr0_log_rotate', 'cr0_log_clean', 'cr0_log_verify'] as $function) {
    echo str_replace($logs->root, 'ROOT', thrown(static fn () => $function($logs->options()))), "\n";
}
echo thrown(static fn () => cr0_log_status($logs->options())), "\n";
$said = $logs->words('bidirectional');
echo preg_replace('/process ' . getmypid() . ' holds it: \S.*; wait/', 'we hold it; wait', $said), $logs->words('bidirectional', '--quiet');
[$code, $out] = $logs->script('rotate', '--json');
echo $code, ' ', json_decode($out)->error->kind, "\n";
flock($lock, LOCK_UN);
echo $logs->script('bidirectional', '--quiet')[0], "\n";
?>
--EXPECT--
nothing thrown
Cr0Sync\LockedException: another run holds the lock ROOT/sync_state/logs/lock
Cr0Sync\LockedException: another run holds the lock ROOT/sync_state/logs/lock
Cr0Sync\LockedException: another run holds the lock ROOT/sync_state/logs/lock
Cr0Sync\LockedException: another run holds the lock ROOT/sync_state/logs/lock
nothing thrown
bidirectional 75
log_sync_script.php: another run holds the lock ROOT/sync_state/logs/lock
  we hold it; wait for it to end; cron tries again by itself
bidirectional --quiet 75
75 locked
0
