"""Covariant vectors with a frozen future, against Ginelli's where the future is known; and the
constructed cocycles.
"""

import numpy as np
import pytest
import torch

from netdyn_lib.lyapunov import angles, covariant, known_systems, qr
from netdyn_lib.lyapunov.covariant import frozen_future

LOGS = torch.tensor([0.3, 0.12, 0.0, -0.2, -0.5], dtype=torch.float64)


def defect(a, b):
    """Distance of columns of norm 1, whatever their signs."""
    return torch.minimum((a - b).norm(dim=-2), (a + b).norm(dim=-2))


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def symmetric(n=4, seed=0):
    """Symmetric matrices with multipliers ± e^LOGS, and random frames."""
    e = qr.orthonormalise(random(n, 5, 5, seed=seed))[0]
    signs = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0], dtype=torch.float64)
    return (
        e @ torch.diag(signs * LOGS.exp()) @ e.mT,
        e,
        qr.orthonormalise(random(n, 5, 5, seed=seed + 1))[0],
    )


def test_vectors_lie_in_the_past_and_in_the_future():
    jacobian, e, q = symmetric()
    found = frozen_future(q, jacobian)
    for i in range(5):
        v = found.vectors[:, :, i : i + 1]
        # in the span of q_1 … q_i
        assert float((q[:, :, i + 1 :].mT @ v).abs().max() if i < 4 else 0) < 1e-13
        # in the span of e_i … e_P
        assert float((e[:, :, :i].mT @ v).abs().max() if i else 0) < 1e-13
    np.testing.assert_allclose(found.vectors.norm(dim=1), 1)
    np.testing.assert_allclose(found.multipliers, LOGS.exp().expand(4, 5), rtol=1e-12)
    np.testing.assert_allclose(found.growth, (jacobian @ found.vectors).norm(dim=1).log())
    assert not found.undetermined.any() and found.condition.min() >= 1


@pytest.mark.parametrize("kind", ["symmetric", "general"])
def test_the_frozen_map_carries_them_onto_each_other(kind):
    jacobian, _, q = symmetric()
    jacobian = jacobian if kind == "symmetric" else random(4, 5, 5, seed=3)
    found = frozen_future(q, jacobian)
    following = frozen_future(qr.orthonormalise(jacobian @ q)[0], jacobian)
    images = torch.nn.functional.normalize(jacobian @ found.vectors, dim=1)
    errors = defect(images, following.vectors).numpy()
    assert errors[~found.undetermined].max() < 1e-12
    if kind == "general":  # the second vector of a complex pair
        assert found.undetermined.any() and errors[found.undetermined].min() > 1e-3


@pytest.mark.parametrize("kind", ["symmetric", "general"])
def test_ginellis_vectors_where_the_future_is_constant(kind):
    jacobian = symmetric(1)[0][0]
    if kind == "general":
        skew = random(5, 5, seed=7) * 0.2 + torch.eye(5)
        jacobian = torch.linalg.solve(skew, torch.diag(LOGS.exp()) @ skew)
    far = covariant.vectors(
        known_systems.constant(jacobian), known_systems.clock(5), 0, 10, backward=350
    )
    for time in range(0, 11, 5):
        found = frozen_future(far.frames[time], jacobian[None])
        assert float(defect(found.vectors, far.vectors[time]).max()) < 1e-10
        np.testing.assert_allclose(found.growth, far.growth[time], atol=1e-10)
    # At step 0 the past is one random frame, and the vectors are no eigenvectors.
    assert angles.between_pairs(far.vectors[0]).min() < 1.2


def test_the_error_is_proportional_to_how_fast_the_map_changes():
    plane = random(5, 5, seed=9)
    base, skew = symmetric(1)[0][0], plane - plane.T

    def error(rate):
        def jacobians(times):
            turn = torch.linalg.matrix_exp(rate * times[:, None, None] * skew)
            return turn @ base @ turn.mT

        far = covariant.vectors(
            known_systems.by_time(jacobians), known_systems.clock(5), 6, 6, backward=200
        )
        return float(
            defect(
                frozen_future(far.frames[0], jacobians(torch.tensor([6.0]).double())).vectors,
                far.vectors[0],
            ).max()
        )

    errors = [error(rate) for rate in (1e-3, 1e-4, 1e-5)]
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 10, rtol=0.2)
    assert 1e-6 < errors[-1] < 1e-3


