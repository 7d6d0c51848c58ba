--TEST--
A lock that PDO holds in this process survives our opening and closing the same file
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY)');
$playground->configure(json_decode(file_get_contents($playground->config), true) + ['guards' => ['busy_timeout_ms' => 50]]);
cr0_db_sync($playground->options());

// What a second process gets when it wants to write to the hub.
$directory = ini_get('extension_dir');
$load = ['-d', "extension_dir={$directory}"];
foreach (['pdo', 'pdo_sqlite'] as $name) {
    if (is_file("{$directory}/{$name}.so")) {
        array_push($load, '-d', "extension={$name}");
    }
}
$code = <<<'PHP'
    try {
        $pdo = new PDO("sqlite:{$argv[1]}", null, null, [PDO::ATTR_TIMEOUT => 0, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
        $pdo->exec('BEGIN IMMEDIATE');
        echo 'let in';
    } catch (PDOException $error) {
        echo $error->errorInfo[2];
    }
    PHP;
$other = static fn (): string => process([...$load, '-r', $code, $playground->path('central')])[1];

$pdo = $playground->open('central');
$pdo->exec('BEGIN IMMEDIATE');
$pdo->exec("INSERT INTO note VALUES ('central')");
echo $other(), "\n";

// There is something to merge, so the run reads the hub, finds it busy and leaves it for the next one.
$playground->sql('website', "INSERT INTO note VALUES ('website')");
cr0_db_status($playground->options(['explain' => true]));
cr0_db_sync($playground->options(['dry_run' => true]));
echo cr0_db_sync($playground->options())['databases']['notes']['state'], "\n";
cr0_db_conflicts($playground->options());
echo $other(), "\n";
$pdo->exec('COMMIT');
echo cr0_db_sync($playground->options())['databases']['notes']['state'], ' ';
echo json_encode($playground->rows('website', 'SELECT name FROM note ORDER BY name')), "\n";

// That this test can fail: any other descriptor of this process on the file, closed, does drop the lock.
$pdo->exec('BEGIN IMMEDIATE');
echo $other(), "\n";
fclose(fopen($playground->path('central'), 'r'));
echo $other(), "\n";
?>
--EXPECT--
database is locked
skipped
database is locked
synced [["central"],["website"]]
database is locked
let in
