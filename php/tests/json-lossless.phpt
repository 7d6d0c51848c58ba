--TEST--
Values of conflicts come out without loss
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, value)');
$playground->sql('central', "INSERT INTO note VALUES ('integer', 1), ('blob', 1), ('bytes', 1), ('inf', 1), ('real', 1), ('null', 1)");
cr0_db_sync($playground->options());
$playground->sql('central', 'UPDATE note SET value = 2');
$playground->sql('website', "UPDATE note SET value = CASE name WHEN 'integer' THEN -9223372036854775808 WHEN 'blob' THEN x'00ff'
    WHEN 'bytes' THEN CAST(x'ff41' AS TEXT) WHEN 'inf' THEN 9e999 WHEN 'real' THEN 0.1 END");
cr0_db_sync($playground->options());
$answer = cr0_call('cr0_db_conflicts', [$playground->options()]);
usort($answer['report']['conflicts'], static fn (array $a, array $b): int => $a['key']['name'] <=> $b['key']['name']);
foreach ($answer['report']['conflicts'] as $conflict) {
    echo $conflict['key']['name'], ' ';
    var_dump($conflict['values']['website']['value']);
}
echo preg_match('/"value":-9223372036854775808[,}]/', $answer['json']), "\n";
?>
--EXPECT--
blob array(1) {
  ["blob_base64"]=>
  string(4) "AP8="
}
bytes array(1) {
  ["text_base64"]=>
  string(4) "/0E="
}
inf array(1) {
  ["real"]=>
  string(3) "inf"
}
integer int(-9223372036854775808)
null NULL
real float(0.1)
1
