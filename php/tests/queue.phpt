--TEST--
What is asked for through the queue is done by the next run
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
cr0_db_sync($playground->options());
echo json_encode(cr0_db_queue($playground->options())), "\n";
$resolve = ['conflict' => '1', 'take' => 'website', 'force' => null];
$id = cr0_db_enqueue('resolve', $resolve, $playground->options(['by' => 'ann']))['id'];
cr0_db_enqueue('acknowledge', ['conflicts' => ['7']], $playground->options());
$requests = static fn (): array => cr0_db_queue($playground->options())['requests'];
foreach ($requests() as $one) {
    echo $one['action'], ' ', json_encode($one['arguments']), " {$one['by']} {$one['state']}\n";
}
echo $playground->rows('central', 'SELECT text FROM note')[0][0], "\n";
cr0_db_sync($playground->options());
foreach ($requests() as $one) {
    echo $one['action'], ' ', $one['state'], ' ', $one['error']['message'] ?? '', "\n";
}
var_dump($requests()[1]['id'] === $id);
echo $requests()[1]['result']['databases']['notes']['state'], "\n";
echo $playground->rows('central', 'SELECT text FROM note')[0][0], "\n";
?>
--EXPECT--
{"schema":1,"requests":[]}
acknowledge {"conflicts":["7"]}  pending
resolve {"conflict":"1","take":"website"} ann pending
from central
acknowledge failed there is no conflict 7
resolve done 
bool(true)
synced
from website
