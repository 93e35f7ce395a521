"""Leading eigenpairs by block Krylov against dense ones, and bounds that are none too small."""

import numpy as np
import pytest
import torch

from netdyn_lib.lyapunov import singular_values


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
