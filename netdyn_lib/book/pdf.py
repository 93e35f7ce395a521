"""The built site as one document, and that printed as PDF by headless Chromium.

Pages are taken as they were built, so that figures, equations and sections have the numbers of the
site, and references point where they point there.
"""

import html as markup
import json
import os
import posixpath
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from .project import PipelineError, write_whole

#: Any of these will do; the first that is found is taken.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Names the executable, where it is not on the path or another one is wanted.
EXECUTABLE = "NETDYN_CHROMIUM"
#: What cannot be printed, or is of no use on paper.
DROPPED = (
    "script, style, link, noscript, template, form, button, input, select, canvas, iframe, audio, "
    "video, nav, a.headerlink, .toctree-wrapper, .d-print-none, .prev-next-area, [hidden]"
)
#: What only works on a screen, and what stands in its place.
INTERACTIVE = ".explorer"
INSTEAD = (
    "Here the website has an explorer, which answers to what its reader chooses; "
    "it cannot be printed."
)
_CONFIGURED = re.compile(r"window\.MathJax\s*=\s*(\{.*\})")
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
    const inner = wide.matches("mjx-container, svg") ? wide : null;
    if (wide.closest("mjx-container, svg") !== inner) continue;
    const room = (wide.closest("td") || wide.closest("section")).getBoundingClientRect().width;
    const need = Math.max(wide.scrollWidth || 0, wide.getBoundingClientRect().width);
    if (need > room + 1) wide.style.zoom = (room / need).toFixed(4);
  }
}"""
_WRONG = """() => {
  const all = selector => [...document.querySelectorAll(selector)];
  const lost = [...document.images].filter(image => !image.naturalWidth)
    .map(image => "a picture is missing: " + image.getAttribute("src"));
  const set = all("mjx-container").length, asked = all(".math").length;
  const failed = all("mjx-merror").map(one => "a formula cannot be set: " + one.textContent);
  if (set < asked) lost.push(`${asked} formulas, but ${set} were set`);
  const ids = new Set(all("[id]").map(one => one.id));
  const target = link => decodeURIComponent(link.getAttribute("href").slice(1));
  const links = all('a[href^="#"]').map(target);
  const astray = links.filter(id => !ids.has(id)).map(id => "a link points nowhere: #" + id);
  return [...lost, ...failed, ...astray];
}"""


# One document


@dataclass(frozen=True)
class Book:
    """A built site, and what makes one document of it.

    html : folder of the site
    parts : list of (caption, pages without ``.html``); the first caption may be empty
    front : what the title page says: ``title``, ``authors``, ``lines`` (list of str)
    drawings : vector versions of figures, paths by the figures' names
    """

    html: Path
    parts: list
    front: dict
    drawings: dict = field(default_factory=dict)


def document(book, at="html", pages=None):
    """Return the whole book as one HTML page.

    ``at`` is the address of the site, seen from the document; ``pages`` are page numbers for the
    contents, by anchor.
    """
    names = [name for _, names in book.parts for name in names]
    soups = {name: _soup(book.html, name) for name in names}
    bodies, entries = [], []
    for caption, listed in book.parts:
        chapters = []
        for name in listed:
            article = _article(soups[name], name, names, at, book.drawings)
            heading = article.find("h1")
            if heading is None:
                what = f"the page {name}.html has no heading"
                raise PipelineError(f"{what}: the book cannot be joined")
            chapters.append((anchor(name), heading.get_text(" ", strip=True)))
            inner = article.decode_contents()
            bodies.append(f'<section class="page" id="{anchor(name)}">{inner}</section>')
        entries.append((caption, chapters))
    formulas = _formulas(soups.values())
    front = f"{_title_page(book.front)}\n{_contents(entries, pages)}"
    return _whole(book.front["title"], "\n".join([front, *bodies]), formulas, at)


def anchor(name, id=""):
    """Where a page, or an element of it, is found in the joined document.

    >>> anchor("notebooks/01_toy_map", "fig-a"), anchor("book/data")
    ('notebooks-01_toy_map--fig-a', 'book-data')
    """
    return name.replace("/", "-") + (f"--{id}" if id else "")


def _soup(html, name):
    path = html / f"{name}.html"
    if not path.exists():
        raise PipelineError(f"the site has no page {path}: build it first")
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def _article(soup, name, names, at, drawings):
    article = soup.find("article")
    if article is None:
        raise PipelineError(f"the page {name}.html has no text: the book cannot be joined")
    for node in article.select(INTERACTIVE):
        note = soup.new_tag("p", attrs={"class": "left-out"})
        note.string = INSTEAD
        node.replace_with(note)
    for node in article.select(DROPPED):
        if not node.decomposed:
            node.decompose()
    # What a page folds away is left out.
    for node in article.find_all("details"):
        if not node.decomposed and not node.has_attr("open"):
            node.decompose()
    for figure in article.find_all("figure", id=True):
        if figure["id"] in drawings and figure.find("img"):
            figure.find("img")["src"] = Path(drawings[figure["id"]]).resolve().as_uri()
            figure.find("img")["data-vector"] = ""
    for node in article.find_all("a", href=True):
        _turn(node, name, names)
    for node in article.find_all("img", src=True):
        if "data-vector" not in node.attrs and not urlsplit(node["src"]).scheme:
            node["src"] = posixpath.join(
                at, posixpath.normpath(posixpath.join(posixpath.dirname(name), node["src"]))
            )
    for node in article.find_all(id=True):
        node["id"] = anchor(name, node["id"])
    return article


def _turn(link, name, names):
    """Let a link point into the document; one to a file of the site becomes plain text, for a
    printed book has no files.
    """
    address = urlsplit(link["href"])
    if address.scheme or address.netloc:
        return
    page = name
    if address.path:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(address.path)))
        page = path.removesuffix(".html")
        if not path.endswith(".html") or page not in names:
            del link["href"]
            return
    link["href"] = "#" + anchor(page, unquote(address.fragment))


def _formulas(soups):
    """How the site's pages configure MathJax; {} where no page has formulas."""
    for soup in soups:
        for script in soup.find_all("script"):
            found = _CONFIGURED.search(script.get_text())
            if found:
                return json.loads(found[1])
    return {}


