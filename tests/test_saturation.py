"""The reduced map: its closed forms, and networks made to obey it exactly."""

import numpy as np
import pytest
import torch

from netdyn_lib import descent, networks, phases, saturation, tasks

EQUAL = np.ones(3) / 3


@pytest.fixture(scope="module")
def task():
    return tasks.get("iris")


@pytest.fixture(scope="module")
def saturated(task):
    """Networks whose first k hidden units are 1 and the others 0 on every sample, to the last bit."""
    params = task.initial(6, seed=1)
    inner, _ = task.network.matrices(params)
    inner[..., :-1] = 0
    for k in range(6):
        inner[k, :, -1] = torch.where(torch.arange(10) < k, 800.0, -800.0)
    return params


@pytest.fixture(scope="module")
def runs(task):
    return saturation.follow(
        descent.GradientDescent(task, 5.0), task.initial(12, seed=3), 600, observe=("loss", saturation.mean_logits)
    )


def test_the_map_is_the_descent_of_a_saturated_network(task, saturated):
    rate = 5.0
    state = saturation.measure(task, saturated)
    assert state.kappa == pytest.approx(np.arange(1, 7))
    assert state.saturated().all() and (state.spread == 0).all()
    record = descent.run(descent.GradientDescent(task, rate), saturated, 20, ("loss",))
    for model in (saturation.predict, saturation.predict_frozen):
        assert model(task, saturated, rate, 20) == pytest.approx(record["loss"], rel=1e-6)


def test_one_step_of_the_map_is_one_step_of_the_network(task, saturated):
    record = descent.run(descent.GradientDescent(task, 5.0), saturated, 1, (saturation.mean_logits,))
    before, after = record["mean_logits"]
    target = saturation.class_frequencies(task)
    assert saturation.step(before, 5.0 * np.arange(1, 7), target) == pytest.approx(after, abs=1e-12)


def test_frozen_features_are_descent_of_the_outer_layer(task):
    params = task.initial(3, seed=2)
    outer = params.clone().requires_grad_()
    for expected in range(4):
        loss = sum(task.objective(p) for p in outer)
        got = saturation.predict_frozen(task, params, 0.7, 3)[expected].sum()
        assert got == pytest.approx(float(loss.detach()), rel=1e-12)
        (grad,) = torch.autograd.grad(loss, outer)
        with torch.no_grad():
            outer[:, 50:] -= 0.7 * grad[:, 50:]


def test_frequencies_are_counted(task):
    assert saturation.class_frequencies(task) * 120 == pytest.approx([40, 41, 39])
    assert saturation.class_frequencies(tasks.get("iris-balanced")) * 120 == pytest.approx([40, 40, 40])


def test_the_map_conserves_the_sum_and_has_its_fixed_point():
    target = np.array([0.2, 0.5, 0.3])
    z = np.random.default_rng(0).normal(size=(7, 3))
    after = saturation.step(z, np.full(7, 9.0), target)
    assert after.sum(-1) == pytest.approx(z.sum(-1))
    assert saturation.step(np.log(target), 9.0, target) == pytest.approx(np.log(target))
    assert saturation.loss(np.log(target), target) == pytest.approx(-(target * np.log(target)).sum())


def test_the_fixed_point_loses_stability_at_the_critical_gain():
    target = np.array([40, 41, 39]) / 120
    critical = saturation.critical_gain(target)
    start = np.log(target) + 1e-6 * np.array([1, -2, 1])
    for factor, stable in ((0.97, True), (1.03, False)):
        orbit = saturation.orbit(start, factor * critical, target, 2000)
        away = np.abs(orbit[-2:] - np.log(target)).max()
        assert (away < 1e-6) == stable
        # The largest exponent of a fixed point is ln|1 - g λ| of an eigenvalue λ.
        spectrum = np.linalg.eigvalsh(np.diag(target) - np.outer(target, target))[1:]
        if stable:
            found, _ = saturation.exponent(start, factor * critical, target, 400, 200)
            assert found == pytest.approx(np.log(np.abs(1 - factor * critical * spectrum)).max(), abs=1e-3)


