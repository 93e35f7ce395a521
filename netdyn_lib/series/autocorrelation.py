"""Scalar time series: autocorrelation against shuffles, surrogates, and alternation."""

from dataclasses import dataclass

import numpy as np
from statsmodels.tsa.stattools import acf

from ..statistics.intervals import real_array


@dataclass(frozen=True)
class Autocorrelation:
    """Autocorrelation at ``lags`` 0, 1, …, and where that of shuffled series lies.

    ``values``, ``low`` and ``high`` have the shape (lags + 1,); ``low`` and
    ``high`` bound, at each lag by itself, the central ``level`` of the
    autocorrelations of ``shuffles`` shuffled copies.
    """

    lags: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    shuffles: int

    @property
    def outside(self):
        """Whether each lag lies outside the band; (lags + 1,) bool, false at lag 0."""
        return (self.lags > 0) & ((self.values < self.low) | (self.values > self.high))

    @property
    def share_outside(self):
        """Share of the lags from 1 that lie outside the band; ``1 - level`` is expected of a
        shuffled series.
        """
        return float(self.outside[1:].mean())

    def peak(self, first=2, last=10):
        """Lag of the largest autocorrelation from ``first`` to ``last``: the period, were there
        one.
        """
        return int(first + np.argmax(self.values[first : last + 1]))


def autocorrelation(series, lags=50, shuffles=1000, level=0.95, seed=0):
    """Autocorrelation of a series, with the band of its shuffles.

    The estimate is that of :func:`statsmodels.tsa.stattools.acf`; a shuffle
    keeps the values and destroys their order (D, Fig 10).

    Parameters
    ----------
    series : array, shape (T,)
    lags : int
        Largest lag, below T.
    shuffles : int
        Shuffled copies of the null model.
    level : float
        Coverage of the band, in (0, 1).
    seed : int

    Returns
    -------
    Autocorrelation

    Raises
    ------
    ValueError
        For NaN, a constant series, lags that the series is too short for, no
        shuffles, or a level outside (0, 1).
    """
    series = checked(series)
    if not 1 <= lags < len(series):
        raise ValueError(
            f"{lags} lags of a series of {len(series)}: there must be at least 1, and fewer than values"
        )
    if shuffles < 1:
        raise ValueError(
            f"{shuffles} shuffles: the band of the null model needs at least 1, and 1,000 make sense"
        )
    if not 0 < level < 1:
        raise ValueError(f"level {level} is outside (0, 1); 95% is 0.95")
    if np.ptp(series) == 0:
        raise ValueError(f"the series is constant at {series[0]}: its autocorrelation is undefined")
    rng = np.random.default_rng(seed)
    null = np.array([acf(rng.permutation(series), nlags=lags, fft=True) for _ in range(shuffles)])
    low, high = np.quantile(null, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Autocorrelation(
        np.arange(lags + 1), acf(series, nlags=lags, fft=True), low, high, level, shuffles
    )


def shuffled(series, seed=0):
    """Return the values of a series in random order: the null model of independent values, (T,)."""
    return np.random.default_rng(seed).permutation(checked(series))


def surrogate(series, seed=0, iterations=200):
    """Return a series with the values of another, and nearly its spectrum, else random: (T,).

    It is what a linear Gaussian process looks like whose values are read off a bent
    scale, the null model of :func:`netdyn_lib.series.kantz.calibrate`.  From a shuffle on, the
    amplitudes of its Fourier transform are replaced by those of the series, then its
    values by those of the same rank, until the order stays or ``iterations`` are done
    (iterative amplitude adjusted Fourier transform, Schreiber and Schmitz, Phys. Rev.
    Lett. 77, 635, 1996).  The values agree exactly, the amplitudes to within some per cent
    of their norm: 0.1% for normal values, 2% for skewed ones, of 2,000.  The transform
    takes the series for periodic: cut it so that its ends are alike, or their jump is kept too.
    """
    series = checked(series)
    ranked, amplitude = np.sort(series), np.abs(np.fft.rfft(series))
    found = shuffled(series, seed)
    for _ in range(iterations):
        phase = np.exp(1j * np.angle(np.fft.rfft(found)))
        rank = np.argsort(np.argsort(np.fft.irfft(amplitude * phase, len(series))))
        previous, found = found, ranked[rank]
        if np.array_equal(previous, found):
            break
    return found


def alternation(values):
    """Share of steps along the second axis at which the sign changes; (K, steps) to a float.

    >>> alternation([[1.0, -1.0, 1.0, -1.0]])
    1.0
    """
    sign = np.sign(values)
    return float((sign[:, 1:] != sign[:, :-1]).mean())


def checked(series):
    """Return a series as an array (T,) of floats.

    Raises ValueError for another shape, fewer than 2 values, masked, complex, NaN or infinite ones.
    """
    series = real_array(series, "the series")
    if series.ndim != 1 or len(series) < 2:
        raise ValueError(
            f"a series of shape {series.shape}: one axis with at least 2 values is needed"
        )
    bad = ~np.isfinite(series)
    if bad.any():
        raise ValueError(
            f"the series holds {int(bad.sum())} values that are NaN or infinite, the first at step "
            f"{int(np.argmax(bad))}: cut it there, or choose a trajectory that does not diverge"
        )
    return series
