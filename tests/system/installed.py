"""What an installation consists of: scripts and units that their programs understand, the tree, and what stays when it is
done again.
"""

import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

from place import HERE, IS_ROOT, JOBS, LOGS, PROJECT, SYSTEM, Skipped, must, need_root, same

ADMIN = PROJECT / "php/website/admin"
DIRECTORIES = """
databases logs logs/security logs/security/events logs/security/alerts logs/security/audit logs/security/analysis logs/api
logs/file_access logs/integrity logs/website logs/website/errors logs/website/security logs/irc_networks
logs/irc_networks/rizon logs/irc_networks/libera shared_storage
""".split()


def shells_understand_the_scripts(_place):
    """Dash, which is what runs them, and shellcheck."""
    scripts = [str(path) for path in [*SYSTEM.glob("*.sh"), PROJECT / ".ci/install-system", HERE / "run.sh"]]
    for script in scripts:
        done = subprocess.run(["dash", "-n", script], capture_output=True, text=True, check=False)
        same((done.returncode, done.stderr), (0, ""), script)
    done = subprocess.run(["shellcheck", "-x", *scripts], capture_output=True, text=True, check=False, cwd=PROJECT)
    same((done.returncode, done.stdout), (0, ""), "shellcheck")


def systemd_understands_the_units(place):
    """As systemd itself reads them."""
    if shutil.which("systemd-analyze") is None:
        raise Skipped("there is no systemd-analyze")
    place.install(CONFIG=place.root / "cr0sync.json")
    units = place.top / "units"
    timers = place.root / "install_timers.sh"
    code, printed = place.said(timers, "--print")
    same(code, 0, printed)
    code, said = place.said("mkdir", units) if not IS_ROOT else (0, "")
    done = subprocess.run([timers, "--to", units], capture_output=True, text=True, check=False)
    same(done.returncode, 0, done.stderr)
    names = sorted(path.name for path in units.iterdir())
    same(names, sorted(path.name for path in (SYSTEM / "systemd").iterdir()), "units")
    for name in names:
        text = (units / name).read_text()
        must("@" not in text, f"{name} has a place that nothing was put in:\n{text}")
        must(text in printed, f"--print shows another {name}")
    done = subprocess.run(["systemd-analyze", "verify", *[str(units / name) for name in names]],
                          capture_output=True, text=True, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "cr0sync" in line]
    same((done.returncode, about_ours), (0, []), "systemd-analyze")
    must(f"User={place.user.name}" in (units / "cr0sync-logs.service").read_text(), "the user")
    # What is taken away needs no settings, whatever they say.
    place.set(WEB="/srv/a$b")
    done = subprocess.run([timers, "--to", units], capture_output=True, text=True, check=False)
    must(done.returncode == 64 and "a unit cannot name /srv/a$b" in done.stderr, done.stderr)
    same(place.said(timers, "--print")[0], 64, "--print")
    place.set(TIMEOUT="soon")
    done = subprocess.run([timers, "--to", units], capture_output=True, text=True, check=False)
    must(done.returncode == 2 and "TIMEOUT needs a number" in done.stderr, done.stderr)
    # A unit of somebody else stays.
    (units / "cr0sync-logs.timer").write_text("# another\n")
    done = subprocess.run([timers, "--to", units, "--remove"], capture_output=True, text=True, check=False)
    same(done.returncode, 2, done.stderr)
    same(len(list(units.iterdir())), len(names), "nothing is removed")
    (units / "cr0sync-logs.timer").unlink()
    subprocess.run([timers, "--to", units, "--remove"], check=True, stdout=subprocess.DEVNULL)
    same(list(units.iterdir()), [], "what stays")


