"""That `make admin-demo` shows what it says: starts it, logs in with the password it prints, asks for a backup in the pages,
sees it done by the stand-in of cron, and ends it, with all that it started.

On one playground that is possible some times in a quarter of an hour, as every login counts against those who guess.

    python3 -B tests/demo/admin_check.py [--directory PLAYGROUND] [--extension EXTENSION.so]
"""

import argparse
import http.cookiejar
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
# Whoever does not come to an end in this many seconds never will.
PATIENCE = 300
# Pages that tell of what was changed in a watched file, as the playground has one.
WATCHES = ("overview", "integrity")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--directory", type=Path)
    options.add_argument("--extension", type=Path, default=PROJECT / "build" / "cr0sync.so")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="cr0sync-admin-demo-") as own:
        demo = subprocess.Popen(
            [sys.executable, "-B", str(HERE / "admin.py"), "--directory", str(given.directory or Path(own) / "playground"),
             "--extension", str(given.extension), "--every", "0.2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            address, password = printed(demo)
            Visitor(address).visit(password)
            children = below(demo.pid)
            must(children, "nothing serves the pages")
            demo.send_signal(signal.SIGINT)
            said, _ = demo.communicate(timeout=PATIENCE)
            must(demo.returncode == 0 and "the playground stays" in said, f"it ends with {demo.returncode}: {said}")
        finally:
            demo.kill()
            demo.wait()
        must(not any(Path(f"/proc/{child}").exists() for child in children), "what it started is at work still")
        try:
            urllib.request.urlopen(address, timeout=10)
            raise SystemExit("the pages are served still")
        except urllib.error.URLError:
            pass
    print("admin demo: logged in, asked for a backup, saw it done, and nothing of it is left")


def must(what, message):
    if not what:
        raise SystemExit(f"FAILED: {message}")


def printed(demo):
    """The address and the password, as a person reads them."""
    said = ""
    for line in demo.stdout:
        said += line
        if found := re.search(r"Address: +(\S+)\s+Password: +(\S+)\n", said):
            return found.groups()
    raise SystemExit(f"FAILED: it ended:\n{said}")


def below(pid):
    """Its children and theirs."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return children + [one for child in children if Path(f"/proc/{child}").exists() for one in below(child)]


class Visitor:
    """A browser without any script."""

    def __init__(self, address):
        self.address = address
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def visit(self, password):
        must("Log in" in self.get("login"), "the pages ask for a password")
        self.post("login", "log_in", password=password)
        for page in re.findall(r'<nav aria-label="Pages">.*?</nav>', self.get("overview"), re.S):
            for name in re.findall(r"page=(\w+)", page):
                must('class="trouble"' not in self.get(name) or name in WATCHES, f"{name} is in trouble")
        must("uploader" in self.get("keys"), "keys are there")
        must("198.51.100.12" in self.get("sessions"), "sessions are there")
        asked = self.post("backups", "backup", database="users")
        must("is asked for as" in asked, f"a backup is asked for: {asked[-2000:]}")
        until = time.monotonic() + PATIENCE
        while not re.search(r'class="state good">done<', self.get("backups")):
            must(time.monotonic() < until, "the backup is not done")
            time.sleep(0.1)

    def get(self, page):
        with self.browser.open(f"{self.address}?page={page}", timeout=60) as answer:
            return answer.read().decode()

    def post(self, page, action, **fields):
        token = re.search(r'name="csrf" value="(\w+)"', self.get(page))[1]
        form = urllib.parse.urlencode({"csrf": token, "action": action, **fields}).encode()
        with self.browser.open(f"{self.address}?page={page}", form, timeout=60) as answer:
            return answer.read().decode()


if __name__ == "__main__":
    main()
