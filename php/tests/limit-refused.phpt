--TEST--
A limit of 0, a cost of more than the burst, and what makes no sense
--FILE--
<?php
declare(strict_types=1);
require 'limits.inc';
$limits = new Limits();
echo said($limits->ask('a', 'closed')), "\n";
echo said($limits->ask('a', 'closed', ['cost' => 1000])), "\n";
echo said($limits->ask('a', more: ['policy' => ['limit' => 0]])), "\n";
foreach ([
    ['cost' => 4],
    ['cost' => PHP_INT_MAX],
    ['cost' => -1],
    ['cost' => 'x'],
    ['policy' => []],
    ['policy' => 3],
    ['policy' => ['limit' => -1]],
    ['policy' => ['limit' => 1, 'period_seconds' => 0]],
    ['policy' => ['limit' => 1, 'burst' => 0]],
    ['policy' => ['limit' => 1, 'period' => 60]],
    ['policy' => ['limit' => 1, 'period_seconds' => 4_000_000_000]],
    ['policy' => ['limit' => 1.5]],
    ['also' => ['x' => []]],
    ['also' => [['tire' => 'three']]],
    ['also' => [['tier' => 'thre']]],
    ['also' => array_fill(0, 40, ['cost' => 0])],
    ['dry_run' => true],
] as $more) {
    echo thrown(static fn () => $limits->ask('a', more: $more)), "\n";
}
echo thrown(static fn () => $limits->ask('a', 'thre')), "\n";
echo thrown(static fn () => cr0_rate_limit()), "\n";
echo thrown(static fn () => cr0_rate_limit(7)), "\n";
echo said($limits->ask('a')), "\n";
?>
--EXPECT--
no 0 of 0, wait never, reset 0
no 0 of 0, wait never, reset 0
no 0 of 0, wait never, reset 0
Cr0Sync\UsageException: refused a cost of 4: more than 3 at once are never let in
Cr0Sync\UsageException: refused a cost of 9223372036854775807: that is more than any limit
ValueError: cr0_rate_limit(): Option "cost" must be greater than or equal to 0
TypeError: cr0_rate_limit(): Option "cost" must be of type int, string given
Cr0Sync\UsageException: a policy must be an array with names as keys, of: limit, period_seconds, burst
TypeError: cr0_rate_limit(): Option "policy" must be of type array, int given
Cr0Sync\UsageException: limit of a policy must be an integer from 0 to 4294967295
Cr0Sync\UsageException: refused a rate limit whose period is 0 seconds
Cr0Sync\UsageException: refused a rate limit whose burst is 0, as nobody could ever be let in; a limit of 0 says that
Cr0Sync\UsageException: a policy has no key "period", only: limit, period_seconds, burst
Cr0Sync\UsageException: refused a rate limit that takes more than 400 days to fill again: its burst is too large for its limit
ValueError: cr0_rate_limit(): Option "policy" must hold nothing but text in UTF-8, integers, booleans and arrays
Cr0Sync\UsageException: the option "also" must be a list of limits
Cr0Sync\UsageException: a limit in "also" has no key "tire", only: key, tier, policy, cost
Cr0Sync\UsageException: there is no tier "thre"
Cr0Sync\UsageException: refused 41 limits for one request, not 1 to 32
ValueError: cr0_rate_limit(): Argument #3 ($options) has no key "dry_run", only: config, root, cost, policy, also
Cr0Sync\UsageException: there is no tier "thre"
ArgumentCountError: cr0_rate_limit() expects at least 1 argument, 0 given
TypeError: cr0_rate_limit(): Argument #1 ($key) must be of type string, int given
yes 2 of 3, wait 0, reset 12
