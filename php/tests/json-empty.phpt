--TEST--
An empty object is `{}` in the JSON, and [] in the array
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->configure(['databases' => new stdClass()]);
$answer = cr0_call('cr0_db_status', [$playground->options()]);
echo $answer['json'], "\n", json_encode($answer['report']), "\n";
?>
--EXPECT--
{"schema":1,"databases":{}}
{"schema":1,"databases":[]}