def test_the_exponent_is_the_growth_of_a_small_difference():
    target, gain = np.array([40, 41, 39]) / 120, 10.0
    z = saturation.orbit(np.array([[0.3, -0.2, -0.1]]), gain, target, 500)[-1]
    found, _ = saturation.exponent(z, gain, target, 3000, 100)
    rates = []
    for _ in range(300):  # renormalised pairs
        near = z + 1e-9 * np.array([1, -1, 0])
        far = saturation.orbit(near, gain, target, 20)[-1] - (z := saturation.orbit(z, gain, target, 20)[-1])
        rates.append(np.log(np.linalg.norm(far) / (1e-9 * np.sqrt(2))) / 20)
    assert found[0] > 0.1
    assert np.mean(rates) == pytest.approx(found[0], rel=0.15)


def test_equal_classes_rotate_at_a_third_of_the_gain():
    gain = 60.0
    z = saturation.orbit(gain * np.array([1, 0, -1]) / 3, gain, EQUAL, 30)
    losses = saturation.loss(z, EQUAL)
    assert losses == pytest.approx(saturation.rotation_loss(gain), rel=1e-6)
    assert z[3] == pytest.approx(z[0], abs=1e-6)
    assert np.abs(z[1] - z[0]).max() > gain / 4


def test_the_loss_of_equal_classes_hides_the_rotation_and_that_of_unequal_ones_does_not():
    for target, label in ((EQUAL, 1), (np.array([40, 41, 39]) / 120, 3)):
        z = saturation.orbit(np.array([5.0, 0.0, -5.0]), 20.0, target, 3000)[-121:]
        assert phases.classify(z[:, 0])[-1] == 3
        assert phases.classify(saturation.loss(z, target), scale=1.0)[-1] == label


def test_trajectories_are_those_of_one_run(task, runs):
    record = descent.run(descent.GradientDescent(task, 5.0), task.initial(12, seed=3), 600, ("loss",))
    assert np.array_equal(runs["loss"], record["loss"])
    assert np.array_equal(runs.states[-1], record.final.numpy())
    assert runs.states.shape == (11, 12, 83)
    assert (runs.diverged_at == -1).all()


def test_a_trajectory_that_diverges_is_noted_at_its_epoch(task):
    start = task.initial(2, seed=0)
    start[1] = torch.nan
    found = saturation.follow(descent.GradientDescent(task, 5.0), start, 120)
    assert found.diverged_at[0] == -1 and found.diverged_at[1] == 0
    with pytest.raises(ValueError, match="leave diverged networks out"):
        saturation.measure(task, found.states)


def test_what_is_measured_is_what_the_network_computes(task, runs):
    state = saturation.measure(task, runs.states)
    one = torch.as_tensor(runs.states[4, 5])
    h = task.network.hidden(one, task.x).numpy()
    assert state.hidden[4, 5] == pytest.approx(h.mean(0))
    assert state.spread[4, 5] == pytest.approx(np.ptp(h, axis=0).max())
    assert state.derivative[4, 5] == pytest.approx((h * (1 - h)).max(0))
    assert state.logits[4, 5] == pytest.approx(task.network.forward(one, task.x).numpy().mean(0))
    assert state.logits[:10] == pytest.approx(runs["mean_logits"][:600:60])
    assert state.openness().shape == (3, 11)
    assert np.isnan(state.settled_kappa()[~state.saturated()]).all()


def test_a_forecast_of_saturated_networks_is_right(task, saturated):
    runs = saturation.follow(descent.GradientDescent(task, 5.0), saturated[:4], 180, observe=("loss",))
    found = saturation.forecast(task, runs, 5.0, 60, [0, 1, 2])
    assert found.error[:20].max() < 1e-6
    # The one chaotic network multiplies its rounding by e^(0.24 n), far below the tolerance within a block.
    truth = phases.classify(runs["loss"])
    assert (found.labels() == truth).all()
    assert found.quantiles(np.ones((3, 4), dtype=bool)).shape == (3, 61)
    assert found.typical(np.ones((3, 4), dtype=bool))[1] in range(4)


def test_units_on_move_and_units_off_do_not(task, saturated):
    moved = descent.run(descent.GradientDescent(task, 5.0), saturated, 1, ())
    expected = saturation.expected_moving(task, saturation.measure(task, saturated))
    assert np.array_equal((moved.final != saturated).numpy(), expected)
    assert expected.sum(-1).tolist() == [3 * k for k in range(1, 7)]


def test_a_reduced_network_moves_in_two_directions(task, saturated):
    record = descent.run(descent.GradientDescent(task, 5.0), saturated[[3]], 50, ("weights",))
    assert saturation.moving_directions(record["weights"][:, 0])[:2].sum() == pytest.approx(1, abs=1e-12)


