"""The browser of the system, driven by Playwright, which pip installs into a place of its own below target/.

Nothing that a page does unasked goes unseen: dialogs, errors, what the policy forbids and whatever the console says are
written down by everybody who looks, and fail the test.
"""

import hashlib
import os
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

from common import Failure, find

HERE = Path(__file__).resolve().parent
# Runs before any script of a page.
WATCH = """
window.hacked = null;
window.forbidden = [];
document.addEventListener('securitypolicyviolation', (event) => {
    window.forbidden.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


class Missing(Exception):
    """What cannot be had here."""


def tools(target):
    """Where the packages are; installs them where they are not."""
    try:
        find("chromium")
    except Failure as failure:
        raise Missing("chromium is missing") from failure
    wanted = hashlib.sha256((HERE / "requirements.txt").read_bytes() + sys.version.encode()).hexdigest()[:16]
    place = target / "admin-tools" / wanted
    done = place / "installed"
    if not done.exists():
        for words in ([sys.executable, "-m", "venv", "--clear", place],
                      [place / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r",
                       HERE / "requirements.txt"]):
            try:
                run = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise Missing(f"{words[2]} cannot be run: {error}") from error
            if run.returncode != 0:
                lines = (run.stderr or run.stdout).strip().splitlines() or ["no word why"]
                raise Missing(f"{words[2]} cannot install Playwright: {lines[-1]}")
        done.touch()
    paths = {"base": str(place), "platbase": str(place)}
    library = Path(sysconfig.get_path("platlib", "venv" if "venv" in sysconfig.get_scheme_names() else None, vars=paths))
    site.addsitedir(str(library))
    return library


class Browser:
    """One browser; a context of it is one visitor with cookies of its own."""

    def __init__(self, library, base):
        # Found only once it is installed.
        from playwright.sync_api import sync_playwright
        self.base = base
        self.axe = next(library.glob("**/axe.min.js")).read_text(encoding="utf-8")
        self.wrong = []
        self.expected = []
        self.playwright = sync_playwright().start()
        # Root has no sandbox to be put into.
        flags = ["--no-sandbox"] if os.getuid() == 0 else []
        try:
            self.browser = self.playwright.chromium.launch(executable_path=find("chromium"), args=flags, timeout=60_000)
        except Exception:
            self.playwright.stop()
            raise

    def end(self):
        self.browser.close()
        self.playwright.stop()

    def context(self, *, size="desk", scheme="light", script=True, bypass=False, cookies=None):
        context = self.browser.new_context(
            base_url=self.base, viewport=SIZES[size], color_scheme=scheme, java_script_enabled=script, bypass_csp=bypass,
            is_mobile=size == "phone", has_touch=size == "phone", reduced_motion="reduce")
        context.set_default_timeout(15_000)
        if script:
            context.add_init_script(WATCH)
        if cookies:
            context.add_cookies([{"name": name, "value": value, "url": f"{self.base}{path}"} for name, value, path in cookies])
        context.on("page", self.watch)
        return context

    def watch(self, page):
        page.on("dialog", self.dialog)
        page.on("pageerror", lambda error: self.wrong.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self.console(page, message))
        page.on("request", lambda request: self.asked(page, request))

    def dialog(self, dialog):
        self.wrong.append(f"a dialog opened: {dialog.message}")
        dialog.dismiss()

    def console(self, page, message):
        if message.type in ("error", "warning") and not any(word in message.text for word in self.expected):
            self.wrong.append(f"{page.url}: the console says {message.text}")

    def asked(self, page, request):
        if not request.url.startswith((self.base, "data:")):
            self.wrong.append(f"{page.url}: asks {request.url}")

    def look(self, page):
        """That nothing has run or been tried in this page that is not ours."""
        if (hacked := page.evaluate("window.hacked")) is not None:
            self.wrong.append(f"{page.url}: a script of others ran: {hacked}")
        for words in page.evaluate("window.forbidden"):
            self.wrong.append(f"{page.url}: the policy had to forbid {words}")

    def verdict(self):
        if self.wrong:
            raise Failure("in the browser:\n" + "\n".join(self.wrong[:20]))
