--TEST--
The stub tells of every function its parameters, what it returns, and what it throws
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';

// Without the extension, so that the functions are the stub's.
$code = <<<'PHP'
    require $argv[1];
    require $argv[2];
    $count = 0;
    foreach (get_defined_functions()['user'] as $name) {
        if (str_starts_with($name, 'cr0_')) {
            $count++;
            $untold = untold(new ReflectionFunction($name));
            echo $untold === [] ? '' : "{$name}: " . implode(', ', $untold) . "\n";
        }
    }
    echo "{$count} functions\n";

    // That it would be told.
    /** @param int $one @return array{} */
    function halfTold(int $one, array $options = []): array
    {
        return [];
    }
    function notTold(): void
    {
    }
    echo implode(', ', untold(new ReflectionFunction('halfTold'))), "\n";
    echo implode(', ', untold(new ReflectionFunction('notTold'))), "\n";
    PHP;
$stub = getenv('CR0SYNC_PHP') . '/stubs/cr0sync.stub.php';
[, $out, $err] = process(['-r', $code, $stub, __DIR__ . '/examples.inc']);
echo $out, $err;
?>
--EXPECT--
52 functions
$options, @throws
@return
