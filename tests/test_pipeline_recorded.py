"""Runs that are kept beside those that the site shows."""

import csv
import io

import nbformat
import pytest

from netdyn_lib.book import notebooks as notebook
from netdyn_lib.book import pages, recorded, scorecard
from netdyn_lib.book.project import PipelineError, Project, write_whole
from netdyn_lib.results import claims, store

CLAIMS = """
papers: {J: jimenez2025}
claims:
  - {id: A, paper: J, figure: Fig 6, chapter: 01_first, statement: s, paper_value: 1, quantity: q, reproduced: [0, 1]}
  - {id: B, paper: J, figure: Fig 7, chapter: 01_first, statement: t, paper_value: 1, quantity: q, reproduced: [0, 1]}
"""
RUN = {
    "profile": "paper",
    "device": "cpu",
    "seed": 0,
    "commit": "abc",
    "executed": "2026-01-02",
    "duration_s": 99.6,
    "peak_mb": 1234,
    "machine": "a processor, 2 cores",
    "versions": {"torch": "2"},
    "parameters": {},
    "modules": {},
}


def run(claims_file, values, **changes):
    card = claims.Scorecard("01_first", claims_file)
    for id, value in values.items():
        card.measure(id, value, saw="something")
    output = nbformat.v4.new_output("display_data", {claims.MIME: card.rows(), "text/plain": "…"})
    nb = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# One"),
            nbformat.v4.new_code_cell("card", outputs=[output]),
        ]
    )
    nb.metadata.netdyn = RUN | changes
    return nb


@pytest.fixture
def project(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_first.py").write_text("# %%\n")
    project = Project(tmp_path)
    project.book.mkdir()
    (project.book / "claims.yml").write_text(CLAIMS)
    return project


@pytest.fixture
def kept(project):
    nb = run(project.book / "claims.yml", {"A": 0.5, "B": 0.25})
    write_whole(project.executed("paper", "01_first"), notebook.dumps(nb))
    (path,) = recorded.record(project, "paper", log=lambda line: None)
    return path


def shown(project):
    """What the site shows: a run of the other profile, with another verdict on B."""
    nb = run(project.book / "claims.yml", {"A": 0.75, "B": 2.0}, profile="laptop")
    return scorecard.gather({"01_first": nb}, project.book / "claims.yml"), {"01_first": nb}


def test_a_run_is_kept_with_what_it_measured(project, kept):
    assert kept == project.book / "results" / "runs" / "01_first-paper-cpu.json"
    (found,) = recorded.load(project)
    assert {field: found[field] for field in recorded.RUN} == {"chapter": "01_first"} | {
        field: RUN[field] for field in recorded.RUN[1:]
    }
    assert [(row["id"], row["measured"], row["verdict"]) for row in found["rows"]] == [
        ("A", 0.5, "reproduced"),
        ("B", 0.25, "reproduced"),
    ]


def test_beside_the_sites_own_it_has_its_own_verdicts(project, kept):
    (found,), (rows, notebooks) = recorded.load(project), shown(project)
    assert recorded.agreement(found, rows) == (1, 2)
    text = pages.recorded([found], rows, notebooks)
    assert text.endswith("\nNone of them is on a GPU.\n") and "GPU" not in pages.recorded(
        [found | {"device": "cuda"}], rows, notebooks
    )
    assert (
        "| [One](../notebooks/01_first.ipynb) | paper | cpu | 0 | 100 | 1,234 | 2026-01-02 | `abc` | a processor, 2 cores | 1 of 2 |"
        in text
    )
    page = pages.table(rows, notebooks, recorded.by_claim([found]))
    assert (
        "laptop, cpu</small><br><small>paper, cpu: 0.25, reproduced</small>" in page
        and page.count("paper, cpu: ") == 2
    )
    assert "paper, cpu" not in pages.table(rows, notebooks)


def test_as_a_table(project, kept):
    lines = list(csv.DictReader(io.StringIO(recorded.csv(recorded.load(project)))))
    assert [
        (line["id"], line["chapter"], line["profile"], float(line["measured"]), line["source"])
        for line in lines
    ] == [
        ("A", "01_first", "paper", 0.5, "computed here"),
        ("B", "01_first", "paper", 0.25, "computed here"),
    ]


def test_a_claim_that_has_changed_since_is_left_out(project, kept):
    path, said = project.book / "claims.yml", []
    path.write_text(
        CLAIMS.replace(
            "quantity: q, reproduced: [0, 1]}\n  - {id: B",
            "quantity: q, reproduced: [0, 9]}\n  - {id: B",
        )
    )
    (found,) = recorded.load(project, said.append)
    assert [row["id"] for row in found["rows"]] == ["B"] and said == [
        "01_first-paper-cpu.json: 1 claims have changed since this run and are left out"
    ]


def test_what_was_not_executed_cannot_be_kept(project):
    with pytest.raises(
        PipelineError,
        match="01_first has not been executed in the profile paper: make book PROFILE=paper ONLY=01",
    ):
        recorded.record(project, "paper")


def test_a_file_that_is_no_record_is_named(project, kept):
    whole = kept.read_text()
    for text in ("{", "[]", "{}", whole.replace("0.25", "0.75"), whole.replace("99.6", "-9.6")):
        kept.write_text(text)
        with pytest.raises(PipelineError, match="01_first-paper-cpu.json is damaged: "):
            recorded.load(project)
    store.write_json(kept, RUN | {"chapter": "01_first", "rows": [{"id": "A"}]})
    with pytest.raises(PipelineError, match=r"at rows\[0\]: 'rule' is a required property"):
        recorded.load(project)


def test_without_runs_the_pages_say_so(project):
    assert recorded.load(
        project
    ) == [] and "No run of another profile or device is kept yet." in pages.recorded([], [], {})
    assert recorded.csv([]).startswith(
        "id,chapter,profile,device,seed,commit,executed,duration_s,peak_mb,machine,rule,measured"
    )


def test_a_run_that_does_not_say_how_it_was_made_is_not_kept(project):
    nb = run(project.book / "claims.yml", {"A": 0.5, "B": 0.25}, duration_s=None)
    write_whole(project.executed("paper", "01_first"), notebook.dumps(nb))
    with pytest.raises(
        PipelineError, match="at metadata.netdyn.duration_s: None is not of type 'number'"
    ):
        recorded.record(project, "paper")
    assert not recorded.folder(project).exists()
