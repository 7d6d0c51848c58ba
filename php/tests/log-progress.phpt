--TEST--
A run over logs tells its progress, and stops between two logs with false or an exception; nothing stays locked
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(['a' => [], 'b' => []]);
foreach (['a', 'b'] as $name) {
    $logs->append('bot', "one\n", $name);
}
$tell = static function (array $at): void {
    echo json_encode($at), "\n";
};
cr0_log_merge($logs->options(['progress' => $tell]));
cr0_log_rotate($logs->options(['progress' => $tell, 'logs' => 'a', 'force' => true]));
foreach (['a', 'b'] as $name) {
    $logs->append('bot', "two\n", $name);
}
echo thrown(static fn () => cr0_log_merge($logs->options(['progress' => static fn (array $at): bool => $at['log'] !== 'b']))), "\n";
echo thrown(static fn () => cr0_log_merge($logs->options(['progress' => static fn () => throw new DomainException('no more')]))), "\n";
echo thrown(static fn () => cr0_log_verify($logs->options(['progress' => 'strlen']))), "\n";
pcntl_async_signals(true);
pcntl_signal(SIGUSR1, static fn () => throw new RangeException('a signal'));
echo thrown(static function () use ($logs): void {
    cr0_log_merge($logs->options(['force' => true, 'progress' => static function (array $at): void {
        if ($at['log'] === 'a') {
            posix_kill(posix_getpid(), SIGUSR1);
        }
    }]));
}), "\n";
cr0_log_merge($logs->options());
foreach (['a', 'b'] as $name) {
    echo json_encode($logs->read('website', $name)), "\n";
}
?>
--SKIPIF--
<?php
if (!extension_loaded('pcntl') || !extension_loaded('posix')) {
    echo 'skip pcntl and posix are needed';
}
?>
--EXPECT--
{"log":"a","number":1,"logs":2,"phase":"looking"}
{"log":"b","number":2,"logs":2,"phase":"looking"}
{"log":"a","number":1,"logs":2,"phase":"writing"}
{"log":"b","number":2,"logs":2,"phase":"writing"}
{"log":"a","number":1,"logs":1,"phase":"looking"}
{"log":"a","number":1,"logs":1,"phase":"writing"}
{"log":"a","number":1,"logs":1,"phase":"rotating"}
Cr0Sync\CancelledException: the run was stopped
DomainException: no more
ValueError: cr0_log_verify(): Argument #1 ($options) has no key "progress", only: config, root, logs
RangeException: a signal
"one\ntwo\n"
"one\ntwo\n"
