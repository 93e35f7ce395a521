"""The narrow regions that a series of nearly exact period visits in turn: their widths, gaps and
drift.
"""

from dataclasses import dataclass

import numpy as np

from ..statistics.intervals import clustered_interval
from .phases import in_blocks


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
