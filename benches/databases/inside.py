"""Peers that are libraries, each as a process: inside.py WHAT ARGUMENT... Prints JSON: `inside_ms`, and what the peer reports.

Runs in the Python that has the packages. `inside_ms` is the work alone, without the start of Python. A library is loaded
only where it is used, as two SQLites in one process do harm.

    session-diff ORIGIN REPLICA TABLE...   the extension compares the files, and the replica becomes as the origin
    session-apply CHANGESET REPLICA        what was recorded is applied
    session-merge BASE LEFT RIGHT TABLE... differences of both sides to the base go to the other side; the left one is kept
    geodiff BASE LEFT RIGHT [SKIPPED]      the right side is rebased on the left one, then the left one follows; a table is skipped
    doltlite REPOSITORY LEFT RIGHT         two branches that were committed are merged; conflicts: the left one is kept
    doltlite-load REPOSITORY ROWS WITHOUT  the job of `job.py`, each side committed as a branch of its own
    doltlite-export REPOSITORY FILE        all rows of the branch that was merged into, as lines of JSON
"""

import json
import os
import sys
import time


def main():
    what, *words = sys.argv[1:]
    # Imports are the start of a program, not its work.
    work = {"session-diff": session_diff, "session-apply": session_apply, "session-merge": session_merge,
            "geodiff": geodiff, "doltlite": doltlite, "doltlite-load": doltlite_load,
            "doltlite-export": doltlite_export}[what](*words)
    start = time.monotonic()
    told = work()
    print(json.dumps({**told, "inside_ms": (time.monotonic() - start) * 1000}), flush=True)
    # geodiff's library complains when it is unloaded by the end of Python.
    os._exit(0)


def difference(apsw, path, base, tables):
    """The changeset that makes `base` what `path` is."""
    db = apsw.Connection(path)
    db.execute("ATTACH ? AS base", (base,))
    session = apsw.Session(db, "main")
    for table in tables:
        session.attach(table)
        session.diff("base", table)
    changeset = session.changeset()
    session.close()
    db.close()
    return changeset


def applied(apsw, changeset, replica):
    """A changeset in a replica, all or nothing."""
    db = apsw.Connection(replica)
    with db:
        apsw.Changeset.apply(changeset, db)
    db.close()
    return {"bytes": len(changeset)}


def session_diff(origin, replica, *tables):
    import apsw

    def work():
        return applied(apsw, difference(apsw, origin, replica, tables), replica)
    return work


def session_apply(recording, replica):
    import apsw

    def work():
        with open(recording, "rb") as file:
            changeset = file.read()
        return applied(apsw, changeset, replica)
    return work


def session_merge(base, left, right, *tables):
    import apsw

    def work():
        of_left, of_right = difference(apsw, left, base, tables), difference(apsw, right, base, tables)
        reported = set()

        def apply(changeset, path, wins):
            def decide(kind, change):
                # For a delete and an update the old values are the key, for an insert the new ones.
                values = change.new if change.op == "INSERT" else change.old
                key = [value for value, is_key in zip(values, change.pk_columns_list) if is_key]
                reported.add((change.name, json.dumps(key)))
                can = kind in (apsw.SQLITE_CHANGESET_DATA, apsw.SQLITE_CHANGESET_CONFLICT)
                return apsw.SQLITE_CHANGESET_REPLACE if wins and can else apsw.SQLITE_CHANGESET_OMIT
            db = apsw.Connection(path)
            with db:
                apsw.Changeset.apply(changeset, db, conflict=lambda kind, change: decide(kind, Change(change)))
            db.close()
        apply(of_left, right, True)
        apply(of_right, left, False)
        return {"reported": sorted([table, *json.loads(key)] for table, key in reported)}

    class Change:
        def __init__(self, change):
            self.name, self.op = change.name, change.op
            self.new, self.old = change.new, change.old
            keys = change.pk_columns
            width = change.column_count
            self.pk_columns_list = [number in keys for number in range(width)]
    return work


