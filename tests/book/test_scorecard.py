"""Claims gathered from notebooks, and runs that are kept beside those that the site shows."""

import csv
import io

import pytest

from netdyn_lib.book import pages, scorecard
from netdyn_lib.book.project import PipelineError
from netdyn_lib.results import store

from . import small

KEPT = {"profile": "paper", "duration_s": 99.6, "peak_mb": 1234, "machine": "a processor, 2 cores"}
KEPT |= {"modules": {}, "parameters": {}}


def gather(project, runs):
    return scorecard.gather(runs, project.book / "claims.yml")


def test_claims_are_gathered_in_order(project, measured):
    rows = gather(project, {"01_first": measured})
    found = [(row["id"], row["verdict"], row["low"]) for row in rows]
    assert found == [("A", "reproduced", 0.4), ("B", "not reproduced", None)]
    assert rows[0]["reference"] == "jimenez2025" and tuple(rows[0]) == scorecard.FIELDS
    text = pages.summary(rows, {"01_first": measured, "02_second": measured})
    assert "[One](../notebooks/01_first.ipynb) | 1 | 0 | 1 |" in text
    assert "[One](../notebooks/02_second.ipynb) | – | – | – |" in text


def test_a_measurement_of_another_claim_is_refused(project, measured):
    path, one = project.book / "claims.yml", {"01_first": measured}
    with pytest.raises(PipelineError, match="02_second measured the claim 'A', as 01_first did"):
        gather(project, one | {"02_second": measured})
    path.write_text(small.CLAIMS.replace("reproduced: [0, 1]}", "reproduced: [0, 9]}"))
    with pytest.raises(PipelineError, match="before claims.yml changed it"):
        gather(project, one)
    path.write_text(small.CLAIMS.replace("id: B", "id: C"))
    with pytest.raises(PipelineError, match="the claim 'B', which claims.yml does not have"):
        gather(project, one)
    del small.rows_of(measured)[1]["interval_kind"]
    path.write_text(small.CLAIMS)
    with pytest.raises(PipelineError, match="by an older library, without interval_kind: execute"):
        gather(project, one)


# Kept runs


def executed(project, **changes):
    nb = small.card(project.book / "claims.yml", {"A": [0.5], "B": [0.25]}, **(KEPT | changes))
    small.keep(project.executed("paper", "01_first"), nb)


@pytest.fixture
def kept(project):
    executed(project)
    (path,) = scorecard.record(project, "paper", only="01", log=small.quiet)
    return path


def test_a_run_is_kept_with_what_it_measured(project, kept):
    assert kept == project.book / "results" / "runs" / "01_first-paper-cpu.json"
    (found,) = scorecard.kept_runs(project)
    wanted = {"chapter": "01_first"} | small.RUN | KEPT
    assert all(found[field] == wanted[field] for field in scorecard.KEPT_RUN)
    rows = [(row["id"], row["measured"], row["verdict"]) for row in found["rows"]]
    assert rows == [("A", 0.5, "reproduced"), ("B", 0.25, "reproduced")]
    lines = list(csv.DictReader(io.StringIO(scorecard.runs_csv([found]))))
    fields = ("id", "chapter", "profile", "measured", "source")
    assert [[line[field] for field in fields] for line in lines] == [
        ["A", "01_first", "paper", "0.5", "computed here"],
        ["B", "01_first", "paper", "0.25", "computed here"],
    ]


def test_beside_the_sites_own_it_has_its_own_verdicts(project, kept, measured):
    (found,), runs = scorecard.kept_runs(project), {"01_first": measured}
    rows = gather(project, runs)  # those of the site have another verdict on B
    assert scorecard.same_verdicts(found, rows) == (1, 2)
    text = pages.runs_kept([found], rows, runs)
    on_gpu = pages.runs_kept([found | {"device": "cuda"}], rows, runs)
    assert text.endswith("\nNone of them is on a GPU.\n") and "GPU" not in on_gpu
    way = "paper | cpu | 0 | 100 | 1,234 | 2026-01-02 | `abc` | a processor, 2 cores | 1 of 2 |"
    assert f"| [One](../notebooks/01_first.ipynb) | {way}" in text
    page = pages.table(rows, runs, scorecard.by_claim([found]))
    assert "laptop, cpu</small><br><small>paper, cpu: 0.25, reproduced</small>" in page
    assert page.count("paper, cpu: ") == 2 and "paper, cpu" not in pages.table(rows, runs)


def test_a_claim_that_has_changed_since_is_left_out(project, kept):
    path, said = project.book / "claims.yml", []
    path.write_text(small.CLAIMS.replace("reproduced: [0, 1]", "reproduced: [0, 9]", 1))
    (found,) = scorecard.kept_runs(project, said.append)
    assert [row["id"] for row in found["rows"]] == ["B"]
    what = "1 claims have changed since this run and are left out"
    assert said == [f"01_first-paper-cpu.json: {what}"]


def test_what_cannot_be_kept_is_named(project):
    what = "has not been executed at profile paper: make book PROFILE=paper ONLY=01"
    with pytest.raises(PipelineError, match=f"01_first {what}"):
        scorecard.record(project, "paper")
    executed(project, duration_s=None)
    with pytest.raises(PipelineError, match="duration_s: None is not of type 'number'"):
        scorecard.record(project, "paper")
    assert list(project.runs.iterdir()) == []


def test_a_file_that_is_no_record_is_named(project, kept):
    whole = kept.read_text()
    for text in ("{", "[]", "{}", whole.replace("0.25", "0.75"), whole.replace("99.6", "-9.6")):
        kept.write_text(text)
        with pytest.raises(PipelineError, match="01_first-paper-cpu.json is damaged: "):
            scorecard.kept_runs(project)
    run = {"chapter": "01_first", **small.RUN, **KEPT, "rows": [{"id": "A"}]}
    store.write_json(kept, run)
    with pytest.raises(PipelineError, match=r"at rows\[0\]: 'rule' is a required property"):
        scorecard.kept_runs(project)


def test_without_runs_the_pages_say_so(project):
    assert scorecard.kept_runs(project) == []
    assert "No run of another profile or device is kept yet." in pages.runs_kept([], [], {})
    head = "id,chapter,profile,device,seed,commit,executed,duration_s,peak_mb,machine,rule,measured"
    assert scorecard.runs_csv([]).startswith(head)


def test_verdicts_other_than_the_committed_ones_are_named(project, measured):
    project.source("02_second").unlink()
    said = []
    for path in (project.executed("laptop", "01_first"), project.committed("01_first")):
        small.keep(path, measured)
    scorecard.compare(project, "laptop", said.append)
    changed = small.card(project.book / "claims.yml", {"B": [0.5], "A": [0.6]})
    small.keep(project.executed("laptop", "01_first"), changed)
    with pytest.raises(PipelineError, match="1 of 2 verdicts are not the committed ones"):
        scorecard.compare(project, "laptop", said.append)
    before = "all 2 verdicts are the committed ones"
    assert said == [before, "B: reproduced 0.5, committed: not reproduced 2"]
