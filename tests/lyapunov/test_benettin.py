"""Benettin's method against exact exponents."""

import numpy as np
import pytest
import torch
import xarray as xr
from torch.func import jacrev, vmap

from netdyn_lib import torch_utils
from netdyn_lib.lyapunov import qr
from netdyn_lib.lyapunov.benettin import spectrum
from netdyn_lib.lyapunov.qr import random_orthogonal
from netdyn_lib.lyapunov.tangent_maps import by_jacobian, by_product
from netdyn_lib.training import gradient_descent
from tests.known_systems import SYSTEMS

HENON, LORENZ, STANDARD = (SYSTEMS[k] for k in ("Hénon map", "Lorenz system", "standard map"))
EACH = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)


def diagonal(*factors):
    """A linear map whose states stay where they are."""
    matrix = torch.tensor(np.diag(factors))
    return by_jacobian(lambda w: (w, matrix.expand(len(w), *matrix.shape)))


def some(n, size):
    return torch.zeros(n, size, dtype=torch.float64)


@EACH
def test_exponents_are_the_known_ones_and_their_sum_is_that_of_the_determinants(system):
    volumes = []  # of every step, ln|det J| (n,)

    def recorded(params):
        following, jacobian = system.function(params)
        volumes.append(torch.linalg.slogdet(jacobian).logabsdet)
        return following, jacobian

    first, last = system.transient, system.transient + system.steps
    found = spectrum(by_jacobian(recorded), system.start, last, at=[first, last])
    exponents = found.exponents(first, dt=system.step_time)  # (n, P)
    assert (found.diverged_at == -1).all() and (found.singular_at == -1).all()
    off = np.abs(exponents.mean(0) - system.exponents)
    assert (off <= system.tolerance).all(), f"off by {off}"
    counted = torch.stack(volumes[first:]).mean(0).numpy() / system.step_time
    np.testing.assert_allclose(exponents.sum(1), counted, rtol=0, atol=1e-10)
    if system is STANDARD:  # area is preserved: exponents come in pairs
        np.testing.assert_allclose(exponents[:, 0], -exponents[:, 1], atol=1e-12)


@EACH
def test_jacobians_of_the_known_systems_are_their_derivatives(system):
    states = system.start[::7]
    exact = vmap(jacrev(lambda w: system.function(w[None])[0][0]))(states)
    torch.testing.assert_close(system.function(states)[1], exact, rtol=1e-12, atol=1e-12)


def test_the_first_exponents_alone_are_the_same():
    advance, frame = by_jacobian(LORENZ.function), random_orthogonal(3)
    whole = spectrum(advance, LORENZ.start[:4], 200, frame)
    for k in (1, 2):
        part = spectrum(advance, LORENZ.start[:4], 200, frame[:, :k])
        assert part.log_growth.shape == (201, 4, k) and part.frame.shape == (4, 3, k)
        np.testing.assert_allclose(part.log_growth, whole.log_growth[..., :k], atol=1e-9)
    assert spectrum(advance, LORENZ.start[:4], 5, 2).log_growth.shape == (6, 4, 2)


def test_the_frame_is_the_orthonormalised_image_of_the_start_frame():
    advance = by_jacobian(HENON.function)
    q, w = random_orthogonal(2), HENON.start[:6]
    product = torch.eye(2, dtype=torch.float64).expand(6, 2, 2)
    for _ in range(4):
        w, product = advance(w, product)
    found = spectrum(advance, HENON.start[:6], 4)
    exact, r = np.linalg.qr((product @ q).numpy())
    diagonals = np.diagonal(r, axis1=1, axis2=2)
    np.testing.assert_allclose(found.frame, exact * np.sign(diagonals)[:, None, :], atol=1e-11)
    np.testing.assert_allclose(found.log_growth[-1], np.log(np.abs(diagonals)), atol=1e-12)
    assert torch.equal(found.final, w)


def test_steps_kept_intervals_and_windows():
    advance, start = by_jacobian(HENON.function), HENON.start[:3]
    whole = spectrum(advance, start, 20)
    np.testing.assert_array_equal(whole.times, np.arange(21))
    few = spectrum(advance, start, 20, at=[17, 4, 4], interval=5)
    np.testing.assert_array_equal(few.times, [0, 4, 17])
    np.testing.assert_allclose(few.log_growth, whole.log_growth[[0, 4, 17]], atol=1e-8)
    np.testing.assert_array_equal(spectrum(advance, start, 20, interval=8).times, [0, 8, 16, 20])
    np.testing.assert_array_equal(spectrum(advance, start, 0).times, [0])
    grown = whole.log_growth
    np.testing.assert_allclose(whole.exponents(4, 17, dt=0.5), (grown[17] - grown[4]) / 6.5)
    np.testing.assert_allclose(few.exponents(), grown[17] / 17, atol=1e-9)
    with pytest.raises(ValueError, match="step 7 was not kept: steps kept are  ?0,  ?4, 17"):
        few.exponents(7)
    with pytest.raises(ValueError, match="window 17–4: must have a length"):
        few.exponents(17, 4)
    with pytest.raises(ValueError, match="dt = 0: the time of a step must be positive"):
        few.exponents(dt=0)


def test_many_blocks_of_logarithms_add_up():
    at = range(0, 1001, 100)
    found = spectrum(diagonal(2.0, 0.5), some(2, 2), 1000, torch.eye(2), at=at)
    exact = np.log(2) * np.array(at)
    np.testing.assert_allclose(found.log_growth[:, 1], np.stack([exact, -exact], 1), rtol=1e-12)


