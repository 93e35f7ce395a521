"""The gradient-descent map W ↦ W − η∇L(W) of whole ensembles, iterated and observed.

    record = run(GradientDescent(task, learning_rate=1.0), params, epochs=200, observe=("loss", "distance"))

What is observed is handed on as the epochs pass, so memory holds the ensemble
and the requested observables, never a trajectory.
"""

import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from . import gradients
from .ensembles import Simulation

_BLOCK = 100  # epochs between hand-overs of a stream


class GradientDescent:
    """Full-batch gradient descent with constant learning rate, no momentum.

    W(t + 1) = W(t) − η (∇L(W(t)) + λ W(t))

    Parameters
    ----------
    task : Task
    learning_rate : float or sequence of float
        η, one for all or one for each initial condition, (n,).
    weight_decay : float
        λ of the penalty (λ/2)‖W‖² over all parameters.

    Raises
    ------
    ValueError
        For η that is not positive and finite, or λ that is negative or not finite.
    """

    def __init__(self, task, learning_rate, weight_decay=0.0):
        rates = torch.as_tensor(learning_rate, dtype=torch.float64)
        if rates.numel() == 0 or not bool(((rates > 0) & rates.isfinite()).all()):
            raise ValueError(f"learning_rate = {learning_rate}: η must be positive and finite")
        if not (weight_decay >= 0 and math.isfinite(weight_decay)):
            raise ValueError(f"weight_decay = {weight_decay}: must be zero or positive, and finite")
        self.task = task
        self.learning_rate = rates
        self.weight_decay = float(weight_decay)
        self._pure = None

    def rates(self, count, device=None):
        """η of each of ``count`` initial conditions, (n,).  Raises ValueError where the numbers disagree."""
        rates = self.learning_rate.to(device or self.task.x.device)
        if rates.dim() and len(rates) != count:
            raise ValueError(f"{len(rates)} learning rates for {count} initial conditions: give one, or one for each")
        return rates.expand(count)

    def step(self, params, rates=None):
        """The map itself: (E, P) from ``params`` (E, P), out of place and differentiable.

        ``rates`` (E,) overrides the learning rates.
        """
        if self._pure is None:
            self._pure = gradients.of(self.task)
        rates = self.rates(len(params), params.device) if rates is None else rates
        return params - rates[:, None] * (self._pure(params) + self.weight_decay * params)


    def product(self, params, vectors):
        """Map and tangent map together: (F(W), J(W) v), J = I − η(H + λ), each (E, P) for ``params``, ``vectors`` (E, P)."""
        if self._pure is None:
            self._pure = gradients.of(self.task)
        rates = self.rates(len(params), params.device)[:, None]
        gradient, along = self._pure.product(params, vectors)
        step = params - rates * (gradient + self.weight_decay * params)
        return step, vectors - rates * (along + self.weight_decay * vectors)


@dataclass(frozen=True)
class Record:
    """What a run observed.

    ``epochs`` (T,) are the observed epochs; ``record["loss"]`` is the
    observable over them, (T, n) or (T, n, 1 + M); ``final`` the parameters
    after the last epoch, shaped as the run's start; ``diverged_at`` the first
    epoch at which a network's parameters were no longer finite, −1 for never.
    Observations from that epoch on are NaN.
    """

    epochs: np.ndarray
    values: dict
    final: torch.Tensor
    diverged_at: np.ndarray

    def __getitem__(self, name):
        if name not in self.values:
            raise KeyError(f"{name!r} was not observed; observed: {', '.join(self.values)}")
        return self.values[name]

    def by_rate(self, name, count):
        """An observable of :func:`each_rate`'s ensemble at ``count`` rates: (T, k, n, …)."""
        values = self[name]
        return values.reshape(len(values), count, -1, *values.shape[2:])


def stream(descent, start, epochs, observe=("loss",), every=1, workers=None, chunk=None, progress=None):
    """Iterate an ensemble and yield its observations block by block.

    Memory does not grow with the number of epochs: a block holds at most
    100 epochs.  Parameters as for :func:`run`.

    Yields
    ------
    tuple of Block, Simulation
    """
    if int(epochs) != epochs or epochs < 0:
        raise ValueError(f"epochs = {epochs}: must be a whole number, zero or more")
    simulation = Simulation(descent, start, observe, every, workers, chunk)
    bar = tqdm(total=epochs, unit="epoch", disable=_quiet(progress), leave=False)
    with bar, torch.no_grad(), ThreadPoolExecutor(simulation.workers) as pool:
        remaining = int(epochs)
        while True:
            count = min(_BLOCK, remaining)
            remaining -= count
            yield simulation.advance(count, pool, last=remaining == 0), simulation
            bar.update(count)
            if remaining == 0:
                return


def run(descent, start, epochs, observe=("loss",), every=1, workers=None, chunk=None, progress=None):
    """Iterate an ensemble and keep what was observed.

    Parameters
    ----------
    descent : GradientDescent
    start : torch.Tensor
        (n, P) initial conditions, or (n, 1 + M, P) with perturbed copies.
    epochs : int
        Steps taken; observations run from epoch 0 to ``epochs`` inclusive.
    observe : sequence of str or callable
        ``"loss"``, ``"accuracy"``, ``"test_accuracy"``, ``"norm"``,
        ``"distance"``, ``"mean_distance"``, ``"weights"``, or functions of an
        :class:`~netdyn_lib.observables.Snapshot`.
    every : int
        Observe every so many epochs.
    workers, chunk : int, optional
        See :class:`~netdyn_lib.ensembles.Simulation`.
    progress : bool, optional
        Show a progress bar; by default on a terminal only.

    Returns
    -------
    Record

    Raises
    ------
    ValueError
        As :class:`~netdyn_lib.ensembles.Simulation`, and for a negative number of epochs.
    """
    blocks = []
    for block, simulation in stream(descent, start, epochs, observe, every, workers, chunk, progress):
        blocks.append(block)
    times = np.concatenate([b.epochs for b in blocks])
    values = {k: np.concatenate([b.values[k] for b in blocks]) for k in blocks[0].values}
    diverged = simulation.diverged_at
    return Record(times, values, simulation.params.cpu(), diverged[:, 0] if start.dim() == 2 else diverged)


def each_rate(start, rates):
    """The same ensemble at several learning rates, to advance as one batch.

    Returns the ensemble (k n, …) and its learning rates (k n,) for ``start``
    (n, …) and k ``rates``, rate by rate; :meth:`Record.by_rate` splits what is
    observed.
    """
    rates = torch.as_tensor(rates, dtype=start.dtype)
    return torch.cat([start] * len(rates)), rates.repeat_interleave(len(start))


def _quiet(progress):
    if progress is not None:
        return not progress
    return not sys.stderr.isatty() or "PYTEST_CURRENT_TEST" in os.environ
