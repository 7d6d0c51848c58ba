"""What stops a cron script: that it is said once, with its reason and how the run ended, in the log or to whoever called."""

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

from place import JOBS, LINE, LOGS, must, need_root, same


def what_stops_a_run_is_in_its_log(place):
    """With the time, the code and the reason; when it begins and each hour, and each time to whoever called."""
    place.install()
    for job in JOBS:
        place.run(job)
        lock = place.root / f"sync_state/locks/cron-{job}.lock"
        lock.unlink()
        lock.mkdir()
        before = place.log(job)
        for _ in range(2):
            code, said = place.said(place.root / JOBS[job])
            must(code == 69 and said.startswith(f"{JOBS[job]}: the lock {lock} is not a file of "), f"{code} {said}")
        told = place.log(job)[len(before):]
        same([line.split(" - ", 2)[2] for line in told], [
            f"ERROR - the lock {lock} is not a file of {place.user.name} (exit 69)",
            "ERROR -   find out why, and move it away; the next run makes another"], "its log")
        path = place.root / "logs" / LOGS[job]
        path.write_text(re.sub(r"^\d{4}", "2024", path.read_text(), flags=re.M))
        same(place.said(place.root / JOBS[job])[0], 69, "later")
        same(len(place.log(job)), len(before) + 4, "told again")
        lock.rmdir()
        place.run(job)


def what_stops_a_run_and_has_no_log_is_said(place):
    """To whoever called, which cron mails; it ends with 69, though the work was done."""
    need_root()
    place.install()
    place.run("logs")
    log = place.root / "logs" / LOGS["logs"]
    before = log.read_text()
    shutil.chown(log, "root", "root")
    log.chmod(0o600)
    place.program("fake", f'echo >>{place.top}/site/ran; echo "1 of 1 log merged: 3 lines"; echo "  and more"')
    place.set(PHP=place.top / "fake")
    place.age("logs", last_heartbeat=3600)
    code, said = place.said(place.root / JOBS["logs"])
    same(code, 69, said)
    same(said.count("cannot write"), 1, said)
    must(said.startswith(f"cron_sync_logs.sh: cannot write {log}: Permission denied\n"), said)
    must(" - INFO - 1 of 1 log merged: 3 lines\n" in said and " - INFO -   and more\n" in said and " running: " in said, said)
    same(((place.top / "site/ran").read_text(), log.read_text()), ("\n", before), "the work, and the log")
    # What fails was not told in any log, so it is told there as soon as that is possible.
    place.program("fake", 'echo "log_sync_script.php: cannot do it" >&2; exit 2')
    for _ in range(2):
        code, said = place.said(place.root / JOBS["logs"])
        must(code == 69 and "ERROR - log_sync_script.php: cannot do it (exit 2)\n" in said, f"{code} {said}")
    place.give(log, 0o664)
    place.run("logs")
    must(place.log("logs")[-1].endswith(" - ERROR - log_sync_script.php: cannot do it (exit 2)"), place.log("logs"))


def a_full_disk_is_told_with_the_reason(place):
    """What the library says of it, though there is no room to write that down; no line is cut, and nothing is lost."""
    need_root()
    for room_of_the_log in [1000, 90, 0]:
        place.root.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", place.root], check=True)
        try:
            fill_and_free(place, room_of_the_log)
        finally:
            subprocess.run(["umount", place.root], check=True)
            place.root.rmdir()
            for name in ["site", "bot"]:
                shutil.rmtree(place.top / name)


