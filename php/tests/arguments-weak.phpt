--TEST--
A file that is not strict gets arguments converted
--FILE--
<?php
require 'playground.inc';
$playground = new Playground();
$text = new class {
    public function __toString(): string
    {
        return '9';
    }
};
foreach ([7, 7.5, true, $text] as $id) {
    echo thrown(static fn () => cr0_db_resolve($id, 'base', $playground->options())), "\n";
}
$id = 7;
cr0_call('cr0_db_resolve', [&$id, 'base', $playground->options()]);
var_dump($id);
?>
--EXPECT--
Cr0Sync\UsageException: there is no conflict 7
Cr0Sync\UsageException: there is no conflict 7.5
Cr0Sync\UsageException: there is no conflict 1
Cr0Sync\UsageException: there is no conflict 9
int(7)
