--TEST--
Running out of memory over an answer leaves no lock behind
--SKIPIF--
<?php if (getenv('USE_ZEND_ALLOC') === '0') die('skip PHP counts no memory then'); ?>
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
$playground->sql('central', "UPDATE note SET text = hex(zeroblob(2250000))");
cr0_db_sync($playground->options());
$code = '$options = ["config" => $argv[1]];
    register_shutdown_function(static function () use ($options): void {
        ini_set("memory_limit", "64M");
        echo cr0_db_sync($options)["databases"]["notes"]["state"] === "failed" ? "failed" : "synced", "\n";
    });
    cr0_db_conflicts($options);';
[, $out] = process(['-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), '-d', 'memory_limit=4M', '-r', $code, $playground->config]);
echo preg_replace('/^.*(Allowed memory size).*$/m', '$1', $out);
?>
--EXPECT--
Allowed memory size
synced
