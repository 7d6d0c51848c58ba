--TEST--
A key that a function does not know is an error that names the known ones
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
echo thrown(static fn () => cr0_db_sync(['databse' => 'x'])), "\n";
echo thrown(static fn () => cr0_db_status(['dry_run' => true])), "\n";
echo thrown(static fn () => cr0_config(['x'])), "\n";
echo thrown(static fn () => cr0_config(["\xff" => 1])), "\n";
?>
--EXPECT--
ValueError: cr0_db_sync(): Argument #1 ($options) has no key "databse", only: config, root, database, dry_run, force, progress, verify
ValueError: cr0_db_status(): Argument #1 ($options) has no key "dry_run", only: config, root, database, explain
ValueError: cr0_config(): Argument #1 ($options) has no key "0", only: config, root
ValueError: cr0_config(): Argument #1 ($options) has no key "�", only: config, root
