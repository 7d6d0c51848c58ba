"""The two-way job: what two sides do to the same 50,000 rows, what has to come of it, and what came.

The schema has one table of each kind that is hard: numbers that only number (`users`, `notes` that point at them), a name as
the key (`seen`), no key at all (`score`), a key of two columns (`kv`). Both sides give their new users the same ids.

What some cannot do at all can be left out of it: `kv`, for those who refuse keys of two columns, and `taken`, the nicks that both
sides give to somebody, for those who cannot finish after that.

Facts are what somebody wrote and nobody else contradicted; each has to be on both sides. What was contradicted, 270 times, has
to be reported.
"""

from collections import Counter

SCHEMA = """
    CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT NOT NULL UNIQUE COLLATE NOCASE, email TEXT,
                       points INTEGER);
    CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER NOT NULL REFERENCES users(id), body TEXT);
    CREATE TABLE seen(nick TEXT PRIMARY KEY, at INTEGER, place TEXT);
    CREATE TABLE score(nick TEXT, game TEXT, points INTEGER);
    CREATE TABLE kv(scope TEXT, name TEXT, value TEXT, PRIMARY KEY(scope, name)) WITHOUT ROWID;
"""
KEYED = ("users", "notes", "seen", "kv")
SIDES = ("central", "website")
ROWS = 50_000


