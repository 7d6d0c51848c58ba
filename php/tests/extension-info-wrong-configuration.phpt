--TEST--
`php --ri cr0sync` says what is wrong with a configuration
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
[$code, $out] = process(['-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), '-d', 'cr0sync.config=/nowhere.json', '--ri', 'cr0sync']);
echo $code, "\n", preg_match('/^Configuration => .*$/m', $out, $line) ? $line[0] : $out;
?>
--EXPECT--
0
Configuration => cannot read the configuration /nowhere.json: No such file or directory (os error 2)
