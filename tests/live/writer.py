"""A bot that writes all the time, as the Python bots do: one transaction a message, `INSERT OR REPLACE` for scores.

Told apart from writer.php by language alone. Prints a line only after a commit: what it prints must be found on
every side. Usage: writer.py DATABASE NAME SECONDS
"""

import sqlite3
import sys
import time

path, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
db = sqlite3.connect(path, timeout=10, isolation_level=None)
end = time.monotonic() + seconds
n = 0
while time.monotonic() < end:
    n += 1
    try:
        db.execute("BEGIN IMMEDIATE")
        url = f"{name}/{n}"
        link = db.execute("INSERT INTO links(url, user) VALUES(?, ?)", (url, name)).lastrowid
        db.execute("INSERT INTO notes(link, body) VALUES(?, ?)", (link, f"note of {url}"))
        db.execute("INSERT INTO log(who, n) VALUES(?, ?)", (name, n % 10))
        score, games = db.execute("SELECT score, games FROM scores WHERE user = 'ann'").fetchone()
        db.execute("INSERT OR REPLACE INTO scores(user, score, games) VALUES('ann', ?, ?)", (score + n % 5, games + 1))
        db.execute("UPDATE state SET value = ? WHERE name = ?", (n, name))
        if n % 3 == 0:
            db.execute("UPDATE links SET seen = ? WHERE url = ?", (n, f"{name}/{n - 1}"))
        if n % 7 == 0:
            db.execute("DELETE FROM notes WHERE body = ?", (f"note of {name}/{n - 3}",))
        db.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        print(f"busy {n} {error}", file=sys.stderr)
        continue
    print(n, flush=True)
    time.sleep(0.004)
