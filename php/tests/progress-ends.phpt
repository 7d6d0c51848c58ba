--TEST--
Whatever ends a script inside its progress callable leaves no lock, no transaction and nothing half done
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
require 'ends.inc';
ends([
    'exit' => 'exit(3);',
    'exception' => 'throw new LogicException("from the callable");',
    'fatal' => 'trigger_error("fatal", E_USER_ERROR);',
    'time' => 'set_time_limit(1); while (true) {}',
    'undefined' => 'no_such_function();',
]);
?>
--EXPECT--
exit looking: 3 bool(true) synced 1
exit comparing: 3 bool(true) synced 1
exit planning: 3 bool(true) synced 1
exit writing: 3 bool(true) synced 1
exception looking: 255 bool(true) synced 1
exception comparing: 255 bool(true) synced 1
exception planning: 255 bool(true) synced 1
exception writing: 255 bool(true) synced 1
fatal looking: 255 bool(true) synced 1
fatal comparing: 255 bool(true) synced 1
fatal planning: 255 bool(true) synced 1
fatal writing: 255 bool(true) synced 1
time looking: 255 bool(true) synced 1
time comparing: 255 bool(true) synced 1
time planning: 255 bool(true) synced 1
time writing: 255 bool(true) synced 1
undefined looking: 255 bool(true) synced 1
undefined comparing: 255 bool(true) synced 1
undefined planning: 255 bool(true) synced 1
undefined writing: 255 bool(true) synced 1
