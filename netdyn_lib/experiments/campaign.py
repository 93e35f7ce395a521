"""Run an experiment piece by piece: compute what is missing, keep each piece, go on after a stop.

An :class:`Experiment` says what its pieces are, computes one, and combines them to a dataset.
:func:`run` computes the pieces that a store lacks, in this process, in several that share the
store, or on a Dask cluster; :func:`load` combines those that are there.

A stored piece is keyed by experiment, version and parameters, by the task (network, loss,
initialisation, and the code of classes of your own), the content of its samples, the kind of
device, and the versions of NumPy and PyTorch.  The code of this library is not part of the key:
whoever changes what an experiment computes raises its ``version``.
"""

import dataclasses
import functools
import hashlib
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module, metadata
from pathlib import Path
from typing import ClassVar

from tqdm import tqdm

from ..results import provenance, reading, store
from ..results.store import DamagedShard, Store
from ..tasks import datasets, tasks
from ..torch_utils import Stopped, resolve
from ..validation import positive

_POLL = 0.5  # seconds between looks at pieces that another process computes
MARGIN = 1.15  # a piece may take this much longer than the longest so far

# Data whose checksum and number of samples say which samples they are.  That of iris-balanced is
# iris's, and a function may give anything with any checksum.
_CHECKED = ("iris", "digits", *datasets.archive_names())


class Experiment:
    """What the engine asks of an experiment; subclasses are frozen dataclasses.

    ``name`` and ``task`` are fields of every experiment; ``samples`` and ``test_samples`` say how
    many of the task's samples it takes, all by default.
    """

    #: The kind of experiment, its version, and what a piece of it is called.
    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "pieces"
    #: Whether a piece that is stopped goes on within it, and whether some pieces make a dataset.
    resumes: ClassVar[bool] = False
    partial: ClassVar[bool] = True
    #: Whether it runs on the processor alone, whatever device is asked for.
    processor: ClassVar[bool] = False
    #: Whether a piece keeps one thread busy at most, so that more workers are more processes.
    single: ClassVar[bool] = False
    samples: ClassVar[int | None] = None
    test_samples: ClassVar[int | None] = None

    def pieces(self):
        """Return the pieces in the order in which they are computed, hashable, each with a text."""
        raise NotImplementedError

    def parameters(self, piece):
        """Return, as plain data, every parameter and seed that decides the numbers of a piece."""
        raise NotImplementedError

    def compute(self, piece, task, work):
        """Return the arrays of a piece of the ``task``, which is loaded; ``work`` is a
        :class:`Work`.
        """
        raise NotImplementedError

    def combine(self, found):
        """Return an :class:`xarray.Dataset` of pieces, a dict of piece to
        :class:`~netdyn_lib.results.store.Shard`.
        """
        raise NotImplementedError

    #: Where its results are published, a :class:`~netdyn_lib.experiments.published.Shelf`.
    shelf: ClassVar[object] = None

    @property
    def home(self):
        """The name of the file of its published results."""
        return self.name

    @property
    def published(self):
        """The module ``published`` of its kind: ``known(experiment, root, about)``, those pieces
        that the results in ``root`` hold (``about`` is the identity of a piece), ``write(data,
        root)``, and ``recompute(name, token, root=root)``.
        """
        return import_module(f"{__package__}.{self.kind}.published")


@dataclass(frozen=True)
class Job:
    """One piece of an experiment as it travels to the process that computes it."""

    experiment: Experiment
    piece: object
    recipe: object
    device: str
    key: str = ""

    def __str__(self):
        return f"{self.experiment.name}, {self.piece}"

    def identity(self):
        """Return what determines the numbers of the piece, see the function ``identity``."""
        return identity(self.experiment, self.piece, self.recipe, self.task())

    def task(self):
        """Return the task with its samples on the device."""
        chosen = self.experiment
        return _task(self.recipe, chosen.samples, chosen.test_samples, self.device)


