"""The bench of databases, small: whether it still runs, finds what is lost, and reports all of it. How fast anything is decides nothing.

    smoke.py [--extension FILE]

Peers that cannot be had are named in the last line. What a peer loses, or that it breaks, is asserted where it is the reason for which it is
measured: were that no longer so, the page about the benches would say something wrong.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

sys.dont_write_bytecode = True
PROJECT = Path(__file__).resolve().parent.parent.parent
FACTS = ("new users on the same id", "children on the right parent", "rows without a key", "other edits")
# Of the 200 new users, 200 children, 200 rows without a key and the other edits, so many are on both sides.
KEPT = {
    "session extension, 3-way": (100, 100, 0, 1820),
    "cp, the newer file": (100, 100, 100, 920),
    "unison, the newer file": (100, 100, 100, 920),
    "sqlite3_rsync": (100, 100, 100, 920),
}


def main():
    options = argparse.ArgumentParser(description="Runs the bench of databases, small, and looks at its report.")
    options.add_argument("--extension", type=Path, default=PROJECT / "build/cr0sync.so")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="cr0sync-bench-smoke-") as place:
        run = subprocess.run(
            [sys.executable, "-B", PROJECT / "benches/databases", "--quick", "--rounds", "1", "--only", "oneway,twoway,cron,growth",
             "--extension", given.extension, "--out", place, "--scratch", place],
            capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f"the bench ended with {run.returncode}:\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}")
        results = json.loads((Path(place) / "results.json").read_text())
        text = (Path(place) / "report.md").read_text()
        pictures = {path.stem: path for path in Path(place).glob("*.svg")}
        checked = one_way(results) + two_way(results) + cron(results)
        report(results, text, pictures)
    missing = "".join(f"; not there: {name}" for name in sorted(results["missing"]))
    print(f"benches: ok, {checked} rows of figures, {len(pictures)} plots{missing}")


def expect(is_so, what):
    if not is_so:
        sys.exit(f"benches: {what}")


def one_way(results):
    cases = [case for case in results["cases"] if "size" in case]
    jobs = [(case["mode"], case["job"]) for case in cases]
    expect(jobs == [(mode, job) for mode in ("rollback", "WAL") for job in ("no-op", "run after", "10", "200")], f"one-way cases: {jobs}")
    count = 0
    for case in cases:
        for row in case["rows"]:
            where = f"{case['title']}, {row['name']}"
            expect(row["broken"] is None, f"{where}: {row['broken']}")
            expect(row["ms"] and row["peak_kib"]["least"] > 0, f"{where} has no figures")
            copies_only_the_file = row["name"] == "cp, when newer" and case["mode"] == "WAL"
            carries = row["name"] != "sqldiff, nothing applied"
            if case["job"] == "no-op" or not carries:
                wanted = None
            elif copies_only_the_file:
                # What lies in the -wal file of an owner who is at work is not copied.
                wanted = 10 if case["job"] == "run after" else int(case["job"])
            else:
                wanted = 0
            expect(row["lost"] == wanted, f"{where}: {row['lost']} edits lost, {wanted} expected")
            if carries and not copies_only_the_file:
                expect(row["differ"] == 0, f"{where}: {row['differ']} rows differ at the end")
            count += 1
    return count


def two_way(results):
    case = next(case for case in results["cases"] if case["job"] == "two-way")
    rows = {row["name"]: row for row in case["rows"]}
    ours = rows["cr0sync"]["verdict"]
    kept = [(ours[name]["kept"], ours[name]["of"]) for name in FACTS]
    expect(kept == [(200, 200), (200, 200), (200, 200), (1820, 1820)], f"cr0sync kept {kept}")
    expect(ours["conflicts"] == {"unreported": 0, "of": 270} and ours["rows that differ"] == 0, f"cr0sync: {ours}")
    for name, wanted in KEPT.items():
        if name in rows:
            expect(rows[name]["broken"] is None, f"{name}: {rows[name]['broken']}")
            found = tuple(rows[name]["verdict"][fact]["kept"] for fact in FACTS)
            expect(found == wanted, f"{name} kept {found}, {wanted} expected")
    for name in ("geodiff", "doltlite"):
        if name in rows:
            expect(rows[name]["broken"], f"{name} does the whole job now: say so in benches/README.md, and drop its reduced one")
    for name in ("geodiff, reduced", "doltlite, no nick twice"):
        if name in rows:
            expect(rows[name]["broken"] is None, f"{name}: {rows[name]['broken']}")
    return len(rows)


def cron(results):
    case = next(case for case in results["cases"] if case["job"] == "cron")
    expect(all(row["ms"] for row in case["rows"]), f"{case['title']}: figures are missing")
    expect(set(case["inside"]) == {"nine databases", "one database", "each database more"}, f"{case['inside']}")
    return len(case["rows"])


def report(results, text, pictures):
    """That everything measured is in it, and everything that was not as well."""
    for case in results["cases"]:
        for row in case["rows"]:
            expect(row["name"].replace("|", "\\|") in text, f"the report says nothing of {row['name']}")
    for name in [*results["missing"], *(other["name"] for other in results["others"])]:
        expect(re.search(f"{re.escape(name)}.*?Not measured|Not measured: {re.escape(name)}", text, re.DOTALL), f"the report is silent about {name}")
    expect(set(pictures) == {"rows", "changes", "databases", "sides"}, f"plots: {sorted(pictures)}")
    for plot in results["plots"]:
        drawn = list(ElementTree.parse(pictures[plot["name"]]).iter("{http://www.w3.org/2000/svg}polyline"))
        expect(len(drawn) == len(plot["series"]) > 0, f"{plot['name']}.svg has {len(drawn)} lines")
    for block in text.split("\n\n"):
        # Each table is one: as many cells in a row as in the one above it.
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines() if line.startswith("|")}
        expect(len(widths) < 2, f"a table with rows of different widths:\n{block[:400]}")


if __name__ == "__main__":
    main()
