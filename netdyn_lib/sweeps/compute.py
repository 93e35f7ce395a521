"""One shard computed: its key, its arrays, and where they come from."""

import dataclasses
import functools
import hashlib
import time
from datetime import UTC, datetime
from importlib import metadata

import torch

from .. import fingerprint, machine, store, tasks
from ..devices import resolve
from .measuring import measure

# Fields of a sweep that decide no number of a shard.
_FREE = ("name", "task", "rates", "conditions", "block", "sharp_conditions")


@functools.lru_cache(maxsize=4)
def task_of(recipe, samples, test_samples, device):
    """The task of a recipe with its samples on a device; the last few are kept."""
    return tasks.build(recipe, device=device, samples=samples, test_samples=test_samples)


def identity(sweep, shard, recipe, task):
    """Everything that determines the numbers of a shard, as plain data.

    The task's architecture, loss, initialisation and penalty; the content of
    its samples; the shard, and what is measured; the versions of NumPy and
    PyTorch and the kind of device; and a hash of the code that measures.
    """
    device = task.x.device
    module = getattr(task.network, "_module", None)
    what = dict(
        network=repr(task.network) if module is None else f"{task.network!r} {module}",
        loss=repr(vars(task.loss)) + type(task.loss).__name__,
        std=task.std,
        weight_decay=task.weight_decay,
        target_accuracy=task.target_accuracy,
    )
    split = task.split
    data = dict(
        checksum=split.checksum or _content(split),
        samples=len(split.x),
        test_samples=len(split.x_test),
    )
    grid = {k: v for k, v in dataclasses.asdict(sweep).items() if k not in _FREE}
    return dict(
        task=what,
        data=data,
        measured=grid | dict(sharp=sweep.sharp_in(shard), **dataclasses.asdict(shard)),
        versions={p: metadata.version(p) for p in ("numpy", "torch")},
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        code=code(),
    )


def key(sweep, shard, recipe, task):
    """The store's key of a shard: a hash of its :func:`identity`."""
    return store.key(identity(sweep, shard, recipe, task))


@functools.cache
def code():
    """Hash of the code that decides a shard's numbers."""
    return fingerprint.code(fingerprint.closure(("sweeps.measuring", "networks", "losses")))


def compute(recipe, sweep, shard, device, expected, deadline=None, workers=None):
    """Arrays and metadata of one shard, wherever this runs.

    ``expected`` is the key that the caller wants: a machine with other data,
    other code or other versions must not answer for it.

    Raises
    ------
    ValueError
        Where this machine's key of the shard is another one.
    """
    task = task_of(recipe, sweep.samples, sweep.test_samples, str(resolve(device)))
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
        machine=machine.describe(device),
        commit=machine.commit(),
        seconds=round(time.monotonic() - began, 2),
        computed=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    return arrays, meta


def _content(split):
    digest = hashlib.sha256()
    for part in (split.x, split.y, split.x_test, split.y_test):
        digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
        digest.update(part.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
