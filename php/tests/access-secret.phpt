--TEST--
A key is in no message and in no trace, also where it stands in the place of its id
--FILE--
<?php
declare(strict_types=1);
require 'access.inc';
ini_set('zend.exception_ignore_args', '0');
$access = new Access();
$o = $access->options();
$key = cr0_api_key_issue('1', 'a', ['read'], $o)['key'];
$session = cr0_session_open('1', ['read'], $o);
$token = $session['token'];
$secret = substr($key, 20, 40);
foreach ([
    static fn () => cr0_api_key_revoke($key, $o),
    static fn () => cr0_api_key_rotate($key, $o),
    static fn () => cr0_api_key_revoke(substr($key, 0, 30), $o),
    static fn () => cr0_api_key_revoke($token, $o),
    static fn () => cr0_api_key_revoke(hash('sha256', 'an old key'), $o),
] as $call) {
    $told = thrown($call);
    echo str_contains($told, substr($key, 20, 8)) || str_contains($told, substr($token, 20, 8)) ? 'TOLD' : 'hidden', ' ',
        preg_replace('/[0-9a-f]{16}/', 'ID', $told), "\n";
}
foreach ([
    static fn () => cr0_api_key_verify($key, 'everything', $o),
    static fn () => cr0_session_verify($token, 'everything', $o),
    static fn () => cr0_session_close($token, ['what' => 1]),
] as $call) {
    try {
        $call();
        echo "nothing was thrown\n";
    } catch (Throwable $error) {
        $frame = $error->getTrace()[0];
        echo $frame['function'], ' ', get_debug_type($frame['args'][0]), ' ',
            str_contains((string) $error, substr($key, 0, 12)) || str_contains((string) $error, substr($token, 0, 12)) ? 'TOLD' : 'hidden',
            "\n";
    }
}
?>
--EXPECT--
hidden Cr0Sync\UsageException: that is no id of a key, but a key itself, whose id is key_ID
hidden Cr0Sync\UsageException: that is no id of a key, but a key itself, whose id is key_ID
hidden Cr0Sync\UsageException: that is no id of a key, but a key itself, whose id is key_ID
hidden Cr0Sync\UsageException: that is no id of a key, but a key itself, whose id is key_ID
hidden Cr0Sync\UsageException: that is no id of a key, but a key itself
cr0_api_key_verify SensitiveParameterValue hidden
cr0_session_verify SensitiveParameterValue hidden
cr0_session_close SensitiveParameterValue hidden
