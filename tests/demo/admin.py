"""The admin pages on the playground of the demo, to be clicked through: `make admin-demo`, until Ctrl-C.

It makes the playground where it is missing, lets happen there what the pages are for (runs, conflicts, a file that is not
as it was accepted, keys, sessions, events), all by the real scripts and functions, serves the pages on this machine only,
and takes the place of cron, whose scripts it runs: what is asked for in the pages is done some seconds later. All that it
started ends with it.
"""

import argparse
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
sys.path.insert(0, str(HERE))

from demo import ownership  # noqa: E402 (found beside this file)
from show import fail, say, shown, title  # noqa: E402 (found beside this file)

DATABASES, SECURITY = "database_sync_script.php", "security_monitoring_script.php"
# What cron would run, each minute, by the name of what it leaves.
JOBS = {"databases": "cron_sync_databases.sh", "logs": "cron_sync_logs.sh", "security": "cron_security_monitoring.sh"}
# A script of cron's that is at work when this ends may come to its own end for so long (seconds).
PATIENCE = 20
# What the website and its users would have left behind.
PEOPLE = r"""
$at = ['config' => $argv[1]];
foreach (['7' => '192.0.2.7', '12' => '198.51.100.12', 'uploader' => '2001:db8::5'] as $user => $ip) {
    cr0_session_open((string) $user, ['read'], ['ip' => $ip, 'user_agent' => 'Mozilla/5.0 (X11; Linux)'] + $at);
}
cr0_session_open('7', ['read', 'write'], ['minutes' => 600, 'ip' => '192.0.2.7', 'user_agent' => 'curl/8.5'] + $at);
foreach (['LOGIN' => 'INFO', 'LOGIN_FAILED' => 'MEDIUM', 'UPLOAD_REFUSED' => 'HIGH', 'LOGOUT' => 'INFO'] as $type => $severity) {
    cr0_event($type, ['user' => 'bob', 'page' => '/login.php'], $severity, '192.0.2.7', '', $at);
}
cr0_event('SEARCH', ['for' => '<script>alert("of a visitor")</script>'], 'LOW', '203.0.113.9', '', $at);
for ($request = 0; $request < 12; $request++) {
    cr0_rate_limit('192.0.2.7_upload', 'critical', $at);
    cr0_rate_limit("203.0.113.{$request}_search", 'default', $at);
}
"""


def main():
    options = argparse.ArgumentParser(description="Serves the admin pages on the playground of the demo, until Ctrl-C.")
    options.add_argument("--directory", type=Path, default=PROJECT / "demo", help="the playground; made where it is missing")
    options.add_argument("--extension", type=Path, default=PROJECT / "build" / "cr0sync.so")
    options.add_argument("--port", type=int, default=0, help="a free one unless given")
    options.add_argument("--every", type=float, default=3, help="seconds between two runs of what cron would do")
    given = options.parse_args()
    os.environ.pop("CR0SYNC_CONFIG", None)
    os.umask(0o022)
    # However it is told to end, what it started ends first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="cr0sync-admin-") as own:
        show = Show(given.directory.resolve(), given.extension.resolve(), Path(own))
        try:
            show.tell(given.port, given.every)
        except KeyboardInterrupt:
            pass
        finally:
            show.end()
    say("\nEnded; the playground stays.")


