import pytest
import torch
from torch import nn

from netdyn_lib import lyapunov
from netdyn_lib.tasks import gradients, losses, networks, tasks
from netdyn_lib.training import steppers

ARCHITECTURES = [
    ((4, 3), "sigmoid"),
    ((4, 10, 3), "sigmoid"),
    ((4, 6, 5, 3), "tanh"),
    ((4, 8, 3), "relu"),
]


def task_of(sizes, activation, loss=None):
    iris = tasks.get("iris")
    if loss is None or loss.name == "cross-entropy":
        return tasks.Task(
            "t", networks.MLP(sizes, activation), losses.CrossEntropy(), iris.split, 0.9
        )
    y = torch.randn(120, sizes[-1], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return tasks.custom("t", networks.MLP(sizes, activation), loss, iris.x, y)


@pytest.mark.parametrize(
    "loss", [losses.CrossEntropy(), losses.HalfSquaredError()], ids=lambda l: l.name
)
@pytest.mark.parametrize("sizes, activation", ARCHITECTURES)
def test_closed_form_equals_autograd(sizes, activation, loss):
    task = task_of(sizes, activation, loss)
    params = task.initial(5)
    autograd = torch.func.vmap(torch.func.grad(task.objective))(params)
    torch.testing.assert_close(
        gradients.MLPGradient(task)(params), autograd, rtol=1e-11, atol=1e-12
    )


@pytest.mark.parametrize(
    "loss", [losses.CrossEntropy(), losses.HalfSquaredError()], ids=lambda l: l.name
)
@pytest.mark.parametrize("sizes, activation", ARCHITECTURES)
def test_a_step_in_place_is_the_same_step(sizes, activation, loss):
    task = task_of(sizes, activation, loss)
    stepper, gradient = steppers.of(task), gradients.of(task)
    for count in (5, 3, 5):  # buffers are made anew for another size
        params, rates = (
            task.initial(count),
            torch.linspace(0.001, 0.002, count, dtype=torch.float64)[:, None],
        )
        expected = params.clone()
        for _ in range(3):
            output = stepper.forward(params)
            torch.testing.assert_close(output.transpose(1, 2), task.network.forward(params, task.x))
            stepper.subtract(params, rates)
            expected = expected - rates * gradient(expected)
        torch.testing.assert_close(params, expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(
    "loss", [losses.CrossEntropy(), losses.HalfSquaredError()], ids=lambda l: l.name
)
@pytest.mark.parametrize("sizes, activation", ARCHITECTURES)
def test_closed_form_hessian_products_equal_forward_mode(sizes, activation, loss):
    task = task_of(sizes, activation, loss)
    params = task.initial(4)
    vectors = lyapunov.random_directions(params)[:, 0]
    gradient, product = gradients.MLPGradient(task).product(params, vectors)
    expected = gradients.ModuleGradient(task).product(params, vectors)
    torch.testing.assert_close(gradient, expected[0], rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(product, expected[1], rtol=1e-10, atol=1e-11)


def test_loss_values_and_residuals_agree():
    output = torch.randn(
        3,
        4,
        10,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(2),
        requires_grad=True,
    )
    y = torch.arange(10) % 4
    for loss, target in (
        (losses.CrossEntropy(), y),
        (losses.HalfSquaredError(), torch.ones(10, 4, dtype=torch.float64)),
    ):
        encoded = loss.encode(target, 4)
        values = loss.values(output, encoded)
        single = torch.stack([loss.value(o.T, target) for o in output])
        torch.testing.assert_close(values, single)
        (slope,) = torch.autograd.grad(values.sum(), output, retain_graph=True)
        torch.testing.assert_close(loss.weight(10) * loss.residual(output.detach(), encoded), slope)


def test_modules_of_any_kind_have_a_gradient():
    images = torch.rand(12, 1, 6, 6, dtype=torch.float64)
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    )
    task = tasks.custom(
        "conv", module, losses.CrossEntropy(), images, torch.arange(12) % 3, std=0.3
    )
    gradient = gradients.of(task)
    params = task.initial(4)
    got = gradient(params)
    for p, g in zip(params, got):
        torch.testing.assert_close(g, torch.func.grad(task.objective)(p))
    assert steppers.of(task).values_per_network >= 3 * 12 * (2 * 4 * 4 + 36)


@pytest.mark.parametrize(
    "loss", [losses.CrossEntropy(), losses.HalfSquaredError()], ids=lambda l: l.name
)
@pytest.mark.parametrize("sizes, activation", ARCHITECTURES)
def test_at_one_point_gradient_losses_and_products_are_the_same(sizes, activation, loss):
    task = task_of(sizes, activation, loss)
    params = task.initial(3)
    point, other = gradients.MLPGradient(task).at(params), gradients.ModuleGradient(task).at(params)
    torch.testing.assert_close(point.losses, other.losses, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(point.gradient, other.gradient, rtol=1e-11, atol=1e-12)
    for seed in (1, 2):  # products leave nothing behind
        v = torch.randn(
            params.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
        )
        torch.testing.assert_close(
            point.product(v),
            gradients.ModuleGradient(task).product(params, v)[1],
            rtol=1e-10,
            atol=1e-11,
        )
