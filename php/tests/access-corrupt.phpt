--TEST--
A file that makes no sense lets nobody in: it is moved aside, reported, and begun anew
--FILE--
<?php
declare(strict_types=1);
require 'access.inc';
$access = new Access();
$show = static fn (string $text): string
    => preg_replace('/\d{4}-\d\d-\d\d_[\d.-]+/', 'TIME', str_replace($access->root, 'ROOT', $text));
$key = cr0_api_key_issue('1', 'a', ['read'], $access->options());
$session = cr0_session_open('1', ['read'], $access->options());
$good = file_get_contents($access->keys);
foreach (['{"half": ', '', 'null', "[\"\xff\"]"] as $text) {
    file_put_contents($access->keys, $good);
    echo $access->says($key['key']), ' ';
    file_put_contents($access->keys, $text);
    $answer = cr0_api_key_verify($key['key'], 'read', $access->options());
    echo $answer['reason'], ' ', json_encode($answer['key']), "\n";
    echo $show(implode("\n", $answer['warnings'])), "\n";
    echo $access->says($key['key']), ' ', json_encode(file_exists($access->keys)), "\n";
    $aside = glob("{$access->keys}.corrupt-*");
    echo count($aside), ' ', json_encode(file_get_contents($aside[0]) === $text), "\n";
    array_map('unlink', $aside);
}
$events = array_map(static fn (string $line): array => json_decode($line, true), file("{$access->root}/logs/security/security_events.json"));
$last = end($events);
echo "{$last['type']} {$last['severity']} ", $show(json_encode($last['details'], JSON_UNESCAPED_SLASHES)), "\n";

// What writes begins anew, and says so.
file_put_contents($access->sessions, '[{]');
$new = cr0_session_open('2', ['read'], $access->options());
echo $show(implode("\n", $new['warnings'])), "\n", count($access->read($access->sessions)), "\n";
echo json_encode(cr0_session_verify($session['token'], 'read', $access->options())['reason']), "\n";

// A list says what is wrong, and changes nothing.
file_put_contents($access->keys, 'x');
echo $show(thrown(static fn () => cr0_api_key_list($access->options()))), "\n";
echo file_get_contents($access->keys), "\n";

// Where nobody can say who was revoked nobody gets in, until somebody has seen to it.
file_put_contents($access->keys, $good);
mkdir("{$access->root}/sync_state/access");
file_put_contents("{$access->root}/sync_state/access/keys", '{');
echo $access->says($key['key']), ' ', $access->says($key['key']), "\n";
echo $show(implode("\n", cr0_api_key_verify($key['key'], 'read', $access->options())['warnings'])), "\n";
file_put_contents("{$access->root}/sync_state/access/keys", '{"format": "cr0sync withdrawn", "version": 3, "sum": "' . hash('sha256', '') . '", "entries": {}}');
echo $show(thrown(static fn () => $access->says($key['key']))), "\n";
unlink("{$access->root}/sync_state/access/keys");
// A pipe is not waited for, and a symlink not followed.
unlink($access->keys);
posix_mkfifo($access->keys, 0600);
echo $show(thrown(static fn () => $access->says($key['key']))), "\n";
unlink($access->keys);
symlink('/etc/passwd', $access->keys);
echo $show(thrown(static fn () => $access->says($key['key']))), "\n";
?>
--EXPECT--
granted unavailable null
ROOT/shared_storage/api_keys.json is broken (it is no JSON (line 1, column 9)), and was moved to ROOT/shared_storage/api_keys.json.corrupt-TIME; mend that, or put a good copy back
unknown false
1 true
granted unavailable null
ROOT/shared_storage/api_keys.json is broken (it is empty), and was moved to ROOT/shared_storage/api_keys.json.corrupt-TIME; mend that, or put a good copy back
unknown false
1 true
granted unavailable null
ROOT/shared_storage/api_keys.json is broken (it is neither a list nor an object), and was moved to ROOT/shared_storage/api_keys.json.corrupt-TIME; mend that, or put a good copy back
unknown false
1 true
granted unavailable null
ROOT/shared_storage/api_keys.json is broken (it is no JSON (line 1, column 3)), and was moved to ROOT/shared_storage/api_keys.json.corrupt-TIME; mend that, or put a good copy back
unknown false
1 true
CORRUPT_FILE CRITICAL {"file":"ROOT/shared_storage/api_keys.json","reason":"it is no JSON (line 1, column 3)","moved_to":"ROOT/shared_storage/api_keys.json.corrupt-TIME"}
ROOT/shared_storage/api_sessions.json is broken (it is no JSON (line 1, column 3)), and was moved to ROOT/shared_storage/api_sessions.json.corrupt-TIME; mend that, or put a good copy back
1
"unknown"
Cr0Sync\CorruptException: cannot list keys, as it is no JSON (line 1, column 1): ROOT/shared_storage/api_keys.json
x
unavailable unavailable
nobody can say which API keys were withdrawn, so all are refused: ROOT/sync_state/access/keys (it is no JSON (line 1, column 1)) and ROOT/shared_storage/api_keys.json.withdrawn (it is missing); put a good copy of one of them back, or revoke what must not come back (keys list, keys revoke ID of security_monitoring_script.php), and then say that this is all: echo '["begin anew"]' > ROOT/shared_storage/api_keys.json.withdrawn
Cr0Sync\CorruptException: refused what a newer version of cr0sync wrote: ROOT/sync_state/access/keys
Cr0Sync\IoException: refused what is no regular file: ROOT/shared_storage/api_keys.json
Cr0Sync\IoException: refused a symlink, which is not followed: ROOT/shared_storage/api_keys.json
