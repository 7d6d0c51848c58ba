--TEST--
An exception knows file, line, trace, code, path and hint
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
function asks(array $options): void
{
    cr0_db_sync($options); // line 7
}
try {
    asks(['root' => "{$playground->root}/nowhere"]);
} catch (Cr0Sync\Cr0SyncException $error) {
    echo get_class($error), ' ', $error->getCode(), "\n";
    echo str_replace($playground->root, 'ROOT', $error->getMessage()), "\n";
    echo str_replace($playground->root, 'ROOT', (string) $error->path), "\n";
    echo $error->hint, "\n";
    echo $error->getFile() === __FILE__ ? 'this file' : $error->getFile(), ' ', $error->getLine(), "\n";
    echo implode(' ', array_column($error->getTrace(), 'function')), "\n";
    var_dump($error->getPrevious());
}
?>
--EXPECT--
Cr0Sync\ConfigException 3
cannot find the root directory ROOT/nowhere
ROOT/nowhere
create it, or name another with --root or "root" in the configuration
this file 7
cr0_db_sync asks
NULL
