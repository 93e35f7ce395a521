"""Phases of a series: blocks that are fixed, periodic or irregular.

A block of a series is *periodic* with period q when every value in it returns
after q steps within a tolerance, stated relative to the range of the series,
and q is the smallest such number.  *Fixed* is period 1.  *Irregular* is what
returns after no period that was tried.  No tolerance is finer than the rounding
of the values: without that floor a slice that has settled, whose range is the
noise of the last digits, would be irregular.

The narrow regions that a series of nearly exact period visits in turn: their widths, gaps and
drift.

Switches between phases: when a series leaves one, and whether several series switch together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import binary_dilation

from ..statistics.intervals import Interval, clustered_interval

IRREGULAR, FIXED = 0, 1
KINDS = ("fixed", "period 3", "other period", "irregular")

# A mean or a sum over hundreds of samples is off by some units in the last place, not by one.
_ULPS = 64


def classify(
    series: ArrayLike,
    block: int = 60,
    tolerance: float = 1e-3,
    longest: int = 12,
    scale: ArrayLike | str | None = None,
) -> np.ndarray:
    """Label each block of a series by its period.

    The label is the smallest q in 1 … ``longest`` with
    ``max |s(t + q) - s(t)| <= tolerance * scale`` over the block, and 0 when
    there is none.  Differences up to :func:`rounding` of the block's largest
    value count as none, whatever the scale.  With numbers for ``scale`` the
    label of a block depends on that block alone, and a slice of a record has
    the labels that it has inside the record.

    The rounding meant is that of the values as they are given.  A difference of
    larger numbers, such as a distance of weights, carries theirs: give it a scale.

    Parameters
    ----------
    series : array, shape (T, ...)
        Time first; each series along the other axes is judged by itself.
    block : int
        Length of a block; steps left over at the end are not labelled.
    tolerance : float
        Relative to ``scale``.
    longest : int
        Longest period tried; a block must hold two of them.
    scale : float, array of shape (...) or "widest", optional
        By default the range of each series, max - min over all its steps;
        ``"widest"`` is the largest range among those along the last axis, for
        series of one kind of which some never move.

    Returns
    -------
    array of int, shape (T // block, ...)
        0 irregular, 1 fixed, q period q.

    Raises
    ------
    ValueError
        For NaN, a series shorter than a block, a block shorter than two of
        the longest periods, or a tolerance or scale that is negative.

    >>> classify(np.tile([0.0, 1.0, 5.0], 40)).tolist()
    [3, 3]
    """
    given, values = np.asarray(series), np.asarray(series, dtype=float)
    if longest < 1 or block < 2 * longest:
        what = f"a block of {block} cannot show a period of {longest}"
        raise ValueError(f"{what}: it must hold two of at least 1 step")
    if values.ndim < 1 or len(values) < block:
        raise ValueError(f"a series of shape {values.shape} is shorter than one block of {block}")
    if not np.isfinite(values).all():
        step = int(np.argwhere(~np.isfinite(values))[0, 0])
        what = f"the series holds NaN or infinite values from step {step}"
        raise ValueError(f"{what}: leave diverged trajectories out")
    if scale is None or isinstance(scale, str):
        if scale not in (None, "widest"):
            raise ValueError(f"unknown scale {scale!r}; known: 'widest', numbers, or None")
        ranges = np.ptp(values, axis=0)
        widths = ranges.max(-1, keepdims=True) if scale == "widest" else ranges
    else:
        widths = np.asarray(scale, dtype=float)
    if not tolerance >= 0 or not np.all(widths >= 0):
        least = f"tolerance {tolerance} and scale (least {np.min(widths)})"
        raise ValueError(f"{least} must not be negative")
    blocks = in_blocks(values, block)
    labels = np.zeros((len(blocks), *values.shape[1:]), dtype=int)
    floor = rounding(np.abs(in_blocks(given, block)).max(axis=1))  # (blocks, ...)
    most = np.maximum(tolerance * widths, floor)
    for q in range(longest, 0, -1):
        worst = np.abs(blocks[:, q:] - blocks[:, :-q]).max(axis=1)  # (blocks, ...)
        labels[worst <= most] = q
    return labels


def rounding(values: ArrayLike) -> np.ndarray:
    """Return the differences between numbers of such sizes that are rounding: 64 ε |values|.

    ε is the machine's for the precision of ``values``; the result has their shape.

    >>> float(rounding(np.float32(1.0)))
    7.62939453125e-06
    """
    values = np.asarray(values)
    precision = np.finfo(values.dtype if values.dtype.kind == "f" else float)
    return _ULPS * precision.eps * np.abs(values)


def in_blocks(series: np.ndarray, block: int) -> np.ndarray:
    """Return a series (T, ...) cut into blocks, (T // block, block, ...), less what is left over at
    the end.
    """
    count = len(series) // block
    return series[: count * block].reshape(count, block, *series.shape[1:])


def kinds(labels: ArrayLike) -> np.ndarray:
    """Return labels as positions in ``KINDS``.

    >>> kinds(np.array([1, 3, 6, 0])).tolist()
    [0, 1, 2, 3]
    """
    labels = np.asarray(labels)
    return np.select([labels == FIXED, labels == 3, labels > 1], [0, 1, 2], 3)


def confusion(true: ArrayLike, predicted: ArrayLike) -> np.ndarray:
    """Count blocks by true kind (row) and predicted kind (column), (4, 4), in the order of
    ``KINDS``.
    """
    matrix = np.zeros((len(KINDS), len(KINDS)), dtype=int)
    np.add.at(matrix, (kinds(true).ravel(), kinds(predicted).ravel()), 1)
    return matrix


@dataclass(frozen=True)
class Runs:
    """Successive phases of one trajectory: where each starts, how long it is, what it is (in
    blocks).
    """

    start: np.ndarray
    length: np.ndarray
    label: np.ndarray

    def longest(self, label: int) -> tuple[int, int]:
        """Return ``(start, stop)`` of the longest phase of this label, the first of equals.

        Raises ValueError when there is none.
        """
        here = np.flatnonzero(self.label == label)
        if not len(here):
            known = ", ".join(map(str, np.unique(self.label)))
            raise ValueError(f"no phase has the label {label}; there are: {known}")
        k = here[np.argmax(self.length[here])]
        return int(self.start[k]), int(self.start[k] + self.length[k])


def runs(labels: ArrayLike) -> Runs:
    """Join blocks of one label into phases.

    Parameters
    ----------
    labels : array of int, shape (B,)

    Raises
    ------
    ValueError
        For labels that are not one trajectory's.

    >>> runs([3, 3, 0, 3]).length.tolist()
    [2, 1, 1]
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not len(labels):
        raise ValueError(
            f"labels of shape {labels.shape}: phases are joined for one trajectory at a time"
        )
    start = np.r_[0, 1 + np.flatnonzero(np.diff(labels))]
    return Runs(start, np.diff(np.r_[start, len(labels)]), labels[start])


def shares(labels: ArrayLike, skip: int = 0) -> dict[int, float]:
    """Return the share of each label among the blocks from ``skip`` on, most frequent first."""
    values, counts = np.unique(np.asarray(labels)[skip:], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {int(values[k]): float(counts[k] / counts.sum()) for k in order}


def sample(mask: np.ndarray, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return at most ``count`` blocks of a (B, n) mask, evenly spread, and their trajectories.

    Raises ValueError when the mask is empty.

    >>> sample(np.eye(3, dtype=bool))
    (array([0]), array([0]))
    """
    block, trajectory = np.nonzero(mask)
    if not len(block):
        raise ValueError("no block is selected: the mask is empty")
    chosen = np.linspace(0, len(block) - 1, min(count, len(block))).astype(int)
    return block[chosen], trajectory[chosen]


def blocks_of(values: ArrayLike, mask: np.ndarray, most: int = 40, block: int = 60) -> np.ndarray:
    """Return a series in some of its blocks.

    Parameters
    ----------
    values : array, shape (T, n, ...)
    mask : array of bool, shape (B, n)
    most : int
        At most so many blocks, evenly spread over the mask.
    block : int

    Returns
    -------
    array, shape (K, block, ...)
    """
    starts, trajectories = sample(mask, most)
    epochs = starts[:, None] * block + np.arange(block)
    return np.asarray(values)[epochs, trajectories[:, None]]


@dataclass(frozen=True)
class Bands:
    """The q regions that the series visits in turn, in each of K periodic blocks.

    Attributes
    ----------
    width : array, shape (K, q)
        max - min of the values in each region.
    centre : array, shape (K, q)
        Mean of the values in each region, ascending.
    gap : array, shape (K,)
        Distance between the nearest two regions, edge to edge.
    decaying : array of bool, shape (K, q)
        Whether the values never rise from one visit to the next.
    member : array of int, shape (K,)
        Which series the block is of.
    when : array of int, shape (K,)
        Which block of the series it is.
    """

    width: np.ndarray
    centre: np.ndarray
    gap: np.ndarray
    decaying: np.ndarray
    member: np.ndarray
    when: np.ndarray


def measure(series: ArrayLike, labels: ArrayLike, period: int = 3, block: int = 60) -> Bands:
    """Return the regions visited in the blocks of one period (Danovski 2024, footnote 3).

    Rises smaller than 1e-12 of the largest value of the block count as rounding.

    Parameters
    ----------
    series : array, shape (T, n)
    labels : array of int, shape (T // block, n)
        From :func:`netdyn_lib.series.phases.classify` with the same block.
    period : int
        At least 2, dividing the block.

    Returns
    -------
    Bands

    Raises
    ------
    ValueError
        For a period that does not divide the block, or of which there is no
        block.
    """
    if period < 2 or block % period:
        raise ValueError(f"period {period} must be at least 2 and divide the block of {block}")
    chosen = np.moveaxis(in_blocks(np.asarray(series, dtype=float), block), 1, -1)[
        np.asarray(labels) == period
    ]
    if not len(chosen):
        raise ValueError(f"no block has period {period}")
    visits = chosen.reshape(len(chosen), block // period, period)  # (K, visits, q)
    low, high = visits.min(1), visits.max(1)
    order = np.argsort(low, axis=1)
    low, high, centre = (np.take_along_axis(v, order, 1) for v in (low, high, visits.mean(1)))
    slack = 1e-12 * np.abs(chosen).max(1)[:, None]
    decaying = np.take_along_axis(np.diff(visits, axis=1).max(1) <= slack, order, 1)
    when, member = np.nonzero(np.asarray(labels) == period)
    return Bands(high - low, centre, (low[:, 1:] - high[:, :-1]).min(1), decaying, member, when)


def departure(series: ArrayLike, start: int, period: int, tolerance: float = 1e-3) -> np.ndarray:
    """Return the first step at which a series no longer returns after ``period`` steps, (...).

    Parameters
    ----------
    series : array, shape (T, ...)
    start : int
    period : int
        A constant series, too, returns after it.
    tolerance : float
        Relative to the range of each series, as for :func:`classify`.

    Returns
    -------
    array of float, shape (...)
        The first t >= start with ``|s(t + period) - s(t)| > tolerance * range``, and
        beyond the rounding of s; NaN where the series always returns.

    Raises
    ------
    ValueError
        For a start or period outside the series.
    """
    values = np.asarray(series)
    if period < 1 or not 0 <= start < len(values) - period:
        within = f"must lie within a series of {len(values)}"
        raise ValueError(f"start {start} and period {period} {within}")
    before, after = values[start:-period], values[start + period :]
    floor = rounding(np.maximum(np.abs(before), np.abs(after)))
    gone = np.abs(after - before) > np.maximum(tolerance * np.ptp(values, axis=0), floor)
    return np.where(gone.any(0), start + gone.argmax(0), np.nan)


def most_intermittent(
    labels: ArrayLike, groups: Sequence, count: int = 3, skip: int = 0
) -> list[int]:
    """Return the series most evenly divided between irregular and regular blocks, one of a group.

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
        At most ``count`` series with irregular blocks and regular ones: those with the largest
        smaller one of the two shares first, the first of equals.
    """
    share = (np.asarray(labels)[skip:] == IRREGULAR).mean(0)
    evenness = np.minimum(share, 1 - share)
    chosen: dict = {}  # by group
    for k in np.argsort(-evenness, kind="stable"):
        if evenness[k] > 0 and groups[k] is not None:
            chosen.setdefault(groups[k], int(k))
    return list(chosen.values())[:count]


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


def coincidence(
    labels: ArrayLike, window: int = 1, shifts: int = 1000, seed: int = 0
) -> Coincidence:
    """Compare how often series turn irregular, or regular again, together with what chance gives.

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

    Raises
    ------
    ValueError
        For fewer than two series.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.shape[1] < 2:
        shape = f"labels of shape {labels.shape}"
        raise ValueError(f"{shape}: switches coincide between at least 2 series")
    kinds_of = _switches(labels)
    total = int(kinds_of.sum())
    if not total:
        return Coincidence(np.nan, 0, np.nan, np.nan)
    share = _shared(kinds_of, window) / total
    rng, steps = np.random.default_rng(seed), np.arange(kinds_of.shape[1])[:, None]
    null = np.empty(shifts)
    for k in range(shifts):
        by = rng.integers(len(steps), size=labels.shape[1])
        rolled = np.take_along_axis(kinds_of, ((steps - by) % len(steps))[None], axis=1)
        null[k] = _shared(rolled, window) / total
    p = float((1 + (null >= share).sum()) / (1 + shifts))
    return Coincidence(float(share), total, float(null.mean()), p)


def pooled_coincidence(
    labels: ArrayLike, groups: Sequence, count: int = 3, window: int = 1, skip: int = 0
) -> Interval:
    """Return the share of switches that coincide, over the :func:`most_intermittent` series of many
    networks, with its interval by resampling networks.

    Parameters
    ----------
    labels : array of int, shape (B, n, P)
    groups, count, skip
        As for :func:`most_intermittent`.
    window : int
        As for :func:`coincidence`.

    Raises
    ------
    ValueError
        When fewer than two networks switch.
    """
    labels = np.asarray(labels)
    flags: list[float] = []
    networks: list[int] = []
    for k in range(labels.shape[1]):
        chosen = most_intermittent(labels[:, k], groups, count, skip)
        kinds_of = _switches(labels[skip:, k][:, chosen])
        total, shared = int(kinds_of.sum()), _shared(kinds_of, window)
        flags += [1.0] * shared + [0.0] * (total - shared)
        networks += [k] * total
    return clustered_interval(flags, networks)


def _switches(labels):
    """Where series (B, P) turn irregular, and where they stop: (2, B - 1, P) bool."""
    turn = np.diff((labels == IRREGULAR).astype(int), axis=0)
    return np.stack([turn == 1, turn == -1])


def _shared(kinds_of, window):
    """Number of switches (2, B - 1, P) that another series has within ``window`` blocks."""
    near = binary_dilation(kinds_of, np.ones((1, 2 * window + 1, 1), dtype=bool))
    others = near.sum(2, keepdims=True) - near
    return int((kinds_of & (others > 0)).sum())
