"""A real bouncer's log of a channel: znc on an IRC server, people who talk there, and merges all the while.

The server and the bouncer are real, listen on loopback, lie in a directory of their own and end with the test. znc's log is a
source of ours. It is renamed in the middle, as logrotate does it, and packed. At the end the archive, which is rotated
itself, must be what znc wrote, byte by byte, with everything that was said in it once. The last line is `bouncer: ok, ...`.
"""

import collections
import gzip
import hashlib
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
PROJECT = Path(__file__).resolve().parent.parent.parent

CHANNEL = "#x"
PEOPLE = 8
# What each says; the server takes some ten lines a second of one.
WORDS = 50
# Seconds until somebody who does not answer is taken for dead.
PATIENCE = 30
# Servers lie where only administrators look.
os.environ["PATH"] += ":/usr/sbin:/sbin"


class Failure(Exception):
    """Something that must not be."""


def main():
    directory = Path(tempfile.mkdtemp(prefix="cr0sync-bouncer-"))
    bouncer = Bouncer(directory)
    try:
        bouncer.start()
        bouncer.talk()
        figures = bouncer.judge()
    except Failure as failure:
        print(f"bouncer: FAILED, playground {directory}\n{failure}", flush=True)
        sys.exit(1)
    finally:
        bouncer.end()
    shutil.rmtree(directory)
    print(f"bouncer: ok, {figures}", flush=True)


def merger_built():
    """The program that merges. Built before anybody talks: a server does not wait for people who say nothing for long."""
    command = ["cargo", "build", "--quiet", "--locked", "--profile", "test", "--example", "merge-logs",
               "--message-format", "json"]
    built = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=False)
    programs = [json.loads(line).get("executable") for line in built.stdout.splitlines()]
    program = next((program for program in programs if program), None)
    if built.returncode != 0 or program is None:
        raise Failure("what merges cannot be built")
    return program


def free_port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


