--TEST--
Every function has an example in the stub, and each does what it says
--SKIPIF--
<?php if (getenv('SKIP_SLOW_TESTS')) die('skip forty processes take too long; tests/web calls each function under valgrind'); ?>
--FILE--
<?php
declare(strict_types=1);
require 'examples.inc';

$examples = examples(getenv('CR0SYNC_PHP') . '/stubs/cr0sync.stub.php');
$ours = static fn (string $name): bool => str_starts_with($name, 'cr0_');
$functions = array_filter(get_extension_funcs('cr0sync'), $ours);
echo 'without an example: ', implode(' ', array_diff($functions, array_keys($examples))), "\n";
foreach ($examples as $name => $code) {
    $problem = examine($name, $code);
    if ($problem !== null) {
        echo "{$name} {$problem}\n";
    }
}

// That it would be told.
echo examine('cr0_version', null), "\n";
echo examine('cr0_version', "echo 'x';\n// x\n"), "\n";
echo examine('cr0_version', "echo cr0_version();\n"), "\n";
echo examine('cr0_version', "cr0_version(1);\n// x\n") === null ? 'believed' : 'not believed', "\n";
?>
--EXPECT--
without an example: 
has no @example
is not called in its example
does not say what its example prints
not believed
