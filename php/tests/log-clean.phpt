--TEST--
Rotated files go when they are old, merged and more than are to stay
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(['irc' => ['rotate' => ['rotate' => 1, 'maxage' => 30]]]);
foreach (['one', 'two', 'three'] as $age => $line) {
    $logs->append('bot', "{$line}\n");
    cr0_log_rotate($logs->options(['force' => true]));
}
$clean = static fn (): array => cr0_log_clean($logs->options())['logs']['irc'];
echo $clean()['state'], "\n";
// The end of what was merged lies behind them from here on.
cr0_log_merge($logs->options());
foreach (glob("{$logs->root}/central/*.gz") as $file) {
    touch($file, time() - 40 * 86400);
}
$told = $clean();
echo $told['state'], "\n";
foreach ($told['files'] as $one) {
    echo basename($logs->shown($one['path'])), ' ', $one['age_days'], ' ', json_encode($one['keep']), json_encode(is_file($one['path'])), "\n";
}
echo $clean()['state'], ' ', str_replace("\n", ' ', $logs->read('website')), "\n";
?>
--EXPECT--
unchanged
cleaned
irc.log.DAY.gz 40 falsefalse
irc.log.DAY-2.gz 40 falsefalse
irc.log.DAY-3.gz 40 truetrue
unchanged one two three 
