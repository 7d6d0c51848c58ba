--TEST--
config prints a configuration file that gives the same configuration
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground(['central', 'website', 'bot'], ['prefer' => ['bot'], 'tables' => ['n*' => ['exclude' => true]]]);
[$code, $out, $err] = $playground->script('config');
echo $code, ' ', str_replace($playground->root, 'ROOT', $err);
file_put_contents("{$playground->root}/copy.json", $out);
$again = cr0_config(['config' => "{$playground->root}/copy.json"]);
echo (int) ($again['config'] === cr0_config($playground->options())['config']), ' ', $again['config']['databases']['notes']['prefer'][0], "\n";
?>
--EXPECT--
0 from ROOT/cr0sync.json
1 bot
