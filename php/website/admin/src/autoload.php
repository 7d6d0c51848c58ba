<?php

declare(strict_types=1);

/*
 * Loads the classes of the admin pages, from this directory, and those that they share with the scripts. No composer is
 * needed to run them.
 */

// Above the pages where they are installed, else beside them, as in the source. In this order: what lies beside them
// where they are installed is the website's own.
$shared = is_file(__DIR__ . '/../../Text.php') ? __DIR__ . '/../..' : __DIR__ . '/../../../src';
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
