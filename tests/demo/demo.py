"""The demo: three sides of a small infrastructure are edited apart, synced, shown and checked; then `logs` does logs.

It lays out a playground, lets the writers beside it work (`bot.py`, `website.php`, `administrator.py`), runs the real
command, and tells from its JSON and from the databases what happened. It fails loudly when two sides differ or when an
edit is neither there nor in a listed conflict, so it is a test as well. It never looks into the state of the sync.
"""

import argparse
import grp
import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
sys.path.insert(0, str(HERE))

import ledger  # noqa: E402 (found beside this file)
import logs  # noqa: E402
from bot import nick  # noqa: E402
from show import fail, run, say, shown, table, title  # noqa: E402

# How large the databases start: rows of each bot database, accounts of the website.
ROWS = {"rizon": 17000, "libera": 5000}
ACCOUNTS = 800
SIDES = {
    "rizon_bot": ["bot", "central", "website"],
    "libera_bot": ["bot", "central", "website"],
    "users": ["central", "website"],
    "breakout_scores": ["central", "website"],
}
WRITTEN = ("inserted", "updated", "deleted", "rekeyed")


def main():
    options = argparse.ArgumentParser(description="Shows cr0sync on a playground of three sides, and checks it.")
    options.add_argument("--directory", type=Path, default=PROJECT / "demo", help="the playground; emptied first")
    options.add_argument("--extension", type=Path, default=PROJECT / "build" / "cr0sync.so")
    given = options.parse_args()
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    # Nobody else has any rights here, and so doctor has nothing to say of them.
    os.umask(0o022)
    Demo(given.directory.resolve(), given.extension.resolve()).tell()


