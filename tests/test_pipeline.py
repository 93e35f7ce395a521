"""The pipeline: what a run depends on, executing, interruption, pairing, gathering."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from netdyn_lib.book import execute, notebooks, pages, pair, scorecard, site
from netdyn_lib.book import project as project_module
from netdyn_lib.book.project import PipelineError, Project, replace_folder, write_whole
from netdyn_lib.experiments import benchmarks
from netdyn_lib.results import claims, store
from netdyn_lib.results.provenance import imported

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
    "claims.py": "",
    "unrelated.py": "",
}


@pytest.fixture
def project(tmp_path):
    """A small repository; its notebooks need nothing but Python."""
    project = Project(tmp_path)
    for file, text in LIBRARY.items():
        path = project.package / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (project.book / "results").mkdir(parents=True)
    (project.book / "claims.yml").write_text("claims:\n")
    project.notebooks.mkdir()
    write(project, "01_first", "# %%\nprint(seed + 1)\n")
    write(project, "02_second", "# %%\nprint(profile)\n")
    return project


def write(project, name, cells):
    project.source(name).write_text(HEADER + cells)


# What a run depends on


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import numpy", []),
        ("import netdyn_lib", ["__init__"]),
        ("import netdyn_lib.side", ["__init__", "side"]),
        (
            "import netdyn_lib.deep.bottom as b",
            ["__init__", "deep/__init__", "deep/bottom", "side"],
        ),
        ("from netdyn_lib import side, missing", ["__init__", "side"]),
        (
            "from netdyn_lib.deep import bottom",
            ["__init__", "deep/__init__", "deep/bottom", "side"],
        ),
        ("from netdyn_lib.side import x", ["__init__", "side"]),
        (
            "import netdyn_lib as nd\nnd.deep.bottom.f()",
            ["__init__", "deep/__init__", "deep/bottom", "side"],
        ),
        (
            "from netdyn_lib import deep\ndeep.bottom",
            ["__init__", "deep/__init__", "deep/bottom", "side"],
        ),
        (
            "from netdyn_lib import top",
            ["__init__", "deep/__init__", "deep/bottom", "middle", "side", "top"],
        ),
    ],
)
def test_imports_are_followed(project, source, modules):
    found = imported(source, project.package)
    assert [str(path.relative_to(project.package).with_suffix("")) for path in found] == modules


def test_the_key_follows_the_modules_a_notebook_imports(project):
    write(project, "01_first", "# %%\nfrom netdyn_lib import top\n")
    parameters = {"profile": "laptop", "device": "cpu", "seed": 0}
    keys = [execute.key(project, "01_first", parameters)]
    for file in ("side.py", "deep/__init__.py", "top.py"):
        (project.package / file).write_text(LIBRARY[file] + "# changed\n")
        keys.append(execute.key(project, "01_first", parameters))
    assert len(set(keys)) == 4
    (project.package / "unrelated.py").write_text("# changed\n")
    (project.book / "claims.yml").write_text("# changed\n")
    assert execute.key(project, "01_first", parameters) == keys[-1]


def test_the_key_follows_the_claims_of_its_chapter(project):
    write(project, "02_second", "# %%\nfrom netdyn_lib import claims\n")
    path = project.book / "claims.yml"
    claim = "- {{id: {}, paper: J, figure: Fig 1, chapter: {}, statement: s, paper_value: 1, quantity: q, reproduced: [0, 1]}}\n"
    other, own = claim.format("A", "01_first"), claim.format("B", "02_second")

    def keys(text):
        path.write_text("papers: {J: a}\nclaims:\n" + text)
        return [execute.key(project, name, {}) for name in project.names()]

    before = keys(other + own)
    assert keys(other + "# a remark\n" + own) == before
    assert keys(other.replace("quantity: q", "quantity: r") + own) == before
    after = keys(other + own.replace("quantity: q", "quantity: r"))
    assert after[0] == before[0]  # it does not import the claims
    assert after[1] != before[1]
    assert keys(other)[1] not in (before[1], after[1])
    path.write_text("claims: [")
    assert execute.key(project, "01_first", {}) == before[0]
    with pytest.raises(PipelineError, match="claims.yml, line 2, column 1: no YAML"):
        execute.key(project, "02_second", {})


def test_the_key_follows_parameters_source_and_the_results_it_reads(project):
    keys = {execute.key(project, "01_first", {"seed": seed}) for seed in (0, 1)}
    (project.book / "results" / "x.csv").write_text("1")
    keys.add(execute.key(project, "01_first", {"seed": 0}))
    assert len(keys) == 2  # it reads no published results
    write(project, "01_first", "# %%\nprint(2)\n")
    keys.add(execute.key(project, "01_first", {"seed": 0}))
    home = project.package / "sweeps"
    home.mkdir(parents=True)
    for name in ("__init__", "results"):
        (home / f"{name}.py").write_text("")
    write(project, "01_first", f"# %%\nfrom {project.package.name}.sweeps import results\n")
    keys.add(execute.key(project, "01_first", {"seed": 0}))
    (project.book / "results" / "x.csv").write_text("2")
    keys.add(execute.key(project, "01_first", {"seed": 0}))
    assert len(keys) == 5
    # What is being written, or was left by a process that was killed, is no result.
    for name in (".x.7.0123abcd-1.partial", "x.json.partial", ".x.npz.lock"):
        (project.book / "results" / name).write_text("half")
    assert execute.key(project, "01_first", {"seed": 0}) in keys


# The source


def test_cell_ids_are_stable(project):
    path = project.source("01_first")
    before = [cell.id for cell in notebooks.read_source(path).cells]
    write(project, "01_first", "# %%\nx = 1\n\n# %%\nx = 1\n\n# %%\nprint(seed + 1)\n")
    after = [cell.id for cell in notebooks.read_source(path).cells]
    assert len(set(after)) == len(after) == len(before) + 2
    assert [after[0], after[1], after[-1]] == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 0\n", "", "lacks seed"),
        ("seed = 0", "seed = int(0)", "'seed = int(0)', not a plain value"),
        (' tags=["parameters"]', "", "0 cells carry the tag 'parameters'"),
    ],
)
def test_a_bad_parameters_cell_is_named(project, old, new, message):
    project.source("01_first").write_text(HEADER.replace(old, new))
    with pytest.raises(PipelineError, match="01_first") as error:
        execute.execute(project, device="cpu", only="01")
    assert message in str(error.value)


# Executing


def test_only_what_changed_is_executed(project):
    run = lambda **options: execute.execute(project, device="cpu", log=lambda line: None, **options)  # noqa: E731
    assert run() == ["01_first", "02_second"]
    assert run() == []
    write(project, "02_second", "# %%\nprint(device)\n")
    assert run(only="01") == []
    assert run() == ["02_second"]
    assert run(only="01", fresh=True) == ["01_first"]
    nb = notebooks.read(project.executed("laptop", "01_first"))
    assert {k: nb.metadata.netdyn[k] for k in ("profile", "device", "seed", "commit")} == {
        "profile": "laptop",
        "device": "cpu",
        "seed": 0,
        "commit": "unknown",
    }
    injected = [cell for cell in nb.cells if notebooks.INJECTED in notebooks.tags(cell)]
    assert [notebooks.tags(cell) for cell in injected] == [[notebooks.INJECTED, "remove-cell"]]
    assert str(project.root) not in notebooks.dumps(nb)
    # Another seed is another run, and a damaged copy is no run.
    assert run(only="01", seed=3) == ["01_first"]
    assert "4" in notebooks.read(project.executed("laptop", "01_first")).cells[-1].outputs[0].text
    text = project.executed("laptop", "02_second").read_text()
    project.executed("laptop", "02_second").write_text(text[: len(text) // 2])
    assert run(only="02") == ["02_second"]


def test_a_failing_notebook_is_reported_and_the_others_are_kept(project):
    write(project, "02_second", "# %%\nx = 1\n\n# %%\nvalues = []\nvalues[x]\n")
    with pytest.raises(PipelineError) as error:
        execute.execute(project, device="cpu", log=lambda line: None)
    for part in (
        "02_second failed in its cell 4 (In [4])",
        "    values[x]",
        "IndexError: list index out of range",
    ):
        assert part in str(error.value)
    assert project.executed("laptop", "01_first").exists()
    assert not project.executed("laptop", "02_second").exists()


def test_an_unknown_notebook_or_device_is_named(project):
    with pytest.raises(
        PipelineError, match="ONLY=07 names no notebook; there are: 01_first, 02_second"
    ):
        project.names("01,07")
    with pytest.raises(PipelineError, match="unknown device 'tpu'"):
        execute.execute(project, device="tpu", log=lambda line: None)


def test_a_source_that_is_not_python_is_named(project):
    (project.package / "side.py").write_text("x = = 1\n")
    write(project, "01_first", "# %%\nfrom netdyn_lib import side\n")
    with pytest.raises(PipelineError, match="01_first: .*side.py, line 1: invalid syntax"):
        execute.key(project, "01_first", {})


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_says_whether_files_differ(project):
    git = lambda *words: subprocess.run(
        ["git", *words], cwd=project.root, check=True, capture_output=True
    )  # noqa: E731
    assert project.commit() == "unknown"
    git("init", "--quiet")
    git("add", "--all")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "one")
    clean = project.commit()
    assert len(clean) == 12
    project.committed("01_first").write_text("{}")
    assert project.commit() == clean
    write(project, "01_first", "# %%\nprint(2)\n")
    assert project.commit() == f"{clean}-dirty"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_is_that_at_the_beginning_of_a_run(project):
    git = lambda *words: subprocess.run(
        ["git", *words], cwd=project.root, check=True, capture_output=True
    )  # noqa: E731
    (project.root / ".gitignore").write_text("_build/\n")
    touched = project.root / "later"
    write(project, "01_first", f"# %%\nimport pathlib\npathlib.Path({str(touched)!r}).touch()\n")
    git("init", "--quiet")
    git("add", "--all")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "one")
    clean = project.commit()
    execute.execute(project, device="cpu", only="01", log=lambda line: None)
    assert touched.exists() and project.commit() == f"{clean}-dirty"
    assert notebooks.read(project.executed("laptop", "01_first")).metadata.netdyn.commit == clean


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_half_written(project, number):
    flag = project.root / "go"
    write(
        project,
        "02_second",
        f"# %%\nimport pathlib, time\nprint('before')\n\n# %%\n"
        f"while not pathlib.Path({str(flag)!r}).exists():\n    time.sleep(0.05)\n",
    )
    command = [
        sys.executable,
        "-m",
        "netdyn_lib.book",
        "--root",
        str(project.root),
        "execute",
        "--device",
        "cpu",
    ]
    here = {
        "cwd": Path(__file__).resolve().parents[1],
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
    }
    # Who runs the tests may ignore an interrupt, as a shell's job in the background does.
    restore = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    first = subprocess.Popen(command, text=True, start_new_session=True, preexec_fn=restore, **here)
    scratch = project.build / "running" / "laptop" / "02_second.ipynb"
    until(lambda: scratch.exists() and "before" in scratch.read_text())
    os.kill(first.pid, number)
    said = first.communicate(timeout=60)[0]
    assert first.returncode != 0
    if number == signal.SIGINT:
        assert "the next run goes on from there" in said
    folder = project.build / "executed" / "laptop"
    assert [path.name for path in folder.iterdir()] == ["01_first.ipynb"]
    flag.touch()
    second = subprocess.run(command, text=True, **here)
    assert second.returncode == 0, second.stdout
    assert "01_first: unchanged, kept" in second.stdout
    assert "02_second: done" in second.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["01_first.ipynb", "02_second.ipynb"]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.05)


# Pairing


def test_a_pair_is_the_source_with_outputs(project):
    execute.execute(project, device="cpu", log=lambda line: None)
    pair.pair(project, log=lambda line: None)
    text = project.committed("01_first").read_text()
    nb = notebooks.read(project.committed("01_first"))
    assert pair.disagreement(project, "01_first") == ""
    assert nb.cells[-1].outputs[0].text == "1\n"
    assert [cell.execution_count for cell in nb.cells if cell.cell_type == "code"] == [1, 2]
    assert nb.metadata.netdyn.profile == "laptop"
    for word in ("papermill", "injected", "iopub", str(project.root)):
        assert word not in text
    # A second run of the same source writes the same cells.
    execute.execute(project, device="cpu", only="01", fresh=True, log=lambda line: None)
    pair.pair(project, only="01", log=lambda line: None)
    assert notebooks.read(project.committed("01_first")).cells == nb.cells
    # A change of the source shows.
    write(project, "01_first", "# %%\nprint(seed + 2)\n")
    assert pair.disagreement(project, "01_first")
    with pytest.raises(PipelineError, match="executed before its source changed"):
        pair.pair(project, only="01")


def test_a_pair_shows_the_default_run(project):
    execute.execute(project, device="cpu", seed=5, only="01", log=lambda line: None)
    with pytest.raises(PipelineError, match="executed with seed 5, but its own default is 0"):
        pair.pair(project, only="01")
    with pytest.raises(PipelineError, match="02_second has not been executed"):
        pair.pair(project, only="02")


def test_a_pair_shows_a_run_on_the_processor(project):
    execute.execute(project, device="cpu", only="01", log=lambda line: None)
    path = project.executed("laptop", "01_first")
    nb = notebooks.read(path)
    nb.metadata.netdyn.device = "cuda"
    path.write_text(notebooks.dumps(nb))
    with pytest.raises(
        PipelineError, match="01_first was executed on cuda: a pair shows a run on the cpu"
    ):
        pair.pair(project, only="01")
    assert not project.committed("01_first").exists()


# Gathering


CLAIMS = """
papers: {J: jimenez2025}
claims:
  - {id: A, paper: J, figure: Fig 6, chapter: 01_first, statement: s, paper_value: 1, quantity: q, reproduced: [0, 1]}
  - {id: B, paper: J, figure: Fig 7, chapter: 01_first, statement: t, paper_value: 1, quantity: q, reproduced: [0, 1]}
