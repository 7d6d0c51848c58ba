--TEST--
Each kind of error has its class, below one base class
--FILE--
<?php
declare(strict_types=1);
foreach (['Internal', 'Usage', 'Config', 'Locked', 'Busy', 'Corrupt', 'Access', 'Io', 'Stale', 'Cancelled'] as $name) {
    $class = new ReflectionClass("Cr0Sync\\{$name}Exception");
    if ($class->getParentClass()->getName() !== 'Cr0Sync\Cr0SyncException' || $class->isFinal() || !$class->isInternal()) {
        echo $class;
    }
}
$ours = static fn (string $name): bool => str_starts_with($name, 'Cr0Sync\\');
echo count(array_filter((new ReflectionExtension('cr0sync'))->getClassNames(), $ours)), "\n";
echo get_parent_class('Cr0Sync\Cr0SyncException'), "\n";
?>
--EXPECT--
11
Exception
