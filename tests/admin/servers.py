"""php-fpm with opcache behind nginx on loopback, as the website runs; they end with the test.

Each place below the server is the same installed pages with other settings: `/password/`, `/host/`, `/none/` and so on.
"""

import signal
import socket
import subprocess

from common import PATIENCE, find, wait_for

PASSWORD = "correct horse battery staple"
# A login page of a website, as they are: whoever asks is somebody.
SITE = """<?php
session_start();
$_SESSION['is_admin'] = ($_GET['as'] ?? '') === 'admin';
$_SESSION['username'] = $_GET['name'] ?? 'carol';
if (($_GET['as'] ?? '') === 'nobody') {
    unset($_SESSION['is_admin'], $_SESSION['username']);
}
session_write_close();
echo 'the website';
"""


class Servers:
    def __init__(self, ground):
        self.ground, self.directory, self.php, self.who = ground, ground.directory, ground.php, ground.who
        self.children, self.places = [], {}
        self.port = 0

    def place(self, name, settings, pool="pages", extra=""):
        """Pages with these settings: the text of a settings.php, or None for none at all."""
        file = ""
        if settings is not None:
            file = self.directory / f"settings-{name}.php"
            file.write_text(f"<?php\n{settings}\n", encoding="utf-8")
            file.chmod(0o644)
        self.places[name] = (file, pool, extra)

    def lay_out(self, large):
        hashed, slow = (self.php.say(f"echo password_hash({PASSWORD!r}, PASSWORD_BCRYPT, ['cost' => {cost}]);")
                        for cost in (4, 11))
        where = f"'config' => '{self.ground.config}', 'root' => '{self.ground.root}'"
        own = f"'password_hash' => '{hashed}', {where}"
        example = self.ground.site / "cr0sync/admin/settings.example.php"
        self.place("none", None)
        self.place("empty", "return [];")
        self.place("password", f"return [{own}, 'idle_minutes' => 20];")
        # As on a real site: many are looked at before the first is counted.
        self.place("slow", f"return ['password_hash' => '{slow}', {where}];")
        self.place("secure", f"return [{own}];", extra="fastcgi_param HTTPS on;")
        self.place("host", f"return [{where}] + require '{example}';")
        self.place("closed", f"$all = [{where}] + require '{example}'; unset($all['login_url']); return $all;")
        # Whatever a website takes for a name, and an installation that is not there.
        named = "$_GET['name'] ?? $_POST['name'] ?? 'dora'"
        self.place("named", f"return [{where}, 'admin' => static fn () => is_array({named}) ? 7 : base64_decode({named})];")
        self.place("gone", f"return ['password_hash' => '{hashed}', 'config' => '{self.ground.config}', 'root' => '/nowhere'];")
        self.place("bare", f"return [{own}];", pool="bare")
        self.place("large", f"return ['password_hash' => '{hashed}', 'config' => '{large}'];")
        self.place("misspelled", f"return [{own}, 'pasword' => 1];")
        self.place("two", f"return [{own}, 'admin' => static fn () => 'anybody'];")
        self.place("plain", "return ['password_hash' => 'plain'];")
        self.place("broken", "return [;")
        self.place("word", "return 'yes';")
        self.place("warns", f"echo $nowhere; return [{own}];")
        self.place("throws", "return ['admin' => static function (): ?string { throw new Error('inner secret'); }];")
        (self.ground.site / "login.php").write_text(SITE)

    def start(self):
        sessions = self.directory / "sessions"
        sessions.mkdir()
        self.who.give(sessions, self.who.web, 0o700)
        for pool, options in (("pages", self.php.options()), ("bare", self.php.options(bare=True))):
            self.fpm(pool, options, sessions)
        for pool in ("pages", "bare"):
            wait_for(f"php-fpm, pool {pool}", (self.directory / f"{pool}.socket").exists)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (self.directory / "nginx.conf").write_text(self.nginx(), encoding="utf-8")
        self.child([find("nginx"), "-e", str(self.directory / "nginx.log"), "-c", str(self.directory / "nginx.conf")])
        wait_for("nginx", self.answers)

    def fpm(self, pool, options, sessions):
        rights = f"user = {self.who.web}\ngroup = {self.ground.group()}\n" if self.who.is_split else ""
        children = 12 if pool == "pages" else 1
        # The website shows errors, as some do; these pages do not.
        text = (f"[global]\ndaemonize = no\nerror_log = {self.directory}/fpm-{pool}.log\n"
                f"[{pool}]\n{rights}listen = {self.directory}/{pool}.socket\nlisten.backlog = 511\npm = static\n"
                f"pm.max_children = {children}\ncatch_workers_output = yes\ndecorate_workers_output = no\n"
                f"php_value[display_errors] = 1\nphp_admin_value[session.save_path] = {sessions}\n"
                f"php_admin_value[error_log] = {self.directory}/pages.log\n"
                + (f"php_admin_value[cr0sync.root] = {self.ground.root}\n" if pool == "pages" else ""))
        (self.directory / "pages.log").touch()
        self.who.give(self.directory / "pages.log", self.who.web, 0o664)
        (self.directory / f"fpm-{pool}.conf").write_text(text, encoding="utf-8")
        as_root = ["-R"] if not self.who.is_split and self.who.web == "root" else []
        self.child([find(f"php-fpm{self.php.version}", "php-fpm"), "-y", str(self.directory / f"fpm-{pool}.conf"), "-F",
                    *as_root, *options])

    def nginx(self):
        common = "".join(f"fastcgi_param {name} {value};\n" for name, value in (
            ("QUERY_STRING", "$query_string"), ("REQUEST_METHOD", "$request_method"), ("CONTENT_TYPE", "$content_type"),
            ("CONTENT_LENGTH", "$content_length"), ("REQUEST_URI", "$request_uri"), ("REMOTE_ADDR", "$remote_addr"),
            ("SERVER_PROTOCOL", "$server_protocol"), ("SCRIPT_NAME", "$fastcgi_script_name")))
        entry = self.ground.site / "cr0sync/admin/index.php"
        locations = "".join(
            f"location /{name}/ {{ fastcgi_pass unix:{self.directory}/{pool}.socket; {common} {extra}\n"
            f"fastcgi_param SCRIPT_FILENAME {entry}; fastcgi_param CR0SYNC_ADMIN_SETTINGS \"{file}\"; }}\n"
            for name, (file, pool, extra) in self.places.items())
        locations += (f"location /login.php {{ fastcgi_pass unix:{self.directory}/pages.socket; {common}\n"
                      f"fastcgi_param SCRIPT_FILENAME {self.ground.site}/login.php; }}\n")
        temporary = "".join(f"{kind}_temp_path {self.directory}/nginx-{kind};\n"
                            for kind in ("client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        return (f"daemon off; master_process off; pid {self.directory}/nginx.pid; error_log {self.directory}/nginx.log;\n"
                f"events {{ worker_connections 512; }}\nhttp {{ access_log off; {temporary}\n"
                f"server {{ listen 127.0.0.1:{self.port} backlog=511; fastcgi_read_timeout {PATIENCE}s;\n{locations} }} }}\n")

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

    def told(self):
        """The last of what the servers wrote down."""
        lines = []
        for name in ("fpm-pages.log", "fpm-bare.log", "nginx.log", "children.log", "pages.log"):
            if (self.directory / name).exists():
                lines += (self.directory / name).read_text(errors="replace").splitlines()[-12:]
        return "\n".join(lines)

    def complaints(self):
        """What PHP wrote into the error log, but for the settings that make no sense and what cannot be recorded on purpose."""
        known = ("settings-", "inner secret", "nowhere", "is no name of a user", "is not on record", "cannot be counted",
                 "let himself in")
        lines = (self.directory / "pages.log").read_text(errors="replace").splitlines()
        bad = [line for line in lines if "PHP " in line or "cr0sync admin:" in line]
        return [line for line in bad if not any(word in line for word in known)]

    def sessions(self):
        return list((self.directory / "sessions").glob("sess_*"))
