"""Bifurcations of a one-dimensional map, by root finding and continuation.

Every cycle is a fixed point of F = s·fᵐ, with s = −1 for the cycles of an odd
map that visit x and −x (their period under f is 2m).  Its multiplier
μ = ∂F/∂x names its bifurcations: +1 where it is born in a tangent bifurcation,
0 where it is superstable (it holds the critical point), −1 where it doubles.
Newton's method solves F(x) = x with μ given; derivatives come by recurrence
along the orbit, and a continuation in μ leads from one bifurcation to the next.
"""

import numpy as np
from scipy.optimize import brentq

from . import kneading, one_dimensional

_NEWTON_STEPS = 40

# Steps in the multiplier that lead from a superstable cycle to where it is born, and to where it
# doubles.
TO_BIRTH = (0.3, 0.6, 0.9, 1.0)
TO_DOUBLING = (-0.3, -0.6, -0.9, -1.0)


def jet(map, x, p, steps):
    """fᵐ and its derivatives by x, p, xx and xp, by recurrence."""
    dx, dp, dxx, dxp = 1.0, 0.0, 0.0, 0.0
    for _ in range(steps):
        fx, fxx = map.dx(x, p), map.dxx(x, p)
        dxp = (fxx * dp + map.dxp(x, p)) * dx + fx * dxp
        dxx = fxx * dx * dx + fx * dxx
        dp = fx * dp + map.dp(x, p)
        dx = fx * dx
        x = map.f(x, p)
    return x, dx, dp, dxx, dxp


def critical_jet(map, p, steps):
    """c(p), fᵐ(c(p), p) and the derivative of the latter by p."""
    c = map.critical(p)
    x, _, dp, _, _ = jet(map, c, p, steps)
    return c, x, dp  # ∂f/∂x = 0 at c, so the motion of c does not enter


def newton(equations, x, p, what):
    """Solve two equations for (x, p), elementwise; return x, p and the rounding error of p.

    ``equations(x, p)`` returns three pairs: (e₁, e₂), their derivatives by x,
    and by p.  ``what`` is sought, for the message of the ArithmeticError that
    is raised when the steps do not settle.
    """
    step = np.inf
    for _ in range(_NEWTON_STEPS):
        (e1, e2), (e1x, e2x), (e1p, e2p) = equations(x, p)
        determinant = e1x * e2p - e1p * e2x
        move_x = (e1 * e2p - e1p * e2) / determinant
        move_p = (e1x * e2 - e2x * e1) / determinant
        x, p = x - move_x, p - move_p
        last, step = step, np.maximum(abs(move_x), abs(move_p))
        # Steps stop shrinking at the rounding floor; their size there is the honest error.
        if np.all((step < 1e-9) & (2 * step >= last)) or np.all(step == 0):
            break
    bad = ~(np.atleast_1d(step) < 1e-8)
    if bad.any():
        where = np.atleast_1d(p)[bad][0]
        raise ArithmeticError(
            f"Newton's method found no {what} for {bad.sum()} cycle(s), last step near {where}"
        )
    return x, p, np.maximum(abs(move_p), np.spacing(abs(p)))


def cycle(map, period, sign, multiplier, x, p):
    """The cycle with a given multiplier near (x, p).

    Solves s·fᵐ(x, p) = x and s·∂fᵐ/∂x = μ.  Arguments other than ``map`` and
    ``period`` may be arrays of one shape.

    Returns
    -------
    x, p, error
        A point of the cycle, the parameter, and the parameter's rounding
        error (the size of Newton's last step).

    Raises
    ------
    ArithmeticError
        When Newton's method does not settle.

    The minimum w = 1 of the double well has multiplier 1 − 2η:

    >>> [round(float(v), 9) for v in cycle(maps.CUBIC, 1, 1, -1.0, 0.9, 0.9)[:2]]
    [1.0, 1.0]
    """

    def equations(x, p):
        y, dx, dp, dxx, dxp = jet(map, x, p, period)
        return (
            (sign * y - x, sign * dx - multiplier),
            (sign * dx - 1, sign * dxx),
            (sign * dp, sign * dxp),
        )

    return newton(equations, x, p, f"cycle of multiplier {multiplier}")


