"""Where the peers are. What cannot be had is written down with the reason, for the report: nobody is left out silently.

Python packages come from pip, pinned in requirements.txt, into a place of their own below the target directory; programs
from wherever PATH finds them (`.ci/packages bench` installs what is missing).
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or PROJECT / "target").resolve()
OURS = PROJECT / "php/website/database_sync_script.php"


class Tools:
    def __init__(self, extension, may_install):
        self.extension = extension
        self.missing = {}
        self.versions = {}
        self.php = ["php"]
        # Where it is installed already, PHP would say so of the second one.
        if "cr0sync" not in said(["php", "-m"]).split():
            self.php = ["php", "-d", f"extension={extension}"]
        self.python = self.packages(may_install)
        self.launch = self.built()
        binaries = self.binaries()
        self.sqldiff = self.program("sqldiff", binaries / "sqlite3_diff" if binaries else None)
        self.shell = self.program("sqlite3", binaries / "sqlite3_shell" if binaries else None)
        self.rsync = self.program("sqlite3_rsync", binaries / "sqlite3_rsync" if binaries else None)
        self.unison = self.program("unison", None)
        self.has_session = self.module("apsw", "the session extension", "import apsw; apsw.Session; print(apsw.sqlite_lib_version())")
        self.has_geodiff = self.module("pygeodiff", "geodiff", "import pygeodiff; print(pygeodiff.GeoDiff().version())")
        self.has_doltlite = self.module("doltlite", "doltlite", "import doltlite; print(doltlite.__version__)")
        self.versions["cr0sync"] = said([*self.php, "-r", "echo cr0_version();"]) or "?"
        self.versions["SQLite that cr0sync uses"] = sqlite_of(said([*self.php, "--ri", "cr0sync"]))
        self.versions["PHP"] = said(["php", "-r", "echo PHP_VERSION;"])

    def packages(self, may_install):
        """The Python that has the packages; None where they cannot be had."""
        wanted = hashlib.sha256((HERE / "requirements.txt").read_bytes() + sys.version.encode()).hexdigest()[:16]
        place = TARGET / "bench-tools" / wanted
        python = place / "bin/python"
        if (place / "installed").exists():
            return python
        if not may_install:
            self.missing["packages from pip"] = "they are not installed, and --no-install was given"
            return None
        print("installing the peers that come from pip", flush=True)
        for words in ([sys.executable, "-m", "venv", "--clear", place],
                      [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "requirements.txt"]):
            why = failure([str(word) for word in words])
            if why:
                self.missing["packages from pip"] = f"{' '.join(str(word) for word in words[1:4])} failed: {why}"
                return None
        (place / "installed").touch()
        return python

    def built(self):
        place = TARGET / "bench-tools"
        place.mkdir(parents=True, exist_ok=True)
        source = HERE / "launch.c"
        program = place / f"launch-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
        if program.exists():
            return program
        # Under another name first: somebody else may be building it too.
        new = program.with_suffix(f".{os.getpid()}")
        why = failure(["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(new), str(source)])
        if why:
            sys.exit(f"{source} cannot be built: {why}")
        new.rename(program)
        return program

    def binaries(self):
        """The programs of SQLite that apsw brings."""
        if self.python is None:
            return None
        place = Path(said([self.python, "-c", "import apsw, pathlib; print(pathlib.Path(apsw.__file__).parent)"]))
        place = place / "sqlite_extra_binaries"
        return place if place.is_dir() else None

    def program(self, name, brought):
        """A program that a package brings, else the one of PATH: first those that are pinned."""
        if brought is not None and os.access(brought, os.X_OK):
            # All of them are of one SQLite, and only its shell says which.
            self.versions[name] = sqlite_of(said([brought.with_name("sqlite3_shell"), "--version"]))
            return str(brought)
        found = shutil.which(name)
        if found is None:
            self.missing[name] = "no such program is on PATH, and no package brought it"
            return None
        number = re.search(r"[0-9]+\.[0-9.]+", said([found, "-version"]))
        self.versions[name] = number[0] if number else "of the system"
        return found

    def module(self, name, what, code):
        if self.python is None:
            self.missing[what] = "packages from pip are missing"
            return False
        run = subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            self.missing[what] = (run.stderr.strip().splitlines() or ["no word why"])[-1]
            return False
        self.versions[what] = run.stdout.split("\n")[0]
        return True


def said(words):
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    return run.stdout.strip() if run.returncode == 0 else ""


def failure(words):
    """What a command says when it fails; None where it does not."""
    try:
        run = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if run.returncode == 0:
        return None
    return ((run.stderr or run.stdout).strip().splitlines() or ["no word why"])[-1]


def sqlite_of(text):
    """The first word that looks like a version of SQLite."""
    return next((word for word in text.split() if word.startswith("3.") and word[2:3].isdigit()), "?")
