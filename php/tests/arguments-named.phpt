--TEST--
Arguments can be named
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
echo thrown(static fn () => cr0_db_resolve(take: 'base', id: '7', options: $playground->options())), "\n";
echo thrown(static fn () => cr0_db_resolve(take: 'base', options: [])), "\n";
echo cr0_db_sync(options: $playground->options())['schema'], "\n";
?>
--EXPECT--
Cr0Sync\UsageException: there is no conflict 7
ArgumentCountError: cr0_db_resolve(): Argument #1 ($id) not passed
1
