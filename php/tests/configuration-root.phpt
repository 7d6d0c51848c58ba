--TEST--
The root of php.ini stands in where the file names none; the one of the options beats the file
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$other = new Playground();
$ask = static function (array $options) use ($playground, $other): void {
    $code = 'echo cr0_config(json_decode($argv[1], true))["config"]["root"], "\n";';
    $load = ['-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), '-d', "cr0sync.root={$other->root}"];
    $out = process([...$load, '-r', $code, json_encode($options)])[1];
    echo strtr($out, [$playground->root => 'FILE', $other->root => 'INI']);
};
$ask(['config' => $playground->config]);
file_put_contents($playground->config, '{}');
$ask(['config' => $playground->config]);
$ask(['config' => $playground->config, 'root' => '/option']);
var_dump(ini_set('cr0sync.root', '/elsewhere'));
?>
--EXPECT--
FILE
INI
/option
bool(false)
