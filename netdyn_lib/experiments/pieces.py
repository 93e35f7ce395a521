"""The pieces of an experiment: what an experiment is, and how a piece of one is computed.

:mod:`netdyn_lib.experiments.campaign` runs all pieces of an experiment, in this process or, with
:mod:`netdyn_lib.experiments.cluster`, on the workers of others.

A stored piece is keyed by experiment, version and parameters, by the task (network, loss,
initialisation, and the code of classes of your own), the content of its samples, the kind of
device, and the versions of NumPy and PyTorch.  The code of this library is not part of the key:
whoever changes what an experiment computes raises its ``version``.
"""

import functools
import hashlib
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module, metadata
from typing import ClassVar

from ..results import provenance, store
from ..results.store import DamagedShard, Store
from ..tasks import datasets, tasks

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


def say(line):
    """Print a line on stderr at once."""
    print(line, file=sys.stderr, flush=True)
