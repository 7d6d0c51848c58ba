"""What the cron scripts do, say and remember."""

import grp
import json
import os
import re
import shutil
import subprocess

from place import JOBS, LINE, LOGS, PATIENCE, must, need_root, same


def two_sides_become_one(place):
    """Databases and logs, and what is said of it."""
    place.install()
    place.sql("website", "CREATE TABLE users (name TEXT PRIMARY KEY, email TEXT)", "INSERT INTO users VALUES ('bob', 'b')")
    (place.top / "bot/rizon_bot.log").write_text("2025-07-14 09:31:02 EDT - bot.rizon - INFO - one\n")
    place.give(place.top / "bot/rizon_bot.log", 0o664)
    for job in ["databases", "logs"]:
        code, said = place.said(place.root / JOBS[job], "--dry-run")
        must("(dry run, nothing was changed)" in said, f"{code} {said}")
        same((place.root / "logs" / LOGS[job]).read_text(), "", "a dry run says it to whoever called")
    place.run("databases")
    place.sql("central", "INSERT INTO users VALUES ('eve', 'e')")
    place.sql("website", "UPDATE users SET email = 'B' WHERE name = 'bob'")
    place.run("databases")
    place.run("logs")
    place.run("security")
    for side in ["central", "website"]:
        same(place.sql(side, "SELECT * FROM users ORDER BY name"), [("bob", "B"), ("eve", "e")], side)
    same((place.root / "logs/irc_networks/rizon/rizon_bot.log").read_text(),
         (place.top / "bot/rizon_bot.log").read_text(), "the log")
    same(place.told("databases")[-1], "INFO - 1 of 1 database synced: 1 inserted, 1 updated, 0 deleted; N ms", "its log")
    same(place.told("logs"), ["INFO - 1 of 1 log merged: 1 line to archives, 0 to copies; N ms"], "its log")
    must(any("WARNING - ran: " in line for line in place.told("security")), "security")
    # Where nothing is to be done, nothing is said.
    before = {job: place.log(job) for job in JOBS}
    for job in JOBS:
        place.run(job)
        same(place.log(job), before[job], f"nothing to be done for {job}")
        same(place.state(job)["last_exit"], 0, job)
    # A conflict has all in it that a person needs to decide.
    place.sql("central", "UPDATE users SET email = 'of central' WHERE name = 'eve'")
    place.sql("website", "UPDATE users SET email = 'of website' WHERE name = 'eve'")
    place.run("databases")
    head, conflict = place.told("databases")[-2:]
    must(re.match(r"WARNING - 1 of 1 database synced: .*; 1 new conflict; N ms \(exit 1\)$", head), head)
    must(re.match(r'WARNING -   conflict 1: users\.users name="eve", .*of central.*of website.*decide: resolve 1 --take ',
                  conflict), conflict)
    same(place.state("databases")["last_exit"], 1, "exit")


def pages_read_what_is_remembered_and_write_none_of_it(place):
    """The group reads sync_state/cron, and cannot hold a lock of the cron scripts."""
    need_root()
    place.install()
    place.run("logs")
    page = ["runuser", "-u", "www-data", "--"]
    text = subprocess.run([*page, "cat", place.root / "sync_state/cron/logs"], check=True, capture_output=True).stdout
    must(text.startswith(b"cr0sync cron 1\n"), text)
    for command in [["touch", place.root / "sync_state/cron/x"], ["flock", "-n", place.root / "sync_state/locks/cron-logs.lock", "true"],
                    ["mv", place.root / "sync_state/locks/cron-logs.lock", place.root / "sync_state/locks/x"]]:
        done = subprocess.run([*page, *command], capture_output=True, check=False)
        must(done.returncode != 0, f"a page may {command}")
    # What a page puts in the place of the log is not followed, and nobody waits for it.
    precious = place.top / "precious"
    precious.write_text("as it is")
    place.give(precious, 0o644)
    log = place.root / "logs" / LOGS["logs"]
    for make in [lambda: log.symlink_to(precious), lambda: os.mkfifo(log)]:
        log.unlink()
        make()
        place.age("logs", last_heartbeat=7200)
        code, said = place.said(place.root / JOBS["logs"])
        must("cannot write" in said and "running: " in said, f"{code} {said}")
        same(precious.read_text(), "as it is", "a file of the cron user")
    # A lock or state that a page made first counts for nothing.
    for name in ["locks/cron-logs.lock", "cron"]:
        path = place.root / "sync_state" / name
        aside = path.with_name("aside")
        path.rename(aside)
        subprocess.run([*page, "mkdir", path], check=True)
        code, said = place.said(place.root / JOBS["logs"])
        must(code == 69 and str(path) in said, f"{code} {said}")
        path.rmdir()
        aside.rename(path)


