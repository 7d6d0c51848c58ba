--TEST--
Options beat the environment, which beats php.ini, which beats the file below the root
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$below = new Playground(name: 'below');
$ini = new Playground(name: 'ini');
$environment = new Playground(name: 'environment');
$option = new Playground(name: 'option');
$ask = static function (array $words, array $settings, array $variables) use ($below): void {
    $load = ['-d', 'extension=' . getenv('CR0SYNC_EXTENSION')];
    foreach ($settings as $name => $value) {
        array_push($load, '-d', "cr0sync.{$name}={$value}");
    }
    $code = 'echo implode(" ", array_keys(cr0_config(json_decode($argv[1], true))["config"]["databases"])), "\n";';
    echo process([...$load, '-r', $code, json_encode($words)], $variables)[1];
};
$root = ['root' => $below->root];
$ask([], $root, []);
$ask([], $root + ['config' => $ini->config], []);
$ask([], $root + ['config' => $ini->config], ['CR0SYNC_CONFIG' => $environment->config]);
$ask(['config' => $option->config], $root + ['config' => $ini->config], ['CR0SYNC_CONFIG' => $environment->config]);
$ask(['root' => $below->root], [], ['CR0SYNC_CONFIG' => '']);
?>
--EXPECT--
below
ini
environment
option
below
