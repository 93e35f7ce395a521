"""Pruned descent as a map, and of ensembles, mini-batch by mini-batch."""

import copy
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from ... import torch_utils
from ...tasks import gradients
from ...torch_utils import Stopped, quiet
from ...training import minibatches
from ...validation import floats, positive, whole
from .. import batch_hessian
from .rules import Rule, named, pruned, stream


def step(task, params, x, y, learning_rate, rule="chaotic", rng=None):
    """The map: parameters (P,) after one step from ``params`` (P,) on the batch ``x`` (B, …), ``y``
    (B,) or (B, C).

    Out of place; without a history of differentiation.  Raises as
    :func:`netdyn_lib.curvature.batch_hessian.spectrum`.
    """
    rule, part = named(rule), replace(task, split=replace(task.split, x=x, y=y))
    with torch.no_grad():
        gradient = gradients.of(part)(params[None])[0]
        if rule.which != "none":
            gradient = pruned(
                gradient, batch_hessian.spectrum(part, params), learning_rate, rule, rng
            )
        return params - learning_rate * gradient


@dataclass(frozen=True)
class PrunedRun:
    """What :func:`run` saw of n networks.

    ``loss`` (S, n) is that of every step's batch before the step; ``steps`` (T,) are the observed
    steps, and ``run[name]`` (T, n) what was observed before each: ``test_loss``, ``test_accuracy``
    (NaN for targets that are no labels), ``norm`` ‖W‖, ``gradient_norm`` ‖g‖, ``kept``, the length
    of the pruned gradient in units of it (1 before the onset); of the batch's Hessian ``smallest``,
    ``largest``, how many are ``chaotic``, ``negative``, ``positive``, ``neutral`` of the m' that
    :mod:`netdyn_lib.curvature.batch_frames` leaves, and as ``overlap_negative`` and so on the share of
    ‖g‖² in each.  ``final`` and ``velocity`` (n, P) go on where the run ended.  ``diverged_at``
    (n,) is the first step at which parameters, gradient or Hessian were not finite, −1 for never;
    from there on all is NaN.
    """

    steps: np.ndarray
    loss: np.ndarray
    values: dict
    final: torch.Tensor
    velocity: torch.Tensor
    diverged_at: np.ndarray

    def __getitem__(self, name):
        if name not in self.values:
            raise KeyError(f"{name!r} was not observed; observed: {', '.join(self.values)}")
        return self.values[name]


def run(
    task,
    params,
    rates,
    batch,
    steps,
    rule="none",
    *,
    onset=0,
    seed=0,
    start=0,
    every=100,
    spectra=True,
    momentum=0.0,
    velocity=None,
    workers=None,
    stop=None,
    progress=None,
):
    """Pruned descent of an ensemble, mini-batch by mini-batch.

    Parameters
    ----------
    task : Task
        Without weight decay.
    params : torch.Tensor
        (n, P), the networks before step ``start``.
    rates : float or sequence of float
        γ, of all or (n,).
    batch, steps : int
        Samples of a batch, steps to take; :func:`netdyn_lib.training.minibatches.per_epoch` says
        how many an epoch has.
    rule : str or Rule
    onset : int
        The first step that is pruned, counted from step 0.
    seed : int or sequence of int
        Of the order of samples and of rules that draw, of all networks or (n,).
    start : int
        Where a run goes on that was broken off: batches, onset and random numbers are those of one
        run of both.
    every : int
        Observe at steps that are multiples, the end included where it is one (with the batch that
        would come next).
    spectra : bool
        Whether to observe spectra where pruning itself needs none.
    momentum, velocity
        As for :class:`~netdyn_lib.curvature.pruning.PrunedSGD`; ``velocity`` (n, P) at ``start``,
        zero where not given.
    workers : int, optional
        Networks side by side; as many as PyTorch's threads where not given.
    stop : callable, optional
        Asked before every step; where it answers true, all is given up with
        :class:`~netdyn_lib.torch_utils.Stopped`.
    progress : bool, optional

    Returns
    -------
    PrunedRun

    Raises
    ------
    ValueError
        For numbers out of bounds, shapes that disagree, or a task with weight decay.
    """
    if task.weight_decay:
        raise ValueError(
            f"weight_decay = {task.weight_decay}: pruned descent is of the loss alone; take a task without"
        )
    params = floats(params, task.x.device)
    if params.dim() != 2 or params.shape[1] != task.network.count or not len(params):
        raise ValueError(
            f"params of shape {tuple(params.shape)}: expected (n, {task.network.count}), of at least 1 network"
        )
    n, steps, start = len(params), whole(steps, "steps"), whole(start, "start")
    velocity = torch.zeros_like(params) if velocity is None else floats(velocity, params.device)
    if velocity.shape != params.shape:
        raise ValueError(
            f"velocity of shape {tuple(velocity.shape)} for params {tuple(params.shape)}: must be the same"
        )
    rates = [positive(rate, "rates", "γ") for rate in _each(rates, n, "rates")]
    seeds = [whole(s, "seed") for s in _each(seed, n, "seed")]
    minibatches.per_epoch(len(task.x), batch)
    onset, every, momentum = (
        whole(onset, "onset"),
        whole(every, "every", 1),
        minibatches.momentum(momentum),
    )
    walk = _Walk(task, named(rule), batch, start, steps, onset, every, spectra, momentum)
    bar = tqdm(total=n * steps, unit="step", disable=quiet(progress), leave=False)
    abandoned = []

    def one(k):
        def before(t):
            if abandoned or (stop is not None and stop()):
                raise Stopped(f"stopped before step {t}")
            bar.update()

        # A functional call lends a module its parameters while it lasts, so two threads must not
        # share one.
        mine = replace(walk, task=replace(task, network=copy.deepcopy(task.network)))
        return mine.follow(params[k], velocity[k], rates[k], seeds[k], before)

    workers = whole(workers or torch.get_num_threads(), "workers", 1)
    with bar, torch_utils.pool(workers, alone=params.device.type == "cpu") as pool:
        try:
            parts = list(pool.map(one, range(n)))
        except BaseException:  # an interrupt, too: leaving the pool waits for its threads
            abandoned.append(True)
            raise
    loss, values, final, velocity, gone = zip(*parts)
    values = {name: np.array([row[name] for row in values]).T for name in values[0]}
    return PrunedRun(
        walk.marks,
        np.array(loss).T,
        values,
        torch.stack(final).cpu(),
        torch.stack(velocity).cpu(),
        np.array(gone),
    )


