"""CITATION.cff keeps its rules, agrees with the version and the changelog, and is what the page on
citing shows.
"""

import copy
import datetime
import re
from pathlib import Path

import nbformat
import pytest
import yaml

import netdyn_lib
from netdyn_lib.book import citing
from netdyn_lib.book.project import PipelineError, Project

from . import cff

ROOT = Path(__file__).resolve().parents[1]
CITATION = citing.load(ROOT / "CITATION.cff")
CHANGELOG = (ROOT / "book" / "changelog.md").read_text(encoding="utf-8")
#: The kinds of change of the keep-a-changelog form.
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_file_keeps_the_rules():
    assert cff.faults(CITATION) == []


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        ("cff-version", 1.2, "cff-version is not the text 1.2.0"),
        ("message", None, "message is None"),
        ("authors", [], "authors is no list, or empty"),
        ("authors.0.orcid", "0000-0001-2345-6789", "authors[0]: orcid '0000-0001-2345-6789'"),
        ("authors.0.surname", "x", "authors[0]: unknown key surname"),
        ("type", "book", "type 'book'"),
        ("date-released", "20.11.2026", "date-released '20.11.2026'"),
        ("license", "MIT licence", "license 'MIT licence'"),
        ("repository-code", "example.org", "repository-code 'example.org'"),
        (
            "references.0.doi",
            "https://doi.org/10.3389/x",
            "references[0]: doi 'https://doi.org/10.3389/x'",
        ),
        ("references.0.type", "paper", "references[0]: type 'paper'"),
        ("references.0.issue-number", 1, "references[0]: unknown key issue-number"),
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


def test_no_key_stands_twice():
    """YAML readers take the last of two, and say nothing."""
    keys = re.findall(
        r"^([\w-]+):", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert len(keys) > 5 and len(set(keys)) == len(keys)


def sections():
    """(heading, text) of every version in the changelog, in its order."""
    parts = re.split(r"^## (.*)$", CHANGELOG, flags=re.M)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def test_version_citation_and_changelog_agree():
    newest = next(heading for heading, _ in sections() if heading != "Unreleased")
    assert newest == f"{netdyn_lib.__version__} - {CITATION['date-released']}"
    assert CITATION["version"] == netdyn_lib.__version__


def test_the_changelog_keeps_its_form():
    headings = [heading for heading, _ in sections()]
    released = headings[1:] if headings[0] == "Unreleased" else headings
    found = [
        re.fullmatch(r"(\d+)\.(\d+)\.(\d+) - (\d{4}-\d\d-\d\d)", heading) for heading in released
    ]
    assert all(found)
    order = [
        (tuple(map(int, match.groups()[:3])), datetime.date.fromisoformat(match[4]))
        for match in found
    ]
    assert order == sorted(order, reverse=True) and len({version for version, _ in order}) == len(
        order
    )
    for heading, text in sections():
        kinds = re.findall(r"^### (.*)$", text, flags=re.M)
        assert kinds and set(kinds) <= KINDS and len(set(kinds)) == len(kinds), heading
        assert all(line.startswith(("- ", "### ")) for line in text.splitlines() if line), heading


def bibliography():
    """Title, authors' family names and year of every entry of the book's bibliography, by its key."""
    entries = re.findall(
        r"@\w+\{(\w+),\n(.*?)\n\}",
        (ROOT / "book" / "references.bib").read_text(encoding="utf-8"),
        flags=re.S,
    )
    found = {}
    for key, text in entries:
        fields = dict(re.findall(r"^\s*(\w+)\s*=\s*\{(.*)\},?$", text, flags=re.M))
        families = [name.partition(",")[0] for name in fields["author"].split(" and ")]
        found[key] = (re.sub("[{}]", "", fields["title"]).casefold(), families, int(fields["year"]))
    return found


def test_the_references_are_the_four_papers():
    papers = yaml.safe_load((ROOT / "book" / "claims.yml").read_text(encoding="utf-8"))["papers"]
    book = bibliography()
    cited = [
        (
            work["title"].casefold(),
            [author["family-names"] for author in work["authors"]],
            work["year"],
        )
        for work in CITATION["references"]
    ]
    assert len(cited) == 4
    assert sorted(cited) == sorted(book[key] for key in papers.values())


def test_the_address_is_that_of_the_settings():
    url = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    assert CITATION.get("repository-code", "") == url


def test_bibtex_has_every_work_once():
    text = citing.bibtex(CITATION)
    keys = re.findall(r"^@(\w+)\{(\w+),$", text, flags=re.M)
    assert keys[0] == ("software", "netdyn2026")
    assert [key for _, key in keys[1:]] == [
        "danovski2024",
        "jimenez2025",
        "sharafi2024",
        "herrmann2022",
    ]
    assert text.count("\n}\n") == len(keys)
    assert f"  version = {{{netdyn_lib.__version__}}},\n" in text
    assert "  author = {{The netdyn companion authors}},\n" in text
    assert "  author = {Danovski, Kaloyan and Soriano, Miguel C. and Lacasa, Lucas},\n" in text
    assert text.count("{") == text.count("}")


def test_a_type_without_an_entry_is_an_error():
    with pytest.raises(PipelineError, match="no BibTeX entry is known for the type 'map'"):
        citing.bibtex(CITATION | {"references": [CITATION["references"][0] | {"type": "map"}]})


def test_a_file_that_lacks_what_is_cited_is_an_error(tmp_path):
    path = tmp_path / "CITATION.cff"
    path.write_text("title: x\n")
    with pytest.raises(PipelineError, match="CITATION.cff lacks authors, version, date-released"):
        citing.load(path)
    path.write_text("title: [\n")
    with pytest.raises(PipelineError, match="CITATION.cff, line 2, column 1: no YAML"):
        citing.load(path)


def chapter():
    text = "# | label: fig-x\n# | fig-cap: x\n# | fig-alt: x\ndraw()"
    cell = nbformat.v4.new_code_cell(text)
    nb = nbformat.v4.new_notebook(cells=[cell])
    nb.metadata["netdyn"] = {"commit": "abc123"}
    return nb


def test_the_example_is_a_figure_of_the_book():
    text = citing.one_figure(CITATION, {"01_first": chapter()})
    assert "`fig-x`" in text and "`abc123`" in text and f"Version {netdyn_lib.__version__}" in text
    with pytest.raises(PipelineError, match="no chapter has a figure"):
        citing.one_figure(CITATION, {})


def test_no_address_no_link(tmp_path):
    assert "](" not in citing.reporting("") and "<http" not in citing.reporting("")
    assert "<https://example.org/a/issues>" in citing.reporting("https://example.org/a")


def test_what_the_pages_include_is_staged(tmp_path):
    project = Project(ROOT)
    citing.stage(project, {"01_first": chapter()}, tmp_path)
    wanted = set()
    for page in ("citing.md", "index.md"):
        wanted |= set(
            re.findall(
                r"\{include\} _generated/(\S+)", (project.book / page).read_text(encoding="utf-8")
            )
        )
    assert {path.name for path in tmp_path.iterdir()} <= wanted
    assert wanted - {path.name for path in tmp_path.iterdir()} == {"front.md", "summary.md"}
