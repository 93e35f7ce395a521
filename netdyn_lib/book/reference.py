"""The book's reference: a page for each package of the library and each module in it."""

from pathlib import Path

import yaml

from . import forms
from .project import PipelineError

#: The page of the book's contents that the reference stands under.
PAGE = "book/reference"
#: Packages and modules of the library in the order in which data flow through them.
PACKAGES = (
    *("maps", "series", "statistics", "tasks", "training", "lyapunov", "curvature", "monitor"),
    *("experiments", "figures", "results", "validation", "torch_utils"),
)


def stage(project, source):
    """Write the pages into ``source/reference``, enter them in ``source/_toc.yml``.

    Sphinx fills them from docstrings.  A book whose contents lack :data:`PAGE` gets no reference.
    """
    toc = forms.contents(source / "_toc.yml")
    entries = [entry for part in toc.get("parts", [toc]) for entry in part.get("chapters", [])]
    found = [entry for entry in entries if entry.get("file") == PAGE]
    if not found:
        return
    missing = {path.stem for path in _inside(project.package)} - {*PACKAGES, "book"}
    if missing:
        raise PipelineError(
            f"netdyn_lib/book/reference.py must place {', '.join(sorted(missing))} in PACKAGES"
        )
    paths = [project.package / name for name in PACKAGES]
    found[0]["sections"] = [_write(path, project.package, source / "reference") for path in paths]
    (source / "_toc.yml").write_text(
        yaml.safe_dump(toc, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    listed = [f"   {project.package.name}.{name}" for name in PACKAGES]
    table = "\n".join(["```{eval-rst}", ".. autosummary::", "", *listed, "```", ""])
    (source / "book" / "_generated" / "reference.md").write_text(table, encoding="utf-8")


def _inside(package):
    """Paths, without ``.py``, of the public modules and packages in a package."""
    found = {path.with_suffix("") for path in package.glob("[!_]*.py")}
    return sorted(found | {path.parent for path in package.glob("[!_]*/__init__.py")})


def _write(path, package, folder):
    """Write the page of a module, or those of a package; their entry of the table of contents."""
    place = path.relative_to(package)
    name = ".".join((package.name, *place.parts))
    options = ["   :members:", "   :ignore-module-all:", ""]
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", *options]
    entry = {"file": Path("reference", place).as_posix()}
    inner = _inside(path)
    if inner:
        lines += [".. currentmodule:: None", "", ".. autosummary::", ""]
        lines += [*(f"   {name}.{one.name}" for one in inner), ""]
        entry["sections"] = [_write(one, package, folder) for one in inner]
    target = folder / place.parent / f"{path.name}.rst"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines), encoding="utf-8")
    return entry
