--TEST--
Options have types, and are converted as PHP converts
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
foreach ([
    ['dry_run' => []],
    ['config' => []],
    ['config' => "a\0b"],
    ['database' => [['notes']]],
    ['database' => new stdClass()],
    ['database' => ["\xff"]],
] as $options) {
    echo thrown(static fn () => cr0_db_sync($options)), "\n";
}
echo thrown(static fn () => cr0_db_history(['limit' => 'many'])), "\n";
echo thrown(static fn () => cr0_db_history(['limit' => -1])), "\n";
$flag = '1';
cr0_db_sync($playground->options(['dry_run' => &$flag, 'database' => null, 'root' => null, 'force' => 0]));
var_dump($flag, is_dir("{$playground->root}/sync_state"));
echo count(cr0_db_history($playground->options(['limit' => '3']))['runs']), "\n";
// What a conversion loses is told, as by PHP's own functions.
set_error_handler(static function (int $code, string $text): bool {
    echo $code === E_DEPRECATED ? 'Deprecated' : $code, ": {$text}\n";

    return true;
});
foreach ([1.9, '1.9', 2.0, '2'] as $limit) {
    echo count(cr0_db_history($playground->options(['limit' => $limit]))['runs']), "\n";
}
set_error_handler(static fn (int $code, string $text) => throw new ErrorException($text));
echo thrown(static fn () => cr0_db_history(['limit' => 1.9])), "\n";
?>
--EXPECT--
TypeError: cr0_db_sync(): Option "dry_run" must be of type bool, array given
TypeError: cr0_db_sync(): Option "config" must be of type string, array given
ValueError: cr0_db_sync(): Option "config" must not contain any null bytes
TypeError: cr0_db_sync(): Option "database" must be a list of strings, array given
TypeError: cr0_db_sync(): Option "database" must be of type array|string, stdClass given
ValueError: cr0_db_sync(): Option "database" must be valid UTF-8
TypeError: cr0_db_history(): Option "limit" must be of type int, string given
ValueError: cr0_db_history(): Option "limit" must be greater than or equal to 0
string(1) "1"
bool(false)
0
Deprecated: Implicit conversion from float 1.9 to int loses precision
0
Deprecated: Implicit conversion from float-string "1.9" to int loses precision
0
0
0
ErrorException: Implicit conversion from float 1.9 to int loses precision
