"""A clean system that runs, with systemd as its process 1: systemd-nspawn boots it.

Invariant: nothing of it is left. All its processes are in a cgroup of their own, which is killed as a whole, and it has
namespaces of its own, no network among them. It runs inside those that install.py runs in, so that even if that is killed
no process stays; an empty cgroup that is left then is removed by the next `swept`.
"""

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from machine import Failed, Skipped, must

CGROUPS = Path("/sys/fs/cgroup")
NAME = "cr0sync-install-"
# What does not come in so many seconds never will. What is waited for longest comes within two minutes.
PATIENCE = 300


def swept():
    """Removes the cgroups that nobody is in any more."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    for place in [Path(words[1]) for words in mounts if words[2] == "cgroup2"]:
        for group in place.glob(f"{NAME}*"):
            _removed(group)


def _removed(group):
    """Whether a cgroup and those below it are gone, which they are not while somebody is in one."""
    try:
        for below in sorted(group.rglob("*/"), reverse=True):
            if below.is_dir():
                below.rmdir()
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _cgroups():
    """One tree of cgroups, as Debian 12 has it, also where this machine still has one for each controller."""
    if (CGROUPS / "cgroup.controllers").exists():
        return
    # In this mount namespace only.
    for command in (["umount", "--recursive", CGROUPS], ["mount", "-t", "cgroup2", "cgroup2", CGROUPS]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Skipped(f"this machine gives no cgroups of version 2: {done.stderr.strip()}")


class Booted:
    """A system from its boot to its end."""

    def __init__(self, machine):
        if not shutil.which("systemd-nspawn"):
            raise Skipped("systemd-nspawn is missing: apt-get install systemd-container")
        self.machine, self.console = machine, machine.root.with_name(f"{machine.name}.console")
        _cgroups()
        try:
            self.group = Path(tempfile.mkdtemp(prefix=NAME, dir=CGROUPS))
        except OSError as why:
            raise Skipped(f"no cgroup can be made here: {why}") from None
        try:
            self._boot()
        except BaseException:
            self.end()
            raise

    def _boot(self):
        nspawn = ["systemd-nspawn", "--register=no", "--keep-unit", "--private-network", "--console=read-only",
                  f"--directory={self.machine.root}"]
        # nspawn makes its cgroups where it is itself, mounts its own of what is mounted already for `chroot`, and leaves its
        # locks below /run/systemd.
        script = """group=$1 && shift && echo $$ >"$group/cgroup.procs" && umount --recursive "$0/dev" "$0/proc" &&
            mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && exec "$@\""""
        enter = ["unshare", "--mount", "sh", "-c", script, self.machine.root, self.group]
        probe = subprocess.run([*enter, *nspawn, "--quiet", "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if probe.returncode != 0:
            raise Skipped(f"systemd-nspawn does not work here: {probe.stderr.strip()}")
        with self.console.open("w") as out:
            self.nspawn = subprocess.Popen([*enter, *nspawn, "--boot"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.until(lambda: self._leader() and self.tried("systemctl is-system-running")[1] in ("running", "degraded"),
                   "it does not boot")

    def _leader(self):
        """The process that is number 1 there, as we see it."""
        listed = Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children")
        children = listed.read_text().split() if listed.exists() else []
        return next((one for one in children if Path(f"/proc/{one}/comm").read_text().strip() == "systemd"), None)

    def tried(self, command):
        """How a shell in it ends, and what it says."""
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid"]
        shell = ["nsenter", "--target", self._leader() or "0", *spaces, "--", "/bin/sh", "-c", command]
        done = subprocess.run(shell, env=self.machine.environment, stdin=subprocess.DEVNULL, text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
        return done.returncode, done.stdout.strip()

    def run(self, command):
        """What it says, which must succeed."""
        code, told = self.tried(command)
        must(code == 0, f"{command}\nended with {code}:\n{told}")
        return told

    def until(self, what, message):
        """Waits for something that comes by itself; what it is."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.nspawn.poll() is not None:
                raise Failed(f"{message}: the system ended with {self.nspawn.returncode}:\n{self._last_words()}")
            if found := what():
                return found
            time.sleep(0.2)
        raise Failed(f"{message}; its console:\n{self._last_words()}\n{self._journal()}")

    def _last_words(self):
        return re.sub(r"\x1b\[[0-9;]*m", "", self.console.read_text(errors="replace"))[-2000:]

    def _journal(self):
        return self.tried("journalctl --no-pager --boot --lines 30 --unit 'cr0sync-*'")[1] if self._leader() else ""

    def shut_down(self):
        """As `systemctl poweroff` does it."""
        self.nspawn.terminate()
        try:
            code = self.nspawn.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"it does not end:\n{self._last_words()}") from None
        must(code == 0, f"it ended with {code}:\n{self._last_words()}")
        self.end()

    def end(self):
        """At once, whatever it does. The second time nothing happens."""
        kill = self.group / "cgroup.kill"
        if not kill.exists():
            return
        kill.write_text("1")
        if hasattr(self, "nspawn"):
            self.nspawn.wait(PATIENCE)
        end = time.monotonic() + PATIENCE
        while not _removed(self.group):
            must(time.monotonic() < end, f"somebody is still in {self.group}")
            time.sleep(0.05)