def test_outer_units_are_named(task):
    names = task.network.layout
    for name, unit in zip(names, saturation.outer_units(task), strict=True):
        assert (unit is None) == (not name.startswith("W2"))
        assert unit is None or name.startswith(f"W2[{unit},")


def test_switches_of_units_are_counted_and_their_approach_is_kept():
    hidden = np.zeros((30, 1, 2))
    hidden[25:, 0, 1] = 1
    derivative = np.full((30, 1, 2), 1e-4)
    state = saturation.Saturation(hidden, np.zeros((30, 1)), derivative, np.zeros((30, 1, 3)))
    assert saturation.units_switched(state).sum() == 1 and saturation.units_switched(state)[24, 0] == 1
    assert saturation.approach(state, quiet=20).shape == (1, 21)
    assert saturation.approach(state, quiet=26).shape == (0, 27)
    assert not state.undisturbed()[24, 0] and state.undisturbed()[23, 0]


@pytest.mark.parametrize("power", [0.0, -1.0])
def test_ageing_finds_the_power_of_a_rate(power):
    rng = np.random.default_rng(5)
    epochs = (np.arange(200) + 0.5) * 60
    events = rng.poisson(0.3 * (epochs[:, None] / 600) ** power, (200, 200))
    found = saturation.ageing(events, 60)
    assert found.low <= power <= found.high
    assert found.slope == pytest.approx(power, abs=0.1)


def test_the_diagram_knows_fixed_point_and_chaos():
    target = np.array([40, 41, 39]) / 120
    found = saturation.bifurcation(5, 10, 2, target, starts=12, transient=400, keep=60)
    assert found.losses.shape == (2, 12 * 60)
    assert np.ptp(found.losses[0]) < 1e-9 and (found.exponents[0] < 0).all()
    assert (found.exponents[1] > 0.1).any() and (found.exponents[1] < -0.1).any()


def test_basins_are_those_of_single_orbits():
    target = np.array([40, 41, 39]) / 120
    labels, points = saturation.basins(10.0, target, 8, side=6, transient=200)
    assert set(np.unique(labels)) <= {0, 3} and len(np.unique(labels)) == 2
    assert points.shape == (60, 36, 2)
    ticks = (np.arange(6) + 0.5) / 6 * 16 - 8
    for row, column in np.argwhere(labels == 3):
        z = np.array([ticks[column], ticks[row]]) @ saturation._PLANE.T
        assert saturation.plane(z) == pytest.approx([ticks[column], ticks[row]])
        orbit = saturation.orbit(z, 10.0, target, 203)
        assert points[0].reshape(6, 6, 2)[row, column] == pytest.approx(saturation.plane(orbit[200]), abs=1e-6)
        assert orbit[203] == pytest.approx(orbit[200], abs=1e-3)


def test_distances_of_logits_start_small_and_are_zero_without_perturbation(task):
    start = task.initial(3, seed=0)
    cloud = networks.perturbed(start, 1e-8, 2)
    found = descent.run(descent.GradientDescent(task, 1.0), cloud, 2, (saturation.logit_distance,))["logit_distance"]
    assert found.shape == (3, 3) and (found[0] > 0).all() and (found[0] < 1e-5).all()
    twin = start[:, None].repeat(1, 3, 1)
    still = descent.run(descent.GradientDescent(task, 1.0), twin, 2, (saturation.logit_distance,))
    assert (still["logit_distance"] == 0).all()


def test_bad_input_is_refused(task, runs):
    descend = descent.GradientDescent(task, 5.0)
    with pytest.raises(ValueError, match="100 epochs are no positive multiple of a block of 60"):
        saturation.follow(descend, task.initial(2), 100)
    with pytest.raises(ValueError, match="one hidden layer of sigmoid units"):
        saturation.measure(tasks.get("digits"), task.initial(2))
    with pytest.raises(ValueError, match="horizon of 30 from epoch 0"):
        saturation.forecast(task, runs, 5.0, 30, [0])
    with pytest.raises(ValueError, match="horizon of 60 from epoch 600"):
        saturation.forecast(task, runs, 5.0, 60, [10])
    with pytest.raises(ValueError, match="steps = 0"):
        saturation.exponent(np.zeros(3), 5.0, EQUAL, steps=0)
    with pytest.raises(ValueError, match="starts = 0"):
        saturation.bifurcation(1, 2, 3, EQUAL, starts=0)
    with pytest.raises(ValueError, match="at least 3 bins"):
        saturation.ageing(np.zeros((20, 5)))
