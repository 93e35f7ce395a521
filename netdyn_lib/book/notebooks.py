"""A notebook as data: source, parameters, identifiers, figures, provenance; and the committed pair
of each source, its cells with the outputs of a default run.
"""

import ast
import base64
import copy
import hashlib
import itertools
import zlib

import jupytext
import nbformat
import yaml
from jupytext.compare import NotebookDifference, compare_notebooks

from ..figures import numbers, vector
from ..results import reading
from . import forms
from .project import PipelineError, write_whole

PARAMETERS = "parameters"
INJECTED = "injected-parameters"
APPENDIX = "Appendix"
#: What glue of myst-nb puts before the kind of its data.
GLUED = "application/papermill.record/"
MARK = "# |"  # begins a line of a cell that declares a figure
OPTIONS = ("label", "fig-cap", "fig-alt")
#: Provenance that a pair keeps; what only the build folder needs stays there.
KEPT = (
    *("profile", "device", "seed", "commit", "executed", "duration_s", "peak_mb", "machine"),
    *("modules", "versions"),
)


def read_source(path):
    """Read a percent script as a notebook with stable cell ids and no outputs.

    A cell's id is a hash of its kind, its text and how often the same text
    came before, so that a change in one cell changes no other id.

    Raises
    ------
    PipelineError
        For a file that is no such script.
    """
    with forms.told():
        reading.text(path)
    try:
        nb = jupytext.read(path, fmt="py:percent")
        nbformat.validate(nb)
    except Exception as error:  # the header is YAML, the options of a cell are read in several ways
        what = " ".join(str(error).split())[:200]
        why = "is its header, or the options of a cell, malformed?"
        raise PipelineError(f"{path} is no script in cells: {what}: {why}") from None
    nb.nbformat, nb.nbformat_minor = 4, 5
    seen = {}
    for cell in nb.cells:
        text = f"{cell.cell_type}\n{cell.source}"
        seen[text] = seen.get(text, 0) + 1
        cell.id = hashlib.sha256(f"{text}\n{seen[text]}".encode()).hexdigest()[:12]
    nb.metadata.setdefault(
        "kernelspec", {"display_name": "Python 3", "language": "python", "name": "python3"}
    )
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
        raise PipelineError(
            f"{name}: {len(cells)} cells carry the tag {PARAMETERS!r}; there must be exactly one"
        )
    values = {}
    with forms.told(name):
        body = ast.parse(cells[0].source, f"the {PARAMETERS} cell").body
    for statement in body:
        try:
            (target,) = statement.targets
            values[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, TypeError, ValueError):
            line = ast.unparse(statement)
            raise PipelineError(
                f"{name}: the {PARAMETERS} cell holds {line!r}, not a plain value"
            ) from None
    missing = [key for key in ("profile", "device", "seed") if key not in values]
    if missing:
        raise PipelineError(f"{name}: the {PARAMETERS} cell lacks {', '.join(missing)}")
    return values


def tidy(nb):
    """Hide papermill's injected cell, drop timestamps and paths, count cells from 1; in place."""
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
    """Move one kind of data from the outputs of each cell to ``cell.metadata.netdyn[name]``, where
    nbval does not compare it; in place.
    """
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


def figure_options(cell):
    """The figure that a code cell declares in the comments ``# |`` at its top, as in Quarto.

    They are YAML: ``label`` is the figure's name, ``fig-cap`` its caption, ``fig-alt`` the text for
    those who cannot see it.  {} for a cell without.

    Raises
    ------
    PipelineError
        For comments that are no YAML, or say something else.
    """
    lines = list(itertools.takewhile(lambda line: line.startswith(MARK), cell.source.splitlines()))
    if cell.cell_type != "code" or not lines:
        return {}
    text = "\n".join(line[len(MARK) :].removeprefix(" ") for line in lines)
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise PipelineError(f"a cell begins with {lines[0]!r}, and is no YAML: {what}") from None
    if not isinstance(found, dict) or not found.keys() <= set(OPTIONS):
        raise PipelineError(f"a cell begins with {lines[0]!r}: give {', '.join(OPTIONS)}")
    return {name: str(value) for name, value in found.items()}


