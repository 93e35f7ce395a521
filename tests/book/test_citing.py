"""CITATION.cff keeps its rules, and agrees with the version and the changelog."""

import copy
import datetime
import re

import pytest

import netdyn_lib
from netdyn_lib.book import pages
from tests import cff

from . import small

CITATION = pages.read_citation(small.ROOT / "CITATION.cff")
CHANGELOG = (small.ROOT / "book" / "changelog.md").read_text(encoding="utf-8")
#: The kinds of change of the keep-a-changelog form.
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_file_keeps_the_rules():
    assert cff.faults(CITATION) == []
    # YAML readers take the last of two equal keys, and say nothing.
    text = (small.ROOT / "CITATION.cff").read_text(encoding="utf-8")
    keys = re.findall(r"^([\w-]+):", text, flags=re.MULTILINE)
    assert len(keys) > 5 and len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        ("cff-version", 1.2, "cff-version is not the text 1.2.0"),
        ("authors", [], "authors is no list, or empty"),
        ("authors.0.orcid", "0000-0001-2345-6789", "authors[0]: orcid '0000-0001-2345-6789'"),
        ("authors.0.surname", "x", "authors[0]: unknown key surname"),
        ("type", "book", "type 'book'"),
        ("date-released", "20.11.2026", "date-released '20.11.2026'"),
        ("license", "MIT licence", "license 'MIT licence'"),
        ("repository-code", "example.org", "repository-code 'example.org'"),
        (
            "references.0.doi",
            "https://doi.org/10.1/x",
            "references[0]: doi 'https://doi.org/10.1/x'",
        ),
        ("references.3.conference", {"title": "x"}, "references[3]: conference: unknown key title"),
        ("keywords", ["a", "a"], "keywords ['a', 'a']"),
    ],
)
def test_a_broken_rule_is_found(place, value, fault):
    citation = copy.deepcopy(CITATION)
    *way, last = place.split(".")
    at = citation
    for step in way:
        at = at[int(step) if step.isdigit() else step]
    at[last] = value
    assert fault in cff.faults(citation)


@pytest.mark.parametrize("key", ["cff-version", "message", "title", "authors"])
def test_a_missing_key_is_found(key):
    assert f"lacks {key}" in cff.faults({k: v for k, v in CITATION.items() if k != key})


def test_version_citation_and_changelog_agree():
    parts = re.split(r"^## (.*)$", CHANGELOG, flags=re.M)
    released = [heading for heading in parts[1::2] if heading != "Unreleased"]
    assert released[0] == f"{netdyn_lib.__version__} - {CITATION['date-released']}"
    assert CITATION["version"] == netdyn_lib.__version__
    form = r"(\d+)\.(\d+)\.(\d+) - (\d{4}-\d\d-\d\d)"
    found = [re.fullmatch(form, heading) for heading in released]
    order = [
        (tuple(map(int, one.groups()[:3])), datetime.date.fromisoformat(one[4])) for one in found
    ]
    assert order == sorted(order, reverse=True) and len(set(order)) == len(order)
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        kinds = re.findall(r"^### (.*)$", text, flags=re.M)
        assert kinds and set(kinds) <= KINDS and len(set(kinds)) == len(kinds), heading
        assert all(line.startswith(("- ", "### ")) for line in text.splitlines() if line), heading
