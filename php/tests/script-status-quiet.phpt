--TEST--
status --quiet names what waits for a person, and nothing else
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
[$code, $out] = $playground->script('status', '--quiet');
echo $code, " '", $out, "'\n";
$playground->script('bidirectional');
echo preg_replace('/(?<=\S)  .*/', '', $playground->script('status', '--quiet')[1]);
$playground->script('acknowledge', '1');
echo "'", $playground->script('status', '--quiet')[1], "'\n";
file_put_contents($playground->path('website'), str_repeat('no database ', 20));
$playground->script('bidirectional');
$out = str_replace($playground->root, 'ROOT', $playground->script('status', '--quiet')[1]);
echo preg_replace(['/(?<=\S)  .*/', '/ since \S+Z: /'], ['', ' since TIME: '], $out);
?>
--EXPECT--
0 ''
database
notes
''
database
notes

database
notes

notes on website is quarantined since TIME: ROOT/website/notes.db is not a database, or is encrypted; it is neither read nor written. Move ROOT/website/notes.db away, with its -journal and -wal, and the next run makes it again from the others; or restore a backup
