"""The gradient-descent map W ↦ W − η∇L(W) of whole ensembles, iterated and observed.

    gd = GradientDescent(task, learning_rate=1.0)
    record = run(gd, params, epochs=200, observe=("loss", "distance"))

:func:`run` keeps what was observed; :func:`stream` hands it on as the epochs pass, so that memory
holds the ensemble and a block of observations; :func:`follow` also keeps the parameters once every
block; :func:`search` trains each network until it has reached an accuracy.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from tqdm import tqdm

from .. import torch_utils
from ..results.datasets import to_netcdf
from ..tasks import gradients
from ..tasks.tasks import Task
from ..torch_utils import quiet
from ..validation import floats, real, whole
from . import observables
from .ensembles import Block, Simulation
from .observables import first_hit

_BLOCK = 100  # epochs between hand-overs of a stream
_SECOND = {"network": ["network"], "copy": ["perturbation"]}  # dimensions of observables


class GradientDescent:
    """Full-batch gradient descent with constant learning rate, no momentum.

    W(t + 1) = W(t) − η (∇L(W(t)) + λ W(t))

    Parameters
    ----------
    task : Task
    learning_rate : float or sequence of float
        η, a number for all, or a sequence of one for each initial condition, (n,).
    weight_decay : float, optional
        λ of the penalty (λ/2)‖W‖² over all parameters; by default the task's own.
    """

    def __init__(self, task: Task, learning_rate, weight_decay: float | None = None):
        weight_decay = task.weight_decay if weight_decay is None else weight_decay
        if not 0 <= real(weight_decay) < math.inf:
            raise ValueError(f"weight_decay = {weight_decay}: must be zero or positive, and finite")
        self.task = task
        self.learning_rate = _positive_rates(learning_rate)
        self.weight_decay = float(weight_decay)
        self._pure = None

    def rates(self, count: int, device=None) -> torch.Tensor:
        """Return η of each of ``count`` initial conditions, (n,)."""
        rates = self.learning_rate.to(device or self.task.x.device)
        if rates.dim() and len(rates) != count:
            raise ValueError(
                f"{len(rates)} learning rates for {count} initial conditions: give a number for "
                "all, or a sequence of one for each"
            )
        return rates.expand(count)

    def step(self, params: torch.Tensor, rates=None, rows=None) -> torch.Tensor:
        """Return the map (E, P) of ``params`` (E, P), out of place and differentiable.

        ``rates`` (E,) overrides the learning rates; ``rows`` as for :meth:`product`.
        """
        rates = self.row_rates(params, rows) if rates is None else rates
        return params - rates[:, None] * (self._gradient(params) + self.weight_decay * params)

    def product(self, params: torch.Tensor, vectors: torch.Tensor, rows=None):
        """Return map and tangent map, (F(W), J(W) v), J = I − η(H + λ), (E, P) each.

        Row e of ``params`` and ``vectors`` (E, P) is initial condition e, unless ``rows``, a
        :class:`~netdyn_lib.lyapunov.Rows`, says which it is: each has its own η.
        """
        rates = self.row_rates(params, rows)[:, None]
        gradient, along = self._gradient.product(params, vectors)
        step = params - rates * (gradient + self.weight_decay * params)
        return step, vectors - rates * (along + self.weight_decay * vectors)

    @property
    def _gradient(self):
        if self._pure is None:
            self._pure = gradients.of(self.task)
        return self._pure

    def row_rates(self, params: torch.Tensor, rows=None) -> torch.Tensor:
        """Return η of each row of ``params`` (E, …), (E,); ``rows`` as for :meth:`product`."""
        if rows is None:
            return self.rates(len(params), params.device)
        return self.rates(rows.count, params.device)[rows.index]


def _positive_rates(learning_rate):
    """η as float64, a scalar or (n,)."""
    rates = floats(learning_rate, "cpu", "learning_rate")
    if rates.dim() > 1 or rates.numel() == 0:
        raise ValueError(
            f"learning_rate of shape {tuple(rates.shape)}: η must be positive and finite, "
            "a number or a sequence (n,)"
        )
    for k, rate in enumerate(rates.reshape(-1).tolist()):
        if not (rate > 0 and math.isfinite(rate)):
            entry = f"learning_rate[{k}]" if rates.dim() else "learning_rate"
            cause = "where it was computed, something overflowed or was divided by zero"
            if rate <= 0:
                cause = "descent would stand still" if rate == 0 else "descent would climb the loss"
            raise ValueError(f"{entry} = {rate}: η must be positive and finite ({cause})")
    return rates


@dataclass(frozen=True)
class Record:
    """What a run observed.

    ``epochs`` (T,) are the observed epochs; ``record["loss"]`` is the
    observable over them, (T, n) or (T, n, 1 + M); ``final`` the parameters
    after the last epoch, shaped as the run's start, on the processor;
    ``diverged_at``, (n,) or (n, 1 + M), the first epoch at which a network's
    parameters were no longer finite, −1 for never.  Observations from that
    epoch on are NaN; ``record["mean_distance"][:, record.alive]`` leaves them out.
    """

    epochs: np.ndarray
    values: dict[str, np.ndarray]
    final: torch.Tensor
    diverged_at: np.ndarray

    @property
    def alive(self) -> np.ndarray:
        """Which initial conditions never diverged, nor any of their copies; (n,) bool."""
        return np.all((self.diverged_at < 0).reshape(len(self.diverged_at), -1), axis=1)

    def __getitem__(self, name):
        if name not in self.values:
            raise KeyError(f"{name!r} was not observed; observed: {', '.join(self.values)}")
        return self.values[name]

    def to_dataset(self) -> xr.Dataset:
        """Return all of it as labelled arrays.

        Dimensions are ``epoch``, ``init``, ``network`` (the reference first), ``perturbation`` (the
        copies) and ``parameter``; those of ``final`` have ``state`` in its place, which for an
        optimizer is more.  Further axes of an observable of your own are ``NAME_2`` ….
        """
        several = ["network"] if self.final.dim() == 3 else []
        variables = {
            "final": (["init", *several, "state"], self.final.numpy()),
            "diverged_at": (["init", *several], self.diverged_at),
        }
        for name, values in self.values.items():
            per = observables.axis(name)
            dims = ["epoch", "init", *(_SECOND.get(per, ()) if several else ())]
            dims += ["parameter" if per else f"{name}_{k}" for k in range(len(dims), values.ndim)]
            variables[name] = dims, values
        return xr.Dataset(variables, {"epoch": self.epochs})

    def to_netcdf(self, path) -> Path:
        """Write :meth:`to_dataset` as netCDF 3 (:func:`netdyn_lib.results.datasets.to_netcdf`)."""
        return to_netcdf(self.to_dataset(), path)

    def by_rate(self, name: str, count: int) -> np.ndarray:
        """Return an observable of :func:`each_rate`'s ensemble at ``count`` rates, (T, k, n, …)."""
        values = self[name]
        return values.reshape(len(values), count, -1, *values.shape[2:])


