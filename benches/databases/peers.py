"""Who is measured on one-way cases, each with two files of its own: edits are made on `website`, and `central` should get them.

Only cr0sync, Unison and the comparison of file times could take edits of the other side as well; that is what `job` is about.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import data
from measure import Failed
from ours import Ours, wait_until_quiet

HERE = Path(__file__).resolve().parent


class Peer:
    """Two files, their owner, and how the one gets what the other has."""

    name = ""
    note = ""
    # Whether pages open the other side between two runs, as they do on the site. Where whole files are carried, that alone
    # would count as an edit there.
    is_visited = True
    # Whether it makes the other side as the edited one, rather than only saying how they differ.
    carries = True
    # Whether it goes by times of files, which an edit in the very second of the last run would escape.
    goes_by_time = False

    def __init__(self, bench, directory, base):
        self.tools, self.launcher, self.directory = bench.tools, bench.launcher, directory
        self.edited, self.other = directory / "website" / "data.db", directory / "central" / "data.db"
        for path in (self.edited, self.other):
            path.parent.mkdir(parents=True)
            shutil.copyfile(base, path)
        # Files that are of another second than what comes, so that comparing times is safe.
        for path in (self.edited, self.other):
            os.utime(path, (1_750_000_000, 1_750_000_000))
        self.owner = None

    @staticmethod
    def is_there(_tools):
        return True

    def open(self, rows):
        words = [sys.executable, "-B", HERE / "owner.py", self.edited, rows, *self.recording()]
        if self.recording():
            words[0] = self.tools.python
        self.owner = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answered("open")

    def recording(self):
        return []

    def answered(self, word):
        said = self.owner.stdout.readline().strip()
        if said != word:
            raise Failed(f"the owner of {self.edited} ended with {self.owner.wait()}")

    def edit(self, changes, seed):
        if self.goes_by_time:
            wait_until_quiet([self.edited])
        self.owner.stdin.write(f"{changes} {seed}\n")
        self.owner.stdin.flush()
        self.answered("done")

    def close(self):
        if self.owner is not None:
            self.owner.stdin.close()
            self.owner.wait()
            self.owner.stdout.close()
            self.owner = None

    def prepare(self):
        """What is done once, before anything is measured."""

    def rest(self):
        """What is done once, before runs that find nothing new."""

    def words(self):
        raise NotImplementedError

    def run(self):
        """Costs, and the milliseconds of the work alone where they are known."""
        cost, _ = self.launcher.run(self.words())
        return cost, None

    def lost(self, what):
        """How many edits are not on the other side, or words where it cannot be read."""
        if not self.carries:
            return None
        try:
            with closing(self.seen(self.edited)) as edited, closing(self.seen(self.other)) as other:
                return data.lost(edited, other, what)
        except sqlite3.DatabaseError as error:
            raise Failed(f"the file is broken: {error}") from error

    def differences(self):
        if not self.carries:
            return None
        try:
            with closing(self.seen(self.edited)) as edited, closing(self.seen(self.other)) as other:
                return data.differences(edited, other)
        except sqlite3.DatabaseError as error:
            raise Failed(f"the file is broken: {error}") from error

    def seen(self, path):
        if path == self.edited:
            # Its owner has it open; nothing of his is checkpointed by who looks.
            return sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        if self.is_visited:
            return sqlite3.connect(path)
        place = self.directory / "looked-at"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for file in path.parent.glob(f"{path.name}*"):
            if not file.name.endswith("-shm"):
                shutil.copyfile(file, place / file.name)
        return sqlite3.connect(place / path.name)


class closing:
    """As contextlib's, for connections: their own `with` is about transactions."""

    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        return self.connection

    def __exit__(self, *_):
        self.connection.close()


class Cr0sync(Peer):
    name = "cr0sync"
    every_minutes = 1440

    def __init__(self, bench, directory, base):
        super().__init__(bench, directory, base)
        self.ours = Ours(self.tools, self.launcher, directory, ("website", "central"), every_minutes=self.every_minutes)

    def prepare(self):
        self.ours.settle()

    def rest(self):
        self.ours.settle()

    def run(self):
        cost, report = self.ours.sync()
        return cost, report["duration_ms"]


class Cr0syncWithBackups(Cr0sync):
    name = "cr0sync, with a backup first"
    note = "a verified backup of the side before each run that writes; as shipped at most each 15 minutes"
    every_minutes = 0


class Sqldiff(Peer):
    name = "sqldiff | sqlite3"
    note = "finds the differences and applies them"

    @staticmethod
    def is_there(tools):
        return tools.sqldiff and tools.shell

    def words(self):
        # Without --transaction each row would be one of its own.
        return ["sh", "-c", '"$1" --transaction "$3" "$4" | "$2" -bail "$3"', "sh", self.tools.sqldiff, self.tools.shell,
                self.other, self.edited]


class SqldiffAlone(Peer):
    name = "sqldiff, nothing applied"
    note = "only prints SQL; after the first round it finds the edits of all rounds, as nobody applies them"
    carries = False

    @staticmethod
    def is_there(tools):
        return tools.sqldiff

    def words(self):
        return [self.tools.sqldiff, self.other, self.edited]


class SessionDiff(Peer):
    name = "session extension, diff + apply"
    note = "sqlite3session_diff of both files, then the changeset is applied"

    @staticmethod
    def is_there(tools):
        return tools.has_session

    def words(self):
        return [self.tools.python, "-B", HERE / "inside.py", "session-diff", self.edited, self.other, *data.TABLES]

    def run(self):
        cost, said = self.launcher.run(self.words())
        return cost, json.loads(said)["inside_ms"]


class SessionRecorded(SessionDiff):
    name = "session extension, recorded"
    note = "the owner's own program records its edits; only applying them is measured"

    def recording(self):
        return [self.directory / "changeset"]

    def prepare(self):
        (self.directory / "changeset").touch()

    def run(self):
        told = super().run()
        # What was applied is not applied again.
        (self.directory / "changeset").write_bytes(b"")
        return told

    def words(self):
        return [self.tools.python, "-B", HERE / "inside.py", "session-apply", self.directory / "changeset", self.other]


class Rsync(Peer):
    name = "sqlite3_rsync"
    note = "the other side becomes a copy, page by page"

    @staticmethod
    def is_there(tools):
        return tools.rsync

    def words(self):
        return [self.tools.rsync, self.edited, self.other]


class Unison(Peer):
    name = "unison"
    note = "whole files, with -wal and -shm, the newer one wins; the other side is not opened in between"
    is_visited = False
    goes_by_time = True

    @staticmethod
    def is_there(tools):
        return tools.unison

    def words(self):
        return ["env", f"UNISON={self.directory / 'unison'}", self.tools.unison, self.edited.parent, self.other.parent,
                "-batch", "-auto", "-silent", "-times", "-prefer", "newer", "-confirmbigdel=false", "-ui", "text"]

    def run(self):
        # 1 says that something was skipped; what was lost is counted.
        cost, _ = self.launcher.run(self.words(), good=(0, 1))
        return cost, None

    def prepare(self):
        self.run()


class Copy(Peer):
    name = "cp, when newer"
    note = "what the site does today; copies the database file only"
    is_visited = False
    goes_by_time = True

    def words(self):
        return ["sh", "-c", 'if [ "$1" -nt "$2" ]; then cp "$1" "$2"; fi', "sh", self.edited, self.other]


ALL = [Cr0sync, Cr0syncWithBackups, Sqldiff, SqldiffAlone, SessionDiff, SessionRecorded, Rsync, Unison, Copy]