def a_heartbeat_comes_once_an_hour(place):
    """And says how often it ran."""
    place.install()
    for _ in range(3):
        place.run("logs")
    beats = [line for line in place.log("logs") if " - running: " in line]
    same(len(beats), 1, beats)
    must("running: 1 run since " in beats[0] and "nothing was to be done yet" in beats[0], beats[0])
    place.age("logs", last_heartbeat=3700, since=3700)
    place.run("logs")
    beats = [line for line in place.log("logs") if " - running: " in line]
    must(len(beats) == 2 and "running: 3 runs since " in beats[1], beats)
    # A clock that was set back stops nothing.
    place.age("logs", last_heartbeat=-86400 * 30)
    place.run("logs")
    same(len([line for line in place.log("logs") if " - running: " in line]), 3, "after the clock was set back")


def what_is_remembered_says_what_is_at_work(place):
    """Since when, and for how long at most; how the run before ended stays until this one has."""
    place.install(TIMEOUT=77)
    seen = place.top / "site/seen"
    place.program("fake", f'cat {place.root}/sync_state/cron/logs >{seen}.$2; exit $(cat {place.top}/site/exit)')
    place.set(PHP=place.top / "fake")

    def run(code):
        (place.top / "site/exit").write_text(str(code))
        place.run("logs")
        lines = [line.split("=") for line in (place.top / "site/seen.sync-all").read_text().splitlines()[1:]]
        return {name: int(value) for name, value in lines}, place.state("logs")

    during, after = run(0)
    must(during["started"] > 0 and "last_run" not in during and "last_exit" not in during, during)
    same((during["timeout"], after["timeout"]), (77, 77), "how long it may be")
    must(after["started"] <= after["last_run"] == after["last_success"], after)
    same(after["last_exit"], 0, "exit")
    # A cleanup is no end of a run yet, and has a time of its own.
    cleanup = (place.top / "site/seen.clean").read_text()
    must("last_run=" not in cleanup and "started=" in cleanup, cleanup)
    place.age("logs", last_run=600, last_success=600)
    before = place.state("logs")
    during, failed = run(2)
    same([during[name] for name in ("last_run", "last_exit", "last_success")],
         [before[name] for name in ("last_run", "last_exit", "last_success")], "while it runs")
    must(during["started"] > before["last_run"], during)
    same((failed["last_exit"], failed["last_success"]), (2, before["last_success"]), "after it failed")
    must(failed["last_run"] > before["last_run"], failed)
    during, after = run(1)
    same((during["last_exit"], after["last_exit"], after["last_success"]), (2, 1, after["last_run"]), "something was found")
    stat = (place.root / "sync_state/cron/logs").stat()
    same(f"{stat.st_mode & 0o777:o}", "640", "its mode")


def what_is_a_warning_is_logged_as_one(place):
    """Also of a run that ended well; what it did stays news."""
    place.install()
    place.program("fake", f"""[ "$2" = run ] || exit 0
printf '%s\n' '1 of 1 done' '  warning: irc: a warning' '  irc: rotated'; exit $(cat {place.top}/site/exit)""")
    place.set(PHP=place.top / "fake")
    for code, levels in [(0, ["INFO", "WARNING", "INFO"]), (1, ["WARNING"] * 3), (2, ["ERROR"] * 3)]:
        (place.top / "site/exit").write_text(str(code))
        place.run("security")
        words = ["1 of 1 done" + (f" (exit {code})" if code else ""), "  irc: a warning", "  irc: rotated"]
        same(place.told("security")[-3:], [f"{level} - {word}" for level, word in zip(levels, words)], code)
    # A side that is not there.
    place.set(PHP=place.top / "php")
    place.sql("central", "CREATE TABLE t (x PRIMARY KEY)")
    shutil.rmtree(place.top / "site")
    place.run("databases")
    told = place.told("databases")
    must(any(re.match("(WARNING|ERROR) -   users: .*website", line) for line in told), told)
    must(not any(re.match("INFO -   users: ", line) for line in told), told)


