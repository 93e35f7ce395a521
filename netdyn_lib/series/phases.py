"""Phases of a series: blocks that are fixed, periodic or irregular.

A block of a series is *periodic* with period q when every value in it returns
after q steps within a tolerance, stated relative to the range of the series,
and q is the smallest such number.  *Fixed* is period 1.  *Irregular* is what
returns after no period that was tried.  No tolerance is finer than the rounding
of the values: without that floor a slice that has settled, whose range is the
noise of the last digits, would be irregular.
"""

from dataclasses import dataclass

import numpy as np

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
