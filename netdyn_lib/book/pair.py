"""The committed pair of each source: its cells, with the outputs of a default run."""

import copy

import jupytext
from jupytext.compare import NotebookDifference, compare_notebooks

from ..figures import vector
from . import notebooks
from .project import PipelineError, write_whole

#: Provenance that a pair keeps; what only the build folder needs stays there.
KEPT = (
    "profile",
    "device",
    "seed",
    "commit",
    "executed",
    "duration_s",
    "peak_mb",
    "machine",
    "modules",
    "versions",
)


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
        source = notebooks.read_source(project.source(name))
        run = _executed(project, name, profile)
        _check_defaults(name, notebooks.defaults(source, name), run.metadata.netdyn)
        made = merge(source, run, name)
        write_whole(project.committed(name), notebooks.dumps(made))
        difference = disagreement(project, name)
        if difference:
            raise PipelineError(f"{name}: the pair does not agree with its source: {difference}")
        log(f"{project.committed(name).relative_to(project.root)} written")


def _executed(project, name, profile):
    path = project.executed(profile, name)
    if not path.exists():
        raise PipelineError(
            f"{name} has not been executed at profile {profile}: run make notebooks"
        )
    return notebooks.executed(path)


def _check_defaults(name, defaults, ran):
    for parameter in ("profile", "seed"):
        if ran[parameter] != defaults[parameter]:
            raise PipelineError(
                f"{name} was executed with {parameter} {ran[parameter]!r}, but its own default is "
                f"{defaults[parameter]!r}: a pair shows the default run"
            )
    if ran["device"] != "cpu":
        raise PipelineError(
            f"{name} was executed on {ran['device']}: a pair shows a run on the cpu, where it is replayed"
        )


def merge(source, run, name):
    """The source's cells with the run's outputs, in order; the injected cell left out.

    Raises
    ------
    PipelineError
        When the run is of another source.
    """
    made = copy.deepcopy(source)
    ran = [cell for cell in run.cells if notebooks.INJECTED not in notebooks.tags(cell)]
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
        raise PipelineError(
            f"{name} was executed by an older library, which kept no {', '.join(lacking)}: execute it again"
        )
    made.metadata.netdyn = {k: run.metadata.netdyn[k] for k in KEPT}
    # The pair shows pictures; drawings of the figures stay in the executed copy.
    return notebooks.without(notebooks.tidy(made), vector.MIME)


def disagreement(project, name):
    """What differs between a source and its pair; empty when they agree."""
    source = notebooks.read_source(project.source(name))
    paired = notebooks.read(project.committed(name))
    text = jupytext.writes(paired, fmt="py:percent")
    try:
        compare_notebooks(jupytext.reads(text, fmt="py:percent"), source, fmt="py:percent")
    except NotebookDifference as error:
        return str(error)
    if [cell.id for cell in paired.cells] != [cell.id for cell in source.cells]:
        return "cell ids differ"
    return ""