def who_was_told_of_events_is_logged(place):
    """How many events, and whom; each time, and where it failed."""
    place.install()
    told = place.top / "site/told"
    tell = place.program("tell", f"cat >>{told}; exit $(cat {place.top}/site/exit)")
    (place.top / "site/exit").write_text("7")
    config = json.loads((place.root / "cr0sync.json").read_text())
    config["alerts"] = {"command": [str(tell), "word"]}
    place.write("cr0sync.json", json.dumps(config))
    place.run("security")
    lines = place.told("security")
    must(any(re.match(f"ERROR -   events were not told, and are told by a later run: {tell} ended with 7", line)
             for line in lines), lines)
    must(not any("told to" in line for line in lines), lines)
    (place.top / "site/exit").write_text("0")
    place.run("security")
    lines = place.told("security")
    same([line for line in lines if "told to" in line], [f"INFO - 1 event told to {tell}; N ms"], lines)
    must(told.read_text().count('"events"') == 2, told.read_text())
    before = lines
    place.run("security")
    same(place.told("security"), before, "nobody is told again")


def a_line_that_a_full_disk_has_cut_stays_alone(place):
    """What is said next begins a line of its own."""
    place.install()
    place.run("databases")
    path = place.root / "logs/cron_database_sync.log"
    whole = path.read_text()
    must(whole.endswith("\n"), whole)
    torn = whole + whole.splitlines()[0][:30]
    path.write_text(torn)
    place.age("databases", last_heartbeat=3600)
    place.run("databases")
    after = path.read_text()
    must(after.startswith(torn + "\n"), after)
    added = after[len(torn) + 1:].splitlines()
    must(added and all(LINE.match(line) for line in added), after)
    path.write_text("")
    place.age("databases", last_heartbeat=3600)
    place.run("databases")
    must(path.read_text() and all(LINE.match(line) for line in path.read_text().splitlines()), path.read_text())


def cleanups_come_when_they_are_due(place):
    """Each week and each day; one that fails is tried again after an hour, and stops nothing."""
    place.install()
    calls = place.top / "calls"
    calls.mkdir()
    place.give(calls, 0o775)
    place.program("fake", f'echo "$2" >>{calls}/list; case $2 in clean*) exit $(cat {calls}/exit);; esac')
    (calls / "exit").write_text("0")
    place.set(PHP=place.top / "fake")

    def called(job):
        (calls / "list").unlink(missing_ok=True)
        place.run(job)
        return (calls / "list").read_text().split()

    for job, work, cleanups, period in [
            ("databases", "bidirectional", ["clean-backups"], 7 * 86400), ("logs", "sync-all", ["rotate", "clean"], 86400)]:
        same(called(job), [work, *cleanups], f"the first run of {job}")
        same(called(job), [work], f"the second run of {job}")
        place.age(job, last_cleanup=period - 60)
        same(called(job), [work], f"not yet: {job}")
        place.age(job, last_cleanup=60)
        (calls / "exit").write_text("2")
        same(called(job), [work, *cleanups], f"due: {job}")
        same((place.state(job)["last_exit"], place.told(job)[-1].split(" - ")[0]), (2, "ERROR"), "it failed")
        failed = place.state(job)["cleanup_failed"]
        must(failed > 0, f"when it failed is not remembered: {job}")
        same(called(job), [work], f"not each minute: {job}")
        same((place.state(job)["last_exit"], place.state(job)["cleanup_failed"]), (0, failed), "it has failed still")
        place.age(job, last_cleanup=3600)
        (calls / "exit").write_text("0")
        same(called(job), [work, *cleanups], f"an hour later: {job}")
        same(called(job), [work], f"and done: {job}")
        same(place.state(job)["cleanup_failed"], 0, f"nothing failed any more: {job}")
    same(called("security"), ["run"], "security")


