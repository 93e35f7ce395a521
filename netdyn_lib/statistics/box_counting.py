"""Box counts of the boundary between the two sides of a picture, and their dimension.

A picture is a grid of points, each on one side or the other, as by the sign of a quantity.  Boxes
have points at their corners, so that neighbours share an edge and no crossing falls between two.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..validation import whole


def crossed(above: ArrayLike, side: int) -> np.ndarray:
    """Return which boxes of a ``side``, in cells of the grid, the boundary crosses: those whose
    (side + 1)² points are not all on one side.

    ``above`` (n, m) bool; the result is ((n − 1)//side, (m − 1)//side).

    >>> crossed(np.arange(5) > np.full((5, 1), 1.5), 2)
    array([[ True, False],
           [ True, False]])
    """
    picture = np.asarray(above, dtype=bool)
    side = whole(side, "side", 1, min(picture.shape) - 1, "cells of the picture")
    rows, columns = ((n - 1) // side for n in picture.shape)
    inside = np.lib.stride_tricks.sliding_window_view(picture, (side + 1, side + 1))
    boxes = inside[: rows * side : side, : columns * side : side]
    return np.asarray(boxes.any((2, 3)) & ~boxes.all((2, 3)))


def counts(above: ArrayLike, sides: Sequence[int]) -> np.ndarray:
    """Return how many boxes of each of the ``sides`` the boundary crosses, (k,).

    All over the same part of the picture: what whole boxes of the largest side cover.
    """
    picture = np.asarray(above, dtype=bool)
    n, m = ((size - 1) // max(sides) * max(sides) + 1 for size in picture.shape)
    return np.array([crossed(picture[:n, :m], side).sum() for side in sides])


def dimension(above: ArrayLike, sides: Sequence[int]) -> float:
    """Return the box dimension of the boundary: minus the slope of ln count over ln side, least
    squares; NaN where there is no boundary in the picture.

    1 for a smooth curve, 2 for a boundary that is everywhere.  Over so few scales a count is off
    by its grid: compare known curves at the same sizes.
    """
    found = counts(above, sides)
    if not found.all():
        return float("nan")
    return float(-np.polyfit(np.log(sides), np.log(found), 1)[0])


def typical_box(above: ArrayLike, side: int) -> tuple[int, int]:
    """Return the box (row, column) of a ``side`` in which as many cells are crossed as in the
    median box with any; of several, the first in reading order.

    Raises ValueError for a picture without a boundary.
    """
    cells = crossed(above, 1)
    rows, columns = (n // side for n in cells.shape)
    inside = cells[: rows * side, : columns * side].reshape(rows, side, columns, side).sum((1, 3))
    if not inside.any():
        raise ValueError(f"no box of side {side} is crossed: the picture has no boundary")
    ordered = np.sort(inside[inside > 0])
    place = np.argmax(inside == ordered[(len(ordered) - 1) // 2])
    row, column = np.unravel_index(place, inside.shape)
    return int(row), int(column)