"""


@pytest.fixture
def measured(project):
    """A claims file, and a notebook that measured its two claims."""
    path = project.book / "claims.yml"
    path.write_text(CLAIMS)
    card = claims.Scorecard("01_first", path)
    card.measure("B", 2.0, saw="more")
    card.measure("A", 0.5, 0.4, 0.6)
    output = nbformat.v4.new_output("display_data", {claims.MIME: card.rows(), "text/plain": "…"})
    nb = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# One"),
            nbformat.v4.new_code_cell("card", outputs=[output]),
        ]
    )
    nb.metadata.netdyn = {"profile": "laptop", "device": "cpu", "commit": "abc"}
    return path, nb


def test_claims_are_gathered_in_order(measured):
    path, nb = measured
    rows = scorecard.gather({"01_first": nb}, path)
    assert [(row["id"], row["verdict"], row["low"]) for row in rows] == [
        ("A", "reproduced", 0.4),
        ("B", "not reproduced", None),
    ]
    assert rows[0]["reference"] == "jimenez2025"
    assert tuple(rows[0]) == scorecard.FIELDS
    assert "[One](../notebooks/01_first.ipynb) | 1 | 0 | 1 |" in pages.summary(
        rows, {"01_first": nb}
    )
    assert "[One](../notebooks/02_second.ipynb) | – | – | – |" in pages.summary(
        rows, {"01_first": nb, "02_second": nb}
    )


def test_a_measurement_of_another_claim_is_refused(measured):
    path, nb = measured
    with pytest.raises(PipelineError, match="'A' is measured twice, in 01_first and 02_second"):
        scorecard.gather({"01_first": nb, "02_second": nb}, path)
    path.write_text(CLAIMS.replace("reproduced: [0, 1]}", "reproduced: [0, 9]}"))
    with pytest.raises(PipelineError, match="before claims.yml changed it"):
        scorecard.gather({"01_first": nb}, path)
    path.write_text(CLAIMS.replace("id: B", "id: C"))
    with pytest.raises(
        PipelineError, match="measured the claim 'B', which claims.yml does not have"
    ):
        scorecard.gather({"01_first": nb}, path)


def test_a_measurement_by_an_older_library_is_refused(measured):
    path, nb = measured
    for row in nb.cells[1].outputs[0].data[claims.MIME]:
        del row["interval_kind"]
    with pytest.raises(
        PipelineError,
        match="measured 'A' by an older library, without interval_kind: execute the notebook again",
    ):
        scorecard.gather({"01_first": nb}, path)


def test_a_page_shows_what_was_measured(measured):
    path, nb = measured
    rows = scorecard.gather({"01_first": nb}, path)
    assert pages.fill("A is {measured}`A`, B {measured}`B`.", rows) == "A is 0.5, B 2."
    with pytest.raises(
        PipelineError,
        match="book/index.md shows what was measured of 'C', which no chapter has measured",
    ):
        pages.fill("{measured}`C`", rows, "book/index.md")


# The site


@pytest.fixture
def site_project(project, measured):
    """A repository with a whole site in _build, and all that another build needs."""
    path, nb = measured
    project.source("02_second").unlink()
    figure = nbformat.v4.new_code_cell("# | label: fig-x\n# | fig-cap: x\ndraw()")
    figure.outputs = [nbformat.v4.new_output("display_data", {"image/png": "aGVsbG8="})]
    nb.cells.append(figure)
    nb.metadata.netdyn |= {
        "seed": 0,
        "duration_s": 1.0,
        "executed": "2026-01-01",
        "versions": {"python": "3"},
    }
    write_whole(project.executed("laptop", "01_first"), notebooks.dumps(nb))
    (project.root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/01_first\n"
    )
    (project.root / "_config.yml").write_text("title: t\n")
    (project.book / "index.md").write_text(
        "---\nfront_figure: fig-x\n---\n# Title\n\n{measured}`A`\n"
    )
    for file in ("html/index.html", "html/notebooks/01_first.html", "claims.json"):
        write_whole(project.build / file, f"the old {file}")
    return project


def whole(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def half_built(words, **options):
    """In place of jupyter-book: begins a site, then is interrupted."""
    folder = Path(words[words.index("--path-output") + 1])
    write_whole(folder / "_build" / "html" / "index.html", "half")
    raise KeyboardInterrupt


def half_moved(path, target):
    """In place of Path.rename: the old site goes aside, then is interrupted before the new one
    comes.
    """
    if path.name == Path(target).name == "html":
        raise KeyboardInterrupt
    os.rename(path, target)


def built(words, **options):
    folder = Path(words[words.index("--path-output") + 1])
    write_whole(folder / "_build" / "html" / "index.html", "new")
    return subprocess.CompletedProcess(words, 0, "", "")


def test_an_interrupted_build_leaves_the_old_site_whole(site_project, monkeypatch):
    html, before = site_project.build / "html", whole(site_project.build / "html")
    monkeypatch.setattr(site, "_add_mathjax", lambda target: None)
    silent = {"log": lambda line: None}
    with monkeypatch.context() as patched:
        patched.setattr(site.subprocess, "run", half_built)
        with pytest.raises(KeyboardInterrupt):
            site.build(site_project, **silent)
    assert whole(html) == before
    monkeypatch.setattr(site.subprocess, "run", built)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", half_moved)
        with pytest.raises(KeyboardInterrupt):
            site.build(site_project, **silent)
    assert whole(html) == before
    assert (site_project.build / "claims.json").read_text() == "the old claims.json"
    # And the next build is not disturbed by what was left.
    site.build(site_project, **silent)
    assert whole(html).keys() == {"index.html", "claims.json"}
    assert (html / "index.html").read_text() == "new"
    assert "0.5" in (site_project.build / "source-book" / "book" / "index.md").read_text()
    assert not (site_project.build / "html.old").exists()


@pytest.fixture
def two_chapters(site_project, monkeypatch):
    """Of the second chapter, an executed and a committed run, told apart by their titles; the
    claims A and B are the first one's, C is its.
    """
    project = site_project
    write(project, "02_second", "# %%\nprint(profile)\n")
    (project.root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/01_first\n- file: notebooks/02_second\n"
    )
    third = "  - {id: C, paper: J, figure: Fig 8, chapter: 02_second, statement: u, paper_value: 1, quantity: q, reproduced: [0, 1]}\n"
    (project.book / "claims.yml").write_text(CLAIMS + third)
    card = claims.Scorecard("02_second", project.book / "claims.yml")
    card.measure("C", 0.25)
    for title, path in (
        ("executed", project.executed("laptop", "02_second")),
        ("committed", project.committed("02_second")),
    ):
        nb = notebooks.read(project.executed("laptop", "01_first"))
        nb.cells = [nbformat.v4.new_markdown_cell(f"# {title}"), nbformat.v4.new_code_cell("card")]
        nb.cells[1].outputs = [
            nbformat.v4.new_output("display_data", {claims.MIME: card.rows(), "text/plain": "…"})
        ]
        write_whole(path, notebooks.dumps(nb))
    shutil.copy(project.executed("laptop", "01_first"), project.committed("01_first"))
    monkeypatch.setattr(site, "_add_mathjax", lambda target: None)
    monkeypatch.setattr(site.subprocess, "run", built)
    return project


def reword(path):
    """As if this run had measured the claim C in older words."""
    nb = notebooks.read(path)
    nb.cells[1].outputs[0].data[claims.MIME][0]["statement"] = "older words"
    write_whole(path, notebooks.dumps(nb))


def strip(path):
    nb = notebooks.read(path)
    del nb.cells[1].outputs[0].data[claims.MIME][0]["interval_kind"]
    write_whole(path, notebooks.dumps(nb))


def shown_title(project, **options):
    """Title of the second chapter in a build, and what the build said."""
    said = []
    site.build(project, log=said.append, **options)
    return pages.title(
        notebooks.read(project.build / "source-book" / "notebooks" / "02_second.ipynb")
    ), said


@pytest.mark.parametrize(
    ("age", "why"),
    [
        (reword, "before claims.yml changed it"),
        (strip, "by an older library, without interval_kind"),
    ],
)
def test_an_outgrown_run_of_another_chapter_gives_way_to_the_committed_one(two_chapters, age, why):
    executed, committed = (
        two_chapters.executed("laptop", "02_second"),
        two_chapters.committed("02_second"),
    )
    title, said = shown_title(two_chapters, only="01")
    assert title == "executed" and not any("committed" in line for line in said)
    age(executed)
    title, said = shown_title(two_chapters, only="01")
    (line,) = (line for line in said if "committed" in line)
    assert (
        title == "committed"
        and line.startswith("02_second: the copy executed here is too old (")
        and why in line
    )
    assert executed.exists()
    for only in ("", "02", "01,02"):
        with pytest.raises(PipelineError, match=why):
            shown_title(two_chapters, only=only)
    age(committed)
    with pytest.raises(PipelineError, match=why):
        shown_title(two_chapters, only="01")
    committed.unlink()
    with pytest.raises(PipelineError, match=why):
        shown_title(two_chapters, only="01")


#: Two builds in processes of their own, in which a process that goes on until a file is there
#: stands for jupyter-book.
BUILDER = """
import subprocess, sys
from pathlib import Path
from netdyn_lib.book import site
from netdyn_lib.book.project import Project
root, name, inner = Path(sys.argv[1]), *sys.argv[2:]
run = subprocess.run

