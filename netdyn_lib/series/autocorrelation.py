"""Scalar time series: autocorrelation against shuffles, and surrogates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
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
    def outside(self) -> np.ndarray:
        """Return whether each lag lies outside the band; (lags + 1,) bool, false at lag 0."""
        return (self.lags > 0) & ((self.values < self.low) | (self.values > self.high))


def autocorrelation(
    series: ArrayLike, lags: int = 50, shuffles: int = 1000, level: float = 0.95, seed: int = 0
) -> Autocorrelation:
    """Return the autocorrelation of a series, with the band of its shuffles.

    The estimate is that of :func:`statsmodels.tsa.stattools.acf`; a shuffle
    keeps the values and destroys their order (Danovski 2024, Fig. 10).

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
    values = checked(series)
    if not 1 <= lags < len(values) or shuffles < 1:
        what = f"{lags} lags of a series of {len(values)} against {shuffles} shuffles"
        raise ValueError(f"{what}: lags must be from 1 to below its length, shuffles at least 1")
    if not 0 < level < 1:
        raise ValueError(f"level {level} is outside (0, 1); 95% is 0.95")
    if np.ptp(values) == 0:
        raise ValueError(f"the series is constant at {values[0]}: its autocorrelation is undefined")
    rng = np.random.default_rng(seed)
    null = np.array([acf(rng.permutation(values), nlags=lags, fft=True) for _ in range(shuffles)])
    low, high = np.quantile(null, [(1 - level) / 2, (1 + level) / 2], axis=0)
    found = acf(values, nlags=lags, fft=True)
    return Autocorrelation(np.arange(lags + 1), found, low, high, level, shuffles)


def shuffled(series: ArrayLike, seed: int = 0) -> np.ndarray:
    """Return the values of a series in random order: the null model of independent values, (T,)."""
    return np.random.default_rng(seed).permutation(checked(series))


def surrogate(series: ArrayLike, seed: int = 0) -> np.ndarray:
    """Return a series with the values of another, and nearly its spectrum, else random: (T,).

    It is what a linear Gaussian process looks like whose values are read off a bent
    scale, the null model of :func:`netdyn_lib.series.kantz.calibrate`.  From a shuffle on, the
    amplitudes of its Fourier transform are replaced by those of the series, then its
    values by those of the same rank, until the order stays, or 200 times
    (iterative amplitude adjusted Fourier transform, Schreiber and Schmitz, Phys. Rev.
    Lett. 77, 635, 1996).  The values agree exactly, the amplitudes to within some per cent
    of their norm: 0.1% for normal values, 2% for skewed ones, of 2,000.  The transform
    takes the series for periodic: cut it so that its ends are alike, or their jump is kept too.
    """
    values = checked(series)
    ranked, amplitude = np.sort(values), np.abs(np.fft.rfft(values))
    found = shuffled(values, seed)
    for _ in range(200):
        phase = np.exp(1j * np.angle(np.fft.rfft(found)))
        rank = np.argsort(np.argsort(np.fft.irfft(amplitude * phase, len(values))))
        previous, found = found, ranked[rank]
        if np.array_equal(previous, found):
            break
    return found


def checked(series: ArrayLike) -> np.ndarray:
    """Return a series as an array (T,) of floats.

    Raises ValueError for another shape, fewer than 2 values, masked, complex, NaN or infinite ones.
    """
    values = real_array(series, "the series")
    if values.ndim != 1 or len(values) < 2:
        what = f"a series of shape {values.shape}"
        raise ValueError(f"{what}: one axis with at least 2 values is needed")
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(
            f"the series holds {int(bad.sum())} values that are NaN or infinite, the first at step "
            f"{int(np.argmax(bad))}: cut it there, or choose a trajectory that does not diverge"
        )
    return values
