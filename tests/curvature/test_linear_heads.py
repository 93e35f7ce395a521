"""Networks that end in a linear layer: few dimensions of it, and nothing is lost."""

import numpy as np
import pytest
import torch
from torch import nn

from netdyn_lib.curvature import batch_frames, batch_hessian, hessian, pruned_descent
from netdyn_lib.tasks import gradients, losses, networks, tasks

CROSS, SQUARES = losses.CrossEntropy(), losses.HalfSquaredError()


def convolutional(outputs=4):
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)),
        nn.Conv2d(1, 2, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(18, outputs),
    )


def deep(outputs=4):
    return nn.Sequential(
        nn.Linear(36, 5), nn.Tanh(), nn.Linear(5, 6), nn.Sigmoid(), nn.Linear(6, outputs)
    )


def task_of(module, loss=CROSS, samples=5, outputs=4):
    rng = np.random.default_rng(3)
    y = (
        rng.integers(0, outputs, samples)
        if loss is CROSS
        else rng.standard_normal((samples, outputs))
    )
    return tasks.custom("t", module, loss, rng.standard_normal((samples, 36)), torch.tensor(y))


def weights(task, size=0.5):
    return size * torch.randn(
        task.network.count, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


@pytest.mark.parametrize("loss", [CROSS, SQUARES], ids=lambda loss: loss.name)
@pytest.mark.parametrize("samples", [1, 5, 60])
@pytest.mark.parametrize("make", [convolutional, deep])
def test_the_spectrum_is_that_of_the_whole_hessian(make, samples, loss):
    torch.manual_seed(0)
    task = task_of(make(), loss, samples)
    params = weights(task)
    local = batch_hessian.around(task, params)
    found, whole = local.spectrum(), local.hessian()
    count, matrix = len(found.values), whole.matrix
    scale = float(torch.linalg.eigvalsh(matrix).abs().max())
    assert found.subspace is not None and count <= task.network.count
    span = found.subspace.times(torch.eye(count, dtype=torch.float64))  # T
    torch.testing.assert_close(span.T @ span, torch.eye(count).double(), atol=1e-13, rtol=0)
    inside = span @ (span.T @ matrix @ span) @ span.T
    torch.testing.assert_close(inside, matrix, atol=1e-13 * scale, rtol=0)
    dense = found.expand(torch.eye(count).double()).T  # (P, m')
    formed = (dense * torch.from_numpy(found.values)) @ dense.T
    torch.testing.assert_close(formed, matrix, atol=1e-13 * scale, rtol=0)
    values = np.sort(np.concatenate([found.values, np.zeros(len(matrix) - count)]))
    np.testing.assert_allclose(
        values, torch.linalg.eigvalsh(matrix).numpy(), rtol=0, atol=1e-12 * scale
    )
    gradient = gradients.of(task)(params[None])[0]
    outside = gradient - found.expand(found.project(gradient))
    assert float(outside.norm()) < 1e-13 * max(1, float(gradient.norm()))
    if make is convolutional and (samples, loss) == (5, CROSS):
        # 20 parameters below, 5 samples for 3 of the 4 outputs, and what 20 parameters move of the
        # features' 18 · 4.
        assert count <= 20 + 5 * 3 + 20 < task.network.count


def test_features_that_are_zero_and_names_of_ones_own():
    from collections import OrderedDict

    module = nn.Sequential(OrderedDict(below=nn.Linear(36, 3), bend=nn.ReLU(), out=nn.Linear(3, 4)))
    task = task_of(module)
    params = weights(task)
    params[: 3 * 36] = 0
    # all units are off for all samples: only the biases above are seen
    params[3 * 36 : 3 * 37] = -1
    found = batch_hessian.spectrum(task, params)
    assert (np.abs(found.values) > 1e-12).sum() == 3
    np.testing.assert_allclose(
        found.values[-3:],
        np.linalg.eigvalsh(batch_hessian.hessian(task, params).matrix.numpy())[-3:],
        atol=1e-14,
    )


def test_descent_is_the_same_as_by_the_whole_hessian():
    task = task_of(convolutional())
    params = weights(task)
    step = pruned_descent.step(task, params, 0.1, "negative")
    gradient = gradients.of(task)(params[None])[0]
    values, vectors = torch.linalg.eigh(batch_hessian.hessian(task, params).matrix)
    pruned = vectors[:, values < -1e-12 * values.abs().max()]
    known = params - 0.1 * (gradient - pruned @ (pruned.T @ gradient))
    torch.testing.assert_close(step, known, atol=1e-12, rtol=0)


class Twice(nn.Sequential):
    """A container that does more than one layer after another."""

    def forward(self, x):
        return 2 * super().forward(x)


def tied():
    module = nn.Sequential(nn.Linear(36, 36), nn.Tanh(), nn.Linear(36, 36))
    module[2].weight = module[0].weight
    return module


def hooked():
    module = deep()
    module[-1].register_forward_hook(lambda layer, inputs, output: output**2)
    return module


def overridden(place):
    module = deep()
    part = place(module)
    part.forward = type(part).forward.__get__(part)
    return module


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(36, 4), nn.Tanh()),
        nn.Sequential(nn.Linear(36, 4)),
        nn.Sequential(nn.Linear(36, 5), nn.Linear(5, 4, bias=False)),
        Twice(nn.Linear(36, 5), nn.Tanh(), nn.Linear(5, 4)),
        tied(),
        hooked(),
        nn.Linear(36, 4),
        overridden(lambda m: m),
        overridden(lambda m: m[-1]),
    ],
    ids=str.split("end one bias container tied hooked layer forward last"),
)
def test_others_have_their_hessian_formed_whole(module):
    network, y = networks.ModuleNetwork(module), torch.zeros(2, dtype=torch.int64)
    assert batch_frames.linear_head_matrix(network, CROSS, torch.zeros(2, 36), y) is None


