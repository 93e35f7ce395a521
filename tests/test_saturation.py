"""What is measured of hidden layers, on networks as they are and on ones saturated to the last bit."""

import numpy as np
import pytest
import torch

from netdyn_lib.experiments import saturation
from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import gradient_descent


def test_saturated_networks_are_seen_to_be(iris, saturated):
    state = saturation.measure(iris, saturated)
    assert state.kappa == pytest.approx(np.arange(1, 7))
    assert state.saturated().all() and (state.spread == 0).all()


def test_what_is_measured_is_what_the_network_computes(iris, runs):
    state = saturation.measure(iris, runs.states)
    one = torch.as_tensor(runs.states[4, 5])
    h = iris.network.hidden(one, iris.x).numpy()
    assert state.hidden[4, 5] == pytest.approx(h.mean(0))
    assert state.spread[4, 5] == pytest.approx(np.ptp(h, axis=0).max())
    assert state.derivative[4, 5] == pytest.approx((h * (1 - h)).max(0))
    assert state.logits[4, 5] == pytest.approx(iris.network.forward(one, iris.x).numpy().mean(0))
    assert state.logits[:10] == pytest.approx(runs["mean_logits"][:600:60])
    assert state.openness().shape == (3, 11)
    assert np.isnan(state.settled_kappa()[~state.saturated()]).all()


def test_units_on_move_and_units_off_do_not(iris, saturated):
    moved = gradient_descent.run(gradient_descent.GradientDescent(iris, 5.0), saturated, 1, ())
    expected = saturation.expected_moving(iris, saturation.measure(iris, saturated))
    assert np.array_equal((moved.final != saturated).numpy(), expected)
    assert expected.sum(-1).tolist() == [3 * k for k in range(1, 7)]


def test_a_reduced_network_moves_in_two_directions(iris, saturated):
    record = gradient_descent.run(
        gradient_descent.GradientDescent(iris, 5.0), saturated[[3]], 50, ("weights",)
    )
    assert saturation.moving_directions(record["weights"][:, 0])[:2].sum() == pytest.approx(
        1, abs=1e-12
    )


def test_outer_units_are_named(iris):
    names = iris.network.layout
    for name, unit in zip(names, saturation.outer_units(iris), strict=True):
        assert (unit is None) == (not name.startswith("W2"))
        assert unit is None or name.startswith(f"W2[{unit},")


def test_switches_of_units_are_counted():
    hidden = np.zeros((30, 1, 2))
    hidden[25:, 0, 1] = 1
    state = saturation.Saturation(
        hidden, np.zeros((30, 1)), np.full((30, 1, 2), 1e-4), np.zeros((30, 1, 3))
    )
    assert np.argwhere(state.switched).tolist() == [[24, 0, 1]]
    assert not state.undisturbed()[24, 0] and state.undisturbed()[23, 0]


def test_distances_of_logits_start_small_and_are_zero_without_perturbation(iris):
    start = iris.initial(3, seed=0)
    cloud = networks.perturbed(start, 1e-8, 2)
    found = gradient_descent.run(
        gradient_descent.GradientDescent(iris, 1.0), cloud, 2, (saturation.logit_distance,)
    )["logit_distance"]
    assert found.shape == (3, 3) and (found[0] > 0).all() and (found[0] < 1e-5).all()
    twin = start[:, None].repeat(1, 3, 1)
    still = gradient_descent.run(
        gradient_descent.GradientDescent(iris, 1.0), twin, 2, (saturation.logit_distance,)
    )
    assert (still["logit_distance"] == 0).all()


def test_bad_input_is_refused(iris):
    with pytest.raises(ValueError, match="one hidden layer of sigmoid units"):
        saturation.measure(tasks.get("digits"), iris.initial(2))
    with pytest.raises(ValueError, match="leave diverged networks out"):
        saturation.measure(iris, torch.full((2, 83), torch.nan))
