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
?>
--EXPECT--
synced
a
2dff
