"""Sharpness along training against dense spectra."""

import numpy as np
import pytest
import torch

from netdyn_lib import torch_utils
from netdyn_lib.curvature import hessian, sharpness
from netdyn_lib.tasks import losses, tasks
from netdyn_lib.training import gradient_descent
from netdyn_lib.training.gradient_descent import GradientDescent


def test_a_track_is_the_dense_spectrum_on_iris(iris):
    run, at = GradientDescent(iris, 5.0), [0, 10, 30]
    found = sharpness.along_descent(run, iris.initial(3), 30, at, tolerance=1e-10)
    weights = gradient_descent.run(run, iris.initial(3), 30, ("weights",), at=at)["weights"]
    dense = hessian.along(iris.objective, weights)
    np.testing.assert_allclose(found.values, dense, atol=1e-8, rtol=0)
    assert found.epochs.tolist() == at and found.converged.all()
    assert found.values.shape == found.residuals.shape == found.products.shape == (3, 3)


def test_the_descents_penalty_shifts_the_sharpness(iris):
    plain, decayed = (
        sharpness.along_descent(GradientDescent(iris, 0.1, decay), iris.initial(1), 0, [0]).values
        for decay in (0.0, 0.25)
    )
    np.testing.assert_allclose(decayed, plain + 0.25, rtol=1e-6)


def test_diverged_networks_have_no_sharpness(iris):
    states = iris.initial(3).repeat(3, 1, 1)
    states[1, 1] = np.nan
    states[2, 2] = 1e200  # finite, but its loss is not
    y = torch.nn.functional.one_hot(iris.y, 3).double()
    task = tasks.custom("t", iris.network, losses.HalfSquaredError(), iris.x, y)
    found = sharpness.track(task, enumerate(states), tolerance=1e-3)
    np.testing.assert_array_equal(np.argwhere(np.isnan(found.values)), [[1, 1], [2, 2]])
    assert (np.isfinite(found.values) == found.converged).all()


def test_asked_to_stop_it_does_between_two_networks(iris):
    answers = iter([False] * 3 + [True] * 100)
    with pytest.raises(torch_utils.Stopped):
        sharpness.along_descent(
            GradientDescent(iris, 1.0), iris.initial(3), 4, [0, 2, 4], stop=lambda: next(answers)
        )


def test_networks_of_any_module_are_tracked_whatever_the_number_of_threads():
    task = tasks.get("digits-cnn", samples=40)
    states = torch.stack([task.initial(2), task.initial(2, seed=1)])
    before, found = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(sharpness.track(task, enumerate(states), tolerance=1e-4).values)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_bad_input_is_refused(iris):
    with pytest.raises(ValueError, match="no epoch"):
        sharpness.track(iris, [])
    with pytest.raises(ValueError, match=r"expected \(n, P\)"):
        sharpness.along_descent(GradientDescent(iris, 1.0), iris.initial(2)[:, None], 1, [0])
