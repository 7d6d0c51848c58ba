--TEST--
A backup goes back into a file that PDO has open, and wins in the next run
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)');
$playground->sql('website', "INSERT INTO note VALUES ('a', 'old')");
cr0_db_sync($playground->options());
$made = cr0_db_backup($playground->options());
$id = $made['backups'][1]['id'];
echo count($made['backups']), ' ', preg_replace('/[\d-]+_[\d-]+$/', 'TIME', $id), "\n";

$playground->sql('website', "UPDATE note SET text = 'new'", "INSERT INTO note VALUES ('b', 'new')");
cr0_db_sync($playground->options());
$open = $playground->open('website');
$count = $open->prepare('SELECT count(*) FROM note');
$count->execute();
echo $count->fetchColumn(), "\n";
$count->closeCursor();

$planned = cr0_db_restore($id, $playground->options(['dry_run' => true]))['databases']['notes'];
echo $planned['warnings'][0] === "website would get the content of {$id}" ? "as planned\n" : "not as planned\n";
echo $planned['warnings'][1], "\n", json_encode($planned['sides']), "\n";
$report = cr0_db_restore($id, $playground->options());
echo $report['databases']['notes']['state'], ' ', $report['ok'] ? 'ok' : 'not ok', "\n";
$count->execute();
echo $count->fetchColumn(), "\n";
$count->closeCursor();
$open->exec("INSERT INTO note VALUES ('c', 'after')");
unset($count, $open);
cr0_db_sync($playground->options());
foreach (['central', 'website'] as $side) {
    echo json_encode($playground->rows($side, 'SELECT * FROM note ORDER BY name')), "\n";
}
?>
--EXPECT--
2 notes:website:TIME
2
as planned
website, note: 0 rows inserted, 1 updated, 1 deleted
{"website":{"inserted":0,"updated":1,"deleted":1,"rekeyed":0,"lock_ms":0}}
restored ok
1
[["a","old"],["c","after"]]
[["a","old"],["c","after"]]
