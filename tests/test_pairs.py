"""Every notebook: its pair, its parameters, its outputs, its figures, and that it computes nothing of its own."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from netdyn_lib import claims, profiles
from netdyn_lib.pipeline import notebook, pair
from netdyn_lib.pipeline.project import Project

PROJECT = Project(Path(__file__).resolve().parents[1])
NAMES = PROJECT.names()
each = pytest.mark.parametrize("name", NAMES)
#: What a notebook may import.
IMPORTS = {"netdyn_lib", "myst_nb"}
#: What a chapter may do besides, because what it shows is how a reader writes a module and a loss: classes and functions, of torch.
READERS_OWN = {"08_your_own_network": {"torch"}}
#: Calls that enter or show a number; what stands in them is formatting.
SHOWING = {"glue", "print", "measure"}
GLUE = "application/papermill.record"


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


# What nbval compares


@each
def test_nothing_is_compared_that_depends_on_the_machine(name):
    bare = [cell.source for cell in code(committed(name)) if varies(cell) and "nbval-ignore-output" not in notebook.tags(cell)]
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
    [("0.333333333", True), ("[0.1, 12.345678]", True), ("1e-07 0.3333 0.000123456 120.500", False), ("v1.4.1234567", False)],
)
def test_precise(text, expected):
    assert precise(text) == expected


def test_varies():
    output = nbformat.v4.new_output("display_data", {GLUE + "/text/plain": "'x'"})
    assert varies(nbformat.v4.new_code_cell(outputs=[output]))
    output = nbformat.v4.new_output("execute_result", {"text/plain": "a: reproduced", claims.MIME: []})
    assert varies(nbformat.v4.new_code_cell(outputs=[output]))
    output = nbformat.v4.new_output("stream", text="a: reproduced\n")
    assert not varies(nbformat.v4.new_code_cell(outputs=[output]))


# What a notebook computes


@each
def test_a_notebook_computes_nothing_of_its_own(name):
    assert own(PROJECT.source(name).read_text(encoding="utf-8"), READERS_OWN.get(name)) == []


def own(source, readers=None):
    """What a notebook's source computes by itself, line by line.

    It defines nothing, and imports the library and glue alone.  Arithmetic is
    left to the library, except

    * with a literal number or a size (``100 * share``, ``k * sizes.block``),
    * a sum or a difference of two names (``end - begin``),
    * in an index, a formatted string, an assertion, and in what is glued,
      printed or measured.

    Comparisons and ``&``, ``|``, ``~`` choose among results and are free.

    Where ``readers`` is given, the notebook may also import these packages,
    and define classes and functions, in whose bodies anything goes.
    """
    found, tree = [], ast.parse(source)
    if readers:
        tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    _search(tree, found, IMPORTS | (readers or set()))
    return found


def _search(node, found, imports=frozenset(IMPORTS)):
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | ast.While):
        found.append(f"line {node.lineno}: {type(node).__name__} belongs in the library")
    elif isinstance(node, ast.Import | ast.ImportFrom):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        found += [f"line {node.lineno}: imports {m}" for m in modules if m.partition(".")[0] not in imports]
    elif isinstance(node, ast.BinOp) and not _allowed(node):
        found.append(f"line {node.lineno}: computes {ast.unparse(node)}")
    if isinstance(node, ast.Assert | ast.FormattedValue) or _shows(node):
        return
    children = [node.value] if isinstance(node, ast.Subscript) else ast.iter_child_nodes(node)
    for child in children:
        _search(child, found, imports)


def _shows(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in SHOWING


def _allowed(node):
    if isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor) or _given(node.left) or _given(node.right):
        return True
    names = isinstance(node.left, ast.Name) and isinstance(node.right, ast.Name)
    return names and isinstance(node.op, ast.Add | ast.Sub)


def _given(node):
    """A literal number, a size, or arithmetic of these."""
    if isinstance(node, ast.UnaryOp):
        return _given(node.operand)
    if isinstance(node, ast.BinOp):
        return _given(node.left) and _given(node.right)
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id in ("size", "sizes")
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


@pytest.mark.parametrize(
    "line",
    [
        "x = 100 * y.mean()",
        "x = z[k // 2 :, a - b]",
        "x = [k * sizes.block for k in r]",
        "x = end - begin",
        "x = (a == 0) & ~b",
        "card.measure('A', a.value - a.error)",
        "glue('a', float(a.x / b.x))",
        "f'{a.x / b.x:.2f}'",
        "assert abs(a.x - b.x) < 1e-9",
        "from netdyn_lib.figures import maps",
    ],
)
def test_a_notebook_may(line):
    assert own(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "import numpy as np",
        "from scipy import stats",
        "import torch.nn",
        "def f(): pass",
        "f = lambda x: x",
        "x = a.y - b.y",
        "x = a / b",
        "x = [c / c[0] for c in d]",
        "x = f(a.y * b.y)[0]",
        "x = 100 * (a / b)",
    ],
)
def test_a_notebook_may_not(line):
    assert len(own(line)) == 1


READERS_CELL = "import torch\nclass A(torch.nn.Module):\n    def forward(self, x):\n        return x / self.a"


def test_a_reader_may_write_a_module():
    assert own(READERS_CELL, {"torch"}) == []
    assert len(own(READERS_CELL)) >= 2
    assert len(own("x = a / b", {"torch"})) == len(own("import numpy", {"torch"})) == len(own("f = lambda x: x", {"torch"})) == 1
    assert set(READERS_OWN) <= set(NAMES)


def displays(cell):
    """Whether a cell shows something for certain: a figure, a print, or a bare name at its end."""
    if "figure" in cell.metadata.get("mystnb", {}):
        return True
    body = ast.parse(cell.source).body
    calls = [node.value for node in body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    if any(getattr(call.func, "id", "") in ("print", "glue", "display") for call in calls):
        return True
    return bool(body) and isinstance(body[-1], ast.Expr) and isinstance(body[-1].value, ast.Name | ast.Attribute)
