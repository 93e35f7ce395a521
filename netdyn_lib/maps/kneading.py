"""Kneading words: which periodic critical orbits a map has, and where.

The orbit of the critical point c, written as the laps it visits, is the
map's kneading sequence; it grows with the parameter in the order of Milnor and
Thurston (falling laps reverse the order of what follows).  So the superstable
cycles of a period can be listed by combinatorics alone, and each is found by
bisection on its word.  A scan of the parameter would miss the narrow ones.

A word lists the laps (0, 1, …) of f(c), f²(c), …, f^(m−1)(c); then the orbit is
back at c, or at −c when the map is odd.  Laps of odd maps are those of |x|.
"""

from itertools import product

import numpy as np

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


def words(laps, period):
    """All words of one period, shape (N, period − 1), as lap numbers.

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
            f"laps = {laps} and period = {period} must be >= 2 and >= 1: a map with one lap has no cycles"
        )
    grid = np.array([*product(range(laps), repeat=period - 1)], dtype=np.int8).reshape(
        laps ** (period - 1), period - 1
    )
    coded = np.column_stack([2 * grid, np.full(len(grid), _CODE_OF_C, dtype=np.int8)])
    keep = np.ones(len(grid), dtype=bool)
    for shift in range(1, period):
        keep[keep] = _compare(np.roll(coded[keep], -shift, axis=1), coded[keep]) < 0
    return grid[keep]


def name(word):
    """A word as text; C stands for the return to the critical point.

    >>> name([2, 0])
    '20C'
    """
    return "".join(str(int(lap)) for lap in word) + "C"


def parse(name):
    """The word of a name.

    >>> parse("20C")
    [2, 0]
    """
    if not (name.endswith("C") and name[:-1].isdecimal() or name == "C"):
        raise ValueError(f"{name!r} is not the name of a word: digits, then C")
    return [int(lap) for lap in name[:-1]]


def signs(words):
    """+1 where the orbit returns to c, −1 where it returns to −c; shape (N,)."""
    # the third lap maps to the other side of 0
    return 1 - 2 * ((np.asarray(words) == 2).sum(axis=1) % 2)


def double(word):
    """The word of twice the period that follows in a period-doubling cascade.

    >>> name(double([])), name(double(double([]))), name(double([2]))
    ('1C', '101C', '212C')
    """
    word = [int(lap) for lap in word]
    # After its doubling a cycle reverses orientation: the number of falling laps is odd.
    return [*word, 1 - word.count(1) % 2, *word]


def is_double(words):
    """Which words are born by period doubling, and not in a tangent bifurcation; shape (N,)."""
    words = np.asarray(words)
    half, odd = divmod(words.shape[1], 2)
    if not odd:  # the period is odd
        return np.zeros(len(words), dtype=bool)
    first, middle, last = words[:, :half], words[:, half], words[:, half + 1 :]
    return (first == last).all(axis=1) & (middle == 1 - (first == 1).sum(axis=1) % 2)


def locate(map, words, low, high, halvings=60):
    """The parameter of each word, by bisection on the kneading sequence; shape (N,).

    Parameters
    ----------
    map : netdyn_lib.maps.one_dimensional.Map
    words : array of int, shape (N, m − 1)
    low, high : float
        Parameters between which the words lie.
    halvings : int
        Bisections; 60 exhaust the precision of a float.

    Raises
    ------
    ValueError
        When a word is not between ``low`` and ``high``.
    """
    words = np.atleast_2d(np.asarray(words, dtype=int))
    low, high = np.full(len(words), float(low)), np.full(len(words), float(high))
    misplaced = (side(map, words, low) > 0) | (side(map, words, high) < 0)
    if misplaced.any():
        word = name(words[misplaced.argmax()])
        raise ValueError(
            f"word {word} is not passed between {map.parameter} = {low[0]} and {high[0]}: widen the range"
        )
    for _ in range(halvings):
        middle = (low + high) / 2
        above = side(map, words, middle) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


def side(map, words, p):
    """Whether the kneading sequence at p, a float or shape (N,), is beyond (1) or before (−1) each
    word.
    """
    p = np.broadcast_to(np.asarray(p, dtype=float), len(words))
    target = np.column_stack([2 * words, np.full(len(words), _CODE_OF_C)])
    edges = map.laps(p)
    x, side, orientation = edges[0], np.zeros(len(p), dtype=int), 1
    for symbol in target.T:
        x = map.fold(map.f(x, p))
        code = 2 * sum((x > edge).astype(int) for edge in edges)
        side = np.where(side == 0, orientation * np.sign(code - symbol), side)
        if side.all():  # most sequences differ early
            return side
        orientation = orientation * np.where(code % 4 == 2, -1, 1)
    return side
