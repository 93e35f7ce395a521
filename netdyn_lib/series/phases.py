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

from dataclasses import dataclass

import numpy as np

from ..statistics.intervals import clustered_interval

IRREGULAR, FIXED = 0, 1
KINDS = ("fixed", "period 3", "other period", "irregular")

# A mean or a sum over hundreds of samples is off by some units in the last place, not by one.
_ULPS = 64


def name(label):
    """A label in words.

    >>> name(0), name(1), name(3)
    ('irregular', 'fixed', 'period 3')
    """
    return {IRREGULAR: "irregular", FIXED: "fixed"}.get(int(label), f"period {int(label)}")


def classify(series, block=60, tolerance=1e-3, longest=12, scale=None):
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
    given, series = np.asarray(series), np.asarray(series, dtype=float)
    if longest < 1 or block < 2 * longest:
        raise ValueError(
            f"a block of {block} cannot show a period of {longest}: it must hold two of at least 1 step"
        )
    if series.ndim < 1 or len(series) < block:
        raise ValueError(f"a series of shape {series.shape} is shorter than one block of {block}")
    if not np.isfinite(series).all():
        step = int(np.argwhere(~np.isfinite(series))[0, 0])
        raise ValueError(
            f"the series holds NaN or infinite values from step {step}: leave diverged trajectories out"
        )
    if scale is None or isinstance(scale, str):
        kind, scale = scale, np.ptp(series, axis=0)
        if kind is not None and kind != "widest":
            raise ValueError(f"unknown scale {kind!r}; known: 'widest', numbers, or None")
        scale = scale.max(-1, keepdims=True) if kind else scale
    scale = np.asarray(scale, dtype=float)
    if not tolerance >= 0 or not np.all(scale >= 0):
        raise ValueError(
            f"tolerance {tolerance} and scale (least {np.min(scale)}) must not be negative"
        )
    blocks = in_blocks(series, block)
    labels = np.zeros((len(blocks), *series.shape[1:]), dtype=int)
    floor = rounding(np.abs(in_blocks(given, block)).max(axis=1))  # (blocks, ...)
    most = np.maximum(tolerance * scale, floor)
    for q in range(longest, 0, -1):
        worst = np.abs(blocks[:, q:] - blocks[:, :-q]).max(axis=1)  # (blocks, ...)
        labels[worst <= most] = q
    return labels


def rounding(values):
    """Differences between numbers of such sizes that are rounding: 64 ε |values|.

    ε is the machine's for the precision of ``values``; the result has their shape.

    >>> float(rounding(np.float32(1.0)))
    7.62939453125e-06
    """
    values = np.asarray(values)
    precision = np.finfo(values.dtype if values.dtype.kind == "f" else float)
    return _ULPS * precision.eps * np.abs(values)


def in_blocks(series, block):
    """A series (T, ...) cut into blocks, (T // block, block, ...); steps left over at the end are
    dropped.
    """
    count = len(series) // block
    return series[: count * block].reshape(count, block, *series.shape[1:])


def kinds(labels):
    """Labels as positions in ``KINDS``.

    >>> kinds(np.array([1, 3, 6, 0])).tolist()
    [0, 1, 2, 3]
    """
    labels = np.asarray(labels)
    return np.select([labels == FIXED, labels == 3, labels > 1], [0, 1, 2], 3)


def confusion(true, predicted):
    """Blocks by true kind (row) and predicted kind (column); (4, 4) int, in the order of ``KINDS``."""
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

    def longest(self, label):
        """``(start, stop)`` of the longest phase of this label, the first of equals.

        Raises ValueError when there is none.
        """
        here = np.flatnonzero(self.label == label)
        if not len(here):
            raise ValueError(
                f"no phase is {name(label)}; there are: {', '.join(name(k) for k in np.unique(self.label))}"
            )
        k = here[np.argmax(self.length[here])]
        return int(self.start[k]), int(self.start[k] + self.length[k])


def runs(labels):
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


