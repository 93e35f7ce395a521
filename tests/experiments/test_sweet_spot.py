import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from netdyn_lib.curvature import hessian
from netdyn_lib.experiments import sweet_spot
from netdyn_lib.experiments.sweet_spot import Search, bisect
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent


@pytest.fixture(scope="module")
def digits():
    return tasks.get("digits", samples=400)


@pytest.fixture(scope="module")
def iris():
    return dataclasses.replace(tasks.get("iris"), target_accuracy=0.8)


@pytest.fixture(scope="module")
def line():
    """A linear network on random numbers, 10 samples."""
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(10, k, dtype=torch.float64, generator=g) for k in (2, 1))
    return nn.Linear(2, 1), x, y


# Bisection


def step(at):
    return lambda rate: float(rate >= at)


def tent(rate):
    """Rises from 0 at η = 1 to 1 at 4, and is down to 0.4 from 10 on."""
    up = math.log(max(rate, 1), 4)
    return up if rate <= 4 else max(0.4, 2 - up)


@pytest.mark.parametrize(
    "low, high", [(0.1, 100.0), (1e-3, None), (20.0, 100.0), (8.0, None), (1e-3, 1e-2)]
)
def test_a_step_is_found_from_any_bracket(low, high):
    found = bisect(step(7.5), Search(low, high, tolerance=1.05))
    assert found.low < 7.5 <= found.high and found.high / found.low <= 1.05
    assert found.converged and found.monotonic and "not monotonic" not in found.reason


def test_every_rate_is_probed_once_and_the_bracket_halves_in_the_logarithm():
    seen = []
    bisect(lambda rate: seen.append(rate) or float(rate >= 7.5), Search(1.0, 16.0, tolerance=1.2))
    assert len(set(seen)) == len(seen) == 2 + 4  # 16 to 1.19 by square roots
    assert seen[:3] == [1.0, 16.0, 4.0]


@pytest.mark.parametrize("high", [3.0, 10.0, 50.0, None])
def test_a_share_that_falls_again_is_still_found_and_reported(high):
    found = bisect(tent, Search(0.1, high, level=0.9, tolerance=1.1))
    assert tent(found.low) < 0.9 <= tent(found.high)
    assert found.low < 4**0.9 * (1 + 1e-12) and found.high < 5
    if high == 50.0:  # beyond the fall: both sides of the tent were probed
        assert not found.monotonic and "p is not monotonic: it falls from" in found.reason


def test_a_window_within_a_bracket_of_zeros_is_found():
    window = lambda rate: float(7 <= rate < 300)
    found = bisect(window, Search(1e-3, 1e6))
    assert found.low < 7 <= found.high and not found.monotonic
    short = bisect(window, Search(0.1, 100.0, tolerance=1.0001, most_probes=5))
    assert not short.converged and "stopped after 5 probes" in short.reason


@pytest.mark.parametrize(
    "share, options, message",
    [
        (lambda rate: 0.0, {}, r"p\(1e\+04\) = 0 do not bracket the level 0.9 after 8 probes"),
        (lambda rate: 1.0, {}, "do not bracket .* sensitive already: give a smaller low"),
        (lambda rate: 0.5 * (rate > 1), {}, "the largest is p.* = 0.5: lower the level"),
        (step(1e3), dict(expansions=1), "no initial condition"),
        (lambda rate: 1.0, dict(most_probes=2), "after 2 probes"),
    ],
)
def test_what_does_not_bracket(share, options, message):
    with pytest.raises(ValueError, match=message):
        bisect(share, Search(1e-3, **options))


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(low=0.0), "low = 0"),
        (dict(low=2.0, high=1.0), "low = 2.0 and high = 1.0"),
        (dict(level=1.5), "level = 1.5"),
        (dict(tolerance=1.0), "tolerance = 1"),
        (dict(growth=float("nan")), "growth = nan"),
        (dict(most_probes=1), "most_probes = 1"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(ValueError, match=message):
        Search(**options)


# The sweet spot


@pytest.fixture(scope="module")
def spot(digits):
    search = Search(conditions=5, epochs=40, low=1.0, high=8.0, tolerance=2.0)
    return sweet_spot.find(digits, search=search)


def test_digits_have_an_onset_of_sensitivity(spot):
    assert 1 <= spot.low < spot.learning_rate == spot.high <= 8 and spot.high / spot.low <= 2
    assert spot.converged and spot.level == 0.9
    shares = {p.learning_rate: p.share.estimate for p in spot.probes}
    assert shares[spot.low] < 0.9 <= shares[spot.high] and list(shares) == sorted(shares)
    assert all(p.cost_epochs == 5 * 2 * 40 for p in spot.probes)
    assert spot.cost_epochs == len(spot.probes) * 400
    top = next(p for p in spot.probes if p.learning_rate == spot.high)
    assert top.count == 5 and top.kept == 5 and top.diverged == top.merged == 0
    assert top.share.low < 1 == top.share.estimate and top.exponent.low > 0.05
    assert top.learned == 5 and top.runaway == top.dead == 0
    assert f"at η = {spot.high:.4g} 5 of 5 networks beat the best constant output" in spot.reason


def test_a_module_starts_where_it_is_told():
    iris = tasks.get("iris", samples=30)
    module = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 3))
    start = networks.initial_parameters(networks.ModuleNetwork(module), 4, 0, "pytorch")
    search = Search(1.0, 100.0, 0.25, 100, epochs=25, conditions=4)
    found = sweet_spot.find(module, iris.x, iris.y, search, start)
    task = tasks.custom(
        "own", module, losses.CrossEntropy(), iris.x, iris.y, initialisation="pytorch"
    )
    assert repr(found) == repr(sweet_spot.find(task, search=search))  # NaN equals no NaN
    assert all(p.count == 4 for p in found.probes) and found.probes[0].learned == 4


