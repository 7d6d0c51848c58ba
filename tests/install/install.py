"""Installing as people do it, in clean systems: Debian 12 with PHP 8.2, and trixie with PHP 8.4.

Each system is made by debootstrap, holds nothing but its base and make, and gets this source, this machine's Rust and the
crates that cargo has here, read-only. In it, as the README says: `make` installs what is missing and builds; `make install`
for a packager (DESTDIR and PREFIX) and for the system itself, where PHP, a C compiler and Python find what was installed;
`make uninstall`, after which the system is what it was; `phpize`, `./configure`, `make` and `make install` where
composer.json says that the extension is built; the tests of the extension under that PHP; and what the README has root do
for the users of cron and of pages. Debian 12 is then booted, and systemd's timers call the scripts (timers.py).

    python3 -B tests/install/install.py [--keep] [--timers] [SYSTEM...]

--timers tries only the timers, in Debian 12, with what `make build library` built here for the same PHP.

Needs root (for chroot and mounts, in a namespace of its own), debootstrap and the network; where it cannot have them, it
says so, and the systems are counted as skipped. What can be used again lies in target/install. The last line is
`N passed, N failed, N skipped`.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import booted
import timers
from machine import APART, MACHINES, PLACE, PROJECT, SOURCE, SYSTEMS, Failed, Machine, Skipped, base, must, said

# Each of these does what a person does, and says what must be so then. They run in this order.


def built_by_make(machine):
    """`make` installs what is missing, and builds for the PHP of the system."""
    machine.run("make build library")
    php = machine.run("php -r 'echo PHP_VERSION;'")
    must(php.startswith(f"{machine.php}."), f"{machine.name} has PHP {php}")
    return f"({php})"


def installed(machine, prefix):
    """What is there after `make install`."""
    extensions = machine.run("php-config --extension-dir")
    version = re.search(r'^version = "(.+)"$', (PROJECT / "Cargo.toml").read_text(), re.M)[1]
    share = f"{prefix}/share/cr0sync"
    names = {f"{extensions}/cr0sync.so", f"/etc/php/{machine.php}/mods-available/cr0sync.ini"}
    names |= {f"{prefix}/lib/libcr0sync.{end}" for end in ("a", "so", "so.0", f"so.{version}")}
    names |= {f"{prefix}/lib/pkgconfig/cr0sync.pc", f"{prefix}/include/cr0sync.h", f"{share}/cr0sync.stub.php"}
    names |= {f"{share}/{name}_script.php" for name in ("database_sync", "log_sync", "security_monitoring")}
    return names | {f"{share}/cr0sync/{path.name}" for path in (PROJECT / "php/src").glob("*.php")}


def packed(machine):
    """A packager gets everything below DESTDIR, and nothing happens elsewhere; uninstalling takes all of it."""
    before = machine.files()
    machine.run("make install DESTDIR=/tmp/stage PREFIX=/usr")
    found = {name.removeprefix("/tmp/stage") for name in machine.files("/tmp/stage")}
    must(found == installed(machine, "/usr"), f"not as it should be: {sorted(found ^ installed(machine, '/usr'))}")
    must("prefix=/usr\n" in machine.inside("/tmp/stage/usr/lib/pkgconfig/cr0sync.pc").read_text(), "cr0sync.pc")
    must(machine.files() == before, "something outside of DESTDIR has changed")
    machine.run("make uninstall DESTDIR=/tmp/stage PREFIX=/usr")
    must(not machine.files("/tmp/stage"), f"left: {sorted(machine.files('/tmp/stage'))}")


def for_everybody(machine):
    """On the system itself PHP loads it at once, and scripts, C and Python find what is theirs."""
    machine.before = machine.files()
    machine.run("make install")
    new, ours = set(machine.files()) - set(machine.before), installed(machine, "/usr/local")
    # What phpenmod notes.
    new = {name for name in new if "/conf.d/" not in name and not name.startswith("/var/lib/php/modules/")}
    must(new == ours, f"not as it should be: {sorted(new ^ ours)}")
    must("cr0sync" in machine.run("php -m").splitlines(), "PHP does not load it")
    must("enabled" in machine.run("php --ri cr0sync"), "php --ri says nothing")
    again = machine.files()
    machine.run("make install")
    must(set(machine.files()) == set(again), "installed twice it is something else")


def sides(machine):
    """Two sides of a database that differ."""
    place = machine.inside("/tmp/sides")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for side in ("bot", "central"):
        with sqlite3.connect(place / f"{side}.db") as database:
            database.execute("CREATE TABLE memos(text TEXT)")
            database.execute("INSERT INTO memos VALUES (?)", (f"of {side}",))
        database.close()
    replicas = {side: f"/tmp/sides/{side}.db" for side in ("bot", "central")}
    ownership = {"user": "root", "group": "root"}
    tiers = {"default": {"limit": 5, "period_seconds": 3600}}
    configuration = {"version": 1, "root": "/tmp/sides", "ownership": ownership, "access": {"tiers": tiers},
                     "databases": {"d": {"replicas": replicas}}}
    (place / "cr0sync.json").write_text(json.dumps(configuration))
    return place


def script_works(machine):
    """The installed script merges."""
    place = sides(machine)
    machine.run("php /usr/local/share/cr0sync/database_sync_script.php bidirectional --config /tmp/sides/cr0sync.json")
    with sqlite3.connect(place / "bot.db") as database:
        rows = database.execute("SELECT text FROM memos ORDER BY text").fetchall()
    must(rows == [("of bot",), ("of central",)], rows)


def c_works(machine):
    """The README's program is compiled as it says, and merges; it runs with the shared and with the static library."""
    readme = (PROJECT / "README.md").read_text()
    program = re.search(r"```c\n(.+?)```", readme, re.S)[1]
    shared = "cc merge.c $(pkg-config --cflags --libs cr0sync) -o merge"
    must(shared in readme, "the README compiles otherwise")
    static = "cc merge.c $(pkg-config --cflags --libs --static cr0sync | sed s/-lcr0sync/-l:libcr0sync.a/) -o merge"
    for command in (shared, static):
        sides(machine)
        machine.inside("/tmp/merge.c").write_text(program)
        machine.run(f"cd /tmp && {command}")
        told = machine.run("/tmp/merge", CR0SYNC_CONFIG="/tmp/sides/cr0sync.json")
        must(told == "2 rows were new", told)


