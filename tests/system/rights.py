"""What root's hand, or a disk, takes from the users of an installation: that it is named, with the command that mends it, that
nothing is lost meanwhile, and that who only looks takes nothing from anybody.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess

from place import JOBS, PATIENCE, PROJECT, must, need_root, same

BESIDE = ["-wal", "-shm", "-journal"]


def filled(place, *statements):
    """Two sides that were synced; statements are entered on both before that, as `PRAGMA journal_mode = WAL`."""
    place.install()
    place.sql("website", "CREATE TABLE users (name TEXT PRIMARY KEY, email TEXT)", "INSERT INTO users VALUES ('bob', 'b')",
              "INSERT INTO users VALUES ('eve', 'e')")
    place.run("databases")
    for side in ["central", "website"]:
        for statement in statements:
            place.sql(side, statement)
    place.run("databases")


def script(place, *words):
    """A command of ours, with its words."""
    name = "security_monitoring_script.php" if words[0] in ("run", "baseline", "check") else "database_sync_script.php"
    return [str(place.top / "php"), str(place.web / name), *words, "--root", str(place.root)]


def as_root(*command):
    """How it ended, and all that it said."""
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=PATIENCE, check=False)
    return done.returncode, done.stdout


def doctors(place):
    """What doctor finds wrong, as root and as the owner: (check, what, where, do)."""
    for said in [as_root(*script(place, "doctor", "--json")), place.said(*script(place, "doctor", "--json"))]:
        findings = json.loads(said[1])["findings"]
        yield [one for one in findings if one["state"] != "ok"]


def about(findings, path):
    """Those of one place."""
    return [one for one in findings if one["where"] == str(path)]


def obey(remedy):
    """Does what root is told to do."""
    command = remedy.removeprefix("as root: ")
    must(command != remedy, f"no command: {remedy}")
    subprocess.run(["sh", "-ec", command], check=True, stdout=subprocess.DEVNULL)


def a_state_of_roots_is_given_back_and_never_moved_away(place):
    """After a command that was run as root. Without it, what was deleted would come back."""
    need_root()
    filled(place)
    state = place.root / "sync_state"
    place.sql("website", "DELETE FROM users WHERE name = 'eve'")
    for path, mode in [(state / "state.db", 0o600), (state / "state.db", 0o644), (state / "bases", 0o755), (state / "bases", 0o700)]:
        before = path.stat()
        os.chown(path, 0, 0)
        path.chmod(mode)
        command = f"chown -hR {place.user.name}:{place.user.group} {path}"
        remedies = set()
        for findings in doctors(place):
            told = [one for one in about(findings, path) if one["check"] == "state"]
            must(len(told) == 1 and told[0]["state"] == "problem" and command in told[0]["do"], f"{path} {mode:o}: {findings}")
            must(not any("away" in (one["do"] or "") for one in findings), f"something is to be moved away: {findings}")
            remedies.add(told[0]["do"])
        code, said = place.said(*script(place, "bidirectional"))
        must(code == 2 and command in said and "away" not in said, f"{path} {mode:o}: {code} {said}")
        same(place.sql("central", "SELECT name FROM users ORDER BY name"), [("bob",), ("eve",)], "nothing is done meanwhile")
        same(len(remedies), 1, "both are told the same")
        obey(remedies.pop())
        for findings in doctors(place):
            same(about(findings, path), [], f"{path} {mode:o}, given back")
        path.chmod(before.st_mode & 0o7777)
    place.run("databases")
    for side in ["central", "website"]:
        same(place.sql(side, "SELECT name FROM users"), [("bob",)], side)


def a_base_that_cannot_be_read_keeps_its_side_out(place):
    """Nothing is lost by that, and what was deleted does not come back."""
    need_root()
    filled(place)
    bases = sorted((place.root / "sync_state/bases").glob("users@website@*.db"))
    same(len(bases), 1, bases)
    base = bases[0]
    for mode in [0o600, 0o644]:
        place.sql("website", "DELETE FROM users WHERE name = 'eve'")
        os.chown(base, 0, 0)
        base.chmod(mode)
        for findings in doctors(place):
            told = about(findings, base)
            must(len(told) == 1 and told[0]["state"] == "problem" and f"chown -hR {place.user.name}:" in told[0]["do"], findings)
        place.run("databases")
        must(any(f"chown -hR {place.user.name}:{place.user.group} " in line for line in place.log("databases")), place.log("databases"))
        same(place.sql("website", "SELECT name FROM users ORDER BY name"), [("bob",)], f"{mode:o}: nothing comes back")
        same(place.sql("central", "SELECT name FROM users ORDER BY name"), [("bob",), ("eve",)], f"{mode:o}: nothing is written")
        obey(told[0]["do"])
        base.chmod(0o660)
        place.run("databases")
        for side in ["central", "website"]:
            same(place.sql(side, "SELECT name FROM users"), [("bob",)], f"{mode:o}: {side}, when it is given back")
        place.sql("central", "INSERT INTO users VALUES ('eve', 'e')")
        place.run("databases")


def who_looks_leaves_nothing_and_takes_nothing(place):
    """Beside a database in WAL mode: neither root, nor the owner, nor a page."""
    need_root()
    filled(place, "PRAGMA journal_mode = WAL")
    paths = [place.root / "databases/users.db", place.top / "site/users.db"]

    def beside():
        tree = {**place.tree(place.root / "databases"), **{f"site/{k}": v for k, v in place.tree(place.top / "site").items()}}
        # How an index of SQLite looks inside is its own affair.
        return {name: how[:3] if name.endswith("-shm") else how for name, how in tree.items()}

    def look(what):
        for word in ["status", "doctor"]:
            before = beside()
            for code, said in [as_root(*script(place, word)), place.said(*script(place, word)),
                               as_root("runuser", "-u", "www-data", "--", *script(place, word))]:
                must(code in (0, 1, 2) and "users" in said, f"{code} {said}")
                same(beside(), before, f"{what}, after {word}")

    for path in paths:
        for end in BESIDE:
            path.with_name(path.name + end).unlink(missing_ok=True)
    look("nothing beside it")
    code, said = as_root(*script(place, "status", "--json"))
    sides = json.loads(said)["databases"]["users"]["sides"]
    same({side["journal_mode"] for side in sides.values()}, {"wal"}, f"what is seen: {code} {said}")
    same(json.loads(said)["databases"]["users"]["state"], "synced", said)
    # What a page has made first is a page's.
    for path in paths:
        for end in ["-wal", "-shm"]:
            beside_it = path.with_name(path.name + end)
            beside_it.touch()
            shutil.chown(beside_it, "www-data", "www-data")
            beside_it.chmod(0o664)
    look("an empty log of a page")
    # A log that somebody has open.
    for path in paths:
        for end in ["-wal", "-shm"]:
            path.with_name(path.name + end).unlink()
    writer = ("import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(\"INSERT INTO users VALUES ('zoe', 'z')\");"
              "c.commit(); print('ready', flush=True); sys.stdin.read()")
    held = subprocess.Popen(["runuser", "-u", "www-data", "--", "python3", "-c", writer, paths[0]], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    try:
        same(held.stdout.readline(), "ready\n", "the writer")
        must(paths[0].with_name("users.db-wal").stat().st_size > 0, "it writes a log")
        look("a log of a page that is being written")
        code, said = as_root(*script(place, "status", "--json"))
        same(json.loads(said)["databases"]["users"]["state"], "changed", said)
    finally:
        held.stdin.close()
        held.wait(PATIENCE)


def who_is_kept_from_a_database_is_told(place):
    """By what lies beside it: pages, and whoever owns it, be it not the cron user."""
    need_root()
    filled(place)
    for name, directory in [("central", place.root / "databases"), ("website", place.top / "site")]:
        for end in BESIDE:
            path = directory / f"users.db{end}"
            path.touch()
            shutil.chown(path, place.user.name, place.user.group)
            path.chmod(0o600)
            for findings in doctors(place):
                told = about(findings, path)
                must(len(told) == 1 and told[0]["state"] == "problem" and "www-data cannot read and write it" in told[0]["what"],
                     f"{name} {end}: {findings}")
            obey(told[0]["do"])
            for findings in doctors(place):
                same(about(findings, path), [], f"{name} {end}, mended")
            path.unlink()
    # A bot with a user of its own, in the group of all.
    path = place.top / "site/users.db"
    shutil.chown(path, "games")
    path.parent.chmod(0o2777)
    shm = path.with_name("users.db-shm")
    shm.touch()
    shutil.chown(shm, place.user.name, place.user.group)
    shm.chmod(0o660)
    for findings in doctors(place):
        told = [one for one in about(findings, shm) if "games cannot read and write it" in one["what"]]
        must(len(told) == 1 and told[0]["state"] == "problem", findings)


def site_of_a_stranger(place):
    """The website's side belongs to somebody who shares no group with the runner, and there is something for it."""
    filled(place)
    site = place.top / "site"
    for path in [site, site / "users.db"]:
        shutil.chown(path, "games", "games")
    site.chmod(0o755)
    (site / "users.db").chmod(0o644)
    place.sql("central", "INSERT INTO users VALUES ('zoe', 'z')")
    return site