def follow(map, period, sign, multipliers, x, p):
    """Continue a cycle through a sequence of multipliers; arguments and result as :func:`cycle`."""
    for multiplier in multipliers:
        x, p, error = cycle(map, period, sign, multiplier, x, p)
    return x, p, error


def superstable(map, words, low, high):
    """Parameters at which the critical orbit closes as each word says.

    Bisection on the kneading sequence finds each, Newton's method on
    s·fᵐ(c(p), p) = c(p) polishes it.

    Parameters
    ----------
    words : array of int, shape (N, m − 1)
        See :func:`netdyn_lib.maps.kneading.words`.
    low, high : float
        Parameters between which they lie.

    Returns
    -------
    p, error : arrays, shape (N,)

    Raises
    ------
    ValueError
        For a word that does not occur between ``low`` and ``high``.
    ArithmeticError
        When Newton's method does not settle.

    Period 2 of the logistic map closes at r = 1 + √5:

    >>> round(float(superstable(maps.LOGISTIC, [[1]], 1, 4)[0][0] - 5**0.5), 12)
    1.0
    """
    words = np.atleast_2d(np.asarray(words, dtype=int))
    p = kneading.locate(map, words, *one_dimensional.parameters(map, [low, high]))
    return polish(map, words.shape[1] + 1, signs(map, words), p)


def signs(map, words):
    """The sign s of each word's cycle: always +1 unless the map is odd."""
    return kneading.signs(words) if map.odd else np.ones(len(words), dtype=int)


def polish(map, period, sign, guess):
    """Superstable parameters and their errors from good guesses (floats, or arrays of one shape)."""

    def equations(x, p):
        c, y, dp = critical_jet(map, p, period)
        moved = -map.dxp(c, p) / map.dxx(c, p)  # dc/dp, since ∂f/∂x(c(p), p) = 0
        return (x - c, sign * y - c), (1.0, 0.0), (-moved, sign * dp - moved)

    _, p, error = newton(equations, map.critical(guess), guess, "superstable cycle")
    if np.any(abs(p - guess) > 1e-8):
        raise ArithmeticError(
            f"Newton's method left the word found at {map.parameter} = {guess}: it went to {p}"
        )
    return p, error


def crisis(map, period, sign, x, p):
    """Interior crisis F(F(c)) = x of the window whose unstable cycle F(x) = x lies near (x, p).

    Arguments, result and errors as :func:`cycle`.
    """

    def equations(x, p):
        y, dx, dp, _, _ = jet(map, x, p, period)
        _, far, moves = critical_jet(map, p, 2 * period)  # F(F(c)) = f²ᵐ(c), since s² = 1
        return (sign * y - x, far - x), (sign * dx - 1, -1.0), (sign * dp, moves)

    return newton(equations, x, p, "interior crisis")


def merging(map, low, high):
    """Where the attractors of x > 0 and x < 0 of an odd map merge: f(f(c)) = 0.

    The image of the interval [0, f(c)] then reaches across 0, an unstable fixed point.

    >>> bool(abs(merging(maps.CUBIC, 1.0, 2.0) - (3 * 3**0.5 / 2 - 1)) < 1e-12)
    True
    """
    return _crossing(map, low, high, 0, "attractors merge")


def escape(map, low, high):
    """Where the critical orbit of an odd map starts to escape: f(f(c)) = −f(c).

    f(c) is then on the unstable cycle {x, −x} that bounds the basin of all
    bounded orbits.

    >>> round(float(escape(maps.CUBIC, 1.8, 3.0)), 9)
    2.0
    """
    return _crossing(map, low, high, 1, "critical orbit escapes")


def _crossing(map, low, high, weight, what):
    if not map.odd:
        raise ValueError(f"the {map.name} is not odd: it has no mirror-image attractors")
    low, high = one_dimensional.parameters(map, [low, high])

    def gap(p):
        top = map.f(map.critical(p), p)
        return map.f(top, p) + weight * top

    if gap(low) * gap(high) > 0:
        raise ValueError(
            f"no point where the {what} between {map.parameter} = {low} and {high}: widen the range"
        )
    return float(brentq(gap, low, high, xtol=1e-15))
