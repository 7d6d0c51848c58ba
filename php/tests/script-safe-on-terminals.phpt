--TEST--
Nothing in a database can speak to the terminal
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
$playground->sql('website', "UPDATE note SET text = 'a' || char(27) || '[31m' || char(10) || char(155) || char(8238) || 'b'");
[, $out] = $playground->script('bidirectional');
echo preg_match('/website  (text=.*)$/m', $out, $line) ? $line[1] : $out, "\n";
echo preg_match('/[^\n\x20-\x7e]/', $out), "\n";
?>
--EXPECT--
text="a\u001b[31m\n\u009b\u202eb"
0
