--TEST--
Explaining tells the rules of every table
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground(database: ['tables' => ['note' => ['columns' => ['hits' => 'sum']]]]);
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, hits INTEGER)');
$status = cr0_db_status($playground->options(['explain' => true]))['databases']['notes'];
echo $status['tables']['note']['columns']['hits'], ' ', implode(',', $status['tables']['note']['identity']), "\n";
var_dump(isset(cr0_db_status($playground->options())['databases']['notes']['tables']));
echo preg_match('/^notes\.note: .*\n  identity: name\n  columns: .*hits sum/m', $playground->script('status', '--explain')[1]), "\n";
?>
--EXPECT--
sum name
bool(false)
1
