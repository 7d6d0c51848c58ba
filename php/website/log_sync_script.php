<?php

declare(strict_types=1);

/*
 * The command that people and cron call: php log_sync_script.php --help
 *
 * Only for the command line: below a web server's document root, too, it does nothing for a visitor.
 */

if (PHP_SAPI !== 'cli') {
    http_response_code(403);
    exit;
}

// Beside the scripts in the source, below them where they are installed.
$source = __DIR__ . '/../src/autoload.php';
require is_file($source) ? $source : __DIR__ . '/cr0sync/autoload.php';

exit((new Cr0Sync\Script\LogScript(basename(__FILE__)))->run(array_slice($argv, 1)));
