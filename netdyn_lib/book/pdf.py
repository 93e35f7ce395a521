"""Print the built site as one PDF, by headless Chromium."""

import re
from pathlib import Path

from . import chromium, joined
from .project import PipelineError, write_whole

#: Width of the printed column in CSS pixels: A4 less two margins of 20 mm, as in print.css.
COLUMN = 642
#: Milliseconds that typesetting all formulas may take.
PATIENCE = 240_000

# Run in the page once formulas are set: figures get the size they were drawn at,
# and what is wider than the column is scaled to it.
_FIT = """() => {
  for (const image of document.querySelectorAll("figure img")) {
    const inches = image.naturalWidth / (image.hasAttribute("data-vector") ? 96 : 150);
    image.style.width = `min(100%, ${(0.92 * inches).toFixed(3)}in)`;
  }
  for (const wide of document.querySelectorAll("table, mjx-container[display], svg")) {
    if (wide.closest("mjx-container, svg") !== (wide.matches("mjx-container, svg") ? wide : null)) continue;
    const room = (wide.closest("td") || wide.closest("section")).getBoundingClientRect().width;
    const need = Math.max(wide.scrollWidth || 0, wide.getBoundingClientRect().width);
    if (need > room + 1) wide.style.zoom = (room / need).toFixed(4);
  }
}"""
_WRONG = """() => {
  const lost = [...document.images].filter(image => !image.naturalWidth).map(image => "a picture is missing: " + image.getAttribute("src"));
  const set = document.querySelectorAll("mjx-container").length, asked = document.querySelectorAll(".math").length;
  const failed = [...document.querySelectorAll("mjx-merror")].map(one => "a formula cannot be set: " + one.textContent);
  if (set < asked) lost.push(`${asked} formulas, but ${set} were set`);
  const ids = new Set([...document.querySelectorAll("[id]")].map(one => one.id));
  const links = [...document.querySelectorAll('a[href^="#"]')].map(one => decodeURIComponent(one.getAttribute("href").slice(1)));
  return [...lost, ...failed, ...links.filter(id => !ids.has(id)).map(id => "a link points nowhere: #" + id)];
}"""


def require():
    """Path of Chromium.

    Raises
    ------
    PipelineError
        When it or Playwright is not installed.
    """
    try:
        path = chromium.find()
    except FileNotFoundError as error:
        raise PipelineError(str(error)) from None
    if path is None:
        raise PipelineError(
            "the PDF is printed by Chromium, which is not installed; on Debian: apt-get install chromium; "
            "or leave the PDF out: make supplement PDF=0"
        )
    try:
        import playwright  # noqa: F401
    except ImportError:
        raise PipelineError(
            "the package playwright is not installed: run make install, or make supplement PDF=0"
        ) from None
    return path


def print_book(html, parts, front, target, drawings=None, date=None):
    """Write the site's pages to one PDF.

    It is printed twice, because the contents need the page numbers.

    Parameters
    ----------
    html : pathlib.Path
        The built site.
    parts, front, drawings
        As for :func:`.joined.document`; drawings as paths of files.
    target : pathlib.Path
        The PDF.
    date : datetime.datetime, optional
        Stands in the PDF in place of the time of printing.

    Returns
    -------
    int
        Number of pages.

    Raises
    ------
    PipelineError
        When there is no Chromium, a picture is missing, a formula cannot be
        set, a link points nowhere, or a page asks for something outside.
    """
    from pypdf import PdfReader

    path = require()
    target.parent.mkdir(parents=True, exist_ok=True)
    source = target.with_suffix(".html")
    addresses = {name: Path(file).resolve().as_uri() for name, file in (drawings or {}).items()}

    def write(pages):
        write_whole(
            source, joined.document(html, parts, front, addresses, html.resolve().as_uri(), pages)
        )

    try:
        with _opened(path) as printing:
            write({})
            printing(source, target)
            write(_places(PdfReader(target)))
            printing(source, target)
    finally:
        source.unlink(missing_ok=True)
    if date is not None:
        target.write_bytes(_dated(target.read_bytes(), date))
    return len(PdfReader(target).pages)


def _places(reader):
    """Page number of every named place, from 1."""
    return {
        name.removeprefix("/"): reader.get_destination_page_number(place) + 1
        for name, place in reader.named_destinations.items()
    }


def _dated(pdf, date):
    """The PDF with another time of printing; nothing moves, because all times are of one length."""
    stamp = date.strftime("D:%Y%m%d%H%M%S+00'00'").encode()
    return re.sub(rb"\((D:\d{14}\+00'00')\)", b"(" + stamp + b")", pdf)


class _opened:
    """A browser that is cut off from the network; a function that prints a page while it is open."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        from playwright.sync_api import sync_playwright

        self.driver = sync_playwright().start()
        self.chromium = self.driver.chromium.launch(executable_path=self.path)
        return self.print

    def __exit__(self, *error):
        self.chromium.close()
        self.driver.stop()

    def print(self, source, target):
        context = self.chromium.new_context(
            offline=True, viewport={"width": COLUMN, "height": 1000}
        )
        page = context.new_page()
        outside = []
        page.on(
            "request",
            lambda request: None
            if request.url.startswith(("file:", "data:", "blob:"))
            else outside.append(request.url),
        )
        page.emulate_media(media="print")
        page.goto(source.resolve().as_uri(), wait_until="load", timeout=PATIENCE)
        page.set_default_timeout(PATIENCE)
        page.evaluate("() => MathJax.startup.promise")
        page.evaluate("() => document.fonts.ready")
        page.evaluate(_FIT)
        wrong = page.evaluate(_WRONG) + [f"a page asks for {url}" for url in outside]
        if wrong:
            raise PipelineError("the book cannot be printed:\n  " + "\n  ".join(wrong[:20]))
        page.pdf(
            path=target, prefer_css_page_size=True, print_background=True, tagged=True, outline=True
        )
        context.close()
