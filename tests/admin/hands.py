"""What is done by hand in a browser: all of it without JavaScript, and what is nicer with it."""

import urllib.parse

from common import PAGES, expect
from ground import FILE
from servers import PASSWORD

# Where in something one is, which makes no other page.
PLACES = {"skip", "at", "to", "q", "order", "status", "state", "since", "until", "type", "severity", "text",
          "user", "look", "into"}


# Time goes quicker, and what is begun and ended is counted.
QUICK = """
window.begun = window.ended = 0;
const begin = window.setInterval, end = window.clearInterval;
window.setInterval = (what) => { window.begun += 1; return begin(what, 300); };
window.clearInterval = (which) => { window.ended += 1; end(which); };
"""


class Hands:
    def __init__(self, ground, counts):
        self.ground, self.counts = ground, counts

    def show(self, browser):
        self.without_scripts(browser)
        self.copied_once(browser)
        self.watched(browser)

    def without_scripts(self, browser):
        conflict = self.ground.conflict("motd", "good morning", "good evening")
        page = browser.context(script=False).new_page()
        page.goto("/password/?page=conflicts")
        page.fill("input[name=password]", PASSWORD)
        page.click("button")
        page.goto("/password/?page=conflicts")
        page.click(f"main a[href$='page=conflicts&id={conflict['id']}']")
        page.click(f"form:has(input[name=conflict][value='{conflict['id']}']) button[name=take][value=website]")
        page.locator("#notice:not(.empty)").wait_for()
        expect("is asked for" in page.inner_text("#notice"), f"without scripts: {page.inner_text('main')[:500]}")
        self.ground.cron()
        rows = self.ground.everywhere("rizon_bot", "SELECT text FROM notes WHERE name = 'motd'")
        expect(rows == [("good evening",)], f"resolved without scripts, the sides have {rows}")
        for name in PAGES:
            page.goto(f"/password/?page={name}")
            expect(page.locator("h1").count() == 1 and len(page.inner_text("main")) > 40, f"{name} is empty without scripts")
            self.counts["pages without JavaScript"] += 1
        page.context.close()

    def copied_once(self, browser):
        """A key is issued in the browser: shown with a way to copy it, and gone when the page is loaded again."""
        page = browser.context().new_page()
        page.goto("/password/?page=login")
        page.fill("input[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**page=overview*")
        page.goto("/password/?page=keys")
        page.fill("form:has(input[value=issue]) input[name=user]", "7")
        page.fill("form:has(input[value=issue]) input[name=name]", FILE)
        page.click("form:has(input[value=issue]) button")
        page.wait_for_load_state()
        page.locator("#notice:not(.empty)").wait_for()
        expect(page.locator("#notice .once").is_visible(), "it is not said that the key is shown once")
        secret = page.locator("code.secret")
        expect(secret.count() == 1 and secret.inner_text().startswith("crk_"), f"no key is shown: {page.inner_text('#notice')}")
        key = secret.inner_text()
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.click("#notice button")
        page.locator("#notice button:text('Copied')").wait_for()
        expect(page.evaluate("navigator.clipboard.readText()") == key, "something else is copied")
        browser.look(page)
        page.reload()
        expect(key not in page.content(), "a reload shows the key")
        browser.look(page)
        page.context.close()


    def watched(self, browser):
        """History loads itself again while something waits, by itself shows what came of it, and then leaves off."""
        self.ground.sql("bot", "rizon_bot", ("INSERT INTO notes VALUES('watched', 'oops')",))
        self.ground.cron()
        run = self.ground.runs()[0]["run"]
        context = browser.context()
        context.add_init_script(QUICK)
        page = context.new_page()
        page.goto("/password/?page=login")
        page.fill("input[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**page=overview*")
        page.goto("/password/?page=history")
        expect(page.locator("main[data-live]").count() == 0, "history loads itself though nothing waits")
        expect(page.evaluate("window.begun") == 0, "history begins to load itself though nothing waits")
        page.goto(f"/password/?page=history&undo={run}")
        page.click("form:has(input[value=undo]) button")
        page.locator("#notice:not(.empty)").wait_for()
        expect("is asked for" in page.inner_text("#notice"), page.inner_text("main")[:500])
        page.locator("main[data-live] .state", has_text="pending").wait_for()
        overview = context.new_page()
        overview.goto("/password/?page=overview")
        overview.locator("main[data-live='3']").wait_for()
        self.ground.cron()
        # It looks less often again, by one clock and not by two.
        overview.locator("main[data-live='10']").wait_for()
        expect(overview.evaluate("[window.begun, window.ended]") == [2, 1], "the overview is looked at by two clocks")
        overview.close()
        page.locator(".state", has_text="undone").first.wait_for()
        page.locator("main:not([data-live])").wait_for()
        page.wait_for_function("window.begun === window.ended")
        expect(page.locator(".state", has_text="pending").count() == 0, "something waits still")
        browser.look(page)
        page.context.close()


def questions(visitor):
    """Pages behind the pages: of one thing, and those that ask before something dangerous."""
    found, left = {}, [(page, visitor.address_of(page)) for page in PAGES]
    while left:
        page, address = left.pop(0)
        for link in visitor.follow(address).markup.links:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
            name = "-".join([page, *sorted(query.keys() - {"page"})])
            is_further = query.pop("page", None) == [page] and query and not query.keys() & PLACES
            if is_further and name not in found:
                found[name] = link
                left.append((page, link))
    return found
