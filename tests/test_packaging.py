"""What pyproject.toml and requirements.txt declare is what is imported and what builds the pages; and make's devices."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "netdyn_lib"
#: Import names that differ from the name of their distribution.
DISTRIBUTION = {
    "myst_nb": "myst-nb",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "bs4": "beautifulsoup4",
    "axe_playwright_python": "axe-playwright-python",
}
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
    assert all(len(pin.specifier) == 1 and next(iter(pin.specifier)).operator == "==" for pin in pins)
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
    roots = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"netdyn_lib", "tests"}
    return {DISTRIBUTION.get(root, root) for root in roots}


def computing():
    """Modules of the library without its pipeline and its figures."""
    return [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in ("pipeline", "figures")]


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
        assert not re.search(r"^\s*(from|import) .*\b(pipeline|figures)\b", words, flags=re.M), path.name


def test_the_book_imports_what_its_extra_declares():
    _, everything = declared()
    paths = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").glob("*.py"), *(ROOT / "notebooks").glob("*.py")]
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
        return {plain(w.name) for w in wanted if w.marker is None or w.marker.evaluate({"extra": ""})} & set(found)

    seen, queue = set(), {"jupyter-book", "myst-nb", "sphinx-mathjax-offline"}
    while queue:
        name = queue.pop()
        seen.add(name)
        queue |= needs(name) - seen
    decide = {name for name in seen if name in RENDERERS or needs(name) & RENDERERS}
    assert RENDERERS <= seen
    assert decide - pinned() == set()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(("target", "device"), [("notebooks", "cpu"), ("book", "auto"), ("book DEVICE=cuda", "cuda")])
def test_pairs_are_made_on_the_processor(target, device):
    call = ["make", "--dry-run", *target.split()]
    said = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"execute .*--device (\w+)", said) == [device]


def test_pairs_are_replayed_on_the_processor():
    assert "\ntest: export CUDA_VISIBLE_DEVICES :=\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