def with_figures(nb):
    """A copy for the renderer: figures are declared in the cells' metadata, not their text."""
    nb = copy.deepcopy(nb)
    for cell in nb.cells:
        options = figure_options(cell)
        if options:
            figure = {"name": options.get(OPTIONS[0], ""), "caption": options.get(OPTIONS[1], "")}
            cell.metadata.mystnb = {"figure": figure, "image": {"alt": options.get(OPTIONS[2], "")}}
            lines = cell.source.splitlines()
            cell.source = "\n".join(itertools.dropwhile(lambda line: line.startswith(MARK), lines))
    return nb


def pages(name, nb):
    """Return the pages of a chapter: a dict of notebooks by page, parts of ``nb``.

    A cell that begins with the heading ``# Appendix`` begins the page ``NAME_appendix``.  The prose
    of each page may show what any cell of the chapter glues.
    """
    cells = nb.cells
    starts = [k for k, cell in enumerate(cells) if cell.source.startswith(f"# {APPENDIX}")]
    cut = starts[0] if starts else len(cells)
    parts = {name: cells[:cut]} | ({f"{name}_{APPENDIX.lower()}": cells[cut:]} if starts else {})
    glued = nbformat.v4.new_code_cell(metadata={"tags": ["remove-cell"]}, id="glued")
    glued.outputs = [
        output
        for cell in cells
        for output in cell.get("outputs", [])
        if any(mime.startswith(GLUED) for mime in output.get("data", {}))
    ]
    found = {}
    for page, part in parts.items():
        kept = [copy.deepcopy(cell) for cell in part]
        for cell in kept if starts else ():
            if "outputs" in cell:
                cell.outputs = [output for output in cell.outputs if output not in glued.outputs]
        found[page] = nbformat.v4.new_notebook(
            cells=kept + ([copy.deepcopy(glued)] if starts else []), metadata=nb.metadata
        )
    return found


def figures(nb):
    """Figure cells: ``(cell, name, caption, alt)`` for each cell that declares a figure."""
    declared = ((cell, figure_options(cell)) for cell in nb.cells)
    return [(cell, *(found.get(name, "") for name in OPTIONS)) for cell, found in declared if found]


def picture(cell, name):
    """The picture that a figure's cell shows, as PNG.

    Raises
    ------
    PipelineError
        Where there is none.
    """
    found = [
        output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})
    ]
    if not found:
        raise PipelineError(f"{name} has no picture: was it executed?")
    try:
        return base64.b64decode(found[0])
    except ValueError as error:
        what = f"the picture of {name} is damaged ({error})"
        raise PipelineError(f"{what}: execute the notebook again") from None


def unpacked(letters, name):
    """What :func:`netdyn_lib.figures.numbers.packed` packed; PipelineError where it is damaged."""
    try:
        return numbers.unpacked(letters)
    except (EOFError, OSError, ValueError, zlib.error) as error:
        what = f"the data kept with the figure are damaged ({error})"
        raise PipelineError(f"{name}: {what}: execute the notebook again") from None


def read(path):
    """Read an ``.ipynb``.

    Raises
    ------
    PipelineError
        For a file that is no notebook of this format; it names the cell.
    """
    with forms.told():
        text = reading.text(path)
        found = reading.parsed_json(text, path)
    version = found.get("nbformat") if isinstance(found, dict) else None
    if version != 4:
        what = "no nbformat" if version is None else f"nbformat {version!r}, not 4"
        raise PipelineError(f"{path} is no notebook: it has {what}")
    try:
        nbformat.validate(found)
        return nbformat.reads(text, as_version=4)
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError) as error:
        place = list(getattr(error, "absolute_path", ()))
        where = f", cell {place[1] + 1}" if place[:1] == ["cells"] and len(place) > 1 else ""
        why = str(error).strip().splitlines()[0][:200]
        what = f"{path}{where} is no notebook: {why}"
        raise PipelineError(f"{what}: was it changed by hand, or merged?") from None


