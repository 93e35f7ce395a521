"""Files that are not what they should be: one line that names the file and the place, status 1, and
the old site stays.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from netdyn_lib.book import __main__ as pipeline
from netdyn_lib.book import notebooks, site
from netdyn_lib.book.project import PipelineError, write_whole
from netdyn_lib.experiments import jobs
from netdyn_lib.experiments.learning_rate_sweep import published
from netdyn_lib.results import reading, store

from .test_pipeline import HEADER, built, measured, project, site_project, whole  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
CLAIMS, TOC, CONFIG, INDEX = "book/claims.yml", "_toc.yml", "_config.yml", "book/index.md"
CITATION, SOURCE = "CITATION.cff", "notebooks/01_first.py"
RUN, LIBRARY = "_build/executed/laptop/01_first.ipynb", "netdyn_lib/side.py"
SPEEDS, RESULT = "book/results/bench/cpu.json", "book/results/twins/x.npz"
CITED = "title: t\nversion: '1'\ndate-released: 2026-01-02\nauthors:\n- name: a\n"


def put(text):
    """Give a file other contents, whatever it held."""
    return lambda path: write_whole(path, text) if isinstance(text, str) else path.write_bytes(text)


def swap(old, new):
    """Change one place of a file."""

    def change(path):
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def within(change):
    """Change a file of JSON as data."""

    def changed(path):
        found = json.loads(path.read_text())
        change(found)
        path.write_text(json.dumps(found))

    return changed


def archive(meta):
    return lambda path: store.write_archive(path, {"x": [1.0]}, meta)


def measure(value):
    """A notebook whose first claim was measured as ``value``."""
    return within(
        lambda nb: next(iter(nb["cells"][1]["outputs"][0]["data"].values()))[0].update(
            measured=value
        )
    )


BAD = [
    ("site", CLAIMS, put(""), "claims.yml has no key 'claims'"),
    (
        "site",
        CLAIMS,
        put("claims:\n\t- a\n"),
        "claims.yml, line 2, column 1: no YAML .*is there a tab",
    ),
    ("site", CLAIMS, put(b"claims:\n- \xe9\n"), "claims.yml, line 2: the byte 0xe9 is no UTF-8"),
    (
        "site",
        CLAIMS,
        swap("{id: A,", "{id: A, id: Z,"),
        "claims.yml, line 4, column 13: the key 'id' stands twice",
    ),
    (
        "site",
        CLAIMS,
        swap("reproduced: [0, 1]", "reproduced: 1"),
        "entry 1 of its claims: claim 'A': reproduced is 1, not",
    ),
    ("site", CLAIMS, swap("figure: Fig 7, ", ""), "entry 2 of its claims: claim 'B' lacks figure"),
    ("execute", CLAIMS, swap("id: B", "id: [B]"), r"entry 2 of its claims: claim \['B'\]: id is"),
    (
        "site",
        TOC,
        put("- file: notebooks/01_first\n"),
        "_toc.yml is no table of contents: toc is not a mapping",
    ),
    (
        "site",
        TOC,
        swap("file: notebooks", "files: notebooks"),
        "_toc.yml is no table of contents: .*/chapters/0",
    ),
    ("site", TOC, Path.unlink, "_toc.yml cannot be read: No such file"),
    (
        "site",
        CONFIG,
        swap("title: t", "repository: text"),
        "_config.yml, at repository: 'text' is not of type 'object'",
    ),
    (
        "site",
        INDEX,
        swap("front_figure", "figure"),
        "index.md does not begin with ---, front_figure: NAME",
    ),
    (
        "site",
        CITATION,
        put(CITED.replace("- name: a", "  a")),
        "CITATION.cff, at authors: 'a' is not of type 'array'",
    ),
    (
        "site",
        CITATION,
        put(CITED.replace("2026-01-02", "soon")),
        "CITATION.cff, at date-released: 'soon' is not of type 'date'",
    ),
    (
        "supplement",
        CITATION,
        put(CITED.replace("name: a", "alias: a")),
        r"CITATION.cff, at authors\[0\]: it lacks name or family-names",
    ),
    ("site", RUN, put("{"), "01_first.ipynb, line 1, column 2: no JSON"),
    (
        "record",
        RUN,
        within(lambda nb: nb.update(nbformat=3)),
        "01_first.ipynb is no notebook: it has nbformat 3, not 4",
    ),
    (
        "site",
        RUN,
        within(lambda nb: nb["cells"][1].pop("source")),
        "01_first.ipynb, cell 2 is no notebook: 'source' is a required",
    ),
    (
        "pair",
        RUN,
        within(lambda nb: nb["metadata"].pop("netdyn")),
        "01_first.ipynb does not say how it was executed",
    ),
    (
        "site",
        RUN,
        within(lambda nb: nb["metadata"]["netdyn"].update(versions=[])),
        "at metadata.netdyn.versions",
    ),
    (
        "site",
        RUN,
        measure("much"),
        r"01_first.ipynb, at cells\[1\].outputs\[0\].data.*\[0\].measured: 'much' is not of type 'number'",
    ),
    ("site", RUN, measure(float("nan")), r"measured: nan is not of type 'number'"),
    ("site", RUN, swap("aGVsbG8=", "a"), "the picture of 01_first: the figure 'fig-x' is damaged"),
    (
        "execute",
        SOURCE,
        swap("seed = 0", "seed = ="),
        "01_first: the notebook, line .*invalid syntax|the parameters cell, line 3",
    ),
    (
        "execute",
        SOURCE,
        swap("#   jupytext:", "#   jupytext: ["),
        "01_first.py is no script in cells: .*is its header",
    ),
    ("execute", LIBRARY, put("x = = 1\n"), "01_first: .*side.py, line 1: invalid syntax"),
    ("site", LIBRARY, put(b"x = '\xff'\n"), "01_first: .*side.py, line .*utf-8"),
    ("site", SPEEDS, put("[]"), "cpu.json is damaged"),
    ("site", RESULT, put("PK"), "x.npz is damaged"),
    ("site", RESULT, archive({"sweep": [], "provenance": []}), "x.npz is no published result"),
]


@pytest.fixture
def broken(site_project, monkeypatch):  # noqa: F811
    """A project in which all is well, with jupyter-book left out."""
    monkeypatch.setattr(site, "_add_mathjax", lambda target: None)
    monkeypatch.setattr(site.subprocess, "run", built)
    site_project.source("01_first").write_text(
        HEADER + "# %%\nfrom netdyn_lib import claims, side\n"
    )
    for file in (CITATION, SPEEDS, RESULT):
        (site_project.root / file).parent.mkdir(parents=True, exist_ok=True)
    (site_project.root / CITATION).write_text(CITED)
    return site_project


@pytest.mark.parametrize(
    ("verb", "file", "change", "said"),
    BAD,
    ids=[f"{k}-{Path(file).name}" for k, (_, file, *_) in enumerate(BAD)],
)
def test_a_malformed_file_is_one_line(broken, capsys, verb, file, change, said):
    change(broken.root / file)
    before = whole(broken.build / "html")
    more = {
        "execute": ["--device", "cpu"],
        "record": ["--profile", "laptop"],
        "supplement": ["--without-pdf"],
    }
    assert pipeline.main(["--root", str(broken.root), verb, *more.get(verb, ())]) == 1
    err = capsys.readouterr().err
    assert err.startswith("ERROR: ") and err.count("\n") == 1 and jobs.SWITCH not in err
    assert re.search(said, err), err
    assert whole(broken.build / "html") == before


def test_without_the_faults_the_site_is_built(broken):
    """The other side of the test above: its project is refused for nothing else."""
    assert pipeline.main(["--root", str(broken.root), "site"]) == 0
    assert whole(broken.build / "html")["index.html"] == b"new"


def test_a_program_tells_a_malformed_file_in_a_line(broken):
    """The real command; jupyter-book is not reached."""
    write_whole(broken.root / CLAIMS, "claims: [\n")
    words = [sys.executable, "-m", "netdyn_lib.book", "--root", str(broken.root), "site"]
    # Not subprocess.run, in whose place the site has a stand-in here.
    done = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    err = done.communicate(timeout=120)[1]
    assert done.returncode == 1 and re.fullmatch(
        r"ERROR: .*claims.yml, line 2, column 1: no YAML .*\n", err
    )
    assert whole(broken.build / "html")["index.html"] == b"the old html/index.html"


@pytest.mark.parametrize("run", [lambda work: pipeline.main(["site"]), jobs.status])
def test_the_last_handler_tells_type_message_and_place(monkeypatch, capsys, run):
    def work(*_):
        raise LookupError("of\nthree")

    monkeypatch.setattr(pipeline, "_call", work)
    monkeypatch.delenv(jobs.SWITCH, raising=False)
    assert run(work) == 1
    err = capsys.readouterr().err
    assert re.fullmatch(
        r"ERROR: LookupError: of three, in test_pipeline_malformed.py, line \d+ \(NETDYN_TRACEBACK=1 .*\)\n",
        err,
    )
    monkeypatch.setenv(jobs.SWITCH, "1")
    assert run(work) == 1
    err = capsys.readouterr().err
    assert (
        err.startswith("Traceback")
        and "raise LookupError" in err
        and err.splitlines()[-1].startswith("ERROR: LookupError")
    )


def test_a_module_that_is_no_python_is_named_by_the_last_handler(monkeypatch, capsys, tmp_path):
    (tmp_path / "half_edited.py").write_text("x = 1\ny = = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pipeline, "_call", lambda *_: __import__("half_edited"))
    assert pipeline.main(["site"]) == 1
    assert re.match(r"ERROR: .*half_edited.py, line 2: invalid syntax: ", capsys.readouterr().err)


FAILING_BOOK = """
import sys
print("index.md: WARNING: a warning", file=sys.stderr)
def main():
    try:
        raise ValueError("no theme named 'nope'")
    except ValueError as error:
        raise RuntimeError("There was an error") from error
