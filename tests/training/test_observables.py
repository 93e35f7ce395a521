"""What is observed of a trajectory, and what a divergence makes unknown."""

import numpy as np
import pytest
import torch

from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import observables


def ways(weights):
    """Displacement and path length, (n, P) each, of weights (T + 1, n, P)."""
    return np.abs(weights[-1] - weights[0]), np.abs(np.diff(weights, axis=0)).sum(0)


def test_straightness_of_a_way_there_a_way_back_and_a_line():
    t = np.arange(11.0)[:, None]
    weights = np.hstack([2 * t, np.minimum(t, 10 - t), 0 * t])[:, None]  # (11, 1, 3)
    way = observables.straightness(*ways(weights))
    # a weight that never moved has no straightness
    np.testing.assert_allclose(way.ratio[0], [1, 0, np.nan])
    path = np.linspace(1, 2, 20)
    # out by 0.8, back by 0.1 of the path
    weights = np.stack([np.zeros(20), 0.8 * path, 0.7 * path])[:, None]
    way = observables.straightness(*ways(weights))
    assert np.isclose(way.correlation[0], 1) and np.isclose(way.slope[0], 0.7 / 0.9)
    rest = observables.straightness(np.zeros((2, 3)), np.zeros((2, 3)))
    assert np.isnan(rest.ratio).all() and np.isnan(rest.slope).all()


def test_importance_is_the_loss_without_a_weight():
    task = tasks.get("iris")
    params = task.initial(1)[0]
    got = observables.weight_importance(task, params)
    for k in (0, 4, 82):
        without = params.clone()
        without[k] = 0
        assert np.isclose(got[k], float(task.objective(without) - task.objective(params)))
    np.testing.assert_allclose(observables.importances(task, params[None])[0], got)


def test_radial_loss_at_one_is_the_loss():
    task = tasks.get("iris")
    params = task.initial(3)
    radial = observables.radial_loss(task, params, (0.0, 1.0))
    np.testing.assert_allclose(radial[0], np.log(3))  # no weights, no opinion
    np.testing.assert_allclose(radial[1], [float(task.objective(p)) for p in params])


def test_a_linear_response_collapses():
    curve = np.exp(np.linspace(0, 1, 5))[:, None] * np.ones((1, 3))
    assert observables.collapse({1e-8: 1e-8 * curve, 1e-4: 1e-4 * curve}) < 1e-12
    assert observables.collapse({1.0: curve, 2.0: 2 * curve**2, 3.0: 3 * curve}) > 0.5


def test_curves_that_never_rise():
    t = np.arange(0, 1000, 10)
    curves = np.stack([1 / (1 + t), np.cos(t / 100) + 2, np.ones(100), 1 / (1 + t)], 1)
    curves[50:, 3] = np.nan  # diverged
    assert observables.non_increasing(curves).tolist() == [True, False, True, False]
    assert not observables.non_increasing([np.inf, 1.0])


def test_first_hit_and_sustained_arrival():
    curve = np.array([0, 1, 0, 1, 1, 1, 0.0])
    curves = np.stack([curve, np.zeros(7)], 1)
    assert observables.first_hit(range(0, 70, 10), curves, 0.9)[0] == 10
    assert observables.first_hit(range(0, 70, 10), curves, 0.9, sustained=3)[0] == 30
    assert np.isnan(observables.first_hit(range(7), curves, 0.9)[1])


def snapshot():
    return observables.Snapshot(0, torch.zeros(2, 3, 5, dtype=torch.float64), None)


@pytest.mark.parametrize(
    "per, axes, seen",
    [
        ("network", (3,), [[0, 1, 0], [0, 0, 0]]),
        ("copy", (2, 4), [[1, 0], [0, 0]]),
        ("group", (7,), [[1] * 7, [0] * 7]),
        (None, (3,), [[1] * 3, [0] * 3]),
        (None, (), [1, 0]),
    ],
)
def test_what_a_diverged_copy_makes_unknown(per, axes, seen):
    def values(s):
        return torch.zeros(2, *axes)

    if per:
        values.per = per
    gone = torch.tensor([[False, True, False], [False] * 3])
    got = observables.look("values", values, snapshot(), gone)
    while got.dim() > np.ndim(seen):
        got = got[..., 0]
    assert got.isnan().int().tolist() == seen


def test_a_diverged_reference_makes_its_copies_distances_unknown():
    gone = torch.tensor([[True, False, False], [False] * 3])
    found = observables.look("distance", observables.distance, snapshot(), gone)
    assert found.isnan().tolist() == [[True, True], [False, False]]
    ones = lambda s: torch.ones(2, 3, dtype=torch.int64)
    assert (observables.look("ones", ones, snapshot(), gone) == 1).all()  # no integer is NaN


def odd(s):
    return s.params


odd.per = "colour"
ONES = torch.ones(4, 1, dtype=torch.float64)
LINE = tasks.custom("line", networks.MLP((1, 1)), losses.HalfSquaredError(), ONES, ONES)
NEEDS = "needs class labels, but the targets of task 'line' are torch.float64"


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: observables.straightness(ONES, ONES[:3]), r"expected \(n, P\) for both"),
        (lambda: observables.first_hit(range(3), [0, 1, 1], 1, 9), "sustained = 9: .* from 1 to 3"),
        (
            lambda: observables.look("wrong", lambda s: torch.ones(3), snapshot()),
            r"observable wrong has shape \(3,\); expected \(2,\) first, group by group",
        ),
        (
            lambda: observables.collect((lambda s: 1, lambda s: 2), LINE, 0),
            "two observables are called '<lambda>'",
        ),
        (
            lambda: observables.collect(odd, LINE, 0),
            "odd is declared per 'colour'; known: network, copy, reference, group",
        ),
        (lambda: observables.collect(("accuracy",), LINE, 0), f"^accuracy {NEEDS}"),
        (lambda: observables.collect(("test_accuracy",), LINE, 0), f"test_accuracy {NEEDS}"),
        (lambda: observables.misclassified(LINE, ONES[:2, 0]), "needs class labels"),
        (lambda: observables.non_increasing([1.0]), "1 epochs: fewer than 2"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
