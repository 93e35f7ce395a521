"""Periodic windows: every one of a period, with its edges, by continuation.

A window is the range of the parameter over which a cycle born in a tangent
bifurcation, and all that follows from it, is the attractor.  Inside it the
whole bifurcation diagram recurs in small, from the birth of a cycle to the
crisis that ends it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import bifurcations, one_dimensional

# The partner's multiplier is 4 at the crisis of a narrow window (as for x² − 2, which every window
# resembles).
_TO_CRISIS = (1.2, 1.6, 2.0, 2.5, 3.0, 3.5)


@dataclass(frozen=True)
class Windows:
    """Periodic windows, widest first; arrays of shape (N,).

    ``period`` is m and ``sign`` s of F = s·fᵐ, ``word`` the kneading word.
    A window is born at ``opening``, its cycle is ``superstable``, doubles (in
    F) at ``doubling``, and ends in the interior crisis at ``closing``.
    ``error`` is the largest rounding error of the four.  ``outermost`` marks
    the windows that do not lie inside another one.
    """

    period: np.ndarray
    sign: np.ndarray
    word: np.ndarray
    opening: np.ndarray
    superstable: np.ndarray
    doubling: np.ndarray
    closing: np.ndarray
    error: np.ndarray
    outermost: np.ndarray

    def __len__(self):
        return len(self.period)

    @property
    def width(self):
        """Closing less opening."""
        return self.closing - self.opening

    @property
    def full_period(self):
        """Period under f: a symmetric cycle (s = −1) takes fᵐ twice."""
        return np.where(self.sign < 0, 2, 1) * self.period

    @property
    def doubling_share(self):
        """Where in its window the cycle doubles, 0 to 1.

        4/9 where F is a parabola: x² + a has its window at 1/4 ≥ a ≥ −2 and doubles at −3/4.
        """
        return (self.doubling - self.opening) / self.width

    def doubling_quantile(self, q):
        """Quantile of :attr:`doubling_share` over the windows."""
        return float(np.quantile(self.doubling_share, q))

    def table(self, number):
        """The widest windows that lie inside no other, as a pandas DataFrame rounded to six digits."""
        first = np.flatnonzero(self.outermost)[:number]
        columns = (
            "full_period",
            "word",
            "opening",
            "superstable",
            "doubling",
            "closing",
            "width",
            "doubling_share",
        )
        table = pd.DataFrame(
            {name.replace("_", " "): getattr(self, name)[first] for name in columns}
        )
        table.index += 1
        return table.rename(columns={"full period": "period"}).round(6)

    def _gaps(self, low, high):
        use = self.outermost & (self.opening >= low) & (self.closing <= high)
        order = np.argsort(self.opening[use])
        return np.append(self.opening[use][order], high) - np.append(low, self.closing[use][order])

    def covered(self, low, high):
        """Share of the range (low, high) that lies in its windows."""
        return float(1 - self._gaps(low, high).sum() / (high - low))

    def widest_gap(self, low, high):
        """Widest stretch of (low, high) without a window, as a share of it."""
        return float(self._gaps(low, high).max() / (high - low))


def search(map, longest, low, high, narrowest=1e-6):
    """Every periodic window of period m ≤ ``longest`` that lies between two parameters.

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
    Windows

    Raises
    ------
    ValueError
        For a bad range, period or width, or when there is no such window.
    ArithmeticError
        When a continuation does not settle, or settles in the wrong order:
        ``narrowest`` is then below what floats resolve.

    Period 3 of the logistic map opens at r = 1 + √8:

    >>> round(float(search(maps.LOGISTIC, 3, 3.57, 4.0).opening[0]), 9), round(1 + 8**0.5, 9)
    (3.828427125, 3.828427125)
    """
    low, high = one_dimensional.parameters(map, [low, high])
    if not narrowest > 0:
        raise ValueError(f"narrowest = {narrowest} must be > 0: there are infinitely many windows")
    parts = []
    for period in range(2, one_dimensional.count("longest", longest, least=2) + 1):
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
        raise ValueError(
            f"no window of period <= {longest} and width >= {narrowest} between {map.parameter} = {low} and {high}: "
            "does chaos begin there? longer periods have narrower windows"
        )
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    width = columns[6] - columns[3]
    order = np.argsort(-width)[: int((width >= narrowest).sum())]
    columns = [column[order] for column in columns]
    return Windows(*columns, _outermost(columns[3], columns[6]))


def critical_band(map, period, sign, p):
    """The interval (F(F(c)), F(c)) that F maps into itself up to the crisis; a pair of floats.

    >>> [round(float(w), 6) for w in critical_band(maps.LOGISTIC, 1, 1, 4.0)]
    [0.0, 1.0]
    """
    c = map.critical(float(one_dimensional.parameters(map, p)))
    first = sign * one_dimensional.orbit(map, p, c, period)[-1]
    return float(sign * one_dimensional.orbit(map, p, first, period)[-1]), float(first)


def magnify(map, start, stop, number, transient, keep, margin=0.15):
    """Bifurcation diagram of a narrow range of the parameter, from the critical points.

    Cycles that attract anything attract a critical orbit, so c and (for an
    odd map) −c find every attractor, where random states may miss one.

    Parameters
    ----------
    start, stop : float
        Range, widened on both sides by its share ``margin``.
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
    room = margin * (stop - start)
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
    names = np.array([bifurcations.name(word) for word in words])
    return (
        np.full(len(p), period),
        sign,
        names,
        opening,
        p,
        doubling,
        closing,
        np.max([e0, e1, e2, e3], axis=0),
    )


def _outermost(opening, closing):
    """Intervals, widest first, that lie inside no other."""
    inside = [
        ((opening[:k] <= opening[k]) & (closing[k] <= closing[:k])).any()
        for k in range(len(opening))
    ]
    return ~np.array(inside)
