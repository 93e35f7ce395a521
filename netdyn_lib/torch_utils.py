"""Devices by name, and threads that advance parts of an ensemble side by side."""

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

_settling = threading.Lock()

DEVICES = ("auto", "cpu", "cuda")


@contextmanager
def pool(count: int, alone: bool) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of ``count`` threads; where ``alone``, PyTorch keeps to one thread in each.

    Parts of an ensemble run side by side, so each keeps to its thread; it also makes results
    independent of the number of threads.  PyTorch's number of threads outside the pool stays as it
    is.
    """
    with workers(count) if alone else ThreadPoolExecutor(count) as executor:
        yield executor


def workers(count: int) -> ThreadPoolExecutor:
    """Return an executor of ``count`` threads, in each of which PyTorch computes with one thread.

    They end when nothing refers to it any more.  For work that comes again and again: to start them
    takes most of a millisecond, during which other new threads may be given one thread too.
    """
    executor = ThreadPoolExecutor(count)
    with _settling, ThreadPoolExecutor(1) as outside:
        outside.submit(_settle, executor, count).result()
    return executor


@contextmanager
def one() -> Iterator[None]:
    """Let PyTorch compute with one thread within; also a decorator, ``@torch_utils.one()``.

    For thousands of products of small matrices: a second thread saves next to nothing of each, and
    where the machine is busy they wait for each other, for five times as long in all.
    """
    number = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(number)


def _settle(executor, count):
    # PyTorch keeps the number for each thread that has asked for it, and one for
    # threads yet to come.  Setting a worker's sets that one too; this thread,
    # which nobody else uses, sets it back.
    number = torch.get_num_threads()
    together = threading.Barrier(count)

    def enter(_):
        # a thread that has never asked would still take the common number later
        torch.get_num_threads()
        torch.set_num_threads(1)
        together.wait()  # until every thread of the pool has started

    list(executor.map(enter, range(count)))
    torch.set_num_threads(number)


def resolve(name: str | torch.device = "auto") -> torch.device:
    """Return the device of a name: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` and so on.

    ``"auto"`` is the first GPU where there is one and the processor otherwise.  Raises ValueError
    for a name that is no device, or a GPU that is not there.

    >>> resolve("cpu")
    device(type='cpu')
    """
    if isinstance(name, torch.device):
        name = str(name)
    present = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if present else "cpu")
    kind, _, index = str(name).partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise ValueError(f"unknown device {name!r}; known: {', '.join(DEVICES)}, or cuda:INDEX")
    if kind == "cuda" and int(index or 0) >= present:
        raise ValueError(
            f"device {name!r} asks for GPU {int(index or 0)}, but PyTorch {torch.__version__} "
            f"sees {present}: the machine has no such GPU, or this PyTorch was built without CUDA; "
            "use device='cpu' or 'auto'"
        )
    return torch.device(name)


class Stopped(Exception):
    """A run was asked to stop, and did between two epochs."""


def quiet(progress: bool | None) -> bool:
    """Whether to show no progress bar: as asked, by default where stderr is no terminal.

    Tests show none.
    """
    if progress is not None:
        return not progress
    return not sys.stderr.isatty() or "PYTEST_CURRENT_TEST" in os.environ
