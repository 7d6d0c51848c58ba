"""Questions for what is not there, and forms that make no sense: each is answered, in words, and changes nothing."""

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

    def harmless(self, answer, page, thing):
        expect(answer.status == 200, f"{page} with {thing!r}: {answer.status} {said(answer)}")
        expect("root:x:0" not in answer.body and not answer.markup.inline and answer.markup.scripts == 1,
               f"{page} with {thing!r} has {answer.markup.inline}, {answer.markup.scripts} scripts")
        self.counts["requests that make no sense"] += 1
