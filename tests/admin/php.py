"""PHP as the test starts it: nothing of the machine's configuration, and the extension that was built."""

import json
import subprocess
from pathlib import Path

from common import PATIENCE, Failure


class Php:
    def __init__(self, extension, who):
        self.extension, self.who = extension, who
        self.version = self.say("echo PHP_MAJOR_VERSION, '.', PHP_MINOR_VERSION;")
        self.modules = Path(self.say("echo ini_get('extension_dir');"))

    @staticmethod
    def say(code):
        return subprocess.run(["php", "-n", "-r", code], capture_output=True, text=True, check=True).stdout

    def options(self, *, bare=False):
        """What is loaded; pdo goes before pdo_sqlite. `bare` is a PHP without our extension."""
        options = ["-n", "-d", f"extension_dir={self.modules}"]
        for name in ("pdo", "pdo_sqlite", "posix", "ctype", "mbstring"):
            if (self.modules / f"{name}.so").is_file():
                options += ["-d", f"extension={name}"]
        if (self.modules / "opcache.so").is_file():
            options += ["-d", "zend_extension=opcache", "-d", "opcache.validate_timestamps=0"]
        if not bare:
            options += ["-d", f"extension={self.extension}"]
        # What pages may need of memory, whatever there is to show.
        return options + ["-d", "display_errors=0", "-d", "log_errors=1", "-d", "error_reporting=-1",
                          "-d", "memory_limit=64M"]

    def run(self, name, *words, user=None):
        """A script, as a user; how it ended and what it said."""
        done = subprocess.run(["php", *self.options(), "-d", "error_log=/dev/stderr", *map(str, words)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              timeout=PATIENCE, check=False, umask=0o002, cwd="/", **self.who.options(user or self.who.cron))
        return done.returncode, done.stdout, done.stderr

    def call(self, function, *arguments, user=None):
        """A function of the library, whose report comes back. A string of `latin1:` is these bytes."""
        code = ("$all = json_decode($argv[2], true); array_walk_recursive($all, static function (&$one) {"
                " if (is_string($one) && str_starts_with($one, 'latin1:')) {"
                " $one = hex2bin(substr($one, 7)); } });"
                " echo json_encode($argv[1](...$all), JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);")
        ended, out, err = self.run(function, "-r", code, "--", function, json.dumps(arguments), user=user)
        if ended != 0:
            raise Failure(f"{function}{arguments!r} ended with {ended}: {out}{err}")
        return json.loads(out)