def test_chunks_change_no_bit_and_rows_keep_their_settings(monkeypatch, iris):
    def rows_of(system):
        return lambda w, rows: system.function(w)

    gd = gradient_descent.GradientDescent(iris, [0.1, 0.3, 1, 1, 2, 3, 5])
    cases = [(by_jacobian(rows_of(s)), s.start[:7], 60, None) for s in (HENON, LORENZ, STANDARD)]
    cases.append((by_product(gd.product), iris.initial(7), 20, 3))
    for advance, params, steps, count in cases:
        together = spectrum(advance, params, steps, count, interval=2)
        with monkeypatch.context() as patch:
            size = 8 * params.shape[1] * (count or params.shape[1])
            patch.setattr(qr, "_BYTES", {"cpu": 2 * size})  # 2 trajectories in a chunk
            apart = spectrum(advance, params, steps, count, interval=2)
        np.testing.assert_array_equal(apart.log_growth, together.log_growth)
        assert torch.equal(apart.frame, together.frame) and torch.equal(apart.final, together.final)
    with pytest.raises(ValueError, match="shapes must stay"):
        spectrum(lambda w, v: (w[:1], v), some(5, 2), 3)


def test_a_trajectory_that_overflows_is_nan_from_there_on():
    def square(w):
        return w**2, torch.diag_embed(2 * w)

    start = torch.tensor([[0.5, 0.5], [1e80, 1.0], [1.0, 1.0]], dtype=torch.float64)
    found = spectrum(by_jacobian(square), start, 5)  # 1e80, 1e160, overflow
    nan = np.isnan(found.log_growth)
    np.testing.assert_array_equal(found.diverged_at, [-1, 2, -1])
    np.testing.assert_array_equal(nan.all(2), nan.any(2))
    np.testing.assert_array_equal(nan[:, 1, 0], [False, False, True, True, True, True])
    exact = np.log(2) * np.arange(6)[:, None] * [1, 1]
    np.testing.assert_allclose(found.log_growth[:, 2], exact, atol=1e-12)
    assert found.frame[1].isnan().all() and found.frame[2].isfinite().all()
    seldom = spectrum(by_jacobian(square), start, 5, interval=5)
    np.testing.assert_array_equal(seldom.diverged_at, [-1, 2, -1])
    vectors = spectrum(diagonal(1e200, 1.0), some(2, 2), 6, interval=2)  # of tangent vectors
    np.testing.assert_array_equal(vectors.diverged_at, [2, 2])
    assert np.isfinite(spectrum(diagonal(1e200, 1.0), some(2, 2), 6).log_growth).all()


def test_a_singular_map_has_minus_infinity():
    def halting(w):  # the second direction is lost at the third step
        keep = torch.where(w[:, 0] == 2, 0.0, 1.0)
        return w + 1, 3 * torch.diag_embed(torch.stack([torch.ones_like(keep), keep], 1)).double()

    start = torch.tensor([[0.0, 0.0], [10.0, 0.0]], dtype=torch.float64)
    found = spectrum(by_jacobian(halting), start, 6, torch.eye(2))
    np.testing.assert_array_equal(found.singular_at, [3, -1])
    steps = np.log(3) * np.arange(7)
    np.testing.assert_allclose(found.log_growth[:, 0, 0], steps)
    np.testing.assert_allclose(found.log_growth[:, 0, 1], [*steps[:3], *[-np.inf] * 4])
    assert found.exponents()[0, 1] == -np.inf and np.isnan(found.exponents(4)[0, 1])
    torch.testing.assert_close(found.frame[0].T @ found.frame[0], torch.eye(2, dtype=torch.float64))


def test_a_run_can_be_stopped():
    asked = []
    with pytest.raises(torch_utils.Stopped):
        spectrum(
            by_jacobian(HENON.function),
            HENON.start[:2],
            100,
            stop=lambda: asked.append(0) or len(asked) > 5,
        )
    assert len(asked) == 6


def test_a_spectrum_becomes_netcdf(tmp_path):
    run = spectrum(by_jacobian(LORENZ.function), LORENZ.start[:2], 20, 2)
    found = xr.load_dataset(run.to_netcdf(tmp_path / "run.nc"), engine="scipy")
    np.testing.assert_array_equal(found["log_growth"].sel(time=20), run.log_growth[-1])
    np.testing.assert_array_equal(found["frame"], run.frame)
    assert dict(found.sizes) == {"time": 21, "init": 2, "index": 2, "parameter": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"params": HENON.start[:0]}, r"expected \(n, P\), of at least 1 initial condition"),
        ({"params": HENON.start[0]}, r"expected \(n, P\), of at least 1 initial condition"),
        ({"steps": 1.5}, "steps = 1.5: must be a whole number"),
        ({"interval": 0}, "interval = 0"),
        ({"at": [6]}, "step in at = 6: must be a whole number, from 0 to 5"),
        ({"at": []}, "at names no step"),
        ({"frame": 3}, "count = 3: must be a whole number, from 1 to 2"),
        ({"frame": torch.ones(3, 2)}, r"expected \(P, k\) or \(n, P, k\)"),
        ({"frame": torch.ones(4, 2, 2)}, r"expected \(P, k\) or \(n, P, k\)"),
        ({"frame": torch.zeros(2, 2)}, "depend on each other, or are not finite"),
        ({"frame": torch.full((2, 1), np.nan)}, "depend on each other, or are not finite"),
    ],
)
def test_bad_input_is_refused(change, message):
    good = {"advance": by_jacobian(HENON.function), "params": HENON.start[:3], "steps": 5}
    with pytest.raises(ValueError, match=message):
        spectrum(**(good | change))
