"""Cascades against Feigenbaum's constant."""

import numpy as np
import pytest

from netdyn_lib.maps import cascades, one_dimensional
from netdyn_lib.maps.one_dimensional import CUBIC, LOGISTIC

DELTA = 4.669201609102990


@pytest.fixture(scope="module", params=["cubic", "logistic"])
def cascade(request):
    map, low = {"cubic": (CUBIC, 0.1), "logistic": (LOGISTIC, 1.0)}[request.param]
    return map, cascades.cascade(map, 8, low, map.exact[0])


@pytest.mark.parametrize("kind", ["superstable", "doubling"])
def test_ratio_is_feigenbaums_within_its_error(cascade, kind):
    points, rounding = getattr(cascade[1], kind), getattr(cascade[1], f"{kind}_error")
    found = cascades.feigenbaum(points, rounding)
    assert abs(found.value - DELTA) < 2e-4
    assert abs(found.value - DELTA) < found.error < 2e-3


def test_both_kinds_of_points_end_at_one_place(cascade):
    map, found = cascade
    ends = [cascades.accumulation(found.superstable, found.superstable_error)]
    ends += [cascades.accumulation(found.doubling, found.doubling_error)]
    assert abs(ends[0].value - ends[1].value) < ends[0].error + ends[1].error
    assert max(end.error for end in ends) < 1e-8
    if map is LOGISTIC:
        assert abs(ends[1].value - 3.569945671870944) < ends[1].error


def test_levels_interleave_and_double(cascade):
    _, found = cascade
    assert found.period.tolist() == [2.0**k for k in range(9)]
    assert np.all(found.superstable < found.doubling)
    assert np.all(found.doubling[:-1] < found.superstable[1:])


def test_orbits_have_the_period_of_their_level(cascade):
    map, found = cascade
    for k in range(5):
        p, m = found.superstable[k], int(found.period[k])
        settled = one_dimensional.orbit(map, p, one_dimensional.orbit(map, p, 0.1, 4000)[-1], m)
        assert abs(settled[m] - settled[0]) < 1e-9
        assert k == 0 or abs(settled[m // 2] - settled[0]) > 1e-4


def test_the_error_counts_rounding():
    exact = 1 - 4.0 ** -np.arange(12)
    rounded = exact.round(6)
    found = cascades.feigenbaum(rounded, np.full(12, 5e-7))
    assert abs(found.value - 4) < found.error
    assert found.error < found.errors[-1]  # the last points are rounded away


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="3 points of a cascade must be >= 4"):
        cascades.feigenbaum([1, 2, 3], [0, 0, 0])
    with pytest.raises(ValueError, match="word 1C is not passed between"):
        cascades.cascade(CUBIC, 2, 0.1, 0.9)
