--TEST--
SQLite is the system's, and no symbol of it is ours
--SKIPIF--
<?php
if (!shell_exec('command -v readelf') || !shell_exec('command -v nm')) {
    die('skip readelf or nm is missing');
}
?>
--FILE--
<?php
declare(strict_types=1);
$so = escapeshellarg(getenv('CR0SYNC_EXTENSION'));
echo substr_count((string) shell_exec("readelf -d {$so}"), '[libsqlite3.so.0]'), "\n";
$symbols = preg_split('/\s+/', (string) shell_exec("nm -D --defined-only {$so}"));
echo in_array('get_module', $symbols, true) ? 'get_module is there' : 'nm did not work', "\n";
echo count(preg_grep('/^sqlite3_/', $symbols)), "\n";
?>
--EXPECT--
1
get_module is there
0
