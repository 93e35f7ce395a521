"""A headless Chromium that looks at the built site with the network cut."""

import functools
import http.server
import os
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import sync_playwright

from netdyn_lib.book import pdf

#: "required" makes a missing browser a failure, as CI does.
WANTED = "NETDYN_BROWSER"
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
#: The checker of accessibility, a script that is put into the page.
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
#: A page is ready when its formulas are set and its pictures are there, also those that load when
#: they come into sight.
_READY = """async () => {
  for (const image of document.images) image.loading = "eager";
  const loaded = image =>
    image.complete || new Promise(done => image.onload = image.onerror = done);
  await Promise.all([...document.images].map(loaded));
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  await document.fonts.ready;
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
# Code is the same few colours a thousand times, and a formula the colour of its text:
# one word of each colour and the formula as a whole are checked, in a third of the time.
_AXE = """async () => {
  const colours = new Set();
  for (const word of document.querySelectorAll(".highlight pre span")) {
    if (colours.has(word.className)) continue;
    colours.add(word.className);
    word.classList.add("checked");
  }
  const exclude = [[".highlight pre span:not(.checked)"], ["mjx-container > *"]];
  // Style sheets are not fetched again: from the file system a page may not do that.
  const options = {resultTypes: ["violations"], preload: false};
  const found = await axe.run({include: [["html"]], exclude}, options);
  return found.violations.flatMap(v => v.nodes.map(n => ({
    rule: v.id, impact: v.impact, where: n.target.join(" "),
    why: [...n.any, ...n.all, ...n.none].map(c => c.message).join("; "),
  })));
}"""


def required():
    """True where the tests must not be skipped: under CI, or with ``NETDYN_BROWSER=required``."""
    return os.environ.get(WANTED) == "required" or os.environ.get("CI", "").lower() not in (
        "",
        "0",
        "false",
    )


@contextmanager
def started():
    """A running browser; without one the test is skipped, or fails where one is required."""
    path = pdf.find_browser()
    if path is None:
        known = ", ".join(pdf.BROWSERS)
        reason = f"no browser: install the package chromium (looked for {known}), or name one in "
        reason += pdf.EXECUTABLE
        (pytest.fail if required() else pytest.skip)(reason)
    # Chromium's sandbox does not start as root. No name is resolved, so that nothing outside is
    # reached.
    words = [
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        *(["--no-sandbox"] if _root() else []),
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=words)
        yield browser
        browser.close()


def _root():
    return hasattr(os, "geteuid") and os.geteuid() == 0


@contextmanager
def served(folder):
    """Address of a folder on this machine, while it is served."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


def pages(site):
    """Paths of all pages of a built site, relative to it."""
    found = sorted(path.relative_to(site) for path in site.rglob("*.html"))
    return [path.as_posix() for path in found if "_static" not in path.parts]


class Visit:
    """A reader of the site at ``base`` (``http://…`` or ``file://…``), and what went wrong while
    reading.

    ``faults`` lists errors and warnings of the console, exceptions of scripts,
    requests that failed or answered with an error, and requests to anything
    outside the site; these are refused.
    """

    def __init__(self, browser, base, screen, dark=False):
        self.base, self.faults = base, []
        scheme = "dark" if dark else "light"
        self.context = browser.new_context(
            color_scheme=scheme, reduced_motion="reduce", accept_downloads=True, **screen
        )
        self.context.set_default_timeout(90_000)  # milliseconds; a busy machine takes its time
        self.context.route(re.compile(rf"^(?!{re.escape(base)}/|data:|blob:|about:)"), self._refuse)
        self.context.on(
            "requestfailed",
            lambda request: self.faults.append(f"failed: {request.url} {request.failure}"),
        )
        self.context.on("response", self._answer)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.faults.append(f"exception: {error.error}"))
        self.page = self.context.new_page()

    def open(self, path):
        """Open a page and wait until it is ready."""
        self.page.goto(f"{self.base}/{path}")
        # The root leads on to the front page.
        self.page.wait_for_url(re.compile(r"/(?!index\.html)[^/]*$|/book/index\.html"))
        self.ready()
        return self.page

    def ready(self):
        """Wait until formulas are set and pictures are loaded."""
        self.page.wait_for_load_state("load")
        self.page.evaluate(_READY)

    def axe(self):
        """What the checker of accessibility finds on the page: a list of rule, impact, where and
        why.
        """
        self.page.evaluate(AXE)
        return self.page.evaluate(_AXE)

    def close(self):
        self.context.close()

    def _refuse(self, route):
        self.faults.append(f"outside: {route.request.url}")
        route.abort()

    def _answer(self, response):
        if response.status >= 400:
            self.faults.append(f"answer {response.status}: {response.url}")

    def _said(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(f"console {message.type}: {message.text}")
