"""Forecasts: exact for networks that obey the reduced map exactly."""

import numpy as np
import pytest
import torch

from netdyn_lib.experiments import saturation
from netdyn_lib.series import phases
from netdyn_lib.tasks import tasks
from netdyn_lib.training import gradient_descent


def test_the_map_is_the_descent_of_a_saturated_network(iris, saturated):
    rate = 5.0
    record = gradient_descent.run(
        gradient_descent.GradientDescent(iris, rate), saturated, 20, ("loss",)
    )
    for model in (saturation.predict, saturation.predict_frozen):
        assert model(iris, saturated, rate, 20) == pytest.approx(record["loss"], rel=1e-6)


def test_one_step_of_the_map_is_one_step_of_the_network(iris, saturated):
    record = gradient_descent.run(
        gradient_descent.GradientDescent(iris, 5.0), saturated, 1, (saturation.mean_logits,)
    )
    before, after = record["mean_logits"]
    target = saturation.class_frequencies(iris)
    assert saturation.step(before, 5.0 * np.arange(1, 7), target) == pytest.approx(after, abs=1e-12)


def test_frozen_features_are_descent_of_the_outer_layer(iris):
    params = iris.initial(3, seed=2)
    outer = params.clone().requires_grad_()
    for expected in range(4):
        loss = sum(iris.objective(p) for p in outer)
        got = saturation.predict_frozen(iris, params, 0.7, 3)[expected].sum()
        assert got == pytest.approx(float(loss.detach()), rel=1e-12)
        (grad,) = torch.autograd.grad(loss, outer)
        with torch.no_grad():
            outer[:, 50:] -= 0.7 * grad[:, 50:]


def test_frequencies_are_counted(iris):
    assert saturation.class_frequencies(iris) * 120 == pytest.approx([40, 41, 39])
    assert saturation.class_frequencies(tasks.get("iris-balanced")) * 120 == pytest.approx(
        [40, 40, 40]
    )


def test_a_forecast_of_saturated_networks_is_right(iris, saturated):
    runs = gradient_descent.follow(
        gradient_descent.GradientDescent(iris, 5.0), saturated[:4], 180, observe=("loss",)
    )
    found = saturation.from_blocks(iris, runs, 5.0, 60, [0, 1, 2])
    assert found.error[:20].max() < 1e-6
    # The one chaotic network multiplies its rounding by e^(0.24 n), far below the tolerance within
    # a block.
    truth = phases.classify(runs["loss"])
    assert (found.labels() == truth).all()
    assert found.quantiles(np.ones((3, 4), dtype=bool)).shape == (3, 61)
    assert found.typical(np.ones((3, 4), dtype=bool))[1] in range(4)


def test_horizons_outside_the_trajectories_are_refused(iris, runs):
    with pytest.raises(ValueError, match="horizon of 30 from epoch 0"):
        saturation.from_blocks(iris, runs, 5.0, 30, [0])
    with pytest.raises(ValueError, match="horizon of 60 from epoch 600"):
        saturation.from_blocks(iris, runs, 5.0, 60, [10])
