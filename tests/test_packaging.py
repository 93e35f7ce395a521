"""What pyproject.toml and requirements.txt declare is what is imported and what builds the pages;
and make's devices.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import netdyn_lib

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "netdyn_lib"
#: Import names that differ from the name of their distribution.
DISTRIBUTION = {"sklearn": "scikit-learn", "yaml": "pyyaml", "bs4": "beautifulsoup4"}
#: Any of these decides how a page comes out; so does whatever builds on one of them.
RENDERERS = {"sphinx", "docutils", "markdown-it-py", "pybtex", "pygments", "nbclient"}


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared():
    """Names that an install declares: of the library alone, and with the extra of the book."""
    base = {plain(Requirement(line).name) for line in project()["dependencies"]}
    return base, base | extra("book")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def extra(name):
    return {plain(Requirement(line).name) for line in project()["optional-dependencies"][name]}


def pinned():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]
    assert all(
        len(pin.specifier) == 1 and next(iter(pin.specifier)).operator == "==" for pin in pins
    )
    names = [plain(pin.name) for pin in pins]
    assert len(set(names)) == len(names), "a package is pinned twice"
    return set(names)


def imported(path):
    """Distributions that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    roots = (
        {name.partition(".")[0] for name in names}
        - set(sys.stdlib_module_names)
        - {"netdyn_lib", "tests"}
    )
    return {DISTRIBUTION.get(root, plain(root)) for root in roots}


def computing():
    """Modules of the library without its pipeline and its figures."""
    return [
        path
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in ("pipeline", "figures")
    ]


def test_the_library_computes_with_what_a_plain_install_brings():
    base, _ = declared()
    assert len(computing()) > 20
    missing = {path.relative_to(PACKAGE).as_posix(): imported(path) - base for path in computing()}
    missing = {name: lacking for name, lacking in missing.items() if lacking}
    assert set(missing) == {"sweeps/cluster.py"}
    assert missing["sweeps/cluster.py"] <= extra("cluster")
    assert extra("cluster") <= extra("book")
    # Nor by way of the two rooms that need more.
    for path in computing():
        words = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) .*\b(pipeline|figures)\b", words, flags=re.M), (
            path.name
        )


def test_the_book_imports_what_its_extra_declares():
    _, everything = declared()
    paths = [
        *PACKAGE.rglob("*.py"),
        *(ROOT / "tests").glob("*.py"),
        *(ROOT / "notebooks").glob("*.py"),
    ]
    # packaging comes with pytest, and only this test uses it
    missing = {path.name: sorted(imported(path) - everything - {"packaging"}) for path in paths}
    assert {name: lacking for name, lacking in missing.items() if lacking} == {}


def test_every_direct_dependency_is_pinned():
    _, everything = declared()
    assert everything <= pinned()


def test_what_renders_the_pages_is_pinned():
    found = {plain(d.metadata["Name"]): d for d in metadata.distributions() if d.metadata["Name"]}

    def needs(name):
        wanted = [Requirement(line) for line in found[name].requires or []]
        return {
            plain(w.name) for w in wanted if w.marker is None or w.marker.evaluate({"extra": ""})
        } & set(found)

    seen, queue = set(), {"jupyter-book", "myst-nb", "sphinx-mathjax-offline"}
    while queue:
        name = queue.pop()
        seen.add(name)
        queue |= needs(name) - seen
    decide = {name for name in seen if name in RENDERERS or needs(name) & RENDERERS}
    assert RENDERERS <= seen
    assert decide - pinned() == set()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("target", "device"), [("notebooks", "cpu"), ("book", "auto"), ("book DEVICE=cuda", "cuda")]
)
def test_pairs_are_made_on_the_processor(target, device):
    call = ["make", "--dry-run", *target.split()]
    said = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"execute .*--device (\w+)", said) == [device]


def test_pairs_are_replayed_on_the_processor():
    assert "\ntest: export CUDA_VISIBLE_DEVICES :=\n" in (ROOT / "Makefile").read_text(
        encoding="utf-8"
    )


# A plain install


