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
from netdyn_lib.book import notebooks
from netdyn_lib.book.project import PipelineError, write_whole
from netdyn_lib.experiments import jobs
from netdyn_lib.experiments.learning_rate_sweep import published
from netdyn_lib.results import reading, store

from . import small

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


def measure(value):
    """A notebook whose first claim was measured as ``value``."""
    rows = lambda nb: next(iter(nb["cells"][1]["outputs"][0]["data"].values()))
    return within(lambda nb: rows(nb)[0].update(measured=value))


def cited(old, new):
    return put(CITED.replace(old, new))


def other_kind(path):
    store.write_archive(path, {"x": [1.0]}, {"sweep": [], "provenance": []})


RULE, NO_CELL = "reproduced: [0, 1]", within(lambda nb: nb["cells"][1].pop("source"))
NO_RUN = within(lambda nb: nb["metadata"].pop("netdyn"))
LIST = within(lambda nb: nb["metadata"]["netdyn"].update(versions=[]))
BAD = [
    ("site", CLAIMS, put(""), "claims.yml has no key 'claims'"),
    ("site", CLAIMS, put("claims:\n\t- a\n"), "line 2, column 1: no YAML .*is there a tab"),
    ("site", CLAIMS, put(b"claims:\n- \xe9\n"), "claims.yml, line 2: the byte 0xe9 is no UTF-8"),
    (
        "site",
        CLAIMS,
        swap("{id: A,", "{id: A, id: Z,"),
        "line 3, column 13: the key 'id' stands twice",
    ),
    ("site", CLAIMS, swap(RULE, "reproduced: 1"), "entry 1 of .* claim 'A': reproduced is 1, not"),
    ("site", CLAIMS, swap("figure: Fig 7, ", ""), "entry 2 of its claims: claim 'B' lacks figure"),
    ("execute", CLAIMS, swap("id: B", "id: [B]"), r"entry 2 of its claims: claim \['B'\]: id is"),
    ("site", TOC, put("- file: notebooks/01_first\n"), "is no table of contents: toc is not a map"),
    ("site", TOC, swap("file: notebooks", "files: n"), "_toc.yml is no table .*/chapters/0"),
    ("site", TOC, Path.unlink, "_toc.yml cannot be read: No such file"),
    ("site", CONFIG, swap("title: t", "repository: text"), "at repository: 'text' is not of type"),
    ("site", INDEX, swap("front_figure", "figure"), "does not begin with ---, front_figure: NAME"),
    ("site", CITATION, cited("- name: a", "  a"), "CITATION.cff, at authors: 'a' is not of type"),
    ("site", CITATION, cited("2026-01-02", "soon"), "at date-released: 'soon' is not of type"),
    ("supplement", CITATION, cited("name: a", "alias: a"), "it lacks name or family-names"),
    ("site", RUN, put("{"), "01_first.ipynb, line 1, column 2: no JSON"),
    ("record", RUN, within(lambda nb: nb.update(nbformat=3)), "notebook: it has nbformat 3, not 4"),
    ("site", RUN, NO_CELL, "01_first.ipynb, cell 2 is no notebook: 'source' is a required"),
    ("pair", RUN, NO_RUN, "01_first.ipynb does not say how it was executed"),
    ("site", RUN, LIST, "at metadata.netdyn.versions"),
    ("site", RUN, measure("much"), r"at cells\[1\].*\[0\].measured: 'much' is not of type"),
    ("site", RUN, measure(float("nan")), "measured: nan is not of type 'number'"),
    ("site", RUN, swap("aGVsbG8=", "a"), "picture of 01_first: the figure 'fig-x' is damaged"),
    ("execute", SOURCE, swap("seed = 0", "seed = ="), "01_first: .* cell, line 3|invalid syntax"),
    (
        "execute",
        SOURCE,
        swap("#   jupytext:", "#   jupytext: ["),
        "no script in cells: .*its header",
    ),
    ("execute", LIBRARY, put("x = = 1\n"), "01_first: .*side.py, line 1: invalid syntax"),
    ("site", LIBRARY, put(b"x = '\xff'\n"), "01_first: .*side.py, line .*utf-8"),
    ("site", SPEEDS, put("[]"), "cpu.json is damaged"),
    ("site", RESULT, put("PK"), "x.npz is damaged"),
    ("site", RESULT, other_kind, "x.npz is no published result"),
]


