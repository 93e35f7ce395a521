"""What pyproject.toml and the requirements declare is what is imported and what builds the pages;
what make installs, and its devices.
"""

import ast
import graphlib
import json
import os
import re
import shlex
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
DISTRIBUTION |= {"PIL": "pillow"}
#: Any of these decides how a page comes out; so does whatever builds on one of them.
RENDERERS = {"sphinx", "docutils", "markdown-it-py", "pybtex", "pygments", "nbclient"}
#: Packages of the library that need the book's packages.
NEED_BOOK = ("book", "figures")


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BASE = {plain(Requirement(line).name) for line in PROJECT["dependencies"]}
EXTRA = {
    extra: {plain(Requirement(line).name) for line in lines}
    for extra, lines in PROJECT["optional-dependencies"].items()
}


#: What requirements.txt takes together.
SETS = ("compute", "book", "test")


def pins(*sets):
    """Name → version of what files of requirements/ pin."""
    texts = [(ROOT / "requirements" / f"{one}.txt").read_text(encoding="utf-8") for one in sets]
    lines = [line.partition("#")[0].strip() for text in texts for line in text.splitlines()]
    found = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups() for line in filter(None, lines)]
    names = {plain(name): version for name, version in found}
    assert len(names) == len(found), "a package is pinned twice"
    return names


def pinned(*sets):
    return set(pins(*(sets or SETS)))


