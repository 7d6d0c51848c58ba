--TEST--
status says in words what is held or left alone, since when and why, one line for each whatever it is called
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(
    null,
    'CREATE TABLE note (name INTEGER PRIMARY KEY, text TEXT)',
    "CREATE TABLE \"odd\nnotes is held since ever\" (name TEXT PRIMARY KEY, text TEXT)",
);
$playground->sql(
    'central',
    'WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 100) INSERT INTO note SELECT n, n FROM n',
);
$playground->script('bidirectional');
$waiting = static function () use ($playground): void {
    [$code, $out] = $playground->script('status');
    echo $code, "\n";
    preg_match_all('/^notes.* since .*$/m', $out, $lines);
    foreach ($lines[0] as $line) {
        $line = preg_replace('/ since \d{4}-\d\d-\d\dT[\d:.]+Z: /', ' since TIME: ', $line);
        echo preg_replace('/(?<=TIME: ).+/', 'REASON', $line), "\n";
    }
};
$waiting();
$playground->sql('website', "ALTER TABLE \"odd\nnotes is held since ever\" DROP COLUMN text");
$playground->script('bidirectional');
$waiting();
$playground->sql('website', 'DELETE FROM note');
$playground->script('bidirectional');
$waiting();
$playground->sql('website', "ALTER TABLE \"odd\nnotes is held since ever\" ADD COLUMN text TEXT");
$playground->script('bidirectional', '--force');
$waiting();
?>
--EXPECT--
0
0
notes.odd\nnotes is held since ever is left alone since TIME: REASON
0
notes is held since TIME: REASON
notes.odd\nnotes is held since ever is left alone since TIME: REASON
0
