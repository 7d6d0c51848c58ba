"""What keeps a run of a cron script from its work, and what it may not do: time, locks, other users, settings."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from place import JOBS, PATIENCE, Skipped, must, need_root, same, until


def a_run_that_hangs_is_ended_and_told(place):
    """And the next one goes on."""
    place.install(TIMEOUT=2)
    lock = place.root / "sync_state/locks/checks.lock"
    place.write("sync_state/locks/checks.lock", "", 0o660)
    place.program("fake", f'exec 8>>{lock}; flock 8; echo "I was here"; exec sleep 600')
    place.set(PHP=place.top / "fake")
    place.run("databases")
    told = place.told("databases")
    same(told[0], "ERROR - bidirectional did not end within 2 seconds, and was ended; the next minute tries again (exit 124)", told)
    must(re.match(r"ERROR -   at that time process \d+ \(.*\) held the lock checks$", told[1]), told)
    same(told[2], "ERROR -   it said: I was here", told)
    same(place.state("databases")["last_exit"], 124, "exit")
    until(lambda: subprocess.run(["flock", "-n", lock, "true"], check=False).returncode == 0, "the lock is held still")
    # Each time anew.
    place.run("databases")
    same(sum("did not end" in line for line in place.told("databases")), 2, "told twice")
    place.set(PHP=place.top / "php")
    place.sql("website", "CREATE TABLE t (x PRIMARY KEY)")
    place.run("databases")
    same(place.state("databases")["last_exit"], 0, "the next one")


def naps_that_take_longer_lose_no_holder(place):
    """Who held which lock is looked at before a run is ended, however long the machine takes for each nap."""
    place.install(TIMEOUT=18)
    lock = place.root / "sync_state/locks/checks.lock"
    place.write("sync_state/locks/checks.lock", "", 0o660)
    place.program("fake", f"exec 8>>{lock}; flock 8; exec /bin/sleep 600")
    place.set(PHP=place.top / "fake")
    programs = place.top / "programs"
    programs.mkdir()
    place.program("programs/sleep", '/bin/sleep 0.4; exec /bin/sleep "$@"')
    same(place.said("env", f"PATH={programs}:/usr/bin:/bin", place.root / JOBS["databases"]), (0, ""), "the run")
    told = place.told("databases")
    must(any(re.match(r"ERROR -   at that time process \d+ \(.*\) held the lock checks$", line) for line in told), told)


def a_lock_of_the_same_number_elsewhere_is_not_ours(place):
    """Files of two file systems may have one number: only who has locked this very file holds it."""
    need_root()
    disks = [place.top / "disk", place.top / "another disk"]
    mounted = []
    try:
        for disk in disks:
            disk.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "none", disk], check=True)
            mounted.append(disk)
        place.root = disks[0] / "root"
        place.install(TIMEOUT=2)
        place.write("sync_state/locks/checks.lock", "", 0o660)
        number = (place.root / "sync_state/locks/checks.lock").stat().st_ino
        twin = disks[1] / "0"
        for name in range(10_000):
            twin = disks[1] / str(name)
            twin.touch()
            if twin.stat().st_ino >= number:
                break
        if twin.stat().st_ino != number:
            raise Skipped("file systems of this kernel give no number twice")
        place.program("fake", "exec sleep 600")
        place.set(PHP=place.top / "fake")
        with open(twin, "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            place.run("databases")
            same([line for line in place.told("databases") if "at that time" in line],
                 ["ERROR -   at that time no lock of ours was held"], "a lock of another file")
            # Beside it the one that is ours.
            place.program("fake", f"exec 8>>{place.root}/sync_state/locks/checks.lock; flock 8; exec sleep 600")
            place.run("databases")
        told = place.told("databases")
        must(any(re.match(r"ERROR -   at that time process \d+ \(.*\) held the lock checks$", line) for line in told), told)
    finally:
        for disk in mounted:
            subprocess.run(["umount", disk], check=True)


def what_stays_wrong_is_told_when_it_begins_and_each_hour(place):
    """Not each minute; and when it is over."""
    place.install()
    place.program("fake", 'case $2 in bidirectional) echo "database_sync_script.php: cannot do it" >&2; exit 2;; esac')
    place.set(PHP=place.top / "fake")
    for _ in range(3):
        place.run("databases")
    same(place.told("databases"), ["ERROR - database_sync_script.php: cannot do it (exit 2)"], "three runs")
    place.age("databases", told_at=3600)
    place.run("databases")
    same(len(place.told("databases")), 2, "an hour later")
    place.program("fake", "exit 0")
    place.run("databases")
    same(place.told("databases")[-1], "INFO - what was said before is over", "its end")
    place.program("fake", 'case $2 in bidirectional) echo "1 of 1 database synced: 1 inserted; 3 ms";; esac')
    before = len(place.told("databases"))
    for _ in range(3):
        place.run("databases")
    same(len(place.told("databases")), before + 3, "what was done is said each time")


def overlapping_runs_are_silent(place):
    """A second one of the same job does nothing; others go on; nothing holds the lock but the script."""
    place.install()
    place.program("fake", f'echo $$ >{place.top}/site/pid.new; mv {place.top}/site/pid.new {place.top}/site/pid; exec sleep 600')
    place.set(PHP=place.top / "fake")
    first = place.begin("logs")
    pid = place.top / "site/pid"
    until(pid.exists, "it does not begin")
    place.set(PHP=place.top / "php")
    place.run("logs")
    same(place.log("logs"), [], "the second one says nothing")
    place.run("databases")
    must(place.log("databases"), "another job")
    # Killed, as by a power cut: what it began is still at work, and keeps nobody from anything.
    script = subprocess.run(["pgrep", "-f", f"^/bin/sh {place.root}/{JOBS['logs']}"], capture_output=True, text=True,
                            check=True).stdout.split()
    for process in script:
        os.kill(int(process), signal.SIGKILL)
    first.wait(PATIENCE)
    place.run("logs")
    same(place.state("logs")["last_exit"], 0, "after a kill")
    os.kill(int(pid.read_text()), signal.SIGKILL)


def a_run_that_is_told_to_end_says_so(place):
    """As when the machine is shut down; what it began ends as well, and the next one goes on."""
    place.install()
    place.run("logs")
    place.program("fake", f'echo $$ >{place.top}/site/pid.new; mv {place.top}/site/pid.new {place.top}/site/pid; exec sleep 600')
    place.set(PHP=place.top / "fake")
    run = place.begin("logs")
    pid = place.top / "site/pid"
    until(pid.exists, "it does not begin")
    child = Path("/proc") / pid.read_text().strip()
    before = place.told("logs")
    # The script is the oldest; what looks at the locks for it is its child.
    os.kill(int(subprocess.run(["pgrep", "-o", "-f", f"^/bin/sh {place.root}/{JOBS['logs']}"], capture_output=True, text=True,
                               check=True).stdout), signal.SIGTERM)
    same(run.wait(PATIENCE), 143, "how it ended")
    until(lambda: not child.exists(), "what it began is at work still")
    told = place.told("logs")[len(before):]
    must(len(told) == 1 and re.match(r"WARNING - sync-all was told to end after \d+ seconds \(exit 143\); ", told[0]), told)
    same(sorted(os.listdir(place.root / "sync_state/cron")), ["logs"], "what is left")
    place.set(PHP=place.top / "php")
    place.run("logs")
    same(place.state("logs")["last_exit"], 0, "the next one")


def a_lock_of_the_library_is_waited_for_in_silence(place):
    """Exit code 75; unless it lasts, which is told once an hour with who holds it."""
    place.install()
    place.run("logs")
    lock = open(place.root / "sync_state/logs/lock", "a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    before = place.log("logs")
    place.run("logs")
    place.run("logs")
    same((place.state("logs")["last_exit"], place.log("logs")), (75, before), "silent")
    place.age("logs", locked_since=700)
    place.run("logs")
    place.run("logs")
    told = place.told("logs")[-2:]
    must(re.match(r"WARNING - another run has kept this one from its work since .* UTC: .*lock", told[0]), told)
    must(re.match(rf"WARNING -   process {os.getpid()} \(.*system\.py.*\) held the lock logs$", told[1]), told)
    same(sum("has kept this one" in line for line in place.log("logs")), 1, "once an hour")
    lock.close()
    place.run("logs")
    same((place.state("logs")["last_exit"], place.state("logs")["locked_since"]), (0, 0), "over")


def settings_are_read_and_never_run(place):
    """What is not understood is told; what others could have written counts for nothing."""
    place.install()
    with open(place.root / "cron.env", "a", encoding="utf-8") as file:
        file.write(f"COLOUR=red\nTIMEOUT=soon\nX=$(touch {place.top}/site/run)\n")
    place.run("logs")
    place.run("logs")
    told = [line for line in place.told("logs") if "cron.env" in line]
    must(len(told) == 1 and "COLOUR=red" in told[0] and "TIMEOUT needs a number from 1 on, not soon" in told[0], told)
    must(not (place.top / "site/run").exists(), "something was run")
    (place.root / "cron.env").chmod(0o664)
    place.said(place.root / JOBS["logs"])
    must(any("is not read, as others than" in line for line in place.log("logs")), place.log("logs"))


def settings_may_end_their_lines_as_elsewhere(place):
    """As editors of other systems do; quotes are told, as nothing takes them away."""
    place.install()
    settings = place.root / "cron.env"
    settings.write_bytes(settings.read_bytes().replace(b"\n", b"\r\n"))
    place.run("logs")
    must(not any("cron.env" in line for line in place.log("logs")), place.log("logs"))
    same(place.state("logs")["last_exit"], 0, "exit")
    with open(settings, "a", encoding="utf-8") as file:
        file.write('METRICS="/var/lib/metrics"\nWEB=html\n')
    place.run("logs")
    told = [line for line in place.told("logs") if "cron.env" in line]
    must(len(told) == 1 and "has quotes" in told[0] and "must begin with /: WEB=html" in told[0], told)


def locks_that_cannot_be_had_are_told(place):
    """That a file system knows none, or flock is missing, is not that another run is at work."""
    place.install()
    programs = place.top / "programs"
    programs.mkdir()
    place.give(programs, 0o755)
    flock = programs / "flock"
    flock.write_text("#!/bin/sh\necho 'flock: no locks available' >&2\nexit 71\n")
    flock.chmod(0o755)
    code, said = place.said("env", f"PATH={programs}:/usr/bin:/bin", place.root / JOBS["logs"])
    must(code == 69 and "no locks available" in said and "cannot be locked" in said, f"{code} {said}")
    must(" cannot be locked: no locks available (exit 69)" in place.log("logs")[0], place.log("logs"))


def a_full_disk_is_told(place):
    """The work is done all the same where it can be, and what cannot be remembered is said to whoever called."""
    need_root()
    place.install()
    place.run("logs")
    cron = place.root / "sync_state/cron"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=2750", "none", cron], check=True)
    try:
        shutil.chown(cron, place.user.name, place.user.group)
        (cron / "full").write_bytes(b"x" * 4096)
        place.program("fake", f"echo >>{place.top}/site/ran")
        place.set(PHP=place.top / "fake")
        code, said = place.said(place.root / JOBS["logs"])
        must(code == 69 and "whether the disk is full" in said, f"{code} {said}")
        must((place.top / "site/ran").exists(), "the work is done")
        # And what was told cannot be remembered either: it is told again.
        place.program("fake", 'case $2 in sync-all) echo "cannot do it"; exit 2 ;; esac')
        before = len(place.told("logs"))
        for _ in range(2):
            same(place.said(place.root / JOBS["logs"])[0], 69, "it cannot be remembered")
        told = [line for line in place.told("logs")[before:] if "cannot do it" in line]
        same(told, ["ERROR - cannot do it (exit 2)"] * 2, "each time")
    finally:
        subprocess.run(["umount", cron], check=True)
    place.run("logs")


def only_the_owner_runs_them(place):
    """Root would make files that he cannot write."""
    need_root()
    place.install()
    before = place.tree(place.root)
    done = subprocess.run([place.root / JOBS["databases"]], capture_output=True, text=True, check=False)
    must(done.returncode == 69 and f"belongs to {place.user.name}, and this is root" in done.stderr, done.stderr)
    same(place.tree(place.root), before, "nothing is changed")


TESTS = [
    a_run_that_hangs_is_ended_and_told, naps_that_take_longer_lose_no_holder, a_lock_of_the_same_number_elsewhere_is_not_ours,
    what_stays_wrong_is_told_when_it_begins_and_each_hour,
    overlapping_runs_are_silent, a_run_that_is_told_to_end_says_so, a_lock_of_the_library_is_waited_for_in_silence,
    settings_are_read_and_never_run,
    settings_may_end_their_lines_as_elsewhere, locks_that_cannot_be_had_are_told, a_full_disk_is_told,
    only_the_owner_runs_them,
]
