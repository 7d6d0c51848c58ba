"""The extension in a web process: php-fpm with opcache behind nginx, while cron runs and owners write.

Three parts. Many visitors call sync, status and conflicts at once and merge a log, the commands run beside them, and every
acknowledged write and line is on all sides at the end. Scripts end inside a progress callable in every way that PHP knows, and the next page in
the same process finds nothing locked and nothing open. One process answers 20,000 calls and does not grow. A fourth part
runs the extension under valgrind.

The servers are real, listen on loopback or on a socket in a directory of their own, and end with the test. The last
line is `web: ok, ...`.
"""

import collections
import concurrent.futures
import glob
import grp
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
EXTENSION = PROJECT / "build" / "cr0sync.so"

SIDES = ["central", "website"]
UNKNOWN_CALL = re.compile(
    r"^--\d+-- (?:WARNING: unhandled \S+ syscall: \d+|You may be able to write your own handler\.|Read the file "
    r"README_MISSING_SYSCALL_OR_IOCTL\.|Nevertheless we consider this a bug\.  Please report|it at http\S+)\n", re.M)
VISITORS = 8
CALLS = ["cr0_db_sync", "cr0_db_status", "cr0_db_conflicts", "cr0_log_merge", "cr0_log_status"]
PHASES = ["looking", "comparing", "planning", "writing"]
ENDS = ["exit", "exception", "fatal", "undefined", "memory", "time", "gone"]
# What PHP does not give back and what the allocator keeps, in KB, may differ by this much between two looks.
SLACK_KB = 512
# Seconds until somebody who does not answer is taken for dead.
PATIENCE = 60


class Failure(Exception):
    """Something that must not be."""


def main():
    os.umask(0o002)
    directory = Path(tempfile.mkdtemp(prefix="cr0sync-web-"))
    web = Web(directory)
    try:
        web.lay_out()
        web.start()
        web.many_visitors(float(os.environ.get("CR0SYNC_WEB_SECONDS", "10")))
        web.endings()
        web.twenty_thousand_calls()
    except Failure as failure:
        print(f"web: FAILED, playground {directory}\n{failure}", flush=True)
        sys.exit(1)
    finally:
        web.end()
    try:
        web.valgrind()
    except Failure as failure:
        print(f"web: FAILED, playground {directory}\n{failure}", flush=True)
        sys.exit(1)
    shutil.rmtree(directory)
    print(f"web: ok, {', '.join(f'{amount} {what}' for what, amount in sorted(web.counts.items()))}", flush=True)


def find(*names):
    """A program, also where only administrators look for it."""
    for name in names:
        if found := shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            return found
    raise Failure(f"{' or '.join(names)} is missing")