def test_a_linear_network_runs_away_beyond_its_edge_of_stability(line):
    module, x, y = line
    task = tasks.custom("line", module, losses.HalfSquaredError(), x, y)
    largest = hessian.sharpness(task.objective, task.initial(1))[0]  # the same everywhere
    search = Search(1 / largest, 3 / largest, tolerance=1.02, conditions=4, epochs=120)
    found = sweet_spot.find(module, x, y, search)
    assert found.low <= (1 + math.exp(0.05)) / largest <= found.high  # ln|1 − ηλ| = 0.05
    # No chaos: the loss has grown by exp(2 · 0.05 · 120) = 160,000 and more.
    assert found.probes[0].learned == 4 and found.probes[0].runaway == 0
    assert next(p for p in found.probes if p.learning_rate == found.high).runaway == 4
    assert not found.converged and found.high / found.low <= 1.02
    assert "the answer is a runaway" in found.reason


def test_networks_whose_hidden_units_have_died_are_no_answer():
    task = tasks.get("digits-usps", samples=60)
    search = Search(10.0, 40.0, tolerance=1.5, conditions=4, epochs=30)
    found = sweet_spot.find(task, search=search)
    descent = gradient_descent.GradientDescent(task, found.high)
    final = gradient_descent.run(descent, task.initial(4), 30, observe=()).final
    assert float(task.network.hidden(final, task.x).max()) == 0
    top = next(p for p in found.probes if p.learning_rate == found.high)
    assert top.dead == 4 and top.learned == 0 and not found.converged
    assert "the answer is a graveyard" in found.reason


def test_networks_that_only_get_worse_are_no_answer(digits):
    search = Search(0.1, 8.0, tolerance=100.0, conditions=2, epochs=25)
    lost = sweet_spot.find(digits, search=search)
    assert lost.high == 8.0 and not lost.converged
    assert "networks do not learn here" in lost.reason and "0 of 2 beat" in lost.reason


LABELS = torch.tensor([0] * 6 + [2] * 3 + [3])
ENTROPY = -sum(f * math.log(f) for f in (0.6, 0.3, 0.1))
NUMBERS = torch.tensor([[0.0, 1.0, 5.0, 100.0, 3.0, 4.0, 2.0, 8.0, 9.0, 7.0]]).double().T
SQUARES = 5 * float(NUMBERS.var(correction=0))  # half of 10 samples
NLL = losses.PerSample(nn.NLLLoss(reduction="none"))
ABSOLUTE = losses.PerSample(lambda z, y: (z - y).abs().sum(1), labels=False)


@pytest.mark.parametrize(
    "loss, outputs, y, best",
    [
        (losses.CrossEntropy(), [nn.Linear(2, 4)], LABELS, ENTROPY),
        (NLL, [nn.Linear(2, 4), nn.LogSoftmax(1)], LABELS, ENTROPY),
        (losses.HalfSquaredError(), [nn.Linear(2, 1)], NUMBERS + 1e6, SQUARES),
        (ABSOLUTE, [nn.Linear(2, 1)], NUMBERS, 11.9),  # at the median
    ],
    ids=["cross-entropy", "log-probabilities", "squares", "absolute"],
)
def test_the_best_constant_is_the_minimum_over_constants(loss, outputs, y, best, line):
    task = tasks.custom("own", nn.Sequential(*outputs), loss, line[1], y)
    assert sweet_spot.constant_loss(task, task.initial(1)[0]) == pytest.approx(best, rel=1e-6)


def test_a_linear_network_below_its_edge_is_nowhere_sensitive(line):
    message = r"p\(1e-06\) = 0 and p\(0.0001\) = 0 do not bracket .* too simple for chaos"
    with pytest.raises(ValueError, match=message):
        sweet_spot.find(*line, Search(1e-6, conditions=3, epochs=30, expansions=1))


