"""Tangent dynamics against exact exponents."""

import numpy as np
import pytest
import torch

from netdyn_lib import lyapunov
from netdyn_lib.curvature import hessian as curvature
from netdyn_lib.curvature import jacobian
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent


def quadratic_task():
    """A linear network under a squared error: the loss is a quadratic form, its Hessian constant."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 3)), rng.standard_normal((20, 1))
    return tasks.custom(
        "quadratic", networks.MLP((3, 1)), losses.HalfSquaredError(), x, torch.tensor(y)
    )


def test_exponents_of_a_quadratic_loss_are_exact():
    task, rate = quadratic_task(), 0.03
    params = task.initial(1)
    values, vectors = torch.linalg.eigh(curvature.hessians(task.objective, params)[0])
    gd = gradient_descent.GradientDescent(task, rate)
    # Few steps: the last bit of a contracting eigenvector holds others, which contract more slowly.
    growth = lyapunov.growth(gd.product, params, vectors.T[None], 8)
    np.testing.assert_allclose(
        growth.exponent()[0], np.log(np.abs(1 - rate * values.numpy())), rtol=1e-9
    )
    np.testing.assert_allclose(
        curvature.local_exponents(values, rate), growth.exponent()[0], rtol=1e-9
    )


def test_the_largest_exponent_wins():
    task, rate = quadratic_task(), 0.03
    params = task.initial(2)
    values = curvature.spectra(task.objective, params)[0]
    growth = lyapunov.growth(
        gradient_descent.GradientDescent(task, rate).product,
        params,
        lyapunov.random_directions(params),
        4000,
    )
    largest = curvature.local_exponents(values, rate).max()
    np.testing.assert_allclose(growth.exponent(3000, 4000), largest, rtol=1e-6)


def test_henon():
    """The Hénon map's largest exponent is 0.41922 (a = 1.4, b = 0.3)."""

    def henon(s):
        return torch.stack([1 - 1.4 * s[:, 0] ** 2 + s[:, 1], 0.3 * s[:, 0]], 1)

    start = torch.tensor([[0.1, 0.1], [0.2, 0.0], [-0.3, 0.2], [0.5, 0.1]], dtype=torch.float64)
    growth = lyapunov.growth(
        lyapunov.by_derivative(henon), start, lyapunov.random_directions(start), 6000
    )
    assert growth.exponent(100).mean() == pytest.approx(0.41922, abs=0.006)


def test_an_epsilon_ball_follows_the_tangent_while_it_is_small():
    iris = tasks.get("iris")
    gd = gradient_descent.GradientDescent(iris, 1.0)
    ball = networks.perturbed(iris.initial(10), 1e-9, 3)
    record = gradient_descent.run(gd, ball, 40, observe=("mean_distance",))
    growth = lyapunov.growth(gd.product, ball[:, 0], ball[:, 1:] - ball[:, :1], 40, order=1)
    seen = np.log(record["mean_distance"] / record["mean_distance"][0])
    small = record["mean_distance"] < 1e-6
    assert small.sum() > 200
    np.testing.assert_allclose(lyapunov.mean_growth(growth)[small], seen[small], atol=1e-3)


def test_closed_form_and_forward_mode_agree_over_time():
    iris = tasks.get("iris")
    gd = gradient_descent.GradientDescent(iris, 1.0, weight_decay=0.01)
    params = iris.initial(3)
    directions = lyapunov.random_directions(params, 2)
    fast = lyapunov.growth(gd.product, params, directions, 30)
    slow = lyapunov.growth(lyapunov.by_derivative(gd.step), params, directions, 30)
    np.testing.assert_allclose(fast.log_norm, slow.log_norm, atol=1e-9)
    torch.testing.assert_close(
        fast.final, gradient_descent.run(gd, params, 30).final, rtol=1e-9, atol=1e-9
    )


def test_frozen_growth_is_exact_on_a_quadratic():
    task = quadratic_task()
    ball = networks.perturbed(task.initial(2), 1e-6, 4)
    record = gradient_descent.run(
        gradient_descent.GradientDescent(task, 0.01), ball, 50, observe=("mean_distance",)
    )
    predicted = jacobian.frozen_distance(task.objective, ball, record.epochs, 0.01)
    np.testing.assert_allclose(predicted, record["mean_distance"], rtol=1e-6)


