"""Periodic windows: every one of a period, with its edges, by continuation.

A window is the range of the parameter over which a cycle born in a tangent
bifurcation, and all that follows from it, is the attractor.  Inside it the
whole bifurcation diagram recurs in small, from the birth of a cycle to the
crisis that ends it.
"""

import numpy as np
import pandas as pd

from ..validation import positive, whole
from . import bifurcations, one_dimensional
from .one_dimensional import Map

# The partner's multiplier is 4 at the crisis of a narrow window (as for x² − 2, which every window
# resembles).
_TO_CRISIS = (1.2, 1.6, 2.0, 2.5, 3.0, 3.5)


def search(
    map: Map, longest: int, low: float, high: float, narrowest: float = 1e-6
) -> pd.DataFrame:
    """Return every periodic window of period m ≤ ``longest`` between two parameters.

    Each word of :mod:`netdyn_lib.maps.bifurcations` that is not a period doubling
    has one window.  From its superstable point a continuation leads back to
    the tangent bifurcation (μ = +1) and forward to the doubling (μ = −1); from
    the tangent it follows the unstable partner w* (μ > 1) to the interior
    crisis F(F(c)) = w*, where the window closes.

    Parameters
    ----------
    longest : int
        Longest period m of F = s·fᵐ.
    low, high : float
        Range of the parameter; ``low`` at or beyond the end of the cascade.
    narrowest : float
        Windows narrower than this are left out.  Their number grows like 3ᵐ
        and their width falls like 9⁻ᵐ, so floats cannot resolve the narrowest
        of period 9 and beyond.

    Returns
    -------
    pandas.DataFrame
        One row for each window, widest first: ``period`` m and ``sign`` s of F = s·fᵐ, the kneading
        ``word``; where the window opens (``opening``), its cycle is ``superstable``, doubles in F
        (``doubling``), and the interior crisis ends it (``closing``); ``error``, the largest
        rounding error of these four; ``width``; ``full_period``, under f, where a symmetric cycle
        (s = −1) takes fᵐ twice; ``doubling_share``, where in its window the cycle doubles: 4/9 if
        F is a parabola (x² + a has its window at 1/4 ≥ a ≥ −2 and doubles at −3/4); and
        ``outermost``, whether it lies inside no other window.

    Raises
    ------
    ValueError
        For a bad range, period or width, or when there is no such window.
    ArithmeticError
        When a continuation does not settle, or settles in the wrong order:
        ``narrowest`` is then below what floats resolve.

    Period 3 of the logistic map opens at r = 1 + √8:

    >>> found = search(one_dimensional.LOGISTIC, 3, 3.57, 4.0)
    >>> round(float(found.opening[0]), 9), round(1 + 8**0.5, 9)
    (3.828427125, 3.828427125)
    """
    low, high = one_dimensional.parameters(map, [low, high])
    positive(narrowest, "narrowest", "the least width (there are infinitely many windows)")
    parts = []
    for period in range(2, whole(longest, "longest", 2) + 1):
        words = bifurcations.words(len(map.laps(high)) + 1, period)
        words = words[
            (bifurcations.side(map, words, low) < 0) & (bifurcations.side(map, words, high) > 0)
        ]
        words = words[~bifurcations.is_double(words)]
        p = bifurcations.locate(map, words, low, high)
        # rough within some 10%, so half is a safe margin
        wide = _rough_width(map, words, p) > narrowest / 2
        if wide.any():
            parts.append(_edges(map, words[wide], p[wide]))
    if not parts:
        what = f"no window of period <= {longest} and width >= {narrowest}"
        raise ValueError(
            f"{what} between {map.parameter} = {low} and {high}: "
            "does chaos begin there? longer periods have narrower windows"
        )
    found = pd.concat(parts)
    found["width"] = found.closing - found.opening
    found = found[found.width >= narrowest].sort_values("width", ascending=False, kind="stable")
    found["full_period"] = np.where(found.sign < 0, 2, 1) * found.period
    found["doubling_share"] = (found.doubling - found.opening) / found.width
    opening, closing = found.opening.to_numpy(), found.closing.to_numpy()
    inside = (opening[:, None] <= opening) & (closing <= closing[:, None])  # column in row
    found["outermost"] = ~np.triu(inside, 1).any(0)
    return found.reset_index(drop=True)


def critical_band(map: Map, period: int, sign: int, p: float) -> tuple[float, float]:
    """Return the interval (F(F(c)), F(c)) that F maps into itself up to the crisis.

    >>> [round(float(w), 6) for w in critical_band(one_dimensional.LOGISTIC, 1, 1, 4.0)]
    [0.0, 1.0]
    """
    c = map.critical(float(one_dimensional.parameters(map, p)))
    first = sign * one_dimensional.orbit(map, p, c, period)[-1]
    return float(sign * one_dimensional.orbit(map, p, first, period)[-1]), float(first)


def magnify(
    map: Map, start: float, stop: float, number: int, transient: int, keep: int
) -> one_dimensional.Diagram:
    """Return the bifurcation diagram of a narrow range of the parameter, from the critical points.

    Cycles that attract anything attract a critical orbit, so c and (for an
    odd map) −c find every attractor, where random states may miss one.

    Parameters
    ----------
    start, stop : float
        Range, widened on both sides by 15%.
    number, transient, keep : int
        Parameters, and iterations discarded and kept.

    Returns
    -------
    netdyn_lib.maps.one_dimensional.Diagram

    Raises
    ------
    ValueError
        As :func:`netdyn_lib.maps.one_dimensional.bifurcation_diagram`.
    """
    room = 0.15 * (stop - start)
    p = one_dimensional.parameters(map, one_dimensional.grid(start - room, stop + room, number))
    c = np.broadcast_to(map.critical(p), p.shape)
    return one_dimensional.bifurcation_diagram(
        map, p, np.stack([c, -c] if map.odd else [c], axis=1), transient, keep
    )


def _rough_width(map, words, p):
    """Width of each window if F were a parabola: x² + a has its window at −2 ≤ a ≤ 1/4."""
    period, sign, c = words.shape[1] + 1, bifurcations.signs(map, words), map.critical(p)
    _, _, dp, dxx, _ = bifurcations.jet(map, c, p, period)
    moved = -map.dxp(c, p) / map.dxx(c, p)
    return 2.25 / np.abs(0.5 * sign * dxx * (sign * dp - moved))


def _edges(map, words, guess):
    period, sign = words.shape[1] + 1, bifurcations.signs(map, words)
    p, e0 = bifurcations.polish(map, period, sign, guess)
    c = map.critical(p)
    x, opening, e1 = bifurcations.follow(map, period, sign, bifurcations.TO_BIRTH, c, p)
    _, doubling, e2 = bifurcations.follow(map, period, sign, bifurcations.TO_DOUBLING, c, p)
    x, closing, _ = bifurcations.follow(map, period, sign, _TO_CRISIS, x, opening)
    _, closing, e3 = bifurcations.crisis(map, period, sign, x, closing)
    if not np.all((opening < p) & (p < doubling) & (doubling < closing)):
        raise ArithmeticError(
            f"edges of a window of period {period} came out of order: raise `narrowest`"
        )
    columns = dict(period=period, sign=sign, word=[bifurcations.name(word) for word in words])
    columns |= dict(opening=opening, superstable=p, doubling=doubling, closing=closing)
    return pd.DataFrame(columns | dict(error=np.max([e0, e1, e2, e3], axis=0)))
