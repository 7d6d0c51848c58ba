"""The soak: owners write on all sides while our sync runs in a loop and is killed; every acknowledged write is accounted for.

Real processes: two Python bots (`bot.py`), the pages of a website through PDO (`website.php`), an administrator on the
hub, the real command. The sync is ended by SIGKILL at random moments, the owners now and then, and started again. Each
writer keeps a ledger of what it began to commit and of what COMMIT acknowledged. At the end the ledgers say what every
side must hold. What the sync says it did is not believed: it could be wrong in the same way.

CR0SYNC_SOAK_SECONDS says how long they write (45 unless given), CR0SYNC_SOAK_SEED repeats the choices of a run (not its
timing). The last line is `soak: ok, ...` with what was done; a failure tells the seed and the differences, and keeps the
playground.
"""

import argparse
import collections
import grp
import json
import os
import pwd
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent

SIDES = ["bot", "central", "website"]
DATABASES = ["rizon_bot", "libera_bot"]
MODES = ["delete", "wal", "truncate"]
# How long a writer waits between two transactions, on average.
PAUSE_MS = {"bot": 25, "website": 40, "central": 400}

SCHEMA = """
    CREATE TABLE log(who TEXT, n INTEGER);
    CREATE TABLE events(id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT NOT NULL UNIQUE, who TEXT);
    CREATE TABLE replies(id INTEGER PRIMARY KEY AUTOINCREMENT, event INTEGER NOT NULL REFERENCES events(id), body TEXT);
    CREATE TABLE scores(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL UNIQUE, score INTEGER, games INTEGER);
    CREATE TABLE counters(name TEXT PRIMARY KEY, hits INTEGER NOT NULL);
    CREATE TABLE state(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
    CREATE TABLE shared(name TEXT PRIMARY KEY, bot INTEGER, central INTEGER, website INTEGER);
    CREATE TABLE notes(name TEXT PRIMARY KEY, body TEXT);
    CREATE TABLE contested(name TEXT PRIMARY KEY, value TEXT);
    INSERT INTO scores(user, score, games) VALUES('user0', 0, 0), ('user1', 0, 0), ('user2', 0, 0);
    INSERT INTO counters VALUES('page0', 0), ('page1', 0), ('page2', 0), ('page3', 0);
    INSERT INTO shared VALUES('all', 0, 0, 0);
    INSERT INTO contested VALUES('topic0', 'start'), ('topic1', 'start');
    INSERT INTO state VALUES('bot0', 0), ('bot1', 0), ('bot2', 0), ('central0', 0), ('central1', 0), ('central2', 0),
        ('website0', 0), ('website1', 0), ('website2', 0);
"""
TABLES = ["log", "events", "replies", "scores", "counters", "state", "shared", "notes", "contested"]


class Failure(Exception):
    """Something that must not be."""


def main():
    options = argparse.ArgumentParser(description="Lets owners write while a sync that is killed again and again runs.")
    options.add_argument("--seconds", type=float, default=float(os.environ.get("CR0SYNC_SOAK_SECONDS", "45")))
    options.add_argument("--seed", type=int,
                         default=int(os.environ.get("CR0SYNC_SOAK_SEED") or random.SystemRandom().randrange(1 << 30)))
    options.add_argument("--extension", type=Path, default=PROJECT / "build" / "cr0sync.so")
    given = options.parse_args()
    os.umask(0o002)
    directory = Path(tempfile.mkdtemp(prefix="cr0sync-soak-"))
    soak = Soak(directory, given.extension.resolve(), given.seed)
    try:
        soak.run(given.seconds)
    except Failure as failure:
        print(f"soak: FAILED, seed {given.seed}, playground {directory}\n{failure}", flush=True)
        print(f"  until then: {soak.figures()}", flush=True)
        sys.exit(1)
    finally:
        soak.end()
    shutil.rmtree(directory)
    print(f"soak: ok, {soak.figures()}, seed {given.seed}", flush=True)


