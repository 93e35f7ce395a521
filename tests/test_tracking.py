import numpy as np
import pytest
import torch

from netdyn_lib import torch_utils
from netdyn_lib.curvature import hessian, sharpness
from netdyn_lib.tasks import losses, tasks
from netdyn_lib.training import gradient_descent


@pytest.fixture(scope="module")
def digits():
    return tasks.get("digits")


@pytest.fixture(scope="module")
def trajectory(digits):
    """(T, n, P) every second epoch of a network."""
    return gradient_descent.run(
        gradient_descent.GradientDescent(digits, 1.0),
        digits.initial(1),
        10,
        observe=("weights",),
        every=2,
    )["weights"]


@pytest.fixture(scope="module")
def cold(digits, trajectory):
    return sharpness.track(digits, trajectory, warm=False)


def test_a_warm_start_finds_the_same_and_takes_no_more_products(digits, trajectory, cold):
    warm = sharpness.track(digits, trajectory, warm=True)
    assert warm.converged.all() and cold.converged.all()
    np.testing.assert_allclose(warm.values, cold.values, rtol=1e-8)
    assert (warm.products[0] == cold.products[0]).all()  # nothing to start from yet
    assert warm.products.sum() <= cold.products.sum()
    np.testing.assert_array_equal(sharpness.track(digits, trajectory).values, cold.values)
    assert warm.values.shape == warm.residuals.shape == (6, 1) and warm.epochs.tolist() == list(
        range(6)
    )


def test_power_iteration_tracks_the_same_sharpness_and_gains_from_a_warm_start():
    iris = tasks.get("iris")
    states = gradient_descent.run(
        gradient_descent.GradientDescent(iris, 1.0),
        iris.initial(2),
        12,
        observe=("weights",),
        every=2,
    )["weights"]
    options = dict(method="power", tolerance=1e-4, most=5000)
    warm, anew = (sharpness.track(iris, states, warm=w, **options) for w in (True, False))
    assert warm.converged.all() and anew.converged.all()
    np.testing.assert_allclose(warm.values, hessian.along(iris.objective, states), rtol=1e-6)
    assert warm.products.sum() < anew.products.sum()


def test_a_track_is_the_dense_spectrum_on_iris():
    iris = tasks.get("iris")
    run = gradient_descent.GradientDescent(iris, 5.0)
    found = sharpness.along_descent(run, iris.initial(3), 30, at=[0, 10, 30], tolerance=1e-10)
    weights = gradient_descent.run(run, iris.initial(3), 30, observe=("weights",), at=[0, 10, 30])[
        "weights"
    ]
    np.testing.assert_allclose(
        found.values, hessian.along(iris.objective, weights), atol=1e-8, rtol=0
    )
    assert found.epochs.tolist() == [0, 10, 30]


def test_the_descents_penalty_shifts_the_sharpness():
    iris = tasks.get("iris")
    plain, decayed = (
        sharpness.along_descent(
            gradient_descent.GradientDescent(iris, 0.1, weight_decay=d), iris.initial(1), 0, at=[0]
        )
        for d in (0.0, 0.25)
    )
    np.testing.assert_allclose(decayed.values, plain.values + 0.25, rtol=1e-6)


def test_diverged_networks_have_no_sharpness():
    iris = tasks.get("iris")
    states = iris.initial(3).repeat(3, 1, 1)
    states[1, 1] = np.nan
    states[2, 2] = 1e200  # finite, but its loss is not
    y = torch.nn.functional.one_hot(iris.y, 3).double()
    task = tasks.custom("t", iris.network, losses.HalfSquaredError(), iris.x, y)
    for method in ("lanczos", "power"):
        found = sharpness.track(task, states, method=method, tolerance=1e-3)
        assert np.isnan(found.values).tolist() == [
            [False] * 3,
            [False, True, False],
            [False, False, True],
        ]
        assert (np.isfinite(found.values) == found.converged).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda t: sharpness.track(t, [], method="lanczos"), "no epoch"),
        (lambda t: sharpness.track(t, np.zeros((2, 83))), r"expected \(T, n, P\)"),
        (lambda t: sharpness.track(t, [], method="qr"), "unknown method 'qr'"),
        (
            lambda t: sharpness.along_descent(
                gradient_descent.GradientDescent(t, 1.0), t.initial(2)[:, None], 1, [0]
            ),
            r"expected \(n, P\)",
        ),
    ],
)
def test_wrong_trajectories(call, message):
    with pytest.raises(ValueError, match=message):
        call(tasks.get("iris"))


def test_asked_to_stop_it_does_between_two_networks():
    task = tasks.get("iris")
    answers = iter([False] * 3 + [True] * 100)
    with pytest.raises(torch_utils.Stopped):
        sharpness.along_descent(
            gradient_descent.GradientDescent(task, 1.0),
            task.initial(3),
            4,
            [0, 2, 4],
            stop=lambda: next(answers),
        )


def test_networks_of_any_module_are_tracked_whatever_the_number_of_threads():
    task = tasks.get("digits-cnn", samples=40)
    states = torch.stack([task.initial(4), task.initial(4, seed=1)])
    before, found = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(sharpness.track(task, states, tolerance=1e-4).values)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
