"""The C library as C, C++ and Python programs see it.

Compares its header and its symbols with those that are committed, compiles each program of this directory against the
shared and the static library, runs it under valgrind on a system of its own, and lets a bot in Python and a page in PHP
count on the same limit. `--accept` writes the header and the list of symbols anew instead. Needs `make library`.
"""

import grp
import json
import os
import pwd
import re
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
BUILD = PROJECT / "build"
LIBRARY = BUILD / "library"
SYMBOLS = HERE / "symbols.txt"
HEADER = PROJECT / "include" / "cr0sync.h"
PROGRAMS = ["sync", "access", "operations", "refused", "several"]
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-g"]


def run(*command, **options):
    """Runs a command that must succeed, and returns what it printed."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=300, check=False, **options
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def pkg_config(*words):
    """What a program is compiled with, as pkg-config says."""
    environment = {**os.environ, "PKG_CONFIG_PATH": str(LIBRARY)}
    return run("pkg-config", *words, "cr0sync", env=environment).split()


def exported():
    """Everything that the shared library shows."""
    lines = run("nm", "-D", "--defined-only", LIBRARY / "libcr0sync.so").splitlines()
    return sorted(line.split()[-1] for line in lines)


def committed(accept):
    """That header and symbols are the committed ones."""
    made, symbols = (LIBRARY / "cr0sync.h").read_text(), "\n".join(exported()) + "\n"
    if accept:
        HEADER.write_text(made)
        SYMBOLS.write_text(symbols)
    for kept, now in ((HEADER, made), (SYMBOLS, symbols)):
        if kept.read_text() != now:
            sys.exit(f"{kept.relative_to(PROJECT)} is not what is built: python3 tests/abi/abi.py --accept, and look")
    dynamic = run("readelf", "-d", LIBRARY / "libcr0sync.so")
    soname = [line for line in dynamic.splitlines() if "SONAME" in line]
    assert len(soname) == 1 and "[libcr0sync.so.0]" in soname[0], soname
    assert "NODELETE" in dynamic, "a handler of a signal would be unloaded"
    programs = "".join(path.read_text() for path in HERE.glob("*.c*"))
    uncalled = [name for name in exported() if not re.search(rf"\b{name}\(", programs)]
    assert not uncalled, f"no program calls {', '.join(uncalled)}"


def system(place):
    """A small system: two sides of a database and of a log, and a site whose files are watched."""
    for name in ("bot", "root", "site", "root/shared_storage"):
        (place / name).mkdir()
    for side in ("bot", "root"):
        with sqlite3.connect(place / side / "d.db") as database:
            database.execute("CREATE TABLE memos(id INTEGER PRIMARY KEY, text TEXT)")
            database.execute("INSERT INTO memos VALUES (?, ?)", (1 if side == "bot" else 2, f"of {side}"))
        database.close()
    (place / "bot" / "d.log").write_text("one\ntwo\n")
    (place / "site" / "index.php").write_text("<?php\n")
    (place / "root" / "shared_storage" / "integrity_config.json").write_text(
        json.dumps({"monitored_files": [], "monitored_directories": [str(place / "site")], "ignore_patterns": []})
    )
    sides = {"bot": str(place / "bot" / "d.db"), "central": str(place / "root" / "d.db")}
    copies = {"bot": str(place / "bot" / "d.log"), "central": str(place / "root" / "d.log")}
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    configuration = {
        "version": 1,
        "root": str(place / "root"),
        "databases": {"d": {"replicas": sides}},
        "logs": {"d": {"copies": copies}},
        "ownership": {"user": user, "group": group},
        "guards": {"min_free_percent": 0},
        "access": {"tiers": {"default": {"limit": 5, "period_seconds": 3600}}},
    }
    (place / "root" / "cr0sync.json").write_text(json.dumps(configuration))
    return place / "root"


def in_system(work):
    """Does something with a system of its own."""
    with tempfile.TemporaryDirectory(prefix="cr0sync-abi-") as place:
        return work(system(Path(place)))


def compiled(place):
    """Every program against both libraries: `(name, path)`."""
    flags, shared = pkg_config("--cflags"), pkg_config("--libs")
    static = pkg_config("--libs", "--static")
    static = ["-l:libcr0sync.a" if word == "-lcr0sync" else word for word in static]
    for name in PROGRAMS:
        for kind, libraries in (("shared", shared), ("static", static)):
            program = place / f"{name}-{kind}"
            run("cc", *STRICT, *flags, HERE / f"{name}.c", *libraries, "-o", program)
            yield f"{name} ({kind})", program
    program = place / "version"
    run("c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", *flags, HERE / "version.cpp", *shared, "-o", program)
    yield "version (C++)", program


def of_the_readme(place):
    """The program that the README shows, compiled as strictly."""
    source, program = place / "merge.c", place / "merge"
    source.write_text(re.search(r"```c\n(.+?)```", (PROJECT / "README.md").read_text(), re.S)[1])
    run("cc", *STRICT, *pkg_config("--cflags"), source, *pkg_config("--libs"), "-o", program)
    return program


def watched(program, environment):
    """Runs a program under valgrind: no wrong access, nothing lost."""
    command = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite"]
    return in_system(lambda root: run(*command, program, root, env=environment))


def with_php(environment):
    """A bot in Python and a page in PHP are counted by one limit of five, and write one event log."""
    page = 'echo json_encode(cr0_rate_limit("nick!user@host", "default", ["root" => $argv[1]]));'
    look = 'echo json_encode(cr0_event_query(["type" => "flood"], ["root" => $argv[1]])["events"]);'

    def php(code, root):
        extension = BUILD / "cr0sync.so"
        return json.loads(run("php", "-n", "-d", f"extension={extension}", "-r", code, "--", root))

    def both(root):
        bot = lambda: json.loads(run("python3", "-B", HERE / "bot.py", root, "nick!user@host", env=environment))
        assert bot() == {"allowed": True, "remaining": 4}
        assert php(page, root)["remaining"] == 3
        assert bot()["remaining"] == 2
        assert php(page, root)["remaining"] == 1
        assert php(page, root)["remaining"] == 0
        assert bot()["allowed"] is False
        assert php(page, root)["allowed"] is False
        events = php(look, root)
        assert [event["severity"] for event in events] == ["MEDIUM"], events
        assert events[0]["details"]["client"] == "nick!user@host", events

    in_system(both)


def main():
    committed("--accept" in sys.argv[1:])
    shared = LIBRARY / "libcr0sync.so.0"
    environment = {**os.environ, "LD_LIBRARY_PATH": str(LIBRARY), "LIBCR0SYNC": str(shared)}
    names = []
    with tempfile.TemporaryDirectory(prefix="cr0sync-abi-") as place:
        for name, program in compiled(Path(place)):
            watched(program, environment)
            names.append(name)
        example = of_the_readme(Path(place))
        told = in_system(lambda root: run(example, env={**environment, "CR0SYNC_CONFIG": str(root / "cr0sync.json")}))
        assert told == "2 rows were new\n", told
    with_php(environment)
    print(f"abi: ok, {len(exported())} functions, {len(names)} programs under valgrind, one limit with PHP and Python")


if __name__ == "__main__":
    main()
