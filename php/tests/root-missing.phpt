--TEST--
A root that is not there is nobody's to make: a mistyped one has no limits, keys and events of its own
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$root = "{$playground->root}/typo/here";
$o = ['root' => $root];
foreach ([
    static fn () => cr0_rate_limit('a', 'default', $o),
    static fn () => cr0_event('x', [], 'LOW', options: $o),
    static fn () => cr0_api_key_issue('1', 'a', ['read'], $o),
    static fn () => cr0_session_open('1', ['read'], $o),
    static fn () => cr0_db_sync($o),
    static fn () => cr0_db_enqueue('backup', [], $o),
    static fn () => cr0_log_merge($o),
    static fn () => cr0_integrity_baseline($o),
    static fn () => cr0_security_run($o),
    static fn () => cr0_api_key_list($o),
    static fn () => cr0_api_key_verify('x', 'read', $o),
    static fn () => cr0_db_backups($o),
    static fn () => cr0_db_queue($o),
    static fn () => cr0_event_query([], $o),
    static fn () => cr0_metrics($o),
    static fn () => cr0_status($o),
    static fn () => cr0_config(['config' => '']),
] as $call) {
    echo str_replace($playground->root, 'HERE', thrown($call)), "\n";
}
var_dump(file_exists(dirname($root)));
// One in which nobody was yet is empty.
mkdir($root, 0755, true);
var_dump(cr0_db_queue($o)['requests'], cr0_api_key_list($o)['keys'], cr0_event_query([], $o)['events']);
?>
--EXPECT--
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\AccessException: there is no queue yet in HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: there is nothing to watch: none of the files and directories is there of HERE/typo/here/shared_storage/integrity_config.json
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: cannot find the root directory HERE/typo/here
Cr0Sync\ConfigException: an empty path names no configuration and no root
bool(false)
array(0) {
}
array(0) {
}
array(0) {
}
