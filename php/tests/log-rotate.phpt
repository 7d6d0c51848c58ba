--TEST--
An archive is rotated past its size limit, or when forced, and merged on as if nothing had been
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(['irc' => ['rotate' => ['size' => 8]]]);
$logs->append('bot', "one\n");
$told = cr0_log_rotate($logs->options())['logs']['irc'];
echo $told['state'], ' ', $logs->shown($told['file']), "\n";
$told = cr0_log_rotate($logs->options(['force' => true]))['logs']['irc'];
echo $told['state'], ' ', $told['method'], ' ', $told['bytes'], ' ', $logs->shown(implode(' ', $told['compressed'])), "\n";
echo gzdecode(file_get_contents($told['compressed'][0])), '+', $logs->read('central'), "\n";
$logs->append('bot', "two\nthree\n");
$told = cr0_log_merge($logs->options())['logs']['irc'];
echo $told['state'], ' ', $logs->shown($told['rotated']), "\n";
echo $logs->read('website');
echo cr0_log_verify($logs->options())['logs']['irc']['bytes'], "\n";
?>
--EXPECT--
unchanged none
rotated rename 4 ROOT/central/irc.log.DAY.gz
one
+
merged ROOT/central/irc.log.DAY-2.gz
one
two
three
14
