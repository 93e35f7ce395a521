"""What stands beneath a figure: its numbers, its run, the command, and a mark where the library has
changed since.
"""

import io
import shlex
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

from netdyn_lib.book import beneath, notebooks
from netdyn_lib.book.project import Project
from netdyn_lib.experiments import sizes
from netdyn_lib.figures import packing
from netdyn_lib.results import provenance

RUN = {
    "profile": "laptop",
    "device": "cpu",
    "seed": 3,
    "commit": "abc",
    "executed": "2026-01-02",
    "duration_s": 12.3,
    "machine": "a processor, 2 cores",
    "modules": {"one": "1", "two": "2"},
}
TABLE = "# panel 1: y = loss\npanel,series,kind,x,y\n1,,line,0,2\n1,,line,1,4\n"
PROJECT = Project(Path(__file__).resolve().parents[1])


def made(run=RUN, now=RUN["modules"], table=TABLE, folder=None, found=None):
    cell = nbformat.v4.new_code_cell("# | label: fig-x\n# | fig-cap: c\ndraw()")
    if table is not None:
        cell.metadata["netdyn"] = {"numbers": packing.packed(table)}
    if found is not None:
        cell.metadata["netdyn"] = cell.metadata.get("netdyn", {}) | {"sources": found}
    nb = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# A"), cell, nbformat.v4.new_code_cell("1")]
    )
    nb.metadata["netdyn"] = run
    return beneath.add(nb, "01_a", now, folder)


def test_the_cell_comes_after_its_figure_and_says_how_it_was_run(tmp_path):
    nb = made(folder=tmp_path)
    assert [cell.cell_type for cell in nb.cells] == ["markdown", "code", "markdown", "code"]
    nbformat.validate(nb)
    text = nb.cells[2].source
    assert (
        text.startswith(":::{dropdown} Numbers, run, command\n")
        and text.endswith("\n:::")
        and "stale" not in text
    )
    assert (
        "Profile laptop, device cpu (a processor, 2 cores), seed 3, commit `abc`, 2026-01-02; the whole chapter took 12 s."
        in text
    )
    assert "What is drawn, 2 rows: {download}`fig-x.csv <numbers/01_a/fig-x.csv>`" in text
    table = pd.read_csv(tmp_path / "numbers" / "01_a" / "fig-x.csv", comment="#")
    assert table["y"].tolist() == [2, 4] and table.equals(
        pd.read_csv(io.StringIO(TABLE), comment="#")
    )


@pytest.mark.parametrize(
    "found, words",
    [
        (None, None),
        ([provenance.HERE], None),
        (
            ["arms/usps.npz"],
            "Drawn from published results, `arms/usps.npz` (see {doc}`the table of files <../book/published>`); the run below evaluates them.",
        ),
        (
            [provenance.HERE, "a.npz", "b.npz"],
            "Partly drawn from published results, `a.npz`, `b.npz` (see {doc}`the table of files <../book/published>`); the rest, and what is made of them, was",
        ),
    ],
)
def test_what_was_drawn_from_published_numbers_is_said(found, words, tmp_path):
    text = made(found=found, folder=tmp_path).cells[2].source
    assert words in text if words else "published" not in text


def test_the_command_is_papermills():
    words = shlex.split(beneath.command(RUN, "01_a"))
    assert words[0].endswith("papermill") and "notebooks/01_a.ipynb" in words
    assert [words[k + 1 : k + 3] for k, word in enumerate(words) if word == "-p"] == [
        ["profile", "laptop"],
        ["device", "cpu"],
        ["seed", "3"],
    ]


@pytest.mark.parametrize(
    "now, changed",
    [
        (RUN["modules"], []),
        ({"one": "1", "two": "3"}, ["two"]),
        ({"one": "1"}, ["two"]),
        ({"one": "1", "two": "2", "three": "3"}, ["three"]),
    ],
)
def test_a_run_is_stale_where_a_module_has_changed(now, changed, tmp_path):
    assert beneath.stale(RUN, now) == changed
    text = made(now=now, folder=tmp_path).cells[2].source
    assert text.splitlines()[0].endswith("{bdg-warning}`stale`") == bool(changed)
    assert all(f"`{module}`" in text for module in changed)


def test_an_older_run_says_that_it_kept_no_record(tmp_path):
    run = {key: value for key, value in RUN.items() if key not in ("modules", "machine")}
    text = made(run, table=None, folder=tmp_path).cells[2].source
    assert (
        beneath.stale(run, {}) is None
        and "`stale`" in text.splitlines()[0]
        and "older library" in text
    )
    assert (
        "device cpu, seed" in text
        and "not kept by this run" in text
        and not (tmp_path / "numbers").exists()
    )


def test_sizes_of_other_chapters_make_nothing_stale(monkeypatch):
    known = sizes.sizes
    name = PROJECT.names()[0]
    before = beneath.now(PROJECT, name)
    assert before["profiles"] and beneath.now(PROJECT, name) == before
    monkeypatch.setattr(
        sizes,
        "sizes",
        lambda chapter, profile: known(chapter, profile) if chapter == name else 1 / 0,
    )
    assert beneath.now(PROJECT, name) == before
    monkeypatch.setattr(
        sizes,
        "sizes",
        lambda chapter, profile: SimpleNamespace(**vars(known(chapter, profile)) | {"keep": -1}),
    )
    assert beneath.stale({"modules": before}, beneath.now(PROJECT, name)) == ["profiles"]


def test_many_changes_are_counted(tmp_path):
    text = (
        made(now={f"m{k}": "0" for k in range(10)} | RUN["modules"], folder=tmp_path)
        .cells[2]
        .source
    )
    assert "`m5` and 4 more" in text and "`m6`" not in text


@pytest.mark.parametrize("name", PROJECT.names())
def test_committed_chapters_hold_the_numbers_of_every_figure(name):
    nb = notebooks.read(PROJECT.committed(name))
    for cell, label, *_ in notebooks.figures(nb):
        table = pd.read_csv(
            io.StringIO(packing.unpacked(cell.metadata.netdyn.numbers)), comment="#"
        )
        assert len(table) and {"panel", "kind", "x", "y"} <= set(table), label
    assert nb.metadata.netdyn["modules"]
