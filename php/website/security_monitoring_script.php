<?php

declare(strict_types=1);

/*
 * The command that people and cron call: php security_monitoring_script.php --help
 */

if (PHP_SAPI !== 'cli') {
    http_response_code(403);
    exit;
}

// Beside the scripts in the source, below them where they are installed.
$start = __DIR__ . '/../src/start.php';
$start = require is_file($start) ? $start : __DIR__ . '/cr0sync/start.php';
$start(Cr0Sync\Script\SecurityScript::class, $argv);