def users_without_a_common_group_are_told_which_to_share(place):
    """By its name, and that a program keeps the groups that it began with."""
    need_root()
    site = site_of_a_stranger(place)
    code, said = place.said(*script(place, "bidirectional"))
    must(f"usermod -aG {place.user.group} games && " in said and "GROUP" not in said, f"{code} {said}")
    must(f"chgrp -h {place.user.group} {site}/users.db" in said and "keeps the groups" in said, said)
    for findings in doctors(place):
        told = [one for one in findings if "usermod -aG" in one["what"]]
        must(len(told) == 1 and "GROUP" not in told[0]["what"], findings)
    # One that both are in by the lists of the system is shared, also where neither the file nor its directory has it.
    for path in [site, site / "users.db"]:
        shutil.chown(path, "www-data", "games")
    code, said = place.said(*script(place, "bidirectional"))
    must(f"as root: chgrp -h {place.user.group} {site}/users.db && " in said and "usermod" not in said, f"{code} {said}")


def no_group_is_proposed_that_is_for_something_else(place):
    """Such as one of administrators that the runner is in: whoever is put into that may do far more."""
    need_root()
    site = site_of_a_stranger(place)
    subprocess.run(["usermod", "-aG", "adm", place.user.name], check=True)
    try:
        for group in ["games", "adm"]:
            for path in [site, site / "users.db"]:
                shutil.chown(path, group=group)
            code, said = place.said(*script(place, "bidirectional"))
            must(f"usermod -aG {place.user.group} games && " in said, f"{group}: {code} {said}")
            told = [said, *(one["what"] + (one["do"] or "") for found in doctors(place) for one in found)]
            for one in told:
                must(not re.search(r"(usermod -aG|chgrp -h|--regid=)[ ]?adm", one), f"{group}: {one}")
        # One that is configured, and is not there.
        config = place.root / "cr0sync.json"
        config.write_text(config.read_text().replace(f'"group": "{place.user.group}"', '"group": "cr0nogroup"'))
        code, said = place.said(*script(place, "bidirectional"))
        must(f"groupadd cr0nogroup && usermod -aG cr0nogroup {place.user.name} && usermod -aG cr0nogroup games; " in said,
             f"{code} {said}")
        must(not re.search(r"(usermod -aG|chgrp -h|--regid=)[ ]?adm", said), said)
    finally:
        subprocess.run(["gpasswd", "-d", place.user.name, "adm"], check=True, stdout=subprocess.DEVNULL)