@pytest.fixture
def broken(site_project):
    """A project in which all is well, with jupyter-book left out."""
    cells = "# %%\nimport netdyn_lib.results.claims\nfrom netdyn_lib import side\n"
    small.write(site_project, "01_first", cells)
    for file in (SPEEDS, RESULT):
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
    before = small.whole(broken.build / "html")
    more = {
        "execute": ["--device", "cpu"],
        "record": ["--profile", "laptop"],
        "supplement": ["--without-pdf"],
    }
    assert pipeline.main(["--root", str(broken.root), verb, *more.get(verb, ())]) == 1
    err = capsys.readouterr().err
    assert err.startswith("ERROR: ") and err.count("\n") == 1 and jobs.SWITCH not in err
    assert re.search(said, err), err
    assert small.whole(broken.build / "html") == before


def test_without_the_faults_the_site_is_built(broken):
    """The other side of the test above: its project is refused for nothing else."""
    assert pipeline.main(["--root", str(broken.root), "site"]) == 0
    assert small.whole(broken.build / "html")["index.html"] == b"new"


def test_a_program_tells_a_malformed_file_in_a_line(broken):
    """The real command; jupyter-book is not reached."""
    write_whole(broken.root / CLAIMS, "claims: [\n")
    words = [sys.executable, "-m", "netdyn_lib.book", "--root", str(broken.root), "site"]
    # Not subprocess.run, in whose place the site has a stand-in here.
    done = subprocess.Popen(
        words, cwd=small.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    err = done.communicate(timeout=120)[1]
    assert done.returncode == 1 and re.fullmatch(
        r"ERROR: .*claims.yml, line 2, column 1: no YAML .*\n", err
    )
    assert small.whole(broken.build / "html")["index.html"] == b"the old html/index.html"


@pytest.mark.parametrize("run", [lambda work: pipeline.main(["site"]), jobs.status])
def test_the_last_handler_tells_type_message_and_place(monkeypatch, capsys, run):
    def work(*_):
        raise LookupError("of\nthree")

    monkeypatch.setattr(pipeline, "_call", work)
    monkeypatch.delenv(jobs.SWITCH, raising=False)
    assert run(work) == 1
    err = capsys.readouterr().err
    where = r"in test_malformed.py, line \d+ \(NETDYN_TRACEBACK=1 .*\)\n"
    assert re.fullmatch(f"ERROR: LookupError: of three, {where}", err)
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
    # The same key in two mappings is none too many.
    (tmp_path / "f.yml").write_text("a: &x {c: 1}\nb: {<<: *x, c: 3}\n")
    assert reading.from_yaml(tmp_path / "f.yml") == {"a": {"c": 1}, "b": {"c": 3}}


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        (lambda arrays, meta: meta.clear(), "sweep"),
        (lambda arrays, meta: meta["sweep"].pop("rates"), "rates"),
        (lambda arrays, meta: arrays.update(other=[1.0]), "other"),
    ],
)
def test_a_published_sweep_of_another_kind_is_named(tmp_path, change, lacking):
    arrays, meta = store.read_archive(published.path_of("cifar10-few"))
    change(arrays, meta)
    store.write_archive(tmp_path / "digits.npz", arrays, meta)
    said = f"digits.npz is no published sweep .*'{lacking}'"
    with pytest.raises(reading.Unreadable, match=said):
        published.load("digits", tmp_path)


def test_numbers_that_are_damaged_are_named():
    for letters in ("?", "aGVsbG8=", "H4sIAAAAAAAC"):
        with pytest.raises(PipelineError, match="fig-x: the data kept with the figure are damaged"):
            notebooks.unpacked(letters, "fig-x")
