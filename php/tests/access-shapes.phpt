--TEST--
The documents of keys and sessions have exactly the documented members
--FILE--
<?php
declare(strict_types=1);
require 'access.inc';
$access = new Access();
$document = static function (string $function, mixed ...$arguments) use ($access): array {
    $answer = cr0_call($function, [...$arguments, $access->options()]);
    echo $function, ' ', $answer['exit_code'], ' ', shape(json_decode($answer['json'])), "\n";
    if (str_contains($answer['json'], 'hash')) {
        echo "shows a hash\n";
    }

    return $answer['report'];
};
$issued = $document('cr0_api_key_issue', '7', 'a bot', ['write', 'read', 'read']);
$document('cr0_api_key_verify', $issued['key'], 'write');
$refused = [];
foreach (['', 'x', str_repeat('0', 64), "\xff\0", substr($issued['key'], 0, -1) . 'x'] as $key) {
    $refused[] = cr0_call('cr0_api_key_verify', [$key, 'read', $access->options()]);
}
$refused[] = cr0_call('cr0_api_key_verify', [$issued['key'], 'admin', $access->options()]);
$shapes = array_map(static fn (array $one): string => shape(json_decode($one['json'])), $refused);
echo count(array_unique($shapes)), ' ', $refused[0]['exit_code'], ' ', $shapes[0], "\n";
echo implode(' ', array_map(static fn (array $one): string => $one['report']['reason'], $refused)), "\n";
$rotated = $document('cr0_api_key_rotate', $issued['id']);
$document('cr0_api_key_list');
$document('cr0_api_key_revoke', $rotated['id']);
$session = $document('cr0_session_open', 'alice', ['admin']);
$document('cr0_session_verify', $session['token'], 'read');
$document('cr0_session_list');
$document('cr0_session_close', $session['token']);
$document('cr0_session_cleanup');
?>
--EXPECT--
cr0_api_key_issue 0 {
  schema: int
  id: string
  key: string
  warnings: []
}
cr0_api_key_verify 0 {
  schema: int
  granted: bool
  reason: null
  key: {
    id: string
    user_id: int
    name: string
    permissions: [string]
    created_at: string
    expires_at: null
  }
  warnings: []
}
1 1 {
  schema: int
  granted: bool
  reason: string
  key: null
  warnings: []
}
malformed malformed unknown malformed malformed forbidden
cr0_api_key_rotate 0 {
  schema: int
  id: string
  key: string
  replaces: string
  replaced_until: string
  warnings: []
}
cr0_api_key_list 0 {
  schema: int
  keys: [{
    id: string
    user_id: int
    name: string
    permissions: [string]
    created_at: string
    expires_at: string
    last_used_at: string
    usage_count: int
    state: string
    revoked_at: null
    replaced_until: string
  }]
  warnings: []
}
cr0_api_key_revoke 0 {
  schema: int
  id: string
  revoked: bool
  warnings: []
}
cr0_session_open 0 {
  schema: int
  id: string
  token: string
  expires_at: string
  warnings: []
}
cr0_session_verify 0 {
  schema: int
  granted: bool
  reason: null
  session: {
    id: string
    user_id: string
    permissions: [string]
    created_at: string
    expires_at: string
    ip: string
    user_agent: string
  }
  warnings: []
}
cr0_session_list 0 {
  schema: int
  sessions: [{
    id: string
    user_id: string
    permissions: [string]
    created_at: string
    expires_at: string
    ip: string
    user_agent: string
    state: string
  }]
  total: int
  warnings: []
}
cr0_session_close 0 {
  schema: int
  closed: bool
  id: string
  warnings: []
}
cr0_session_cleanup 0 {
  schema: int
  ok: bool
  removed: int
  open: int
  warnings: []
}