def fill(db, rows):
    """`db` has `execute` and `executemany`, and no transaction open."""
    fifth = rows // 5
    db.execute("BEGIN")
    db.executemany("INSERT INTO users(nick, email, points) VALUES(?, ?, ?)",
                   [(f"user{n}", f"user{n}@example.org", n % 100) for n in range(1, fifth + 1)])
    # Those whom somebody will delete have no notes.
    db.executemany("INSERT INTO notes(uid, body) VALUES(?, ?)",
                   [(1401 + n % (fifth - 1400), f"note {n} of somebody") for n in range(2 * fifth)])
    db.executemany("INSERT INTO seen VALUES(?, ?, ?)", [(f"user{n}", 1_700_000_000 + n, "#chat") for n in range(fifth)])
    db.executemany("INSERT INTO score VALUES(?, ?, ?)",
                   [(f"user{n % 50}", f"game{n % 7}", n % 20) for n in range(fifth // 2)])
    db.executemany("INSERT INTO kv VALUES(?, ?, ?)", [(f"scope{n % 10}", f"name{n}", f"value {n}") for n in range(fifth // 2)])
    db.execute("COMMIT")


def edit(db, side, rows, without=frozenset()):
    """A day of one side, in one transaction."""
    left = side == SIDES[0]
    each = db.executemany
    top = rows // 5
    db.execute("BEGIN")
    mine = range(1, 501) if left else range(501, 1001)
    each("UPDATE users SET email = ? WHERE id = ?", [(f"{side}@{n}.example", n) for n in mine])
    column = "email" if left else "points"
    each(f"UPDATE users SET {column} = ? WHERE id = ?",
         [(f"{side}@{n}.example" if left else 5000 + n, n) for n in range(1001, 1201)])
    each("UPDATE users SET email = ? WHERE id = ?", [(f"{side}@{n}.example", n) for n in range(1201, 1301)])
    each("DELETE FROM users WHERE id = ?", [(n,) for n in (range(1301, 1351) if left else range(1351, 1401))])
    each("UPDATE users SET points = 9999 WHERE id = ?", [(n,) for n in (range(1351, 1401) if left else range(1301, 1351))])
    each("INSERT INTO users(id, nick, email, points) VALUES(?, ?, ?, 0)",
         [(top + n, f"{side}-new{n}", f"new{n}@{side}.example") for n in range(1, 101)])
    each("INSERT INTO notes(uid, body) VALUES(?, ?)", [(top + n, f"note of {side}-new{n}") for n in range(1, 101)])
    each("INSERT INTO kv VALUES('same', ?, 'same')", [(f"new{n}",) for n in range(20)])
    if "taken" not in without:
        each("INSERT INTO users(id, nick, email, points) VALUES(?, ?, ?, 0)",
             [(top + 100 + n, f"taken{n}" if left else f"TAKEN{n}", f"{side}@example.org") for n in range(1, 21)])
    each("INSERT INTO score VALUES(?, 'new', ?)", [(side, n) for n in range(100)])
    each("INSERT INTO seen VALUES(?, ?, ?)", [(f"{side}-new{n}", 1_800_000_000 + n, f"#{side}") for n in range(100)])
    each("INSERT INTO seen VALUES(?, ?, ?)", [(f"both{n}", 1_800_000_000, f"#{side}") for n in range(50)])
    kept = range(100) if left else range(100, 200)
    each("UPDATE kv SET value = ? WHERE scope = ? AND name = ?", [(side, f"scope{n % 10}", f"name{n}") for n in kept])
    db.execute("COMMIT")


def judge(databases, reported, rows, without=frozenset()):
    """What became of it: `databases` are connections to both sides as they are now, `reported` is `[table, key...]` each."""
    facts = [facts_of(db, without) for db in databases]
    both = {name: sum(a and b for a, b in zip(facts[0][name], facts[1][name])) for name in facts[0]}
    told = {name: {"kept": kept, "of": len(facts[0][name])} for name, kept in both.items()}
    told["conflicts"] = unreported(reported, rows, without)
    told["rows that differ"] = differing(databases, without)
    return told


def facts_of(db, without):
    """Which facts are there, in an order that is always the same."""
    def one(sql, *values):
        row = db.execute(sql, values).fetchone()
        return row and row[0]
    edited = []
    for side, mine in zip(SIDES, (range(1, 501), range(501, 1001))):
        edited += [one("SELECT email FROM users WHERE id = ?", n) == f"{side}@{n}.example" for n in mine]
    edited += [one("SELECT email FROM users WHERE id = ?", n) == f"{SIDES[0]}@{n}.example" for n in range(1001, 1201)]
    edited += [one("SELECT points FROM users WHERE id = ?", n) == 5000 + n for n in range(1001, 1201)]
    if "kv" not in without:
        edited += [one("SELECT value FROM kv WHERE scope = ? AND name = ?", f"scope{n % 10}", f"name{n}") == SIDES[n >= 100]
                   for n in range(200)]
        edited += [one("SELECT count(*) FROM kv WHERE scope = 'same' AND name = ?", f"new{n}") == 1 for n in range(20)]
    news = [(side, n) for side in SIDES for n in range(1, 101)]
    edited += [one("SELECT count(*) FROM seen WHERE nick = ?", f"{side}-new{n - 1}") == 1 for side, n in news]
    return {
        "new users on the same id": [
            one("SELECT email FROM users WHERE nick = ?", f"{side}-new{n}") == f"new{n}@{side}.example" for side, n in news],
        "children on the right parent": [
            [row[0] for row in db.execute("SELECT nick FROM users JOIN notes ON uid = users.id WHERE body = ?",
                                          (f"note of {side}-new{n}",))] == [f"{side}-new{n}"] for side, n in news],
        "rows without a key": [
            one("SELECT count(*) FROM score WHERE nick = ? AND game = 'new' AND points = ?", side, n - 1) == 1
            for side, n in news],
        "other edits": edited,
    }


def contradictions(rows, without):
    """The 270 (250 without `taken`), each as the names by which it may be reported."""
    top = rows // 5
    return ([[("users", n), ("users", f"user{n}")] for n in range(1201, 1401)]
            + [[("seen", f"both{n}")] for n in range(50)]
            + [[("users", f"taken{n}"), ("users", top + 100 + n)] for n in range(1, 21) if "taken" not in without])


def unreported(reported, rows, without):
    if reported is None:
        return None
    names = {(one[0], *(word.lower() if isinstance(word, str) else word for word in one[1:])) for one in reported}
    all_of_them = contradictions(rows, without)
    return {"unreported": sum(not names.intersection(one) for one in all_of_them), "of": len(all_of_them)}


def differing(databases, without):
    """How many rows are on one side only; of rows that are there twice, each counts."""
    count = 0
    for table in {*KEYED, "score"} - without:
        left, right = (Counter(db.execute(f"SELECT * FROM {table}").fetchall()) for db in databases)
        count += ((left - right) + (right - left)).total()
    return count
