"""The admin pages as an operator has them: an installation with something wrong everywhere, php-fpm behind nginx, cron, and
a real browser.

Nobody gets in unasked, everything that changes something is asked for by one who is in and is put on record, what others
wrote never runs, each page can be used without JavaScript, by keyboard, on a phone and by those who cannot see it, and
fifty at once are served while cron works.

    admin.py [--extension FILE] [--only PART ...] [--keep]

Ends only what it started. The last line is `admin: ok, ...`; where pip or chromium cannot be had, what needs no browser
is done, and then it says `skipped: WHY`. Pictures of all pages are in target/admin-screenshots.
"""

import argparse
import collections
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
sys.path.insert(0, str(HERE))

from asked import Asked  # noqa: E402 (found beside this file)
from browser import Browser, Missing, tools  # noqa: E402
from common import Failure, Who  # noqa: E402
from crowd import Crowd  # noqa: E402
from edges import Edges  # noqa: E402
from gate import Gate  # noqa: E402
from ground import Ground  # noqa: E402
from hands import Hands, questions  # noqa: E402
from hostile import Hostile  # noqa: E402
from large import Large  # noqa: E402
from looks import Looks  # noqa: E402
from newcomer import Newcomer  # noqa: E402
from nonsense import Nonsense  # noqa: E402
from own import Own  # noqa: E402
from php import Php  # noqa: E402
from servers import PASSWORD, Servers  # noqa: E402
from told import Told  # noqa: E402
from visitor import Visitor  # noqa: E402
from words import Words  # noqa: E402

PARTS = ("gate", "asked", "own", "words", "nonsense", "edges", "hostile", "hands", "looks", "told", "newcomer", "crowd",
         "large")
# Whoever is not done after so many seconds never will be.
LONGEST = 1200
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or PROJECT / "target").resolve()


def main():
    options = argparse.ArgumentParser(description="Tests the admin pages.")
    options.add_argument("--extension", type=Path, default=PROJECT / "build" / "cr0sync.so")
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to run")
    options.add_argument("--keep", action="store_true", help="leave the playground")
    given = options.parse_args()
    os.umask(0o002)
    directory = Path(tempfile.mkdtemp(prefix="cr0sync-admin-"))
    directory.chmod(0o755)
    signal.signal(signal.SIGALRM, too_long)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.alarm(LONGEST)
    test = Test(directory, given.extension.resolve(), given.only)
    try:
        why = test.run()
    except Exception as error:  # a failure, or what the browser calls one: told with what the servers say
        words = error if isinstance(error, Failure) else traceback.format_exc()
        print(f"admin: FAILED, playground {directory}\n{words}\n{test.servers.told()}", flush=True)
        return 1
    finally:
        test.servers.end()
    if not given.keep:
        shutil.rmtree(directory)
    counts = ", ".join(f"{amount} {what}" for what, amount in sorted(test.counts.items()))
    if why:
        print(f"admin without a browser: {counts}; {test.who.words}\nskipped: admin in a browser: {why}", flush=True)
    else:
        print(f"admin: ok, {counts}; {test.who.words}", flush=True)
    return 0


def too_long(*_):
    raise Failure(f"not done within {LONGEST} s")


class Test:
    def __init__(self, directory, extension, parts):
        self.directory, self.parts = directory, parts
        self.counts, self.who = collections.Counter(), Who()
        # What runs is what is there now, whoever builds meanwhile.
        copy = directory / "cr0sync.so"
        shutil.copy(extension, copy)
        copy.chmod(0o755)
        self.ground = Ground(directory, Php(copy, self.who), self.who)
        self.servers = Servers(self.ground)

    def run(self):
        """All parts; why there was no browser, where there was none."""
        self.ground.lay_out(PROJECT)
        large = Large(self.ground, self.servers, self.counts)
        self.servers.lay_out(large.config)
        self.servers.start()
        for name, part in (("gate", Gate), ("asked", Asked), ("own", Own), ("words", Words), ("nonsense", Nonsense),
                           ("edges", Edges)):
            self.part(name, part(self.ground, self.servers, self.counts).show)
        hostile = Hostile(self.ground, self.servers, self.counts)
        self.part("hostile", hostile.show)
        try:
            self.in_browser(hostile)
            why = None
        except Missing as missing:
            why = str(missing)
        self.part("told", Told(self.ground, self.servers, self.counts).show)
        self.part("newcomer", Newcomer(self.ground, self.servers, self.counts).show)
        # Last, as the pages are full of what they leave.
        self.part("crowd", lambda: Crowd(self.ground, self.servers, self.counts).show(
            float(os.environ.get("CR0SYNC_ADMIN_SECONDS", "8"))))
        if "large" in self.parts:
            large.lay_out()
            self.part("large", large.show)
        if complaints := self.servers.complaints():
            raise Failure("PHP complains:\n" + "\n".join(complaints[:20]))
        return why

    def part(self, name, show):
        if name in self.parts:
            begin = time.monotonic()
            show()
            print(f"admin, {name}: {time.monotonic() - begin:.1f} s", flush=True)

    def in_browser(self, hostile):
        if not {"looks", "hands", "hostile"} & set(self.parts):
            return
        library = tools(TARGET)
        visitor = Visitor(self.servers.port, "password", "127.0.8.1").log_in(PASSWORD)
        browser = Browser(library, f"http://127.0.0.1:{self.servers.port}")
        try:
            self.part("hostile", lambda: hostile.in_browser(browser, visitor))
            self.part("hands", lambda: Hands(self.ground, self.counts).show(browser))
            extra = questions(visitor) | self.pictured(visitor)
            looks = Looks(self.ground, browser, visitor, TARGET / "admin-screenshots", self.counts, extra)
            self.part("looks", looks.show)
            browser.verdict()
        finally:
            browser.end()

    def pictured(self, visitor):
        """Pages that no link leads to as things are: what is decided, undone, about to be deleted, and not found."""
        if "looks" not in self.parts:
            return {}
        conflict = self.ground.deletion("pictured")
        queries = {
            "conflicts-deletion": ("conflicts", {"id": conflict["id"], "take": "website"}),
            "conflicts-resolved": ("conflicts", {"status": "resolved", "order": "newest"}),
            "events-none": ("events", {"type": "NEVER", "severity": "HIGH"}),
            # The first run has said the most.
            "history-run-first": ("history", {"run": 1}),
        }
        if undo := next((run["kind"] for run in self.ground.runs() if run["kind"].startswith("undo ")), None):
            queries["history-run-undone"] = ("history", {"run": undo.removeprefix("undo ")})
        return {name: visitor.address_of(page, **query) for name, (page, query) in queries.items()}


if __name__ == "__main__":
    sys.exit(main())
