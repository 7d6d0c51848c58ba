--TEST--
backup, backups, verify, clean-backups and restore in words
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY)');
$show = static function (string ...$words) use ($playground): void {
    [$code, $out, $err] = $playground->script(...$words);
    $out = preg_replace(['/\d{4}-\d\d-\d\d[_T][\d-]+(?!:)/', '/TIME[\d:.]+Z/', '/, \d+ ms/'], ['TIME', 'TIME', ', N ms'], $out);
    echo $words[0], ' ', $code, "\n", preg_replace('/ +$|(?<=\S)  +/m', '  ', str_replace($playground->root, 'ROOT', $out)), $err;
};
$show('backups');
$show('verify', '--quiet');
$show('backup', '--dry-run');
$show('backup');
$show('verify');
$show('clean-backups', '--quiet');
foreach ([10, 20, 30] as $minute) {
    copy($playground->path('central'), "{$playground->root}/central/notes.db.backup.2000-01-01_00-{$minute}-00");
}
$show('clean-backups', '--dry-run', '--quiet');
$show('clean-backups', '--quiet', '--database', 'notes');
// A second one in the same second is dated a second ahead, and nothing may be counted until that is past.
$show('backup', '--quiet');
$id = cr0_db_backups($playground->options())['backups'][0]['id'];
$show('restore', $id, '--dry-run');
$show('restore', $id, '--side', 'website', '--all-sides');
$show('restore', '--side', 'website');
?>
--EXPECT--
backups 0
No backups.
verify 0
notes on central has no backup yet
notes on website has no backup yet
3 things checked.
backup 0
notes on central would be copied to ROOT/central
notes on website would be copied to ROOT/databases/backups/website
Dry run. Nothing was made.
backup 0
backup  made  bytes  verified  path  kept because
notes:central:TIME  TIME  12288  yes  ROOT/central/notes.db.backup.TIME  the newest verified one; among the newest 3; within 24 hours; the newest of its hour; the newest of its day; the newest of its week
notes:website:TIME  TIME  12288  yes  ROOT/databases/backups/website/notes.db.backup.TIME  the newest verified one; among the newest 3; within 24 hours; the newest of its hour; the newest of its day; the newest of its week

2 backups made.
verify 0
what  sound  path  problem
notes:central:TIME  yes  ROOT/central/notes.db.backup.TIME
notes:website:TIME  yes  ROOT/databases/backups/website/notes.db.backup.TIME
state  yes  ROOT/sync_state/state.db
notes:central:live  yes  ROOT/central/notes.db
notes:website:live  yes  ROOT/website/notes.db

5 things checked.
clean-backups 0
clean-backups 0
backup  bytes  because
notes:central:TIME  12288  goes  no rule keeps it

Dry run. 1 backup would go, 12288 bytes.
clean-backups 0
backup  bytes  because
notes:central:TIME  12288  goes  no rule keeps it

1 backup removed, 12288 bytes.
backup 0
restore 0
database  state  side  inserted  updated  deleted  new id  locked ms
notes  restored  central  0  0  0  0  0

notes: central would get the content of notes:central:TIME

Dry run, N ms, 0 new conflicts. Nothing was changed.
restore 64
database_sync_script.php: --side and --all-sides exclude each other
  leave one of them out
restore 64
database_sync_script.php: restore is not complete
  write restore BACKUP
