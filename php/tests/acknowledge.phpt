--TEST--
Conflicts can be marked as seen; all or none
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
cr0_db_sync($playground->options());
echo thrown(static fn () => cr0_db_acknowledge(['1', '2'], $playground->options())), "\n";
echo cr0_db_status($playground->options())['databases']['notes']['open_conflicts'], "\n";
echo json_encode(cr0_db_acknowledge(['1'], $playground->options())), "\n";
echo cr0_db_status($playground->options())['databases']['notes']['open_conflicts'], "\n";
echo cr0_db_conflicts($playground->options())['conflicts'][0]['status'], "\n";
?>
--EXPECT--
Cr0Sync\UsageException: there is no conflict 2
1
{"schema":1,"acknowledged":["1"],"resolved":[]}
0
acknowledged
