--TEST--
Sixteen processes change keys and sessions at once: nothing is lost, and nobody ever sees half a file
--SKIPIF--
<?php if (getenv('SKIP_SLOW_TESTS')) die('skip sixteen processes at once wait too long for each other'); ?>
--FILE--
<?php
declare(strict_types=1);
require 'access.inc';
$access = new Access();
$first = cr0_api_key_issue('1', 'first', ['read'], $access->options());
cr0_session_open('1', ['read'], $access->options());
foreach ([$access->keys, $access->sessions] as $file) {
    $all = $access->read($file);
    $all[array_key_first($all)]['theirs'] = ['kept' => true];
    $access->write($all, $file);
    chmod($file, 0646);
    if (posix_geteuid() === 0) {
        chown($file, 4001);
        chgrp($file, 4002);
    }
}
$owners = static function () use ($access): string {
    clearstatcache();
    $look = static fn (string $file): string => implode(' ', array_intersect_key(stat($file), ['mode' => 1, 'uid' => 1, 'gid' => 1]));

    return $look($access->keys) . ', ' . $look($access->sessions);
};
$before = $owners();
$code = '$options = ["config" => $argv[1]];
    for ($n = 0; $n < 6; $n++) {
        $key = cr0_api_key_issue("7", "{$argv[2]} {$n}", ["read"], $options);
        $session = cr0_session_open("7", ["read"], $options);
        $granted = cr0_api_key_verify($key["key"], "read", $options)["granted"]
            && cr0_session_verify($session["token"], "read", $options)["granted"];
        if (!$granted) {
            echo "refused\n";
        }
        if ($n % 3 === 0) {
            cr0_api_key_revoke($key["id"], $options);
            cr0_session_close($session["id"], $options);
            if (cr0_api_key_verify($key["key"], "read", $options)["granted"]
                || cr0_session_verify($session["token"], "read", $options)["granted"]) {
                echo "granted\n";
            }
        }
    }
    echo "done\n";';
$processes = [];
for ($number = 0; $number < 16; $number++) {
    $out = tmpfile();
    $pipes = [];
    $command = [PHP_BINARY, '-n', '-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), '-r', $code, $access->ground->config, (string) $number];
    $processes[] = [proc_open($command, [1 => $out, 2 => $out], $pipes), $out];
}
$looks = $bad = 0;
do {
    foreach ([$access->keys, $access->sessions] as $file) {
        $bad += is_array(json_decode((string) file_get_contents($file), true)) ? 0 : 1;
        $looks++;
    }
    usleep(200);
    $run = array_filter($processes, static fn (array $one): bool => proc_get_status($one[0])['running']);
} while ($run !== []);
$said = '';
foreach ($processes as [, $out]) {
    rewind($out);
    $said .= stream_get_contents($out);
}
echo $said === str_repeat("done\n", 16) ? 'all done' : $said, "\n";
echo $looks > 100 ? 'looked' : "only {$looks} looks", ", {$bad} halves\n";
$keys = $access->read();
$names = array_column($keys, 'name');
$wanted = ['first'];
foreach (range(0, 15) as $number) {
    foreach (range(0, 5) as $n) {
        $wanted[] = "{$number} {$n}";
    }
}
sort($names);
sort($wanted);
echo $names === $wanted ? 'every key once' : implode(',', $names), "\n";
$active = array_filter($keys, static fn (array $key): bool => $key['active']);
echo count($active), ' active, ', count($access->read($access->sessions)), " sessions\n";
echo json_encode([$keys[0]['theirs'], current($access->read($access->sessions))['theirs']]), "\n";
echo posix_geteuid() !== 0 || $owners() === $before ? 'owner and mode kept' : "{$before} {$owners()}", "\n";
echo implode(' ', array_diff(scandir(dirname($access->keys)), ['.', '..'])), "\n";
$events = array_count_values(array_column(cr0_lines("{$access->root}/logs/security/security_events.json"), 'type'));
ksort($events);
echo json_encode($events), "\n";

/** @return list<array<string, mixed>> */
function cr0_lines(string $file): array
{
    return array_map(static fn (string $line): array => json_decode($line, true), file($file));
}
?>
--EXPECT--
all done
looked, 0 halves
every key once
65 active, 65 sessions
[{"kept":true},{"kept":true}]
owner and mode kept
api_keys.json api_keys.json.withdrawn api_sessions.json api_sessions.json.withdrawn
{"API_KEY_ISSUED":97,"API_KEY_REVOKED":32}
