"""Every notebook: its pair, its parameters, its outputs and its figures; and how pairs are made."""

import ast
import re

import nbformat
import pytest

from netdyn_lib.book import execute, notebooks
from netdyn_lib.book.project import PipelineError, Project
from netdyn_lib.experiments import sizes
from netdyn_lib.figures import vector
from netdyn_lib.results import claims

from . import small

PROJECT = Project(small.ROOT)
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
def test_the_header_of_a_text_stands_alone(name):
    """Words behind it would become the cell's title, which no page shows."""
    lines = PROJECT.source(name).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("# %% [markdown] ")] == []


@each
def test_source_and_pair_agree(name):
    assert PROJECT.committed(name).exists(), "run make notebooks"
    assert notebooks.disagreement(PROJECT, name) == ""


@each
def test_code_fits_the_page(name):
    """At most 100 columns of code, one cell that glues, and 25 glued numbers a chapter."""
    cells = code(notebooks.read_source(PROJECT.source(name)))
    assert [line for cell in cells for line in cell.source.splitlines() if len(line) > 100] == []
    assert sum("glue_all(" in cell.source for cell in cells) <= 1
    assert not any(re.search(r"(?<!_)\bglue\(", cell.source) for cell in cells)
    glued = [
        output.metadata["scrapbook"]["name"]
        for cell in code(committed(name))
        for output in cell.outputs
        if "scrapbook" in output.get("metadata", {})
    ]
    assert len(glued) == len(set(glued)) <= 25


@each
def test_the_pair_shows_a_default_run(name):
    nb = committed(name)
    defaults = notebooks.defaults(nb, name)
    assert defaults["profile"] == sizes.PROFILES[0]
    assert {k: nb.metadata.netdyn[k] for k in ("profile", "seed")} == {
        k: defaults[k] for k in ("profile", "seed")
    }
    assert set(notebooks.KEPT) <= set(nb.metadata.netdyn)
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
def test_every_picture_is_a_figure_that_is_described(name):
    nb = committed(name)
    found = notebooks.figures(nb)
    assert found, "a chapter without a figure"
    for _, label, caption, alt in found:
        assert label.startswith("fig-") and min(len(caption), len(alt)) > 20 and alt != caption, (
            label
        )
    declared = {cell.id for cell, *_ in found}
    for cell in code(nb):
        pictures = sum("image/png" in output.get("data", {}) for output in cell.outputs)
        assert pictures == (cell.id in declared), f"{pictures} pictures in {cell.source}"


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


# The source, and making pairs


def test_cell_ids_are_stable(project):
    path = project.source("01_first")
    before = [cell.id for cell in notebooks.read_source(path).cells]
    cells = "# %%\nx = 1\n\n# %%\nx = 1\n\n# %%\nprint(seed + 1)\n"
    small.write(project, "01_first", cells)
    after = [cell.id for cell in notebooks.read_source(path).cells]
    assert len(set(after)) == len(after) == len(before) + 2
    assert [after[0], after[1], after[-1]] == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 0\n", "", "lacks seed"),
        ("seed = 0", "seed = int(0)", r"'seed = int\(0\)', not a plain value"),
        (' tags=["parameters"]', "", "0 cells carry the tag 'parameters'"),
    ],
)
def test_a_bad_parameters_cell_is_named(project, old, new, message):
    project.source("01_first").write_text(small.HEADER.replace(old, new))
    with pytest.raises(PipelineError, match=f"01_first: .*{message}"):
        execute.execute(project, execute.Way(device="cpu"), only="01")


def executed(project, **changed):
    """Keep a run of the first notebook's source, as papermill leaves one."""
    nb = notebooks.read_source(project.source("01_first"))
    cell = nbformat.v4.new_code_cell("seed = 0")
    cell.metadata.tags = [notebooks.INJECTED]
    printed = nbformat.v4.new_output("stream", text="1\n")
    drawing = nbformat.v4.new_output("display_data", {"text/plain": "…", vector.MIME: "x"})
    nb.cells[-1].outputs = [printed, drawing]
    nb.cells[-1].metadata.papermill = {"duration": 1}
    nb.cells.insert(2, cell)
    lacking = {"peak_mb": 1, "machine": "m", "modules": {}, "key": "of the build folder"}
    nb.metadata.netdyn = small.RUN | lacking | changed
    small.keep(project.executed("laptop", "01_first"), notebooks.tidy(nb))


def test_a_pair_is_the_source_with_outputs(project):
    executed(project)
    notebooks.pair(project, only="01", log=small.quiet)
    nb = notebooks.read(project.committed("01_first"))
    assert notebooks.disagreement(project, "01_first") == ""
    assert nb.cells[-1].outputs[0].text == "1\n"
    assert [cell.execution_count for cell in code(nb)] == [1, 2]
    assert nb.metadata.netdyn.keys() == set(notebooks.KEPT)
    text = project.committed("01_first").read_text()
    assert not [word for word in ("papermill", "injected", "key", vector.MIME) if word in text]
    # A change of the source shows.
    small.write(project, "01_first", "# %%\nprint(seed + 2)\n")
    assert notebooks.disagreement(project, "01_first")
    with pytest.raises(PipelineError, match="executed before its source changed"):
        notebooks.pair(project, only="01")


def test_a_pair_shows_the_default_run_on_the_processor(project):
    for changed, said in (({"seed": 5}, "seed 5, .*: seed 0"), ({"device": "cuda"}, "'cuda'")):
        executed(project, **changed)
        with pytest.raises(PipelineError, match=f"01_first was executed with .*{said}"):
            notebooks.pair(project, only="01")
    with pytest.raises(PipelineError, match="02_second has not been executed"):
        notebooks.pair(project, only="02")
    assert not project.committed("01_first").exists()


def test_an_appendix_is_a_page_of_its_own_and_both_pages_may_show_every_glued_number():
    mime = f"{notebooks.GLUED}x-share"
    glue = nbformat.v4.new_code_cell("glue_all('x', share=1)", metadata={"tags": ["remove-cell"]})
    glue.outputs = [nbformat.v4.new_output("display_data", {mime: "1"})]
    cells = [nbformat.v4.new_markdown_cell(text) for text in ("# One", "# Appendix: more", "text")]
    nb = nbformat.v4.new_notebook(cells=[*cells, glue], metadata={"netdyn": {"seed": 0}})
    first, second = notebooks.pages("01_one", nb).values()
    assert list(notebooks.pages("01_one", nb)) == ["01_one", "01_one_appendix"]
    assert [cell.source for cell in first.cells] == ["# One", ""]
    assert [cell.source for cell in second.cells][:2] == ["# Appendix: more", "text"]
    for page in (first, second):
        shown = [output for cell in page.cells for output in cell.get("outputs", [])]
        assert shown == glue.outputs and page.metadata == nb.metadata
        assert page.cells[-1].metadata.tags == ["remove-cell"]
    (whole,) = notebooks.pages("01_one", nbformat.v4.new_notebook(cells=cells[:1])).values()
    assert [cell.source for cell in whole.cells] == ["# One"]
