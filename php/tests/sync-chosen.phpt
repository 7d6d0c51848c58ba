--TEST--
Only the chosen databases are synced
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$sides = static fn (string $name): array => ['replicas' => ['central' => "central/{$name}.db", 'website' => "website/{$name}.db"]];
$playground->configure(['databases' => ['a_bot' => $sides('a'), 'b_bot' => $sides('b'), 'users' => $sides('u')]]);
foreach (['*_bot', ['users', 'a*'], []] as $names) {
    echo implode(' ', array_keys(cr0_db_sync($playground->options(['database' => $names]))['databases'])), "\n";
}
?>
--EXPECT--
a_bot b_bot
a_bot users
a_bot b_bot users
