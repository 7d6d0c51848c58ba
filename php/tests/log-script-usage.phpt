--TEST--
A command line about logs that makes no sense ends with 64 and says what to do
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs();
foreach ([
    '', 'bidirektional', 'fly', 'status --database x', 'status --force', 'bidirectional --force', 'rotate irc', 'clean --log', 'verify --log none',
] as $line) {
    [$code, $out, $err] = script($line === '' ? [] : explode(' ', $line), ['CR0SYNC_CONFIG' => $logs->ground->config], null, 'log_sync_script.php');
    echo $code, $out, ' ', str_replace(["log_sync_script.php: ", "\n  ", "\n"], ['', ' / ', ''], $err), "\n";
}
?>
--EXPECT--
64 no command is given / --help lists them
64 unknown command bidirektional / did you mean bidirectional?
64 unknown command fly / commands are: status, bidirectional, sync-all, rotate, clean, verify, doctor
64 unknown option --database / --help lists them all
64 status has no option --force / see status --help
64 bidirectional has no option --force / see bidirectional --help
64 rotate does not know what to do with irc / write rotate
64 --log needs a value / write --log NAME
64 no log is called none / logs are: irc
