<?php

// Writes numbered lines as websites write logs: `writer.php HOW PATH NAME COUNT`.
declare(strict_types=1);

[, $how, $path, $name, $count] = $argv;
$flags = FILE_APPEND | ($how === 'locked' ? LOCK_EX : 0);
for ($n = 0; $n < (int) $count; $n++) {
    $line = sprintf("%s %07d lorem ipsum dolor sit amet\n", $name, $n);
    if (file_put_contents($path, $line, $flags) !== strlen($line)) {
        exit(1);
    }
    if ($n % 20 === 19) {
        usleep(10_000);
    }
}
