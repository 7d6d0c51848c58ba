--TEST--
verify names the first range of an archive that is not what was merged
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(['irc' => [], 'quiet' => []]);
$logs->append('bot', str_repeat("a line of the bot\n", 400));
cr0_log_merge($logs->options());
$logs->append('bot', str_repeat("a line of the bot\n", 400));
cr0_log_merge($logs->options());
$told = cr0_log_verify($logs->options());
echo json_encode($told['ok']), ' ', $told['logs']['irc']['state'], ' ', $told['logs']['irc']['ranges'], ' ', $told['logs']['quiet']['state'], "\n";
$file = fopen($logs->path('central'), 'r+');
fseek($file, 9000);
fwrite($file, 'X');
fclose($file);
$told = cr0_log_verify($logs->options());
echo json_encode($told['ok']), ' ', $told['logs']['irc']['state'], ' ', json_encode(array_slice($told['logs']['irc']['first_bad'] ?? [], 0, 4)), "\n";
echo $logs->words('verify'), $logs->words('verify', '--quiet');
?>
--EXPECT--
true ok 2 ok
false bad {"from":7200,"length":7200,"origin":"bot","offset":7200}
verify 2
log  state  ranges  bytes  bytes cleaned away  bytes not merged yet
irc  bad  2  7200  0  0
quiet  ok  0  0  0  0

irc: its bytes are not those that were merged: look at ROOT/central/irc.log, and put back what was there
irc: the first bad range is 7200 bytes at 7200 of the archive, which came from bot (there at 7200) at TIME

2 logs checked, N ms. Not all of them are what was merged.
verify --quiet 2
log  state  ranges  bytes  bytes cleaned away  bytes not merged yet
irc  bad  2  7200  0  0

irc: its bytes are not those that were merged: look at ROOT/central/irc.log, and put back what was there
irc: the first bad range is 7200 bytes at 7200 of the archive, which came from bot (there at 7200) at TIME

2 logs checked, N ms. Not all of them are what was merged.
