<?php

declare(strict_types=1);

/*
 * How long one call takes that asks a rate limit, beside what people use instead.
 *
 * In rounds, in each of which all take their turn, in an order that changes; what is printed is the median of the
 * ratios within a round, with the least and the largest, so that a machine that is busy for a while bears on all alike.
 */

use Symfony\Component\Cache\Adapter\ApcuAdapter;
use Symfony\Component\Lock\LockFactory;
use Symfony\Component\Lock\Store\FlockStore;
use Symfony\Component\RateLimiter\RateLimiterFactory;
use Symfony\Component\RateLimiter\Storage\CacheStorage;

const ROUNDS = 9;
/** So long each one runs in a round (nanoseconds). */
const TURN = 100_000_000;

foreach (['RateLimiter', 'Cache', 'Lock', 'OptionsResolver'] as $component) {
    if (!@include "Symfony/Component/{$component}/autoload.php") {
        echo "  Symfony's {$component} is not installed, and so not measured\n";
    }
}

$root = sys_get_temp_dir() . '/cr0sync-bench-' . bin2hex(random_bytes(8));
mkdir($root);
register_shutdown_function(static function () use ($root): void {
    if (is_file("{$root}/cr0sync.json") && getmypid() === $GLOBALS['parent']) {
        exec('rm -rf ' . escapeshellarg($root));
    }
});
$parent = getmypid();
$user = posix_getpwuid(posix_geteuid())['name'];
$group = posix_getgrgid(posix_getegid())['name'];
file_put_contents("{$root}/cr0sync.json", json_encode([
    'version' => 1,
    'root' => '.',
    'ownership' => ['user' => $user, 'group' => $group],
    // Never empty within the benchmark, and always somewhere in between.
    'access' => ['tiers' => ['wide' => ['limit' => 1_000_000_000, 'period_seconds' => 60]]],
]));
putenv("CR0SYNC_CONFIG={$root}/cr0sync.json");

/**
 * What is measured, by name: how to ask once for a client.
 *
 * @return array<string, callable(string): bool>
 */
function peers(string $root): array
{
    $peers = [
        'cr0_rate_limit' => static fn (string $key): bool => cr0_rate_limit($key, 'wide')['allowed'],
        'cr0_rate_limit, options' => static fn (string $key): bool => cr0_rate_limit(
            $key,
            'wide',
            ['config' => "{$root}/cr0sync.json", 'cost' => 1],
        )['allowed'],
    ];
    if (class_exists(RateLimiterFactory::class) && class_exists(ApcuAdapter::class) && ApcuAdapter::isSupported()) {
        $rules = [
            'id' => 'wide',
            'policy' => 'token_bucket',
            'limit' => 1_000_000_000,
            'rate' => ['interval' => '1 second', 'amount' => 10_000_000],
        ];
        $storage = new CacheStorage(new ApcuAdapter('bench'));
        $loose = new RateLimiterFactory($rules, $storage);
        $peers['Symfony + APCu, not exact'] =
            static fn (string $key): bool => $loose->create($key)->consume()->isAccepted();
        if (class_exists(LockFactory::class)) {
            $exact = new RateLimiterFactory($rules, $storage, new LockFactory(new FlockStore($root)));
            $peers['Symfony + APCu + flock'] =
                static fn (string $key): bool => $exact->create($key)->consume()->isAccepted();
        }
    } else {
        echo "  Symfony's limiter over APCu is not installed, and so not measured\n";
    }
    // As pages do it that keep api_rate_limits.json: 100 clients with 50 requests of the last hour each.
    $file = "{$root}/api_rate_limits.json";
    $all = [];
    for ($client = 0; $client < 100; ++$client) {
        $all["192.0.2.{$client}_search"] = ['requests' => range(time() - 50, time() - 1), 'blocked_until' => 0];
    }
    file_put_contents($file, json_encode($all, JSON_PRETTY_PRINT));
    $peers['rewriting JSON'] = static function (string $key) use ($file): bool {
        $handle = fopen($file, 'r+');
        flock($handle, LOCK_EX);
        $all = json_decode(stream_get_contents($handle), true);
        $now = time();
        $requests = array_filter($all[$key]['requests'] ?? [], static fn (int $at): bool => $at > $now - 3600);
        $allowed = count($requests) < 1_000_000_000;
        // So that the file stays as large as it is.
        array_shift($requests);
        $requests[] = $now;
        $all[$key] = ['requests' => array_values($requests), 'blocked_until' => 0];
        rewind($handle);
        ftruncate($handle, 0);
        fwrite($handle, json_encode($all, JSON_PRETTY_PRINT));
        fclose($handle);

        return $allowed;
    };

    return $peers;
}

/** Nanoseconds that one call takes. */
function turn(callable $ask, array $keys): float
{
    $count = 0;
    $start = hrtime(true);
    do {
        // The clock is not looked at after each call.
        for ($i = 0; $i < 10; ++$i) {
            if (!$ask($keys[$count++ % count($keys)])) {
                throw new RuntimeException('refused');
            }
        }
        $spent = hrtime(true) - $start;
    } while ($spent < TURN);

    return $spent / $count;
}

/** @param list<float> $values */
function median(array $values): float
{
    sort($values);

    return $values[intdiv(count($values), 2)];
}

function compare(string $title, array $peers, array $keys): void
{
    echo "{$title}\n";
    $names = array_keys($peers);
    $times = array_fill_keys($names, []);
    for ($round = 0; $round < ROUNDS; ++$round) {
        foreach ($names as $turn => $_) {
            $name = $names[($turn + $round) % count($names)];
            $times[$name][] = turn($peers[$name], $keys);
        }
    }
    foreach ($names as $name) {
        $ratio = static fn (float $theirs, float $ours): float => $theirs / $ours;
        $ratios = array_map($ratio, $times[$name], $times[$names[0]]);
        $text = $name === $names[0]
            ? sprintf('  %.2f million a second', 1000 / median($times[$name]))
            : sprintf('  %.1f times ours (%.1f to %.1f)', median($ratios), min($ratios), max($ratios));
        printf("  %-28s %9.0f ns%s\n", $name, median($times[$name]), $text);
    }
}

/** Many processes at once on one key: what all of them get done in a second. */
function together(array $peers, int $processes): void
{
    echo "{$processes} processes on one key\n";
    foreach ($peers as $name => $ask) {
        $pipes = [];
        for ($i = 0; $i < $processes; ++$i) {
            $pair = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
            if (pcntl_fork() === 0) {
                $count = 0;
                $start = hrtime(true);
                while (hrtime(true) - $start < 5 * TURN) {
                    $ask('192.0.2.7_search');
                    ++$count;
                }
                fwrite($pair[1], "{$count}\n");
                posix_kill(posix_getpid(), SIGKILL);
            }
            fclose($pair[1]);
            $pipes[] = $pair[0];
        }
        $total = array_sum(array_map(static fn ($pipe): int => (int) fgets($pipe), $pipes));
        while (pcntl_wait($status) > 0) {
        }
        $rate = $total / (5 * TURN / 1e9);
        $first ??= $rate;
        $beside = $rate === $first ? '' : sprintf('  ours %.1f times that', $first / $rate);
        printf("  %-28s %9.0f a second%s\n", $name, $rate, $beside);
    }
}

$peers = peers($root);
compare('one client', $peers, ['192.0.2.7_search']);
compare('100 clients', $peers, array_map(static fn (int $n): string => "192.0.2.{$n}_search", range(0, 99)));
unset($peers['cr0_rate_limit, options']);
if (function_exists('pcntl_fork')) {
    together($peers, 16);
}
