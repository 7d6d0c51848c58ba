--TEST--
A strict file gets strict arguments
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
echo thrown(static fn () => cr0_db_resolve(7, 'base', $playground->options())), "\n";
?>
--EXPECT--
TypeError: cr0_db_resolve(): Argument #1 ($id) must be of type string, int given
