<?php
// A page that writes all the time, as the website does through PDO: the same work as writer.py.
//
// Told apart from writer.py by language alone. Prints a line only after a commit: what it prints must be found on
// every side. Usage: writer.php DATABASE NAME SECONDS

declare(strict_types=1);

[, $path, $name, $seconds] = $argv;
$db = new PDO("sqlite:$path", null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_TIMEOUT => 10]);
$end = microtime(true) + (float) $seconds;
$do = static fn (string $sql, array $values = []) => $db->prepare($sql)->execute($values);
for ($n = 1; microtime(true) < $end; $n++) {
    try {
        $db->exec('BEGIN IMMEDIATE');
        $url = "$name/$n";
        $do('INSERT INTO links(url, user) VALUES(?, ?)', [$url, $name]);
        $do('INSERT INTO notes(link, body) VALUES(?, ?)', [$db->lastInsertId(), "note of $url"]);
        $do('INSERT INTO log(who, n) VALUES(?, ?)', [$name, $n % 10]);
        [$score, $games] = $db->query("SELECT score, games FROM scores WHERE user = 'ann'")->fetch(PDO::FETCH_NUM);
        $do("INSERT OR REPLACE INTO scores(user, score, games) VALUES('ann', ?, ?)", [$score + $n % 5, $games + 1]);
        $do('UPDATE state SET value = ? WHERE name = ?', [$n, $name]);
        if ($n % 3 === 0) {
            $do('UPDATE links SET seen = ? WHERE url = ?', [$n, $name . '/' . ($n - 1)]);
        }
        if ($n % 7 === 0) {
            $do('DELETE FROM notes WHERE body = ?', ["note of $name/" . ($n - 3)]);
        }
        $db->exec('COMMIT');
    } catch (PDOException $error) {
        try {
            $db->exec('ROLLBACK');
        } catch (PDOException) {
            // There was no transaction to roll back.
        }
        fwrite(STDERR, "busy $n {$error->getMessage()}\n");
        continue;
    }
    echo "$n\n";
    usleep(4000);
}
