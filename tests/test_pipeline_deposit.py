"""Metadata of a deposit: what CITATION.cff says, in a repository's words."""

import json
from pathlib import Path

import pytest
import yaml

from netdyn_lib import __version__
from netdyn_lib.book import deposit
from netdyn_lib.book.project import PipelineError, Project

ROOT = Path(__file__).resolve().parents[1]
CFF = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_fields_of_a_deposit_come_from_the_citation():
    about = json.loads(deposit.dumps(deposit.citation(Project(ROOT))))["metadata"]
    assert about["title"] == CFF["title"] and about["version"] == CFF["version"] == __version__
    assert (
        about["upload_type"] == "software"
        and about["license"] == "mit"
        and about["language"] == "eng"
    )
    assert (
        about["publication_date"] == str(CFF["date-released"])
        and about["keywords"] == CFF["keywords"]
    )
    assert about["creators"] == [{"name": "The netdyn companion authors"}]
    assert (
        about["description"].startswith("<p>")
        and " ".join(CFF["abstract"].split()) in about["description"]
    )
    assert len(about["references"]) == len(CFF["references"]) == 4


def test_papers_are_related_by_their_dois():
    related = deposit.metadata(CFF)["metadata"]["related_identifiers"]
    assert {one["identifier"] for one in related} == {
        "10.3389/fcpxs.2024.1367957",
        "10.48550/arXiv.2506.08523",
        "10.48550/arXiv.2405.00743",
    }
    assert {one["relation"] for one in related} == {"isSupplementTo"}


@pytest.mark.parametrize(
    ("paper", "doi"),
    [
        ({"doi": "10.1/x", "url": "https://arxiv.org/abs/2506.08523"}, "10.1/x"),
        ({"url": "https://arxiv.org/abs/2506.08523v2"}, "10.48550/arXiv.2506.08523"),
        ({"url": "https://arxiv.org/abs/nlin/0001001"}, "10.48550/arXiv.nlin/0001001"),
        ({"url": "https://example.org/abs/2506.08523"}, None),
        ({}, None),
    ],
)
def test_a_doi_is_given_made_from_arxiv_or_absent(paper, doi):
    assert deposit.doi(paper) == doi


def test_an_author_with_an_orcid_keeps_it():
    person = {
        "family-names": "Kato",
        "given-names": "Tosio",
        "orcid": "https://orcid.org/0000-0000-0000-0001",
    }
    (creator,) = deposit.metadata(CFF | {"authors": [person]})["metadata"]["creators"]
    assert creator == {"name": "Kato, Tosio", "orcid": "0000-0000-0000-0001"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"abstract": ""}, "lacks abstract"),
        ({"keywords": []}, "lacks keywords"),
        ({"keywords": None}, "at keywords: None is not of type 'array'"),
        ({"version": "9.9"}, f"version 9.9, but netdyn_lib has {__version__}"),
    ],
)
def test_a_citation_that_will_not_do_is_refused(tmp_path, change, said):
    (tmp_path / "CITATION.cff").write_text(yaml.safe_dump(CFF | change), encoding="utf-8")
    with pytest.raises(PipelineError, match=said):
        deposit.citation(Project(tmp_path))


def test_an_unknown_type_is_refused():
    with pytest.raises(PipelineError, match="'poem'"):
        deposit.metadata(CFF | {"type": "poem"})