def python_works(machine):
    """The bot finds the library without being told where it is."""
    sides(machine)
    told = machine.run("python3 -B tests/abi/bot.py /tmp/sides 'nick!user@host'")
    must(json.loads(told) == {"allowed": True, "remaining": 4}, told)


def taken_away(machine):
    """What an administrator changed stays; the rest goes, and the system is what it was."""
    ini = machine.inside(f"/etc/php/{machine.php}/mods-available/cr0sync.ini")
    shipped = ini.read_text()
    ini.write_text(f"{shipped}cr0sync.root=/srv/site\n")
    machine.run("make install")
    must("/srv/site" in machine.run("php --ri cr0sync"), "the changed setting does not count")
    must("which was changed" in machine.run("make uninstall"), "nothing is said of a changed ini file")
    must(ini.read_text() != shipped, "a changed ini file is gone")
    ini.write_text(shipped)
    machine.run("make uninstall")
    after = machine.files()
    must(after == machine.before, f"not as before: {sorted(set(after.items()) ^ set(machine.before.items()))}")
    must("cr0sync" not in machine.run("php -m").splitlines(), "PHP still loads it")


def built_by_phpize(machine):
    """Where composer.json says that the extension is, it is built as every extension."""
    place = json.loads((PROJECT / "composer.json").read_text())["php-ext"]["build-path"]
    configure = "./configure --with-php-config=$(command -v php-config)"
    machine.run(f"cd {place} && phpize && {configure} && make && make install")
    version = machine.run("php -d extension=cr0sync -r 'echo PHP_VERSION, \" \", cr0_version();'")
    must(re.fullmatch(rf"{machine.php}\.\S+ \d+\.\d+\.\d+", version), version)
    listed = [name.removeprefix(f"{SOURCE}/") for name in machine.files(f"{SOURCE}/{place}")]
    new = "\n".join(name for name in listed if not (PROJECT / name).exists())
    ignore = ["git", "-c", f"safe.directory={PROJECT}", "check-ignore", "--no-index", "--stdin"]
    seen = subprocess.run(ignore, cwd=PROJECT, input=new, stdout=subprocess.PIPE, text=True, check=False).stdout
    left = set(new.splitlines()) - set(seen.splitlines())
    must(new and not left, f"phpize leaves what git would take: {sorted(left)}")


