"""The timers and the watcher under a systemd that runs: they begin with the machine, work, come again, and go for good.

Nothing in the units is shortened for this, so it takes as long as they take: each timer calls once a minute, and a watcher
that ended comes again after one.
"""

import json
import re
import shutil

from booted import Booted
from machine import PROJECT, SOURCE, Failed, Skipped, must

# The system that is booted.
SYSTEM = "bookworm"
ROOT, WEB, SHARE = "/data/cr0_system", "/var/www/html", "/srv/cr0sync_sides"
JOBS = {"databases": "cron_sync_databases.sh", "logs": "cron_sync_logs.sh", "security": "cron_security_monitoring.sh"}
TIMERS = [f"cr0sync-{job}.timer" for job in JOBS]
WATCHER = "cr0sync-watch.service"
UNITS = "/etc/systemd/system"
# Whoever writes there at that time is waited for.
SQLITE = "sqlite3 -cmd '.timeout 60000'"
INSTALL = f"sh {ROOT}/install_timers.sh"
SIDES = {"central": f"{ROOT}/databases/memos.db", "website": f"{SHARE}/site/memos.db", "bot": f"{SHARE}/bot/memos.db"}
COPIES = {"bot": f"{SHARE}/bot/rizon_bot.log", "central": f"{ROOT}/logs/irc_networks/rizon/rizon_bot.log"}


def as_cr0(command):
    """As somebody at the machine types it."""
    return f"runuser -u cr0 -- {command}"


def state_of(system, job):
    """What a script remembers of its runs."""
    text = system.tried(f"cat {ROOT}/sync_state/cron/{job}")[1]
    return {name: int(value) for name, value in re.findall(r"^(\w+)=(\d+)$", text, re.M)}


def journal(system, *words):
    """What systemd and the programs said since the machine began."""
    return system.run(f"journalctl --boot --no-pager --quiet {' '.join(words)}").splitlines()


def property_of(system, unit, name):
    """As systemd knows it."""
    return system.run(f"systemctl show --property {name} --value {unit}")


def running(machine):
    """The system, which runs."""
    if machine.booted is None:
        raise Skipped("the system was not booted")
    return machine.booted


def brought(machine):
    """Where the timers are all that is tried: what was built on this machine."""
    packages = ["php-cli", "php-sqlite3", f"php{machine.php}-dev", "sqlite3", "procps"]
    machine.run(f"apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}",
                DEBIAN_FRONTEND="noninteractive")
    if not (PROJECT / "build").exists():
        raise Failed("nothing is built: make build library")
    shutil.copytree(PROJECT / "build", machine.inside(f"{SOURCE}/build"), symlinks=True)


# The steps, in their order.


def laid_out(machine):
    """A system with systemd gets all that the README says, with three sides of a database and two of a log."""
    machine.run("apt-get update && apt-get install -y --no-install-recommends systemd systemd-sysv dbus",
                DEBIAN_FRONTEND="noninteractive")
    for place in (ROOT, SHARE):
        shutil.rmtree(machine.inside(place), ignore_errors=True)
    machine.run("id cr0 >/dev/null 2>&1 || useradd --system cr0; usermod -aG www-data cr0")
    machine.run("make install && make install-system")
    databases = {"memos": {"replicas": SIDES}}
    logs = {"rizon_bot": {"copies": COPIES}}
    configuration = {"version": 1, "databases": databases, "logs": logs}
    machine.inside(f"{ROOT}/cr0sync.json").write_text(json.dumps(configuration))
    watched = {"monitored_files": [f"{WEB}/index.html"], "monitored_directories": [], "auto_update_baseline": False,
               "check_interval_minutes": 60, "alert_on_new_files": True, "alert_on_missing_files": True,
               "ignore_patterns": []}
    machine.inside(f"{ROOT}/shared_storage/integrity_config.json").write_text(json.dumps(watched))
    machine.inside(f"{WEB}/index.html").write_text("as it should be\n")
    create = "CREATE TABLE memos(text TEXT PRIMARY KEY)"
    machine.run(f"install -d -o cr0 -g www-data -m 2775 {SHARE}/bot {SHARE}/site && "
                + " && ".join(as_cr0(f"{SQLITE} {path} '{create}' && chmod 664 {path}") for path in SIDES.values()))
    machine.run(as_cr0(f"php {WEB}/security_monitoring_script.php baseline --root {ROOT}"))
    # Where systemd does not run yet nothing is begun.
    told = machine.run(f"{INSTALL} && {INSTALL} --remove")
    must("begin them with: systemctl daemon-reload && systemctl enable --now " in told, told)
    must(told.count("\nremoved ") == 7, told)


