--TEST--
The runs that did something, newest first
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
cr0_db_sync($playground->options());
cr0_db_sync($playground->options());
cr0_db_resolve('1', 'base', $playground->options());
$runs = cr0_db_history($playground->options())['runs'];
echo implode(' ', array_column($runs, 'kind')), "\n";
echo count(cr0_db_history($playground->options(['limit' => 1]))['runs']), count(cr0_db_history($playground->options(['limit' => 0]))['runs']), "\n";
echo preg_match('/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/', $runs[0]['at']), "\n";
?>
--EXPECT--
resolve bidirectional bidirectional
10
1
