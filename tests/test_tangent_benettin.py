"""Benettin's method against exact exponents."""

import numpy as np
import pytest
import torch

from netdyn_lib import torch_utils
from netdyn_lib.curvature import hessian
from netdyn_lib.lyapunov.angles import degenerate, kaplan_yorke, near_zero
from netdyn_lib.lyapunov.benettin import spectrum
from netdyn_lib.lyapunov.known_systems import SYSTEMS
from netdyn_lib.lyapunov.qr import random_orthogonal
from netdyn_lib.lyapunov.tangent_maps import by_jacobian, by_product
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent

HENON, LORENZ, STANDARD = (SYSTEMS[k] for k in ("Hénon map", "Lorenz system", "standard map"))


def constant(matrix):
    """The linear map of a matrix (P, P), whose states stay where they are."""
    matrix = torch.tensor(np.array(matrix))
    return by_jacobian(lambda w: (w, matrix.expand(len(w), *matrix.shape)))


def diagonal(*factors):
    return constant(np.diag(factors))


def some(n, size):
    return torch.zeros(n, size, dtype=torch.float64)


def test_exponents_of_gradient_descent_on_a_quadratic_loss():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 3)), rng.standard_normal((20, 1))
    task = tasks.custom(
        "quadratic", networks.MLP((3, 1)), losses.HalfSquaredError(), x, torch.tensor(y)
    )
    rate, params = 0.03, task.initial(2)
    exact = np.sort(hessian.local_exponents(hessian.spectra(task.objective, params)[0], rate))[::-1]
    found = spectrum(
        by_product(gradient_descent.GradientDescent(task, rate).product), params, 100, transient=400
    )
    np.testing.assert_allclose(found.exponents(), np.broadcast_to(exact, (2, 4)), atol=1e-11)


def test_the_first_exponents_alone_are_the_same():
    advance = by_jacobian(LORENZ.function)
    frame = random_orthogonal(3)
    whole = spectrum(advance, LORENZ.start[:4], 200, frame=frame)
    for k in (1, 2):
        part = spectrum(advance, LORENZ.start[:4], 200, frame=frame[:, :k])
        assert part.log_growth.shape == (201, 4, k) and part.frame.shape == (4, 3, k)
        np.testing.assert_allclose(part.log_growth, whole.log_growth[..., :k], atol=1e-9)
    assert spectrum(advance, LORENZ.start[:4], 5, count=2).log_growth.shape == (6, 4, 2)


def test_the_frame_is_the_orthonormalised_image_of_the_start_frame():
    advance = by_jacobian(HENON.function)
    q, w = random_orthogonal(2), HENON.start[:6]
    product = torch.eye(2, dtype=torch.float64).expand(6, 2, 2)
    for _ in range(4):
        w, product = advance(w, product)
    found = spectrum(advance, HENON.start[:6], 4)
    exact, r = np.linalg.qr((product @ q).numpy())
    exact = exact * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    np.testing.assert_allclose(found.frame, exact, atol=1e-11)
    np.testing.assert_allclose(
        found.log_growth[-1], np.log(np.abs(np.diagonal(r, axis1=1, axis2=2))), atol=1e-12
    )
    torch.testing.assert_close(found.final, w, rtol=0, atol=0)


@pytest.mark.parametrize("interval", [3, 7, 100])
def test_growth_does_not_depend_on_how_often_frames_are_orthonormalised(interval):
    advance = by_jacobian(HENON.function)
    often = spectrum(advance, HENON.start[:5], 13, at=[13], transient=2)
    seldom = spectrum(advance, HENON.start[:5], 13, at=[13], transient=2, interval=interval)
    np.testing.assert_allclose(seldom.log_growth[..., 0], often.log_growth[..., 0], atol=1e-12)
    # vectors that part by e^(2 interval) leave the second exponent so many digits fewer
    if interval < 10:
        np.testing.assert_allclose(seldom.log_growth, often.log_growth, atol=1e-8)


def test_steps_kept():
    advance = by_jacobian(HENON.function)
    whole = spectrum(advance, HENON.start[:3], 20)
    np.testing.assert_array_equal(whole.times, np.arange(21))
    few = spectrum(advance, HENON.start[:3], 20, at=[17, 4, 4], interval=5)
    np.testing.assert_array_equal(few.times, [0, 4, 17])
    np.testing.assert_allclose(few.log_growth, whole.log_growth[[0, 4, 17]], atol=1e-10)
    np.testing.assert_array_equal(
        spectrum(advance, HENON.start[:3], 20, interval=8).times, [0, 8, 16, 20]
    )
    np.testing.assert_array_equal(spectrum(advance, HENON.start[:3], 0).times, [0])


def test_many_blocks_of_logarithms_add_up():
    found = spectrum(
        diagonal(2.0, 0.5), some(2, 2), 1000, frame=torch.eye(2), at=range(0, 1001, 100)
    )
    exact = np.log(2) * np.arange(0, 1001, 100)
    np.testing.assert_allclose(found.log_growth[:, 1], np.stack([exact, -exact], 1), rtol=1e-12)


