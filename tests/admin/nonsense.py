"""Questions for what is not there, and forms that make no sense: each is answered, in words, and changes nothing."""

import json
import urllib.parse

from common import PAGES, expect
from servers import PASSWORD
from visitor import Visitor, said

THINGS = ["../../../../etc/passwd", "/etc/passwd", "php://filter/resource=/etc/passwd", "-1", "999999999",
          "users:central:nothing", "\0", "%00", "\u202e", "a" * 5000, "<script>window.hacked=1</script>"]
NAMES = ["id", "restore", "revoke", "rotate", "close_all", "log", "copy", "side", "into", "q", "skip", "undo", "run", "user",
         "type", "severity", "since", "until", "ip", "text", "session", "database", "status", "key", "tier", "force", "at", "ask"]
ACTIONS = ["", "nothing", "resolve", "acknowledge", "restore", "undo", "revoke", "rotate", "silence", "close", "close_all",
           "force", "sync-from"]

# What others may have put in the place of what came of a request, and whether a page must say that it cannot be read.
RESULTS = [({"result": "text"}, True), ({"result": {"removed": []}}, True), ({"result": {"backups": 7}}, True),
           ({"result": {"checked": "x"}}, True), ({"result": {"checked": [1, "y", {"ok": "yes"}]}}, True),
           ({"result": {"databases": "x"}}, True), ({"result": {"databases": {"a": {"sides": {"b": 1}}}}}, True),
           ({"result": {"warnings": 7}}, True), ({"result": {"warnings": [[1]]}}, True), ({"result": True}, True),
           ({"arguments": "x"}, True), ({"arguments": {"database": [[{}]], "take": {}}}, False), ({"error": "x"}, True),
           ({"error": {"message": [], "hint": 1}}, True), ({"error": []}, True)]
# And of a report of a check, whose parts a page must say it cannot read.
GOOD = {"kind": "modified", "path": "/x", "changes": [], "severity": "HIGH"}
FINDINGS = ["x", 7, None, [1], ["x"], [[]], [{}], [{**GOOD, "severity": 1}], [{**GOOD, "kind": []}], [{**GOOD, "changes": [[]]}],
            [{**GOOD, "changes": "x"}], [{**GOOD, "before": {"size": []}}], [{**GOOD, "after": "x"}], [{**GOOD, "reason": 1}],
            [{**GOOD, "kind": "added", "after": {"size": 1}}], [{name: GOOD[name] for name in ("kind", "path")}]]


