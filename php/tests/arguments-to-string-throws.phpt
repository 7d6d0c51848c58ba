--TEST--
What an object throws on its way to a string comes out unchanged
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$object = new class {
    public function __toString(): string
    {
        throw new DomainException('mine');
    }
};
echo thrown(static fn () => cr0_db_sync(['config' => $object])), "\n";
echo thrown(static fn () => cr0_db_sync(['database' => [$object]])), "\n";
echo thrown(static fn () => cr0_db_acknowledge([$object])), "\n";
?>
--EXPECT--
DomainException: mine
DomainException: mine
DomainException: mine
