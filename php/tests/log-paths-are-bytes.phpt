--TEST--
Paths of logs need not be UTF-8
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(directory: "cr0sync-\xff\xfe-");
$logs->append('bot', "one\n");
echo cr0_log_merge($logs->options())['logs']['irc']['state'], ' ', $logs->read('website');
$status = cr0_log_status($logs->options())['logs']['irc'];
echo substr_count($status['sides']['bot']['path'], "\u{fffd}"), ' ', json_encode($status['sides']['bot']['problem']), "\n";
$told = cr0_log_rotate($logs->options(['force' => true]))['logs']['irc'];
echo substr_count($told['file'], "\u{fffd}"), substr_count($told['compressed'][0], "\u{fffd}"), ' ', $told['state'], "\n";
echo cr0_log_clean($logs->options())['ok'], "\n";
?>
--EXPECT--
merged one
2 null
22 rotated
1
