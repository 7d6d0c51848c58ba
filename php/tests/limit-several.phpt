--TEST--
Several limits count a request together or not at all
--FILE--
<?php
declare(strict_types=1);
require 'limits.inc';
$limits = new Limits();
$also = [['key' => 'b', 'cost' => 2], ['tier' => 'default'], ['policy' => ['limit' => 9]]];
for ($i = 0; $i < 3; ++$i) {
    $all = $limits->ask('a', more: ['also' => $also]);
    echo said($all), "\n";
    foreach ($all['limits'] as $one) {
        echo '    ', said($one), "\n";
    }
}
echo said($limits->ask('a')), "\n";
echo said($limits->ask('a', more: ['also' => [['key' => 'x', 'tier' => 'closed']]])), "\n";
echo said($limits->ask('a')), "\n";
?>
--EXPECT--
yes 1 of 3, wait 0, reset 24
    yes 2 of 3, wait 0, reset 12
    yes 1 of 3, wait 0, reset 24
    yes 99 of 100, wait 0, reset 0
    yes 8 of 9, wait 0, reset 4
no 1 of 3, wait 12, reset 24
    yes 2 of 3, wait 0, reset 12
    no 1 of 3, wait 12, reset 24
    yes 99 of 100, wait 0, reset 0
    yes 8 of 9, wait 0, reset 4
no 1 of 3, wait 12, reset 24
    yes 2 of 3, wait 0, reset 12
    no 1 of 3, wait 12, reset 24
    yes 99 of 100, wait 0, reset 0
    yes 8 of 9, wait 0, reset 4
yes 1 of 3, wait 0, reset 24
no 0 of 0, wait never, reset 0
yes 0 of 3, wait 0, reset 36
