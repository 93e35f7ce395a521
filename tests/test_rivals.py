import math

import numpy as np
import pytest

from netdyn_lib.curvature import hessian
from netdyn_lib.experiments import sweet_spot
from netdyn_lib.tasks import tasks


@pytest.fixture(scope="module")
def iris():
    return tasks.get("iris")


OPTIONS = dict(cap=200, target=0.8, sustained=5)


@pytest.fixture(scope="module")
def grid(iris):
    return sweet_spot.log_grid(iris, rates=(1.0, 0.01, 0.1), **OPTIONS)


@pytest.fixture(scope="module")
def comparison(iris, grid):
    spot = sweet_spot.SweetSpot(2.0, 1.0, 2.0, 0.9, (), 4000, True, True, "")
    return sweet_spot.compare(
        iris, {"spot": spot, "grid": grid, "plain": 0.05}, "plain", conditions=6, **OPTIONS
    )


def test_the_grid_takes_the_first_to_arrive(iris, grid):
    taken = sweet_spot.arrival(iris, [0.01, 0.1, 1.0], iris.initial(1), **OPTIONS)[:, 0]
    k = int(np.nanargmin(taken))
    assert grid.learning_rate == [0.01, 0.1, 1.0][k]
    assert grid.cost_epochs == 3 * (taken[k] + 4)
    assert "first of 3" in grid.reason


def test_a_grid_on_which_none_arrives(iris):
    with pytest.raises(
        ValueError,
        match="none of 2 networks at η from 0.0001 to 0.001 holds the target accuracy 0.9 for 20 epochs by epoch 5",
    ):
        sweet_spot.log_grid(iris, rates=(1e-4, 1e-3), cap=5)


def test_the_edge_of_stability_at_initialisation(iris):
    found = sweet_spot.from_sharpness(iris, conditions=3, tolerance=1e-8)
    sharp = hessian.sharpness(iris.objective, iris.initial(3))
    assert found.learning_rate == pytest.approx(2 / np.median(sharp), rel=1e-6)
    products = int(found.reason.split(";")[1].split()[0])
    assert found.cost_epochs == sweet_spot.PRODUCT * products > 0
    later = sweet_spot.from_sharpness(iris, conditions=3, after=10, rate=0.1)
    assert later.learning_rate != found.learning_rate and "at epoch 10" in later.reason
    assert (later.cost_epochs - 30) % sweet_spot.PRODUCT == 0


def test_epochs_before_sharpness_need_a_rate(iris):
    with pytest.raises(ValueError, match="after = 10: give the rate"):
        sweet_spot.from_sharpness(iris, after=10)


def test_a_comparison_sets_costs_against_what_is_saved(comparison):
    plain, spot, grid = comparison.rows
    assert [r.method for r in comparison.rows] == ["plain", "spot", "grid"]
    assert plain.cost_epochs == 0 and spot.cost_epochs == 4000 and plain.break_even == 0
    for row in comparison.rows:
        tau = comparison.arrivals[row.method]
        spent = np.where(np.isnan(tau), 200, tau)
        assert row.count == 6 and row.arrived == np.isfinite(tau).sum()
        assert row.never.estimate == pytest.approx(1 - row.arrived / 6)
        assert (
            row.restricted.estimate == pytest.approx(spent.mean())
            and spent.mean() in row.restricted
        )
        assert row.total_one == pytest.approx(row.cost_epochs + spent.mean())
        assert row.total_ten == pytest.approx(row.cost_epochs + 10 * spent.mean())
        assert not math.isnan(row.median)
    if math.isfinite(grid.break_even):
        saved = plain.restricted.estimate - grid.restricted.estimate
        assert grid.break_even * saved == pytest.approx(grid.cost_epochs)


def test_fresh_initial_conditions_are_not_those_of_the_search(iris, comparison):
    fresh = sweet_spot.arrival(iris, [0.05], iris.initial(6, start=10_000), **OPTIONS)[0]
    np.testing.assert_array_equal(comparison.arrivals["plain"], fresh)


def test_arrival_is_independent_of_the_rates_beside_it(iris):
    start = iris.initial(3)
    both = sweet_spot.arrival(iris, [0.05, 0.5], start, **OPTIONS)
    np.testing.assert_array_equal(both[1], sweet_spot.arrival(iris, [0.5], start, **OPTIONS)[0])


@pytest.mark.parametrize(
    "cost, each, expected",
    [(100, 20, 10.0), (0, 30, 0.0), (0, 40, math.inf), (100, 30, math.inf), (100, 40, math.inf)],
)
def test_break_even(cost, each, expected):
    assert sweet_spot.break_even(cost, each, 0, 30) == expected


def test_wrong_comparisons(iris):
    with pytest.raises(ValueError, match="default 'x' is no candidate; candidates: 'a'"):
        sweet_spot.compare(iris, {"a": 0.1}, "x")
    with pytest.raises(ValueError, match="conditions = 1"):
        sweet_spot.compare(iris, {"a": 0.1}, "a", conditions=1)
