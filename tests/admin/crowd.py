"""Fifty at once: they log in from addresses of their own, read, and ask for things, while cron runs and owners write.

Nobody gets a 5xx, no request is lost, and all sides are equal at the end.
"""

import concurrent.futures
import threading
import time

from common import PAGES, Failure, expect
from servers import PASSWORD
from visitor import Visitor, said

USERS = 50


class Crowd:
    def __init__(self, ground, servers, counts):
        self.ground, self.servers, self.counts = ground, servers, counts
        self.lock = threading.Lock()

    def show(self, seconds):
        for n in range(USERS // 2):
            self.ground.sql("bot", "rizon_bot", ("INSERT INTO notes VALUES(?, 'base')", f"crowd{n}"))
        self.ground.cron()
        for n in range(USERS // 2):
            self.ground.sql("bot", "rizon_bot", ("UPDATE notes SET text = 'bot' WHERE name = ?", f"crowd{n}"))
            self.ground.sql("website", "rizon_bot", ("UPDATE notes SET text = 'website' WHERE name = ?", f"crowd{n}"))
        self.ground.cron()
        mine = [one for one in self.ground.conflicts() if str(one["key"].get("name", "")).startswith("crowd")]
        expect(len(mine) == USERS // 2, f"{len(mine)} conflicts for the crowd")
        known = {request["id"] for request in self.ground.requests()}
        self.end, stop, failed = time.monotonic() + seconds, threading.Event(), []
        helpers = [threading.Thread(target=self.guarded, args=(work, stop, failed)) for work in (self.minutes, self.owner)]
        for helper in helpers:
            helper.start()
        try:
            with concurrent.futures.ThreadPoolExecutor(USERS) as pool:
                asked = list(pool.map(lambda n: self.use(n, mine), range(USERS)))
        finally:
            stop.set()
            for helper in helpers:
                helper.join()
        if failed:
            raise Failure(str(failed[0]))
        self.ground.cron()
        self.ground.cron()
        self.reckon(mine, asked, known)

    def guarded(self, work, stop, failed):
        try:
            while not stop.is_set():
                work()
        except Exception as error:  # what ended it is told by the one who waits
            failed.append(error)

    def minutes(self):
        self.ground.cron()
        self.count("runs of cron meanwhile")

    def owner(self):
        with self.lock:
            n = self.counts["rows written meanwhile"]
        write = "INSERT INTO user_scores(user, game_type, score) VALUES(?, 'crowd', 1)"
        self.ground.sql("website", "rizon_bot", (write, f"u{n}"))
        self.count("rows written meanwhile")
        time.sleep(0.02)

    def count(self, what, amount=1):
        with self.lock:
            self.counts[what] += amount

    def use(self, n, mine):
        """One of them; returns how much he was told is asked for by him, and not by somebody before."""
        visitor = Visitor(self.servers.port, "password", f"127.1.{n // 8}.{n % 8 + 1}").log_in(PASSWORD)
        asked = filed = 0
        if n < len(mine):
            page = visitor.get("conflicts", id=mine[n]["id"])
            form = page.form(action="resolve", take="website", conflict=mine[n]["id"])
            filed += self.told(visitor.act(form, take="website"))
            asked += 1
        while time.monotonic() < self.end:
            visitor.get(PAGES[(n + asked) % len(PAGES)])
            self.count("pages read by the crowd")
            if n >= len(mine) and asked < 3:
                # Not backups, whose names are by the second.
                form = visitor.get("backups").form(action=["verify", "clean-backups"][asked % 2])
                filed += self.told(visitor.act(form))
                asked += 1
        return filed

    def told(self, answer):
        expect("is asked for" in answer.markup.text, f"not told that it is asked for: {said(answer)}")
        self.count("requests of the crowd")
        return "is asked for already" not in answer.markup.text

    def reckon(self, mine, asked, known):
        for what in ("runs of cron meanwhile", "pages read by the crowd", "rows written meanwhile"):
            expect(self.counts[what] > 0, f"no {what}: nothing was tried")
        requests = [one for one in self.ground.requests() if one["id"] not in known]
        expect(len(requests) == sum(asked), f"{sum(asked)} were asked for, {len(requests)} are on record")
        late = [one for one in requests if one["state"] != "done"]
        expect(not late, f"not done: {late[:3]}")
        for n in range(len(mine)):
            rows = self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = ?", f"crowd{n}")
            expect(rows == [("website",)], f"crowd{n} is {rows}")
        rows = self.ground.everywhere("rizon_bot", "SELECT count(*) FROM user_scores WHERE game_type = 'crowd'")
        written = self.counts["rows written meanwhile"]
        expect(rows == [(written,)], f"{written} rows were written, there are {rows}")
        for table in ("notes", "links", "user_scores"):
            self.ground.everywhere("rizon_bot", f"SELECT * FROM {table} ORDER BY 1")
        states = {one["id"]: one["status"] for one in self.ground.conflicts()}
        expect(all(states[one["id"]] == "resolved" for one in mine), f"{states}")
        events = self.ground.events("ADMIN_REQUESTED")
        expect(len(events) >= sum(asked), f"{len(events)} events of {sum(asked)} requests")
