--TEST--
A conflict about a row that has changed since is refused
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
cr0_db_sync($playground->options());
$playground->sql('website', "UPDATE note SET text = 'newer'");
echo thrown(static fn () => cr0_db_resolve('1', 'website', $playground->options())), "\n";
[$code, $out] = $playground->script('resolve', '1', '--take', 'website', '--json');
echo $code, ' ', json_decode($out)->error->kind, "\n";
?>
--EXPECT--
Cr0Sync\StaleException: the row of conflict 1 has changed since
2 stale
