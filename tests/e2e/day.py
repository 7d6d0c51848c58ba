"""What happens on the machine that `e2e.py` makes: installs as an operator does, lets it run, and reckons at the end.

    python3 day.py CHECKOUT MINUTES

Nobody here knows how cr0sync works: what all sides must hold at the end is what the ledgers of the writers say.
"""

import collections
import fcntl
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import http.client
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT, WEB, BOTS = Path("/data/cr0_system"), Path("/var/www/html"), Path("/home/cr0/cr0bot")
LEDGERS = Path("/home/cr0/ledgers")
METRICS = Path("/var/lib/prometheus/node-exporter")
# Who is told of bad events: a program that writes down what it is given.
TELL, TOLD = Path("/home/cr0/tell"), Path("/home/cr0/told")
NETWORKS = ["rizon", "libera"]
# One that every user may run, with the SQLite of the system, as the bots have it.
PYTHON = "/usr/bin/python3"
JOBS = ["databases", "logs", "security"]
# Where a database lies on each side.
SIDES = {
    "rizon_bot": [BOTS, ROOT / "databases", WEB / "data"],
    "libera_bot": [BOTS, ROOT / "databases", WEB / "data"],
    "users": [ROOT / "databases", WEB / "data"],
    "breakout_scores": [ROOT / "databases", WEB / "data"],
}
BOT_TABLES = """
    CREATE TABLE conversation_history(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT, message TEXT, response TEXT,
        timestamp DATETIME DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE user_scores(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT, game_type TEXT, score INTEGER DEFAULT 0,
        best_score INTEGER DEFAULT 0, games_played INTEGER DEFAULT 0, last_played DATETIME DEFAULT CURRENT_TIMESTAMP,
        UNIQUE(user, game_type));
    CREATE TABLE links(id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT UNIQUE, user TEXT,
        timestamp DATETIME DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE bean_images(id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT UNIQUE, view_count INTEGER DEFAULT 0);
    CREATE TABLE bot_config(id INTEGER PRIMARY KEY AUTOINCREMENT, network TEXT, setting_name TEXT, setting_value TEXT,
        updated_at DATETIME DEFAULT CURRENT_TIMESTAMP, UNIQUE(network, setting_name));
    INSERT INTO bean_images(url) VALUES('bean0'), ('bean1'), ('bean2');
    INSERT INTO bot_config(network, setting_name, setting_value) VALUES('libera', 'greeting', 'hello');
"""
SITE_TABLES = {
    "users": "CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT UNIQUE, email TEXT)",
    "breakout_scores": "CREATE TABLE breakout_scores(id INTEGER PRIMARY KEY AUTOINCREMENT, player_name TEXT, score INTEGER,"
                       " level_reached INTEGER, date_played DATETIME DEFAULT CURRENT_TIMESTAMP)",
}
# A crontab as people have one.
FOREIGN = '# what I had before\nSHELL=/bin/sh\n* * * * * echo tick >> /home/cr0/ticks\n\n'
NGINX = """server {
    listen 127.0.0.1:80;
    root /var/www/html;
    location / { fastcgi_pass unix:/run/php/php-fpm.sock; include fastcgi_params;
                 fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }
}
"""


class Failure(Exception):
    """Something that must not be."""


def main():
    checkout, minutes = Path(sys.argv[1]), float(sys.argv[2])
    day = Day(checkout)
    try:
        day.install()
        day.begin()
        day.work(minutes * 60)
        day.settle()
        day.check()
        day.remove()
    except Failure as failure:
        print(f"e2e: FAILED\n{failure}\n{day.told()}", flush=True)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"e2e: FAILED: {error}\n{error.stdout}{error.stderr}\n{day.told()}", flush=True)
        return 1
    print(f"e2e: ok, {', '.join(f'{amount} {what}' for what, amount in sorted(day.counts.items()))}", flush=True)
    return 0


def run(*command, user=None, check=True, **options):
    """A command, as another user where that is said; what it printed."""
    words = [str(word) for word in command]
    if user:
        words = ["runuser", "-u", user, "--", *words]
    return subprocess.run(words, check=check, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options).stdout


def wait_for(what, is_so, seconds):
    end = time.monotonic() + seconds
    while not (found := is_so()):
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(0.2)
    return found