class Demo:
    def __init__(self, directory, extension):
        self.directory = directory
        self.ledger = directory / "ledger.jsonl"
        self.config = directory / "cr0sync.json"
        self.extension = extension
        self.command = ["php", "-d", f"extension={extension}",
                        str(PROJECT / "php/website/database_sync_script.php")]

    def replica(self, side, database):
        return self.directory / side / f"{database}.db"

    def tell(self):
        began = time.monotonic()
        self.lay_out()
        self.first_sync()
        self.a_day()
        self.todays_copying()
        memos, sign_ins = self.new_ids("memos", "message"), self.sign_ins()
        conflicts = self.sync_the_day()
        asked = self.verify(conflicts)
        self.show_counters()
        self.show_new_ids(memos)
        self.show_sign_ins(sign_ins)
        self.show_upgrade()
        self.show_conflicts(conflicts)
        self.show_check(asked)
        self.second_run()
        logs.Logs(self.directory, extension=self.extension).tell()
        self.look_further(conflicts, time.monotonic() - began)

    # The story, step by step.

    def lay_out(self):
        title("Three sides of one infrastructure")
        if self.directory.exists():
            # Only ever a playground: refuse to empty anything else.
            if any(self.directory.iterdir()) and not self.config.exists():
                fail(f"{self.directory} is not empty and not a playground")
            shutil.rmtree(self.directory)
        for side in ("bot", "central", "website", "before", "copied"):
            (self.directory / side).mkdir(parents=True)
        self.config.write_text(json.dumps({
            "version": 1,
            "root": ".",
            "databases": {
                database: {
                    "replicas": {side: f"{side}/{database}.db" for side in sides},
                    "prefer": [side for side in ("website", "central", "bot") if side in sides],
                }
                for database, sides in SIDES.items()
            },
            "logs": logs.CONFIGURATION,
            "ownership": ownership(),
        }, indent=2) + "\n", encoding="utf-8")

        for network, rows in ROWS.items():
            self.bot("start", network, rows)
        self.website("start")
        # The rizon bot and the scores were copied around by hand once; the other files live where they were made.
        for side in ("central", "website"):
            shutil.copyfile(self.replica("bot", "rizon_bot"), self.replica(side, "rizon_bot"))
        shutil.copyfile(self.replica("website", "breakout_scores"), self.replica("central", "breakout_scores"))
        say(f"Made in {shown(self.directory)}/ by a Python bot and a PHP website, each with its own library:")
        self.show_rows()

    def first_sync(self):
        title("The first sync: nothing is known yet")
        before = self.existing()
        run = self.sync(expect=(0,))
        table(["database", "state", "side", "what happened"], [
            [name, report["state"], side,
             "was created" if (side, name) not in before else counts(report["sides"].get(side, {}))]
            for name, report in run["databases"].items() for side in SIDES[name]])
        self.require_equal("after the first sync")
        for database in SIDES:
            shutil.copyfile(self.replica("central", database), self.directory / "before" / f"{database}.db")
        say("All sides hold the same rows now:")
        self.show_rows()

    def a_day(self):
        title("A day passes, and every side edits on its own")
        for network, rows in ROWS.items():
            self.bot("day", network, rows)
        run(["python3", str(HERE / "administrator.py"), str(self.directory / "central"), str(self.ledger)])
        self.website("day")
        self.edits = ledger.read(self.ledger)
        words = [("insert", "new rows"), ("set", "cells set"), ("add", "counted up or down"),
                 ("record", "records set"), ("delete", "deleted"), ("column", "columns added")]
        table(["side"] + [word for _, word in words], [
            [side] + [sum(1 for edit in self.edits if (edit["side"], edit["did"]) == (side, did)) for did, _ in words]
            for side in ("bot", "central", "website")])
        say(f"{len(self.edits)} edits, each noted when SQLite had acknowledged it.")

    def todays_copying(self):
        """What a script that copies the newest file over the others would leave of this day."""
        lost = {}
        for database, sides in SIDES.items():
            newest = max((self.replica(side, database) for side in sides), key=lambda path: path.stat().st_mtime_ns)
            copy = self.directory / "copied" / f"{database}.db"
            shutil.copyfile(newest, copy)
            for side in sides:
                # Each side is asked for its own edits only, so that a counter is right when it has this side's part.
                mine = [edit for edit in self.edits if edit["side"] == side]
                lost[side] = lost.get(side, 0) + len(self.judge_all(copy, database, [], mine))
        say("A script that copies the newest file over the others (`cp` if `-nt`) would lose of these:")
        table(["side", "edits", "lost by copying"], [
            [side, sum(1 for edit in self.edits if edit["side"] == side), lost.get(side, 0)]
            for side in ("bot", "central", "website")])

    def sync_the_day(self):
        title("php database_sync_script.php bidirectional")
        run = self.sync(expect=(0, 1))
        rows = []
        for name, report in run["databases"].items():
            for side, done in report["sides"].items():
                rows.append([name, report["state"], side, done["inserted"], done["updated"], done["deleted"],
                             done["rekeyed"], done["lock_ms"]])
        table(["database", "state", "side", "inserted", "updated", "deleted", "new id", "locked ms"], rows)
        for name, report in run["databases"].items():
            for warning in report["warnings"]:
                say(f"  {name}: {warning}")
        say(f"Done in {run['duration_ms']} ms, with {run['conflicts']} new conflicts (exit code 1 says so).")
        conflicts = self.php("conflicts", expect=(0,))["conflicts"]
        if len(conflicts) != run["conflicts"]:
            fail(f"the run counted {run['conflicts']} conflicts, {len(conflicts)} are listed")
        return conflicts

    def show_counters(self):
        title("Counters edited on several sides add up")
        say("Every side's difference goes onto the value of before.")
        rows = []
        for database, name, key, column in [
            ("rizon_bot", "user_scores", {"user": nick(1), "game_type": "trivia"}, "score"),
            ("rizon_bot", "user_scores", {"user": nick(2), "game_type": "riddle"}, "score"),
            ("rizon_bot", "bean_images", {"url": "https://example.org/beans/rizon/3.jpg"}, "view_count"),
        ]:
            by = {}
            for edit in self.edits:
                if (edit["database"], edit["table"], edit["did"]) == (database, name, "add") and edit["key"] == key:
                    if edit["column"] == column:
                        by[edit["side"]] = by.get(edit["side"], 0) + edit["by"]
            old = self.cell("before", database, name, key, column)
            rows.append([f"{name}.{column} of {' '.join(value.split('/')[-1] for value in key.values())}", old]
                        + [f"{by[side]:+}" if side in by else "" for side in ("bot", "central", "website")]
                        + [self.cell("bot", database, name, key, column)])
        table(["counter", "before", "bot", "central", "website", "now, on every side"], rows)

    def new_ids(self, name, column):
        """Id and text of the rows that are new on each side."""
        known = {row[0] for row in self.rows("before", "rizon_bot", f"SELECT id FROM {name}")}
        return {side: {key: text for key, text in self.rows(side, "rizon_bot", f"SELECT id, {column} FROM {name}")
                       if key not in known} for side in SIDES["rizon_bot"]}

    def show_new_ids(self, memos):
        title("The same new ids on several sides: every row stays")
        say("Each side gave its next free ids to rows of its own. The preferred side's keep them, the others get new ones.")
        shared = sorted(set.intersection(*(set(rows) for rows in memos.values())))[:2]
        now = {text: key for key, text in self.rows("bot", "rizon_bot", "SELECT id, message FROM memos")}
        table(["memo", "written at", "its id there", "its id now, on every side"], [
            [memos[side][key], side, key, now.get(memos[side][key], "LOST")] for key in shared for side in memos])

    def sign_ins(self):
        sql = ("SELECT m.external_id, u.id, u.username FROM sso_user_mappings m JOIN users u ON u.id = m.user_id"
               " WHERE m.external_id GLOB 'new-*' OR m.external_id GLOB 'staff-*'")
        return {side: {row[0]: row[1:] for row in self.rows(side, "users", sql)} for side in SIDES["users"]}

    def show_sign_ins(self, before):
        title("What points at a row follows it to its new id")
        say("Two people registered under one new id, each with a sign-in. Nobody may get into the other's account.")
        after = self.sign_ins()["website"]
        rows = []
        for sign_in in ("new-0", "staff-0", "new-1", "staff-1"):
            side = "website" if sign_in in before["website"] else "central"
            key, user = before[side][sign_in]
            rows.append([sign_in, side, f"{user} ({key})", "{1} ({0})".format(*after.get(sign_in, ("?", "LOST")))])
        table(["sign-in", "made at", "belonged to account (id)", "now, on both sides"], rows)

    def show_upgrade(self):
        title("A column that the bot added at its start")
        say("The new version of the bot runs ALTER TABLE on its own file only. The other sides get the column with the rows.")
        old = [row[1] for row in self.rows("before", "rizon_bot", "PRAGMA table_info(user_analytics)")]
        table(["side", "new columns of user_analytics", "rows that use it"], [
            [side, ", ".join(row[1] for row in self.rows(side, "rizon_bot", "PRAGMA table_info(user_analytics)")
                             if row[1] not in old),
             self.rows(side, "rizon_bot", "SELECT count(*) FROM user_analytics WHERE timezone IS NOT NULL")[0][0]]
            for side in SIDES["rizon_bot"]])

    def show_conflicts(self, conflicts):
        title(f"{len(conflicts)} conflicts: each is decided, listed, and can be taken back")
        seen = set()
        for conflict in conflicts:
            # One of each kind and table in full, the others in a line below.
            if (conflict["kind"], conflict["table"]) in seen:
                continue
            seen.add((conflict["kind"], conflict["table"]))
            say(f"  {conflict['kind']} in {conflict['database']}.{conflict['table']}, {cells(conflict['key'])}")
            base = conflict["base"]
            # Sides that left the row as it was have no part in it.
            wrote = {side: values for side, values in sorted(conflict["values"].items()) if values != base}
            columns = conflict["columns"] or differing([base, *wrote.values()])
            say(f"      before   {cells(base, columns) if base else 'no such row'}")
            for side, values in wrote.items():
                mark = "  <- kept" if side == conflict["winner"] else ""
                say(f"      {side:8} {cells(values, columns) if values else 'deleted'}{mark}")
            say(f"      because  {conflict['reason']}")
        table(["id", "database", "table", "key", "kind", "winner", "status"], [
            [conflict["id"], conflict["database"], conflict["table"], cells(conflict["key"]), conflict["kind"],
             conflict["winner"], conflict["status"]] for conflict in conflicts])

    def verify(self, conflicts):
        """Fails unless every edit is there or in a listed conflict, and all sides are alike; says how much it asked."""
        lost, asked = [], 0
        for database, sides in SIDES.items():
            for side in sides:
                found = self.judge_all(self.replica(side, database), database, conflicts)
                asked += sum(1 for edit in self.edits if edit["database"] == database)
                lost += [f"{side}: {edit['side']} did {edit['did']} in {database}.{edit['table']}: {edit['why']}"
                         for edit in found]
        if lost:
            fail(f"{len(lost)} edits are lost:\n  " + "\n  ".join(lost[:20]))
        self.require_equal("after the sync")
        for database, sides in SIDES.items():
            for side in sides:
                broken = self.rows(side, database, "PRAGMA foreign_key_check")
                sound = self.rows(side, database, "PRAGMA quick_check")
                if broken or sound != [("ok",)]:
                    fail(f"{side}/{database} is damaged: {sound} {broken}")
        return asked

    def show_check(self, asked):
        title("Checked, with plain SELECTs on every side")
        say(f"  {asked} questions about {len(self.edits)} edits: each is there, or in a listed conflict; none is lost.")
        say("  All sides of each database hold the same tables, columns and rows, values and their types alike.")
        say("  quick_check and foreign_key_check find nothing.")

    def second_run(self):
        title("The second run finds nothing left to do")
        run = self.sync(expect=(0,))
        written = {name: sum(done[what] for done in report["sides"].values() for what in WRITTEN)
                   for name, report in run["databases"].items()}
        table(["database", "state", "rows written"], [
            [name, report["state"], written[name]] for name, report in run["databases"].items()])
        states = {report["state"] for report in run["databases"].values()}
        # Files that were written less than two seconds ago are read once more: their times prove nothing yet.
        if any(written.values()) or run["conflicts"] or not states <= {"unchanged", "synced"}:
            fail(f"the second run found something: {json.dumps(run, indent=2)}")
        say(f"Done in {run['duration_ms']} ms.")

    def look_further(self, conflicts, seconds):
        title("Look further")
        config = shown(self.config)
        command = "php -d extension=$PWD/build/cr0sync.so php/website/database_sync_script.php"
        say(f"  {command} conflicts --config {config}")
        if conflicts:
            choice = next((one for one in conflicts if one["kind"] == "update_update"), conflicts[0])
            other = next((side for side in choice["values"] if side != choice["winner"]), "base")
            say(f"  {command} resolve {choice['id']} --take {other} --config {config}")
        say(f"  {command} status --explain --database users --config {config}")
        say(f"  sqlite3 {shown(self.replica('website', 'rizon_bot'))} 'SELECT * FROM bot_config'")
        say(f"  {command.replace('database', 'log')} status --config {config}")
        say(f"  Edit any file in {shown(self.directory)}/{{bot,central,website}}/, then run `bidirectional` again.")
        say("")
        say(f"The demo took {seconds:.0f} seconds. Everything agrees, nothing was lost.")

    # Doing things.

    def bot(self, action, network, rows):
        run(["python3", str(HERE / "bot.py"), action, str(self.replica("bot", f"{network}_bot")), network,
             str(self.ledger), str(rows)])

    def website(self, action):
        run(["php", str(HERE / "website.php"), action, str(self.directory / "website"), str(self.ledger),
             str(ACCOUNTS)])

    def sync(self, expect):
        report = self.php("bidirectional", expect=expect)
        if not report["ok"]:
            fail(f"the sync was not ok: {json.dumps(report, indent=2)}")
        return report

    def php(self, *arguments, expect):
        command = self.command + [*arguments, "--config", str(self.config), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in expect:
            fail(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    # Looking at things.

    def rows(self, side, database, sql, values=()):
        connection = sqlite3.connect(f"file:{self.replica(side, database)}?mode=ro", uri=True)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def cell(self, side, database, name, key, column):
        condition, values = ledger.where(key)
        return self.rows(side, database, f"SELECT {column} FROM {name} WHERE {condition}", values)[0][0]

    def judge_all(self, replica, database, conflicts, edits=None):
        """The edits that are lost in one file; of all of them unless told which."""
        edits = [edit for edit in edits or self.edits if edit["database"] == database]
        judge = ledger.Judge(replica, self.directory / "before" / f"{database}.db", edits, conflicts)
        return [{**edit, "why": why} for edit in edits if (why := judge.lost(edit))]

    def existing(self):
        return {(side, database) for database, sides in SIDES.items() for side in sides
                if self.replica(side, database).exists()}

    def content(self, side, database):
        """Every table's columns and rows, in an order of their own; values with their types."""
        names = [row[0] for row in self.rows(
            side, database, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")]
        content = {}
        for name in names:
            columns = sorted(row[1] for row in self.rows(side, database, f"PRAGMA table_info({ledger.name(name)})"))
            quoted = ", ".join(f"quote({ledger.name(column)})" for column in columns)
            content[name] = columns, sorted(self.rows(side, database, f"SELECT {quoted} FROM {ledger.name(name)}"))
        return content

    def require_equal(self, when):
        for database, sides in SIDES.items():
            first, *others = [(side, self.content(side, database)) for side in sides]
            for side, content in others:
                for name in sorted(first[1].keys() | content.keys()):
                    left, right = first[1].get(name, ([], [])), content.get(name, ([], []))
                    if left == right:
                        continue
                    only = [sorted(set(a[1]) - set(b[1]))[:5] for a, b in ((left, right), (right, left))]
                    fail(f"{when}, {database}.{name} differs:\n  columns {left[0]} and {right[0]}\n"
                         f"  only at {first[0]}: {only[0]}\n  only at {side}: {only[1]}")

    def show_rows(self):
        def amount(side, database):
            if side not in SIDES[database]:
                return ""
            if not self.replica(side, database).exists():
                return "no file yet"
            return sum(len(rows) for _, rows in self.content(side, database).values())

        rows = [[name] + [amount(side, name) for side in ("bot", "central", "website")] for name in SIDES]
        total = [sum(row[at] for row in rows if isinstance(row[at], int)) for at in (1, 2, 3)]
        table(["rows in", "bot", "central", "website"], rows + [["together"] + total])


def ownership():
    """All of it, the pages too, is whose it is that runs it."""
    user = pwd.getpwuid(os.getuid()).pw_name
    return {"user": user, "group": grp.getgrgid(os.getgid()).gr_name, "website_user": user}


def counts(done):
    words = [f"{done[what]} {what}" for what in WRITTEN if done.get(what)]
    return " ".join(words) or "kept as it was"


def cells(row, columns=None):
    """Some cells of a row in one line; all of them unless told which."""
    return ", ".join(f"{column}={'(hidden)' if isinstance(value, dict) else value}"
                     for column, value in row.items() if columns is None or column in columns)


def differing(rows):
    """The columns in which some rows differ."""
    rows = [row for row in rows if row]
    return [column for column in rows[0] if any(row.get(column) != rows[0][column] for row in rows)] or list(rows[0])


if __name__ == "__main__":
    main()