def stream(
    descent: GradientDescent,
    start: torch.Tensor,
    epochs: int,
    observe=("loss",),
    every: int = 1,
    **options,
) -> Iterator[tuple[Block, Simulation]]:
    """Iterate an ensemble and yield its observations block by block, with its simulation.

    Memory does not grow with the number of epochs: a block holds at most 101 observations.
    Stretches of 100 epochs in which nothing is to be observed yield no block.  ``options`` are
    ``at``, ``workers`` and ``stop`` of :func:`run`.
    """
    epochs, every = whole(epochs, "epochs"), whole(every, "every", 1)
    chosen = epochs_at(options.pop("at", None), every, epochs)
    observed = chosen.__contains__ if chosen else lambda t: t % every == 0
    return _blocks(Simulation(descent, start, observe, observed, **options), epochs)


def epochs_at(at: Sequence[int] | None, every: int, epochs: int) -> frozenset[int] | None:
    """Return the epochs to observe, ``at``, as a set; None for every so many."""
    if at is None:
        return None
    if every != 1:
        raise ValueError(
            f"at and every = {every}: give the epochs to observe, or how many apart they are, "
            "not both"
        )
    times, cause = np.ravel(at).tolist(), "the epochs of the run"
    chosen = frozenset(whole(t, "epoch in at", 0, epochs, cause) for t in times)
    if not chosen:
        raise ValueError("at names no epoch: nothing would be observed")
    return chosen


