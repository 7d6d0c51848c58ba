"""What Prometheus reads: the file of `--metrics`, compared with a golden text and checked by `promtool check metrics`.

Times, sizes and versions differ from run to run, and stand there as words. `--accept` writes the golden text anew. Needs
`make build`.
"""

import grp
import json
import os
import pwd
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
GOLDEN = HERE / "golden.prom"


def php(root, script, *words):
    """Runs a script of the website, which must end well."""
    extension = PROJECT / "build" / "cr0sync.so"
    command = ["php", "-d", f"extension={extension}", PROJECT / "php" / "website" / script, *words, "--root", root]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        sys.exit(f"{script} {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def world(root):
    """Two sides, a log, a watched page, and what a cron script wrote down."""
    for name in ("central", "website", "shared_storage", "sync_state/cron"):
        (root / name).mkdir(parents=True)
    for side in ("central", "website"):
        with sqlite3.connect(root / side / "notes.db") as database:
            database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
    (root / "website" / "bot.log").write_text("2026-01-01 00:00:00 - bot - INFO - one\n")
    (root / "shared_storage" / "integrity_config.json").write_text(
        json.dumps({"monitored_files": [], "monitored_directories": [str(root / "website")], "ignore_patterns": ["*.log"]})
    )
    owner = {"user": pwd.getpwuid(os.geteuid()).pw_name, "group": grp.getgrgid(os.getegid()).gr_name}
    (root / "cr0sync.json").write_text(
        json.dumps(
            {
                "version": 1,
                "databases": {"notes": {"replicas": {"central": "central/notes.db", "website": "website/notes.db"}}},
                "logs": {"bot": {"copies": {"central": "central/bot.log", "website": "website/bot.log"}}},
                "ownership": owner,
            }
        )
    )
    (root / "sync_state").chmod(0o3770)
    (root / "sync_state" / "cron" / "logs").write_text(
        f"cr0sync cron 1\nlast_run={int(time.time())}\nlast_exit=0\nruns=3\ntotal=12\n"
    )


def plain(text):
    """Without what differs from run to run."""
    text = re.sub(r'version="[^"]*",sqlite="[^"]*"', 'version="VERSION",sqlite="SQLITE"', text)
    text = re.sub(r"(_timestamp_seconds(?:\{.*\})?) \d{10}$", r"\1 TIME", text, flags=re.M)
    return re.sub(r"(_size_bytes\{.*\}) \d+$", r"\1 BYTES", text, flags=re.M)


def main():
    """Makes a world, and looks at what is said of it."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "root"
        file = root / "cr0sync.prom"
        root.mkdir()
        world(root)
        php(root, "log_sync_script.php", "bidirectional", "--quiet")
        php(root, "database_sync_script.php", "bidirectional", "--quiet")
        php(root, "security_monitoring_script.php", "baseline")
        php(root, "security_monitoring_script.php", "run", "--quiet", "--metrics", str(file))
        text = file.read_text()
        mode = file.stat().st_mode & 0o777
        if mode != 0o644:
            sys.exit(f"the node exporter cannot read {file}: mode {mode:o}")
    if "--accept" in sys.argv:
        GOLDEN.write_text(plain(text))
    if plain(text) != GOLDEN.read_text():
        sys.exit(f"this is not {GOLDEN.relative_to(PROJECT)} (--accept, and look):\n{plain(text)}")
    tool = shutil.which("promtool")
    if tool is None:
        sys.exit("promtool is missing: apt-get install prometheus")
    checked = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    if checked.returncode != 0 or checked.stderr.strip():
        sys.exit(f"promtool check metrics ended with {checked.returncode}:\n{checked.stdout}{checked.stderr}")
    broken = subprocess.run([tool, "check", "metrics"], input=text + "x{ 1\n", capture_output=True, text=True, check=False)
    if broken.returncode == 0:
        sys.exit("promtool finds nothing wrong with a broken text")
    print(f"metrics: {len(text.splitlines())} lines are what Prometheus reads")


main()
