"""Who gets in: nobody, until settings.php says so; then whoever knows the password or is an administrator of the website.
"""

import concurrent.futures
import json
import os
import pwd
import re
import stat
import threading
import urllib.parse
from pathlib import Path

from common import PAGES, PATIENCE, expect
from servers import PASSWORD
from visitor import Visitor, said


class Gate:
    def __init__(self, ground, servers, counts):
        self.ground, self.servers, self.counts = ground, servers, counts

    def visitor(self, place, address="127.0.0.1"):
        return Visitor(self.servers.port, place, address)

    def show(self):
        self.nobody()
        self.settings_that_make_no_sense()
        self.settings_of_others()
        self.login()
        self.lockout()
        self.right_ones()
        self.at_once()
        self.sessions()
        self.tokens()
        self.website()

    def refused(self, place, methods, status, **query):
        for method in methods:
            for page in [*PAGES, "login", "no-such-page"]:
                visitor = self.visitor(place)
                body = "csrf=x&action=issue" if method == "POST" else None
                answer = visitor.ask(method, visitor.address_of(page, **query), body)
                expect(answer.status == status, f"{place}: {method} {page} is answered with {answer.status}, not {status}")
                # Whoever is not in is told nothing about what is inside.
                expect(str(self.ground.directory) not in answer.body and "rizon" not in answer.body, f"{place}: {answer.body}")
                self.counts["requests refused"] += 1

    def nobody(self):
        for place in ("none", "empty"):
            self.refused(place, ("GET", "HEAD", "POST"), 403)
            self.refused(place, ("PUT", "DELETE", "PATCH", "OPTIONS"), 405)
        self.refused("password", ("POST",), 403)
        self.refused("password", ("PUT", "DELETE", "PATCH", "OPTIONS"), 405)
        self.refused("bare", ("GET", "POST"), 503)
        visitor = self.visitor("password")
        for page in [*PAGES, "no-such-page"]:
            answer = visitor.ask("GET", visitor.address_of(page))
            expect(answer.status == 303 and answer.header("location") == "/password/?page=login" and answer.body == "",
                   f"{page} without a login: {answer.status} {answer.header('location')} {answer.body}")
            self.counts["requests refused"] += 1

    def settings_that_make_no_sense(self):
        for place in ("misspelled", "two", "plain", "broken", "word", "throws"):
            self.refused(place, ("GET", "POST"), 500)
            answer = self.visitor(place).ask("GET", f"/{place}/?page=overview")
            for word in ("settings", "secret", "/", "pasword", "Error"):
                expect(word not in answer.body, f"{place}: tells {answer.body}")

        # A website that shows errors, and settings that give cause to: nothing of it is shown.
        page = self.visitor("warns").get("login")
        expect("nowhere" not in page.body and page.body.startswith("<!doctype html>"), f"shown is {page.body[:300]}")

    def settings_of_others(self):
        """Who takes over the website lets himself in by no settings that its user may write or exchange."""
        file, who = self.servers.places["password"][0], self.ground.who
        place, owner = file.parent, os.getuid()
        web = pwd.getpwnam(who.web).pw_uid
        # One user is everything: its group is its own.
        shut = 500 if who.is_split else 200
        cases = [(file, owner, 0o644, 200), (file, owner, 0o664, shut), (file, owner, 0o646, 500), (place, owner, 0o775, shut),
                 (place, owner, 0o757, 500), (place, owner, 0o1777, 200)]
        if who.is_split:
            cases += [(file, web, 0o444, 500), (place, web, 0o755, 500), (place, web, 0o1777, 500)]
        self.words_of_the_website(file, shut)
        text = file.read_text()
        for number, (path, user, mode, wanted) in enumerate(cases):
            before, ran = path.stat(), f"settings {number} were run"
            try:
                file.write_text(text.replace("<?php", f"<?php error_log('{ran}');", 1))
                os.chown(path, user, -1)
                path.chmod(mode)
                answer = self.visitor("password").ask("GET", "/password/?page=login")
            finally:
                os.chown(path, before.st_uid, -1)
                path.chmod(stat.S_IMODE(before.st_mode))
                file.write_text(text)
            expect(answer.status == wanted, f"{path} of user {user} with mode {mode:o}: {answer.status}, not {wanted}")
            expect(wanted == 200 or "settings" not in answer.body, f"a stranger is told {answer.body}")
            log = (self.servers.directory / "pages.log").read_text(errors="replace").splitlines()[-40:]
            expect(wanted == 200 or any(f" {path} " in line and "As root:" in line for line in log), f"no reason: {log[-5:]}")
            has_run = any(ran in line for line in log)
            expect(has_run == (wanted == 200), f"{path} of user {user} with mode {mode:o} was run: {has_run}")
            self.counts["owners of settings judged"] += 1
        self.one_user_is_everything(file)

    def words_of_the_website(self, file, shut):
        """Nothing that the user of the pages could write says that he is everything: no configuration of whose it is."""
        who, before, text = self.ground.who, file.stat(), file.read_text()
        config, of_all = self.ground.config, self.ground.config.read_text()
        forged = json.dumps({**json.loads(of_all), "ownership": {"user": who.web, "group": self.ground.group()}})
        own = self.ground.site / "data/forged.json"
        own.write_text(forged)
        who.give(own, who.web, 0o664)
        try:
            for what, named in (("one of its own", own), ("that of the installation", config)):
                config.write_text(forged if named == config else of_all)
                file.write_text(text.replace(str(config), str(named)))
                file.chmod(0o664)
                answer = self.visitor("password").ask("GET", "/password/?page=login")
                expect(answer.status == shut, f"the configuration, {what}, makes {who.web} everything: {answer.status}")
                self.counts["owners of settings judged"] += 1
        finally:
            file.write_text(text)
            file.chmod(stat.S_IMODE(before.st_mode))
            config.write_text(of_all)
            own.unlink()

    def one_user_is_everything(self, file):
        """Where somebody develops, the file is his, and so are the pages and cron."""
        code = (f"require '{self.ground.site}/cr0sync/admin/src/autoload.php'; [, $file, $pages, $cron] = $argv;"
                "echo Cr0Sync\\Admin\\Trust::refusal($file, (int) $pages, static fn (): ?int => $cron === '' ? null : (int) $cron)"
                " ?? 'believed';")
        me = str(file.stat().st_uid)
        for pages, cron, is_believed in ((me, me, True), (me, "4711", False), (me, "", False), ("4711", "", True)):
            ended = self.ground.php.run("trust", "-r", code, "--", file, pages, cron)
            expect(ended[0] == 0 and (ended[1] == "believed") == is_believed, f"{file} for {pages}, cron {cron}: {ended}")

        place = self.ground.directory / "mine"
        place.mkdir()
        mine = place / "settings.php"
        mine.write_text(f"<?php return ['config' => '{self.ground.config}', 'root' => '{self.ground.root}'];\n")
        code = (f"require '{self.ground.site}/cr0sync/admin/src/autoload.php'; use Cr0Sync\\Admin\\Settings;"
                "putenv(\"CR0SYNC_ADMIN_SETTINGS=$argv[1]\"); Settings::read('/'); echo 'believed';")
        who = self.ground.who
        # Only the root that PHP itself is told counts, and whose it is.
        for user, root, is_believed in ((who.cron, self.ground.root, True), (who.web, self.ground.root, not who.is_split),
                                        (who.cron, "", False), (who.cron, "/nowhere", False)):
            who.give(place, user, 0o775)
            who.give(mine, user, 0o664)
            # With the extension posix, and without it.
            for without in ("", "posix_geteuid"):
                ended = self.ground.php.run("mine", "-d", f"disable_functions={without}", "-d", f"cr0sync.root={root}", "-r", code,
                                            "--", mine, user=user)
                expect((ended[:2] == (0, "believed")) == is_believed, f"settings of {user}, root {root!r}, run as him: {ended}")

    # The password.

    def login(self):
        visitor = self.visitor("password", "127.0.1.1")
        page = visitor.get("login")
        before = dict(visitor.cookies)
        expect(not page.markup.inline, f"the login has {page.markup.inline}")
        flags = {part.strip().lower() for part in page.cookies[0].split(";")[1:]}
        expect({"httponly", "samesite=strict", "path=/password/"} <= flags and "secure" not in flags,
               f"the cookie is {page.cookies}")
        secure = self.visitor("secure").get("login").cookies[0].lower()
        expect("; secure" in secure, f"the cookie behind HTTPS is {secure}")
        wrong = visitor.act(page.form(action="log_in"), password="guess")
        expect("not the password" in wrong.markup.text and "4 more tries" in wrong.markup.text, said(wrong))
        visitor.log_in(PASSWORD)
        expect(visitor.cookies["cr0sync_admin"] != before["cr0sync_admin"], "the session keeps its id at login")
        # Whoever knew the session before the login has nothing of it.
        for stranger_has in (before, {"cr0sync_admin": "chosenbyanattacker0000000"}):
            stranger = self.visitor("password", "127.0.1.2")
            stranger.cookies = dict(stranger_has)
            answer = stranger.ask("GET", "/password/?page=keys")
            expect(answer.status == 303, f"a session from before the login lets in: {answer.status}")
        expect(stranger.cookies["cr0sync_admin"] != "chosenbyanattacker0000000", "a session id that a visitor chose is taken")
        stranger.log_in(PASSWORD)
        for page in PAGES:
            answer = visitor.get(page)
            expect(answer.has_form(action="log_out"), f"{page} has no way out")
        old = dict(visitor.cookies)
        visitor.submit(visitor.get("settings").form(action="log_out"))
        for cookies in (old, visitor.cookies):
            visitor.cookies = dict(cookies)
            expect(visitor.ask("GET", "/password/?page=keys").status == 303, "who logged out is still in")
        for kind in ("ADMIN_LOGIN_FAILED", "ADMIN_LOGGED_IN", "ADMIN_LOGGED_OUT"):
            events = self.ground.events(kind)
            expect(any(event["ip"] == "127.0.1.1" for event in events), f"{kind} is not on record: {events}")
        said_in = str([self.ground.events(kind) for kind in ("ADMIN_LOGGED_IN", "ADMIN_LOGIN_FAILED")])
        expect(PASSWORD not in said_in and "guess" not in said_in, "the event log has a password")

    def lockout(self):
        visitor = self.visitor("password", "127.0.2.1")
        statuses = []
        for _ in range(7):
            # A new session each time helps nobody.
            visitor.cookies = {}
            answer = visitor.submit(visitor.get("login").form(action="log_in"), password="guess")
            statuses.append(answer.status)
        expect(statuses == [303] * 5 + [429] * 2, f"seven tries are answered with {statuses}")
        expect(1 <= int(answer.header("retry-after")) <= 900, f"Retry-After is {answer.header('retry-after')}")
        expect(re.search(r"Too many tries .* counts in \d+ (seconds|minutes) ?, at \d\d:\d\d:\d\d UTC", answer.markup.text)
               and "page=login" in str(answer.markup.links), f"he is told {said(answer)}")
        # A stranger is told how long, and nothing that is for whoever looks after the site.
        for words in ("ssh", "settings", "password_hash", "root", "REMOTE_ADDR", "Events", "proxy", "website"):
            expect(words not in answer.markup.text, f"a stranger reads {words!r}: {said(answer)}")
        right = visitor.submit(visitor.get("login").form(action="log_in"), password=PASSWORD)
        expect(right.status == 429, f"the right password of one who is locked out is answered with {right.status}")
        forged = visitor.ask("POST", "/password/?page=login",
                             urllib.parse.urlencode({"csrf": visitor.get("login").form(action="log_in").value("csrf"),
                                                     "action": "log_in", "password": PASSWORD}),
                             {"X-Forwarded-For": "127.0.2.77", "X-Real-IP": "127.0.2.77"})
        expect(forged.status == 429, "an address that a visitor wrote himself is believed")
        self.visitor("password", "127.0.2.2").log_in(PASSWORD)
        events = self.ground.events("ADMIN_LOCKED_OUT")
        expect([event["ip"] for event in events] == ["127.0.2.1"], f"the lockout is on record as {events}")
        # Who can read the events is told what to do.
        for words in ("another address", "password_hash", "REMOTE_ADDR", "README.md, Locked out"):
            expect(words in events[0]["details"].get("hint", ""), f"no word for the operator, {words!r}: {events[0]}")
        readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
        expect("### Locked out\n" in readme, "there is no such part of README.md")

    def right_ones(self):
        """A right password costs no try, and gives none back to who guesses beside it from the same address."""
        for _ in range(7):
            self.visitor("password", "127.0.2.3").log_in(PASSWORD)
        statuses = []
        for left in range(4, -1, -1):
            guess = self.visitor("password", "127.0.2.3")
            wrong = guess.act(guess.get("login").form(action="log_in"), password="guess")
            words = {0: "That was the last try for now", 1: "you have one more try"}.get(left, f"{left} more tries")
            expect(words in wrong.markup.text and "0 more" not in wrong.markup.text,
                   f"after {5 - left} wrong tries among right ones: {said(wrong)}")
            form = guess.get("login").form(action="log_in")
            statuses.append(guess.submit(form, password=PASSWORD).status)
        expect(statuses == [303] * 4 + [429], f"right ones between wrong ones are answered with {statuses}")

    def at_once(self):
        """Of many guesses at once five are answered, and the right one among those that come too late is not."""
        visitors = [self.visitor("slow", "127.0.2.4") for _ in range(24)]
        forms = [visitor.get("login").form(action="log_in") for visitor in visitors]
        ready = threading.Barrier(len(visitors))

        def guess(n):
            ready.wait(PATIENCE)
            return visitors[n].submit(forms[n], password="guess").status

        with concurrent.futures.ThreadPoolExecutor(len(visitors)) as pool:
            statuses = sorted(pool.map(guess, range(len(visitors))))
        expect(statuses == [303] * 5 + [429] * 19, f"24 guesses at once are answered with {statuses}")
        late = self.visitor("slow", "127.0.2.4")
        answer = late.submit(late.get("login").form(action="log_in"), password=PASSWORD)
        expect(answer.status == 429, f"the right one after all tries is answered with {answer.status}")

    # The session.

    def sessions(self):
        """What is long ago is made long ago in the file of the session: nobody waits here."""
        for what, seconds, is_in in (("seen", 60, True), ("seen", 21 * 60, False), ("since", 11 * 3600, True),
                                     ("since", 12 * 3600 + 60, False)):
            visitor = self.visitor("password", "127.0.3.1").log_in(PASSWORD)
            file = self.servers.directory / "sessions" / f"sess_{visitor.cookies['cr0sync_admin']}"
            text = file.read_text()
            aged = re.sub(rf'(s:\d+:"{what}";i:)(\d+)', lambda found: f"{found[1]}{int(found[2]) - seconds}", text)
            expect(aged != text, f"no {what} in {text}")
            file.write_text(aged)
            answer = visitor.ask("GET", "/password/?page=keys")
            expect((answer.status == 200) == is_in, f"{what} {seconds} s ago: {answer.status}")
            if not is_in:
                refused = visitor.ask("POST", "/password/?page=keys", "action=issue&name=x")
                expect(refused.status == 403, f"a form of one whose session is over: {refused.status}")

    # Forms that somebody else wrote.

    def tokens(self):
        visitor = self.visitor("password", "127.0.4.1").log_in(PASSWORD)
        other = self.visitor("password", "127.0.4.2").log_in(PASSWORD)
        page = visitor.get("keys")
        token = page.form(action="log_out").value("csrf")
        foreign = other.get("keys").form(action="log_out").value("csrf")
        expect(token != foreign and len(token) == 64, "two sessions have one token")
        expect(token == visitor.get("overview").form(action="log_out").value("csrf"), "a second window breaks the first one")
        before = len(self.ground.events("ADMIN_REFUSED"))
        tries = {"none": {}, "empty": {"csrf": ""}, "made up": {"csrf": "0" * 64}, "of another session": {"csrf": foreign},
                 "as a list": {"csrf[]": token}, "cut": {"csrf": token[:-1]}}
        for words, sent in tries.items():
            for action in ("issue", "log_out", "resolve"):
                body = urllib.parse.urlencode({**sent, "action": action, "name": "forged", "user_id": "7"})
                answer = visitor.ask("POST", "/password/?page=keys", body)
                expect(answer.status == 403, f"a token {words} is answered with {answer.status}")
                self.counts["requests refused"] += 1
        # In the address it is not looked for.
        answer = visitor.ask("POST", f"/password/?page=keys&csrf={token}", "action=issue&name=forged")
        expect(answer.status == 403, f"a token in the address is answered with {answer.status}")
        query = {"csrf": token, "action": "issue", "name": "forged", "user_id": "7", "permissions[]": "read"}
        answer = visitor.ask("GET", visitor.address_of("keys", **query))
        expect(answer.status == 200, f"{answer.status}")
        expect("forged" not in str(self.ground.php.call("cr0_api_key_list", self.ground.places)), "a GET issues a key")
        visitor.get("keys")
        events = self.ground.events("ADMIN_REFUSED")
        expect(len(events) - before == len(tries) * 3 + 1 and all(one["details"]["user"] == "admin" for one in events[:5]),
               f"{len(events) - before} forged forms are on record")

    # The website's own login.

    def website(self):
        visitor = self.visitor("host", "127.0.5.1")
        for page in PAGES:
            answer = visitor.ask("GET", visitor.address_of(page))
            expect(answer.status == 303 and answer.header("location") == "/login.php", f"{page}: {answer.status}")
            expect(visitor.ask("POST", visitor.address_of(page), "action=x").status == 403, f"{page}: POST from outside")
            answer = self.visitor("closed").ask("GET", f"/closed/?page={page}")
            expect(answer.status == 403, f"{page} without a login_url: {answer.status}")
        visitor.send("GET", "/login.php?as=member")
        # Whom the website knows would come back from its login, again and again.
        for method, body in (("GET", None), ("POST", "action=issue&name=x")):
            for page in [*PAGES, "login"]:
                answer = visitor.ask(method, visitor.address_of(page), body)
                expect(answer.status == 403 and answer.header("content-type").startswith("text/html"),
                       f"{method} {page} of one who is no administrator: {answer.status}")
                expect("not as one of its administrators" in answer.markup.text and "/login.php" in answer.markup.links
                       and "rizon" not in answer.body and not answer.markup.forms, f"he is told {said(answer)}")
                self.counts["requests refused"] += 1
        closed = self.visitor("closed")
        closed.cookies = visitor.cookies
        answer = closed.ask("GET", "/closed/?page=overview")
        expect(answer.status == 403 and "log out of the website" in answer.markup.text, f"without a login_url: {said(answer)}")
        visitor.send("GET", "/login.php?as=admin&name=carol")
        page = visitor.get("overview")
        expect("carol" in page.markup.text and not page.has_form(action="log_out"), said(page))
        answer = visitor.ask("POST", "/host/?page=keys", "action=issue&name=forged")
        expect(answer.status == 403, f"a form without a token, in the website's session: {answer.status}")
        expect(self.ground.events("ADMIN_REFUSED")[0]["details"]["user"] == "carol", "who it was is not on record")
        # The site's session stays as the site left it.
        visitor.send("GET", "/login.php?as=nobody")
        expect(visitor.ask("GET", "/host/?page=overview").status == 303, "whom the website let go is still in")