def _blocks(simulation, epochs):
    bar = tqdm(total=epochs, unit="epoch", disable=quiet(None), leave=False)
    single = simulation.descent.task.x.device.type == "cpu"
    with bar, torch_utils.pool(simulation.workers, single) as pool:
        remaining = epochs
        while True:
            count = min(_BLOCK, remaining)
            remaining -= count
            try:
                block = simulation.advance(count, pool, last=remaining == 0)
            except BaseException:  # an interrupt, too: leaving the pool waits for its threads
                simulation.abandon()
                raise
            if block is not None:
                yield block, simulation
            bar.update(count)
            if remaining == 0:
                return


def run(
    descent: GradientDescent,
    start: torch.Tensor,
    epochs: int,
    observe=("loss",),
    every: int = 1,
    *,
    at: Sequence[int] | None = None,
    workers: int | None = None,
    stop: Callable[[], bool] | None = None,
) -> Record:
    """Iterate an ensemble and return what was observed.

    Parameters
    ----------
    start : torch.Tensor
        (n, P) initial conditions, or (n, 1 + M, P) with perturbed copies; taken
        in the task's floating type.
    epochs : int
        Steps taken.
    observe : sequence of str or callable
        ``"loss"``, ``"accuracy"``, ``"test_accuracy"``, ``"norm"``,
        ``"distance"``, ``"mean_distance"``, ``"weights"``, ``"displacement"``,
        ``"path_length"``, or functions of an
        :class:`~netdyn_lib.training.observables.Snapshot`.
    every : int
        Observe at epochs 0, ``every``, 2 ``every``, …; the last one only where
        ``epochs`` is a multiple.
    at : sequence of int, optional
        The epochs to observe, in place of ``every``; taken in order, each once.
    workers : int, optional
        Threads; by default those of PyTorch.
    stop : callable, optional
        Asked before every epoch; where it answers true, the run is given up
        with :class:`~netdyn_lib.torch_utils.Stopped`.
    """
    options = {"at": at, "workers": workers, "stop": stop}
    pairs = list(stream(descent, start, epochs, observe, every, **options))
    blocks, simulation = [block for block, _ in pairs], pairs[-1][1]
    times = np.concatenate([b.epochs for b in blocks])
    values = {k: np.concatenate([b.values[k] for b in blocks]) for k in blocks[0].values}
    diverged = simulation.diverged_at
    diverged = diverged[:, 0] if np.ndim(start) == 2 else diverged
    return Record(times, values, simulation.params.cpu(), diverged)


