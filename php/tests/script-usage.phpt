--TEST--
A command line that makes no sense ends with 64 and says what to do
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
foreach ([
    '', 'bidirektional', 'fly', 'status --foce', 'status --take x', 'status -x', 'resolve', 'resolve 1', 'resolve 1 2 --take base',
    'status now', 'status --config', 'status --config --quiet', 'status --json=1', 'status --root a --root b', 'history --limit x', 'bidirectional --database nothing',
    'sync-from', 'sync-from central', 'acknowledge',
] as $line) {
    $playground = new Playground();
    $words = $line === '' ? [] : explode(' ', $line);
    [$code, $out, $err] = script($words, ['CR0SYNC_CONFIG' => $playground->config]);
    echo $code, $out, ' ', str_replace(["database_sync_script.php: ", "\n  ", "\n"], ['', ' / ', ''], $err), "\n";
}
?>
--EXPECT--
64 no command is given / --help lists them
64 unknown command bidirektional / did you mean bidirectional?
64 unknown command fly / commands are: status, bidirectional, sync-from, sync-from-bot, conflicts, resolve, acknowledge, history, undo, backup, backups, verify, clean-backups, restore, queue, config, doctor
64 unknown option --foce / did you mean --force?
64 status has no option --take / see status --help
64 unknown option -x / --help lists them all
64 resolve is not complete / write resolve ID --take SIDE|base|both
64 resolve does not know what to take / add --take with a side, base or both; conflicts lists the choices
64 resolve does not know what to do with 2 / write resolve ID --take SIDE|base|both
64 status does not know what to do with now / write status
64 --config needs a value / write --config FILE
64 --config needs a value / write --config FILE
64 --json takes no value / leave out =1
64 --root is given twice / leave one of them out
64 --limit needs a number, not x / write --limit 10
64 no database is called nothing / databases are: notes
64 sync-from is not complete / write sync-from SIDE
64 central is the hub; name the side it should be made equal to
64 acknowledge is not complete / write acknowledge ID...