class Nonsense:
    def __init__(self, ground, servers, counts):
        self.ground, self.servers, self.counts = ground, servers, counts
        self.visitor = None

    def show(self):
        self.visitor = Visitor(self.servers.port, "password", "127.0.6.3").log_in(PASSWORD)
        before, listed = len(self.ground.requests()), self.ground.php.call("cr0_api_key_list", self.ground.places)
        for page in PAGES:
            for n, thing in enumerate(THINGS):
                # Longer addresses are refused by the server.
                many = {name: thing for name in NAMES if len(thing) < 100}
                self.harmless(self.visitor.ask("GET", self.visitor.address_of(page, **many)), page, thing)
                for name in NAMES[n::len(THINGS)]:
                    answer = self.visitor.ask("GET", self.visitor.address_of(page, **{name: thing}))
                    self.harmless(answer, page, f"{name}={thing}")
            lists = "&".join(f"{name}[]=1&{name}[x][y]=2" for name in NAMES)
            self.harmless(self.visitor.ask("GET", f"/password/?page={page}&{lists}"), page, "lists")
        token = self.visitor.get("keys").form(action="log_out").value("csrf")
        for page in PAGES:
            for action in ACTIONS:
                sent = {name: "../nothing" for name in NAMES} | {"csrf": token, "action": action}
                sent |= dict.fromkeys(("take", "backup", "conflict", "chosen[]", "paths[]"), "../x")
                body = urllib.parse.urlencode(sent)
                answer = self.visitor.ask("POST", f"/password/?page={page}", body)
                expect(answer.status == 303, f"{page}, {action} of nothing: {answer.status} {said(answer)}")
                self.harmless(self.visitor.ask("GET", answer.header("location")), page, action)
                self.counts["requests that make no sense"] += 1
        pending = [one for one in self.ground.requests() if one["state"] == "pending"]
        expect(len(self.ground.requests()) == before and not pending, f"what makes no sense is asked for: {pending[:3]}")
        expect(self.ground.php.call("cr0_api_key_list", self.ground.places) == listed, "what makes no sense changes keys")
        self.odd_results()
        self.odd_reports()

    def harmless(self, answer, page, thing):
        # What is not there is said so, on a page like all others.
        is_none = answer.status == 404 and "There is no" in answer.markup.text and answer.has_form(action="log_out")
        expect(answer.status == 200 or is_none, f"{page} with {thing!r}: {answer.status} {said(answer)}")
        expect("root:x:0" not in answer.body and not answer.markup.inline and answer.markup.scripts == 1,
               f"{page} with {thing!r} has {answer.markup.inline}, {answer.markup.scripts} scripts")
        self.counts["requests that make no sense"] += 1

    def odd_results(self):
        """Whoever may write where results lie writes what no run of ours did."""
        [results] = self.ground.root.rglob("queue/results")
        if not list(results.glob("*.json")):
            self.visitor.act(self.visitor.get("backups").form(action="backup"))
            self.ground.cron()
        sound = json.loads(sorted(results.glob("*.json"))[-1].read_text())
        identity = "20990101T000000000000000Z-0123456789abcdef"
        name = results / f"{identity}.json"
        for action in ("backup", "undo", "resolve", "acknowledge"):
            for odd, is_said in [({}, False), *RESULTS]:
                state = "failed" if "error" in odd else "done"
                request = sound["request"] | {"id": identity, "action": action, "state": state, "error": None} | odd
                name.write_text(json.dumps(sound | {"request": request}))
                name.chmod(0o644)
                read = self.ground.requests()[0]
                is_whole = not odd and action == sound["request"]["action"]
                expect(not is_whole or read["id"] == identity, f"nobody reads what came of {action}")
                # What the library leaves out is no page's to tell.
                is_said = is_said and read["id"] == identity and all(read[key] == value for key, value in odd.items())
                for page in ("overview", "backups", "history", "conflicts"):
                    answer = self.visitor.ask("GET", self.visitor.address_of(page))
                    self.harmless(answer, page, f"{odd} of {action}")
                    is_shown = {"backups": ["backup"], "history": ["undo"], "overview": ["backup", "undo"]}.get(page, [])
                    if is_said and action in is_shown:
                        expect("(not readable)" in answer.markup.text, f"{page} does not say that {odd} is odd: {said(answer)}")
                name.unlink()

    def odd_reports(self):
        """And whoever may write where the report of the last check lies."""
        if not self.ground.who.is_split:
            # The report that is read is the one that nobody else can write.
            return
        [path] = self.ground.root.rglob("report.json")
        before = path.read_bytes()
        report = json.loads(before)
        for odd in FINDINGS:
            self.reported(path, report | {"findings": odd}, f"findings {odd}", "not readable")
        for name in ("at", "checked", "complete", "guarantee"):
            for odd in ([1], {"a": 1}, 7, "x", None):
                self.reported(path, report | {name: odd}, f"{name} {odd}", None)
        for page in self.reported(path, report | {"findings": [], "ok": True}, "no findings", None):
            for name in ("Findings in files", "Open findings"):
                expect(f'"figure good"><dt>{name}' not in page.body, f"a list that anybody may have emptied makes {name} good")
        path.write_bytes(before)

    def reported(self, path, report, thing, words):
        path.write_text(json.dumps(report))
        pages = [self.visitor.ask("GET", self.visitor.address_of(page)) for page in ("overview", "integrity", "events")]
        for answer in pages:
            self.harmless(answer, "a page", thing)
        for answer in pages[:2] if words else ():
            expect(words in answer.markup.text, f"with {thing} it does not say that it is {words}: {said(answer)}")
        return pages
