--TEST--
How it is with rate limits is told, and nothing is made
--FILE--
<?php
declare(strict_types=1);
require 'limits.inc';
$limits = new Limits();
$status = static fn (array $more = []): array => cr0_rate_limit_status($limits->ground->options($more));
$table = static function () use ($status): void {
    ['exists' => $exists, 'clients' => $clients, 'slots' => $slots, 'in_use' => $used] = $status()['table'];
    echo json_encode([$exists, $clients, $slots >= $clients, $used]), "\n";
};
$table();
var_dump(file_exists($limits->table()));
echo json_encode(array_intersect_key($status()['tiers'], ['three' => 0, 'critical' => 0])), "\n";
$limits->ask('192.0.2.7');
$limits->ask('192.0.2.7');
$limits->ask('192.0.2.8');
$table();
// The table tells of one client who is asked for.
echo said($limits->ask('192.0.2.7', 'three', ['cost' => 0])), "\n";
$file = "{$limits->ground->root}/shared_storage/api_rate_limits.json";
mkdir(dirname($file));
$now = time();
file_put_contents($file, json_encode([
    '192.0.2.7_/api/é' => ['requests' => [$now - 9000, $now - 10], 'blocked_until' => 0],
    '192.0.2.8_search' => ['requests' => [$now - 9000], 'blocked_until' => 0],
    '192.0.2.9_search' => ['requests' => [], 'blocked_until' => $now + 3600],
]));
foreach ($status()['legacy']['clients'] as $client) {
    $until = $client['blocked_until'];
    echo $client['key'], ' ', $client['requests'], ' ', $until === null ? 'null' : strtotime($until) - $now, "\n";
}
$page = $status(['skip' => 1, 'limit' => 1])['legacy'];
echo $page['clients'][0]['key'], ' of ', $page['total'], "\n";
file_put_contents($file, '{"192.0');
echo $status()['legacy']['problem'], ' ', file_get_contents($file), "\n";
?>
--EXPECT--
[false,64,false,0]
bool(false)
{"critical":{"limit":10,"period_seconds":3600,"burst":10},"three":{"limit":3,"period_seconds":3600,"burst":3}}
[true,64,true,2]
yes 1 of 3, wait 0, reset 24
192.0.2.9_search 0 3600
192.0.2.7_/api/é 1 null
192.0.2.7_/api/é of 2
it is no JSON (line 1, column 7) {"192.0
