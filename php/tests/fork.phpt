--TEST--
A child of fork can sync too
--EXTENSIONS--
pcntl
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
cr0_db_status($playground->options());
$child = pcntl_fork();
if ($child === 0) {
    $report = cr0_db_sync($playground->options());
    exit($report['conflicts']);
}
pcntl_waitpid($child, $status);
echo pcntl_wexitstatus($status), ' ', count(cr0_db_conflicts($playground->options())['conflicts']), "\n";
?>
--EXPECT--
1 1
