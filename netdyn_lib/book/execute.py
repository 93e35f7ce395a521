"""Execute with papermill every notebook that changed since it was last executed, side by side."""

import hashlib
import json
import math
import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata

import psutil

from ..experiments import sizes
from ..figures import numbers, vector
from ..results import claims, provenance, reading
from ..tasks import datasets
from . import forms, notebooks
from .project import PipelineError, write_whole

#: Packages whose version decides a result.
PACKAGES = (
    *("numpy", "scipy", "torch", "torchvision", "scikit-learn", "pandas", "statsmodels"),
    *("matplotlib", "seaborn"),
)
#: What runs of the pipeline ask of figures, in the environment of kernels: more than a picture.
_ASKED = (numbers.ASKED, vector.ASKED)
#: Experiments that read published results, and the folder of ``book/results`` that they read.
READERS = {
    "learning_rate_sweep": ".",
    "outcome_prediction": "outcomes",
    "exponent_map": "exponents",
    "function_growth": "functions",
    "spectra": "leading",
    "pruning_ablation": "arms",
    "perturbation_growth": "twins",
    "sgd_spectra": "spectra",
    "benchmarks": "bench",
    "chaos_or_step": "chaos_or_step",
}
#: Those of them that also compute with image sets, where these are at hand.
_WITH_IMAGES = ("learning_rate_sweep", "pruning_ablation")
_EVERY = 0.5  # seconds between looks at memory; a shorter peak may be missed
_YOUNG = 3.0  # seconds in which what was forked may still be about to start its own program


@dataclass(frozen=True)
class Way:
    """How notebooks are executed; without a seed, each takes its own default."""

    profile: str = "laptop"
    device: str = "auto"
    seed: int | None = None


# What a run depends on