"""


def test_what_jupyter_book_raises_is_one_line_below_its_warnings(tmp_path, monkeypatch, capsys):
    for file, text in (("__init__.py", ""), ("cli/__init__.py", ""), ("cli/main.py", FAILING_BOOK)):
        write_whole(tmp_path / "fakes" / "jupyter_book" / file, text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fakes"))
    with pytest.raises(
        PipelineError,
        match=r"jupyter-book failed on .* \(exit 1\): ValueError: no theme named 'nope'$",
    ):
        site._jupyter_book(tmp_path, tmp_path / "making", strict=False)
    assert capsys.readouterr().err == "index.md: WARNING: a warning\n"


# Readers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "f.yml, line 4, column 3: the key 'c' stands twice"),
        ("a: 1\nb: \x00\n", "f.yml, line 2: no YAML"),
        ("a: 1\n- b\n", "f.yml, line 2, column 1: no YAML"),
        ("a: 2026-13-01\n", "f.yml: no YAML .*month"),
    ],
)
def test_yaml_that_is_none_is_named_with_its_line(tmp_path, text, said):
    (tmp_path / "f.yml").write_text(text)
    with pytest.raises(reading.Unreadable, match=said):
        reading.from_yaml(tmp_path / "f.yml")


def test_the_same_key_in_two_mappings_is_none_too_many(tmp_path):
    (tmp_path / "f.yml").write_text("a: &x {c: 1}\nb: {c: 2}\nd: {<<: *x, c: 3}\n")
    assert reading.from_yaml(tmp_path / "f.yml") == {"a": {"c": 1}, "b": {"c": 2}, "d": {"c": 3}}


def test_lines_end_as_on_any_system(tmp_path):
    (tmp_path / "f").write_bytes(b"a\r\nb\rc\n")
    assert (
        reading.text(tmp_path / "f") == (tmp_path / "f").read_text(encoding="utf-8") == "a\nb\nc\n"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda arrays, meta: meta.clear(), "digits.npz is no published sweep .it has no 'sweep'"),
        (
            lambda arrays, meta: meta["sweep"].pop("rates"),
            "digits.npz is no published sweep .TypeError.* missing .*'rates'",
        ),
        (
            lambda arrays, meta: arrays.update(other=[1.0]),
            "digits.npz is no published sweep .it has no 'other'",
        ),
    ],
)
def test_a_published_sweep_of_another_kind_is_named(tmp_path, change, said):
    arrays, meta = store.read_archive(published.path_of("cifar10-few"))
    change(arrays, meta)
    store.write_archive(tmp_path / "digits.npz", arrays, meta)
    with pytest.raises(reading.Unreadable, match=said):
        published.load("digits", tmp_path)


def test_a_picture_and_numbers_that_are_damaged_are_named(site_project):  # noqa: F811
    for letters in ("?", "aGVsbG8=", "H4sIAAAAAAAC"):
        with pytest.raises(PipelineError, match="fig-x: the data kept with the figure are damaged"):
            notebooks.unpacked(letters, "fig-x")
