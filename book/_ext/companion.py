"""A Sphinx extension: what was measured of a claim, links to the glossary, and mends of pages.

``{verdict}`ID` `` is the verdict of a claim as a badge, with the number of networks behind it, that
leads to its row of the scorecard, and ``{measured}`ID` `` its number.

The theme and the writer leave out what readers with a keyboard, a screen reader, a telephone or a
dark screen need; each function below says what.
"""

import json
import re
from functools import cache
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxRole
from sphinx.util.images import get_image_size
from sphinx.writers.html5 import HTML5Translator

GLOSSARY = "book/glossary"
SCORECARD = "book/scorecard"
#: Pages and folders of lists, not prose: their words do not lead to the glossary.
UNLINKED = (GLOSSARY, "book/scorecard", "book/published", "book/bibliography", "reference")
#: Where a term is no prose, or already leads somewhere.
_NOT_IN = (
    *(nodes.reference, addnodes.pending_xref, nodes.literal, nodes.literal_block, nodes.math),
    *(nodes.math_block, nodes.raw, nodes.title, nodes.rubric, nodes.caption, nodes.table),
    *(nodes.term, nodes.comment),
)
#: Runs before the page is drawn, and so without a flash of the light page on a dark screen.
_THEME = """\
const root = document.documentElement;
if (root.dataset.theme === "auto")
  root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
"""


def setup(app):
    """Connect to Sphinx."""
    app.add_role("verdict", Verdict())
    app.add_role("measured", Measured())
    app.connect("config-inited", _launch)
    app.connect("doctree-resolved", link_terms)
    app.connect("html-page-context", _mend, priority=900)  # after the theme
    app.add_js_file(None, body=_THEME, priority=1)
    app.add_node(nodes.citation, override=True, html=(_citation, HTML5Translator.depart_citation))
    app.add_node(nodes.image, override=True, html=(_image, HTML5Translator.depart_image))
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}


# Claims


class Claim(SphinxRole):
    """The row of a claim on the scorecard; None where the run that is shown does not judge it."""

    def row(self):
        """Read the claims and their rows once for all pages."""
        if not hasattr(self.env.app, "companion_claims"):
            book = Path(self.env.srcdir) / "book"
            known = yaml.safe_load((book / "claims.yml").read_text(encoding="utf-8"))["claims"]
            rows = json.loads((book / "_generated" / "claims.json").read_text(encoding="utf-8"))
            found = dict.fromkeys(claim["id"] for claim in known)
            self.env.app.companion_claims = found | {row["id"]: row for row in rows}
        return self.row_of(self.env.docname, self.env.app.companion_claims, self.text)

    @staticmethod
    def row_of(page, rows, claim):
        """Return the row of a claim that a page names, of ``rows`` by claim."""
        if claim not in rows:
            raise ExtensionError(
                f"{page} names the claim {claim!r}, which claims.yml does not have"
            )
        return rows[claim]


class Verdict(Claim):
    """A badge."""

    def run(self):
        """Return a link to the row of the claim."""
        row = self.row()
        verdict = row["verdict"] if row else "not tested"
        on = f" on {row['judged_on']}" if row and row.get("judged_on") else ""
        many = f", n\u00a0=\u00a0{row['n']:,}" if row and row.get("n") else ""
        said = f"{verdict}{on}{many}" if row else "not judged in this run"
        kind = verdict.replace(" ", "-")
        page = self.env.app.builder.get_relative_uri(self.env.docname, SCORECARD)
        link = nodes.reference("", said, refuri=f"{page}#claim-{self.text}", internal=True)
        link["classes"] = ["verdict", f"verdict-{kind}"]
        link["reftitle"] = f"Claim {self.text}"
        return [link], []


class Measured(Claim):
    """A number, to two digits."""

    def run(self):
        """Return it as text, a dash where there is none."""
        row = self.row()
        known = row and row["measured"] is not None
        return [nodes.Text(f"{row['measured']:.2g}" if known else "–")], []


# Glossary