def a_directory_of_other_things_is_not_given_away(place):
    """As that of a website, whose pages and settings would be the website's own then; the database moves."""
    need_root()
    filled(place)
    site = place.top / "site"
    database = site / "users.db"
    (site / "index.html").write_text("a page")
    new = site / "cr0sync-data"
    given = re.compile(rf"(chown|chgrp) -h \S+ {re.escape(str(site))}(?!/)|chmod \S+ {re.escape(str(site))}(?!/)")
    for owner, group, mode in [("root", "root", 0o755), ("root", "www-data", 0o755), ("games", "games", 0o755)]:
        shutil.chown(site, owner, group)
        site.chmod(mode)
        for findings in doctors(place):
            told = [one for one in about(findings, site) if one["check"] == "access"]
            must(told and all(one["state"] == "problem" for one in told), f"{owner}:{group}: {findings}")
            for one in told:
                must(f"mkdir -m 2775 {new} && chown -h {place.user.name}:{place.user.group} {new}; " in one["do"], one)
                must(f"name {new}/users.db in cr0sync.json" in one["do"] and not given.search(one["do"]), one)
    # Nor by what a run says of a database of somebody else.
    shutil.chown(database, "games", "games")
    for owner, group in [("root", "root"), ("games", "games")]:
        shutil.chown(site, owner, group)
        place.sql("central", f"INSERT INTO users VALUES ('{owner}', 'z')")
        code, said = place.said(*script(place, "bidirectional"))
        must(f"usermod -aG {place.user.group} games && " in said and f"mkdir -m 2775 {new} && " in said, f"{code} {said}")
        must(not given.search(said), said)
    # What it says is done.
    shutil.chown(database, place.user.name, place.user.group)
    shutil.chown(site, "root", "root")
    told = [one for one in about(next(iter(doctors(place))), site) if one["check"] == "access"]
    obey(re.search("as root: [^;]*", told[0]["do"])[0])
    database.rename(new / "users.db")
    config = place.root / "cr0sync.json"
    config.write_text(config.read_text().replace(str(database), str(new / "users.db")))
    for findings in doctors(place):
        same([one for one in findings if one["check"] == "access"], [], "moved")
    place.run("databases")
    same(len(place.sql("central", "SELECT * FROM users")), 4, "rows")


