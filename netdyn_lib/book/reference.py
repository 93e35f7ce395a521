"""The book's reference: pages that Sphinx fills from docstrings, one for each public module or
subpackage, by rooms.
"""

import ast
from dataclasses import dataclass
from itertools import chain

import yaml

from . import forms
from .project import PipelineError
from .rooms import ROOMS

#: The page of the book's contents below which the reference stands.
PAGE = "book/reference"


@dataclass(frozen=True)
class Module:
    """A public module as its file shows it, without importing it.

    ``name`` is dotted, with the library's; ``title`` the first line of the
    docstring; ``passed_on`` the public names of a package that its modules
    define, each with the module's name.
    """

    name: str
    title: str
    passed_on: dict


def stage(project, source):
    """Write the reference's pages into ``source/reference``, and enter them in ``source/_toc.yml``.

    A book whose contents do not name :data:`PAGE` gets no reference.

    Raises
    ------
    PipelineError
        When a module belongs to no room, to several, or has no docstring.
    """
    toc = forms.contents(source / "_toc.yml")
    entry = _entry(toc)
    if entry is None:
        return
    check(project.package)
    entry["sections"] = [
        {
            "file": f"reference/{_page(room)}",
            "sections": [{"file": f"reference/{name}"} for name in room.modules],
        }
        for room in ROOMS
    ]
    (source / "_toc.yml").write_text(
        yaml.safe_dump(toc, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    folder = source / "reference"
    folder.mkdir()
    for room in ROOMS:
        listed = [modules(project.package, name)[0] for name in room.modules]
        (folder / f"{_page(room)}.rst").write_text(room_page(room, listed), encoding="utf-8")
        for name in room.modules:
            (folder / f"{name}.rst").write_text(
                module_page(modules(project.package, name)), encoding="utf-8"
            )
    (source / "book" / "_generated" / "reference.md").write_text(overview(), encoding="utf-8")


def _entry(toc):
    """The entry of the contents that names :data:`PAGE`, or None."""
    for part in toc.get("parts", [toc]):
        for entry in part.get("chapters", []):
            if entry.get("file") == PAGE:
                return entry
    return None


def _page(room):
    return f"room-{room.name}"


def public(package):
    """Names of the public modules and subpackages of the library, but for the pipeline, which is
    the book's own.
    """
    found = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    return sorted(name for name in found if not name.startswith("_") and name != "pipeline")


def check(package):
    """Raise unless every public module is in exactly one room.

    Raises
    ------
    PipelineError
    """
    listed = list(chain.from_iterable(room.modules for room in ROOMS))
    lost = sorted(set(public(package)) ^ set(listed))
    twice = sorted({name for name in listed if listed.count(name) > 1})
    if lost or twice:
        raise PipelineError(
            f"netdyn_lib/book/rooms.py must name each public module once; in no room, or no module: "
            f"{', '.join(lost) or 'none'}; in several rooms: {', '.join(twice) or 'none'}"
        )


def modules(package, name):
    """A module by name, or a subpackage followed by its public modules.

    Returns
    -------
    list of Module

    Raises
    ------
    PipelineError
        For a file that has no docstring.
    """
    home = package / name
    if not home.is_dir():
        return [_module(package, home.with_suffix(".py"))]
    inner = sorted(path for path in home.glob("*.py") if not path.name.startswith("_"))
    return [_module(package, path) for path in (home / "__init__.py", *inner)]


def _module(package, path):
    with forms.told():
        tree = ast.parse(path.read_bytes(), str(path))
    text = ast.get_docstring(tree)
    if not text:
        raise PipelineError(
            f"{path.relative_to(package.parent)} has no docstring, and its page would be empty"
        )
    parts = path.relative_to(package.parent).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    passed_on = dict(_passed_on(tree)) if parts[-1] == "__init__" else {}
    return Module(name, text.splitlines()[0], passed_on)


def _passed_on(tree):
    """Names that a package takes from its own modules: imported at once, or by ``_HOMES`` when they
    are first used.
    """
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, node.module
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_HOMES":
            yield from ast.literal_eval(node.value).items()


def overview():
    """The rooms with what lives there, as Markdown: what the page :data:`PAGE` includes."""
    lines = ["| Room | What lives there | Modules |", "|:--|:--|:--|"]
    for room in ROOMS:
        names = ", ".join(f"[{name}](../reference/{name}.rst)" for name in room.modules)
        lines.append(f"| [{room.title}](../reference/{_page(room)}.rst) | {room.text} | {names} |")
    return "\n".join(lines) + "\n"


def room_page(room, listed):
    """The page of a room: its modules with what each is for, as reStructuredText."""
    lines = [*_heading(room.title, "="), room.text.replace("`", "``"), ""]
    for module in listed:
        lines += [
            f":doc:`{module.name} <{module.name.partition('.')[2]}>`",
            f"    {module.title}",
            "",
        ]
    return "\n".join(lines)


def module_page(listed):
    """The page of a module, or of a package and its modules, as reStructuredText that Sphinx fills
    from docstrings.
    """
    first, *inner = listed
    if not inner:
        return "\n".join([*_heading(first.name, "="), *_automodule(first.name, ":members:")])
    lines = [*_heading(first.name, "="), *_automodule(first.name, ":no-members:")]
    if first.passed_on:
        names = (
            f":py:obj:`{name} <{first.name}.{home}.{name}>`"
            for name, home in sorted(first.passed_on.items())
        )
        lines += [f"Names of ``{first.name}`` itself: {', '.join(names)}.", ""]
    for module in inner:
        lines += [*_heading(module.name, "-"), *_automodule(module.name, ":members:")]
    return "\n".join(lines)


def _heading(text, underline):
    return [text, underline * len(text), ""]


def _automodule(name, option):
    return [f".. automodule:: {name}", f"   {option}", ""]