def imported(path):
    """Distributions that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    own = {"netdyn_lib", "tests", "companion", "docstrings", "publishing"}
    roots = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - own
    return {DISTRIBUTION.get(root, plain(root)) for root in roots}


def needs(name, installed):
    """Names of what an installed distribution needs, extras aside."""
    wanted = [Requirement(line) for line in installed[name].requires or []]
    here = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    return {plain(one.name) for one in here}


def reached(start):
    """What a set of distributions needs, directly or not, of those that are installed here."""
    found = {plain(d.metadata["Name"]): d for d in metadata.distributions() if d.metadata["Name"]}
    seen, queue = {}, set(start) & set(found)
    while queue:
        name = queue.pop()
        seen[name] = needs(name, found) & set(found)
        queue |= seen[name] - set(seen)
    return seen


def arrows():
    """Module → modules of the library that it imports, wherever the import stands."""
    paths = {p.relative_to(ROOT).with_suffix("").parts: p for p in PACKAGE.rglob("*.py")}
    names = {parts[:-1] if parts[-1] == "__init__" else parts: p for parts, p in paths.items()}
    found = {name: set() for name in names}
    for name, path in names.items():
        room = name if path.stem == "__init__" else name[:-1]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = room[: len(room) + 1 - node.level]
                base += tuple(node.module.split(".")) if node.module else ()
                wanted = {base + (alias.name,) for alias in node.names}
                found[name] |= {one if one in names else base for one in wanted}
    return found


def test_imports_make_no_circle_of_modules_and_none_of_packages():
    found = arrows()
    modules = {name: wanted - {name} for name, wanted in found.items()}
    order = list(graphlib.TopologicalSorter(modules).static_order())  # CycleError names a circle
    assert len(order) == len(found) > 80
    packages = {}
    for name, wanted in found.items():
        packages.setdefault(name[:2], set()).update(one[:2] for one in wanted)
    packages = {name: wanted - {name, ("netdyn_lib",)} for name, wanted in packages.items()}
    graphlib.TopologicalSorter(packages).prepare()


def test_the_library_computes_with_what_a_plain_install_brings():
    paths = [path for path in PACKAGE.rglob("*.py") if path.parent.name not in NEED_BOOK]
    assert len(paths) > 20 and EXTRA["cluster"] <= EXTRA["book"]
    for path in paths:
        # What only a cluster or a notebook needs is imported where it is used.
        allowed = BASE | (EXTRA["cluster"] if "experiments" in path.parts else set())
        allowed |= {"myst-nb"} if path.stem == "glue" else set()
        assert imported(path) <= allowed, path
        # Nor by way of the two packages that need more.
        words = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) .*\b(book|figures)\b", words, flags=re.M), path


def test_figures_need_matplotlib_and_seaborn_and_nothing_of_the_book():
    paths = sorted((PACKAGE / "figures").glob("*.py"))
    assert len(paths) > 10 and EXTRA["plot"] <= EXTRA["book"]
    for path in paths:
        assert imported(path) <= BASE | EXTRA["plot"], path
        others = re.findall(r"^\s*from \.\.(\w*)", path.read_text(encoding="utf-8"), flags=re.M)
        assert set(others) <= {"results", "statistics", "validation"}, path


def test_the_book_imports_what_its_extra_declares_and_pins():
    everything = BASE | EXTRA["book"]
    assert BASE | EXTRA["cluster"] <= pinned("compute")
    paths = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *ROOT.glob("book/_ext/*.py")]
    paths = [path for path in [*paths, *ROOT.glob("notebooks/*.py")] if path.parent.name != "bench"]
    # packaging comes with pytest, and only this test uses it
    missing = {path.name: imported(path) - everything - {"packaging"} for path in paths}
    assert {name: lacking for name, lacking in missing.items() if lacking} == {}
    assert everything <= pinned()
    shown = [*PACKAGE.rglob("*.py"), *ROOT.glob("book/_ext/*.py"), *ROOT.glob("notebooks/*.py")]
    assert set.union(*map(imported, shown)) <= pinned("compute", "book")


def test_one_file_takes_all_requirements_and_the_lock():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    taken = [line.partition(" ") for line in lines if not line.startswith("#")]
    assert taken == [
        *(("-r", " ", f"requirements/{one}.txt") for one in SETS),
        ("--constraint", " ", "requirements/lock.txt"),
    ]


def test_the_lock_agrees_with_the_pins_and_holds_all_that_is_installed_with_them():
    locked, direct = pins("lock"), pins(*SETS)
    assert {name: locked.get(name) for name in direct} == direct
    if sys.platform == "linux":  # elsewhere packages need others
        here = {name: metadata.version(name).partition("+")[0] for name in reached(direct)}
        assert {name: locked.get(name) for name in here} == here


def test_what_renders_the_pages_is_pinned():
    found = reached({"jupyter-book", "myst-nb", "sphinx-mathjax-offline"})
    decide = {name for name, needed in found.items() if name in RENDERERS or needed & RENDERERS}
    assert RENDERERS <= set(found) and decide - pinned() == set()


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@needs_make
@pytest.mark.parametrize(
    ("target", "device"), [("notebooks", "cpu"), ("book", "auto"), ("book DEVICE=cuda", "cuda")]
)
def test_pairs_are_made_on_the_processor(target, device):
    call = ["make", "--dry-run", *target.split(), "JOBS=3"]
    said = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"execute .*--device (\w+).* --jobs 3", said) == [device]


def make(*words):
    """What make would run."""
    call = ["make", "--dry-run", "--always-make", *words]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True)


@needs_make
def test_site_executes_nothing():
    said = make("site").stdout
    assert "netdyn_lib.book site --committed" in said and "execute" not in said


@needs_make
@pytest.mark.parametrize(
    "target", ["site", "book", "notebooks", "lint", "test", "bench", "supplement"]
)
def test_torch_for_processors_comes_first_from_its_own_index(target):
    said = make(target, "TORCH=cpu").stdout
    installs = re.findall(r"-m pip install (.*)", said)
    assert re.match(
        r"--no-deps --index-url https://download\.pytorch\.org/whl/cpu "
        rf"torch=={pins('compute')['torch']}\S* torchvision=={pins('compute')['torchvision']}\S* ",
        installs[0],
    )
    assert installs[1] == "--requirement requirements.txt"
    assert "download.pytorch" not in make(target).stdout
    assert make(target, "TORCH=gpu").returncode == 2


@needs_make
@pytest.mark.skipif(sys.platform == "darwin", reason="no local version there")
def test_no_other_build_stands_in_for_that_of_processors(tmp_path):
    """With an index that is a folder: its builds are taken, and nothing where they lack."""
    for name in ("torch", "torchvision"):
        release = f"{name}-{pins('compute')[name]}+cpu"
        wheel = tmp_path / name / f"{release}-py3-none-any.whl"
        wheel.parent.mkdir()
        with zipfile.ZipFile(wheel, "w") as file:
            about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {release.partition('-')[2]}\n"
            tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            for member, text in (("METADATA", about), ("WHEEL", tags), ("RECORD", "")):
                file.writestr(f"{release}.dist-info/{member}", text)
        (wheel.parent / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    for index, status in ((tmp_path.as_uri(), 0), ((tmp_path / "none").as_uri(), 1)):
        said = make("install", "TORCH=cpu", f"TORCH_INDEX={index}").stdout
        (line,) = re.findall(r"^\S+ (-m pip install --no-deps --index-url .*)", said, re.M)
        line = line.replace("pip install", "pip install --dry-run", 1)
        done = subprocess.run(
            ["bash", "-c", f"{shlex.quote(sys.executable)} {line}"], capture_output=True, text=True
        )
        assert done.returncode == status, done.stderr
        if status == 0:
            assert "+cpu torchvision-" in done.stdout.splitlines()[-1]
        else:
            assert f"could not be had from {index}" in done.stderr.splitlines()[-1]


def test_pairs_are_replayed_on_the_processor():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\ntest: export CUDA_VISIBLE_DEVICES :=\n" in text and "\ntest: lint\n" in text


def test_binder_installs_the_requirements_and_the_library():
    lines = (ROOT / ".binder" / "requirements.txt").read_text().split()
    assert lines == ["-r", "../requirements.txt"]
    script = ROOT / ".binder" / "postBuild"
    install = "pip install --no-deps --no-build-isolation --editable ."
    assert install in script.read_text() and script.stat().st_mode & 0o100


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
        hidden = name.partition(".")[0] in blocked
        return None if hidden else self.finder.find_spec(name, path, target)

sys.path.insert(0, folder)
before = set(sys.modules)
sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path if hasattr(finder, "find_spec")]
said = {}
for name in names:
    try:
        said[name] = import_module(name).__file__
    except ImportError as error:
        said[name] = f"{type(error).__name__}: {error}"

from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import gradient_descent as descent
task = tasks.get("iris")
balls = networks.perturbed(task.initial(2), radius=1e-8, copies=1)
record = descent.run(descent.GradientDescent(task, 1.0), balls, 3, ("mean_distance",))
leaked = sorted((set(sys.modules) - before) & set(blocked))
print(json.dumps([said, list(record["mean_distance"].shape), leaked]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that an install from the repository makes, built from a copy."""
    folder = tmp_path_factory.mktemp("wheel")
    clone = folder / "clone"
    shutil.copytree(PACKAGE, clone / "netdyn_lib", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, clone / file)
    words = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir"]
    call = [sys.executable, "-m", "pip", *words, str(folder), str(clone)]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_library_and_says_what_it_needs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (about,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        about = archive.read(about).decode()
    held = {name for name in names if ".dist-info/" not in name}
    paths = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.c"), PACKAGE / "py.typed"]
    assert held == {path.relative_to(ROOT).as_posix() for path in paths}
    assert any(name.endswith("LICENSE") for name in names)
    assert re.search(r"^Version: (.*)$", about, flags=re.M)[1] == netdyn_lib.__version__
    wanted = [Requirement(line) for line in re.findall(r"^Requires-Dist: (.*)$", about, flags=re.M)]
    assert {plain(one.name) for one in wanted if one.marker is None} == BASE


def test_a_plain_install_computes_without_the_books_packages(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    kept, tops = reached(BASE), metadata.packages_distributions()
    brought = {top for top, dists in tops.items() if any(plain(name) in kept for name in dists)}
    blocked = set(tops) - brought - {"netdyn_lib"}
    hidden = {"matplotlib", "seaborn", "jupytext", "papermill", "nbformat", "dask", "distributed"}
    assert {*hidden, "torchvision", "sphinx"} <= blocked
    assert not {"torch", "numpy", "sklearn", "xarray"} & blocked
    paths = [path.relative_to(ROOT).with_suffix("").parts for path in sorted(PACKAGE.rglob("*.py"))]
    names = [".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in paths]
    # Outside the repository, and without its folder on the path.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        input=json.dumps([str(tmp_path), sorted(blocked), names]),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr
    said, shape, leaked = json.loads(done.stdout.splitlines()[-1])
    assert shape == [4, 2] and leaked == []
    refused = {name: text for name, text in said.items() if not text.startswith(str(tmp_path))}
    needing = [name for name in names if name.split(".")[1:2] and name.split(".")[1] in NEED_BOOK]
    clusters = [name for name in names if name.endswith(".cluster")]
    assert refused.keys() == {*needing, *clusters}
    for name, text in refused.items():
        extra = {"figures": "plot", "experiments": "cluster"}.get(name.split(".")[1], "book")
        assert text.startswith("MissingExtra: ") and f'"netdyn_lib[{extra}]"' in text, (name, text)
