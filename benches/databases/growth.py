"""How costs grow: with rows, changes, databases and sides, each with all else the same. For the plots."""

import shutil

import data
import oneway
from ours import Ours
from measure import spread
from peers import Copy, Cr0sync, Sqldiff

KINDS = [Cr0sync, Sqldiff, Copy]


def all_of_it(bench, sizes, rounds):
    """A list of plots: title, axes, and a series of (x, spread of milliseconds) for each who was measured."""
    return [rows(bench, sizes["rows"], rounds), changes(bench, *sizes["changes"], rounds),
            databases(bench, sizes["databases"], rounds), sides(bench, *sizes["sides"], rounds)]


def rows(bench, counts, rounds):
    series = {}
    for count in counts:
        collect(series, count, oneway.grid(bench, count, "rollback", [10], KINDS, rounds, is_quiet_too=False))
    return {"name": "rows", "title": "10 edits, by rows of the database", "x": "rows", "series": series}


def changes(bench, size, counts, rounds):
    series = {}
    for one in oneway.grid(bench, size, "rollback", counts, KINDS, rounds, is_quiet_too=False):
        collect(series, int(one["job"]), [one])
    return {"name": "changes", "title": f"{size:,} rows, by edits", "x": "edits", "series": series}


def collect(series, x, cases):
    for one in cases:
        for row in one["rows"]:
            if row["ms"]:
                series.setdefault(row["name"], []).append([x, row["ms"]])


def databases(bench, counts, rounds):
    """All counts take turns in a round, so that a machine or disk that is busy for a while bears on all alike."""
    all_of_them = {count: made(bench, f"databases-{count}", ("central", "website"), [f"data{number}" for number in range(count)], 1_000)
                   for count in counts}
    quiet, edited = {count: [] for count in counts}, {count: [] for count in counts}
    for _ in range(rounds):
        for count, ours in all_of_them.items():
            quiet[count].append(ours.sync()[0]["ms"])
    for number in range(rounds):
        for count, ours in all_of_them.items():
            for replicas in ours.replicas.values():
                edit(replicas["website"], 1_000, number)
            edited[count].append(synced(ours, number, 1_000))
    end(all_of_them)
    return {"name": "databases", "title": "1,000 rows each, by databases", "x": "databases",
            "series": {"nothing new": curve(quiet), "10 edits in each": curve(edited)}}


def sides(bench, size, counts, rounds):
    names = ["central", "website", *(f"side{number}" for number in range(3, max(counts) + 1))]
    all_of_them = {count: made(bench, f"sides-{count}", names[:count], ["data"], size) for count in counts}
    times = {count: [] for count in counts}
    for number in range(rounds):
        for count, ours in all_of_them.items():
            edit(ours.replicas["data"]["website"], size, number)
            times[count].append(synced(ours, number, size))
    end(all_of_them)
    return {"name": "sides", "title": f"{size:,} rows, by sides", "x": "sides", "series": {"10 edits on one side": curve(times)}}


def curve(times):
    return [[count, spread(all_of_them)] for count, all_of_them in times.items()]


def end(all_of_them):
    for ours in all_of_them.values():
        shutil.rmtree(ours.directory)


def made(bench, what, sides_of_it, names, size):
    """Synced and at rest."""
    ours = Ours(bench.tools, bench.launcher, bench.scratch / f"growth-{what}", sides_of_it, names)
    original = oneway.base(bench, size, "rollback")
    for path in ours.all_files():
        shutil.copyfile(original, path)
    ours.settle()
    # The first run that writes makes backups, which are not made again so soon.
    for name in names:
        edit(ours.replicas[name]["website"], size, 10_000)
    ours.sync()
    ours.settle()
    return ours


def edit(path, size, seed):
    db = data.sqlite3.connect(path)
    data.apply(db.executemany, data.edits(size, 10, seed))
    db.commit()
    db.close()


def synced(ours, seed, size):
    """Milliseconds of a run after which every edit is everywhere."""
    cost, _ = ours.sync()
    for replicas in ours.replicas.values():
        edited = data.sqlite3.connect(replicas["website"])
        for side, path in replicas.items():
            other = data.sqlite3.connect(path)
            lost = data.lost(edited, other, data.edits(size, 10, seed))
            other.close()
            if lost:
                raise RuntimeError(f"cr0sync lost {lost} edits on the way to {side}")
        edited.close()
    return cost["ms"]
