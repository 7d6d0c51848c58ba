--TEST--
Sessions are listed by user and page, the newest first, without what lets somebody in
--FILE--
<?php
declare(strict_types=1);
require 'access.inc';
$access = new Access();
$lines = static function (array $more = []) use ($access): void {
    $answer = cr0_call('cr0_session_list', [$access->options($more)]);
    $line = static fn (array $one): string => json_encode([$one['id'], $one['user_id'], $one['ip'], $one['state']]);
    echo implode(' ', array_map($line, $answer['report']['sessions'])), " of {$answer['report']['total']}\n";
};
$lines();
$session = static fn (mixed $user, int $created, int $life): array => [
    'user_id' => $user, 'token_hash' => hash('sha256', "t{$created}"), 'permissions' => ['read'],
    'created_at' => time() + $created, 'expires_at' => time() + $created + $life, 'ip' => '192.0.2.1',
    'user_agent' => '<b>',
];
$access->write([
    'a' => $session(7, -100, 1000), 'old' => $session('ann', -200, 10), 'b' => $session(7, -50, 1000),
], $access->sessions);
$lines();
$lines(['user_id' => 7]);
$lines(['user_id' => '7', 'skip' => 1, 'limit' => 5]);
$lines(['limit' => 1]);
cr0_session_close('b', $access->options());
$lines();
$json = cr0_call('cr0_session_list', [$access->options()])['json'];
var_dump(str_contains($json, 'hash'), str_contains($json, hash('sha256', 't-100')));
// What anybody may have written.
$access->write(['odd' => ['token_hash' => str_repeat('0', 64), 'user_id' => []], 'x' => 7], $access->sessions);
$answer = cr0_call('cr0_session_list', [$access->options()]);
echo $answer['exit_code'], ' ', count($answer['report']['sessions']), ' ', count($answer['report']['warnings']), "\n";
file_put_contents($access->sessions, '{"a');
echo str_replace($access->root, 'ROOT', thrown(static fn () => cr0_session_list($access->options()))), "\n";
echo thrown(static fn () => cr0_session_list($access->options(['ip' => 'x']))), "\n";
?>
--EXPECT--
 of 0
["b",7,"192.0.2.1","open"] ["a",7,"192.0.2.1","open"] ["old","ann","192.0.2.1","expired"] of 3
["b",7,"192.0.2.1","open"] ["a",7,"192.0.2.1","open"] of 2
["a",7,"192.0.2.1","open"] of 2
["b",7,"192.0.2.1","open"] of 3
["a",7,"192.0.2.1","open"] ["old","ann","192.0.2.1","expired"] of 2
bool(false)
bool(false)
1 0 1
Cr0Sync\CorruptException: cannot list sessions, as it is no JSON (line 1, column 3): ROOT/shared_storage/api_sessions.json
ValueError: cr0_session_list(): Argument #1 ($options) has no key "ip", only: config, root, user_id, skip, limit
