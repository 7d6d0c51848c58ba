--TEST--
The hub is made equal to a side, with a backup
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
$playground->sql('central', "INSERT INTO note VALUES ('b', 'only central')");
$report = cr0_db_force_sync('website', $playground->options());
echo $report['databases']['notes']['state'], "\n";
echo json_encode($playground->rows('central', 'SELECT * FROM note')), "\n";
echo count(glob("{$playground->root}/central/notes.db.emergency.*")), "\n";
echo thrown(static fn () => cr0_db_force_sync('moon', $playground->options())), "\n";
?>
--EXPECT--
synced
[["a","from website"]]
1
Cr0Sync\UsageException: none of the chosen databases has a side moon
