--TEST--
A child that is forked inside a callable takes nothing from the run of its parent, however it ends
--EXTENSIONS--
pcntl
--SKIPIF--
<?php if (getenv('USE_ZEND_ALLOC') === '0') die('skip children that end in the midst of a call give nothing back'); ?>
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
require 'logs.inc';
require 'integrity.inc';
$ends = [
    'exit' => static fn () => exit(7),
    'exception' => static fn () => throw new LogicException('from the child'),
    'stop' => static fn () => false,
    'return' => static fn () => true,
    'fatal' => static fn () => trigger_error('fatal', E_USER_ERROR),
];
// What ends a child is told by its shutdown function.
ini_set('display_errors', '0');
ini_set('log_errors', '0');
$parent = getmypid();
register_shutdown_function(static function () use ($parent, &$told): void {
    if (getmypid() !== $parent) {
        file_put_contents($told, error_get_last()['message'] ?? 'nothing');
    }
});
$told = tempnam(sys_get_temp_dir(), 'cr0');
/** Whether somebody else can begin a run now. */
$isFree = static function (string $path): bool {
    $lock = fopen($path, 'r+');
    $isFree = flock($lock, LOCK_EX | LOCK_NB);
    fclose($lock);

    return $isFree;
};
foreach ($ends as $name => $end) {
    foreach (['comparing', 'planning', 'writing'] as $phase) {
        $playground = new Playground();
        $playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)');
        cr0_db_sync($playground->options());
        $playground->sql('website', "INSERT INTO note VALUES ('a', 'b')");
        $seen = [];
        $listen = static function (array $progress) use ($phase, $end, $isFree, $playground, &$seen, $told) {
            if ($progress['phase'] !== $phase || $seen !== []) {
                return true;
            }
            file_put_contents($told, '');
            $child = pcntl_fork();
            if ($child === 0) {
                return $end();
            }
            pcntl_waitpid($child, $status);
            $seen = [pcntl_wifexited($status) ? pcntl_wexitstatus($status) : 'killed', $isFree("{$playground->root}/sync_state/lock")];

            return true;
        };
        $report = cr0_db_sync($playground->options(['progress' => $listen]));
        $first = strtok(file_get_contents($told), "\n");
        echo "{$name} {$phase}: {$seen[0]}, ", $seen[1] ? 'free' : 'held', ', ', $report['databases']['notes']['state'], ', ',
            count($playground->rows('central', 'SELECT * FROM note')), ', ', preg_replace('/ in \/.*/', '', $first), "\n";
    }
}
// Logs: another process that were let in would merge the same lines again.
$logs = new Logs();
$logs->append('bot', "one\n");
cr0_log_merge($logs->options());
$logs->append('bot', "two\n");
$logs->append('bot', "three\n");
$forks = 0;
cr0_log_merge($logs->options(['progress' => static function () use ($logs, $isFree, &$forks): void {
    $child = pcntl_fork();
    if ($child === 0) {
        exit(0);
    }
    pcntl_waitpid($child, $status);
    $forks++;
    echo $isFree("{$logs->root}/sync_state/logs/lock") ? 'free' : 'held', ' ';
}]));
echo $forks, ' ', json_encode($logs->read('central')), "\n";
// Watching has a thread, which no child has.
$site = new Site();
cr0_integrity_baseline($site->options());
$report = cr0_integrity_watch($site->options(['progress' => static function () use (&$left): bool {
    $child = pcntl_fork();
    if ($child === 0) {
        exit(5);
    }
    pcntl_waitpid($child, $status);
    $left = pcntl_wexitstatus($status);

    return false;
}]));
echo "watch: {$left} {$report['ended']}\n";
unlink($told);
?>
--EXPECT--
exit comparing: 7, held, synced, 1, nothing
exit planning: 7, held, synced, 1, nothing
exit writing: 7, held, synced, 1, nothing
exception comparing: 255, held, synced, 1, Uncaught LogicException: from the child
exception planning: 255, held, synced, 1, Uncaught LogicException: from the child
exception writing: 255, held, synced, 1, Uncaught LogicException: from the child
stop comparing: 255, held, synced, 1, a child of fork cannot go on with the call of its parent; end it with exit() inside the callable
stop planning: 255, held, synced, 1, a child of fork cannot go on with the call of its parent; end it with exit() inside the callable
stop writing: 255, held, synced, 1, a child of fork cannot go on with the call of its parent; end it with exit() inside the callable
return comparing: 255, held, synced, 1, a child of fork cannot go on with the call of its parent; end it with exit() inside the callable
return planning: 255, held, synced, 1, a child of fork cannot go on with the call of its parent; end it with exit() inside the callable
return writing: 255, held, synced, 1, a child of fork cannot go on with the call of its parent; end it with exit() inside the callable
fatal comparing: 255, held, synced, 1, fatal
fatal planning: 255, held, synced, 1, fatal
fatal writing: 255, held, synced, 1, fatal
held held 2 "one\ntwo\nthree\n"
watch: 5 asked
