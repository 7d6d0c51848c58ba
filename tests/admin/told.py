"""What the pages say: what was decided and undone, what a choice takes away, when something was, in which unit, and what to do
where nothing is found. Each of it is read as somebody reads it who has not built it.
"""

import html
import html.parser
import json
import re
import urllib.parse

from common import Failure, expect
from servers import PASSWORD
from visitor import Visitor, said

EXACT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
# A time as only machines write it, or with no zone.
BARE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?! UTC)")
AGO = re.compile(r"\b\d+ (s|min|h|seconds?|minutes?|hours?|days?) ago\b")


class Times(html.parser.HTMLParser):
    """All elements `time`, and the words outside of them, of code, of logs and of what others wrote."""

    VOID = ("input", "meta", "link", "br", "img")

    def __init__(self, text, others=()):
        super().__init__(convert_charrefs=True)
        self.times, self.words, self.open, self.others = [], [], [], others
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append((tag, dict(attrs)))
        if tag == "time":
            self.times.append(dict(attrs) | {"text": ""})

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        tags = [tag for tag, _ in self.open]
        if "time" in tags:
            self.times[-1]["text"] += data
        elif not {"script", "style", "code", "ol", "option", *self.others} & set(tags):
            self.words.append(data)


def read(page):
    """What a page says, as it is read."""
    return re.sub(r" ([,.:])", r"\1", page.markup.text)


