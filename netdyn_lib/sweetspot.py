"""The learning rate at which sensitivity to initial conditions is fully developed, found before training (J, last page).

    spot = find(module, x, y)
    spot.learning_rate, spot.cost_epochs, spot.reason

p(η) is the share of initial conditions from which an ε-ball grows
exponentially, R² > 0.9 and Λ > 0.05.  J reports the shortest training where p
reaches 100%, and proposes to find that η by bisection.  The proposal assumes
that p rises with η.  It need not: p can fall again, and networks overflow.
So every probe is kept and what was met on the way is said in ``reason``.

Nor does p tell chaos from a descent that runs away: a linear network with
squared error has no chaos, and p = 1 from η = (1 + e^0.05)/λ, just beyond the
edge of stability 2/λ, as its copies part exponentially on the way to overflow.
"""

from dataclasses import dataclass

import numpy as np
import torch

from . import descent as engine
from . import losses, lyapunov, networks, tasks
from .bisection import bisect
from .checks import whole
from .resampling import Interval, share_interval

_WINDOW = 20  # shortest growth window, in epochs


@dataclass(frozen=True)
class Probe:
    """What one learning rate showed.

    ``share`` is p with Wilson's interval, over all ``count`` initial conditions;
    ``exponent`` λ_nMLE in 1/epoch, over the ``kept`` ones (NaN for fewer than two).
    ``diverged`` initial conditions overflowed, themselves or a copy, and ``merged`` met
    their copies to the last bit; both count as not kept.  ``cost_epochs`` is
    networks times epochs, copies included.
    """

    learning_rate: float
    share: Interval
    exponent: Interval
    kept: int
    count: int
    diverged: int
    merged: int
    cost_epochs: int


@dataclass(frozen=True)
class SweetSpot:
    """A learning rate with its evidence and its cost.

    ``learning_rate`` is the smallest η probed with p ≥ ``level``, ``low`` the
    largest one below it (p < ``level``) and ``high`` the same as
    ``learning_rate``.  ``probes`` are in order of η; ``cost_epochs`` is their sum, in
    network-epochs, and ``order`` the learning rates as they were probed.  ``converged``, ``monotonic`` and ``reason`` as in :class:`netdyn_lib.bisection.Bracket`.
    """

    learning_rate: float
    low: float
    high: float
    level: float
    probes: tuple
    cost_epochs: int
    converged: bool
    monotonic: bool
    reason: str
    order: tuple = ()


def probe(task, learning_rate, start, copies=1, epochs=100, radius=1e-8, seed=0):
    """p and λ_nMLE at one learning rate, from ε-balls around given initial conditions.

    Λ is the slope of :func:`netdyn_lib.lyapunov.best_fit` with windows of at
    least 20 epochs; p the share with R² > 0.9 and Λ > 0.05.

    Parameters
    ----------
    task : Task
    learning_rate : float
    start : torch.Tensor
        (n, P) initial conditions.
    copies : int
        M perturbed copies of each.
    epochs : int
        At least 20.
    radius : float
        ε, in units of a weight.
    seed : int
        Of the copies.

    Returns
    -------
    Probe

    Raises
    ------
    ValueError
        For fewer than 20 epochs, and as :class:`~netdyn_lib.descent.GradientDescent`,
        :func:`netdyn_lib.networks.perturbed` and :func:`netdyn_lib.descent.run`.
    """
    epochs = whole(epochs, "epochs", _WINDOW, cause=f"a growth window has at least {_WINDOW}")
    balls = networks.perturbed(start, radius, copies, seed)
    record = engine.run(engine.GradientDescent(task, learning_rate), balls, epochs, observe=("mean_distance",))
    distance = record["mean_distance"]  # (T, n)
    apart = record.alive & (distance > 0).all(0)
    kept, exponent = np.zeros(len(start), bool), Interval(np.nan, np.nan, np.nan)
    if apart.any():
        fit = lyapunov.best_fit(distance[:, apart], _WINDOW)
        kept[apart] = fit.kept()
        exponent = lyapunov.summarise(fit, seed=seed).exponent
    diverged = int((~record.alive).sum())
    return Probe(
        learning_rate=float(learning_rate),
        share=share_interval(kept),
        exponent=exponent,
        kept=int(kept.sum()),
        count=len(kept),
        diverged=diverged,
        merged=int((~apart).sum()) - diverged,
        cost_epochs=balls.shape[0] * balls.shape[1] * epochs,
    )


