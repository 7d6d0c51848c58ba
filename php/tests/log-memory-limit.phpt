--TEST--
Running out of memory over an answer about logs leaves no lock behind
--SKIPIF--
<?php if (getenv('USE_ZEND_ALLOC') === '0') die('skip PHP counts no memory then'); ?>
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
// Each of these is passed over with a warning that names it.
$deep = implode('/', array_fill(0, 14, str_repeat('x', 250)));
$logs = new Logs(['irc' => ['copies' => ['central' => 'central/irc.log', 'bot' => "bot/{$deep}/irc.log"], 'mirrors' => []]]);
mkdir("{$logs->root}/bot/{$deep}", 0777, true);
foreach (range(1, 2000) as $number) {
    symlink('/nowhere', "{$logs->root}/bot/{$deep}/irc.log.{$number}");
}
$code = '$options = ["config" => $argv[1]];
    register_shutdown_function(static function () use ($options): void {
        ini_set("memory_limit", "64M");
        echo count(cr0_log_merge($options)["logs"]["irc"]["warnings"]), "\n";
    });
    cr0_log_merge($options);';
[, $out] = process(['-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), '-d', 'memory_limit=6M', '-r', $code, $logs->ground->config]);
echo preg_replace('/^.*(Allowed memory size).*$/m', '$1', trim($out)), "\n";
?>
--EXPECT--
Allowed memory size
2000
