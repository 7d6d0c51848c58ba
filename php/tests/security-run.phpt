--TEST--
run does what is due, tells what is new once, and goes on where a job fails
--FILE--
<?php
declare(strict_types=1);
require 'integrity.inc';
$site = new Site();
function run(Site $site, string ...$words): void
{
    $words = ['run', ...$words];
    [$code, $out, $err] = script($words, ['CR0SYNC_CONFIG' => $site->ground->config], null, 'security_monitoring_script.php');
    $patterns = ['/\d{4}-\d\d-\d\dT[\d:.]+Z/', '/ +$|(?<=\S)  +/m', '/process \d+/', '/mode 0\d+/', '/\d+ ms/', '/ holds it: .*/'];
    $told = '= ' . implode(' ', $words) . " {$code}\n{$out}{$err}";
    echo preg_replace($patterns, ['TIME', '  ', 'process N', 'mode M', 'N ms', ' holds it: COMMAND'], str_replace($site->root, 'ROOT', $told));
}
/** As if the jobs had run long ago, by the clock and by the time since the machine started. */
function later(Site $site): void
{
    $file = "{$site->root}/sync_state/private/schedule";
    $schedule = json_decode(file_get_contents($file));
    foreach ($schedule->jobs as $job) {
        $job->unix -= 86400;
    }
    file_put_contents($file, json_encode($schedule));
}
cr0_integrity_baseline($site->options());
run($site);
run($site);
run($site, '--quiet');
$site->write('new.php', '<?php');
later($site);
run($site, '--quiet');
later($site);
run($site, '--quiet');
later($site);
run($site);
$log = "{$site->root}/logs/security/security_events.json";
$lines = file($log);
array_pop($lines);
file_put_contents($log, $lines);
later($site);
run($site, '--quiet');
later($site);
run($site, '--quiet');
mkdir("{$site->root}/shared_storage/api_sessions.json");
later($site);
run($site, '--quiet');
rmdir("{$site->root}/shared_storage/api_sessions.json");
$report = cr0_security_run($site->options());
echo implode(' ', array_keys($report)), "\n";
echo implode(' ', array_map(static fn ($name, $job): string => "{$name}:{$job['state']}", array_keys($report['jobs']), $report['jobs'])), "\n";
later($site);
$jobs = cr0_security_run($site->options())['jobs'];
foreach (['check' => 'findings', 'limits' => 'table', 'sessions' => 'removed', 'archive' => 'archived', 'verify_events' => 'breaks'] as $name => $member) {
    echo "{$name} ", $jobs[$name]['state'], ' ', get_debug_type($jobs[$name]['report'][$member]), "\n";
}
// While another process is at it.
$lock = fopen("{$site->root}/sync_state/locks/security.lock", 'r+');
flock($lock, LOCK_EX);
run($site);
run($site, '--quiet');
?>
--EXPECT--
= run 0
job  state  next  because
archive  ran  TIME
check  ran  TIME
limits  ran  TIME
sessions  ran  TIME
verify_events  ran  TIME
ran: archive check limits sessions verify_events; 0 findings, 0 new; N ms
= run 0
job  state  next  because
archive  not due  TIME
check  not due  TIME
limits  not due  TIME
sessions  not due  TIME
verify_events  not due  TIME
nothing was due; N ms
= run --quiet 0
= run --quiet 1
severity  what  path  changes  because
MEDIUM  added  ROOT/web/new.php  file, mode M, 5 bytes
ran: archive check limits sessions verify_events; 1 finding, 1 new; N ms
= run --quiet 0
= run 0
severity  what  path  changes  because
MEDIUM  added  ROOT/web/new.php  file, mode M, 5 bytes
job  state  next  because
archive  ran  TIME
check  ran  TIME
limits  ran  TIME
sessions  ran  TIME
verify_events  ran  TIME
ran: archive check limits sessions verify_events; 1 finding, 0 new; N ms
= run --quiet 1
The chain of events is broken: ROOT/logs/security/security_events.json, line 2, event 2: the log ends before event 2
ran: archive check limits sessions verify_events; 1 finding, 0 new; N ms
= run --quiet 0
= run --quiet 2
job  state  next  because
sessions  failed  TIME  refused what is no regular file: ROOT/shared_storage/api_sessions.json; move it away
ran: archive check limits verify_events; failed: sessions; 1 finding, 0 new; N ms
schema ok exit_bits new_findings new_break jobs watch missed warnings new_warnings problems duration_ms
archive:not_due check:not_due limits:not_due sessions:not_due verify_events:not_due
check ran array
limits ran array
sessions ran int
archive ran array
verify_events ran int
= run 75
security_monitoring_script.php: another process holds the lock ROOT/sync_state/locks/security.lock
  process N holds it: COMMAND
= run --quiet 75