def the_tree_is_as_it_should_be(place):
    """Each directory and file, its mode, owner and group."""
    said = place.make()
    must("warning" not in said, said)
    must(f"if the website is in {place.web}: " in said, "where another website's databases and files are named")
    user, group = place.user.name, place.user.group
    expected = {name: ("2775", user, group) for name in DIRECTORIES}
    expected |= {f"logs/{name}": ("664", user, group) for name in LOGS.values()}
    expected |= {
        "sync_state": ("3770", user, group), "sync_state/locks": ("3770", user, group),
        "sync_state/cron": ("2750", user, group), "cron.env": ("644", user, group), "cr0sync.json": ("644", user, group),
        "shared_storage/integrity_config.json": ("664", user, group),
        "systemd": ("2755", user, group)}
    expected |= {f"sync_state/locks/cron-{job}.lock": ("600", user, group) for job in JOBS}
    for path in [*SYSTEM.glob("*.sh"), *SYSTEM.glob("systemd/*")]:
        name = str(path.relative_to(SYSTEM))
        is_read = name in ["cron_common.sh", "crontab_block.sh", "settings.sh"] or name.startswith("systemd/")
        expected[name] = ("644" if is_read else "755", user, group)
    same({name: how[:3] for name, how in place.tree(place.root).items()}, expected, "the root")
    stat = place.root.stat()
    same((f"{stat.st_mode & 0o7777:o}", pwd.getpwuid(stat.st_uid).pw_name), ("3775", user), "the root itself")
    web = {name: how[3] for name, how in place.tree(place.web).items()}
    for path in [*PROJECT.glob("php/website/*_script.php"), *PROJECT.glob("php/src/*.php")]:
        name = f"cr0sync/{path.name}" if path.parent.name == "src" else path.name
        same(web.pop(name, None), hashlib.sha256(path.read_bytes()).hexdigest(), name)
    for path in filter(Path.is_file, ADMIN.rglob("*")):
        name = f"cr0sync/admin/{path.relative_to(ADMIN)}"
        same(web.pop(name, None), hashlib.sha256(path.read_bytes()).hexdigest(), name)
    parts = [f"cr0sync/admin/{path.relative_to(ADMIN)}" for path in ADMIN.rglob("*") if path.is_dir()]
    same(web, dict.fromkeys(["cr0sync", "cr0sync/admin", *parts]), "nothing else is in the web directory")
    must(f"until there is {place.web}/cr0sync/admin/settings.php" in said, "how the pages are opened")
    # For packagers, the same below another directory.
    place.make(DESTDIR=place.top / "package")
    below = place.top / "package"
    same({name: how[:3] for name, how in place.tree(below / str(place.root).lstrip("/")).items()}, expected, "in a package")
    must(str(below) not in (below / str(place.root).lstrip("/") / "cron.env").read_text(), "settings name the package")
    if IS_ROOT:
        must(all(how[1] == "root" and int(how[0], 8) & 0o022 == 0 for how in place.tree(place.web).values()),
             "pages cannot write what cron runs")


def the_configuration_says_whose_the_system_is(place):
    """Where that is not as shipped, so that nobody looks for a user who is not here; and it is written once."""
    user, group = place.user.name, place.user.group
    ours = {"user": user, "group": group}

    def written(**variables):
        package = place.top / "package"
        place.make(DESTDIR=package, **variables)
        text = (package / str(place.root).lstrip("/") / "cr0sync.json").read_text()
        shutil.rmtree(package)
        return json.loads(text)

    same(written(OWNER="cr0", GROUP="www-data"), {"version": 1}, "as shipped")
    same(written(), {"version": 1, "ownership": ours}, "another owner")
    # A package is for a machine that has them; here root, or whoever installs, takes their place.
    same(written(OWNER="of-no-name", GROUP="of-none"),
         {"version": 1, "ownership": {"user": "of-no-name", "group": "of-none"}}, "in a package")
    if IS_ROOT:
        # The pages' user is told by the group's name.
        same(written(GROUP="daemon"),
             {"version": 1, "ownership": {"user": user, "group": "daemon", "website_user": "daemon"}}, "the pages' user")
        same(written(OWNER="daemon", GROUP="daemon"),
             {"version": 1, "ownership": {"user": "daemon", "group": "daemon"}}, "who is the owner himself")
    said = place.make()
    path = place.root / "cr0sync.json"
    same(json.loads(path.read_text()), {"version": 1, "ownership": ours}, said)
    for words in [("database_sync_script.php", "doctor"), ("security_monitoring_script.php", "baseline")]:
        code, said = place.said(place.top / "php", place.web / words[0], words[1], "--root", place.root)
        must(code in (0, 1, 2) and "has no user cr0" not in said, f"{words[1]}: {code} {said}")
    for text in ['{ "version": 1 }\n', "not even JSON"]:
        path.write_text(text)
        place.make()
        same(path.read_text(), text, "one that is there")


