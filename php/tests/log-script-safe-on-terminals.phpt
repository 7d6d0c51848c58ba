--TEST--
Nothing in a log, its path or the configuration can speak to the terminal
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(directory: "cr0sync-\e[31m\n\u{202e}-");
$logs->append('bot', "a\e[31m\u{9b}\u{202e}\r\n");
$all = '';
foreach (['bidirectional', 'status', 'rotate --force', 'clean', 'verify'] as $command) {
    [$code, $out, $err] = $logs->script(...explode(' ', $command));
    $all .= $out . $err;
    echo $code;
}
unlink($logs->path('bot'));
symlink('/etc/passwd', $logs->path('bot'));
file_put_contents($logs->path('central'), "\e[31m\n");
foreach (['bidirectional', 'status', 'verify', 'status --log=' . "\e[31m"] as $command) {
    [$code, $out, $err] = $logs->script(...explode(' ', $command));
    $all .= $out . $err;
    echo $code;
}
echo "\n", preg_match('/[^\n\x20-\x7e]/', $all), ' ', preg_match('/cr0sync-\\\\u001b\[31m\\\\n\\\\u202e-/', $all), "\n";
echo json_encode($logs->read('website')), "\n";
?>
--EXPECT--
0000000064
0 1
"a\u001b[31m\u009b\u202e\r\n\u001b[31m\n"
