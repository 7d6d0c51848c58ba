--TEST--
What makes no sense does not get into the queue
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$try = static function (string $action, array $arguments, array $more = []) use ($playground): void {
    $call = static fn () => cr0_db_enqueue($action, $arguments, $playground->options($more));
    echo str_replace($playground->root, 'ROOT', thrown($call)), "\n";
};
$try('backup', []);
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY)');
cr0_db_sync($playground->options());
$try('fly', []);
$try('undo', []);
$try('undo', ['run' => 1]);
$try('undo', ['run' => '1', 'dry_run' => true]);
$try('verify', ['database' => 'nobody']);
$try('backup', ['notes']);
$try('backup', ['database' => 1]);
$try('backup', ['database' => "\xff"]);
$try('backup', ['database' => new stdClass()]);
$try('backup', ['database' => [[[[[]]]]]]);
$try('backup', ['file' => '/etc/passwd']);
$try('restore', ['backup' => '../notes.db']);
$try('restore', ['backup' => "kept-\xff.db"]);
$try('restore', ['backup' => 'notes:central:now', 'side' => 'website', 'all_sides' => true]);
$try('force', ['database' => '*']);
$try('backup', [], ['by' => "two\nlines"]);
$try('backup', [], ['by' => []]);
$try('backup', [], ['dry_run' => true]);
$try('backup', ['database' => null]);
echo count(cr0_db_queue($playground->options())['requests']), "\n";
?>
--EXPECT--
Cr0Sync\AccessException: there is no queue yet in ROOT
Cr0Sync\UsageException: there is no action fly
Cr0Sync\UsageException: "run" needs the number of a run, as text
Cr0Sync\UsageException: "run" needs the number of a run, as text
Cr0Sync\UsageException: it has an unknown field "dry_run"
Cr0Sync\UsageException: no database is called nobody
ValueError: cr0_db_enqueue(): Argument #2 ($arguments) must have names as keys
Cr0Sync\UsageException: "database" must be text
Cr0Sync\UsageException: a request takes nothing but text in UTF-8
ValueError: cr0_db_enqueue(): Argument #2 ($arguments) must hold nothing but text in UTF-8, integers, booleans and arrays
ValueError: cr0_db_enqueue(): Argument #2 ($arguments) must hold nothing but text in UTF-8, integers, booleans and arrays
Cr0Sync\UsageException: it has an unknown field "file"
Cr0Sync\UsageException: "backup" must be an id, not a path
Cr0Sync\UsageException: a request takes nothing but text in UTF-8
Cr0Sync\UsageException: "side" and "all_sides" exclude each other
Cr0Sync\UsageException: no database is called *
Cr0Sync\UsageException: "by" must not have control characters
TypeError: cr0_db_enqueue(): Option "by" must be of type string, array given
ValueError: cr0_db_enqueue(): Argument #3 ($options) has no key "dry_run", only: config, root, by
nothing thrown
1
