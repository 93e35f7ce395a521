"""How to cite the companion: a sentence, BibTeX, one figure, all from ``CITATION.cff``; and where
to report an error.
"""

import re
import textwrap

from ..results import reading
from . import forms
from . import notebooks as notebook
from .foreign import code, words
from .project import PipelineError

#: What a reference of ``CITATION.cff`` is in BibTeX, by its type.
ENTRIES = {"article": "article", "conference-paper": "inproceedings", "software": "software"}


def stage(project, notebooks, made):
    """Write into the folder ``made`` what the front page and ``book/citing.md`` include.

    A repository without ``CITATION.cff`` gets nothing.
    """
    path = project.root / "CITATION.cff"
    if not path.exists():
        return
    citation = load(path)
    config = forms.settings(project.root / "_config.yml")
    texts = {
        "citation.md": f"> {sentence(citation)}\n",
        "bibtex.md": f"```bibtex\n{bibtex(citation)}```\n",
        "citing-figure.md": one_figure(citation, notebooks),
        "reporting.md": reporting((config.get("repository") or {}).get("url") or ""),
    }
    for file, text in texts.items():
        (made / file).write_text(text, encoding="utf-8")


def load(path):
    """``CITATION.cff`` as a dictionary.

    Raises
    ------
    PipelineError
        For a file that is not YAML or lacks what a citation is made of.
    """
    with forms.told():
        citation = reading.from_yaml(path)
    lacking = [
        key
        for key in ("title", "authors", "version", "date-released")
        if key not in (citation or {})
    ]
    if lacking:
        raise PipelineError(f"{path.name} lacks {', '.join(lacking)}")
    return forms.fit(citation, forms.CITATION, path)


def sentence(citation):
    """One sentence for a list of references, as Markdown.

    >>> import datetime
    >>> sentence({"authors": [{"name": "A group"}], "title": "A book", "version": "1.0", "date-released": datetime.date(2026, 1, 2)})
    'A group. *A book*. Version 1.0, 2026.'
    """
    where = f" {_address(citation)}." if _address(citation) else ""
    authors = words(", ".join(_author(author) for author in citation["authors"]))
    return f"{authors}. *{words(citation['title'])}*. Version {words(citation['version'])}, {citation['date-released'].year}.{where}"


def bibtex(citation):
    """The companion and the papers it repeats, as BibTeX in UTF-8."""
    return "\n".join(_entry(work) for work in (citation, *citation.get("references", [])))


def _entry(work):
    kind = ENTRIES.get(work.get("type", "software"))
    if kind is None:
        raise PipelineError(
            f"CITATION.cff: no BibTeX entry is known for the type {work['type']!r}; there are: {', '.join(ENTRIES)}"
        )
    year = work["date-released"].year if "date-released" in work else work["year"]
    fields = {
        # A group's name must not be taken for one of a person.
        "author": " and ".join(
            _author(author) if "family-names" in author else f"{{{_author(author)}}}"
            for author in work["authors"]
        ),
        "title": f"{{{work['title']}}}",
        "journal": work.get("journal"),
        "booktitle": work.get("collection-title"),
        "volume": work.get("volume"),
        "pages": work.get("start"),
        "version": work.get("version") if kind == "software" else None,
        "year": year,
        "doi": work.get("doi"),
        "url": _address(work),
    }
    lines = [f"  {key} = {{{value}}}," for key, value in fields.items() if value not in (None, "")]
    return "\n".join([f"@{kind}{{{_key(work, year)},", *lines, "}"]) + "\n"


def _author(author):
    if "family-names" in author:
        return f"{author['family-names']}, {author.get('given-names', '')}".rstrip(", ")
    return author["name"]


def _key(work, year):
    first = work["authors"][0].get("family-names") or re.sub(
        "(?i)^the ", "", work["authors"][0]["name"]
    )
    letters = first.casefold().translate(
        str.maketrans("áàâäãåéèêëíìîïóòôöõúùûüçñ", "aaaaaaeeeeiiiiooooouuuucn")
    )
    return re.sub("[^a-z]", "", letters.split("-")[0].split(" ")[0]) + str(year)


def _address(work):
    if work.get("doi"):
        return f"https://doi.org/{work['doi']}"
    return work.get("url") or work.get("repository-code") or ""


def one_figure(citation, notebooks):
    """How to cite one figure, with the first figure of the book's first chapter that has one as the
    example; Markdown.

    Raises
    ------
    PipelineError
        When no chapter has a figure.
    """
    for name, nb in notebooks.items():
        for _, label, _, _ in notebook.figures(nb):
            commit = code(nb.metadata.netdyn["commit"])
            text = sentence(citation)
            return textwrap.dedent(f"""\
                > Figure `{label}` in: {text[:-1]}, commit {commit}.

                Here `{label}` is the figure's name, the last part of the link beside its caption ([{name}](../notebooks/{name}.ipynb)),
                and {commit} the commit at which its chapter was executed.
                """)
    raise PipelineError("no chapter has a figure that could be cited")


def reporting(url):
    """Where to report an error; without a repository's address there is no link.

    >>> reporting("https://example.org/a/")
    'Please open an issue at <https://example.org/a/issues>.\\n'
    """
    if url:
        return f"Please open an issue at <{url.rstrip('/')}/issues>.\n"
    return (
        "This copy was built without the address of its repository, so there is no link to its issues here. "
        "Whoever gave you the copy or the repository can tell you where they are; "
        "who publishes it sets `repository: url` in `_config.yml`, and this page then links to them.\n"
    )
