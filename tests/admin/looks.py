"""How the pages look and what can be done with them: each on a desk in light and dark and on a phone, with the keyboard only,
for those who cannot see them, and without JavaScript.

Pictures of all go to target/admin-screenshots.
"""

from common import PAGES, Failure, expect

KINDS = {"light": ("desk", "light"), "dark": ("desk", "dark"), "phone": ("phone", "light")}
AXE = """async () => {
    const found = await axe.run(document, {resultTypes: ['violations', 'incomplete']});
    return found.violations.map((one) => ({id: one.id, impact: one.impact, help: one.help,
        nodes: one.nodes.slice(0, 4).map((node) => node.target.join(' ') + ': ' + node.html.slice(0, 160) + ' '
            + node.any.map((check) => check.message).join('; ').slice(0, 300))}));
}"""
WIDE = """() => {
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (wide <= 0) return [];
    const out = [...document.querySelectorAll('body *')].filter((one) => {
        const box = one.getBoundingClientRect();
        return !one.closest('thead') && box.width > 0 && box.right > document.documentElement.clientWidth + 1 && box.left >= 0;
    });
    return [`${wide} px too wide`,
        ...out.slice(0, 5).map((one) => `${one.tagName}.${one.className}: ${one.textContent.slice(0, 60)}`)];
}"""
# Whatever a finger can press is at least so large, but for links within a sentence (pixels).
SMALL = """() => [...document.querySelectorAll('a, button, summary, select, input:not([type=hidden])')].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && box.right > 0 && (box.width < 24 || box.height < 24);
}).slice(0, 5).map((one) => { const box = one.getBoundingClientRect();
    return `${one.tagName} ${one.textContent.trim().slice(0, 30)}: ${Math.round(box.width)} x ${Math.round(box.height)}`; })"""
CUT = """() => [...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth)
    .map((one) => `${one.getAttribute('aria-label')}: ${one.scrollWidth} in ${one.clientWidth} px`)"""
# On a phone each value of a table has its name beside it or above, and what is empty needs none.
UNNAMED = """() => [...document.querySelectorAll('main td[data-label]')].filter((one) => {
    const [name, cell, box] = [getComputedStyle(one, '::before'), getComputedStyle(one), one.getBoundingClientRect()];
    if (box.height === 0) return false;
    if (one.childNodes.length === 0) return true;
    const from = parseFloat(cell.paddingLeft) + parseFloat(name.marginLeft);
    const isBeside = from >= 0 && from + parseFloat(name.width) <= parseFloat(cell.paddingLeft);
    return name.content === 'none' || !(name.display === 'block' && name.float === 'none' || isBeside);
}).slice(0, 5).map((one) => `${one.dataset.label} of ${one.textContent.slice(0, 40)}`)"""
# Names that are short enough are in one piece.
BROKEN = """() => [...document.querySelectorAll('td strong')].filter((one) => /^\\S{1,12}$/.test(one.textContent)
    && !one.closest('details:not([open])') && one.getBoundingClientRect().height > 1.7 * parseFloat(getComputedStyle(one).fontSize))
    .map((one) => one.textContent)"""
# A number that is told first is one word, in large letters.
FIGURES = """() => [...document.querySelectorAll('.figure dd')].filter((one) => one.firstChild.nodeType === 3
    && !/^([\\d,.]+ )?\\S+( of \\d+| you| work| nothing)?$/.test(one.firstChild.textContent.trim())).map((one) => one.textContent)"""
# As the demo is called, and an administrator.
TITLED = "() => { document.querySelector('header .name').textContent = 'cr0sync demo'; }"
# How many lines the text of each has.
LINES = """(all) => all.map((one) => { const range = document.createRange(); range.selectNodeContents(one);
    return range.getBoundingClientRect().height / parseFloat(getComputedStyle(one).lineHeight); })"""
