--TEST--
Where there is no path and no hint both are null
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
try {
    cr0_db_force_sync('central', $playground->options());
} catch (Cr0Sync\UsageException $error) {
    echo $error->getMessage(), "\n";
    var_dump($error->path, $error->hint);
}
?>
--EXPECT--
central is the hub; name the side it should be made equal to
NULL
NULL
