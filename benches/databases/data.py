"""The databases of the one-way cases, what their owner edits in a round, and whether that arrived on the other side.

Users by name, four times as many messages by number that point at them, and an index: 130 bytes a row and index. Edits are
spread over the whole file, as nothing makes it harder to find them: seven of ten set the text of a message, the rest are in equal
parts points of users, new messages and deleted ones, all in one transaction.
"""

import random
import sqlite3

SCHEMA = """
    CREATE TABLE users(nick TEXT PRIMARY KEY COLLATE NOCASE, email TEXT, points INTEGER);
    CREATE TABLE messages(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT REFERENCES users(nick), at INTEGER, body TEXT);
    CREATE INDEX messages_by_nick ON messages(nick);
"""
TABLES = {"users": "nick", "messages": "id"}


def make(path, rows, mode):
    users = rows // 5
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    db.executemany("INSERT INTO users VALUES(?, ?, ?)",
                   ((f"user{n}", f"user{n}@example.org", n % 100) for n in range(users)))
    db.executemany("INSERT INTO messages(nick, at, body) VALUES(?, ?, ?)",
                   ((f"user{n % users}", 1_700_000_000 + n, (f"message {n} " * 8)[:100]) for n in range(rows - users)))
    db.commit()
    db.execute(f"PRAGMA journal_mode = {mode}")
    db.close()


def edits(rows, changes, seed):
    """What happens in a round, the same for everybody: texts, points, how many are new, which are deleted."""
    chance = random.Random(f"{rows} {changes} {seed}")
    users, messages = rows // 5, rows - rows // 5
    part = max(changes // 10, 1) if changes else 0
    # Every twentieth message is only ever deleted, so that no edit meets a row that is gone.
    deleted = chance.sample(range(20, messages, 20), min(part, messages // 40))
    others = messages * 19 // 20 - 1
    texts = chance.sample(range(others), min(max(changes - 3 * part, 0), others))
    return {
        "texts": [number + number // 19 + 1 for number in texts],
        "points": [f"user{number}" for number in chance.sample(range(users), min(part, users))],
        "new": part,
        "deleted": deleted,
        "seed": seed,
    }


def apply(execute_many, what):
    """Does these edits; `execute_many(sql, rows)` is of whatever library the owner uses."""
    seed = what["seed"]
    execute_many("UPDATE messages SET body = ? WHERE id = ?", [(f"edited in round {seed} " * 5, n) for n in what["texts"]])
    execute_many("UPDATE users SET points = points + ? WHERE nick = ?", [(1 + seed % 7, nick) for nick in what["points"]])
    execute_many("INSERT INTO messages(nick, at, body) VALUES(?, ?, ?)",
                 [(f"user{n % 10}", 1_800_000_000 + n, f"new in round {seed}, the {n}th of them") for n in range(what["new"])])
    execute_many("DELETE FROM messages WHERE id = ?", [(n,) for n in what["deleted"]])


def lost(edited, arrived, what):
    """How many of the edits in the one file are not in the other one."""
    theirs = arrived.execute
    count = 0
    for table, key, keys in (("messages", "id", what["texts"]), ("users", "nick", what["points"]),
                             ("messages", "id", what["deleted"])):
        sql = f"SELECT * FROM {table} WHERE {key} = ?"
        for one in keys:
            count += edited.execute(sql, (one,)).fetchone() != theirs(sql, (one,)).fetchone()
    sql = "SELECT * FROM messages WHERE id = ?"
    for row in edited.execute("SELECT * FROM messages ORDER BY id DESC LIMIT ?", (what["new"],)).fetchall():
        count += row != theirs(sql, (row[0],)).fetchone()
    return count


def differences(one, other):
    """How many rows are on one side only, of all."""
    count = 0
    for table, key in TABLES.items():
        sql = f"SELECT * FROM {table} ORDER BY {key}"
        left, right = one.execute(sql), other.execute(sql)
        mine, theirs = left.fetchone(), right.fetchone()
        at = 0 if key == TABLES["users"] else [column[0] for column in left.description].index(key)
        while mine is not None or theirs is not None:
            if mine == theirs:
                mine, theirs = left.fetchone(), right.fetchone()
                continue
            count += 1
            if theirs is None or (mine is not None and order(mine[at]) < order(theirs[at])):
                mine = left.fetchone()
            elif mine is None or order(theirs[at]) < order(mine[at]):
                theirs = right.fetchone()
            else:
                mine, theirs = left.fetchone(), right.fetchone()
    return count


def order(key):
    """Keys as the collation of their column orders them; those of one table are all of one type."""
    return key.lower() if isinstance(key, str) else key
