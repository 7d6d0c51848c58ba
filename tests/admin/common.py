"""What the parts of this test share: how something fails, what is waited for, and whose processes run what."""

import os
import pwd
import shutil
import time

# Seconds until somebody who does not answer is taken for dead.
PATIENCE = 60
# The pages of the navigation.
PAGES = ["overview", "conflicts", "history", "backups", "logs", "integrity", "events", "keys", "sessions", "limits", "settings"]


class Failure(Exception):
    """Something that must not be."""


def expect(is_so, words):
    if not is_so:
        raise Failure(words)


def wait_for(what, is_so, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not (found := is_so()):
        expect(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.02)
    return found


def find(*names):
    """A program, also where only administrators look for it."""
    for name in names:
        if found := shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            return found
    raise Failure(f"{' or '.join(names)} is missing")


class Who:
    """Root lets the pages run as one user and cron as another, as on a real machine; anybody else is both himself."""

    def __init__(self):
        me = pwd.getpwuid(os.getuid())
        self.is_split = os.getuid() == 0 and all(self.is_there(name) for name in ("www-data", "daemon"))
        self.cron, self.web = ("daemon", "www-data") if self.is_split else (me.pw_name, me.pw_name)
        web = pwd.getpwnam(self.web)
        # Both are in the group of the pages.
        self.gid = web.pw_gid
        self.words = f"pages as {self.web}, cron as {self.cron}" if self.is_split else f"all as {me.pw_name}"

    @staticmethod
    def is_there(name):
        try:
            return bool(pwd.getpwnam(name))
        except KeyError:
            return False

    def options(self, name):
        """What subprocess.run needs for a process of that user."""
        if not self.is_split:
            return {}
        return {"user": pwd.getpwnam(name).pw_uid, "group": self.gid, "extra_groups": []}

    def give(self, path, name, mode):
        if self.is_split:
            os.chown(path, pwd.getpwnam(name).pw_uid, self.gid)
        os.chmod(path, mode)
