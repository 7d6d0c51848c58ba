<?php

declare(strict_types=1);

/*
 * A page of the website: does one thing, and answers with JSON what it did.
 */

$open = static function (string $name): PDO {
    $options = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_TIMEOUT => 10];

    return new PDO("sqlite:/var/www/html/data/{$name}.db", null, null, $options);
};
$n = (int) ($_GET['n'] ?? 0);
$did = match ($_GET['do'] ?? '') {
    'who' => ['user' => posix_getpwuid(posix_geteuid())['name'], 'sapi' => PHP_SAPI, 'version' => cr0_version()],
    'register' => $open('users')->prepare('INSERT INTO users(username, email) VALUES(?, ?)')
        ->execute(["visitor{$n}", "visitor{$n}@example.org"]),
    'score' => $open('breakout_scores')->prepare(
        'INSERT INTO breakout_scores(player_name, score, level_reached) VALUES(?, ?, 1)',
    )->execute(["player{$n}", $n]),
    'look' => $open('rizon_bot')->prepare('UPDATE bean_images SET view_count = view_count + 1 WHERE url = ?')
        ->execute(['bean' . $n % 3]),
    'set' => $open('libera_bot')->prepare(
        'UPDATE bot_config SET setting_value = ?, updated_at = CURRENT_TIMESTAMP WHERE setting_name = \'greeting\'',
    )->execute(["hello {$n}"]),
    'event' => cr0_event('page_visit', ['n' => $n], 'LOW', $_SERVER['REMOTE_ADDR']),
    'limit' => cr0_rate_limit('visitor', 'admin'),
    default => null,
};
header('Content-Type: application/json');
echo json_encode($did);