@pytest.mark.parametrize("count", [64, 70])
@pytest.mark.parametrize("derivative", [False, True])
def test_each_initial_condition_keeps_its_learning_rate(count, derivative):
    task = quadratic_task()
    params, rates = task.initial(count), torch.linspace(0.002, 0.03, count, dtype=torch.float64)
    directions = lyapunov.random_directions(params, 2)
    gd = gradient_descent.GradientDescent(task, rates)
    product = lyapunov.by_derivative(gd.step) if derivative else gd.product
    together = lyapunov.growth(product, params, directions, 12)
    for k, rate in enumerate(rates.tolist()):
        alone = lyapunov.growth(
            gradient_descent.GradientDescent(task, rate).product,
            params[k : k + 1],
            directions[k : k + 1],
            12,
        )
        np.testing.assert_allclose(
            together.log_norm[:, k], alone.log_norm[:, 0], rtol=1e-9, atol=1e-12
        )
        torch.testing.assert_close(together.final[k], alone.final[0], rtol=1e-9, atol=1e-12)


def test_as_many_learning_rates_as_initial_conditions():
    params = quadratic_task().initial(3)
    gd = gradient_descent.GradientDescent(quadratic_task(), [0.01] * 6)
    for product in (gd.product, lyapunov.by_derivative(gd.step)):
        with pytest.raises(ValueError, match="6 learning rates for 3 initial conditions"):
            lyapunov.growth(product, params, lyapunov.random_directions(params, 2), 1)


def test_a_plain_function_is_a_product():
    start = torch.ones(3, 2, dtype=torch.float64)
    growth = lyapunov.growth(
        lambda w, v: (w, 2 * v), start, lyapunov.random_directions(start, 2), 5
    )
    np.testing.assert_allclose(growth.exponent(), np.log(2))


def test_windows_for_each_initial_condition():
    growth = lyapunov.Growth(np.arange(12.0).reshape(6, 2, 1) ** 2, np.ones((2, 1)), None, None)
    got = growth.exponent(np.array([0, 2]), np.array([5, 4]))
    np.testing.assert_allclose(got[:, 0], [(10**2 - 0) / 5, (9**2 - 5**2) / 2])
    got = growth.exponent(np.array([-1, 2]), np.array([-1, 4]))
    assert np.isnan(got[0, 0]) and got[1, 0] == (9**2 - 5**2) / 2


def test_bad_input_is_refused():
    params = torch.ones(2, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"expected \(n, k, P\)"):
        lyapunov.growth(None, params, torch.ones(2, 1, 3, dtype=torch.float64), 1)
    with pytest.raises(ValueError, match="length zero"):
        lyapunov.growth(None, params, torch.zeros(2, 1, 4, dtype=torch.float64), 1)
    growth = lyapunov.Growth(np.zeros((5, 2, 1)), np.ones((2, 1)), None, None)
    for window in ((3, 3), (-1, 2), (0, 5)):
        with pytest.raises(ValueError, match="must lie within 0–4"):
            growth.exponent(*window)
    with pytest.raises(ValueError, match="window 3–2: must lie within 0–4"):
        growth.exponent(np.array([-1, 3]), np.array([-1, 2]))
    some = torch.ones(2, 1, 4, dtype=torch.float64)
    for epochs in (-1, 1.5, float("nan")):
        with pytest.raises(
            ValueError, match=f"epochs = {epochs}: must be a whole number, at least 0"
        ):
            lyapunov.growth(None, params, some, epochs)
    for shape in ((0, 1, 4), (2, 0, 4)):
        with pytest.raises(ValueError, match="no tangent vector to follow"):
            lyapunov.growth(None, params[: shape[0]], torch.ones(shape, dtype=torch.float64), 1)


def test_bad_input_to_frozen_growth_is_refused():
    hessian, directions = torch.eye(4, dtype=torch.float64), torch.ones(2, 4, dtype=torch.float64)
    for rate in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(
            ValueError, match=f"learning_rate = {rate}: η must be positive and finite"
        ):
            jacobian.frozen_growth(hessian, directions, [0, 1], rate)
    for epoch in (-1, 0.5, float("nan")):
        with pytest.raises(ValueError, match=f"epoch = {epoch}: must be a whole number"):
            jacobian.frozen_growth(hessian, directions, [0, epoch], 0.1)
    for wrong in (directions[:0], directions[:, 1:]):
        with pytest.raises(ValueError, match=r"expected \(k, P\), k > 0"):
            jacobian.frozen_growth(hessian, wrong, [0, 1], 0.1)
    task = quadratic_task()
    ball = networks.perturbed(task.initial(2), 1e-6, 1)
    for wrong in (ball[:0], ball[:, :1]):
        with pytest.raises(ValueError, match="n and M at least 1"):
            jacobian.frozen_distance(task.objective, wrong, [0, 1], 0.1)