# What a phone may have above the heading (pixels), and of which each page has the same.
HIGHEST = 96
FOCUS = """() => {
    const one = document.activeElement;
    const style = getComputedStyle(one);
    const box = one.getBoundingClientRect();
    return {tag: one.tagName, text: (one.textContent || one.name || '').trim().slice(0, 40), name: one.name || '',
        action: one.form ? (one.form.elements.action || {}).value || one.form.method : '',
        inMain: !!one.closest('main'), isSeen: box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0,
        outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2};
}"""


class Looks:
    def __init__(self, ground, browser, visitor, pictures, counts, extra):
        """`extra` are addresses beside the pages themselves: of one conflict, a question before something dangerous."""
        self.ground, self.browser, self.visitor, self.counts = ground, browser, visitor, counts
        self.pictures = pictures
        self.addresses = {page: visitor.address_of(page) for page in PAGES} | extra

    def show(self):
        self.pictures.mkdir(parents=True, exist_ok=True)
        # What axe finds in one page must not hide what it finds in the next.
        found = []
        for kind, (size, scheme) in KINDS.items():
            # Whoever is not in is shown the login.
            context = self.browser.context(size=size, scheme=scheme, bypass=True)
            page = context.new_page()
            page.goto(f"/{self.visitor.place}/?page=login")
            self.look(page, "login", kind, found)
            context.close()
            context = self.browser.context(size=size, scheme=scheme, bypass=True, cookies=self.cookies())
            page = context.new_page()
            for name, address in self.addresses.items():
                page.goto(address)
                self.look(page, name, kind, found)
            context.close()
        if found:
            raise Failure(f"{len(found)} things keep people out:\n" + "\n".join(found))
        self.fits()
        self.scripts()
        self.keyboard()
        self.live()
        self.menu()
        self.outside()

    def fits(self):
        """On a desk no table is wider than its card, the navigation is one line, and no word of a phone's header is broken."""
        # A run that was undone and left warnings says both.
        self.ground.undone_with_warnings()
        context = self.browser.context(cookies=self.cookies())
        page = context.new_page()
        for width in (1280, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            for name in PAGES:
                page.goto(self.addresses[name])
                wide = page.evaluate(CUT)
                expect(not wide, f"{name} at {width}: {wide}")
                broken = page.evaluate(BROKEN)
                expect(not broken, f"{name} at {width}: broken are {broken}")
                page.evaluate(TITLED)
                tops = page.locator("#pages li").evaluate_all("all => [...new Set(all.map((one) => one.offsetTop))]")
                expect(len(tops) == 1, f"{name} at {width}: the navigation has {len(tops)} lines")
        context.close()
        context = self.browser.context(size="phone", cookies=self.cookies())
        page = context.new_page()
        page.goto(self.addresses["overview"])
        page.evaluate(TITLED)
        lines = page.locator("header > .name, header > .menu, header .user, header button").evaluate_all(LINES)
        expect(max(lines) < 1.5, f"words of the header are broken: {lines} lines")
        context.close()

    def menu(self):
        """On a phone the pages are one press away, without scripts too, and closed again by another."""
        context = self.browser.context(size="phone", script=False, cookies=self.cookies())
        page = context.new_page()
        page.goto(self.addresses["settings"])
        links = page.locator("#pages li a")
        expect(links.count() == len(PAGES) and not links.first.is_visible(), "the menu of a phone is open unasked")
        page.click("header > .menu")
        expect(all(link.is_visible() for link in links.all()), "the menu does not open")
        bottom = page.locator("header").bounding_box()
        expect(bottom["y"] + bottom["height"] < 422, f"the menu fills more than half of a phone: {bottom}")
        page.screenshot(path=self.pictures / "menu-phone.png")
        page.click("#pages .menu")
        expect(not links.first.is_visible(), "the menu does not close")
        page.click("header > .menu")
        links.first.click()
        page.wait_for_url("**page=overview*")
        expect(not links.first.is_visible(), "the menu stays open on the next page")
        context.close()

    def outside(self):
        """Who may not come in is told so by pages that anybody can read. The address of the browser is locked out by this."""
        self.browser.expected += ["status of 403", "status of 429"]
        found = []
        for kind, (size, scheme) in KINDS.items():
            context = self.browser.context(size=size, scheme=scheme, bypass=True)
            page = context.new_page()
            # The website itself has no icon, which the console would say.
            context.request.get("/login.php?as=member")
            expect(page.goto("/host/?page=overview").status == 403, "whoever is no administrator comes in")
            self.look(page, "outside-not-allowed", kind, found)
            page.goto("/password/?page=login")
            for _ in range(20):
                page.fill("input[name=password]", "guess")
                page.click("button")
                page.wait_for_load_state()
                if page.locator("input[name=password]").count() == 0:
                    break
            expect(page.inner_text("h1") == "Too many tries", f"twenty tries end with {page.inner_text('body')}")
            self.look(page, "outside-locked-out", kind, found)
            context.close()
            self.sent_away(size, scheme, kind, found)
        expect(not found, "for those outside:\n" + "\n".join(found))

    def sent_away(self, size, scheme, kind, found):
        """Whose session is over, or whose form is too old, when he presses a button: told so, and led on."""
        for name, cookies, leads in (("session-over", None, "page=login"), ("form-too-old", self.cookies(), "page=keys")):
            context = self.browser.context(size=size, scheme=scheme, bypass=True, cookies=self.cookies())
            page = context.new_page()
            page.goto(self.addresses["keys"])
            if cookies is None:
                context.clear_cookies()
            else:
                page.evaluate("document.querySelectorAll('input[name=csrf]').forEach((one) => { one.value = 'x'; })")
            page.click("header form button")
            page.wait_for_load_state()
            expect(page.locator("h1").count() == 1 and leads in (page.locator("main a").get_attribute("href") or ""),
                   f"{name}: {page.inner_text('body')}")
            expect("Nothing was done" in page.inner_text("main"), f"{name}: {page.inner_text('body')}")
            self.look(page, f"outside-{name}", kind, found)
            context.close()

    def cookies(self):
        return [(name, value, f"/{self.visitor.place}/") for name, value in self.visitor.cookies.items()]

    def look(self, page, name, kind, found):
        page.screenshot(path=self.pictures / f"{name}-{kind}.png", full_page=True)
        self.counts["pictures"] += 1
        # Pictures are of everything; a page has one heading, which says what it is.
        headings = page.locator("h1").all_inner_texts()
        expect(len(headings) == 1 and headings[0].strip(), f"{name} has the headings {headings}")
        if kind.startswith("phone"):
            for width in (320, 390):
                page.set_viewport_size({"width": width, "height": 844})
                found += [f"{name}, {kind} of {width} px: {words}" for words in page.evaluate(WIDE)]
            found += [f"{name}, {kind}, too small: {words}" for words in page.evaluate(SMALL)]
            found += [f"{name}, {kind}, without its name: {words}" for words in page.evaluate(UNNAMED)]
            top = page.locator("h1").bounding_box()["y"]
            expect(top < HIGHEST, f"{name} begins {top} px below the top of a phone")
        found += [f"{name}, {kind}, a figure: {words}" for words in page.evaluate(FIGURES)]
        page.evaluate(self.browser.axe)
        for one in page.evaluate(AXE):
            found.append(f"{name}, {kind}: {one['impact']} {one['id']}, {one['help']}\n    " + "\n    ".join(one["nodes"]))
        self.counts["checks with axe"] += 1

    def scripts(self):
        """As people have it: the policy is in force, and nothing it forbids is even tried."""
        context = self.browser.context(cookies=self.cookies())
        page = context.new_page()
        for name, address in self.addresses.items():
            page.goto(address)
            self.browser.look(page)
            marked = page.locator("main :is([onclick], [onload], [onerror], [style], script, iframe, img)")
            expect(marked.count() == 0, f"{name} has markup that nobody of us wrote")
        self.copies(page)
        context.close()

    def copies(self, page):
        """Each button that copies says what; where the browser does not let it, the text is chosen, to be copied by hand."""
        page.goto(self.addresses["settings"])
        told = page.locator("[data-copy] + button").evaluate_all(
            "all => all.map((one) => document.getElementById(one.getAttribute('aria-describedby')) === one.previousElementSibling)")
        expect(len(told) > 1 and all(told), f"of the buttons that copy say what they copy: {told}")
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')); }")
        button = page.locator("[data-copy] + button").first
        button.click()
        page.locator("button", has_text="by hand").wait_for()
        chosen = page.evaluate("document.getSelection().toString()")
        expect(chosen and chosen == page.locator("[data-copy]").first.inner_text(), f"chosen is {chosen!r}")

    def keyboard(self):
        """The first key leads past the navigation, and every form can be reached and seen to be reached."""
        context = self.browser.context(cookies=self.cookies())
        page = context.new_page()
        for name, address in self.addresses.items():
            page.goto(address)
            page.keyboard.press("Tab")
            first = page.evaluate(FOCUS)
            expect("content" in first["text"] and first["isSeen"] and first["outline"], f"{name}: the first stop is {first}")
            page.keyboard.press("Enter")
            expect(page.evaluate("document.activeElement.id") == "content", f"{name}: the skip link leads to nothing")
            wanted = page.locator("main form").evaluate_all(
                "forms => forms.map((one) => (one.elements.action || {}).value || one.method)")
            reached = set()
            for _ in range(400):
                page.keyboard.press("Tab")
                stop = page.evaluate(FOCUS)
                if not stop["inMain"]:
                    break
                expect(stop["isSeen"], f"{name}: a stop that nobody sees: {stop}")
                expect(stop["outline"], f"{name}: the focus is not to be seen on {stop}")
                reached.add(stop["action"])
                self.counts["stops of the keyboard"] += 1
            expect(set(wanted) <= reached, f"{name}: the keyboard reaches {reached}, there are {set(wanted)}")
        context.close()

    def live(self):
        """A page that loads itself again is still itself, and does it without an error."""
        context = self.browser.context(cookies=self.cookies())
        context.add_init_script("const wait = window.setInterval; window.setInterval = (what) => wait(what, 300);")
        page = context.new_page()
        for name in PAGES:
            page.goto(self.addresses[name])
            if not page.locator("main[data-live]").count():
                continue
            before = page.locator("main > *").count()
            with page.expect_response(lambda answer: f"page={name}" in answer.url, timeout=10_000) as answer:
                pass
            # By this the pages know that nobody did anything.
            expect(answer.value.request.headers.get("x-live") == "1", f"{name} does not say that it loads itself")
            page.wait_for_timeout(200)
            expect(page.locator("main > *").count() == before, f"{name} has other parts after it was loaded again")
            # Whoever goes through the page by keyboard is not thrown back to its beginning.
            page.keyboard.press("Tab")
            for stop in [*page.locator("main [tabindex='0']").all()[:2], *page.locator("main a").all()[:1]]:
                stop.focus()
                page.wait_for_timeout(350)
                expect(page.evaluate("document.activeElement !== document.body"), f"{name}: loaded again, the focus is lost")
            page.evaluate("document.activeElement.blur()")
            # What cannot be loaded any more says since when, until it can.
            self.browser.expected.append("ERR_FAILED")
            page.route("**", lambda route: route.abort())
            page.locator("#stale", has_text="Not refreshed since").wait_for()
            page.evaluate(self.browser.axe)
            found = page.evaluate(AXE)
            expect(not found, f"{name}, not refreshed: {found}")
            page.unroute("**")
            page.locator("#stale").wait_for(state="detached")
            self.browser.look(page)
            self.counts["pages that load themselves"] += 1
        context.close()