def each_rate(start: torch.Tensor, rates) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same ensemble at several learning rates, to advance as one batch.

    The ensemble (k n, …) and its learning rates (k n,) for ``start`` (n, …) and k ``rates``, rate
    by rate; :meth:`Record.by_rate` splits what is observed.
    """
    rates = _positive_rates(rates)
    if not rates.dim():
        raise ValueError(f"rates = {rates.item()}: give a sequence of learning rates, (k,)")
    return torch.cat([start] * len(rates)), rates.repeat_interleave(len(start))


@dataclass(frozen=True)
class Trajectories(Record):
    """Observables at every epoch, and all the parameters at the start of every block.

    ``states`` is (T / block + 1, n, P), at epochs 0, block, 2 block, …, T.
    """

    states: np.ndarray
    block: int


def follow(
    descent: GradientDescent,
    start: torch.Tensor,
    epochs: int,
    block: int = 60,
    observe=("loss", "norm"),
) -> Trajectories:
    """Run an ensemble (n, P), keeping its parameters once every ``block`` epochs."""
    if block < 1 or epochs < 1 or epochs % block:
        raise ValueError(f"{epochs} epochs are no positive multiple of a block of {block}")
    diverged = np.full(len(start), -1)
    states, parts = [start.cpu().numpy()], []
    for first in range(0, epochs, block):
        record = run(descent, start, block, observe)
        fresh = (record.diverged_at >= 0) & (diverged < 0)
        diverged[fresh] = first + record.diverged_at[fresh]
        done = first + block == epochs  # a stretch's last epoch is the next one's first
        parts.append({k: v if done else v[:-1] for k, v in record.values.items()})
        start = record.final
        states.append(start.numpy())
    values = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    return Trajectories(np.arange(epochs + 1), values, start, diverged, np.stack(states), block)


_STRETCH = 50  # epochs between looks at who has arrived


@dataclass(frozen=True)
class Arrivals:
    """First arrivals of n networks, in epochs.

    ``first`` (n,) is the first epoch at the target, ``sustained`` (n,) the first
    of so many epochs in a row; NaN for a network that did not arrive within
    ``followed`` (n,) epochs: the cap, or where it overflowed.  Such a network is censored: it
    arrives later, or never.  One that did arrive was followed until that was certain.
    """

    first: np.ndarray
    sustained: np.ndarray
    followed: np.ndarray


def search(
    descent: GradientDescent,
    start: torch.Tensor,
    target: float,
    cap: int,
    sustained: int = 20,
    seen=None,
    workers: int | None = None,
    stop: Callable[[], bool] | None = None,
) -> Arrivals:
    """Train networks (n, P) until each has reached the test accuracy ``target``, or to a ``cap``.

    The descent has one learning rate for all.  So many ``sustained`` epochs in a row at the target
    or above end the search; all of them lie within the cap, so that a sustained arrival is never
    later than cap − sustained + 1.  ``seen`` are test accuracies (T, n) at epochs 0 … T − 1, where
    they are known, and ``start`` the parameters at epoch T − 1.
    """
    count = len(start)
    curves: list[list] = [[] for _ in range(count)]
    if seen is not None:
        curves = [list(c) for c in np.asarray(seen)[: cap + 1].T]
    first, lasting = np.full(count, np.nan), np.full(count, np.nan)
    params, remaining = start.clone(), np.arange(count)
    while True:
        for k in remaining:
            times = np.arange(len(curves[k]))
            if len(times):
                first[k] = first_hit(times, curves[k], target)
            if len(times) >= sustained:
                lasting[k] = first_hit(times, curves[k], target, sustained)
        alive = params[remaining].isfinite().all(1).cpu().numpy()
        here = np.array([max(len(curves[k]) - 1, 0) for k in remaining])
        remaining = remaining[np.isnan(lasting[remaining]) & alive & (here < cap)]
        if not len(remaining):
            break
        steps = min(_STRETCH, cap - max(len(curves[remaining[0]]) - 1, 0))
        some, observe = params[remaining], ("test_accuracy",)
        record = run(descent, some, steps, observe, workers=workers, stop=stop)
        params[remaining] = record.final.to(params)
        for column, k in enumerate(remaining):
            # Epoch 0 of a stretch is the last of the one before.
            curves[k] += list(record["test_accuracy"][1 if curves[k] else 0 :, column])
    lengths = np.array([len(c) - 1 for c in curves])
    # Not to the end of a stretch: where a network arrived cannot depend on how often one looks.
    followed = np.where(np.isnan(lasting), lengths, lasting + sustained - 1).astype(int)
    return Arrivals(first, lasting, followed)
