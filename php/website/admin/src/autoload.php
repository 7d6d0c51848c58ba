<?php

declare(strict_types=1);

/*
 * Loads the classes of the admin pages, from this directory, and those that they share with the scripts. No composer is
 * needed to run them.
 */

// Beside the pages in the source, above them where they are installed.
$shared = is_file(__DIR__ . '/../../../src/autoload.php') ? __DIR__ . '/../../../src' : __DIR__ . '/../..';
require "{$shared}/autoload.php";

spl_autoload_register(static function (string $class): void {
    $prefix = 'Cr0Sync\\Admin\\';
    if (str_starts_with($class, $prefix)) {
        $file = __DIR__ . '/' . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
