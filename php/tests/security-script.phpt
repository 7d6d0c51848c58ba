--TEST--
The script over files, events and keys: words, JSON and exit codes
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$ground = new Playground();
$web = "{$ground->root}/web";
mkdir($web);
mkdir("{$ground->root}/shared_storage");
file_put_contents("{$web}/auth.php", 'one');
file_put_contents("{$ground->root}/shared_storage/integrity_config.json", json_encode([
    'monitored_files' => ["{$web}/auth.php"], 'monitored_directories' => ["{$web}/"],
]));
function run(Playground $ground, string ...$words): void
{
    [$code, $out, $err] = script($words, ['CR0SYNC_CONFIG' => $ground->config], null, 'security_monitoring_script.php');
    $patterns = ['/\d{4}-\d\d-\d\dT[\d:.]+Z/', '/\d+ ms/', '/ +$|(?<=\S)  +/m', '/crk_\w+/', '/key_\w+/', '/(?<=; )a change of names.*/', '#php \S+/(?=security_)#'];
    $told = '= ' . addcslashes(implode(' ', $words), "\x1b") . " {$code}\n{$out}{$err}";
    echo preg_replace($patterns, ['TIME', 'N ms', '  ', 'KEY', 'ID', 'GUARANTEE', 'php PLACE/'], str_replace($ground->root, 'ROOT', $told));
}
run($ground, 'status');
run($ground, 'check', '--root', "{$ground->root}/nope");
echo json_encode(file_exists("{$ground->root}/nope")), "\n";
run($ground, 'check');
run($ground, 'baseline');
run($ground, 'check', '--quiet');
file_put_contents("{$web}/auth.php", 'two!');
run($ground, 'check', '--quiet');
run($ground, 'accept', '--dry-run', "{$web}/auth.php");
run($ground, 'accept', "{$web}/auth.php");
run($ground, 'check', '--full', '--budget-ms', '60000');
run($ground, 'status');
run($ground, 'run', '--quiet');
run($ground, 'status');
run($ground, 'keys', 'issue', '--user', '7', '--name', "up\x1b[2J", '--permission', 'read');
run($ground, 'keys', 'issue', '--user', '7', '--name', 'up', '--permission', 'read', '--permission', 'write');
run($ground, 'keys', 'list');
run($ground, 'keys', 'list', '--user', '8');
$id = cr0_api_key_list($ground->options())['keys'][0]['id'];
run($ground, 'keys', 'rotate', $id, '--grace', '0');
run($ground, 'keys', 'revoke', $id);
run($ground, 'cleanup');
run($ground, 'archive');
run($ground, 'verify-events');
run($ground, 'verify-events', '--quiet');
$log = "{$ground->root}/logs/security/security_events.json";
$lines = file($log);
unset($lines[1]);
file_put_contents($log, $lines);
run($ground, 'verify-events', '--quiet');
foreach ([['keys'], ['keys', 'fly'], ['keys', 'revoke'], ['keys', 'list', 'x'], ['keys', 'list', '--grace', '5'], ['keys', 'issue'], ['check', '--budget-ms', 'x'], ['accept'], ['look']] as $words) {
    run($ground, ...$words);
}
[, $out] = script(['check', '--json', '--config', $ground->config], [], null, 'security_monitoring_script.php');
echo implode(' ', array_slice(array_keys(json_decode($out, true)), 0, 8)), "\n";
?>
--EXPECT--
= status 0
look: no baseline that can be believed, nothing checked yet, no watcher
the baseline cannot be believed: there is no baseline, make one; next: php PLACE/security_monitoring_script.php baseline
= check --root ROOT/nope 64
security_monitoring_script.php: there is no directory ROOT/nope
  make it, or name another with --root
false
= check 1
severity  what  path  changes  because
CRITICAL  baseline  ROOT/sync_state/integrity/baseline  missing  there is no baseline, make one
0 files checked, N ms; not all of them: none: there is no baseline to compare with that can be believed
= baseline 0
1 open alert closed.
Nothing accepted before is known, so nothing was compared.
A new key signs from now on.
2 files accepted as they are (generation 1).
= check --quiet 0
= check --quiet 1
severity  what  path  changes  because
CRITICAL  modified  ROOT/web/auth.php  content, size 3 -> 4, mtime, ctime
2 files checked, N ms; GUARANTEE
= accept --dry-run ROOT/web/auth.php 0
severity  what  path  changes  because
CRITICAL  modified  ROOT/web/auth.php  content, size 3 -> 4, mtime, ctime
1 finding would be accepted.
= accept ROOT/web/auth.php 0
severity  what  path  changes  because
CRITICAL  modified  ROOT/web/auth.php  content, size 3 -> 4, mtime, ctime
1 open alert closed.
1 finding accepted (generation 2).
= check --full --budget-ms 60000 0
2 files checked, N ms; every file was read: content is as it was accepted, or is a finding; GUARANTEE
= status 0
look: baseline of 2 files (generation 2, of TIME), 0 findings at TIME, no watcher
nothing was done by the clock yet; first: have cron call it: make install-system ROOT=ROOT, then install_crontabs.sh there; then: php PLACE/security_monitoring_script.php run
= run --quiet 0
= status 0
well: baseline of 2 files (generation 2, of TIME), 0 findings at TIME, no watcher
The chain of events was verified at TIME.
= keys issue --user 7 --name up\033[2J --permission read 64
security_monitoring_script.php: a user and a name of a key are lines of text
  up to 100 characters, none of them a control character
= keys issue --user 7 --name up --permission read --permission write 0
KEY
ID is shown this once; only its digest is kept.
= keys list 0
id  user  name  permissions  state  last used  uses at least  expires
ID  7  up  read, write  active  never  0  never
= keys list --user 8 0
There are no keys.
= keys rotate ID --grace 0 0
KEY
ID is shown this once; ID counts until TIME.
= keys revoke ID 0
ID did not count any more.
ID was issued in place of ID, and still counts: revoke that as well where nobody should have it
= cleanup 0
0 sessions removed, 0 open; 0 limits removed, 0 in use.
= archive 0
0 archives made, 0 removed as too old.
= verify-events 0
6 events and 0 lines of the site's pages checked, in the log and 0 archives.
= verify-events --quiet 0
= verify-events --quiet 1
ROOT/logs/security/security_events.json, line 2, event 2: event 2 before it is not there
1 break in the chain of events.
= keys 64
security_monitoring_script.php: keys is not complete
  write keys issue|list|revoke ID|rotate ID
= keys fly 64
security_monitoring_script.php: keys does not know fly
  write keys issue, list, revoke, rotate
= keys revoke 64
security_monitoring_script.php: keys revoke is not complete
  write keys revoke ID
= keys list x 64
security_monitoring_script.php: keys list does not know what to do with x
  write keys list
= keys list --grace 5 64
security_monitoring_script.php: keys list does not know --grace
  see keys --help
= keys issue 64
security_monitoring_script.php: keys issue needs --user
  see keys --help
= check --budget-ms x 64
security_monitoring_script.php: --budget-ms needs a number
  write --budget-ms 60
= accept 64
security_monitoring_script.php: accept is not complete
  write accept PATH...
= look 64
security_monitoring_script.php: unknown command look
  commands are: run, status, check, watch, baseline, accept, cleanup, archive, verify-events, keys, doctor
schema ok exit_bits checked hashed_bytes complete guarantee findings
