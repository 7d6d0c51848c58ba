--TEST--
What is revoked or closed is refused at the next call in every process, also when an old copy of the file comes back
--FILE--
<?php
declare(strict_types=1);
require 'access.inc';
$access = new Access();
$kept = cr0_api_key_issue('1', 'kept', ['read'], $access->options());
$key = cr0_api_key_issue('1', 'taken back', ['read'], $access->options());
$session = cr0_session_open('1', ['read'], $access->options());

// A process that has both in its memory, and is asked again and again.
$pipes = [];
$code = '$options = ["config" => $argv[1]];
    while (($line = fgets(STDIN)) !== false) {
        [$function, $text] = explode(" ", trim($line));
        $answer = $function($text, "read", $options);
        echo $answer["granted"] ? "granted" : $answer["reason"], "\n";
    }';
$other = proc_open(
    [PHP_BINARY, '-n', '-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), '-r', $code, $access->ground->config],
    [['pipe', 'r'], ['pipe', 'w']],
    $pipes,
);
$ask = static function (string $function, string $text) use ($pipes): string {
    fwrite($pipes[0], "{$function} {$text}\n");

    return trim((string) fgets($pipes[1]));
};
echo $ask('cr0_api_key_verify', $key['key']), ' ', $ask('cr0_session_verify', $session['token']), "\n";
$old = file_get_contents($access->keys);
$oldSessions = file_get_contents($access->sessions);

echo json_encode(cr0_api_key_revoke($key['id'], $access->options())['revoked']), ' ';
echo $ask('cr0_api_key_verify', $key['key']), ' ', $access->says($key['key']), "\n";
echo json_encode(cr0_session_close($session['token'], $access->options())['closed']), ' ';
echo $ask('cr0_session_verify', $session['token']), "\n";

// A page that had read the files before writes them now.
file_put_contents($access->keys, $old, LOCK_EX);
file_put_contents($access->sessions, $oldSessions, LOCK_EX);
echo $ask('cr0_api_key_verify', $key['key']), ' ', $ask('cr0_session_verify', $session['token']), "\n";
// Its first use is written down, which puts the file right.
echo $ask('cr0_api_key_verify', $kept['key']), "\n";
$states = array_column(cr0_api_key_list($access->options())['keys'], 'state');
echo json_encode(array_column($access->read(), 'active')), ' ', json_encode($states), "\n";
cr0_api_key_issue('1', 'next', ['read'], $access->options());
cr0_session_cleanup($access->options());
echo json_encode(array_column($access->read(), 'active')), ' ', count($access->read($access->sessions)), "\n";
echo json_encode(cr0_api_key_revoke($key['id'], $access->options())['revoked']), ' ';
echo json_encode(cr0_session_close($session['id'], $access->options())['closed']), "\n";

// With time to change over; without.
$rotated = cr0_api_key_rotate($kept['id'], $access->options(['grace' => 2]));
echo $ask('cr0_api_key_verify', $kept['key']), ' ', $ask('cr0_api_key_verify', $rotated['key']), "\n";
$old = $access->read();
unset($old[0]['expires_at']);
$access->write($old);
sleep(3);
echo $ask('cr0_api_key_verify', $kept['key']), ' ', $ask('cr0_api_key_verify', $rotated['key']), "\n";
$again = cr0_api_key_rotate($rotated['id'], $access->options(['grace' => 0]));
echo $ask('cr0_api_key_verify', $rotated['key']), ' ', $ask('cr0_api_key_verify', $again['key']), "\n";
echo thrown(static fn () => cr0_api_key_rotate($rotated['id'], $access->options())), "\n";
fclose($pipes[0]);
proc_close($other);

// A rewrite of the same length in the same moment is seen.
$all = $access->read();
$wrong = 0;
for ($round = 0; $round < 500; $round++) {
    $all[4]['permissions'] = [$round % 2 === 0 ? 'read' : 'None'];
    $access->write($all);
    $wrong += $access->says($again['key']) !== ($round % 2 === 0 ? 'granted' : 'forbidden') ? 1 : 0;
}
echo $wrong, "\n";
?>
--EXPECT--
granted granted
true revoked revoked
true unknown
revoked revoked
granted
[true,false] ["active","revoked"]
[true,false,true] 0
false false
granted granted
revoked granted
revoked granted
Cr0Sync\UsageException: cannot rotate a key that counts no longer
0
