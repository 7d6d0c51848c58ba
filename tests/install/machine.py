"""A clean system made by debootstrap, in which commands run."""

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
PLACE = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target")).resolve() / "install"
MACHINES = PLACE / "machines"
# What PHP each has.
SYSTEMS = {"bookworm": "8.2", "trixie": "8.4"}
SOURCE = "/usr/src/cr0sync"
# How that the program runs in namespaces of its own is told to it.
APART = "--apart"
# What is no part of what is installed, below the root of a system.
PASSING = {"dev", "opt", "proc", "root", "run", "sys", "target", "tmp", "usr/src", "var/cache", "var/log", "etc/ld.so.cache"}
# Quick to build, by the same commands.
QUICK = {"CARGO_PROFILE_RELEASE_OPT_LEVEL": "0", "CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_DEBUG": "0"}


class Failed(Exception):
    """Something that is not as it must be."""


class Skipped(Exception):
    """What this machine does not offer."""


def said(*command, **options):
    """What a command says on this machine."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout.strip()


def must(what, message):
    """That something is so."""
    if not what:
        raise Failed(message)


class Machine:
    """A clean system, in which commands run."""

    def __init__(self, name):
        self.name, self.php = name, SYSTEMS[name]
        self.root = MACHINES / name
        # Where it runs, and is not only a place to work in: see booted.py.
        self.booted = None
        rust = Path(said("rustc", "--print", "sysroot", cwd=PROJECT))
        registry = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry"
        self.reads = {rust: "opt/rust", registry: "opt/cargo/registry"}
        self.keeps = {PLACE / f"{name}.target": "target", PLACE / f"{name}.packages": "var/cache/apt/archives"}
        self.environment = {
            "PATH": "/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "CARGO_HOME": "/opt/cargo",
            "CARGO_NET_OFFLINE": "true",
            "CARGO_TARGET_DIR": "/target",
            "COMPOSER_ALLOW_SUPERUSER": "1",
            **QUICK,
        }

    def make(self):
        """A copy of the base, the source, and what is lent."""
        MACHINES.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", "--reflink=auto", base(self.name), self.root], check=True)
        for real, place in (*self.reads.items(), *self.keeps.items()):
            real.mkdir(parents=True, exist_ok=True)
            (self.root / place).mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", real, self.root / place], check=True)
        for place in self.reads.values():
            subprocess.run(["mount", "-o", "remount,bind,ro", self.root / place], check=True)
        subprocess.run(["mount", "-t", "proc", "proc", self.root / "proc"], check=True)
        subprocess.run(["mount", "--rbind", "/dev", self.root / "dev"], check=True)
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        listed = said("git", "-c", f"safe.directory={PROJECT}", "ls-files", "-z", "-co", "--exclude-standard", cwd=PROJECT)
        for name in filter(None, listed.split("\0")):
            if (PROJECT / name).is_file():
                to = self.inside(f"{SOURCE}/{name}")
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / name, to)

    def inside(self, path):
        """Where a path of the system is for us."""
        return self.root / str(path).lstrip("/")

    def run(self, command, **more):
        """What a shell in the source says to a command, which must succeed."""
        shell = ["chroot", self.root, "/bin/sh", "-c", f"cd {SOURCE} && {command}"]
        done = subprocess.run(shell, env={**self.environment, **more}, capture_output=True, text=True, errors="replace")
        must(done.returncode == 0, f"{command}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
        must("PHP Warning" not in done.stderr, f"{command}\n{done.stderr}")
        return done.stdout.strip()

    def files(self, below="/"):
        """Every file and link below a directory: what it is."""
        found, start = {}, self.inside(below)
        for directory, directories, names in os.walk(start):
            at = os.path.relpath(directory, self.root)
            directories[:] = [name for name in directories if os.path.normpath(f"{at}/{name}") not in PASSING or below != "/"]
            links = [name for name in directories if os.path.islink(os.path.join(directory, name))]
            for name in names + links:
                path = os.path.normpath(f"{at}/{name}")
                if path not in PASSING:
                    state = os.lstat(self.root / path)
                    found[f"/{path}"] = (state.st_mode, state.st_size, state.st_mtime_ns)
        return found


def base(name):
    """The base of a system, made once; it is never worked in."""
    made, log = PLACE / f"{name}.base", PLACE / f"{name}.log"
    if not made.exists():
        new = PLACE / f"{name}.new"
        shutil.rmtree(new, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", "--include=make,ca-certificates", name, new]
        with log.open("w") as out:
            if subprocess.run(command, stdout=out, stderr=out).returncode != 0:
                raise Skipped(f"debootstrap cannot make {name}, see {log}:\n{log.read_text()[-500:]}")
        subprocess.run(["umount", new / "proc"], stderr=subprocess.DEVNULL)
        new.rename(made)
    return made
