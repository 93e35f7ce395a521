"""A small repository, whose notebooks need nothing but Python, and what stands for its site."""

import subprocess
import time
from pathlib import Path

import nbformat

from netdyn_lib.book import notebooks
from netdyn_lib.book.project import write_whole
from netdyn_lib.results import claims

ROOT = Path(__file__).resolve().parents[2]
HEADER = """# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A title

# %% tags=["parameters"]
profile = "laptop"
device = "cpu"
seed = 0

"""
LIBRARY = {
    "__init__.py": "",
    "top.py": "from . import middle\n",
    "middle.py": "def f():\n    from .deep import bottom\n    return bottom\n",
    "deep/__init__.py": "",
    "deep/bottom.py": "from ..side import x\n",
    "side.py": "x = 1\n",
    "results/__init__.py": "",
    "results/claims.py": "",
    "unrelated.py": "",
}
CLAIM = (
    "  - {{id: {}, paper: J, figure: Fig {}, chapter: {}, statement: s{}, paper_value: 1, "
    "quantity: q, reproduced: [0, 1]}}\n"
)
CLAIMS = (
    "papers: {J: jimenez2025}\nclaims:\n"
    + CLAIM.format("A", 6, "01_first", "")
    + CLAIM.format("B", 7, "01_first", "t")
)
TOC = "format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/01_first\n"
RUN = {
    "profile": "laptop",
    "device": "cpu",
    "seed": 0,
    "commit": "abc",
    "executed": "2026-01-02",
    "duration_s": 1.0,
    "versions": {"python": "3"},
}


def quiet(line):
    """In place of a log."""


def write(project, name, cells):
    """Write the source of a notebook: a title, its parameters, and these cells."""
    project.source(name).write_text(HEADER + cells)


def card(path, values, chapter="01_first", **run):
    """An executed notebook that measured claims, by id."""
    made = claims.Scorecard(chapter, path)
    for id, value in values.items():
        made.measure(id, *value, saw="something")
    output = nbformat.v4.new_output("display_data", {claims.MIME: made.rows(), "text/plain": "…"})
    title = nbformat.v4.new_markdown_cell("# One")
    nb = nbformat.v4.new_notebook(cells=[title, nbformat.v4.new_code_cell("card")])
    nb.cells[1].outputs = [output]
    nb.metadata.netdyn = RUN | run
    return nb


def rows_of(nb):
    """The measurements of the second cell of a notebook by :func:`card`."""
    return nb.cells[1].outputs[0].data[claims.MIME]


def with_figure(nb):
    """The notebook with a figure at its end."""
    figure = nbformat.v4.new_code_cell("# | label: fig-x\n# | fig-cap: x\n# | fig-alt: y\ndraw()")
    figure.outputs = [nbformat.v4.new_output("display_data", {"image/png": "aGVsbG8="})]
    nb.cells.append(figure)
    return nb


def keep(path, nb):
    """Write a notebook."""
    write_whole(path, notebooks.dumps(nb))


def whole(folder):
    """What all files of a folder hold, by path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def built(words, **options):
    """In place of jupyter-book: a new site."""
    folder = Path(words[words.index("--path-output") + 1])
    write_whole(folder / "_build" / "html" / "index.html", "new")
    return subprocess.CompletedProcess(words, 0, "", "")


def until(condition, seconds=60):
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.05)
