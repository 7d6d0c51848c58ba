"""The owner of an edited file: a process of its own that has it open all day, as the bots have, and edits it when told to.

    owner.py DATABASE ROWS [RECORDING]

Reads `CHANGES SEED` by line and answers with a line when COMMIT has returned. With RECORDING it is one that uses apsw and has
its edits recorded by the session extension, which is what an owner would have to do for that; the changeset goes into that file.
"""

import sys

import data

path, rows = sys.argv[1], int(sys.argv[2])
recording = sys.argv[3] if len(sys.argv) > 3 else None

if recording is None:
    import sqlite3
    db = sqlite3.connect(path, isolation_level=None)
    execute, execute_many = db.execute, db.executemany
else:
    import apsw
    db = apsw.Connection(path)
    execute, execute_many = db.execute, db.executemany

# Open means that it has been read; a connection that did nothing yet holds nothing.
execute("SELECT count(*) FROM sqlite_schema").fetchall()
print("open", flush=True)
for line in sys.stdin:
    changes, seed = map(int, line.split())
    session = None
    if recording is not None:
        session = apsw.Session(db, "main")
        session.attach()
    execute("BEGIN IMMEDIATE")
    data.apply(execute_many, data.edits(rows, changes, seed))
    execute("COMMIT")
    if session is not None:
        with open(recording, "wb") as file:
            file.write(session.changeset())
        session.close()
    print("done", flush=True)
