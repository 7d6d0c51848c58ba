--TEST--
`php --ri cr0sync` names versions, the SQLite library and the configuration in force
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$file = $playground->config;
[$code, $out] = process(['-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), '-d', "cr0sync.config={$file}", '--ri', 'cr0sync']);
echo $code, str_replace($playground->root, 'ROOT', $out);
?>
--EXPECTF--
0
cr0sync

cr0sync => enabled
Version => %d.%d.%d
SQLite version => 3.%d.%d
SQLite library => %slibsqlite3.so%S
Configuration => ROOT/cr0sync.json
Root => ROOT
Databases => notes
Logs => %s

Directive => Local Value => Master Value
cr0sync.config => ROOT/cr0sync.json => ROOT/cr0sync.json
cr0sync.root => no value => no value
