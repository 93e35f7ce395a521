"""What ``CITATION.cff`` says of the companion and its papers, for a deposit and for schema.org."""

import re

_ARXIV = re.compile(r"https?://arxiv\.org/abs/([\w./-]+?)(v\d+)?$")
#: The licence of text and figures, as book/licence.md has it; that of the code is CITATION.cff's.
CC_BY = "https://creativecommons.org/licenses/by/4.0/"
#: schema.org's words for what CITATION.cff calls a type.
TYPES = {"software": "SoftwareSourceCode", "dataset": "Dataset"}


def author_name(person):
    """Return an author as "Family, Given", or the name of a group.

    >>> author_name({"family-names": "Kato", "given-names": "Tosio"})
    'Kato, Tosio'
    """
    names = (person.get("family-names"), person.get("given-names"))
    return person.get("name") or ", ".join(filter(None, names))


def doi(paper):
    """Return a paper's DOI; None where there is none.

    A preprint's is made from its address, for arXiv registers one for each.

    >>> doi({"url": "https://arxiv.org/abs/2506.08523"})
    '10.48550/arXiv.2506.08523'
    """
    if paper.get("doi"):
        return paper["doi"]
    found = _ARXIV.match(paper.get("url") or "")
    return f"10.48550/arXiv.{found[1]}" if found else None


def reference(paper):
    """Return a paper in one line: authors, year, title, where, DOI."""
    where = paper.get("journal") or paper.get("collection-title") or ""
    authors = "; ".join(author_name(author) for author in paper["authors"])
    text = f"{authors} ({paper['year']}). {paper['title']}. {where}".rstrip(". ") + "."
    return text + (f" https://doi.org/{doi(paper)}" if doi(paper) else "")


def graph(citation, id):
    """Return the companion in the words of schema.org, as flat JSON-LD: a list of dicts.

    The first is the companion, with the ``@id`` given; it refers to the others, its licence,
    authors and papers, by theirs.
    """
    people = [_person(k, author) for k, author in enumerate(citation["authors"], 1)]
    papers = [_paper(k, paper) for k, paper in enumerate(citation.get("references", []), 1)]
    name = citation.get("license")
    found = {"@type": "CreativeWork", "name": name, "identifier": name}
    licences = [{"@id": f"https://spdx.org/licenses/{name}", **found}] if name else []
    work = {
        "@id": id,
        "@type": TYPES[citation.get("type", "software")],
        "name": citation["title"],
        "description": " ".join((citation.get("abstract") or "").split()),
        "version": str(citation["version"]),
        "datePublished": str(citation["date-released"]),
        "inLanguage": "en",
        "keywords": citation.get("keywords"),
        "identifier": f"https://doi.org/{doi(citation)}" if doi(citation) else None,
        "codeRepository": citation.get("repository-code"),
        "license": _ids(licences)[0] if licences else None,
        "author": _ids(people),
        "citation": _ids(papers),
    }
    work = {key: value for key, value in work.items() if value}
    return [work, *licences, *people, *papers]


def _ids(nodes):
    return [{"@id": node["@id"]} for node in nodes]


def _person(number, author):
    id = author.get("orcid") or f"#author-{number}"
    kind = "Person" if "family-names" in author else "Organization"
    return {"@id": id, "@type": kind, "name": author_name(author)}


def _paper(number, paper):
    id = f"https://doi.org/{doi(paper)}" if doi(paper) else f"#paper-{number}"
    about = {"@id": id, "@type": "ScholarlyArticle", "name": paper["title"]}
    return about | {"datePublished": str(paper["year"]), "creditText": reference(paper)}
