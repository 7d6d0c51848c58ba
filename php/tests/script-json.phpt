--TEST--
--json prints one document and nothing else, whatever comes out
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
foreach ([
    'bidirectional', 'conflicts', 'status', 'acknowledge 1', 'resolve 1 --take website', 'history', 'config', 'sync-from website', 'backup',
    'backups', 'verify', 'clean-backups --dry-run', 'restore nothing',
    'sync-from-bot', 'fly', 'acknowledge 77', 'status --database none',
] as $line) {
    [$code, $out, $err] = $playground->script('--json', ...explode(' ', $line));
    $document = json_decode($out, false, 512, JSON_THROW_ON_ERROR);
    echo $line, ': ', $code, ' ', $document->schema, ' ', $document->error->kind ?? '', $err, substr_count($out, "\n"), "\n";
}
?>
--EXPECT--
bidirectional: 1 1 1
conflicts: 0 1 1
status: 0 1 1
acknowledge 1: 0 1 1
resolve 1 --take website: 0 1 1
history: 0 1 1
config: 0 1 1
sync-from website: 0 1 1
backup: 0 1 1
backups: 0 1 1
verify: 0 1 1
clean-backups --dry-run: 0 1 1
restore nothing: 64 1 usage1
sync-from-bot: 64 1 usage1
fly: 64 1 usage1
acknowledge 77: 64 1 usage1
status --database none: 64 1 usage1
