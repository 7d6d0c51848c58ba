--TEST--
Both sides get what the other did
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)');
$playground->sql('central', "INSERT INTO note (text) VALUES ('central')");
$playground->sql('website', "INSERT INTO note (text) VALUES ('website')");
$report = cr0_db_sync($playground->options());
echo $report['databases']['notes']['state'], ' ', $report['conflicts'], "\n";
foreach (['central', 'website'] as $side) {
    echo json_encode($playground->rows($side, 'SELECT text FROM note ORDER BY text')), "\n";
}
$again = cr0_db_sync($playground->options());
echo array_sum(array_map(static fn (array $side): int => $side['inserted'] + $side['updated'] + $side['deleted'], $again['databases']['notes']['sides'])), "\n";
?>
--EXPECT--
synced 0
[["central"],["website"]]
[["central"],["website"]]
0
