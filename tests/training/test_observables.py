import numpy as np
import pytest
import torch

from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import observables


def ways(weights):
    """Displacement and path length, (n, P) each, of weights (T + 1, n, P)."""
    return np.abs(weights[-1] - weights[0]), np.abs(np.diff(weights, axis=0)).sum(0)


def test_a_straight_way_and_a_way_back():
    t = np.arange(11.0)[:, None]
    weights = np.hstack([2 * t, np.minimum(t, 10 - t), 0 * t])[:, None]  # (11, 1, 3)
    way = observables.straightness(*ways(weights))
    np.testing.assert_allclose(way.ratio[0, :2], [1, 0])
    assert np.isnan(way.ratio[0, 2])  # a weight that never moved has no straightness


def test_straightness_finds_a_line():
    path = np.linspace(1, 2, 20)
    # out by 0.8, back by 0.1 of the path
    weights = np.stack([np.zeros(20), 0.8 * path, 0.7 * path])[:, None]
    way = observables.straightness(*ways(weights))
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


def test_networks_at_rest_have_no_straightness():
    way = observables.straightness(np.zeros((2, 3)), np.zeros((2, 3)))
    assert np.isnan(way.ratio).all() and np.isnan(way.slope).all()


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
    assert observables.look(
        "distance", observables.distance, snapshot(), gone
    ).isnan().tolist() == [[True, True], [False, False]]
    whole = observables.look(
        "ones", lambda s: torch.ones(2, 3, dtype=torch.int64), snapshot(), gone
    )
    assert (whole == 1).all()  # no integer is NaN


def test_bad_input_is_refused():
    iris = tasks.get("iris")
    with pytest.raises(ValueError, match=r"expected \(n, P\) for both"):
        observables.straightness(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match="sustained = 9: must be a whole number, from 1 to 3"):
        observables.first_hit(range(3), [0, 1, 1], 1, sustained=9)
    with pytest.raises(
        ValueError,
        match=r"observable wrong has shape \(3,\); expected \(2,\) first, group by group",
    ):
        observables.look("wrong", lambda s: torch.ones(3), snapshot())
    with pytest.raises(ValueError, match="two observables are called '<lambda>'"):
        observables.collect((lambda s: 1, lambda s: 2), iris, 0)

    def odd(s):
        return s.params

    odd.per = "colour"
    with pytest.raises(
        ValueError, match="odd is declared per 'colour'; known: network, copy, reference, group"
    ):
        observables.collect(odd, iris, 0)


def test_a_regression_has_no_accuracy():
    x = torch.ones(4, 1)
    line = tasks.custom("line", networks.MLP((1, 1)), losses.HalfSquaredError(), x, x)
    for name in ("accuracy", "test_accuracy"):
        with pytest.raises(
            ValueError,
            match=f"{name} needs class labels, but the targets of task 'line' are torch.float64",
        ):
            observables.collect((name,), line, 0)
    with pytest.raises(ValueError, match="needs class labels"):
        observables.misclassified(line, torch.zeros(2, dtype=torch.float64))