def assert_whole(task):
    """The spectrum forms the Hessian."""
    params = weights(task)
    found, matrix = batch_hessian.spectrum(task, params), batch_hessian.hessian(task, params).matrix
    formed = found.product(torch.eye(len(params)).double())
    torch.testing.assert_close(formed, matrix, atol=1e-12, rtol=0)
    return found, matrix


def test_a_frozen_layer_below_is_no_dimension():
    module = deep()
    module[0].requires_grad_(False)
    assert_whole(task_of(module))


@pytest.mark.parametrize("frozen", [False, True])
def test_where_nothing_below_is_trained_the_last_layer_is_all(frozen):
    module = (
        nn.Sequential(nn.Linear(36, 5), nn.Tanh(), nn.Linear(5, 4))
        if frozen
        else nn.Sequential(nn.Flatten(), nn.Linear(36, 4))
    )
    if frozen:
        module[0].requires_grad_(False)
    found, _ = assert_whole(task_of(module))
    assert len(found.values) == 5 * 3


def test_layer_norm_has_the_curvature_that_finite_differences_see():
    """torch.func.hessian does not (PyTorch 2.15): its entries are off by several percent."""
    task = task_of(nn.Sequential(nn.Linear(36, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 4)))
    params = weights(task)
    slope = gradients.of(task)
    units = torch.eye(len(params), dtype=torch.float64)
    expected = (slope(params + 1e-5 * units) - slope(params - 1e-5 * units)) / 2e-5
    _, matrix = assert_whole(task)
    torch.testing.assert_close(matrix, expected, atol=1e-8, rtol=0)
    whole = hessian.hessians(task.objective, params[None])[0]
    torch.testing.assert_close(whole, matrix, atol=1e-12, rtol=0)


def test_an_overflow_is_told():
    task = task_of(deep(), SQUARES)
    with pytest.raises(FloatingPointError, match="there is no spectrum"):
        batch_hessian.spectrum(task, weights(task) * 1e200)