#: Imports every module of the library from a folder, with every package hidden that a plain install
#: does not bring, and prints, as JSON, what each import said.
IMPORTS = """
import json, sys
from importlib import import_module

folder, blocked, names = json.loads(sys.stdin.read())

class Hiding:  # a finder that does not see them
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in blocked else self.finder.find_spec(name, path, target)

sys.path.insert(0, folder)
before = set(sys.modules)
sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path if hasattr(finder, "find_spec")]
said = {}
for name in names:
    try:
        said[name] = import_module(name).__file__
    except ImportError as error:
        said[name] = f"{type(error).__name__}: {error}"

from netdyn_lib import descent, networks, tasks
task = tasks.get("iris")
balls = networks.perturbed(task.initial(2), radius=1e-8, copies=1)
record = descent.run(descent.GradientDescent(task, 1.0), balls, epochs=3, observe=("mean_distance",))
print(json.dumps([said, list(record["mean_distance"].shape), sorted((set(sys.modules) - before) & set(blocked))]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that an install from the repository makes; built from a copy, because building
    leaves files behind.
    """
    folder = tmp_path_factory.mktemp("wheel")
    clone = folder / "clone"
    shutil.copytree(PACKAGE, clone / "netdyn_lib", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, clone / file)
    words = [
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--quiet",
        "--wheel-dir",
        str(folder),
        str(clone),
    ]
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def brought():
    """Distributions that a plain install brings, directly or not, of those that are installed here."""
    found = {plain(d.metadata["Name"]): d for d in metadata.distributions() if d.metadata["Name"]}
    seen, queue = set(), declared()[0]
    while queue:
        name = queue.pop()
        seen.add(name)
        wanted = [Requirement(line) for line in found[name].requires or []] if name in found else []
        queue |= {
            plain(w.name) for w in wanted if w.marker is None or w.marker.evaluate({"extra": ""})
        } - seen
    return seen


def test_the_wheel_holds_the_library_and_says_what_it_needs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (about,) = [
            archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")
        ]
    held = {name for name in names if ".dist-info/" not in name}
    assert held == {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py")}
    assert any(name.endswith("LICENSE") for name in names)
    assert re.search(r"^Version: (.*)$", about, flags=re.M)[1] == netdyn_lib.__version__
    needs = [Requirement(line) for line in re.findall(r"^Requires-Dist: (.*)$", about, flags=re.M)]
    assert {plain(need.name) for need in needs if need.marker is None} == declared()[0]


def test_a_plain_install_computes_without_the_books_packages(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    tops = metadata.packages_distributions()
    kept = brought()
    blocked = [
        top
        for top, dists in tops.items()
        if top != "netdyn_lib" and not {plain(name) for name in dists} & kept
    ]
    assert {
        "matplotlib",
        "seaborn",
        "jupytext",
        "papermill",
        "nbformat",
        "dask",
        "distributed",
        "torchvision",
        "sphinx",
    } <= set(blocked)
    assert not {"torch", "numpy", "sklearn", "xarray"} & set(blocked)
    paths = [path.relative_to(ROOT).with_suffix("").parts for path in sorted(PACKAGE.rglob("*.py"))]
    names = [".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in paths]
    # Outside the repository, and without its folder on the path.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {
        "CUDA_VISIBLE_DEVICES": ""
    }
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        input=json.dumps([str(tmp_path), blocked, names]),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    said, shape, leaked = json.loads(done.stdout.splitlines()[-1])
    assert shape == [4, 2] and leaked == []
    refused = {name: text for name, text in said.items() if not text.startswith(str(tmp_path))}
    rooms = {
        name: "cluster" if name == "netdyn_lib.experiments.cluster" else "book"
        for name in refused
    }
    assert rooms.keys() == {
        n
        for n in names
        if n.startswith(
            (
                "netdyn_lib.figures",
                "netdyn_lib.book",
                "netdyn_lib.experiments.cluster",
            )
        )
    }
    for name, text in refused.items():
        assert (
            text.startswith("MissingExtra: ") and f'pip install "netdyn_lib[{rooms[name]}]"' in text
        ), (name, text)
