--TEST--
Secrets are hidden unless asked for
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE user (name TEXT PRIMARY KEY, password TEXT)');
$playground->sql('central', "INSERT INTO user VALUES ('a', 'old')");
cr0_db_sync($playground->options());
$playground->sql('central', "UPDATE user SET password = 'one'");
$playground->sql('website', "UPDATE user SET password = 'two'");
cr0_db_sync($playground->options());
echo json_encode(cr0_db_conflicts($playground->options())['conflicts'][0]['values']), "\n";
echo json_encode(cr0_db_conflicts($playground->options(['show_secrets' => true]))['conflicts'][0]['values']), "\n";
echo substr_count($playground->script('conflicts')[1], 'two'), substr_count($playground->script('conflicts', '--show-secrets')[1], 'two'), "\n";
preg_match('/^  website .*$/m', $playground->script('conflicts')[1], $line);
echo $line[0], "\n";
?>
--EXPECT--
{"central":{"name":"a","password":{"redacted":true}},"website":{"name":"a","password":{"redacted":true}}}
{"central":{"name":"a","password":"one"},"website":{"name":"a","password":"two"}}
01
  website  password=(hidden)