def link_terms(app, doctree, page):
    """Link the first use of each term in the prose of a page to the glossary."""
    if page.startswith(UNLINKED) or GLOSSARY not in app.env.found_docs:
        return
    pattern, known = _terms(app)
    address, used = app.builder.get_relative_uri(page, GLOSSARY), set()
    for text in list(doctree.findall(nodes.Text)):
        if not pattern.search(text) or not _prose(text):
            continue
        pieces, end = [], 0
        for match in pattern.finditer(text):
            place, definition = known[int(match.lastgroup[1:])]
            if definition not in used:
                used.add(definition)
                anchor = nodes.reference("", match[0], refuri=f"{address}#{place}")
                anchor["reftitle"], anchor["classes"] = definition, ["glossary-term"]
                pieces += [nodes.Text(text[end : match.start()]), anchor]
                end = match.end()
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(text[end:])])


def _terms(app):
    """A pattern for all terms, a group ``tK`` each, and K → (id, definition)."""
    if not hasattr(app, "companion_terms"):
        found = {}
        for item in app.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
            definition = " ".join(item[-1].astext().split())
            found |= {
                " ".join(term.astext().split()): (term["ids"][0], definition)
                for term in item.findall(nodes.term)
            }
        # Longer terms first, so that "covariant Lyapunov vector" is not cut into pieces.
        terms = sorted(found, key=len, reverse=True)
        words = "|".join(f"(?P<t{k}>{forms(term)})" for k, term in enumerate(terms))
        pattern = re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE)
        app.companion_terms = pattern, [found[term] for term in terms]
    return app.companion_terms


def forms(term):
    """Return a pattern for a term: singular or plural, with or without hyphens, over two lines.

    >>> bool(re.fullmatch(forms("mini-batch"), "minibatches"))
    True
    >>> bool(re.fullmatch(forms("edge of stability"), "edge-of-stability"))
    True
    """
    gaps = {True: r"[\s‐‑-]?", False: r"[\s‐‑-]+"}  # where the term has a hyphen, and a space
    parts = [
        gaps[gap in "-‐‑"] if gap in "-‐‑" or gap.isspace() else re.escape(gap)
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


def _prose(text):
    above, node = [], text.parent
    while node is not None:
        above.append(node)
        node = node.parent
    folded = any("dropdown" in str(node.get("classes", "")) for node in above)
    block = (nodes.paragraph, nodes.list_item, nodes.definition)
    inside = any(isinstance(node, block) for node in above)
    return inside and not folded and not any(isinstance(node, _NOT_IN) for node in above)


# Mends


def _launch(app, config):
    """Without the address of a repository there is nothing to launch, and the theme would fail."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options["launch_buttons"] = {}


def _mend(app, page, template, context, doctree):
    """Let the reader's system decide between light and dark, name the contents' branches, and lead
    from the appendix of a chapter to its notebook.

    Without a default the theme reports an error on the console; it shows an arrow alone where a
    branch of the contents opens; and it takes every page for a file of the repository.
    """
    context["default_mode"] = "auto"
    for group in context.get("header_buttons", ()):
        if group.get("label") != "download-buttons":
            for button in group.get("buttons", ()):
                if "url" in button:
                    button["url"] = button["url"].replace("_appendix.ipynb", ".ipynb")
    contents = context.get("generate_toctree_html")
    if contents is None:
        return

    @cache
    def labelled(*words, **options):
        soup = contents(*words, **options)
        for summary in soup.select("details > summary") if soup else ():
            branch = summary.parent.find_previous_sibling("a")
            summary["aria-label"] = f"Pages below {' '.join(branch.get_text().split())}"
        return soup

    context["generate_toctree_html"] = labelled


def _citation(self, node):
    """Entries of a bibliography are items of a list: ARIA has withdrawn their role."""
    HTML5Translator.visit_citation(self, node)
    self.body[-1] = self.body[-1].replace('role="doc-biblioentry"', 'role="listitem"')


def _image(self, node):
    """Pictures know their size before they are loaded, and stand in a frame that can scroll.

    On a telephone a figure shrunk to the screen has letters of 5 pixels: the style sheet keeps it
    larger and lets its frame scroll.
    """
    size = get_image_size(str(self.builder.srcdir / node["uri"]))
    HTML5Translator.visit_image(self, node)
    if size and node["uri"].endswith(".png"):
        known = f'<img width="{size[0]}" height="{size[1]}" style="--pixels: {size[0]}px" '
        picture = self.body[-1].replace("<img ", known, 1)
        self.body[-1] = f'<span class="figure-frame" data-name="figure">{picture}</span>'
