--TEST--
A wrong configuration ends with 64 and names the place in the file
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->configure(['guards' => ['max_lock' => 1]]);
[$code, $out, $err] = $playground->script('bidirectional');
echo $code, $out, ' ', str_replace($playground->root, 'ROOT', $err);
[$code, $out] = $playground->script('status', '--json');
echo $code, ' ', str_replace($playground->root, 'ROOT', $out);
?>
--EXPECT--
64 database_sync_script.php: cannot use the configuration ROOT/cr0sync.json: guards.max_lock: unknown key "max_lock"
  did you mean "max_lock_ms"?
64 {"schema":1,"ok":false,"error":{"kind":"config","message":"cannot use the configuration ROOT/cr0sync.json: guards.max_lock: unknown key \"max_lock\"","path":"ROOT/cr0sync.json","hint":"did you mean \"max_lock_ms\"?"}}
