<?php

declare(strict_types=1);

/*
 * How many API keys a second can be verified from PHP, beside code that does as the site's pages do today, and beside
 * the same with the file kept in APCu.
 *
 * Run by benches/access.sh, or: php -n -d extension=cr0sync.so [-d extension=apcu -d apc.enable_cli=1]
 * benches/access.php. Every case is measured in rounds, in each of which all take their turn in an order that changes;
 * printed is the median of the ratios within a round, with the least and the largest. The page of today writes the file
 * after each use, to count it; the one with APCu never does, which would be wrong, and looks at the file's time only,
 * which misses a change in the same second.
 */

const ROUNDS = 9;
const MILLISECONDS = 60;

function place(int $count): array
{
    $root = sys_get_temp_dir() . '/cr0sync-bench-' . bin2hex(random_bytes(6));
    mkdir("{$root}/shared_storage", 0777, true);
    $config = ['version' => 1, 'databases' => new stdClass(), 'logs' => new stdClass()];
    file_put_contents("{$root}/cr0sync.json", json_encode($config));
    $file = "{$root}/shared_storage/api_keys.json";
    $all = [];
    for ($n = 0; $n < $count; $n++) {
        $keys[] = $key = bin2hex(random_bytes(32));
        $all[] = [
            'id' => "key_{$n}", 'user_id' => $n, 'name' => "key {$n}", 'key_hash' => hash('sha256', $key),
            'permissions' => ['read'], 'created_at' => time(), 'last_used_at' => time(), 'usage_count' => 0,
            'active' => true,
        ];
    }
    file_put_contents($file, json_encode($all, JSON_PRETTY_PRINT));
    $new = cr0_api_key_issue('1', 'new', ['read'], ['root' => $root]);
    usleep(50_000);

    return [$root, $file, $keys[intdiv($count, 2)], $new['key']];
}

function remove(string $root): void
{
    $files = new RecursiveIteratorIterator(
        new RecursiveDirectoryIterator($root, FilesystemIterator::SKIP_DOTS),
        RecursiveIteratorIterator::CHILD_FIRST,
    );
    foreach ($files as $entry) {
        $entry->isDir() ? rmdir($entry->getPathname()) : unlink($entry->getPathname());
    }
    rmdir($root);
}

function find(array $all, string $key): ?int
{
    $hash = hash('sha256', $key);
    foreach ($all as $n => $record) {
        if (hash_equals($record['key_hash'], $hash)) {
            $may = $record['active'] && in_array('read', $record['permissions'], true)
                && (!isset($record['expires_at']) || time() < $record['expires_at']);

            return $may ? $n : null;
        }
    }

    return null;
}

/** Calls a second. */
function rate(callable $call, bool $expected = true): float
{
    $end = hrtime(true) + MILLISECONDS * 1_000_000;
    $start = hrtime(true);
    for ($calls = 0, $now = $start; $now < $end; $calls += $step, $now = hrtime(true)) {
        for ($step = 0; $step < 16; $step++) {
            if ($call() !== $expected) {
                throw new RuntimeException($expected ? 'a good key was refused' : 'a bad key was taken');
            }
        }
    }

    return $calls / (($now - $start) / 1e9);
}

/** @param array<string, callable> $cases the first one is ours */
function compare(array $cases): void
{
    $names = array_keys($cases);
    $rates = [];
    for ($round = 0; $round < ROUNDS; $round++) {
        foreach ($names as $turn => $_) {
            $name = $names[($turn + $round) % count($names)];
            $rates[$name][$round] = rate($cases[$name]);
        }
    }
    foreach ($names as $name) {
        $sorted = $rates[$name];
        sort($sorted);
        printf('  %-44s %11s calls/s', $name, number_format($sorted[intdiv(ROUNDS, 2)]));
        if ($name !== $names[0]) {
            $ratio = static fn (float $ours, float $theirs): float => $ours / $theirs;
            $ratios = array_map($ratio, $rates[$names[0]], $rates[$name]);
            sort($ratios);
            printf('  ours is %.1f times as fast (%.1f to %.1f)', $ratios[intdiv(ROUNDS, 2)], $ratios[0], end($ratios));
        }
        echo "\n";
    }
}

