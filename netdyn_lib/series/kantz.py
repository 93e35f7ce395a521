"""Kantz's exponent of a scalar series.

The method asks of a single recorded series whether nearby states part
exponentially: neighbours of a reference point are followed for a few steps,
and the logarithm of their mean distance is fitted by a line.

Distances grow, at first, in every series that remembers its past: neighbours in value
forget that they were alike.  So a slope says nothing by itself, and what is significant is judged
against surrogates that have the values and the spectrum of the series, by :func:`calibrate`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.spatial import cKDTree

from ..statistics.intervals import Interval, bootstrap_interval, real_array
from ..validation import whole
from .autocorrelation import checked, surrogate


@dataclass(frozen=True)
class Divergence:
    """Distances between reference points of a series and their neighbours, as both move on.

    Attributes
    ----------
    index : array of int, shape (R,)
        Times of the references, ascending.
    start : array, shape (R,)
        Values of the series there.
    distances : array, shape (R, k, N + 1)
        ``|s(i + n) - s(j + n)|`` of reference i and neighbour j, n = 0 … N.
    """

    index: np.ndarray
    start: np.ndarray
    distances: np.ndarray
    dimension: int

    @property
    def curves(self) -> np.ndarray:
        """Return the mean distance d_n over the neighbours, (R, N + 1)."""
        return self.distances.mean(1)

    @property
    def log_curves(self) -> np.ndarray:
        """Return ln d_n, (R, N + 1); NaN where all neighbours coincide with the reference."""
        return log_distance(self.curves)


def divergence(
    series: ArrayLike,
    references: int = 1000,
    dimension: int = 1,
    neighbours: int = 10,
    theiler: int = 10,
    steps: int = 10,
    seed: int = 0,
) -> Divergence:
    """Follow the nearest neighbours of reference points of a series (Kantz, Phys. Lett. A 185, 77,
    1994).

    States are delay vectors ``(s(t - m + 1), …, s(t))`` with the maximum norm;
    the k nearest ones, further than the Theiler window in time, are the
    neighbours of a reference.  What is followed is the distance of the newest
    component, as in the paper.  Kantz takes all neighbours within a radius;
    a fixed number of them treats dense and sparse regions alike.

    Parameters
    ----------
    series : array, shape (T,)
    references : int
        Number R of reference points, drawn without repetition; all the points
        there are, if fewer.
    dimension : int
        Embedding dimension m.
    neighbours : int
        k.
    theiler : int
        Neighbours differ from the reference by more than this many steps.
    steps : int
        N, the number of steps followed.
    seed : int

    Returns
    -------
    Divergence

    Raises
    ------
    ValueError
        For NaN, any size below its least value, or a series too short to hold
        k neighbours outside the Theiler window of each reference.
    """
    values = checked(series)
    sizes = dict(references=references, dimension=dimension, neighbours=neighbours, steps=steps)
    for name, size in (sizes | dict(theiler=theiler)).items():
        whole(size, name, 0 if name == "theiler" else 1)
    times = np.arange(dimension - 1, len(values) - steps)
    near = 2 * theiler + 1  # candidates that the Theiler window excludes, at most
    if len(times) < neighbours + near:
        has = f"a series of {len(values)} has {len(times)} states with {steps} steps ahead"
        needs = f"{neighbours} neighbours outside a Theiler window of {theiler} need at least"
        raise ValueError(f"{has}, but {needs} {neighbours + near}: lengthen it, or ask for fewer")
    states = np.stack([values[times - lag] for lag in range(dimension)], axis=1)  # (states, m)
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(times), min(references, len(times)), replace=False))
    # (R, k + near), nearest first
    _, found = cKDTree(states).query(states[chosen], k=neighbours + near, p=np.inf)
    apart = np.abs(found - chosen[:, None]) > theiler
    first = np.argsort(~apart, axis=1, kind="stable")[:, :neighbours]
    partner = times[np.take_along_axis(found, first, axis=1)]  # (R, k)
    ahead = np.arange(steps + 1)
    own = values[times[chosen][:, None] + ahead]  # (R, N + 1)
    distances = np.abs(values[partner[..., None] + ahead] - own[:, None])
    return Divergence(times[chosen], own[:, 0], distances, dimension)


def log_distance(distance: ArrayLike) -> np.ndarray:
    """Return ln d of distances of any shape, NaN where d is exactly zero.

    >>> log_distance(np.array([1.0, 0.0])).tolist()
    [0.0, nan]
    """
    d = np.asarray(distance, dtype=float)
    return np.log(d, out=np.full(d.shape, np.nan), where=d > 0)


@dataclass(frozen=True)
class Expansion:
    """Lines through ln d_n, one for each reference; arrays of shape (R,).

    ``slope`` is the finite exponent Λ per step and ``p`` the one-sided
    probability of a slope as large if ln d_n did not grow; both are NaN where
    ``undefined``: a curve with a zero distance inside the fitted range.
    """

    slope: np.ndarray
    intercept: np.ndarray
    p: np.ndarray
    first: int
    last: int

    @property
    def undefined(self) -> np.ndarray:
        """Return the references without a slope; (R,) bool."""
        return np.isnan(self.slope)

    def significant(self, threshold: float = 0.05) -> np.ndarray:
        """Return which references have slope > 0 and p below the threshold; (R,) bool, false where
        undefined.

        0.05 is the plain test, which noise with a memory passes too: take the threshold of
        :func:`calibrate`.
        """
        return (self.slope > 0) & (self.p < threshold)


def expansion(log_curves: ArrayLike, first: int = 1, last: int | None = None) -> Expansion:
    """Fit a least-squares line through ln d_n, n = first … last, of each reference.

    The test is Student's, one-sided: t = slope / (its standard error), with the number of points
    less two degrees of freedom.  Successive ln d_n are correlated, and grow in noise with a memory
    as well, so p is not what it seems: see :func:`calibrate`.  n = 0 is left out by default,
    because neighbours are chosen to be close there: from n = 0 even a shuffled series seems to
    expand.

    Parameters
    ----------
    log_curves : array, shape (R, N + 1)
        ln d_n, such as :attr:`Divergence.log_curves`; NaN where undefined.
    first, last : int
        Range of n fitted, ends included; ``last`` defaults to the last step.

    Returns
    -------
    Expansion

    Raises
    ------
    ValueError
        For an array of another shape, an infinite logarithm (a distance of
        zero or overflow), a range that leaves the curves, or one of fewer
        than three points.
    """
    logs = real_array(log_curves, "log_curves")
    if logs.ndim != 2:
        what = f"log_curves of shape {logs.shape}"
        raise ValueError(f"{what}: one row for each reference is needed, (R, N + 1)")
    if np.isinf(logs).any():
        what = f"{int(np.isinf(logs).sum())} logarithms are infinite"
        raise ValueError(f"{what}: take none of a distance of zero, leave NaN")
    steps = logs.shape[1] - 1
    last = steps if last is None else last
    if not 0 <= first <= last - 2 or last > steps:
        what = f"range n = {first} … {last}"
        raise ValueError(f"{what} must hold 3 points or more within 0 … {steps}")
    y = logs[:, first : last + 1]  # (R, n)
    n = np.arange(first, last + 1.0)
    x = n - n.mean()
    slope = y @ x / (x @ x)
    intercept = y.mean(1) - slope * n.mean()
    residual = y - intercept[:, None] - slope[:, None] * n
    error = np.sqrt((residual**2).sum(1) / (len(n) - 2) / (x @ x))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = stats.t.sf(slope / error, len(n) - 2)
    return Expansion(slope, intercept, p, first, last)


@dataclass(frozen=True)
class Calibration:
    """The threshold on p that 5% of the null model's references pass.

    ``nominal`` is the share of these references with p < 0.05: what the
    uncorrected test calls significant where there is nothing.  ``slope`` is their mean slope, which
    shows the bias of a fit from n = 0.
    """

    threshold: float
    nominal: float
    slope: float
    references: int


def calibrate(
    series: ArrayLike,
    null: Callable = surrogate,
    copies: int = 10,
    first: int = 1,
    seed: int = 0,
    **options,
) -> Calibration:
    """Return the threshold on p at which 5% of the references of a null model seem to expand.

    The null model is by default a linear process with the values and the spectrum
    of the series.  Shuffles have its values alone, and do not suffice:

    Of 1,000 references of x(t + 1) = 0.9 x(t) + noise, 3,000 values long, 61% (57 to 67% in
    20 such series) expand significantly by the plain test p < 0.05, 61% (58 to 68%) by the
    threshold of shuffles, and 5.0% (4.0 to 7.3%) by that of surrogates, where 5% are aimed at.

    Parameters
    ----------
    series : array, shape (T,)
    null : callable
        ``null(series, seed)``: :func:`netdyn_lib.series.autocorrelation.surrogate` or, for the null
        model of independent values, :func:`netdyn_lib.series.autocorrelation.shuffled`.
    copies : int
        Series drawn from the null model; their references are pooled.
    first : int
        As for :func:`expansion`.
    **options
        As for :func:`divergence`.

    Raises
    ------
    ValueError
        For copies of which no reference has a defined slope.
    """
    values = checked(series)
    rng = np.random.default_rng(seed)
    fits = []
    for draw, chosen in rng.integers(2**31, size=(whole(copies, "copies", 1), 2)):
        control = divergence(null(values, draw), seed=chosen, **options)
        fits.append(expansion(control.log_curves, first))
    slope = np.concatenate([f.slope for f in fits])
    p = np.concatenate([f.p for f in fits])
    slope, p = slope[~np.isnan(p)], p[~np.isnan(p)]
    if not len(p):
        what = "no reference of the null model has a defined slope"
        raise ValueError(f"{what}: the series takes too few distinct values")
    nominal = float((p < 0.05).mean())
    return Calibration(float(np.quantile(p, 0.05)), nominal, float(slope.mean()), len(slope))


def global_exponent(
    log_curves: ArrayLike, first: int = 1, last: int | None = None, seed: int = 0
) -> Interval:
    """Return the slope of the mean of ln d_n over all references, with its bootstrap interval.

    This is Kantz's S(n) and its slope, per step, on the range stated;
    references are resampled as if independent.  The slope of a mean is the mean
    of the slopes.  An embedding that leaves states folded onto each other makes
    the exponent too small: 0.22 for one delay of the Hénon map, 0.42 for two.
    It is positive for noise with a memory too, 0.07 for x(t + 1) = 0.9 x(t) + noise:
    its interval holds the chance of references, and is no test (:func:`calibrate`).

    Parameters
    ----------
    log_curves : array, shape (R, N + 1)
        ln d_n of each reference, as for :func:`expansion`.
    first, last : int
        Range of n, ends included: from where the distance has turned into the
        expanding direction to before it fills the series' range.

    Returns
    -------
    Interval

    Raises
    ------
    ValueError
        As :func:`expansion`, and for fewer than two references with a defined
        slope.
    """
    fit = expansion(log_curves, first, last)
    slopes = fit.slope[~fit.undefined]
    if len(slopes) < 2:
        raise ValueError(
            f"{len(slopes)} of {len(fit.slope)} references have a defined slope: "
            "the others meet a distance of exactly zero, as on an exactly periodic stretch"
        )
    return bootstrap_interval(slopes, seed=seed)
