"""Bifurcations of a one-dimensional map, by root finding and continuation.

Every cycle is a fixed point of F = s·fᵐ, with s = −1 for the cycles of an odd
map that visit x and −x (their period under f is 2m).  Its multiplier
μ = ∂F/∂x names its bifurcations: +1 where it is born in a tangent bifurcation,
0 where it is superstable (it holds the critical point), −1 where it doubles.
Newton's method solves F(x) = x with μ given; derivatives come by recurrence
along the orbit, and a continuation in μ leads from one bifurcation to the next.

Kneading words: which periodic critical orbits a map has, and where.

The orbit of the critical point c, written as the laps it visits, is the
map's kneading sequence; it grows with the parameter in the order of Milnor and
Thurston (falling laps reverse the order of what follows).  So the superstable
cycles of a period can be listed by combinatorics alone, and each is found by
bisection on its word.  A scan of the parameter would miss the narrow ones.

A word lists the laps (0, 1, …) of f(c), f²(c), …, f^(m−1)(c); then the orbit is
back at c, or at −c when the map is odd.  Laps of odd maps are those of |x|.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from . import one_dimensional
from .one_dimensional import Map

Floats = float | np.ndarray

_NEWTON_STEPS = 40

# Steps in the multiplier that lead from a superstable cycle to where it is born, and to where it
# doubles.
TO_BIRTH = (0.3, 0.6, 0.9, 1.0)
TO_DOUBLING = (-0.3, -0.6, -0.9, -1.0)


def jet(map: Map, x: Floats, p: Floats, steps: int) -> tuple[Floats, ...]:
    """Return fᵐ and its derivatives by x, p, xx and xp, by recurrence."""
    dx: Floats = 1.0
    dp: Floats = 0.0
    dxx: Floats = 0.0
    dxp: Floats = 0.0
    for _ in range(steps):
        fx, fxx = map.dx(x, p), map.dxx(x, p)
        dxp = (fxx * dp + map.dxp(x, p)) * dx + fx * dxp
        dxx = fxx * dx * dx + fx * dxx
        dp = fx * dp + map.dp(x, p)
        dx = fx * dx
        x = map.f(x, p)
    return x, dx, dp, dxx, dxp


def critical_jet(map: Map, p: Floats, steps: int) -> tuple[Floats, Floats, Floats]:
    """Return c(p), fᵐ(c(p), p) and the derivative of the latter by p."""
    c = map.critical(p)
    x, _, dp, _, _ = jet(map, c, p, steps)
    return c, x, dp  # ∂f/∂x = 0 at c, so the motion of c does not enter


def newton(equations: Callable, x: Floats, p: Floats, what: str) -> tuple[Floats, Floats, Floats]:
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
    return x, p, np.maximum(np.abs(move_p), np.spacing(np.abs(p)))


def cycle(
    map: Map, period: int, sign: Floats, multiplier: float, x: Floats, p: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the cycle with a given multiplier near (x, p).

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

    >>> [round(float(v), 9) for v in cycle(one_dimensional.CUBIC, 1, 1, -1.0, 0.9, 0.9)[:2]]
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


def follow(
    map: Map, period: int, sign: Floats, multipliers: Sequence[float], x: Floats, p: Floats
) -> tuple[Floats, Floats, Floats]:
    """Continue a cycle through a sequence of multipliers; arguments and result as :func:`cycle`."""
    error: Floats = np.nan
    for multiplier in multipliers:
        x, p, error = cycle(map, period, sign, multiplier, x, p)
    return x, p, error


def signs(map: Map, words: ArrayLike) -> np.ndarray:
    """Return the sign s of each word's cycle, (N,): −1 where an odd map's orbit returns to −c."""
    # the third lap of an odd map leads to the other side of 0
    return 1 - 2 * ((np.asarray(words) == 2).sum(axis=1) % 2) * map.odd


def polish(map: Map, period: int, sign: Floats, guess: Floats) -> tuple[Floats, Floats]:
    """Return superstable parameters and their errors from good guesses, by Newton's method.

    Solves s·fᵐ(c(p), p) = c(p); sign and guess are floats, or arrays of one shape.  Period 2 of the
    logistic map closes at r = 1 + √5:

    >>> guess = locate(one_dimensional.LOGISTIC, [[1]], 1.0, 4.0)
    >>> round(float(polish(one_dimensional.LOGISTIC, 2, 1, guess)[0][0] - 5**0.5), 12)
    1.0
    """

    def equations(x, p):
        c, y, dp = critical_jet(map, p, period)
        moved = -map.dxp(c, p) / map.dxx(c, p)  # dc/dp, since ∂f/∂x(c(p), p) = 0
        return (x - c, sign * y - c), (1.0, 0.0), (-moved, sign * dp - moved)

    _, p, error = newton(equations, map.critical(guess), guess, "superstable cycle")
    if np.any(np.abs(p - guess) > 1e-8):
        raise ArithmeticError(
            f"Newton's method left the word found at {map.parameter} = {guess}: it went to {p}"
        )
    return p, error


def crisis(
    map: Map, period: int, sign: Floats, x: Floats, p: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the interior crisis F(F(c)) = x of the window near (x, p).

    The unstable cycle F(x) = x that was born with the window lies there.

    Arguments, result and errors as :func:`cycle`.
    """

    def equations(x, p):
        y, dx, dp, _, _ = jet(map, x, p, period)
        _, far, moves = critical_jet(map, p, 2 * period)  # F(F(c)) = f²ᵐ(c), since s² = 1
        return (sign * y - x, far - x), (sign * dx - 1, -1.0), (sign * dp, moves)

    return newton(equations, x, p, "interior crisis")


