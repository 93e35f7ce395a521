"""Covariant Lyapunov vectors: carried onto each other by the map itself, on systems whose vectors
are known.
"""

import weakref

import numpy as np
import pytest
import torch

from netdyn_lib import torch_utils
from netdyn_lib.curvature import hessian, jacobian
from netdyn_lib.lyapunov import Rows, angles, benettin, covariant, known_systems, qr, tangent_maps
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent


def henon(states):
    """Hénon's map with a = 1.4, b = 0.3, and its Jacobian."""
    x, y = states.T
    jacobian = torch.stack(
        [
            torch.stack([-2.8 * x, torch.ones_like(x)], 1),
            torch.tensor([0.3, 0.0]).to(x).expand(len(x), 2),
        ],
        1,
    )
    return torch.stack([1 - 1.4 * x**2 + y, 0.3 * x], 1), jacobian


def flow(states):
    """Lorenz, 1963: σ = 10, ρ = 28, β = 8/3."""
    x, y, z = states.T
    return torch.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], 1)


def linearised(states):
    """Jacobian of the flow, (n, 3, 3)."""
    x, y, z = states.T
    matrix = torch.tensor([[-10, 10, 0], [28, -1, 0], [0, 0, -8 / 3]], dtype=torch.float64).repeat(
        len(states), 1, 1
    )
    matrix[:, 1, 0] -= z
    matrix[:, 1, 2], matrix[:, 2, 0], matrix[:, 2, 1] = -x, y, x
    return matrix


def lorenz(states, vectors):
    """A Runge–Kutta step of the states and of the tangent vectors."""
    state, v, slopes = states, vectors, []
    for part in (0.5, 0.5, 1.0, 0.0):
        slopes.append((flow(state), torch.bmm(linearised(state), v)))
        state, v = (a + part * STEP * slope for a, slope in zip((states, vectors), slopes[-1]))
    return tuple(
        a + STEP / 6 * (k[0] + 2 * k[1] + 2 * k[2] + k[3])
        for a, k in zip((states, vectors), zip(*slopes))
    )


STEP = 0.02
HENON = tangent_maps.by_jacobian(henon)
STARTS = torch.tensor([[0.1, 0.1], [0.2, 0.0], [-0.3, 0.2]], dtype=torch.float64)


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
    return covariant.vectors(HENON, STARTS, 0, 500, forward=200, backward=100)


def test_henon_carries_its_vectors_onto_each_other(on_henon):
    assert float(carried(on_henon, HENON).max()) < 1e-10
    assert on_henon.residuals.shape == (501, 3, 2) and on_henon.residuals.max() < 1e-10
    # The frames of the past are not carried so: the check can fail.
    assert np.median(defect(on_henon.frames[1:], on_henon.vectors[1:])[..., 1]) > 0.1


def test_henons_vectors_are_what_single_vectors_tend_to(on_henon):
    """Any vector tends forwards to the first, and backwards by J⁻¹ to the last."""
    jacobians = [henon(state)[1] for state in on_henon.states]
    v = torch.ones(3, 2, 1, dtype=torch.float64)
    for j in jacobians[:250]:
        v = torch.nn.functional.normalize(j @ v, dim=1)
    assert float(defect(v, on_henon.vectors[250][..., :1]).max()) < 1e-10
    v = torch.ones(3, 2, 1, dtype=torch.float64)
    for j in jacobians[400:249:-1]:
        v = torch.nn.functional.normalize(torch.linalg.solve(j, v), dim=1)
    assert float(defect(v, on_henon.vectors[250][..., 1:]).max()) < 1e-10


def test_growth_along_henons_vectors_is_its_exponents(on_henon):
    state, q, logs = on_henon.states[0], on_henon.frames[0], []
    for _ in range(501):
        state, images = HENON(state, q)
        q, r = qr.orthonormalise(images)
        logs.append(r.diagonal(dim1=1, dim2=2).log())
    logs = torch.stack(logs).numpy()
    # the first vector is the frame's
    np.testing.assert_allclose(on_henon.growth[..., 0], logs[..., 0], atol=1e-8)
    # the others differ by (bounded angles)/T
    np.testing.assert_allclose(on_henon.growth.mean(0), logs.mean(0), atol=1e-2)
    np.testing.assert_allclose(on_henon.growth.mean((0, 1)), [0.41922, -1.62319], atol=0.02)
    # Volumes: Σ ln|J v_i| changes by the angle between the vectors only, and det J = −0.3.
    sines = np.log(np.sin(angles.between_pairs(on_henon.vectors)[..., 0]))
    np.testing.assert_allclose(
        on_henon.growth.sum(2)[:-1] + np.diff(sines, axis=0), np.log(0.3), atol=1e-9
    )