def another_site_is_watched_as_the_shipped_one(place):
    """A start of the list names what is there of it, and all of it where that is not what is shipped."""
    files = ["auth.php", "admin_panel.php", "security_middleware.php", "session_security.php", "input_sanitizer.php",
             ".htaccess", "index.html"]
    path = place.root / "shared_storage/integrity_config.json"
    logs = f"{place.root}/logs/"

    def listed():
        said = place.make()
        must(f"made {path}\n" in said, said)
        text = json.loads(path.read_text())
        same(text["ignore_patterns"], ["*.log", "*.tmp", "*.cache"], "patterns")
        code, said = place.said(place.top / "php", place.web / "security_monitoring_script.php", "baseline",
                                "--root", place.root)
        must(code == 0 and "is to be watched and is not there" not in said and "warning" not in said, f"{code} {said}")
        shutil.rmtree(place.root)
        return text["monitored_files"], text["monitored_directories"]

    same(listed(), ([], [f"{place.web}/", logs]), "nothing of the shipped list")
    (place.web / "auth.php").touch()
    same(listed(), ([f"{place.web}/auth.php"], [f"{place.web}/", logs]), "a part of it")
    for name in files:
        (place.web / name).touch()
    for name in ["core", "data"]:
        (place.web / name).mkdir()
    same(listed(), ([f"{place.web}/{name}" for name in files], [f"{place.web}/core/", f"{place.web}/data/", logs]), "all of it")
    # What goes into the list as it is must be JSON still.
    odd = place.top / 'a"b\\c'
    subprocess.run(["sh", PROJECT / ".ci/install-system", "install"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env={**os.environ, "ROOT": str(place.root), "WEB": str(odd),
                                                  "OWNER": place.user.name, "GROUP": place.user.group})
    same(json.loads(path.read_text())["monitored_directories"], [f"{odd}/", logs], "quotes")
    # Somebody took it away, wrote his own, or installed before there was any: none is made, and none changed.
    path.unlink()
    place.make()
    must(not path.exists(), "another list than the one of the baseline is a finding")
    for name in ["cr0sync.json", "cron.env"]:
        (place.root / name).unlink()
        place.make()
        must(not path.exists(), f"there was no {name}, and all else was")
    for name in ["cr0sync.json", "cron.env"]:
        (place.root / name).unlink()
    place.write("shared_storage/integrity_config.json", "{}")
    place.make()
    same(path.read_text(), "{}", "one that is there")
    path.unlink()
    for name in ["cr0sync.json", "cron.env"]:
        (place.root / name).unlink()
    place.write("shared_storage/file_hashes.json", "{}")
    place.make()
    must(not path.exists(), "there is a baseline")
    # Where programs are put apart, the site is where it was.
    done = subprocess.run(["make", "-s", "-C", PROJECT, "install-system", f"DESTDIR={place.top}/apart", f"ROOT={place.root}",
                           "WEB=/usr/local/share/cr0sync"], check=True, capture_output=True, text=True)
    must("integrity_config.json" not in done.stdout, done.stdout)


def root_follows_nobody_in_the_web_directory(place):
    """Who may write there could have root write elsewhere: it is installed with his rights, or not at all."""
    need_root()
    refused = lambda: subprocess.run(["make", "-s", "-C", str(PROJECT), "install-system", f"ROOT={place.root}", f"WEB={place.web}",
                                      f"OWNER={place.user.name}", f"GROUP={place.user.group}"],
                                     capture_output=True, text=True, check=False)
    victim = place.top / "victim"
    victim.mkdir()
    place.web.mkdir()
    (place.web / "cr0sync").symlink_to(victim)
    done = refused()
    must(done.returncode != 0 and "is a link" in done.stderr, done.stderr)
    (place.web / "cr0sync").unlink()
    (place.web / "cr0sync").mkdir()
    (place.web / "cr0sync/admin").symlink_to(victim)
    done = refused()
    must(done.returncode != 0 and "cr0sync/admin is a link" in done.stderr, done.stderr)
    same(list(victim.iterdir()), [], "what the links lead to")
    (place.web / "cr0sync/admin").unlink()
    (place.web / "cr0sync").rmdir()
    place.web.chmod(0o775)
    done = refused()
    must(done.returncode != 0 and "others than root may write" in done.stderr, done.stderr)
    same(list(place.web.iterdir()), [], "what root wrote where others may write")
    # Where it is the website's own, all is the website's.
    shutil.chown(place.web, "www-data", "www-data")
    place.make()
    same({how[1] for how in place.tree(place.web).values()}, {"www-data"}, "owners")
    # The root is not the website's, whose rights end there.
    said = place.make("uninstall-system")
    same(list(place.web.iterdir()), [], "what stays")
    must(not (place.root / "systemd").exists() and "which holds more" not in said, said)
    # What holds more and what cannot be removed are two things.
    for make, words in [(lambda: (place.root / "systemd/theirs.service").touch(), "systemd, which holds more"),
                        (lambda: shutil.chown(place.root, "root"), f"could not be removed: rmdir {place.root}/systemd")]:
        (place.root / "systemd").mkdir()
        make()
        said = place.make("uninstall-system")
        must((place.root / "systemd").exists() and words in said, said)
        shutil.rmtree(place.root / "systemd")


def pages_are_shut_until_settings_open_them(place):
    """The pages where they are installed: they find their classes and nobody else's, and no settings.php is ever touched."""
    place.install()
    pages = place.web / "cr0sync/admin"
    # What the website has of its own beside is not ours.
    (place.web / "src").mkdir()
    (place.web / "src/autoload.php").write_text("<?php throw new Exception('not ours');\n")

    def asked():
        ask = ("$_SERVER = ['REQUEST_METHOD' => 'GET', 'SCRIPT_NAME' => '/', 'REMOTE_ADDR' => '192.0.2.7'] + $_SERVER;"
               "$_GET = ['page' => 'settings']; register_shutdown_function(fn () => print(http_response_code()));"
               f"require '{pages}/index.php';")
        return place.said(place.top / "php", "-r", ask)

    code, text = asked()
    must(code == 0 and text.startswith("Nobody may come in here") and text.endswith("403"), text)
    settings = f"<?php return ['admin' => fn () => 'bob', 'root' => '{place.root}'];\n"
    (pages / "settings.php").write_text(settings)
    (pages / "src/Text.php").write_text("kept")
    (pages / "style.css").write_text("/* of the site itself */")
    (pages / "src/Ui.php").write_text("<?php namespace Cr0Sync\\Admin; // older\n")
    said = place.make()
    must("settings.php" not in said and f"kept {pages}/style.css as " in said, said)
    code, text = asked()
    must(code == 0 and "<h1>Settings</h1>" in text and str(place.root) in text and text.endswith("200"), text)
    same((pages / "settings.php").read_text(), settings, "the settings")
    place.make("uninstall-system")
    left = {name for name in place.tree(pages) if not (pages / name).is_dir()}
    same(left, {"settings.php", "src/Text.php", "style.css"}, "what stays of the pages")
    same((pages / "settings.php").read_text(), settings, "the settings")


def an_upgrade_keeps_everything(place):
    """Data, settings, modes that somebody chose; and scripts of before that are not ours."""
    place.root.mkdir(mode=0o775)
    place.web.mkdir()
    foreign = {place.root / "cron_sync_databases.sh": "#!/bin/sh\n# of the site itself\n",
               place.web / "log_sync_script.php": "<?php // of the site itself\n"}
    for path, text in foreign.items():
        path.write_text(text)
    if IS_ROOT:
        shutil.chown(place.root, place.user.name, place.user.group)
    place.root.chmod(0o775)
    (place.root / "logs").mkdir(mode=0o755)
    if IS_ROOT:
        shutil.chown(place.root / "logs", place.user.name, place.user.group)
    said = place.make()
    must(f"{place.root}/logs is 755 " in said, said)
    same(f"{(place.root / 'logs').stat().st_mode & 0o7777:o}", "755", "a mode that somebody chose")
    must(place.root.stat().st_mode & 0o1000, "the root is made sticky")
    for path, text in foreign.items():
        same(path.with_name(path.name + ".before-cr0sync").read_text(), text, path.name)
        must(path.read_text() != text, f"{path.name} is ours")
    place.write("databases/users.db", "data")
    place.write("logs/cron_security.log", "old lines\n")
    place.write("sync_state/cron/databases", "cr0sync cron 1\nruns=7\n", 0o640)
    place.set(TIMEOUT=77)
    before = place.tree(place.top)
    # An older version of ours.
    (place.root / "cron_sync_logs.sh").write_text("#!/bin/sh\n# Part of cr0sync. Older.\n")
    (place.web / "cr0sync" / "Table.php").write_text("<?php // namespace Cr0Sync\\Script\n")
    said = place.make()
    same(place.tree(place.top), before, f"after another installation, which said\n{said}")
    # Somebody puts another one there: what was kept first stays as well.
    (place.web / "log_sync_script.php").write_text("<?php // once more\n")
    place.make()
    kept = sorted(path.read_text() for path in place.web.glob("*.before-cr0sync*"))
    same(kept, ["<?php // of the site itself\n", "<?php // once more\n"], "both")
    place.make("uninstall-system")
    for path, text in foreign.items():
        same(path.read_text(), text, "what was there before")
    left = {name for name in place.tree(place.root) if name.endswith(".sh") or name.startswith("systemd")}
    same(left, {"cron_sync_databases.sh"}, "of the scripts stays")
    same((place.root / "databases/users.db").read_text(), "data", "data stays")
    must("TIMEOUT=77" in (place.root / "cron.env").read_text(), "settings stay")


def links_of_pages_lead_the_installer_nowhere(place):
    """Where pages may write, root follows no link of theirs."""
    need_root()
    place.make()
    precious = place.top / "precious"
    precious.mkdir(mode=0o700)
    (precious / "file").write_text("as it is")
    before = place.tree(precious), precious.stat().st_mode, precious.stat().st_uid
    shutil.rmtree(place.root / "logs/api")
    (place.root / "logs/api").symlink_to(precious)
    (place.root / "logs/cron_security.log").unlink()
    (place.root / "logs/cron_security.log").symlink_to(precious / "file")
    (place.root / "cron_sync_logs.sh").unlink()
    (place.root / "cron_sync_logs.sh").symlink_to(precious / "file")
    said = place.make()
    same((place.tree(precious), precious.stat().st_mode, precious.stat().st_uid), before, "what is elsewhere")
    must(f"warning: {place.root}/logs/api is 700 root:root" in said, said)
    must(not (place.root / "cron_sync_logs.sh").is_symlink(), "the script is a script")


def a_missing_user_is_told(place):
    """Whoever installs takes his place."""
    said = place.make(OWNER="nobody-of-that-name", GROUP="nor-that-group")
    must("warning: there is no user nobody-of-that-name" in said and "there is no group nor-that-group" in said, said)
    same(place.root.stat().st_uid, os.geteuid(), "the owner")


def what_is_wrong_is_said_in_words(place):
    """By test_cron_scripts.sh."""
    place.install()
    test = place.root / "test_cron_scripts.sh"

    def said():
        code, text = place.said(test)
        return code, text

    place.sql("website", "CREATE TABLE t (x PRIMARY KEY)")
    place.run("databases")
    before = place.tree(place.root)
    code, text = said()
    # What doctor says of this machine is its own affair.
    wrong = [line for line in text.splitlines() if line.startswith("WRONG") and not line.startswith("WRONG  doctor: ")]
    must(not wrong and "ok     the extension cr0sync is loaded" in text, f"{code} {text}")
    for script in JOBS.values():
        must(f"ok     {script}: " in text, text)
    same(place.tree(place.root), before, "nothing is changed")
    must("neither the crontab" in text, text)

    place.set(PHP=shutil.which("php"))
    code, text = said()
    if "the extension cr0sync is loaded" not in text:
        must(code == 2 and "WRONG  the extension cr0sync is not loaded" in text and "make install" in text, text)
    place.set(PHP="/no/php")
    code, text = said()
    must(code == 2 and "cannot run PHP, /no/php" in text and "PHP= in" in text, text)
    place.set(PHP=place.top / "php", WEB="/no/web")
    code, text = said()
    must(code == 2 and "there is no /no/web/database_sync_script.php" in text and "WEB= in" in text, text)
    place.set(WEB=place.web)
    (place.root / "databases").chmod(0o555)
    if IS_ROOT:
        shutil.chown(place.root / "databases", "root", "root")
    code, text = said()
    must(code == 2 and f"cannot write in {place.root}/databases" in text and "chown" in text, text)
    if IS_ROOT:
        shutil.chown(place.web, "www-data", "www-data")
        code, text = said()
        # As doctor has it: pages can.
        must(code == 2 and "WRONG  others than root and " in text and "  problem: scripts: " in text, text)
        must(f"chown -h root {place.web} && chmod g-w,o-w {place.web}\n" in text, text)
        shutil.chown(place.web, "root", "root")
        (place.web / "cr0sync").chmod(0o777)
        (place.web / "log_sync_script.php").chmod(0o664)
        shutil.chown(place.web / "cr0sync/Table.php", "www-data", "www-data")
        # One of the site itself, that cron does not run.
        (place.web / "other_script.php").touch()
        (place.web / "other_script.php").chmod(0o666)
        code, text = said()
        named = re.findall(r"^       (ch.*)$", text, re.M)
        same([line for line in named if str(place.web) in line],
             [f"chmod g-w,o-w {place.web}/cr0sync",
              f"chown -h root {place.web}/cr0sync/Table.php && chmod g-w,o-w {place.web}/cr0sync/Table.php",
              f"chmod g-w,o-w {place.web}/log_sync_script.php"], text)
        for line in named:
            if str(place.web) in line:
                subprocess.run(["sh", "-c", line], check=True)
        code, text = said()
        must("ok     nobody but root and " in text and "may put something else" not in text, text)
        # Others than pages: doctor has no problem with those.
        (place.web / "log_sync_script.php").chmod(0o664)
        code, text = said()
        must("look   others than root and " in text and "  problem: scripts: " not in text, text)
        (place.web / "log_sync_script.php").chmod(0o644)
        # In the root pages may make files, and it stays theirs to write.
        place.root.chmod(0o2775)
        code, text = said()
        must("WRONG  others than root and " in text and f"       chmod +t {place.root}\n" in text, text)
        subprocess.run(["chmod", "+t", place.root], check=True)
        must("ok     nobody but root and " in said()[1], "with the sticky bit")
        # By a link to it as well.
        (place.web / "cr0sync").chmod(0o777)
        (place.top / "link").symlink_to(place.web)
        place.set(WEB=place.top / "link")
        must(f"chmod g-w,o-w {place.web}/cr0sync\n" in said()[1], said()[1])
        # Whose the link is leads it elsewhere; and whoever may write PHP is the cron user as well.
        subprocess.run(["chown", "-h", "www-data", place.top / "link"], check=True)
        (place.top / "php").chmod(0o775)
        text = said()[1]
        for command in [f"chown -h root {place.top}/link", f"chmod g-w,o-w {place.top}/php"]:
            must(f"       {command}\n" in text, text)
            subprocess.run(["sh", "-c", command], check=True)
            text = said()[1]
            must(f"       {command}\n" not in text, text)
        done = subprocess.run([test], capture_output=True, text=True, check=False)
        must(f"cannot write in {place.root}/databases" in done.stdout, "as root, for the owner")
        # What a restore as root leaves: nobody is taken for the cron user because of it.
        shutil.chown(place.root / "sync_state", "root", "root")
        done = subprocess.run([test], capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        must(done.returncode == 2 and lines[0].endswith(f"belongs to root, and cron runs the jobs as {place.user.name}"), lines)
        subprocess.run(["sh", "-c", lines[1].strip().removeprefix("as root: ")], check=True)
        must(f"cron runs the jobs as {place.user.name}" not in said()[1], said()[1])
    (place.root / "databases").chmod(0o755)


def options_are_read_alike(place):
    """Both ways to give a word, and what is wrong is refused with how to write it."""
    place.install()
    names = [*JOBS.values(), "install_crontabs.sh", "remove_crontabs.sh", "test_cron_scripts.sh", "install_timers.sh"]
    for name in names:
        for words, what in [(["--rot"], "unknown option --rot"), (["--root"], "--root needs a word"),
                            (["--root="], "--root needs a word"), (["--root", "/no/such"], "there is no directory /no/such"),
                            (["--root", place.root, "more"], "unknown option more")]:
            code, said = place.said(place.root / name, *words)
            must(code == 64 and said.startswith(f"{name}: {what}\n  write {name} ["), f"{words} {code} {said}")
    for words in [["--print", "--root", f"{place.root}/"], [f"--root={place.root}", "--print"]]:
        for name in ["install_crontabs.sh", "install_timers.sh"]:
            code, said = place.said(place.root / name, *words)
            must(code == 0 and f"{place.root}/cron_sync_logs.sh" in said, f"{words} {code} {said}")
    code, said = place.said(place.root / "install_timers.sh", "--print", "--remove")
    must(code == 64 and "not for one call" in said, said)


def a_fresh_installation_is_not_wrong(place):
    """In the order that README tells: what no run has made yet is for a look; what is wrong is wrong before the first run too."""
    need_root()
    if shutil.which("crontab") is None:
        raise Skipped("there is no crontab")
    place.make()
    place.set(PHP=place.top / "php")
    code, said = place.said(place.root / "install_crontabs.sh")
    same(code, 0, said)
    code, said = place.said(place.root / "test_cron_scripts.sh")
    must(code in (0, 1) and "WRONG" not in said, f"{code} {said}")
    must("  warning: cron: " in said, said)
    place.write("databases/users.db", "no database, and longer than nothing")
    code, said = place.said(place.root / "test_cron_scripts.sh")
    must(code == 2 and "WRONG  doctor: " in said and "  problem: databases: " in said, f"{code} {said}")
    (place.root / "databases/users.db").unlink()
    config = (place.root / "cr0sync.json").read_text()
    place.write("cr0sync.json", "{")
    code, said = place.said(place.root / "test_cron_scripts.sh")
    must(code == 2 and "WRONG  doctor ended with " in said, f"{code} {said}")
    place.write("cr0sync.json", config)
    (place.root / "databases").chmod(0o555)
    shutil.chown(place.root / "databases", "root", "root")
    code, said = place.said(place.root / "test_cron_scripts.sh")
    must(code == 2 and "WRONG" in said, f"{code} {said}")
    same(place.said(place.root / "remove_crontabs.sh")[0], 0, "remove")


TESTS = [
    shells_understand_the_scripts, systemd_understands_the_units, the_tree_is_as_it_should_be,
    the_configuration_says_whose_the_system_is, another_site_is_watched_as_the_shipped_one,
    root_follows_nobody_in_the_web_directory, pages_are_shut_until_settings_open_them,
    an_upgrade_keeps_everything, links_of_pages_lead_the_installer_nowhere, a_missing_user_is_told,
    what_is_wrong_is_said_in_words, options_are_read_alike, a_fresh_installation_is_not_wrong,
]
