import numpy as np
import pytest
import torch

from netdyn_lib.curvature import lanczos


def operator(values, seed=0):
    """A symmetric operator with these eigenvalues, and its eigenvectors in columns."""
    values = torch.tensor(values, dtype=torch.float64)
    basis = torch.linalg.qr(
        torch.randn(
            len(values),
            len(values),
            dtype=torch.float64,
            generator=torch.Generator().manual_seed(seed),
        )
    )[0]
    return lambda v: basis @ (values * (basis.T @ v)), basis


def start(size):
    return torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def search(method, matvec, size, **options):
    if method == "power":
        return lanczos.power_iteration(matvec, start(size), **options)
    return lanczos.lanczos(matvec, size, **options)


SPECTRA = {
    "positive": [4.0, 3.0, 1.0] + 20 * [0.1],
    "negative in magnitude": [3.0, 2.0, -5.0] + 20 * [0.1],
    "all negative": [-1.0, -2.0, -7.0] + 20 * [-6.0],
    "two": [2.0, -1.0],
    "one": [3.0],
}


@pytest.mark.parametrize("method", ["power", "lanczos"])
@pytest.mark.parametrize("name", SPECTRA)
def test_the_largest_algebraic_eigenvalue(name, method):
    values = SPECTRA[name]
    matvec, basis = operator(values)
    found = search(method, matvec, len(values))
    assert found.converged and found.value == pytest.approx(max(values), rel=1e-6)
    k = int(np.argmax(values))
    assert abs(float(found.vector @ basis[:, k])) == pytest.approx(1, abs=1e-6)
    assert found.residual == pytest.approx(
        float((matvec(found.vector) - found.value * found.vector).norm()), abs=1e-12
    )


def test_opposite_eigenvalues_keep_power_iteration_from_converging():
    matvec, _ = operator([3.0, -3.0, 1.0])
    assert not lanczos.power_iteration(matvec, start(3), most=200).converged
    assert lanczos.lanczos(matvec, 3).value == pytest.approx(3)


@pytest.mark.parametrize("method", ["power", "lanczos"])
@pytest.mark.parametrize("most", [1, 10])
def test_a_search_cut_short_is_a_lower_bound(method, most):
    values = np.linspace(0, 1, 300).tolist()
    found = search(method, operator(values)[0], 300, most=most)
    assert not found.converged and found.products == most and 0 < found.value < 1
    assert found.residual > 1e-6


def test_no_product_is_left_for_the_second_stage():
    found = lanczos.power_iteration(lambda v: -v, start(4), most=1)
    assert not found.converged and found.value == pytest.approx(-1)


@pytest.mark.parametrize("factor", [0.0, 3.0, -2.0])
def test_a_multiple_of_the_identity_breaks_lanczos_down_and_is_found(factor):
    found = lanczos.lanczos(lambda v: factor * v, 5)
    assert found.converged and found.value == pytest.approx(factor)


def test_a_warm_start_at_the_exact_eigenvector():
    matvec, basis = operator([4.0, 3.0] + 50 * [0.5])
    warm = lanczos.lanczos(matvec, 52, basis[:, 0])
    assert warm.converged and warm.value == pytest.approx(4)
    assert warm.products < lanczos.lanczos(matvec, 52).products + 1


@pytest.mark.parametrize("top", [4.0, 3.01])
def test_a_warm_start_at_an_eigenvector_that_is_no_longer_the_top_one(top):
    matvec, basis = operator([3.0, top, *np.linspace(-1, 2, 200)])
    found = lanczos.lanczos(matvec, 202, basis[:, 0])
    assert found.converged and found.value == pytest.approx(top, rel=1e-6)


@pytest.mark.parametrize("method", ["power", "lanczos"])
def test_products_that_are_not_finite(method):
    with pytest.raises(FloatingPointError, match="not finite"):
        search(method, lambda v: v * np.inf, 4)


@pytest.mark.parametrize(
    "bad, message",
    [
        (torch.zeros(4), "positive and finite"),
        (torch.full((4,), np.nan), "positive and finite"),
        (torch.ones(2, 2), "has shape"),
    ],
)
def test_starts_that_are_no_direction(bad, message):
    for call in (
        lambda: lanczos.power_iteration(lambda v: v, bad),
        lambda: lanczos.lanczos(lambda v: v, 4, bad),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_wrong_options():
    with pytest.raises(ValueError, match="tolerance = 0"):
        lanczos.lanczos(lambda v: v, 4, tolerance=0)
    with pytest.raises(ValueError, match="most = 0"):
        lanczos.power_iteration(lambda v: v, start(4), most=0)


def test_restarts_keep_what_was_found():
    """A spectrum so dense at its top that many restarts are needed."""
    values = np.linspace(0, 1, 400)
    matvec, basis = operator(values.tolist())
    found = lanczos.lanczos(matvec, 400, tolerance=1e-6)
    assert found.converged and 3 * lanczos._BASIS < found.products < 400
    assert found.value == pytest.approx(1, abs=1e-6)
    assert found.residual == pytest.approx(
        float((matvec(found.vector) - found.value * found.vector).norm()), abs=1e-12
    )
    assert float(found.vector.norm()) == pytest.approx(1, abs=1e-14)


def test_it_agrees_with_arpack():
    from scipy.sparse.linalg import LinearOperator, eigsh

    for seed in range(5):
        values = np.random.default_rng(seed).standard_normal(150).tolist()
        matvec, _ = operator(values, seed)
        theirs = eigsh(
            LinearOperator(
                (150, 150),
                matvec=lambda v: matvec(torch.from_numpy(v.ravel())).numpy(),
                dtype=np.float64,
            ),
            k=1,
            which="LA",
            tol=1e-12,
        )[0][0]
        assert lanczos.lanczos(matvec, 150, tolerance=1e-10).value == pytest.approx(
            theirs, rel=1e-12
        )


def test_a_start_without_the_top_eigenvector_finds_it_where_its_own_directions_end():
    """The start lies in two eigenvectors, neither the top one: after two products nothing is left
    of it.
    """
    matrix = torch.diag(torch.tensor([5.0, 1.0, 2.0] + 40 * [0.5], dtype=torch.float64))
    only = torch.zeros(43, dtype=torch.float64)
    only[1:3] = 1
    krylov = lanczos._Krylov(lambda v: matrix @ v, only / only.norm(), np.random.default_rng(0))
    assert [round(krylov.grow()[0], 12) for _ in range(2)] == [1.5, 2.0]
    assert [krylov.grow() for _ in range(6)][-1] == pytest.approx((5.0, 0.0), abs=1e-6)


@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_an_operator_may_hand_back_what_it_was_given_or_keeps(size):
    found = lanczos.lanczos(lambda v: v, size)
    assert (
        found.converged
        and found.value == pytest.approx(1)
        and float(found.vector.norm()) == pytest.approx(1)
    )
    kept = torch.ones(size, dtype=torch.float64)
    lanczos.lanczos(lambda v: kept, size, most=3)
    assert torch.equal(kept, torch.ones(size, dtype=torch.float64))
