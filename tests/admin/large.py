"""Ten thousand conflicts and a log of a gigabyte: the pages that show them need no more memory than any other.

php-fpm has `memory_limit=64M`; what the process holds besides is bounded too. Nothing is timed.
"""

import json
import os
import re
import shutil
import signal
import sqlite3
import time
from pathlib import Path

from common import expect
from servers import PASSWORD
from visitor import Visitor, said

CONFLICTS = 10_000
GIGABYTE = 1 << 30
LINE = b"2026-02-01 00:00:00 EST - bot.rizon - INFO - <nick> the quick brown fox jumps over the lazy dog\n"


class Large:
    def __init__(self, ground, servers, counts):
        self.ground, self.servers, self.counts = ground, servers, counts
        self.root = ground.directory / "large"
        self.config = self.root / "cr0sync.json"

    def lay_out(self):
        who, cron = self.ground.who, self.ground.who.cron
        for name in ("", "central", "website", "logs", "shared_storage"):
            (self.root / name).mkdir()
            who.give(self.root / name, cron, 0o2775)
        self.config.write_text(json.dumps({
            "version": 1, "root": ".",
            "databases": {"many": {"replicas": {side: f"{side}/many.db" for side in ("central", "website")}}},
            "logs": {"huge": {"copies": {side: f"{side}/huge.log" for side in ("central", "website")}}},
            "ownership": {"user": cron, "group": self.ground.group()},
        }))
        self.config.chmod(0o644)
        self.write("central", "CREATE TABLE notes(name INTEGER PRIMARY KEY, text TEXT)",
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
                   " INSERT INTO notes SELECT i, 'base' FROM n")
        who.give(self.root / "central/many.db", cron, 0o664)
        self.sync()
        for side in ("central", "website"):
            self.write(side, f"UPDATE notes SET text = '{side} ' || name || ' <b>' || hex(randomblob(100))")
        self.sync()
        self.size = GIGABYTE if shutil.disk_usage(self.root).free > 8 * GIGABYTE else GIGABYTE // 8
        block = LINE * ((4 << 20) // len(LINE))
        with open(self.root / "central/huge.log", "wb") as log:
            log.write(b"2026-01-31 00:00:00 EST - bot.rizon - INFO - the first line of all\n")
            while log.tell() < self.size:
                log.write(block)
            log.write(b"2026-02-02 00:00:00 EST - bot.rizon - INFO - the last line of all\n")
        who.give(self.root / "central/huge.log", cron, 0o664)
        self.counts["MB of one log"] = self.size >> 20

    def write(self, side, *statements):
        connection = sqlite3.connect(self.root / side / "many.db")
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def sync(self):
        code, out, err = self.ground.php.run(
            "sync", self.ground.scripts / "database_sync_script.php", "bidirectional", "--json", "--config", self.config)
        expect(code in (0, 1), f"the sync of ten thousand conflicts ended with {code}: {out[:2000]}{err}")

    def show(self):
        # What other parts have asked of them is not what is measured here.
        before = set(self.workers())
        for pid in before:
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 30
        while before & set(self.workers()):
            expect(time.monotonic() < until, "a process of PHP does not end")
            time.sleep(0.05)
        visitor = Visitor(self.servers.port, "large", "127.0.9.1").log_in(PASSWORD)
        first = visitor.get("conflicts")
        expect("10,000" in first.markup.text or "10000" in first.markup.text, f"it does not say how many: {said(first)}")
        last = visitor.get("conflicts", skip=CONFLICTS - 10)
        for page in (first, last, visitor.get("conflicts", skip=CONFLICTS * 2), visitor.get("overview"), visitor.get("history")):
            expect(len(page.body) < 2 << 20, f"a page of {len(page.body)} bytes")
        seen = set(self.ids(first)) | set(self.ids(last))
        expect(len(seen) > 11, f"the first and the last page show {seen}")
        self.counts["conflicts on record at once"] = CONFLICTS
        tail = visitor.get("logs", log="huge", copy="side:central")
        expect("the last line of all" in tail.markup.text, f"the end of the log is not shown: {said(tail)}")
        for query, found in (("the last line of all", True), ("the first line of all", True), ("nowhere to be found", False)):
            text, looks = self.search(visitor, query)
            expect((f"bot.rizon {query}" in text) == found, f"after {looks} looks for {query!r}: {text[:1500]}")
            self.counts["looks that searched all of it"] += looks
        worst = max(self.peaks())
        self.counts["MB the largest process of PHP had"] = worst >> 10
        # PHP's own memory is limited; what lies outside of it must be bounded as well.
        expect(worst < 400 << 10, f"a process of PHP had {worst >> 10} MB")

    @staticmethod
    def search(visitor, text):
        """Searches on until it is found or all was looked at, as one who presses the link does."""
        answer, looks, all_text = visitor.get("logs", log="huge", copy="side:central", q=text), 1, ""
        while True:
            expect(len(answer.body) < 4 << 20, f"a page of {len(answer.body)} bytes")
            all_text += answer.markup.text
            further = [link for link in answer.markup.links if "at=" in link and "q=" in link]
            if "That is all of it" in answer.markup.text or f"bot.rizon {text}" in answer.markup.text or not further:
                return all_text, looks
            answer, looks = visitor.follow(further[-1]), looks + 1
            expect(looks < 200, f"{text!r} is searched for without an end")

    @staticmethod
    def ids(page):
        return re.findall(r"page=conflicts&(?:amp;)?id=(\d+)", page.body)

    def workers(self):
        """The processes of php-fpm that answer requests."""
        for child in self.servers.children:
            for task in Path(f"/proc/{child.pid}/task").iterdir():
                for pid in (task / "children").read_text().split():
                    try:
                        if b"php-fpm" in Path(f"/proc/{pid}/cmdline").read_bytes():
                            yield int(pid)
                    except FileNotFoundError:
                        pass

    def peaks(self):
        """The most that each of them ever had of its own, in KB."""
        for pid in self.workers():
            status = Path(f"/proc/{pid}/status").read_text()
            yield int(status.split("VmHWM:")[1].split()[0])
        yield 0