def versions():
    """Return the versions of Python and of the packages that decide a result."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def key(project, name, parameters):
    """Return a hash of all that decides what a notebook's run gives.

    These are its source, its parameters (with the device resolved), the versions, every module of
    the library that it imports, directly or not, and where one of these reads them: the claims of
    its chapter, published results, which image sets are at hand.
    """
    with forms.told(name):
        source = reading.text(project.source(name))
        files = provenance.imported(source, project.package)
    names = {path.relative_to(project.package).with_suffix("").parts[:2] for path in files}
    used = [reader for reader in READERS if ("experiments", reader) in names]
    measured = _claims(project, name) if ("results", "claims") in names else None
    images = None
    if any(reader in used for reader in _WITH_IMAGES):
        images = {image: datasets.available(image) for image in datasets.archive_names()}
    for reader in used:
        # Hidden is what is being written, or was when its writer was killed.
        found = (project.book / "results" / READERS[reader]).glob("[!.]*")
        files += sorted(path for path in found if path.is_file() and path.suffix != ".partial")
    whole = [source, parameters, versions(), measured, images]
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode())
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


def modules(project, name):
    """Return a hash of each module that a notebook imports, as it is now, by the module's name.

    Of the sizes of profiles only the notebook's own count.
    """
    with forms.told(name):
        found = provenance.behind(reading.text(project.source(name)), project.package)
    if "experiments.sizes" in found:
        own = {
            profile: sorted(vars(sizes.sizes(name, profile)).items()) for profile in sizes.PROFILES
        }
        found["experiments.sizes"] = hashlib.sha256(repr(own).encode()).hexdigest()[:12]
    return found


def resolve(device):
    """Return the name of the device that ``device`` stands for on this machine."""
    if device == "cpu":
        return "cpu"  # known without the seconds that importing PyTorch takes
    from .. import torch_utils

    try:
        return str(torch_utils.resolve(device))
    except ValueError as error:
        raise PipelineError(str(error)) from None


def plan(project, name, way):
    """Return a source as a notebook, its parameters, and the provenance that its run will carry."""
    nb = notebooks.read_source(project.source(name))
    parameters = notebooks.defaults(nb, name) | {"profile": way.profile, "device": way.device}
    if way.seed is not None:
        parameters["seed"] = way.seed
    resolved = parameters | {"device": resolve(way.device)}
    run = {field: resolved[field] for field in ("profile", "device", "seed")}
    run |= {"parameters": resolved, "key": key(project, name, resolved), "versions": versions()}
    return nb, parameters, run | {"modules": modules(project, name)}


def _previous(project, profile, name):
    """What the last run of a chapter says of itself, {} where there is none."""
    try:
        return notebooks.executed(project.executed(profile, name)).metadata.netdyn
    except PipelineError:
        return {}


def _expected(project, profile, name):
    """Seconds that a chapter took when it was last executed, or when its pair was."""
    try:
        committed = notebooks.executed(project.committed(name)).metadata.netdyn
    except PipelineError:
        committed = {"duration_s": math.inf}  # unknown: begin with it
    return (_previous(project, profile, name) or committed)["duration_s"]


# Executing


def execute(project, way=Way(), only="", fresh=False, jobs=None, log=print):  # noqa: B008
    """Execute the notebooks that changed, several at once, those that take longest first.

    Parameters
    ----------
    project : Project
    way : Way
        Profile, device and seed.
    only : str
        Prefixes of the notebooks to consider, separated by commas.
    fresh : bool
        Execute also what did not change.
    jobs : int, optional
        Notebooks at once; as many as there are cores, at most 3, by default.
    log : callable
        Receives lines of progress.

    Returns
    -------
    list of str
        Names of the notebooks that were executed, in the order in which they were finished.

    Raises
    ------
    PipelineError
        When notebooks fail: it names each, and all others are executed and kept.
    """
    names, waiting, machine = project.names(only), [], ""
    heads = {name: f"[{count}/{len(names)}] {name}" for count, name in enumerate(names, 1)}
    for name in names:
        planned = plan(project, name, way)
        if not fresh and _previous(project, way.profile, name).get("key") == planned[2]["key"]:
            log(f"{heads[name]}: unchanged, kept")
        else:
            machine = machine or _machine(planned[2]["device"])
            planned[2]["machine"] = machine
            waiting.append((_expected(project, way.profile, name), name, planned))
    waiting.sort(key=lambda one: -one[0])
    jobs = min(jobs or min(_cores(), 3), max(1, len(waiting)))
    done, failures, running = [], [], {}
    with _Workers(jobs) as submit:
        while waiting or running:
            while waiting and len(running) < jobs:
                _, name, planned = waiting.pop(0)
                told = [f"{field} {planned[2][field]}" for field in ("profile", "device", "seed")]
                log(f"{heads[name]}: executing ({', '.join(told)})")
                running[submit(_execute, project, name, *planned)] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                try:
                    duration, notes = future.result()
                except PipelineError as error:
                    failures.append(str(error))
                    log(f"{heads[name]}: failed")
                    continue
                log(f"{heads[name]}: done in {duration:.0f} s")
                for line in notes:
                    log(f"{name}: {line}")
                done.append(name)
    if failures:
        raise PipelineError("\n".join(failures))
    return done


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


class _Workers:
    """Processes that execute notebooks; ``with _Workers(2) as submit: submit(function, …)``.

    They share the cores, and end at once, with their kernels, when this process is interrupted or
    killed: then the pipe to them is closed.
    """

    def __init__(self, count):
        # A fork has imported all modules already; it must not use PyTorch, nor does it.
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        self.reader, self.writer = context.Pipe(duplex=False)
        words = (self.reader, self.writer, max(1, _cores() // count))
        self.pool = ProcessPoolExecutor(count, context, _begin, words)

    def __enter__(self):
        return self.pool.submit

    def __exit__(self, kind, *_):
        if kind is not None:
            self.writer.close()
        self.pool.shutdown()
        self.writer.close()
        self.reader.close()


def _begin(reader, writer, threads):
    """Prepare a worker: its environment is that of its kernels."""
    writer.close()
    # An interrupt from the terminal reaches all processes: the first one tells the others.
    signal.signal(signal.SIGINT, lambda *_: None)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.update(dict.fromkeys(_ASKED, "1"))
    threading.Thread(target=_end_with, args=(reader,), daemon=True).start()


def _end_with(reader):
    try:
        reader.recv()
    except (EOFError, OSError):
        for child in psutil.Process().children(recursive=True):
            child.kill()
        os._exit(1)


def _execute(project, name, nb, parameters, run):
    """Execute one notebook and keep it; its duration in seconds, and its notes."""
    commit = project.commit()  # now: files may change while the notebook runs
    began = time.monotonic()
    with Peak() as peak:
        made = _run(project, name, nb, parameters)
    duration = time.monotonic() - began
    notebooks.lift(made, numbers.MIME, "numbers")
    notebooks.lift(made, provenance.MIME, "sources")
    made.metadata.netdyn = run | {
        "commit": commit,
        "duration_s": round(duration, 1),
        "peak_mb": round(peak.megabytes),
        "executed": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    target = project.executed(run["profile"], name)
    write_whole(target, notebooks.dumps(notebooks.tidy(made)))
    return duration, notes(made)


def _machine(device):
    """The processor with its number of cores, and the GPU where one was used, in words."""
    about = provenance.describe(device)
    words = f"{about['processor']}, {about['cores']} cores"
    return f"{about['device']}, {words}" if about["cuda"] else words


def notes(nb):
    """Return the lines beginning ``NOTE:`` that an executed notebook printed for its reader."""
    outputs = [output for cell in nb.cells for output in cell.get("outputs", ())]
    texts = [output.text for output in outputs if output.get("name") == "stdout"]
    return [line for text in texts for line in text.splitlines() if line.startswith("NOTE:")]


def _run(project, name, nb, parameters):
    import papermill
    from papermill.exceptions import PapermillExecutionError

    # papermill saves after every cell: into a folder that nothing else reads,
    # so that what lies beside the finished copies is always finished.
    scratch = project.build / "running" / parameters["profile"] / f"{name}.ipynb"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    try:
        run = papermill.execute_notebook(
            nb,
            str(scratch.resolve()),
            parameters=parameters,
            kernel_name="python3",
            cwd=str(project.notebooks),
            progress_bar=False,  # of several notebooks at once they would run into each other
            extra_arguments=["--log-level=40"],  # no warning about unencrypted local sockets
        )
    except PapermillExecutionError as error:
        raise PipelineError(_failure(name, error, scratch)) from None
    except Exception as error:  # such as a kernel that was killed for its memory
        raise PipelineError(f"{name} failed: {type(error).__name__}: {error}") from None
    scratch.unlink()
    return run


def _failure(name, error, scratch):
    lines = error.source.splitlines()
    shown = "\n".join(f"    {line}" for line in lines[:12]) + ("\n    …" if len(lines) > 12 else "")
    return (
        f"{name} failed in its cell {error.cell_index} (In [{error.exec_count}]):\n{shown}\n"
        f"  {error.ename}: {error.evalue}\n"
        f"The notebook as far as it got, with the traceback: {scratch}"
    )


# Memory


class Peak:
    """Watch the processes that this one starts: ``with Peak() as peak: …``, ``peak.megabytes``.

    The largest sum of their resident memory at one moment, in units of 10⁶ bytes; memory that
    processes share counts for each of them.  A process that runs its parent's program is left out
    for its first three seconds: it may be about to start another, and until then it shows its
    parent's memory.  0 where none was seen.
    """

    def __init__(self):
        self.megabytes = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self):
        here = psutil.Process()
        while not self._over.is_set():
            now = sum(map(_resident, here.children(recursive=True))) / 1e6
            self.megabytes = max(self.megabytes, now)
            self._over.wait(_EVERY)


def _resident(process):
    try:
        # Before its memory is read: what has a program of its own by now cannot show its parent's
        # memory after.
        parent = process.parent()
        young = time.time() - process.create_time() < _YOUNG
        undecided = parent is not None and young and process.cmdline() == parent.cmdline()
        return 0 if undecided else process.memory_info().rss
    except psutil.Error:  # it has ended meanwhile
        return 0