def fill_and_free(place, room_of_the_log):
    """A run where no block is left, but what the last one of its log has."""
    place.give(place.root, 0o3775)
    place.install()
    place.sql("website", "CREATE TABLE t (x PRIMARY KEY)")
    place.run("databases")
    place.run("databases")
    log = place.root / "logs" / LOGS["databases"]
    line = log.read_text().splitlines()[-1]
    missing = -(log.stat().st_size + room_of_the_log) % 4096
    text = "\n".join([line] * 40)[:missing - 1]
    filler = text.rsplit("\n", 1)[0] if len(text.rsplit("\n", 1)[-1]) < len(line) else text
    filler += " " + "x" * (missing - len(filler) - 2) + "\n"
    log.write_text(log.read_text() + filler)
    same(-log.stat().st_size % 4096, room_of_the_log, "room of the log")
    before = log.read_text()
    state = place.state("databases")
    place.sql("website", "INSERT INTO t VALUES (7)")
    with open(place.root / "core", "wb", buffering=0) as core:
        try:
            while True:
                core.write(b"x" * 4096)
        except OSError:
            pass
    code, said = place.said(place.root / JOBS["databases"])
    same(code, 69, said)
    must("No space left on device" in said and "df -h " in said, said)
    after = log.read_text()
    must(after.startswith(before) and after.endswith("\n"), after)
    told = after[len(before):] + said
    must(" - ERROR - database_sync_script.php: cannot use the state database: database or disk is full (exit 2)\n" in told, told)
    must("said nothing" not in told, told)
    same([line for line in after[len(before):].splitlines() if not LINE.match(line)], [], "cut lines")
    if room_of_the_log < 100:
        same(after, before, "the log")
        must(f"cannot write {log}: No space left on device\n" in said, said)
    same(sorted(os.listdir(place.root / "sync_state/cron")), ["databases"], "what is left")
    same(sorted(Path("/dev/shm").glob("cr0sync-cron.*")) + sorted(Path("/tmp").glob("cr0sync-cron.*")), [], "what is left")
    same(place.state("databases")["last_success"], state["last_success"], "what is remembered")
    (place.root / "core").unlink()
    place.run("databases")
    same(place.sql("central", "SELECT x FROM t"), [(7,)], "what was to be done")
    same(place.state("databases")["last_exit"], 0, "exit")


def a_file_system_that_is_read_only_is_told(place):
    """As the kernel mounts one again whose disk fails."""
    need_root()
    place.root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", place.root], check=True)
    try:
        place.give(place.root, 0o3775)
        place.install()
        for job in JOBS:
            place.run(job)
        before = place.tree(place.root)
        subprocess.run(["mount", "-o", "remount,ro", place.root], check=True)
        for job, script in JOBS.items():
            code, said = place.said(place.root / script)
            must(code == 69 and f"cannot write {place.root}/logs/{LOGS[job]}, and what follows is not in it: Read-only file system\n"
                 in said, f"{code} {said}")
            must(f"{script}: the file system of {place.root}/sync_state can only be read\n" in said, said)
            must("mount it for writing (mount -o remount,rw)" in said and "chown" not in said, said)
        same(place.tree(place.root), before, "nothing is changed")
    finally:
        subprocess.run(["umount", place.root], check=True)


def only_the_file_system_on_top_counts(place):
    """One that is mounted over another hides whether that can be written; and what can be written is not read-only."""
    need_root()
    place.root.mkdir()
    mounted = 0
    try:
        for how in ["ro", "rw"]:
            subprocess.run(["mount", "-t", "tmpfs", "-o", how, "none", place.root], check=True)
            mounted += 1
        place.give(place.root, 0o3775)
        place.install()
        for job in JOBS:
            place.run(job)
        # Whatever keeps somebody out there is not that.
        (place.root / "logs").chmod(0o2555)
        code, said = place.said(place.root / "test_cron_scripts.sh")
        must(f"WRONG  {place.user.name} cannot write in {place.root}/logs\n" in said and "can only be read" not in said, said)
        (place.root / "logs").chmod(0o2775)
        subprocess.run(["mount", "--bind", place.root, place.root], check=True)
        mounted += 1
        subprocess.run(["mount", "-o", "remount,bind,ro", place.root], check=True)
        code, said = place.said(place.root / JOBS["logs"])
        must(code == 69 and f"the file system of {place.root}/sync_state can only be read\n" in said, f"{code} {said}")
        for user in [place.said, as_root]:
            code, said = user(place.root / "test_cron_scripts.sh")
            must(f"WRONG  the file system of {place.root}/sync_state can only be read\n" in said, f"{code} {said}")
        subprocess.run(["umount", place.root], check=True)
        mounted -= 1
        (place.top / "programs").mkdir()
        place.program("programs/findmnt", "echo ro,relatime")
        path = f"PATH={place.top}/programs:/usr/bin:/bin"
        same(place.said("env", path, place.root / JOBS["logs"]), (0, ""), "what can be written")
    finally:
        for _ in range(mounted):
            subprocess.run(["umount", place.root], check=True)


def what_was_given_to_root_goes_back(place):
    """And does not run as root from then on."""
    need_root()
    place.install()
    for job in JOBS:
        place.run(job)
    subprocess.run(["chown", "-hR", "root:root", place.root], check=True)
    for script in JOBS.values():
        code, said = place.said(place.root / script)
        must(code == 69 and f"{place.root} and {place.root}/sync_state belong to root, and this is {place.user.name}\n" in said,
             f"{code} {said}")
        must("put nothing into root's crontab" in said and "install_crontabs.sh" not in said, said)


