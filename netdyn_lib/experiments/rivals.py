"""Does searching the sweet spot pay?  Rival ways to a learning rate, and what each costs and saves.

All costs are in network-epochs: one full-batch gradient of one network.
Measuring the test accuracy is not counted, for any method.

    found = {"sweet spot": sweetspot.find(task), "log grid": log_grid(task), "2/sharpness":
    from_sharpness(task), "default": 0.1} for row in compare(task, found, default="default").rows:
    ...
"""

import math
from dataclasses import dataclass

import numpy as np

from ..curvature import sharpness
from ..statistics.intervals import Interval, bootstrap_interval, share_interval
from ..training import gradient_descent as engine
from ..training import observables
from ..validation import positive, whole

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
