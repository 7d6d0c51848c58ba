"""That `make admin-demo` shows what it says: starts it, logs in with the password it prints, finds no trouble but what was put
there for it, asks for a backup in the pages, sees it done by the stand-in of cron, and ends it, with all that it started.

On one playground that is possible some times in a quarter of an hour, as every login counts against those who guess.

    python3 -B tests/demo/admin_check.py [--directory PLAYGROUND] [--extension EXTENSION.so]
"""

import argparse
import html
import http.cookiejar
import json
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
# The trouble that is put there: a watched file that was changed, and a new one.
PLANTED = re.compile(r"2 findings in the last check, at \S+( \S+ UTC)?")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--directory", type=Path)
    options.add_argument("--extension", type=Path, default=PROJECT / "build" / "cr0sync.so")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="cr0sync-admin-demo-") as own:
        directory = given.directory or Path(own) / "playground"
        # With a umask that lets a group write: what is made is nobody else's all the same.
        demo = subprocess.Popen(
            [sys.executable, "-B", str(HERE / "admin.py"), "--directory", str(directory), "--extension", str(given.extension),
             "--every", "0.2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, umask=0o002)
        try:
            address, password = printed(demo)
            Visitor(address).visit(password)
            doctor(directory, given.extension)
            children = below(demo.pid)
            must(children, "nothing serves the pages")
            demo.send_signal(signal.SIGINT)
            said, _ = demo.communicate(timeout=PATIENCE)
            must(demo.returncode == 0 and "the playground stays" in said, f"it ends with {demo.returncode}: {said}")
        finally:
            demo.kill()
            demo.wait()
        until = time.monotonic() + PATIENCE
        while left := [child for child in children if is_at_work(child)]:
            must(time.monotonic() < until, f"what it started is at work still: {left}")
            time.sleep(0.05)
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
    """The address and the password, as a person reads them, and that cron is played."""
    said = ""
    for line in demo.stdout:
        said += line
        if found := re.search(r"Address: +(\S+)\s+Password: +(\S+)\n", said):
            must("cron is played here every 0.2 seconds." in said, f"it does not say that cron is played:\n{said}")
            return found.groups()
    raise SystemExit(f"FAILED: it ended:\n{said}")


def below(pid):
    """Its children and theirs."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return children + [one for child in children if Path(f"/proc/{child}").exists() for one in below(child)]


def is_at_work(pid):
    """What ended and was not waited for by anybody is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def doctor(directory, extension):
    """What the terminal says beside the pages, which see less: also no advice about users that are not in this."""
    said = subprocess.run(["php", "-d", f"extension={extension}", str(PROJECT / "php/website/database_sync_script.php"), "doctor",
                           "--json", "--config", str(directory / "cr0sync.json")], capture_output=True, text=True, check=False).stdout
    findings = json.loads(said)["findings"]
    only_planted([one["what"] for one in findings if one["state"] == "problem"], "doctor")
    must("usermod" not in said and "www-data" not in said, f"doctor is about another user: {said}")
    never = [one["what"] for one in findings if "has never run" in one["what"]]
    must(not never, f"cron is not played: {never}")


def only_planted(troubles, where):
    must(len(troubles) == 1 and PLANTED.fullmatch(troubles[0]), f"{where} has other trouble than what was put there: {troubles}")


class Visitor:
    """A browser without any script."""

    def __init__(self, address):
        self.address = address
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def visit(self, password):
        must("Log in" in self.get("login"), "the pages ask for a password")
        self.post("login", "log_in", password=password)
        self.needs()
        for page in re.findall(r'<nav aria-label="Pages">.*?</nav>', self.get("overview"), re.S):
            for name in re.findall(r"page=(\w+)", page):
                must('class="trouble"' not in self.get(name) or name in WATCHES, f"{name} is in trouble")
        must("uploader" in self.get("keys"), "keys are there")
        must("198.51.100.12" in self.get("sessions"), "sessions are there")
        asked = self.post("backups", "backup", database="users")
        must("is asked for; cron does it" in asked, f"a backup is asked for: {asked[-2000:]}")
        until = time.monotonic() + PATIENCE
        while not re.search(r'class="state good">done<', self.get("backups")):
            must(time.monotonic() < until, "the backup is not done")
            time.sleep(0.1)

    def needs(self):
        """What the first page begins with."""
        needs = re.search(r'<div class="needs">.*?</table>', self.get("overview"), re.S)
        must(needs, "the overview does not say what needs somebody")
        rows = re.findall(r"<tr><td.*?</tr>", needs[0], re.S)
        said = [html.unescape(re.search(r'data-label="What"><div>([^<]*)', row)[1]) for row in rows if ">critical<" in row]
        only_planted(said, "the overview")

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