def test_multipliers_that_are_not_told_apart_are_flagged():
    _, e, q = symmetric(1)
    jacobian = e @ torch.diag(torch.tensor([2.0, 1.0, -1.0, 0.0, 0.0], dtype=torch.float64)) @ e.mT
    found = frozen_future(q, jacobian)
    # A vector needs those before it told apart from its own: 1 from −1, and 0 from 0.
    np.testing.assert_array_equal(found.undetermined, [[False, False, True, False, True]])
    near = e @ torch.diag(torch.tensor([2.0, 1.0, 0.99, 0.5, 0.1], dtype=torch.float64)) @ e.mT
    np.testing.assert_array_equal(
        frozen_future(q, near, within=0.02).undetermined, [[False, False, True, False, False]]
    )
    assert not frozen_future(q, near).undetermined.any()
    # The span with the undetermined successor is what it is: the future of both is one.
    turned = e.clone()
    turned[..., 1:3] = e[..., 1:3] @ torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    other = frozen_future(
        q,
        turned
        @ torch.diag(torch.tensor([2.0, 1.0, -1.0, 0.0, 0.0], dtype=torch.float64))
        @ turned.mT,
    )
    assert angles.between_subspaces(found.vectors[..., 1:3], other.vectors[..., 1:3]).max() < 1e-12


def test_a_past_that_meets_the_future_is_ill_conditioned():
    jacobian, e, _ = symmetric(1)
    for tilt in (1e-3, 1e-6):
        start = e.clone()
        # the past's first vector nearly in the future of the second
        start[..., 0] = tilt * e[..., 0] + e[..., 1]
        found = frozen_future(qr.orthonormalise(start)[0], jacobian)
        assert found.condition[0, 1] == pytest.approx(1 / tilt, rel=0.01) or found.condition[
            0, 1
        ] == pytest.approx(1.0)
    swapped = frozen_future(e[..., [1, 0, 2, 3, 4]], jacobian)
    np.testing.assert_allclose(swapped.growth[0, :2], [LOGS[1], LOGS[1]], atol=1e-9)


def test_fewer_vectors_and_rows_that_are_not_finite():
    jacobian, _, q = symmetric()
    whole = frozen_future(q, jacobian)
    some = frozen_future(q[..., :3], jacobian)
    assert float(
        defect(some.vectors, whole.vectors[..., :3]).max()
    ) < 1e-13 and some.undetermined.shape == (4, 3)
    q, jacobian = q.clone(), jacobian.clone()
    q[1], jacobian[2, 0, 0] = torch.nan, torch.inf
    holed = frozen_future(q, jacobian)
    np.testing.assert_array_equal(np.isnan(holed.growth).all(1), [False, True, True, False])
    np.testing.assert_array_equal(
        holed.vectors.isnan().flatten(1).all(1), [False, True, True, False]
    )
    torch.testing.assert_close(holed.vectors[[0, 3]], whole.vectors[[0, 3]], rtol=0, atol=1e-13)


def test_bad_input_is_refused():
    jacobian, _, q = symmetric()
    for frame, j in (
        (q[0], jacobian),
        (q, jacobian[:2]),
        (q, jacobian[:, :3]),
        (q[:0], jacobian[:0]),
        (q[..., :0], jacobian),
    ):
        with pytest.raises(ValueError, match=r"expected \(n, P, k\) and \(n, P, P\)"):
            frozen_future(frame, j)
    with pytest.raises(ValueError, match=r"not orthonormal \(by 3.0e\+00, bound 1e-6\)"):
        frozen_future(2 * q, jacobian)
    for within in (-1.0, float("nan")):
        with pytest.raises(ValueError, match=f"within = {within}"):
            frozen_future(q, jacobian, within)


def test_a_known_cocycle_is_what_it_says():
    known = known_systems.near_tangency(
        exponents=(0.4, 0.0, -0.3, -0.9), smallest=1e-4, largest=0.8, time=20, width=3
    )
    times = torch.arange(41.0, dtype=torch.float64)
    vectors = known.vectors(times)
    np.testing.assert_allclose(vectors.norm(dim=1), 1)
    np.testing.assert_allclose(angles.between(vectors)[:, 0, 1], known.angle(times), atol=1e-14)
    assert known.angle(times).argmin() == 20 and float(known.angle(times)[0]) == pytest.approx(0.8)
    assert angles.between_pairs(vectors)[:, 1:].min() > 0.3  # no other pair comes close
    state, images = known.advance(known.states(times[:-1]), vectors[:-1])
    np.testing.assert_array_equal(state[:, 0], times[1:])
    np.testing.assert_allclose(images, vectors[1:].numpy() * np.exp(known.exponents), atol=1e-10)
    np.testing.assert_allclose(
        torch.bmm(known.advance.jacobian(known.states(times[:-1]))[1], vectors[:-1]),
        images,
        atol=1e-12,
    )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"exponents": (0.1, 0.5)}, "strictly descending"),
        ({"exponents": (0.1,)}, "at least 2"),
        ({"exponents": (float("nan"), 0.1)}, "finite"),
        ({"smallest": 0.0}, "smallest = 0.0: an angle must be positive"),
        ({"smallest": 0.5, "largest": 0.1}, "smallest = 0.5 and largest = 0.1"),
        ({"largest": 2.0}, "at most π/2"),
        ({"width": float("inf")}, "width = inf"),
    ],
)
def test_cocycles_refuse_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        known_systems.near_tangency(**change)
