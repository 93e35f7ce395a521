"""A Sphinx extension: what search engines, reference managers and social cards read of a page.

All of it is made from CITATION.cff and the pages.  Addresses are whole addresses or none: without
``html_baseurl``, which the address of a repository on GitHub gives, there are none, and no
sitemap.  A page itself loads nothing of this.
"""

import html
import json
import posixpath
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import yaml
from docutils import nodes

from netdyn_lib.book.citations import CC_BY, author_name, doi, graph

#: Descriptions are cut to this length, in characters.
LONGEST = 200


def setup(app):
    """Connect to Sphinx."""
    app.connect("config-inited", _set_address)
    app.connect("html-page-context", _describe)
    app.connect("build-finished", _list_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}


def pages_address(repository):
    """Return the address of a repository's GitHub Pages, none for a repository elsewhere.

    >>> pages_address("https://github.com/Owner/book")
    'https://owner.github.io/book/'
    >>> pages_address("https://github.com/owner/owner.github.io")
    'https://owner.github.io/'
    """
    found = re.fullmatch(r"https://github\.com/([\w-]+)/([\w.-]+?)(?:\.git)?/?", repository)
    if not found:
        return ""
    host = f"{found[1].lower()}.github.io"
    return f"https://{host}/" + ("" if found[2].lower() == host else f"{found[2]}/")


def _set_address(app, config):
    repository = config.html_theme_options.get("repository_url") or ""
    address = config.html_baseurl or pages_address(repository)
    config.html_baseurl = address.rstrip("/") + "/" if address else ""


def _describe(app, page, template, context, doctree):
    """Add the page's description, citation and card to its head."""
    path = Path(app.srcdir, "CITATION.cff")
    if doctree is None or not path.exists():
        return  # a list such as the index, or a book that is not to be cited
    about, front = yaml.safe_load(path.read_text(encoding="utf-8")), app.config.root_doc
    title, base = doctree.next_node(nodes.title).astext(), app.config.html_baseurl
    whole = " ".join(about.get("abstract", about["title"]).split())
    said = shortened(whole) if page == front else summary(doctree) or shortened(whole)
    address = base and base + app.builder.get_target_uri(page)
    picture, alt = _picture(app, doctree) or _picture(app, app.env.get_doctree(front)) or ("", "")
    picture = base and picture and base + picture
    tags = [
        ("description", said),
        ("og:type", "website" if page == front else "article"),
        ("og:site_name", app.config.html_title or app.config.project),
        ("og:title", title),
        ("og:description", said),
        ("og:url", address),
        ("og:image", picture),
        ("og:image:alt", picture and alt),
        ("twitter:card", picture and "summary_large_image"),
        *highwire(about, "" if page == front else title, address),
    ]
    lines = [
        f'<meta {"property" if name.startswith("og:") else "name"}="{name}" '
        f'content="{html.escape(" ".join(str(value).split()))}"/>'
        for name, value in tags
        if value
    ]
    whole, *others = graph(about, base or "#companion")
    part = {
        "@type": "Chapter" if page.startswith("notebooks/") else "WebPage",
        "name": title,
        "description": said,
        "url": address,
        "image": picture,
        "inLanguage": "en",
        "license": CC_BY,
    }
    part = {key: value for key, value in part.items() if value}
    if page == front:
        listed = [part | {"about": {"@id": whole["@id"]}}, whole, *others]
    else:
        listed = [part | {"isPartOf": {key: whole[key] for key in ("@id", "@type", "name")}}]
    data = json.dumps({"@context": "https://schema.org", "@graph": listed}, ensure_ascii=False)
    data = data.replace("<", r"\u003c")  # nothing in it may end the element
    lines.append(f'<script type="application/ld+json">{data}</script>')
    context["metatags"] = "\n".join([context.get("metatags", ""), *lines])


def highwire(about, title, address):
    """Return the tags that reference managers read, (name, content) each.

    They are those of the companion, or of the part of it that has the ``title``.
    """
    return [
        ("citation_title", title or about["title"]),
        ("citation_inbook_title", title and about["title"]),
        *(("citation_author", author_name(author)) for author in about["authors"]),
        ("citation_publication_date", f"{about['date-released']:%Y/%m/%d}"),
        ("citation_language", "en"),
        ("citation_doi", doi(about)),
        ("citation_fulltext_html_url", address),
    ]


def summary(doctree):
    """Return how a page begins: its first paragraph whose formulas are plain letters."""
    for paragraph in doctree.findall(nodes.paragraph):
        parts = [
            plain(text) if isinstance(text.parent, nodes.math) else text.astext()
            for text in paragraph.findall(nodes.Text)
            if not isinstance(text.parent, nodes.raw)
        ]
        said = shortened("".join(parts))
        if isinstance(paragraph.parent, nodes.section) and not re.search(r"\\|:$", said):
            return said
    return ""


def plain(formula):
    r"""Return a formula with its Greek letters as such; other commands stay.

    >>> plain(r"\eta = 1"), plain(r"\lambda"), plain(r"\sqrt 2")
    ('η = 1', 'λ', '\\sqrt 2')
    """

    def letter(match):
        name = match[1].upper().replace("LAMBDA", "LAMDA")  # as Unicode has it
        try:
            return unicodedata.lookup(f"GREEK SMALL LETTER {name}")
        except KeyError:
            return match[0]

    return re.sub(r"\\([a-z]+)", letter, formula)


def shortened(text):
    """Return text cut after a word, to the length of a description.

    >>> shortened("one " * 100)[-8:]
    'one one…'
    """
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[:LONGEST].rpartition(" ")[0].rstrip(",;:") + "…"


def _picture(app, doctree):
    """The first picture of a page, its path in the site and its description; None without one.

    Pages that have been written name the file in the site, others its source.
    """
    for node in doctree.findall(nodes.image):
        source, found = node["uri"], app.env.images
        file = quote(found[source][1]) if source in found else posixpath.basename(source)
        if file.endswith(".png") and "://" not in source:
            return posixpath.join(app.builder.imagedir, file), node.get("alt", "")
    return None


def _list_pages(app, error):
    """Write sitemap.xml and robots.txt."""
    base = app.config.html_baseurl
    if error or not base or app.builder.name != "html":
        return
    places = [base + app.builder.get_target_uri(page) for page in sorted(app.env.found_docs)]
    urls = "".join(f"<url><loc>{escape(place)}</loc></url>\n" for place in places)
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{space}">\n{urls}</urlset>\n'
    Path(app.outdir, "sitemap.xml").write_text(text, encoding="utf-8")
    allowed = f"User-agent: *\nAllow: /\nSitemap: {base}sitemap.xml\n"
    Path(app.outdir, "robots.txt").write_text(allowed, encoding="utf-8")