def shares(labels, skip=0):
    """Share of each label among the blocks from ``skip`` on, by label: a dict, most frequent first."""
    values, counts = np.unique(np.asarray(labels)[skip:], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {int(values[k]): float(counts[k] / counts.sum()) for k in order}


def has(labels, label, skip=0):
    """Whether each trajectory has a block of this label, from block ``skip`` on; (B, ...) to (...)
    bool.
    """
    return (np.asarray(labels)[skip:] == label).any(0)


def part(labels, skip=0, first=0):
    """Mask of the blocks from ``skip`` on, of the trajectories from ``first`` on; (B, n) bool."""
    mask = np.zeros(np.shape(labels), dtype=bool)
    mask[skip:, first:] = True
    return mask


def members(mask):
    """Trajectory of each block that a (B, n) mask selects, in the order in which it selects them."""
    return np.nonzero(mask)[1]


def sample(mask, count=1):
    """At most ``count`` of the blocks in a (B, n) mask, evenly spread: their blocks and their
    trajectories.

    Raises ValueError when the mask is empty.

    >>> sample(np.eye(3, dtype=bool))
    (array([0]), array([0]))
    """
    block, trajectory = np.nonzero(mask)
    if not len(block):
        raise ValueError("no block is selected: the mask is empty")
    chosen = np.linspace(0, len(block) - 1, min(count, len(block))).astype(int)
    return block[chosen], trajectory[chosen]


def blocks_of(values, mask, most=40, block=60):
    """A series in some of its blocks.

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


def order(labels, kappa):
    """Trajectories sorted by a number they end with, and among equals by their share of irregular
    blocks.

    ``labels`` (B, n) and ``kappa`` (B, n), NaN allowed; the result (n,) are
    positions.
    """
    last = np.round(np.nan_to_num(np.asarray(kappa)[-1]))
    return np.lexsort(((np.asarray(labels) == IRREGULAR).mean(0), last))


def first(mask, count):
    """The first ``count`` trajectories in a (n,) mask.

    >>> first([False, True, True, True], 2)
    array([1, 2])
    """
    return np.flatnonzero(mask)[:count]


def representatives(labels, skip=0, period=3):
    """Four trajectories that show the range of behaviour, chosen by their labels alone.

    ``fixed``, ``periodic`` and ``irregular`` have the largest share of blocks
    of that kind; ``mixed`` has the largest smaller one of its shares of
    periodic and irregular blocks.  Among equals the first is taken.

    Parameters
    ----------
    labels : array of int, shape (B, n)
    skip : int
        Blocks left out at the start.
    period : int

    Returns
    -------
    dict of str to int
        Trajectory by kind, in the order fixed, mixed, periodic, irregular.
    """
    late = np.asarray(labels)[skip:]
    fixed, periodic, irregular = ((late == k).mean(0) for k in (FIXED, period, IRREGULAR))
    scores = dict(
        fixed=fixed, mixed=np.minimum(periodic, irregular), periodic=periodic, irregular=irregular
    )
    return {kind: int(np.argmax(score)) for kind, score in scores.items()}


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

    def by_age(self, values, count, levels=(0.1, 0.5, 0.9)):
        """Quantiles of values (K, ...) of the blocks, for each place in time; (levels, count), NaN
        for none.
        """
        found = np.full((len(levels), count), np.nan)
        for k in np.unique(self.when):
            found[:, k] = np.quantile(values[self.when == k], levels)
        return found

    def narrowing(self, block=60, skip=0, rounding=1e-12, seed=0):
        """Power of the epoch with which the widest band of a block shrinks.

        The slope of ln(width) against ln(epoch in the middle of the block),
        over the blocks from ``skip`` on whose band is wider than ``rounding``
        times its largest value, as an Interval by resampling trajectories.
        """
        width = self.width.max(1)
        keep = (self.when >= skip) & (width > rounding * np.abs(self.centre).max(1))
        rows = np.stack([np.log((self.when[keep] + 0.5) * block), np.log(width[keep])], axis=1)
        return clustered_interval(rows, self.member[keep], _slope, seed=seed)


def _slope(rows):
    x, y = (rows - rows.mean(0)).T
    return (x @ y) / (x @ x)


def measure(series, labels, period=3, block=60, rounding=1e-12):
    """Regions visited in the blocks of one period (D, footnote 3).

    Parameters
    ----------
    series : array, shape (T, n)
    labels : array of int, shape (T // block, n)
        From :func:`netdyn_lib.series.phases.classify` with the same block.
    period : int
        At least 2, dividing the block.
    rounding : float
        Rises smaller than this, relative to the largest value of the block,
        count as rounding.

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
    slack = rounding * np.abs(chosen).max(1)[:, None]
    decaying = np.take_along_axis(np.diff(visits, axis=1).max(1) <= slack, order, 1)
    when, member = np.nonzero(np.asarray(labels) == period)
    return Bands(high - low, centre, (low[:, 1:] - high[:, :-1]).min(1), decaying, member, when)


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
