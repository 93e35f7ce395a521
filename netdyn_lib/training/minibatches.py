"""Mini-batches in an order that a seed decides, and runs that are followed forwards and backwards.

The noise of stochastic gradient descent is thereby repeatable and resumable.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import count

import numpy as np
import torch

from ..tasks import gradients
from ..tasks.tasks import Task
from ..torch_utils import Stopped
from ..validation import finite, floats, positive, real, whole

# Of the random numbers of an epoch.  NumPy's streams [a, b] and [a, b, 0] are the same, and those
# are initial networks'.
_STREAM = 7
_APART = 1000


def per_epoch(samples: int, batch: int) -> int:
    """Return the steps in an epoch: ⌈N/B⌉, for the last batch may be short.

    >>> per_epoch(7291, 8)
    912
    """
    samples = whole(samples, "samples", 1)
    cause = "a batch draws each sample at most once"
    return -(-samples // whole(batch, "batch", 1, samples, cause))


def permutation(samples: int, epoch: int, seed: int = 0) -> np.ndarray:
    """Return the order of all samples in one epoch, (N,) int64, from a stream of its own.

    ``default_rng([seed, epoch, 7]).permutation(N)``.
    """
    stream = [whole(seed, "seed"), whole(epoch, "epoch"), _STREAM]
    return np.random.default_rng(stream).permutation(whole(samples, "samples", 1))


def order_of(seed: int, network: int) -> int:
    """Return the seed of the order of samples of network k of a seed: 1000 seed + k.

    >>> order_of(2, 5)
    2005
    """
    cause = "the seed of the next thousand is another seed's"
    return _APART * whole(seed, "seed") + whole(network, "network", 0, _APART - 1, cause)


def order(
    samples: int, batch: int, epochs: int | None = None, seed: int = 0, start: int = 0
) -> Iterator[np.ndarray]:
    """Yield the index batches (B,) int64 of stochastic gradient descent, step by step.

    Each epoch takes all samples once, in a fresh order (:func:`permutation`).  The last batch of an
    epoch is short where B does not divide N; it is kept, as PyTorch's ``DataLoader`` does, so that
    no sample is ever left out.  Without end where no ``epochs`` are given.  ``start`` is the step
    to begin at, counted from the first of epoch 0.

    >>> first = permutation(5, 0, seed=3).tolist()
    >>> [b.tolist() for b in order(5, 2, epochs=1, seed=3)] == [first[:2], first[2:4], first[4:]]
    True
    """
    steps, seed, start = per_epoch(samples, batch), whole(seed, "seed"), whole(start, "start")
    end = None if epochs is None else steps * whole(epochs, "epochs")
    numbers = count(start) if end is None else range(start, end)
    return (at(samples, batch, step, seed).copy() for step in numbers)


def at(samples: int, batch: int, step: int, seed: int = 0) -> np.ndarray:
    """Return the batch of one step, counted from 0: what :func:`order` yields there; read-only.

    For whoever goes through a run backwards.
    """
    epoch, k = divmod(whole(step, "step"), per_epoch(samples, batch))
    return _shuffled(samples, epoch, whole(seed, "seed"))[k * batch : (k + 1) * batch]


@lru_cache(16)
def _shuffled(samples, epoch, seed):
    shuffled = permutation(samples, epoch, seed)
    shuffled.flags.writeable = False  # it is kept
    return shuffled


def momentum(
    value: float, name: str = "momentum", otherwise: str = "the velocity grows without end"
) -> float:
    """Return μ, or what is kept of a mean, as a float; ValueError outside [0, 1)."""
    if not 0 <= real(value) < 1:
        raise ValueError(f"{name} = {value}: must be at least 0 and below 1, or {otherwise}")
    return float(value)


def batch_task(task: Task, index) -> Task:
    """Return the task of the training samples ``index`` (B,) only; its loss is a mini-batch's."""
    return replace(task, split=replace(task.split, x=task.x[index], y=task.y[index]))


class Reference:
    """W(0) … W(T) of one network under mini-batch descent, kept as checkpoints.

    Going backwards, each stretch between two checkpoints is computed again, to the same bits: at √T
    steps between them, as by default, no more than 2√T networks are in memory, and two passes take
    the time of three.

    Parameters
    ----------
    task : Task
        Without weight decay.
    params : torch.Tensor
        W(0), (P,).
    rate : float
        γ.
    batch, steps : int
        Samples of a batch; T, at least 1.
    seed : int
        Of the order of samples, :func:`order`.
    every : int, optional
        Steps between checkpoints.
    stop : callable, optional
        Asked before every step, here and in each pass; where it answers true,
        :class:`~netdyn_lib.torch_utils.Stopped` is raised.
    """

    def __init__(
        self,
        task: Task,
        params: torch.Tensor,
        rate: float,
        batch: int,
        steps: int,
        seed: int = 0,
        every: int | None = None,
        stop: Callable[[], bool] | None = None,
    ):
        if task.weight_decay:
            raise ValueError(
                f"weight_decay = {task.weight_decay}: mini-batch descent is of the loss only; "
                "take a task without"
            )
        params = floats(params, task.x.device)
        if params.shape != (task.network.count,):
            raise ValueError(
                f"params of shape {tuple(params.shape)}: "
                f"expected ({task.network.count},), one network"
            )
        per_epoch(len(task.x), batch)
        self.task, self.rate, self.batch = task, positive(rate, "rate", "γ"), batch
        self.steps, self.seed = whole(steps, "steps", 1), whole(seed, "seed")
        self._every = whole(math.isqrt(self.steps - 1) + 1 if every is None else every, "every", 1)
        self._stop = stop or (lambda: False)
        self._kept = [params]
        for start in range(0, self.steps, self._every):
            self._kept.append(self._stretch(start)[-1])
        self.final = finite(self._kept.pop(), "the last network", "the run diverged: lower γ")

    def part(self, step: int) -> Task:
        """Return the task of the batch of a step."""
        index = at(len(self.task.x), self.batch, step, self.seed)
        return batch_task(self.task, torch.tensor(index, device=self.task.x.device))

    def _stretch(self, start):
        """W at ``start``, a checkpoint, and after each step up to the next checkpoint."""
        weights = [self._kept[start // self._every]]
        for step in range(start, min(start + self._every, self.steps)):
            if self._stop():
                raise Stopped(f"stopped before step {step}")
            slope = gradients.of(self.part(step))(weights[-1][None])[0]
            weights.append(weights[-1] - self.rate * slope)
        return weights

    def weights(self, reverse: bool = False) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield pairs (t, W(t)) for t = 0 … T − 1, or in reverse; W (P,)."""
        starts = range(0, self.steps, self._every)
        for start in reversed(starts) if reverse else starts:
            stretch = [*enumerate(self._stretch(start)[:-1], start)]
            yield from reversed(stretch) if reverse else stretch
