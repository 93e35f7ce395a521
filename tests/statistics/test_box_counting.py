"""Box counts of curves whose dimension is known."""

import numpy as np
import pytest

from netdyn_lib.statistics import box_counting

SIDES = (1, 2, 4, 8, 16, 32)


def plane(side):
    return np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))


def test_a_straight_boundary_is_counted_exactly():
    above = np.arange(65) > np.full((65, 1), 20.5)
    assert box_counting.counts(above, (1, 2, 4, 8)).tolist() == [64, 32, 16, 8]
    assert box_counting.dimension(above, (1, 2, 4, 8)) == pytest.approx(1, abs=1e-12)


def test_a_boundary_on_a_line_of_the_grid_is_counted_once():
    """Between points 31 and 32 in columns of boxes that share no cell."""
    above = np.arange(65) > np.full((65, 1), 31.5)
    assert box_counting.crossed(above, 32).tolist() == [[True, False], [True, False]]


def test_noise_is_everywhere():
    above = np.random.default_rng(0).random((193, 193)) < 0.5
    assert box_counting.dimension(above, SIDES) == pytest.approx(2, abs=0.03)


@pytest.mark.parametrize("side, within", [(192, 0.06), (1000, 0.04)])
def test_smooth_curves_have_dimension_one(side, within):
    x, y = plane(side)
    for above in (x**2 + y**2 < 0.5, y < 0.5 * np.sin(4 * x), y < 0.7 * x + 0.1):
        assert box_counting.dimension(above, SIDES) == pytest.approx(1, abs=within)


def test_a_fractal_of_squares_has_its_dimension():
    """Five of nine squares, and five of nine in each: ln 5/ln 3."""
    cross, above = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]]), np.ones((1, 1))
    for _ in range(6):
        above = np.kron(above, cross)
    found = box_counting.dimension(np.pad(above, 1) > 0, (3, 9, 27, 81))
    assert found == pytest.approx(np.log(5) / np.log(3), abs=0.06)


def test_the_boundary_of_douadys_rabbit_has_its_dimension():
    """1.3934 (McMullen 1998)."""
    x, y = plane(1000)
    z = 1.3 * x + 1.1j * y
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(200):
            z = np.where(np.abs(z) < 10, z * z - 0.12256 + 0.74486j, z)
    assert box_counting.dimension(np.abs(z) < 2, SIDES) == pytest.approx(1.3934, abs=0.06)


def test_a_picture_without_boundary_has_no_dimension_and_no_box():
    assert np.isnan(box_counting.dimension(np.ones((65, 65)), (1, 2)))
    with pytest.raises(ValueError, match="no boundary"):
        box_counting.typical_box(np.ones((65, 65)), 4)


def test_the_typical_box_is_the_median_one():
    """Boxes with 1, 4 and 2 crossed cells: the second fewest."""
    above = np.zeros((9, 13), dtype=bool)
    above[0, 0] = True  # one crossed cell in box (0, 0)
    above[2, 6] = True  # four in box (0, 1)
    above[8, 9] = True  # two in box (1, 2)
    assert box_counting.typical_box(above, 4) == (1, 2)
