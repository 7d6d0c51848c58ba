--TEST--
A finding is silenced and stays one; another change of the file is told anew
--FILE--
<?php
declare(strict_types=1);
require 'integrity.inc';
$site = new Site();
cr0_integrity_baseline($site->options());
$site->write('auth.php', '<?php // hacked');
$site->write('a.php', '<?php // changed');
cr0_integrity_check($site->options());
$show = static function () use ($site): void {
    $status = cr0_integrity_status($site->options());
    foreach ($status['last_check']['findings'] as $one) {
        echo basename($one['path']), ' ', json_encode($one['silenced']), ', ';
    }
    $alerts = json_decode(file_get_contents("{$site->root}/logs/integrity/integrity_alerts.json"), true);
    echo implode(' ', array_column($alerts, 'status')), ' ', json_encode($status['ok']), "\n";
};
$show();
$silence = static fn (array $paths, array $more = []): string
    => str_replace($site->root, 'ROOT', json_encode(cr0_integrity_silence($paths, $site->options($more)), JSON_UNESCAPED_SLASHES));
echo $silence(["{$site->web}/auth.php", '/etc/passwd'], ['by' => 'ann']), "\n";
$show();
[$event] = cr0_event_query(['type' => 'integrity_silenced'], $site->options())['events'];
echo str_replace($site->root, 'ROOT', json_encode([$event['severity'], $event['details']], JSON_UNESCAPED_SLASHES)), "\n";
echo cr0_integrity_check($site->options())['new_findings'], " new\n";
$site->write('auth.php', '<?php // hacked again');
echo cr0_integrity_check($site->options())['new_findings'], " new\n";
$show();
foreach ([[[], []], [['a'], ['by' => "two\nlines"]], [["a\0"], []], [[7 => 'a'], []]] as [$paths, $more]) {
    echo thrown(static fn () => cr0_integrity_silence($paths, $site->options($more))), "\n";
}
?>
--EXPECT--
a.php false, auth.php false, open open false
{"schema":1,"silenced":["ROOT/web/auth.php"],"unknown":["/etc/passwd"],"warnings":[]}
a.php false, auth.php true, open acknowledged false
["MEDIUM",{"by":"ann","count":1,"paths":["ROOT/web/auth.php"]}]
0 new
1 new
a.php false, auth.php false, open acknowledged open false
Cr0Sync\UsageException: nothing was named that is to be silenced
Cr0Sync\UsageException: who asks is a line of text of at most 200 bytes
ValueError: cr0_integrity_silence(): Argument #1 ($paths) must not contain any null bytes
ValueError: cr0_integrity_silence(): Argument #1 ($paths) must be a list
