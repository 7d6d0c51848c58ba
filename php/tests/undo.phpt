--TEST--
A run is taken back, once, and only one that there is
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
$run = cr0_db_sync($playground->options())['run'];
$undone = cr0_db_undo($run, $playground->options());
echo json_encode($undone['ok']), ' ', cr0_db_history($playground->options(['limit' => 1]))['runs'][0]['kind'] === "undo {$run}" ? 'as a run' : 'no', "\n";
[$code, , $err] = $playground->script('undo', '77');
echo $code, ' ', $err;
[$code, $out] = $playground->script('undo', $undone['run'], '--dry-run', '--json');
echo $code, ' ', json_decode($out)->ok ? 'planned' : 'failed', "\n";
?>
--EXPECT--
true as a run
64 database_sync_script.php: there is no run 77
  `history` lists the runs with their numbers
0 planned
