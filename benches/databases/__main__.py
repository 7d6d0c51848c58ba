"""How cr0sync compares with what else carries rows of SQLite from one file to another: python3 -B benches/databases

Builds the data, runs us and the peers in turns, prints while it goes on, and leaves `results.json`, `report.md` and plots in
`target/bench`. With --record also in `benches/README.md` and `benches/plots`. `benches/README.md` says what is measured.
"""

import argparse
import json
import os
import platform
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cron
import growth
import others
import oneway
import plots
import report
import twoway
from job import ROWS
from measure import Launcher
from peers import ALL
from tools import PROJECT, TARGET, Tools

QUICK = {"rows": [2_000], "job": 8_000, "rounds": 2, "cron": 2,
         "growth": {"rows": [1_000, 2_000], "changes": (2_000, [10, 100]), "databases": [1, 2], "sides": (1_000, [2, 3])}}
WHOLE = {"rows": [100_000, 1_000_000], "job": ROWS, "rounds": 5, "cron": 25,
         "growth": {"rows": [1_000, 10_000, 100_000, 1_000_000], "changes": (100_000, [1, 10, 100, 1_000, 10_000]),
                    "databases": [1, 3, 9, 27, 81], "sides": (100_000, [2, 3, 4, 6, 8])}}
LARGE = 1_000_000
DATABASES = ("oneway", "twoway", "cron", "growth")
PARTS = (*DATABASES, "logs", "integrity", "limits", "access")
HERE = Path(__file__).resolve().parent


class Bench:
    """What all measurements share."""

    def __init__(self, tools, scratch):
        self.tools, self.scratch = tools, scratch
        self.launcher = Launcher(tools, scratch)

    @staticmethod
    def show(case):
        print(report.shown(case), flush=True)


def main():
    given = options()
    os.umask(0o002)
    if given.told:
        given.told.write_text(json.dumps(databases(given)))
        return
    out = given.out or TARGET / "bench"
    out.mkdir(parents=True, exist_ok=True)
    if given.again:
        results = json.loads((out / "results.json").read_text())
    else:
        results = measured(given)
        (out / "results.json").write_text(json.dumps(results, indent=1))
    written = [out]
    write(results, out / "report.md", out)
    if given.record:
        record(results)
        written.append(PROJECT / "benches/README.md")
    print(f"\nwritten: {', '.join(str(path) for path in written)}")


