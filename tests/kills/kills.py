"""Runs that are killed in their midst, one after the other, while owners with ordinary ids go on between them.

    python3 -B tests/kills/kills.py EXTENSION.so [--midst N] [--seed N]

The owners add rows with ids that SQLite gives out, so that each takes the very ids which a killed run had planned for rows of
others, and both add to one counter. Where in the world of `tests/crash.rs` a run stops at each step, here it is stopped by
the kernel, at any moment. At the end every row is on every side once, and the counter has every addition once.
"""

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
SCRIPT = PROJECT / "php/website/database_sync_script.php"
TABLE = "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, email TEXT, score INTEGER DEFAULT 0)"
# So many runs after the last kill bring everything together; one finishes what was begun, and one merges.
LAST = 4
# Whoever is not done after so many seconds never will be.
PATIENCE = 60
# So many runs are to be killed while they write, within so many rounds: else it was not tried.
MIDST = 25
ROUNDS = 1000


class World:
    """Three sides of one table."""

    def __init__(self, top, extension):
        self.places = {side: top / side / "users.db" for side in ("bot", "central", "website")}
        for path in self.places.values():
            path.parent.mkdir()
        self.root = top / "root"
        self.root.mkdir(mode=0o755)
        tables = {"users": {"identity": ["name"], "columns": {"score": "sum"}}}
        replicas = {side: str(path) for side, path in self.places.items()}
        config = {"version": 1, "root": str(self.root), "hub": "central", "logs": {},
                  "databases": {"users": {"replicas": replicas, "prefer": ["website", "central", "bot"], "tables": tables}}}
        path = top / "config.json"
        path.write_text(json.dumps(config))
        path.chmod(0o644)
        self.call = ["php", "-d", f"extension={extension}", str(SCRIPT), "bidirectional", "--line", "--config", str(path)]

    def sql(self, side, *texts):
        """One transaction for each."""
        db = sqlite3.connect(self.places[side], timeout=PATIENCE, isolation_level=None)
        for text in texts:
            db.execute(text)
        db.close()

    def run(self):
        """A whole run."""
        done = subprocess.run(self.call, text=True, timeout=PATIENCE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode not in (0, 1):
            raise AssertionError(f"exit code {done.returncode}: {done.stdout}")
        return done.stdout

    def killed(self, after):
        """A run that is killed after so many seconds; whether it came to its end before, and whether it was writing."""
        is_over = True
        with subprocess.Popen(self.call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            try:
                child.wait(after)
            except subprocess.TimeoutExpired:
                is_over = False
                child.kill()
        # What a kill has left half written there is taken back by whoever comes first, as the next run would.
        state = sqlite3.connect(self.root / "sync_state/state.db", timeout=PATIENCE)
        (left,) = state.execute("SELECT count(*) FROM intents").fetchone()
        state.close()
        return is_over, left > 0


def owners(world, number):
    """What happens between two runs."""
    world.sql("bot", "UPDATE users SET score = score + 1 WHERE name = 'counter'", f"INSERT INTO users(name) VALUES ('bot {number}')",
              f"UPDATE users SET email = '{number}' WHERE name = 'bob'")
    world.sql("website", f"INSERT INTO users(name) VALUES ('web {number}')",
              "UPDATE users SET score = score + 1 WHERE name = 'counter'")


def together(world, rounds):
    """What is wrong with each side at the end."""
    wanted = sorted([f"{who} {number}" for who in ("bot", "web") for number in range(rounds)] + ["bob", "counter"])
    wrong = []
    for side, path in world.places.items():
        db = sqlite3.connect(path)
        names = sorted(name for (name,) in db.execute("SELECT name FROM users"))
        (score,) = db.execute("SELECT score FROM users WHERE name = 'counter'").fetchone()
        db.close()
        lost = [name for name in wanted if name not in names]
        if names != wanted or score != 2 * rounds:
            wrong.append(f"{side}: lost {lost}, {len(names)} rows of {len(wanted)}, the counter is {score} of {2 * rounds}")
    return wrong


def main():
    """Kills, looks, and says in its last line what it did."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("extension", type=Path)
    words.add_argument("--midst", type=int, default=MIDST, help="kill so many runs while they write (default: %(default)s)")
    words.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = words.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="cr0sync-kills-") as top:
        world = World(Path(top), given.extension.resolve())
        world.sql("central", TABLE, "INSERT INTO users(name) VALUES ('bob'), ('counter')")
        world.run()
        world.sql("website", "PRAGMA journal_mode = WAL")
        # How long a run takes that has something to do.
        owners(world, 0)
        began = time.monotonic()
        world.run()
        length = time.monotonic() - began
        midst, rounds = 0, 1
        while midst < given.midst and rounds < ROUNDS:
            owners(world, rounds)
            is_over, is_writing = world.killed(chance.uniform(0.7, 1.1) * length)
            # A machine is busier at one time than at another.
            if not is_writing:
                length *= 0.96 if is_over else 1.04
            midst += is_writing
            rounds += 1
        said = [world.run() for _ in range(LAST)]
        wrong = together(world, rounds)
        if wrong:
            print("\n".join(wrong + said))
            print(f"kills: FAILED, seed {given.seed}")
            return 1
        if midst < given.midst:
            # So it is where nothing runs as long as the time before.
            print(f"skipped: only {midst} of {rounds} runs could be killed while they wrote")
            return 0
    print(f"kills: {rounds} rounds, {midst} runs killed while they wrote, nothing lost, nothing counted twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())
