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

Where a share p(η) that need not be monotonic first reaches a level: bisection in ln η.

>>> found = bisect(lambda rate: float(rate > 2), 0.1, 10, tolerance=1.01)
>>> round(found.high, 1), found.monotonic
(2.0, True)

Does searching the sweet spot pay?  Rival ways to a learning rate, and what each costs and saves.

All costs are in network-epochs: one full-batch gradient of one network.
Measuring the test accuracy is not counted, for any method.

    found = {"sweet spot": sweetspot.find(task), "log grid": log_grid(task), "2/sharpness":
    from_sharpness(task), "default": 0.1} for row in compare(task, found, default="default").rows:
    ...
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize

from ..curvature import sharpness
from ..lyapunov import growth_fits
from ..statistics.intervals import Interval, bootstrap_interval, share_interval
from ..tasks import losses, networks, tasks
from ..training import gradient_descent as engine
from ..training import observables
from ..validation import numbers, positive, real, whole

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
    as in :class:`netdyn_lib.experiments.sweet_spot.Bracket`; ``reason`` has its words, and how many
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
    (:func:`netdyn_lib.experiments.sweet_spot.compare`).  Where fewer than half of the networks train at
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
        As for :func:`netdyn_lib.experiments.sweet_spot.bisect`.
    conditions, copies, epochs, radius
        n, M, epochs and ε of each :func:`probe`.
    std : float
        Of a module's initial weights, under a normal initialisation; a task has its own.
    initialisation : str, optional
        One of :data:`netdyn_lib.tasks.networks.SCHEMES`; where not given a task's own, and
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
        As :func:`netdyn_lib.experiments.sweet_spot.bisect` and :func:`probe`; for a module without
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


@dataclass(frozen=True)
class Bracket:
    """Where a share p(η) reaches a level: p(``low``) < level ≤ p(``high``).

    ``rates`` and ``shares`` are all that was probed, in order of η; ``converged``
    says whether high/low came down to the tolerance, ``monotonic`` whether p
    never falls between probes, and ``reason`` both in words.
    """

    low: float
    high: float
    rates: tuple
    shares: tuple
    converged: bool
    monotonic: bool
    reason: str


def bisect(
    share, low, high=None, level=0.9, tolerance=1.3, growth=10.0, expansions=6, most_probes=20
):
    """Bisection in ln η on p(η) ≥ level.

    First a bracket, p(low) < level ≤ p(high).  Where p(low) is too large, low
    moves down by ``growth``.  Where p(high) is too small, p may have risen and
    fallen again below high, so gaps are halved in ln η before high moves up:
    those beside the largest p, down to the tolerance, or, while p is zero
    everywhere, those wider than ``growth``.

    Parameters
    ----------
    share : callable
        η ↦ p(η) in [0, 1].
    low, high : float
        First bracket, η; ``high`` is ``growth`` × ``low`` where not given.
    level : float
        In (0, 1].
    tolerance : float
        Ratio high/low to end at, above 1.
    growth : float
        Factor of an expansion, above 1.
    expansions : int
        At most so many down and so many up.
    most_probes : int
        Values of η tried, at most.

    Returns
    -------
    Bracket

    Raises
    ------
    ValueError
        Where no bracket is found, naming p at both ends and the likely cause;
        for options outside what is stated here.
    """
    low = positive(low, "low", "the lower learning rate")
    if not 0 < real(level) <= 1:
        raise ValueError(
            f"level = {level}: a share of initial conditions to reach, must be in (0, 1]"
        )
    for name, value in (("tolerance", tolerance), ("growth", growth)):
        if not 1 < real(value) < math.inf:
            raise ValueError(
                f"{name} = {value}: a ratio of learning rates, must be above 1 and finite"
            )
    high = low * growth if high is None else positive(high, "high", "the higher learning rate")
    if high <= low:
        raise ValueError(f"low = {low} and high = {high}: a bracket needs low < high")
    expansions = whole(expansions, "expansions")
    search = _Search(share, level, tolerance, whole(most_probes, "most_probes", 2))
    search.probe(low)
    for _ in range(expansions):
        if search.seen[low] < level:
            break
        if not search.probe(low / growth):
            break
        low /= growth
    if search.seen[low] < level and search.first() is None:
        search.climb(high, growth, expansions)
    if search.seen[low] >= level or search.first() is None:
        raise ValueError(search.complaint())
    low, high = search.bracket()
    while high / low > tolerance and search.probe(math.sqrt(low * high)):
        low, high = search.bracket()
    return search.result(low, high)


