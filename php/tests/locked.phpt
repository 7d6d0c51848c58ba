--TEST--
A run that finds another one at work is refused, and says where
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
mkdir("{$playground->root}/sync_state");
$lock = fopen("{$playground->root}/sync_state/lock", 'c');
flock($lock, LOCK_EX);
try {
    cr0_db_sync($playground->options());
} catch (Cr0Sync\LockedException $error) {
    echo $error->getMessage() === "another run holds the lock {$error->path}" ? 'refused' : $error->getMessage(), "\n";
}
[$code, $out, $err] = $playground->script('bidirectional');
$err = preg_replace('/process ' . getmypid() . ' holds it: \S.*; wait/', 'we hold it; wait', $err);
echo $code, " '", $out, "' ", str_replace($playground->root, 'ROOT', $err);
[$code, $out, $err] = $playground->script('bidirectional', '--quiet');
echo $code, " '", $out, "' '", $err, "'\n";
[$code, $out] = $playground->script('bidirectional', '--json');
echo $code, ' ', json_decode($out)->error->kind, "\n";
flock($lock, LOCK_UN);
echo $playground->script('bidirectional', '--quiet')[0], "\n";
?>
--EXPECT--
refused
75 '' database_sync_script.php: another run holds the lock ROOT/sync_state/lock
  we hold it; wait for it to end; cron tries again by itself
75 '' ''
75 locked
0
