import numpy as np
import pytest
import torch

from netdyn_lib import curvature, tasks

MATRIX = torch.tensor([[3.0, 1.0, 0.0], [1.0, -5.0, 0.5], [0.0, 0.5, 1.0]], dtype=torch.float64)


def quadratic(w):
    return 0.5 * w @ MATRIX @ w


def test_hessian_of_a_quadratic_form():
    points = torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(curvature.hessians(quadratic, points), MATRIX.expand(4, 3, 3))
    np.testing.assert_allclose(curvature.spectra(quadratic, points)[2], np.linalg.eigvalsh(MATRIX.numpy()))
    v = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(curvature.hessian_vector_product(quadratic, points[0], v), MATRIX @ v)


def test_sharpness_is_the_largest_algebraic_eigenvalue():
    top = np.linalg.eigvalsh(MATRIX.numpy())[-1]  # −5.2 is larger in magnitude
    assert curvature.sharpness(quadratic, torch.zeros(1, 3, dtype=torch.float64))[0] == pytest.approx(top)


def test_lanczos_equals_the_dense_spectrum():
    iris = tasks.get("iris")
    params = iris.initial(3)
    dense = curvature.spectra(iris.objective, params)[:, -1]
    np.testing.assert_allclose([curvature._lanczos(iris.objective, p, 1e-9) for p in params], dense, rtol=1e-7)


def test_hessian_agrees_with_finite_differences():
    iris = tasks.get("iris")
    params = iris.initial(1)[0]
    gradient = torch.func.grad(iris.objective)
    dense = curvature.hessians(iris.objective, params[None])[0]
    for k in (0, 41, 82):
        step = torch.zeros(83, dtype=torch.float64)
        step[k] = 1e-5
        difference = (gradient(params + step) - gradient(params - step)) / 2e-5
        torch.testing.assert_close(dense[k], difference, rtol=1e-5, atol=1e-8)


def test_sharpness_along_a_trajectory_skips_diverged_networks():
    weights = np.zeros((2, 3, 3))
    weights[1, 2] = np.inf
    sharp = curvature.along(quadratic, weights)
    assert sharp.shape == (2, 3) and np.isnan(sharp[1, 2]) and np.isfinite(sharp).sum() == 5


def test_a_diverged_network_has_no_hessian():
    with pytest.raises(ValueError, match="network 1 has parameters that are not finite"):
        curvature.spectra(quadratic, torch.tensor([[0.0, 0, 0], [np.nan, 0, 0]], dtype=torch.float64))


def test_no_networks_have_no_hessians():
    with pytest.raises(ValueError, match="at least 1 network"):
        curvature.sharpness(quadratic, torch.zeros(0, 3, dtype=torch.float64))


def test_local_exponents():
    np.testing.assert_allclose(curvature.local_exponents([0.0, 1.0, 3.0], 0.5), [0, np.log(0.5), np.log(0.5)])
    assert curvature.local_exponents(2.0, 0.5) == -np.inf


def test_multipliers_and_the_edge():
    found = curvature.multipliers(quadratic, torch.zeros(1, 3, dtype=torch.float64), 0.1)
    np.testing.assert_allclose(found[0], 1 - 0.1 * np.linalg.eigvalsh(MATRIX.numpy()))
    assert curvature.in_edge_units(2 / 0.1, 0.1) == pytest.approx(1)
