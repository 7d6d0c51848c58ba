<?php

declare(strict_types=1);

/*
 * The website of the demo: makes its own databases, then edits all of them through a day, with PDO as the pages do.
 *
 * It knows nothing of any sync. Each edit goes into the ledger right after SQLite acknowledged it.
 * Usage: php website.php start|day DIRECTORY LEDGER ROWS
 */

final class Page
{
    private readonly PDO $database;

    public function __construct(private readonly string $name, string $directory, private readonly string $ledger)
    {
        $this->database = new PDO("sqlite:{$directory}/{$name}.db");
        $this->database->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
        $this->database->exec('PRAGMA busy_timeout = 5000');
    }

    /** One page view: what happens in it is one transaction. */
    public function visit(callable $work): void
    {
        $this->database->beginTransaction();
        $work($this);
        $this->database->commit();
    }

    /** @param list<scalar|null> $values */
    public function run(string $sql, array $values = []): void
    {
        $this->database->prepare($sql)->execute($values);
    }

    public function newId(): int
    {
        return (int) $this->database->lastInsertId();
    }

    /** @param array<string, scalar|null> $row */
    public function insert(string $table, array $row): void
    {
        $columns = implode(', ', array_keys($row));
        $marks = implode(', ', array_fill(0, count($row), '?'));
        $this->run("INSERT INTO {$table} ({$columns}) VALUES ({$marks})", array_values($row));
    }

    /** @param array<string, mixed> $more */
    public function note(string $did, string $table, array $more): void
    {
        $line = ['side' => 'website', 'database' => $this->name, 'did' => $did, 'table' => $table, ...$more];
        file_put_contents($this->ledger, json_encode($line, JSON_THROW_ON_ERROR) . "\n", FILE_APPEND);
    }

    /** @param array<string, scalar|null> $row */
    public function insertAndNote(string $table, array $row): void
    {
        $this->insert($table, $row);
        $this->note('insert', $table, ['row' => $row, 'points_to' => null]);
    }
}

/** The nick of person $number: the same people as the bot knows. */
function nick(int $number): string
{
    $first = ['al', 'be', 'ca', 'do', 'el', 'fi', 'go', 'ha', 'io', 'ju', 'ka', 'lu', 'mo', 'ni', 'ol', 'pe'];
    $last = ['ra', 'so', 'ti', 'un', 'va', 'wo', 'xi', 'yo', 'ze', 'bo', 'ce', 'da', 'fe', 'gu', 'ho', 'ji'];
    $more = $number > 255 ? (string) intdiv($number, 256) : '';

    return $first[$number % 16] . $last[intdiv($number, 16) % 16] . $more;
}

function moment(int $day, int $second): string
{
    return sprintf('2025-07-%02d %s', $day, gmdate('H:i:s', $second));
}

/** @return array<string, scalar|null> */
function account(string $name, string $email): array
{
    return [
        'username' => $name, 'email' => $email, 'password_hash' => '$2y$10$' . $name, 'is_admin' => 0,
        'is_active' => 1, 'created_at' => moment(14, 36000), 'two_factor_secret' => null,
    ];
}

function start(string $directory, string $ledger, int $rows): void
{
    $users = new Page('users', $directory, $ledger);
    $users->run('CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT,
        username TEXT UNIQUE NOT NULL COLLATE NOCASE, email TEXT NOT NULL, password_hash TEXT NOT NULL,
        is_admin INTEGER DEFAULT 0, is_active INTEGER DEFAULT 1, created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
        two_factor_secret TEXT)');
    $users->run('CREATE TABLE sso_user_mappings (id INTEGER PRIMARY KEY AUTOINCREMENT,
        user_id INTEGER NOT NULL REFERENCES users(id), provider TEXT NOT NULL, external_id TEXT NOT NULL,
        created_at DATETIME, UNIQUE(provider, external_id))');
    $users->visit(function (Page $page) use ($rows): void {
        for ($number = 0; $number < $rows; $number++) {
            $page->insert('users', account(nick($number), nick($number) . '@example.org'));
            if ($number % 3 === 1) {
                $page->insert('sso_user_mappings', [
                    'user_id' => $page->newId(), 'provider' => 'forum', 'external_id' => "forum-{$number}",
                    'created_at' => moment(2, $number),
                ]);
            }
        }
    });

    $scores = new Page('breakout_scores', $directory, $ledger);
    $scores->run('CREATE TABLE breakout_scores (id INTEGER PRIMARY KEY AUTOINCREMENT, player_name TEXT NOT NULL,
        score INTEGER NOT NULL, level_reached INTEGER, ip_address TEXT, date_played DATETIME)');
    $scores->visit(function (Page $page) use ($rows): void {
        for ($number = 0; $number < 2 * $rows; $number++) {
            $page->insert('breakout_scores', [
                'player_name' => nick($number % $rows), 'score' => 37 * $number % 5000, 'level_reached' => $number % 9,
                'ip_address' => '192.0.2.7', 'date_played' => moment(1 + $number % 12, $number),
            ]);
        }
    });
}