def test_networks_that_overflow_are_reported(line):
    message = "networks overflowed and count as not sensitive: 3 of 3 at η = 1e\\+06"
    with pytest.raises(ValueError, match=message):
        sweet_spot.find(*line, Search(1e6, conditions=3, epochs=60, expansions=0))
    found = sweet_spot.find(*line, Search(0.01, 1e6, tolerance=1000, conditions=3, epochs=60))
    top = found.probes[-1]
    assert top.diverged == top.runaway == 3 and top.kept == 0
    assert not found.monotonic and "overflowed" in found.reason


def test_copies_that_meet_their_reference_are_not_sensitive():
    module, x = nn.Linear(2, 1, bias=False), torch.eye(2, dtype=torch.float64)
    task = tasks.custom("eye", module, losses.HalfSquaredError(), x, torch.zeros(2, 1))
    # one step leads all to the minimum
    found = sweet_spot.probe(task, 1.0, networks.perturbed(task.initial(3), 1e-8, 1), epochs=20)
    assert found.merged == 3 and found.kept == 0 and found.share.estimate == 0
    assert np.isnan(found.exponent.estimate)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda t: sweet_spot.find(t, t.x, t.y), "already"),
        (lambda t: sweet_spot.find(nn.Linear(64, 10)), "Linear is a module: give the samples"),
        (lambda t: sweet_spot.find(t, search=Search(epochs=10)), "epochs = 10: .* at least 20"),
        (lambda t: sweet_spot.compare(t, {"a": 0.1}, conditions=1), "conditions = 1"),
    ],
)
def test_wrong_arguments(call, message, digits):
    with pytest.raises(ValueError, match=message):
        call(digits)


# Rival ways to a learning rate

OPTIONS = dict(cap=200, sustained=5)


@pytest.fixture(scope="module")
def grid(iris):
    return sweet_spot.log_grid(iris, rates=(1.0, 0.01, 0.1), **OPTIONS)


@pytest.fixture(scope="module")
def comparison(iris, grid):
    spot = sweet_spot.SweetSpot(2.0, 1.0, 2.0, 0.9, (), 4000, True, True, "")
    candidates = {"plain": 0.05, "spot": spot, "grid": grid}
    return sweet_spot.compare(iris, candidates, conditions=6, **OPTIONS)


def test_the_grid_takes_the_first_to_arrive(iris, grid):
    taken = sweet_spot.arrival(iris, [0.01, 0.1, 1.0], iris.initial(1), **OPTIONS)[:, 0]
    k = int(np.nanargmin(taken))
    assert grid.learning_rate == [0.01, 0.1, 1.0][k] and "first of 3" in grid.reason
    assert grid.cost_epochs == 3 * (taken[k] + 4)
    with pytest.raises(ValueError, match="none of 2 networks at η from 0.0001 to 0.001 holds"):
        sweet_spot.log_grid(iris, rates=(1e-4, 1e-3), cap=5)


def test_the_edge_of_stability_at_initialisation(iris):
    found = sweet_spot.from_sharpness(iris, conditions=3, tolerance=1e-8)
    sharp = hessian.sharpness(iris.objective, iris.initial(3))
    assert found.learning_rate == pytest.approx(2 / np.median(sharp), rel=1e-6)
    products = int(found.reason.split(";")[1].split()[0])
    assert found.cost_epochs == sweet_spot.PRODUCT * products > 0


def test_a_comparison_sets_costs_against_what_is_saved(iris, comparison):
    plain, spot, grid = comparison.rows
    assert [r.method for r in comparison.rows] == ["plain", "spot", "grid"]
    assert plain.cost_epochs == 0 and spot.cost_epochs == 4000 and plain.break_even == 0
    for row in comparison.rows:
        tau = comparison.arrivals[row.method]
        spent = np.where(np.isnan(tau), 200, tau).mean()
        assert row.count == 6 and row.arrived == np.isfinite(tau).sum()
        assert row.never.estimate == pytest.approx(1 - row.arrived / 6)
        assert row.restricted.estimate == pytest.approx(spent) and spent in row.restricted
        assert row.total_ten == pytest.approx(row.cost_epochs + 10 * spent)
    if math.isfinite(grid.break_even):
        saved = plain.restricted.estimate - grid.restricted.estimate
        assert grid.break_even * saved == pytest.approx(grid.cost_epochs)
    fresh = sweet_spot.arrival(iris, [0.05, 0.5], iris.initial(6, start=10_000), **OPTIONS)
    np.testing.assert_array_equal(comparison.arrivals["plain"], fresh[0])  # none of the search's


def test_break_even():
    never = math.inf
    rows = {(100, 20): 10.0, (0, 30): 0.0, (0, 40): never, (100, 30): never, (100, 40): never}
    assert [sweet_spot.break_even(*row, 0, 30) for row in rows] == list(rows.values())
