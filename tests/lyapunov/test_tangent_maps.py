"""Tangent maps and single tangent vectors against exact derivatives and exponents."""

import numpy as np
import pytest
import torch

from netdyn_lib import lyapunov
from netdyn_lib.lyapunov import tangent_maps
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent


def henon(s):
    return torch.stack([1 - 1.4 * s[:, 0] ** 2 + s[:, 1], 0.3 * s[:, 0]], 1)


@pytest.fixture(scope="module")
def quadratic():
    """A linear network under a squared error: its Hessian is constant."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 3)), rng.standard_normal((20, 1))
    return tasks.custom("q", networks.MLP((3, 1)), losses.HalfSquaredError(), x, torch.tensor(y))


def test_exponents_of_a_quadratic_loss_are_exact(quadratic):
    rate, params = 0.03, quadratic.initial(1)
    x = torch.cat([quadratic.x, torch.ones(20, 1)], 1).double()
    values, vectors = torch.linalg.eigh(x.T @ x)
    exact = np.log(np.abs(1 - rate * values.numpy()))
    product = gradient_descent.GradientDescent(quadratic, rate).product
    # Few steps: the last bit of a contracting eigenvector holds others, which contract more slowly.
    growth = lyapunov.growth(product, params, vectors.T[None], 8)
    np.testing.assert_allclose(growth.exponent()[0], exact, rtol=1e-9)
    growth = lyapunov.growth(product, params, lyapunov.random_directions(params), 4000)
    np.testing.assert_allclose(growth.exponent(3000, 4000), exact.max(), rtol=1e-6)


def test_henon():
    """The Hénon map's largest exponent is 0.41922 (a = 1.4, b = 0.3)."""
    start = torch.tensor([[0.1, 0.1], [0.2, 0.0], [-0.3, 0.2], [0.5, 0.1]]).double()
    directions = lyapunov.random_directions(start)
    growth = lyapunov.growth(lyapunov.by_derivative(henon), start, directions, 6000)
    assert growth.exponent(100).mean() == pytest.approx(0.41922, abs=0.006)


def test_perturbed_copies_follow_the_tangent_vector_while_they_are_close(iris):
    gd = gradient_descent.GradientDescent(iris, 1.0)
    ball = networks.perturbed(iris.initial(10), 1e-9, 3)
    distance = gradient_descent.run(gd, ball, 40, observe=("mean_distance",))["mean_distance"]
    growth = lyapunov.growth(gd.product, ball[:, 0], ball[:, 1:] - ball[:, :1], 40, order=1)
    small, seen = distance < 1e-6, np.log(distance / distance[0])
    assert small.sum() > 200
    np.testing.assert_allclose(lyapunov.mean_growth(growth)[small], seen[small], atol=1e-3)


