--TEST--
Conflicts are listed by status, id and page; a page of many makes no arrays of the others
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (name INTEGER PRIMARY KEY, text TEXT)');
$many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)";
$playground->sql('central', "$many INSERT INTO note SELECT i, 'old' FROM n");
cr0_db_sync($playground->options());
$playground->sql('central', "UPDATE note SET text = 'one'");
$playground->sql('website', "UPDATE note SET text = 'two'");
cr0_db_sync($playground->options());
cr0_db_acknowledge(['2', '3'], $playground->options());
$show = static function (array $more) use ($playground): void {
    $report = cr0_db_conflicts($playground->options($more));
    $ids = array_column($report['conflicts'], 'id');
    echo count($ids), ' of ', $report['total'], ': ', implode(' ', array_slice($ids, 0, 3)), "\n";
};
$show([]);
$show(['status' => 'acknowledged']);
$show(['status' => ['open', 'held'], 'skip' => 1, 'limit' => 2]);
$show(['ids' => ['7', '2', 'x', '9999']]);
$show(['ids' => [7, '2'], 'status' => ['open']]);
$show(['ids' => '2', 'limit' => 0]);
$show(['ids' => [], 'status' => [], 'skip' => 1999]);
$show(['skip' => PHP_INT_MAX, 'limit' => PHP_INT_MAX]);
foreach ([['status' => 'Open'], ['status' => [[]]], ['skip' => -1], ['ids' => 1.5, 'limit' => []]] as $wrong) {
    echo thrown(static fn () => cr0_db_conflicts($playground->options($wrong))), "\n";
}
$memory = static function (array $more) use ($playground): int {
    $options = $playground->options($more);
    memory_reset_peak_usage();
    $before = memory_get_peak_usage();
    cr0_db_conflicts($options);

    return memory_get_peak_usage() - $before;
};
var_dump($memory([]) > 20 * $memory(['limit' => 50]));
?>
--EXPECT--
2000 of 2000: 1 2 3
2 of 2: 2 3
2 of 1998: 4 5
2 of 2: 2 7
1 of 1: 7
0 of 1: 
1 of 2000: 2000
0 of 2000: 
Cr0Sync\UsageException: no conflict is Open
TypeError: cr0_db_conflicts(): Option "status" must be a list of strings, array given
ValueError: cr0_db_conflicts(): Option "skip" must be greater than or equal to 0
TypeError: cr0_db_conflicts(): Option "limit" must be of type int, array given
bool(true)