def wait_for(what, is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise Failure(f"after {PATIENCE} s: {what}")
        time.sleep(0.05)


def what_was_said(person, number):
    """Every seventh line is what others say as well; some bytes are no text."""
    if number % 7 == 0:
        return b"lol"
    return b"message %d.%d \x02bold\x02 \x0304red\x03 caf\xc3\xa9 \xff\xfe end" % (person, number)


class Person:
    """Somebody in the channel."""

    def __init__(self, port, number):
        self.number, self.nick = number, f"person{number}"
        self.connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.heard = self.connection.makefile("rb")
        self.say(f"NICK {self.nick}".encode())
        self.say(f"USER {self.nick} 0 * :{self.nick}".encode())
        self.wait_for(b" 001 ")
        self.say(f"JOIN {CHANNEL}".encode())
        self.wait_for(b" 366 ")

    def say(self, line):
        self.connection.sendall(line + b"\r\n")

    def wait_for(self, word):
        try:
            for line in self.heard:
                if line.startswith(b"PING"):
                    self.say(b"PONG" + line[4:].rstrip())
                if word in line:
                    return
        except OSError as error:
            raise Failure(f"{self.nick} waits for {word}: {error}") from None
        raise Failure(f"the server has nothing to say to {self.nick} any more")

    def talk(self, numbers, failures):
        try:
            for number in numbers:
                self.say(b"PRIVMSG %s :%s" % (CHANNEL.encode(), what_was_said(self.number, number)))
                time.sleep(0.1)
            # What comes back now was said behind all that.
            token = f"done{numbers[-1]}".encode()
            self.say(b"PING :" + token)
            self.wait_for(token)
        except (OSError, Failure) as failure:
            failures.append(f"{self.nick}: {failure}")


class Bouncer:
    def __init__(self, directory):
        self.directory = directory
        self.processes, self.merger, self.people = [], None, []
        self.log = directory / "znc" / "users" / "bot" / "moddata" / "log" / "net" / f"{CHANNEL}.log"

    def run(self, name, command, **more):
        out = (self.directory / f"{name}.out").open("wb")
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, **more)
        out.close()
        self.processes.append((name, process))
        return process

    def said(self, name):
        return (self.directory / f"{name}.out").read_text(errors="replace")

    def start(self):
        merger = merger_built()
        port = free_port()
        server = self.directory / "ngircd.conf"
        server.write_text(f"""
[Global]
    Name = irc.test
    Info = test
    Listen = 127.0.0.1
    Ports = {port}
    MotdPhrase = hello
    ServerUID = {os.getuid()}
    ServerGID = {os.getgid()}
[Limits]
    MaxConnections = 0
    MaxConnectionsIP = 0
    MaxJoins = 0
    MaxPenaltyTime = 0
[Options]
    DNS = no
    Ident = no
    PAM = no
""")
        server.chmod(0o644)
        self.run("ngircd", ["ngircd", "-n", "-f", server], stdin=subprocess.DEVNULL)
        wait_for("the server does not listen", lambda: self.listens(port, "ngircd"))
        for part in ["configs", "moddata"]:
            (self.directory / "znc" / part).mkdir(parents=True)
        digest = hashlib.sha256(b"secretsalt").hexdigest()
        (self.directory / "znc" / "configs" / "znc.conf").write_text(f"""
Version = 1.8.2
<Listener l>
    Port = {free_port()}
    IPv4 = true
    IPv6 = false
    SSL = false
    Host = 127.0.0.1
</Listener>
<User bot>
    Nick = bouncer
    Ident = bouncer
    LoadModule = log $NETWORK/$WINDOW.log
    <Network net>
        Server = 127.0.0.1 {port}
        <Chan {CHANNEL}>
        </Chan>
    </Network>
    <Pass password>
        Method = SHA256
        Hash = {digest}
        Salt = salt
    </Pass>
</User>
""")
        self.run("znc", ["znc", "--foreground", "--datadir", self.directory / "znc"], stdin=subprocess.DEVNULL,
                 **self.nobody())
        # Who is there before the bouncer hears it come, and what is said before that it has not heard.
        self.people = [Person(port, number) for number in range(PEOPLE)]
        self.people[0].wait_for(b":bouncer!")
        wait_for("the bouncer logs nothing", lambda: self.lives() and self.log.exists())
        config = self.directory / "config.json"
        for side in ["central", "website", "root"]:
            (self.directory / side).mkdir()
        config.write_text(json.dumps({
            "version": 1, "root": str(self.directory / "root"), "hub": "central", "databases": {},
            "logs": {"x": {
                "copies": {"bot": str(self.log), "central": str(self.directory / "central" / "x.log"),
                           "website": str(self.directory / "website" / "x.log")},
                "mirrors": ["website"], "rotate": {"size": 6_000},
            }},
        }))
        self.merger = self.run("merger", [merger, config], stdin=subprocess.PIPE)

    def nobody(self):
        """znc does not like to be root: then everything of it belongs to somebody else."""
        if os.geteuid() != 0:
            return {}
        user = pwd.getpwnam("nobody")
        self.directory.chmod(0o755)
        for path in [self.directory / "znc", *(self.directory / "znc").rglob("*")]:
            os.chown(path, user.pw_uid, user.pw_gid)
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def lives(self):
        for name, process in self.processes:
            if process.poll() is not None:
                raise Failure(f"{name} ended with {process.returncode}:\n{self.said(name)}")
        return True

    def listens(self, port, name):
        self.lives()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            return False
        return True

    def talk(self):
        for part in range(3):
            failures = []
            numbers = range(part * WORDS // 3, (part + 1) * WORDS // 3)
            threads = [threading.Thread(target=person.talk, args=(numbers, failures)) for person in self.people]
            for thread in threads:
                thread.start()
            if part > 0:
                time.sleep(0.5)
                self.rotate(part)
            for thread in threads:
                thread.join()
            if failures:
                raise Failure("\n".join(failures))
            self.lives()

    def rotate(self, part):
        """As logrotate does it, with the older one packed."""
        live, first, second = self.log, self.rotated(".1"), self.rotated(".2")
        if part == 2:
            first.rename(second)
            with gzip.open(f"{second}.new", "wb") as packed:
                packed.write(second.read_bytes())
            os.utime(f"{second}.new", ns=(second.stat().st_atime_ns, second.stat().st_mtime_ns))
            Path(f"{second}.new").rename(f"{second}.gz")
            second.unlink()
        live.rename(first)

    def rotated(self, end):
        return self.log.with_name(self.log.name + end)

    def written(self):
        """What znc wrote, oldest first."""
        return b"".join([gzip.decompress(self.rotated(".2.gz").read_bytes()),
                         self.rotated(".1").read_bytes(), self.log.read_bytes()])

    def archive(self):
        files = [(self.age(path), path) for path in (self.directory / "central").glob("x.log.*")]
        parts = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
                 for _, path in sorted(files)]
        return len(files), b"".join([*parts, (self.directory / "central" / "x.log").read_bytes()])

    @staticmethod
    def age(path):
        return [int(number) for number in re.findall(r"\d+", path.name.removesuffix(".gz"))]

    def judge(self):
        wanted = collections.Counter(b"<%s> %s" % (person.nick.encode(), what_was_said(person.number, number))
                                     for person in self.people for number in range(WORDS))

        def missing():
            heard = collections.Counter(re.sub(rb"^\[[0-9:]+\] ", b"", line) for line in self.written().split(b"\n"))
            return wanted - heard

        wait_for("the bouncer has not heard all", lambda: self.lives() and not missing())
        self.merger.stdin.close()
        try:
            code = self.merger.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure("the merges come to no end") from None
        if code != 0:
            raise Failure(f"a merge failed:\n{self.said('merger')}")
        written = self.written()
        segments, archive = self.archive()
        (self.directory / "written").write_bytes(written)
        (self.directory / "archive").write_bytes(archive)
        if archive != written:
            raise Failure(f"the archive has {len(archive)} bytes, the bouncer wrote {len(written)}: see `written` and `archive`")
        if (self.directory / "website" / "x.log").read_bytes() != written:
            raise Failure("the mirror is not what the bouncer wrote")
        if segments < 2:
            raise Failure(f"the archive was rotated {segments} times only")
        lines = written.count(b"\n")
        return f"{lines} lines, {len(written)} bytes, {segments} rotated files, {self.said('merger').strip()}"

    def end(self):
        for person in self.people:
            person.connection.close()
        for _, process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


if __name__ == "__main__":
    main()
