"""One shard computed: its key, its arrays, and where they come from."""

import dataclasses
import functools
import hashlib
import time
from datetime import UTC, datetime
from importlib import metadata

import torch

from ...results import provenance, store
from ...tasks import datasets, tasks
from ...torch_utils import resolve
from .measuring import measure

# Fields of a sweep that decide no number of a shard.
_FREE = ("name", "task", "rates", "conditions", "block", "sharp_conditions")

# Data whose checksum and number of samples say which samples they are.  That of iris-balanced is
# iris's, and a function may give anything with any checksum.
_CHECKED = ("iris", "digits", *datasets.archive_names())


@functools.lru_cache(maxsize=2)
def task_of(recipe, samples, test_samples, device):
    """The task of a recipe with its samples on a device; the last few are kept."""
    return tasks.build(recipe, device=device, samples=samples, test_samples=test_samples)


def identity(sweep, shard, recipe, task):
    """Everything that determines the numbers of a shard, as plain data.

    The task's architecture, loss, initialisation and penalty; the content of
    its samples; the shard, and what is measured; the versions of NumPy and
    PyTorch and the kind of device; and a hash of the code that measures.  Of a
    network or loss of one's own, also the code of its classes and their plain
    attributes, not of what they call.
    """
    device = task.x.device
    module = getattr(task.network, "_module", None)
    what = dict(
        network=repr(task.network) if module is None else f"{task.network!r} {module}",
        loss=repr(vars(task.loss)) + type(task.loss).__name__,
        std=task.std,
        weight_decay=task.weight_decay,
        target_accuracy=task.target_accuracy,
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
    grid = {k: v for k, v in dataclasses.asdict(sweep).items() if k not in _FREE}
    return dict(
        task=what,
        data=data,
        measured=grid | dict(sharp=sweep.sharp_in(shard), **dataclasses.asdict(shard)),
        versions=versions(),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        code=code(),
    )


@functools.cache
def versions():
    """Versions of the packages that decide a shard's numbers, a dict."""
    return {package: metadata.version(package) for package in ("numpy", "torch")}


@functools.lru_cache(maxsize=2)
def _machine(device):
    return dict(machine=provenance.describe(device), commit=provenance.commit())


def key(sweep, shard, recipe, task):
    """The store's key of a shard: a hash of its :func:`identity`."""
    return store.key(identity(sweep, shard, recipe, task))


@functools.cache
def code():
    """Hash of the code that decides a shard's numbers."""
    return provenance.code(
        provenance.closure(
            ("experiments.learning_rate_sweep.measuring", "tasks.networks", "tasks.losses")
        )
    )


def compute(recipe, sweep, shard, device, expected, deadline=None, workers=None):
    """Arrays and metadata of one shard, wherever this runs.

    ``expected`` is the key that the caller wants: a machine with other data,
    other code or other versions must not answer for it.

    Raises
    ------
    ValueError
        Where this machine's key of the shard is another one.
    """
    device = str(resolve(device))
    task = task_of(recipe, sweep.samples, sweep.test_samples, device)
    here = identity(sweep, shard, recipe, task)
    if store.key(here) != expected:
        raise ValueError(
            f"{sweep.name}, {shard}: this machine would compute something else (key {store.key(here)}, wanted {expected}): "
            f"its data, code, versions or device differ; here: {here['data']}, {here['versions']}, {here['device']}"
        )
    began = time.monotonic()
    arrays = measure(task, sweep, shard, workers=workers, deadline=deadline)
    meta = dict(
        sweep=dataclasses.asdict(sweep),
        shard=dataclasses.asdict(shard),
        identity=here,
        data=task.split.provenance(),
        **_machine(str(device)),
        seconds=round(time.monotonic() - began, 2),
        computed=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    return arrays, meta


def own_code(modules, loss):
    """What the classes of modules and of a loss do, where they are neither PyTorch's nor ours, by
    name; hashes.
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
