"""Covariant Lyapunov vectors, carried onto each other by the map, on systems that are known."""

import weakref

import numpy as np
import pytest
import torch

from netdyn_lib import torch_utils
from netdyn_lib.lyapunov import Rows, angles, benettin, covariant, qr, tangent_maps
from netdyn_lib.lyapunov.covariant import frozen_future
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent
from tests import known_systems
from tests.known_systems import SYSTEMS

HENON = tangent_maps.by_jacobian(SYSTEMS["Hénon map"].function)
LORENZ, STEP = tangent_maps.by_jacobian(SYSTEMS["Lorenz system"].function), 0.02
STARTS = torch.tensor([[0.1, 0.1], [0.2, 0.0], [-0.3, 0.2]], dtype=torch.float64)
LOGS = torch.tensor([0.3, 0.12, 0.0, -0.2, -0.5], dtype=torch.float64)


def defect(a, b):
    """Distance of columns of norm 1, whatever their signs."""
    return torch.minimum((a - b).norm(dim=-2), (a + b).norm(dim=-2))


def carried(found, advance):
    """The covariance defect, by the map alone: (T − 1, n, k)."""
    v = found.vectors[:-1]
    images = advance(found.states[:-1].flatten(0, 1), v.flatten(0, 1))[1].view(v.shape)
    return defect(images / images.norm(dim=-2, keepdim=True), found.vectors[1:])


@pytest.fixture(scope="module")
def on_henon():
    return covariant.vectors(HENON, STARTS, range(200, 701), backward=100)


def test_henon_carries_its_vectors_onto_each_other(on_henon):
    assert float(carried(on_henon, HENON).max()) < 1e-10
    assert on_henon.residuals.shape == (501, 3, 2) and on_henon.residuals.max() < 1e-10
    # The frames of the past are not carried so: the check can fail.
    assert np.median(defect(on_henon.frames[1:], on_henon.vectors[1:])[..., 1]) > 0.1


def test_henons_vectors_are_what_single_vectors_tend_to(on_henon):
    """Any vector tends forwards to the first, and backwards by J⁻¹ to the last."""
    jacobians = [SYSTEMS["Hénon map"].function(state)[1] for state in on_henon.states]
    v = torch.ones(3, 2, 1, dtype=torch.float64)
    for j in jacobians[:250]:
        v = torch.nn.functional.normalize(j @ v, dim=1)
    assert float(defect(v, on_henon.vectors[250][..., :1]).max()) < 1e-10
    v = torch.ones(3, 2, 1, dtype=torch.float64)
    for j in jacobians[400:249:-1]:
        v = torch.nn.functional.normalize(torch.linalg.solve(j, v), dim=1)
    assert float(defect(v, on_henon.vectors[250][..., 1:]).max()) < 1e-10


def test_growth_along_henons_vectors_is_its_exponents(on_henon):
    logs = benettin.spectrum(HENON, STARTS, 701).log_growth
    np.testing.assert_allclose(on_henon.log_growth, logs[200:701], rtol=0, atol=1e-9)
    logs = np.diff(logs[200:], axis=0)
    # the first vector is the frame's; the others differ by (bounded angles)/T
    np.testing.assert_allclose(on_henon.growth[..., 0], logs[..., 0], atol=1e-8)
    np.testing.assert_allclose(on_henon.growth.mean(0), logs.mean(0), atol=1e-2)
    np.testing.assert_allclose(on_henon.growth.mean((0, 1)), [0.41922, -1.62319], atol=0.02)
    # Volumes: Σ ln|J v_i| changes by the angle between the vectors only, and det J = −0.3.
    sines = np.log(np.sin(angles.between_pairs(on_henon.vectors)[..., 0]))
    volume = on_henon.growth.sum(2)[:-1] + np.diff(sines, axis=0)
    np.testing.assert_allclose(volume, np.log(0.3), atol=1e-9)


