--TEST--
A key that a function over logs does not know, or a wrong type, is an error
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
foreach (['status', 'merge', 'rotate', 'clean', 'verify'] as $name) {
    $function = "cr0_log_{$name}";
    echo thrown(static fn () => $function(['database' => 'x'])), "\n";
    echo thrown(static fn () => $function(['logs' => [['irc']]])), "\n";
}
echo thrown(static fn () => cr0_log_merge(['force' => []])), "\n";
echo thrown(static fn () => cr0_log_merge(['logs' => ["\xff"]])), "\n";
echo thrown(static fn () => cr0_log_merge([], [])), "\n";
?>
--EXPECT--
ValueError: cr0_log_status(): Argument #1 ($options) has no key "database", only: config, root, logs
TypeError: cr0_log_status(): Option "logs" must be a list of strings, array given
ValueError: cr0_log_merge(): Argument #1 ($options) has no key "database", only: config, root, logs, dry_run, force, progress
TypeError: cr0_log_merge(): Option "logs" must be a list of strings, array given
ValueError: cr0_log_rotate(): Argument #1 ($options) has no key "database", only: config, root, logs, dry_run, force, progress
TypeError: cr0_log_rotate(): Option "logs" must be a list of strings, array given
ValueError: cr0_log_clean(): Argument #1 ($options) has no key "database", only: config, root, logs, dry_run
TypeError: cr0_log_clean(): Option "logs" must be a list of strings, array given
ValueError: cr0_log_verify(): Argument #1 ($options) has no key "database", only: config, root, logs
TypeError: cr0_log_verify(): Option "logs" must be a list of strings, array given
TypeError: cr0_log_merge(): Option "force" must be of type bool, array given
ValueError: cr0_log_merge(): Option "logs" must be valid UTF-8
ArgumentCountError: cr0_log_merge() expects at most 1 argument, 2 given
