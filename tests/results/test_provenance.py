"""Provenance: the machine without its name, the commit, the code of a result, and its source."""

import ast
import getpass
import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch
import xarray as xr

from netdyn_lib.book import notebooks
from netdyn_lib.experiments.learning_rate_sweep import published as sweeps
from netdyn_lib.experiments.learning_rate_sweep import results
from netdyn_lib.experiments.outcome_prediction import published as campaigns
from netdyn_lib.experiments.pruning_ablation import published as arms
from netdyn_lib.figures import style
from netdyn_lib.results import datasets, provenance
from netdyn_lib.results.provenance import behind, imported

ROOT = Path(__file__).resolve().parents[2]

LIBRARY = {
    "__init__.py": "",
    "top.py": "from . import middle\n",
    "middle.py": "def f():\n    from .deep import bottom\n    return bottom\n",
    "deep/__init__.py": "",
    "deep/bottom.py": "from ..side import x\n",
    "deep/lazy.py": "import package as p\n\ndef f():\n    return p.deep.bottom\n",
    "deep/parent.py": "from . import bottom\nfrom ... import outside\n",
    "deep/star.py": "from ..top import *\n",
    "side.py": "import json, numpy.linalg\nx = 1\n",
    "ring.py": "from package.gnir import y\n",
    "gnir.py": "from package import ring\n",
}

#: Everything whose form in a syntax tree has changed between versions of Python, or may.
SAMPLE = '''
"""A docstring."""
from __future__ import annotations
import a.b as c

@c.d(1, 1.0, -0.0, 1e-8, 2j, b"x", None, ..., u"é\\U0001fae8", *c, e=True, **c)
class A(c.B, f=1):
    """A docstring."""
    x: int = 3
    async def f(self, a, /, b=1, *c, d, e=None, **f) -> None:
        "A docstring."
        async with a as b, c: yield f"{a!r:>{b}} {c=}" "and" f"{d['e']}"
        return [x for x in a if x], {y: z for y, z in b}, {**c}, \
lambda q: q[1:, ::2, None], (w := 3)
match c:
    case {"a": [1, *_], **rest} | A(x=None) if rest: pass
try:
    assert c, "text"
except* (A, c.B) as e:
    raise e from None
'''


@pytest.fixture
def package(tmp_path):
    for file, text in LIBRARY.items():
        path = tmp_path / "package" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "package"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import numpy", ""),
        ("from package import side", "side"),
        ("import package.top", "deep deep.bottom middle side top"),
        ("from package import deep", "deep"),
        ("from package.deep import lazy", "deep deep.bottom deep.lazy side"),
        ("from package.deep import parent", "deep deep.bottom deep.parent side"),
        ("from package.deep import star", "deep deep.bottom deep.star middle side top"),
        ("from package import side, ring", "gnir ring side"),
    ],
)
def test_imports_are_followed(package, source, found):
    assert list(behind(source, package)) == found.split()


def test_a_notebooks_files_come_with_every_init_that_runs(package):
    def names(source):
        return [str(path.relative_to(package)) for path in imported(source, package)]

    assert names("import numpy") == []
    deep = ["__init__.py", "deep/__init__.py", "deep/bottom.py", "side.py"]
    assert names("import package as p\np.deep.bottom.f()") == deep
    assert names("from package import side, missing") == ["__init__.py", "side.py"]


BEFORE = '''"""Text."""

import math  # a remark


class A:
    """Text."""

    x = 1
    """Text about x."""

    def f(self, a="text"):
        """Text."""
        return f"{a} text" + 'it', 1
'''


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ('"""Text."""', '"""Other\n\nwords."""', False),
        ('"""Text."""\n\nimport', "import", False),
        ("# a remark", "# another\n\n", False),
        ("'it', 1", '("it"), \\\n            1', False),
        ("1\n", "1.0\n", True),
        ('a="text"', 'a="Text"', True),
        (' text"', ' Text"', True),
        ("class A:", "class A(B):", True),
    ],
)
def test_what_counts_is_what_the_code_does(package, old, new, changes):
    (package / "side.py").write_text(BEFORE)
    before = behind("import package.top", package)
    (package / "side.py").write_text(BEFORE.replace(old, new))
    after = behind("import package.top", package)
    assert [name for name in before if after[name] != before[name]] == ["side"] * changes


def test_every_version_of_python_gives_the_same_hash(package):
    """A chapter that was executed under another Python is not taken for one of other code."""
    ast.parse(SAMPLE)
    (package / "side.py").write_text(SAMPLE, encoding="utf-8")
    assert behind("import package.side", package)["side"] == "817e89ef6427"


FIELDS = (
    "python platform processor cores numpy scipy torch threads cpu_capability device cuda".split()
)


def test_a_processor_is_described_and_nothing_private_is_told():
    about = provenance.describe()
    assert list(about) == FIELDS and about == provenance.describe(torch.device("cpu"))
    assert about["torch"] == torch.__version__ and type(about["torch"]) is str
    assert about["python"] == platform.python_version()
    assert about["cores"] >= 1 and about["threads"] >= 1
    assert about["device"] == "cpu" and about["cuda"] is None
    text = json.dumps(about, allow_nan=False)
    assert json.loads(text) == about
    assert str(Path.home()) not in text and str(Path.cwd()) not in text
    for name in (platform.node(), getpass.getuser()):
        assert not name or not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_is_described():
    about = provenance.describe("cuda")
    assert about["device"] == torch.cuda.get_device_name(0) and about["cuda"] == torch.version.cuda


