--TEST--
An event is one harmless line of a chain, beside lines that the site's own pages write
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$ground = new Playground(['bot', 'central']);
$options = ['root' => $ground->root];
$log = "{$ground->root}/logs/security/security_events.json";
// As the site's pages write it today.
function page(string $log, string $type): void
{
    $event = ['timestamp' => date('Y-m-d H:i:s'), 'type' => $type, 'severity' => 'LOW', 'details' => ['page' => 'x.php'], 'session_id' => 's1'];
    file_put_contents($log, json_encode($event) . "\n", FILE_APPEND | LOCK_EX);
}
$first = cr0_event('LOGIN_FAILED', ['user' => "a\n{\"type\":\"FORGED\"}", 'password' => 'hunter2'], 'HIGH', '192.0.2.1', 's1', $options);
echo $first['schema'], ' ', $first['seq'], "\n";
page($log, 'PAGE');
cr0_event('LOGIN', ['note' => "\u{202e}\x1b[2J\xff", 'deep' => [[1.5, true, null, new stdClass()]]], ip: "\xfe", options: $options);
$lines = file($log);
echo count($lines), ' lines, ', preg_match('/^[ -~\n]*$/D', implode('', $lines)) ? 'printable' : 'not printable', "\n";
$event = json_decode($lines[0], true);
echo json_encode([$event['type'], $event['severity'], $event['details'], $event['session_id'], $event['ip']]), "\n";
echo json_encode(json_decode($lines[2], true)['details']), "\n";
echo json_encode(array_intersect_key(cr0_event_verify($options), array_flip(['ok', 'events', 'others', 'unheld', 'breaks']))), "\n";
// The newest first; what pages wrote is found as well.
$found = cr0_event_query(options: $options);
echo implode(' ', array_column($found['events'], 'type')), ' ', json_encode($found['more']), "\n";
echo implode(' ', array_column(cr0_event_query(['severity' => 'low', 'limit' => 1], $options)['events'], 'type')), "\n";
echo implode(' ', array_column(cr0_event_query(['ip' => '192.0.2.1', 'text' => 'HIDDEN'], $options)['events'], 'type')), "\n";
echo count(cr0_event_query(['since' => '2999-01-01'], $options)['events']), "\n";
// Somebody takes a line out, and somebody cuts off the end.
file_put_contents($log, $lines[0] . $lines[2]);
echo cr0_event_verify($options)['first_break']['kind'], "\n";
file_put_contents($log, $lines[0] . $lines[1]);
echo cr0_event_verify($options)['first_break']['kind'], "\n";
foreach ([
    fn () => cr0_event('two words', options: $options),
    fn () => cr0_event('X', severity: 'BAD', options: $options),
    fn () => cr0_event_query(['kind' => 'X'], $options),
    fn () => cr0_event_query(['limit' => -1], $options),
    fn () => cr0_event_query(['since' => 'tomorrow'], $options),
] as $wrong) {
    try {
        $wrong();
    } catch (Throwable $error) {
        echo get_class($error), ': ', $error->getMessage(), "\n";
    }
}
?>
--EXPECT--
1 1
3 lines, printable
["LOGIN_FAILED","HIGH",{"user":"a\n{\"type\":\"FORGED\"}","password":"(hidden)"},"s1","192.0.2.1"]
{"note":"\u202e\u001b[2J\ufffd","deep":[[1.5,true,null,[]]]}
{"ok":true,"events":2,"others":1,"unheld":0,"breaks":0}
LOGIN PAGE LOGIN_FAILED false
PAGE
LOGIN_FAILED
0
changed
cut
Cr0Sync\UsageException: the type of an event must be a word
ValueError: cr0_event(): Argument #3 ($severity) must be one of INFO, LOW, MEDIUM, HIGH, CRITICAL
ValueError: cr0_event_query(): Argument #1 ($filter) has no key "kind", only: type, severity, since, until, ip, session, text, skip, limit
ValueError: cr0_event_query(): Argument #1 ($filter) ["limit"] must be of type int, and not negative
Cr0Sync\UsageException: cannot understand the time "tomorrow"
