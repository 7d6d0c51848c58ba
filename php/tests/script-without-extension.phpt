--TEST--
Without the extension the script says how to enable it, and ends with 69
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$script = getenv('CR0SYNC_PHP') . '/website/database_sync_script.php';
[$code, $out, $err] = process([$script, 'bidirectional']);
[$first, $second] = explode("\n", $err);
echo $code, $out, ' ', $first, "\n", preg_match('/make install/', $second), "\n";
[$code, $out, $err] = process([$script, 'bidirectional', '--json']);
$document = json_decode($out);
echo $code, $err, ' ', $document->schema, ' ', $document->error->kind, ' ', $document->error->message, "\n";
?>
--EXPECT--
69 database_sync_script.php: the PHP extension cr0sync is not loaded
1
69 1 unavailable the PHP extension cr0sync is not loaded
