"""The reference: every module has a page, every public name a docstring, and docstrings become
pages as they are meant.
"""

import ast
from pathlib import Path

import pytest
import yaml

import netdyn_lib
from netdyn_lib.book import docstrings, reference
from netdyn_lib.book.project import PipelineError, Project
from netdyn_lib.book.rooms import ROOMS

PROJECT = Project(Path(__file__).resolve().parents[1])
PACKAGE = PROJECT.package


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A stage with the reference's pages in it."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "book" / "_generated").mkdir(parents=True)
    (folder / "_toc.yml").write_text(
        (PROJECT.root / "_toc.yml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    reference.stage(PROJECT, folder)
    return folder


def test_every_module_stands_in_one_room():
    reference.check(PACKAGE)
    assert reference.public(PACKAGE) == sorted(netdyn_lib._MODULES)


@pytest.mark.parametrize(("change", "named"), [("added", "fresh"), ("removed", "kneading")])
def test_a_module_without_a_room_is_named(tmp_path, change, named):
    for name in reference.public(PACKAGE):
        (tmp_path / f"{name}.py").write_text('"""x"""\n')
    reference.check(tmp_path)
    if change == "added":
        (tmp_path / f"{named}.py").write_text("")
    else:
        (tmp_path / f"{named}.py").unlink()
    with pytest.raises(
        PipelineError, match=rf"in no room, or no module: {named}; in several rooms: none"
    ):
        reference.check(tmp_path)


def test_a_module_in_two_rooms_is_named(monkeypatch):
    monkeypatch.setattr(reference, "ROOMS", (*ROOMS, ROOMS[0]))
    with pytest.raises(PipelineError, match="in several rooms: archives, data"):
        reference.check(PACKAGE)


def test_every_file_of_the_library_is_on_a_page(source):
    pages = {
        path.stem: path.read_text(encoding="utf-8") for path in (source / "reference").glob("*.rst")
    }
    filled = {
        line.split()[-1]
        for text in pages.values()
        for line in text.splitlines()
        if line.startswith(".. automodule::")
    }
    expected = set()
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[1] not in ("pipeline", "__init__") and parts[-1] != "__main__":
            expected.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    assert filled == expected
    assert pages.keys() == {f"room-{room.name}" for room in ROOMS} | set(netdyn_lib._MODULES)


def test_the_contents_list_every_page(source):
    toc = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    (rooms,) = [
        entry["sections"]
        for part in toc["parts"]
        for entry in part["chapters"]
        if entry["file"] == reference.PAGE
    ]
    listed = [room["file"] for room in rooms] + [
        module["file"] for room in rooms for module in room["sections"]
    ]
    assert sorted(listed) == sorted(
        str(path.relative_to(source).with_suffix(""))
        for path in (source / "reference").glob("*.rst")
    )
    overview = (source / "book" / "_generated" / "reference.md").read_text(encoding="utf-8")
    assert all(f"](../{page}.rst)" in overview for page in listed)


def test_a_book_without_the_page_gets_no_reference(tmp_path):
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/01_first\n"
    )
    reference.stage(PROJECT, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["_toc.yml"]


def test_a_package_names_what_it_passes_on():
    sweeps, pruning = (
        reference.modules(PACKAGE, "sweeps")[0],
        reference.modules(PACKAGE, "pruning")[0],
    )
    assert sweeps.passed_on["get"] == "named" and pruning.passed_on["PrunedSGD"] == "optimizer"
    page = reference.module_page(reference.modules(PACKAGE, "pruning"))
    assert ":py:obj:`PrunedSGD <netdyn_lib.curvature.pruning.optimizer.PrunedSGD>`" in page


def public_without_docstring(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                yield node.name
            if isinstance(node, ast.ClassDef):
                yield from (f"{node.name}.{name}" for name in public_without_docstring(node))


def test_the_search_for_undocumented_names_finds_them():
    tree = ast.parse('def f(): pass\ndef _g(): pass\nclass C:\n  """x"""\n  def m(self): pass\n')
    assert list(public_without_docstring(tree)) == ["f", "C.m"]


def test_nothing_public_is_undocumented():
    bare = {}
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] != "pipeline":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = list(public_without_docstring(tree)) + (
                [] if ast.get_docstring(tree) else ["the module"]
            )
            if names:
                bare[path.relative_to(PACKAGE).as_posix()] = names
    assert bare == {}


# Docstrings as pages


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            ["a", "", "    W − g", "", "    b", "", "c"],
            ["a", "", "::", "", "    W − g", "", "    b", "", "c"],
        ),
        (["* a", "", "  more of it"], ["* a", "", "  more of it"]),
        (["as in::", "", "    code"], ["as in::", "", "    code"]),
        (
            ["Parameters", "----------", "x : int", "", "    Text."],
            ["Parameters", "----------", "x : int", "", "    Text."],
        ),
        (
            ["Raises", "------", "ValueError", "", ">>> f()"],
            ["Raises", "------", "ValueError", "", "", ">>> f()"],
        ),
    ],
)
def test_lines_are_arranged(before, after):
    assert docstrings.arranged(before) == after


@pytest.mark.parametrize(
    ("module", "owner", "target", "kind", "full"),
    [
        (
            "netdyn_lib.lyapunov.growth_fits",
            "",
            "Fit",
            "class",
            "netdyn_lib.lyapunov.growth_fits.Fit",
        ),
        (
            "netdyn_lib.statistics.growth_laws",
            "",
            "Fit",
            "class",
            "netdyn_lib.statistics.growth_laws.Fit",
        ),
        (
            "netdyn_lib.lyapunov.growth_fits",
            "",
            "bootstrap_interval",
            "func",
            "netdyn_lib.statistics.intervals.bootstrap_interval",
        ),
        (
            "netdyn_lib.training.gradient_descent",
            "",
            "netdyn_lib.lyapunov.growth",
            "func",
            "netdyn_lib.lyapunov.tangent_maps.growth",
        ),
        (
            "netdyn_lib.curvature.pruned_descent",
            "Rule",
            "elsewhere",
            "func",
            "netdyn_lib.curvature.pruned_descent.elsewhere",
        ),
        (
            "netdyn_lib.experiments.perturbation_growth",
            "",
            "netdyn_lib.experiments.perturbation_growth.independent.Apart",
            "obj",
            "netdyn_lib.experiments.perturbation_growth.independent.Apart",
        ),
        (
            "netdyn_lib.lyapunov.linear_regime",
            "",
            "CAUSES",
            "data",
            "netdyn_lib.lyapunov.linear_regime.CAUSES",
        ),
        (
            "netdyn_lib.results.store",
            "",
            "netdyn_lib.results.store",
            "mod",
            "netdyn_lib.results.store",
        ),
        ("netdyn_lib.lyapunov.growth_fits", "", "best_fit", "class", None),
        ("netdyn_lib.lyapunov.growth_fits", "", "int", "class", None),
        ("netdyn_lib.lyapunov.growth_fits", "", "pandas.DataFrame", "class", None),
    ],
)
def test_names_mean_what_they_mean_in_python(module, owner, target, kind, full):
    assert docstrings.meaning(module, owner, target, kind) == full
