--TEST--
What makes no sense is an error of the caller; what a client sends never is
--FILE--
<?php
declare(strict_types=1);
require 'access.inc';
$access = new Access();
$o = $access->options();
$key = cr0_api_key_issue('007', 'a', ['read'], $access->options(['expires_in' => 1000]));
echo json_encode($access->read()[0]['user_id']), "\n";
foreach ([
    static fn () => cr0_api_key_issue('1', 'a', [], $o),
    static fn () => cr0_api_key_issue('1', 'a', ['root'], $o),
    static fn () => cr0_api_key_issue('', 'a', ['read'], $o),
    static fn () => cr0_api_key_issue('1', "a\nb", ['read'], $o),
    static fn () => cr0_api_key_issue('1', str_repeat('a', 101), ['read'], $o),
    static fn () => cr0_api_key_issue('1', 'a', ['read'], ['expires_in' => 0] + $o),
    static fn () => cr0_api_key_issue('1', 'a', ['read'], ['expires_in' => -1] + $o),
    static fn () => cr0_api_key_verify('x', 'everything', $o),
    static fn () => cr0_api_key_verify('x', 'read', ['minutes' => 1] + $o),
    static fn () => cr0_api_key_revoke('key_0', $o),
    static fn () => cr0_api_key_rotate('key_0', $o),
    static fn () => cr0_session_open('1', [], $o),
    static fn () => cr0_session_open('1', ['read'], ['minutes' => 0] + $o),
    static fn () => cr0_session_open('1', ['read'], ['minutes' => 100000] + $o),
    static fn () => cr0_session_open('1', ['read'], ['user_agent' => "\xff", 'ip' => "\0"] + $o),
    static fn () => cr0_api_key_verify("\xff\0", 'read', $o),
    static fn () => cr0_session_verify(str_repeat("\xff", 1 << 20), 'read', $o),
    static fn () => cr0_session_close("\xff", $o),
] as $call) {
    echo thrown($call), "\n";
}
// Exactly at its time it is over, and not before.
$all = $access->read();
$all[0]['expires_at'] = time() + 2;
$access->write($all);
do {
    [$before, $said, $after] = [time(), $access->says($key['key']), time()];
    if ($before === $after && ($said === 'granted') !== ($after < $all[0]['expires_at'])) {
        echo "wrong at {$after}: {$said}\n";
    }
    usleep(1000);
} while ($after < $all[0]['expires_at'] + 1);
echo $said, "\n";
?>
--EXPECT--
"007"
Cr0Sync\UsageException: a key needs a permission
Cr0Sync\UsageException: no permission has this name
Cr0Sync\UsageException: a user and a name of a key are lines of text
Cr0Sync\UsageException: a user and a name of a key are lines of text
Cr0Sync\UsageException: a user and a name of a key are lines of text
Cr0Sync\UsageException: a key lives for at least a second and at most a century
ValueError: cr0_api_key_issue(): Option "expires_in" must be greater than or equal to 0
Cr0Sync\UsageException: no permission has this name
ValueError: cr0_api_key_verify(): Argument #3 ($options) has no key "minutes", only: config, root
Cr0Sync\UsageException: no key has the id key_0
Cr0Sync\UsageException: no key has the id key_0
Cr0Sync\UsageException: a session needs a permission
Cr0Sync\UsageException: a session lives for at least a minute and at most a week
Cr0Sync\UsageException: a session lives for at least a minute and at most a week
nothing thrown
nothing thrown
nothing thrown
nothing thrown
expired
