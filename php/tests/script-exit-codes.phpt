--TEST--
0 done, 1 with new conflicts, 2 failed
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
echo $playground->script('bidirectional')[0], $playground->script('bidirectional')[0], "\n";
file_put_contents($playground->path('website'), str_repeat('not a database. ', 1000));
[$code, $out] = $playground->script('bidirectional');
echo $code, ' ', preg_match('/^notes  +quarantined/m', $out), preg_match('/^notes: website: .* is not a database/m', $out), "\n";
echo file_get_contents($playground->path('website'), false, null, 0, 15), "\n";
?>
--EXPECT--
10
2 11
not a database.
