"""Singular values of long products against exact ones and arithmetic of many digits."""

import numpy as np
import pytest
import torch

from netdyn_lib import torch_utils
from netdyn_lib.lyapunov import singular_values
from netdyn_lib.lyapunov.benettin import spectrum
from netdyn_lib.lyapunov.singular_values import Product, singular_exponents
from netdyn_lib.lyapunov.tangent_maps import by_jacobian
from tests.known_systems import SYSTEMS

HENON, LORENZ, STANDARD, QUADRATIC = (
    SYSTEMS[k] for k in ("Hénon map", "Lorenz system", "standard map", "quadratic descent")
)


def sequence(matrices):
    """The map whose J(t) are ``matrices`` (steps, n, P, P): the state counts steps."""
    matrices = torch.tensor(np.array(matrices))
    return by_jacobian(lambda w: (w + 1, matrices[int(w[0, 0])]))


def singular(matrices):
    """ln σ (n, P) of the products of ``matrices`` (steps, n, P, P), and the directions."""
    n, size = np.shape(matrices)[1:3]
    q = torch.eye(size, dtype=torch.float64).expand(n, size, size)
    product = Product(torch.zeros(n, size, dtype=torch.float64), q)
    for matrix in torch.tensor(np.array(matrices)):
        q = product.multiply(matrix @ q)
    return product.singular(True)


def some(n, size):
    return torch.zeros(n, size, dtype=torch.float64)