def _each(value, n, name):
    values = np.ravel(value).tolist()
    if np.ndim(value) and len(values) != n:
        raise ValueError(
            f"{len(values)} {name} for {n} networks: give a number for all, or one for each"
        )
    return values if np.ndim(value) else values * n


_CLASSES = ("chaotic", "negative", "positive", "neutral")
_NAMES = (
    "test_loss",
    "test_accuracy",
    "norm",
    "gradient_norm",
    "kept",
    "smallest",
    "largest",
    *_CLASSES,
)
_NAMES += tuple(f"overlap_{name}" for name in _CLASSES)


@dataclass(frozen=True)
class _Walk:
    """What all networks of a run share."""

    task: object
    rule: Rule
    batch: int
    start: int
    steps: int
    onset: int
    every: int
    spectra: bool
    momentum: float

    @property
    def marks(self):
        first = -(-self.start // self.every) * self.every
        return np.arange(first, self.start + self.steps + 1, self.every)

    @torch.no_grad()
    def follow(self, params, velocity, rate, seed, before):
        """One network: losses (S,), observations by name (T,) each, where it ends, its velocity,
        and when it diverged.
        """
        losses = np.full(self.steps, np.nan)
        seen = {name: np.full(len(self.marks), np.nan) for name in _NAMES}
        batches = minibatches.order(len(self.task.x), self.batch, None, seed, self.start)
        # All samples at every step: their order is of no account but for rounding.
        full = gradients.of(self.task) if self.batch == len(self.task.x) else None
        for k, index in zip(range(self.steps + 1), batches):
            t, last = self.start + k, k == self.steps
            row = np.flatnonzero(self.marks == t)
            if last and not len(row):
                break
            part, slope = (self.task, full) if full else self._part(index)
            point = slope.at(params[None])
            loss, gradient = float(point.losses[0]), point.gradient[0]
            prune = self.rule.which != "none" and t >= self.onset
            try:
                if not (
                    math.isfinite(loss)
                    and bool(gradient.isfinite().all() & params.isfinite().all())
                ):
                    raise FloatingPointError
                found = (
                    batch_hessian.spectrum(part, params)
                    if prune or (len(row) and self.spectra)
                    else None
                )
            except FloatingPointError:
                nothing = torch.full_like(params, torch.nan)
                return losses, seen, nothing, nothing, t
            left = pruned(gradient, found, rate, self.rule, stream(seed, t)) if prune else gradient
            if len(row):
                for name, value in self._observed(params, gradient, left, found, rate).items():
                    seen[name][row] = value
            if not last:
                before(t)
                losses[k] = loss
                velocity = self.momentum * velocity + left if self.momentum else left
                params = params - rate * velocity
        return (
            losses,
            seen,
            params,
            velocity,
            -1 if bool(params.isfinite().all()) else self.start + self.steps,
        )

    def _part(self, index):
        """The task of one batch, and its gradient."""
        part = minibatches.batch_task(self.task, torch.from_numpy(index).to(self.task.x.device))
        return part, gradients.of(part)

    def _observed(self, params, gradient, left, found, rate):
        task, size = self.task, gradient.norm()
        output = task.network.forward(params, task.x_test)
        labels = not task.y_test.is_floating_point()
        seen = {
            "test_loss": task.loss.value(output, task.y_test),
            "test_accuracy": (output.argmax(-1) == task.y_test).double().mean()
            if labels
            else np.nan,
            "norm": params.norm(),
            "gradient_norm": size,
            "kept": left.norm() / size,  # NaN where there is no gradient
        }
        if found is not None:
            known = found.classes(rate)
            share = batch_hessian.overlap(found.project(gradient), known)
            seen |= {"smallest": found.values[0], "largest": found.values[-1]} | known.counts()
            seen |= {f"overlap_{name}": value for name, value in share.items()}
        return {name: float(value) for name, value in seen.items()}
