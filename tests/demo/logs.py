"""The half of the demo about logs: two bots log on while their logs are renamed, packed, truncated and merged.

The bots (`chatter.py`) are processes of their own that never wait for a merge. What they logged is in their ledgers, and
at the end each copy, with all of its rotated files, must be that, byte for byte and in order, and beside it only what an
administrator wrote into the archive, once each. How far a merge is when it is killed is another each time; what comes
out is not.
"""

import collections
import gzip
import json
import os
import signal
import subprocess
import sys

from pathlib import Path

from show import fail, say, table, title

HERE = Path(__file__).resolve().parent
NETWORKS = ["rizon", "libera"]
SIDES = ["bot", "central", "website"]
CONFIGURATION = {
    f"{network}_bot": {
        "copies": {
            "bot": f"bot/logs/{network}_bot.log",
            "central": f"central/logs/irc_networks/{network}/{network}_bot.log",
            "website": f"website/logs/{network}_bot.log",
        },
        "mirrors": ["website"],
    }
    for network in NETWORKS
}
ADMINISTRATOR = b" - administrator - "
# So many records of 3 KB are logged at once before a merge is killed.
BURST = 1500


class Logs:
    def __init__(self, directory, extension):
        self.directory = directory
        self.config = directory / "cr0sync.json"
        script = HERE.parent.parent / "php/website/log_sync_script.php"
        self.command = ["php", "-d", f"extension={extension}", str(script)]
        self.bots = {}
        self.notes = []

    def copy(self, side, network):
        return self.directory / CONFIGURATION[f"{network}_bot"]["copies"][side]

    def ledger(self, network):
        return self.directory / "before" / f"{network}_bot.log"

    def tell(self):
        title("Logs: two bots log on all the while")
        try:
            rows, records = self.days()
        finally:
            for bot in self.bots.values():
                bot.kill()
                bot.communicate()
        table(["what happened before the merge", "bytes read", "lines appended", "ms"], rows)
        self.second_run()
        self.check(records)

    def days(self):
        """All that happens; what came of each step, and how many records each bot logged."""
        for network in NETWORKS:
            for side in SIDES:
                self.copy(side, network).parent.mkdir(parents=True, exist_ok=True)
            self.bots[network] = subprocess.Popen(
                [sys.executable, "-B", str(HERE / "chatter.py"), str(self.copy("bot", network)),
                 str(self.ledger(network)), network],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for bot in self.bots.values():
            bot.stdout.readline()
        say("  Python's logging, with tracebacks of many lines; central is the archive, website a mirror.")
        steps = (self.as_they_are, self.by_hand, self.renamed, self.opened_again, self.packed, self.truncated, self.killed,
                 self.rotated)
        rows = [[step.__doc__, *step()] for step in steps]
        records = {network: int(self.ask(network, "stop")) for network in NETWORKS}
        return rows + [["the bots have stopped", *self.merge()]], records

    # What happens to logs. Each gives the lines that the merge after it read and appended, and how long it took.

    def as_they_are(self):
        """the first merge"""
        return self.merge()

    def by_hand(self):
        """an administrator wrote into the archive"""
        for network in NETWORKS:
            note = f"2025-07-14 09:31:02 EDT{ADMINISTRATOR.decode()}INFO - netsplit on {network}, nothing to do\n".encode()
            self.notes.append((network, note))
            with self.copy("central", network).open("ab", buffering=0) as log:
                log.write(note)
        return self.merge()

    def renamed(self):
        """rizon: renamed, and its bot writes on into .1"""
        log = self.copy("bot", "rizon")
        log.rename(f"{log}.1")
        return self.merge()

    def opened_again(self):
        """rizon: its bot has opened a new file"""
        self.ask("rizon", "reopen")
        return self.merge()

    def packed(self):
        """rizon: .1 is gzipped, and renamed once more"""
        log = self.copy("bot", "rizon")
        self.ask("rizon", "hold")
        with open(f"{log}.1", "rb") as plain, gzip.open(f"{log}.2.gz", "wb") as packed:
            packed.write(plain.read())
        os.unlink(f"{log}.1")
        log.rename(f"{log}.1")
        self.ask("rizon", "go")
        self.ask("rizon", "reopen")
        return self.merge()

    def truncated(self):
        """libera: copied to .1, and truncated"""
        log = self.copy("bot", "libera")
        # What is logged between the two is lost by whoever does that, so that the bot has to wait.
        self.ask("libera", "hold")
        Path(f"{log}.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)
        self.ask("libera", "go")
        return self.merge()

    def killed(self):
        """kill -9 in the midst of three merges"""
        for network in ("rizon", "libera", "rizon"):
            # A merge that was done before we noticed its first bytes has to be tried again.
            if not any(self.kill_one(network) for _ in range(10)):
                fail("ten merges were done before one could be killed")
        return self.merge()

    def rotated(self):
        """rotate --force: the archives have new files"""
        report = self.call("rotate", "--force")
        for name, log in report["logs"].items():
            if log["state"] != "rotated":
                fail(f"{name} was not rotated: {json.dumps(log)}")
        return self.merge()

    def kill_one(self, network):
        """Starts a merge, and kills it as soon as it has appended something to the archive; whether it was at it still."""
        archive = self.copy("central", network)
        before = archive.stat().st_size
        self.ask(network, f"burst {BURST}")
        script = subprocess.Popen([*self.command, "bidirectional", "--quiet", "--config", str(self.config)])
        while archive.stat().st_size == before:
            if script.poll() is not None:
                fail(f"a merge ended with {script.returncode} before it could be killed, and had appended nothing")
        script.send_signal(signal.SIGKILL)
        return script.wait() == -signal.SIGKILL

    # What has come of it.

    def second_run(self):
        """Nobody has written since, so that nothing may be left to do, and the archives must be what was merged."""
        report = self.call("bidirectional")
        if any(sum(side["appended_bytes"] for side in log["sides"].values()) for log in report["logs"].values()):
            fail(f"there was something left to merge: {json.dumps(report)}")
        proof = self.call("verify")
        if {log["state"] for log in proof["logs"].values()} != {"ok"}:
            fail(f"the archives are not what was merged: {json.dumps(proof)}")

    def check(self, records):
        title("Every line of a bot, on every side")
        rows, wrong = [], []
        for network in NETWORKS:
            written = self.ledger(network).read_bytes().splitlines(keepends=True)
            notes = [note for about, note in self.notes if about == network]
            for side in SIDES:
                files, lines = self.lines(side, network)
                own = [line for line in lines if ADMINISTRATOR not in line]
                lost = collections.Counter(written) - collections.Counter(own)
                more = collections.Counter(own) - collections.Counter(written)
                by_hand = [line for line in lines if ADMINISTRATOR in line]
                counts = [len(written), len(own), lost.total(), more.total(), len(by_hand)]
                rows.append([f"{network}_bot", side, files, *counts])
                if own != written:
                    wrong.append(f"{side} has other lines of {network} than its bot wrote, or in another order")
                if by_hand != notes:
                    wrong.append(f"{side} has {len(by_hand)} lines of the administrator's in {network}, not {len(notes)}")
        table(["log", "side", "files", "lines the bot wrote", "lines there", "lost", "double", "by hand"], rows)
        if wrong:
            fail("; ".join(wrong))
        say(f"  {sum(records.values())} records, the same bytes in the same order everywhere.")
        say("  verify finds that the archives are what was merged.")

    def lines(self, side, network):
        """How many files a copy is, and all of their lines, oldest first."""
        log = self.copy(side, network)
        # By number the newest comes first, by date the oldest.
        old = sorted(log.parent.glob(f"{log.name}.*"), reverse=side == "bot")
        content = b"".join(gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes() for file in old)
        return len(old) + 1, (content + log.read_bytes()).splitlines(keepends=True)

    # Doing things.

    def ask(self, network, what):
        bot = self.bots[network]
        bot.stdin.write(f"{what}\n")
        bot.stdin.flush()
        answer = bot.stdout.readline().strip()
        if not answer:
            fail(f"the bot of {network} is gone")
        return answer

    def merge(self):
        report = self.call("bidirectional")
        for name, log in report["logs"].items():
            for warning in log["warnings"]:
                say(f"  {name}: {warning}")
        sides = [side for log in report["logs"].values() for side in log["sides"].values()]
        return sum(side["read_bytes"] for side in sides), sum(side["lines"] for side in sides), report["duration_ms"]

    def call(self, *arguments):
        command = [*self.command, *arguments, "--config", str(self.config), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            fail(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)
