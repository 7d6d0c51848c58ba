"""What an administrator does in the pages, from the form to what comes of it on all sides, and that each of it is on record
with who did it.

What cron carries out is pending until it runs and done after; what the website may do itself is done at once.
"""

import re
import urllib.parse

from common import PAGES, expect
from ground import FILE, HASH
from servers import PASSWORD
from visitor import Visitor, said

# Where in something one is, which makes no other page.
PLACES = {"skip", "at", "to", "q", "order", "status", "state", "since", "until", "type", "severity", "text", "user", "look", "into"}


def reach(visitor, page, action, wanted, **query):
    """The form that does something to one thing: on the page itself, or on one that a link of it with that thing leads to."""
    value = next(iter(wanted.values()), None)
    answer = visitor.get(page, **query)
    if answer.has_form(action=action, **wanted):
        return answer.form(action=action, **wanted)
    tried = []
    for link in dict.fromkeys(answer.markup.links):
        named = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
        if named.get("page") == [page] and (value is None or any(value in values for values in named.values())):
            there = visitor.follow(link)
            tried.append(link)
            if there.has_form(action=action, **wanted):
                return there.form(action=action, **wanted)
    return answer.form(action=action, **wanted, reached_by=tried)


class Work:
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
        self.keys()
        self.sessions()
        self.logs()
        self.silencing()
        self.nonsense()
        self.second_way_in()

    # Asked of cron.

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
        expect(self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'weather'") == [("rain",)], "it is rain first")
        listed = self.visitor.get("conflicts")
        expect("weather" in listed.markup.text, f"the conflict is not listed: {said(listed)}")
        form = reach(self.visitor, "conflicts", "resolve", {"conflict": conflict["id"], "take": "website"})
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
        self.asked(self.visitor.act(form, **{"chosen[]": conflict["id"]}), "acknowledge", "conflicts", after="acknowledged", id=conflict["id"])
        state = next(one for one in self.ground.conflicts() if one["id"] == conflict["id"])
        expect(state["status"] == "acknowledged", f"the conflict is {state}")

    def secrets(self):
        """A conflict of password hashes shows that they differ, and not what they are."""
        for side, mail in (("central", "c"), ("website", "w")):
            self.ground.sql(side, "users", ("UPDATE users SET password_hash = ?, email = ? WHERE username = 'ann'", HASH + mail, mail))
        self.ground.cron()
        [conflict] = [one for one in self.ground.conflicts() if one["database"] == "users" and one["status"] == "open"][:1]
        pages = [self.visitor.get("conflicts"), self.visitor.get("conflicts", id=conflict["id"]), *map(self.visitor.get, PAGES)]
        for page in pages:
            expect(HASH not in page.body, f"a page shows a password hash: {said(page)}")

    def restoring(self):
        backups = self.ground.php.call("cr0_db_backups", self.ground.places)["backups"]
        backup = [one for one in backups if one["database"] == "rizon_bot" and one["side"] == "central"][-1]
        self.ground.sql("bot", "rizon_bot", ("DELETE FROM notes WHERE name = 'rules'",))
        self.ground.cron()
        gone = self.ground.everywhere("rizon_bot", "SELECT * FROM notes WHERE name = 'rules'")
        expect(gone == [], f"it is not gone: {gone}")
        before = len(self.ground.requests())
        form = reach(self.visitor, "backups", "restore", {"backup": backup["id"]}, restore=backup["id"])
        expect(len(self.ground.requests()) == before, "looking at what a restore does asks for it")
        self.asked(self.visitor.act(form), "restore", "backups")
        self.ground.cron()
        rows = self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'rules'")
        expect(rows == [("none",)], f"after the restore the sides have {rows}")

    def undoing(self):
        self.ground.sql("bot", "rizon_bot", ("INSERT INTO notes VALUES('mistake', 'oops')",))
        self.ground.cron()
        run = self.ground.php.call("cr0_db_history", self.ground.places)["runs"][0]["run"]
        self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'mistake'")
        before = len(self.ground.requests())
        form = reach(self.visitor, "history", "undo", {"run": run}, undo=run)
        expect(len(self.ground.requests()) == before, "looking at what taking back does asks for it")
        self.asked(self.visitor.act(form), "undo", "history")
        self.ground.cron()
        rows = self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'mistake'")
        expect(rows == [], f"after the run was taken back the sides have {rows}")

    def asking(self):
        for action in ("backup", "verify", "clean-backups"):
            answer = self.visitor.get("backups")
            self.asked(self.visitor.act(answer.form(action=action)), action, "backups")

    def forcing(self):
        """What a guard stopped goes on when a person says so."""
        self.ground.sql("bot", "rizon_bot", ("DELETE FROM user_scores",))
        self.ground.cron()
        kept = self.ground.rows("central", "rizon_bot", "SELECT count(*) FROM user_scores")
        expect(kept == [(140,)], f"no guard stopped a deletion of all: {kept}")
        overview = self.visitor.get("overview")
        expect("held" in overview.markup.text, f"the overview does not say that it is held: {said(overview)}")
        before = len(self.ground.requests())
        form = reach(self.visitor, "overview", "force", {"database": "rizon_bot"}, ask="force", database="rizon_bot")
        expect(len(self.ground.requests()) == before, "looking at what force does asks for it")
        self.asked(self.visitor.act(form), "force", "overview")
        left = self.ground.everywhere("rizon_bot", "SELECT count(*) FROM user_scores")
        expect(left == [(0,)], f"after the force the sides have {left}")

    def taking(self):
        """One side is taken as it is, also what the hub alone has."""
        self.ground.sql("central", "users", ("INSERT INTO users(username) VALUES('only at the hub')",))
        form = reach(self.visitor, "overview", "sync-from", {"database": "users", "side": "website"},
                     ask="sync-from", database="users", side="website")
        self.asked(self.visitor.act(form), "sync-from", "overview")
        self.ground.cron()
        rows = self.ground.everywhere("users", "SELECT username FROM users")
        expect(rows == [("ann",)], f"after it was taken from the website the sides have {rows}")

    # Done by the website.

    def keys(self):
        self.visitor.get("keys")
        form = self.visitor.get("keys").form(action="issue")
        answer = self.visitor.act(form, user="7", name="<b>my bot</b>", **{"permissions[]": ["read", "write"]})
        found = re.findall(r"crk_[0-9A-Za-z_-]{20,}", answer.body)
        expect(len(found) == 1, f"the key is shown {len(found)} times: {said(answer)}")
        key = found[0]
        again = self.visitor.get("keys")
        expect(key not in again.body and not re.search(r"crk_[0-9A-Za-z_-]{20,}", again.body), "the key is shown again")
        for page in PAGES:
            expect(key not in self.visitor.get(page).body, f"{page} shows the key")
        verify = lambda permission: self.ground.php.call("cr0_api_key_verify", key, permission, self.ground.places, user=self.ground.who.web)
        expect(verify("write")["granted"] is True and verify("admin")["reason"] == "forbidden", f"{verify('write')} {verify('admin')}")
        identity = verify("read")["key"]["id"]
        stored = (self.ground.root / "shared_storage/api_keys.json").read_text()
        events = (self.ground.root / "logs/security/security_events.json").read_text()
        secret = key.rsplit("_", 1)[-1]
        expect(key not in stored and key not in events and secret not in events, "the key is written down")
        form = reach(self.visitor, "keys", "rotate", {"id": identity}, rotate=identity)
        answer = self.visitor.act(form)
        newer = re.findall(r"crk_[0-9A-Za-z_-]{20,}", answer.body)
        expect(len(newer) == 1 and newer[0] != key and verify("read")["granted"], f"rotated into {len(newer)} keys")
        form = reach(self.visitor, "keys", "revoke", {"id": identity}, revoke=identity)
        expect(verify("read")["granted"], "looking at what revoking does revokes it")
        answer = self.visitor.act(form)
        expect(verify("read")["reason"] == "revoked" and "revoked" in answer.markup.text, f"{verify('read')} {said(answer)}")
        kinds = {event["type"] for event in self.ground.php.call(
            "cr0_event_query", {"text": identity, "limit": 100}, self.ground.places)["events"] if event["details"].get("user") == "admin"}
        expect({"ADMIN_KEY_ROTATE", "ADMIN_KEY_REVOKE"} <= kinds and self.ground.events("ADMIN_KEY_ISSUE"), f"on record is {kinds}")
        self.counts["keys issued and shown once"] += 2

    def sessions(self):
        session = self.ground.php.call("cr0_session_open", "77", ["read"], self.ground.places, user=self.ground.who.web)
        verify = lambda: self.ground.php.call("cr0_session_verify", session["token"], "read", self.ground.places, user=self.ground.who.web)
        expect(verify()["granted"], f"{verify()}")
        page = self.visitor.get("sessions")
        expect(session["token"] not in page.body and session["id"] in page.body, said(page))
        self.visitor.act(reach(self.visitor, "sessions", "close", {"id": session["id"]}))
        expect(not verify()["granted"], "a session that was closed lets in")
        event = self.ground.events("ADMIN_SESSION_CLOSE")[0]
        expect(event["details"]["user"] == "admin", f"on record is {event}")

    def logs(self):
        listed = self.visitor.get("logs")
        for side in ("bot", "central", "website"):
            # By the link of the page, which names the copy and no file.
            link = next(link for link in listed.markup.links if "rizon_bot" in link and f"side%3A{side}" in link)
            tail = self.visitor.follow(link)
            expect("line number 899" in tail.markup.text, f"the end of the log is not shown: {said(tail)}")
            found = self.visitor.follow(f"{link}&q=Needle%20in%20a%20haystack")
            expect("needle in a haystack" in found.markup.text and "line number 5" not in found.markup.text, f"searched: {said(found)}")
            expect("<mark>" in found.body, "what was found is not marked")
            exact = self.visitor.follow(f"{link}&q=Needle%20in%20a%20haystack&case=exact")
            nothing = self.visitor.follow(f"{link}&q=no%20line%20has%20this")
            for page in (exact, nothing):
                expect("Nothing was found" in page.markup.text and "line number 5" not in page.markup.text, f"searched: {said(page)}")
            bad = self.visitor.follow(f"{link}&level=ERROR")
            expect("window.hacked" in bad.markup.text and "line number 5" not in bad.markup.text, f"searched for errors: {said(bad)}")
        # Back to the beginning, page by page.
        pages, answer = 0, self.visitor.follow(link)
        while older := [one for one in answer.markup.links if "to=" in one and "to=end" not in one]:
            answer, pages = self.visitor.follow(older[0]), pages + 1
            expect(pages < 100, "there is no end of older pages")
        expect("line number 0" in answer.markup.text and pages > 0, f"the beginning after {pages} pages is {said(answer)}")

    def silencing(self):
        path = str(self.ground.watched / "auth.php")
        finding = lambda: next(one for one in self.ground.php.call("cr0_integrity_status", self.ground.places)["last_check"]["findings"]
                               if one["path"] == path)
        expect(finding()["silenced"] is False, f"{finding()}")
        page = self.visitor.get("integrity")
        expect("auth.php" in page.markup.text, said(page))
        # What the page says to type is there to be typed.
        script = self.ground.site / "security_monitoring_script.php"
        expect(f"php {script} " in page.markup.text and script.is_file(), f"no command for {script}: {said(page)}")
        self.visitor.act(page.form(**{"action": "silence", "paths[]": path}), **{"paths[]": path})
        expect(finding()["silenced"] is True, f"after it was silenced it is {finding()}")
        # A finding stays a finding: nothing is accepted by a page.
        expect(not self.ground.php.call("cr0_integrity_status", self.ground.places)["ok"], "silencing makes all well")
        events = self.ground.php.call("cr0_event_query", {"text": "auth.php", "limit": 50}, self.ground.places)["events"]
        expect(any(one["details"].get("user") == "admin" for one in events), f"who silenced it is not on record: {events[:3]}")

    # What is not there, and what makes no sense.

    def nonsense(self):
        before, listed = len(self.ground.requests()), self.ground.php.call("cr0_api_key_list", self.ground.places)
        things = ["../../../../etc/passwd", "/etc/passwd", "php://filter/resource=/etc/passwd", "-1", "999999999", "users:central:nothing",
                  "\0", "%00", "\u202e", "a" * 5000, "<script>window.hacked=1</script>"]
        names = ["id", "restore", "revoke", "rotate", "close_all", "log", "copy", "side", "into", "q", "skip", "undo", "run", "user",
                 "type", "severity", "since", "until", "ip", "text", "session", "database", "status", "key", "tier", "force", "at"]
        for page in PAGES:
            for n, thing in enumerate(things):
                # Longer addresses are refused by the server.
                many = {name: thing for name in names if len(thing) < 100}
                self.harmless(self.visitor.ask("GET", self.visitor.address_of(page, **many)), page, thing)
                for name in names[n::len(things)]:
                    answer = self.visitor.ask("GET", self.visitor.address_of(page, **{name: thing}))
                    self.harmless(answer, page, f"{name}={thing}")
                answer = self.visitor.ask("GET", f"/password/?page={page}&" + "&".join(f"{name}[]=1&{name}[x][y]=2" for name in names))
                self.harmless(answer, page, "lists")
        token = self.visitor.get("keys").form(action="log_out").value("csrf")
        for page in PAGES:
            for action in ("", "nothing", "resolve", "acknowledge", "restore", "undo", "revoke", "rotate", "silence", "close", "sync-from"):
                body = urllib.parse.urlencode({"csrf": token, "action": action, **{name: "../nothing" for name in names},
                                               "take": "x", "backup": "../x", "path": "/etc/passwd", "conflict": "x", "ids[]": "x"})
                answer = self.visitor.ask("POST", f"/password/?page={page}", body)
                expect(answer.status == 303, f"{page}, {action} of nothing: {answer.status} {said(answer)}")
                self.harmless(self.visitor.ask("GET", answer.header("location")), page, action)
                self.counts["requests that make no sense"] += 1
        pending = [one for one in self.ground.requests() if one["state"] == "pending"]
        expect(len(self.ground.requests()) == before and not pending, f"what makes no sense is asked for: {pending[:3]}")
        expect(self.ground.php.call("cr0_api_key_list", self.ground.places) == listed, "what makes no sense changes keys")

    def harmless(self, answer, page, thing):
        expect(answer.status == 200, f"{page} with {thing!r}: {answer.status} {said(answer)}")
        expect("root:x:0" not in answer.body and not answer.markup.inline and answer.markup.scripts == 1,
               f"{page} with {thing!r} has {answer.markup.inline}, {answer.markup.scripts} scripts")
        self.counts["requests that make no sense"] += 1

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

    # In the browser.

    def questions(self, visitor):
        """Pages behind the pages: of one thing, and those that ask before something dangerous."""
        found, left = {}, [(page, visitor.address_of(page)) for page in PAGES]
        while left:
            page, address = left.pop(0)
            for link in visitor.follow(address).markup.links:
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
                name = "-".join([page, *sorted(query.keys() - {"page"})])
                is_further = query.pop("page", None) == [page] and query and not query.keys() & PLACES
                if is_further and name not in found:
                    found[name] = link
                    left.append((page, link))
        return found

    def in_browser(self, browser):
        self.without_scripts(browser)
        self.copied_once(browser)

    def without_scripts(self, browser):
        conflict = self.ground.conflict("motd", "good morning", "good evening")
        page = browser.context(script=False).new_page()
        page.goto("/password/?page=conflicts")
        page.fill("input[name=password]", PASSWORD)
        page.click("button")
        page.goto("/password/?page=conflicts")
        page.click(f"main a[href$='page=conflicts&id={conflict['id']}']")
        page.click(f"form:has(input[name=conflict][value='{conflict['id']}']) button[name=take][value=website]")
        page.locator("#notice:not(.empty)").wait_for()
        expect("is asked for" in page.inner_text("#notice"), f"without scripts: {page.inner_text('main')[:500]}")
        self.ground.cron()
        rows = self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'motd'")
        expect(rows == [("good evening",)], f"resolved without scripts, the sides have {rows}")
        for name in PAGES:
            page.goto(f"/password/?page={name}")
            expect(page.locator("h1").count() == 1 and len(page.inner_text("main")) > 40, f"{name} is empty without scripts")
            self.counts["pages without JavaScript"] += 1
        page.context.close()

    def copied_once(self, browser):
        """A key is issued in the browser: shown with a way to copy it, and gone when the page is loaded again."""
        page = browser.context().new_page()
        page.goto("/password/?page=login")
        page.fill("input[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**page=overview*")
        page.goto("/password/?page=keys")
        page.fill("form:has(input[value=issue]) input[name=user]", "7")
        page.fill("form:has(input[value=issue]) input[name=name]", FILE)
        page.click("form:has(input[value=issue]) button")
        page.wait_for_load_state()
        page.locator("#notice:not(.empty)").wait_for()
        secret = page.locator("code.secret")
        expect(secret.count() == 1 and secret.inner_text().startswith("crk_"), f"no key is shown: {page.inner_text('#notice')}")
        key = secret.inner_text()
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.click("#notice button")
        page.locator("#notice button:text('Copied')").wait_for()
        expect(page.evaluate("navigator.clipboard.readText()") == key, "something else is copied")
        browser.look(page)
        page.reload()
        expect(key not in page.content(), "a reload shows the key")
        browser.look(page)
        page.context.close()
