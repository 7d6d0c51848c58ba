--TEST--
Names of any bytes in arrays lose no event, and are refused as others where they say what is wanted
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$ground = new Playground();
$options = ['root' => $ground->root];
foreach ([["a\xff" => 1], ["\xff\xfe" => ["\xff" => ["\xff"]]], ['' => 1, "\0" => 2], [2 => 'x', 0 => 'y'], ['x', 'y']] as $details) {
    cr0_event('X', $details, options: $options);
    echo json_encode(cr0_event_query(['limit' => 1], $options)['events'][0]['details']), "\n";
}
foreach ([
    static fn () => cr0_event('X', [], options: ["\xff" => 1]),
    static fn () => cr0_event_query(["\xff" => 1], $options),
    static fn () => cr0_rate_limit('a', 'default', $options + ['policy' => ["\xff" => 1]]),
    static fn () => cr0_rate_limit('a', 'default', $options + ['also' => ["\xff" => 1]]),
    static fn () => cr0_db_enqueue('backup', ["\xff" => 1], $options),
    static fn () => cr0_db_acknowledge(["\xff" => '1'], $options),
    static fn () => cr0_call('cr0_version', ["\xff" => 1]),
    static fn () => cr0_call('cr0_event', ['X', ["\xff" => 1], 'LOW', '', '', $options]),
] as $call) {
    try {
        $call();
        echo "done\n";
    } catch (Cr0Sync\Cr0SyncException | ValueError | TypeError $error) {
        echo get_class($error), ': ', str_replace("\xff", '\\xff', $error->getMessage()), "\n";
    }
}
?>
--EXPECT--
{"a\ufffd":1}
{"\ufffd\ufffd":{"\ufffd":["\ufffd"]}}
{"":1,"\u0000":2}
{"2":"x","0":"y"}
["x","y"]
ValueError: cr0_event(): Argument #6 ($options) has no key "�", only: config, root
ValueError: cr0_event_query(): Argument #1 ($filter) must hold nothing but text in UTF-8, integers, booleans and arrays
ValueError: cr0_rate_limit(): Option "policy" must hold nothing but text in UTF-8, integers, booleans and arrays
ValueError: cr0_rate_limit(): Option "also" must hold nothing but text in UTF-8, integers, booleans and arrays
ValueError: cr0_db_enqueue(): Argument #2 ($arguments) must hold nothing but text in UTF-8, integers, booleans and arrays
ValueError: cr0_db_acknowledge(): Argument #1 ($ids) must be a list
ValueError: cr0_call(): Argument #2 ($arguments) must be a list
done
