--TEST--
Metrics are given, and written into a file after the work, also when that failed
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
$file = "{$playground->root}/cr0sync.prom";
$of = static fn (string $text, string $name): array => array_values(preg_grep("/^{$name}[{ ]/", explode("\n", $text)));
echo implode("\n", $of(cr0_metrics($playground->options()), 'cr0sync_database_conflicts_open')), "\n";
[$code] = $playground->script('bidirectional', '--quiet', '--metrics', $file);
echo $code, ' ', implode("\n", $of(file_get_contents($file), 'cr0sync_database_conflicts_open')), ' ', decoct(fileperms($file) & 0777), "\n";
// The text is the same, whoever asks.
$plain = static fn (string $text): string => preg_replace('/ \d+$/m', '', $text);
var_dump($plain(cr0_metrics($playground->options(['file' => $file]))) === $plain(file_get_contents($file)));
foreach (['database_sync_script.php' => 'status', 'log_sync_script.php' => 'sync-all', 'security_monitoring_script.php' => 'status'] as $name => $command) {
    unlink($file);
    [$code] = script([$command, '--metrics', $file, '--config', $playground->config], [], null, $name);
    echo "{$command} ", count($of(is_file($file) ? file_get_contents($file) : '', 'cr0sync_build_info')), "\n";
}
// A run that cannot be: another one is at work.
unlink($file);
$lock = fopen("{$playground->root}/sync_state/lock", 'r+');
flock($lock, LOCK_EX);
[$code] = $playground->script('bidirectional', '--quiet', '--metrics', $file);
echo $code, ' ', count($of(file_get_contents($file), 'cr0sync_build_info')), ' ', implode("\n", $of(file_get_contents($file), 'cr0sync_lock_held_seconds')) !== '' ? 'held' : 'free', "\n";
flock($lock, LOCK_UN);
foreach ([['bidirectional', '--metrics', $playground->root], ['bidirectional', '--dry-run', '--metrics', $file], ['history', '--metrics', $file]] as $words) {
    [$code, , $err] = $playground->script(...$words);
    echo $code, ' ', str_replace($playground->root, 'ROOT', $err);
}
echo str_replace($playground->root, 'ROOT', thrown(static fn () => cr0_metrics($playground->options(['file' => $playground->root])))), "\n";
?>
--EXPECT--
cr0sync_database_conflicts_open{database="notes"} 0
1 cr0sync_database_conflicts_open{database="notes"} 1 644
bool(true)
status 1
sync-all 1
status 1
75 1 held
2 database_sync_script.php: metrics are written into a file, not ROOT
  name a file, such as /var/lib/prometheus/node-exporter/cr0sync.prom
64 database_sync_script.php: --metrics and --dry-run exclude each other
  leave one of them out
64 database_sync_script.php: history has no option --metrics
  see history --help
Cr0Sync\UsageException: metrics are written into a file, not ROOT
