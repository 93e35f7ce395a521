"""Hessians, products and sharpness against dense matrices, autograd and finite differences."""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import hessian, lanczos
from netdyn_lib.tasks import losses, tasks

MATRIX = torch.tensor([[3.0, 1.0, 0.0], [1.0, -5.0, 0.5], [0.0, 0.5, 1.0]], dtype=torch.float64)


def quadratic(w):
    return 0.5 * w @ MATRIX @ w


@pytest.fixture(scope="module")
def digits():
    return tasks.get("digits")


def test_hessian_of_a_quadratic_form():
    points, values = torch.randn(4, 3, dtype=torch.float64), np.linalg.eigvalsh(MATRIX.numpy())
    torch.testing.assert_close(hessian.hessians(quadratic, points), MATRIX.expand(4, 3, 3))
    np.testing.assert_allclose(hessian.spectra(quadratic, points)[2], values)
    v = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(
        hessian.product_of(quadratic, points[0])[0](points[0], v)[1], MATRIX @ v
    )
    # −5.2 is larger in magnitude
    np.testing.assert_allclose(hessian.sharpness(quadratic, points), [values[-1]] * 4)


def test_lanczos_equals_the_dense_spectrum(iris, digits):
    params = iris.initial(3)
    dense = hessian.spectra(iris.objective, params)[:, -1]
    found = [lanczos.lanczos(hessian.operator(iris, p), 83, tolerance=1e-9).value for p in params]
    np.testing.assert_allclose(found, dense, atol=1e-8, rtol=0)
    params = digits.initial(1)  # of many parameters
    found = lanczos.lanczos(hessian.operator(digits, params[0]), digits.network.count)
    assert hessian.sharpness(digits.objective, params)[0] == pytest.approx(found.value, rel=1e-6)


def test_unconverged_sharpness_says_so(monkeypatch, digits):
    monkeypatch.setattr(hessian, "lanczos", functools.partial(lanczos.lanczos, most=5))
    with pytest.raises(RuntimeError, match="did not converge in 5 products"):
        hessian.sharpness(digits.objective, digits.initial(1))


def variants(iris, loss):
    """One network as perceptron and as module, to learn labels or numbers."""
    y = iris.y if loss.name == "cross-entropy" else torch.nn.functional.one_hot(iris.y, 3).double()
    return [tasks.custom("t", n, loss, iris.x, y) for n in (iris.network, iris.network.module())]


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize(
    "loss", [losses.CrossEntropy(), losses.HalfSquaredError()], ids=lambda loss: loss.name
)
def test_products_are_the_same_in_blocks_in_closed_form_and_by_autograd(iris, loss, decay):
    closed, automatic = variants(iris, loss)

    def as_module(params):
        """A perceptron's parameters (P,) in a module's order."""
        return torch.cat([p.flatten() for pair in iris.network.unpack(params) for p in pair])

    params, v = closed.initial(2)
    expected = hessian.hessians(closed.objective, params[None])[0] @ v + decay * v
    for block in (8192, 50, 7):  # 120 samples: whole, and with a smaller last block
        got = hessian.TrainingHessian(closed, block, decay).at(params)(v)
        other = hessian.TrainingHessian(automatic, block, decay).at(as_module(params))(as_module(v))
        assert float((got - expected).norm() / expected.norm()) < 1e-12
        assert float((other - as_module(got)).norm() / expected.norm()) < 1e-12


def test_a_penalty_shifts_the_hessian(iris):
    params, v = iris.initial(2)
    plain = hessian.operator(iris, params)(v)
    penalised = dataclasses.replace(iris, weight_decay=0.5)
    torch.testing.assert_close(hessian.operator(penalised, params)(v) - plain, 0.5 * v)
    without = hessian.TrainingHessian(penalised, weight_decay=0.0).at(params)(v)
    torch.testing.assert_close(without, plain)


def test_hessian_agrees_with_finite_differences(iris):
    params, gradient = iris.initial(1)[0], torch.func.grad(iris.objective)
    dense = hessian.hessians(iris.objective, params[None])[0]
    for k in (0, 41, 82):
        step = torch.zeros(83, dtype=torch.float64)
        step[k] = 1e-5
        difference = (gradient(params + step) - gradient(params - step)) / 2e-5
        torch.testing.assert_close(dense[k], difference, rtol=1e-5, atol=1e-8)


def test_sharpness_along_a_trajectory_skips_diverged_networks():
    weights = np.zeros((2, 3, 3))
    weights[1, 2] = np.inf
    sharp = hessian.along(quadratic, weights)
    assert sharp.shape == (2, 3) and np.isnan(sharp[1, 2]) and np.isfinite(sharp).sum() == 5


def test_local_exponents():
    exact = [0, np.log(0.5), np.log(0.5), -np.inf]
    np.testing.assert_allclose(hessian.local_exponents([0.0, 1.0, 3.0, 2.0], 0.5), exact)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: hessian.operator(t, torch.full((83,), np.nan)), "not finite"),
        (lambda t: hessian.operator(t, torch.zeros(2, 83)), r"expected \(83,\)"),
        (
            lambda t: hessian.spectra(quadratic, torch.full((2, 3), np.nan).double()),
            "network 0 has",
        ),
        (lambda t: hessian.sharpness(quadratic, torch.zeros(0, 3).double()), "at least 1 network"),
    ],
)
def test_bad_input_is_refused(iris, call, message):
    with pytest.raises(ValueError, match=message):
        call(iris)
