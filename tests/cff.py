"""The rules of the Citation File Format 1.2.0, as far as CITATION.cff uses them; and for every
other key that it is known.
"""

import datetime
import re

PERSON = set(
    "address affiliation alias city country email family-names fax "
    "given-names name-particle name-suffix orcid post-code region tel website".split()
)
ENTITY = set(
    "address alias city country date-end date-start email "
    "fax location name orcid post-code region tel website".split()
)
TOP = set(
    "abstract authors cff-version commit contact date-released doi "
    "identifiers keywords license license-url message preferred-citation "
    "references repository repository-artifact repository-code title type url version".split()
)
REFERENCE = set(
    "abbreviation abstract authors collection-doi collection-title "
    "collection-type commit conference contact copyright data-type database "
    "database-provider date-accessed date-downloaded date-published "
    "date-released department doi edition editors editors-series end entry "
    "filename format identifiers institution isbn issn issue issue-date "
    "issue-title journal keywords languages license license-url loc-end "
    "loc-start location medium month nihmsid notes number number-volumes "
    "pages patent-states pmcid publisher recipients repository "
    "repository-artifact repository-code scope section senders start "
    "status term thesis-type title translators type url version volume "
    "volume-title year year-original".split()
)
REFERENCE_TYPES = set(
    "art article audiovisual bill blog book catalogue conference "
    "conference-paper data database dictionary edited-work encyclopedia "
    "film-broadcast generic government-document grant hearing historical-work "
    "legal-case legal-rule magazine-article manual map multimedia "
    "music newspaper-article pamphlet patent personal-communication "
    "proceedings report serial slides software software-code "
    "software-container software-executable software-virtual-machine "
    "sound-recording standard statute thesis unpublished video website".split()
)
DOI = re.compile(r"10\.\d{4,9}(\.\d+)?/[A-Za-z0-9:/_;\-.()\[\]\\]+")
ORCID = re.compile(r"https://orcid\.org/[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]")
URL = re.compile(r"(https?|s?ftp)://\S+")
#: The identifiers of SPDX that this companion has a use for.
LICENSES = {"MIT", "CC-BY-4.0"}
ADDRESSES = (
    "url",
    "website",
    "license-url",
    "repository",
    "repository-artifact",
    "repository-code",
)


def faults(citation):
    """What breaks the rules, one line each; empty for a file that keeps them."""
    if not isinstance(citation, dict):
        return ["the file is not a mapping"]
    found = [
        f"lacks {key}"
        for key in ("cff-version", "message", "title", "authors")
        if key not in citation
    ]
    found += [f"unknown key {key}" for key in citation.keys() - TOP]
    if citation.get("cff-version") != "1.2.0":
        found.append("cff-version is not the text 1.2.0")
    if citation.get("type", "software") not in ("software", "dataset"):
        found.append(f"type {citation['type']!r}")
    found += _common(citation)
    references = citation.get("references", [])
    if not isinstance(references, list):
        return [*found, "references is no list"]
    for k, reference in enumerate(references):
        found += [f"references[{k}]: {fault}" for fault in _reference(reference)]
    return found


def _reference(work):
    found = [f"lacks {key}" for key in ("type", "title", "authors") if key not in work]
    found += [f"unknown key {key}" for key in work.keys() - REFERENCE]
    if work.get("type") not in REFERENCE_TYPES:
        found.append(f"type {work.get('type')!r}")
    if "conference" in work:
        found += _who("conference", work["conference"], entity=True)
    for key in ("year", "volume", "start", "end", "pages"):
        if key in work and (isinstance(work[key], bool) or not isinstance(work[key], int | str)):
            found.append(f"{key} is {work[key]!r}")
    return found + _common(work)


def _common(work):
    found = []
    for key in ("title", "message", "abstract", "journal", "collection-title", "notes"):
        if key in work and not (isinstance(work[key], str) and work[key].strip()):
            found.append(f"{key} is {work[key]!r}")
    authors = work.get("authors", [{"name": "x"}])
    if not isinstance(authors, list) or not authors:
        found.append("authors is no list, or empty")
    else:
        found += [
            fault for k, author in enumerate(authors) for fault in _who(f"authors[{k}]", author)
        ]
    if "doi" in work and not DOI.fullmatch(str(work["doi"])):
        found.append(f"doi {work['doi']!r}")
    for key in [key for key in work if key.startswith("date-")]:
        if not _is_date(work[key]):
            found.append(f"{key} {work[key]!r}")
    if "version" in work and not isinstance(work["version"], str | int | float):
        found.append(f"version {work['version']!r}")
    if "license" in work and work["license"] not in LICENSES:
        found.append(f"license {work['license']!r}")
    found += [
        f"{key} {work[key]!r}"
        for key in ADDRESSES
        if key in work and not URL.fullmatch(str(work[key]))
    ]
    words = work.get("keywords", ["x"])
    if not (
        isinstance(words, list)
        and words
        and all(isinstance(word, str) and word for word in words)
        and len(set(words)) == len(words)
    ):
        found.append(f"keywords {words!r}")
    return found


def _who(place, who, entity=False):
    if not isinstance(who, dict) or not who:
        return [f"{place} is {who!r}"]
    known = ENTITY if entity or "name" in who else PERSON
    found = [f"{place}: unknown key {key}" for key in who.keys() - known]
    if known is ENTITY and not who.get("name"):
        found.append(f"{place} lacks name")
    found += [
        f"{place}: {key} is {value!r}"
        for key, value in who.items()
        if not (isinstance(value, str) and value) and "date" not in key
    ]
    if "orcid" in who and not ORCID.fullmatch(str(who["orcid"])):
        found.append(f"{place}: orcid {who['orcid']!r}")
    return found


def _is_date(value):
    """YAML reads a date without quotes as one."""
    if isinstance(value, datetime.date):
        return not isinstance(value, datetime.datetime)
    try:
        return len(value) == 10 and bool(datetime.date.fromisoformat(value))
    except (TypeError, ValueError):
        return False
