"""Who is measured on the two-way job. Each begins with both sides edited, and is judged by what both files hold afterwards.

cr0sync is the only one that is given what it remembers of before as it is used: files that it had synced, then were edited. The
others get the base as a file, which they would have to keep.
"""

import json
import os
import shutil
import sqlite3

import job
from measure import Failed
from ours import Ours
from peers import HERE, closing


class Merger:
    name = ""
    note = ""
    # What of the job is left out, see `job.py`.
    without = frozenset()

    def __init__(self, bench, rows):
        self.tools, self.launcher, self.scratch, self.rows = bench.tools, bench.launcher, bench.scratch, rows
        self.place = None

    @staticmethod
    def is_there(_tools):
        return True

    def begin(self, place, files):
        """Files of its own for a round: base and both sides."""
        self.place = place
        self.base, self.sides = place / "base.db", [place / side / "data.db" for side in job.SIDES]
        place.mkdir(parents=True)
        shutil.copyfile(files["base"], self.base)
        for side, path in zip(job.SIDES, self.sides):
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(files[side], path)

    def run(self):
        """Costs, milliseconds of the work alone, and what was reported: None for those who report nothing."""
        raise NotImplementedError

    def inside(self, *words):
        cost, said = self.launcher.run([self.tools.python, "-B", HERE / "inside.py", *words])
        told = json.loads(said.strip().splitlines()[-1])
        return cost, told

    def judged(self, reported):
        try:
            with closing(sqlite3.connect(self.sides[0])) as left, closing(sqlite3.connect(self.sides[1])) as right:
                return job.judge([left, right], reported, self.rows, self.without)
        except sqlite3.DatabaseError as error:
            raise Failed(f"a file is broken: {error}") from error


class Cr0sync(Merger):
    name = "cr0sync"

    def begin(self, place, files):
        self.place = place
        self.ours = Ours(self.tools, self.launcher, place, job.SIDES)
        self.sides = [self.ours.replicas["data"][side] for side in job.SIDES]
        for path in self.sides:
            shutil.copyfile(files["base"], path)
        self.ours.sync()
        for side, path in zip(job.SIDES, self.sides):
            with closing(sqlite3.connect(path, isolation_level=None)) as db:
                job.edit(db, side, self.rows)

    def run(self):
        # 1 says that there are conflicts.
        cost, report = self.ours.sync(good=(1,))
        _, said = self.launcher.run(self.ours.words("conflicts", "--json"))
        told = json.loads(said)
        if told["total"] != len(told["conflicts"]) or told["total"] != report["conflicts"]:
            raise Failed(f"cr0sync counted {report['conflicts']} conflicts and lists {len(told['conflicts'])}")
        return cost, report["duration_ms"], [[one["table"], *one["key"].values()] for one in told["conflicts"]]


class Session(Merger):
    name = "session extension, 3-way"
    note = "both differences to the base, each applied to the other side; the first side wins"

    @staticmethod
    def is_there(tools):
        return tools.has_session

    def run(self):
        cost, told = self.inside("session-merge", self.base, *self.sides, *job.KEYED, "score")
        return cost, told["inside_ms"], told["reported"]


class Geodiff(Merger):
    name = "geodiff"
    note = "rebase of the one side on the other, then the other follows"

    @staticmethod
    def is_there(tools):
        return tools.has_geodiff

    def run(self):
        cost, told = self.inside("geodiff", self.base, *self.sides, *(self.without & {"kv"}))
        return cost, told["inside_ms"], told["reported"]


class GeodiffReduced(Geodiff):
    name = "geodiff, reduced"
    note = "without the table whose key is of two columns, and the 20 nicks that both sides give to somebody"
    without = frozenset({"kv", "taken"})


class Doltlite(Merger):
    name = "doltlite"
    note = "merge of two branches in its own kind of file; getting the rows there and back is not measured"

    @staticmethod
    def is_there(tools):
        return tools.has_doltlite

    def begin(self, place, files):
        self.place = place
        place.mkdir(parents=True)
        self.sides = [place / "merged.db"] * 2
        # The same in each round, so it is made once.
        made = self.scratch / "-".join(["doltlite", str(self.rows), *self.without])
        if not made.exists():
            made.mkdir()
            self.inside("doltlite-load", made / "repository.db", self.rows, *self.without)
        for file in made.iterdir():
            copy = shutil.copytree if file.is_dir() else shutil.copyfile
            copy(file, place / file.name)

    def run(self):
        cost, told = self.inside("doltlite", self.place / "repository.db", *job.SIDES)
        if told.get("refused"):
            raise Failed(f"doltlite refuses to merge: {told['refused']}")
        lines = self.place / "rows.jsonl"
        self.inside("doltlite-export", self.place / "repository.db", lines)
        with closing(sqlite3.connect(self.sides[0])) as db:
            db.executescript(job.SCHEMA)
            with open(lines, encoding="utf-8") as file:
                for line in file:
                    table, *row = json.loads(line)
                    # What it holds is taken as it is, also where it breaks a constraint.
                    db.execute(f"INSERT OR IGNORE INTO {table} VALUES({', '.join('?' * len(row))})", row)
            db.commit()
        return cost, told["inside_ms"], told["reported"]


class DoltliteReduced(Doltlite):
    name = "doltlite, no nick twice"
    note = "without the 20 nicks that both sides give to somebody"
    without = frozenset({"taken"})


class Newest(Merger):
    name = "cp, the newer file"
    note = "what the site does today"

    def begin(self, place, files):
        super().begin(place, files)
        # Which side wrote last is chance; here it is the second one.
        for number, path in enumerate(self.sides):
            os.utime(path, (1_750_000_000 + number * 60,) * 2)

    def run(self):
        cost, _ = self.launcher.run(
            ["sh", "-c", 'if [ "$1" -nt "$2" ]; then cp "$1" "$2"; elif [ "$2" -nt "$1" ]; then cp "$2" "$1"; fi', "sh",
             *self.sides])
        return cost, None, None


class Unison(Newest):
    name = "unison, the newer file"
    note = "knows that both sides were edited, and is told to take the newer one"

    @staticmethod
    def is_there(tools):
        return tools.unison

    def begin(self, place, files):
        super().begin(place, files)
        edited = [path.with_name("edited") for path in self.sides]
        for number, path in enumerate(self.sides):
            # Both as they were, so that it gets to know them; then as they were edited.
            path.rename(edited[number])
            shutil.copyfile(self.base, path)
            os.utime(path, (1_700_000_000,) * 2)
            edited[number].rename(place / f"edited-{number}")
        self.launcher.run(self.words())
        for number, path in enumerate(self.sides):
            (place / f"edited-{number}").rename(path)

    def words(self):
        return ["env", f"UNISON={self.place / 'unison'}", self.tools.unison, self.sides[0].parent, self.sides[1].parent,
                "-batch", "-auto", "-silent", "-times", "-prefer", "newer", "-confirmbigdel=false", "-ui", "text"]

    def run(self):
        cost, _ = self.launcher.run(self.words(), good=(0, 1))
        return cost, None, None


class Rsync(Merger):
    name = "sqlite3_rsync"
    note = "the one side becomes a copy of the other one"

    @staticmethod
    def is_there(tools):
        return tools.rsync

    def run(self):
        cost, _ = self.launcher.run([self.tools.rsync, self.sides[1], self.sides[0]])
        return cost, None, None


ALL = [Cr0sync, Session, Geodiff, GeodiffReduced, Doltlite, DoltliteReduced, Newest, Unison, Rsync]
