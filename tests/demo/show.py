"""How the demo speaks: titles, small tables, and a loud end where something is not as it must be."""

import os
import subprocess
import sys
from pathlib import Path


def shown(path):
    """A path as short as it can be read from where we are."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def say(text):
    print(text, flush=True)


def title(text):
    say("")
    say(f"\033[1m{text}\033[0m" if sys.stdout.isatty() else f"== {text} ==")


def table(head, rows):
    """A small table; numbers to the right, long texts cut."""
    def text(value):
        value = str(value)
        return value if len(value) <= 56 else value[:55] + "~"

    lines = [[text(value) for value in row] for row in [head, *rows]]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    right = [any(row[at] != "" for row in rows) and all(isinstance(row[at], (int, float)) or row[at] == "" for row in rows)
             for at in range(len(head))]
    for number, line in enumerate(lines):
        padded = [cell.rjust(width) if side else cell.ljust(width) for cell, width, side in zip(line, widths, right)]
        say("  " + "  ".join(padded).rstrip())
        if number == 0:
            say("  " + "  ".join("-" * width for width in widths))


def fail(text):
    print(f"\nThe demo failed: {text}", file=sys.stderr, flush=True)
    sys.exit(1)


def run(command):
    """Runs a writer; its failure is the demo's."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        fail(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
