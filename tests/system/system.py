"""The system as it is installed: its tree, its cron scripts, its crontab and its timers, on real users, locks and files.

Each test installs into a directory of its own. As root that is done for a user who is made for the test and removed at its
end; as anybody else for whoever runs it, and what needs two users is counted as skipped. Cron itself does not run here: the
scripts are called as it would call them, with an environment of almost nothing.

    python3 -B tests/system/system.py EXTENSION.so [TEST...]

The last line is `N passed, N failed, N skipped`.
"""

import atexit
import fcntl
import grp
import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
SYSTEM = PROJECT / "php" / "system"
JOBS = {"databases": "cron_sync_databases.sh", "logs": "cron_sync_logs.sh", "security": "cron_security_monitoring.sh"}
LOGS = {"databases": "cron_database_sync.log", "logs": "cron_log_sync.log", "security": "cron_security.log"}
LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC - cron\.(databases|logs|security) - (INFO|WARNING|ERROR) - .+$")
IS_ROOT = os.geteuid() == 0
# Whoever does not come to an end in this many seconds never will.
PATIENCE = 120

DIRECTORIES = """
databases logs logs/security logs/security/events logs/security/alerts logs/security/audit logs/security/analysis logs/api
logs/file_access logs/integrity logs/website logs/website/errors logs/website/security logs/irc_networks
logs/irc_networks/rizon logs/irc_networks/libera shared_storage
""".split()


class Skipped(Exception):
    """What this machine does not offer."""


def must(what, message):
    """That something is so."""
    if not what:
        raise AssertionError(message)


def same(is_so, should, what):
    """That something is what it should be."""
    must(is_so == should, f"{what}:\n   is     {is_so!r}\n   should {should!r}")


def need_root():
    """For what only two users can show."""
    if not IS_ROOT:
        raise Skipped("only root can make another user")


