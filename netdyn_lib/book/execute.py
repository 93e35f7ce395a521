"""Execute with papermill every notebook that changed since it was last executed."""

import hashlib
import json
import os
import platform
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata

from ..figures import numbers, vector
from ..results import claims, reading
from ..results import provenance as machine
from ..results import provenance as sources
from ..results.provenance import imported
from ..tasks import datasets
from . import beneath, forms, notebooks
from .memory import Peak
from .project import PipelineError, write_whole

#: Packages whose version decides a result.
PACKAGES = (
    "numpy",
    "scipy",
    "torch",
    "torchvision",
    "scikit-learn",
    "pandas",
    "statsmodels",
    "matplotlib",
    "seaborn",
)


def versions():
    """Versions of Python and of the packages that decide a result."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


#: What the pipeline asks of figures, in the environment of the kernels: more than a picture.
_ASKED = (numbers.ASKED, vector.ASKED)

#: Modules that read published results, and the folder of ``book/results`` they read.
_READERS = {
    "experiments/learning_rate_sweep/results.py": ".",
    "experiments/outcome_prediction/published.py": "outcomes",
    "experiments/spectra.py": "leading",
    "experiments/pruning_ablation/published.py": "arms",
    "experiments/perturbation_growth/experiment.py": "twins",
    "experiments/sgd_spectra.py": "spectra",
    "experiments/benchmarks.py": "bench",
}


def key(project, name, parameters):
    """Hash of all that decides what a notebook's run gives.

    The source, the parameters, the versions, every module of the library that
    the source imports (directly or not); if :mod:`netdyn_lib.results.claims` is among
    those, the claims of this chapter; the published results that modules among
    them read; and with the sweeps' or the arms' also which image sets are at hand.

    Parameters
    ----------
    project : Project
    name : str
        Name of the notebook.
    parameters : dict
        What the run is given, with the device resolved.

    Raises
    ------
    PipelineError
        When the source, or a module it imports, is not Python, or the claims
        are not YAML.
    """
    with forms.told(name):
        source = reading.text(project.source(name))
        files = imported(source, project.package)
    measured = (
        _claims(project, name) if project.package / "results" / "claims.py" in files else None
    )
    images = None
    if any(
        project.package / "experiments" / folder / "results.py" in files
        for folder in ("learning_rate_sweep", "pruning_ablation")
    ):
        images = {image: datasets.available(image) for image in datasets.archive_names()}
    for module, folder in _READERS.items():
        if project.package / module in files:
            # Hidden is what is being written, or was when its writer was killed.
            found = (project.book / "results" / folder).glob("[!.]*")
            files += sorted(path for path in found if path.is_file() and path.suffix != ".partial")
    digest = hashlib.sha256()
    digest.update(
        json.dumps(
            [source, parameters, versions(), measured, images], sort_keys=True, default=str
        ).encode()
    )
    for path in files:
        digest.update(f"\n{path.relative_to(project.root)}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _claims(project, name):
    """The papers, and the claims of one chapter, as they stand in the claims file."""
    path = project.book / "claims.yml"
    with forms.told():
        claims.load(path)  # else a chapter would find out at its end
        papers, entries = claims.entries(path)
    return [papers, [entry for entry in entries if entry["chapter"] == name]]


def plan(project, name, profile, device, seed=None):
    """Source notebook, its parameters, and the provenance its run will carry."""
    nb = notebooks.read_source(project.source(name))
    parameters = notebooks.defaults(nb, name) | {"profile": profile, "device": device}
    if seed is not None:
        parameters["seed"] = seed
    resolved = parameters | {"device": resolve(device)}
    provenance = {k: resolved[k] for k in ("profile", "device", "seed")}
    provenance |= {
        "parameters": resolved,
        "key": key(project, name, resolved),
        "versions": versions(),
    }
    provenance["modules"] = beneath.now(project, name)
    return nb, parameters, provenance


def resolve(device):
    """Name of the device that ``device`` stands for on this machine."""
    if device == "cpu":
        return "cpu"  # known without the seconds that importing PyTorch takes
    from .. import torch_utils

    try:
        return str(torch_utils.resolve(device))
    except ValueError as error:
        raise PipelineError(str(error)) from None


def current(path, key):
    """Whether ``path`` holds a whole executed notebook with this key."""
    try:
        return notebooks.executed(path).metadata.netdyn.get("key") == key
    except PipelineError:
        return False


def execute(project, profile="laptop", device="auto", seed=None, only="", fresh=False, log=print):
    """Execute the notebooks that changed.

    Parameters
    ----------
    project : Project
    profile, device : str
        Passed to every notebook.
    seed : int, optional
        By default the one in each notebook.
    only : str
        Prefixes of the notebooks to consider, separated by commas.
    fresh : bool
        Execute also what did not change.
    log : callable
        Receives lines of progress.

    Returns
    -------
    list of str
        Names of the notebooks that were executed.

    Raises
    ------
    PipelineError
        When a notebook fails; those before it are kept.
    """
    names = project.names(only)
    done = []
    for count, name in enumerate(names, 1):
        nb, parameters, provenance = plan(project, name, profile, device, seed)
        target = project.executed(profile, name)
        head = f"[{count}/{len(names)}] {name}"
        if not fresh and current(target, provenance["key"]):
            log(f"{head}: unchanged, kept")
            continue
        shown = ", ".join(f"{k} {provenance[k]}" for k in ("profile", "device", "seed"))
        log(f"{head}: executing ({shown})")
        commit = project.commit()  # now: files may change while the notebook runs
        began = time.monotonic()
        with Peak() as peak:
            run = _run(project, name, nb, parameters, profile)
        duration = time.monotonic() - began
        notebooks.lift(run, numbers.MIME, "numbers")
        notebooks.lift(run, sources.MIME, "sources")
        run.metadata.netdyn = provenance | {
            "commit": commit,
            "duration_s": round(duration, 1),
            "peak_mb": round(peak.megabytes),
            "machine": _machine(provenance["device"]),
            "executed": datetime.now(UTC).strftime("%Y-%m-%d"),
        }
        write_whole(target, notebooks.dumps(notebooks.tidy(run)))
        log(f"{head}: done in {duration:.0f} s")
        for line in notes(run):
            log(f"{name}: {line}")
        done.append(name)
    return done


def _machine(device):
    """The processor with its number of cores, and the GPU where one was used, in words."""
    about = machine.describe(device)
    words = f"{about['processor']}, {about['cores']} cores"
    return f"{about['device']}, {words}" if about["cuda"] else words


def notes(nb):
    """What an executed notebook wants its reader to know of the run: printed lines that begin with
    ``NOTE:``.
    """
    texts = (
        o.text for cell in nb.cells for o in cell.get("outputs", ()) if o.get("name") == "stdout"
    )
    return [line for text in texts for line in text.splitlines() if line.startswith("NOTE:")]


def _run(project, name, nb, parameters, profile):
    import papermill
    from papermill.exceptions import PapermillExecutionError

    # papermill saves after every cell: into a folder that nothing else reads,
    # so that what lies beside the finished copies is always finished.
    scratch = project.build / "running" / profile / f"{name}.ipynb"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    try:
        with _asking():
            run = papermill.execute_notebook(
                nb,
                str(scratch.resolve()),
                parameters=parameters,
                kernel_name="python3",
                cwd=str(project.notebooks),
                progress_bar=True,
                # Its warning about unencrypted local sockets would break the progress bar.
                extra_arguments=["--log-level=40"],
            )
    except PapermillExecutionError as error:
        raise PipelineError(_failure(name, error, scratch)) from None
    scratch.unlink()
    return run


@contextmanager
def _asking():
    """Kernels that are started within inherit what is asked of figures."""
    before = {name: os.environ.get(name) for name in _ASKED}
    os.environ.update(dict.fromkeys(_ASKED, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _failure(name, error, scratch):
    lines = error.source.splitlines()
    shown = "\n".join(f"    {line}" for line in lines[:12]) + ("\n    …" if len(lines) > 12 else "")
    return (
        f"{name} failed in its cell {error.cell_index} (In [{error.exec_count}]):\n{shown}\n"
        f"  {error.ename}: {error.evalue}\n"
        f"The notebook as far as it got, with the traceback: {scratch}"
    )
