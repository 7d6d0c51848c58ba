--TEST--
The scripts work from any directory, and where they are installed without the source
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$source = getenv('CR0SYNC_PHP');
[$code] = script(['bidirectional', '--config', 'cr0sync.json', '--quiet'], [], $playground->root);
echo $code, "\n";
mkdir("{$playground->root}/html");
mkdir("{$playground->root}/html/cr0sync");
foreach (['database_sync_script.php', 'log_sync_script.php'] as $script) {
    copy("{$source}/website/{$script}", "{$playground->root}/html/{$script}");
}
foreach (glob("{$source}/src/*.php") as $file) {
    copy($file, "{$playground->root}/html/cr0sync/" . basename($file));
}
$command = ['-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), "{$playground->root}/html/database_sync_script.php"];
[$code, $out, $err] = process([...$command, 'status', '--root', $playground->root], [], '/');
echo $code, $err, ' ', preg_match('/^notes  /m', $out), "\n";
$playground->configure(['databases' => new stdClass(), 'logs' => ['irc' => ['copies' => ['central' => 'central/irc.log']]]]);
$command[2] = "{$playground->root}/html/log_sync_script.php";
[$code, $out, $err] = process([...$command, 'status', '--root', $playground->root], [], '/');
echo $code, $err, ' ', preg_match('/^irc  /m', $out), "\n";
?>
--EXPECT--
0
0 1
0 1