def test_closed_form_and_forward_mode_are_one_map_over_time(iris):
    gd = gradient_descent.GradientDescent(iris, 1.0, weight_decay=0.01)
    params = iris.initial(3)
    directions = lyapunov.random_directions(params, 2)
    fast = lyapunov.growth(gd.product, params, directions, 30)
    slow = lyapunov.growth(lyapunov.by_derivative(gd.step), params, directions, 30)
    np.testing.assert_allclose(fast.log_norm, slow.log_norm, atol=1e-9)
    run = gradient_descent.run(gd, params, 30)
    torch.testing.assert_close(fast.final, run.final, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("derivative", [False, True])
def test_each_initial_condition_keeps_its_learning_rate(quadratic, derivative):
    """70 conditions of 2 vectors go in several chunks."""
    params, rates = quadratic.initial(70), torch.linspace(0.002, 0.03, 70).double()
    directions = lyapunov.random_directions(params, 2)
    gd = gradient_descent.GradientDescent(quadratic, rates)
    product = lyapunov.by_derivative(gd.step) if derivative else gd.product
    together = lyapunov.growth(product, params, directions, 12)
    for k in (0, 31, 32, 63, 64, 69):
        alone = gradient_descent.GradientDescent(quadratic, rates[k].item()).product
        found = lyapunov.growth(alone, params[k : k + 1], directions[k : k + 1], 12)
        np.testing.assert_allclose(together.log_norm[:, k], found.log_norm[:, 0], atol=1e-9)
        torch.testing.assert_close(together.final[k], found.final[0], rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="70 learning rates for 3 initial conditions"):
        lyapunov.growth(product, params[:3], directions[:3], 1)


def test_windows_for_each_initial_condition():
    growth = lyapunov.Growth(np.arange(12.0).reshape(6, 2, 1) ** 2, np.ones((2, 1)), None, None)
    np.testing.assert_allclose(growth.exponent(1, 3)[:, 0], [(36 - 4) / 2, (49 - 9) / 2])
    got = growth.exponent(np.array([0, 2]), np.array([5, 4]))
    np.testing.assert_allclose(got[:, 0], [(10**2 - 0) / 5, (9**2 - 5**2) / 2])
    got = growth.exponent(np.array([-1, 2]), np.array([-1, 4]))
    assert np.isnan(got[0, 0]) and got[1, 0] == (9**2 - 5**2) / 2
    for window in ((3, 3), (-1, 2), (0, 6), (np.array([-1, 3]), np.array([-1, 2]))):
        with pytest.raises(ValueError, match="must lie within 0–5"):
            growth.exponent(*window)


def test_only_a_map_that_takes_rows_is_given_them():
    """An algorithm sees by the signature whether it may advance some of the initial conditions."""

    def takes(params, rows=None):
        shift = torch.arange(5.0).double()
        shift = shift if rows is None else shift[rows.index]
        return params + shift[:, None], torch.eye(2).double().expand(len(params), 2, 2)

    def moves(params, rows=None):
        return takes(params, rows)[0]

    params, vectors = torch.zeros(5, 2).double(), torch.ones(5, 2, 1).double()
    index = torch.tensor([4, 2])
    by_product = tangent_maps.by_product(tangent_maps.by_derivative(moves))
    for advance in (tangent_maps.by_jacobian(takes), by_product):
        following, images = advance(params[:2], vectors[:2], rows=lyapunov.Rows(index, 5))
        assert following[:, 0].tolist() == [4.0, 2.0] and torch.equal(images, vectors[:2])
        assert torch.equal(advance(params, vectors)[0][:, 0], torch.arange(5.0).double())
    for advance in (
        tangent_maps.by_jacobian(lambda w: (w, torch.eye(2).double().expand(len(w), 2, 2))),
        tangent_maps.by_product(tangent_maps.by_derivative(lambda w: 2 * w)),
    ):
        with pytest.raises(TypeError):
            advance(params, vectors, rows=lyapunov.Rows(index, 5))


def test_the_derivative_of_a_map():
    states = torch.tensor([[0.1, 0.2], [-0.4, 0.3], [1.0, 0.0]]).double()
    advance = tangent_maps.by_product(tangent_maps.by_derivative(henon))
    following, images = advance(states, torch.eye(2).double().expand(3, 2, 2))
    torch.testing.assert_close(following, henon(states))
    expected = [[[-2.8 * x, 1.0], [0.3, 0.0]] for x in states[:, 0].tolist()]
    torch.testing.assert_close(images, torch.tensor(expected).double(), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    ("count", "shape", "fill", "epochs", "message"),
    [
        (2, (2, 1, 3), 1, 1, r"expected \(n, k, P\)"),
        (0, (0, 1, 4), 1, 1, r"expected \(n, k, P\), of at least 1 tangent vector"),
        (2, (2, 1, 4), 0, 1, "length zero"),
        (2, (2, 1, 4), 1, 1.5, "epochs = 1.5: must be a whole number, at least 0"),
    ],
)
def test_bad_input_is_refused(count, shape, fill, epochs, message):
    directions = torch.full(shape, float(fill), dtype=torch.float64)
    with pytest.raises(ValueError, match=message):
        lyapunov.growth(lambda w, v: (w, v), torch.ones(count, 4).double(), directions, epochs)