def test_lorenz_second_vector_is_along_the_flow():
    starts = [[1.0, 2.0, 20.0], [-3.0, -4.0, 25.0], [8.0, 1.0, 30.0], [0.5, -6.0, 15.0]]
    found = covariant.vectors(LORENZ, torch.tensor(starts).double(), range(700, 1301), backward=700)
    x, y, z = found.states.unbind(-1)
    flow = torch.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], -1)
    apart = angles.between(torch.stack([found.vectors[..., 1], flow], -1))[..., 0, 1]
    assert apart.max() < 1e-3 and np.median(apart) < 1e-4
    assert float(carried(found, LORENZ).max()) < 1e-8
    np.testing.assert_allclose(found.growth.mean((0, 1)) / STEP, [0.906, 0.0, -14.57], atol=0.2)


def test_a_constructed_cocycle_near_its_tangency():
    known = known_systems.near_tangency(exponents=(0.5, 0.1, -0.4), smallest=1e-3, time=150)
    starts = known.states([0.0, 20.0])
    found = covariant.vectors(known.advance, starts, range(100, 201), backward=100)
    for row, shift in enumerate((0, 20)):
        times = found.times + shift
        assert float(defect(known.vectors(times), found.vectors[:, row]).max()) < 1e-9
        pairs = angles.between_pairs(found.vectors)[:, row, 0]
        np.testing.assert_allclose(pairs, known.angle(times), atol=1e-10)
    assert angles.between_pairs(found.vectors)[50, 0, 0] == pytest.approx(1e-3, rel=1e-7)
    exact = np.broadcast_to(known.exponents, found.growth.shape)
    np.testing.assert_allclose(found.growth, exact, atol=1e-9)
    every4 = covariant.vectors(known.advance, starts, range(100, 201, 4), backward=100, interval=4)
    assert float(defect(every4.vectors, found.vectors[::4]).max()) < 1e-9
    np.testing.assert_allclose(every4.growth[0], found.growth[:4].mean(0), atol=1e-9)
    assert every4.residuals.max() < 1e-7


def test_a_known_cocycle_is_what_it_says():
    known = known_systems.near_tangency((0.4, 0.0, -0.3, -0.9), 1e-4, largest=0.8, time=20, width=3)
    times = torch.arange(41.0, dtype=torch.float64)
    vectors = known.vectors(times)
    np.testing.assert_allclose(vectors.norm(dim=1), 1)
    np.testing.assert_allclose(angles.between(vectors)[:, 0, 1], known.angle(times), atol=1e-14)
    assert known.angle(times).argmin() == 20 and float(known.angle(times)[0]) == pytest.approx(0.8)
    state, images = known.advance(known.states(times[:-1]), vectors[:-1])
    np.testing.assert_array_equal(state[:, 0], times[1:])
    np.testing.assert_allclose(images, vectors[1:].numpy() * np.exp(known.exponents), atol=1e-10)


def test_vectors_of_a_quadratic_loss_are_eigenvectors():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 3)), torch.tensor(rng.standard_normal((20, 1)))
    task = tasks.custom("q", networks.MLP((3, 1)), losses.HalfSquaredError(), x, y)
    params, rate = task.initial(2), [0.03, 0.06]
    advance = tangent_maps.by_product(gradient_descent.GradientDescent(task, rate).product)
    found = covariant.vectors(advance, params, [300, 350, 400], backward=400)
    inputs = torch.cat([task.x, torch.ones(20, 1)], 1).double()
    values, eigenvectors = torch.linalg.eigh(inputs.T @ inputs)
    for row in range(2):
        multipliers = (1 - rate[row] * values).abs()
        order = multipliers.argsort(descending=True)
        assert float(defect(eigenvectors[:, order], found.vectors[1, row]).max()) < 1e-9
        exact = np.broadcast_to(multipliers[order].log(), (3, 4))
        np.testing.assert_allclose(found.growth[:, row], exact, atol=1e-9)


def test_the_backward_transient_dies_out_at_the_gap_of_the_exponents():
    known = known_systems.near_tangency(exponents=(0.3, -0.1), time=1000)
    steps, errors = np.arange(5, 45, 5), []
    for b in steps:
        v = covariant.vectors(known.advance, known.states(), [60], backward=int(b)).vectors[0, 0]
        errors.append(float(defect(v, known.vectors([60.0])[0])[1]))
    assert np.polyfit(steps, np.log(errors), 1)[0] == pytest.approx(-0.4, abs=0.01)


