--TEST--
One call tells how everything is; a part that cannot be told takes no other
--FILE--
<?php
declare(strict_types=1);
require 'integrity.inc';
$site = new Site();
$site->ground->configure([
    'databases' => ['notes' => ['replicas' => ['central' => 'web/notes.db', 'website' => 'shared_storage/notes.db']]],
    'logs' => ['irc' => ['copies' => ['central' => 'irc.log', 'website' => 'web/irc.log']]],
]);
$tell = static function (array $status): void {
    foreach (['databases', 'logs', 'security'] as $part) {
        echo "{$part}: ", $status[$part] === null ? 'null' : implode(' ', array_keys($status[$part])), "\n";
    }
};
$before = $site->ground->fingerprint();
$status = cr0_status($site->options());
$tell($status);
var_dump($status['schema'], $status['problems'], $status['ok']);
echo $site->ground->fingerprint() === $before ? "nothing has changed\n" : "something has changed\n";
// Each part is what its own function tells.
var_dump($status['databases'] === cr0_db_status($site->options()));
var_dump($status['logs'] === cr0_log_status($site->options()));
var_dump(array_keys($status['security']) === array_keys(cr0_integrity_status($site->options())));

file_put_contents("{$site->root}/shared_storage/integrity_config.json", 'nothing that makes sense');
$answer = cr0_call('cr0_status', [$site->options()]);
$tell($answer['report']);
echo $answer['exit_code'], ' ', count($answer['report']['problems']), ' ';
echo explode(':', $answer['report']['problems'][0])[0], "\n";
var_dump($answer['report']['ok']);
echo thrown(static fn () => cr0_status(['database' => 'notes'])), "\n";
?>
--EXPECT--
databases: schema databases
logs: schema ok logs
security: schema ok baseline last_check watch locks roots excluded problems warnings last_runs chain
int(1)
array(0) {
}
bool(false)
nothing has changed
bool(true)
bool(true)
bool(true)
databases: schema databases
logs: schema ok logs
security: null
2 1 security
bool(false)
ValueError: cr0_status(): Argument #1 ($options) has no key "database", only: config, root