foreach ([10, 100, 1000] as $count) {
    echo "verify one of {$count} API keys\n";
    [$root, $file, $old, $new] = place($count);
    $options = ['root' => $root];
    $cases = [
        'cr0_api_key_verify' => static fn (): bool => cr0_api_key_verify($new, 'read', $options)['granted'],
        'cr0_api_key_verify, a key of today' =>
            static fn (): bool => cr0_api_key_verify($old, 'read', $options)['granted'],
        'json_decode' => static fn (): bool => find(json_decode(file_get_contents($file), true), $old) !== null,
    ];
    $copy = "{$file}.copy";
    copy($file, $copy);
    $cases['json_decode, count, json_encode (today)'] = static function () use ($copy, $old): bool {
        $all = json_decode(file_get_contents($copy), true);
        $n = find($all, $old);
        if ($n !== null) {
            $all[$n]['last_used_at'] = time();
            $all[$n]['usage_count']++;
            file_put_contents($copy, json_encode($all, JSON_PRETTY_PRINT), LOCK_EX);
        }

        return $n !== null;
    };
    if (function_exists('apcu_enabled') && apcu_enabled()) {
        $cases['APCu, by the time of the file'] = static function () use ($file, $old): bool {
            clearstatcache(true, $file);
            $time = filemtime($file);
            $kept = apcu_fetch($file);
            if ($kept === false || $kept[0] !== $time) {
                $kept = [$time, json_decode(file_get_contents($file), true)];
                apcu_store($file, $kept);
            }

            return find($kept[1], $old) !== null;
        };
    } else {
        echo "  APCu is not installed, and so not measured\n";
    }
    compare($cases);
    remove($root);
}

/*
 * Whoever sends a key and is refused should not learn from the time it took whether there is such a key. What has the
 * wrong form is refused earlier, and everybody knows the form.
 */
echo "refuse a key among 1000, by why\n";
[$root, , $old] = place(1000);
$options = ['root' => $root];
$bad = ['unknown' => bin2hex(random_bytes(32))];
foreach (['revoked', 'expired'] as $why) {
    $one = cr0_api_key_issue('1', $why, ['read'], ['expires_in' => $why === 'expired' ? 1 : null] + $options);
    $bad[$why] = $one['key'];
    if ($why === 'revoked') {
        cr0_api_key_revoke($one['id'], $options);
    }
}
// One of ours that nobody has: its form is right, as its checksum was that of one that was given out and is gone.
$file = "{$root}/shared_storage/api_keys.json";
$before = file_get_contents($file);
$bad['unknown, of ours'] = cr0_api_key_issue('1', 'gone', ['read'], $options)['key'];
file_put_contents($file, $before);
sleep(2);
$times = [];
for ($round = 0; $round < ROUNDS; $round++) {
    foreach ($bad as $why => $key) {
        $verify = static fn (): bool => cr0_api_key_verify($key, 'read', $options)['granted'];
        $times[$why][$round] = 1e6 / rate($verify, false);
    }
    $verify = static fn (): bool => cr0_api_key_verify($old, 'write', $options)['granted'];
    $times['forbidden'][$round] = 1e6 / rate($verify, false);
}
foreach ($times as $why => $all) {
    $ratios = array_map(static fn (float $one, float $unknown): float => $one / $unknown, $all, $times['unknown']);
    sort($all);
    sort($ratios);
    $middle = intdiv(ROUNDS, 2);
    $told = [$why, $all[$middle], $ratios[$middle], $ratios[0], end($ratios)];
    vprintf("  %-44s %8.2f us  %.2f of an unknown one (%.2f to %.2f)\n", $told);
}
remove($root);
