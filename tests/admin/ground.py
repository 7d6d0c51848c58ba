"""An installation to administer: databases of three sides, a log, watched files, keys, sessions, events, with what others
wrote in all of them.

Everybody who writes is hostile here: every text that comes from elsewhere tries to run as a script, ends lines, turns the
direction of writing or is no UTF-8. Whatever runs sets `window.hacked`, or opens a dialog.
"""

import grp
import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import threading

from common import Failure, expect

# What every text of others tries; whatever runs sets window.hacked, or opens a dialog.
SCRIPT = "<script>window.hacked='script';alert(1)</script>"
IMAGE = "<img src=x onerror=\"window.hacked='image'\">"
QUOTES = "\"'><svg onload=window.hacked='quotes'>"
SPACES = "\u202egnp.exe\u0000\u2028\n\r\t</td></table>"
HOSTILE = [SCRIPT, IMAGE, QUOTES, SPACES, "'';!--\"<XSS>=&{()}", "javascript:window.hacked=1"]
# A name that a file can have.
FILE = "\"><img src=x onerror=window.hacked='file'>.html"

BOT_TABLES = """
    CREATE TABLE notes(name TEXT PRIMARY KEY, text TEXT);
    CREATE TABLE links(id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT UNIQUE, user TEXT,
        timestamp DATETIME DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE user_scores(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT, game_type TEXT, score INTEGER DEFAULT 0,
        best_score INTEGER DEFAULT 0, games_played INTEGER DEFAULT 0, last_played DATETIME DEFAULT CURRENT_TIMESTAMP,
        UNIQUE(user, game_type));
    CREATE TABLE bot_config(id INTEGER PRIMARY KEY AUTOINCREMENT, network TEXT, setting_name TEXT, setting_value TEXT,
        updated_at DATETIME DEFAULT CURRENT_TIMESTAMP, UNIQUE(network, setting_name));
"""
USER_TABLES = """
    CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT UNIQUE, email TEXT, password_hash TEXT,
        is_admin INTEGER DEFAULT 0);
"""
SIDES = {"rizon_bot": ["bot", "central", "website"], "users": ["central", "website"]}
# What must never be on a page.
HASH = "$2y$10$NobodyMayEverReadThisInAPageOfOurs"


