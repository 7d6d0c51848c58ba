--TEST--
A signal that does not come from the table does what it would have done without it
--EXTENSIONS--
pcntl
posix
--FILE--
<?php
declare(strict_types=1);
require 'limits.inc';
$limits = new Limits();
$child = static function (callable $do): void {
    $pid = pcntl_fork();
    if ($pid === 0) {
        $do();
        echo "lives\n";
        posix_kill(posix_getpid(), SIGKILL);
    }
    pcntl_waitpid($pid, $status);
    echo 'ended by ', pcntl_wtermsig($status), "\n";
};
// Nobody had a handler.
$child(static function () use ($limits): void {
    $limits->ask('a');
    posix_kill(posix_getpid(), SIGBUS);
});
// Somebody had.
$child(static function () use ($limits): void {
    pcntl_async_signals(true);
    pcntl_signal(SIGBUS, static function (int $signal): void {
        echo "told of {$signal}\n";
    });
    $limits->ask('a');
    posix_kill(posix_getpid(), SIGBUS);
    ftruncate(fopen($limits->table(), 'r+'), 0);
    echo said($limits->ask('a')), "\n";
});
?>
--EXPECTF--
ended by 7
told of 7
yes 2 of 3, wait 0, reset 12
lives
ended by 9