def what_was_given_to_root_is_given_back_whole(place):
    """To the owner and to the group."""
    need_root()
    filled(place)
    for path in [place.root / "databases", place.root / "databases/users.db"]:
        for mode in [path.stat().st_mode & 0o7777, 0o700]:
            os.chown(path, 0, 0)
            path.chmod(mode)
            for findings in doctors(place):
                told = about(findings, path)
                must(told and all(f"chown -h {place.user.name}:{place.user.group} {path} && " in one["do"] for one in told
                                  if one["check"] == "access"), f"{path} {mode:o}: {findings}")
            obey(next(one["do"] for one in told if one["check"] == "access"))
            same((path.owner(), path.group()), (place.user.name, place.user.group), f"{path} {mode:o}")
            for findings in doctors(place):
                same([one for one in about(findings, path) if one["check"] == "access"], [], f"{path} {mode:o}, given back")


def a_disk_that_can_only_be_read_is_told_as_one(place):
    """Owners and modes are not in the way then."""
    need_root()
    filled(place)
    place.run("security")
    place.said(*script(place, "baseline"))
    shut = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"', place.root]
    owner = place.as_owner
    for words in [("bidirectional",), ("doctor",), ("run",), ("check",), ("baseline",)]:
        code, said = as_root(*shut, *owner(*script(place, *words)))
        must(code == 2 and re.search("can only be read|file system is read-only", said) and "dmesg" in said, f"{words}: {code} {said}")
        must(not re.search(r"\bch(own|grp|mod) |\brm |move ", said), f"{words}: {said}")
    code, said = as_root(*shut, *owner(str(place.root / JOBS["databases"])))
    must(code == 69 and f"the file system of {place.root}/sync_state can only be read" in said and "dmesg" in said, f"{code} {said}")
    code, said = as_root(*shut, *owner(str(place.root / "test_cron_scripts.sh")))
    must(code == 2 and f"the file system of {place.root}/logs can only be read" in said, f"{code} {said}")
    must(not re.search(r"\bch(own|grp|mod) ", said), said)


