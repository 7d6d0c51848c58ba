--TEST--
A table that is cut, removed or not ours ends no process; a changed configuration counts
--FILE--
<?php
declare(strict_types=1);
require 'limits.inc';
$limits = new Limits();
$limits->ask('a', more: ['cost' => 3]);
printf("%o %d\n", fileperms($limits->table()), filesize($limits->table()));
ftruncate(fopen($limits->table(), 'r+'), 0);
echo said($limits->ask('a', more: ['cost' => 3])), "\n";
clearstatcache();
echo filesize($limits->table()), "\n";
unlink($limits->table());
usleep(25_000);
echo said($limits->ask('a', more: ['cost' => 3])), "\n";
$limits->tiers(['three' => ['limit' => 30]]);
usleep(25_000);
echo said($limits->ask('a')), "\n";
$other = new Limits();
echo said($other->ask('a')), ' / ', said($limits->ask('a')), ' / ', said($other->ask('a')), "\n";
$limits->tiers(['three' => ['limit' => 1, 'burst' => 100_000]]);
usleep(25_000);
echo thrown(static fn () => $limits->ask('a')), "\n";
unlink($other->table());
mkdir($other->table());
usleep(25_000);
echo preg_replace('~ /.*~', ' ...', thrown(static fn () => $other->ask('a'))), "\n";
rmdir($other->table());
?>
--EXPECTF--
100660 8192
yes 0 of 3, wait 0, reset 36
8192
yes 0 of 3, wait 0, reset 36
no 0 of 30, wait 1, reset 36
yes 2 of 3, wait 0, reset 12 / no 0 of 30, wait 1, reset 36 / yes 1 of 3, wait 0, reset 24
Cr0Sync\ConfigException: %saccess.tiers.three: takes more than a year to let so many in at once again%S
Cr0Sync\IoException: cannot replace ...