def test_lorenz_second_vector_is_along_the_flow():
    start = torch.tensor(
        [[1.0, 2.0, 20.0], [-3.0, -4.0, 25.0], [8.0, 1.0, 30.0], [0.5, -6.0, 15.0]],
        dtype=torch.float64,
    )
    found = covariant.vectors(lorenz, start, 0, 600, forward=700, backward=700)
    speed = torch.nn.functional.normalize(flow(found.states.flatten(0, 1)), dim=1).view(
        601, 4, 3, 1
    )
    apart = angles.between(torch.cat([found.vectors[..., 1:2], speed], -1))[..., 0, 1]
    assert apart.max() < 1e-3 and np.median(apart) < 1e-4
    assert float(carried(found, lorenz).max()) < 1e-8
    np.testing.assert_allclose(found.growth.mean((0, 1)) / STEP, [0.906, 0.0, -14.57], atol=0.2)


def test_a_constructed_cocycle_near_its_tangency():
    known = known_systems.near_tangency(exponents=(0.5, 0.1, -0.4), smallest=1e-3, time=150)
    found = covariant.vectors(known.advance, known.states([0.0, 20.0]), 100, 200, backward=100)
    for row, shift in enumerate((0, 20)):
        truth = known.vectors(found.times + shift)
        assert float(defect(truth, found.vectors[:, row]).max()) < 1e-9
        np.testing.assert_allclose(
            angles.between_pairs(found.vectors)[:, row, 0],
            known.angle(found.times + shift),
            atol=1e-10,
        )
    assert angles.between_pairs(found.vectors)[50, 0, 0] == pytest.approx(1e-3, rel=1e-7)
    np.testing.assert_allclose(
        found.growth, np.broadcast_to(known.exponents, found.growth.shape), atol=1e-9
    )


def test_vectors_of_a_quadratic_loss_are_eigenvectors():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 3)), rng.standard_normal((20, 1))
    task = tasks.custom(
        "quadratic", networks.MLP((3, 1)), losses.HalfSquaredError(), x, torch.tensor(y)
    )
    params, rate = task.initial(2), [0.03, 0.06]
    advance = tangent_maps.by_product(gradient_descent.GradientDescent(task, rate).product)
    found = covariant.vectors(advance, params, 0, 400, backward=400, at=[300, 350])
    values, eigenvectors = torch.linalg.eigh(hessian.hessians(task.objective, params)[0])
    for row in range(2):
        multipliers = (1 - rate[row] * values).abs()
        order = multipliers.argsort(descending=True)
        assert float(defect(eigenvectors[:, order], found.vectors[1, row]).max()) < 1e-9
        np.testing.assert_allclose(
            found.growth[:, row], np.broadcast_to(multipliers[order].log(), (2, 4)), atol=1e-9
        )
    np.testing.assert_array_equal(found.times, [300, 350])


def test_the_backward_transient_dies_out_at_the_gap_of_the_exponents():
    known = known_systems.near_tangency(exponents=(0.3, -0.1), time=1000)
    steps = np.arange(5, 45, 5)
    found = [
        covariant.vectors(known.advance, known.states(), 60, 60, backward=int(b)).vectors[0, 0]
        for b in steps
    ]
    errors = [float(defect(v, known.vectors([60.0])[0])[1]) for v in found]
    assert np.polyfit(steps, np.log(errors), 1)[0] == pytest.approx(-0.4, abs=0.01)


@pytest.mark.parametrize("checkpoint", [1, 7, 5000])
def test_checkpoints_change_no_bit(on_henon, checkpoint):
    again = covariant.vectors(
        HENON, STARTS, 0, 500, forward=200, backward=100, checkpoint=checkpoint
    )
    for name in ("vectors", "frames", "states"):
        assert torch.equal(getattr(again, name), getattr(on_henon, name))
    for name in ("growth", "residuals", "times"):
        np.testing.assert_array_equal(getattr(again, name), getattr(on_henon, name))


