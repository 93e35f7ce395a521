"""Saturated layers, of networks as they are and saturated to the last bit; the reduced map."""

import numpy as np
import pytest
import torch

from netdyn_lib.experiments import saturation
from netdyn_lib.experiments.saturation import reduced_loss, reduced_orbit
from netdyn_lib.series import phases
from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training.gradient_descent import GradientDescent, follow, run

EQUAL = np.ones(3) / 3
UNEQUAL = np.array([40, 41, 39]) / 120


def test_what_is_measured_is_what_the_network_computes(iris, runs, saturated):
    exact = saturation.measure(iris, saturated)
    assert exact.kappa == pytest.approx(np.arange(1, 7))
    assert exact.saturated().all() and (exact.spread == 0).all()
    state = saturation.measure(iris, runs.states)
    one = torch.as_tensor(runs.states[4, 5])
    h = iris.network.hidden(one, iris.x).numpy()
    assert state.hidden[4, 5] == pytest.approx(h.mean(0))
    assert state.spread[4, 5] == pytest.approx(np.ptp(h, axis=0).max())
    assert state.derivative[4, 5] == pytest.approx((h * (1 - h)).max(0))
    assert state.logits[4, 5] == pytest.approx(iris.network.forward(one, iris.x).numpy().mean(0))
    assert state.logits[:10] == pytest.approx(runs["mean_logits"][:600:60])
    assert np.isnan(state.settled_kappa()[~state.saturated()]).all()


def test_units_on_move_and_units_off_do_not_all_in_two_directions(iris, saturated):
    record = run(GradientDescent(iris, 5.0), saturated, 50, ("weights",))
    moved = record["weights"][1] != saturated.numpy()
    expected = saturation.expected_moving(iris, saturation.measure(iris, saturated))
    assert np.array_equal(moved, expected)
    assert expected.sum(-1).tolist() == [3 * k for k in range(1, 7)]
    steps = np.diff(record["weights"][:, 3], axis=0)
    squares = np.linalg.svd(steps, compute_uv=False) ** 2
    assert squares[:2].sum() / squares.sum() == pytest.approx(1, abs=1e-12)


def test_switches_of_units_are_counted_and_the_approach_to_them_is_kept():
    hidden = np.zeros((30, 1, 2))
    hidden[25:, 0, 1] = 1
    derivative = np.full((30, 1, 2), 1e-4)
    state = saturation.Saturation(hidden, np.zeros((30, 1)), derivative, np.zeros((30, 1, 3)))
    assert np.argwhere(state.switched).tolist() == [[24, 0, 1]]
    assert not state.undisturbed()[24, 0] and state.undisturbed()[23, 0]
    assert saturation.approach(state, quiet=20).shape == (1, 21)
    assert saturation.approach(state, quiet=26).shape == (0, 27)


@pytest.mark.parametrize("power", [0.0, -1.0])
def test_ageing_finds_the_power_of_a_rate(power):
    epochs = (np.arange(200) + 0.5) * 60
    chances = 0.3 * (epochs[:, None] / 600) ** power
    found = saturation.rate(np.random.default_rng(5).poisson(chances, (200, 200)), 60)
    assert found.low <= power <= found.high
    assert found.slope == pytest.approx(power, abs=0.1)


def test_distances_of_logits_start_small_and_are_zero_without_perturbation(iris):
    start = iris.initial(3, seed=0)
    cloud, copies = networks.perturbed(start, 1e-8, 2), start[:, None].repeat(1, 3, 1)
    found, still = (
        run(GradientDescent(iris, 1.0), some, 2, (saturation.logit_distance,))["logit_distance"]
        for some in (cloud, copies)
    )
    assert found.shape == (3, 3) and (found[0] > 0).all() and (found[0] < 1e-5).all()
    assert (still == 0).all()


def test_the_fixed_point_loses_stability_at_the_critical_gain():
    target, critical = UNEQUAL, saturation.critical_gain(UNEQUAL)
    fixed = np.log(target)
    assert saturation.step(fixed, 9.0, target) == pytest.approx(fixed)
    assert reduced_loss(fixed, target) == pytest.approx(-(target * fixed).sum())
    start = fixed + 1e-6 * np.array([1, -2, 1])
    for gain, stable in ((0.97 * critical, True), (1.03 * critical, False)):
        away = np.abs(reduced_orbit(start, gain, target, 2000)[-2:] - fixed).max()
        assert (away < 1e-6) == stable
    # The largest exponent of a fixed point is ln|1 - g λ| of an eigenvalue λ.
    spectrum = np.linalg.eigvalsh(np.diag(target) - np.outer(target, target))[1:]
    found, _ = saturation.exponent(start, 0.97 * critical, target, 400, 200)
    assert found == pytest.approx(np.log(abs(1 - 0.97 * critical * spectrum)).max(), abs=1e-3)


