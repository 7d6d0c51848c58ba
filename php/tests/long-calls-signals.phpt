--TEST--
A signal handler runs within every long call, and what it throws ends the call with nothing half done
--EXTENSIONS--
pcntl
posix
--FILE--
<?php
declare(strict_types=1);
require 'integrity.inc';
require 'logs.inc';
require 'long-calls.inc';

$site = new Site();
cr0_integrity_baseline($site->options());
// A hole costs nothing but reading it.
$large = fopen("{$site->web}/large", 'x');
ftruncate($large, 8 << 30);
echo disturbed(static fn () => cr0_integrity_baseline($site->options())), "\n";
echo disturbed(static fn () => cr0_call('cr0_integrity_baseline', [$site->options()])), "\n";
echo disturbed(static fn () => cr0_integrity_accept([$site->web], $site->options())), "\n";
ftruncate($large, 0);
echo cr0_integrity_status($site->options())['baseline']['generation'], ' ', cr0_integrity_baseline($site->options())['generation'], "\n";
ftruncate($large, 1 << 30);
cr0_integrity_baseline($site->options());
echo disturbed(static fn () => cr0_integrity_check($site->options(['full' => true]))), "\n";
ftruncate($large, 0);
touch("{$site->web}/large");

$ground = new Playground();
$ground->sql(null, 'CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)');
cr0_db_sync($ground->options());
$ground->sql('website', 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 200000) INSERT INTO note SELECT x, hex(x) FROM n');
echo disturbed(static fn () => cr0_db_sync($ground->options())), "\n";
$count = static fn (string $side): int => (int) $ground->rows($side, 'SELECT count(*) FROM note')[0][0];
echo $count('central'), ' ', $count('website'), "\n";
// An owner who does not let go.
$owner = $ground->open('website');
$owner->exec('BEGIN EXCLUSIVE');
echo disturbed(static fn () => cr0_db_sync($ground->options())), "\n";
echo disturbed(static fn () => cr0_db_verify($ground->options())), "\n";
echo disturbed(static fn () => cr0_db_backup($ground->options())), "\n";
$owner->exec('ROLLBACK');
echo cr0_db_sync($ground->options())['databases']['notes']['sides']['central']['inserted'], ' ', $count('central'), "\n";

$logs = new Logs();
$lines = str_repeat(str_repeat('x', 99) . "\n", 10000);
for ($written = 0; $written < 200; $written++) {
    $logs->append('bot', $lines);
}
echo disturbed(static fn () => cr0_log_merge($logs->options())), "\n";
echo cr0_log_merge($logs->options())['logs']['irc']['state'], "\n";
echo filesize($logs->path('website')), "\n";
echo disturbed(static fn () => cr0_log_verify($logs->options())), "\n";
echo disturbed(static fn () => cr0_log_rotate($logs->options(['force' => true]))), "\n";
echo count(glob("{$logs->root}/central/*.new-*")), "\n";
?>
--EXPECT--
DomainException: within cr0_integrity_baseline
DomainException: within cr0_call
DomainException: within cr0_integrity_accept
1 2
DomainException: within cr0_integrity_check
DomainException: within cr0_db_sync
0 200000
DomainException: within cr0_db_sync
DomainException: within cr0_db_verify
DomainException: within cr0_db_backup
200000 200000
DomainException: within cr0_log_merge
merged
200000000
DomainException: within cr0_log_verify
DomainException: within cr0_log_rotate
0
