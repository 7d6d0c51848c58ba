"""The benchmarks of logs, watched files, rate limits and keys: programs of their own, whose words join the report."""

import subprocess

from tools import PROJECT


def all_of_them(extension, without):
    """Title and text of each, and what was left out as `without` says so."""
    programs = {
        "logs": ["cargo", "bench", "--locked", "--bench", "logs"],
        "integrity": ["cargo", "bench", "--locked", "--bench", "integrity"],
        "limits": ["sh", "benches/limits.sh", str(extension)],
        "access": ["sh", "benches/access.sh", str(extension)],
    }
    told = []
    for name, words in programs.items():
        if name in without:
            told.append({"name": name, "text": None, "why": "left out by --without"})
            continue
        print(f"\n{name}: {' '.join(words)}", flush=True)
        try:
            run = subprocess.Popen(words, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        except OSError as error:
            # What took an hour before is not thrown away for that.
            told.append({"name": name, "text": None, "why": str(error)})
            continue
        lines = []
        for line in run.stdout:
            print(line, end="", flush=True)
            # What cargo builds is no figure.
            if not line.lstrip().startswith(("Compiling", "Finished", "Running", "Blocking", "Downloading", "Downloaded")):
                lines.append(line.rstrip())
        code = run.wait()
        why = None if code == 0 else f"it ended with {code}"
        told.append({"name": name, "text": "\n".join(lines).strip(), "why": why})
    return told
