--TEST--
Bad events go to a program and to a mail: each at least once, again where that fails, and never onto a command line
--FILE--
<?php
declare(strict_types=1);
require 'integrity.inc';
$site = new Site();
$root = $site->root;
$fails = "{$root}/fails";
$told = "{$root}/told";
$mail = "{$root}/mail";
$program = "{$root}/tell";
file_put_contents($program, "#!/bin/sh\n[ ! -e '{$fails}' ] || { echo 'no line' >&2; exit 3; }\necho \"\$@\" >>'{$told}'\ncat >>'{$told}'\n");
chmod($program, 0755);
$configure = static fn (array $alerts) => $site->ground->configure(
    ['databases' => new stdClass(), 'logs' => new stdClass(), 'alerts' => $alerts],
);
$configure(['command' => [$program, 'a b', '$(id)'], 'severity' => 'HIGH', 'per_hour' => 4]);
cr0_integrity_baseline($site->options());
function run(Site $site, string ...$settings): void
{
    $script = getenv('CR0SYNC_PHP') . '/website/security_monitoring_script.php';
    $words = ['-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), ...$settings, $script, 'run', '--json', '--config', $site->ground->config];
    [$code, $out] = process($words);
    $report = json_decode($out, true);
    echo $code, ' ', str_replace($site->root, 'ROOT', json_encode($report['alerts'] ?? null, JSON_UNESCAPED_SLASHES)), "\n";
}
/** The types of what the program was told, by document. */
function told(string $told): void
{
    foreach (preg_split('/^(?=a b)/m', is_file($told) ? file_get_contents($told) : '', -1, PREG_SPLIT_NO_EMPTY) as $one) {
        [$words, $json] = explode("\n", $one, 2);
        $document = json_decode($json, true);
        echo "  {$words}: ", implode(' ', array_column($document['events'], 'type')), " left out {$document['left_out']}\n";
    }
    @unlink($told);
}
run($site);
// The baseline was the first.
told($told);
touch($fails);
cr0_event('DOOR_FORCED', ['door' => "'; touch {$root}/hacked; '"], 'CRITICAL', '', '', $site->options());
cr0_event('DOOR_OPEN', [], 'LOW', '', '', $site->options());
run($site);
run($site);
told($told);
unlink($fails);
run($site);
told($told);
run($site);
told($told);
cr0_event('WINDOW_FORCED', [], 'HIGH', '', '', $site->options());
run($site);
told($told);
var_dump(file_exists("{$root}/hacked"));

// In words, and with a mail.
$configure(['mail' => 'root@localhost', 'per_hour' => 100]);
cr0_event('ROOF_FORCED', ['text' => "x\n.\nBcc: somebody@else"], 'CRITICAL', '', '', $site->options());
$sendmail = "{$root}/sendmail";
run($site, '-d', "sendmail_path={$root}/missing -t");
file_put_contents($sendmail, "#!/bin/sh\necho \"\$@\" >'{$mail}'\ncat >>'{$mail}'\n");
chmod($sendmail, 0755);
run($site, '-d', "sendmail_path={$sendmail} -t -i");
echo preg_replace(['/(on ).*$/m', '/"timestamp":"[^"]*"|"prev":"[^"]*"/'], ['$1HOST', '...'], file_get_contents($mail));
// One that hangs is ended.
require getenv('CR0SYNC_PHP') . '/src/autoload.php';
$ran = Cr0Sync\Script\Program::run(['/bin/sh', '-c', 'sleep 1000 & echo $!; sleep 1000'], str_repeat('x', 1 << 20), 1);
echo $ran->problem(), "\n";
// With what it has started, which may take a moment to go. One that nobody asked for yet is no process any more.
$end = hrtime(true) + 20_000_000_000;
do {
    $line = @file_get_contents('/proc/' . trim($ran->output) . '/stat');
    $isGone = $line === false || str_contains($line, ') Z ');
} while (!$isGone && hrtime(true) < $end && usleep(10_000) === null);
var_dump($isGone);
$ran = Cr0Sync\Script\Program::run(['/bin/sh', '-c', 'wc -c; exit 0'], str_repeat('x', 1 << 20), 30);
echo trim($ran->output), ' ', var_export($ran->problem(), true), "\n";
echo Cr0Sync\Script\Program::run(["{$root}/nothing"], '', 1)->problem() === null ? 'started' : 'not started', "\n";
echo thrown(static fn () => cr0_alerts_told('no token', $site->options())), "\n";
?>
--EXPECT--
0 {"told":1,"to":["ROOT/tell"],"waiting":0,"problems":[],"warnings":[]}
  a b $(id): baseline_created left out 0
2 {"told":0,"to":["ROOT/tell"],"waiting":0,"problems":["events were not told, and are told by a later run: ROOT/tell ended with 3: no line"],"warnings":[]}
2 {"told":0,"to":["ROOT/tell"],"waiting":0,"problems":["events were not told, and are told by a later run: ROOT/tell ended with 3: no line"],"warnings":[]}
0 {"told":1,"to":["ROOT/tell"],"waiting":0,"problems":[],"warnings":[]}
  a b $(id): DOOR_FORCED left out 0
0 {"told":0,"to":["ROOT/tell"],"waiting":0,"problems":[],"warnings":[]}
0 {"told":0,"to":["ROOT/tell"],"waiting":1,"problems":[],"warnings":[]}
bool(false)
2 {"told":0,"to":["root@localhost"],"waiting":0,"problems":["events were not told, and are told by a later run: ROOT/missing cannot be started"],"warnings":[]}
0 {"told":1,"to":["root@localhost"],"waiting":0,"problems":[],"warnings":[]}
-t -i
To: root@localhost
Subject: cr0sync: 1 event of severity CRITICAL or more on HOST
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii

{...,"type":"ROOF_FORCED","severity":"CRITICAL","details":{"text":"x\n.\nBcc: somebody@else"},"session_id":null,"ip":null,"seq":5,...}
/bin/sh took too long and was ended
bool(true)
1048576 NULL
not started
Cr0Sync\UsageException: these events were not handed out last
