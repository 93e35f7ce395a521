"""The learning rate at which sensitivity to initial conditions is fully developed, found before
training (J, last page).

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
Nor from a network all of whose hidden units have died: its output bias can jump
to and fro, and copies part with it.  So every probe also counts what became of
the networks themselves, and ``find`` says where its answer is not one to train at.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize

from ..lyapunov import growth_fits
from ..statistics.intervals import Interval, share_interval
from ..tasks import losses, networks, tasks
from ..training import gradient_descent as engine
from ..validation import numbers, whole
from .bisection import bisect

_WINDOW = 20  # shortest growth window, in epochs
_RUNAWAY = 1e3  # times its start: a loss of which no training comes back within a probe
_ULPS = 64  # outputs that differ by less, in units of their rounding, are the same


@dataclass(frozen=True)
class Probe:
    """What one learning rate showed.

    ``share`` is p with Wilson's interval, over all ``count`` initial conditions;
    ``exponent`` λ_nMLE in 1/epoch, over the ``kept`` ones (NaN for fewer than two).
    ``diverged`` initial conditions overflowed, themselves or a copy, and ``merged`` met
    their copies to the last bit; both count as not kept.  ``cost_epochs`` is
    networks times epochs, copies included.

    What became of the ``count`` networks, copies aside, at the last epoch:

    - ``learned``: the loss is below ``constant_loss``, that of the best constant output;
    - ``runaway``: the loss is above 1,000 times its start (or 1,000 times ``constant_loss``,
      where the start was lower than that), or no number, or a copy ``diverged``;
    - ``dead``: the outputs are the same for all training samples, to 64 units of rounding.

    A network without a live hidden unit is dead by this measure, of whatever layers it is
    made; and what is dead by it computes a constant, whatever its hidden units do.  The
    three do not add up to ``count``: a dead network may run away, and one that is none
    of the three is worse than a constant but not lost.
    """

    learning_rate: float
    share: Interval
    exponent: Interval
    kept: int
    count: int
    diverged: int
    merged: int
    cost_epochs: int
    learned: int
    runaway: int
    dead: int
    constant_loss: float


@dataclass(frozen=True)
class SweetSpot:
    """A learning rate with its evidence and its cost.

    ``learning_rate`` is the smallest η probed with p ≥ ``level``, ``low`` the
    largest one below it (p < ``level``) and ``high`` the same as
    ``learning_rate``.  ``probes`` are in order of η; ``cost_epochs`` is their sum, in
    network-epochs, and ``order`` the learning rates as they were probed.  ``monotonic``
    as in :class:`netdyn_lib.experiments.bisection.Bracket`; ``reason`` has its words, and how many
    networks beat the best constant output at ``learning_rate``.

    ``converged`` says that the bracket came down to the tolerance, and that at
    ``learning_rate`` more than half of the networks train: fewer than half have run away,
    fewer than half are dead, and at least half beat the best constant output.  Half, so that
    the answer holds for the median network.  Where one of these fails, ``reason`` says which.
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

    Λ is the slope of :func:`netdyn_lib.lyapunov.growth_fits.best_fit` with windows of at
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
        For fewer than 20 epochs, and as
        :class:`~netdyn_lib.training.gradient_descent.GradientDescent`,
        :func:`netdyn_lib.tasks.networks.perturbed` and :func:`netdyn_lib.training.gradient_descent.run`.
    """
    epochs = whole(epochs, "epochs", _WINDOW, cause=f"a growth window has at least {_WINDOW}")
    descent = engine.GradientDescent(task, learning_rate)
    balls = networks.perturbed(start, radius, copies, seed)
    record = engine.run(descent, balls, epochs, observe=("mean_distance",))
    distance = record["mean_distance"]  # (T, n)
    apart = record.alive & (distance > 0).all(0)
    kept, exponent = np.zeros(len(start), bool), Interval(np.nan, np.nan, np.nan)
    if apart.any():
        fit = growth_fits.best_fit(distance[:, apart], _WINDOW)
        kept[apart] = fit.kept()
        exponent = growth_fits.summarise(fit, seed=seed).exponent
    diverged = int((~record.alive).sum())
    fate = _fate(descent, record, balls[:, 0])
    return Probe(
        learning_rate=float(learning_rate),
        share=share_interval(kept),
        exponent=exponent,
        kept=int(kept.sum()),
        count=len(kept),
        diverged=diverged,
        merged=int((~apart).sum()) - diverged,
        cost_epochs=balls.shape[0] * balls.shape[1] * epochs,
        **fate,
    )


def constant_loss(task, params):
    """Training loss of the best constant output, one c for all samples: min over c of L(c, …, c).

    For :class:`~netdyn_lib.tasks.losses.CrossEntropy` it is the entropy of the class frequencies,
    for
    :class:`~netdyn_lib.tasks.losses.HalfSquaredError` ½ Σ|y − ȳ|².  For any loss it is found by
    minimising the task's own (L-BFGS).  With these two the search is over c itself, from zero
    or the mean of the targets.  Another loss may have no minimum beyond the outputs it is made
    for, such as log-probabilities.  There c is what the network makes of its first sample, and
    the search is over its parameters, from ``params`` (P,) on.

    What is returned is the least loss that was met.  Where that is not the minimum, as it need
    not be for a loss that is not convex, the bar is too high a loss, never too low.  NaN where
    constant outputs have no loss, as under a correlation.
    """
    x, y, forward, params = task.x, task.y, task.network.forward, params.to(task.x.device)
    with torch.no_grad():
        begin = forward(params, x)[0]  # (C,)
    outputs, made = len(begin), lambda c: c
    if isinstance(task.loss, losses.CrossEntropy):
        begin = torch.zeros_like(begin)
    elif isinstance(task.loss, losses.HalfSquaredError):
        begin = y.reshape(len(y), outputs).mean(0)
    else:
        begin, first = params.detach(), x[:1].repeat_interleave(2, 0)  # two, for normalisation
        made = lambda w: forward(w, first)[0]  # noqa: E731

    def loss(point, unit):
        """Value and gradient, in a unit of loss, for the tolerances of a search have none."""
        point = torch.as_tensor(point).to(begin).requires_grad_()
        with torch.enable_grad():
            value = task.loss.value(made(point).expand(len(x), outputs), y)
        value.backward()
        return value.item() / unit, point.grad.double().cpu().numpy() / unit

    start = begin.double().cpu().numpy()
    unit = abs(loss(start, 1.0)[0]) or 1.0
    how = dict(method="L-BFGS-B", options=dict(maxiter=200, ftol=1e-14, gtol=0))
    return float(unit * minimize(loss, start, unit, jac=True, **how).fun)


def _fate(descent, record, start):
    """What became of the networks of a run from ``start`` (n, P): counts, as in :class:`Probe`."""
    task, final = descent.task, record.final[:, 0]
    seen = engine.run(
        descent, torch.cat([start, final.to(start)]), 0, observe=("loss", _same_for_all)
    )
    first, last = seen["loss"].reshape(2, -1)
    constant = constant_loss(task, start[0].to(final.dtype))
    dead = seen["_same_for_all"].reshape(2, -1)[1] == 1
    learned = (last < constant) & ~dead  # a constant is below the best one by rounding only
    far = ~(last <= _RUNAWAY * np.fmax(np.abs(first), abs(constant)))  # NaN, too
    return dict(
        learned=int(learned.sum()),
        runaway=int((far | ~record.alive).sum()),
        dead=int(dead.sum()),
        constant_loss=constant,
    )


def _same_for_all(s):
    """1 where no output of a network depends on the sample, else 0; (g, 1 + M)."""
    ranges = s.output.amax(-1) - s.output.amin(-1)  # (g, 1 + M, C)
    rounding = _ULPS * torch.finfo(s.output.dtype).eps * s.output.abs().amax((-1, -2))
    return (ranges.amax(-1) <= rounding).to(s.output.dtype)


_same_for_all.per, _same_for_all.needs_output = "network", True


def find(
    task,
    x=None,
    y=None,
    *,
    loss=None,
    start=None,
    low=1e-3,
    high=None,
    level=0.9,
    conditions=12,
    copies=1,
    epochs=100,
    radius=1e-8,
    tolerance=1.3,
    growth=10.0,
    expansions=6,
    most_probes=20,
    std=1.0,
    initialisation=None,
    seed=0,
    device=None,
):
    """The onset of fully developed sensitivity: the smallest learning rate probed with p(η) ≥
    ``level``.

    All probes look at the same initial conditions and the same copies, so that p changes with η
    alone.  With n conditions p comes in steps of 1/n: level 0.9 asks for 11 of 12.  A search costs
    (1 + M) n × epochs for each probe, by default 2,400 network-epochs: set it against what it saves
    (:func:`netdyn_lib.experiments.rivals.compare`).  Where fewer than half of the networks train at
    the answer, because they run away, die, or stay worse than a constant, ``converged`` is False
    and ``reason`` says so.

    Parameters
    ----------
    task : Task or torch.nn.Module
        For a module give ``x`` (N, …) and ``y`` too, class labels (N,) or numbers (N, C).
    loss : optional
        For a module; cross-entropy for whole-numbered targets and half the summed squared
        error for others where not given.
    start : torch.Tensor, optional
        (n, P) initial conditions of one's own, in place of ``conditions``, ``std`` and
        ``initialisation``.
    low, high, level, tolerance, growth, expansions, most_probes
        As for :func:`netdyn_lib.experiments.bisection.bisect`.
    conditions, copies, epochs, radius
        n, M, epochs and ε of each :func:`probe`.
    std : float
        Of a module's initial weights, under a normal initialisation; a task has its own.
    initialisation : str, optional
        One of :data:`netdyn_lib.tasks.initialisations.SCHEMES`; where not given a task's own, and
        for a module "normal", the papers' weights N(0, std²) with zero biases.  A module with
        normalisation, embedding or recurrent layers wants "pytorch".
    seed : int
        Of initial conditions and copies; the result depends on nothing else that is random.
    device : str, optional
        As :func:`netdyn_lib.torch_utils.resolve`; where the task is, where not given.

    Returns
    -------
    SweetSpot

    Raises
    ------
    ValueError
        As :func:`netdyn_lib.experiments.bisection.bisect` and :func:`probe`; for a module without
        data, or a task with data beside its own.
    """
    task = _as_task(task, x, y, loss, std)
    task = task if initialisation is None else replace(task, initialisation=initialisation)
    task = task if device is None else task.to(device)
    start = task.initial(conditions, seed) if start is None else start
    probes = {}

    def share(rate):
        probes[rate] = probe(task, rate, start, copies, epochs, radius, seed)
        return probes[rate].share.estimate

    try:
        found = bisect(share, low, high, level, tolerance, growth, expansions, most_probes)
    except ValueError as error:
        lost = _lost(probes)
        if not lost:
            raise
        raise ValueError("; ".join([str(error), *lost])) from error
    ordered = tuple(probes[r] for r in found.rates)
    trains, answer = _verdict(probes[found.high])
    return SweetSpot(
        learning_rate=found.high,
        low=found.low,
        high=found.high,
        level=level,
        probes=ordered,
        cost_epochs=sum(p.cost_epochs for p in ordered),
        converged=found.converged and trains,
        monotonic=found.monotonic,
        reason="; ".join([found.reason, answer, *_lost(probes)]),
        order=tuple(probes),
    )


def _verdict(p):
    """Whether the networks of a probe train, and why or why not in words."""
    at = f"at η = {p.learning_rate:.4g}"
    bar = f"the best constant output (loss {p.constant_loss:.3g})"
    if 2 * p.runaway >= p.count:
        return False, (
            f"the answer is a runaway: {at} the loss of {p.runaway} of {p.count} networks ends "
            f"above {_RUNAWAY:,.0f} times its start, or overflows"
        )
    if 2 * p.dead >= p.count:
        return False, (
            f"the answer is a graveyard: {at} {p.dead} of {p.count} networks end with outputs that "
            "are the same for every sample, as when all hidden units have died"
        )
    if math.isnan(p.constant_loss):
        return True, "a constant output has no loss here, so nothing says whether networks learn"
    if 2 * p.learned < p.count:
        return False, f"networks do not learn here: {at} only {p.learned} of {p.count} beat {bar}"
    return True, f"{at} {p.learned} of {p.count} networks beat {bar}"


def _lost(probes):
    """At which probes networks overflowed, and at which they died, in words; empty for none."""
    fates = {"overflowed and count as not sensitive": "diverged", "died": "dead"}
    said = []
    for what, field in fates.items():
        lost = [(getattr(p, field), p) for _, p in sorted(probes.items())]
        some = [f"{k} of {p.count} at η = {p.learning_rate:.4g}" for k, p in lost if k]
        said += [f"networks {what}: {', '.join(some)}"] if some else []
    return said


def _as_task(task, x, y, loss, std):
    if not isinstance(task, torch.nn.Module):
        if x is not None or y is not None:
            raise ValueError(
                "a task has its samples already: give x and y with a torch.nn.Module only"
            )
        return task
    if x is None or y is None:
        raise ValueError(
            f"{type(task).__name__} is a module: give the samples x and the targets y it is to learn"
        )
    if loss is None:
        labels = not numbers(y, "y").is_floating_point()
        loss = losses.CrossEntropy() if labels else losses.HalfSquaredError()
    return tasks.custom(type(task).__name__, task, loss, x, y, std=std)