class Owner:
    """A program that owns one file, and is started again when it was killed."""

    def __init__(self, soak, side, database):
        self.soak, self.side, self.database = soak, side, database
        self.ledger = soak.directory / "ledgers" / f"{database}.{side}.jsonl"
        self.ledger.touch()
        self.errors = soak.directory / "ledgers" / f"{database}.{side}.stderr"
        self.process = None

    def start(self):
        program = ["php", str(HERE / "website.php")] if self.side == "website" else ["python3", "-B", str(HERE / "bot.py")]
        mode = self.soak.modes[self.side, self.database]
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(
                [*program, str(self.soak.replica(self.side, self.database)), self.side, mode, str(self.ledger),
                 str(self.soak.stop), str(self.soak.chance.randrange(1 << 30)), str(PAUSE_MS[self.side])],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def wait(self):
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            code = "no end"
        if code != 0:
            raise Failure(f"the owner of {self.side}/{self.database} ended with {code}: {self.errors.read_text()}")


class Soak:
    def __init__(self, directory, extension, seed):
        self.directory, self.extension = directory, extension
        self.chance = random.Random(seed)
        self.config, self.stop = directory / "cr0sync.json", directory / "stop"
        self.counts = collections.Counter()
        self.sync_process = None
        # Every journal mode is somewhere in each database.
        self.modes = {(side, database): mode for database in DATABASES
                      for side, mode in zip(SIDES, self.chance.sample(MODES, len(MODES)))}
        self.owners = []

    def replica(self, side, database):
        return self.directory / side / f"{database}.db"

    def figures(self):
        return ", ".join(f"{amount} {what}" for what, amount in sorted(self.counts.items()))

    def end(self):
        for owner in self.owners:
            owner.kill()
        if self.sync_process and self.sync_process.poll() is None:
            self.sync_process.kill()
            self.sync_process.wait()

    # The story.

    def run(self, seconds):
        self.lay_out()
        if self.sync() is None:
            raise Failure("the first sync had no end")
        for owner in self.owners:
            owner.start()
        self.work(time.monotonic() + seconds)
        self.stop.touch()
        for owner in self.owners:
            owner.wait()
        # Twice: what the first of them finds of a killed run, the second must find finished.
        for _ in range(2):
            self.sync()
        self.check()

    def lay_out(self):
        for name in (*SIDES, "ledgers"):
            (self.directory / name).mkdir()
        self.config.write_text(json.dumps({
            "version": 1,
            "root": ".",
            "databases": {database: {
                "replicas": {side: f"{side}/{database}.db" for side in SIDES},
                "prefer": ["website", "central", "bot"],
                "tables": {
                    "scores": {"identity": ["user"], "columns": {"score": "sum", "games": "sum"}},
                    "counters": {"columns": {"hits": "sum"}},
                },
            } for database in DATABASES},
            "ownership": {"user": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name},
        }, indent=2), encoding="utf-8")
        for side in SIDES:
            for database in DATABASES:
                db = sqlite3.connect(self.replica(side, database), isolation_level=None)
                db.execute(f"PRAGMA journal_mode = {self.modes[side, database]}")
                db.executescript(SCHEMA)
                db.close()
        self.owners = [Owner(self, side, database) for side in SIDES for database in DATABASES]

    def work(self, end):
        usual = 0.5
        while (left := end - time.monotonic()) > 0:
            if self.chance.random() < 0.12:
                owner = self.chance.choice(self.owners)
                owner.kill()
                self.counts["kills of an owner"] += 1
                if self.chance.random() < 0.5:
                    # A run while it is away: its journal or log lies there as the kill left it.
                    self.sync()
                owner.start()
            for owner in self.owners:
                if owner.process.poll() is not None:
                    raise Failure(f"the owner of {owner.side}/{owner.database} ended: {owner.errors.read_text()}")
            if self.chance.random() < 0.6:
                self.sync(kill_after=self.chance.uniform(0, usual))
            elif self.chance.random() < 0.05:
                self.verify()
            else:
                began = time.monotonic()
                self.sync()
                usual = 0.7 * usual + 0.3 * (time.monotonic() - began)
            time.sleep(min(max(left, 0), self.chance.uniform(0, 0.4)))

    # The command.

    def start(self, *arguments):
        return subprocess.Popen(
            ["php", "-d", f"extension={self.extension}", str(PROJECT / "php/website/database_sync_script.php"),
             *arguments, "--config", str(self.config), "--json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def sync(self, kill_after=None):
        self.sync_process = process = self.start("bidirectional")
        try:
            out, err = process.communicate(timeout=120 if kill_after is None else kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            if kill_after is None:
                raise Failure("a sync took more than two minutes") from None
            self.counts["killed runs"] += 1
            return None
        # 69: each database was skipped, because its owners wrote faster than it could be merged. They may, for a while.
        if process.returncode not in ((0, 1) if self.stop.exists() else (0, 1, 69)):
            raise Failure(f"a sync ended with {process.returncode}:\n{out}{err}")
        self.counts["finished runs"] += 1
        report = json.loads(out)
        for name, database in report["databases"].items():
            if database["state"] not in ("unchanged", "synced", "skipped"):
                raise Failure(f"{name} is {database['state']}: {json.dumps(database, indent=2)}")
            if database["state"] == "skipped" or database["reason"]:
                if self.stop.exists():
                    raise Failure(f"{name} is skipped when all is quiet: {json.dumps(database, indent=2)}")
                self.counts["times a database or side was skipped"] += 1
        return report

    def verify(self):
        self.sync_process = process = self.start("verify")
        out, err = process.communicate(timeout=120)
        if process.returncode != 0 or not json.loads(out)["ok"]:
            raise Failure(f"verify ended with {process.returncode}:\n{out}{err}")
        self.counts["verifications"] += 1
        return json.loads(out)

    # The reckoning.

    def check(self):
        wrong = []
        process = self.start("conflicts")
        out, _ = process.communicate(timeout=60)
        conflicts = json.loads(out)["conflicts"]
        for database in DATABASES:
            wrong += self.check_conflicts([one for one in conflicts if one["database"] == database])
            uncertain = [one for one in conflicts if one["database"] == database and one["kind"] == "uncertain"]
            contents = {side: self.content(side, database) for side in SIDES}
            for side in SIDES:
                for table in TABLES:
                    if contents[side][table] != contents["central"][table]:
                        here, hub = (collections.Counter(contents[one][table]) for one in (side, "central"))
                        wrong.append(f"{database}.{table}: only at {side} {list(here - hub)[:5]}, "
                                     f"only at central {list(hub - here)[:5]}")
            want = self.wanted(database, contents["central"], wrong)
            # All sides were compared: what holds for the hub holds for each, and what does not was said above.
            for table, rows in self.found(contents["central"]).items():
                for key in sorted(rows.keys() | want[table].keys(), key=repr):
                    if (have := rows.get(key)) == (must := want[table].get(key)):
                        continue
                    if table == "contested" and have in must:
                        continue
                    if any(one["table"] == table and self.is_about(one, key) for one in uncertain):
                        self.counts["exempt differences"] += 1
                        continue
                    wrong.append(f"{database}.{table} {key}: holds {have}, but the ledgers say {must}")
        for side in SIDES:
            for database in DATABASES:
                sound = self.rows(side, database, "PRAGMA quick_check") + self.rows(side, database, "PRAGMA foreign_key_check")
                if sound != [("ok",)]:
                    wrong.append(f"{side}/{database} is damaged: {sound}")
                mode = self.rows(side, database, "PRAGMA journal_mode")[0][0]
                if (mode == "wal") != (self.modes[side, database] == "wal"):
                    wrong.append(f"{side}/{database} is in mode {mode}, was {self.modes[side, database]}")
        try:
            self.verify()
        except Failure as failure:
            wrong.append(str(failure))
        if wrong:
            raise Failure("\n".join(f"  {line}" for line in wrong[:40]) + f"\n  {len(wrong)} differences")

    def check_conflicts(self, conflicts):
        wrong = []
        for one in conflicts:
            if one["kind"] == "uncertain":
                self.counts["uncertain conflicts"] += 1
                print(f"soak: uncertain: {json.dumps(one)}", flush=True)
            elif (one["table"], one["kind"]) == ("contested", "update_update"):
                self.counts["conflicts"] += 1
            else:
                wrong.append(f"a conflict where one side wrote: {json.dumps(one)}")
        return wrong

    @staticmethod
    def is_about(conflict, key):
        """Whether a conflict shows the row of this key, by any of its images: ids differ from side to side."""
        names = set(map(repr, conflict["columns"]))
        for image in (conflict["key"], conflict["base"], *conflict["values"].values()):
            names |= set(map(repr, (image or {}).values()))
        return repr(key[-1]) in names and (conflict["table"] != "log" or repr(key[0]) in names)

    def content(self, side, database):
        return {table: sorted(self.rows(side, database, f"SELECT * FROM {table}"), key=repr) for table in TABLES}

    def found(self, content):
        """What a database holds, as key and value; rows that may be there more than once are counted."""
        event = {row[0]: row[1] for row in content["events"]}
        return {
            "log": collections.Counter((row[0], row[1]) for row in content["log"]),
            "events": collections.Counter((row[1],) for row in content["events"]),
            "replies": collections.Counter((event.get(row[1]), row[2]) for row in content["replies"]),
            "scores": {(row[1],): row[2:] for row in content["scores"]},
            "counters": {(row[0],): row[1] for row in content["counters"]},
            "state": {(row[0],): row[1] for row in content["state"]},
            "shared": {("bot",): content["shared"][0][1], ("central",): content["shared"][0][2],
                       ("website",): content["shared"][0][3]},
            "notes": {(row[0],): row[1] for row in content["notes"]},
            "contested": {(row[0],): row[1] for row in content["contested"]},
        }

    def wanted(self, database, content, wrong):
        """The same, from the ledgers."""
        there = {(row[0], row[1]) for row in content["log"]}
        want = {table: {} for table in TABLES}
        want["scores"] = {(f"user{number}",): (0, 0) for number in range(3)}
        want["counters"] = {(f"page{number}",): 0 for number in range(4)}
        want["contested"] = {(f"topic{number}",): {"start"} for number in range(2)}
        for side in SIDES:
            want["shared"][side,] = 0
            want["state"].update({(f"{side}{number}",): 0 for number in range(3)})
            for n, did in self.committed(side, database, there):
                self.apply(want, side, n, did)
        if not want["events"]:
            wrong.append(f"nobody wrote to {database}")
        return want

    def committed(self, side, database, there):
        """The transactions of one owner that count, in their order."""
        ledger = self.directory / "ledgers" / f"{database}.{side}.jsonl"
        began, ended = {}, {}
        for line in ledger.read_text(encoding="utf-8").splitlines():
            line = json.loads(line)
            if "did" in line:
                began[line["n"]] = line["did"]
            else:
                ended[line["n"]] = line["done"]
        for n, did in began.items():
            if ended.get(n) is False:
                self.counts["refused transactions"] += 1
            elif ended.get(n):
                self.counts["acknowledged transactions"] += 1
                yield n, did
            else:
                # The kill fell upon COMMIT. All of it is there or nothing, and its row in the log tells which.
                self.counts["cut transactions"] += 1
                if (side, n) in there:
                    yield n, did

    @staticmethod
    def apply(want, side, n, did):
        want["log"][side, n] = 1
        for what, name, *values in did:
            if what == "event":
                want["events"][name,] = 1
                want["replies"][name, f"reply to {name}"] = 1
            elif what == "score":
                score, games = want["scores"][name,]
                want["scores"][name,] = (score + values[0], games + 1)
            elif what == "count":
                want["counters"][name,] += values[0]
            elif what == "state":
                want["state"][name,] = want["shared"][side,] = n
            elif what == "note":
                want["notes"][name,] = values[0]
            elif what == "forget":
                want["notes"].pop((name,), None)
            elif what == "contest":
                want["contested"][name,].add(values[0])

    def rows(self, side, database, sql):
        db = sqlite3.connect(self.replica(side, database), timeout=10, isolation_level=None)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()


if __name__ == "__main__":
    main()