def singular_values_of_many_digits(matrices, digits):
    """ln σ of the product of ``matrices`` (steps, P, P), and its right singular vectors."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(digits):
        product = mpmath.eye(len(matrices[0]))
        for m in matrices:
            product = mpmath.matrix(m.tolist()) * product
        _, s, vt = mpmath.svd_r(product)
        return np.array([float(mpmath.log(x)) for x in s]), np.array(vt.T.tolist(), float)


def decaying(decades, steps, n, size=5, seed=0):
    """Random matrices (steps, n, P, P) whose product spreads over about so many decades."""
    draw = np.random.default_rng(seed).standard_normal((steps, n, size, size))
    return (0.3 * draw + np.eye(size)) * np.geomspace(1, 10.0 ** (-decades / steps), size)


@pytest.mark.parametrize("decades, steps", [(10, 10), (50, 40), (200, 120), (700, 300)])
def test_products_against_arithmetic_of_many_digits(decades, steps):
    n = 2
    matrices = decaying(decades, steps, n)
    found = singular_exponents(sequence(matrices), some(n, 5), steps)
    logs, stretched = singular(matrices)
    np.testing.assert_array_equal(logs, found.log_singular[0])
    for i in range(n):
        exact, directions = singular_values_of_many_digits(matrices[:, i], 2 * decades + 30)
        assert exact[0] - exact[-1] > 2.2 * decades
        np.testing.assert_allclose(found.log_singular[0, i], exact, rtol=1e-11, atol=1e-11)
        overlap = stretched[i].numpy().T @ directions
        np.testing.assert_allclose(np.abs(overlap), np.eye(5), atol=1e-9)


@pytest.mark.parametrize("seed", [24, 33])
def test_directions_may_change_places(seed):
    """What shrinks, and what mixes with what, changes every ten steps: without sorting, these two
    are off by 7.
    """
    rng = np.random.default_rng(seed)
    matrices = []
    for t in range(40):
        if t % 10 == 0:
            scales, order = 10.0 ** rng.uniform(-3, 3, 4), rng.permutation(4)
            shape = (np.asarray, np.triu, np.tril)[rng.integers(3)]
        matrices.append((shape(0.3 * rng.standard_normal((4, 4)) + np.eye(4)) * scales)[order])
    found = singular_exponents(sequence(np.array(matrices)[:, None]), some(1, 4), 40)
    exact, _ = singular_values_of_many_digits(matrices, 350)
    np.testing.assert_allclose(found.log_singular[0, 0], exact, rtol=0, atol=1e-10)


@pytest.mark.parametrize("interval", [1, 2])
def test_a_diagonal_map_is_exact(interval):
    """One step spreads over e^±50, the product beyond what doubles hold."""
    logs = np.array([-50.0, 50.0, 3.0, 0.0])
    advance = sequence(np.broadcast_to(np.diag(np.exp(logs)), (40, 2, 4, 4)))
    found = singular_exponents(advance, some(2, 4), 40, at=[0, 1, 10, 40], interval=interval)
    exact = np.array([0, 1, 10, 40])[:, None] * np.sort(logs)[::-1]
    np.testing.assert_allclose(found.log_singular[:, 1], exact, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(
        found.exponents(0.5)[:, 0], 2 * np.broadcast_to(exact[1], (3, 4)), rtol=1e-14
    )
    np.testing.assert_array_equal(found.times, [0, 1, 10, 40])


def test_gradient_descent_on_a_quadratic_loss_is_exact_from_the_first_step():
    found = singular_exponents(
        by_jacobian(QUADRATIC.function), QUADRATIC.start, 60, at=[1, 2, 7, 60]
    )
    exact = np.broadcast_to(QUADRATIC.exponents, found.exponents().shape)
    np.testing.assert_allclose(found.exponents(), exact, atol=1e-14)


def test_singular_directions_are_those_of_a_short_product():
    matrices = np.random.default_rng(1).standard_normal((3, 4, 6, 6))
    _, sizes, vt = np.linalg.svd(matrices[2] @ matrices[1] @ matrices[0])
    logs, directions = singular(matrices)
    np.testing.assert_allclose(logs, np.log(sizes), atol=1e-11)
    exact = np.broadcast_to(np.eye(6), (4, 6, 6))
    np.testing.assert_allclose(np.abs(vt @ directions.numpy()), exact, atol=1e-10)


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_the_sum_is_that_of_the_determinants(system):
    w, volume = system.start[:10], 0.0
    for _ in range(100):
        w, jacobian = system.function(w)
        volume = volume + torch.linalg.slogdet(jacobian).logabsdet
    found = singular_exponents(by_jacobian(system.function), system.start[:10], 100)
    np.testing.assert_allclose(found.log_singular[0].sum(1), volume.numpy(), rtol=0, atol=1e-10)
    torch.testing.assert_close(found.final, w, rtol=0, atol=0)


@pytest.mark.parametrize("system", [HENON, LORENZ, STANDARD], ids=lambda s: s.name)
def test_exponents_approach_benettins_as_one_over_t(system):
    advance, start, at = by_jacobian(system.function), system.start[:10], [50, 500]
    frames = spectrum(advance, start, 500, at=at).log_growth[1:]
    values = singular_exponents(advance, start, 500, at=at).log_singular
    apart = np.abs(values - frames).max((1, 2))
    assert (apart > 1e-3).all() and (apart < 15).all()  # the growths differ by a bounded number
    # no vector grows more than the longest half-axis
    assert (values[..., 0] >= frames[..., 0] - 1e-9).all()


def test_equal_singular_values():
    rotations = np.linalg.qr(np.random.default_rng(2).standard_normal((30, 3, 7, 7)))[0]
    logs, directions = singular(2 * rotations)
    np.testing.assert_allclose(logs, 30 * np.log(2), atol=1e-12)
    eye = torch.eye(7, dtype=torch.float64).expand(3, 7, 7)
    torch.testing.assert_close(directions.mT @ directions, eye, rtol=0, atol=1e-13)


def test_a_trajectory_that_overflows_is_nan_from_there_on():
    def square(w):
        return w**2, torch.diag_embed(2 * w)

    start = torch.tensor([[1.0, 1.0], [1e80, 1.0]], dtype=torch.float64)
    found = singular_exponents(by_jacobian(square), start, 4, at=range(5))
    nan = np.isnan(found.log_singular[:, 1, 0])
    np.testing.assert_array_equal(found.diverged_at, [-1, 2])
    np.testing.assert_array_equal(nan, [False, False, True, True, True])
    exact = np.log(2) * np.arange(5)[:, None] * [1, 1]
    np.testing.assert_allclose(found.log_singular[:, 0], exact, atol=1e-12)
    lost = start * torch.tensor([[1.0], [torch.nan]])
    at_once = singular_exponents(by_jacobian(square), lost, 1, at=[0])
    np.testing.assert_array_equal(at_once.diverged_at, [-1, 0])
    assert np.isnan(at_once.log_singular[0, 1]).all()
    overflow = singular_exponents(sequence(np.full((4, 1, 1, 1), 1e200)), some(1, 1), 4, interval=2)
    np.testing.assert_array_equal(overflow.diverged_at, [2])
    assert np.isnan(overflow.log_singular).all()


def test_a_singular_map_has_minus_infinity_for_what_it_lost():
    matrices = np.array([np.diag([2.0, 3.0, 5.0])] * 4)
    matrices[1, 1, 1] = 0.0  # at the second step the second direction is lost
    found = singular_exponents(sequence(matrices[:, None]), some(1, 3), 4, at=[1, 2, 4])
    np.testing.assert_allclose(found.log_singular[0, 0], np.log([5, 3, 2]), atol=1e-14)
    for k, t in ((1, 2), (2, 4)):
        exact = [t * np.log(5), t * np.log(2), -np.inf]
        np.testing.assert_allclose(found.log_singular[k, 0], exact, atol=1e-13)
    directions = singular(matrices[:, None])[1]
    np.testing.assert_allclose(directions[0].abs(), np.eye(3)[[2, 0, 1]].T, atol=1e-14)
    assert (singular(np.zeros((2, 1, 3, 3)))[0] == -np.inf).all()
    # The first row of a shear that halts the second variable: rank 1, in coordinates that mix both.
    logs, directions = singular(np.array([[[[3.0, 4.0], [0.0, 0.0]]]] * 3))
    np.testing.assert_allclose(logs[0], [np.log(45), -np.inf], atol=1e-13)
    np.testing.assert_allclose(directions[0].abs(), [[0.6, 0.8], [0.8, 0.6]], atol=1e-14)
    # A zero on the diagonal of R with more to its right.
    matrix = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
    exact = [np.log(2) / 2, np.log(0.5), -np.inf]
    np.testing.assert_allclose(singular(matrix[None, None])[0][0], exact, atol=1e-14)


def test_rotations_that_do_not_converge_say_so(monkeypatch):
    monkeypatch.setattr(singular_values, "_SWEEPS", 1)
    with pytest.raises(
        RuntimeError, match="2 of 2 singular value decompositions did not converge in 1 sweeps"
    ):
        singular_exponents(sequence(decaying(10, 5, 2)), some(2, 5), 5)


def test_bad_input_is_refused_and_a_run_can_be_stopped():
    advance, start = by_jacobian(HENON.function), HENON.start[:2]
    with pytest.raises(ValueError, match="step in at = 9: must be a whole number, from 0 to 5"):
        singular_exponents(advance, start, 5, at=[9])
    with pytest.raises(ValueError, match="at least 1 initial condition"):
        singular_exponents(advance, start[:0], 5)
    with pytest.raises(ValueError, match="dt = -1: the time of a step must be positive"):
        singular_exponents(advance, start, 5).exponents(dt=-1)
    with pytest.raises(torch_utils.Stopped, match="stopped"):
        singular_exponents(advance, start, 5, stop=lambda: True)


def operator(values, seed=0):
    """A symmetric matrix with these eigenvalues, and its eigenvectors as columns."""
    q = torch.from_numpy(
        np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    )
    return q @ torch.diag(torch.tensor(np.array(values))) @ q.T, q


def close(found, values, vectors, tolerance):
    np.testing.assert_allclose(found.logs, np.log(values[: len(found.logs)]) / 2, atol=tolerance)
    overlap = (vectors[:, : len(found.logs)].T @ found.vectors).square().sum() / len(found.logs)
    assert 1 - float(overlap) <= max(tolerance, 2 * found.turn)


@pytest.mark.parametrize(
    "values",
    [
        np.exp(1 - np.arange(60.0)),
        # nearly all alike: subspace iteration hardly moves
        np.concatenate([[1.3, 1.2, 1.1], np.linspace(0.99, 1.01, 57)[::-1]]),
        np.concatenate([[2.0, 2.0, 1.5], np.ones(40), np.linspace(0.9, 0.1, 17)]),
    ],
)
def test_it_finds_what_is_there(values):
    values = np.sort(values)[::-1]
    matrix, vectors = operator(values)
    found = singular_values.leading(lambda v: matrix @ v, matrix[0], 3, 8, 1e-9, turn=1e-9)
    close(found, values, vectors, 1e-6)
    assert found.bound <= 1e-9 * abs(found.logs[0]) and found.sweeps <= 8


def test_the_bound_holds_and_values_are_from_below_when_it_ends_early():
    values = np.linspace(3, 0.5, 80)
    matrix, _ = operator(values)
    for sweeps in (1, 2, 3):
        found = singular_values.leading(lambda v: matrix @ v, matrix[0], 4, sweeps, 1e-12)
        short = np.log(values[:4]) / 2 - found.logs
        assert found.sweeps == sweeps and (short >= -1e-12).all() and short.max() <= 4 * found.bound
    assert not found.bound <= 1e-12


def test_many_wanted_take_as_many_products_as_they_need():
    values = np.exp(-np.arange(30.0) / 3)
    matrix, vectors = operator(values)
    found = singular_values.leading(lambda v: matrix @ v, matrix[0], 20, 1, 1e-9)
    assert found.sweeps == 3 and found.vectors.shape == (30, 20)
    everything = singular_values.leading(lambda v: matrix @ v, matrix[0], 30, 1, 1e-12)
    close(everything, values, vectors, 1e-9)


def test_a_good_start_ends_sooner_and_an_overflow_is_an_error():
    values = np.linspace(2, 0.5, 100)
    matrix, vectors = operator(values)
    cold = singular_values.leading(lambda v: matrix @ v, matrix[0], 2, 30, 1e-6)
    warm = singular_values.leading(
        lambda v: matrix @ v, matrix[0], 2, 30, 1e-6, start=vectors[:, :5]
    )
    assert warm.sweeps < cold.sweeps and cold.bound <= 1e-6
    with pytest.raises(FloatingPointError, match=r"e\^350"):
        singular_values.leading(lambda v: 1e308 * v * 1e10, matrix[0], 2, 3, 1e-6)