@dataclass
class Work:
    """What a piece that is computed may use: ``workers`` threads, a deadline, checkpoints."""

    store: Store | None = None
    workers: int | None = None
    deadline: float | None = None
    job: Job | None = None
    seconds: float = 0.0  # of checkpoints that were there
    commits: set = field(default_factory=set)

    def stop(self):
        """Return whether the time is over."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def checkpoint(self, parameters, make):
        """Return the arrays of a part of a piece: kept from before, or made now, and kept.

        ``parameters`` stand in the part's key in place of those of the piece.
        """
        if self.store is None:  # on a worker of a cluster, which sends whole pieces back
            return make()
        about = self.job.identity() | dict(parameters=parameters)
        name = store.key(about)
        if is_good(self.store, name, say):
            shard = self.store.read(name)
            self.seconds += shard.meta["seconds"]
            self.commits.add(shard.meta["commit"])
            return shard.arrays
        began = time.monotonic()
        arrays = make()
        self.store.write(name, arrays, dict(identity=about, **_made(began, self.job.device)))
        return arrays


@functools.lru_cache(maxsize=2)  # images are large
def _task(recipe, samples, test_samples, device):
    return tasks.build(recipe, device=device, samples=samples, test_samples=test_samples)


def identity(experiment, piece, recipe, task):
    """Return everything that determines the numbers of a piece, as plain data.

    Of a network or loss of your own, also the code of its classes and their plain attributes, not
    of what they call.
    """
    module = getattr(task.network, "template", None)
    target = task.target_accuracy  # NaN of a regression, which JSON has not
    what = dict(
        network=repr(task.network) if module is None else f"{task.network!r} {module}",
        loss=repr(vars(task.loss)) + type(task.loss).__name__,
        std=task.std,
        weight_decay=task.weight_decay,
        target_accuracy=target if target == target else None,
        initialisation=task.initialisation,
    )
    own = own_code(getattr(module, "modules", lambda: ())(), task.loss)
    if own:
        what["own_code"] = own
    split = task.split
    data = dict(
        checksum=split.checksum if recipe.data in _CHECKED else _content(split),
        samples=len(split.x),
        test_samples=len(split.x_test),
    )
    return dict(
        experiment=experiment.kind,
        version=experiment.version,
        parameters=experiment.parameters(piece),
        task=what,
        data=data,
        versions=versions(),
        device=task.x.device.type,
    )


@functools.cache
def versions():
    """Return the versions of the packages that decide the last digits of a piece, a dict."""
    return {package: metadata.version(package) for package in ("numpy", "torch")}


@functools.lru_cache(maxsize=2)
def _machine(device):
    return dict(machine=provenance.describe(device), commit=provenance.commit())


def _made(began, device):
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return _machine(device) | dict(seconds=round(time.monotonic() - began, 2), computed=now)


def compute(job, work):
    """Return arrays and metadata of one piece, wherever this runs.

    Raises
    ------
    ValueError
        Where this machine's key of the piece is another one, so that it would compute something
        else.
    """
    here = job.identity()
    if store.key(here) != job.key:
        raise ValueError(
            f"{job}: this machine would compute something else (key {store.key(here)}, wanted "
            f"{job.key}): its data, versions or device differ; here: {here['data']}, "
            f"{here['versions']}, {here['device']}"
        )
    began, task = time.monotonic(), job.task()
    work.job = job
    arrays = job.experiment.compute(job.piece, task, work)
    made = _made(began, job.device)
    made["seconds"] = round(made["seconds"] + work.seconds, 2)
    made["commit"] = ", ".join(sorted({made["commit"], *work.commits}))
    name = job.experiment.name
    return arrays, dict(name=name, identity=here, data=task.split.provenance(), **made)


def own_code(modules, loss):
    """Return name → hash of what the classes of modules and of a loss do, where they are neither
    PyTorch's nor ours.
    """
    found = {}
    for k, thing in enumerate((*modules, loss)):
        classes = [
            c
            for c in type(thing).__mro__
            if c.__module__.partition(".")[0] not in ("torch", "netdyn_lib", "builtins")
        ]
        if classes:
            plain = {
                n: v
                for n, v in vars(thing).items()
                if isinstance(v, (bool, int, float, str, tuple)) and n != "training"
            }
            digest = hashlib.sha256(repr(sorted(plain.items())).encode())
            for function in (f for c in classes for _, f in sorted(vars(c).items())):
                _mix(digest, getattr(getattr(function, "__func__", function), "__code__", None))
            found[f"{k} {type(thing).__name__}"] = digest.hexdigest()[:24]
    return found


def _mix(digest, code):
    # Bytecode, not source: a class that travels to a worker has none.
    if code is not None:
        digest.update(code.co_code + repr(code.co_names).encode())
        for constant in code.co_consts:
            if hasattr(constant, "co_code"):
                _mix(digest, constant)
            else:
                digest.update(repr(constant).encode())


def _content(split):
    digest = hashlib.sha256()
    for part in (split.x, split.y, split.x_test, split.y_test):
        digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
        digest.update(part.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


# What a store has


def default_store():
    """Return the store of the checkout that this library lies in, ``_build/store``."""
    return Path(__file__).resolve().parents[2] / "_build" / "store"


def say(line):
    """Print a line on stderr at once."""
    print(line, file=sys.stderr, flush=True)


def _opened(folder):
    return folder if isinstance(folder, Store) else Store(folder or default_store())


def is_good(kept, name, log=None, what=""):
    """Return whether a piece is in the store; one that is not as it was written is set aside.

    With a ``log`` a damaged piece is named to it and counts as missing; without one it is an error,
    :class:`~netdyn_lib.results.store.DamagedShard`.  Where the piece cannot be set aside, as in a
    folder that may only be read, the error says so.
    """
    try:
        return _is_good(kept, name)
    except DamagedShard as error:
        if log is None:
            raise
        log(f"{what}{error} It counts as missing.")
        return False


def _is_good(kept, name):
    for attempt in (1, 2):
        if name not in kept:
            return False
        try:
            kept.check(name)
            return True
        except KeyError:
            return False
        except DamagedShard as error:
            # Another process may have set it aside and computed it again just now: look twice.
            if attempt == 2:
                try:
                    kept.set_aside(name)
                except KeyError:
                    pass
                except OSError as refused:
                    what = f"{error.what}; nor can it be set aside ({refused.strerror})"
                    raise DamagedShard(error.path, what, error.stored, error.found) from refused
                raise


@dataclass
class Plan:
    """The pieces of an experiment as jobs: those a store has, those published, those missing."""

    experiment: Experiment
    jobs: dict  # piece → Job
    have: list = field(default_factory=list)
    known: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    damaged: list = field(default_factory=list)


def plan(experiment, folder=None, device="auto", published=None):
    """Return a :class:`Plan`: look up every piece of an experiment in a store.

    Damaged pieces are named on stderr and set aside, so that they count as missing.  Pieces that
    published results hold count as done: those of the folder ``published``, or of the book where it
    is True.

    Raises
    ------
    ValueError
        For an unknown task or device.
    netdyn_lib.tasks.datasets.MissingData
        Where the task's data cannot be had.
    """
    kept, recipe = _opened(folder), tasks.recipe(experiment.task)
    device = "cpu" if experiment.processor else str(resolve(device))
    found, done, where = Plan(experiment, {}), (), None if published is True else published
    for piece in experiment.pieces():
        job = Job(experiment, piece, recipe, device)
        about = job.identity()
        job = found.jobs[piece] = dataclasses.replace(job, key=store.key(about))
        if published is not None and len(found.jobs) == 1:
            done = set(experiment.published.known(experiment, where, about))
        there = is_good(kept, job.key, lambda line, job=job: _tell(found, job, line))
        (found.have if there else found.known if piece in done else found.missing).append(piece)
    return found


def _tell(found, job, line):
    found.damaged.append(job.key)
    say(f"{job}: {line}")


def load(experiment, folder=None, device="auto", whole=None):
    """Return all that a store has of an experiment, combined to one dataset.

    Parameters
    ----------
    experiment : Experiment
    folder : path-like or Store, optional
    device : str
        The kind of device that computed.
    whole : bool, optional
        Whether pieces that are missing are an error; by default where the experiment says so.

    Raises
    ------
    KeyError
        Where the store holds no piece, or not all; the message says how many it lacks.
    """
    kept = _opened(folder)
    found = plan(experiment, kept, device)
    whole = not experiment.partial if whole is None else whole
    if not found.have or (whole and found.missing):
        raise KeyError(
            f"the store {kept.folder} lacks {len(found.missing)} of {len(found.jobs)} "
            f"{experiment.unit} of {experiment.name!r}: run it first"
        )
    return combined(experiment, shards(found, kept), kept.folder)


def shards(found, folder=None):
    """Return piece → :class:`~netdyn_lib.results.store.Shard` of what a store has by a plan."""
    kept = _opened(folder)
    return {piece: kept.read(found.jobs[piece].key) for piece in found.have}


def combined(experiment, found, source):
    """Return the dataset of pieces that were read from ``source``, which errors name."""
    with reading.of_kind(source, f"store of such {experiment.unit}"):
        return experiment.combine(found)


# Running


@dataclass(frozen=True)
class Outcome:
    """What a run did for one experiment: the number of pieces ``kept`` in the store from before,
    ``published``, ``computed`` now, ``elsewhere`` by another process meanwhile, and still
    ``missing``.

    ``damaged`` has the keys of pieces that were found damaged, set aside and computed again.
    ``stopped`` says why pieces are missing, empty where none is.
    """

    name: str
    kept: int
    published: int
    computed: int
    elsewhere: int
    missing: int
    damaged: tuple
    seconds: float
    stopped: str = ""


def run(experiments, folder=None, device="auto", workers=None, time_limit=None, scheduler=None):
    """Compute the pieces of an experiment that a store lacks.

    Stopped at any moment, killed too, it keeps finished pieces, and the same call goes on from
    there.  Processes that share a store share the work.

    Parameters
    ----------
    experiments : Experiment or Plan, or sequence of such
        In the order in which they are computed.
    folder : path-like or Store, optional
        The store, :func:`default_store` where not given.
    device : str
        As for :func:`netdyn_lib.torch_utils.resolve`; that of the workers, where there are any.
    workers : int, optional
        Threads of one piece: by default all of them here, and one on a cluster's worker.
    time_limit : float, optional
        Seconds after which the run stops.  A piece that would not be finished by then, judging by
        the longest so far, is not begun, unless it could be gone on with.
    scheduler : str or dask.distributed.Client, optional
        Address of a Dask scheduler, or a client of one: pieces are computed by its workers and
        written here.  Without it they are computed in this process.

    Returns
    -------
    Outcome, or list of Outcome for a sequence

    Raises
    ------
    ValueError
        For an unknown task or device, or a time limit that is not positive and finite.
    netdyn_lib.tasks.datasets.MissingData
        Where the task's data cannot be had.
    netdyn_lib.results.store.StoreError
        Where a piece cannot be written; those before it are kept.
    ConnectionError, RuntimeError
        Where no scheduler answers, a piece fails on its worker, or Dask is not installed.
    """
    began, deadline = time.monotonic(), None
    if time_limit is not None:
        deadline = began + positive(time_limit, "time_limit", "seconds")
    single, kept = isinstance(experiments, (Experiment, Plan)), _opened(folder)
    plans = [
        one if isinstance(one, Plan) else plan(one, kept, device)
        for one in ([experiments] if single else experiments)
    ]
    wanted = {p.jobs[piece].key: p.jobs[piece] for p in plans for piece in p.missing}
    with tqdm(total=len(wanted), unit="piece", disable=None, leave=False) as bar:
        if scheduler is None:
            work = functools.partial(Work, kept, workers)
            filled = fill(kept, wanted, lambda job, end: compute(job, work(end)), deadline, bar)
        else:
            try:
                from . import cluster  # Dask is needed only here
            except ImportError as error:
                raise RuntimeError(
                    f"a scheduler needs Dask, which is not installed ({error}): "
                    "pip install dask distributed"
                ) from error
            filled = cluster.fill(scheduler, wanted, kept, deadline, workers or 1, bar)
    outcomes = [_outcome(p, *filled, time.monotonic() - began) for p in plans]
    return outcomes[0] if single else outcomes


def _outcome(found, computed, elsewhere, stopped, seconds):
    keys = {found.jobs[piece].key for piece in found.missing}
    here, there = len(keys & set(computed)), len(keys & set(elsewhere))
    missing = len(keys) - here - there
    return Outcome(
        name=found.experiment.name,
        kept=len(found.have),
        published=len(found.known),
        computed=here,
        elsewhere=there,
        missing=missing,
        damaged=tuple(found.damaged),
        seconds=seconds,
        stopped=stopped if missing else "",
    )


def fill(kept, jobs, make, deadline=None, bar=None):
    """Compute pieces and write each to the store as it is finished.

    Parameters
    ----------
    kept : netdyn_lib.results.store.Store
    jobs : dict
        Key → :class:`Job`.  Those that another process has claimed are left to it, and waited for.
    make : callable
        Of a job and the deadline, gives (arrays, metadata); may raise
        :class:`~netdyn_lib.torch_utils.Stopped`.
    deadline : float, optional
        Reading of :func:`time.monotonic`.
    bar : tqdm, optional

    Returns
    -------
    tuple
        Keys of pieces computed here and by others, and why it stopped: empty where nothing is left.
    """
    computed, elsewhere, longest, waiting = [], [], 0.0, list(jobs)
    while waiting:
        left = []
        for name in waiting:
            now = time.monotonic()
            resumes = jobs[name].experiment.resumes
            if deadline is not None and now + MARGIN * longest * (not resumes) > deadline:
                return computed, elsewhere, "time limit"
            with kept.claim(name) as mine:
                if is_good(kept, name):  # meanwhile, by another process
                    elsewhere.append(name)
                elif not mine:
                    left.append(name)
                    continue
                else:
                    if bar is not None:
                        bar.set_description(str(jobs[name]))
                    try:
                        arrays, meta = make(jobs[name], deadline)
                    except Stopped:
                        return computed, elsewhere, "time limit"
                    kept.write(name, arrays, meta)
                    computed.append(name)
                    longest = max(longest, time.monotonic() - now)
            if bar is not None:
                bar.update()
        if len(left) == len(waiting):
            time.sleep(_POLL)
        waiting = left
    return computed, elsewhere, ""


def origins(metas):
    """Return what pieces were computed on: each machine, commit and version once, with how many
    pieces and seconds, from the first to the last.
    """
    groups = {}
    for meta in metas:
        about = meta["identity"]
        same = {k: meta[k] for k in ("machine", "commit", "data")}
        same |= {k: about[k] for k in ("version", "task", "versions", "device")}
        same["content"] = about["data"]
        key, when = store.key(same), dict(first=meta["computed"], last=meta["computed"])
        group = groups.setdefault(key, same | dict(shards=0, seconds=0.0) | when)
        group["shards"] += 1
        group["seconds"] = round(group["seconds"] + meta["seconds"], 2)
        group["first"] = min(group["first"], meta["computed"])
        group["last"] = max(group["last"], meta["computed"])
    return list(groups.values())


def described(groups, where="{cores} cores of {processor}"):
    """Return where numbers come from in words, of groups as from :func:`origins`."""
    hours = sum(group["seconds"] for group in groups) / 3600
    commits = ", ".join(sorted({c for g in groups for c in g["commit"].split(", ")}))
    machines = " and ".join(sorted({where.format(**g["machine"]) for g in groups}))
    last = max(groups, key=lambda group: group["last"])
    return (
        f"{hours:.2g} h on {machines}, PyTorch {last['versions']['torch']}, "
        f"commit {commits}, {last['last'][:10]}"
    )