def test_memory_grows_as_the_square_root_of_the_steps(monkeypatch):
    known = known_systems.near_tangency(exponents=(0.5, 0.2, 0.0, -0.2, -0.5))
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

    monkeypatch.setattr(covariant, "orthonormalise", counted)
    for steps in (64, 640):
        most = 0
        covariant.vectors(
            known.advance, known.states(), 0, 10, backward=steps - 10, count=4, keep=False
        )
        assert steps**0.5 < most < 2 * steps**0.5 + 10
    most = 0
    covariant.vectors(
        known.advance, known.states(), 0, 10, backward=630, count=4, keep=False, checkpoint=640
    )
    assert most >= 640  # the count sees what is held


def test_observers_chunks_and_counts(on_henon):
    seen = []

    def observe(moment):
        seen.append((moment.time, moment.rows.start))
        return angles.between_pairs(moment.vectors)

    streamed = covariant.vectors(
        HENON,
        STARTS,
        0,
        500,
        forward=200,
        backward=100,
        keep=False,
        observe=observe,
        chunk=2,
        at=[3, 400, 401],
    )
    assert streamed.vectors is streamed.frames is streamed.states is None
    np.testing.assert_allclose(
        streamed.observed, angles.between_pairs(on_henon.vectors[[3, 400, 401]]), atol=1e-9
    )
    np.testing.assert_allclose(streamed.growth, on_henon.growth[[3, 400, 401]], atol=1e-9)
    assert seen == [(t, a) for a in (0, 2) for t in (401, 400, 3)]
    frame = qr.random_orthogonal(2)
    first = covariant.vectors(
        HENON, STARTS, 0, 500, forward=200, backward=100, count=1, frame=frame[:, :1], at=[10]
    )
    assert float(defect(first.vectors[0], on_henon.vectors[10][..., :1]).max()) < 1e-10
    assert covariant.vectors(HENON, STARTS, 0, 2, observe=lambda moment: None).observed is None


def test_a_map_that_takes_rows_is_told_which(on_henon):
    bends = torch.tensor([1.4, 1.3, 1.2], dtype=torch.float64)

    def advance(params, vectors, rows):
        a, (x, y) = bends[rows.index], params.T
        assert rows.count == 3
        jacobian = torch.stack(
            [
                torch.stack([-2 * a * x, torch.ones_like(x)], 1),
                torch.tensor([0.3, 0.0]).to(x).expand(len(x), 2),
            ],
            1,
        )
        return torch.stack([1 - a * x**2 + y, 0.3 * x], 1), torch.bmm(jacobian, vectors)

    together, apart = (
        covariant.vectors(advance, STARTS, 10, 20, backward=60, chunk=chunk) for chunk in (None, 1)
    )
    torch.testing.assert_close(together.vectors, apart.vectors)
    alone = covariant.vectors(
        lambda w, v: advance(w, v, Rows(torch.tensor([2]), 3)), STARTS[2:], 10, 20, backward=60
    )
    torch.testing.assert_close(together.vectors[:, 2:], alone.vectors)


def test_a_run_can_be_stopped():
    asked = []
    with pytest.raises(torch_utils.Stopped):
        covariant.vectors(
            HENON, STARTS, 0, 100, stop_when=lambda: asked.append(0) or len(asked) > 20
        )
    assert len(asked) == 21


def test_intervals_between_decompositions_change_nothing_but_rounding():
    known = known_systems.near_tangency(time=60)
    every = covariant.vectors(known.advance, known.states(), 40, 80, forward=20, backward=80)
    third = covariant.vectors(
        known.advance, known.states(), 40, 80, forward=20, backward=80, interval=4
    )
    np.testing.assert_array_equal(third.times, np.arange(40, 81, 4))
    assert float(defect(third.vectors, every.vectors[::4]).max()) < 1e-9
    np.testing.assert_allclose(third.growth[0], every.growth[:4].mean(0), atol=1e-9)
    assert third.residuals.max() < 1e-7


