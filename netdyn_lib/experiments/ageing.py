"""Ageing: hidden units go on and off ever more rarely, and open long before they do.

A saturated unit moves by an amount proportional to its own u = h (1 − h), so
that u falls as 1/t in units pushed outwards and rises as 1/(t_f − t) in those
pushed inwards.
"""

from dataclasses import dataclass

import numpy as np

from ..statistics.intervals import percentile_interval


def approach(state, quiet=20, tolerance=1e-2):
    """How open a unit is before it goes on or off, after a long quiet time.

    Taken are the units that change between two successive states and whose
    derivative h (1 − h) was at most ``tolerance``, without a change, at the
    ``quiet`` states before.

    Parameters
    ----------
    state : netdyn_lib.experiments.saturation.Saturation
        Of states (B, n) of n trajectories, one for each block.
    quiet : int
    tolerance : float

    Returns
    -------
    array, shape (K, quiet + 1)
        Derivative at ``quiet``, …, 1, 0 states before the block of the change.
    """
    changed = state.switched  # (B - 1, n, U)
    rows = []
    for b, i, j in np.argwhere(changed[quiet:]):
        before = state.derivative[b : b + quiet + 1, i, j]
        if (before[:-1] <= tolerance).all() and not changed[b : b + quiet, i, j].any():
            rows.append(before)
    return np.array(rows).reshape(-1, quiet + 1)


@dataclass(frozen=True)
class Ageing:
    """Rate of events per trajectory and epoch, in bins of time equal in the logarithm.

    ``slope`` is the power law's exponent with its bootstrap interval over
    trajectories; −1 is a rate that falls as one over the age.
    """

    epochs: np.ndarray
    rate: np.ndarray
    slope: float
    low: float
    high: float


def rate(events, block=60, bins=8, resamples=1000, level=0.95, seed=0):
    """How the rate of events falls with age: weighted line through ln(rate) against ln(epoch).

    Parameters
    ----------
    events : array, shape (B, n)
        Events of each trajectory in each block.
    block : int
        Epochs in a block; the first block is left out.
    bins : int
    resamples : int
    level : float
    seed : int

    Returns
    -------
    Ageing

    Raises
    ------
    ValueError
        For fewer than three bins with an event in them.
    """
    events = np.asarray(events, dtype=float)
    count, trajectories = events.shape
    middle = (np.arange(count) + 0.5) * block
    edges = np.geomspace(block, count * block, bins + 1)
    member = (middle >= edges[:-1, None]) & (middle < edges[1:, None])  # (bins, B)
    member = member[member.any(1)]
    weight = member.sum(1) * block  # epochs in a bin
    centre = np.exp((member * np.log(middle)).sum(1) / member.sum(1))
    counts = member @ events  # (bins, n)
    total = counts.sum(1)
    seen = total > 0
    if seen.sum() < 3:
        raise ValueError(
            f"{int(total.sum())} events in {int(seen.sum())} bins: a slope needs at least 3 bins with events"
        )

    def slope(total):  # (..., bins), weighted by counts
        y = np.log(np.maximum(total, 0.5) / weight / trajectories)
        x = np.log(centre) - (total * np.log(centre)).sum(-1, keepdims=True) / total.sum(
            -1, keepdims=True
        )
        return (total * x * y).sum(-1) / (total * x * x).sum(-1)

    draws = np.random.default_rng(seed).integers(trajectories, size=(resamples, trajectories))
    again = slope(np.stack([counts[:, d].sum(1) for d in draws]))
    found = percentile_interval(float(slope(total)), again, level, trajectories)
    return Ageing(centre, total / weight / trajectories, *found)
