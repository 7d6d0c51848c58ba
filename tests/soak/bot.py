"""A writer of the soak, as the Python bots are: one long-lived connection, one short transaction a message.

The same work as website.php. Before each COMMIT it notes in its ledger what the transaction does, after it that COMMIT
has returned; what lies between is known to be cut when it is killed. A line is one write to a file opened for appending,
so that what was noted survives the kill. Usage: bot.py DATABASE SIDE JOURNAL_MODE LEDGER STOP SEED PAUSE_MS
"""

import json
import os
import random
import sqlite3
import sys
import time

path, side, mode, ledger, stop, seed, pause = sys.argv[1:8]
chance = random.Random(int(seed))
noted = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def note(line):
    os.write(noted, (json.dumps(line) + "\n").encode())


def last_number():
    with open(ledger, encoding="utf-8") as lines:
        return max((json.loads(line)["n"] for line in lines), default=0)


def connect():
    db = sqlite3.connect(path, timeout=10, isolation_level=None)
    db.execute("PRAGMA foreign_keys = ON")
    # Delete, truncate and persist are a matter of the connection, WAL one of the file.
    if mode != "wal":
        db.execute(f"PRAGMA journal_mode = {mode}")
    return db


def transaction(db, n):
    """Does one message's work, and says what it was."""
    did = []
    db.execute("INSERT INTO log(who, n) VALUES(?, ?)", (side, n))
    what = chance.random()
    if what < 0.4:
        url = f"{side}/{n}"
        event = db.execute("INSERT INTO events(url, who) VALUES(?, ?)", (url, side)).lastrowid
        db.execute("INSERT INTO replies(event, body) VALUES(?, ?)", (event, f"reply to {url}"))
        did.append(["event", url])
    if what < 0.6:
        user, by = f"user{chance.randrange(3)}", chance.randrange(1, 9)
        score, games = db.execute("SELECT score, games FROM scores WHERE user = ?", (user,)).fetchone()
        db.execute("INSERT OR REPLACE INTO scores(user, score, games) VALUES(?, ?, ?)", (user, score + by, games + 1))
        did.append(["score", user, by])
    if 0.3 < what < 0.7:
        name, by = f"page{chance.randrange(4)}", chance.randrange(-3, 9)
        db.execute("UPDATE counters SET hits = hits + ? WHERE name = ?", (by, name))
        did.append(["count", name, by])
    if what > 0.5:
        name = f"{side}{chance.randrange(3)}"
        db.execute("UPDATE state SET value = ? WHERE name = ?", (n, name))
        db.execute(f"UPDATE shared SET {side} = ?", (n,))
        did.append(["state", name, n])
    if what > 0.7:
        name = f"{side}{chance.randrange(40)}"
        if chance.random() < 0.3:
            db.execute("DELETE FROM notes WHERE name = ?", (name,))
            did.append(["forget", name])
        else:
            db.execute("INSERT OR REPLACE INTO notes(name, body) VALUES(?, ?)", (name, f"note {n}"))
            did.append(["note", name, f"note {n}"])
    if what > 0.97:
        name = f"topic{chance.randrange(2)}"
        db.execute("UPDATE contested SET value = ? WHERE name = ?", (f"{side}/{n}", name))
        did.append(["contest", name, f"{side}/{n}"])
    return did


def read_long():
    """Somebody looks at everything, slowly."""
    reader = sqlite3.connect(path, timeout=10, isolation_level=None)
    reader.execute("BEGIN")
    for _ in reader.execute("SELECT * FROM events LIMIT 20"):
        time.sleep(0.05)
    reader.execute("ROLLBACK")
    reader.close()


db, n = connect(), last_number()
while not os.path.exists(stop):
    n += 1
    try:
        db.execute("BEGIN IMMEDIATE")
        did = transaction(db, n)
        note({"n": n, "did": did})
        db.execute("COMMIT")
        note({"n": n, "done": True})
    except sqlite3.OperationalError as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        note({"n": n, "done": False, "why": str(error)})
    if chance.random() < 0.01:
        db.close()
        db = connect()
    if chance.random() < 0.003:
        try:
            read_long()
        except sqlite3.OperationalError:
            pass
    time.sleep(chance.uniform(0.5, 1.5) * float(pause) / 1000)
db.close()
