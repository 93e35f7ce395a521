"""The reference: every module has a page, every public name a docstring."""

import ast

import pytest
import yaml

from netdyn_lib.book import reference
from netdyn_lib.book.project import PipelineError, Project, write_whole

from . import small

PROJECT = Project(small.ROOT)
PACKAGE = PROJECT.package


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A stage with the reference's pages in it."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "book" / "_generated").mkdir(parents=True)
    (folder / "_toc.yml").write_bytes((PROJECT.root / "_toc.yml").read_bytes())
    reference.stage(PROJECT, folder)
    return folder


def test_every_module_is_on_a_page(source):
    paths = (source / "reference").rglob("*.rst")
    texts = [path.read_text(encoding="utf-8") for path in paths]
    named = [line for text in texts for line in text.splitlines() if "automodule" in line]
    expected = set()
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[1] not in ("book", "__init__") and parts[-1] != "__main__":
            expected.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    assert {line.split()[-1] for line in named} == expected
    listed = [text for text in texts if "autosummary" in text]
    wanted = [name for name in expected if name.count(".") > 1]
    assert all(any(f"   {name}\n" in text for text in listed) for name in wanted)


def test_the_contents_list_every_page_in_order(source):
    toc = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    entries = [entry for part in toc["parts"] for entry in part["chapters"]]
    (top,) = (entry["sections"] for entry in entries if entry["file"] == reference.PAGE)
    assert [entry["file"] for entry in top] == [f"reference/{name}" for name in reference.PACKAGES]

    def files(entry):
        inner = entry.get("sections", ())
        return [entry["file"], *(file for one in inner for file in files(one))]

    listed = [file for entry in top for file in files(entry)]
    paths = (source / "reference").rglob("*.rst")
    assert sorted(listed) == sorted(
        path.relative_to(source).with_suffix("").as_posix() for path in paths
    )


def test_a_module_without_a_place_is_named_and_a_book_may_have_no_reference(project):
    toc = project.root / "_toc.yml"
    toc.write_text(small.TOC)
    reference.stage(project, project.root)
    assert toc.read_text() == small.TOC and not (project.root / "reference").exists()
    toc.write_text(small.TOC + "- file: book/reference\n")
    write_whole(project.package / "fresh.py", '"""x"""\n')
    with pytest.raises(PipelineError, match="must place deep, fresh, middle, .* in PACKAGES"):
        reference.stage(project, project.root)


def test_nothing_public_is_undocumented():
    bare = []
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [node for node in tree.body if getattr(node, "name", "_")[0] != "_"]
        classes = [node for node in top if isinstance(node, ast.ClassDef)]
        inner = [
            one for node in classes for one in node.body if getattr(one, "name", "_")[0] != "_"
        ]
        public = top + inner
        if path.relative_to(PACKAGE).parts[0] != "book":
            bare += [f"{path.stem}.{one.name}" for one in public if not ast.get_docstring(one)]
            bare += [path.stem] if not ast.get_docstring(tree) else []
    assert bare == []