class Told:
    def __init__(self, ground, servers, counts):
        self.ground, self.servers, self.counts = ground, servers, counts
        self.visitor = None

    def show(self):
        self.visitor = Visitor(self.servers.port, "password", "127.0.6.5").log_in(PASSWORD)
        self.decided()
        self.deleting()
        self.undone()
        self.emergency_copies()
        self.times()
        self.headings()
        self.events()

    # Conflicts.

    def decided(self):
        conflict = self.ground.conflict("decided", "of the bot", "of the website")
        form = self.visitor.get("conflicts", id=conflict["id"]).form(action="resolve", take="website")
        self.visitor.act(form, take="website")
        self.ground.cron()
        run = self.ground.runs()[0]
        expect(run["kind"] == "resolve", f"the newest run is {run}")
        for query in ({"id": conflict["id"]}, {"status": "resolved", "order": "newest"}):
            page = self.visitor.get("conflicts", **query)
            found = re.search(r"Decided: website was taken, asked for by admin page: admin .{1,20}" + EXACT.pattern
                              + rf", done .{{1,20}}{EXACT.pattern} by run {run['run']}\.", read(page))
            expect(found and self.visitor.address_of("history", run=run["run"]) in page.markup.links,
                   f"{query} does not say what was decided: {said(page)}")
            expect(f"{conflict['winner']} won at first" in page.markup.text, f"{query}: {said(page)}")
        expect("website (taken)" in page.markup.text, f"it is not marked what was taken: {said(page)}")
        self.undo(run["run"])
        page = self.visitor.get("conflicts", id=conflict["id"])
        undo = self.ground.runs()[0]["run"]
        expect(f"That run was undone by run {undo}." in read(page), f"it does not say that this was undone: {said(page)}")
        self.forgotten(conflict)
        self.seen()
        self.on_the_machine()

    def forgotten(self, conflict):
        """What came of requests is kept for a week; after that the event log knows who asked."""
        [results] = self.ground.root.rglob("queue/results")
        kept = {path: path.read_bytes() for path in results.glob("*.json")}
        for path in kept:
            path.unlink()
        text = read(self.visitor.get("conflicts", id=conflict["id"]))
        for path, content in kept.items():
            path.write_bytes(content)
            self.ground.who.give(path, self.ground.who.cron, 0o644)
        expect(re.search(r"Decided: website was taken, asked for by admin page: admin .{1,20}" + EXACT.pattern, text),
               f"after a week nobody knows who decided: {text[:1500]}")

    def seen(self):
        conflict = self.ground.conflict("seen", "1", "2")
        form = self.visitor.get("conflicts", id=conflict["id"]).form(action="resolve", seen="1")
        self.visitor.act(form, seen="1")
        self.ground.cron()
        page = self.visitor.get("conflicts", id=conflict["id"])
        expect(re.search(r"Acknowledged, asked for by admin page: admin .{1,20}" + EXACT.pattern, read(page)),
               f"it does not say who has seen it: {said(page)}")

    def on_the_machine(self):
        conflict = self.ground.conflict("machine", "1", "2")
        self.ground.must("database_sync_script.php", "resolve", conflict["id"], "--take", "website")
        for query in ({"id": conflict["id"]}, {"status": "resolved", "order": "newest"}):
            page = self.visitor.get("conflicts", **query)
            expect("Settled: by the command resolve" in read(page), f"{query} says of one settled there: {said(page)}")

    def deleting(self):
        """A choice that deletes a row shows it first, and is asked once more; with a form that is sent, and no script."""
        conflict = self.ground.deletion("deleted")
        identity, count = conflict["id"], lambda: len(self.ground.requests())
        before, where = count(), self.visitor.address_of("conflicts", id=identity, take="website")
        for page in (self.visitor.get("conflicts", order="newest"), self.visitor.get("conflicts", id=identity)):
            expect(where in page.markup.links and not page.has_form(conflict=identity, take="website"),
                   f"a row can be deleted at once: {said(page)}")
        # A form of another page, or one that was written by hand, is led there.
        form = page.form(action="resolve", conflict=identity)
        for more in ({}, {"sure": "1"}, {"sure": "0" * 64}):
            led = self.visitor.submit(form, take="website", **more)
            expect(led.header("location") == where and count() == before, f"{more} deletes: {led.header('location')}")
        asking = self.visitor.follow(led.header("location"))
        expect("the row that goes" in asking.markup.text and "deletes this row of rizon_bot.notes" in asking.markup.text
               and "Nothing is asked for yet" in asking.markup.text, f"the row is not shown: {said(asking)}")
        form = asking.form(action="resolve", take="website", conflict=identity)
        expect(count() == before, "looking at the row that goes deletes it")
        # What was agreed to is this row, as it was seen.
        stale = self.visitor.submit(form, sure=form.value("sure")[::-1])
        expect(stale.header("location") == where and count() == before, "another row was agreed to, and this one goes")
        answer = self.visitor.act(form)
        expect("is asked for" in answer.markup.text and count() == before + 1, f"it cannot be asked for: {said(answer)}")
        self.ground.cron()
        rows = self.ground.everywhere("rizon_bot", "SELECT * FROM notes WHERE name = 'deleted'")
        expect(rows == [], f"the row is there still: {rows}")
        page = self.visitor.get("conflicts", id=identity)
        expect("website was taken, so the row was deleted" in page.markup.text, f"{said(page)}")
        self.counts["deletions confirmed"] += 1

    # Runs.

    def undone(self):
        self.ground.sql("bot", "rizon_bot", ("INSERT INTO notes VALUES('undone', 'oops')",))
        self.ground.cron()
        first = self.ground.runs()[0]["run"]
        self.undo(first)
        second = self.ground.runs()[0]["run"]
        one, two = (self.visitor.address_of("history", run=run) for run in (first, second))
        row = self.row(first)
        expect(f"undone by run {second}" in row.markup_text and two in row.links, f"the list says of run {first}: {row}")
        row = self.row(second)
        expect(f"undo of run {first}" in row.markup_text and one in row.links, f"the list says of run {second}: {row}")
        page = self.visitor.get("history", run=first)
        undo = self.visitor.address_of("history", undo=first)
        expect(f"undone by run {second}" in page.markup.text and two in page.markup.links, said(page))
        expect(undo not in page.markup.links, f"a run that was undone can be undone again: {said(page)}")
        there = self.visitor.get("history", run=second)
        expect(one in there.markup.links and self.visitor.address_of("history", undo=second) in there.markup.links,
               f"no way back from run {second}: {said(there)}")
        # Neither by the page that asks, nor by a form from before.
        page = self.visitor.follow(undo)
        expect(f"undone already, by run {second}" in page.markup.text and not page.has_form(action="undo"), said(page))
        before, token = len(self.ground.requests()), page.form(action="log_out").value("csrf")
        answer = self.visitor.ask("POST", "/password/?page=history",
                                  urllib.parse.urlencode({"csrf": token, "action": "undo", "run": first}))
        answer = self.visitor.follow(answer.header("location"))
        expect("undone already" in answer.markup.text and len(self.ground.requests()) == before, said(answer))
        # What undid it is undone itself: then it stands again, and can be undone again.
        self.undo(second)
        third = self.ground.runs()[0]["run"]
        expect("undone" not in self.row(first).markup_text, f"{self.row(first)}")
        expect(f"undone by run {third}" in self.row(second).markup_text, f"{self.row(second)}")
        expect(undo in self.visitor.get("history", run=first).markup.links, "what stands again cannot be undone")
        rows = self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'undone'")
        expect(rows == [("oops",)], f"after the undo of the undo the sides have {rows}")
        self.counts["runs undone"] += 2
        self.undone_in_part()

    def undone_in_part(self):
        """On the machine a run can be undone in one database: the rest of it stands, and can be undone too."""
        self.ground.sql("bot", "rizon_bot", ("INSERT INTO notes VALUES('part', 'stays')",))
        self.ground.sql("website", "users", ("INSERT INTO users(username) VALUES('part')",))
        self.ground.cron()
        run = self.ground.runs()[0]["run"]
        self.ground.php.call("cr0_db_undo", run, {**self.ground.places, "database": "users"})
        undo = self.ground.runs()[0]["run"]
        page = self.visitor.get("history", run=run)
        expect(f"undone in part by run {undo}. What it wrote to rizon_bot still stands." in read(page)
               and self.visitor.address_of("history", undo=run) in page.markup.links, said(page))
        self.undo(run)
        expect(f"undone by run {self.ground.runs()[0]['run']}, run {undo}" in read(self.visitor.get("history", run=run)),
               "after the rest was undone it is not said that all of it is")

    def undo(self, run):
        answer = self.visitor.act(self.visitor.get("history", undo=run).form(action="undo"))
        expect("is asked for" in answer.markup.text, said(answer))
        waiting = self.visitor.get("history", run=run)
        expect("is asked for already" in waiting.markup.text, f"nothing says that it waits: {said(waiting)}")
        self.ground.cron()

    def row(self, run):
        """The row of a run in the list."""
        page = self.visitor.get("history")
        for text in re.findall(r"<tr>.*?</tr>", page.body, re.DOTALL):
            row = Row(text)
            if re.match(rf"Run {run}\b", row.markup_text):
                return row
        raise Failure(f"run {run} is not listed: {said(page)}")

    # Backups.

    def emergency_copies(self):
        backups = self.ground.php.call("cr0_db_backups", self.ground.places)["backups"]
        kinds = {one["id"]: ":emergency:" in one["id"] for one in backups}
        expect(len(set(kinds.values())) == 2, f"there are not both kinds of backups: {kinds}")
        for database in ("rizon_bot", "users"):
            page = self.visitor.get("backups", database=database)
            rows = [Row(text) for text in re.findall(r"<tr>.*?</tr>", page.body, re.DOTALL)]
            for row in rows:
                identity = next((urllib.parse.unquote(link.split("restore=")[1]) for link in row.links if "restore=" in link), None)
                if identity is not None:
                    words = "emergency copy" if kinds[identity] else "regular backup"
                    expect(words in row.markup_text, f"{identity} is shown as {row.markup_text}")
                    self.counts["backups whose kind is said"] += 1
        emergency = next(identity for identity, is_one in kinds.items() if is_one)
        page = self.visitor.get("backups", restore=emergency)
        expect("emergency copy" in page.markup.text, said(page))

    # Times, units and headings.

    def times(self):
        """Each time says how long ago, exactly when, and in which zone."""
        # For its sake a backup is kept, which is said with a time.
        self.ground.deletion("kept")
        expect("the last before the open conflict of" in self.visitor.get("backups").markup.text, "no backup is kept for it")
        pages = ("conflicts", "history", "backups", "events")
        addresses = [self.visitor.address_of(page) for page in pages]
        for page in pages:
            addresses += [link for link in self.visitor.get(page).markup.links if f"page={page}&" in link][:12]
        seen = 0
        for address in dict.fromkeys(addresses):
            # What an event says, others wrote.
            page = Times(self.visitor.follow(address).body, ["summary"] if "page=events" in address else [])
            for one in page.times:
                expect(EXACT.fullmatch(one.get("title", "")) and one.get("datetime", "").endswith("+00:00") and one["text"],
                       f"{address}: a time is {one}")
                seen += 1
            words = " ".join(page.words)
            for pattern in (BARE, AGO):
                if found := pattern.search(words):
                    raise Failure(f"{address}: {words[max(0, found.start() - 80):found.end() + 40]!r}")
        expect(seen > 50, f"{seen} times were seen")
        self.counts["times that say exactly when"] += seen
        # Where people compare times, the exact one needs no pointer.
        for page, least in (("history", 3), ("backups", 3), ("events", 20)):
            found = EXACT.findall(self.visitor.get(page).markup.text)
            expect(len(found) >= least, f"{page} shows {len(found)} exact times")

    def headings(self):
        """Tables say what they are, and what their numbers count."""
        wanted = {"history": ["Rows new", "Rows changed", "Rows deleted", "Longest lock (ms)",
                              "Runs that did something, the newest first"],
                  "backups": ["Backups by database and side, the newest first", "Kind"],
                  "events": ["Events of the log and its archives, the newest first"],
                  "overview": ["Asked of cron", "Requests: what waits first, then the newest"]}
        for page, all_words in wanted.items():
            text = self.visitor.get(page).markup.text
            for words in all_words:
                expect(words in text, f"{page} does not say {words!r}: {text[:1500]}")
        run = self.visitor.get("history", run=self.ground.runs()[0]["run"]).markup.text
        expect("Rows written to each side" in run and "Locked for (ms)" in run, f"{run[:1500]}")

    # Events.

    def events(self):
        self.paged()
        self.loosened()

    def paged(self):
        """What was chosen stays chosen on the next page, and severities are words."""
        chosen = {"severity": "INFO", "ip": "127.0.6.5", "text": "user", "since": "2020-01-01", "until": "2090-01-01"}
        code = ("for ($n = 0; $n < 120; $n++) { cr0_event('PAGED', ['user' => $n], 'HIGH', '127.0.6.5', '',"
                " json_decode($argv[1], true)); }")
        ended = self.ground.php.run("events", "-r", code, "--", json.dumps(self.ground.places))
        expect(ended[0] == 0, f"{ended}")
        page, pages = self.visitor.get("events", type="PAGED", **chosen), 0
        while True:
            form = next(form for form in page.markup.forms if form.method == "get")
            for name, value in {"type": "PAGED", **chosen}.items():
                expect(form.value(name) == value, f"page {pages} of events has {name} {form.value(name)!r}")
            expect("HIGH" in page.markup.text and ">HIGH</span>" in page.body, f"a severity is no word: {said(page)}")
            older = [link for link in page.markup.links if ">Older<" in page.body and "skip=" in link][-1:]
            if not older:
                break
            page, pages = self.visitor.follow(older[0]), pages + 1
        expect(pages == 2, f"120 events are {pages + 1} pages")

    def loosened(self):
        page = self.visitor.get("events", type="PAGED", severity="CRITICAL", ip="127.0.6.5")
        text = page.markup.text
        for words in ("No event fits all of these filters", "Without the severity CRITICAL there are events.",
                      "Without the type PAGED there is none either.", "Without the address 127.0.6.5 there is none either."):
            expect(words in text, f"it does not say {words!r}: {text[:1500]}")
        [link] = [one for one in page.markup.links if "severity" not in one and "type=PAGED" in one]
        expect("No event" not in self.visitor.follow(link).markup.text, "what is to be left out helps nothing")
        alone = self.visitor.get("events", type="NEVER_WRITTEN")
        expect("Without the type NEVER_WRITTEN there are events." in alone.markup.text, said(alone))


class Row:
    """A row of a table."""

    def __init__(self, text):
        self.links = [html.unescape(link) for link in re.findall(r'href="([^"]*)"', text)]
        self.markup_text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())

    def __repr__(self):
        return self.markup_text
