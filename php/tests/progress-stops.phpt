--TEST--
A progress callable stops a run with false or an exception, which comes through; then nothing is locked
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)');
cr0_db_sync($playground->options());
$playground->sql('website', "INSERT INTO note VALUES ('a', 'b')");
$free = static function () use ($playground): void {
    foreach (['central', 'website'] as $side) {
        $playground->sql($side, 'PRAGMA busy_timeout = 0', 'BEGIN IMMEDIATE', 'ROLLBACK');
    }
    echo count($playground->rows('central', 'SELECT * FROM note')), " rows\n";
};
foreach (['looking', 'comparing', 'planning', 'writing'] as $phase) {
    $at = static fn (array $progress): bool => $progress['phase'] !== $phase;
    echo thrown(static fn () => cr0_db_sync($playground->options(['progress' => $at]))), "\n";
    $free();
}
$thrown = new DomainException('mine');
try {
    cr0_db_sync($playground->options(['progress' => static fn () => throw $thrown]));
} catch (DomainException $caught) {
    var_dump($caught === $thrown);
}
$free();
$again = static function () use ($playground): void {
    echo thrown(static fn () => cr0_db_sync($playground->options())) === 'nothing thrown' ? 'ran' : 'refused', "\n";
    throw new DomainException('enough');
};
echo thrown(static fn () => cr0_db_force_sync('website', $playground->options(['progress' => $again]))), "\n";
$answer = cr0_call('cr0_db_sync', [$playground->options(['progress' => static fn (): bool => false])]);
echo $answer['exit_code'], ' ', $answer['report']['error']['kind'], "\n";
echo cr0_db_sync($playground->options(['progress' => static fn (): int => 0]))['databases']['notes']['state'], "\n";
$free();
?>
--EXPECT--
Cr0Sync\CancelledException: the run was stopped
0 rows
Cr0Sync\CancelledException: the run was stopped
0 rows
Cr0Sync\CancelledException: the run was stopped
0 rows
Cr0Sync\CancelledException: the run was stopped
0 rows
bool(true)
0 rows
refused
DomainException: enough
2 cancelled
synced
1 rows
