--TEST--
A dry run of anything changes nothing
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
$before = $playground->fingerprint();
$dry = $playground->options(['dry_run' => true]);
$report = cr0_db_sync($dry);
echo $report['databases']['notes']['sides']['website']['updated'], ' ', $report['conflicts'], " '", $report['run'], "'\n";
cr0_db_force_sync('website', $dry);
echo $before === $playground->fingerprint() ? 'untouched' : 'touched', "\n";
cr0_db_sync($playground->options());
$before = $playground->fingerprint();
cr0_db_resolve('1', 'website', $dry);
echo json_encode(cr0_db_acknowledge(['1'], $dry)), "\n";
echo thrown(static fn () => cr0_db_acknowledge(['1', '9'], $dry)), "\n";
foreach (['bidirectional', 'sync-from website', 'resolve 1 --take base', 'acknowledge 1'] as $command) {
    echo $playground->script('--dry-run', ...explode(' ', $command))[0], ' ';
}
echo $before === $playground->fingerprint() ? 'untouched' : 'touched', "\n";
?>
--EXPECT--
1 1 ''
untouched
{"schema":1,"acknowledged":["1"],"resolved":[]}
Cr0Sync\UsageException: there is no conflict 9
0 0 0 0 untouched
