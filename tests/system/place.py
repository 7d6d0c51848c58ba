"""An installation in a directory of its own, the user whose it is, and how a test looks at both."""

import atexit
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
import tempfile
import time
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
        """A file below the root, which pages may write unless it is the configuration."""
        path = self.root / name
        path.write_text(text)
        self.give(path, 0o644 if name == "cr0sync.json" else mode)

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