def loopback():
    """Brings the loopback interface of a new network namespace up, as no program for that may be there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up = struct.pack("16sh14x", b"lo", 0x1 | 0x40)
        fcntl.ioctl(any_socket, 0x8914, up)


class Day:
    def __init__(self, checkout):
        self.checkout = checkout
        self.counts = collections.Counter()
        self.chance = random.Random()
        self.bots, self.servers = {}, []
        self.pages = []
        self.quiet = threading.Event()
        self.wrong = []

    # An operator sets it up.

    def install(self):
        loopback()
        run("useradd", "--create-home", "--groups", "www-data", "cr0")
        Path("/home/cr0").chmod(0o755)
        run("make", "-C", self.checkout, "install", env={**os.environ, "DESTDIR": ""})
        run("make", "-C", self.checkout, "install-system")
        METRICS.mkdir(parents=True, exist_ok=True)
        shutil.chown(METRICS, "cr0", "cr0")
        settings = ROOT / "cron.env"
        settings.write_text(re.sub(r"(?m)^METRICS=$", f"METRICS={METRICS}", settings.read_text()))
        TELL.write_text(f"#!/bin/sh\ncat >>{TOLD}\n")
        TELL.chmod(0o755)
        (ROOT / "cr0sync.json").write_text(json.dumps({"version": 1, "alerts": {"command": [str(TELL)]}}))
        for place, owner, mode in ((BOTS, "cr0", 0o2775), (BOTS / "logs", "cr0", 0o2775), (WEB / "data", "www-data", 0o2775),
                                   (WEB / "data/logs", "www-data", 0o2775), (LEDGERS, "cr0", 0o755)):
            place.mkdir(parents=True, exist_ok=True)
            shutil.chown(place, owner, "www-data")
            place.chmod(mode)
        shutil.copy(HERE / "page.php", WEB / "page.php")
        # Where the bots may read them, wherever the checkout is.
        shutil.copy(HERE / "ircbot.py", BOTS / "ircbot.py")
        shutil.copy(self.checkout / "tests/abi/bot.py", BOTS / "bot.py")
        for name in ("auth.php", "admin_panel.php", "security_middleware.php", "session_security.php", "input_sanitizer.php",
                     ".htaccess", "index.html"):
            (WEB / name).write_text(f"{name} of the site\n")
        (WEB / "core").mkdir(exist_ok=True)
        for network in NETWORKS:
            self.database("cr0", BOTS / f"{network}_bot.db", BOT_TABLES)
        for name, tables in SITE_TABLES.items():
            self.database("www-data", WEB / "data" / f"{name}.db", tables)
        # They meet before anybody writes: a sum that differs at first is for a person to decide.
        for script in ("cron_sync_databases.sh", "cron_sync_logs.sh"):
            run(ROOT / script, user="cr0")
        for name, places in SIDES.items():
            for place in places:
                if not (place / f"{name}.db").exists():
                    raise Failure(f"the first run does not bring {name} to {place}")
        run("php", WEB / "security_monitoring_script.php", "baseline", user="cr0")

    @staticmethod
    def database(user, path, tables):
        program = "import os, sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2]); os.chmod(sys.argv[1], 0o664)"
        run(PYTHON, "-c", program, path, tables, user=user)

    def begin(self):
        subprocess.run(["runuser", "-u", "cr0", "--", "crontab", "-"], input=FOREIGN, text=True, check=True)
        run(ROOT / "install_crontabs.sh", user="cr0")
        version = run("php", "-r", "echo PHP_MAJOR_VERSION, '.', PHP_MINOR_VERSION;")
        Path("/run/php").mkdir(exist_ok=True)
        sites = Path("/etc/nginx/sites-enabled")
        for site in sites.iterdir():
            site.unlink()
        (sites / "default").write_text(NGINX)
        pool = Path(f"/etc/php/{version}/fpm/pool.d/www.conf")
        text = re.sub(r"(?m)^listen = .*$", "listen = /run/php/php-fpm.sock", pool.read_text())
        pool.write_text(text)
        self.serve(f"php-fpm{version}", "--nodaemonize")
        self.serve("nginx", "-g", "daemon off;")
        who = wait_for("the website", lambda: self.page(do="who"), 30)
        if who["user"] != "www-data" or who["sapi"] != "fpm-fcgi":
            raise Failure(f"this is not php-fpm as www-data: {who}")
        self.serve("cron", "-f")

    def serve(self, *command):
        program = shutil.which(command[0], path="/usr/sbin:/usr/bin:/sbin:/bin")
        with open("/tmp/servers.log", "ab") as log:
            self.servers.append(subprocess.Popen([program, *command[1:]], stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    # Everybody works, and some die.

    def start_bot(self, network):
        ledger = LEDGERS / f"{network}.jsonl"
        with open(f"/tmp/{network}.log", "ab") as log:
            self.bots[network] = subprocess.Popen(
                ["runuser", "-u", "cr0", "--", PYTHON, "-B", str(BOTS / "ircbot.py"), network, str(ledger)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def work(self, seconds):
        for network in NETWORKS:
            (LEDGERS / f"{network}.jsonl").touch()
            shutil.chown(LEDGERS / f"{network}.jsonl", "cr0")
            self.start_bot(network)
        end = time.monotonic() + seconds
        visitor = threading.Thread(target=self.visit, args=(end,))
        killer = threading.Thread(target=self.kill_runs, args=(end,), daemon=True)
        visitor.start()
        killer.start()
        is_changed = False
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, self.chance.uniform(8, 20)))
            network = self.chance.choice(NETWORKS)
            if self.bots[network].poll() is not None:
                raise Failure(f"the bot of {network} ended: {Path(f'/tmp/{network}.log').read_text()}")
            self.kill(lambda one: "ircbot.py" in one["words"] and network in one["words"] and one["user"] == "cr0", "bots killed")
            self.bots[network].wait()
            self.start_bot(network)
            if self.chance.random() < 0.5:
                self.kill(lambda one: "pool www" in one["words"], "processes of php-fpm killed")
            if not is_changed and left < seconds / 2:
                # Somebody breaks in.
                with open(WEB / "auth.php", "a") as page:
                    page.write("// and who else\n")
                is_changed = True
        visitor.join()
        killer.join()
        for network, bot in self.bots.items():
            wait_for(f"the end of the bot of {network}", lambda bot=bot: self.has_ended(bot), 30)
        if self.wrong:
            raise Failure("\n".join(self.wrong))

    def has_ended(self, bot):
        """Tells the bots to end, again at each question: one that was started a moment ago is runuser still, which is spared."""
        self.kill(lambda one: "ircbot.py" in one["words"] and one["user"] == "cr0", "times that a bot was told to end", signal.SIGTERM)
        return bot.poll() is not None

    def visit(self, end):
        """A visitor of the website: what was acknowledged counts."""
        n = 0
        while time.monotonic() < end:
            n += 1
            do = ["register", "score", "look", "set", "event", "limit"][n % 6]
            answer = self.page(do=do, n=n)
            if answer is None:
                # The process that had it was killed, before or after it had done that.
                self.pages.append((do, n, False))
                self.counts["pages cut"] += 1
            else:
                self.pages.append((do, n, True))
                self.counts["pages answered"] += 1
                if do == "limit" and answer["allowed"] is not True:
                    self.wrong.append(f"a visitor was refused: {answer}")
            time.sleep(self.chance.uniform(0.05, 0.2))

    @staticmethod
    def page(**query):
        connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=30)
        try:
            connection.request("GET", "/page.php?" + "&".join(f"{name}={value}" for name, value in query.items()))
            answer = connection.getresponse()
            return json.loads(answer.read()) if answer.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    @staticmethod
    def processes():
        found = []
        for place in Path("/proc").iterdir():
            if place.name.isdigit():
                try:
                    words = place.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    user = pwd.getpwuid(place.stat().st_uid).pw_name
                    found.append({"pid": int(place.name), "words": words, "user": user})
                except (OSError, KeyError):
                    pass
        return found

    def kill(self, which, what, how=signal.SIGKILL):
        for one in self.processes():
            if which(one) and not one["words"].startswith("runuser"):
                try:
                    os.kill(one["pid"], how)
                    self.counts[what] += 1
                except ProcessLookupError:
                    pass

    def kill_runs(self, end):
        """Ends runs that cron started, at any moment of theirs; never all of them."""
        seen = set()
        while time.monotonic() < end:
            for one in self.processes():
                if one["user"] == "cr0" and one["pid"] not in seen and re.match(r"(\S*/)?php \S*_script\.php", one["words"]):
                    seen.add(one["pid"])
                    if self.chance.random() < 0.6:
                        time.sleep(self.chance.uniform(0, 0.08))
                        try:
                            os.kill(one["pid"], signal.SIGKILL)
                            self.counts["runs killed"] += 1
                        except ProcessLookupError:
                            pass
            time.sleep(0.005)

    # All is quiet, and cron goes on.

    @staticmethod
    def stamp(job):
        try:
            text = (ROOT / "sync_state/cron" / job).read_text()
        except OSError:
            return {}
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def settle(self):
        since = time.time()

        def has_run(job, count):
            stamp = self.stamp(job)
            return int(stamp.get("last_run", 0)) > since + 60 * (count - 1) and stamp.get("last_exit") in ("0", "1")
        # Twice: what the first of them finds of a killed run, the second must find finished.
        for job in JOBS:
            wait_for(f"two runs of cron over {job}", lambda job=job: has_run(job, 2), 240)
        alerts = ROOT / "logs/integrity/integrity_alerts.json"

        def is_told():
            try:
                told = json.loads(alerts.read_text())
            except (OSError, ValueError):
                return False
            return any(one["file"] == str(WEB / "auth.php") and one["type"] == "FILE_MODIFIED" for one in told)
        wait_for("the file that somebody changed is told", is_told, 400)

        def events():
            told = TOLD.read_text() if TOLD.exists() else ""
            return [event for line in told.splitlines() for event in json.loads(line)["events"]]
        wait_for("the program for bad events is told as well",
                 lambda: any(str(WEB / "auth.php") in json.dumps(event) for event in events()), 120)

    # The reckoning.

    def check(self):
        wrong = self.wrong
        for name, places in SIDES.items():
            contents = [self.content(place / f"{name}.db") for place in places]
            for place, content in zip(places, contents):
                for table in content.keys() | contents[0].keys():
                    if content.get(table) != contents[0].get(table):
                        here, first = (collections.Counter(one.get(table)) for one in (content, contents[0]))
                        wrong.append(f"{name}.{table}: only in {place} {list(here - first)[:3]}, only in {places[0]} "
                                     f"{list(first - here)[:3]}")
        for network in NETWORKS:
            wrong += self.check_bot(network)
        wrong += self.check_site()
        wrong += self.check_events()
        wrong += self.check_operation()
        wrong += self.check_watch()
        if wrong:
            raise Failure("\n".join(f"  {line}" for line in wrong[:40]) + f"\n  {len(wrong)} differences")

    @staticmethod
    def rows(path, sql):
        # What is not there is not made.
        db = sqlite3.connect(f"file:{path}?mode=rw", timeout=10, uri=True)
        try:
            return db.execute(sql).fetchall()
        except sqlite3.OperationalError as error:
            raise Failure(f"{path}: {error}") from None
        finally:
            db.close()

    def content(self, path):
        """All rows of all tables, without the ids that each side gives."""
        if self.rows(path, "PRAGMA quick_check") != [("ok",)]:
            raise Failure(f"{path} is damaged")
        content = {}
        for (table,) in self.rows(path, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
            columns = [row[1] for row in self.rows(path, f"PRAGMA table_info({table})") if row[1] != "id"]
            content[table] = sorted(self.rows(path, f"SELECT {', '.join(columns)} FROM {table}"), key=repr)
        return content

    def check_bot(self, network):
        """What the ledger of a bot says, against what the archive's side holds."""
        wrong = []
        began, done, logged, events = {}, {}, [], []
        for line in (LEDGERS / f"{network}.jsonl").read_text().splitlines():
            line = json.loads(line)
            if "did" in line:
                began[line["n"]] = line["did"]
            elif "done" in line:
                done[line["n"]] = line["done"]
            elif "logged" in line:
                logged.append(line["n"])
            elif "event" in line:
                events.append(line["n"])
            else:
                wrong.append(f"the bot of {network}: {line}")
        place = ROOT / "databases" / f"{network}_bot.db"
        said = collections.Counter(row[0] for row in self.rows(place, "SELECT message FROM conversation_history"))
        links = {row[0] for row in self.rows(place, "SELECT url FROM links")}
        want_said, want_links, scores = collections.Counter(), set(), collections.defaultdict(lambda: (0, 0))
        for n, did in began.items():
            # Where a kill fell upon COMMIT, all of it is there or nothing.
            if done.get(n) is False or (n not in done and f"{network} {n}" not in said):
                continue
            self.counts["transactions of bots"] += 1
            for what, name, *by in did:
                if what == "said":
                    want_said[f"{network} {name}"] = 1
                elif what == "link":
                    want_links.add(name)
                elif what == "scored":
                    score, games = scores[name]
                    scores[name] = (score + by[0], games + 1)
        for what, have, want in (("conversation_history", set(said.items()), set(want_said.items())), ("links", links, want_links)):
            if have != want:
                wrong.append(f"{network}.{what}: lacks {sorted(want - have)[:3]}, has {sorted(have - want)[:3]} too many")
        have = {row[0]: row[1:] for row in self.rows(place, "SELECT user, score, games_played FROM user_scores")}
        if have != dict(scores):
            wrong.append(f"{network}.user_scores holds {have}, must be {dict(scores)}")
        wrong += self.check_log(network, logged)
        self.events = getattr(self, "events", 0) + len(events)
        return wrong

    def check_log(self, network, logged):
        """Each line once, in order, on all sides. A bot that is killed may have logged one that is not in its ledger."""
        wrong = []
        name = f"{network}_bot.log"
        source = (BOTS / "logs" / name).read_text()
        numbers = [int(number) for number in re.findall(r"(?m) - message (\d+)$", source)]
        if missing := set(logged) - set(numbers):
            wrong.append(f"the bot's own log lacks {sorted(missing)[:5]}")
        for place in (ROOT / "logs/irc_networks" / network / name, WEB / "data/logs" / name):
            if place.read_text() != source:
                found = [int(number) for number in re.findall(r"(?m) - message (\d+)$", place.read_text())]
                extra, lacks = collections.Counter(found) - collections.Counter(numbers), set(numbers) - set(found)
                wrong.append(f"{place} is not {BOTS / 'logs' / name}: lacks {sorted(lacks)[:5]}, too often {list(extra)[:5]}")
        self.counts["lines of logs"] += len(numbers)
        return wrong

    def check_site(self):
        wrong = []
        known = lambda what: {n for do, n, is_sure in self.pages if do == what and is_sure}
        cut = lambda what: {n for do, n, is_sure in self.pages if do == what and not is_sure}
        databases = ROOT / "databases"
        for what, name, sql in (("register", "users", "SELECT substr(username, 8) FROM users"),
                                ("score", "breakout_scores", "SELECT score FROM breakout_scores")):
            found = [int(row[0]) for row in self.rows(databases / f"{name}.db", sql)]
            lacks, more = known(what) - set(found), collections.Counter(found) - collections.Counter(known(what) | cut(what))
            if lacks or more:
                wrong.append(f"{name}: lacks {sorted(lacks)[:5]}, has {list(more)[:5]} too many")
        views = sum(row[0] for row in self.rows(databases / "rizon_bot.db", "SELECT view_count FROM bean_images"))
        least, most = len(known("look")), len(known("look") | cut("look"))
        if not least <= views <= most:
            wrong.append(f"images were seen {views} times, and looked at {least} to {most} times")
        greeting = self.rows(BOTS / "libera_bot.db", "SELECT setting_value FROM bot_config")
        last = max(known("set"), default=0)
        if not greeting or int(greeting[0][0].rsplit(" ", 1)[1]) not in {last} | {n for n in cut("set") if n > last}:
            wrong.append(f"the bot greets with {greeting}, and the website said hello {last}")
        return wrong

    def check_events(self):
        wrong = []
        log = ROOT / "logs/security/security_events.json"
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        visits = {line["details"]["n"] for line in lines if line["type"] == "page_visit"}
        if lacks := {n for do, n, is_sure in self.pages if do == "event" and is_sure} - visits:
            wrong.append(f"events lack {sorted(lacks)[:5]}")
        if (found := sum(line["type"] == "bot_count" for line in lines)) < self.events:
            wrong.append(f"{found} events of bots, {self.events} were recorded")
        self.counts["events"] += len(lines)
        done = subprocess.run(["runuser", "-u", "cr0", "--", "php", WEB / "security_monitoring_script.php", "verify-events"],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            wrong.append(f"verify-events ends with {done.returncode}: {done.stdout}{done.stderr}")
        return wrong

    def check_operation(self):
        """What an operator looks at."""
        wrong = []
        for name, source in (("cron_database_sync.log", "cron.databases"), ("cron_log_sync.log", "cron.logs"),
                             ("cron_security.log", "cron.security")):
            text = (ROOT / "logs" / name).read_text()
            if not re.search(rf"(?m)^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC - {re.escape(source)} - ", text):
                wrong.append(f"{name} has no line of ours: {text[-300:]}")
        for script in ("database_sync_script.php", "log_sync_script.php", "security_monitoring_script.php"):
            done = subprocess.run(["runuser", "-u", "cr0", "--", "php", WEB / script, "status", "--json"],
                                  capture_output=True, text=True, check=False)
            if done.returncode not in (0, 1):
                wrong.append(f"{script} status ends with {done.returncode}: {done.stdout}{done.stderr}")
        verify = subprocess.run(["runuser", "-u", "cr0", "--", "php", WEB / "log_sync_script.php", "verify"],
                                capture_output=True, text=True, check=False)
        if verify.returncode != 0:
            wrong.append(f"log_sync_script.php verify ends with {verify.returncode}: {verify.stdout}{verify.stderr}")
        conflicts = json.loads(run("php", WEB / "database_sync_script.php", "conflicts", "--json", user="cr0"))["conflicts"]
        if conflicts:
            wrong.append(f"conflicts where one side wrote: {conflicts[:3]}")
        ticks = Path("/home/cr0/ticks")
        self.counts["minutes of cron"] = len(ticks.read_text().splitlines()) if ticks.exists() else 0
        if self.counts["minutes of cron"] < 3:
            wrong.append("the lines of the crontab that are not ours do not run")
        for what in ("runs killed", "bots killed", "pages answered", "lines of logs"):
            if self.counts[what] == 0:
                wrong.append(f"no {what}: nothing was tried")
        return wrong

    @staticmethod
    def check_watch():
        """What tells people that all is well, or is not."""
        wrong = []
        # As an operator does: the change was his, and a job that somebody has killed is done again.
        for words in (("accept", WEB / "auth.php"), ("archive",)):
            run("php", WEB / "security_monitoring_script.php", *words, user="cr0")
        run(ROOT / "cron_security_monitoring.sh", user="cr0")
        for user in ("root", "cr0"):
            doctor = json.loads(run("runuser", "-u", user, "--", "php", WEB / "log_sync_script.php", "doctor", "--json", check=False))
            # Of the machine that the test runs on.
            wrong += [f"doctor, as {user}: {one}" for one in doctor["findings"]
                      if one["state"] != "ok" and one["check"] not in ("clock", "filesystems", "space")]
        tried = subprocess.run([ROOT / "test_cron_scripts.sh"], capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            wrong.append(f"test_cron_scripts.sh ends with {tried.returncode}: {tried.stdout}{tried.stderr}")
        metrics = (METRICS / "cr0sync.prom").read_text()
        for name in SIDES:
            if f'cr0sync_database_conflicts_open{{database="{name}"}} 0\n' not in metrics:
                wrong.append(f"the metrics have no conflicts of {name}, or some: {metrics[:500]}")
        checked = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True, check=False)
        if checked.returncode != 0 or checked.stderr:
            wrong.append(f"promtool: {checked.stdout}{checked.stderr}")
        return wrong

    def remove(self):
        run(ROOT / "remove_crontabs.sh", user="cr0")
        left = run("crontab", "-l", user="cr0")
        if left != FOREIGN:
            raise Failure(f"remove_crontabs.sh leaves {left!r}, there was {FOREIGN!r}")

    @staticmethod
    def told():
        """What there is to read after a failure."""
        lines = []
        for path in [Path("/tmp/servers.log"), *sorted((ROOT / "logs").glob("cron_*.log"))]:
            if path.exists():
                lines += [f"--- {path}", *path.read_text(errors="replace").splitlines()[-25:]]
        return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
