"""What somebody looks for who has never seen the pages: what a run did, what cron does, what comes of a click, which command to
enter, and what is not there.
"""

import fcntl
import html
import json
import re
import shlex
import time

from common import expect
from servers import PASSWORD
from told import Row, read
from visitor import Visitor, said

# Pages of things that are not there.
NOTHING = (("nonsense", {}), ("history", {"run": "999999"}), ("history", {"undo": "999999"}), ("conflicts", {"id": "999999"}),
           ("backups", {"restore": "rizon_bot:bot:1999-01-01_00-00-00"}))
# What one cannot paste, as it names no file.
BARE = re.compile(r"php (database_sync|log_sync|security_monitoring)_script\.php")


class Newcomer:
    def __init__(self, ground, servers, counts):
        self.ground, self.servers, self.counts = ground, servers, counts
        self.visitor = None

    def show(self):
        self.visitor = Visitor(self.servers.port, "password", "127.0.6.7").log_in(PASSWORD)
        self.runs()
        self.decided()
        self.clicked()
        self.restoring()
        self.previews()
        self.nothing_there()
        self.events()
        self.cron()
        self.advice()
        self.sentences()
        self.silenced()
        self.sides()

    def code(self, code, *arguments):
        """What a piece of PHP prints that uses the classes of the pages."""
        text = (f"require '{self.ground.site}/cr0sync/admin/src/autoload.php'; $all = json_decode($argv[1] ?? '[]', true);"
                f"$library = static fn () => null; {code}")
        ended = self.ground.php.run("classes", "-r", text, "--", *arguments)
        expect(ended[0] == 0 and not ended[2], f"{code} ended with {ended}")
        return ended[1]

    # Runs.

    def row(self, run):
        page = self.visitor.get("history")
        rows = [Row(text).markup_text for text in re.findall(r"<tr>.*?</tr>", page.body, re.DOTALL)]
        return next(row for row in rows if re.match(rf"Run {run}\b", row))

    def runs(self):
        """One row of one database is one row, and the other databases are not named."""
        self.ground.cron()
        self.ground.sql("bot", "rizon_bot", ("INSERT INTO notes VALUES('newcomer', 'a')",))
        self.ground.cron()
        run = self.ground.runs()[0]["run"]
        row, page = self.row(run), read(self.visitor.get("history", run=run))
        expect("1 on 2 sides" in row and "rizon_bot 1 unchanged" in row and "users" not in row, f"run {run} is listed as {row}")
        expect("Rows new: 1 on 2 sides; databases: rizon_bot (1 unchanged)." in page, f"run {run} did: {page[:600]}")
        sides = {"inserted": [1, 3], "updated": [0, 0], "deleted": [2, 0], "rekeyed": [0, 1], "lock_ms": [0, 0]}
        told = json.loads(self.code("echo json_encode(Cr0Sync\\Admin\\Pages\\History\\Runs::onSides($all));", json.dumps(
            {"databases": {"a": {"sides": {side: {name: all_[at] for name, all_ in sides.items()}
                                           for at, side in enumerate(("x", "y"))}}}})))
        expect(told == {"inserted": "1 to 3 on 2 sides", "updated": "1 on 1 side", "deleted": "2 on 1 side"}, f"{told}")
        # What is always done is no warning.
        self.visitor.act(self.visitor.get("history", undo=run).form(action="undo"))
        self.ground.cron()
        undo = self.ground.runs()[0]["run"]
        page = self.visitor.get("history", run=undo)
        expect("was copied to" in page.markup.text and ">Notes<" in page.body and ">Warnings<" not in page.body, said(page))
        expect("warning" not in self.row(undo), f"copies are warnings: {self.row(undo)}")

    def decided(self):
        self.ground.sql("bot", "rizon_bot", ("INSERT OR REPLACE INTO notes VALUES('chosen', 'base')",))
        self.ground.cron()
        conflict = self.ground.conflict("chosen", "1", "2")["id"]
        self.visitor.act(self.visitor.get("conflicts", id=conflict).form(action="resolve"), take="website")
        self.ground.cron()
        run = next(one["run"] for one in self.ground.runs() if one["kind"] == "resolve")
        page = self.visitor.get("history", run=run)
        expect(f"It decided conflict {conflict}." in read(page)
               and self.visitor.address_of("conflicts", id=conflict) in page.markup.links, f"run {run} decided: {said(page)}")
        self.ground.conflict("chosen", "3", "4")
        other = self.ground.conflicts()[-1]["id"]
        self.ground.must("database_sync_script.php", "resolve", other, "--take", "website")
        run = self.ground.runs()[0]["run"]
        expect("by the command resolve on the machine" in read(self.visitor.get("history", run=run)), f"run {run} is unexplained")

    # Clicks.

    def clicked(self):
        self.ground.sql("bot", "rizon_bot", ("INSERT OR REPLACE INTO notes VALUES('clicked', 'a')",))
        self.ground.cron()
        run = self.ground.runs()[0]["run"]
        page = self.visitor.act(self.visitor.get("history", undo=run).form(action="undo"))
        notice = re.search(r'id="notice">(.*?)</div>', page.body)[1]
        expect(notice == f"Undo of run {run} is asked for; cron does it within a minute.", f"told is {notice}")
        headings = re.findall(r"<h2>(.*?)</h2>", page.body)
        expect(headings.index("Asked of cron") < headings.index("The last 24 hours"), f"what waits is below: {headings}")
        expect('data-live="3"' in page.body and "<noscript> Load this page again to see.</noscript>" in page.body,
               f"what waits is not looked at: {page.body[-3000:]}")
        expect('data-live="3"' in self.visitor.get("overview").body, "the overview looks no sooner")
        self.ground.cron()
        page = self.visitor.get("history")
        expect("data-live" not in page.body and "<noscript>" not in page.body, "it is waited for still")
        expect('data-live="10"' in self.visitor.get("overview").body, "the overview looks as often as before")

    def restoring(self):
        backup = next(one for one in self.ground.php.call("cr0_db_backups", self.ground.places)["backups"]
                      if one["database"] == "users" and one["side"] == "website")["id"]
        self.ground.sql("website", "users", ("INSERT INTO users(username) VALUES('since the backup')",))
        before = len(self.ground.requests())
        page = self.visitor.get("backups", restore=backup)
        page = self.visitor.act(page.form(action="look"))
        [table] = re.findall(r"<caption>Rows that each side would get</caption>.*?</table>", page.body, re.DOTALL)
        cells = [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", table)]
        expect(cells[2] == "website" and cells[5] == "1" and len(cells) == 8, f"would be written: {cells}")
        expect(">Warnings<" not in page.body and "1 deleted" in page.markup.text, f"{said(page)}")
        expect(len(self.ground.requests()) == before, "looking asks for it")
        self.ground.sql("website", "users", ("DELETE FROM users WHERE username = 'since the backup'",))

    def previews(self):
        """What would be written is told to who asks by a form: to tell it keeps runs off, which no address may do by itself."""
        backup = self.ground.php.call("cr0_db_backups", self.ground.places)["backups"][0]["id"]
        self.ground.sql("bot", "rizon_bot", ("INSERT OR REPLACE INTO notes VALUES('previewed', 'a')",))
        self.ground.cron()
        run, plan = self.ground.runs()[0]["run"], "Rows that each side would get"
        for page, query in (("backups", {"restore": backup}), ("history", {"undo": run}),
                            ("overview", {"ask": "sync-from", "database": "users", "side": "website"})):
            asking = self.visitor.get(page, **query, look=1)
            expect(plan not in asking.body, f"{page} looks when its address is called")
            form = asking.form(action="look")
            forged = self.visitor.submit(form, csrf="0" * 64)
            expect(forged.status == 403, f"{page}: another site's form is answered with {forged.status}")
            led = self.visitor.submit(form).header("location")
            for how in ({"X-Live": "1"}, {}):
                shown = self.visitor.ask("GET", led, headers=how)
                expect((plan in shown.body) == (how == {}), f"{page} is shown, {how}: {said(shown)}")
            expect("data-live" not in shown.body, f"{page} loads the plan again and again")
            expect(plan not in self.visitor.follow(led).body, f"{page} looks again when it is loaded again")

            with open(self.ground.root / "sync_state/lock", "r+b") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                busy = self.visitor.act(form)
            expect("A run is at work now" in busy.markup.text and str(self.ground.root / "sync_state") not in busy.markup.text,
                   f"{page}, with a run at work: {said(busy)}")
            self.visitor.act(busy.form(action="look"))
            self.counts["looks ahead"] += 1

    def nothing_there(self):
        for page, query in NOTHING:
            answer = self.visitor.ask("GET", self.visitor.address_of(page, **query))
            expect(answer.status == 404 and "<nav" in answer.body and "There is no" in answer.markup.text,
                   f"{page} {query} is answered with {answer.status}: {said(answer)}")
            self.counts["things that are not there"] += 1
        answer = self.visitor.ask("GET", "/password/?page=login")
        expect(answer.status == 303 and "page=overview" in answer.header("location"), f"who is in logs in: {answer.status}")

    # Events.

    def events(self):
        details = {"kind": "modified", "file": "/srv/site/a.php", "expires_at": 1_790_000_000, "seen_at": 1_790_000_000_000,
                   "size": 1_790_000_000, "after": {"mtime": 1_790_000_000}}
        self.ground.php.call("cr0_event", "SEEN_FIRST", details, "LOW", "127.0.0.1", "", self.ground.places)
        body = self.visitor.get("events", type="SEEN_FIRST").body
        summary = html.unescape(re.search(r"<summary>(.*?)</summary>", body)[1])
        expect(summary.startswith("/srv/site/a.php, kind: modified, expires_at: 2026-09-21 14:13:20 UTC, "
                                  "seen_at: 2026-09-21 14:13:20 UTC, size: 1790000000"), f"the summary is {summary}")
        expect(re.search(r"mtime </strong><code>2026-09-21 14:13:20 UTC", body), "a time within is a number")

    # Overview.

    def cron(self):
        """The three scripts, of what they write down themselves, whatever others put there."""
        place, now = self.ground.root / "sync_state/cron", int(time.time())
        place.mkdir(exist_ok=True)
        self.ground.who.give(place, self.ground.who.cron, 0o2750)
        before = {path: path.read_text() for path in place.iterdir() if path.is_file()}
        try:
            for job, text in (("databases", f"last_run={now - 30}\nlast_exit=0\nlast_success={now - 30}\n"),
                              ("logs", f"last_run={now - 7200}\nlast_exit=137\nstarted={now - 9000}\n"),
                              ("security", "last_run=nonsense\nlast_exit=\x1b\n")):
                (place / job).write_text(f"cr0sync cron 1\n{text}")
                self.ground.who.give(place / job, self.ground.who.cron, 0o640)
            page = self.visitor.get("overview")
            part = page.body.split('id="cron"')[1].split("</table>")[0]
            rows = {Row(text).markup_text.split()[0]: Row(text).markup_text for text in re.findall(r"<tr>.*?</tr>", part)}
            words = {"cron_sync_databases.sh": ("seconds ago", "well"), "cron_sync_logs.sh": ("2 hours ago", "took too long", "late"),
                     "cron_security_monitoring.sh": ("never",)}
            for script, all_words in words.items():
                expect(all(word in rows[script] for word in all_words), f"{script} is shown as {rows[script]}")
            expect("not known to the website" not in page.markup.text, "jobs of which nothing is known are listed")
            expect(self.section({"check": None, "limits": None}).count("<table>") == 1, "a table of what nobody knows")
            expect("Files are compared" in self.section({"check": "2026-01-01T00:00:00Z", "limits": None}), "what is known is gone")
            at_work = f"last_run={now - 90}\nlast_exit=1\nstarted={now - 20}\ntimeout=600\n"
            hung = f"last_run={now - 900}\nlast_exit=2\nstarted={now - 800}\ntimeout=60\n"
            (place / "databases").write_text(f"cr0sync cron 1\n{at_work}")
            (place / "logs").write_text(f"cr0sync cron 1\n{hung}")
            (place / "security").write_text("cr0sync cron 2\nlast_run=5\n")
            section = self.section({})
            for word in ("something to look at", "at work", "failed", "(exit code 2)", "began and did not end", "never, or"):
                expect(word in section, f"cron is shown without {word!r}: {section}")
            self.ahead(place, now)
        finally:
            for job in ("databases", "logs", "security"):
                (place / job).unlink(missing_ok=True)
            for path, text in before.items():
                path.write_text(text)

    def ahead(self, place, now):
        """What is yet to come was not: neither a time ago, nor well, as where the clock was set back."""
        ran = f"last_run={now + 3600}\nlast_exit=0\nlast_success={now + 3600}\n"
        (place / "databases").write_text(f"cr0sync cron 1\n{ran}")
        (place / "logs").write_text(f"cr0sync cron 1\nlast_run={now - 30}\nlast_exit=0\nstarted={now + 3600}\ntimeout=600\n")
        (place / "security").write_text(f"cr0sync cron 1\nlast_run={now + 2}\nlast_exit=0\nlast_success={now + 2}\n")
        late, began, well = re.findall(r"<tr>.*?</tr>", self.section({}))[1:4]
        for row in (late, began):
            expect("was the clock set back?" in row and "waits for its minute" not in row and "at work" not in row, f"{row}")
        expect(late.count("60 minutes ahead of the clock") == 2 and "in 60 minutes" not in late, f"what is yet to come is {late}")
        expect("ahead" not in well and "waits for its minute" in well, f"a second ahead is {well}")
        told = self.code("echo Cr0Sync\\Admin\\Ui::time($all[0])->markup, '|', Cr0Sync\\Admin\\Ui::until($all[0])->markup;",
                         json.dumps([time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 7200))]))
        was, until = told.split("|")
        expect("2 hours ahead of the clock" in was and "state warn" in was, f"a time that was is {was}")
        expect("in 2 hours" in until and "ahead" not in until, f"an end that is yet to come is {until}")

    def section(self, jobs):
        return self.code("echo Cr0Sync\\Admin\\Pages\\Overview\\Cron::section($all[0], $all[1])->markup;",
                         json.dumps([str(self.ground.root), jobs]))

    def advice(self):
        """Commands are whole, and each can be copied on its own; what is no command stays words."""
        page = self.visitor.get("overview")
        expect(not BARE.search(page.markup.text) and "run doctor" not in page.markup.text, "a command names no file")
        commands = [html.unescape(one) for one in re.findall(r'<code class="command" data-copy>(.*?)</code>', page.body)]
        ours = [shlex.split(one) for one in commands if "_script.php" in one]
        expect(ours, f"no command of ours is advised: {commands}")
        for words in ours:
            script = words[words.index("php") + 1]
            expect(script == str(self.ground.site / script.rsplit("/", 1)[1]) and "--root" in words, f"advised is {words}")
        expect("The settings in force" not in page.markup.text, "it is sent to settings that show nothing of it")
        where = "--root '/data/x y'"
        cases = {
            f"sudo -u cr0 php security_monitoring_script.php check {where} shows what; where that is well, sudo -u cr0 php "
            f"security_monitoring_script.php accept PATH {where} (or baseline, for all at once), else put it back":
                [f"sudo -u cr0 php {{}}/security_monitoring_script.php check {where}",
                 f"sudo -u cr0 php {{}}/security_monitoring_script.php accept PATH {where}"],
            "sh /data/install_crontabs.sh, and sh '/data/x y/test_cron_scripts.sh'":
                ["sh /data/install_crontabs.sh", "sh '/data/x y/test_cron_scripts.sh'"],
            "as root: usermod -aG www-data cr0 && setpriv --reuid=33 chmod g+rwx '/srv/a, b; c'":
                ["usermod -aG www-data cr0 && setpriv --reuid=33 chmod g+rwx '/srv/a, b; c'"],
            "grep ERROR /data/logs/cron.log | tail": ["grep ERROR /data/logs/cron.log | tail"],
            "run doctor as the user of the jobs or as root, where crontab -l works":
                ["sudo -u cr0 php DATABASES doctor"],
            "as root: run doctor, or see what df says of it": ["sudo php DATABASES doctor"],
            "put another file there, or install the program": [],
        }
        for advice, wanted in cases.items():
            told = self.code(
                "$r = new ReflectionClass(Cr0Sync\\Admin\\Operator::class); $make = static function (string $script) use ($r) {"
                "$one = $r->newInstanceWithoutConstructor(); (fn () => [$this->before = \"sudo -u cr0 php $script\","
                "$this->after = ''])->call($one); return $one; };"
                "echo (new Cr0Sync\\Admin\\Advice($make('SECURITY'), $make('DATABASES')))->html($all[0])->markup;", json.dumps([advice]))
            found = [html.unescape(one) for one in re.findall(r"data-copy>(.*?)</code>", told)]
            expect(found == [one.format(self.ground.site) for one in wanted], f"of {advice!r} can be copied {found}")
            self.counts["pieces of advice"] += 1

    def sentences(self):
        """What the library says has times as the pages write them, wherever it is said; a path has none."""
        word = "it is so since 2026-11-25T10:00:00.123Z, see /a/2026-11-25T10:00:00Z"
        wanted = "it is so since 2026-11-25 10:00:00 UTC, see /a/2026-11-25T10:00:00Z"
        database = {"state": "held", "reason": word, "warnings": [word], "sides": {}}
        held = {"state": "held", "open_conflicts": 0, "last_run": None, "last_change": None, "paused": {"t": {"since": None, "reason": word}},
                "held": {"since": None, "reason": word}, "quarantined": {"bot": {"since": None, "reason": word}}, "sides": {}}
        finding = {"kind": "modified", "path": "/a", "severity": "LOW", "reason": word, "changes": [], "silenced": False}
        row = "the row (2026-01-01 10:00:00) of table t stays"
        database["warnings"].append(row)
        code = ("use Cr0Sync\\Admin\\{Forms, Notice, Operator, Results, RunView}; use Cr0Sync\\Admin\\Pages\\FindingRows;"
                "use Cr0Sync\\Admin\\Pages\\Overview\\Databases; [$database, $held, $finding] = $all;"
                "$operator = (new ReflectionClass(Operator::class))->newInstanceWithoutConstructor();"
                "(fn () => [$this->before = '', $this->after = ''])->call($operator);"
                "$rows = iterator_to_array((new FindingRows($operator))->rows([$finding]));"
                "$notice = new ReflectionMethod('Cr0Sync\\Admin\\Layout', 'notice');"
                "foreach ([RunView::databases(['d' => $database]), Results::words(['databases' => ['d' => $database]]),"
                " (new Databases(new Forms('/', 'x', ''), 'hub'))->section(['databases' => ['d' => $held]]), $rows[0][3],"
                " $notice->invoke(null, Notice::failed($database['reason']))] as $one) { echo $one->markup, \"\\n\\0\"; }")
        said_by = self.code(code, json.dumps([database, held, finding])).split("\0")[:-1]
        expect(len(said_by) == 5, f"{said_by}")
        for one in said_by:
            expect(wanted in one and word not in one, f"a time is as the library has it: {one}")
            self.counts["sentences with a time"] += 1
        expect(row in said_by[0] and row in said_by[1], f"a value of a row is given a zone: {said_by[:2]}")

    def silenced(self):
        """What somebody has silenced needs nobody, and is counted as that."""
        finding = {"kind": "modified", "path": "/a", "severity": "HIGH", "changes": []}
        told = {"state": "problem", "check": "security", "what": "2 findings in the last check, at 2026-01-01T00:00:00Z",
                "where": None, "do": "look"}
        for silenced, wanted in (((True, True), None), ((False, True), "2 findings (1 silenced) in the last check"),
                                 ((False, False), "2 findings in the last check")):
            last = {"at": "2026-01-01T00:00:00Z", "findings": [finding | {"silenced": one} for one in silenced]}
            status = {"problems": [], "databases": {"databases": {}}, "security": {"last_check": last}}
            words = self.code(
                "$advice = (new ReflectionClass(Cr0Sync\\Admin\\Advice::class))->newInstanceWithoutConstructor();"
                "$forms = new Cr0Sync\\Admin\\Forms('/', 'overview', '');"
                "echo (new Cr0Sync\\Admin\\Pages\\Overview\\Needs($forms, $advice))->section($all[0], $all[1], null)->markup;",
                json.dumps([status, {"findings": [told]}]))
            expect(("All is well" in words) if wanted is None else (wanted in words), f"{silenced} is told as {words}")

    def sides(self):
        """What is wrong with a side has a line of its own below it, as wide as the table."""
        side = {"path": "/a", "exists": True, "bytes": 1, "journal_mode": "wal", "owner": "a", "lag": 0, "problem": None}
        database = {"state": "problem", "open_conflicts": 0, "last_run": None, "last_change": None, "held": None, "paused": [],
                    "quarantined": [], "sides": {"hub": side, "bot": side | {"problem": "it is no database"}}}
        told = self.code("$forms = new Cr0Sync\\Admin\\Forms('/', 'overview', '');"
                         "echo (new Cr0Sync\\Admin\\Pages\\Overview\\Databases($forms, 'hub'))->section($all)->markup;",
                         json.dumps({"databases": {"a": database}}))
        expect(told.count('<tr class="below">') == 1 and ">Problem<" not in told, told)
        below = re.search(r'<tr class="below"><td colspan="7"[^>]*>(.*?)</td>', told)
        expect(below and "bot: it is no database" in below[1], told)
