import numpy as np
import torch

from netdyn_lib import observables, tasks


def test_a_straight_way_and_a_way_back():
    t = np.arange(11.0)[:, None]
    weights = np.hstack([2 * t, np.minimum(t, 10 - t), 0 * t])[:, None]  # (11, 1, 3)
    np.testing.assert_allclose(observables.displacement(weights)[0], [20, 0, 0])
    np.testing.assert_allclose(observables.path_length(weights)[0], [20, 10, 0])
    way = observables.straightness(weights)
    np.testing.assert_allclose(way.ratio[0, :2], [1, 0])
    assert np.isnan(way.ratio[0, 2])  # a weight that never moved has no straightness


def test_straightness_finds_a_line():
    path = np.linspace(1, 2, 20)
    weights = np.stack([np.zeros(20), 0.8 * path, 0.7 * path])[:, None]  # out by 0.8, back by 0.1 of the path
    way = observables.straightness(weights)
    assert np.isclose(way.correlation[0], 1)
    assert np.isclose(way.slope[0], 0.7 / 0.9)


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


def test_a_function_can_be_an_observable():
    def largest(s):
        return s.params.abs().amax(-1)

    assert observables.named(largest) == ("largest", largest)
    assert torch.is_tensor(largest(observables.Snapshot(0, torch.ones(2, 1, 5), None)))