def jupyter_book(words, **options):
    return run([sys.executable, "-c", inner, str(root), name, words[words.index("--path-output") + 1]], **options)

site._add_mathjax = lambda target: None
site.subprocess.run = jupyter_book
site.build(Project(root), log=lambda line: print(line, flush=True))
"""
INNER = """
import sys, time
from pathlib import Path
root, name, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
page = folder / "_build" / "html" / "index.html"
page.parent.mkdir(parents=True)
page.write_text(name)
(root / f"{name}-builds").touch()
while not (root / f"{name}-may-end").exists():
    time.sleep(0.02)
(root / f"{name}-found").write_text(page.read_text() if page.exists() else "nothing")
"""


@pytest.fixture
def builder(site_project):
    """Starts builds, and ends what is left of them."""
    root, started = site_project.root, []

    def start(name):
        words = [sys.executable, "-c", BUILDER, str(root), name, INNER]
        with open(root / f"{name}.log", "w") as said:
            started.append(
                subprocess.Popen(
                    words,
                    cwd=Path(__file__).resolve().parents[1],
                    stdout=said,
                    stderr=subprocess.STDOUT,
                )
            )
        return started[-1]

    yield start
    for name in ("first", "second"):
        (root / f"{name}-may-end").touch()
    for process in started:
        process.kill()
        process.wait()


def says_that_it_waits(root, name):
    return "another process builds a site in" in (root / f"{name}.log").read_text()


@pytest.mark.skipif(store.fcntl is None, reason="needs locks on files")
def test_a_second_build_waits_for_the_first(site_project, builder):
    root = site_project.root
    first = builder("first")
    until((root / "first-builds").exists)
    second = builder("second")
    until(lambda: says_that_it_waits(root, "second"))
    (root / "second-may-end").touch()
    time.sleep(0.3)
    assert second.poll() is None and not (root / "second-builds").exists()
    (root / "first-may-end").touch()
    for name, process in (("first", first), ("second", second)):
        assert process.wait(60) == 0, (root / f"{name}.log").read_text()
        assert (root / f"{name}-found").read_text() == name
    assert (site_project.build / "html" / "index.html").read_text() == "second"
    assert not says_that_it_waits(root, "first")


@pytest.mark.skipif(store.fcntl is None, reason="needs locks on files")
def test_what_a_killed_build_started_is_waited_for(site_project, builder):
    """Sphinx goes on for its minute, in the folder that the next build would empty."""
    root = site_project.root
    first = builder("first")
    until((root / "first-builds").exists)
    first.kill()
    first.wait()
    second = builder("second")
    until(lambda: says_that_it_waits(root, "second"))
    for name in ("first", "second"):
        (root / f"{name}-may-end").touch()
    assert second.wait(60) == 0, (root / "second.log").read_text()
    assert (root / "first-found").read_text() == "first"
    assert (site_project.build / "html" / "index.html").read_text() == "second"


FAKE_BOOK = """
import gc, sys
from pathlib import Path

