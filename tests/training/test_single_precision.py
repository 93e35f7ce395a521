"""Tasks in single precision: networks descend and are observed; what needs more refuses them."""

import numpy as np
import pytest
import torch
from torch import nn

from netdyn_lib.curvature import batch_hessian, closed_form, hessian, optimizers, pruned_descent
from netdyn_lib.tasks import gradients, losses, networks, tasks
from netdyn_lib.training import steppers
from netdyn_lib.training.gradient_descent import GradientDescent, run

OBSERVED = ("loss", "accuracy", "test_accuracy", "norm", "distance", "displacement", "path_length")


def images(module=None, samples=40):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((samples, 36)), torch.from_numpy(rng.integers(0, 3, samples))
    module = module or networks.MLP((36, 8, 3), "tanh")
    return tasks.custom("t", module, losses.CrossEntropy(), x, y, std=0.3)


def convolutional():
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: tasks.get("iris"),
        images,
        lambda: images(convolutional()),
        lambda: images(samples=6000),
    ],
)
def test_descent_is_that_of_double_precision_to_rounding(make):
    task = make()
    single = task.to(dtype=torch.float32)
    balls = networks.perturbed(task.initial(2), 1e-2, 2)
    double, found = (
        run(GradientDescent(t, 0.1), balls, 20, observe=OBSERVED) for t in (task, single)
    )
    assert found.final.dtype == torch.float32 and double.final.dtype == torch.float64
    for name in ("loss", "norm", "displacement", "path_length"):
        np.testing.assert_allclose(found[name], double[name], atol=2e-4)
    np.testing.assert_allclose(found["distance"], double["distance"], rtol=0.02)
    np.testing.assert_allclose(found["accuracy"], double["accuracy"], atol=0.05)
    assert 0 < np.abs(found["loss"] - double["loss"]).max()


def test_regression_targets_are_of_the_same_type():
    x, y = np.random.default_rng(0).standard_normal((2, 20, 4))
    task = tasks.custom("t", networks.MLP((4, 5, 4)), losses.HalfSquaredError(), x, y)
    single = task.to(dtype=torch.float32)
    assert single.y.dtype == steppers.of(single).target.dtype == torch.float32
    assert single.to(dtype=torch.float64).y.dtype == torch.float64
    found, double = (run(GradientDescent(t, 1e-3), task.initial(2), 5) for t in (single, task))
    np.testing.assert_allclose(found["loss"], double["loss"], rtol=1e-5)


def test_copies_that_rounding_moves_are_refused():
    task = tasks.get("iris").to(dtype=torch.float32)
    balls = networks.perturbed(task.initial(2), 1e-8, 2)
    with pytest.raises(
        ValueError,
        match=r"copy 1 of initial condition 0 is 4\S*e-07 from its .* in torch.float32.*larger",
    ):
        run(GradientDescent(task, 0.1), balls, 5)
    run(GradientDescent(task, 0.1), balls[:, 0], 5)
    # references in single precision make no difference
    with pytest.raises(ValueError, match="too small for that type"):
        run(GradientDescent(task, 0.1), networks.perturbed(task.initial(2).float(), 1e-8, 2), 5)


@pytest.mark.parametrize(
    "call",
    [
        lambda t, p: gradients.of(t),
        lambda t, p: GradientDescent(t, 0.1).step(p),
        lambda t, p: GradientDescent(t, 0.1).product(p, p),
        lambda t, p: hessian.operator(t, p[0]),
        lambda t, p: batch_hessian.spectrum(t, p[0]),
        lambda t, p: pruned_descent.run(pruned_descent.Descent(t, 5), p, 0.1, 2),
        lambda t, p: optimizers.run(optimizers.Momentum(t, 0.1), p, 2),
        lambda t, p: hessian.sharpness(t.objective, p.float()),
        lambda t, p: hessian.spectra(t.objective, p.float()),
        lambda t, p: hessian.hessians(t.objective, p.float()),
        lambda t, p: hessian.along(t.objective, p.float()[None]),
    ],
)
@pytest.mark.parametrize(
    "make", [images, lambda: images(convolutional())], ids=["perceptron", "convolutions"]
)
def test_what_needs_double_precision_says_so(make, call):
    task = make().to(dtype=torch.float32)
    with pytest.raises(ValueError, match="numbers of torch.float32.*torch.float64"):
        call(task, task.initial(1))


def test_other_types_and_the_closed_form_of_one_hidden_layer():
    with pytest.raises(ValueError, match="dtype = torch.float16"):
        tasks.get("iris").to(dtype=torch.float16)
    with pytest.raises(ValueError, match="closed-form Hessians need torch.float64"):
        closed_form.OneHiddenLayerHessian(images().to(dtype=torch.float32))
