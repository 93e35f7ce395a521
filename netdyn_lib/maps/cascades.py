"""Period-doubling cascades and what is universal about them.

The points of a cascade, superstable or doubling, approach their limit p∞
geometrically with Feigenbaum's ratio δ, the same for every map with a
quadratic maximum.  Both limits are estimated here from the points alone, with
an error that counts what has not converged yet and what rounding has taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..validation import whole
from . import bifurcations, one_dimensional


@dataclass(frozen=True)
class Cascade:
    """A period-doubling cascade of ``levels`` + 1 cycles; arrays of that length.

    ``period`` counts iterations of f until the orbit is back at x, or at −x
    for the symmetric cycle of an odd map.  The cycle of each level is
    ``superstable`` and then doubles at ``doubling``; both with their rounding
    errors.
    """

    period: np.ndarray
    superstable: np.ndarray
    superstable_error: np.ndarray
    doubling: np.ndarray
    doubling_error: np.ndarray


def cascade(
    map: one_dimensional.Map, levels: int, low: float, high: float, word: Iterable[int] = ()
) -> Cascade:
    """Return the cascade m, 2m, 4m, … that begins with the cycle of a word.

    Parameters
    ----------
    levels : int
        Doublings to follow.
    low, high : float
        Parameters between which it happens.
    word : sequence of int
        The first cycle; by default the fixed point.

    Returns
    -------
    Cascade

    Raises
    ------
    ValueError, ArithmeticError
        As :func:`netdyn_lib.maps.bifurcations.locate` and
        :func:`netdyn_lib.maps.bifurcations.polish`.

    >>> cascade(one_dimensional.CUBIC, 1, 0.1, 2.0).doubling.round(6)
    array([1.      , 1.236068])
    """
    rows, word = [], list(word)
    low, high = one_dimensional.parameters(map, [low, high])
    for _ in range(whole(levels, "levels") + 1):
        period, sign = len(word) + 1, int(bifurcations.signs(map, [word])[0])
        # plain floats make the recurrence fast
        guess = float(bifurcations.locate(map, [word], low, high)[0])
        p, error = bifurcations.polish(map, period, sign, guess)
        c = float(map.critical(p))
        _, lost, lost_error = bifurcations.follow(map, period, sign, bifurcations.TO_DOUBLING, c, p)
        rows.append((period, p, error, lost, lost_error))
        word = bifurcations.double(word)
    return Cascade(*(np.array(column, dtype=float) for column in zip(*rows, strict=True)))


@dataclass(frozen=True)
class Limit:
    """A limit with its error, and the ``estimates`` it was chosen from with theirs."""

    value: float
    error: float
    estimates: np.ndarray
    errors: np.ndarray


def _best(estimates, rounding):
    # Too early, an estimate has not converged; too late, it is a difference of rounded numbers.
    truncation = np.abs(np.diff(estimates, prepend=np.nan))
    errors = truncation + rounding
    best = int(np.nanargmin(errors))
    return Limit(float(estimates[best]), float(errors[best]), estimates, errors)


def _ratios(points, rounding):
    points, rounding = np.asarray(points, float), np.asarray(rounding, float)
    if len(points) < 4:
        few = f"{len(points)} points of a cascade must be >= 4"
        raise ValueError(f"{few}: one ratio takes three, its error one more")
    steps = np.diff(points)
    relative = (rounding[1:] + rounding[:-1]) / np.abs(steps)
    ratio = steps[:-1] / steps[1:]
    return steps, ratio, ratio * (relative[:-1] + relative[1:])


def feigenbaum(points: ArrayLike, rounding: ArrayLike) -> Limit:
    """Return Feigenbaum's ratio δ = lim (pₖ − pₖ₋₁)/(pₖ₊₁ − pₖ) of the points of a cascade.

    Parameters
    ----------
    points, rounding : array, shape (K,)
        Parameters of a cascade and their rounding errors, K ≥ 4.

    Returns
    -------
    Limit
        The ratio whose error is least; the error adds the change from the
        ratio before (which exceeds what is left, as changes shrink by more
        than half each time) and the rounding errors carried through.

    Raises
    ------
    ValueError
        For fewer than four points.

    >>> feigenbaum(1 - 4.0 ** -np.arange(5), np.zeros(5)).value
    4.0
    """
    _, ratio, error = _ratios(points, rounding)
    return _best(ratio, error)


def accumulation(points: ArrayLike, rounding: ArrayLike) -> Limit:
    """Return where a cascade ends, p∞ = pₖ₊₁ + (pₖ₊₁ − pₖ)/(δₖ − 1), with the cascade's own δₖ.

    Arguments, result and errors as :func:`feigenbaum`.

    >>> accumulation(1 - 4.0 ** -np.arange(5), np.zeros(5)).value
    1.0
    """
    steps, ratio, error = _ratios(points, rounding)
    end = np.asarray(points)[2:] + steps[1:] / (ratio - 1)
    return _best(end, np.asarray(rounding)[2:] + np.abs(steps[1:]) * error / (ratio - 1) ** 2)