_DOCUMENT = """\
<!DOCTYPE html>
<html lang="en" data-theme="light">
<head><meta charset="utf-8"><title>{title}</title>
{sheets}
<script>window.MathJax = {settings}</script>
<script defer src="{at}/_static/mathjax/tex-chtml.js"></script>
</head>
<body>
{body}
</body>
</html>
"""
_SHEETS = ("pygments.css", "sphinx-design.min.css", "netdyn.css", "print.css")


def _whole(title, body, formulas, at):
    options = formulas.get("options", {})
    # Hidden copies of formulas, for screen readers, would come out twice when text is searched or
    # copied.
    options |= {"enableAssistiveMml": False, "menuOptions": {"settings": {"assistiveMml": False}}}
    # nothing in it ends the script
    settings = json.dumps(formulas | {"options": options}).replace("</", "<\\/")
    sheets = [f'<link rel="stylesheet" href="{at}/_static/{sheet}">' for sheet in _SHEETS]
    texts = {"title": markup.escape(title), "sheets": "".join(sheets), "settings": settings}
    return _DOCUMENT.format(**texts, at=at, body=body)


def _title_page(front):
    lines = "".join(f"<p>{markup.escape(line)}</p>" for line in front["lines"])
    return (
        f'<section class="title-page"><p class="book-title">{markup.escape(front["title"])}</p>'
        f'<p class="book-authors">{markup.escape(front["authors"])}</p>'
        f'<div class="book-facts">{lines}</div></section>'
    )


def _contents(entries, pages):
    rows = []
    for caption, chapters in entries:
        if caption:
            rows.append(f'<p class="contents-part">{markup.escape(caption)}</p>')
        for target, heading in chapters:
            number = f'<span class="contents-page">{pages.get(target, "")}</span>' if pages else ""
            link = f'<a href="#{target}">{markup.escape(heading)}</a>'
            rows.append(f'<p class="contents-line">{link}{number}</p>')
    return (
        f'<section class="contents"><p class="contents-title">Contents</p>{"".join(rows)}</section>'
    )


# Printing


def find_browser():
    """Return the path of the browser, None where there is none.

    Raises
    ------
    FileNotFoundError
        When the environment names one that is not there.
    """
    named = os.environ.get(EXECUTABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise FileNotFoundError(f"{EXECUTABLE} names {named!r}, which is no executable")
        return found
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def require():
    """Path of Chromium.

    Raises
    ------
    PipelineError
        When it or Playwright is not installed.
    """
    try:
        path = find_browser()
    except FileNotFoundError as error:
        raise PipelineError(str(error)) from None
    if path is None:
        raise PipelineError(
            "the PDF is printed by Chromium, which is not installed; on Debian: "
            "apt-get install chromium; or leave the PDF out: make supplement PDF=0"
        )
    try:
        import playwright  # noqa: F401
    except ImportError:
        raise PipelineError(
            "the package playwright is not installed: run make install, or make supplement PDF=0"
        ) from None
    return path


def print_book(book, target, date=None):
    """Write a :class:`Book` to the PDF ``target``; return its number of pages.

    It is printed twice, because the contents need the page numbers.  ``date``, a datetime, stands
    in the PDF in place of the time of printing.

    Raises
    ------
    PipelineError
        When there is no Chromium, a picture is missing, a formula cannot be set, a link points
        nowhere, or a page asks for something outside.
    """
    from pypdf import PdfReader

    path, source = require(), target.with_suffix(".html")
    target.parent.mkdir(parents=True, exist_ok=True)
    at = book.html.resolve().as_uri()
    try:
        with _opened(path) as printing:
            write_whole(source, document(book, at))
            printing(source, target)
            write_whole(source, document(book, at, _places(PdfReader(target))))
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


@contextmanager
def _opened(path):
    """A browser that is cut off from the network; yields a function that prints a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path)
        try:
            yield lambda source, target: _print(chromium, source, target)
        finally:
            chromium.close()


def _print(chromium, source, target):
    viewport = {"width": COLUMN, "height": 1000}
    context = chromium.new_context(offline=True, viewport=viewport)
    page, outside = context.new_page(), []

    def asked(request):
        if not request.url.startswith(("file:", "data:", "blob:")):
            outside.append(f"a page asks for {request.url}")

    page.on("request", asked)
    page.emulate_media(media="print")
    page.goto(source.resolve().as_uri(), wait_until="load", timeout=PATIENCE)
    page.set_default_timeout(PATIENCE)
    page.evaluate("() => MathJax.startup.promise")
    page.evaluate("() => document.fonts.ready")
    page.evaluate(_FIT)
    wrong = page.evaluate(_WRONG) + outside
    if wrong:
        raise PipelineError("the book cannot be printed:\n  " + "\n  ".join(wrong[:20]))
    options = {"prefer_css_page_size": True, "print_background": True}
    page.pdf(path=target, tagged=True, outline=True, **options)
    context.close()
