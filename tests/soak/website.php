<?php

// A writer of the soak, as the website is: through PDO, a new connection every few pages. The same work as bot.py.
//
// Usage: website.php DATABASE SIDE JOURNAL_MODE LEDGER STOP SEED PAUSE_MS

declare(strict_types=1);

[, $path, $side, $mode, $ledger, $stop, $seed, $pause] = $argv;
mt_srand((int) $seed);
$noted = fopen($ledger, 'a');
stream_set_write_buffer($noted, 0);
$note = static function (array $line) use ($noted): void {
    fwrite($noted, json_encode($line, JSON_THROW_ON_ERROR) . "\n");
};
$chance = static fn (): float => mt_rand() / mt_getrandmax();

$n = 0;
foreach (file($ledger) as $line) {
    $n = max($n, json_decode($line, true, 8, JSON_THROW_ON_ERROR)['n']);
}

$connect = static function () use ($path, $mode): PDO {
    $db = new PDO("sqlite:$path", null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_TIMEOUT => 10]);
    $db->exec('PRAGMA foreign_keys = ON');
    // Delete, truncate and persist are a matter of the connection, WAL one of the file.
    if ($mode !== 'wal') {
        $db->exec("PRAGMA journal_mode = $mode");
    }

    return $db;
};

// Does one page's work, and says what it was.
$transaction = static function (PDO $db, int $n) use ($side, $chance): array {
    $do = static fn (string $sql, array $values) => $db->prepare($sql)->execute($values);
    $did = [];
    $do('INSERT INTO log(who, n) VALUES(?, ?)', [$side, $n]);
    $what = $chance();
    if ($what < 0.4) {
        $url = "$side/$n";
        $do('INSERT INTO events(url, who) VALUES(?, ?)', [$url, $side]);
        $do('INSERT INTO replies(event, body) VALUES(?, ?)', [$db->lastInsertId(), "reply to $url"]);
        $did[] = ['event', $url];
    }
    if ($what < 0.6) {
        $user = 'user' . mt_rand(0, 2);
        $by = mt_rand(1, 8);
        $found = $db->query("SELECT score, games FROM scores WHERE user = '$user'")->fetchAll(PDO::FETCH_NUM);
        [$score, $games] = $found[0];
        $do('INSERT OR REPLACE INTO scores(user, score, games) VALUES(?, ?, ?)', [$user, $score + $by, $games + 1]);
        $did[] = ['score', $user, $by];
    }
    if ($what > 0.3 && $what < 0.7) {
        $name = 'page' . mt_rand(0, 3);
        $by = mt_rand(-3, 8);
        $do('UPDATE counters SET hits = hits + CAST(? AS INTEGER) WHERE name = ?', [$by, $name]);
        $did[] = ['count', $name, $by];
    }
    if ($what > 0.5) {
        $name = $side . mt_rand(0, 2);
        $do('UPDATE state SET value = ? WHERE name = ?', [$n, $name]);
        $do("UPDATE shared SET $side = ?", [$n]);
        $did[] = ['state', $name, $n];
    }
    if ($what > 0.7) {
        $name = $side . mt_rand(0, 39);
        if ($chance() < 0.3) {
            $do('DELETE FROM notes WHERE name = ?', [$name]);
            $did[] = ['forget', $name];
        } else {
            $do('INSERT OR REPLACE INTO notes(name, body) VALUES(?, ?)', [$name, "note $n"]);
            $did[] = ['note', $name, "note $n"];
        }
    }
    if ($what > 0.97) {
        $name = 'topic' . mt_rand(0, 1);
        $do('UPDATE contested SET value = ? WHERE name = ?', ["$side/$n", $name]);
        $did[] = ['contest', $name, "$side/$n"];
    }

    return $did;
};

$db = $connect();
while (!file_exists($stop)) {
    clearstatcache();
    $n++;
    try {
        $db->exec('BEGIN IMMEDIATE');
        $did = $transaction($db, $n);
        $note(['n' => $n, 'did' => $did]);
        $db->exec('COMMIT');
        $note(['n' => $n, 'done' => true]);
    } catch (PDOException $error) {
        try {
            $db->exec('ROLLBACK');
        } catch (PDOException) {
            // There was no transaction to roll back.
        }
        $note(['n' => $n, 'done' => false, 'why' => $error->getMessage()]);
    }
    if ($chance() < 0.2) {
        $db = null;
        $db = $connect();
    }
    usleep((int) ((0.5 + $chance()) * 1000 * (float) $pause));
}