def test_checkpoints_change_no_bit_and_bound_memory(on_henon, monkeypatch):
    alive, most = 0, 0

    def counted(images):
        nonlocal alive, most

        def gone():
            nonlocal alive
            alive -= 1

        q, r = qr.orthonormalise(images)
        weakref.finalize(r, gone)  # what the way back needs of every step
        alive += 1
        most = max(most, alive)
        return q, r

    known = known_systems.near_tangency(exponents=(0.5, 0.2, 0.0, -0.2, -0.5))
    monkeypatch.setattr(covariant, "orthonormalise", counted)
    covariant.vectors(known.advance, known.states(), range(11), backward=630, frame=4)
    assert most >= 640  # the count sees what is held
    monkeypatch.setattr(covariant, "_HELD", 0)
    for steps in (64, 640):
        most = 0
        covariant.vectors(known.advance, known.states(), range(11), backward=steps - 10, frame=4)
        assert steps**0.5 < most < 2 * steps**0.5 + 10
    again = covariant.vectors(HENON, STARTS, range(200, 701), backward=100)
    for name in ("vectors", "frames", "states", "growth", "residuals", "times"):
        np.testing.assert_array_equal(getattr(again, name), getattr(on_henon, name))


def test_observers_and_counts(on_henon):
    seen = []

    def observe(moment):
        seen.append(moment.time)
        return angles.between_pairs(moment.vectors)

    at, index = [203, 600, 601], [3, 400, 401]
    streamed = covariant.vectors(HENON, STARTS, at, backward=199, observe=observe)
    assert streamed.vectors is streamed.frames is streamed.states is None
    pairs = angles.between_pairs(on_henon.vectors[index])
    np.testing.assert_allclose(streamed.observed, pairs, atol=1e-9)
    np.testing.assert_allclose(streamed.growth, on_henon.growth[index], atol=1e-9)
    assert seen == at[::-1]
    first = covariant.vectors(HENON, STARTS, [210], 590, frame=qr.random_orthogonal(2)[:, :1])
    assert float(defect(first.vectors[0], on_henon.vectors[10][..., :1]).max()) < 1e-10
    assert covariant.vectors(HENON, STARTS, [0, 2], observe=lambda moment: None).observed is None


def test_a_map_that_takes_rows_is_told_which(monkeypatch):
    bends = torch.tensor([1.4, 1.3, 1.2], dtype=torch.float64)

    def function(params, rows):
        a, (x, y) = bends[rows.index], params.T
        assert rows.count == 3
        jacobian = torch.stack([-2 * a * x, torch.ones_like(x), 0 * x + 0.3, 0 * x], 1)
        return torch.stack([1 - a * x**2 + y, 0.3 * x], 1), jacobian.view(-1, 2, 2)

    advance = tangent_maps.by_jacobian(function)
    together = covariant.vectors(advance, STARTS, range(10, 21), backward=60)
    monkeypatch.setattr(qr, "_BYTES", {"cpu": 1})
    apart = covariant.vectors(advance, STARTS, range(10, 21), backward=60)
    torch.testing.assert_close(together.vectors, apart.vectors)

    def last(w, v):
        return advance(w, v, Rows(torch.tensor([2]), 3))

    alone = covariant.vectors(last, STARTS[2:], range(10, 21), backward=60)
    torch.testing.assert_close(together.vectors[:, 2:], alone.vectors)


def test_a_run_can_be_stopped():
    asked = []

    def stop():
        return asked.append(0) or len(asked) > 20

    with pytest.raises(torch_utils.Stopped):
        covariant.vectors(HENON, STARTS, range(101), stop=stop)
    assert len(asked) == 21


def test_what_diverges_is_nan_from_there_on():
    def squared(w):
        halves = torch.full_like(w[:, 0], 0.5)
        jacobian = torch.diag_embed(torch.stack([2 * w[:, 0], halves], 1))
        return torch.stack([w[:, 0] ** 2, 0.5 * w[:, 1]], 1), jacobian

    start = torch.tensor([[1.0, 1.0], [1.5, 1.0], [float("nan"), 1.0]], dtype=torch.float64)
    found = covariant.vectors(tangent_maps.by_jacobian(squared), start, range(21), backward=5)
    first, times = 11, np.arange(21)  # 1.5^(2^11) is 10^360
    np.testing.assert_array_equal(found.diverged_at, [-1, first, 0])
    finite = found.vectors.isfinite().all(-1).all(-1).numpy()
    # The last vector must have 5 steps of future before the overflow.
    exact = np.stack([times >= 0, times <= first - 1 - 5, times < 0], 1)
    np.testing.assert_array_equal(finite, exact)
    np.testing.assert_array_equal(np.isfinite(found.growth).all(-1), finite)
    np.testing.assert_array_equal(found.states.isfinite().all(-1)[:, 1], times < first)
    np.testing.assert_array_equal(found.singular_at, -1)


