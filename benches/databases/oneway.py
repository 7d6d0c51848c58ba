"""The one-way cases: one side was edited, the other one should get it. Each size in both journal modes, for all who can do it."""

import shutil

import data
from measure import Case, Failed
from ours import wait_until_quiet

MODES = {"rollback": "DELETE", "WAL": "WAL"}


def base(bench, rows, mode):
    """The file that all start from; made once."""
    path = bench.scratch / "base" / f"{rows}-{mode}.db"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        data.make(path, rows, MODES[mode])
    return path


def grid(bench, rows, mode, changes, kinds, rounds, is_quiet_too=True):
    """All cases of one size and mode, one after the other on the same files. A case is told as `Case.told` does."""
    place = bench.scratch / f"oneway-{rows}-{mode}"
    original = base(bench, rows, mode)
    there = [kind for kind in kinds if kind.is_there(bench.tools)]
    names = [(kind.name, kind.note) for kind in there]
    peers = {kind.name: kind(bench, place / str(number), original) for number, kind in enumerate(there)}
    broken, cases = {}, []

    def case(title, job, times, turn):
        one = Case(title, job, names)
        for name, why in broken.items():
            one.rows[name].broken = why
        for number, row in one.turns(times):
            attempt(row.name, lambda row=row, number=number: turn(row, number), row)
        cases.append({**one.told(), "size": rows, "mode": mode})
        bench.show(cases[-1])

    def attempt(name, what, row=None):
        try:
            what()
        except Failed as failure:
            # Without our own figures nothing can be compared.
            if name == there[0].name:
                raise
            broken[name] = str(failure)
            if row is not None:
                row.broken = broken[name]

    def edited(count):
        def turn(row, number):
            peer = peers[row.name]
            peer.edit(count, number)
            cost, inside = peer.run()
            row.add(cost, inside, peer.lost(data.edits(rows, count, number)))
        return turn

    def again(row, number):
        peer = peers[row.name]
        peer.edit(10, 1000 + number)
        peer.run()
        row.add(*peer.run(), peer.lost(data.edits(rows, 10, 1000 + number)))

    def nothing_new(row, _number):
        row.add(*peers[row.name].run(), None)

    try:
        for name, peer in peers.items():
            attempt(name, lambda peer=peer: first(peer, rows))
        if is_quiet_too:
            for name, peer in peers.items():
                attempt(name, peer.rest)
            wait_until_quiet([path for peer in peers.values() for path in (peer.edited, peer.other)])
            case(f"{rows:,} rows, {mode}: nothing new", "no-op", rounds * 3, nothing_new)
            case(f"{rows:,} rows, {mode}: nothing new, right after 10 edits were carried", "run after", rounds, again)
        for count in changes:
            case(f"{rows:,} rows, {mode}: {count:,} edits", f"{count}", rounds, edited(count))
        differ = {}
        for name, peer in peers.items():
            if name not in broken:
                attempt(name, lambda name=name, peer=peer: differ.update({name: peer.differences()}))
        if differ[there[0].name]:
            raise Failed(f"cr0sync left {differ[there[0].name]} rows different: {rows} rows, {mode}")
        for one in cases:
            for row in one["rows"]:
                row["differ"] = differ.get(row["name"])
    finally:
        for peer in peers.values():
            peer.close()
    shutil.rmtree(place)
    return cases


def first(peer, rows):
    """Gets to know the files, and carries some edits that are not measured: what is only done once is done now."""
    peer.prepare()
    peer.open(rows)
    peer.edit(10, 10_000)
    peer.run()
    peer.lost(data.edits(rows, 10, 10_000))
