--TEST--
A check and the undoing of a run are asked for, and the next run does both
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)');
cr0_db_sync($playground->options());
$playground->sql('website', "INSERT INTO note VALUES ('hunter2', 'new')");
$run = cr0_db_sync($playground->options())['run'];
cr0_db_enqueue('verify', ['database' => 'notes'], $playground->options(['by' => 'ann']));
cr0_db_enqueue('undo', ['run' => $run], $playground->options(['by' => 'ann']));
$lines = static function () use ($playground): void {
    foreach (cr0_db_queue($playground->options())['requests'] as $one) {
        echo $one['action'], ' ', json_encode($one['arguments']), " {$one['state']} ", json_encode($one['result']['ok'] ?? null), "\n";
    }
};
$lines();
cr0_db_sync($playground->options());
$lines();
echo count($playground->rows('website', 'SELECT * FROM note')), " rows\n";
?>
--EXPECT--
undo {"run":"2"} pending null
verify {"database":"notes"} pending null
undo {"run":"2"} done true
verify {"database":"notes"} done true
0 rows
