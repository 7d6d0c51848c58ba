"""How programs are measured beside each other: in rounds, in each of which all take their turn, in an order that changes.

Every measured thing is a process, started by `launch.c`. What counts is the median of the ratios within a round, so that a
machine that is busy for a while bears on all alike; the least and the largest are told beside it.
"""

import json
import statistics
import subprocess
from pathlib import Path


class Failed(Exception):
    """A peer, or cr0sync, that did not do its job at all."""


class Launcher:
    """Starts a command and says what it cost."""

    def __init__(self, tools, scratch):
        self.program = tools.launch
        self.result, self.output = scratch / "launched.json", scratch / "launched.txt"

    def run(self, command, good=(0,)):
        words = [str(word) for word in command]
        subprocess.run([str(self.program), str(self.result), str(self.output), *words], check=True)
        cost = json.loads(self.result.read_text())
        said = self.output.read_text(errors="replace")
        if cost["code"] not in good:
            last = " ".join(said.strip().splitlines()[-3:])[-400:]
            raise Failed(f"{last or 'no word why'} ({Path(words[0]).name} ended with {cost['code']})")
        return cost, said


class Row:
    """One who is measured, in one case."""

    def __init__(self, name, note=""):
        self.name, self.note = name, note
        self.samples = []
        # How many edits did not arrive, round by round; None where nothing was to arrive.
        self.losses = []
        self.broken = None

    def add(self, cost, inside_ms, lost):
        self.samples.append({**cost, "inside_ms": inside_ms})
        self.losses.append(lost)

    def all(self, what):
        return [sample[what] for sample in self.samples if sample[what] is not None]

    def told(self, ours):
        """What the report keeps of it; ratios are to the row `ours`, round by round."""
        counted = [lost for lost in self.losses if lost is not None]
        told = {"name": self.name, "note": self.note, "broken": self.broken, "lost": max(counted, default=None)}
        for what in ("ms", "processor_ms", "inside_ms", "peak_kib", "written"):
            told[what] = spread(self.all(what))
        pairs = zip(self.all("ms"), ours.all("ms"))
        told["ratio"] = spread([mine / base for mine, base in pairs]) if self is not ours else None
        return told


def spread(values):
    if not values:
        return None
    return {"median": statistics.median(values), "least": min(values), "largest": max(values)}


class Case:
    """Several who do the same job; the first one is ours. Prints while it goes on, as that takes a while."""

    def __init__(self, title, job, names):
        self.title, self.job = title, job
        self.rows = {name: Row(name, note) for name, note in names}

    def turns(self, rounds):
        """Whose turn it is, round by round; who broke has no more."""
        names = list(self.rows)
        for number in range(rounds):
            for turn in range(len(names)):
                row = self.rows[names[(turn + number) % len(names)]]
                if row.broken is None:
                    yield number, row

    def told(self):
        ours = next(iter(self.rows.values()))
        # Only rounds of all can be compared; ours never breaks, or the whole bench fails.
        return {"title": self.title, "job": self.job, "rounds": len(ours.samples),
                "rows": [row.told(ours) for row in self.rows.values()]}