def find(task, x=None, y=None, *, loss=None, start=None, low=1e-3, high=None, level=0.9, conditions=12, copies=1,
         epochs=100, radius=1e-8, tolerance=1.3, growth=10.0, expansions=6, most_probes=20, std=1.0, seed=0, device=None):  # fmt: skip
    """The onset of fully developed sensitivity: the smallest learning rate probed with p(η) ≥ ``level``.

    All probes look at the same initial conditions and the same copies, so that
    p changes with η alone.  With n conditions p comes in steps of 1/n: level 0.9
    asks for 11 of 12.  A search costs (1 + M) n × epochs for each probe, by
    default 2,400 network-epochs: set it against what it saves
    (:func:`netdyn_lib.rivals.compare`).

    Parameters
    ----------
    task : Task or torch.nn.Module
        For a module give ``x`` (N, …) and ``y`` too, class labels (N,) or numbers (N, C).
    loss : optional
        For a module; cross-entropy for whole-numbered targets and half the summed squared
        error for others where not given.
    start : torch.Tensor, optional
        (n, P) initial conditions of one's own, in place of ``conditions``,
        ``std`` and the papers' weights N(0, std²) with zero biases.
    low, high, level, tolerance, growth, expansions, most_probes
        As for :func:`netdyn_lib.bisection.bisect`.
    conditions, copies, epochs, radius
        n, M, epochs and ε of each :func:`probe`.
    std : float
        Of a module's initial weights; a task has its own.
    seed : int
        Of initial conditions and copies; the result depends on nothing else that is random.
    device : str, optional
        As :func:`netdyn_lib.devices.resolve`; where the task is, where not given.

    Returns
    -------
    SweetSpot

    Raises
    ------
    ValueError
        As :func:`netdyn_lib.bisection.bisect` and :func:`probe`; for a module without data, or a
        task with data beside its own.
    """
    task = _as_task(task, x, y, loss, std)
    task = task if device is None else task.to(device)
    start = task.initial(conditions, seed) if start is None else start
    probes = {}

    def share(rate):
        probes[rate] = probe(task, rate, start, copies, epochs, radius, seed)
        return probes[rate].share.estimate

    try:
        found = bisect(share, low, high, level, tolerance, growth, expansions, most_probes)
    except ValueError as error:
        if not any(p.diverged for p in probes.values()):
            raise
        raise ValueError(f"{error}; {_overflows(probes)}") from error
    ordered = tuple(probes[r] for r in found.rates)
    return SweetSpot(
        learning_rate=found.high,
        low=found.low,
        high=found.high,
        level=level,
        probes=ordered,
        cost_epochs=sum(p.cost_epochs for p in ordered),
        converged=found.converged,
        monotonic=found.monotonic,
        reason="; ".join(filter(None, [found.reason, _overflows(probes)])),
        order=tuple(probes),
    )


def _overflows(probes):
    """Which probes lost networks, in words; empty for none."""
    lost = [f"{p.diverged} of {p.count} at η = {r:.4g}" for r, p in sorted(probes.items()) if p.diverged]
    return f"networks overflowed and count as not sensitive: {', '.join(lost)}" if lost else ""


def _as_task(task, x, y, loss, std):
    if not isinstance(task, torch.nn.Module):
        if x is not None or y is not None:
            raise ValueError("a task has its samples already: give x and y with a torch.nn.Module only")
        return task
    if x is None or y is None:
        raise ValueError(f"{type(task).__name__} is a module: give the samples x and the targets y it is to learn")
    if loss is None:
        labels = not torch.as_tensor(y).is_floating_point()
        loss = losses.CrossEntropy() if labels else losses.HalfSquaredError()
    return tasks.custom(type(task).__name__, task, loss, x, y, std=std)
