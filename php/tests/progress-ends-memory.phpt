--TEST--
A script that runs out of memory inside its progress callable leaves no lock, no transaction and nothing half done
--SKIPIF--
<?php if (getenv('USE_ZEND_ALLOC') === '0') die('skip PHP counts no memory then'); ?>
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
require 'ends.inc';
ends([
    'memory' => '$a = []; ini_set("memory_limit", "8M"); while (true) { $a[] = str_repeat("x", 100000); }',
]);
?>
--EXPECT--
memory looking: 255 bool(true) synced 1
memory comparing: 255 bool(true) synced 1
memory planning: 255 bool(true) synced 1
memory writing: 255 bool(true) synced 1
