--TEST--
0 done or skipped in part, 2 failed, 69 when no log could be looked at
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(['irc' => [], 'other' => []]);
$logs->append('bot', "one\n");
echo $logs->script('bidirectional')[0], $logs->script('bidirectional')[0], "\n";
// Somebody writes a line into the archive.
$logs->append('central', 'hal');
$logs->append('bot', "two\n");
[$code, $out] = $logs->script('bidirectional', '--log', 'irc');
echo $code, ' ', preg_match('/^irc: somebody is writing a line at the end of /m', $out), "\n";
echo $logs->script('bidirectional')[0], "\n";
$logs->append('central', "f\n");
echo $logs->script('bidirectional')[0], ' ', str_replace("\n", ' ', $logs->read('website')), "\n";
unlink($logs->path('central', 'other'));
mkdir($logs->path('central', 'other'));
echo $logs->script('bidirectional')[0], $logs->script('rotate')[0], $logs->script('status')[0], "\n";
?>
--EXPECT--
00
69 1
0
0 one half two 
220
