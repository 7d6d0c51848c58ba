--TEST--
The command queue, and --queue of the commands that change something
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
cr0_db_sync($playground->options());
$show = static function (string ...$words) use ($playground): void {
    [$code, $out, $err] = $playground->script(...$words);
    $out = preg_replace(['/\d{4}-\d\d-\d\dT[\d:.]+Z/', '/\d{8}T\d+Z-[0-9a-f]{16}/'], ['TIME', 'ID'], $out);
    $out = preg_replace(['/(?<=\S)  +/', '/, \d+ ms/'], ['  ', ', N ms'], $out);
    echo implode(' ', $words), ' -> ', $code, "\n", $out, $err;
};
putenv('LOGNAME=ann');
$show('queue');
$show('queue', '--quiet');
$show('resolve', '1', '--take', 'website', '--queue');
$show('acknowledge', '8', '9', '--queue');
$show('restore', 'notes:central:2001-01-01_00-00-00', '--side', 'website', '--queue');
$show('sync-from', 'website', '--database', 'notes', '--force', '--queue');
$show('sync-from', 'moon', '--queue');
$show('resolve', '1', '--queue');
$show('resolve', '1', '--take', 'base', '--queue', '--dry-run');
$show('bidirectional', '--queue');
$show('sync-from', 'website', '--database', 'notes', '--database', 'more', '--queue');
foreach (json_decode($playground->script('queue', '--json')[1], true)['requests'] as $one) {
    echo $one['action'], ' ', json_encode($one['arguments']), ' ', $one['state'], ' ', $one['by'], "\n";
}
$show('bidirectional', '--dry-run');
$show('bidirectional', '--dry-run', '--quiet');
$show('bidirectional');
foreach (explode("\n", $playground->script('queue')[1]) as $line) {
    echo preg_replace(['/\d{4}-\d\d-\d\dT[\d:.]+Z/', '/  +/'], ['TIME', '  '], $line), "\n";
}
?>
--EXPECT--
queue -> 0
Nothing was asked for.
queue --quiet -> 0
resolve 1 --take website --queue -> 0
Asked for as ID. The next run does it; queue tells what came of it.
acknowledge 8 9 --queue -> 0
Asked for as ID. The next run does it; queue tells what came of it.
restore notes:central:2001-01-01_00-00-00 --side website --queue -> 0
Asked for as ID. The next run does it; queue tells what came of it.
sync-from website --database notes --force --queue -> 0
Asked for as ID. The next run does it; queue tells what came of it.
sync-from moon --queue -> 64
database_sync_script.php: no database has a side moon
  `status` lists the sides of each database
resolve 1 --queue -> 64
database_sync_script.php: resolve does not know what to take
  add --take with a side, base or both; conflicts lists the choices
resolve 1 --take base --queue --dry-run -> 64
database_sync_script.php: --queue and --dry-run exclude each other
  leave one of them out
bidirectional --queue -> 64
database_sync_script.php: bidirectional has no option --queue
  see bidirectional --help
sync-from website --database notes --database more --queue -> 64
database_sync_script.php: a request is about one database, or all
  leave out all but one --database
sync-from {"side":"website","database":"notes","force":true} pending ann
restore {"backup":"notes:central:2001-01-01_00-00-00","side":"website"} pending ann
acknowledge {"conflicts":["8","9"]} pending ann
resolve {"conflict":"1","take":"website"} pending ann
bidirectional --dry-run -> 0
4 requests wait in the queue; a real run carries out what it may before it syncs.

database  state  side  inserted  updated  deleted  new id  locked ms
notes  unchanged

Dry run, N ms, 0 new conflicts. Nothing was changed.
bidirectional --dry-run --quiet -> 0
bidirectional -> 0
request  by  state  run  conflicts  inserted  updated  deleted  new id  why
resolve conflict="1" take="website"  ann  done  3  0  0  2  0  0
acknowledge conflicts=["8","9"]  ann  failed  there is no conflict 8 (`conflicts` lists them with their ids)
restore backup="notes:central:2001-01-01_00-00-00" side="website"  ann  failed  there is no backup notes:central:2001-01-01_00-00-00 (`backups` lists them with their ids)
sync-from side="website" database="notes" force=true  ann  done  0  0  0  0  0

database  state  side  inserted  updated  deleted  new id  locked ms
notes  unchanged

Nothing else to do, N ms, 0 new conflicts.
at  what  by  state  finished  why
TIME  sync-from side="website" database="notes" force=true  ann  done  TIME
TIME  restore backup="notes:central:2001-01-01_00-00-00" side="website"  ann  failed  TIME  there is no backup notes:central:2001-01-01_00-00-00 (`backups` lists them with their ids)
TIME  acknowledge conflicts=["8","9"]  ann  failed  TIME  there is no conflict 8 (`conflicts` lists them with their ids)
TIME  resolve conflict="1" take="website"  ann  done  TIME