def tested(machine):
    """The tests of the extension pass under the PHP of the system."""
    place = json.loads((PROJECT / "composer.json").read_text())["php-ext"]["build-path"]
    told = machine.run(f"sh php/tests/run.sh {place}/modules/cr0sync.so")
    passed, failed = map(int, re.fullmatch(r"(\d+) passed, (\d+) failed, \d+ skipped", told.splitlines()[-1]).groups())
    must(passed > 100 and failed == 0, told)
    return f"({told.splitlines()[-1]})"


def understood(machine):
    """The PHP of the system understands every PHP file."""
    find = r"find benches php tests \( -name '*.php' -o -name '*.inc' \) -print0"
    told = machine.run(f"{find} | xargs -0 -n 1 php -n -l | sort | uniq -c | wc -l; {find} | tr -cd '\\0' | wc -c")
    lines, files = map(int, told.split())
    must(files > 40 and lines == files, told)
    return f"({files} files)"


def composed(machine):
    """Composer understands what composer.json says."""
    if machine.name == "bookworm":
        raise Skipped("its Composer is older than extensions are in composer.json")
    machine.run("apt-get install -y --no-install-recommends composer", DEBIAN_FRONTEND="noninteractive")
    machine.run("composer validate --strict")


def with_users(machine):
    """What the README has root do for the users is enough for cron's to sync, and for the pages' to ask it to."""
    readme = (PROJECT / "README.md").read_text()
    found = re.search(r"\*\*Users\.\*\*.+?```text\n(.+?)```.+?`(chown -hR [^`]+)`", readme, re.S)
    must(found, "the README has no commands for the users")
    once, after_backup = found.groups()
    root, state = "/data/cr0_system", "/data/cr0_system/sync_state"
    # The root as it may be: the group writes there.
    machine.run(f"useradd --system cr0 && install -d -g www-data -m 2775 {root}")
    machine.run(f"set -e\n{once}")
    must("www-data" in machine.run("id -nG cr0").split(), "cr0 is not in the group")
    seen = machine.run(f"stat -c '%U:%G %a' {state} {root}").splitlines()
    must(seen == ["cr0:www-data 3770", "root:www-data 3775"], seen)

    place = sides(machine)
    machine.run("chown -R cr0 /tmp/sides")
    configuration = json.loads((place / "cr0sync.json").read_text())
    configuration["root"] = root
    del configuration["ownership"]
    machine.inside(f"{root}/cr0sync.json").write_text(json.dumps(configuration))
    php = "php -d extension=$PWD/build/cr0sync.so"
    run = f"runuser -u cr0 -- {php} php/website/database_sync_script.php"
    end = f"--config {root}/cr0sync.json"
    machine.run(f"{run} bidirectional {end}")
    ask = f"cr0_db_enqueue('backup', ['database' => 'd'], ['root' => '{root}', 'by' => 'a page']);"
    machine.run(f'runuser -u www-data -- {php} -r "{ask}"')
    machine.run(f"{run} bidirectional {end}")
    (request,) = json.loads(machine.run(f"{run} queue --json {end}"))["requests"]
    must((request["action"], request["state"]) == ("backup", "done"), request)

    # A backup of the state that root put back.
    machine.run(f"chown -R root:root {state} && {after_backup}")
    foreign = machine.run(f"find {state} ! -user cr0 -o ! -group www-data")
    must(not foreign, f"still of others: {foreign}")
    machine.run(f"{run} bidirectional {end}")
    return "(cr0 and www-data)"