def begun_with_the_machine(machine):
    """install_timers.sh begins the timers and the watcher at once, and the next boot begins them by itself."""
    system = machine.booted = Booted(machine)
    told = system.run(INSTALL)
    must(told.count("installed ") == 7 and "begin them with" not in told, told)
    told = system.run(f"systemctl is-active {' '.join(TIMERS)} {WATCHER}")
    must(told.split() == ["active"] * 4, told)
    told = system.run(f"systemd-analyze verify {UNITS}/cr0sync-*")
    must(not told, told)
    system.shut_down()
    system = machine.booted = Booted(machine)
    told = system.run(f"systemctl is-active {' '.join(TIMERS)} {WATCHER}; systemctl is-enabled {' '.join(TIMERS)} {WATCHER}")
    must(told.split() == ["active"] * 4 + ["enabled"] * 4, told)


def fired(machine):
    """Each timer calls its script each minute, and what is written on one side arrives on the others."""
    system = running(machine)
    system.run(as_cr0(f"{SQLITE} {SIDES['bot']} \"INSERT INTO memos VALUES ('from the bot')\""))
    line = "2026-01-02 03:04:05 UTC - #chan - <nick> a line"
    system.run(as_cr0(f"sh -c 'echo \"{line}\" >>{COPIES['bot']}'"))
    for side in ("central", "website"):
        system.until(lambda side=side: system.run(f"{SQLITE} {SIDES[side]} 'SELECT text FROM memos'") == "from the bot",
                     f"the row does not arrive on {side}")
    system.until(lambda: system.tried(f"cat {COPIES['central']}")[1] == line, "the line does not arrive")
    ended = lambda job: [one for one in journal(system, "--output cat", f"--unit cr0sync-{job}.service") if "Finished" in one]
    for job in JOBS:
        system.until(lambda job=job: len(ended(job)) > 1, f"cr0sync-{job}.timer does not fire twice")
        result = property_of(system, f"cr0sync-{job}.service", "Result")
        must(result == "success" and state_of(system, job).get("last_exit") == 0, f"{job}: {result} {state_of(system, job)}")


def told_well(machine):
    """Doctor and test_cron_scripts.sh see that systemd calls the scripts, as root and as cr0."""
    system = running(machine)
    _code, told = system.tried(as_cr0(f"php {WEB}/database_sync_script.php doctor --json --root {ROOT}"))
    about = [one for one in json.loads(told)["findings"] if one["check"] == "cron"]
    must(any(one["what"] == "timers of systemd call the scripts" for one in about), about)
    must(all(one["state"] == "ok" for one in about), about)
    code, said = system.tried(f"{ROOT}/test_cron_scripts.sh")
    must(code == 0 and "ok     systemd has the jobs\n" in said, said)
    said = system.tried(as_cr0(f"{ROOT}/test_cron_scripts.sh"))[1]
    must("ok     systemd has the jobs\n" in said, said)
    # Where there is no bus, systemd answers root only, and not answering is no sign of anything.
    system.run("systemctl stop dbus.socket dbus.service")
    said = system.tried(as_cr0(f"{ROOT}/test_cron_scripts.sh"))[1]
    must("look   systemd has the jobs, and does not tell cr0 whether it runs them\n" in said, said)
    said = system.tried(f"{ROOT}/test_cron_scripts.sh")[1]
    must("ok     systemd has the jobs\n" in said, said)
    system.run("systemctl start dbus.socket")
    system.run("systemctl stop cr0sync-logs.timer")
    said = system.tried(f"{ROOT}/test_cron_scripts.sh")[1]
    must("look   systemd has the jobs, and does not run all of them\n" in said, said)
    system.run("systemctl start cr0sync-logs.timer")