def test_windows_and_finite_times():
    found = spectrum(by_jacobian(HENON.function), HENON.start[:3], 30, at=[10, 20, 30])
    grown = found.log_growth
    np.testing.assert_allclose(found.exponents(10, 30, dt=0.5), (grown[3] - grown[1]) / 10)
    np.testing.assert_allclose(found.exponents(), grown[3] / 30)
    np.testing.assert_allclose(
        found.finite_time(0.5), grown[1:] / np.array([5, 10, 15])[:, None, None]
    )
    with pytest.raises(ValueError, match="step 7 was not kept: steps kept are 0, 10, 20, 30"):
        found.exponents(7)
    with pytest.raises(ValueError, match="window 20–10: must have a length"):
        found.exponents(20, 10)
    for call in (found.exponents, found.finite_time):
        with pytest.raises(ValueError, match="dt = 0: the time of a step must be positive"):
            call(dt=0)


def test_the_transient_moves_state_and_frame_and_counts_for_nothing():
    advance = by_jacobian(HENON.function)
    whole = spectrum(advance, HENON.start[:3], 50)
    later = spectrum(advance, HENON.start[:3], 30, transient=20)
    np.testing.assert_allclose(
        later.log_growth, whole.log_growth[20:] - whole.log_growth[20], atol=1e-10
    )
    torch.testing.assert_close(later.final, whole.final, rtol=0, atol=0)


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_chunks_change_no_bit(chunk):
    iris = tasks.get("iris")
    cases = [(by_jacobian(s.function), s.start[:7], 60, None) for s in (HENON, LORENZ, STANDARD)]
    cases.append(
        (
            by_product(gradient_descent.GradientDescent(iris, [0.1, 0.3, 1, 1, 2, 3, 5]).product),
            iris.initial(7),
            20,
            3,
        )
    )
    for advance, params, steps, count in cases:
        together = spectrum(advance, params, steps, count, interval=2, transient=3)
        apart = spectrum(advance, params, steps, count, interval=2, transient=3, chunk=chunk)
        np.testing.assert_array_equal(apart.log_growth, together.log_growth)
        assert torch.equal(apart.frame, together.frame) and torch.equal(apart.final, together.final)


def test_a_map_with_a_setting_for_each_trajectory_is_told_which_it_sees():
    factors = torch.tensor([2.0, 3.0, 5.0, 7.0, 11.0], dtype=torch.float64)

    def advance(params, frames, rows):
        assert rows.count == 5
        return params, factors[rows.index][:, None, None] * frames

    for chunk in (None, 1, 2):
        found = spectrum(advance, some(5, 2), 3, chunk=chunk).exponents()
        np.testing.assert_allclose(found, np.log(factors.numpy())[:, None] * [1, 1], rtol=1e-12)
    with pytest.raises(ValueError, match="shapes must stay"):
        spectrum(lambda w, v: (w, factors[:, None, None] * v), some(5, 2), 3, chunk=1)


def test_a_trajectory_that_overflows_is_nan_from_there_on():
    def square(w):
        return w**2, torch.diag_embed(2 * w)

    start = torch.tensor([[0.5, 0.5], [1e80, 1.0], [1.0, 1.0]], dtype=torch.float64)
    found = spectrum(by_jacobian(square), start, 5)  # 1e80, 1e160, overflow
    np.testing.assert_array_equal(found.diverged_at, [-1, 2, -1])
    np.testing.assert_array_equal(
        np.isnan(found.log_growth).all(2), np.isnan(found.log_growth).any(2)
    )
    np.testing.assert_array_equal(
        np.isnan(found.log_growth[:, 1, 0]), [False, False, True, True, True, True]
    )
    np.testing.assert_allclose(
        found.log_growth[:, 2], np.log(2) * np.arange(6)[:, None] * [1, 1], atol=1e-12
    )
    assert found.frame[1].isnan().all() and found.frame[2].isfinite().all()
    seldom = spectrum(by_jacobian(square), start, 5, interval=5)
    np.testing.assert_array_equal(seldom.diverged_at, [-1, 2, -1])
    early = spectrum(by_jacobian(square), start, 5, transient=3)
    np.testing.assert_array_equal(early.diverged_at, [-1, 0, -1])
    assert np.isnan(early.log_growth[:, 1]).all() and np.isfinite(early.log_growth[:, 2]).all()


def test_tangent_vectors_that_overflow_have_diverged_too():
    found = spectrum(diagonal(1e200, 1.0), some(2, 2), 6, interval=2)
    np.testing.assert_array_equal(found.diverged_at, [2, 2])
    transient = spectrum(diagonal(1e200, 1.0), some(2, 2), 6, interval=2, transient=2)
    np.testing.assert_array_equal(transient.diverged_at, [0, 0])
    assert np.isfinite(spectrum(diagonal(1e200, 1.0), some(2, 2), 6).log_growth).all()