def a_side_that_is_made_keeps_a_log_as_the_others_do(place):
    """Where all that are there have one; and nothing lies beside it."""
    filled(place, "PRAGMA journal_mode = WAL")
    website, central = place.top / "site/users.db", place.root / "databases/users.db"

    def mode(path):
        connection = sqlite3.connect(path)
        found = connection.execute("PRAGMA journal_mode").fetchone()[0]
        connection.close()
        return found

    for path, empty in [(website, False), (central, False), (website, True)]:
        for end in ["", *BESIDE]:
            path.with_name(path.name + end).unlink(missing_ok=True)
        if empty:
            path.touch()
            place.give(path, 0o664)
        place.run("databases")
        same(mode(path), "wal", path)
        same(sorted(one.name for one in path.parent.glob("users.db.new*")), [], "what is left")
        place.sql("central", f"INSERT INTO users VALUES ('{os.urandom(4).hex()}', 'x')")
        place.run("databases")
        same(place.sql("website", "SELECT * FROM users ORDER BY 1"), place.sql("central", "SELECT * FROM users ORDER BY 1"), "rows")
    place.sql("central", "PRAGMA journal_mode = DELETE")
    for end in ["", *BESIDE]:
        website.with_name(website.name + end).unlink(missing_ok=True)
    place.run("databases")
    same(mode(website), "delete", "where the others have none")


def what_pages_share_is_given_back_to_them(place):
    """After `chmod -R` by the next run, and before that by what doctor says; what is root's by root alone."""
    need_root()
    filled(place)
    place.run("security")
    place.said(*script(place, "baseline"))
    for words in ["cr0_event('TRY', [], 'INFO');", "cr0_rate_limit('192.0.2.1');"]:
        code, said = as_root("runuser", "-u", "www-data", "--", place.top / "php", "-d", f"cr0sync.root={place.root}", "-r", words)
        same(code, 0, said)
    state = place.root / "sync_state"
    modes = {"locks": 0o3770, "events": 0o3770, "limits": 0o2770, "queue": 0o3770, "queue/results": 0o2750, "integrity": 0o2750,
             "events/head": 0o660, "limits/rate_limits.table": 0o660}

    def how(path):
        return oct(path.stat().st_mode & 0o7777)

    def narrow():
        for name in modes:
            (state / name).chmod(0o2700 if (state / name).is_dir() else 0o600)

    for by in ["doctor", "databases", "security"]:
        narrow()
        if by == "doctor":
            told = {}
            for findings in doctors(place):
                for name in modes:
                    one = about(findings, state / name)
                    must(len(one) == 1 and one[0]["state"] == "problem" and "pages (www-data) cannot " in one[0]["what"],
                         f"{name}: {findings}")
                    told[name] = one[0]["do"]
            for remedy in told.values():
                obey(remedy)
        else:
            place.run(by)
            # Pages could have moved a file there that they may not read.
            for name in ["events/head", "limits/rate_limits.table"]:
                same(how(state / name), oct(0o600), name)
                told = about(next(doctors(place)), state / name)
                must(len(told) == 1 and told[0]["state"] == "problem", f"{name}: {told}")
                obey(told[0]["do"])
        same({name: how(state / name) for name in modes}, {name: oct(mode) for name, mode in modes.items()}, by)
        for findings in doctors(place):
            same([one for one in findings if one["check"] == "state"], [], by)
    for name in ["events/head", "limits/rate_limits.table"]:
        path = state / name
        os.chown(path, 0, 0)
        path.chmod(0o600)
        for findings in doctors(place):
            told = about(findings, path)
            must(len(told) == 1 and f"{place.user.name} and pages (www-data) cannot " in told[0]["what"], f"{name}: {findings}")
            must(f"chown -h {place.user.name}:{place.user.group} {path} && " in told[0]["do"], told)
        obey(told[0]["do"])
        same((path.owner(), path.group(), how(path)), (place.user.name, place.user.group, oct(0o660)), name)


