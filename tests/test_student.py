"""Student's t interval against the textbook's numbers, and how often it covers."""

import numpy as np
import pytest

from netdyn_lib.statistics.intervals import student


def test_students_interval_is_the_textbooks():
    """t(4, 0.975) = 2.776445, and the standard error of 1 … 5 is √(2.5/5)."""
    found, half = student([1, 2, 3, np.nan, 4, 5]), 2.776445 * 0.5**0.5
    assert tuple(found) == pytest.approx((3, 3 - half, 3 + half)) and found.count == 5


def test_fewer_than_five_known_values_have_no_interval():
    for values, estimate in (([1, 2, 3, 6, np.nan], 3), ([5.0, np.nan], 5), ([np.nan], np.nan)):
        assert tuple(student(values)) == pytest.approx((estimate, np.nan, np.nan), nan_ok=True)
    assert str(student([1, 3])) == "2 (no interval: n = 2 values, 5 needed)"


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [0 in student(values) for values in rng.standard_normal((1000, 5))]
    assert 0.93 < np.mean(found) < 0.97
