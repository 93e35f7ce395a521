"""What a data repository asks of a deposit, from CITATION.cff: the one place where it is written."""

import html
import json
import re

from .. import __version__
from . import citing
from .project import PipelineError

#: Zenodo's words for what CITATION.cff calls a type, and for the types of references.
_UPLOADS = {"software": "software", "dataset": "dataset"}
_RESOURCES = {"article": "publication-article", "conference-paper": "publication-conferencepaper"}
_NEEDED = (
    "title",
    "abstract",
    "authors",
    "version",
    "date-released",
    "license",
    "keywords",
    "references",
)
_ARXIV = re.compile(r"https?://arxiv\.org/abs/([\w./-]+?)(v\d+)?$")


def citation(project):
    """CITATION.cff, as a dict.

    Raises
    ------
    PipelineError
        When it cannot be read, lacks a field that a deposit needs, or names
        another version than the library has.
    """
    path = project.root / "CITATION.cff"
    found = citing.load(path)
    missing = [field for field in _NEEDED if not found.get(field)]
    if missing:
        raise PipelineError(f"{path.name} lacks {', '.join(missing)}: a deposit needs them")
    if str(found["version"]) != __version__:
        raise PipelineError(
            f"{path.name} has version {found['version']}, but netdyn_lib has {__version__}: which is it?"
        )
    return found


def metadata(citation):
    """The body of a deposition for Zenodo's interface, ready to be sent.

    Parameters
    ----------
    citation : dict
        As from :func:`citation`.

    Returns
    -------
    dict

    Raises
    ------
    PipelineError
        For a type that is not known here.
    """
    if citation.get("type", "software") not in _UPLOADS:
        raise PipelineError(
            f"CITATION.cff has the type {citation['type']!r}: must be {' or '.join(_UPLOADS)}"
        )
    related = [(doi(paper), paper) for paper in citation["references"]]
    return {
        "metadata": {
            "title": citation["title"],
            "upload_type": _UPLOADS[citation.get("type", "software")],
            "publication_date": str(citation["date-released"]),
            "description": f"<p>{html.escape(' '.join(citation['abstract'].split()), quote=False)}</p>",
            "creators": [{"name": name(author)} | _orcid(author) for author in citation["authors"]],
            "access_right": "open",
            "license": citation["license"].lower(),
            "keywords": citation["keywords"],
            "version": str(citation["version"]),
            "language": "eng",
            "related_identifiers": [
                {
                    "identifier": found,
                    "relation": "isSupplementTo",
                    "scheme": "doi",
                    "resource_type": _resource(paper),
                }
                for found, paper in related
                if found
            ],
            "references": [reference(paper) for paper in citation["references"]],
        }
    }


def dumps(citation):
    """:func:`metadata` as JSON text."""
    return json.dumps(metadata(citation), ensure_ascii=False, indent=1) + "\n"


def name(person):
    """An author as "Family, Given", or the name of a group.

    >>> name({"family-names": "Kato", "given-names": "Tosio"}), name({"name": "The authors"})
    ('Kato, Tosio', 'The authors')
    """
    return (
        person["name"]
        if "name" in person
        else ", ".join(filter(None, (person["family-names"], person.get("given-names"))))
    )


def doi(paper):
    """A paper's DOI; for a preprint on arXiv, which registers one for each, made from its address;
    None where there is neither.

    >>> doi({"url": "https://arxiv.org/abs/2506.08523"})
    '10.48550/arXiv.2506.08523'
    """
    if paper.get("doi"):
        return paper["doi"]
    found = _ARXIV.match(paper.get("url") or "")
    return f"10.48550/arXiv.{found[1]}" if found else None


def reference(paper):
    """A paper in one line: authors, year, title, where, DOI."""
    where = paper.get("journal") or paper.get("collection-title") or ""
    text = (
        f"{'; '.join(name(author) for author in paper['authors'])} ({paper['year']}). {paper['title']}. {where}".rstrip(
            ". "
        )
        + "."
    )
    return text + (f" https://doi.org/{doi(paper)}" if doi(paper) else "")


def cited(citation):
    """How to cite the companion, in one line."""
    authors = "; ".join(name(author) for author in citation["authors"])
    found = f" https://doi.org/{citation['doi']}" if citation.get("doi") else ""
    return f"{authors}. {citation['title']}. Version {citation['version']}, {str(citation['date-released'])[:4]}.{found}"


def _orcid(person):
    return {"orcid": person["orcid"].rpartition("/")[2]} if person.get("orcid") else {}


def _resource(paper):
    found = _RESOURCES.get(paper["type"], "publication-other")
    return "publication-preprint" if (paper.get("journal") or "").lower() == "arxiv" else found
