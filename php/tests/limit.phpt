--TEST--
A client is let in as often as its tier says, and each key and tier counts for itself
--FILE--
<?php
declare(strict_types=1);
require 'limits.inc';
$limits = new Limits();
foreach (['a', 'a', 'a', 'a', 'b', "\xff\0"] as $key) {
    echo said($limits->ask($key)), "\n";
}
echo said($limits->ask('a', 'default')), "\n";
echo said($limits->ask('a', 'default', ['cost' => 99])), "\n";
echo said($limits->ask('a', 'default', ['cost' => 0])), "\n";
echo said($limits->ask('a', more: ['policy' => ['limit' => 5, 'period_seconds' => 1000, 'burst' => 2]])), "\n";
echo said($limits->ask('2001:db8::1_x', more: ['cost' => 3])), "\n";
echo said($limits->ask('2001:db8::2_x')), "\n";
var_dump($limits->ask('c'));
?>
--EXPECT--
yes 2 of 3, wait 0, reset 12
yes 1 of 3, wait 0, reset 24
yes 0 of 3, wait 0, reset 36
no 0 of 3, wait 12, reset 36
yes 2 of 3, wait 0, reset 12
yes 2 of 3, wait 0, reset 12
yes 99 of 100, wait 0, reset 0
yes 0 of 100, wait 0, reset 36
no 0 of 100, wait 0, reset 36
yes 1 of 5, wait 0, reset 2
yes 0 of 3, wait 0, reset 36
no 0 of 3, wait 12, reset 36
array(6) {
  ["schema"]=>
  int(1)
  ["allowed"]=>
  bool(true)
  ["limit"]=>
  int(3)
  ["remaining"]=>
  int(2)
  ["retry_after_ms"]=>
  int(0)
  ["reset"]=>
  int(1200)
}