function bots(string $network, string $directory, string $ledger): void
{
    $bot = new Page("{$network}_bot", $directory, $ledger);
    for ($number = 0; $number < 20; $number++) {
        $bot->visit(fn (Page $page) => $page->insertAndNote('links', [
            'url' => "https://example.org/{$network}/from-the-web/{$number}", 'user' => nick($number),
            'timestamp' => moment(14, 36000 + $number), 'channel' => 'web',
        ]));
        $bot->visit(fn (Page $page) => $page->insertAndNote('memos', [
            'from_user' => nick($number), 'to_user' => nick($number + 2),
            'message' => nick($number) . ' says hi on the web', 'channel' => 'web',
            'created_time' => moment(14, 41000 + $number), 'delivered' => 0, 'delivered_time' => null,
        ]));
    }
    // Images deleted by a moderator; the bot shows two of them at the same time.
    foreach ([8, 9, 12, 13, 14] as $number) {
        $url = "https://example.org/beans/{$network}/{$number}.jpg";
        $bot->visit(fn (Page $page) => $page->run('DELETE FROM bean_images WHERE url = ?', [$url]));
        $bot->note('delete', 'bean_images', ['key' => ['url' => $url]]);
    }
    // Images looked at on the website too.
    for ($number = 0; $number < 6; $number++) {
        $url = "https://example.org/beans/{$network}/{$number}.jpg";
        $seen = 'UPDATE bean_images SET view_count = view_count + 7 WHERE url = ?';
        $bot->visit(fn (Page $page) => $page->run($seen, [$url]));
        $bot->note('add', 'bean_images', ['key' => ['url' => $url], 'column' => 'view_count', 'by' => 7]);
    }
    foreach ([[1, 'trivia', 15], [2, 'riddle', 60]] as [$person, $game, $points]) {
        $bot->visit(fn (Page $page) => $page->run(
            'UPDATE user_scores SET score = score + ? WHERE user = ? AND game_type = ?',
            [$points, nick($person), $game],
        ));
        $bot->note('add', 'user_scores', [
            'key' => ['user' => nick($person), 'game_type' => $game], 'column' => 'score', 'by' => $points,
        ]);
    }
    $bot->visit(fn (Page $page) => $page->insertAndNote('links', [
        'url' => "https://example.org/{$network}/breaking-news", 'user' => nick(6),
        'timestamp' => moment(14, 51003), 'channel' => 'web',
    ]));
    foreach (['greeting' => 'hi from the web', 'uno_timeout' => '60', 'motd' => 'be kind'] as $setting => $value) {
        $bot->visit(fn (Page $page) => $page->run(
            'UPDATE bot_config SET setting_value = ? WHERE network = ? AND setting_name = ?',
            [$value, $network, $setting],
        ));
        $bot->note('set', 'bot_config', [
            'key' => ['network' => $network, 'setting_name' => $setting], 'values' => ['setting_value' => $value],
        ]);
    }
}

function users(string $directory, string $ledger): void
{
    $users = new Page('users', $directory, $ledger);
    for ($number = 0; $number < 12; $number++) {
        $users->visit(function (Page $page) use ($number): void {
            $name = nick($number) . '_new';
            $page->insertAndNote('users', account($name, "{$name}@example.org"));
            $mapping = ['provider' => 'forum', 'external_id' => "new-{$number}", 'created_at' => moment(14, 36000)];
            $page->insert('sso_user_mappings', ['user_id' => $page->newId(), ...$mapping]);
            $page->note('insert', 'sso_user_mappings', [
                'row' => $mapping, 'points_to' => ['user_id', 'users', ['username' => $name]],
            ]);
        });
    }
    $users->visit(fn (Page $page) => $page->insertAndNote('users', account('zelda', 'zelda@website.example.org')));
    $moved = 'UPDATE users SET email = ? WHERE username = ?';
    foreach ([5 => 'five', 9 => 'nine', 30 => 'thirty'] as $person => $name) {
        $email = "{$name}@website.example.org";
        $users->visit(fn (Page $page) => $page->run($moved, [$email, nick($person)]));
        $users->note('set', 'users', ['key' => ['username' => nick($person)], 'values' => ['email' => $email]]);
    }
}

function scores(string $directory, string $ledger): void
{
    $scores = new Page('breakout_scores', $directory, $ledger);
    for ($number = 0; $number < 30; $number++) {
        $scores->visit(fn (Page $page) => $page->insertAndNote('breakout_scores', [
            'player_name' => nick($number), 'score' => 100 * $number, 'level_reached' => 3, 'ip_address' => '192.0.2.9',
            'date_played' => moment(14, 36000 + $number),
        ]));
    }
}

[, $action, $directory, $ledger, $rows] = $argv;
if ($action === 'start') {
    start($directory, $ledger, (int) $rows);
} else {
    bots('rizon', $directory, $ledger);
    bots('libera', $directory, $ledger);
    users($directory, $ledger);
    scores($directory, $ledger);
}