class User:
    """Whose the installation is: one made for this test, where it is root that runs it."""

    def __init__(self):
        if IS_ROOT:
            self.name = f"cr0test{os.getpid()}"
            group = "www-data"
            subprocess.run(["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--groups", group,
                            "--shell", "/usr/sbin/nologin", self.name], check=True)
            atexit.register(self.remove)
        else:
            self.name = pwd.getpwuid(os.geteuid()).pw_name
            group = grp.getgrgid(os.getegid()).gr_name
        self.group = group

    def stop(self):
        """Whatever runs as the user who was made for this test, and as nobody else."""
        if not IS_ROOT:
            return
        number = pwd.getpwnam(self.name).pw_uid
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if process.stat().st_uid == number:
                    os.kill(int(process.name), signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                pass

    def remove(self):
        """Leaves the machine as it was."""
        self.stop()
        subprocess.run(["crontab", "-u", self.name, "-r"], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["userdel", self.name], check=True)


class Place:
    """An installation in a directory of its own."""

    def __init__(self, user, extension):
        self.user, self.begun = user, []
        self.top = Path(tempfile.mkdtemp(prefix="cr0sync-system-"))
        self.top.chmod(0o755)
        self.root, self.web = self.top / "root", self.top / "web"
        shutil.copy(extension, self.top / "cr0sync.so")
        self.program("php", f'exec {shutil.which("php")} -d extension={self.top}/cr0sync.so "$@"')

    def remove(self):
        """All of it, and whatever is at work in it still."""
        for process in self.begun:
            process.kill()
            process.wait(PATIENCE)
        self.user.stop()
        shutil.rmtree(self.top)

    def program(self, name, text):
        """A program of a few lines."""
        path = self.top / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def make(self, target="install-system", **variables):
        """What a person types."""
        told = {"ROOT": self.root, "WEB": self.web, "OWNER": self.user.name, "GROUP": self.user.group} | variables
        return subprocess.run(
            ["make", "-s", "-C", PROJECT, target, *[f"{name}={value}" for name, value in told.items()]],
            check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def install(self, **settings):
        """With a database on two sides and a log with two copies."""
        self.make()
        for name in ["site", "bot"]:
            (self.top / name).mkdir()
            self.give(self.top / name, 0o2775)
        self.write("cr0sync.json", json.dumps({
            "version": 1, "ownership": {"user": self.user.name, "group": self.user.group},
            "databases": {"users": {"replicas": {
                "central": "databases/users.db", "website": str(self.top / "site/users.db")}}},
            "logs": {"rizon_bot": {"copies": {
                "bot": str(self.top / "bot/rizon_bot.log"),
                "central": "logs/irc_networks/rizon/rizon_bot.log"}}}}))
        self.write("shared_storage/integrity_config.json", json.dumps({
            "monitored_files": [], "monitored_directories": [str(self.web)], "auto_update_baseline": False,
            "check_interval_minutes": 60, "alert_on_new_files": True, "alert_on_missing_files": True,
            "ignore_patterns": []}))
        self.set(PHP=self.top / "php", **settings)

    def give(self, path, mode):
        """To the owner and the group, as the site has it."""
        if IS_ROOT:
            shutil.chown(path, self.user.name, self.user.group)
        path.chmod(mode)

    def write(self, name, text, mode=0o664):
        """A file below the root."""
        path = self.root / name
        path.write_text(text)
        self.give(path, mode)

    def set(self, **settings):
        """Settings of the cron scripts."""
        path = self.root / "cron.env"
        text = path.read_text()
        for name, value in settings.items():
            text, count = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.M)
            must(count == 1, f"cron.env does not know {name}")
        path.write_text(text)

    def as_owner(self, *command):
        """A command with what cron gives: little."""
        bare = ["env", "-i", "HOME=/", f"LOGNAME={self.user.name}", "SHELL=/bin/sh", "PATH=/usr/bin:/bin", *command]
        return ["runuser", "-u", self.user.name, "--", *bare] if IS_ROOT else bare

    def said(self, *command):
        """How a command of the owner ended, and all that it said."""
        done = subprocess.run(self.as_owner(*map(str, command)), text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout

    def run(self, job, *words):
        """A cron script, which says nothing and ends well."""
        same(self.said(self.root / JOBS[job], *words), (0, ""), job)

    def begin(self, job):
        """A cron script that goes on by itself."""
        quiet = subprocess.DEVNULL
        self.begun.append(subprocess.Popen(self.as_owner(str(self.root / JOBS[job])), stdin=quiet, stdout=quiet, stderr=quiet))
        return self.begun[-1]

    def log(self, job):
        """The lines of its log, each of which has the form that the site knows."""
        lines = (self.root / "logs" / LOGS[job]).read_text().splitlines()
        for line in lines:
            must(LINE.match(line), f"not a line of a log: {line!r}")
        return lines

    def told(self, job):
        """Its log without times, and without what it says each hour."""
        words = [line.split(" - ", 2)[2] for line in self.log(job)]
        return [re.sub(r"\d+ ms", "N ms", line) for line in words if " - running: " not in f" - {line.split(' - ', 1)[1]}"]

    def state(self, job):
        """What it remembers."""
        lines = (self.root / "sync_state/cron" / job).read_text().splitlines()
        same(lines[0], "cr0sync cron 1", "the first line")
        return {name: int(value) for name, value in (line.split("=") for line in lines[1:])}

    def age(self, job, **seconds):
        """Makes what it remembers so much older."""
        path = self.root / "sync_state/cron" / job
        text = path.read_text()
        for name, older in seconds.items():
            text = re.sub(rf"^{name}=(\d+)$", lambda found, older=older, name=name:
                          f"{name}={max(0, int(found[1]) - older)}", text, flags=re.M)
        path.write_text(text)

    def sql(self, side, *statements):
        """As the owner of a side writes there."""
        path = {"central": self.root / "databases/users.db", "website": self.top / "site/users.db"}[side]
        connection = sqlite3.connect(path)
        with connection:
            rows = [connection.execute(one).fetchall() for one in statements]
        connection.close()
        if IS_ROOT:
            shutil.chown(path, self.user.name, self.user.group)
        path.chmod(0o664)
        return rows[-1]

    def tree(self, below):
        """Every file and directory there: mode, owner, group, content."""
        found = {}
        for path in sorted(Path(below).rglob("*")):
            stat = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
            found[str(path.relative_to(below))] = (
                f"{stat.st_mode & 0o7777:o}", pwd.getpwuid(stat.st_uid).pw_name, grp.getgrgid(stat.st_gid).gr_name, content)
        return found


def until(what, message):
    """Waits for something that comes by itself."""
    for _ in range(PATIENCE * 20):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError(message)


# What is written.

def shells_understand_the_scripts(_place):
    """Dash, which is what runs them, and shellcheck."""
    scripts = [str(path) for path in [*SYSTEM.glob("*.sh"), PROJECT / ".ci/install-system", HERE / "run.sh"]]
    for script in scripts:
        done = subprocess.run(["dash", "-n", script], capture_output=True, text=True, check=False)
        same((done.returncode, done.stderr), (0, ""), script)
    done = subprocess.run(["shellcheck", "-x", *scripts], capture_output=True, text=True, check=False, cwd=PROJECT)
    same((done.returncode, done.stdout), (0, ""), "shellcheck")


def systemd_understands_the_units(place):
    """As systemd itself reads them."""
    if shutil.which("systemd-analyze") is None:
        raise Skipped("there is no systemd-analyze")
    place.install(CONFIG=place.root / "cr0sync.json")
    units = place.top / "units"
    timers = place.root / "install_timers.sh"
    code, printed = place.said(timers, "--print")
    same(code, 0, printed)
    code, said = place.said("mkdir", units) if not IS_ROOT else (0, "")
    done = subprocess.run([timers, "--to", units], capture_output=True, text=True, check=False)
    same(done.returncode, 0, done.stderr)
    names = sorted(path.name for path in units.iterdir())
    same(names, sorted(path.name for path in (SYSTEM / "systemd").iterdir()), "units")
    for name in names:
        text = (units / name).read_text()
        must("@" not in text, f"{name} has a place that nothing was put in:\n{text}")
        must(text in printed, f"--print shows another {name}")
    done = subprocess.run(["systemd-analyze", "verify", *[str(units / name) for name in names]],
                          capture_output=True, text=True, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "cr0sync" in line]
    same((done.returncode, about_ours), (0, []), "systemd-analyze")
    must(f"User={place.user.name}" in (units / "cr0sync-logs.service").read_text(), "the user")
    # A unit of somebody else stays.
    (units / "cr0sync-logs.timer").write_text("# another\n")
    done = subprocess.run([timers, "--to", units, "--remove"], capture_output=True, text=True, check=False)
    same(done.returncode, 2, done.stderr)
    same(len(list(units.iterdir())), len(names), "nothing is removed")
    (units / "cr0sync-logs.timer").unlink()
    subprocess.run([timers, "--to", units, "--remove"], check=True, stdout=subprocess.DEVNULL)
    same(list(units.iterdir()), [], "what stays")


# What is installed.

def the_tree_is_as_it_should_be(place):
    """Each directory and file, its mode, owner and group."""
    said = place.make()
    must("warning" not in said, said)
    user, group = place.user.name, place.user.group
    expected = {name: ("2775", user, group) for name in DIRECTORIES}
    expected |= {f"logs/{name}": ("664", user, group) for name in LOGS.values()}
    expected |= {
        "sync_state": ("3770", user, group), "sync_state/locks": ("3770", user, group),
        "sync_state/cron": ("2750", user, group), "cron.env": ("644", user, group), "systemd": ("2755", user, group)}
    expected |= {f"sync_state/locks/cron-{job}.lock": ("600", user, group) for job in JOBS}
    for path in [*SYSTEM.glob("*.sh"), *SYSTEM.glob("systemd/*")]:
        name = str(path.relative_to(SYSTEM))
        is_read = name in ["cron_common.sh", "crontab_block.sh", "settings.sh"] or name.startswith("systemd/")
        expected[name] = ("644" if is_read else "755", user, group)
    same({name: how[:3] for name, how in place.tree(place.root).items()}, expected, "the root")
    stat = place.root.stat()
    same((f"{stat.st_mode & 0o7777:o}", pwd.getpwuid(stat.st_uid).pw_name), ("3775", user), "the root itself")
    web = {name: how[3] for name, how in place.tree(place.web).items()}
    for path in [*PROJECT.glob("php/website/*_script.php"), *PROJECT.glob("php/src/*.php")]:
        name = f"cr0sync/{path.name}" if path.parent.name == "src" else path.name
        same(web.pop(name, None), hashlib.sha256(path.read_bytes()).hexdigest(), name)
    same(web, {"cr0sync": None}, "nothing else is in the web directory")
    # For packagers, the same below another directory.
    place.make(DESTDIR=place.top / "package")
    below = place.top / "package"
    same({name: how[:3] for name, how in place.tree(below / str(place.root).lstrip("/")).items()}, expected, "in a package")
    must(str(below) not in (below / str(place.root).lstrip("/") / "cron.env").read_text(), "settings name the package")
    if IS_ROOT:
        must(all(how[1] == "root" and int(how[0], 8) & 0o022 == 0 for how in place.tree(place.web).values()),
             "pages cannot write what cron runs")


def an_upgrade_keeps_everything(place):
    """Data, settings, modes that somebody chose; and scripts of before that are not ours."""
    place.root.mkdir(mode=0o775)
    place.web.mkdir()
    foreign = {place.root / "cron_sync_databases.sh": "#!/bin/sh\n# of the site itself\n",
               place.web / "log_sync_script.php": "<?php // of the site itself\n"}
    for path, text in foreign.items():
        path.write_text(text)
    if IS_ROOT:
        shutil.chown(place.root, place.user.name, place.user.group)
    place.root.chmod(0o775)
    (place.root / "logs").mkdir(mode=0o755)
    if IS_ROOT:
        shutil.chown(place.root / "logs", place.user.name, place.user.group)
    said = place.make()
    must(f"{place.root}/logs is 755 " in said, said)
    same(f"{(place.root / 'logs').stat().st_mode & 0o7777:o}", "755", "a mode that somebody chose")
    must(place.root.stat().st_mode & 0o1000, "the root is made sticky")
    for path, text in foreign.items():
        same(path.with_name(path.name + ".before-cr0sync").read_text(), text, path.name)
        must(path.read_text() != text, f"{path.name} is ours")
    place.write("databases/users.db", "data")
    place.write("logs/cron_security.log", "old lines\n")
    place.write("sync_state/cron/databases", "cr0sync cron 1\nruns=7\n", 0o640)
    place.set(TIMEOUT=77)
    before = place.tree(place.top)
    # An older version of ours.
    (place.root / "cron_sync_logs.sh").write_text("#!/bin/sh\n# Part of cr0sync. Older.\n")
    (place.web / "cr0sync" / "Table.php").write_text("<?php // namespace Cr0Sync\\Script\n")
    said = place.make()
    same(place.tree(place.top), before, f"after another installation, which said\n{said}")
    # Somebody puts another one there: what was kept first stays as well.
    (place.web / "log_sync_script.php").write_text("<?php // once more\n")
    place.make()
    kept = sorted(path.read_text() for path in place.web.glob("*.before-cr0sync*"))
    same(kept, ["<?php // of the site itself\n", "<?php // once more\n"], "both")
    place.make("uninstall-system")
    for path, text in foreign.items():
        same(path.read_text(), text, "what was there before")
    left = {name for name in place.tree(place.root) if name.endswith(".sh") or name.startswith("systemd")}
    same(left, {"cron_sync_databases.sh"}, "of the scripts stays")
    same((place.root / "databases/users.db").read_text(), "data", "data stays")
    must("TIMEOUT=77" in (place.root / "cron.env").read_text(), "settings stay")


def links_of_pages_lead_the_installer_nowhere(place):
    """Where pages may write, root follows no link of theirs."""
    need_root()
    place.make()
    precious = place.top / "precious"
    precious.mkdir(mode=0o700)
    (precious / "file").write_text("as it is")
    before = place.tree(precious), precious.stat().st_mode, precious.stat().st_uid
    shutil.rmtree(place.root / "logs/api")
    (place.root / "logs/api").symlink_to(precious)
    (place.root / "logs/cron_security.log").unlink()
    (place.root / "logs/cron_security.log").symlink_to(precious / "file")
    (place.root / "cron_sync_logs.sh").unlink()
    (place.root / "cron_sync_logs.sh").symlink_to(precious / "file")
    said = place.make()
    same((place.tree(precious), precious.stat().st_mode, precious.stat().st_uid), before, "what is elsewhere")
    must(f"warning: {place.root}/logs/api is 700 root:root" in said, said)
    must(not (place.root / "cron_sync_logs.sh").is_symlink(), "the script is a script")


def a_missing_user_is_told(place):
    """Whoever installs takes his place."""
    said = place.make(OWNER="nobody-of-that-name", GROUP="nor-that-group")
    must("warning: there is no user nobody-of-that-name" in said and "there is no group nor-that-group" in said, said)
    same(place.root.stat().st_uid, os.geteuid(), "the owner")


# What cron runs.

def two_sides_become_one(place):
    """Databases and logs, and what is said of it."""
    place.install()
    place.sql("website", "CREATE TABLE users (name TEXT PRIMARY KEY, email TEXT)", "INSERT INTO users VALUES ('bob', 'b')")
    (place.top / "bot/rizon_bot.log").write_text("2025-07-14 09:31:02 EDT - bot.rizon - INFO - one\n")
    place.give(place.top / "bot/rizon_bot.log", 0o664)
    for job in ["databases", "logs"]:
        code, said = place.said(place.root / JOBS[job], "--dry-run")
        must("(dry run, nothing was changed)" in said, f"{code} {said}")
        same((place.root / "logs" / LOGS[job]).read_text(), "", "a dry run says it to whoever called")
    place.run("databases")
    place.sql("central", "INSERT INTO users VALUES ('eve', 'e')")
    place.sql("website", "UPDATE users SET email = 'B' WHERE name = 'bob'")
    place.run("databases")
    place.run("logs")
    place.run("security")
    for side in ["central", "website"]:
        same(place.sql(side, "SELECT * FROM users ORDER BY name"), [("bob", "B"), ("eve", "e")], side)
    same((place.root / "logs/irc_networks/rizon/rizon_bot.log").read_text(),
         (place.top / "bot/rizon_bot.log").read_text(), "the log")
    same(place.told("databases")[-1], "INFO - 1 of 1 database synced: 1 inserted, 1 updated, 0 deleted; N ms", "its log")
    same(place.told("logs"), ["INFO - 1 of 1 log merged: 1 line to archives, 0 to copies; N ms"], "its log")
    must(any("WARNING - ran: " in line for line in place.told("security")), "security")
    # Where nothing is to be done, nothing is said.
    before = {job: place.log(job) for job in JOBS}
    for job in JOBS:
        place.run(job)
        same(place.log(job), before[job], f"nothing to be done for {job}")
        same(place.state(job)["last_exit"], 0, job)
    # A conflict has all in it that a person needs to decide.
    place.sql("central", "UPDATE users SET email = 'of central' WHERE name = 'eve'")
    place.sql("website", "UPDATE users SET email = 'of website' WHERE name = 'eve'")
    place.run("databases")
    head, conflict = place.told("databases")[-2:]
    must(re.match(r"WARNING - 1 of 1 database synced: .*; 1 new conflict; N ms$", head), head)
    must(re.match(r'WARNING -   conflict 1: users\.users name="eve", .*of central.*of website.*decide: resolve 1 --take ',
                  conflict), conflict)
    same(place.state("databases")["last_exit"], 1, "exit")


def pages_read_what_is_remembered_and_write_none_of_it(place):
    """The group reads sync_state/cron, and cannot hold a lock of the cron scripts."""
    need_root()
    place.install()
    place.run("logs")
    page = ["runuser", "-u", "www-data", "--"]
    text = subprocess.run([*page, "cat", place.root / "sync_state/cron/logs"], check=True, capture_output=True).stdout
    must(text.startswith(b"cr0sync cron 1\n"), text)
    for command in [["touch", place.root / "sync_state/cron/x"], ["flock", "-n", place.root / "sync_state/locks/cron-logs.lock", "true"],
                    ["mv", place.root / "sync_state/locks/cron-logs.lock", place.root / "sync_state/locks/x"]]:
        done = subprocess.run([*page, *command], capture_output=True, check=False)
        must(done.returncode != 0, f"a page may {command}")
    # What a page puts in the place of the log is not followed, and nobody waits for it.
    precious = place.top / "precious"
    precious.write_text("as it is")
    place.give(precious, 0o644)
    log = place.root / "logs" / LOGS["logs"]
    for make in [lambda: log.symlink_to(precious), lambda: os.mkfifo(log)]:
        log.unlink()
        make()
        place.age("logs", last_heartbeat=7200)
        code, said = place.said(place.root / JOBS["logs"])
        must("cannot write" in said and "running: " in said, f"{code} {said}")
        same(precious.read_text(), "as it is", "a file of the cron user")
    # A lock or state that a page made first counts for nothing.
    for name in ["locks/cron-logs.lock", "cron"]:
        path = place.root / "sync_state" / name
        aside = path.with_name("aside")
        path.rename(aside)
        subprocess.run([*page, "mkdir", path], check=True)
        code, said = place.said(place.root / JOBS["logs"])
        must(code == 69 and str(path) in said, f"{code} {said}")
        path.rmdir()
        aside.rename(path)


def a_heartbeat_comes_once_an_hour(place):
    """And says how often it ran."""
    place.install()
    for _ in range(3):
        place.run("logs")
    beats = [line for line in place.log("logs") if " - running: " in line]
    same(len(beats), 1, beats)
    must("running: 1 run since " in beats[0] and "nothing was to be done yet" in beats[0], beats[0])
    place.age("logs", last_heartbeat=3700, since=3700)
    place.run("logs")
    beats = [line for line in place.log("logs") if " - running: " in line]
    must(len(beats) == 2 and "running: 3 runs since " in beats[1], beats)
    # A clock that was set back stops nothing.
    place.age("logs", last_heartbeat=-86400 * 30)
    place.run("logs")
    same(len([line for line in place.log("logs") if " - running: " in line]), 3, "after the clock was set back")


def cleanups_come_when_they_are_due(place):
    """Each week and each day; one that fails is tried again after an hour, and stops nothing."""
    place.install()
    calls = place.top / "calls"
    calls.mkdir()
    place.give(calls, 0o775)
    place.program("fake", f'echo "$2" >>{calls}/list; case $2 in clean*) exit $(cat {calls}/exit);; esac')
    (calls / "exit").write_text("0")
    place.set(PHP=place.top / "fake")

    def called(job):
        (calls / "list").unlink(missing_ok=True)
        place.run(job)
        return (calls / "list").read_text().split()

    for job, work, cleanups, period in [
            ("databases", "bidirectional", ["clean-backups"], 7 * 86400), ("logs", "sync-all", ["rotate", "clean"], 86400)]:
        same(called(job), [work, *cleanups], f"the first run of {job}")
        same(called(job), [work], f"the second run of {job}")
        place.age(job, last_cleanup=period - 60)
        same(called(job), [work], f"not yet: {job}")
        place.age(job, last_cleanup=60)
        (calls / "exit").write_text("2")
        same(called(job), [work, *cleanups], f"due: {job}")
        same((place.state(job)["last_exit"], place.told(job)[-1].split(" - ")[0]), (2, "ERROR"), "it failed")
        same(called(job), [work], f"not each minute: {job}")
        place.age(job, last_cleanup=3600)
        (calls / "exit").write_text("0")
        same(called(job), [work, *cleanups], f"an hour later: {job}")
        same(called(job), [work], f"and done: {job}")
    same(called("security"), ["run"], "security")


def php_is_called_as_the_settings_say(place):
    """With the root, the configuration and the metrics that they name; the latter for the work alone."""
    place.install(CONFIG="/etc/of site.json", METRICS="/var/lib/metrics")
    calls = place.top / "site/calls"
    place.program("fake", f'for word; do printf "[%s]" "$word"; done >>{calls}; echo >>{calls}')
    place.set(PHP=place.top / "fake")
    rest = f"[--line][--root][{place.root}][--config][/etc/of site.json]\n"
    metrics = "[--metrics][/var/lib/metrics/cr0sync.prom]"
    for job, script, work, cleanups in [
            ("databases", "database_sync_script.php", "bidirectional", ["clean-backups"]),
            ("logs", "log_sync_script.php", "sync-all", ["rotate", "clean"]),
            ("security", "security_monitoring_script.php", "run", [])]:
        calls.unlink(missing_ok=True)
        place.run(job)
        expected = [f"[{place.web}/{script}][{work}]{metrics}{rest}",
                    *[f"[{place.web}/{script}][{word}]{rest}" for word in cleanups]]
        same(calls.read_text(), "".join(expected), job)


def what_is_remembered_may_be_removed(place):
    """All jobs at once make it anew, as the installer does."""
    place.install()
    place.sql("website", "CREATE TABLE t (x PRIMARY KEY)")
    names = ["sync_state", "sync_state/locks", "sync_state/cron", *[f"sync_state/locks/cron-{job}.lock" for job in JOBS]]
    before = {name: how for name, how in place.tree(place.root).items() if name in names}
    same(len(before), len(names), before)
    shutil.rmtree(place.root / "sync_state")
    for process in [place.begin(job) for job in JOBS]:
        same(process.wait(PATIENCE), 0, "a job")
    same({name: how for name, how in place.tree(place.root).items() if name in names}, before, "made anew")
    for job in JOBS:
        same(place.state(job)["last_run"] > 0, True, job)


def logs_rotate_by_size(place):
    """By renaming; the oldest go, and no line is lost before that."""
    place.install(LOG_BYTES=300, LOG_KEEP=3)
    place.program("fake", 'echo "1 of 1 something done $(date +%N) ....................................................."')
    place.set(PHP=place.top / "fake")
    lines = []
    log = place.root / "logs" / LOGS["security"]
    for _ in range(10):
        place.run("security")
        lines.append(place.log("security")[-1])
    names = sorted(path.name for path in log.parent.glob(LOGS["security"] + "*"))
    same(names, [log.name, *[f"{log.name}.{number}" for number in (1, 2, 3)]], "files")
    kept = [line for name in reversed([log.name, *[f"{log.name}.{number}" for number in (1, 2, 3)]])
            for line in (log.parent / name).read_text().splitlines() if "running: " not in line]
    same(kept[-5:], [line for line in lines if "running: " not in line][-5:], "the newest lines, in order")
    stat = log.stat()
    same((f"{stat.st_mode & 0o777:o}", grp.getgrgid(stat.st_gid).gr_name), ("664", place.user.group), "the new one")


def a_run_that_hangs_is_ended_and_told(place):
    """And the next one goes on."""
    place.install(TIMEOUT=2)
    lock = place.root / "sync_state/locks/checks.lock"
    place.write("sync_state/locks/checks.lock", "", 0o660)
    place.program("fake", f'exec 8>>{lock}; flock 8; echo "I was here"; exec sleep 600')
    place.set(PHP=place.top / "fake")
    place.run("databases")
    told = place.told("databases")
    same(told[0], "ERROR - bidirectional did not end within 2 seconds, and was ended; the next minute tries again", told)
    must(re.match(r"ERROR -   at that time process \d+ \(.*\) held the lock checks$", told[1]), told)
    same(told[2], "ERROR -   it said: I was here", told)
    same(place.state("databases")["last_exit"], 124, "exit")
    until(lambda: subprocess.run(["flock", "-n", lock, "true"], check=False).returncode == 0, "the lock is held still")
    # Each time anew.
    place.run("databases")
    same(sum("did not end" in line for line in place.told("databases")), 2, "told twice")
    place.set(PHP=place.top / "php")
    place.sql("website", "CREATE TABLE t (x PRIMARY KEY)")
    place.run("databases")
    same(place.state("databases")["last_exit"], 0, "the next one")


def what_stays_wrong_is_told_when_it_begins_and_each_hour(place):
    """Not each minute; and when it is over."""
    place.install()
    place.program("fake", 'case $2 in bidirectional) echo "database_sync_script.php: cannot do it" >&2; exit 2;; esac')
    place.set(PHP=place.top / "fake")
    for _ in range(3):
        place.run("databases")
    same(place.told("databases"), ["ERROR - database_sync_script.php: cannot do it"], "three runs")
    place.age("databases", told_at=3600)
    place.run("databases")
    same(len(place.told("databases")), 2, "an hour later")
    place.program("fake", "exit 0")
    place.run("databases")
    same(place.told("databases")[-1], "INFO - what was said before is over", "its end")
    place.program("fake", 'case $2 in bidirectional) echo "1 of 1 database synced: 1 inserted; 3 ms";; esac')
    before = len(place.told("databases"))
    for _ in range(3):
        place.run("databases")
    same(len(place.told("databases")), before + 3, "what was done is said each time")


def overlapping_runs_are_silent(place):
    """A second one of the same job does nothing; others go on; nothing holds the lock but the script."""
    place.install()
    place.program("fake", f'echo $$ >{place.top}/site/pid.new; mv {place.top}/site/pid.new {place.top}/site/pid; exec sleep 600')
    place.set(PHP=place.top / "fake")
    first = place.begin("logs")
    pid = place.top / "site/pid"
    until(pid.exists, "it does not begin")
    place.set(PHP=place.top / "php")
    place.run("logs")
    same(place.log("logs"), [], "the second one says nothing")
    place.run("databases")
    must(place.log("databases"), "another job")
    # Killed, as by a power cut: what it began is still at work, and keeps nobody from anything.
    script = subprocess.run(["pgrep", "-f", f"^/bin/sh {place.root}/{JOBS['logs']}"], capture_output=True, text=True,
                            check=True).stdout.split()
    for process in script:
        os.kill(int(process), signal.SIGKILL)
    first.wait(PATIENCE)
    place.run("logs")
    same(place.state("logs")["last_exit"], 0, "after a kill")
    os.kill(int(pid.read_text()), signal.SIGKILL)


def a_lock_of_the_library_is_waited_for_in_silence(place):
    """Exit code 75; unless it lasts, which is told once an hour with who holds it."""
    place.install()
    place.run("logs")
    lock = open(place.root / "sync_state/logs/lock", "a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    before = place.log("logs")
    place.run("logs")
    place.run("logs")
    same((place.state("logs")["last_exit"], place.log("logs")), (75, before), "silent")
    place.age("logs", locked_since=700)
    place.run("logs")
    place.run("logs")
    told = place.told("logs")[-2:]
    must(re.match(r"WARNING - another run has kept this one from its work since .* UTC: .*lock", told[0]), told)
    must(re.match(rf"WARNING -   process {os.getpid()} \(.*system\.py.*\) held the lock logs$", told[1]), told)
    same(sum("has kept this one" in line for line in place.log("logs")), 1, "once an hour")
    lock.close()
    place.run("logs")
    same((place.state("logs")["last_exit"], place.state("logs")["locked_since"]), (0, 0), "over")


def settings_are_read_and_never_run(place):
    """What is not understood is told; what others could have written counts for nothing."""
    place.install()
    with open(place.root / "cron.env", "a", encoding="utf-8") as file:
        file.write(f"COLOUR=red\nTIMEOUT=soon\nX=$(touch {place.top}/site/run)\n")
    place.run("logs")
    place.run("logs")
    told = [line for line in place.told("logs") if "cron.env" in line]
    must(len(told) == 1 and "COLOUR=red" in told[0] and "TIMEOUT needs a number from 1 on, not soon" in told[0], told)
    must(not (place.top / "site/run").exists(), "something was run")
    (place.root / "cron.env").chmod(0o664)
    place.said(place.root / JOBS["logs"])
    must(any("is not read, as others than" in line for line in place.log("logs")), place.log("logs"))


def only_the_owner_runs_them(place):
    """Root would make files that he cannot write."""
    need_root()
    place.install()
    before = place.tree(place.root)
    done = subprocess.run([place.root / JOBS["databases"]], capture_output=True, text=True, check=False)
    must(done.returncode == 69 and f"belongs to {place.user.name}, and this is root" in done.stderr, done.stderr)
    same(place.tree(place.root), before, "nothing is changed")


def what_is_wrong_is_said_in_words(place):
    """By test_cron_scripts.sh."""
    place.install()
    test = place.root / "test_cron_scripts.sh"

    def said():
        code, text = place.said(test)
        return code, text

    place.sql("website", "CREATE TABLE t (x PRIMARY KEY)")
    place.run("databases")
    before = place.tree(place.root)
    code, text = said()
    # What doctor says of this machine is its own affair.
    wrong = [line for line in text.splitlines() if line.startswith("WRONG") and not line.startswith("WRONG  doctor: ")]
    must(not wrong and "ok     the extension cr0sync is loaded" in text, f"{code} {text}")
    for script in JOBS.values():
        must(f"ok     {script}: " in text, text)
    same(place.tree(place.root), before, "nothing is changed")
    must("neither the crontab" in text, text)

    place.set(PHP=shutil.which("php"))
    code, text = said()
    if "the extension cr0sync is loaded" not in text:
        must(code == 2 and "WRONG  the extension cr0sync is not loaded" in text and "make install" in text, text)
    place.set(PHP="/no/php")
    code, text = said()
    must(code == 2 and "cannot run PHP, /no/php" in text and "PHP= in" in text, text)
    place.set(PHP=place.top / "php", WEB="/no/web")
    code, text = said()
    must(code == 2 and "there is no /no/web/database_sync_script.php" in text and "WEB= in" in text, text)
    place.set(WEB=place.web)
    (place.root / "databases").chmod(0o555)
    if IS_ROOT:
        shutil.chown(place.root / "databases", "root", "root")
    code, text = said()
    must(code == 2 and f"cannot write in {place.root}/databases" in text and "chown" in text, text)
    if IS_ROOT:
        shutil.chown(place.web, "www-data", "www-data")
        code, text = said()
        must("may put something else in the place of" in text, text)
        done = subprocess.run([test], capture_output=True, text=True, check=False)
        must(f"cannot write in {place.root}/databases" in done.stdout, "as root, for the owner")
    (place.root / "databases").chmod(0o755)


# The crontab.

class Crontab:
    """That of a user, as `crontab` shows it."""

    def __init__(self, place):
        if shutil.which("crontab") is None:
            raise Skipped("there is no crontab")
        # The crontab of whoever runs the tests is his.
        need_root()
        self.place = place
        self.spool = Path("/var/spool/cron/crontabs") / place.user.name

    def read(self):
        """None where there is none. Not by `crontab -l`, which shows some bytes as others."""
        if not self.spool.exists():
            return None
        lines = self.spool.read_bytes().splitlines(keepends=True)
        must(lines[0].startswith(b"# DO NOT EDIT THIS FILE"), lines)
        return b"".join(lines[3:])

    def write(self, content):
        """As that user would."""
        subprocess.run(["crontab", "-u", self.place.user.name, "-"], input=content, check=True)

    def script(self, name, *words, user=None):
        """install or remove, as that user or as root."""
        command = [str(self.place.root / f"{name}_crontabs.sh"), *words]
        command = command if user == "root" else self.place.as_owner(*command)
        return subprocess.run(command, capture_output=True, check=False)


def lines_of_others_stay_in_the_crontab(place):
    """Before, between and after, byte for byte."""
    place.install()
    table = Crontab(place)
    begin, end = f"# BEGIN cr0sync {place.root}\n".encode(), f"# END cr0sync {place.root}\n".encode()
    for user in [place.user.name, "root"]:
        for foreign in [b"", b"# of others \xff\xfe\n\n0 5 * * 1 true  \t\nMAILTO=\"\"\n",
                        b"# BEGIN cr0sync /elsewhere\n* * * * * false\n# END cr0sync /elsewhere\n", b"@daily x\r\n\n\n"]:
            if foreign:
                table.write(foreign)
            for _ in range(2):
                done = table.script("install", user=user)
                same(done.returncode, 0, done.stderr)
            text = table.read()
            same((text.count(begin), text.count(end)), (1, 1), "one block")
            must(text.startswith(foreign + begin), text)
            block = text[text.index(begin):text.index(end)]
            for script in JOBS.values():
                must(f"* * * * * '{place.root}/{script}'\n".encode() in block, script)
            # Lines after the block, and in it.
            table.write(text.replace(end, b"5 5 5 5 5 mine\n" + end) + b"# after\n")
            same(table.script("install", user=user).returncode, 0, "again")
            same(table.read(), text + b"5 5 5 5 5 mine\n# after\n", "theirs go behind it")
            same(table.script("remove", "--print", user=user).stdout, foreign + b"5 5 5 5 5 mine\n# after\n", "--print")
            for _ in range(2):
                done = table.script("remove", user=user)
                same(done.returncode, 0, done.stderr)
            same(table.read(), foreign + b"5 5 5 5 5 mine\n# after\n", "what stays")
            subprocess.run(["crontab", "-u", place.user.name, "-r"], check=True)
    # One that was ours alone is removed.
    table.script("install")
    table.script("remove")
    same(table.read(), None, "nothing is left")
    # A last line without an end: crontab itself takes none, so it gets one.
    table.write(b"1 1 1 1 1 x\n")
    table.spool.write_bytes(table.spool.read_bytes().rstrip(b"\n"))
    table.script("install")
    table.script("remove")
    same(table.read(), b"1 1 1 1 1 x\n", "the line is whole")


def half_a_block_is_refused(place):
    """With words, and nothing is changed."""
    place.install()
    table = Crontab(place)
    begin, end = f"# BEGIN cr0sync {place.root}\n".encode(), f"# END cr0sync {place.root}\n".encode()
    for broken in [begin + b"1 1 1 1 1 x\n", b"1 1 1 1 1 x\n" + end, begin + begin + end, end + begin]:
        table.write(broken)
        for script in ["install", "remove"]:
            done = table.script(script)
            must(done.returncode == 2 and b"half a block" in done.stderr and b"crontab -e" in done.stderr, done)
            same(table.read(), broken, script)
    done = table.script("install", "--print")
    must(done.returncode == 0 and done.stdout.startswith(begin) and done.stdout.endswith(end), done)
    done = table.script("install", "--user", "www-data")
    must(done.returncode == 69 and b"is not that of" in done.stderr, done)
    done = table.script("install", "--user", "root", user="root")
    must(done.returncode == 69 and b"would run as root" in done.stderr, done)


def cron_runs_odd_paths(place):
    """A percent sign and a space in the path: cron itself takes them as they are meant."""
    place.root = place.top / "100% of it"
    place.install()
    line = next(line for line in place.said(place.root / "install_crontabs.sh", "--print")[1].splitlines() if "databases" in line)
    # What cron makes of a command: up to the first % without a backslash.
    command = re.sub(r"\\%", "%", re.split(r"(?<!\\)%", line.split(" ", 5)[5])[0])
    same(place.said("/bin/sh", "-c", command), (0, ""), command)
    must(place.log("databases"), "it ran")


TESTS = [
    shells_understand_the_scripts, systemd_understands_the_units, the_tree_is_as_it_should_be, an_upgrade_keeps_everything,
    links_of_pages_lead_the_installer_nowhere, a_missing_user_is_told, two_sides_become_one,
    pages_read_what_is_remembered_and_write_none_of_it, a_heartbeat_comes_once_an_hour, cleanups_come_when_they_are_due,
    php_is_called_as_the_settings_say, what_is_remembered_may_be_removed, logs_rotate_by_size, a_run_that_hangs_is_ended_and_told, what_stays_wrong_is_told_when_it_begins_and_each_hour,
    overlapping_runs_are_silent, a_lock_of_the_library_is_waited_for_in_silence, settings_are_read_and_never_run,
    only_the_owner_runs_them, what_is_wrong_is_said_in_words, lines_of_others_stay_in_the_crontab, half_a_block_is_refused,
    cron_runs_odd_paths,
]


def main():
    """Runs them one after the other."""
    extension = Path(sys.argv[1]).resolve()
    user = User()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for test in TESTS:
        if sys.argv[2:] and test.__name__ not in sys.argv[2:]:
            continue
        place = Place(user, extension)
        try:
            test(place)
            counts["passed"] += 1
        except Skipped as why:
            print(f"    skipped: {test.__name__}: {why}")
            counts["skipped"] += 1
        except Exception:  # pylint: disable=broad-except
            print(f"{test.__name__}: FAILED\n{traceback.format_exc()}", flush=True)
            counts["failed"] += 1
        finally:
            place.remove()
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
