"""Every notebook: its pair, its parameters, its outputs, its figures."""

import ast
from pathlib import Path

import pytest

from netdyn_lib import profiles
from netdyn_lib.pipeline import notebook, pair
from netdyn_lib.pipeline.project import Project

PROJECT = Project(Path(__file__).resolve().parents[1])
NAMES = PROJECT.names()
each = pytest.mark.parametrize("name", NAMES)


def committed(name):
    return notebook.read(PROJECT.committed(name))


def code(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def test_no_pair_is_without_its_source():
    assert sorted(path.stem for path in PROJECT.notebooks.glob("*.ipynb")) == NAMES


@each
def test_source_and_pair_agree(name):
    assert PROJECT.committed(name).exists(), "run make notebooks"
    assert pair.disagreement(PROJECT, name) == ""


@each
def test_the_pair_shows_a_default_run(name):
    nb = committed(name)
    defaults = notebook.defaults(nb, name)
    assert defaults["profile"] == profiles.PROFILES[0]
    assert {k: nb.metadata.netdyn[k] for k in ("profile", "seed")} == {k: defaults[k] for k in ("profile", "seed")}
    assert set(pair.KEPT) <= set(nb.metadata.netdyn)
    assert not any(notebook.INJECTED in notebook.tags(cell) for cell in nb.cells)


@each
def test_every_cell_was_executed(name):
    nb = committed(name)
    assert [cell.execution_count for cell in code(nb)] == list(range(1, len(code(nb)) + 1))
    silent = [cell.source for cell in code(nb) if displays(cell) and not cell.outputs]
    assert silent == []


@each
def test_no_cell_failed_or_complained(name):
    for cell in code(committed(name)):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", f"{cell.source}\nwrote to stderr:\n{output.text}"


@each
def test_every_figure_is_described(name):
    found = notebook.figures(committed(name))
    assert found, "a chapter without a figure"
    for cell, label, caption, alt in found:
        assert label.startswith("fig-"), cell.source
        assert len(caption) > 20, label
        assert len(alt) > 20, label
        assert alt != caption, label
        pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        assert len(pictures) == 1, f"{label}: {len(pictures)} pictures in one figure"


@each
def test_every_picture_is_a_figure(name):
    nb = committed(name)
    declared = [cell.id for cell, *_ in notebook.figures(nb)]
    for cell in code(nb):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            assert cell.id in declared, cell.source


def test_figure_names_are_unique():
    names = [label for name in NAMES for _, label, _, _ in notebook.figures(committed(name))]
    assert len(set(names)) == len(names)


@each
def test_a_notebook_computes_nothing_of_its_own(name):
    tree = ast.parse(PROJECT.source(name).read_text(encoding="utf-8"))
    own = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert own == [], "definitions belong in the library"


def displays(cell):
    """Whether a cell shows something for certain: a figure, a print, or a bare name at its end."""
    if "figure" in cell.metadata.get("mystnb", {}):
        return True
    body = ast.parse(cell.source).body
    calls = [node.value for node in body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    if any(getattr(call.func, "id", "") in ("print", "glue", "display") for call in calls):
        return True
    return bool(body) and isinstance(body[-1], ast.Expr) and isinstance(body[-1].value, ast.Name | ast.Attribute)
