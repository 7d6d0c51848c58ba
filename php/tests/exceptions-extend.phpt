--TEST--
The classes can be extended, made and thrown in PHP
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
final class TooBusy extends Cr0Sync\BusyException
{
    public function __construct(string $message, public readonly int $tries)
    {
        parent::__construct($message, 5);
        $this->path = '/a/b';
    }
}
try {
    throw new TooBusy('tried often', 3);
} catch (Cr0Sync\Cr0SyncException $error) {
    echo get_class($error), ' ', $error->getMessage(), ' ', $error->tries, ' ', $error->path, ' ', $error->getLine(), "\n";
    var_dump($error->hint, $error instanceof Exception);
}
echo thrown(static function (): void {
    $error = new Cr0Sync\IoException('x');
    $error->hint = [];
}), "\n";
?>
--EXPECT--
TooBusy tried often 3 /a/b 13
NULL
bool(true)
TypeError: Cannot assign array to property Cr0Sync\Cr0SyncException::$hint of type ?string