def main():
    page = Path(sys.argv[sys.argv.index("--path-output") + 1], "_build", "html", "index.html")
    page.parent.mkdir(parents=True)
    page.write_text(str(gc.get_threshold()[0]))
"""


def test_sphinx_seldom_looks_for_garbage(tmp_path, monkeypatch):
    """What stands for Jupyter Book tells after how many new objects Python would look."""
    for file, text in (("__init__.py", ""), ("cli/__init__.py", ""), ("cli/main.py", FAKE_BOOK)):
        write_whole(tmp_path / "fakes" / "jupyter_book" / file, text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fakes"))
    made = site._jupyter_book(tmp_path, tmp_path / "making", strict=True)
    assert int((made / "index.html").read_text()) >= 100_000


def test_contents_and_notebooks_name_the_same(project):
    (project.root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/01_first\n"
    )
    with pytest.raises(
        PipelineError, match="_toc.yml lists the notebooks 01_first, .* 01_first, 02_second"
    ):
        site.chapters(project)


def test_a_chapter_without_a_run_is_an_error(project):
    (project.root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/01_first\n"
    )
    project.source("02_second").unlink()
    with pytest.raises(PipelineError, match="the chapter 01_first has no executed notebook"):
        site.build(project)


def test_the_front_figure_is_named(measured):
    with pytest.raises(PipelineError, match="asks for the figure 'fig-x'; the chapters have: none"):
        pages.front({"01_first": measured[1]}, "fig-x")


def test_files_and_folders_are_replaced_whole(tmp_path):
    write_whole(tmp_path / "a" / "file", "one")
    write_whole(tmp_path / "a" / "file", "two")
    write_whole(tmp_path / "b" / "file", "three")
    replace_folder(tmp_path / "b", tmp_path / "a")
    assert (tmp_path / "a" / "file").read_text() == "three"
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "file"]


one_step = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it takes two steps")
#: Replaces a file and a folder, in processes that are killed at each call.
REPLACING = """
import json, os, shutil, sys
from pathlib import Path
root, folder = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, root)
from netdyn_lib.book.project import replace_folder, write_whole
from tests.killed import at_each_call
page, html, making = folder / "page.json", folder / "html", folder / "making"

