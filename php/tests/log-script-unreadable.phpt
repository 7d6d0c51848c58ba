--TEST--
A copy that cannot be read is told in words, and every other copy and log is done
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(['broken' => [], 'irc' => [], 'lost' => ['copies' => ['central' => 'central/lost.log', 'bot' => 'away/lost.log'], 'mirrors' => []], 'odd' => []]);
foreach (['broken', 'irc', 'odd'] as $name) {
    $logs->append('bot', "one\n", $name);
}
unlink($logs->path('bot', 'broken'));
symlink('/etc/passwd', $logs->path('bot', 'broken'));
mkdir($logs->path('central', 'odd'));
echo $logs->words('bidirectional'), "\n", $logs->words('bidirectional', '--quiet'), "\n", $logs->words('status', '--quiet'), "\n";
echo $logs->read('central'), json_encode($logs->read('central', 'broken')), "\n";
?>
--EXPECT--
bidirectional 2
log  state  side  bytes read  bytes appended  lines appended  behind
broken  unchanged
irc  merged  bot  4  0  0  0
                   central  0  4  1  0
                   website  0  4  1  0
lost  unchanged
odd  failed

broken: bot is passed over: ROOT/bot/broken.log is a symlink, and none is followed: name what it leads to in the configuration, or put the file itself there
lost: bot is passed over: the directory of ROOT/away/lost.log is not there; a mount may be missing. Make it, or take bot out of the configuration
odd: ROOT/central/odd.log is a directory: move it away, or correct the path in the configuration

1 line to archives, 1 to copies, N ms. Not everything went well.

bidirectional --quiet 2
log  state  side  bytes read  bytes appended  lines appended  behind
broken  unchanged
lost  unchanged
odd  failed

broken: bot is passed over: ROOT/bot/broken.log is a symlink, and none is followed: name what it leads to in the configuration, or put the file itself there
lost: bot is passed over: the directory of ROOT/away/lost.log is not there; a mount may be missing. Make it, or take bot out of the configuration
odd: ROOT/central/odd.log is a directory: move it away, or correct the path in the configuration

Nothing merged, N ms. Not everything went well.

status --quiet 0
log  last merge  rotated files  bytes
broken  never  0  0
lost  never  0  0
odd  never  0  0

log  side  bytes  read up to  not merged yet  behind  path  problem
broken  bot  -  0  0  0  ROOT/bot/broken.log  ROOT/bot/broken.log is a symlink, and none is followed: name what it leads to in the configuration, or put the file itself there
lost  bot  -  0  0  0  ROOT/away/lost.log  the directory of ROOT/away/lost.log is not there; a mount may be missing. Make it, or take bot out of the configuration
odd  central  -  0  0  0  ROOT/central/odd.log  ROOT/central/odd.log is a directory: move it away, or correct the path in the configuration

one
""