def merging(map: Map, low: float, high: float) -> float:
    """Return where the attractors of x > 0 and x < 0 of an odd map merge: f(f(c)) = 0.

    The image of the interval [0, f(c)] then reaches across 0, an unstable fixed point.

    >>> bool(abs(merging(one_dimensional.CUBIC, 1.0, 2.0) - (3 * 3**0.5 / 2 - 1)) < 1e-12)
    True
    """
    return _crossing(map, low, high, 0, "attractors merge")


def escape(map: Map, low: float, high: float) -> float:
    """Return where the critical orbit of an odd map starts to escape: f(f(c)) = −f(c).

    f(c) is then on the unstable cycle {x, −x} that bounds the basin of all
    bounded orbits.

    >>> round(float(escape(one_dimensional.CUBIC, 1.8, 3.0)), 9)
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


_CODE_OF_C = 1  # laps are coded 0, 2, 4: c lies between the first two


def _compare(left, right):
    """Order of coded sequences, shape (N, n): −1, 0 or 1 for each pair of rows."""
    differ = left != right
    first = differ.argmax(axis=1)
    rows = np.arange(len(first))
    before = np.arange(left.shape[1]) < first[:, None]
    falling = ((left % 4 == 2) & before).sum(axis=1)  # odd laps fall
    sign = np.sign(left[rows, first].astype(int) - right[rows, first])
    return np.where(falling % 2, -sign, sign)


def words(laps: int, period: int) -> np.ndarray:
    """Return all words of one period, shape (N, period − 1), as lap numbers.

    A word is admissible when no shift of it exceeds it: f(c) is the largest
    value on the attractor.

    Parameters
    ----------
    laps : int
        Number of laps: 2 for a unimodal map, 3 for a cubic one.
    period : int
        Iterations until the critical orbit closes.

    Raises
    ------
    ValueError
        For fewer than two laps or a period below 1.

    The logistic map has one superstable cycle of period 2, one of period 3 and
    two of period 4, one of which is the doubling of period 2:

    >>> [len(words(2, m)) for m in (1, 2, 3, 4, 5, 6)]
    [1, 1, 1, 2, 3, 5]
    >>> [name(word) for word in words(2, 4)]
    ['100C', '101C']
    """
    if laps < 2 or period < 1:
        raise ValueError(
            f"laps = {laps} and period = {period} must be >= 2 and >= 1: "
            "a map with one lap has no cycles"
        )
    grid = np.array([*product(range(laps), repeat=period - 1)], dtype=np.int8).reshape(
        laps ** (period - 1), period - 1
    )
    coded = np.column_stack([2 * grid, np.full(len(grid), _CODE_OF_C, dtype=np.int8)])
    keep = np.ones(len(grid), dtype=bool)
    for shift in range(1, period):
        keep[keep] = _compare(np.roll(coded[keep], -shift, axis=1), coded[keep]) < 0
    return grid[keep]


def name(word: Iterable[int]) -> str:
    """Return a word as text; C stands for the return to the critical point.

    >>> name([2, 0])
    '20C'
    """
    return "".join(str(int(lap)) for lap in word) + "C"


def double(word: Iterable[int]) -> list[int]:
    """Return the word of twice the period that follows in a period-doubling cascade.

    >>> name(double([])), name(double(double([]))), name(double([2]))
    ('1C', '101C', '212C')
    """
    word = [int(lap) for lap in word]
    # After its doubling a cycle reverses orientation: the number of falling laps is odd.
    return [*word, 1 - word.count(1) % 2, *word]


def is_double(words: ArrayLike) -> np.ndarray:
    """Return which words are born by period doubling, not in a tangent bifurcation, (N,)."""
    words = np.asarray(words)
    half, odd = divmod(words.shape[1], 2)
    if not odd:  # the period is odd
        return np.zeros(len(words), dtype=bool)
    first, middle, last = words[:, :half], words[:, half], words[:, half + 1 :]
    return (first == last).all(axis=1) & (middle == 1 - (first == 1).sum(axis=1) % 2)


def locate(map: Map, words: ArrayLike, low: float, high: float) -> np.ndarray:
    """Return the parameter of each word, by bisection on the kneading sequence; shape (N,).

    Parameters
    ----------
    map : netdyn_lib.maps.one_dimensional.Map
    words : array of int, shape (N, m − 1)
    low, high : float
        Parameters between which the words lie.

    Raises
    ------
    ValueError
        When a word is not between ``low`` and ``high``.
    """
    words = np.atleast_2d(np.asarray(words, dtype=int))
    below, above = np.full(len(words), float(low)), np.full(len(words), float(high))
    misplaced = (side(map, words, below) > 0) | (side(map, words, above) < 0)
    if misplaced.any():
        word, between = name(words[misplaced.argmax()]), f"{map.parameter} = {low} and {high}"
        raise ValueError(f"word {word} is not passed between {between}: widen the range")
    for _ in range(60):  # exhausts the precision of a float
        middle = (below + above) / 2
        beyond = side(map, words, middle) > 0
        below, above = np.where(beyond, below, middle), np.where(beyond, middle, above)
    return (below + above) / 2


def side(map: Map, words: np.ndarray, p: Floats) -> np.ndarray:
    """Return whether the kneading sequence at p, a float or shape (N,), is beyond (1) or before
    (−1) each word.
    """
    p = np.broadcast_to(np.asarray(p, dtype=float), len(words))
    target = np.column_stack([2 * words, np.full(len(words), _CODE_OF_C)])
    edges = map.laps(p)
    x, side, orientation = edges[0], np.zeros(len(p), dtype=int), np.ones(len(p), dtype=int)
    for symbol in target.T:
        x = map.fold(map.f(x, p))
        code = 2 * sum((x > edge).astype(int) for edge in edges)
        side = np.where(side == 0, orientation * np.sign(code - symbol), side)
        if side.all():  # most sequences differ early
            return side
        orientation = orientation * np.where(code % 4 == 2, -1, 1)
    return side
