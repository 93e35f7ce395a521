"""Mini-batches in an order that a seed decides: the noise of stochastic gradient descent,
repeatable and resumable.

A run of mini-batch descent that can be gone through forwards and backwards, in bounded memory.
"""

import math
from dataclasses import replace
from functools import lru_cache
from itertools import count

import numpy as np
import torch

from ..tasks import gradients
from ..torch_utils import Stopped
from ..validation import finite, floats, positive, real, whole

# Of the random numbers of an epoch.  NumPy's streams [a, b] and [a, b, 0] are the same, and those
# are initial networks'.
_STREAM = 7
_APART = 1000


def per_epoch(samples, batch):
    """Steps in an epoch: ⌈N/B⌉, for the last batch may be short.

    >>> per_epoch(7291, 8)
    912
    """
    samples = whole(samples, "samples", 1)
    return -(
        -samples // whole(batch, "batch", 1, samples, "a batch draws each sample at most once")
    )


def permutation(samples, epoch, seed=0):
    """The order of all samples in one epoch, (N,) int64: ``default_rng([seed, epoch,
    7]).permutation(N)``, a stream of its own.
    """
    return np.random.default_rng([whole(seed, "seed"), whole(epoch, "epoch"), _STREAM]).permutation(
        whole(samples, "samples", 1)
    )


def order_of(seed, network):
    """Seed of the order of samples of network k of a seed: 1000 seed + k, so that each has its own.

    Raises ValueError for numbers that are none, or k of 1,000 and more, which would be another
    seed's.

    >>> order_of(2, 5)
    2005
    """
    return _APART * whole(seed, "seed") + whole(
        network, "network", 0, _APART - 1, "the seed of the next thousand is another seed's"
    )


def order(samples, batch, epochs=None, seed=0, start=0):
    """Index batches of stochastic gradient descent, step by step.

    Each epoch takes all samples once, in a fresh order (:func:`permutation`).
    The last batch of an epoch is short where B does not divide N; it is kept,
    as PyTorch's ``DataLoader`` does, so that no sample is ever left out.

    Parameters
    ----------
    samples, batch : int
        N and B.
    epochs : int, optional
        Without end where not given.
    seed : int
        Not negative.
    start : int
        Step to begin at, counted from the first of epoch 0: what a run that
        was broken off after so many steps has still before it.

    Yields
    ------
    numpy.ndarray
        (B,) int64, or shorter at the end of an epoch.

    Raises
    ------
    ValueError
        For numbers that are no whole numbers, below 1 (``seed``, ``start``,
        ``epochs``: below 0), or a batch of more than N samples.

    >>> [b.tolist() for b in order(5, 2, epochs=1, seed=3)] == [permutation(5, 0, 3)[k : k + 2].tolist() for k in (0, 2, 4)]
    True
    """
    steps, seed = per_epoch(samples, batch), whole(seed, "seed")
    first, skipped = divmod(whole(start, "start"), steps)
    return _order(
        samples,
        batch,
        count(first) if epochs is None else range(first, whole(epochs, "epochs")),
        seed,
        skipped,
    )


def _order(samples, batch, epochs, seed, skipped):
    for epoch in epochs:
        shuffled = permutation(samples, epoch, seed)
        for a in range(skipped * batch, samples, batch):
            yield shuffled[a : a + batch]
        skipped = 0


def at(samples, batch, step, seed=0):
    """The batch of one step, counted from 0: what :func:`order` yields there, (B,) int64, not to be
    written to.

    For whoever goes through a run backwards.  Raises ValueError as :func:`order`.

    >>> at(5, 2, 4, seed=3).tolist() == [b.tolist() for b in order(5, 2, 2, 3)][4]
    True
    """
    epoch, k = divmod(whole(step, "step"), per_epoch(samples, batch))
    return _shuffled(samples, epoch, whole(seed, "seed"))[k * batch : (k + 1) * batch]


@lru_cache(16)
def _shuffled(samples, epoch, seed):
    shuffled = permutation(samples, epoch, seed)
    shuffled.flags.writeable = False  # it is kept
    return shuffled


def momentum(value):
    """μ as a float.  Raises ValueError outside [0, 1)."""
    if not 0 <= real(value) < 1:
        raise ValueError(
            f"momentum = {value}: must be at least 0 and below 1, or the velocity grows without end"
        )
    return float(value)


def batch_task(task, index):
    """The task of the training samples ``index`` (B,) alone; its loss is that of a mini-batch."""
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
        Of the order of samples, :func:`netdyn_lib.training.minibatches.order`.
    every : int, optional
        Steps between checkpoints.
    stop : callable, optional
        Asked before every step, here and in each pass; where it answers true,
        :class:`~netdyn_lib.torch_utils.Stopped` is raised.

    Raises
    ------
    ValueError
        For a task with weight decay, numbers or shapes out of bounds, or a run that overflows.
    """

    def __init__(self, task, params, rate, batch, steps, seed=0, every=None, stop=None):
        if task.weight_decay:
            raise ValueError(
                f"weight_decay = {task.weight_decay}: mini-batch descent is of the loss alone; take a task without"
            )
        params = floats(params, task.x.device)
        if params.shape != (task.network.count,):
            raise ValueError(
                f"params of shape {tuple(params.shape)}: expected ({task.network.count},), one network"
            )
        per_epoch(len(task.x), batch)
        self.task, self.rate, self.batch = task, positive(rate, "rate", "γ"), batch
        self.steps, self.seed = whole(steps, "steps", 1), whole(seed, "seed")
        self._every = whole(math.isqrt(self.steps - 1) + 1 if every is None else every, "every", 1)
        self._stop = stop
        self._kept = [params]
        for start in range(0, self.steps, self._every):
            self._kept.append(self._stretch(start)[-1])
        self.final = finite(self._kept.pop(), "the last network", "the run diverged: lower γ")

    def part(self, step):
        """The task of the batch of a step."""
        index = at(len(self.task.x), self.batch, step, self.seed)
        return batch_task(self.task, torch.tensor(index, device=self.task.x.device))

    def _stretch(self, start):
        """W at ``start``, a checkpoint, and after each step up to the next checkpoint."""
        weights = [self._kept[start // self._every]]
        for step in range(start, min(start + self._every, self.steps)):
            if self._stop is not None and self._stop():
                raise Stopped(f"stopped before step {step}")
            weights.append(
                weights[-1] - self.rate * gradients.of(self.part(step))(weights[-1][None])[0]
            )
        return weights

    def weights(self, reverse=False):
        """Pairs (t, W(t)) for t = 0 … T − 1, or in reverse; W (P,)."""
        starts = range(0, self.steps, self._every)
        for start in reversed(starts) if reverse else starts:
            stretch = [*enumerate(self._stretch(start)[:-1], start)]
            yield from reversed(stretch) if reverse else stretch
