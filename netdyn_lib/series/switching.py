"""Switches between phases: when a series leaves one, and whether several series switch together."""

from dataclasses import dataclass

import numpy as np

from ..statistics.intervals import clustered_interval
from .phases import FIXED, IRREGULAR, in_blocks, rounding


def settled(series, labels, below, block=60):
    """Which trajectories settle to a small value, and which of them leave it again.

    A block is settled when it is fixed and its mean is below ``below``.

    Parameters
    ----------
    series : array, shape (T, n)
    labels : array of int, shape (T // block, n)
    below : float
    block : int

    Returns
    -------
    tuple of array of bool, shape (n,)
        Has a settled block; has a block that is not settled after its first one.
    """
    quiet = (np.asarray(labels) == FIXED) & (in_blocks(np.asarray(series), block).mean(1) < below)
    since = np.maximum.accumulate(quiet, axis=0)
    return quiet.any(0), (since & ~quiet).any(0)


def departure(series, start, period, tolerance=1e-3, scale=None):
    """First step from ``start`` on at which a series no longer returns after ``period`` steps.

    Parameters
    ----------
    series : array, shape (T, ...)
    start : int
    period : int
        A constant series, too, returns after it.
    tolerance, scale
        As for :func:`netdyn_lib.series.phases.classify`.

    Returns
    -------
    array of float, shape (...)
        The first t >= start with ``|s(t + period) - s(t)| > tolerance * scale``, and
        beyond the rounding of s; NaN where the series always returns.

    Raises
    ------
    ValueError
        For a start or period outside the series.
    """
    series = np.asarray(series)
    if period < 1 or not 0 <= start < len(series) - period:
        raise ValueError(
            f"start {start} and period {period} must lie within a series of {len(series)}"
        )
    scale = np.ptp(series, axis=0) if scale is None else scale
    before, after = series[start:-period], series[start + period :]
    floor = rounding(np.maximum(np.abs(before), np.abs(after)))
    gone = np.abs(after - before) > np.maximum(tolerance * np.asarray(scale), floor)
    return np.where(gone.any(0), start + gone.argmax(0), np.nan)


def intermittent(labels, skip=0):
    """Whether each series has irregular blocks and regular ones, from block ``skip`` on; (B, ...)
    to (...) bool.
    """
    irregular = np.asarray(labels)[skip:] == IRREGULAR
    return irregular.any(0) & ~irregular.all(0)


def switches(labels):
    """Where each series turns irregular and where it stops: two (B - 1, ...) bool arrays, onsets
    and ends.
    """
    turn = np.diff((np.asarray(labels) == IRREGULAR).astype(int), axis=0)
    return turn == 1, turn == -1


def most_intermittent(labels, groups, count=3, skip=0):
    """The series most evenly divided between irregular and regular blocks, no two of one group.

    Parameters
    ----------
    labels : array of int, shape (B, P)
    groups : sequence, length P
        A group for each series; ``None`` leaves it out.
    count : int
    skip : int
        Blocks left out at the start.

    Returns
    -------
    list of int
        At most ``count`` intermittent series: those with the largest smaller
        one of the two shares first, the first of equals.
    """
    share = (np.asarray(labels)[skip:] == IRREGULAR).mean(0)
    evenness = np.minimum(share, 1 - share)
    chosen = []
    for k in np.argsort(-evenness, kind="stable"):
        if (
            evenness[k] > 0
            and groups[k] is not None
            and groups[k] not in [groups[j] for j in chosen]
        ):
            chosen.append(int(k))
    return chosen[:count]


@dataclass(frozen=True)
class Coincidence:
    """Share of switches that another series shares, and what chance would give.

    ``chance`` is the mean share when each series' switches are shifted in
    time by themselves, cyclically, and ``p`` the probability of a share as
    large.  NaN where there is no switch.
    """

    share: float
    switches: int
    chance: float
    p: float


def coincidence(labels, window=1, shifts=1000, seed=0):
    """Do series turn irregular, and regular again, together?

    A switch counts as shared when another series has a switch of the same
    kind within ``window`` blocks of it.

    Parameters
    ----------
    labels : array of int, shape (B, P)
        At least two series.
    window : int
    shifts : int
        Random cyclic shifts of the null model.
    seed : int

    Returns
    -------
    Coincidence

    Raises
    ------
    ValueError
        For fewer than two series, a negative window, or no shifts.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.shape[1] < 2:
        raise ValueError(
            f"labels of shape {labels.shape}: switches coincide between at least 2 series"
        )
    if window < 0 or shifts < 1:
        raise ValueError(
            f"window {window} must not be negative, and shifts {shifts} must be at least 1"
        )
    kinds = switches(labels)
    total = int(sum(k.sum() for k in kinds))
    if not total:
        return Coincidence(np.nan, 0, np.nan, np.nan)
    share = _shared(kinds, window) / total
    rng = np.random.default_rng(seed)
    null = np.empty(shifts)
    for k in range(shifts):
        by = rng.integers(len(kinds[0]), size=labels.shape[1])
        rolled = [
            np.stack([np.roll(kind[:, j], by[j]) for j in range(len(by))], axis=1) for kind in kinds
        ]
        null[k] = _shared(rolled, window) / total
    return Coincidence(
        float(share), total, float(null.mean()), float((1 + (null >= share).sum()) / (1 + shifts))
    )


def pooled_coincidence(labels, groups, count=3, window=1, skip=0):
    """Share of switches that coincide, over the :func:`most_intermittent` series of many networks.

    Parameters
    ----------
    labels : array of int, shape (B, n, P)
    groups, count, skip
        As for :func:`most_intermittent`.
    window : int
        As for :func:`coincidence`.

    Returns
    -------
    Interval
        The pooled share, with its interval by resampling networks.

    Raises
    ------
    ValueError
        When fewer than two networks switch.
    """
    labels = np.asarray(labels)
    flags, networks = [], []
    for k in range(labels.shape[1]):
        chosen = most_intermittent(labels[:, k], groups, count, skip)
        kinds_of = switches(labels[skip:, k][:, chosen])
        total, shared = sum(int(kind.sum()) for kind in kinds_of), _shared(kinds_of, window)
        flags += [1.0] * shared + [0.0] * (total - shared)
        networks += [k] * total
    return clustered_interval(flags, networks)


def _shared(kinds, window):
    count = 0
    for kind in kinds:  # (B - 1, P) bool
        near = np.zeros(kind.shape, dtype=bool)
        for lag in range(-window, window + 1):
            cut = slice(max(lag, 0), len(kind) + min(lag, 0))
            near[cut] |= kind[max(-lag, 0) : len(kind) + min(-lag, 0)]
        others = near.sum(1, keepdims=True) - near
        count += int((kind & (others > 0)).sum())
    return count