class _Search:
    """Probes of one bisection: ``seen`` maps η to p."""

    def __init__(self, share, level, tolerance, most):
        self._share, self._level, self._tolerance, self._most = share, level, tolerance, most
        self.seen = {}

    def probe(self, rate):
        """Look at one more η; False where no probe is left."""
        if len(self.seen) == self._most:
            return False
        self.seen[rate] = float(self._share(rate))
        return True

    def first(self):
        """The smallest η with p ≥ level, or None."""
        return min((r for r, p in self.seen.items() if p >= self._level), default=None)

    def bracket(self):
        high = self.first()
        return max(r for r in self.seen if r < high), high

    def climb(self, high, growth, expansions):
        """Upwards, and between the probes, until p ≥ level somewhere."""
        for _ in range(expansions + 1):
            if not self.probe(high):
                return
            while self.first() is None:
                between = self._between(growth)
                if between is None or not self.probe(between):
                    break
            if self.first() is not None:
                return
            high *= growth

    def _between(self, growth):
        """The middle of the widest gap beside the largest p, or of any while p is zero; None where
        those are narrow.
        """
        rates = sorted(self.seen)
        gaps, narrow = range(len(rates) - 1), growth * (1 + 1e-9)
        if max(self.seen.values()) > 0:
            k = max(range(len(rates)), key=lambda i: self.seen[rates[i]])
            gaps, narrow = [i for i in (k - 1, k) if i in gaps], self._tolerance
        k = max(gaps, key=lambda i: rates[i + 1] / rates[i])
        return math.sqrt(rates[k] * rates[k + 1]) if rates[k + 1] / rates[k] > narrow else None

    def complaint(self):
        rates = sorted(self.seen)
        ends = f"p({rates[0]:.3g}) = {self.seen[rates[0]]:.3g} and p({rates[-1]:.3g}) = {self.seen[rates[-1]]:.3g}"
        top = max(rates, key=self.seen.get)
        if self.seen[rates[0]] >= self._level:
            cause = "the lower end is sensitive already: give a smaller low, or check that the inputs are scaled"
        elif self.seen[top] == 0:
            cause = (
                "no initial condition is sensitive at any of them: the loss may be too simple for chaos, "
                "the networks may overflow first, or high is too small"
            )
        else:
            cause = f"the largest is p({top:.3g}) = {self.seen[top]:.3g}: lower the level, or take more conditions or epochs"
        return (
            f"{ends} do not bracket the level {self._level:.3g} after {len(rates)} probes; {cause}"
        )

    def result(self, low, high):
        rates = sorted(self.seen)
        shares = [self.seen[r] for r in rates]
        converged = high / low <= self._tolerance
        said = [
            f"p reaches {self._level:.3g} between η = {low:.4g} (p = {self.seen[low]:.3g}) and {high:.4g} (p = {self.seen[high]:.3g})"
        ]
        if not converged:
            said.append(
                f"stopped after {len(rates)} probes at a ratio of {high / low:.3g}, not {self._tolerance:.3g}"
            )
        falls = [k for k in range(len(rates) - 1) if shares[k + 1] < shares[k]]
        if falls:
            k = min(falls, key=lambda k: shares[k + 1] - shares[k])
            said.append(
                f"p is not monotonic: it falls from {shares[k]:.3g} at η = {rates[k]:.4g} to {shares[k + 1]:.3g} at {rates[k + 1]:.4g}"
            )
        return Bracket(
            low, high, tuple(rates), tuple(shares), converged, not falls, "; ".join(said)
        )


#: What one Hessian–vector product costs in gradients: it is a gradient and that
#: gradient's derivative along a vector, each one sweep forward and one back.
PRODUCT = 2.0

#: Learning rates of a grid where none are given: three a decade.
GRID = tuple(float(f"{10 ** (k / 3):.3g}") for k in range(-9, 7))

_FIRST = 10_000  # index of the first initial condition that no search has seen


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


def arrival(task, rates, start, cap, target=None, sustained=20):
    """Epoch τ from which the test accuracy is at least the target, at each learning rate: (k, n),
    NaN for never.

    Parameters
    ----------
    task : Task
    rates : sequence of float
        k learning rates.
    start : torch.Tensor
        (n, P), the same for all rates.
    cap : int
        Latest τ looked for; the run goes on for ``sustained`` − 1 epochs more.
    target : float, optional
        The task's own where not given.
    sustained : int
        Epochs in a row that count as arrival.

    Raises
    ------
    ValueError
        For a task without class labels, a ``cap`` or ``sustained`` below 1, and as
        :func:`netdyn_lib.training.gradient_descent.each_rate`.
    """
    cap, sustained = (
        whole(cap, "cap", 1, cause="epochs"),
        whole(sustained, "sustained", 1, cause="epochs"),
    )
    target = task.target_accuracy if target is None else target
    balls, each = engine.each_rate(start, rates)
    record = engine.run(
        engine.GradientDescent(task, each), balls, cap + sustained - 1, observe=("test_accuracy",)
    )
    accuracy = record.by_rate("test_accuracy", len(rates))  # (T, k, n)
    return observables.first_hit(record.epochs, accuracy, target, sustained)