def options():
    numbers = lambda text: [int(word.replace("_", "")) for word in text.split(",")]  # noqa: E731 (a type of argparse)
    parser = argparse.ArgumentParser(prog="benches/databases", description=__doc__.split("\n")[0])
    parser.add_argument("--extension", type=Path, default=PROJECT / "build/cr0sync.so")
    parser.add_argument("--rows", type=numbers, help="sizes of the one-way cases, for example 100000,1000000,5000000")
    parser.add_argument("--rounds", type=int, help="how often each is measured in a case")
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds: to see that it works, not how fast")
    parser.add_argument("--only", type=words, help=f"these parts, of {', '.join(PARTS)}")
    parser.add_argument("--without", type=words, default=[], help="all but these parts")
    parser.add_argument("--no-install", action="store_true", help="never call pip")
    parser.add_argument("--remark", help="a sentence for the report, as that the machine did something else as well")
    parser.add_argument("--out", type=Path, help="where results go (target/bench)")
    parser.add_argument("--scratch", type=Path, help="where the data is made, and removed (the directory for temporary files)")
    parser.add_argument("--record", action="store_true", help="write the report into benches/README.md, too")
    parser.add_argument("--again", action="store_true", help="measure nothing: write the report of the last results again")
    # For itself: measures databases only, and tells what came out.
    parser.add_argument("--told", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    wanted = set(given.only or PARTS) - set(given.without)
    if not wanted <= set(PARTS) or not set(given.without) <= set(PARTS):
        parser.error(f"parts are {', '.join(PARTS)}")
    given.wanted = wanted
    given.extension = given.extension.resolve()
    if not given.again and not given.extension.is_file():
        parser.error(f"{given.extension} is not there: make build makes it")
    return given


def words(text):
    return text.split(",")


def measured(given):
    began, load = time.time(), os.getloadavg()[0]
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    # Installs what is missing before anything is measured.
    tools = Tools(given.extension, not given.no_install)
    for name, why in sorted(tools.missing.items()):
        print(f"not measured: {name}, {why}", flush=True)
    cases, curves, who = [], [], None
    if given.wanted & set(DATABASES):
        cases, curves, who = as_somebody(given)
    rest = others.all_of_them(given.extension, set(PARTS) - set(DATABASES) - given.wanted)
    return {"date": date, "machine": machine(), "command": command(), "seconds": time.time() - began, "who": who,
            "load": [load, os.getloadavg()[0]], "remark": given.remark, "versions": tools.versions, "missing": tools.missing,
            "cases": cases, "plots": curves, "others": rest}


def as_somebody(given):
    """Databases are measured by an ordinary user: SQLite sets the owner of -wal files anew each time that root opens them, so that
    for root no database in WAL mode ever looks untouched. Root becomes one in a namespace, where the kernel lets it."""
    if os.geteuid() != 0:
        return *databases(given), "by an ordinary user"
    user, group = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid
    changed = ["unshare", "--user", f"--map-user={user}", f"--map-group={group}"]
    if shutil.which("unshare") is None or subprocess.run([*changed, "true"], capture_output=True, check=False).returncode != 0:
        return *databases(given), ("by root, as the kernel allows no user namespaces: in WAL mode nothing ever looks untouched to "
                                   "cr0sync then, as SQLite sets the owner of -wal files anew when root opens them")
    with tempfile.TemporaryDirectory(prefix="cr0sync-bench-") as place:
        told = Path(place) / "told.json"
        run = subprocess.run([*changed, sys.executable, "-B", str(HERE), *sys.argv[1:], "--no-install", "--told", str(told)], check=False)
        if run.returncode != 0:
            sys.exit(run.returncode)
        return *json.loads(told.read_text()), "by an ordinary user (root in a user namespace)"


def databases(given):
    """Cases and plots."""
    setting = QUICK if given.quick else WHOLE
    rounds = given.rounds or setting["rounds"]
    tools = Tools(given.extension, False)
    cases, curves = [], []
    scratch = Path(tempfile.mkdtemp(prefix="cr0sync-bench-", dir=given.scratch))
    try:
        bench = Bench(tools, scratch)
        if "cron" in given.wanted:
            cases.append(cron.breakdown(bench, given.rounds or setting["cron"]))
        if "oneway" in given.wanted:
            for rows in given.rows or setting["rows"]:
                changes = [10, 1_000, rows // 10] if rows > 10_000 else [10, rows // 10]
                for mode in oneway.MODES:
                    # What takes seconds is hidden less by what else the machine does.
                    cases.extend(oneway.grid(bench, rows, mode, changes, ALL, rounds if rows < LARGE else min(rounds, 3)))
        if "twoway" in given.wanted:
            cases.append(twoway.case(bench, setting["job"], rounds))
        if "growth" in given.wanted:
            curves = growth.all_of_it(bench, setting["growth"], min(rounds, 3))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return cases, curves


def machine():
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    name = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{os.cpu_count()} cores ({name[1] if name else platform.machine()}), {memory:.0f} GiB of memory, {platform.system()} {platform.release()}"


def command():
    """As somebody else would type it: files of this machine are nobody's business."""
    shown, skip = [], False
    for word in sys.argv[1:]:
        if skip:
            skip = False
        elif word in ("--extension", "--out", "--scratch", "--remark"):
            skip = True
        else:
            shown.append(word)
    return " ".join(["python3 -B benches/databases", *shown])


def write(results, path, plots_at):
    for plot in results["plots"]:
        (plots_at / f"{plot['name']}.svg").write_text(plots.svg(plot))
    path.write_text(report.markdown(results, "."))


def record(results):
    """Puts the report where people read it, and nothing else of that page is touched."""
    readme = PROJECT / "benches/README.md"
    text = readme.read_text()
    before, found, rest = text.partition(report.BEGIN)
    _, ended, after = rest.partition(report.END)
    if not found or not ended:
        sys.exit(f"{readme} has no place for results: it needs the lines {report.BEGIN} and {report.END}")
    place = PROJECT / "benches/plots"
    place.mkdir(exist_ok=True)
    for plot in results["plots"]:
        (place / f"{plot['name']}.svg").write_text(plots.svg(plot))
    readme.write_text(before + report.markdown(results, "plots").rstrip("\n") + after)


if __name__ == "__main__":
    main()
