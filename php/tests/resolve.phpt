--TEST--
A conflict can be decided differently, once
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
$run = cr0_db_sync($playground->options());
$conflict = cr0_db_conflicts($playground->options())['conflicts'][0];
echo $conflict['id'], ' ', $conflict['winner'], ' ', $conflict['status'], ' ', (int) ($conflict['run'] === $run['run']), "\n";
cr0_db_resolve('1', 'website', $playground->options());
foreach (['central', 'website'] as $side) {
    echo $playground->rows($side, 'SELECT text FROM note')[0][0], "\n";
}
echo cr0_db_conflicts($playground->options())['conflicts'][0]['status'], "\n";
echo thrown(static fn () => cr0_db_resolve('1', 'central', $playground->options())), "\n";
?>
--EXPECT--
1 central open 1
from website
from website
resolved
Cr0Sync\UsageException: conflict 1 is resolved already
