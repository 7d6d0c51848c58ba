"""What the website may do itself, at once: issue and revoke keys, close sessions, search logs, silence findings. What changes
something is on record, with who did it.
"""

import json
import re

from common import PAGES, expect
from servers import PASSWORD
from visitor import Visitor, said

KEY = re.compile(r"crk_[0-9A-Za-z_-]{20,}")


class Own:
    def __init__(self, ground, servers, counts):
        self.ground, self.servers, self.counts = ground, servers, counts
        self.visitor = None

    def show(self):
        self.visitor = Visitor(self.servers.port, "password", "127.0.6.1").log_in(PASSWORD)
        self.keys()
        self.sessions()
        self.hashes()
        self.logs()
        self.silencing()
        self.silencing_all()

    def website(self, function, *arguments):
        """What another page of the website does."""
        return self.ground.php.call(function, *arguments, self.ground.places, user=self.ground.who.web)

    def keys(self):
        form = self.visitor.get("keys").form(action="issue")
        answer = self.visitor.act(form, user="7", name="<b>my bot</b>", **{"permissions[]": ["read", "write"]})
        found = KEY.findall(answer.body)
        expect(len(found) == 1, f"the key is shown {len(found)} times: {said(answer)}")
        key = found[0]
        again = self.visitor.get("keys")
        expect(key not in again.body and not KEY.search(again.body), "the key is shown again")
        for page in PAGES:
            expect(key not in self.visitor.get(page).body, f"{page} shows the key")
        verify = lambda permission: self.website("cr0_api_key_verify", key, permission)
        expect(verify("write")["granted"] is True, f"{verify('write')}")
        expect(verify("admin")["reason"] == "forbidden", f"{verify('admin')}")
        identity = verify("read")["key"]["id"]
        stored = (self.ground.root / "shared_storage/api_keys.json").read_text()
        events = (self.ground.root / "logs/security/security_events.json").read_text()
        secret = key.rsplit("_", 1)[-1]
        expect(key not in stored and key not in events and secret not in events, "the key is written down")
        form = self.visitor.reach("keys", "rotate", {"id": identity}, rotate=identity)
        answer = self.visitor.act(form)
        newer = KEY.findall(answer.body)
        expect(len(newer) == 1 and newer[0] != key and verify("read")["granted"], f"rotated into {len(newer)} keys")
        form = self.visitor.reach("keys", "revoke", {"id": identity}, revoke=identity)
        expect(verify("read")["granted"], "looking at what revoking does revokes it")
        answer = self.visitor.act(form)
        expect(verify("read")["reason"] == "revoked" and "revoked" in answer.markup.text, f"{verify('read')} {said(answer)}")
        for kind in ("ADMIN_KEY_ISSUE", "ADMIN_KEY_ROTATE", "ADMIN_KEY_REVOKE"):
            events = self.ground.events(kind)
            expect(len(events) == 1 and events[0]["details"]["user"] == "admin", f"{kind} is on record as {events}")
        self.counts["keys issued and shown once"] += 2

    def sessions(self):
        session = self.website("cr0_session_open", "77", ["read"])
        verify = lambda: self.website("cr0_session_verify", session["token"], "read")
        expect(verify()["granted"], f"{verify()}")
        page = self.visitor.get("sessions")
        expect(session["token"] not in page.body and session["id"] in page.body, said(page))
        self.visitor.act(self.visitor.reach("sessions", "close", {"id": session["id"]}))
        expect(not verify()["granted"], "a session that was closed lets in")
        event = self.ground.events("ADMIN_SESSION_CLOSE")[0]
        expect(event["details"]["user"] == "admin", f"on record is {event}")
        many = [self.website("cr0_session_open", "78", ["read"])["token"] for _ in range(2)]
        self.visitor.act(self.visitor.get("sessions", close_all="78").form(action="close_all"))
        granted = [self.website("cr0_session_verify", token, "read")["granted"] for token in many]
        expect(granted == [False, False], f"of a user whose sessions are all closed {granted}")

    def hashes(self):
        """What is kept of keys and tokens is on no page either."""
        keys, sessions = (json.loads((self.ground.root / f"shared_storage/api_{name}.json").read_text())
                          for name in ("keys", "sessions"))
        secrets = [key["key_hash"] for key in keys] + [session["token_hash"] for session in sessions.values()]
        expect(len(secrets) > 4, f"{len(secrets)} hashes are kept")
        for page in PAGES:
            body = self.visitor.get(page).body
            expect(not any(secret in body for secret in secrets), f"{page} shows a hash")

    def logs(self):
        listed = self.visitor.get("logs")
        for side in ("bot", "central", "website"):
            # By the link of the page, which names the copy and no file.
            link = next(link for link in listed.markup.links if "rizon_bot" in link and f"side%3A{side}" in link)
            tail = self.visitor.follow(link)
            expect("line number 899" in tail.markup.text, f"the end of the log is not shown: {said(tail)}")
            for query, is_there in (("q=Needle%20in%20a%20haystack", "needle in a haystack"), ("level=ERROR", "window.hacked"),
                                    ("q=Needle%20in%20a%20haystack&case=exact", "Nothing was found"),
                                    ("q=no%20line%20has%20this", "Nothing was found")):
                page = self.visitor.follow(f"{link}&{query}")
                expect(is_there in page.markup.text and "line number 5" not in page.markup.text, f"{query}: {said(page)}")
                expect(("<mark>" in page.body) == ("needle" in is_there), f"{query}: what was found is not marked")
        # Back to the beginning, page by page.
        pages, answer = 0, self.visitor.follow(link)
        while older := [one for one in answer.markup.links if "to=" in one and "to=end" not in one]:
            answer, pages = self.visitor.follow(older[0]), pages + 1
            expect(pages < 100, "there is no end of older pages")
        expect("line number 0" in answer.markup.text and pages > 0, f"the beginning after {pages} pages is {said(answer)}")

    def silencing(self):
        path = str(self.ground.watched / "auth.php")
        status = lambda: self.ground.php.call("cr0_integrity_status", self.ground.places)
        finding = lambda: next(one for one in status()["last_check"]["findings"] if one["path"] == path)
        expect(finding()["silenced"] is False, f"{finding()}")
        page = self.visitor.get("integrity")
        expect("auth.php" in page.markup.text, said(page))
        # What the page says to type is there to be typed.
        script = self.ground.site / "security_monitoring_script.php"
        expect(f"php {script} " in page.markup.text and script.is_file(), f"no command for {script}: {said(page)}")
        worst = self.visitor.get("overview").markup.text
        expect(f"php {script} check" in worst and "CRITICAL modified" in worst, f"the overview has no command: {worst}")
        self.visitor.act(page.form(**{"action": "silence", "paths[]": path}), **{"paths[]": path})
        expect(finding()["silenced"] is True, f"after it was silenced it is {finding()}")
        listed = self.visitor.get("overview").markup.text
        expect(f"CRITICAL modified {path} silenced" in listed, f"the overview does not say that it is silenced: {listed}")
        # A finding stays a finding: nothing is accepted by a page.
        expect(not status()["ok"], "silencing makes all well")
        events = self.ground.events("ADMIN_SILENCED")
        expect(len(events) == 1 and events[0]["details"]["user"] == "admin", f"that it was silenced is on record as {events}")

    def silencing_all(self):
        """All that fit are silenced as they were seen: what came since is not."""
        status = lambda: self.ground.php.call("cr0_integrity_status", self.ground.places)["last_check"]["findings"]
        mine = lambda: [one["silenced"] for one in status() if "unseen" in one["path"]]
        files = [self.ground.watched / f"unseen-{name}.html" for name in "abc"]
        for path in files[:2]:
            path.write_text("new\n")
        self.ground.php.call("cr0_integrity_check", self.ground.places)
        form = self.visitor.get("integrity", **{"in": "unseen"}).form(action="silence", all="yes")
        files[2].write_text("new\n")
        self.ground.php.call("cr0_integrity_check", self.ground.places)
        answer = self.visitor.act(form, all="yes")
        expect("New findings came" in answer.markup.text and mine() == [False] * 3, f"silenced unseen: {mine()} {said(answer)}")
        form = self.visitor.get("integrity", **{"in": "unseen"}).form(action="silence", all="yes")
        answer = self.visitor.act(form, all="yes")
        expect(mine() == [True] * 3, f"what was seen is not silenced: {mine()} {said(answer)}")
        form = self.visitor.get("integrity").form(action="silence")
        for path in files:
            path.unlink()
        self.ground.php.call("cr0_integrity_check", self.ground.places)
        answer = self.visitor.act(form, **{"paths[]": str(files[0])})
        expect("no finding any more" in answer.markup.text, f"what is gone is silenced: {said(answer)}")