def test_no_vector_comes_back_through_a_singular_map():
    rng = np.random.default_rng(0)
    matrix = torch.tensor(np.diag([2.0, 1.0, 0.5]) + 0.1 * rng.standard_normal((3, 3)))
    u, s, v = torch.linalg.svd(matrix)
    broken = u @ torch.diag(s * torch.tensor([1.0, 1.0, 0.0])) @ v  # of rank 2, to rounding
    advance = known_systems.by_time(
        lambda times: torch.where((times == 25)[:, None, None], broken, matrix)
    )
    states = known_systems.clock(3, [0.0, 100.0])
    found = covariant.vectors(advance, states, range(20, 41), backward=20)
    np.testing.assert_array_equal(found.singular_at, [25, -1])
    lost = found.vectors.isnan().all(2).numpy()  # (T, n, k)
    assert lost[:6, 0, 2].all() and not lost[6:].any()
    assert not lost[..., :2].any() and not lost[:, 1].any()
    assert np.isnan(found.growth[:6, 0, 2]).all() and np.isfinite(found.growth[:6, 0, :2]).all()
    assert np.nanmax(found.residuals) < 1e-12


def test_without_a_future_there_is_no_vector():
    found = covariant.vectors(HENON, STARTS, range(31))
    assert found.vectors[-1].isnan().all() and found.vectors[:-1].isfinite().all()
    assert np.isnan(found.growth[-1]).all() and found.residuals[:-1].max() < 1e-10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at": [30]}, "at = 30 alone, and backward = 0: without a step of future"),
        ({"at": [-1, 2]}, "at = -1: must be a whole number, at least 0"),
        ({"at": []}, "at is empty"),
        ({"backward": 1.5}, "backward = 1.5: must be a whole number"),
        ({"interval": 2}, "at = 5: must be a multiple of interval = 2"),
        ({"frame": 3}, "count = 3: must be a whole number, from 1 to 2"),
        ({"frame": torch.zeros(2, 2)}, "columns that depend on each other"),
        ({"params": STARTS[0]}, r"params of shape \(2,\): expected \(n, P\)"),
    ],
)
def test_bad_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        covariant.vectors(**({"advance": HENON, "params": STARTS, "at": [5, 10]} | change))


# A frozen future.


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def symmetric(n=4):
    """Symmetric matrices with multipliers ± e^LOGS, their eigenvectors, and random frames."""
    e = qr.orthonormalise(random(n, 5, 5))[0]
    signs = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0], dtype=torch.float64)
    jacobian = e @ torch.diag(signs * LOGS.exp()) @ e.mT
    return jacobian, e, qr.orthonormalise(random(n, 5, 5, seed=1))[0]


def of_multipliers(e, *values):
    return e @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ e.mT