def wait_for(what, is_so, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(0.02)


class Web:
    def __init__(self, directory):
        self.directory, self.config = directory, directory / "cr0sync.json"
        self.counts = collections.Counter()
        self.children = []
        self.version = subprocess.run(["php", "-r", "echo PHP_MAJOR_VERSION, '.', PHP_MINOR_VERSION;"],
                                      capture_output=True, text=True, check=True).stdout
        self.modules = Path(subprocess.run(["php", "-n", "-r", "echo ini_get('extension_dir');"],
                                           capture_output=True, text=True, check=True).stdout)

    # The playground.

    def lay_out(self):
        self.config.write_text(json.dumps({
            "version": 1,
            "root": ".",
            "databases": {"site": {
                "replicas": {side: f"{side}/site.db" for side in SIDES},
                "tables": {"counters": {"columns": {"hits": "sum"}}},
            }},
            "logs": {"visits": {"copies": {side: f"{side}/visits.log" for side in SIDES}}},
            "ownership": {"user": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name},
        }), encoding="utf-8")
        for side in SIDES:
            (self.directory / side).mkdir()
            db = sqlite3.connect(self.directory / side / "site.db", isolation_level=None)
            # One of each kind.
            db.execute(f"PRAGMA journal_mode = {'wal' if side == 'website' else 'delete'}")
            db.executescript("CREATE TABLE visits(who TEXT, n INTEGER, PRIMARY KEY(who, n));"
                             "CREATE TABLE counters(name TEXT PRIMARY KEY, hits INTEGER);"
                             "INSERT INTO counters VALUES('page', 0)")
            db.close()
        (self.directory / "pages").mkdir()
        shutil.copy(HERE / "page.php", self.directory / "pages" / "page.php")
        # What runs is what is there now, whoever builds meanwhile.
        shutil.copy(EXTENSION, self.directory / "cr0sync.so")

    def php_options(self):
        """What is loaded, and nothing else of the machine's configuration; pdo goes before pdo_sqlite."""
        options = ["-n", "-d", f"extension_dir={self.modules}"]
        for name in ("pdo", "pdo_sqlite", "posix"):
            if (self.modules / f"{name}.so").is_file():
                options += ["-d", f"extension={name}"]
        if (self.modules / "opcache.so").is_file():
            options += ["-d", "zend_extension=opcache"]
        return options + ["-d", "opcache.enable=1", "-d", "opcache.validate_timestamps=0",
                          "-d", f"extension={self.directory / 'cr0sync.so'}", "-d", f"cr0sync.config={self.config}",
                          "-d", "display_errors=0", "-d", "log_errors=1", "-d", "memory_limit=64M"]

    def start(self):
        pools = {"many": "pm.max_children = 4", "one": "pm.max_children = 1",
                 "slow": "pm.max_children = 1\nrequest_terminate_timeout = 2s"}
        fpm = f"[global]\ndaemonize = no\nerror_log = {self.directory}/fpm.log\n"
        # Root is told apart by php-fpm itself, which wants to know whose processes they are to be.
        user = f"user = {pwd.getpwuid(os.getuid()).pw_name}\ngroup = {grp.getgrgid(os.getgid()).gr_name}\n"
        for name, rest in pools.items():
            fpm += (f"[{name}]\n{user if os.getuid() == 0 else ''}listen = {self.directory}/{name}.socket\n"
                    f"pm = static\n{rest}\npm.max_requests = 0\n")
        (self.directory / "fpm.conf").write_text(fpm, encoding="utf-8")
        self.child([find(f"php-fpm{self.version}", "php-fpm"), "-y", str(self.directory / "fpm.conf"), "-F",
                    *(["-R"] if os.getuid() == 0 else []), *self.php_options()])
        for name in pools:
            wait_for(f"php-fpm, pool {name}", (self.directory / f"{name}.socket").exists)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        locations = "".join(
            f"location /{name}/ {{ fastcgi_pass unix:{self.directory}/{name}.socket; }}\n" for name in pools)
        temporary = "".join(f"{kind}_temp_path {self.directory}/nginx-{kind};\n"
                            for kind in ("client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        (self.directory / "nginx.conf").write_text(f"""
            daemon off; master_process off; pid {self.directory}/nginx.pid; error_log {self.directory}/nginx.log;
            events {{ worker_connections 64; }}
            http {{
                access_log off;
                {temporary}
                server {{
                    listen 127.0.0.1:{self.port};
                    fastcgi_param SCRIPT_FILENAME {self.directory}/pages/page.php;
                    fastcgi_param QUERY_STRING $query_string;
                    fastcgi_param REQUEST_METHOD $request_method;
                    fastcgi_read_timeout {PATIENCE}s;
                    fastcgi_buffering off;
                    {locations}
                }}
            }}""", encoding="utf-8")
        self.child([find("nginx"), "-e", str(self.directory / "nginx.log"), "-c", str(self.directory / "nginx.conf")])
        wait_for("nginx", self.answers)
        hello = self.get("many", do="hello")
        if hello["sapi"] != "fpm-fcgi" or hello["opcache"] is not True:
            raise Failure(f"this is not php-fpm with opcache: {hello}")
        # They meet before anybody writes: a sum that differs at first is for a person to decide.
        self.get("many", do="call", function="cr0_db_sync")

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def child(self, command):
        with open(self.directory / "children.log", "ab") as log:
            self.children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def end(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children = []

    # A visitor.

    def request(self, pool, **query):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", f"/{pool}/?{urllib.parse.urlencode(query)}")
            answer = connection.getresponse()
            return answer.status, answer.getheader("X-Pid"), answer.read().decode(errors="replace")
        except (http.client.HTTPException, OSError) as cause:
            return 0, None, repr(cause)
        finally:
            connection.close()

    def get(self, pool, **query):
        status, _, body = self.request(pool, **query)
        if status != 200:
            raise Failure(f"{query}: {status} {body}\n{self.log()}")
        return json.loads(body)

    def log(self):
        lines = []
        for name in ("fpm.log", "nginx.log", "children.log"):
            lines += (self.directory / name).read_text(errors="replace").splitlines()[-15:]
        return "\n".join(lines)

    # Many at once.

    def many_visitors(self, seconds):
        end = time.monotonic() + seconds
        stop = threading.Event()
        cron = threading.Thread(target=self.cron, args=(stop,))
        self.cron_failed = None
        cron.start()
        try:
            with concurrent.futures.ThreadPoolExecutor(VISITORS) as pool:
                written = list(pool.map(lambda who: self.visit(who, end), range(VISITORS)))
        finally:
            stop.set()
            cron.join()
        if self.cron_failed:
            raise Failure(self.cron_failed)
        # Two, as a page may have held the lock that the first one wanted.
        for _ in range(2):
            code, text = self.script("bidirectional")
        if code != 0:
            raise Failure(f"the last run ended with {code}: {text}")
        code, text = self.script("verify")
        if code != 0:
            raise Failure(f"verify ended with {code}: {text}")
        promised = {(f"visitor {who}", n) for who, count in enumerate(written) for n in range(count)}
        for side in SIDES:
            db = sqlite3.connect(self.directory / side / "site.db", timeout=10)
            rows = set(db.execute("SELECT who, n FROM visits WHERE who <> 'central'"))
            hits = db.execute("SELECT hits FROM counters").fetchone()[0]
            db.close()
            if rows != promised:
                raise Failure(f"{side} lacks {len(promised - rows)} visits and has {len(rows - promised)} too many")
            # The hub's own writer adds to the same counter.
            if hits != len(promised) + self.counts["writes at the hub"]:
                raise Failure(f"{side} counts {hits} hits, {len(promised)} + {self.counts['writes at the hub']} were made")
        code, text = self.script("bidirectional", name="log_sync_script.php")
        if code != 0:
            raise Failure(f"the last merge ended with {code}: {text}")
        for side in SIDES:
            lines = (self.directory / side / "visits.log").read_text().splitlines()
            for who, count in enumerate(written):
                if [line for line in lines if line.startswith(f"visitor {who} ")] != [f"visitor {who} {n}" for n in range(count)]:
                    raise Failure(f"the lines of visitor {who} at {side} are not the {count} that were written")
        for what in ("pages of cr0_db_sync that synced", "pages of cr0_log_merge that merged", "runs of cron", "writes of visitors"):
            if self.counts[what] == 0:
                raise Failure(f"no {what}: nothing was tried")

    def visit(self, who, end):
        """Calls and writes in turn; returns how many writes were acknowledged."""
        count = 0
        while time.monotonic() < end:
            for function in CALLS:
                result = self.get("many", do="call", function=function)["result"]
                if "locked" in result:
                    self.counts[f"pages of {function} that found another run"] += 1
                    continue
                self.counts[f"pages of {function}"] += 1
                if function == "cr0_db_sync":
                    state = result["databases"]["site"]["state"]
                    if state not in ("unchanged", "synced", "skipped"):
                        raise Failure(f"a page's run ended as {result}")
                    self.counts["pages of cr0_db_sync that synced"] += state == "synced"
                if function == "cr0_log_merge":
                    if not result["ok"] or result["logs"]["visits"]["warnings"]:
                        raise Failure(f"a page's merge ended as {result}")
                    self.counts["pages of cr0_log_merge that merged"] += result["logs"]["visits"]["state"] == "merged"
            self.get("many", do="write", who=f"visitor {who}", n=count)
            count += 1
            self.counts["writes of visitors"] += 1
        return count

    def cron(self, stop):
        """The command and a writer at the hub, until told to stop."""
        while not stop.is_set():
            db = sqlite3.connect(self.directory / "central" / "site.db", timeout=10, isolation_level=None)
            db.execute("UPDATE counters SET hits = hits + 1")
            db.close()
            self.counts["writes at the hub"] += 1
            code, text = self.script("bidirectional", name="log_sync_script.php")
            if code not in (0, 75):
                self.cron_failed = f"cron over logs ended with {code}: {text}"
                return
            code, text = self.script("bidirectional")
            # 75: a page is at it. 69: both sides changed faster than they could be merged.
            if code not in (0, 69, 75):
                self.cron_failed = f"cron ended with {code}: {text}"
                return
            self.counts["runs of cron"] += code == 0

    def script(self, *arguments, name="database_sync_script.php"):
        done = subprocess.run(
            ["php", *self.php_options(), str(PROJECT / "php/website" / name), *arguments, "--json"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout + done.stderr

    # Ends.

    def endings(self):
        for phase in PHASES:
            for how in ENDS:
                self.ending("one", how, phase)
        self.ending("slow", "terminated", "comparing")

    def ending(self, pool, how, phase):
        before = self.worker(pool)
        if how == "gone":
            self.leave(pool, how, phase)
        else:
            status, _, body = self.request(pool, do="end", how=how, phase=phase)
            if "not reached" in body:
                raise Failure(f"{how} while {phase} ended nothing")
            if how not in ("exit", "gone") and status == 200:
                raise Failure(f"{how} while {phase} went well: {body}")
        after = self.get(pool, do="free")
        if (after["pid"] == before) != (how != "terminated"):
            raise Failure(f"{how} while {phase}: process {before} before, {after['pid']} after")
        if after["free"] is not True or after["state"] != "synced":
            raise Failure(f"{how} while {phase} leaves {after}")
        if left := [path for path in self.open_files(after["pid"]) if str(self.directory / "central") in path
                    or str(self.directory / "website") in path or "sync_state" in path]:
            raise Failure(f"{how} while {phase} leaves open: {left}")
        self.counts["scripts that ended inside"] += 1

    def worker(self, pool):
        return self.get(pool, do="hello")["pid"]

    def leave(self, pool, how, phase):
        """Goes away in the middle of an answer."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as visitor:
            query = urllib.parse.urlencode({"do": "end", "how": how, "phase": phase})
            visitor.sendall(f"GET /{pool}/?{query} HTTP/1.0\r\n\r\n".encode())
            if not visitor.recv(4096).startswith(b"HTTP/1.1 200"):
                raise Failure(f"{how} while {phase}: no answer")

    @staticmethod
    def open_files(pid):
        found = []
        for link in glob.glob(f"/proc/{pid}/fd/*"):
            try:
                found.append(os.readlink(link))
            except OSError:
                pass
        return found

    def files_at_rest(self, pid):
        """What a process has open once the connection of its last page is closed, which is after the page has arrived."""
        wait_for("the page's connection closes",
                 lambda: sum(path.startswith("socket:") for path in self.open_files(pid)) == 1)
        return sorted(self.open_files(pid))

    # Memory.

    def twenty_thousand_calls(self):
        per_page, pages, warm = 25, 134, 40
        calls = 6 * per_page
        for _ in range(warm):
            pid = self.get("one", do="many", n=per_page)["pid"]
        before, files = self.resident_kb(pid), self.files_at_rest(pid)
        for _ in range(pages):
            page = self.get("one", do="many", n=per_page)
        if page["pid"] != pid:
            raise Failure("the process was replaced on the way")
        after = self.resident_kb(pid)
        self.counts["calls in one process"] += pages * calls
        self.counts["KB more after them"] = after - before
        if after - before > SLACK_KB:
            raise Failure(f"{pages * calls} calls need {after - before} KB more: {before} before, {after} after")
        if (left := self.files_at_rest(pid)) != files:
            raise Failure(f"{files} were open before, {left} after")

    @staticmethod
    def resident_kb(pid):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1])
        raise Failure("no Private_Dirty")

    # Valgrind.

    def valgrind(self):
        """Every call once, also those that fail, with PHP's own allocator out of the way."""
        log = self.directory / "valgrind.log"
        done = subprocess.run(
            [find("valgrind"), "-q", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
             "--error-exitcode=99", "--num-callers=40", f"--log-file={log}", "php", *self.php_options(),
             "-d", "opcache.enable=0", str(HERE / "calls.php")],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False,
            env={**os.environ, "USE_ZEND_ALLOC": "0", "ZEND_DONT_UNLOAD_MODULES": "1"})
        # That an older one does not know a system call is no finding: the call fails, as on an older Linux.
        told = UNKNOWN_CALL.sub("", log.read_text())
        if done.returncode != 0 or told.strip():
            raise Failure(f"valgrind ends with {done.returncode}: {done.stdout}{done.stderr}\n{told[:6000]}")
        self.counts["calls under valgrind"] = int(done.stdout)


if __name__ == "__main__":
    main()
