"""How curves settle: monotone or not, at what rate, and whether that rate is constant.

Time runs along the first axis.
"""

import numpy as np
from scipy import stats


def _finite(values, name):
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        raise ValueError(f"{name} has {len(values)} epochs: nothing to compare with fewer than 2")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinite values from epoch {np.argwhere(~np.isfinite(values))[0][0]}")
    return values


def non_increasing(curves, rounding=1e-13):
    """Which curves never rise, s(t + 1) ≤ s(t) (1 + ``rounding``): (…) bool from (T, …) positive values."""
    curves = _finite(curves, "curves")
    return (curves[1:] <= curves[:-1] * (1 + rounding)).all(0)


def turns(curves):
    """Which curves both rise and fall: (…) bool from (T, …)."""
    steps = np.diff(_finite(curves, "curves"), axis=0)
    return (steps > 0).any(0) & (steps < 0).any(0)


def decay_rate(epochs, curves, start, stop):
    """Rate γ of s ∝ exp(−γ t) over ``start`` ≤ epoch ≤ ``stop``: (…) from (T, …) positive values.

    Ordinary least squares on ln s; negative where the curve grows.
    """
    curves = _finite(curves, "curves")
    epochs = np.asarray(epochs)
    inside = (epochs >= start) & (epochs <= stop)
    if inside.sum() < 2:
        raise ValueError(f"epochs {start} to {stop} hold {inside.sum()} observations; a rate needs 2")
    if (curves <= 0).any():
        raise ValueError("a decay rate needs positive values: a curve reaches zero")
    t = epochs[inside] - epochs[inside].mean()
    y = np.log(curves[inside])
    return -(t.reshape(-1, *[1] * (y.ndim - 1)) * y).sum(0) / (t**2).sum()


def normality(values):
    """p-value of the Shapiro–Wilk test, row by row: (n,) from (n, P).  A small p speaks against a normal distribution."""
    return np.array([stats.shapiro(row).pvalue for row in np.atleast_2d(values)])


def first_hit(epochs, curves, target, sustained=1):
    """First observed epoch from which a curve is at least ``target`` for ``sustained`` observations: (…), NaN for never.

    Curves that never arrive are censored, not large: report their share beside any mean.
    """
    curves = np.asarray(curves, dtype=float)
    if not 1 <= sustained <= len(curves):
        raise ValueError(f"sustained = {sustained}: must be from 1 to the {len(curves)} observations of a curve")
    good = curves >= target
    windows = np.lib.stride_tricks.sliding_window_view(good, sustained, axis=0).all(-1)
    return np.where(windows.any(0), np.asarray(epochs, dtype=float)[windows.argmax(0)], np.nan)


def log_epochs(last, count, include=()):
    """About ``count`` different whole epochs from 0 to ``last``, evenly spaced in the logarithm of 1 + t, and those to ``include``.

    >>> log_epochs(1000, 5).tolist()
    [0, 5, 31, 177, 1000]
    """
    return np.union1d(np.round(np.geomspace(1, last + 1, count) - 1).astype(int), np.asarray(include, dtype=int))