def log_grid(task, rates=GRID, cap=500, target=None, sustained=20, seed=0):
    """One network at each learning rate, side by side, until the first has arrived; its η is taken.

    The cost is k (τ + ``sustained`` − 1), for all k stop once the first one's
    arrival is confirmed.  Ties go to the smaller η.  All start from initial condition 0.

    Parameters as for :func:`arrival`.

    Returns
    -------
    Found

    Raises
    ------
    ValueError
        Where none arrives within the cap; as :func:`arrival`.
    """
    rates = sorted(float(r) for r in rates)
    # (k,)
    taken = arrival(
        task, rates, task.initial(1, seed, device=task.x.device), cap, target, sustained
    )[:, 0]
    if np.isnan(taken).all():
        raise ValueError(
            f"none of {len(rates)} networks at η from {rates[0]:.3g} to {rates[-1]:.3g} holds the target accuracy "
            f"{task.target_accuracy if target is None else target} for {sustained} epochs by epoch {cap}: "
            "raise the cap, lower the target or move the grid"
        )
    k = int(np.nanargmin(taken))
    cost = len(rates) * (float(taken[k]) + sustained - 1)
    return Found(
        rates[k],
        cost,
        f"first of {len(rates)} to arrive, at epoch {taken[k]:.0f}; {int(np.isnan(taken).sum())} never did by {cap}",
    )


def from_sharpness(task, conditions=4, after=0, rate=None, tolerance=1e-3, factor=2.0, seed=0):
    """η = 2/λ: the edge of stability at the median sharpness λ of a few networks, before training
    or early in it.

    Parameters
    ----------
    task : Task
    conditions : int
        Networks measured.
    after : int
        Epoch at which sharpness is measured: 0 at initialisation.
    rate : float, optional
        η of the epochs before; needed for ``after`` > 0.
    tolerance : float
        Relative, of Lanczos.
    factor : float
        Of factor/λ.
    seed : int

    Returns
    -------
    Found
        Its cost: ``conditions`` × ``after`` epochs, and 2 for each Hessian–vector product
        (:data:`PRODUCT`).

    Raises
    ------
    ValueError
        For ``after`` without a rate; where a network has diverged, Lanczos has not
        converged, or the median sharpness is not positive.
    """
    after = whole(after, "after")
    factor = positive(factor, "factor", "the edge in units of 1/sharpness")
    if after and rate is None:
        raise ValueError(f"after = {after}: give the rate of those epochs")
    start = task.initial(conditions, seed, device=task.x.device)
    measured = sharpness.along_descent(
        engine.GradientDescent(task, rate or 1.0), start, after, [after], tolerance=tolerance
    )
    sharp = measured.values[0]  # (n,)
    if not measured.converged.all():
        raise ValueError(
            f"{int((~measured.converged).sum())} of {len(sharp)} networks have no sharpness: they diverged, or Lanczos did not converge"
        )
    middle = float(np.median(sharp))
    if middle <= 0:
        raise ValueError(
            f"median sharpness {middle:.3g}: not positive, so there is no edge of stability; measure after some epochs"
        )
    products = int(measured.products.sum())
    cost = len(sharp) * after + PRODUCT * products
    return Found(
        factor / middle,
        cost,
        f"median sharpness {middle:.4g} of {len(sharp)} networks at epoch {after}; {products} Hessian–vector products",
    )


def compare(
    task,
    candidates,
    default,
    conditions=50,
    cap=500,
    target=None,
    sustained=20,
    first=_FIRST,
    seed=0,
):
    """Train fresh networks at every candidate's learning rate, and set what it saves against what
    it cost.

    Parameters
    ----------
    task : Task
    candidates : dict
        Method to :class:`~netdyn_lib.experiments.sweet_spot.SweetSpot`, :class:`Found`, or a
        number: an η that cost nothing.
    default : str
        The candidate that the others have to beat.
    conditions : int
        n, at least 2; the same initial conditions for all.
    cap, target, sustained
        As for :func:`arrival`.
    first : int
        Index of the first initial condition: none that a search has used.
    seed : int
        Of the initial conditions.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        For a ``default`` that is no candidate, fewer than 2 conditions; as :func:`arrival`.
    """
    if default not in candidates:
        raise ValueError(
            f"default {default!r} is no candidate; candidates: {', '.join(map(repr, candidates))}"
        )
    whole(conditions, "conditions", 2, cause="an interval needs at least 2")
    methods = [default, *(m for m in candidates if m != default)]
    rates = [float(getattr(candidates[m], "learning_rate", candidates[m])) for m in methods]
    costs = [float(getattr(candidates[m], "cost_epochs", 0)) for m in methods]
    start = task.initial(conditions, seed, start=first, device=task.x.device)
    taken = arrival(task, rates, start, cap, target, sustained)  # (k, n)
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
    target = task.target_accuracy if target is None else target
    return Comparison(tuple(rows), default, target, cap, sustained, dict(zip(methods, taken)))


def break_even(cost, each, default_cost, default_each):
    """Trainings N from which cost + N · each ≤ default_cost + N · default_each, in network-epochs;
    infinite for never.

    >>> break_even(1000, 20, 0, 30)
    100.0
    """
    if cost <= default_cost:
        return 0.0 if each <= default_each else math.inf
    return math.inf if each >= default_each else (cost - default_cost) / (default_each - each)
