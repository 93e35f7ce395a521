"""The learning rate at which sensitivity to initial conditions is fully developed, found before
training (Jiménez-González 2025, last page), and whether the search pays.

    spot = find(module, x, y)
    spot.learning_rate, spot.cost_epochs, spot.reason

p(η) is the share of initial conditions from which an ε-ball grows exponentially, R² > 0.9 and
Λ > 0.05.  The paper reports the shortest training where p reaches 100%, and proposes to find that
η by bisection.  The proposal assumes that p rises with η.  It need not: p can fall again, and
networks overflow.  So every probe is kept, and what was met on the way is said in ``reason``.

Nor does p tell chaos from a descent that runs away: a linear network with squared error has no
chaos, and p = 1 from η = (1 + e^0.05)/λ, just beyond the edge of stability 2/λ, as its copies part
exponentially on the way to overflow.  Nor from a network all of whose hidden units have died: its
output bias can jump to and fro, and copies part with it.  So every probe also counts what became
of the networks themselves, and :func:`find` says where its answer is not one to train at.

Rival ways to a learning rate are set beside it by :func:`compare`.  All costs are in
network-epochs, one full-batch gradient of one network; measuring the test accuracy is free.

    found = {"default": 0.1, "sweet spot": find(task), "log grid": log_grid(task)}
    compare(task, found | {"2/sharpness": from_sharpness(task)}).rows
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize

from ..curvature import sharpness
from ..lyapunov import growth_fits
from ..statistics.intervals import Interval, bootstrap_interval, share_interval
from ..tasks import losses, networks, tasks
from ..training import gradient_descent as engine
from ..training import observables
from ..validation import positive, real, whole

_WINDOW = 20  # shortest growth window, in epochs
_RUNAWAY = 1e3  # times its start: a loss of which no training comes back within a probe
_ULPS = 64  # outputs that differ by less, in units of their rounding, are the same
#: What one Hessian–vector product costs in gradients: it is a gradient and that
#: gradient's derivative along a vector, each one sweep forward and one back.
PRODUCT = 2.0
#: Learning rates of a grid where none are given: three a decade.
GRID = tuple(float(f"{10 ** (k / 3):.3g}") for k in range(-9, 7))
_FRESH = 10_000  # index of the first initial condition that no search has seen


@dataclass(frozen=True)
class Search:
    """How to search: where to begin and end, and what to look at on the way.

    Parameters
    ----------
    low, high : float
        First bracket, η; ``high`` is ``growth`` × ``low`` where not given.
    level : float
        p to reach, in (0, 1].
    tolerance : float
        Ratio high/low to end at, above 1.
    growth : float
        Factor by which a bracket is moved, above 1.
    expansions, most_probes : int
        At most so many moves down and so many up; values of η tried, at most.
    conditions, copies, epochs, radius
        n initial conditions, M perturbed copies of each within ε = ``radius``, and the epochs over
        which they are followed, at least 20.  p comes in steps of 1/n: level 0.9 asks for 11 of 12.
    """

    low: float = 1e-3
    high: float | None = None
    level: float = 0.9
    tolerance: float = 1.3
    growth: float = 10.0
    expansions: int = 6
    most_probes: int = 20
    conditions: int = 12
    copies: int = 1
    epochs: int = 100
    radius: float = 1e-8

    def __post_init__(self):
        positive(self.low, "low", "the lower learning rate")
        if not 0 < real(self.level) <= 1:
            raise ValueError(
                f"level = {self.level}: a share of initial conditions to reach, must be in (0, 1]"
            )
        for name in ("tolerance", "growth"):
            if not 1 < real(getattr(self, name)) < math.inf:
                raise ValueError(
                    f"{name} = {getattr(self, name)}: a ratio of learning rates, "
                    "must be above 1 and finite"
                )
        if self.high is None:
            object.__setattr__(self, "high", self.low * self.growth)
        if positive(self.high, "high", "the higher learning rate") <= self.low:
            raise ValueError(f"low = {self.low} and high = {self.high}: a bracket needs low < high")
        whole(self.expansions, "expansions")
        whole(self.most_probes, "most_probes", 2)


@dataclass(frozen=True)
class Probe:
    """What one learning rate showed.

    ``share`` is p with Wilson's interval, over all ``count`` initial conditions; ``exponent``
    λ_nMLE in 1/epoch, over the ``kept`` ones (NaN for fewer than two).  ``diverged`` initial
    conditions overflowed, themselves or a copy, and ``merged`` met their copies to the last bit;
    both count as not kept.  ``cost_epochs`` is networks times epochs, copies included.

    What became of the ``count`` networks, copies aside, at the last epoch:

    - ``learned``: the loss is below ``constant_loss``, that of the best constant output;
    - ``runaway``: the loss is above 1,000 times its start (or 1,000 times ``constant_loss``, where
      the start was lower than that), or no number, or a copy ``diverged``;
    - ``dead``: the outputs are the same for all training samples, to 64 units of rounding, as where
      no hidden unit is alive.

    They do not add up to ``count``: a dead network may run away, and one that is none of the three
    is worse than a constant but not lost.
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

    ``learning_rate`` = ``high`` is the smallest η probed with p ≥ ``level``, ``low`` the largest
    one below it.  ``probes`` are in order of η; ``cost_epochs`` is their sum in network-epochs, and
    ``order`` the learning rates as they were probed.  ``monotonic`` says whether p never falls
    between probes.

    ``converged`` says that the bracket came down to the tolerance, and that the median network
    trains at ``learning_rate``: fewer than half have run away, fewer than half are dead, and at
    least half beat the best constant output.  Where one of these fails, ``reason`` says which.
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