def test_what_diverges_is_nan_from_there_on():
    def squared(w):
        return torch.stack([w[:, 0] ** 2, 0.5 * w[:, 1]], 1), torch.diag_embed(
            torch.stack([2 * w[:, 0], torch.full_like(w[:, 0], 0.5)], 1)
        )

    start = torch.tensor([[1.0, 1.0], [1.5, 1.0], [float("nan"), 1.0]], dtype=torch.float64)
    found = covariant.vectors(tangent_maps.by_jacobian(squared), start, 0, 20, backward=5)
    first = 11  # 1.5^(2^11) is 10^360
    np.testing.assert_array_equal(found.diverged_at, [-1, first, 0])
    finite = found.vectors.isfinite().all(-1).all(-1).numpy()
    # The last vector must have 5 steps of future before the overflow.
    np.testing.assert_array_equal(
        finite, np.stack([np.full(21, True), np.arange(21) <= first - 1 - 5, np.full(21, False)], 1)
    )
    np.testing.assert_array_equal(np.isfinite(found.growth).all(-1), finite)
    np.testing.assert_array_equal(found.states.isfinite().all(-1)[:, 1], np.arange(21) < first)
    np.testing.assert_array_equal(found.singular_at, -1)


def test_no_vector_comes_back_through_a_singular_map():
    rng = torch.Generator().manual_seed(0)
    matrix = torch.diag(torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64)) + 0.1 * torch.randn(
        3, 3, dtype=torch.float64, generator=rng
    )
    u, s, v = torch.linalg.svd(matrix)
    broken = u @ torch.diag(s * torch.tensor([1.0, 1.0, 0.0])) @ v  # of rank 2, to rounding

    def jacobians(times):
        return torch.where((times == 25)[:, None, None], broken, matrix)

    found = covariant.vectors(
        known_systems.by_time(jacobians), known_systems.clock(3, [0.0, 100.0]), 20, 40, backward=20
    )
    np.testing.assert_array_equal(found.singular_at, [25, -1])
    lost = found.vectors.isnan().all(2).numpy()  # (T, n, k)
    assert (
        lost[:6, 0, 2].all()
        and not lost[6:].any()
        and not lost[..., :2].any()
        and not lost[:, 1].any()
    )
    assert np.isnan(found.growth[:6, 0, 2]).all() and np.isfinite(found.growth[:6, 0, :2]).all()
    assert np.nanmax(found.residuals) < 1e-12


def test_without_a_future_there_is_no_vector():
    found = covariant.vectors(HENON, STARTS, 0, 30)
    assert found.vectors[-1].isnan().all() and found.vectors[:-1].isfinite().all()
    assert np.isnan(found.growth[-1]).all() and found.residuals[:-1].max() < 1e-10
    with pytest.raises(
        ValueError, match="stop = 30 is start, and backward = 0: without a step of future"
    ):
        covariant.vectors(HENON, STARTS, 30, 30)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"start": -1}, "start = -1: must be a whole number, at least 0"),
        ({"stop": 3}, "stop = 3: must be a whole number, at least 5"),
        ({"backward": 1.5}, "backward = 1.5: must be a whole number"),
        ({"forward": float("nan")}, "forward = nan: must be a whole number"),
        ({"count": 3}, "count = 3: must be a whole number, from 1 to 2"),
        ({"interval": 2}, "start = 5: must be a multiple of interval = 2"),
        ({"at": [5, 11]}, "at = 11: must be a whole number, from 5 to 10"),
        ({"at": []}, "at is empty"),
        ({"checkpoint": 0}, "checkpoint = 0: must be a whole number, at least 1"),
        ({"frame": torch.eye(3)}, r"frame of shape \(3, 3\)"),
        ({"frame": torch.zeros(2, 2)}, "columns that depend on each other"),
        ({"chunk": 0}, "chunk = 0: must be a whole number, at least 1"),
        ({"params": STARTS[0]}, r"params of shape \(2,\): expected \(n, P\)"),
        ({"params": STARTS[:0]}, r"params of shape \(0, 2\): expected \(n, P\)"),
    ],
)
def test_bad_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        covariant.vectors(**({"advance": HENON, "params": STARTS, "start": 5, "stop": 10} | change))


def test_growth_of_the_frame_is_benettins():
    task = tasks.get("ridge-tanh-glorot")
    advance = jacobian.of_descent(gradient_descent.GradientDescent(task, 0.001))
    params = task.initial(3)
    found = covariant.vectors(
        advance, params, 2, 40, backward=20, at=(2, 15, 40), keep=False, checkpoint=7
    )
    spectrum = benettin.spectrum(advance, params, 40, at=(2, 15, 40))
    np.testing.assert_allclose(found.log_growth, spectrum.log_growth[1:], rtol=0, atol=1e-12)
