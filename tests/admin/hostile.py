"""What others wrote, on every page that shows it: it is read as text, and nothing of it runs."""

import json
import urllib.parse

from common import PAGES, expect
from ground import HOSTILE, IMAGE, QUOTES, SCRIPT
from servers import PASSWORD
from visitor import Visitor, said

# What can be asked for of a page, whether it knows it or not.
NAMES = ["id", "q", "log", "copy", "text", "type", "ip", "session", "user", "key", "database", "side", "status",
         "restore", "revoke", "run", "since", "until"]
# Where what others wrote must be seen, and what is looked for there: a page that hides it would show nothing.
LOG = {"log": "rizon_bot", "copy": "side:central"}
SEEN = {"conflicts": "window.hacked", "logs": "window.hacked", "integrity": "onerror", "events": "window.hacked",
        "keys": "window.hacked", "sessions": "window.hacked"}


class Hostile:
    def __init__(self, ground, servers, counts):
        self.ground, self.servers, self.counts = ground, servers, counts

    def show(self):
        visitor = Visitor(self.servers.port, "password", "127.0.7.1").log_in(PASSWORD)
        self.write()
        self.secrets(visitor)
        for page in PAGES:
            answer = self.read(visitor, visitor.address_of(page, **(LOG if page == "logs" else {})))
            if page in SEEN:
                expect(SEEN[page] in answer.markup.text, f"{page} does not show what others wrote: {said(answer)}")
            for text in HOSTILE:
                query = urllib.parse.urlencode({name: text for name in NAMES})
                self.read(visitor, f"/password/?page={page}&{query}")
        for text in HOSTILE:
            self.read(visitor, f"/password/?{urllib.parse.urlencode({'page': text})}")
            # NUL in a path is refused by the server.
            path = f"/password/{urllib.parse.quote(text.replace(chr(0), ''), safe='')}?page=overview"
            answer = visitor.ask("GET", path)
            expect(answer.status == 404 and not answer.cookies, f"{path}: {answer.status} {answer.cookies}")
        # Links of the pages themselves, each once: whatever one can come to by following.
        seen, left = set(), [visitor.address_of(page) for page in PAGES]
        while left and len(seen) < 250:
            link = left.pop(0)
            if link in seen:
                continue
            seen.add(link)
            for further in self.read(visitor, link).markup.links:
                expect(further.startswith(("/password/?", "#")), f"{link} leads to {further}")
                if further.startswith("/"):
                    left.append(further)
        self.counts["links followed"] += len(seen)

    def write(self):
        """Conflicts whose keys and values are hostile, which end as they should."""
        for n, text in enumerate(HOSTILE):
            for side in ("bot", "website"):
                self.ground.sql(side, "rizon_bot", ("UPDATE notes SET text = ? WHERE name = ?", f"{side} {text} {n}", text))
            details = {"user": text, text: [text]}
            self.ground.php.call("cr0_event", f"AGAIN_{n}", details, "LOW", "192.0.2.7", text, self.ground.places)
        for n in range(3):
            self.ground.sql("bot", "rizon_bot", ("INSERT INTO notes VALUES(?, 'base')", f"odd{n}"))
        self.ground.cron()
        for n, value in enumerate((b"\xff\xfe<script>", "<b>" * 700_000, 1.5)):
            for side in ("bot", "website"):
                mine = value if side == "bot" else f"other {n}"
                self.ground.sql(side, "rizon_bot", ("UPDATE notes SET text = ? WHERE name = ?", mine, f"odd{n}"))
        self.ground.cron()

    def secrets(self, visitor):
        """What lets somebody in and was written down by somebody who did not care, in a log or in an event."""
        digits, token = "0123456789abcdef", "crs_" + "1b2c" * 16
        secrets = [token[20:], "feedbeef" * 8, "deadc0de" * 8, "cafe" * 16, "hunter3", "hunter4"]
        lines = [f"token {token} of a session", f"X-API-Key: {secrets[1]}", f"Authorization: Bearer {secrets[2]}",
                 json.dumps({"api_key": secrets[3]}), f"file {digits * 4} is known"]
        with self.ground.log("central").open("a") as log:
            log.writelines(f"2026-01-01 02:00:00 EST - bot - INFO - {line}\n" for line in lines)
        events = self.ground.root / "logs/security/security_events.json"
        details = {"password": ["hunter3"], "tokens": {"a": {"b": "hunter4"}}, "said": lines[:4], token: "a name"}
        with events.open("a") as log:
            log.write(json.dumps({"timestamp": "2026-01-01T00:00:00Z", "type": "SITE_WROTE", "severity": "LOW",
                                  "ip": f"for {token}", "session_id": token, "details": details}) + "\n")
        for page in (visitor.get("logs", **LOG), visitor.get("logs", **LOG, q="2026-01-01 02:00"), visitor.get("events"),
                     visitor.get("events", type="SITE_WROTE")):
            shown = [secret for secret in secrets if secret in page.body]
            expect(not shown, f"a page shows {shown}: {said(page)}")
            expect("(hidden)" in page.body and token[:20] in page.body, f"a page hides more than secrets: {said(page)}")
        expect(digits * 4 in visitor.get("logs", **LOG).body, "the digest of a file is hidden")

    def read(self, visitor, path):
        answer = visitor.ask("GET", path)
        is_none = answer.status == 404 and "There is no" in answer.markup.text
        expect(answer.status == 200 or is_none, f"{path}: {answer.status} {answer.header('location')} {said(answer)}")
        expect(answer.markup.scripts == 1, f"{path} has {answer.markup.scripts} scripts")
        expect(not answer.markup.inline, f"{path} has {answer.markup.inline}")
        for text in (SCRIPT, IMAGE, QUOTES, "\u202e", "\0", "</td></table>\n"):
            expect(text not in answer.body, f"{path} has {text!r} as it was written")
        expect(len(answer.body) < 4 << 20, f"{path} has {len(answer.body)} bytes")
        self.counts["pages with what others wrote"] += 1
        return answer

    def in_browser(self, browser, visitor):
        """The same in a browser that would run it."""
        context = browser.context(cookies=[(name, value, "/password/") for name, value in visitor.cookies.items()])
        page = context.new_page()
        addresses = [visitor.address_of(name) for name in PAGES] + [visitor.address_of("logs", **LOG)]
        for text in (SCRIPT, IMAGE, QUOTES):
            addresses += [visitor.address_of(name, **dict.fromkeys(NAMES, text)) for name in PAGES]
        addresses += list(dict.fromkeys(link for name in ("conflicts", "integrity", "events", "keys", "sessions", "logs")
                                        for link in visitor.get(name).markup.links if f"page={name}" in link))[:60]
        # What these texts name is not there.
        browser.expected.append("status of 404")
        for address in addresses:
            page.goto(address)
            browser.look(page)
            self.counts["pages in a browser with what others wrote"] += 1
        browser.expected.remove("status of 404")
        context.close()
