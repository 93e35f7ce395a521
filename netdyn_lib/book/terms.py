"""Links to the glossary, from the first use of each of its terms on a page."""

import os
import re
from pathlib import Path

from bs4 import BeautifulSoup

from .project import write_whole

GLOSSARY = Path("book/glossary.html")
#: Where a term is no prose, or already leads somewhere.
_NOT_IN = (
    "a",
    "code",
    "pre",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "script",
    "style",
    "table",
    "dt",
    "details",
    "nav",
    "figcaption",
    "button",
    "label",
    "option",
)
#: Between the words of a term, and where it has a hyphen or could have one; some are drawn so that
#: lines do not break there.
_GAP, _HYPHEN = r"[\s‐‑-]+", r"[\s‐‑-]"
_MATH = re.compile(r"\\\(|\\\[|\$")


def link(html, skip=()):
    """Link the first use of each term in the prose of every page of a site, in place.

    Parameters
    ----------
    html : pathlib.Path
        Folder of the built site.
    skip : sequence of str
        Pages and folders, relative to it, that are left alone besides the glossary itself.

    Returns
    -------
    int
        How many links were made; 0 for a site without a glossary.
    """
    if not (html / GLOSSARY).exists():
        return 0
    known, count = read(html / GLOSSARY), 0
    for page in sorted(html.rglob("*.html")):
        here = page.relative_to(html)
        if here == GLOSSARY or here.parts[0] in ("_static", *skip) or str(here) in skip:
            continue
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        made = _link(
            soup, known, os.path.relpath(html / GLOSSARY, page.parent).replace(os.sep, "/")
        )
        if made:
            write_whole(page, str(soup))
            count += made
    return count


def read(page):
    """Term, in small letters → (id, definition) of a built glossary; terms of one entry share the
    definition.
    """
    soup, found = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser"), {}
    for definition in soup.select("dl.glossary > dd"):
        text = " ".join(definition.get_text().split())
        term = definition.find_previous_sibling(["dt", "dd"])
        while term is not None and term.name == "dt":
            found[_plain(term)] = term["id"], text
            term = term.find_previous_sibling(["dt", "dd"])
    return found


def _plain(term):
    return " ".join("".join(term.find_all(string=True, recursive=False)).split()).lower()


def forms(term):
    """A pattern for the forms in which prose has a term: singular or plural, with or without its
    hyphens, broken over two lines.

    >>> bool(re.fullmatch(forms("mini-batch"), "minibatches")), bool(re.fullmatch(forms("edge of stability"), "edge-of-stability"))
    (True, True)
    """
    parts = [
        f"{_HYPHEN}?" if gap in "-‐‑" else _GAP if gap.isspace() else re.escape(gap)
        for gap in re.split(r"([-‐‑]|\s+)", term)
        if gap
    ]
    last = parts[-1]
    if re.search("[^aeiou]y$", last):
        parts[-1] = f"{last[:-1]}(?:y|ies)"
    else:
        # Classes, but epochs.
        parts[-1] = f"{last}(?:e?s)?" if re.search("(?:s|x|ch|sh)$", last) else f"{last}s?"
    return "".join(parts)


def _link(soup, known, address):
    article = soup.find("article")
    if article is None or not known:
        return 0
    # Longer terms first, so that "covariant Lyapunov vector" is not cut into pieces.
    terms = sorted(known, key=len, reverse=True)
    words = "|".join(f"(?P<t{k}>{forms(term)})" for k, term in enumerate(terms))
    pattern, used, count = re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE), set(), 0
    for text in list(article.find_all(string=pattern)):
        block = text.find_parent(["p", "li", "dd"])
        if (
            block is None
            or text.find_parent(_NOT_IN) is not None
            or "math" in (text.parent.get("class") or ())
            or _MATH.search(text)
        ):
            continue
        pieces, end = [], 0
        for match in pattern.finditer(text):
            place, definition = known[terms[int(match.lastgroup[1:])]]
            if definition in used:
                continue
            used.add(definition)
            anchor = soup.new_tag("a", href=f"{address}#{place}", title=definition)
            anchor["class"] = "glossary-term"
            anchor.string = match[0]
            pieces += [text[end : match.start()], anchor]
            end = match.end()
        if pieces:
            count += len(pieces) // 2
            text.replace_with(*(piece for piece in (*pieces, text[end:]) if piece))
    return count