def test_a_singular_map_has_minus_infinity():
    def halting(w):  # the second direction is lost at the third step
        keep = torch.where(w[:, :1] == 2, 0.0, 1.0) * torch.tensor([0.0, 1.0]) + torch.tensor(
            [1.0, 0.0]
        )
        return w + 1, torch.diag_embed(keep.double() * 3)

    found = spectrum(
        by_jacobian(halting),
        torch.tensor([[0.0, 0.0], [10.0, 0.0]], dtype=torch.float64),
        6,
        frame=torch.eye(2),
    )
    np.testing.assert_array_equal(found.singular_at, [3, -1])
    steps = np.log(3) * np.arange(7)
    np.testing.assert_allclose(found.log_growth[:, 0, 0], steps)
    np.testing.assert_allclose(found.log_growth[:, 0, 1], [*steps[:3], *[-np.inf] * 4])
    assert found.exponents()[0, 1] == -np.inf and np.isnan(found.exponents(4)[0, 1])
    torch.testing.assert_close(found.frame[0].T @ found.frame[0], torch.eye(2, dtype=torch.float64))


def test_stopping():
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 5

    with pytest.raises(torch_utils.Stopped, match="before step 3"):
        spectrum(by_jacobian(HENON.function), HENON.start[:2], 100, transient=2, stop=stop)
    assert len(asked) == 6


def test_bad_input_is_refused():
    advance, start = by_jacobian(HENON.function), HENON.start[:3]
    for wrong in (start[:0], start[0]):
        with pytest.raises(ValueError, match=r"expected \(n, P\), of at least 1 initial condition"):
            spectrum(advance, wrong, 5)
    with pytest.raises(ValueError, match="steps = 1.5: must be a whole number"):
        spectrum(advance, start, 1.5)
    with pytest.raises(ValueError, match="interval = 0"):
        spectrum(advance, start, 5, interval=0)
    with pytest.raises(ValueError, match="step in at = 6: must be a whole number, from 0 to 5"):
        spectrum(advance, start, 5, at=[6])
    with pytest.raises(ValueError, match="at names no step"):
        spectrum(advance, start, 5, at=[])
    with pytest.raises(ValueError, match="count = 3: must be a whole number, from 1 to 2"):
        spectrum(advance, start, 5, 3)
    with pytest.raises(ValueError, match="count = 1 for a frame of 2 columns"):
        spectrum(advance, start, 5, 1, torch.eye(2))
    for shape in ((3, 2), (2, 3), (4, 2, 2), (2,)):
        with pytest.raises(ValueError, match=r"expected \(P, k\) or \(n, P, k\)"):
            spectrum(advance, start, 5, frame=torch.ones(shape))
    for frame in (torch.zeros(2, 2), torch.full((2, 1), np.nan)):
        with pytest.raises(ValueError, match="depend on each other, or are not finite"):
            spectrum(advance, start, 5, frame=frame)


def test_kaplan_yorke_dimension():
    cases = {
        (0.906, 0.0, -14.572): 2 + 0.906 / 14.572,
        (-14.572, 0.906, 0.0): 2 + 0.906 / 14.572,  # in any order
        (0.41922, -1.62319): 1 + 0.41922 / 1.62319,
        (-0.1, -0.2): 0.0,  # a fixed point
        (0.0, -1.0, -2.0): 1.0,  # a closed orbit
        (0.5, -np.inf): 1.0,
        (1.0, -1.0): 2.0,  # volume is preserved
        (0.0, 0.0): 2.0,
        (1.0, -0.5): np.nan,  # volume grows
        (1.0, np.nan): np.nan,
    }
    for exponents, dimension in cases.items():
        np.testing.assert_allclose(
            kaplan_yorke(exponents), dimension, rtol=1e-12, err_msg=str(exponents)
        )
    assert kaplan_yorke(np.full((4, 3, 2), -1.0)).shape == (4, 3)
    with pytest.raises(ValueError, match="at least 1 exponent"):
        kaplan_yorke([])


def test_exponents_near_zero_and_close_together():
    exponents = [[0.3, 0.29, 1e-4, -1e-4, -2.0], [np.nan] * 5, [1.0, 0.5, 0.0, -np.inf, -np.inf]]
    np.testing.assert_array_equal(near_zero(exponents, 1e-3), [2, np.nan, 1])
    exact = [[True, False, True, False], [True] * 4, [False, False, False, True]]
    np.testing.assert_array_equal(degenerate(exponents, 0.02), exact)
    np.testing.assert_array_equal(degenerate([-2.0, 0.3, 0.29], 0.02), [True, False])
    for wrong in (-1, np.nan):
        with pytest.raises(ValueError, match="must be at least 0"):
            near_zero(exponents, wrong)
        with pytest.raises(ValueError, match="must be at least 0"):
            degenerate(exponents, wrong)
