<?php

declare(strict_types=1);

/*
 * Loads the classes that the scripts share, from this directory. No composer is needed to run them.
 */

spl_autoload_register(static function (string $class): void {
    $prefix = 'Cr0Sync\\Script\\';
    if (str_starts_with($class, $prefix)) {
        $file = __DIR__ . '/' . substr($class, strlen($prefix)) . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
