"""Closed-form gradients and Hessian products of perceptrons are the automatic ones."""

import pytest
import torch

from netdyn_lib.tasks import derivatives, gradients, losses
from tests.random_problems import problem

LOSSES = [losses.CrossEntropy(), losses.HalfSquaredError()]


@pytest.mark.parametrize("loss", [None, LOSSES[1]], ids=["cross-entropy", "squared error"])
@pytest.mark.parametrize(
    "sizes, activation",
    [((4, 3), "sigmoid"), ((4, 10, 3), "sigmoid"), ((4, 6, 5, 3), "tanh"), ((4, 8, 3), "relu")],
)
def test_closed_form_equals_autograd(sizes, activation, loss):
    task = problem(sizes, activation, loss=loss)
    params = task.initial(4)
    closed, automatic = gradients.MLPGradient(task), gradients.ModuleGradient(task)
    slope = torch.func.vmap(torch.func.grad(task.objective))(params)
    losses_of = torch.stack([task.objective(p) for p in params])
    point = closed.at(params)
    torch.testing.assert_close(point.losses, losses_of, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(closed(params), slope, rtol=1e-11, atol=1e-12)
    for seed in (1, 2):  # products leave nothing behind
        draw = torch.Generator().manual_seed(seed)
        vectors = torch.randn(params.shape, dtype=torch.float64, generator=draw)
        expected = automatic.product(params, vectors)
        for found in (closed.product(params, vectors), (point.gradient, point.product(vectors))):
            torch.testing.assert_close(found[0], expected[0], rtol=1e-11, atol=1e-12)
            torch.testing.assert_close(found[1], expected[1], rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_loss_values_residuals_and_curvature_agree(loss):
    draw = torch.Generator().manual_seed(2)
    output = torch.randn(3, 4, 10, dtype=torch.float64, generator=draw, requires_grad=True)
    y = torch.arange(10) % 4 if loss is LOSSES[0] else torch.ones(10, 4, dtype=torch.float64)
    target, weight = loss.encode(y, 4), loss.weight(10)
    values = loss.values(output, target)
    torch.testing.assert_close(values, torch.stack([loss.value(o.T, y) for o in output]))
    (slope,) = torch.autograd.grad(values.sum(), output, create_graph=True)
    torch.testing.assert_close(weight * loss.residual(output.detach(), target), slope.detach())
    direction = torch.randn(3, 4, 10, dtype=torch.float64, generator=draw)
    if loss is LOSSES[0]:
        (curve,) = torch.autograd.grad((slope * direction).sum(), output)
        torch.testing.assert_close(weight * loss.curve(output.detach(), direction), curve)
    root = loss.root(output[0].detach())  # (C, C − 1 or C, N)
    found = torch.einsum("ckn,dkn,dn->cn", root, root, direction[0])
    torch.testing.assert_close(found, loss.curve(output.detach(), direction)[0])


def test_recurrent_layers_on_a_gpu_are_told_of():
    """No GPU is needed: what is looked at are the layers and the name of the device."""
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    both = torch.nn.Sequential(torch.nn.GRU(3, 4), torch.nn.LSTM(4, 2))
    assert derivatives.of_cudnn(both, cuda).startswith("GRU, LSTM through cuDNN has no second")
    silent = (both, cpu), (torch.nn.LSTMCell(3, 4), cuda), (None, cuda)
    assert [derivatives.of_cudnn(*one) for one in silent] == [""] * 3
