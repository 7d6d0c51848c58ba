"""A whole machine for some minutes: a real cron runs what install_crontabs.sh wrote, while bots and a website write.

The machine is this one in namespaces of its own, with a layer above its files that is thrown away: a user `cr0`, the paths
of the real deployment, cron, php-fpm and nginx from their packages, with the packages' own settings. What runs in there is
`day.py`. Needs root; elsewhere it says so and is skipped.

CR0SYNC_E2E_MINUTES says how long they write (3 unless given). The last line is `e2e: ok, ...` with what was done; a failure
tells the differences.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
# What the machine writes, beside what is there: real disks, as files are mapped and locked there.
OWN = ["data", "home", "var/www", "var/spool/cron"]
# Seconds that setting up and the last runs may take beside the minutes.
MORE = 900


def main():
    if os.getuid() != 0:
        print("skipped: e2e: making a machine of its own needs root")
        return 0
    minutes = float(os.environ.get("CR0SYNC_E2E_MINUTES", "3"))
    base = Path(tempfile.mkdtemp(prefix="cr0sync-e2e-", dir="/var/tmp"))
    base.chmod(0o755)
    spaces = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--propagation", "private"]
    inside = [sys.executable, "-B", str(HERE / "e2e.py"), "--inside", str(base), str(minutes)]
    try:
        return subprocess.run([*spaces, *inside], timeout=minutes * 60 + MORE, check=False).returncode
    finally:
        # All that was mounted has gone with the namespace.
        shutil.rmtree(base, ignore_errors=True)


def inside(base, minutes):
    """The first process of the machine: puts its files together, and lives in there."""
    root = base / "root"
    for name in ("above", "work", "root"):
        (base / name).mkdir()
    layers = f"lowerdir=/,upperdir={base / 'above'},workdir={base / 'work'}"
    mount = lambda *words: subprocess.run(["mount", *map(str, words)], check=True)
    mount("-t", "overlay", "overlay", "-o", layers, root)
    for name in OWN:
        there = base / "own" / name
        there.mkdir(parents=True)
        (root / name).mkdir(parents=True, exist_ok=True)
        mount("--bind", there, root / name)
    (root / "var/spool/cron/crontabs").mkdir()
    shutil.chown(root / "var/spool/cron/crontabs", "root", "crontab")
    (root / "var/spool/cron/crontabs").chmod(0o1730)
    mount("-t", "proc", "proc", root / "proc")
    mount("--rbind", "/dev", root / "dev")
    for name in ("run", "tmp"):
        mount("-t", "tmpfs", "-o", "mode=1777" if name == "tmp" else "mode=755", "tmpfs", root / name)
    # Also where it lies on a file system of its own, or below what is hidden now.
    if not (root / str(PROJECT)[1:] / "Makefile").exists():
        (root / str(PROJECT)[1:]).mkdir(parents=True, exist_ok=True)
        mount("--bind", PROJECT, root / str(PROJECT)[1:])
    os.chroot(root)
    os.chdir("/")
    os.execv(sys.executable, [sys.executable, "-B", str(HERE / "day.py"), str(PROJECT), str(minutes)])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(Path(sys.argv[2]), sys.argv[3])
    else:
        sys.exit(main())
