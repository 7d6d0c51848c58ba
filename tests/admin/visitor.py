"""A visitor without a browser: cookies, redirects as they come, and forms as HTML says them."""

import html.parser
import http.client
import http.cookies
import urllib.parse

from common import PATIENCE, Failure, expect

# Whatever is answered has these, and no page is ever kept by a browser.
HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Form:
    def __init__(self, attributes):
        self.method = (attributes.get("method") or "get").lower()
        self.action = attributes.get("action") or ""
        self.id = attributes.get("id")
        self.fields, self.buttons = [], []

    def value(self, name):
        return next((value for field, value in self.fields if field == name), None)

    def has(self, wanted):
        """Whether it, or a button of it, sends all of these."""
        sent = [pair for pair in [*self.fields, *self.buttons] if pair[1] is not None]
        return all((name, value) in sent for name, value in wanted.items())


class Markup(html.parser.HTMLParser):
    """What there is to press and to follow in a page, and what may never be in one."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.forms, self.links, self.inline, self.words = [], [], [], []
        self.scripts = 0
        self.form = self.select = None
        self.hidden = 0
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.inline += [f"{tag} {name}" for name, _ in attrs if name.startswith("on") or name == "style"]
        if tag in ("script", "style"):
            self.hidden += 1
            self.scripts += tag == "script"
            if not attributes.get("nonce"):
                self.inline.append(f"{tag} without a nonce")
        if tag in ("iframe", "object", "embed", "base", "img", "svg") and "onload" in attributes:
            self.inline.append(tag)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag == "form":
            self.form = Form(attributes)
            self.forms.append(self.form)
            return
        within, self.form = self.form, self.named(attributes.get("form")) or self.form
        if self.form is not None:
            self.field(tag, attributes)
        self.form = within

    def named(self, name):
        """What lies outside of a form may belong to it."""
        return next((form for form in self.forms if name and form.id == name), None)

    def field(self, tag, attributes):
        name, value = attributes.get("name"), attributes.get("value") or ""
        if tag == "input" and name:
            kind = attributes.get("type", "text")
            if kind in ("checkbox", "radio") and "checked" not in attributes:
                self.form.buttons.append((name, value))
            elif kind != "submit":
                self.form.fields.append((name, value))
        elif tag == "button":
            self.form.buttons.append((name or "", value))
        elif tag == "select" and name:
            self.select = name
        elif tag == "option" and self.select:
            is_first = self.form.value(self.select) is None
            if is_first or "selected" in attributes:
                self.form.fields = [pair for pair in self.form.fields if pair[0] != self.select]
                self.form.fields.append((self.select, value))
            else:
                self.form.buttons.append((self.select, value))
        elif tag == "textarea" and name:
            self.form.fields.append((name, ""))

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.hidden -= 1
        elif tag == "form":
            self.form = None
        elif tag == "select":
            self.select = None

    def handle_data(self, data):
        if not self.hidden:
            self.words.append(data)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers}
        self.cookies = [value for name, value in headers if name.lower() == "set-cookie"]
        self.parsed = None

    @property
    def markup(self):
        self.parsed = self.parsed or Markup(self.body)
        return self.parsed

    def header(self, name):
        return self.headers.get(name, "")

    def form(self, **wanted):
        """The form that sends this."""
        for form in self.markup.forms:
            if form.has(wanted):
                return form
        there = [(form.fields, form.buttons) for form in self.markup.forms]
        raise Failure(f"no form of the page sends {wanted}; there are {there}\n{self.markup.text[:2000]}")

    def has_form(self, **wanted):
        return any(form.has(wanted) for form in self.markup.forms)


class Visitor:
    def __init__(self, port, place, address="127.0.0.1"):
        self.port, self.place, self.address = port, place, address
        self.cookies = {}

    def send(self, method, path, body=None, headers=()):
        """One request, with its answer; every answer has the headers that all must have."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE, source_address=(self.address, 0))
        sent = dict(headers)
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        try:
            connection.request(method, path, body, sent)
            got = connection.getresponse()
            answer = Answer(got.status, got.getheaders(), got.read().decode("utf-8", errors="replace"))
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()
        for cookie in answer.cookies:
            for name, morsel in http.cookies.SimpleCookie(cookie).items():
                self.cookies[name] = morsel.value
        return answer

    def address_of(self, page, **query):
        return f"/{self.place}/?" + urllib.parse.urlencode({"page": page, **query})

    def ask(self, method, path, body=None, headers=()):
        answer = self.send(method, path, body, headers)
        for name, value in HEADERS.items():
            expect(answer.header(name) == value, f"{method} {path}: {answer.status} has {name} {answer.header(name)!r}")
        expect("default-src 'none'" in answer.header("content-security-policy"), f"{method} {path}: has no policy")
        expect("x-powered-by" not in answer.headers, f"{method} {path}: says what it runs on")
        return answer

    def get(self, page, **query):
        return self.follow(self.address_of(page, **query))

    def follow(self, path):
        """A page that must be there."""
        answer = self.ask("GET", path)
        expect(answer.status == 200, f"GET {path}: {answer.status} {answer.header('location')} {said(answer)}")
        return answer

    def submit(self, form, **fields):
        """Sends a form with what is filled in; what comes of it, which is 303 and the page to look at, or a refusal."""
        filled = [(name, value) for name, value in form.fields if name not in fields]
        for name, value in fields.items():
            for one in value if isinstance(value, list) else [value]:
                filled.append((name, one))
        return self.ask("POST", form.action, urllib.parse.urlencode(filled))

    def act(self, form, **fields):
        """Sends a form, and looks at the page that it leads to."""
        answer = self.submit(form, **fields)
        expect(answer.status == 303, f"{form.fields}: {answer.status} {said(answer)}")
        return self.follow(answer.header("location"))

    def reach(self, page, action, wanted, **query):
        """The form that does something to one thing: on the page itself, or on one that a link of it with that thing leads to."""
        value = next(iter(wanted.values()), None)
        answer = self.get(page, **query)
        if answer.has_form(action=action, **wanted):
            return answer.form(action=action, **wanted)
        tried = []
        for link in dict.fromkeys(answer.markup.links):
            named = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
            if named.get("page") == [page] and (value is None or any(value in values for values in named.values())):
                there = self.follow(link)
                tried.append(link)
                if there.has_form(action=action, **wanted):
                    return there.form(action=action, **wanted)
        return answer.form(action=action, **wanted, reached_by=tried)

    def log_in(self, password):
        answer = self.submit(self.get("login").form(action="log_in"), password=password)
        expect(answer.status == 303 and "page=overview" in answer.header("location"),
               f"logging in: {answer.status} {answer.header('location')} {said(answer)}")
        return self


def said(answer):
    return answer.markup.text[:1500] if "<" in answer.body else answer.body[:1500]
