--TEST--
Paths need not be UTF-8
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground(directory: "cr0sync-\xff\xfe-");
$playground->sql('central', 'CREATE TABLE note (name TEXT PRIMARY KEY)', "INSERT INTO note VALUES ('a')");
echo cr0_db_sync($playground->options())['databases']['notes']['state'], "\n";
echo $playground->rows('website', 'SELECT name FROM note')[0][0], "\n";
try {
    cr0_config(['config' => "/nowhere-\xff"]);
} catch (Cr0Sync\ConfigException $error) {
    echo bin2hex(substr($error->path, -2)), "\n";
}
// A backup that somebody keeps elsewhere, under a name of his own.
$kept = "{$playground->root}/kept-\xfe.db";
copy($playground->path('central'), $kept);
$playground->sql('central', "INSERT INTO note VALUES ('b')");
$options = $playground->options(['database' => 'notes', 'side' => 'central']);
echo cr0_db_restore($kept, $options)['databases']['notes']['state'], "\n";
echo count($playground->rows('central', 'SELECT name FROM note')), "\n";
foreach (["/nowhere-\xff", "a\0b"] as $no) {
    echo thrown(static fn () => cr0_db_restore($no)), "\n";
}
?>
--EXPECT--
synced
a
2dff
restored
1
Cr0Sync\UsageException: there is no backup /nowhere-�
ValueError: cr0_db_restore(): Argument #1 ($backup) must not contain any null bytes
