"""What the pages tell a stranger: the worst first, who is meant by which word, units, what a setting means and how it is changed,
and what would be where nothing is.
"""

import gzip
import html
import json
import re
import shlex

from common import expect
from servers import PASSWORD
from visitor import Visitor, said

# What cr0_doctor could say, in an order that is not that of the page.
FINDINGS = [("ok", "space", "enough is free", None), ("warning", "backups", "one is old", "back up"),
            ("problem", "logs", "one is cut", "look at it"), ("warning", "cron", "a was never called", "call them"),
            ("warning", "cron", "b was never called", "call them"), ("warning", "cron", "the table was not looked at", "be root")]
# What anybody may have made of a report: more than a page could hold.
MANY = 220_000
# So many are read and listed still.
MOST = 5_000


class Words:
    def __init__(self, ground, servers, counts):
        self.ground, self.servers, self.counts = ground, servers, counts
        self.visitor = None

    def show(self):
        self.visitor = Visitor(self.servers.port, "password", "127.0.6.4").log_in(PASSWORD)
        self.worst_first()
        self.needs()
        self.key_shown_once()
        self.units()
        self.sides()
        self.nothing_here()
        self.settings()
        self.secret_settings()
        self.older_files()
        self.many_findings()

    def code(self, code, *arguments):
        """What a piece of PHP prints that uses the classes of the pages."""
        text = f"require '{self.ground.site}/cr0sync/admin/src/autoload.php'; {code}"
        ended = self.ground.php.run("classes", "-r", text, "--", *arguments)
        expect(ended[0] == 0 and not ended[2], f"{code} ended with {ended}")
        return ended[1]

    # Overview.

    def worst_first(self):
        page = self.visitor.get("overview")
        headings = re.findall(r"<h2>(.*?)</h2>", page.body)
        found = re.fullmatch(r"(\d+) things? needs? you", headings[0])
        expect(found, f"the overview begins with {headings}")
        table = page.body.split("<tbody>")[1].split("</tbody>")[0]
        kinds = re.findall(r'<tr><td[^>]*><span class="state \w+">(\w+)</span>', table)
        expect(len(kinds) == int(found[1]) and kinds == sorted(kinds) and kinds[0] == "critical", f"{found[0]}: {kinds}")
        rows = table.split("</tr>")[:-1]
        leads = ("<a href", "That is mended on the machine.")
        expect(all(any(words in row for words in leads) for row in rows), f"one leads nowhere: {rows}")
        expect(any("page=integrity" in row for row in rows), f"none leads to the findings: {rows}")
        for part in re.findall(r'href="#(\w+)"', table):
            expect(f'id="{part}"' in page.body, f"there is no part {part}")

    def needs(self):
        """The sentence and the order, whatever is wrong."""
        findings = [dict(zip(("state", "check", "what", "do"), one)) | {"where": None} for one in FINDINGS]
        section = ("$advice = (new ReflectionClass(Cr0Sync\\Admin\\Advice::class))->newInstanceWithoutConstructor();"
                   "$forms = new Cr0Sync\\Admin\\Forms('/', 'overview', ''); [$status, $report, $why] = json_decode($argv[1], true);"
                   "echo (new Cr0Sync\\Admin\\Pages\\Overview\\Needs($forms, $advice))->section($status, $report, $why)->markup;")
        told = lambda *all: html.unescape(re.sub(r"<[^>]*>", " ", self.code(section, json.dumps(all))))
        well = {"problems": [], "databases": {"databases": {"a": {"open_conflicts": 0}}}}
        text = told(well, {"findings": findings}, None)
        places = [text.index(word) for word in ("3 things need you", "one is cut", "one is old", "a was never", "b was never")]
        expect(places == sorted(places) and "table was not" not in text, f"the worst is not first: {text}")
        text = told(well, {"findings": findings[:1] + findings[5:]}, None)
        expect("All is well" in text and "1 thing was looked at" in text, f"nothing is wrong: {text}")
        text = told({"problems": ["no logs can be told"], "databases": {"databases": {"a": {"open_conflicts": 1200}}}}, None, "broken")
        expect(all(words in text for words in ("3 things need you", "no logs can be told", "broken", "1,200 conflicts of a are open")),
               f"what cannot be told is not told: {text}")

    # Keys.

    def key_shown_once(self):
        form = self.visitor.get("keys").form(action="issue")
        answer = self.visitor.act(form, user="7", name="told in words", days="30", **{"permissions[]": ["read", "write"]})
        notice = re.search(r'id="notice">(.*?)</div>', answer.body)[1]
        for words in ("Shown once: copy it now.", "It may read and write.", "It counts until 20", " UTC."):
            expect(words in notice, f"with a new key it is not said {words!r}: {notice}")
        expect("<button" not in notice and "data-copy" in notice, f"a button that does nothing without scripts: {notice}")
        page = self.visitor.get("keys")
        row = next(row for row in page.body.split("<tr>") if "told in words" in row)
        expect("never used" in row and "in 30 days" in row and re.search(r'exact">20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC', row),
               f"when it ends and was used is not told: {row}")

    # Words and units.

    def units(self):
        limits = self.visitor.get("limits").markup.text
        expect("100 per hour" in limits and "one more each 36 seconds" in limits and "3600" not in limits, limits)
        stands = self.visitor.get("limits", key="nobody", tier=" login of these pages").markup.text
        expect("All there again now" in stands, stands)
        durations = self.code("foreach ([1, 119, 120, 121, 7200, 7201, 172800, 300000] as $one) {"
                              "echo Cr0Sync\\Admin\\Ui::duration($one), ', '; }"
                              "echo Cr0Sync\\Admin\\Ui::rate(1200, 60), ', ', Cr0Sync\\Admin\\Ui::rate(5, 900);")
        expect(durations == "1 second, 119 seconds, 2 minutes, 3 minutes, 2 hours, 3 hours, 2 days, 4 days, 1,200 per minute, "
               "5 in 15 minutes", durations)

    def sides(self):
        """A side is called as it is configured, and what it has of a log is told in the same words everywhere."""
        for page in ("overview", "logs", "settings"):
            answer = self.visitor.get(page)
            for side in ("bot", "central", "website"):
                expect(re.search(rf"\b{side}\b", answer.markup.text), f"{page} does not name {side}")
            heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', answer.body)
            expect("Copy" not in heads and "Behind it" not in heads, f"{page} has the columns {heads}")
            if page != "settings":
                expect({"Side", "To be merged", "To be received", "Last merge"} <= set(heads), f"{page} has the columns {heads}")

    def nothing_here(self):
        for page, query, words in (("sessions", {}, "logged in to the API"), ("sessions", {"user": "nobody"}, "no session of user nobody"),
                                   ("limits", {}, "would be listed here"), ("keys", {"user": "nobody"}, "No key is of this user")):
            answer = self.visitor.get(page, **query)
            expect(words in answer.markup.text, f"{page} {query} does not say what would be here: {said(answer)}")

    # Settings.

    def settings(self):
        page = self.visitor.get("settings")
        config = self.ground.php.call("cr0_config", self.ground.places)["config"]
        names = [f"{group}.{name}" if isinstance(value, dict) else group
                 for group, value in config.items() if group not in ("databases", "logs")
                 for name in (value if isinstance(value, dict) else [""])]
        for name in names:
            row = re.search(rf"<code class=\"setting\">{re.escape(name)}</code></td><td[^>]*>(.*?)</td>", page.body)
            expect(row and len(row[1]) > 8, f"what {name} means is not told: {row and row[0]}")
            self.counts["settings with their meaning"] += 1
        expect(str(self.ground.config) in page.markup.text and "14 days" in page.markup.text, said(page))
        command = next(html.unescape(one) for one in re.findall(r'class="command"[^>]*>(.*?)</code>', page.body) if "php" in one)
        words = shlex.split(command)
        ended = self.ground.php.run("config", *words[words.index("php") + 1:])
        expect(words[:3] == ["sudo", "-u", self.ground.who.cron] and ended[0] == 0 and "keep_daily" in ended[1],
               f"{command} ended with {ended}")

    def secret_settings(self):
        shown = self.code("foreach ([['curl', '-H', 'opensesame'], null] as $one) {"
                          "echo Cr0Sync\\Admin\\Pages\\InForce\\Meanings::value('alerts.command', $one)->markup; }")
        expect("opensesame" not in shown and "(hidden)" in shown and "none" in shown, f"a command is shown as {shown}")

    # Logs.

    def older_files(self):
        """A search goes on into older files, packed or not, with the same words, and past those that have nothing."""
        hub = self.ground.log("central")
        line = "2025-12-0{} 00:00:00 EST - bot.rizon - ERROR - {}\n"
        files = {"2025-12-05": "nothing of it", "2025-12-04": "nothing of it", "2025-12-03": "an old Pearl", "2025-12-02": "no",
                 "2025-12-01": "the first Pearl"}
        paths = []
        for day, text in files.items():
            path = hub.with_name(f"{hub.name}.{day}.gz")
            path.write_bytes(gzip.compress(line.format(day[-1], text).encode()))
            self.ground.who.give(path, self.ground.who.cron, 0o664)
            paths.append(path)
        try:
            answer = self.visitor.get("logs", log="rizon_bot", copy="side:bot", q="Pearl", case="exact", level="ERROR")
            seen = []
            for _ in range(10):
                seen.append(re.findall(r"an old|the first", answer.markup.text))
                [further] = [one for one in answer.markup.links if "further=1" in one] or [None]
                if further is None:
                    break
                expect(all(word in further for word in ("q=Pearl", "case=exact", "level=ERROR")), f"other words: {further}")
                answer = self.visitor.follow(further)
            expect(seen == [[], ["an old"], ["the first"]], f"the search that went on found {seen}: {said(answer)}")
            expect("There is no older file" in answer.markup.text and "Looked through before: 1 file" in answer.markup.text,
                   f"what was looked through is not told: {said(answer)}")
            around = next(one for one in answer.markup.links if "at=" in one and "q=" not in one)
            expect("the first Pearl" in self.visitor.follow(around).markup.text, f"{around} leads elsewhere")
        finally:
            for path in paths:
                path.unlink()

    # Findings.

    def many_findings(self):
        """More findings than the memory of a page holds: their number, the newest, and what to do."""
        if not self.ground.who.is_split:
            # The report that is read is the one that nobody else can write.
            print("admin, words: many findings are not tried, as all is done by one user", flush=True)
            return
        [path] = self.ground.root.rglob("report.json")
        before = path.read_bytes()
        finding = {"kind": "modified", "changes": ["content", "size", "mtime"], "severity": "HIGH",
                   "before": {"size": 1, "mtime": "2026-01-01T00:00:00Z"}, "after": {"size": 2, "mtime": "2026-01-02T00:00:00Z"}}
        new = {"type": "file", "mode": "0644", "uid": 33, "gid": 33, "size": 9, "mtime": "2026-01-01T00:00:00Z", "inode": 7,
               "ctime": "2026-01-01T00:00:00Z", "nlink": 1, "device": 1, "mount": 1, "sha256": "0123456789abcdef" * 4}
        added = {"kind": "added", "changes": [], "severity": "HIGH", "after": new}
        try:
            # As many as are read just so, each as large as they are.
            self.reported(path, before, added, MOST)
            for page in ("overview", "integrity"):
                answer = self.visitor.get(page)
                expect(f"{MOST:,}" in answer.markup.text and "Too many" not in answer.markup.text, f"{page}: {said(answer)}")
            self.reported(path, before, finding, MANY)
            for page in ("overview", "integrity", "events"):
                answer = self.visitor.get(page)
                expect(page == "events" or f"{MANY:,}" in answer.markup.text, f"{page} does not say how many: {said(answer)}")
                expect(len(answer.body) < 1 << 20, f"{page} has {len(answer.body)} bytes")
            integrity = self.visitor.get("integrity")
            expect("auth.php" in integrity.markup.text and "sudo -u" in integrity.markup.text, said(integrity))
            token = integrity.form(action="log_out").value("csrf")
            refused = self.visitor.ask("POST", "/password/?page=integrity", f"csrf={token}&action=silence&all=yes")
            told = self.visitor.follow(refused.header("location"))
            expect("nothing is silenced" in told.markup.text, f"so many are silenced: {said(told)}")
            self.counts["findings at once"] = MANY
        finally:
            path.write_bytes(before)

    @staticmethod
    def reported(path, before, finding, number):
        findings = [finding | {"path": f"/srv/site/some/directory/of/it/{n}.php"} for n in range(number)]
        path.write_text(json.dumps(json.loads(before) | {"findings": findings, "ok": False}))
