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
    series = {}
    for count in counts:
        names = [f"data{number}" for number in range(count)]
        ours = made(bench, "databases", ("central", "website"), names, 1_000)
        times = {"nothing new": [], "10 edits in each": []}
        for _ in range(rounds):
            times["nothing new"].append(ours.sync()[0]["ms"])
        for number in range(rounds):
            for name in names:
                edit(ours.replicas[name]["website"], 1_000, number)
            times["10 edits in each"].append(synced(ours, number, 1_000))
        shutil.rmtree(ours.directory)
        for name, all_of_them in times.items():
            series.setdefault(name, []).append([count, spread(all_of_them)])
    return {"name": "databases", "title": "1,000 rows each, by databases", "x": "databases", "series": series}


def sides(bench, size, counts, rounds):
    series = {}
    for count in counts:
        names = ["central", "website", *(f"side{number}" for number in range(3, count + 1))]
        ours = made(bench, "sides", names, ["data"], size)
        times = []
        for number in range(rounds):
            edit(ours.replicas["data"]["website"], size, number)
            times.append(synced(ours, number, size))
        shutil.rmtree(ours.directory)
        series.setdefault("10 edits on one side", []).append([count, spread(times)])
    return {"name": "sides", "title": f"{size:,} rows, by sides", "x": "sides", "series": series}


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
