--TEST--
Sixteen processes change keys and sessions at once, some of them pages of today: what is promised for each kind of page holds
--SKIPIF--
<?php if (getenv('SKIP_SLOW_TESTS')) die('skip sixteen processes at once wait too long for each other'); ?>
--FILE--
<?php
declare(strict_types=1);
require 'access.inc';

/** Runs code in so many processes at once, each with its number, and returns what they said. */
function at_once(Access $access, array $programs): string
{
    $processes = [];
    foreach ($programs as $number => $code) {
        $out = tmpfile();
        $pipes = [];
        $command = [PHP_BINARY, '-n', '-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), '-r', $code, $access->ground->config, (string) $number, $access->keys, $access->sessions];
        $processes[] = [proc_open($command, [1 => $out, 2 => $out], $pipes), $out];
    }
    $bad = 0;
    do {
        foreach ([$access->keys, $access->sessions] as $file) {
            $bad += is_array(json_decode((string) file_get_contents($file), true)) ? 0 : 1;
        }
        usleep(500);
        $run = array_filter($processes, static fn (array $one): bool => proc_get_status($one[0])['running']);
    } while ($run !== []);
    $said = '';
    foreach ($processes as [, $out]) {
        rewind($out);
        $said .= stream_get_contents($out);
    }

    // A page that truncates and then writes lets others see its half: only where no such page runs there is none.
    return $said . ($bad === 0 ? "no halves\n" : "halves\n");
}

$ours = '$options = ["config" => $argv[1]];
    for ($n = 0; $n < 4; $n++) {
        $key = cr0_api_key_issue("7", "{$argv[2]} {$n}", ["read"], $options);
        cr0_session_open("7", ["read"], $options);
        $gone = cr0_api_key_issue("7", "gone {$argv[2]} {$n}", ["read"], $options);
        cr0_api_key_revoke($gone["id"], $options);
        if (cr0_api_key_verify($gone["key"], "read", $options)["granted"]) {
            echo "granted\n";
        }
    }
    echo "done\n";';
// Takes the lock of the file, looks whether the file is still that one, and changes it in its place.
$careful = 'for ($n = 0; $n < 4; $n++) {
        foreach ([$argv[3], $argv[4]] as $file) {
            do {
                $handle = fopen($file, "r+");
                flock($handle, LOCK_EX);
                clearstatcache();
                $same = fstat($handle)["ino"] === @stat($file)["ino"];
                if (!$same) {
                    fclose($handle);
                }
            } while (!$same);
            $all = json_decode(stream_get_contents($handle), true, 512, JSON_THROW_ON_ERROR);
            $first = array_key_first($all);
            $all[$first]["pages"][] = "{$argv[2]} {$n}";
            rewind($handle);
            $text = json_encode($all, JSON_PRETTY_PRINT);
            fwrite($handle, $text);
            ftruncate($handle, strlen($text));
            fflush($handle);
            fclose($handle);
            usleep(2000);
        }
    }
    echo "done\n";';
// Reads without a lock, and writes all of what it had read.
$careless = 'for ($n = 0; $n < 4; $n++) {
        foreach ([$argv[3], $argv[4]] as $file) {
            $all = json_decode((string) file_get_contents($file), true);
            usleep(3000);
            if (is_array($all) && $all !== []) {
                file_put_contents($file, json_encode($all, JSON_PRETTY_PRINT), LOCK_EX);
            }
        }
    }
    echo "done\n";';

// Beside pages that lock the file and look again, nothing is lost of either.
$access = new Access();
cr0_api_key_issue('1', 'first', ['read'], $access->options());
cr0_session_open('1', ['read'], $access->options());
$said = at_once($access, [...array_fill(0, 10, $ours), ...array_fill(10, 6, $careful)]);
echo substr_count($said, "done\n"), ' done, ', substr_count($said, 'granted'), ' granted ', strlen(str_replace(["done\n", "no halves\n", "halves\n"], '', $said)) === 0 ? '' : $said, "\n";
$names = array_filter(array_column($access->read(), 'name'), static fn (string $name): bool => !str_starts_with($name, 'gone'));
echo count($names), ' keys, ', count($access->read()), ' with those that are gone, ', count($access->read($access->sessions)), " sessions\n";
foreach ([$access->keys, $access->sessions] as $file) {
    $pages = current($access->read($file))['pages'];
    echo count($pages), ' ', count(array_unique($pages)), "\n";
}
$active = array_filter($access->read(), static fn (array $key): bool => $key['active']);
echo count($active), " active\n";

// Beside pages that read without a lock, what is revoked stays revoked, and the file stays one that can be read.
$access = new Access();
cr0_api_key_issue('1', 'first', ['read'], $access->options());
cr0_session_open('1', ['read'], $access->options());
$doomed = array_map(static fn (int $n): array => cr0_api_key_issue('1', "doomed {$n}", ['read'], $access->options()), range(0, 11));
$token = cr0_session_open('1', ['read'], $access->options());
$revoke = '$options = ["config" => $argv[1]];
    $key = json_decode($argv[5], true)[(int) $argv[2]];
    cr0_api_key_revoke($key["id"], $options);
    for ($n = 0; $n < 20; $n++) {
        if (cr0_api_key_verify($key["key"], "read", $options)["granted"]) {
            echo "granted\n";
        }
        usleep(1000);
    }
    echo "done\n";';
$revoke = str_replace('$argv[5]', var_export(json_encode($doomed), true), $revoke);
$said = at_once($access, [...array_fill(0, 12, $revoke), ...array_fill(12, 4, $careless)]);
echo substr_count($said, "done\n"), ' done, ', substr_count($said, 'granted'), " granted\n";
cr0_session_close($token['token'], $access->options());
echo implode(' ', array_unique(array_map(static fn (array $key): string => $access->says($key['key']), $doomed))), "\n";
$last = cr0_api_key_issue('1', 'last', ['read'], $access->options());
echo $access->says($last['key']), ' ', json_encode(cr0_session_verify($token['token'], 'read', $access->options())['granted']), "\n";
echo count(glob(dirname($access->keys) . '/*.corrupt-*')), "\n";
?>
--EXPECT--
16 done, 0 granted 
41 keys, 81 with those that are gone, 41 sessions
24 24
24 24
41 active
16 done, 0 granted
revoked
granted false
0
