--TEST--
--json of the script of logs prints one document and nothing else, whatever comes out
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs();
$logs->append('bot', "one\n");
foreach ([
    'status', 'bidirectional', 'bidirectional --dry-run', 'sync-all', 'rotate --force', 'clean', 'verify', 'fly', 'status --log none', 'rotate x',
] as $line) {
    [$code, $out, $err] = $logs->script('--json', ...explode(' ', $line));
    $document = json_decode($out, false, 512, JSON_THROW_ON_ERROR);
    echo $line, ': ', $code, ' ', $document->schema, ' ', $document->error->kind ?? '', $err, substr_count($out, "\n"), "\n";
}
?>
--EXPECT--
status: 0 1 1
bidirectional: 0 1 1
bidirectional --dry-run: 0 1 1
sync-all: 0 1 1
rotate --force: 0 1 1
clean: 0 1 1
verify: 0 1 1
fly: 64 1 usage1
status --log none: 64 1 usage1
rotate x: 64 1 usage1