def test_the_exponent_is_the_growth_of_a_small_difference():
    target, gain = UNEQUAL, 10.0
    z = reduced_orbit(np.array([[0.3, -0.2, -0.1]]), gain, target, 500)[-1]
    found, _ = saturation.exponent(z, gain, target, 3000, 100)
    rates = []
    for _ in range(300):  # renormalised pairs
        pair = np.concatenate([z, z + 1e-9 * np.array([1, -1, 0])])
        ends = reduced_orbit(pair, gain, target, 20)[-1]
        rates.append(np.log(np.linalg.norm(ends[1] - ends[0]) / (1e-9 * np.sqrt(2))) / 20)
        z = ends[:1]
    assert found[0] > 0.1 and np.mean(rates) == pytest.approx(found[0], rel=0.15)


def test_equal_classes_rotate_at_a_third_of_the_gain():
    gain = 60.0
    z = reduced_orbit(gain * np.array([1, 0, -1]) / 3, gain, EQUAL, 30)
    assert reduced_loss(z, EQUAL) == pytest.approx(gain / 3, rel=1e-6)
    assert z.sum(-1) == pytest.approx(0, abs=1e-12)
    assert z[3] == pytest.approx(z[0], abs=1e-6) and np.abs(z[1] - z[0]).max() > gain / 4


def test_the_loss_of_equal_classes_hides_the_rotation_and_that_of_unequal_ones_does_not():
    for target, label in ((EQUAL, 1), (UNEQUAL, 3)):
        z = reduced_orbit(np.array([5.0, 0.0, -5.0]), 20.0, target, 3000)[-121:]
        assert phases.classify(z[:, 0])[-1] == 3
        assert phases.classify(reduced_loss(z, target), scale=1.0)[-1] == label


def test_the_diagram_knows_fixed_point_and_chaos():
    found = saturation.bifurcation([5, 10], UNEQUAL, starts=12, transient=400)
    assert found.losses.shape == (2, 12 * 60)
    assert np.ptp(found.losses[0]) < 1e-9 and (found.exponents[0] < 0).all()
    assert (found.exponents[1] > 0.1).any() and (found.exponents[1] < -0.1).any()


def test_basins_are_those_of_single_orbits():
    labels, points = saturation.basins(10.0, UNEQUAL, 8, side=6, transient=200)
    assert set(np.unique(labels)) == {0, 3} and points.shape == (60, 36, 2)
    ticks = (np.arange(6) + 0.5) / 6 * 16 - 8
    for row, column in np.argwhere(labels == 3):
        z = np.array([ticks[column], ticks[row]]) @ saturation._PLANE.T
        orbit = reduced_orbit(z, 10.0, UNEQUAL, 203)
        reached = points[0].reshape(6, 6, 2)[row, column]
        assert reached == pytest.approx(saturation.plane(orbit[200]), abs=1e-6)
        assert orbit[203] == pytest.approx(orbit[200], abs=1e-3)


def test_the_map_is_the_descent_of_a_saturated_network(iris, saturated):
    rate, target = 5.0, saturation.class_frequencies(iris)
    record = run(GradientDescent(iris, rate), saturated, 20, ("loss", saturation.mean_logits))
    for model in (saturation.predict, saturation.predict_frozen):
        assert model(iris, saturated, rate, 20) == pytest.approx(record["loss"], rel=1e-6)
    before, after = record["mean_logits"][:2]
    stepped = saturation.step(before, rate * np.arange(1, 7), target)
    assert stepped == pytest.approx(after, abs=1e-12)
    assert target * 120 == pytest.approx([40, 41, 39])


def test_frozen_features_are_descent_of_the_outer_layer(iris):
    params = iris.initial(3, seed=2)
    found = saturation.predict_frozen(iris, params, 0.7, 3).sum(-1)
    outer = params.clone().requires_grad_()
    for expected in found:
        loss = sum(iris.objective(p) for p in outer)
        assert expected == pytest.approx(float(loss.detach()), rel=1e-12)
        (grad,) = torch.autograd.grad(loss, outer)
        with torch.no_grad():
            outer[:, 50:] -= 0.7 * grad[:, 50:]


def test_a_forecast_of_saturated_networks_is_right(iris, saturated):
    runs = follow(GradientDescent(iris, 5.0), saturated[:4], 180, observe=("loss",))
    found = saturation.from_blocks(iris, runs, 5.0, 60, [0, 1, 2])
    assert found.error[:20].max() < 1e-6
    # The one chaotic network multiplies its rounding by e^(0.24 n), far below the tolerance within
    # a block.
    assert (found.labels() == phases.classify(runs["loss"])).all()


def test_bad_input_is_refused(iris, runs):
    for call, match in (
        (lambda: saturation.measure(tasks.get("digits"), runs.states), "one hidden layer of sigm"),
        (lambda: saturation.measure(iris, torch.full((2, 83), torch.nan)), "leave diverged netw"),
        (lambda: saturation.exponent(np.zeros(3), 5.0, EQUAL, steps=0), "steps = 0"),
        (lambda: saturation.rate(np.zeros((20, 5))), "at least 3 bins"),
        (lambda: saturation.from_blocks(iris, runs, 5.0, 30, [0]), "horizon of 30 from epoch 0"),
        (lambda: saturation.from_blocks(iris, runs, 5.0, 60, [10]), "horizon of 60 from epoch 600"),
    ):
        with pytest.raises(ValueError, match=match):
            call()