def probe(task, learning_rate, balls, epochs=100, seed=0):
    """Return p and λ_nMLE at one learning rate, a :class:`Probe`.

    Λ is the slope of :func:`netdyn_lib.lyapunov.growth_fits.best_fit` with windows of at least 20
    epochs; p the share with R² > 0.9 and Λ > 0.05.

    balls : torch.Tensor (n, 1 + M, P), as from :func:`netdyn_lib.tasks.networks.perturbed`
    epochs : int, at least 20
    seed : int, of the bootstrap
    """
    epochs = whole(epochs, "epochs", _WINDOW, cause=f"a growth window has at least {_WINDOW}")
    descent = engine.GradientDescent(task, learning_rate)
    record = engine.run(descent, balls, epochs, observe=("mean_distance",))
    distance = record["mean_distance"]  # (T, n)
    apart = record.alive & (distance > 0).all(0)
    kept, exponent = np.zeros(len(balls), bool), Interval(np.nan, np.nan, np.nan)
    if apart.any():
        fit = growth_fits.best_fit(distance[:, apart], _WINDOW)
        kept[apart] = fit.kept()
        exponent = growth_fits.summarise(fit, seed=seed).exponent
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
        **_fate(descent, record, balls[:, 0]),
    )


def constant_loss(task, params):
    """Return the training loss of the best constant output, min over c of L(c, …, c).

    For :class:`~netdyn_lib.tasks.losses.CrossEntropy` it is the entropy of the class frequencies,
    for :class:`~netdyn_lib.tasks.losses.HalfSquaredError` ½ Σ|y − ȳ|².  For any loss it is found
    by minimising the task's own (L-BFGS).  With these two the search is over c itself, from zero
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


def find(task, x=None, y=None, search=None, start=None, seed=0):
    """Return the onset of fully developed sensitivity, a :class:`SweetSpot`.

    It is the smallest learning rate probed with p(η) ≥ ``search.level``.  All probes look at the
    same initial conditions and the same copies, so that p changes with η alone.  A search costs
    (1 + M) n × epochs for each probe, by default 2,400 network-epochs: set it against what it saves
    (:func:`compare`).

    Parameters
    ----------
    task : Task or torch.nn.Module
        For a module give ``x`` (N, …) and ``y`` too, class labels (N,) or numbers (N, C).  It is
        trained with cross-entropy for labels and half the summed squared error for numbers, from
        weights N(0, 1) and zero biases; for another loss, device or initialisation make the task
        by :func:`netdyn_lib.tasks.tasks.custom`.
    search : Search, optional
    start : torch.Tensor, optional
        (n, P) initial conditions of one's own.
    seed : int
        Of initial conditions and copies; the result depends on nothing else that is random.

    Raises
    ------
    NoBracket
        Where no bracket is found, naming p at both ends and the likely cause.
    """
    task, search, probes = _as_task(task, x, y), search or Search(), {}
    start = task.initial(search.conditions, seed) if start is None else start
    balls = networks.perturbed(start, search.radius, search.copies, seed)

    def share(rate):
        probes[rate] = probe(task, rate, balls, search.epochs, seed)
        return probes[rate].share.estimate

    try:
        found = bisect(share, search)
    except NoBracket as error:
        lost = _lost(probes)
        if not lost:
            raise
        raise NoBracket("; ".join([str(error), *lost])) from error
    ordered = tuple(probes[r] for r in found.rates)
    trains, answer = _trains(probes[found.high])
    return SweetSpot(
        learning_rate=found.high,
        low=found.low,
        high=found.high,
        level=search.level,
        probes=ordered,
        cost_epochs=sum(p.cost_epochs for p in ordered),
        converged=found.converged and trains,
        monotonic=found.monotonic,
        reason="; ".join([found.reason, answer, *_lost(probes)]),
        order=tuple(probes),
    )


def _trains(p):
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


def _as_task(task, x, y):
    if not isinstance(task, torch.nn.Module):
        if x is not None or y is not None:
            raise ValueError(
                "a task has its samples already: give x and y with a torch.nn.Module only"
            )
        return task
    if x is None or y is None:
        raise ValueError(
            f"{type(task).__name__} is a module: give the samples x and the targets y "
            "it is to learn"
        )
    return tasks.custom(type(task).__name__, task, losses.default(y), x, y)


class NoBracket(ValueError):
    """No learning rate that was probed has p below the level, or none has it at the level."""


@dataclass(frozen=True)
class Bracket:
    """Where a share p(η) reaches a level: p(``low``) < level ≤ p(``high``).

    ``rates`` and ``shares`` are all that was probed, in order of η; ``converged`` says whether
    high/low came down to the tolerance, ``monotonic`` whether p never falls between probes, and
    ``reason`` both in words.
    """

    low: float
    high: float
    rates: tuple
    shares: tuple
    converged: bool
    monotonic: bool
    reason: str


def bisect(share, search):
    """Return where a share p(η) first reaches a level, by bisection in ln η, a :class:`Bracket`.

    First a bracket, p(low) < level ≤ p(high).  Where p(low) is too large, low moves down by
    ``growth``.  Where p(high) is too small, p may have risen and fallen again below high, so gaps
    are halved in ln η before high moves up: those beside the largest p, down to the tolerance, or,
    while p is zero everywhere, those wider than ``growth``.

    share : callable, η ↦ p(η) in [0, 1], which need not be monotonic
    search : Search

    >>> found = bisect(lambda rate: float(rate > 2), Search(0.1, 10, tolerance=1.01))
    >>> round(found.high, 1), found.monotonic
    (2.0, True)
    """
    level, low, seen = search.level, search.low, {}

    def look(rate):
        """Probe one more η; False where no probe is left."""
        if len(seen) < search.most_probes:
            seen[rate] = float(share(rate))
            return True
        return False

    def first():
        """The smallest η with p ≥ level, infinite for none."""
        return min((r for r, p in seen.items() if p >= level), default=math.inf)

    look(low)
    for _ in range(search.expansions):
        if seen[low] < level or not look(low / search.growth):
            break
        low /= search.growth
    if seen[low] < level and first() == math.inf:
        _climb(look, seen, first, search)
    if seen[low] >= level or first() == math.inf:
        raise NoBracket(_complaint(seen, level))
    while True:
        high = first()
        low = max(r for r in seen if r < high)
        if high / low <= search.tolerance or not look(math.sqrt(low * high)):
            return _bracket(low, high, seen, search)


def _climb(look, seen, first, search):
    """Look upwards, and between the probes, until p ≥ level somewhere."""
    high = search.high
    for _ in range(search.expansions + 1):
        if not look(high):
            return
        while first() == math.inf:
            between = _between(seen, search)
            if between is None or not look(between):
                break
        if first() < math.inf:
            return
        high *= search.growth


def _between(seen, search):
    """The middle of the widest gap beside the largest p, or of any while p is zero; else None."""
    rates = sorted(seen)
    gaps, narrow = range(len(rates) - 1), search.growth * (1 + 1e-9)
    if max(seen.values()) > 0:
        k = max(range(len(rates)), key=lambda i: seen[rates[i]])
        gaps, narrow = [i for i in (k - 1, k) if i in gaps], search.tolerance
    k = max(gaps, key=lambda i: rates[i + 1] / rates[i])
    return math.sqrt(rates[k] * rates[k + 1]) if rates[k + 1] / rates[k] > narrow else None


def _complaint(seen, level):
    rates = sorted(seen)
    top = max(rates, key=seen.get)
    if seen[rates[0]] >= level:
        cause = (
            "the lower end is sensitive already: give a smaller low, or check that the inputs "
            "are scaled"
        )
    elif seen[top] == 0:
        cause = (
            "no initial condition is sensitive at any of them: the loss may be too simple for "
            "chaos, the networks may overflow first, or high is too small"
        )
    else:
        cause = (
            f"the largest is p({top:.3g}) = {seen[top]:.3g}: lower the level, or take more "
            "conditions or epochs"
        )
    ends = " and ".join(f"p({r:.3g}) = {seen[r]:.3g}" for r in (rates[0], rates[-1]))
    return f"{ends} do not bracket the level {level:.3g} after {len(rates)} probes; {cause}"


def _bracket(low, high, seen, search):
    rates, ratio = sorted(seen), high / low
    shares = [seen[r] for r in rates]
    ends = " and ".join(f"{r:.4g} (p = {seen[r]:.3g})" for r in (low, high))
    said = [f"p reaches {search.level:.3g} between η = {ends}"]
    if ratio > search.tolerance:
        said.append(
            f"stopped after {len(rates)} probes at a ratio of {ratio:.3g}, "
            f"not {search.tolerance:.3g}"
        )
    steps = np.diff(shares)
    if (steps < 0).any():
        k = int(steps.argmin())
        said.append(
            f"p is not monotonic: it falls from {shares[k]:.3g} at η = {rates[k]:.4g} "
            f"to {shares[k + 1]:.3g} at {rates[k + 1]:.4g}"
        )
    monotonic = not (steps < 0).any()
    converged = ratio <= search.tolerance
    return Bracket(low, high, tuple(rates), tuple(shares), converged, monotonic, "; ".join(said))


@dataclass(frozen=True)
class Found:
    """A learning rate, what finding it cost in network-epochs, and how it was found in words."""

    learning_rate: float
    cost_epochs: float
    reason: str


@dataclass(frozen=True)
class Row:
    """One way to a learning rate, over ``count`` fresh initial conditions.

    ``cost_epochs`` is what the search cost; ``arrived`` how many networks reached the target,
    ``never`` the share that did not, with Wilson's interval.  ``median`` is the median τ in epochs
    (of two middle ones the later), infinite where half never arrive; ``restricted`` the restricted
    mean of min(τ, cap) with a bootstrap interval (a network that never arrives spends the cap).
    ``total_one`` and ``total_ten`` are search plus one and ten trainings.  ``break_even`` is the
    number of trainings from which search and training together cost less than with the default η: 0
    for at once, infinite for never.
    """

    method: str
    learning_rate: float
    cost_epochs: float
    count: int
    arrived: int
    never: Interval
    median: float
    restricted: Interval
    total_one: float
    total_ten: float
    break_even: float


@dataclass(frozen=True)
class Comparison:
    """Rows of :func:`compare`, the first the ``default``; ``arrivals`` (n,) τ by method, NaN for
    never.
    """

    rows: tuple
    default: str
    target: float
    cap: int
    sustained: int
    arrivals: dict


def arrival(task, rates, start, cap, sustained=20):
    """Return the epoch τ from which the test accuracy holds the task's target, NaN for never.

    (k, n), at each of k learning rates, from the same initial conditions ``start`` (n, P).  It
    holds for ``sustained`` epochs in a row; τ is looked for up to the epoch ``cap``, and the run
    goes on for ``sustained`` − 1 epochs more.
    """
    cap = whole(cap, "cap", 1, cause="epochs")
    sustained = whole(sustained, "sustained", 1, cause="epochs")
    balls, each = engine.each_rate(start, rates)
    descent, last = engine.GradientDescent(task, each), cap + sustained - 1
    record = engine.run(descent, balls, last, observe=("test_accuracy",))
    accuracy = record.by_rate("test_accuracy", len(rates))  # (T, k, n)
    return observables.first_hit(record.epochs, accuracy, task.target_accuracy, sustained)


def log_grid(task, rates=GRID, cap=500, sustained=20, seed=0):
    """Train one network at each learning rate until the first has arrived; return its η, a Found.

    The cost is k (τ + ``sustained`` − 1), for all k stop once the first one's arrival is confirmed.
    Ties go to the smaller η.  All start from initial condition 0; cap and sustained as for
    :func:`arrival`.  Raises ValueError where none arrives.
    """
    rates = sorted(float(r) for r in rates)
    start = task.initial(1, seed, device=task.x.device)
    taken = arrival(task, rates, start, cap, sustained)[:, 0]  # (k,)
    if np.isnan(taken).all():
        raise ValueError(
            f"none of {len(rates)} networks at η from {rates[0]:.3g} to {rates[-1]:.3g} holds the "
            f"target accuracy {task.target_accuracy} for {sustained} epochs by epoch {cap}: "
            "raise the cap, lower the target or move the grid"
        )
    k = int(np.nanargmin(taken))
    cost = len(rates) * (float(taken[k]) + sustained - 1)
    reason = (
        f"first of {len(rates)} to arrive, at epoch {taken[k]:.0f}; "
        f"{int(np.isnan(taken).sum())} never did by {cap}"
    )
    return Found(rates[k], cost, reason)


def from_sharpness(task, conditions=4, tolerance=1e-3, seed=0):
    """Return η = 2/λ, the edge of stability at the median sharpness λ of a few initial networks.

    A :class:`Found`; its cost is 2 for each Hessian–vector product (:data:`PRODUCT`) of Lanczos, to
    the relative ``tolerance``.
    """
    start = task.initial(conditions, seed, device=task.x.device)
    descent = engine.GradientDescent(task, 1.0)
    measured = sharpness.along_descent(descent, start, 0, [0], tolerance=tolerance)
    if not measured.converged.all():
        raise ValueError(
            f"{int((~measured.converged).sum())} of {conditions} networks have no sharpness: "
            "Lanczos did not converge"
        )
    middle = float(np.median(measured.values[0]))  # of (n,)
    if middle <= 0:
        raise ValueError(
            f"median sharpness {middle:.3g}: not positive, so there is no edge of stability"
        )
    products = int(measured.products.sum())
    reason = (
        f"median sharpness {middle:.4g} of {conditions} networks; "
        f"{products} Hessian–vector products"
    )
    return Found(2 / middle, PRODUCT * products, reason)


def compare(task, candidates, conditions=50, cap=500, sustained=20, seed=0):
    """Train fresh networks at every candidate's learning rate, and return a :class:`Comparison`.

    It sets what each search saves against what it cost.

    Parameters
    ----------
    task : Task
    candidates : dict
        Method to :class:`SweetSpot`, :class:`Found`, or a number: an η that cost nothing.  The
        first is the default that the others have to beat.
    conditions : int
        n, at least 2; the same initial conditions for all, none that a search has used.
    cap, sustained
        As for :func:`arrival`.
    """
    whole(conditions, "conditions", 2, cause="an interval needs at least 2")
    methods = list(candidates)
    rates = [float(getattr(c, "learning_rate", c)) for c in candidates.values()]
    costs = [float(getattr(c, "cost_epochs", 0)) for c in candidates.values()]
    start = task.initial(conditions, seed, start=_FRESH, device=task.x.device)
    taken = arrival(task, rates, start, cap, sustained)  # (k, n)
    spent = np.where(np.isnan(taken), cap, taken)
    rows = []
    for method, rate, cost, tau, epochs in zip(methods, rates, costs, taken, spent):
        mean = float(epochs.mean())
        rows.append(
            Row(
                method=method,
                learning_rate=rate,
                cost_epochs=cost,
                count=conditions,
                arrived=int(np.isfinite(tau).sum()),
                never=share_interval(np.isnan(tau)),
                median=float(np.sort(np.where(np.isnan(tau), np.inf, tau))[conditions // 2]),
                restricted=bootstrap_interval(epochs, seed=seed),
                total_one=cost + mean,
                total_ten=cost + 10 * mean,
                break_even=break_even(cost, mean, costs[0], float(spent[0].mean())),
            )
        )
    by_method = dict(zip(methods, taken))
    return Comparison(tuple(rows), methods[0], task.target_accuracy, cap, sustained, by_method)


def break_even(cost, each, default_cost, default_each):
    """Return the trainings N from which cost + N · each ≤ default_cost + N · default_each.

    In network-epochs; infinite for never.

    >>> break_even(1000, 20, 0, 30)
    100.0
    """
    if cost <= default_cost:
        return 0.0 if each <= default_each else math.inf
    return math.inf if each >= default_each else (cost - default_cost) / (default_each - each)
