--TEST--
resolve, acknowledge, history and status in words
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
$playground->script('bidirectional');
[$code, $out] = $playground->script('resolve', '1', '--take', 'website');
echo $code, ' ', $playground->rows('central', 'SELECT text FROM note')[0][0], "\n";
echo $playground->script('acknowledge', '1')[1];
echo preg_match_all('/^\d+  +\S+Z  (resolve|bidirectional)  /m', $playground->script('history')[1]), "\n";
echo preg_match('/^notes  .* 0$/m', $playground->script('status')[1]), "\n";
?>
--EXPECT--
0 from website
Resolved already, and left so: 1.
3
1
