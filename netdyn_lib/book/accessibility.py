"""Mends of the finished pages for readers with a keyboard, a screen reader, a telephone or a dark
screen.

Each function takes a page's HTML and gives it back mended, and says what the
theme or the renderer does wrong. Applied twice, each gives the same as once.
"""

import html as escapes
import re
import struct

from bs4 import BeautifulSoup

#: What the theme writes for a reader who has not chosen between light and dark.
_UNCHOSEN = 'localStorage.getItem("{0}") || "";'
_TABLE = re.compile(r"<table\b[^>]*\bclass=\"[^\"]*\bscorecard\b.*?</table>", flags=re.S)
_BRANCH = re.compile(
    r"(<a\b[^>]*>((?:(?!</a>).)*)</a><details(?: open=\"open\")?>)<summary>(<span class=\"toctree-toggle\")",
    flags=re.S,
)
_PICTURE = re.compile(r"<img\b[^>]*\bsrc=\"([^\"]+\.png)\"[^>]*>")


def mend(site):
    """Mend every page of the site in the folder ``site``."""
    for path in sorted(site.rglob("*.html")):
        if "_static" in path.relative_to(site).parts:
            continue  # templates of the theme, not pages
        old = path.read_text(encoding="utf-8")
        new = redirection(branches(scorecards(bibliography(colours(old)))))
        new = figures(new, path.parent)
        if new != old:
            path.write_text(new, encoding="utf-8")


def colours(page):
    """The reader's system decides between light and dark until the reader does.

    The theme writes an empty choice, which its own script then reports as an
    error on the console, after a flash of the light page on a dark screen.
    """
    dark = 'window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"'
    page = page.replace(_UNCHOSEN.format("mode"), 'localStorage.getItem("mode") || "auto";')
    return page.replace(_UNCHOSEN.format("theme"), f'localStorage.getItem("theme") || ({dark});')


def bibliography(page):
    """Entries of a bibliography are the items of a list.

    Docutils gives them the role ``doc-biblioentry``, which ARIA has withdrawn, so
    that their list has no items for a screen reader.

    >>> bibliography('<div role="list"><div role="doc-biblioentry">')
    '<div role="list"><div role="listitem">'
    """
    return page.replace('role="doc-biblioentry"', 'role="listitem"')


def branches(page):
    """What opens a branch of the contents says which.

    The theme shows an arrow alone.

    >>> branches('<a class="reference internal" href="x.html">Data</a><details><summary><span class="toctree-toggle"')
    '<a class="reference internal" href="x.html">Data</a><details><summary aria-label="Pages below
    Data"><span class="toctree-toggle"'
    """
    return _BRANCH.sub(
        lambda match: f'{match[1]}<summary aria-label="Pages below {_text(match[2])}">{match[3]}',
        page,
    )


def _text(words):
    return escapes.escape(" ".join(BeautifulSoup(words, "html.parser").get_text().split()))


def scorecards(page):
    """Cells of a scorecard carry the name of their column, and roles.

    On a telephone the style sheet stacks the cells of a row. A table that is not
    laid out as one loses its meaning for a screen reader, unless roles say it.
    """
    return _TABLE.sub(lambda match: _scorecard(match[0]), page)


def _scorecard(words):
    soup = BeautifulSoup(words, "html.parser")
    soup.table["role"] = "table"
    for part in soup.find_all(["thead", "tbody"]):
        part["role"] = "rowgroup"
    names = (
        [cell.get_text(" ", strip=True) for cell in soup.thead.find_all("th")] if soup.thead else []
    )
    for row in soup.find_all("tr"):
        row["role"] = "row"
        for k, cell in enumerate(row.find_all(["th", "td"], recursive=False)):
            heads = cell.name == "th"
            cell["role"] = (
                "cell"
                if not heads
                else "columnheader"
                if cell.find_parent("thead")
                else "rowheader"
            )
            if not cell.find_parent("thead") and k < len(names):
                cell["data-column"] = names[k]
    return str(soup)


def figures(page, folder):
    """Pictures know their size before they are loaded, and stand in a frame that can scroll.

    Without a size the page jumps while pictures load. On a telephone a figure
    shrunk to the screen has letters of 5 pixels: the style sheet keeps it larger
    and lets its frame scroll.
    """

    def frame(match):
        picture = (folder / match[1]).resolve()
        if "--pixels" in match[0] or not picture.exists():
            return match[0]
        width, height = size(picture)
        known = (
            f'<img width="{width}" height="{height}" style="--pixels: {width}px"'
            + match[0][len("<img") :]
        )
        return f'<span class="figure-frame" data-name="figure">{known}</span>'

    return _PICTURE.sub(frame, page)


def size(png):
    """Width and height of a PNG file, in pixels."""
    head = png.read_bytes()[:24]
    if head[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{png} does not begin like a PNG file: {head[:8]!r}")
    return struct.unpack(">II", head[16:24])


def redirection(page):
    """The page that leads on to the front page has a language, a title and a link.

    Jupyter Book writes a single bare line, which leaves a reader whose browser does not follow it
    with nothing.
    """
    bare = re.fullmatch(
        r"\s*<meta http-equiv=\"Refresh\" content=\"0; url=([^\"]+)\"\s*/?>\s*", page
    )
    if not bare:
        return page
    address = escapes.escape(bare[1])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Refresh" content="0; url={address}">\n<title>To the front page</title>\n</head>\n'
        f'<body><main><h1>Moved</h1><p><a href="{address}">To the front page</a></p></main></body>\n</html>\n'
    )