def what_cannot_be_held_anywhere_is_told(place):
    """Where PHP could not say anything it is not called."""
    need_root()
    place.install()
    place.run("logs")
    cron = place.root / "sync_state/cron"
    place.program("fake", f"echo >>{place.top}/site/ran")
    place.set(PHP=place.top / "fake")
    (place.top / "programs").mkdir()
    place.program("programs/mktemp", "exit 1")
    cron.chmod(0o2550)
    code, said = place.said("env", f"PATH={place.top}/programs:/usr/bin:/bin", place.root / JOBS["logs"])
    must(code == 69 and f"cannot write {cron}/logs.out, nor in /dev/shm and /tmp, so that nothing can be run: Permission denied\n"
         in said, f"{code} {said}")
    must(any("so that nothing can be run: Permission denied (exit 69)" in line for line in place.log("logs")), place.log("logs"))
    must(not (place.top / "site/ran").exists(), "it ran")
    cron.chmod(0o2750)
    place.run("logs")


def a_cause_is_told_once(place):
    """With what else it keeps the run from; another one is told as well."""
    place.install()
    place.program("fake", f"""echo "$0: cannot open the lock; $(cat {place.top}/site/$2 2>/dev/null)"; echo "  do something"; exit 2""")
    place.set(PHP=place.top / "fake")
    cause = [f"ERROR - {place.top}/fake: cannot open the lock;  (exit 2)", "ERROR -   do something"]
    for job, others in [("databases", "clean-backups: 2 of 2"), ("logs", "rotate, clean: 3 of 3")]:
        place.run(job)
        same(place.told(job), [*cause, f"ERROR - the same keeps it from {others} parts of this run are not done"], job)
    shutil.rmtree(place.root / "sync_state/cron")
    (place.top / "site/clean-backups").write_text("another")
    place.run("databases")
    same(place.told("databases")[3:], [*cause, cause[0].replace("; ", "; another"), cause[1]], "another cause")


def only_the_parts_that_are_left_are_named(place):
    """However many were done before the one that fails."""
    place.install()
    script = place.root / JOBS["logs"]
    script.write_text(script.read_text().replace("cleanups='rotate clean'", "cleanups='rotate clean third fourth'"))
    place.program("fake", """case $2 in rotate | clean) exit 0 ;; esac; echo 'cannot open the lock'; exit 2""")
    place.set(PHP=place.top / "fake")
    place.run("logs")
    same(place.told("logs"), ["ERROR - cannot open the lock (exit 2)",
                              "ERROR - the same keeps it from third, fourth: 3 of 5 parts of this run are not done"], "its log")


def what_fills_the_disk_hides_no_advice(place):
    """What PHP says may take all room that there was, also that which was kept for it."""
    need_root()
    place.install()
    place.run("logs")
    cron = place.root / "sync_state/cron"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=2750", "none", cron], check=True)
    try:
        shutil.chown(cron, place.user.name, place.user.group)
        place.program("fake", f"yes 'a line' 2>/dev/null; exit $(cat {place.top}/site/exit)")
        for code, settings, advice in [
                (127, {}, f"the PHP {place.top}/fake cannot be run: set PHP= in {place.root}/cron.env"),
                (1, {"WEB": "/no/web"}, f"  there is no /no/web/log_sync_script.php that {place.user.name} may read: "
                                        f"set WEB= in {place.root}/cron.env")]:
            (place.top / "site/exit").write_text(str(code))
            place.set(PHP=place.top / "fake", **settings)
            before = len(place.told("logs"))
            place.run("logs")
            told = place.told("logs")[before:]
            same(told[0], f"ERROR - a line (exit {127 if code == 127 else 69})", told)
            must(f"ERROR - {advice}" in told, told)
            must(any(re.match(r"ERROR -   and \d+ lines more$", line) for line in told), told)
    finally:
        subprocess.run(["umount", cron], check=True)


def a_line_of_another_run_is_not_taken_back(place):
    """What a full disk took a part of is: but only where nobody else has written behind or before it."""
    place.install()
    place.run("logs")
    log = place.root / "logs" / LOGS["logs"]
    programs = place.top / "programs"
    programs.mkdir()
    place.program("programs/dd", f"""case " $* " in *" oflag=append,"*) ;; *) exec /bin/dd "$@" ;; esac
! flock -n {log.parent} true || echo 'without a lock' >>{place.top}/site/seen
cat {place.top}/site/before >>{log}; head -c 30 >>{log}; cat {place.top}/site/behind >>{log}
echo "dd: error writing '{log}': No space left on device" >&2; exit 1""")
    theirs = log.read_text().splitlines(keepends=True)[-1]

    def fail(before, behind):
        (place.top / "site/before").write_text(before)
        (place.top / "site/behind").write_text(behind)
        place.age("logs", last_heartbeat=3600)
        text = log.read_text()
        code, said = place.said("env", f"PATH={programs}:/usr/bin:/bin", place.root / JOBS["logs"])
        must(code == 69 and f"cannot write {log}: No space left on device\n" in said and " running: " in said, f"{code} {said}")
        must(log.read_text().startswith(text), "what was there before")
        return log.read_text()[len(text):]

    same(fail("", ""), "", "half a line of ours alone")
    same(fail("", theirs)[30:], theirs, "a line behind it")
    same(fail(theirs, "")[:len(theirs)], theirs, "a line before it")
    must(not (place.top / "site/seen").exists(), "two may write at a time")
    # The line that was left in half stays alone.
    text = log.read_text()
    place.age("logs", last_heartbeat=3600)
    place.run("logs")
    must(log.read_text().startswith(text + "\n") and LINE.match(log.read_text().splitlines()[-1]), log.read_text())