class Show:
    def __init__(self, directory, extension, own):
        self.directory, self.extension, self.own = directory, extension, own
        self.config = directory / "cr0sync.json"
        self.php = ["php", "-d", f"extension={extension}"]
        self.running, self.of_cron = [], None

    def tell(self, port, every):
        if not self.config.exists():
            title("The playground of the demo is made first")
            self.run([sys.executable, "-B", str(HERE / "demo.py"), "--directory", str(self.directory),
                      "--extension", str(self.extension)])
            say(f"  in {shown(self.directory)}/")
        self.settle()
        if not self.made().exists():
            title("What happens there, by the scripts and functions themselves")
            self.furnish()
        # So that the first look at the pages finds that it runs.
        self.cron()
        title("The admin pages")
        address, password = self.serve(port)
        say(f"  cron is played here every {every:g} seconds.")
        say(f"  Address:  {address}")
        say(f"  Password: {password}")
        say("  The password counts until this ends. Ctrl-C ends it.")
        while self.running[0].poll() is None:
            self.cron()
            time.sleep(every)
        fail(f"the server of the pages ended:\n{(self.own / 'server.log').read_text()}")

    # What is nobody's trouble.

    def settle(self):
        """Whose it is, and what cron's scripts need to know; also where an older playground says otherwise."""
        self.directory.chmod(0o755)
        said = json.loads(self.config.read_text(encoding="utf-8"))
        self.config.write_text(json.dumps({**said, "ownership": ownership()}, indent=2) + "\n", encoding="utf-8")
        php = self.directory / "php"
        php.write_text(f'#!/bin/sh\nexec {shutil.which("php")} -d {shlex.quote(f"extension={self.extension}")} "$@"\n',
                       encoding="utf-8")
        settings = self.directory / "cron.env"
        settings.write_text(f"PHP={php}\nWEB={PROJECT}/php/website\nCONFIG={self.config}\n", encoding="utf-8")
        for path, mode in [(self.config, 0o644), (php, 0o755), (settings, 0o644)]:
            path.chmod(mode)

    def cron(self):
        """What a minute of cron is, without waiting for it; its scripts say how it was in what they leave."""
        for job, script in JOBS.items():
            self.run(["sh", str(PROJECT / "php/system" / script), "--root", str(self.directory)], of_cron=True)
            left = (self.directory / "sync_state/cron" / job).read_text(encoding="utf-8")
            if not re.search(r"^last_exit=(0|1|75)$", left, re.M):
                fail(f"{script} left this, and see {shown(self.directory)}/logs/:\n{left}")

    # What the pages are to show.

    def made(self):
        """Is there when all of it happened; else all of it happens once more."""
        return self.directory / "before" / "admin"

    def furnish(self):
        # Another value each time, so that there is something to do.
        again = secrets.token_hex(2)
        for number in range(3):
            self.edit("central", 20, f"run-{number}-{again}@example.org")
            self.script(DATABASES, "bidirectional", expect=(0, 1))
        self.edit("central", 21, f"asked-by-phone-{again}@example.org")
        self.edit("website", 21, f"typed-in-{again}@example.org")
        self.script(DATABASES, "bidirectional", expect=(1,))
        self.script(DATABASES, "backup", expect=(0,))
        say("  some runs, with a conflict that is open, and a backup")

        shared = self.directory / "shared_storage"
        shared.mkdir(exist_ok=True)
        pages = self.directory / "website" / "pages"
        pages.mkdir(exist_ok=True)
        (pages / "upload.php").unlink(missing_ok=True)
        for name in ("index.html", "auth.php", "search.php"):
            (pages / name).write_text(f"<!-- {name}, as it was accepted -->\n", encoding="utf-8")
        (shared / "integrity_config.json").write_text(json.dumps({
            "monitored_files": [str(pages / "auth.php")], "monitored_directories": [f"{pages}/"],
            "auto_update_baseline": False, "check_interval_minutes": 60, "alert_on_new_files": True,
            "alert_on_missing_files": True, "ignore_patterns": ["*.log", "*.tmp", "*.cache"],
        }, indent=4) + "\n", encoding="utf-8")
        self.script(SECURITY, "baseline", expect=(0,))
        (pages / "auth.php").write_text("<?php // somebody was here\n", encoding="utf-8")
        (pages / "upload.php").write_text("<?php // nobody knows this one\n", encoding="utf-8")
        self.script(SECURITY, "check", expect=(1,))
        say("  watched files, of which one was changed and one is new")

        for user, name, permission in [("7", "uploader", "write"), ("12", "statistics", "read"), ("1", "operator", "admin")]:
            self.script(SECURITY, "keys", "issue", "--user", user, "--name", name, "--permission", permission,
                        expect=(0,))
        self.run([*self.php, "-r", PEOPLE, "--", str(self.config)])
        say("  keys, sessions, events, and clients that were counted")
        self.made().touch()

    def edit(self, side, user, email):
        """As the owner of a side writes."""
        connection = sqlite3.connect(self.directory / side / "users.db", timeout=10)
        with connection:
            connection.execute("UPDATE users SET email = ? WHERE id = ?", (email, user))
        connection.close()

    # Serving.

    def serve(self, port):
        if not port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        password = secrets.token_urlsafe(9)
        hashed = subprocess.run(["php", "-r", "echo password_hash(stream_get_contents(STDIN), PASSWORD_DEFAULT);"],
                                input=password, capture_output=True, text=True, check=True).stdout
        settings = self.own / "settings.php"
        settings.write_text("<?php\n\nreturn json_decode(<<<'JSON'\n" + json.dumps({
            "password_hash": hashed, "config": str(self.config), "title": "cr0sync demo"}) + "\nJSON, true);\n",
            encoding="utf-8")
        (self.own / "nothing").mkdir()
        with open(self.own / "server.log", "wb") as log:
            # The pages believe settings of their own user where the root is his, too.
            server = self.begin(
                [*self.php, "-d", f"session.save_path={self.own}", "-d", f"cr0sync.root={self.directory}",
                 "-S", f"127.0.0.1:{port}", "-t", str(self.own / "nothing"), str(PROJECT / "php/website/admin/index.php")],
                stdout=log, stderr=log, env={**os.environ, "CR0SYNC_ADMIN_SETTINGS": str(settings)})
        address = f"http://127.0.0.1:{port}/"
        while server.poll() is None:
            try:
                with urllib.request.urlopen(f"{address}?page=login", timeout=10) as answer:
                    if b'name="password"' in answer.read():
                        return address, password
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        fail(f"the pages are not served at {address}:\n{(self.own / 'server.log').read_text()}")

    # Doing things.

    def begin(self, command, **how):
        """In a session of its own: Ctrl-C is for us, and we end it."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **how)
        self.running.append(process)
        return process

    def run(self, command, expect=(0,), of_cron=False):
        process = self.begin(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.of_cron = process if of_cron else None
        said, _ = process.communicate()
        self.running.remove(process)
        if process.returncode not in expect:
            fail(f"{' '.join(command)}\nended with {process.returncode}:\n{said}")

    def script(self, name, *words, expect):
        """As a person calls it."""
        self.run([*self.php, str(PROJECT / "php/website" / name), *words, "--config", str(self.config)], expect)

    def end(self):
        """All that was started and is at work still, with its children."""
        for process in self.running:
            try:
                # Told to end, its shell would be gone before what it waits for.
                if process is self.of_cron:
                    process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
            process.wait()


if __name__ == "__main__":
    main()
