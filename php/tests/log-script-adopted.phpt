--TEST--
Words name the copy that is adopted, the file in which lines wait beside one, and what is wrong with each side
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs();
$lines = static fn (int $from, int $to): string => implode('', array_map(static fn (int $n): string => "line {$n}\n", range($from, $to)));
$logs->append('central', $lines(1, 20));
// A writer that does not append.
$writer = fopen($logs->path('bot'), 'w');
fwrite($writer, $lines(11, 25));
fflush($writer);
echo $logs->words('bidirectional'), "\n";
$logs->append('central', "by hand\n");
$logs->script('bidirectional');
echo $logs->words('status'), "\n", file_get_contents($logs->path('bot') . '.merged'), "\n";
fclose($writer);
rename("{$logs->root}/website", "{$logs->root}/away");
symlink("{$logs->root}/bot", "{$logs->root}/website");
echo $logs->words('status', '--quiet');
?>
--EXPECT--
bidirectional 0
log  state  side  bytes read  bytes appended  lines appended  behind
irc  merged  bot  40  0  0  0
             central  0  40  5  0
             website  0  191  25  0

irc: bot: its writer does not append, and would write over it; what others write goes into ROOT/bot/irc.log.merged from now on
irc: adopted the copy bot: it goes on where the archive ended, and what follows was merged (80 bytes of it were there already)

5 lines to archives, 25 to copies, N ms.

status 0
log  last merge  rotated files  bytes
irc  TIME  0  0

log  side  bytes  read up to  not merged yet  behind  path  problem
irc  bot  120  120  0  0  ROOT/bot/irc.log
irc  central  199  199  0  0  ROOT/central/irc.log
irc  website  mirror  199  199  0  0  ROOT/website/irc.log

irc: bot: what others write goes into ROOT/bot/irc.log.merged, as the program that writes ROOT/bot/irc.log does not append whole lines to it
irc: bot: 8 bytes of others were written into it so far

by hand

status --quiet 0
log  last merge  rotated files  bytes
irc  TIME  0  0

log  side  bytes  read up to  not merged yet  behind  path  problem
irc  website  mirror  120  199  120  0  ROOT/website/irc.log  ROOT/website/irc.log is the same file as ROOT/bot/irc.log: take one of the two out of the configuration, or give it a file of its own
