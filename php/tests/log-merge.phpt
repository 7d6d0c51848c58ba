--TEST--
New lines of every copy come to all others once, byte for byte
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs();
$logs->append('bot', "one\ntwo\xff\0\r\n\none\n");
$first = cr0_log_merge($logs->options());
echo $first['logs']['irc']['state'], ' ', json_encode($first['logs']['irc']['sides']), "\n";
$logs->append('bot', "three\nhal");
$logs->append('central', "by hand\n");
cr0_log_merge($logs->options());
$logs->append('bot', "f\n");
cr0_log_merge($logs->options());
foreach (['bot', 'central', 'website'] as $side) {
    echo $side, ' ', json_encode($logs->read($side), JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
$last = cr0_log_merge($logs->options());
echo $last['logs']['irc']['state'], ' ', array_sum(array_column($last['logs']['irc']['sides'], 'appended_bytes')), "\n";
?>
--EXPECT--
merged {"bot":{"read_bytes":16,"appended_bytes":0,"lines":0,"lag_bytes":0,"adopted":null,"known_bytes":0},"central":{"read_bytes":0,"appended_bytes":16,"lines":4,"lag_bytes":0,"adopted":null,"known_bytes":0},"website":{"read_bytes":0,"appended_bytes":16,"lines":4,"lag_bytes":0,"adopted":null,"known_bytes":0}}
bot "one\ntwo\ufffd\u0000\r\n\none\nthree\nhalf\nby hand\n"
central "one\ntwo\ufffd\u0000\r\n\none\nby hand\nthree\nhalf\n"
website "one\ntwo\ufffd\u0000\r\n\none\nby hand\nthree\nhalf\n"
unchanged 0