class Ground:
    def __init__(self, directory, php, who):
        self.directory, self.php, self.who = directory, php, who
        self.root, self.site = directory / "cr0_system", directory / "www"
        self.config = self.root / "cr0sync.json"
        self.watched = self.site / "pages"
        self.places = {"config": str(self.config), "root": str(self.root)}
        self.scripts = self.site
        self.running = threading.Lock()

    def path(self, side, database):
        place = {"bot": self.directory / "bot", "central": self.root / "databases", "website": self.site / "data"}[side]
        return place / f"{database}.db"

    def log(self, side):
        return {"bot": self.directory / "bot/logs/rizon_bot.log", "central": self.root / "logs/irc_networks/rizon/rizon_bot.log",
                "website": self.site / "data/logs/rizon_bot.log"}[side]

    # Laid out.

    def lay_out(self, project):
        cron, web = self.who.cron, self.who.web
        for name in ("cr0_system", "cr0_system/databases", "cr0_system/logs", "cr0_system/logs/security",
                     "cr0_system/logs/integrity", "cr0_system/logs/irc_networks", "cr0_system/logs/irc_networks/rizon",
                     "cr0_system/shared_storage", "bot", "bot/logs"):
            (self.directory / name).mkdir()
            self.who.give(self.directory / name, cron, 0o2775)
        # As the installer makes them: whoever writes there cannot move what is not his.
        self.who.give(self.root, cron, 0o3775)
        for name in ("www", "www/data", "www/data/logs", "www/pages"):
            (self.directory / name).mkdir()
            self.who.give(self.directory / name, web, 0o2775)
        self.install(project)
        self.config.write_text(json.dumps({
            "version": 1,
            "root": ".",
            "databases": {name: {"replicas": {side: str(self.path(side, name)) for side in sides}}
                          for name, sides in SIDES.items()},
            "logs": {"rizon_bot": {"copies": {side: str(self.log(side)) for side in SIDES["rizon_bot"]},
                                   "mirrors": ["website"]}},
            "ownership": {"user": cron, "group": self.group()},
        }), encoding="utf-8")
        self.config.chmod(0o644)
        for name, tables in (("rizon_bot", BOT_TABLES), ("users", USER_TABLES)):
            path = self.path(SIDES[name][0], name)
            with sqlite3.connect(path) as database:
                database.executescript(tables)
            database.close()
            self.who.give(path, cron, 0o664)
        self.fill()

    def group(self):
        return grp.getgrgid(self.who.gid).gr_name

    def install(self, project):
        """The pages and scripts as the installer puts them beside each other, with nothing of the checkout around them."""
        staged, owner = self.directory / "staged", pwd.getpwuid(os.getuid()).pw_name
        names = {"DESTDIR": staged, "ROOT": "/system", "WEB": "/web", "OWNER": owner, "GROUP": grp.getgrgid(os.getgid()).gr_name}
        done = subprocess.run(["sh", project / ".ci/install-system", "install"], capture_output=True, text=True, check=False,
                              env={**os.environ, **{name: str(value) for name, value in names.items()}})
        expect(done.returncode == 0, f"the installer ended with {done.returncode}: {done.stdout}{done.stderr}")
        for path in (staged / "web").iterdir():
            path.rename(self.site / path.name)
        shutil.rmtree(staged)

    def fill(self):
        self.sql("bot", "rizon_bot",
                 ("INSERT INTO notes VALUES('weather', 'fine'), ('motd', 'welcome'), ('topic', 'cats'), ('rules', 'none'),"
                  "('decided', 'base'), ('seen', 'base'), ('machine', 'base')",),
                 *(("INSERT INTO links(url, user) VALUES(?, ?)", f"https://example.org/{n}", text)
                   for n, text in enumerate(HOSTILE)),
                 *(("INSERT INTO user_scores(user, game_type, score) VALUES(?, 'uno', 10)", f"nick{n}") for n in range(140)),
                 *(("INSERT INTO notes VALUES(?, 'base')", text) for text in HOSTILE))
        self.sql("central", "users", ("INSERT INTO users(username, email, password_hash) VALUES('ann', 'a@example.org', ?)", HASH))
        lines = [f"2026-01-01 00:{n // 60:02}:{n % 60:02} EST - bot.rizon - INFO - <nick{n % 7}> line number {n}\n"
                 for n in range(900)]
        lines += [f"2026-01-01 01:00:00 EST - bot.rizon - ERROR - {text}\n"
                  for text in (SCRIPT, IMAGE, QUOTES, "\u202eelif")]
        lines.append("2026-01-01 01:00:01 EST - bot.rizon - INFO - needle in a haystack\n")
        self.log("bot").write_bytes("".join(lines).encode() + b"2026-01-01 01:00:02 EST - bot - INFO - \xff\xfe\x00bytes\n")
        self.who.give(self.log("bot"), self.who.cron, 0o664)
        for name in ("index.html", "auth.php", FILE):
            (self.watched / name).write_text(f"{name} of the site\n")
            self.who.give(self.watched / name, self.who.web, 0o664)
        watch = self.root / "shared_storage/integrity_config.json"
        watch.write_text(json.dumps({"monitored_files": [], "monitored_directories": [str(self.watched)],
                                     "ignore_patterns": ["*.log"]}))
        self.who.give(watch, self.who.cron, 0o664)
        self.cron()
        self.must("security_monitoring_script.php", "baseline")
        self.cron()
        self.must("database_sync_script.php", "backup")
        # What is found: changed, new and gone.
        (self.watched / "auth.php").write_text("<?php // and who else\n")
        (self.watched / FILE).write_text("defaced\n")
        (self.watched / f"new{FILE}").write_text("new\n")
        self.php.call("cr0_integrity_check", self.places)
        for n, text in enumerate([*HOSTILE, "latin1:fffe3c7363726970743e"]):
            details = {"user": text, f"<b>{n}": text, "list": [text, {"deep": text}]}
            severity = ["INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL"][n % 5]
            self.php.call("cr0_event", f"TRY_{n}", details, severity, "192.0.2.7", text, self.places, user=self.who.web)
        for n, text in enumerate((SCRIPT, IMAGE, QUOTES)):
            client = {**self.places, "user_agent": text, "ip": "192.0.2.8"}
            self.php.call("cr0_session_open", "7", ["read"], client, user=self.who.web)
            user = text if n == 0 else "7"
            self.php.call("cr0_api_key_issue", user, f"bot {text}", ["read"], self.places, user=self.who.web)

    # Changed.

    def sql(self, side, database, *statements):
        connection = sqlite3.connect(self.path(side, database), timeout=30)
        try:
            with connection:
                for statement, *values in statements:
                    connection.execute(statement, values)
        finally:
            connection.close()

    def rows(self, side, database, query, *values):
        connection = sqlite3.connect(self.path(side, database), timeout=30)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def everywhere(self, database, query, *values):
        """What all sides say to a question; they must agree."""
        said = {side: self.rows(side, database, query, *values) for side in SIDES[database]}
        expect(len({repr(rows) for rows in said.values()}) == 1, f"the sides differ, {query}: {said}")
        return next(iter(said.values()))

    def conflict(self, note, bot, website):
        """Two sides change the same note; what is made of it is listed."""
        self.sql("bot", "rizon_bot", ("UPDATE notes SET text = ? WHERE name = ?", bot, note))
        self.sql("website", "rizon_bot", ("UPDATE notes SET text = ? WHERE name = ?", website, note))
        self.cron()
        for one in reversed(self.conflicts()):
            if one["key"].get("name") == note and one["status"] == "open":
                return one
        raise Failure(f"no conflict of {note} is on record")

    def deletion(self, note):
        """One side changes a note that another deletes; the change wins."""
        self.sql("bot", "rizon_bot", ("INSERT INTO notes VALUES(?, 'base')", note))
        self.cron()
        self.sql("bot", "rizon_bot", ("UPDATE notes SET text = 'the row that goes' WHERE name = ?", note))
        self.sql("website", "rizon_bot", ("DELETE FROM notes WHERE name = ?", note))
        self.cron()
        found = next(one for one in reversed(self.conflicts()) if one["key"].get("name") == note)
        expect(found["winner"] == "bot" and found["values"]["website"] is None, f"the conflict is {found}")
        return found

    def conflicts(self):
        return self.php.call("cr0_db_conflicts", self.places)["conflicts"]

    def runs(self):
        """Those that did something, the newest first."""
        return self.php.call("cr0_db_history", self.places)["runs"]

    def requests(self):
        return self.php.call("cr0_db_queue", self.places)["requests"]

    def events(self, kind):
        return self.php.call("cr0_event_query", {"type": kind, "limit": 1000}, self.places)["events"]

    def undone_with_warnings(self):
        """A run is undone whose row was changed since, which the undo warns of; and the undo is undone."""
        self.sql("bot", "rizon_bot", ("INSERT INTO notes VALUES('warned', 'a'), ('and gone', 'a')",))
        self.cron()
        first = self.runs()[0]["run"]
        self.sql("bot", "rizon_bot", ("UPDATE notes SET text = 'b' WHERE name = 'warned'",))
        self.cron()
        self.php.call("cr0_db_undo", first, self.places)
        self.php.call("cr0_db_undo", self.runs()[0]["run"], self.places)
        newest = self.runs()[:2]
        expect(newest[0]["kind"].startswith("undo") and newest[1]["databases"]["rizon_bot"]["warnings"], f"runs are {newest}")

    # Cron.

    def script(self, name, *words):
        return self.php.run(name, self.scripts / name, *words, "--json", "--config", self.config)

    def must(self, name, *words, codes=(0,)):
        code, out, err = self.script(name, *words)
        expect(code in codes, f"{name} {' '.join(words)} ended with {code}: {out}{err}")
        return out

    def cron(self):
        """What a minute of cron does. Findings and conflicts are no failures."""
        with self.running:
            self.must("database_sync_script.php", "bidirectional", codes=(0, 1, 69, 70))
            self.must("log_sync_script.php", "bidirectional", codes=(0, 1))
            self.must("security_monitoring_script.php", "run", codes=(0, 1))
