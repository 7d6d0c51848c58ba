<?php

declare(strict_types=1);

/*
 * What every script begins with: which class it is, and nothing for a visitor of the website, below whose document root
 * it may lie.
 */

require __DIR__ . '/autoload.php';

/**
 * @param class-string<Cr0Sync\Script\Script> $script
 * @param list<string> $words the command line, as PHP gives it
 */
return static function (string $script, array $words): never {
    exit((new $script(basename($words[0])))->run(array_slice($words, 1)));
};
