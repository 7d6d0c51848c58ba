--TEST--
Pages of today read keys and sessions of ours, and we read theirs; what means nothing to us stays
--FILE--
<?php
declare(strict_types=1);
require 'access.inc';
$access = new Access();
$old = $access->issueAsToday('7', ['read'], time() + 1000);
$all = $access->read();
$all[0]['note/é'] = ['deep' => [1, 2.5, null], 'empty' => []];
$access->write($all);
chmod($access->keys, 0640);
$before = file_get_contents($access->keys);
$new = cr0_api_key_issue('7', 'ours', ['admin'], $access->options());

echo "theirs by us: {$access->says($old)} {$access->says($old, 'write')}\n";
echo 'ours by them: ', json_encode([$access->verifyAsToday($new['key'], 'write'), $access->verifyAsToday($new['key'], 'system')]), "\n";
echo 'theirs by them: ', json_encode($access->verifyAsToday($old, 'read')), "\n";
echo "ours by us: {$access->says($new['key'], 'write')} {$access->says($new['key'], 'system')}\n";

// Byte for byte what PHP writes, and what was there is a beginning of it but for the use.
$text = file_get_contents($access->keys);
echo $text === json_encode($access->read(), JSON_PRETTY_PRINT) ? 'as PHP writes it' : $text, "\n";
echo array_keys($access->read()[0]) === array_keys($all[0]) ? 'same order' : 'another order', "\n";
echo json_encode($access->read()[0]['note/é']), ' ', decoct(fileperms($access->keys) & 0777), "\n";
$ours = $access->read()[1];
echo implode(' ', array_keys($ours)), ' ', get_debug_type($ours['user_id']), "\n";

// A list with holes is an object.
$all = $access->read();
unset($all[0]);
$access->write($all);
$third = cr0_api_key_issue('8', 'third', ['read'], $access->options());
echo json_encode(array_keys($access->read())), " {$access->says($third['key'])} {$access->says($new['key'])} {$access->says($old)}\n";

// No session is a list.
$access->write([], $access->sessions);
$session = cr0_session_open('7', ['read'], $access->options(['ip' => '192.0.2.1', 'user_agent' => "a\xff" . str_repeat('b', 1000)]));
echo json_encode($access->verifySessionAsToday($session['id'], $session['token'])), "\n";
$sessions = $access->read($access->sessions);
echo implode(' ', array_keys($sessions[$session['id']])), ' ', preg_match_all('/./us', $sessions[$session['id']]['user_agent']), "\n";
$token = bin2hex(random_bytes(32));
$sessions['theirs'] = ['user_id' => 9, 'token_hash' => hash('sha256', $token), 'permissions' => ['read'],
    'created_at' => time(), 'expires_at' => time() + 100, 'ip' => '::1', 'user_agent' => 'x', 'more' => 1];
$sessions['old'] = ['expires_at' => time() - 1] + $sessions['theirs'];
$access->write($sessions, $access->sessions);
$answer = cr0_session_verify($token, 'read', $access->options());
echo json_encode([$answer['granted'], $answer['reason']]), "\n";
?>
--EXPECT--
theirs by us: granted forbidden
ours by them: [true,false]
theirs by them: true
ours by us: granted forbidden
as PHP writes it
same order
{"deep":[1,2.5,null],"empty":[]} 640
id user_id name key_hash permissions created_at last_used_at usage_count active int
[1,2] granted granted unknown
true
user_id token_hash permissions created_at expires_at ip user_agent 256
[false,"expired"]
