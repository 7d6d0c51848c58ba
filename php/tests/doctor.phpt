--TEST--
doctor says what is wrong and what to do, in words, in one line and as JSON
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)');
cr0_db_sync($playground->options());
$of = static function (array $options) use ($playground): array {
    $all = array_filter(cr0_doctor($playground->options($options))['findings'], static fn (array $one): bool => $one['check'] === 'cron');

    return array_map(static fn (array $one): string => "{$one['state']} {$one['what']}", array_values($all));
};
echo implode("\n", $of([])), "\n";
$jobs = ['cron_sync_databases', 'cron_sync_logs', 'cron_security_monitoring'];
$calls = implode('', array_map(static fn (string $job): string => "* * * * * '{$playground->root}/{$job}.sh'\n", $jobs));
$block = "# BEGIN cr0sync {$playground->root}\n{$calls}# END cr0sync {$playground->root}\n";
foreach (['', $block, substr($block, 0, -5)] as $crontab) {
    echo implode("\n", preg_grep('/table of cron/', $of(['crontab' => $crontab]))), "\n";
}
// What a cron script writes down.
mkdir("{$playground->root}/sync_state/cron");
foreach (['databases' => 0, 'logs' => 75, 'security' => 2] as $job => $code) {
    $text = "cr0sync cron 1\nlast_run=" . time() . "\nlast_exit={$code}\n";
    file_put_contents("{$playground->root}/sync_state/cron/{$job}", $text);
}
echo preg_replace('/\d+ seconds/', 'N seconds', implode("\n", $of([]))), "\n";

$report = cr0_doctor($playground->options(['program' => 'this test']));
echo implode(' ', array_keys($report)), ' | ', implode(' ', array_keys($report['findings'][0])), "\n";
echo (int) str_ends_with($report['findings'][0]['what'], ', this test'), ' ', $report['findings'][1]['what'], "\n";
[$code, $out] = $playground->script('doctor', '--json');
$document = json_decode($out, true);
var_dump($code, $document['problems'] > 0, $document['ok'], array_keys($document) === array_keys($report));
foreach (['database_sync_script.php', 'log_sync_script.php', 'security_monitoring_script.php'] as $name) {
    [$code, $out, $err] = script(['doctor', '--line', '--config', $playground->config], [], null, $name);
    $lines = explode("\n", rtrim($out));
    $rest = array_filter(array_slice($lines, 1), static fn (string $line): bool => !str_starts_with($line, '  '));
    echo "{$name} {$code} ", (int) str_starts_with($lines[0], 'attention: '), (int) (count($lines) > 1), count($rest), $err, "\n";
}
[, $out] = $playground->script('doctor', '--json', '--quiet');
$short = json_decode($out, true);
$wrong = array_values(array_filter($document['findings'], static fn (array $one): bool => $one['state'] !== 'ok'));
echo (int) (array_column($short['findings'], 'what') === array_column($wrong, 'what')), (int) ($short['problems'] === $document['problems']), "\n";
// As one can enter it.
$run = preg_grep('/security_monitoring_script/', array_column($wrong, 'do'));
echo count($run) > 0 ? 1 : 0, (int) (preg_grep("~(^|\s)php /\S+/security_monitoring_script.php \S+( --config \S+)? --root {$playground->root}~", $run) == $run), "\n";
[$code, $out] = $playground->script('doctor', '--quiet');
echo $code, ' ', (int) str_contains($out, "\nproblem cron: "), (int) str_contains($out, "\n        tail "), (int) str_contains($out, "\nok "), "\n";
echo thrown(static fn () => cr0_doctor(['crontabs' => ''])), "\n";
[$code, $out, $err] = script(['doctor', '--quiet', '--root', '/nowhere']);
echo $code, $err, ' ', $out;
?>
--EXPECT--
warning cron_sync_databases.sh has never run
warning cron_sync_logs.sh has never run
warning cron_security_monitoring.sh has never run
warning whether the table of cron has our block was not looked at
warning nothing calls us yet: the table of cron has no block of ours
ok the table of cron has our block
problem the table of cron has half of our block, or more than one
problem cron_security_monitoring.sh ended with 2 when it ran last
warning cron_sync_logs.sh waits for another run
warning whether the table of cron has our block was not looked at
ok cron_sync_databases.sh ran N seconds ago
schema ok warnings problems findings | check state what where do
1 one copy of SQLite is loaded into this process
int(2)
bool(true)
bool(false)
bool(true)
database_sync_script.php 2 110
log_sync_script.php 2 110
security_monitoring_script.php 2 110
11
11
2 110
ValueError: cr0_doctor(): Argument #1 ($options) has no key "crontabs", only: config, root, crontab, program, script, mailer
2 problem root: /nowhere: there is no such directory, so that nothing of it was looked at
        make it, or name another as root, in cr0sync.json or with --root
1 problem, 0 warnings, 2 things are well