def watched(machine):
    """The watcher tells of a changed file at once, and comes again when it was killed."""
    system = running(machine)
    must(property_of(system, WATCHER, "ActiveState") == "active", "the watcher is not active")
    found = lambda: [one for one in journal(system, "--output cat", f"--unit {WATCHER}") if f"{WEB}/index.html" in one]
    # Nothing that systemd or a program said until now is a warning, and the scripts print nothing.
    quiet = journal(system, "--priority warning", "--unit 'cr0sync-*'")
    must(not quiet, "\n".join(quiet))
    talk = journal(system, "--output cat", "_TRANSPORT=stdout", *[f"_SYSTEMD_UNIT=cr0sync-{job}.service" for job in JOBS])
    must(not talk, "\n".join(talk))
    must(not found(), found())
    system.run(f"echo changed >>{WEB}/index.html")
    system.until(found, "the watcher does not tell of a changed file")
    process = property_of(system, WATCHER, "MainPID")
    system.run(f"kill -9 {process}")
    system.until(lambda: property_of(system, WATCHER, "ActiveState") == "active"
                 and property_of(system, WATCHER, "MainPID") not in ("0", process), "a watcher that was killed stays away")
    count = len(found())
    system.run(f"rm {WEB}/index.html")
    system.until(lambda: len(found()) > count, "the new watcher does not tell of a file that is gone")


def renewed(machine):
    """Installed again, the watcher is begun anew, with what is installed now."""
    system = running(machine)
    process = property_of(system, WATCHER, "MainPID")
    system.run(f"sed -i 's|^WEB=.*|WEB=/usr/local/share/cr0sync|' {ROOT}/cron.env")
    system.run(INSTALL)
    now = property_of(system, WATCHER, "MainPID")
    must(property_of(system, WATCHER, "ActiveState") == "active" and now not in ("0", process), f"{process} is still at work")
    words = system.run(f"tr '\\0' ' ' </proc/{now}/cmdline")
    must("/usr/local/share/cr0sync/security_monitoring_script.php watch" in words, words)


def failed(machine):
    """A script that is kept from any work has failed for systemd, and the journal has why."""
    system = running(machine)
    lock = f"{ROOT}/sync_state/locks/cron-logs.lock"
    system.run(f"chown root {lock}")
    system.until(lambda: property_of(system, "cr0sync-logs.service", "ActiveState") == "failed", "it does not fail")
    told = journal(system, "--output cat", "_SYSTEMD_UNIT=cr0sync-logs.service")
    must(f"cron_sync_logs.sh: the lock {lock} is not a file of cr0" in told, told)


def gone(machine):
    """Taken away, nothing of it is known to systemd, what failed neither, and nothing is called any more."""
    system = running(machine)
    # One that somebody took away by hand, of which systemd still knows.
    system.run(f"rm {UNITS}/cr0sync-databases.timer")
    told = system.run(f"{INSTALL} --remove")
    removed = re.findall("^removed (.+)", told, re.M)
    must(len(removed) == 7 and f"{UNITS}/timers.target.wants/cr0sync-databases.timer" in removed, told)
    must("Failed" not in told, told)
    system.run(f"test -z \"$(find {UNITS} -name '*cr0sync*')\"")
    busy = lambda: "activating" in system.tried("systemctl is-active cr0sync-databases cr0sync-logs cr0sync-security")[1]
    system.until(lambda: not busy(), "a script that was at work does not end")
    listed = system.run("for what in units unit-files; do systemctl list-$what --all --no-legend 'cr0sync*' || :; done")
    must(not listed, listed)
    ended = [one for one in journal(system, f"--unit {WATCHER}", "--output cat") if "Failed with result" in one]
    must(len(ended) == 1, f"but for the one that was killed each ends in order: {ended}")
    starts = lambda: [one for one in journal(system, "--output cat") if one.startswith("Starting cr0sync")]
    before = starts()
    # A timer of the same times, so that it is known when ours would have called.
    system.run("systemd-run --quiet --on-calendar='*-*-* *:*:00' --timer-property=AccuracySec=1s sh -c 'date >>/tmp/ticks'")
    system.until(lambda: len(system.tried("cat /tmp/ticks")[1].splitlines()) > 1
                 and "No such" not in system.tried("cat /tmp/ticks")[1], "no minute passes")
    must(starts() == before, "something is still called")
    must(system.run(f"{INSTALL} --remove") == "", "removing nothing says something")
    system.shut_down()


STEPS = (laid_out, begun_with_the_machine, fired, told_well, watched, renewed, failed, gone)
