"""Every notebook: its pair, its parameters, its outputs and its figures."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from netdyn_lib.book import notebooks, pair
from netdyn_lib.book.project import Project
from netdyn_lib.experiments import sizes
from netdyn_lib.results import claims

PROJECT = Project(Path(__file__).resolve().parents[1])
NAMES = PROJECT.names()
each = pytest.mark.parametrize("name", NAMES)
GLUE = "application/papermill.record"


def committed(name):
    return notebooks.read(PROJECT.committed(name))


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
    defaults = notebooks.defaults(nb, name)
    assert defaults["profile"] == sizes.PROFILES[0]
    assert {k: nb.metadata.netdyn[k] for k in ("profile", "seed")} == {
        k: defaults[k] for k in ("profile", "seed")
    }
    assert set(pair.KEPT) <= set(nb.metadata.netdyn)
    assert not any(notebooks.INJECTED in notebooks.tags(cell) for cell in nb.cells)


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
    found = notebooks.figures(committed(name))
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
    declared = [cell.id for cell, *_ in notebooks.figures(nb)]
    for cell in code(nb):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            assert cell.id in declared, cell.source


def test_figure_names_are_unique():
    names = [label for name in NAMES for _, label, _, _ in notebooks.figures(committed(name))]
    assert len(set(names)) == len(names)


# What nbval compares


@each
def test_nothing_is_compared_that_depends_on_the_machine(name):
    bare = [
        cell.source
        for cell in code(committed(name))
        if varies(cell) and "nbval-ignore-output" not in notebooks.tags(cell)
    ]
    assert bare == [], "tag these cells nbval-ignore-output"


def varies(cell):
    """Whether a cell shows glue, measured claims, or a number to more than six digits."""
    for output in cell.outputs:
        data = output.get("data", {})
        if any(mime.startswith(GLUE) or mime == claims.MIME for mime in data):
            return True
        if precise(output.get("text", "") + data.get("text/plain", "")):
            return True
    return False


def precise(text):
    """Whether a text holds a decimal number of more than six significant digits."""
    numbers = re.findall(r"(?<![\w.])\d+\.\d+", text)
    return any(len(number.replace(".", "").lstrip("0")) > 6 for number in numbers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.333333333", True),
        ("[0.1, 12.345678]", True),
        ("1e-07 0.3333 0.000123456 120.500", False),
        ("v1.4.1234567", False),
    ],
)
def test_precise(text, expected):
    assert precise(text) == expected


def test_varies():
    output = nbformat.v4.new_output("display_data", {GLUE + "/text/plain": "'x'"})
    assert varies(nbformat.v4.new_code_cell(outputs=[output]))
    output = nbformat.v4.new_output(
        "execute_result", {"text/plain": "a: reproduced", claims.MIME: []}
    )
    assert varies(nbformat.v4.new_code_cell(outputs=[output]))
    output = nbformat.v4.new_output("stream", text="a: reproduced\n")
    assert not varies(nbformat.v4.new_code_cell(outputs=[output]))


@each
def test_glued_numbers_are_plain(name):
    """A page shows nothing in the place of np.float64(0.5)."""
    shown = [
        (glued, text)
        for cell in code(committed(name))
        for output in cell.outputs
        for glued, text in [
            (
                output.get("metadata", {}).get("scrapbook", {}).get("name"),
                output.get("data", {}).get(f"{GLUE}/text/plain", ""),
            )
        ]
        if glued and re.match(r"(np|numpy|torch)\b|tensor", text)
    ]
    assert shown == [], "glue float(…)"


def displays(cell):
    """Whether a cell shows something for certain: a figure, a print, or a bare name at its end."""
    if notebooks.figure_options(cell):
        return True
    body = ast.parse(cell.source).body
    calls = [
        node.value
        for node in body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    if any(getattr(call.func, "id", "") in ("print", "glue", "display") for call in calls):
        return True
    return (
        bool(body)
        and isinstance(body[-1], ast.Expr)
        and isinstance(body[-1].value, ast.Name | ast.Attribute)
    )
