"""A notebook as data: its source, parameters, identifiers and provenance."""

import ast
import copy
import hashlib

import jupytext
import nbformat

from .project import PipelineError

PARAMETERS = "parameters"
INJECTED = "injected-parameters"


def read_source(path):
    """Read a percent script as a notebook with stable cell ids and no outputs.

    A cell's id is a hash of its kind, its text and how often the same text
    came before, so that a change in one cell changes no other id.
    """
    nb = jupytext.read(path, fmt="py:percent")
    nb.nbformat, nb.nbformat_minor = 4, 5
    seen = {}
    for cell in nb.cells:
        text = f"{cell.cell_type}\n{cell.source}"
        seen[text] = seen.get(text, 0) + 1
        cell.id = hashlib.sha256(f"{text}\n{seen[text]}".encode()).hexdigest()[:12]
    nb.metadata.setdefault("kernelspec", {"display_name": "Python 3", "language": "python", "name": "python3"})
    return nb


def tags(cell):
    """Tags of a cell."""
    return cell.metadata.get("tags", [])


def defaults(nb, name="notebook"):
    """Default values in the cell tagged ``parameters``.

    Raises
    ------
    PipelineError
        When there is not exactly one such cell, it assigns anything but plain
        values, or it lacks one of profile, device and seed.
    """
    cells = [cell for cell in nb.cells if PARAMETERS in tags(cell)]
    if len(cells) != 1:
        raise PipelineError(f"{name}: {len(cells)} cells carry the tag {PARAMETERS!r}; there must be exactly one")
    values = {}
    for statement in ast.parse(cells[0].source).body:
        try:
            (target,) = statement.targets
            values[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError):
            line = ast.unparse(statement)
            raise PipelineError(f"{name}: the {PARAMETERS} cell holds {line!r}, not a plain value") from None
    missing = [key for key in ("profile", "device", "seed") if key not in values]
    if missing:
        raise PipelineError(f"{name}: the {PARAMETERS} cell lacks {', '.join(missing)}")
    return values


def tidy(nb):
    """Hide papermill's injected cell, drop its timestamps and paths, count cells from 1; in place."""
    nb.metadata.pop("papermill", None)
    count = 0
    for cell in nb.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if INJECTED in tags(cell):
            cell.id = INJECTED
            cell.metadata.tags = [INJECTED, "remove-cell"]
        if cell.cell_type == "code":
            count += INJECTED not in tags(cell)
            cell.execution_count = count
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
    return nb


def lift(nb, mime, name):
    """Move one kind of data from the outputs of each cell to ``cell.metadata.netdyn[name]``, where nbval does not compare it; in place."""
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            found = output.get("data", {}).pop(mime, None)
            if found is not None:
                cell.metadata.setdefault("netdyn", {})[name] = found
    return nb


def without(nb, mime):
    """A copy of the notebook whose outputs lack one kind of data."""
    nb = copy.deepcopy(nb)
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(mime, None)
    return nb


def figures(nb):
    """Figure cells: ``(cell, name, caption, alt)`` for each cell that declares a figure."""
    found = []
    for cell in nb.cells:
        meta = cell.metadata.get("mystnb", {})
        if "figure" in meta:
            figure = meta["figure"]
            found.append((cell, figure.get("name", ""), figure.get("caption", ""), meta.get("image", {}).get("alt", "")))
    return found


def read(path):
    """Read an ``.ipynb``."""
    return nbformat.read(path, as_version=4)


def dumps(nb):
    """A notebook as text, valid and newline-terminated."""
    nbformat.validate(nb)
    return nbformat.writes(nb).rstrip("\n") + "\n"
