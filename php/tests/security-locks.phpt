--TEST--
status tells who holds a lock and since when; what a dead process left in a lock is nobody's, and holds up nobody
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$ground = new Playground();
mkdir("{$ground->root}/web");
mkdir("{$ground->root}/shared_storage");
file_put_contents("{$ground->root}/shared_storage/integrity_config.json", json_encode([
    'monitored_files' => [], 'monitored_directories' => ["{$ground->root}/web/"],
]));
$environment = ['CR0SYNC_CONFIG' => $ground->config];
$status = static function () use ($environment): void {
    [$code, $out, $err] = script(['status'], $environment, null, 'security_monitoring_script.php');
    preg_match_all('/^The lock .*$/m', $out . $err, $lines);
    echo "{$code}: ", str_replace((string) getmypid(), 'PID', implode('; ', $lines[0])), "\n";
};
$status();
script(['baseline'], $environment, null, 'security_monitoring_script.php');
$file = "{$ground->root}/sync_state/locks/integrity.lock";
echo json_encode(preg_match('/^process \d+ since \S+Z\n$/D', (string) file_get_contents($file))), "\n";
$status();
$handle = fopen($file, 'r+');
flock($handle, LOCK_EX);
$status();
ftruncate($handle, 0);
fwrite($handle, 'process ' . getmypid() . " since 2026-01-02T03:04:05.000Z\n");
fflush($handle);
$status();
$locks = cr0_integrity_status($ground->options())['locks'];
echo count($locks), ' ', $locks[0]['name'], ' ', json_encode($locks[0]['process'] === getmypid()), ' ', $locks[0]['since'], ' ', json_encode($locks[0]['path'] === $file), "\n";
[$code, , $err] = script(['check'], $environment, null, 'security_monitoring_script.php');
echo $code, ' ', json_encode(str_contains($err, 'another process holds the lock') && str_contains($err, 'process ' . getmypid())), "\n";
fclose($handle);
// The text of a process that is gone stays in the file.
file_put_contents($file, "process 4194303 since 2020-01-01T00:00:00.000Z\n");
$status();
[$code] = script(['check'], $environment, null, 'security_monitoring_script.php');
echo $code, "\n";
?>
--EXPECT--
0: 
1
0: 
0: The lock integrity is held by process PID.
0: The lock integrity is held by process PID since 2026-01-02T03:04:05.000Z.
1 integrity true 2026-01-02T03:04:05.000Z true
75 true
0: 
0
