"""What an administrator asks of cron in the pages, from the form to what comes of it on all sides.

It is pending until cron runs and done after, and it is on record who asked for it.
"""

import urllib.parse

from common import PAGES, expect
from ground import HASH
from servers import PASSWORD
from visitor import Visitor, said


class Asked:
    def __init__(self, ground, servers, counts):
        self.ground, self.servers, self.counts = ground, servers, counts
        self.visitor = None

    def show(self):
        self.visitor = Visitor(self.servers.port, "password", "127.0.6.1").log_in(PASSWORD)
        self.resolving()
        self.acknowledging()
        self.secrets()
        self.restoring()
        self.undoing()
        self.asking()
        self.forcing()
        self.taking()
        self.second_way_in()

    def asked(self, answer, action, page, *, after="done", **query):
        """It is pending, and on record with who it was; cron does it; then it is done."""
        expect("is asked for" in answer.markup.text, f"{action}: not told that it is asked for: {said(answer)}")
        [request] = [one for one in self.ground.requests() if one["state"] == "pending"]
        expect(request["action"] == action and request["by"] == "admin page: admin", f"asked for is {request}")
        event = self.ground.events("ADMIN_REQUESTED")[0]
        expect(event["details"]["user"] == "admin" and event["details"]["action"] == action and event["ip"] == "127.0.6.1",
               f"on record is {event}")
        pending = self.visitor.get(page, **query).markup.text
        expect("pending" in pending, f"{action} is not shown as pending: {pending[:1500]}")
        self.ground.cron()
        request = next(one for one in self.ground.requests() if one["id"] == request["id"])
        expect(request["state"] == "done", f"{action} ended as {request}")
        done = self.visitor.get(page, **query).markup.text
        expect("pending" not in done and after in done, f"{action} is not shown as done: {done[:1500]}")
        self.counts["requests asked for and done"] += 1
        return request

    def resolving(self):
        conflict = self.ground.conflict("weather", "rain", "<b>snow</b>")
        rows = self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'weather'")
        expect(rows == [("rain",)], f"before it is resolved the sides have {rows}")
        listed = self.visitor.get("conflicts")
        expect("weather" in listed.markup.text, f"the conflict is not listed: {said(listed)}")
        form = self.visitor.reach("conflicts", "resolve", {"conflict": conflict["id"], "take": "website"})
        self.asked(self.visitor.act(form, take="website"), "resolve", "conflicts", after="resolved", id=conflict["id"])
        rows = self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'weather'")
        expect(rows == [("<b>snow</b>",)], f"after it was resolved the sides have {rows}")
        state = next(one for one in self.ground.conflicts() if one["id"] == conflict["id"])
        expect(state["status"] == "resolved", f"the conflict is {state}")

    def acknowledging(self):
        conflict = self.ground.conflict("topic", "dogs", "birds")
        form = self.visitor.get("conflicts").form(**{"action": "acknowledge", "chosen[]": conflict["id"]})
        nothing = self.visitor.act(form)
        expect("Choose" in nothing.markup.text, f"nobody was chosen, and it is not said: {said(nothing)}")
        answer = self.visitor.act(form, **{"chosen[]": conflict["id"]})
        self.asked(answer, "acknowledge", "conflicts", after="acknowledged", id=conflict["id"])
        state = next(one for one in self.ground.conflicts() if one["id"] == conflict["id"])
        expect(state["status"] == "acknowledged", f"the conflict is {state}")

    def secrets(self):
        """A conflict of password hashes shows that they differ, and not what they are."""
        for side, mail in (("central", "c"), ("website", "w")):
            change = "UPDATE users SET password_hash = ?, email = ? WHERE username = 'ann'"
            self.ground.sql(side, "users", (change, HASH + mail, mail))
        self.ground.cron()
        [conflict] = [one for one in self.ground.conflicts() if one["database"] == "users" and one["status"] == "open"][:1]
        for page in [self.visitor.get("conflicts", id=conflict["id"]), *map(self.visitor.get, PAGES)]:
            expect(HASH not in page.body, f"a page shows a password hash: {said(page)}")

    def restoring(self):
        backups = self.ground.php.call("cr0_db_backups", self.ground.places)["backups"]
        backup = [one for one in backups if one["database"] == "rizon_bot" and one["side"] == "central"][-1]
        self.ground.sql("bot", "rizon_bot", ("DELETE FROM notes WHERE name = 'rules'",))
        self.ground.cron()
        gone = self.ground.everywhere("rizon_bot", "SELECT * FROM notes WHERE name = 'rules'")
        expect(gone == [], f"it is not gone: {gone}")
        before = len(self.ground.requests())
        form = self.visitor.reach("backups", "restore", {"backup": backup["id"]}, restore=backup["id"])
        expect(len(self.ground.requests()) == before, "looking at what a restore does asks for it")
        answer = self.visitor.act(form)
        self.twice(form)
        self.asked(answer, "restore", "backups")
        self.ground.cron()
        rows = self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'rules'")
        expect(rows == [("none",)], f"after the restore the sides have {rows}")

    def undoing(self):
        self.ground.sql("bot", "rizon_bot", ("INSERT INTO notes VALUES('mistake', 'oops')",))
        self.ground.cron()
        run = self.ground.runs()[0]["run"]
        self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'mistake'")
        before = len(self.ground.requests())
        form = self.visitor.reach("history", "undo", {"run": run}, undo=run)
        expect(len(self.ground.requests()) == before, "looking at what taking back does asks for it")
        self.asked(self.visitor.act(form), "undo", "history")
        self.ground.cron()
        rows = self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'mistake'")
        expect(rows == [], f"after the run was taken back the sides have {rows}")

    def twice(self, form):
        """What waits is not asked for again."""
        before = len(self.ground.requests())
        again = self.visitor.act(form)
        expect("is asked for already" in again.markup.text and len(self.ground.requests()) == before,
               f"what waits is asked for again: {said(again)}")

    def asking(self):
        for action in ("backup", "verify", "clean-backups"):
            answer = self.visitor.get("backups")
            told = self.visitor.act(answer.form(action=action))
            self.twice(answer.form(action=action))
            self.asked(told, action, "backups")

    def forcing(self):
        """What a guard stopped goes on when a person says so."""
        self.ground.sql("bot", "rizon_bot", ("DELETE FROM user_scores",))
        self.ground.cron()
        kept = self.ground.rows("central", "rizon_bot", "SELECT count(*) FROM user_scores")
        expect(kept == [(140,)], f"no guard stopped a deletion of all: {kept}")
        overview = self.visitor.get("overview")
        expect("held" in overview.markup.text, f"the overview does not say that it is held: {said(overview)}")
        before = len(self.ground.requests())
        form = self.visitor.reach("overview", "force", {"database": "rizon_bot"}, ask="force", database="rizon_bot")
        expect(len(self.ground.requests()) == before, "looking at what force does asks for it")
        self.asked(self.visitor.act(form), "force", "overview")
        left = self.ground.everywhere("rizon_bot", "SELECT count(*) FROM user_scores")
        expect(left == [(0,)], f"after the force the sides have {left}")

    def taking(self):
        """One side is taken as it is, also what the hub alone has."""
        self.ground.sql("central", "users", ("INSERT INTO users(username) VALUES('only at the hub')",))
        form = self.visitor.reach("overview", "sync-from", {"database": "users", "side": "website"},
                     ask="sync-from", database="users", side="website")
        self.asked(self.visitor.act(form), "sync-from", "overview")
        self.ground.cron()
        rows = self.ground.everywhere("users", "SELECT username FROM users")
        expect(rows == [("ann",)], f"after it was taken from the website the sides have {rows}")

    def second_way_in(self):
        """Whoever comes by the website's login does the same, under his own name."""
        visitor = Visitor(self.servers.port, "host", "127.0.6.2")
        visitor.send("GET", "/login.php?as=admin&name=" + urllib.parse.quote("carol <b>"))
        answer = visitor.act(visitor.get("backups").form(action="verify"))
        expect("is asked for" in answer.markup.text, said(answer))
        request = self.ground.requests()[0]
        expect(request["by"] == "admin page: carol <b>", f"asked by {request['by']}")
        expect(self.ground.events("ADMIN_REQUESTED")[0]["details"]["user"] == "carol <b>", "carol is not on record")
        self.ground.cron()
