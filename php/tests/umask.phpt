--TEST--
Files that a run creates have the configured mode, and the mask of the process stays as it was
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql('website', 'CREATE TABLE note (name TEXT PRIMARY KEY)');
umask(0077);
$masks = [];
cr0_db_sync($playground->options(['progress' => static function () use (&$masks): void {
    $masks[sprintf('%04o', umask())] = true;
}]));
echo implode(' ', array_keys($masks)), "\n";
printf("%04o %04o\n", umask(), fileperms($playground->path('central')) & 07777);
?>
--EXPECT--
0077
0077 0664
