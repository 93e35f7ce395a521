import math

import numpy as np
import pytest
import torch
from torch import nn

from netdyn_lib import curvature, losses, networks, sweetspot, tasks

SMALL = dict(conditions=5, epochs=40, low=1.0, high=8.0, tolerance=2.0)


@pytest.fixture(scope="module")
def digits():
    return tasks.get("digits")


@pytest.fixture(scope="module")
def spot(digits):
    return sweetspot.find(digits, **SMALL)


@pytest.fixture(scope="module")
def line():
    """A linear network on random numbers, 10 samples."""
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(10, k, dtype=torch.float64, generator=g) for k in (2, 1))
    return nn.Linear(2, 1), x, y


def test_digits_have_an_onset_of_sensitivity(spot):
    assert 1 <= spot.low < spot.learning_rate == spot.high <= 8 and spot.high / spot.low <= 2
    assert spot.converged and spot.level == 0.9
    shares = {p.learning_rate: p.share.estimate for p in spot.probes}
    assert shares[spot.low] < 0.9 <= shares[spot.high]
    assert list(shares) == sorted(shares)


def test_the_cost_counts_networks_with_their_copies(digits, spot):
    assert all(p.cost_epochs == 5 * 2 * 40 for p in spot.probes)
    assert spot.cost_epochs == len(spot.probes) * 400
    assert sweetspot.probe(digits, 1.0, digits.initial(2), copies=3, epochs=25).cost_epochs == 2 * 4 * 25


def test_the_same_seed_gives_the_same_spot(digits, spot):
    assert repr(vars(sweetspot.find(digits, **SMALL))) == repr(vars(spot))  # NaN equals no NaN


def test_the_evidence_of_a_probe(spot):
    top = next(p for p in spot.probes if p.learning_rate == spot.high)
    assert top.count == 5 and top.kept == 5 and top.diverged == top.merged == 0
    assert top.share.low < 1 == top.share.estimate
    assert top.exponent.low > 0.05


def test_a_module_of_ones_own():
    iris = tasks.get("iris")
    module = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    found = sweetspot.find(module, iris.x, iris.y, conditions=4, epochs=40, low=0.1, level=0.25, tolerance=5, most_probes=8)
    assert found.learning_rate > found.low >= 0.01 and all(p.count == 4 for p in found.probes)
    start = networks.initial(networks.ModuleNetwork(module), 2)
    mine = sweetspot.find(module, iris.x, iris.y, start=start, epochs=40, low=0.1, level=0.25, tolerance=5, most_probes=8)
    assert all(p.count == 2 for p in mine.probes)


def test_a_linear_network_runs_away_beyond_its_edge_of_stability(line):
    module, x, y = line
    task = tasks.custom("line", module, losses.HalfSquaredError(), x, y)
    largest = curvature.sharpness(task.objective, task.initial(1))[0]  # the same everywhere
    found = sweetspot.find(module, x, y, conditions=4, epochs=60, tolerance=1.02)
    assert found.low <= (1 + math.exp(0.05)) / largest <= found.high  # ln|1 − ηλ| = 0.05


def test_a_linear_network_below_its_edge_is_nowhere_sensitive(line):
    with pytest.raises(ValueError, match=r"p\(1e-06\) = 0 and p\(0.0001\) = 0 do not bracket .* too simple for chaos"):
        sweetspot.find(*line, conditions=3, epochs=30, low=1e-6, expansions=1)


def test_networks_that_overflow_are_reported(line):
    with pytest.raises(ValueError, match="networks overflowed and count as not sensitive: 3 of 3 at η = 1e\\+06"):
        sweetspot.find(*line, conditions=3, epochs=100, low=1e6, expansions=0)
    found = sweetspot.find(*line, conditions=3, epochs=100, low=0.01, high=1e6, tolerance=3)
    assert found.probes[-1].diverged == 3 and found.probes[-1].kept == 0
    assert not found.monotonic and "p is not monotonic" in found.reason and "overflowed" in found.reason


def test_copies_that_meet_their_reference_are_not_sensitive():
    x = torch.eye(2, dtype=torch.float64)
    task = tasks.custom("eye", nn.Linear(2, 1, bias=False), losses.HalfSquaredError(), x, torch.zeros(2, 1))
    found = sweetspot.probe(task, 1.0, task.initial(3), epochs=20)  # one step leads all to the minimum
    assert found.merged == 3 and found.kept == 0 and found.share.estimate == 0 and np.isnan(found.exponent.estimate)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda t: sweetspot.find(t, t.x, t.y), "already"),
        (lambda t: sweetspot.find(nn.Linear(64, 10)), "Linear is a module: give the samples"),
        (lambda t: sweetspot.find(t, epochs=10), "epochs = 10: must be a whole number, at least 20"),
        (lambda t: sweetspot.find(t, conditions=0), "count = 0"),
    ],
)
def test_wrong_arguments(call, message, digits):
    with pytest.raises(ValueError, match=message):
        call(digits)
