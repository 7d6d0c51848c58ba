--TEST--
Every command over logs in words
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(['errors' => [], 'irc' => ['rotate' => ['rotate' => 1, 'maxage' => 30]]]);
$logs->append('bot', "one\ntwo\n");
echo $logs->words('bidirectional', '--dry-run'), "\n", $logs->words('bidirectional'), "\n", $logs->words('bidirectional'), "\n";
$logs->append('bot', "three\n");
$logs->append('website', "by hand\n");
echo $logs->words('status', '--log', 'irc'), "\n", $logs->words('sync-all', '--log', 'irc'), "\n";
echo $logs->words('rotate'), "\n", $logs->words('rotate', '--force', '--dry-run', '--log', 'irc'), "\n";
echo $logs->words('rotate', '--force', '--log', 'irc'), "\n";
$logs->append('bot', "four\n");
$logs->script('rotate', '--force');
$logs->script('bidirectional');
foreach (glob("{$logs->root}/central/*.gz") as $file) {
    touch($file, time() - 40 * 86400);
}
echo $logs->words('clean', '--dry-run', '--log', 'irc'), "\n", $logs->words('clean', '--quiet'), "\n", $logs->words('verify'), "\n";
foreach (['status', 'bidirectional', 'rotate', 'clean', 'verify'] as $command) {
    echo $logs->words($command, '--quiet');
}
?>
--EXPECT--
bidirectional --dry-run 0
log  state  side  bytes read  bytes appended  lines appended  behind
errors  unchanged
irc  merged  bot  8  0  0
                   central  0  8  0
                   website  0  0  8

errors: nobody has written it yet: ROOT/bot/errors.log is not there. Correct "copies" in the configuration, or set "missingok" of "rotate" where that is as it should be

Dry run. 8 bytes would be merged, N ms. Nothing was changed.

bidirectional 0
log  state  side  bytes read  bytes appended  lines appended  behind
errors  unchanged
irc  merged  bot  8  0  0  0
                   central  0  8  2  0
                   website  0  8  2  0

errors: nobody has written it yet: ROOT/bot/errors.log is not there. Correct "copies" in the configuration, or set "missingok" of "rotate" where that is as it should be

2 lines to archives, 2 to copies, N ms.

bidirectional 0
log  state  side  bytes read  bytes appended  lines appended  behind
errors  unchanged
irc  unchanged

errors: nobody has written it yet: ROOT/bot/errors.log is not there. Correct "copies" in the configuration, or set "missingok" of "rotate" where that is as it should be

Nothing to do, N ms.

status --log irc 0
log  last merge  rotated files  bytes
irc  TIME  0  0

log  side  bytes  read up to  not merged yet  behind  path  problem
irc  bot  14  8  6  0  ROOT/bot/irc.log
irc  central  8  8  0  0  ROOT/central/irc.log
irc  website  mirror  16  8  8  0  ROOT/website/irc.log

sync-all --log irc 0
log  state  side  bytes read  bytes appended  lines appended  behind
irc  merged  bot  6  8  1  0
             central  0  14  2  0
             website  8  6  1  0

2 lines to archives, 2 to copies, N ms.

rotate 0
log  state  how  bytes  rotated file
errors  unchanged
irc  unchanged

errors: nobody has written it yet: ROOT/bot/errors.log is not there. Correct "copies" in the configuration, or set "missingok" of "rotate" where that is as it should be

0 logs rotated, N ms.

rotate --force --dry-run --log irc 0
log  state  how  bytes  rotated file
irc  rotated  rename  22  ROOT/central/irc.log.DAY

irc: it would be rotated: nobody keeps it open

Dry run. 1 log would be rotated, N ms. Nothing was changed.

rotate --force --log irc 0
log  state  how  bytes  rotated file
irc  rotated  rename  22  ROOT/central/irc.log.DAY

irc: packed ROOT/central/irc.log.DAY.gz

1 log rotated, N ms.

clean --dry-run --log irc 0
log  rotated file  bytes  days old  because
irc  ROOT/central/irc.log.DAY.gz  42  40  goes  older than 30 days
irc  ROOT/central/irc.log.DAY-2.gz  25  40  stays  among the newest 1

Dry run. 1 file would go, 42 bytes. Nothing was changed.

clean --quiet 0
log  rotated file  bytes  days old  because
irc  ROOT/central/irc.log.DAY.gz  42  40  goes  older than 30 days

1 file removed, 42 bytes.

verify 0
log  state  ranges  bytes  bytes cleaned away  bytes not merged yet
errors  ok  0  0  0  0
irc  ok  1  5  22  0

2 logs checked, N ms.

status --quiet 0
bidirectional --quiet 0
rotate --quiet 0
clean --quiet 0
verify --quiet 0
