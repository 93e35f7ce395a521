"""Fingerprints: which modules a result needs, and what in their source counts."""

import ast

import pytest

from netdyn_lib.results import provenance
from netdyn_lib.results.provenance import closure, code, imported

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
        return [x for x in a if x], {y: z for y, z in b}, {**c}, lambda q: q[1:, ::2, None], (w := 3)
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
    ("modules", "found"),
    [
        ([], ""),
        (["side"], "side"),
        (["top"], "deep deep.bottom middle side top"),
        (["deep"], "deep"),
        (["deep.bottom"], "deep deep.bottom side"),
        (["deep.lazy"], "deep deep.bottom deep.lazy side"),
        (["deep.parent"], "deep deep.bottom deep.parent side"),
        (["deep.star"], "deep deep.bottom deep.star middle side top"),
        (["ring"], "gnir ring"),
        (["side", "ring"], "gnir ring side"),
    ],
)
def test_imports_are_followed(package, modules, found):
    assert closure(modules, package) == tuple(found.split())


def test_a_notebooks_files_come_with_every_init_that_runs(package):
    def names(source):
        return [str(path.relative_to(package)) for path in imported(source, package)]

    assert names("import numpy") == []
    deep = ["__init__.py", "deep/__init__.py", "deep/bottom.py", "side.py"]
    assert names("import package as p\np.deep.bottom.f()") == deep
    assert names("from package import side, missing") == ["__init__.py", "side.py"]


@pytest.mark.parametrize("ask", [code, closure])
def test_a_module_that_is_none_is_refused(package, ask):
    for name in ("sides", "", "package.side", "deep.bottom.x", "../side"):
        with pytest.raises(ValueError, match="unknown module.*deep.bottom"):
            ask([name], package)
    with pytest.raises(ValueError, match="list of names"):
        ask("side", package)


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
        ("Text about x", "Something else", False),
        ("# a remark", "# another\n\n", False),
        ("'it', 1", '("it"), \\\n            1', False),
        ("1\n", "1.0\n", True),
        ("x = 1", "y = 1", True),
        ('a="text"', 'a="Text"', True),
        (' text"', ' Text"', True),
        ("import math", "import cmath", True),
        ("class A:", "class A(B):", True),
    ],
)
def test_what_counts_is_what_the_code_does(package, old, new, changes):
    (package / "side.py").write_text(BEFORE)
    before = code(["side"], package)
    assert old in BEFORE
    (package / "side.py").write_text(BEFORE.replace(old, new))
    assert (code(["side"], package) != before) == changes


def test_a_fingerprint_is_of_names_and_contents_and_of_no_order(package):
    assert code(["side", "top"], package) == code(iter(("top", "side", "top")), package)
    assert (
        len({code(names, package) for names in ([], ["side"], ["top"], ["deep"], ["side", "top"])})
        == 5
    )
    (package / "side.py").rename(package / "other.py")
    renamed = code(["other"], package)
    (package / "other.py").rename(package / "side.py")
    assert code(["side"], package) != renamed


def test_a_change_is_seen_through_the_closure_alone(package):
    def stamps():
        return code(["top"], package), code(closure(["top"], package), package)

    alone, whole = stamps()
    (package / "side.py").write_text("x = 2\n")
    assert stamps()[0] == alone and stamps()[1] != whole
    whole = stamps()[1]
    (package / "ring.py").write_text("y = 1\n")
    (package / "__init__.py").write_text("MODULES = ()\n")
    assert stamps()[1] == whole


def test_every_version_of_python_gives_the_same_fingerprint(package):
    """Shards from a machine with another Python are not computed again."""
    ast.parse(SAMPLE)
    (package / "side.py").write_text(SAMPLE, encoding="utf-8")
    assert code(["side"], package) == "817dc3c36081dea7c9afb4e6"


def test_what_each_module_behind_a_source_does(package):
    source = "from package import top\n"
    found = provenance.behind(source, package)
    assert list(found) == ["deep", "deep.bottom", "middle", "side", "top"]
    assert found["side"] == code(["side"], package)[:12]
    (package / "side.py").write_text("import json, numpy.linalg\nx = 22\n")
    (package / "top.py").write_text('"""A docstring."""\nfrom . import middle\n')
    again = provenance.behind(source, package)
    assert [name for name in found if again[name] != found[name]] == ["side"]


def test_the_library_itself():
    assert closure(["store", "fingerprint", "machine"]) == (
        "fingerprint",
        "locks",
        "machine",
        "npz",
        "store",
    )
    names = closure(["ensembles"])
    assert {"ensembles", "steppers", "checks"} <= set(names) and "figures" not in names
    assert len(code(names)) == 24 and code(names) == code(names, provenance.LIBRARY)
