"""Student's t interval against the textbook's numbers, and how often it covers."""

import numpy as np
import pytest

from netdyn_lib.student import student


def known(interval, estimate, low, high):
    assert tuple(interval) == pytest.approx((estimate, low, high))


def test_students_interval_is_the_textbooks():
    """Two values: t(1, 0.975) = 12.706; their standard error is half their distance."""
    known(student([1, 3]), 2, 2 - 12.7062, 2 + 12.7062)
    known(student([1, 2, 3, np.nan]), 2, 2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5)
    one, none = student([5.0, np.nan]), student([np.nan])
    assert one.estimate == 5 and np.isnan([one.low, one.high, *none]).all()


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [0 in student(values) for values in rng.standard_normal((2000, 3))]
    assert 0.935 < np.mean(found) < 0.965
