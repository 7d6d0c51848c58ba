--TEST--
A dry run over logs changes nothing
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(['irc' => ['rotate' => ['rotate' => 0, 'maxage' => 1]]]);
$logs->append('bot', "one\n");
$dry = $logs->options(['dry_run' => true]);
$quiet = static function (string $what) use ($logs): void {
    static $before = null;
    $now = $logs->ground->fingerprint();
    echo $what, ' ', $before === null || $before === $now ? 'untouched' : 'touched', "\n";
    $before = $now;
};
$quiet('at first');
$told = cr0_log_merge($dry)['logs']['irc'];
echo $told['state'], ' ', $told['sides']['central']['appended_bytes'], "\n";
$quiet('merge');
cr0_log_merge($logs->options());
$logs->append('bot', "two\n");
touch("{$logs->path('central')}.2001-01-01", 1);
$quiet('a real one');
foreach (['bidirectional', 'sync-all', 'rotate --force', 'clean', 'verify', 'status'] as $command) {
    $code = $logs->script('--dry-run', ...explode(' ', $command))[0];
    $quiet("{$command} {$code}");
}
$told = cr0_log_rotate(['force' => true] + $dry)['logs']['irc'];
echo $told['state'], ' ', $logs->shown($told['file']), "\n";
$quiet('rotate');
$told = cr0_log_clean($dry)['logs']['irc'];
echo $told['state'], ' ', count($told['files']), ' ', json_encode($told['files'][0]['keep']), "\n";
$quiet('clean');
?>
--EXPECT--
at first untouched
merged 4
merge untouched
a real one touched
bidirectional 0 untouched
sync-all 0 untouched
rotate --force 0 untouched
clean 0 untouched
verify 0 untouched
status 0 untouched
rotated ROOT/central/irc.log.DAY
rotate untouched
cleaned 1 false
clean untouched