def a_place_of_backups_that_cannot_be_written_is_told(place):
    """As runs go on without, and only say so."""
    need_root()
    filled(place)
    backups = place.root / "databases/backups"
    place.sql("central", "INSERT INTO users VALUES ('zoe', 'z')")
    place.run("databases")
    must((backups / "website").is_dir(), sorted(backups.iterdir()))
    for path, mode in [(backups / "website", 0o755), (backups, 0o700)]:
        os.chown(path, 0, 0)
        path.chmod(mode)
        found = list(doctors(place))
        for findings in found:
            told = [one for one in about(findings, path) if one["check"] == "backups"]
            must(len(told) == 1 and told[0]["state"] == "problem"
                 and told[0]["what"].startswith("no backup of users:website can be written: "), f"{path}: {findings}")
        obey(told[0]["do"])
        for findings in doctors(place):
            same([one for one in findings if "no backup of" in one["what"]], [], f"{path}, given back")
    shutil.rmtree(backups)
    os.chown(place.root / "databases", 0, 0)
    (place.root / "databases").chmod(0o755)
    for findings in doctors(place):
        must(any("no backup of users:website can be written" in one["what"] for one in findings), findings)


def what_killed_runs_leave_beside_the_state_goes(place):
    """As soon as no journal can name it."""
    filled(place)
    state = place.root / "sync_state"
    for number in range(12):
        place.write(f"sync_state/state.db-mj0000{number:02X}9CD", "", 0o660)
    told = [one for one in next(iter(doctors(place))) if "state.db-mj" in one["what"]]
    must(len(told) == 1 and told[0]["what"].startswith("12 files"), told)
    place.write("sync_state/bases/x.db-journal", "", 0o660)
    place.run("databases")
    same(len(list(state.glob("state.db-mj*"))), 12, "a journal may name them")
    (state / "bases/x.db-journal").unlink()
    place.run("databases")
    same(list(state.glob("state.db-mj*")), [], "what stays")


def a_check_that_is_forgotten_was_made_all_the_same(place):
    """What it found is gone; that it ran is not."""
    place.install()
    for words in [("baseline",), ("run",)]:
        code, said = place.said(*script(place, *words))
        must(code in (0, 1), f"{code} {said}")

    def told():
        return [one["what"] for one in list(doctors(place))[-1] if one["check"] == "security"]

    same(told(), [], "as it should be")
    gone = [path for path in (place.root / "sync_state/private").rglob("*") if path.is_file() and b'"findings"' in path.read_bytes()]
    must(gone, "no report")
    for path in gone:
        path.unlink()
    must(any(re.match(r"files were checked at \S+, and what that found is gone from sync_state", what) for what in told()), told())


def a_fresh_installation_watches_what_is_there(place):
    """No page of the shipped site is missed where there is no such site yet."""
    need_root()
    shut = ["unshare", "-m", "sh", "-ec", 'mount -t tmpfs none /var/www && mkdir /var/www/html && cd "$0" && '
            'make -s install-system ROOT="$1" OWNER="$2" GROUP="$3" && shift 3 && "$@"', PROJECT, place.root, place.user.name,
            place.user.group]
    doctor = script(place, "doctor", "--json")
    doctor[1] = "/var/www/html/database_sync_script.php"
    code, said = as_root(*shut, *doctor)
    findings = json.loads(said[said.index("\n{") if "\n{" in said else 0:])["findings"]
    must(not any("to be watched, and not there" in one["what"] for one in findings), f"{code} {said}")
    same(json.loads((place.root / "shared_storage/integrity_config.json").read_text())["monitored_directories"],
         ["/var/www/html/", f"{place.root}/logs/"], "what is watched")


TESTS = [
    a_state_of_roots_is_given_back_and_never_moved_away, a_base_that_cannot_be_read_keeps_its_side_out,
    who_looks_leaves_nothing_and_takes_nothing, who_is_kept_from_a_database_is_told,
    users_without_a_common_group_are_told_which_to_share, no_group_is_proposed_that_is_for_something_else,
    a_directory_of_other_things_is_not_given_away, what_was_given_to_root_is_given_back_whole,
    a_disk_that_can_only_be_read_is_told_as_one, a_side_that_is_made_keeps_a_log_as_the_others_do,
    what_pages_share_is_given_back_to_them, a_place_of_backups_that_cannot_be_written_is_told,
    what_killed_runs_leave_beside_the_state_goes, a_check_that_is_forgotten_was_made_all_the_same,
    a_fresh_installation_watches_what_is_there,
]
