--TEST--
The cleanup prunes the file of today's pages as those read and write it
--FILE--
<?php
declare(strict_types=1);
require 'limits.inc';
$limits = new Limits();
$file = "{$limits->ground->root}/shared_storage/api_rate_limits.json";
mkdir(dirname($file));
$now = time();
// As today's pages do.
$write = static fn (array $all) => file_put_contents($file, json_encode($all, JSON_PRETTY_PRINT));
$read = static fn (): array => json_decode(file_get_contents($file), true);
$write([
    '192.0.2.7_/api/é' => ['requests' => [$now - 9000, $now - 10], 'blocked_until' => 0],
    '192.0.2.8_search' => ['requests' => [$now - 9000], 'blocked_until' => 0],
    '192.0.2.9_search' => ['requests' => [$now - 9000], 'blocked_until' => $now + 60, 'why' => 'x'],
]);
$report = cr0_rate_limit_cleanup($limits->ground->options());
echo json_encode(array_slice($report['legacy'], 1)), "\n";
var_dump($read() === [
    '192.0.2.7_/api/é' => ['requests' => [$now - 10], 'blocked_until' => 0],
    '192.0.2.9_search' => ['requests' => [], 'blocked_until' => $now + 60, 'why' => 'x'],
]);
$write([]);
echo json_encode(array_slice(cr0_rate_limit_cleanup($limits->ground->options())['legacy'], 1)), "\n";
file_put_contents($file, '{"192.0');
$answer = cr0_call('cr0_rate_limit_cleanup', [$limits->ground->options()]);
echo $answer['exit_code'], ' ', str_replace($limits->ground->root, 'ROOT', $answer['report']['legacy']['problem']), "\n";
var_dump(file_exists($file));
echo file_get_contents(glob("$file.corrupt-*")[0]), "\n";
?>
--EXPECTF--
{"removed":1,"kept":2,"requests":3,"problem":null}
bool(true)
{"removed":0,"kept":0,"requests":0,"problem":null}
2 ROOT/shared_storage/api_rate_limits.json is broken (it is no JSON (line 1, column 7)), and was moved to ROOT/shared_storage/api_rate_limits.json.corrupt-%s
bool(false)
{"192.0