def the_worst_is_how_a_run_ended(place):
    """What was found does not hide that the cleanup after it failed, and such a run has not succeeded."""
    place.install()
    codes = place.top / "site"
    place.program("fake", f'case $2 in clean*) exit $(cat {codes}/cleanup);; esac; exit $(cat {codes}/work)')
    place.set(PHP=place.top / "fake")
    for work, cleanup, ended in [
            (0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (0, 2, 2), (1, 2, 2), (1, 64, 64), (2, 0, 2), (2, 1, 2), (2, 64, 2)]:
        (codes / "work").write_text(str(work))
        (codes / "cleanup").write_text(str(cleanup))
        shutil.rmtree(place.root / "sync_state/cron")
        place.run("databases")
        state = place.state("databases")
        same((state["last_exit"], "last_success" in state), (ended, ended < 2), f"{work} and then {cleanup}")


def php_is_called_as_the_settings_say(place):
    """With the root, the configuration and the metrics that they name; the latter for the work alone."""
    place.install(CONFIG="/etc/of site.json", METRICS="/var/lib/metrics")
    calls = place.top / "site/calls"
    place.program("fake", f'for word; do printf "[%s]" "$word"; done >>{calls}; echo >>{calls}')
    place.set(PHP=place.top / "fake")
    rest = f"[--line][--root][{place.root}][--config][/etc/of site.json]\n"
    metrics = "[--metrics][/var/lib/metrics/cr0sync.prom]"
    for job, script, work, cleanups in [
            ("databases", "database_sync_script.php", "bidirectional", ["clean-backups"]),
            ("logs", "log_sync_script.php", "sync-all", ["rotate", "clean"]),
            ("security", "security_monitoring_script.php", "run", [])]:
        calls.unlink(missing_ok=True)
        place.run(job)
        expected = [f"[{place.web}/{script}][{work}]{metrics}{rest}",
                    *[f"[{place.web}/{script}][{word}]{rest}" for word in cleanups]]
        same(calls.read_text(), "".join(expected), job)


def what_is_remembered_may_be_removed(place):
    """All jobs at once make it anew, as the installer does."""
    place.install()
    place.sql("website", "CREATE TABLE t (x PRIMARY KEY)")
    names = ["sync_state", "sync_state/locks", "sync_state/cron", *[f"sync_state/locks/cron-{job}.lock" for job in JOBS]]
    before = {name: how for name, how in place.tree(place.root).items() if name in names}
    same(len(before), len(names), before)
    shutil.rmtree(place.root / "sync_state")
    for process in [place.begin(job) for job in JOBS]:
        same(process.wait(PATIENCE), 0, "a job")
    same({name: how for name, how in place.tree(place.root).items() if name in names}, before, "made anew")
    for job in JOBS:
        same(place.state(job)["last_run"] > 0, True, job)


def logs_rotate_by_size(place):
    """By renaming; the oldest go, and no line is lost before that."""
    place.install(LOG_BYTES=300, LOG_KEEP=3)
    place.program("fake", 'echo "1 of 1 something done $(date +%N) ....................................................."')
    place.set(PHP=place.top / "fake")
    lines = []
    log = place.root / "logs" / LOGS["security"]
    for _ in range(10):
        place.run("security")
        lines.append(place.log("security")[-1])
    names = sorted(path.name for path in log.parent.glob(LOGS["security"] + "*"))
    same(names, [log.name, *[f"{log.name}.{number}" for number in (1, 2, 3)]], "files")
    kept = [line for name in reversed([log.name, *[f"{log.name}.{number}" for number in (1, 2, 3)]])
            for line in (log.parent / name).read_text().splitlines() if "running: " not in line]
    same(kept[-5:], [line for line in lines if "running: " not in line][-5:], "the newest lines, in order")
    stat = log.stat()
    same((f"{stat.st_mode & 0o777:o}", grp.getgrgid(stat.st_gid).gr_name), ("664", place.user.group), "the new one")


TESTS = [
    two_sides_become_one, pages_read_what_is_remembered_and_write_none_of_it, a_heartbeat_comes_once_an_hour,
    what_is_remembered_says_what_is_at_work, what_is_a_warning_is_logged_as_one, who_was_told_of_events_is_logged,
    cleanups_come_when_they_are_due, the_worst_is_how_a_run_ended, a_line_that_a_full_disk_has_cut_stays_alone,
    php_is_called_as_the_settings_say, what_is_remembered_may_be_removed, logs_rotate_by_size,
]
