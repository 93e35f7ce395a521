"""The pages of the built site as one document, to be printed.

The pages are taken as they were built, so that figures, equations and sections
have the numbers of the site, and references point where they point there.
"""

import html as markup
import json
import posixpath
import re
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from .project import PipelineError

#: What cannot be printed, or is of no use on paper.
DROPPED = (
    "script, style, link, noscript, template, form, button, input, select, canvas, iframe, audio, video, nav, "
    "a.headerlink, .toctree-wrapper, .d-print-none, .prev-next-area, [hidden]"
)
#: What only works on a screen, and what stands in its place.
INTERACTIVE = ".explorer"
INSTEAD = "Here the website has an explorer, which answers to what its reader chooses; it cannot be printed."
_CONFIGURED = re.compile(r"window\.MathJax\s*=\s*(\{.*\})")


def document(html, parts, front, drawings=None, at="html", pages=None):
    """The whole book as one HTML page.

    Parameters
    ----------
    html : pathlib.Path
        The built site.
    parts : list of (str, list of str)
        Captions (the first may be empty) and the pages under them, without ``.html``.
    front : dict
        What the title page says: ``title``, ``authors``, ``lines`` (list of str).
    drawings : dict of str to str, optional
        Addresses of vector versions of figures, by their names.
    at : str
        Address of the site, seen from the document.
    pages : dict of str to int, optional
        Page numbers for the contents, by anchor; without, none are shown.

    Returns
    -------
    str

    Raises
    ------
    PipelineError
        When a page is missing or has no text.
    """
    names = [name for _, names in parts for name in names]
    soups = {name: _soup(html, name) for name in names}
    bodies, entries = [], []
    for caption, listed in parts:
        chapters = []
        for name in listed:
            article = _article(soups[name], name, names, html, at, drawings or {})
            heading = article.find("h1")
            if heading is None:
                raise PipelineError(
                    f"the page {name}.html has no heading: the book cannot be joined"
                )
            chapters.append((anchor(name), heading.get_text(" ", strip=True)))
            bodies.append(
                f'<section class="page" id="{anchor(name)}">{article.decode_contents()}</section>'
            )
        entries.append((caption, chapters))
    return _whole(front, entries, bodies, _formulas(soups.values()), at, pages)


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


def _article(soup, name, names, html, at, drawings):
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
            figure.find("img")["src"] = drawings[figure["id"]]
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


def _whole(front, entries, bodies, formulas, at, pages):
    options = formulas.get("options", {})
    # Hidden copies of formulas, for screen readers, would come out twice when text is searched or
    # copied.
    options |= {"enableAssistiveMml": False, "menuOptions": {"settings": {"assistiveMml": False}}}
    # nothing in it ends the script
    settings = json.dumps(formulas | {"options": options}).replace("</", "<\\/")
    sheets = "".join(
        f'<link rel="stylesheet" href="{at}/_static/{sheet}">'
        for sheet in ("pygments.css", "sphinx-design.min.css", "netdyn.css", "print.css")
    )
    title = markup.escape(front["title"])
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="light">\n<head><meta charset="utf-8"><title>{title}</title>\n{sheets}\n'
        f"<script>window.MathJax = {settings}</script>\n"
        f'<script defer src="{at}/_static/mathjax/tex-chtml.js"></script>\n</head>\n<body>\n'
        f"{_title_page(front)}\n{_contents(entries, pages)}\n"
        + "\n".join(bodies)
        + "\n</body>\n</html>\n"
    )


def _title_page(front):
    lines = "".join(f"<p>{markup.escape(line)}</p>" for line in front["lines"])
    return (
        f'<section class="title-page"><p class="book-title">{markup.escape(front["title"])}</p>'
        f'<p class="book-authors">{markup.escape(front["authors"])}</p><div class="book-facts">{lines}</div></section>'
    )


def _contents(entries, pages):
    rows = []
    for caption, chapters in entries:
        if caption:
            rows.append(f'<p class="contents-part">{markup.escape(caption)}</p>')
        for target, heading in chapters:
            number = f'<span class="contents-page">{pages.get(target, "")}</span>' if pages else ""
            rows.append(
                f'<p class="contents-line"><a href="#{target}">{markup.escape(heading)}</a>{number}</p>'
            )
    return (
        f'<section class="contents"><p class="contents-title">Contents</p>{"".join(rows)}</section>'
    )