def replace():
    write_whole(page, "new" * 1000)
    replace_folder(making, html)

def lay():
    for path, text in ((html, "old"), (making, "new")):
        shutil.rmtree(path, ignore_errors=True)
        for number in range(3):
            write_whole(path / f"{number}.html", text)
    write_whole(page, "old" * 1000)

def good():
    assert sorted(path.read_text() for path in html.iterdir()) in (["old"] * 3, ["new"] * 3)
    assert page.read_text() in ("old" * 1000, "new" * 1000)

killed = at_each_call(replace, folder, lay, good)
print(json.dumps([killed, sorted(os.listdir(folder)), (html / "0.html").read_text()]))
"""

#: Puts one folder after another in the same place.
AGAIN = """
import shutil, sys
from pathlib import Path
from netdyn_lib.book.project import replace_folder, write_whole
folder, name = Path(sys.argv[1]), sys.argv[2]
for _ in range(50):
    making = folder / f"making-{name}"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    for number in range(3):
        (making / str(number)).write_text(name)
    write_whole(folder / "page", name * 100_000)
    replace_folder(making, folder / "html")
"""


@one_step
def test_a_kill_at_any_call_leaves_the_old_or_the_new(tmp_path):
    root = Path(__file__).resolve().parents[1]
    call = [sys.executable, "-c", REPLACING, str(root), str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    killed, left, text = json.loads(done.stdout)
    assert killed > 8 and left == ["html", "page.json"] and text == "new"


@one_step
def test_two_writers_at_once_leave_a_whole_file_and_folder(tmp_path):
    words = [sys.executable, "-c", AGAIN, str(tmp_path)]
    here = {"cwd": Path(__file__).resolve().parents[1], "stderr": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*words, name], **here) for name in "ab"]
    until(lambda: (tmp_path / "html").exists())
    gone = 0
    while any(writer.poll() is None for writer in writers):
        gone += not (tmp_path / "html").exists()
        assert (tmp_path / "page").read_text() in ("a" * 100_000, "b" * 100_000)
    for writer in writers:
        assert writer.communicate()[1] == "" and writer.returncode == 0
    assert gone == 0 and len({path.read_text() for path in (tmp_path / "html").iterdir()}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["html", "page"]


def test_without_an_exchange_a_folder_is_replaced_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(project_module, "_exchanged", lambda one, other: False)
    for name in ("first", "second"):
        write_whole(tmp_path / "new" / "file", name)
        replace_folder(tmp_path / "new", tmp_path / "html")
    assert (tmp_path / "html" / "file").read_text() == "second" and os.listdir(tmp_path) == ["html"]
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "new", tmp_path / "html")
    assert os.listdir(tmp_path) == ["html"]


# Notebooks that depend on the images at hand


def test_a_run_is_of_the_images_that_were_at_hand(monkeypatch):
    project = Project(Path(__file__).resolve().parents[1])
    monkeypatch.setattr(execute.archives, "available", lambda name: False)
    without = [execute.key(project, name, {}) for name in ("01_toy_map", "05_mnist_cifar")]
    monkeypatch.setattr(execute.archives, "available", lambda name: True)
    with_images = [execute.key(project, name, {}) for name in ("01_toy_map", "05_mnist_cifar")]
    assert without[0] == with_images[0]
    assert without[1] != with_images[1]


def test_notes_of_a_run_reach_the_log():
    printed = nbformat.v4.new_output("stream", text="NOTE: MNIST is not at hand\nother\n")
    nb = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(outputs=[printed]),
            nbformat.v4.new_markdown_cell("NOTE: no"),
        ]
    )
    assert execute.notes(nb) == ["NOTE: MNIST is not at hand"]


def test_published_results_are_listed_with_their_provenance(tmp_path):
    assert pages.published(tmp_path) == "Nothing is published yet.\n"
    project = Project(Path(__file__).resolve().parents[1])
    text = pages.published(project.book / "results")
    found = list((project.book / "results").rglob("*.npz"))
    assert found
    for words in (
        "arms of pruned descent, 36,480 steps",
        "twins, 36,480 steps",
        "leading exponents and sharpness",
    ):
        assert words in text
    for path in found:
        assert f"<results/{path.relative_to(project.book / 'results')}>" in text
    row = benchmarks.Row("Iris", "a loop", (1.0,), (2.0,), "s")
    about = {
        "processor": "some",
        "cuda": None,
        "torch": "2.15.0",
        "commit": "abc",
        "date": "2026-11-22",
    }
    benchmarks.save(tmp_path / "bench" / "cpu.json", benchmarks.Results(about, (row,), ()))
    (line,) = pages.published(tmp_path).splitlines()[2:]
    assert (
        line.startswith("| cpu | speed and memory: 1 comparisons")
        and "2026-11-22, some, PyTorch 2.15.0, commit `abc`" in line
    )
    assert line.endswith("kB <results/bench/cpu.json>` |".replace("results", tmp_path.name))
    (tmp_path / "bench" / "gpu.json").write_text("nothing")
    with pytest.raises(PipelineError, match="gpu.json"):
        pages.published(tmp_path)
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(PipelineError, match="x.npz"):
        pages.published(tmp_path)
