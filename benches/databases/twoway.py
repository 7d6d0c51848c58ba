"""The two-way job, in rounds: everybody gets the same two edited sides, and is judged by what comes of them."""

import shutil
import sqlite3

import job
from measure import Case, Failed
from mergers import ALL
from peers import closing


def case(bench, rows, rounds):
    place = bench.scratch / f"twoway-{rows}"
    place.mkdir()
    files = {without: make(place, rows, without) for without in {kind.without for kind in ALL}}
    mergers = {kind.name: kind(bench, rows) for kind in ALL if kind.is_there(bench.tools)}
    one = Case(f"two-way job, {rows:,} rows", "two-way", [(name, merger.note) for name, merger in mergers.items()])
    judged = {}
    for number, row in one.turns(rounds):
        merger = mergers[row.name]
        try:
            merger.begin(place / "round", files[merger.without])
            cost, inside, reported = merger.run()
            verdict = merger.judged(reported)
        except Failed as failure:
            if merger is mergers["cr0sync"]:
                raise
            row.broken = str(failure)
        else:
            row.add(cost, inside, None)
            # The worst round counts, should they not be alike.
            judged.setdefault(row.name, []).append(verdict)
        shutil.rmtree(place / "round", ignore_errors=True)
    told = one.told()
    for row in told["rows"]:
        row["verdict"] = worst(judged.get(row["name"], []))
    shutil.rmtree(place)
    bench.show(told)
    return told


def make(place, rows, without):
    files = {name: place / f"{'-'.join([name, *without])}.db" for name in ("base", *job.SIDES)}
    for name, path in files.items():
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.executescript(job.SCHEMA)
            job.fill(db, rows)
            if name in job.SIDES:
                job.edit(db, name, rows, without)
    return files


def worst(verdicts):
    """What was kept in the round in which least was."""
    if not verdicts:
        return None

    def badness(verdict):
        kept = sum(one["kept"] for one in verdict.values() if isinstance(one, dict) and "kept" in one)
        return -kept, (verdict["conflicts"] or {}).get("unreported", 0), verdict["rows that differ"]
    return max(verdicts, key=badness)