def executed(path):
    """Read an ``.ipynb`` that this pipeline executed, with all that it says of its run.

    Raises
    ------
    PipelineError
        As :func:`read`, and where it does not say how it was executed, or what
        its cells hold is not what this pipeline writes.
    """
    nb = read(path)
    if "netdyn" not in nb.metadata:
        raise PipelineError(
            f"{path} does not say how it was executed: it was not written by this pipeline"
        )
    return forms.fit(nb, forms.NOTEBOOK, path)


def dumps(nb):
    """A notebook as text, valid and newline-terminated."""
    nbformat.validate(nb)
    return nbformat.writes(nb).rstrip("\n") + "\n"


# Pairs


def pair(project, profile="laptop", only="", log=print):
    """Write ``notebooks/NN_name.ipynb`` from the executed copies.

    Raises
    ------
    PipelineError
        When a notebook has not been executed as it stands, was executed with
        other parameters than its own defaults (the pair would show outputs
        that its cells do not give), or not on the processor, where ``make
        test`` replays it.
    """
    for name in project.names(only):
        path = project.executed(profile, name)
        if not path.exists():
            what = f"{name} has not been executed at profile {profile}"
            raise PipelineError(f"{what}: run make notebooks")
        source, run = read_source(project.source(name)), executed(path)
        wanted = defaults(source, name) | {"device": "cpu"}
        for parameter in ("profile", "seed", "device"):
            ran = run.metadata.netdyn[parameter]
            if ran != wanted[parameter]:
                raise PipelineError(
                    f"{name} was executed with {parameter} {ran!r}, but a pair shows its default "
                    f"run, on the cpu: {parameter} {wanted[parameter]!r}"
                )
        write_whole(project.committed(name), dumps(merge(source, run, name)))
        difference = disagreement(project, name)
        if difference:
            raise PipelineError(f"{name}: the pair does not agree with its source: {difference}")
        log(f"{project.committed(name).relative_to(project.root)} written")


def merge(source, run, name):
    """The source's cells with the run's outputs, in order; the injected cell left out.

    Raises
    ------
    PipelineError
        When the run is of another source.
    """
    made = copy.deepcopy(source)
    ran = [cell for cell in run.cells if INJECTED not in tags(cell)]
    if [cell.source for cell in ran] != [cell.source for cell in made.cells]:
        raise PipelineError(f"{name} was executed before its source changed: run make notebooks")
    for cell, old in zip(made.cells, ran, strict=True):
        if cell.cell_type == "code":
            cell.outputs = old.outputs
            if "netdyn" in old.metadata:
                cell.metadata.netdyn = old.metadata.netdyn
    if "language_info" in run.metadata:
        made.metadata.language_info = run.metadata.language_info
        # The patch release of Python changes from machine to machine; it stands in the provenance.
        made.metadata.language_info.pop("version", None)
    lacking = [k for k in KEPT if k not in run.metadata.netdyn]
    if lacking:
        what = f"{name} was executed by an older library, which kept no {', '.join(lacking)}"
        raise PipelineError(f"{what}: execute it again")
    made.metadata.netdyn = {k: run.metadata.netdyn[k] for k in KEPT}
    # The pair shows pictures; drawings of the figures stay in the executed copy.
    return without(tidy(made), vector.MIME)


def disagreement(project, name):
    """What differs between a source and its pair; empty when they agree."""
    source = read_source(project.source(name))
    paired = read(project.committed(name))
    text = jupytext.writes(paired, fmt="py:percent")
    try:
        compare_notebooks(jupytext.reads(text, fmt="py:percent"), source, fmt="py:percent")
    except NotebookDifference as error:
        return str(error)
    if [cell.id for cell in paired.cells] != [cell.id for cell in source.cells]:
        return "cell ids differ"
    return ""
