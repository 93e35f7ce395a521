"""Tangent maps of full-batch descent: one map by its Jacobian and by products."""

import math

import numpy as np
import pytest
import torch

from netdyn_lib import lyapunov
from netdyn_lib.curvature import hessian, jacobian
from netdyn_lib.lyapunov import qr, tangent_maps
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent

LOSS = losses.HalfSquaredError()


def task_of(sizes=(2, 3, 2), activation="tanh", loss=LOSS, decay=0.0):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((15, sizes[0]))
    y = (
        rng.integers(0, sizes[-1], 15)
        if loss.name == "cross-entropy"
        else rng.standard_normal((15, sizes[-1]))
    )
    network = networks.MLP(sizes, activation)
    return tasks.custom("t", network, loss, x, torch.tensor(y), weight_decay=decay)


def some(task, count=4, k=3):
    params = task.initial(count)
    return params, lyapunov.random_directions(params, k).transpose(1, 2)


@pytest.mark.parametrize(("rates", "decay"), [(0.02, 0.0), ([0.01, 0.02, 0.005, 0.03], 0.4)])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize(
    "loss", [losses.HalfSquaredError(), losses.CrossEntropy()], ids=lambda loss: loss.name
)
def test_the_jacobian_and_products_are_one_map(loss, activation, decay, rates):
    task = task_of((2, 3, 2), activation, loss)
    gd = gradient_descent.GradientDescent(task, rates, weight_decay=decay)
    params, vectors = some(task)
    by_derivative = tangent_maps.by_product(tangent_maps.by_derivative(gd.step))
    ways = [jacobian.of_descent(gd, closed=closed) for closed in (None, True, False)]
    expected, images = gd.step(params), ways[0](params, vectors)[1]
    for way in (*ways, by_derivative):
        following, moved = way(params, vectors)
        torch.testing.assert_close(following, expected, rtol=1e-14, atol=1e-14)
        torch.testing.assert_close(moved, images, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("closed", [True, False])
def test_finite_differences(closed):
    task = task_of(decay=0.3)
    gd = gradient_descent.GradientDescent(task, 0.05)
    params, vectors = some(task, k=2)
    images = jacobian.of_descent(gd, closed)(params, vectors)[1]
    step = 1e-5
    for k in range(2):
        ahead, behind = (gd.step(params + sign * step * vectors[..., k]) for sign in (1, -1))
        difference = (ahead - behind) / (2 * step)
        torch.testing.assert_close(images[..., k], difference, rtol=1e-6, atol=1e-7)


def test_the_map_of_a_quadratic_loss_is_exact():
    """J = I − η (H + λI) everywhere, and the next state is J's on W − W*."""
    rate, decay = 0.03, 0.2
    task = task_of((3, 1), "sigmoid", decay=decay)
    advance = jacobian.of_descent(gradient_descent.GradientDescent(task, rate))
    inputs = torch.cat([task.x, torch.ones(15, 1).double()], 1)
    curved = inputs.T @ inputs + decay * torch.eye(4).double()
    matrix = torch.eye(4).double() - rate * curved
    params = task.initial(3)
    following, images = advance(params, torch.eye(4).double().expand(3, 4, 4))
    torch.testing.assert_close(images, matrix.expand(3, 4, 4), rtol=1e-13, atol=1e-13)
    best = torch.linalg.solve(curved, inputs.T @ task.y)[:, 0]
    torch.testing.assert_close(following - best, (params - best) @ matrix, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("closed", [True, False])
def test_some_rows_keep_their_learning_rates(closed):
    task = task_of()
    params, vectors = some(task)
    rates = [0.01, 0.02, 0.005, 0.03]
    advance = jacobian.of_descent(gradient_descent.GradientDescent(task, rates), closed)
    index = torch.tensor([3, 1])
    following, images = advance(params[index], vectors[index], rows=lyapunov.Rows(index, 4))
    for got, row in enumerate(index.tolist()):
        alone = jacobian.of_descent(gradient_descent.GradientDescent(task, rates[row]), closed)
        expected = alone(params[row : row + 1], vectors[row : row + 1])
        torch.testing.assert_close(following[got], expected[0][0], rtol=1e-14, atol=1e-14)
        torch.testing.assert_close(images[got], expected[1][0], rtol=1e-13, atol=1e-13)
    with pytest.raises(ValueError, match="4 learning rates for 2 initial conditions"):
        advance(params[:2], vectors[:2])


def test_only_one_hidden_layer_is_formed_whole():
    for sizes in ((2, 2), (2, 3, 3, 2)):
        with pytest.raises(ValueError, match="MLP of one hidden layer"):
            jacobian.of_descent(gradient_descent.GradientDescent(task_of(sizes), 0.01), closed=True)


def test_exponents_along_a_trajectory_add_up_to_the_volume():
    """Σ ln R_ii of a full frame is Σ ln|det J|, with J from torch's Hessian."""
    task, rate = task_of(), 0.02
    advance = jacobian.of_descent(gradient_descent.GradientDescent(task, rate))
    params, q = task.initial(2), qr.random_orthogonal(task.network.count).expand(2, -1, -1)
    total, volume = 0.0, 0.0
    for _ in range(20):
        matrix = torch.eye(17).double() - rate * hessian.hessians(task.objective, params)
        volume = volume + torch.linalg.slogdet(matrix)[1]
        params, images = advance(params, q)
        q, r = qr.orthonormalise(images)
        total = total + r.diagonal(dim1=1, dim2=2).log().sum(1)
    torch.testing.assert_close(total, volume, rtol=1e-10, atol=1e-10)


def test_a_trajectory_that_overflows_is_not_finite():
    task = task_of()
    for closed in (True, False):
        advance = jacobian.of_descent(gradient_descent.GradientDescent(task, 50.0), closed)
        params, vectors = some(task)
        params[1:] = math.nan
        for _ in range(200):
            params, vectors = advance(params, vectors)
        assert not bool(params.isfinite().all(1).any())
        assert not bool(vectors.flatten(1).isfinite().all(1).any())


def test_frozen_growth_is_exact_on_a_quadratic():
    task = task_of((3, 1))
    ball = networks.perturbed(task.initial(2), 1e-6, 4)
    descent = gradient_descent.GradientDescent(task, 0.01)
    record = gradient_descent.run(descent, ball, 50, observe=("mean_distance",))
    predicted = jacobian.frozen_distance(task.objective, ball, record.epochs, 0.01)
    np.testing.assert_allclose(predicted, record["mean_distance"], rtol=1e-6)
    with pytest.raises(ValueError, match="n and M at least 1"):
        jacobian.frozen_distance(task.objective, ball[:, :1], [0, 1], 0.1)
    with pytest.raises(ValueError, match=r"expected \(k, P\), k > 0"):
        jacobian.frozen_growth(torch.eye(4).double(), torch.ones(2, 3).double(), [0, 1], 0.1)