STEPS = (
    built_by_make,
    packed,
    for_everybody,
    script_works,
    c_works,
    python_works,
    taken_away,
    built_by_phpize,
    tested,
    understood,
    composed,
    with_users,
)
ONLY_TIMERS = "--timers"


def steps(name):
    """What is tried in a system."""
    if ONLY_TIMERS in sys.argv:
        return timers.brought, *timers.STEPS
    return STEPS + (timers.STEPS if name == timers.SYSTEM else ())


def tried(name):
    """How many steps passed, failed and were skipped in a system; those after one that failed are not tried."""
    machine, passed, skipped = Machine(name), 0, 0
    machine.make()
    try:
        for step in steps(name):
            try:
                note = step(machine)
            except Skipped as why:
                skipped += 1
                print(f"SKIP {name}: {step.__doc__} skipped: {why}", flush=True)
            except Failed as failure:
                print(f"FAIL {name}: {step.__doc__}\n{failure}", flush=True)
                return passed, 1, skipped
            else:
                passed += 1
                print(f"PASS {name}: {step.__doc__} {note or ''}".rstrip(), flush=True)
    finally:
        if machine.booted:
            machine.booted.end()
    return passed, 0, skipped


def apart(words):
    """Goes on in namespaces of its own, so that no mount and no process is left, however it ends."""
    if os.geteuid() != 0:
        raise Skipped("only root may chroot")
    if not shutil.which("debootstrap"):
        raise Skipped("debootstrap is missing: apt-get install debootstrap")
    # Each ends with who began it, also where that was killed.
    spaces = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*spaces, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skipped("this machine gives no namespaces (unshare)")
    swept()
    done = subprocess.run([*spaces, sys.executable, "-B", __file__, APART, *words])
    if "--keep" not in words:
        swept()
    return done.returncode


def swept():
    """Removes what is left of systems. What was lent to them is mounted nowhere but in namespaces that are gone."""
    must(str(MACHINES) not in Path("/proc/self/mountinfo").read_text(), f"something is mounted below {MACHINES}")
    subprocess.run(["rm", "-rf", "--one-file-system", MACHINES], check=True)
    booted.swept()


def whole(names):
    """All steps in these systems."""
    sums = [0, 0, 0]
    PLACE.mkdir(parents=True, exist_ok=True)
    if Path(said("rustc", "--print", "sysroot", cwd=PROJECT)) == Path("/usr"):
        raise Skipped("Rust is one of this system, which others cannot run; install it with rustup")
    if ONLY_TIMERS not in sys.argv:
        kind = re.search("^host: (.+)$", said("rustc", "-vV", cwd=PROJECT), re.M)[1]
        # The systems read what is here, and load nothing.
        subprocess.run(["cargo", "fetch", "--quiet", "--locked", "--target", kind], cwd=PROJECT, check=True)
    for name in names:
        base(name)
    for name in names:
        sums = [sum(pair) for pair in zip(sums, tried(name))]
    print("{} passed, {} failed, {} skipped".format(*sums))
    return sums[1] > 0


def main():
    words = [word for word in sys.argv[1:] if word != APART]
    names = [word for word in words if word not in ("--keep", ONLY_TIMERS)]
    names = names or ([timers.SYSTEM] if ONLY_TIMERS in words else list(SYSTEMS))
    if unknown := set(names) - set(SYSTEMS):
        sys.exit(f"no such system: {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    try:
        sys.exit(whole(names) if APART in sys.argv else apart(words))
    except Skipped as why:
        print(f"skipped: nothing was installed anywhere: {why}")
        print(f"0 passed, 0 failed, {len(names)} skipped")


if __name__ == "__main__":
    main()
