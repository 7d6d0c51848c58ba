--TEST--
What a run prints is enough to decide its conflicts by hand
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
$playground->sql('website', "INSERT INTO note VALUES ('b', 'new')");
[$code, $out, $err] = $playground->script('bidirectional');
echo $code, $err, "\n", $out;
[$code, $out, $err] = $playground->script('bidirectional', '--quiet');
echo $code, $err, $out, "\n";
?>
--EXPECTF--
1
database  state   side     inserted  updated  deleted  new id  locked ms
notes     synced  central         1        0        0       0  %w%d
                  website         0        1        0       0  %w%d

conflict 1: notes.note name="a", update_update, open
  before   text="old"
  central  text="from central"  <- kept
  website  text="from website"
  because  the preferred side
  decide   resolve 1 --take central|website|base, or acknowledge 1

Run %d, %d ms, 1 new conflict.
0
