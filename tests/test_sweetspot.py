import math

import numpy as np
import pytest
import torch
from torch import nn

from netdyn_lib.curvature import hessian
from netdyn_lib.experiments import sweet_spot
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent

SMALL = dict(conditions=5, epochs=40, low=1.0, high=8.0, tolerance=2.0)


@pytest.fixture(scope="module")
def digits():
    return tasks.get("digits", samples=400)


@pytest.fixture(scope="module")
def spot(digits):
    return sweet_spot.find(digits, **SMALL)


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
    assert (
        sweet_spot.probe(digits, 1.0, digits.initial(2), copies=3, epochs=25).cost_epochs
        == 2 * 4 * 25
    )


def test_the_evidence_of_a_probe(spot):
    top = next(p for p in spot.probes if p.learning_rate == spot.high)
    assert top.count == 5 and top.kept == 5 and top.diverged == top.merged == 0
    assert top.share.low < 1 == top.share.estimate
    assert top.exponent.low > 0.05
    assert top.learned == 5 and top.runaway == top.dead == 0
    assert f"at η = {spot.high:.4g} 5 of 5 networks beat the best constant output" in spot.reason


def test_a_module_of_ones_own_starts_as_it_is_told():
    iris = tasks.get("iris", samples=30)
    module = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 3))
    options = dict(epochs=25, low=1.0, high=100.0, level=0.25, tolerance=100)
    drawn = dict(initialisation="pytorch", conditions=4)
    found = sweet_spot.find(module, iris.x, iris.y, **drawn, **options)
    start = networks.initial_parameters(networks.ModuleNetwork(module), 4, 0, "pytorch")
    same = sweet_spot.find(module, iris.x, iris.y, start=start, **options)
    assert repr(found) == repr(same)  # NaN equals no NaN
    assert all(p.count == 4 for p in found.probes) and found.probes[0].learned == 4


def test_a_linear_network_runs_away_beyond_its_edge_of_stability(line):
    module, x, y = line
    task = tasks.custom("line", module, losses.HalfSquaredError(), x, y)
    largest = hessian.sharpness(task.objective, task.initial(1))[0]  # the same everywhere
    options = dict(conditions=4, epochs=120, low=1 / largest, high=3 / largest, tolerance=1.02)
    found = sweet_spot.find(module, x, y, **options)
    assert found.low <= (1 + math.exp(0.05)) / largest <= found.high  # ln|1 − ηλ| = 0.05
    # No chaos: the loss has grown by exp(2 · 0.05 · 120) = 160,000 and more.
    assert found.probes[0].learned == 4 and found.probes[0].runaway == 0
    assert next(p for p in found.probes if p.learning_rate == found.high).runaway == 4
    assert not found.converged and found.high / found.low <= 1.02
    assert "the answer is a runaway" in found.reason


def test_networks_whose_hidden_units_have_died_are_no_answer():
    task = tasks.get("digits-usps", samples=60)
    found = sweet_spot.find(task, conditions=4, epochs=30, low=10.0, high=40.0, tolerance=1.5)
    final = gradient_descent.run(
        gradient_descent.GradientDescent(task, found.high), task.initial(4), 30, observe=()
    ).final
    assert float(task.network.hidden(final, task.x).max()) == 0
    top = next(p for p in found.probes if p.learning_rate == found.high)
    assert top.dead == 4 and top.learned == 0 and not found.converged
    assert "the answer is a graveyard" in found.reason


def test_networks_that_only_get_worse_are_no_answer(digits):
    lost = sweet_spot.find(digits, conditions=2, epochs=25, low=0.1, high=8.0, tolerance=100.0)
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
    with pytest.raises(
        ValueError,
        match=r"p\(1e-06\) = 0 and p\(0.0001\) = 0 do not bracket .* too simple for chaos",
    ):
        sweet_spot.find(*line, conditions=3, epochs=30, low=1e-6, expansions=1)


def test_networks_that_overflow_are_reported(line):
    with pytest.raises(
        ValueError, match="networks overflowed and count as not sensitive: 3 of 3 at η = 1e\\+06"
    ):
        sweet_spot.find(*line, conditions=3, epochs=60, low=1e6, expansions=0)
    found = sweet_spot.find(*line, conditions=3, epochs=60, low=0.01, high=1e6, tolerance=1000)
    assert found.probes[-1].diverged == found.probes[-1].runaway == 3 and found.probes[-1].kept == 0
    assert (
        not found.monotonic
        and "p is not monotonic" in found.reason
        and "overflowed" in found.reason
    )


def test_copies_that_meet_their_reference_are_not_sensitive():
    x = torch.eye(2, dtype=torch.float64)
    task = tasks.custom(
        "eye", nn.Linear(2, 1, bias=False), losses.HalfSquaredError(), x, torch.zeros(2, 1)
    )
    # one step leads all to the minimum
    found = sweet_spot.probe(task, 1.0, task.initial(3), epochs=20)
    assert (
        found.merged == 3
        and found.kept == 0
        and found.share.estimate == 0
        and np.isnan(found.exponent.estimate)
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda t: sweet_spot.find(t, t.x, t.y), "already"),
        (lambda t: sweet_spot.find(nn.Linear(64, 10)), "Linear is a module: give the samples"),
        (
            lambda t: sweet_spot.find(t, epochs=10),
            "epochs = 10: must be a whole number, at least 20",
        ),
        (lambda t: sweet_spot.find(t, conditions=0), "count = 0"),
    ],
)
def test_wrong_arguments(call, message, digits):
    with pytest.raises(ValueError, match=message):
        call(digits)