def test_a_device_that_is_not_there_is_refused_and_without_pytorch_the_rest_is_told(monkeypatch):
    for device in ("cuda:99", "gpu", "", 1.5):
        with pytest.raises(ValueError, match=re.escape(f"device {str(device)!r}")):
            provenance.describe(device)
    monkeypatch.setitem(sys.modules, "torch", None)
    about = provenance.describe()
    assert list(about) == FIELDS and about["torch"] is None and about["numpy"]
    with pytest.raises(ValueError, match="PyTorch is not installed"):
        provenance.describe("cuda")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A package in a checkout of its own, and a function that runs git there."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    for name in ("NETDYN_COMMIT", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (tmp_path / "README").write_text("")

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", *who, *words]
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout

    git("init", "-q")
    return package, git


def test_the_commit_is_that_of_the_checkout(checkout, monkeypatch):
    package, git = checkout
    git("add", "README")
    git("commit", "-qm", "a")
    assert provenance.commit(package) == "unknown", "around an installed library"
    git("add", ".")
    git("commit", "-qm", "b")
    git("tag", "-a", "v1", "-m", "a tag is no commit")
    head = git("rev-parse", "--short=12", "HEAD").strip()
    monkeypatch.setenv("NETDYN_COMMIT", "0123456")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert provenance.commit(package) == head and len(head) == 12
    monkeypatch.delenv("GIT_DIR")
    (package / "new.py").write_text("")
    assert provenance.commit(package) == head, "a file that git does not track"
    (package.parent / "README").write_text("changed")
    assert provenance.commit(package) == head + "-dirty"


def test_without_git_the_environment_tells(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("NETDYN_COMMIT", raising=False)
    assert provenance.commit(tmp_path) == "unknown"
    monkeypatch.setenv("NETDYN_COMMIT", "0123456789ab-dirty")
    assert provenance.commit(tmp_path) == provenance.commit() == "0123456789ab-dirty"
    for wrong in ("/home/a/b", "a b", "a" * 61):
        monkeypatch.setenv("NETDYN_COMMIT", wrong)
        with pytest.raises(ValueError, match="must be a commit"):
            provenance.commit(tmp_path)


DATA = xr.Dataset({"loss": ("step", [1.0])})
PUBLISHED = provenance.published_in(DATA, Path("book/results/arms/usps.npz"))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("book/results/arms/usps.npz", "arms/usps.npz"),
        ("/some/place/results/digits.npz", "digits.npz"),
        ("/some/place/twins/usps.npz", "twins/usps.npz"),
        ("/results/companion/book/results/twins/usps.npz", "twins/usps.npz"),
    ],
)
def test_a_dataset_says_in_which_file_it_was(path, source):
    assert provenance.of(provenance.published_in(DATA, Path(path))) == (source,)
    assert provenance.of(DATA) == (provenance.HERE,)


def test_sources_of_many_each_once_in_order():
    other = results.Result("digits", DATA, "computed here", "")
    missing = results.Result("mnist", None, "missing", "")
    many = provenance.of({"a": PUBLISHED, "b": [other, (PUBLISHED, None)]}, missing)
    assert many == ("arms/usps.npz", provenance.HERE)
    assert provenance.of() == provenance.of(missing) == (provenance.HERE,)
    with pytest.raises(TypeError, match="float does not say where its numbers come from"):
        provenance.of(1.0)


def test_every_loader_of_published_results_says_so(tmp_path):
    shelf = datasets.Shelf("twins")
    shelf.publish(DATA, "usps", tmp_path)
    assert provenance.of(shelf.published(tmp_path)) == (f"{tmp_path.name}/usps.npz",)
    assert provenance.of(campaigns.load("ridge-tanh-normal")) == ("outcomes/ridge-tanh-normal.npz",)
    assert provenance.of(arms.load("usps")) == ("arms/usps.npz",)
    assert provenance.of(sweeps.load("digits")) == ("digits.npz",)


def test_a_figure_says_what_it_shows():
    with style.figure() as (figure, axes):
        axes[0, 0].plot([1], [2])
    assert provenance.of_figure(figure) == (provenance.HERE,)
    assert provenance.shown(figure, PUBLISHED) is figure
    assert provenance.of_figure(figure) == ("arms/usps.npz",)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("0*.ipynb")), ids=lambda path: path.stem
)
def test_figures_whose_captions_speak_of_published_results_name_their_data(path):
    """A caption is prose; that what it says is kept beside the figure is not left to the author's
    memory.
    """
    for cell, name, caption, *_ in notebooks.figures(nbformat.read(path, 4)):
        if "ublished" in caption:
            assert ".shown(" in cell.source, name
            if "where" not in caption:
                sources = cell.metadata.netdyn.sources
                assert any(source.endswith((".npz", ".json")) for source in sources), name
