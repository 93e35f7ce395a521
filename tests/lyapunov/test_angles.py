"""Angles of known size, down to those that a cosine cannot see."""

import numpy as np
import pytest
import scipy.linalg
import torch

from netdyn_lib.lyapunov import angles

RNG = np.random.default_rng(0)


def pair(theta, size=5, seed=0):
    """Two vectors at an angle, in a random plane, of lengths far from 1."""
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, 2)))[0]
    return np.stack([3 * q[:, 0], -0.01 * (np.cos(theta) * q[:, 0] + np.sin(theta) * q[:, 1])], 1)


@pytest.mark.parametrize("theta", [1e-12, 1e-9, 1e-5, 0.3, 1.0, np.pi / 2 - 1e-9, np.pi / 2])
def test_angles_are_accurate_to_rounding(theta):
    vectors = pair(theta)
    assert angles.between(vectors)[0, 1] == pytest.approx(theta, abs=1e-15)
    assert angles.between_subspaces(vectors[:, :1], vectors[:, 1:])[0] == pytest.approx(
        theta, abs=1e-15
    )


def test_signs_and_lengths_do_not_matter():
    vectors = RNG.standard_normal((4, 3, 6, 5))
    found = angles.between(torch.from_numpy(vectors))
    assert found.shape == (4, 3, 5, 5) and found.min() == 0 and found.max() <= np.pi / 2
    np.testing.assert_array_equal(found, np.swapaxes(found, -1, -2))
    np.testing.assert_array_equal(np.diagonal(found, axis1=-2, axis2=-1), 0)
    scaled = vectors * np.array([1, -1, 1e-200, 1e200, -3.0])
    np.testing.assert_allclose(angles.between(scaled), found, atol=1e-14)
    units = vectors / np.linalg.norm(vectors, axis=-2, keepdims=True)
    np.testing.assert_allclose(
        np.cos(found), np.abs(np.swapaxes(units, -1, -2) @ units), atol=1e-14
    )


def test_pairs_are_the_upper_triangle():
    vectors = RNG.standard_normal((7, 4, 4))
    i, j = np.triu_indices(4, 1)
    np.testing.assert_array_equal(angles.between_pairs(vectors), angles.between(vectors)[:, i, j])
    assert angles.labels(4) == tuple(f"({a + 1},{b + 1})" for a, b in zip(i, j))
    assert angles.between_pairs(vectors[..., :1]).shape == (7, 0)


def test_a_zero_vector_has_no_angle():
    for wrong in (0.0, np.nan, np.inf):
        vectors = np.eye(3)
        vectors[:, 1] = wrong
        found = angles.between(vectors)
        assert np.isnan(found[:, 1]).all() and np.isnan(found[1]).all()
        assert found[0, 2] == pytest.approx(np.pi / 2)
        np.testing.assert_array_equal(np.isnan(angles.between_pairs(vectors)), [True, False, True])


@pytest.mark.parametrize("p, q", [(1, 1), (2, 3), (3, 2), (4, 4), (5, 6), (6, 6)])
def test_principal_angles_are_scipys(p, q):
    a, b = RNG.standard_normal((3, 2, 6, p)), RNG.standard_normal((3, 2, 6, q))
    b[0, 0, :, 0] = a[0, 0, :, 0] + 1e-10 * b[0, 0, :, 0]  # a small angle among large ones
    found = angles.between_subspaces(a, torch.from_numpy(b))
    assert found.shape == (3, 2, min(p, q))
    for index in np.ndindex(3, 2):
        # SciPy's angles near zero are good to 1e-8 only where large ones stand beside them.
        np.testing.assert_allclose(
            found[index], np.sort(scipy.linalg.subspace_angles(a[index], b[index])), atol=1e-7
        )
    np.testing.assert_allclose(angles.between_subspaces(b, a), found, atol=1e-14)


def test_principal_angles_that_are_known():
    """Spans of (e1, e2) and (cos s e1 + sin s e3, cos t e2 + sin t e4), in another basis, and
    turned.
    """
    s, t = 1e-9, 1.2
    turn = np.linalg.qr(RNG.standard_normal((5, 5)))[0]
    a, b = np.zeros((5, 2)), np.zeros((5, 2))
    a[0, 0] = a[1, 1] = 1
    b[0, 0], b[2, 0], b[1, 1], b[3, 1] = np.cos(s), np.sin(s), np.cos(t), np.sin(t)
    found = angles.between_subspaces(turn @ a @ [[2, 1], [0, 1]], turn @ b @ [[1, 0], [-1, 3]])
    np.testing.assert_allclose(found, [s, t], atol=3e-15)


def test_columns_that_depend_on_each_other_span_less():
    a = RNG.standard_normal((3, 5, 2))
    a[1, :, 1] = 3 * a[1, :, 0]
    a[2, 0, 0] = np.nan
    found = angles.between_subspaces(a, RNG.standard_normal((3, 5, 2)))
    assert np.isfinite(found[0]).all() and np.isnan(found[1:]).all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"vectors of shape \(3,\): expected \(…, P, k\)"):
        angles.between(np.ones(3))
    for a, b in (
        ((5, 2), (4, 2)),
        ((5,), (5,)),
        ((5, 6), (5, 1)),
        ((5, 0), (5, 1)),
        ((2, 5, 1), (5, 1)),
    ):
        with pytest.raises(ValueError, match=r"expected \(…, P, p\) and \(…, P, q\)"):
            angles.between_subspaces(np.ones(a), np.ones(b))


@pytest.mark.parametrize(
    ("exponents", "dimension"),
    [
        ((0.906, 0.0, -14.572), 2 + 0.906 / 14.572),
        ((-14.572, 0.906, 0.0), 2 + 0.906 / 14.572),  # in any order
        ((0.41922, -1.62319), 1 + 0.41922 / 1.62319),
        ((-0.1, -0.2), 0.0),  # a fixed point
        ((0.0, -1.0, -2.0), 1.0),  # a closed orbit
        ((0.5, -np.inf), 1.0),
        ((1.0, -1.0), 2.0),  # volume is preserved
        ((0.0, 0.0), 2.0),
        ((1.0, -0.5), np.nan),  # volume grows
        ((1.0, np.nan), np.nan),
    ],
)
def test_kaplan_yorke_dimension(exponents, dimension):
    found = angles.kaplan_yorke(np.tile(exponents, (4, 3, 1)))
    np.testing.assert_allclose(found, np.full((4, 3), dimension), rtol=1e-12)
