--TEST--
The stub and the extension have the same functions and classes
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
require 'signatures.inc';
$stub = getenv('CR0SYNC_PHP') . '/stubs/cr0sync.stub.php';
$code = 'require $argv[1]; require $argv[2]; echo signatures();';
[, $ofStub] = process(['-r', $code, $stub, __DIR__ . '/signatures.inc']);
$ofExtension = signatures();
echo substr_count($ofExtension, "cr0_"), ' ', substr_count($ofExtension, 'class '), ' ',
    substr_count($ofExtension, 'secret '), "\n";
echo $ofStub === $ofExtension ? 'the same' : "stub:\n{$ofStub}\nextension:\n{$ofExtension}", "\n";
?>
--EXPECT--
52 11 6
the same