def test_vectors_lie_in_the_past_and_in_the_frozen_future():
    jacobian, e, q = symmetric()
    found = frozen_future(q, jacobian)
    past, future = q.mT @ found.vectors, e.mT @ found.vectors  # (n, 5, 5)
    # v_i is in the span of q_1 … q_i and in that of e_i … e_P
    assert float(past.tril(-1).abs().max()) < 1e-13 and float(future.triu(1).abs().max()) < 1e-13
    np.testing.assert_allclose(found.vectors.norm(dim=1), 1)
    np.testing.assert_allclose(found.multipliers, LOGS.exp().expand(4, 5), rtol=1e-12)
    np.testing.assert_allclose(found.growth, (jacobian @ found.vectors).norm(dim=1).log())
    assert not found.undetermined.any() and found.condition.min() >= 1
    some = frozen_future(q[..., :3], jacobian)
    assert float(defect(some.vectors, found.vectors[..., :3]).max()) < 1e-13
    q, jacobian = q.clone(), jacobian.clone()
    q[1], jacobian[2, 0, 0] = torch.nan, torch.inf
    holed = frozen_future(q, jacobian)
    np.testing.assert_array_equal(np.isnan(holed.growth).all(1), [False, True, True, False])
    torch.testing.assert_close(holed.vectors[[0, 3]], found.vectors[[0, 3]], rtol=0, atol=1e-13)


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
    advance, start = known_systems.constant(jacobian), known_systems.clock(5)
    far = covariant.vectors(advance, start, [0, 5, 10], backward=350)
    for k in range(3):
        found = frozen_future(far.frames[k], jacobian[None])
        assert float(defect(found.vectors, far.vectors[k]).max()) < 1e-10
        np.testing.assert_allclose(found.growth, far.growth[k], atol=1e-10)
    # At step 0 the past is one random frame, and the vectors are no eigenvectors.
    assert angles.between_pairs(far.vectors[0]).min() < 1.2


def test_the_error_is_proportional_to_how_fast_the_map_changes():
    plane = random(5, 5, seed=9)
    base, skew = symmetric(1)[0][0], plane - plane.T

    def error(rate):
        def jacobians(times):
            turn = torch.linalg.matrix_exp(rate * times[:, None, None] * skew)
            return turn @ base @ turn.mT

        advance = known_systems.by_time(jacobians)
        far = covariant.vectors(advance, known_systems.clock(5), [6], backward=200)
        found = frozen_future(far.frames[0], jacobians(torch.tensor([6.0]).double()))
        return float(defect(found.vectors, far.vectors[0]).max())

    errors = [error(rate) for rate in (1e-3, 1e-4, 1e-5)]
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 10, rtol=0.2)
    assert 1e-6 < errors[-1] < 1e-3


def test_multipliers_that_are_not_told_apart_are_flagged():
    _, e, q = symmetric(1)
    found = frozen_future(q, of_multipliers(e, 2.0, 1.0, -1.0, 0.0, 0.0))
    # A vector needs those before it told apart from its own: 1 from −1, and 0 from 0.
    np.testing.assert_array_equal(found.undetermined, [[False, False, True, False, True]])
    near = of_multipliers(e, 2.0, 1.0, 0.99, 0.5, 0.1)
    flags = frozen_future(q, near, within=0.02).undetermined
    np.testing.assert_array_equal(flags, [[False, False, True, False, False]])
    assert not frozen_future(q, near).undetermined.any()
    # The span with the undetermined successor is what it is: the future of both is one.
    turned = e.clone()
    turned[..., 1:3] = e[..., 1:3] @ torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    other = frozen_future(q, of_multipliers(turned, 2.0, 1.0, -1.0, 0.0, 0.0))
    assert angles.between_subspaces(found.vectors[..., 1:3], other.vectors[..., 1:3]).max() < 1e-12


def test_a_past_that_meets_the_future_is_ill_conditioned():
    jacobian, e, _ = symmetric(1)
    for tilt in (1e-3, 1e-6):
        start = e.clone()
        # the past's first vector nearly in the future of the second
        start[..., 0] = tilt * e[..., 0] + e[..., 1]
        condition = frozen_future(qr.orthonormalise(start)[0], jacobian).condition[0, 1]
        assert condition == pytest.approx(1 / tilt, rel=0.01) or condition == pytest.approx(1.0)
    swapped = frozen_future(e[..., [1, 0, 2, 3, 4]], jacobian)
    np.testing.assert_allclose(swapped.growth[0, :2], [LOGS[1], LOGS[1]], atol=1e-9)


def test_a_frozen_future_refuses_bad_input():
    jacobian, _, q = symmetric()
    for frame, j in ((q[0], jacobian), (q, jacobian[:2]), (q[:0], jacobian[:0])):
        with pytest.raises(ValueError, match=r"expected \(n, P, k\) and \(n, P, P\)"):
            frozen_future(frame, j)
    with pytest.raises(ValueError, match=r"not orthonormal \(by 3.0e\+00, bound 1e-6\)"):
        frozen_future(2 * q, jacobian)
    with pytest.raises(ValueError, match="within = nan"):
        frozen_future(q, jacobian, float("nan"))
