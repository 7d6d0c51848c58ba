"""What the gate does at its edges: addresses that are none, names that are none, a session that sees several people, pages that
load themselves, and an event log that takes nothing.
"""

import base64
import hashlib
import re
import urllib.parse

from common import PAGES, expect
from servers import PASSWORD
from visitor import Visitor, said

KEY = re.compile(r"crk_[0-9A-Za-z_-]{20,}")


class Edges:
    def __init__(self, ground, servers, counts):
        self.ground, self.servers, self.counts = ground, servers, counts

    def visitor(self, place, address):
        return Visitor(self.servers.port, place, address)

    def show(self):
        self.addresses()
        self.harmless()
        self.text()
        self.names()
        self.one_session_of_two()
        self.pages_that_load_themselves()
        self.forged_outside()
        self.marks()
        self.without_a_record()

    # Addresses, and what is sent.

    def addresses(self):
        """Nothing that a visitor wrote into the path comes into a header."""
        for path in (";Domain=example.com;/x", "index.php/;Domain=example.com;/x", "a%0d%0ab/", "%5cexample.com/", "\"><b>/"):
            for place in ("password", "host"):
                answer = self.visitor(place, "127.0.9.1").ask("GET", f"/{place}/{path.replace('<', '%3c')}?page=login")
                expect(answer.status == 404 and not answer.cookies, f"{path}: {answer.status} {answer.cookies}")
        index = self.ground.site / "cr0sync/admin"
        code = (f"require '{index}/src/autoload.php'; [, $name, $info] = $argv; $_SERVER['REQUEST_URI'] = '/x/;y?z';"
                "$_SERVER['SCRIPT_NAME'] = $name; $_SERVER['PATH_INFO'] = $info;"
                f"echo (new Cr0Sync\\Admin\\App('{index}'))->answer()->status;")
        # 403, as nobody may come in by these settings.
        for name, info, wanted in (("/x/index.php", "", 403), ("/x/", "", 403), ("/", "", 403),
                                   ("/~me/a-b_c.d/index.php", "", 403), ("/x/index.php", "/y", 404),
                                   ("//x/index.php", "", 404), ("/x;y/", "", 404), ("", "", 404),
                                   ("/x/\n", "", 404), ("index.php", "", 404)):
            ended = self.ground.php.run("address", "-r", code, "--", name, info)
            expect(ended[:2] == (0, str(wanted)), f"{name!r} with {info!r} is {ended}, not {wanted}")
            self.counts["addresses judged"] += 1

    def harmless(self):
        """A link never leads elsewhere, however browsers read it, and what leads somewhere of ours is not taken away."""
        code = (f"require '{self.ground.site}/cr0sync/admin/src/autoload.php';"
                "echo Cr0Sync\\Admin\\Html::tag('x', [$argv[1] => stripcslashes($argv[2])])->markup;")
        # Where it is ours, what is written, else None.
        for where, kept in (("/x/?y", "/x/?y"), ("/", "/"), ("?page=keys", "?page=keys"), ("?", "?"), ("#content", "#content"),
                            ("#", "#"), ("https://example.com/a", "https://example.com/a"), ("data:,", "data:,"), ("", None),
                            ("//example.com", None), ("/\\\\example.com", None), ("/\\t/example.com", None),
                            ("/\\xe2\\x80\\xae/example.com", None), ("javascript:x", None), ("JavaScript:x", None),
                            (" javascript:x", None), ("\\tjavascript:x", None), ("vbscript:x", None), ("data:,\\n", None),
                            ("data:,x", None), ("data:text/html,x", None), ("data:", None), ("xdata:,", None),
                            ("http://example.com", None), ("https:example.com", None), ("https:/example.com", None),
                            ("x//https://example.com", None), ("HTTPS://example.com", None), ("ftp://example.com", None),
                            ("example.com", None), ("x.php", None), ("\\\\\\\\example.com", None), ("x?", None), ("x#y", None),
                            ("x/y", None)):
            for name in ("href", "action", "src"):
                ended = self.ground.php.run("link", "-r", code, "--", name, where)
                expect(ended[:2] == (0, f'<x {name}="{"#" if kept is None else kept}"></x>'), f"{name} {where} becomes {ended}")
                self.counts["links judged"] += 1
        ended = self.ground.php.run("link", "-r", code, "--", "title", "javascript:x")
        expect(ended[1] == '<x title="javascript:x"></x>', f"what is no address becomes {ended}")

    def text(self):
        """What is no UTF-8 is refused at once, wherever it stands; a long text is cut between two characters."""
        inside = self.visitor("password", "127.0.9.2").log_in(PASSWORD)
        for visitor in (inside, self.visitor("password", "127.0.9.2")):
            for page in [*PAGES, "login"]:
                for query in ("text=%ff", "q=a%c3", "user[]=%ed%a0%80", "a[b][c]=%ff", "%ff=1"):
                    answer = visitor.ask("GET", f"/password/?page={page}&{query}")
                    expect(answer.status == 400 and "UTF-8" in answer.body, f"{page}, {query}: {answer.status} {said(answer)}")
                    answer = visitor.ask("POST", f"/password/?page={page}", query)
                    expect(answer.status == 400, f"{page}, {query} in a form: {answer.status}")
                    self.counts["requests that are no text"] += 2
        form = inside.get("keys").form(action="issue")
        for name in ("a" + "é" * 3000, "ab" + "\U0001f600" * 2000):
            answer = inside.act(form, user="7", name=name)
            expect(not KEY.search(answer.body), f"a key has a name of {len(name)} characters: {said(answer)}")

    # Whom the website names.

    def names(self):
        def named(query):
            return self.visitor("named", "127.0.9.3").ask("GET", f"/named/?page=settings&{query}")

        for name, is_one in (("eve", True), ("Ève <b>", True), ("x" * 150, True), ("", False), ("x" * 151, False),
                             ("é" * 76, False), ("eve\n", False), ("e\0ve", False), ("\x1b[1m", False), (b"\xff", False),
                             (None, False)):
            coded = base64.b64encode(name if isinstance(name, bytes) else (name or "").encode()).decode()
            answer = named(urllib.parse.urlencode({"name[]" if name is None else "name": coded}))
            expect(answer.status == (200 if is_one else 403), f"{name!r} is answered with {answer.status}: {said(answer)}")
            expect(is_one or (not answer.cookies and "error log" in answer.body), f"{name!r}: {answer.cookies} {answer.body}")
            self.counts["names judged"] += 1
        log = (self.servers.directory / "pages.log").read_text(errors="replace")
        expect(log.count("is no name of a user") == 8, "the error log does not say what is wrong with a name")

    def one_session_of_two(self):
        """The website's session goes on with somebody else: nothing of the one is left for the other."""
        visitor = self.visitor("host", "127.0.9.4")
        visitor.send("GET", "/login.php?as=admin&name=carol")
        form = visitor.get("keys").form(action="issue")
        answer = visitor.submit(form, user="7", name="of carol", **{"permissions[]": "read"})
        expect(answer.status == 303, f"carol issues a key: {answer.status}")
        session = visitor.cookies.copy()
        visitor.send("GET", "/login.php?as=admin&name=dave")
        expect(visitor.cookies == session, "the website begins another session, which shows nothing")
        refused = visitor.submit(form, user="7", name="of dave", **{"permissions[]": "read"})
        expect(refused.status == 403, f"the token of carol is dave's: {refused.status}")
        page = visitor.get("keys")
        expect(not KEY.search(page.body) and "dave" in page.markup.text, f"dave is told of carol's key: {said(page)}")
        expect(page.form(action="issue").value("csrf") != form.value("csrf"), "carol and dave have one token")
        visitor.send("GET", "/login.php?as=admin&name=carol")
        expect(not KEY.search(visitor.get("keys").body), "the key lay in dave's session")

    # Pages that load themselves.

    def pages_that_load_themselves(self):
        visitor, live = self.visitor("password", "127.0.9.5").log_in(PASSWORD), {"X-Live": "1"}
        form = visitor.get("keys").form(action="issue")
        answer = visitor.submit(form, user="7", name="seen once", **{"permissions[]": "read"})
        for method, headers in (("GET", live), ("HEAD", {}), ("HEAD", live)):
            unread = visitor.ask(method, answer.header("location"), headers=headers)
            expect(unread.status == 200 and not KEY.search(unread.body), f"{method} {headers} takes what is told once")
        expect(KEY.search(visitor.follow(answer.header("location")).body), "what is told once was told to nobody")
        expect(not KEY.search(visitor.follow(answer.header("location")).body), "what is told once is told twice")
        file = self.servers.directory / "sessions" / f"sess_{visitor.cookies['cr0sync_admin']}"
        for seconds, headers, status in ((19 * 60, live, 200), (2 * 60, live, 303), (-2 * 60, {}, 200), (2 * 60, live, 200)):
            aged = re.sub(r'(s:4:"seen";i:)(\d+)', lambda found: f"{found[1]}{int(found[2]) - seconds}", file.read_text())
            file.write_text(aged)
            answer = visitor.ask("GET", "/password/?page=overview", headers=headers)
            expect(answer.status == status, f"{seconds} s further, {headers}: {answer.status}")

    # What is on record.

    def forged_outside(self):
        for _ in range(8):
            visitor = self.visitor("password", "127.0.9.6")
            answer = visitor.ask("POST", "/password/?page=login", "action=log_in&csrf=x&password=x")
            expect(answer.status == 403, f"a login without a token: {answer.status}")
        events = [one for one in self.ground.events("ADMIN_REFUSED") if one["ip"] == "127.0.9.6"]
        expect(len(events) == 1, f"eight forged logins of one address are {len(events)} events")

    def marks(self):
        """The session that an event names is the one that begins with the login, and the one that ends with the logout."""
        visitor = self.visitor("password", "127.0.9.7").log_in(PASSWORD)
        name = f"cr0sync event {visitor.cookies['cr0sync_admin']}".encode()
        mark = hashlib.sha256(name).hexdigest()[:16]
        visitor.submit(visitor.get("settings").form(action="log_out"))
        for kind in ("ADMIN_LOGGED_IN", "ADMIN_LOGGED_OUT"):
            [event] = [one for one in self.ground.events(kind) if one["ip"] == "127.0.9.7"]
            expect(mark in event.values(), f"{kind} names another session: {event}")

    def without_a_record(self):
        """Nothing can be put on record: who knows the password gets in, reads what is wrong, gets out, and changes nothing."""
        log = self.ground.root / "logs/security/security_events.json"
        away = log.with_suffix(".away")
        log.rename(away)
        log.mkdir()
        try:
            self.in_and_out("password", "127.0.9.8")
        finally:
            log.rmdir()
            away.rename(log)
        # No installation at all: tries cannot even be counted.
        self.in_and_out("gone", "127.0.9.9")

    def in_and_out(self, place, address):
        visitor = self.visitor(place, address)
        wrong = visitor.act(visitor.get("login").form(action="log_in"), password="guess")
        expect("That is not the password" in wrong.markup.text, f"{place}: {said(wrong)}")
        expect(visitor.ask("GET", f"/{place}/?page=keys").status == 303, f"{place}: a wrong password lets in")
        visitor.log_in(PASSWORD)
        page = visitor.ask("GET", visitor.address_of("overview"))
        expect("could not be put on record" in page.markup.text, f"{place}: not told that nothing is on record: {said(page)}")
        form = page.form(action="log_out")
        issue = visitor.ask("POST", f"/{place}/?page=keys", urllib.parse.urlencode(
            {"csrf": form.value("csrf"), "action": "issue", "user": "7", "name": "unrecorded", "permissions[]": "read"}))
        page = visitor.ask("GET", issue.header("location"))
        expect(issue.status == 303 and not KEY.search(page.body), f"{place}: a key is issued off the record: {said(page)}")
        old = dict(visitor.cookies)
        visitor.submit(form)
        page = visitor.get("login")
        expect("You are logged out" in page.markup.text and str(self.ground.root) not in page.body, f"{place}: {said(page)}")
        for cookies in (old, visitor.cookies):
            visitor.cookies = dict(cookies)
            expect(visitor.ask("GET", f"/{place}/?page=keys").status == 303, f"{place}: who logged out is still in")