def who_locks_the_logs_keeps_nothing_out_of_them(place):
    """Pages may: it is waited for a little, and then said all the same; but nothing is taken back."""
    place.install()
    place.run("logs")
    log = place.root / "logs" / LOGS["logs"]
    directory = os.open(log.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        place.age("logs", last_heartbeat=3600)
        before = len(place.log("logs"))
        place.run("logs")
        same(len(place.log("logs")), before + 1, "what is said each hour")
        programs = place.top / "programs"
        programs.mkdir()
        place.program("programs/dd", f"""case " $* " in *" oflag=append,"*) ;; *) exec /bin/dd "$@" ;; esac
head -c 30 >>{log}; echo 'dd: No space left on device' >&2; exit 1""")
        place.age("logs", last_heartbeat=3600)
        size = log.stat().st_size
        same(place.said("env", f"PATH={programs}:/usr/bin:/bin", place.root / JOBS["logs"])[0], 69, "a full disk")
        same(log.stat().st_size, size + 30, "half a line")
    finally:
        os.close(directory)


def how_a_run_ended_is_in_its_log(place):
    """On the first line that it has there, unless all is well; and with what the run each hour has to say."""
    place.install()
    place.program("fake", f'[ "$2" = run ] || exit 0; echo "1 of 1 done"; echo "  more"; exit $(cat {place.top}/site/exit)')
    place.set(PHP=place.top / "fake")
    for code, first in [(0, "INFO - 1 of 1 done"), (1, "WARNING - 1 of 1 done (exit 1)"), (2, "ERROR - 1 of 1 done (exit 2)"),
                        (69, "ERROR - 1 of 1 done (exit 69)"), (255, "ERROR - 1 of 1 done (exit 255)")]:
        (place.top / "site/exit").write_text(str(code))
        place.run("security")
        same(place.told("security")[-2:], [first, f"{first.split(' ')[0]} -   more"], code)
    shutil.rmtree(place.root / "sync_state/cron")
    (place.top / "site/exit").write_text("69")
    place.run("security")
    must(re.search(r"INFO - running: 1 run since .*, nothing was done yet, and this one ended with 69$", place.log("security")[-1]),
         place.log("security"))


def scripts_that_are_not_there_are_no_success(place):
    """PHP ends then as if it had found something: it is told when it begins, with what to set."""
    place.install(WEB="/no/web")
    for _ in range(2):
        place.run("databases")
    told = place.told("databases")
    same([line for line in told if "the same keeps" not in line], [
        "ERROR - Could not open input file: /no/web/database_sync_script.php (exit 69)",
        f"ERROR -   there is no /no/web/database_sync_script.php that {place.user.name} may read: set WEB= in {place.root}/cron.env",
    ], "its log")
    state = place.state("databases")
    must(state["last_exit"] == 69 and "last_success" not in state, state)


def what_nobody_but_root_may_read_ends_no_script(place):
    """As his umask may have made it: settings; and what is remembered, or the lock, without the rights that they had."""
    need_root()
    place.install()
    place.run("logs")
    (place.root / "sync_state/locks/cron-logs.lock").chmod(0o400)
    (place.root / "sync_state/cron/logs").chmod(0)
    place.run("logs")
    same(place.state("logs")["total"], 1, "what was remembered counts for nothing")
    settings = place.root / "cron.env"
    shutil.chown(settings, "root", "root")
    settings.chmod(0o600)
    place.run("logs")
    must(any(f"{settings} is not read, as {place.user.name} may not: as root, chmod 644 it" in line for line in place.told("logs")),
         place.told("logs"))
    for user in [place.said, lambda test: as_root(test)]:
        code, said = user(place.root / "test_cron_scripts.sh")
        must(code == 2 and f"WRONG  {place.user.name} cannot read {settings}" in said, f"{code} {said}")


def as_root(*command):
    """How it ended, and all that it said."""
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def environments_change_nothing(place):
    """That of a crontab may have another PATH, another language, another umask, and what else people set; nothing of it is run."""
    place.install()
    elsewhere = place.top / "elsewhere"
    elsewhere.mkdir()
    for name in ["cron_common.sh", "settings.sh", "crontab_block.sh"]:
        (elsewhere / name).write_text(f"touch {place.top}/site/run\n")
    (place.top / "programs").mkdir()
    place.program("programs/stat", '[ "${LC_ALL:-}" = C ] || exit 1; exec /usr/bin/stat "$@"')
    environments = [
        ["env", "-C", elsewhere, "PATH=/opt/nothing"], ["env", "-C", elsewhere, "-i"], ["env", "-u", "HOME", "-u", "LOGNAME"],
        ["env", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", f"PATH={place.top}/programs:/usr/bin:/bin"],
        ["env", "POSIXLY_CORRECT=1", "IFS=/", "CDPATH=/:/tmp", "TZ=Asia/Tokyo"],
        ["sh", "-c", 'umask 077; exec "$@"', "sh"], ["bash", "--posix"], ["dash"]]
    plain = {}
    for environment in [[], *environments]:
        for job, script in JOBS.items():
            shutil.rmtree(place.root / "sync_state/cron", ignore_errors=True)
            log = place.root / "logs" / LOGS[job]
            log.unlink(missing_ok=True)
            same(place.said(*environment, place.root / script), (0, ""), f"{environment} {script}")
            must(" - running: 1 run since " in log.read_text().replace("INFO - ", "- "), log.read_text())
            same((f"{log.stat().st_mode & 0o777:o}", f"{(place.root / 'sync_state/cron' / job).stat().st_mode & 0o777:o}"),
                 ("664", "640"), f"{environment} {script}")
        for script in ["install_crontabs.sh --print", "install_timers.sh --print", "test_cron_scripts.sh"]:
            name, *words = script.split()
            code, said = place.said(*environment, place.root / name, *words)
            same((code, re.sub(r"\d+ ms", "N ms", said)), plain.setdefault(script, (code, re.sub(r"\d+ ms", "N ms", said))),
                 f"{environment} {script}")
    must(not (place.top / "site/run").exists(), "what lies where it was called was run")


def a_clock_that_was_set_back_says_no_time_to_come(place):
    """A run of then is not counted from then on."""
    place.install()
    place.run("logs")
    place.age("logs", since=-86400 * 365, last_heartbeat=-86400 * 365)
    year = int(place.log("logs")[-1][:4])
    place.run("logs")
    beats = [line for line in place.log("logs") if " running: " in line]
    same(len(beats), 2, beats)
    must(re.search(rf"running: 1 run since {year}-", beats[-1]), beats)
    # While a run is at work: who killed that is told by how long it was there.
    (place.top / "programs").mkdir()
    place.program("programs/date", f'''case $* in
    +%s) echo $(($(/bin/date +%s) + $(cat {place.top}/site/ahead 2>/dev/null || echo 0))) ;;
    *) exec /bin/date "$@" ;;
esac''')
    place.program("fake", f'echo "$(cat {place.top}/site/next)" >{place.top}/site/ahead; kill -9 $$')
    place.set(PHP=place.top / "fake")
    for ahead in [7200, -7200]:
        (place.top / "site/next").write_text(str(ahead))
        (place.top / "site/ahead").unlink(missing_ok=True)
        place.said("env", f"PATH={place.top}/programs:/usr/bin:/bin", place.root / JOBS["databases"])
        told = place.told("databases")[-1]
        must(re.match(r"ERROR - bidirectional was killed by somebody else after \d+ seconds; ", told), told)


TESTS = [
    what_stops_a_run_is_in_its_log, what_stops_a_run_and_has_no_log_is_said, a_full_disk_is_told_with_the_reason,
    a_file_system_that_is_read_only_is_told, only_the_file_system_on_top_counts, what_was_given_to_root_goes_back,
    what_cannot_be_held_anywhere_is_told, a_cause_is_told_once, only_the_parts_that_are_left_are_named, what_fills_the_disk_hides_no_advice,
    a_line_of_another_run_is_not_taken_back, who_locks_the_logs_keeps_nothing_out_of_them, how_a_run_ended_is_in_its_log,
    scripts_that_are_not_there_are_no_success, what_nobody_but_root_may_read_ends_no_script, environments_change_nothing,
    a_clock_that_was_set_back_says_no_time_to_come,
]
