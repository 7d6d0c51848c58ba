"""cr0sync in a place of its own: configuration, sides, and the command that cron calls."""

import grp
import json
import os
import pwd
import time

from measure import Failed
from tools import OURS

# Files must have been left alone for two seconds before how they look is believed.
QUIET_SECONDS = 2.5


class Ours:
    def __init__(self, tools, launcher, directory, sides, names=("data",), every_minutes=1440):
        self.launcher, self.directory = launcher, directory
        self.replicas = {name: {side: directory / side / f"{name}.db" for side in sides} for name in names}
        for side in sides:
            (directory / side).mkdir(parents=True, exist_ok=True)
        self.config = directory / "cr0sync.json"
        self.config.write_text(json.dumps({
            "version": 1, "root": ".", "hub": "central", "logs": {},
            "databases": {name: {"replicas": {side: f"{side}/{name}.db" for side in sides}} for name in names},
            "backups": {"every_minutes": every_minutes},
            "ownership": {"user": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name},
        }))
        self.command = [*tools.php, str(OURS)]

    def words(self, *words):
        return [*self.command, *words, "--config", str(self.config)]

    def sync(self, good=(0,)):
        cost, said = self.launcher.run(self.words("bidirectional", "--json"), good)
        report = json.loads(said)
        left = {name: one for name, one in report["databases"].items() if one["state"] not in ("synced", "unchanged")}
        if left or not report["ok"]:
            raise Failed(f"cr0sync left databases alone: {json.dumps(left)[:600]}")
        return cost, report

    def all_files(self):
        return [path for sides in self.replicas.values() for path in sides.values()]

    def settle(self):
        """Until a run has nothing to open: files are old enough, and a run has seen so."""
        self.sync()
        for _ in range(3):
            wait_until_quiet(self.all_files())
            _, report = self.sync()
        states = {one["state"] for one in report["databases"].values()}
        if states != {"unchanged"}:
            raise Failed(f"cr0sync does not come to rest: {states}")


def wait_until_quiet(paths):
    """Until all of these, and what lies beside them, have been left alone for long enough to be believed."""
    while True:
        files = [file for path in paths for file in path.parent.glob(f"{path.name}*")]
        left = max(file.stat().st_ctime for file in files) + QUIET_SECONDS - time.time()
        if left <= 0:
            return
        time.sleep(left)