def geodiff(base, left, right, *skipped):
    import pygeodiff

    def work():
        library = pygeodiff.GeoDiff()
        if skipped:
            library.set_tables_to_skip(list(skipped))
        conflicts, changes = f"{right}.conflicts", f"{right}.changes"
        for path in (conflicts, changes):
            if os.path.exists(path):
                os.remove(path)
        library.rebase(base, left, right, conflicts)
        # The other side gets what the rebased one has more.
        library.create_changeset(left, right, changes)
        library.apply_changeset(left, changes)
        reported = []
        if os.path.exists(conflicts):
            with open(conflicts, encoding="utf-8") as file:
                reported = [[one["table"], int(one["fid"]) if one["fid"].isdigit() else one["fid"]]
                            for one in json.load(file)["geodiff"]]
        return {"reported": reported}
    return work


def doltlite(repository, left, right):
    import doltlite as library
    import sqlite3
    assert library.libdoltlite_path()
    db = sqlite3.connect(repository, isolation_level=None)

    def work():
        db.execute("SELECT dolt_checkout(?)", (left,)).fetchall()
        db.execute("BEGIN")
        refused = None
        try:
            db.execute("SELECT dolt_merge(?)", (right,)).fetchall()
        except sqlite3.OperationalError as error:
            # That there are conflicts is an error too; what it is shows in what can be asked now.
            refused = str(error)
        reported = []
        tables = [row[0] for row in db.execute("SELECT * FROM dolt_conflicts").fetchall()]
        for table in [table for table in tables if not table.startswith("sqlite_")]:
            asked = db.execute(f"SELECT * FROM dolt_conflicts_{table}")
            columns = [column[0] for column in asked.description]
            keys = [row[0] for row in db.execute(f"SELECT name FROM pragma_table_info('{table}') WHERE pk ORDER BY pk")]
            for row in asked.fetchall():
                cells = dict(zip(columns, row))
                reported.append([table, *(first(cells, key) for key in keys)])
            db.execute("SELECT dolt_conflicts_resolve('--ours', ?)", (table,)).fetchall()
        violations = db.execute("SELECT count(*) FROM dolt_constraint_violations").fetchone()[0]
        if refused is not None and not reported:
            db.execute("ROLLBACK")
            return {"reported": [], "refused": refused}
        try:
            db.execute("SELECT dolt_commit('-A', '-m', 'merged')").fetchall()
        except sqlite3.OperationalError as error:
            return {"reported": reported, "refused": str(error)}
        return {"reported": reported, "violations": violations}
    return work


def doltlite_load(repository, rows, *without):
    import doltlite as library
    import sqlite3

    import job
    assert library.libdoltlite_path()

    def work():
        db = sqlite3.connect(repository, isolation_level=None)
        db.executescript(job.SCHEMA)
        job.fill(db, int(rows))
        db.execute("SELECT dolt_commit('-A', '-m', 'base')").fetchall()
        for side in job.SIDES:
            db.execute("SELECT dolt_branch(?)", (side,)).fetchall()
        for side in job.SIDES:
            db.execute("SELECT dolt_checkout(?)", (side,)).fetchall()
            job.edit(db, side, int(rows), without)
            db.execute("SELECT dolt_commit('-A', '-m', 'a day')").fetchall()
        return {}
    return work


def doltlite_export(repository, path):
    import doltlite as library
    import sqlite3

    import job
    assert library.libdoltlite_path()

    def work():
        db = sqlite3.connect(repository, isolation_level=None)
        db.execute("SELECT dolt_checkout(?)", (job.SIDES[0],)).fetchall()
        with open(path, "w", encoding="utf-8") as file:
            for table in (*job.KEYED, "score"):
                for row in db.execute(f"SELECT * FROM {table}"):
                    file.write(json.dumps([table, *row]) + "\n")
        return {}
    return work


def first(cells, key):
    for word in ("base", "our", "their"):
        if cells.get(f"{word}_{key}") is not None:
            return cells[f"{word}_{key}"]
    return None


main()
