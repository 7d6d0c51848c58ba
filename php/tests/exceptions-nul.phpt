--TEST--
A NUL does not end the message
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
echo thrown(static fn () => cr0_db_sync($playground->options(['database' => "no\0tes"]))), "\n";
?>
--EXPECT--
Cr0Sync\UsageException: no database is called notes
