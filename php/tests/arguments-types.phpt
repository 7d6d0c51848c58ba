--TEST--
Wrong arguments are reported as PHP does it
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
foreach ([
    static fn () => cr0_db_sync('x'),
    static fn () => cr0_db_sync(null),
    static fn () => cr0_db_sync([], []),
    static fn () => cr0_db_resolve('1'),
    static fn () => cr0_db_resolve('1', 'base', [], 4),
    static fn () => cr0_db_resolve([], 'base'),
    static fn () => cr0_db_resolve('1', null),
    static fn () => cr0_db_resolve('1', "\xff"),
    static fn () => cr0_db_force_sync(),
    static fn () => cr0_db_acknowledge('1'),
    static fn () => cr0_db_acknowledge([[]]),
    static fn () => cr0_db_acknowledge(['a' => '1']),
    static fn () => cr0_version(1),
    static fn () => cr0_call('strlen'),
    static fn () => cr0_call('cr0_db_resolve', ['1']),
    static fn () => cr0_call('cr0_db_resolve', ['id' => '1']),
] as $call) {
    echo thrown($call), "\n";
}
?>
--EXPECT--
TypeError: cr0_db_sync(): Argument #1 ($options) must be of type array, string given
TypeError: cr0_db_sync(): Argument #1 ($options) must be of type array, null given
ArgumentCountError: cr0_db_sync() expects at most 1 argument, 2 given
ArgumentCountError: cr0_db_resolve() expects at least 2 arguments, 1 given
ArgumentCountError: cr0_db_resolve() expects at most 3 arguments, 4 given
TypeError: cr0_db_resolve(): Argument #1 ($id) must be of type string, array given
TypeError: cr0_db_resolve(): Argument #2 ($take) must be of type string, null given
ValueError: cr0_db_resolve(): Argument #2 ($take) must be valid UTF-8
ArgumentCountError: cr0_db_force_sync() expects at least 1 argument, 0 given
TypeError: cr0_db_acknowledge(): Argument #1 ($ids) must be of type array, string given
TypeError: cr0_db_acknowledge(): Argument #1 ($ids) must be a list of strings
ValueError: cr0_db_acknowledge(): Argument #1 ($ids) must be a list
ArgumentCountError: cr0_version() expects exactly 0 arguments, 1 given
ValueError: cr0_call(): Argument #1 ($function) must be one of cr0_db_status, cr0_db_sync, cr0_db_force_sync, cr0_db_conflicts, cr0_db_resolve, cr0_db_acknowledge, cr0_db_history, cr0_db_undo, cr0_db_backup, cr0_db_backups, cr0_db_restore, cr0_db_clean_backups, cr0_db_verify, cr0_db_enqueue, cr0_db_queue, cr0_log_status, cr0_log_merge, cr0_log_rotate, cr0_log_clean, cr0_log_verify, cr0_event, cr0_event_query, cr0_event_archive, cr0_event_verify, cr0_rate_limit, cr0_rate_limit_cleanup, cr0_rate_limit_status, cr0_integrity_status, cr0_integrity_check, cr0_integrity_baseline, cr0_integrity_accept, cr0_integrity_silence, cr0_integrity_watch, cr0_api_key_issue, cr0_api_key_verify, cr0_api_key_revoke, cr0_api_key_rotate, cr0_api_key_list, cr0_session_open, cr0_session_verify, cr0_session_close, cr0_session_list, cr0_session_cleanup, cr0_security_run, cr0_status, cr0_doctor, cr0_metrics, cr0_alerts, cr0_alerts_told, cr0_config
ArgumentCountError: cr0_db_resolve() expects at least 2 arguments, 1 given
ValueError: cr0_call(): Argument #2 ($arguments) must be a list
