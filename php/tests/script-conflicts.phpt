--TEST--
The conflicts that wait, and those that do not when asked
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
$playground->script('bidirectional');
echo preg_replace('/\d{4}-\S+Z/', 'TIME', $playground->script('conflicts')[1]);
$playground->script('acknowledge', '1');
echo $playground->script('conflicts')[1];
echo preg_match('/^1   notes\.note name="a"  update_update  central  acknowledged  /m', $playground->script('conflicts', '--all')[1]), "\n";
?>
--EXPECT--
id  row                  kind           winner   status  at
1   notes.note name="a"  update_update  central  open    TIME

conflict 1: notes.note name="a", update_update, open
  before   text="old"
  central  text="from central"  <- kept
  website  text="from website"
  because  the preferred side
  decide   resolve 1 --take central|website|base, or acknowledge 1
No conflicts wait for anyone.
1 more is acknowledged or resolved; --all shows them.
1
