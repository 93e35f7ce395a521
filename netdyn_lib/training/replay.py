"""A run of mini-batch descent that can be gone through forwards and backwards, in bounded memory."""

import math

import torch

from ..tasks import gradients
from ..torch_utils import Stopped
from ..validation import finite, floats, positive, whole
from . import minibatches


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
        minibatches.per_epoch(len(task.x), batch)
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
        index = minibatches.at(len(self.task.x), self.batch, step, self.seed)
        return minibatches.part(self.task, torch.tensor(index, device=self.task.x.device))

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
