"""Standard errors by blocks against those of series that are known, and the verdicts."""

import numpy as np
import pytest
from scipy.signal import lfilter

from netdyn_lib.lyapunov import benettin, convergence
from netdyn_lib.lyapunov.tangent_maps import by_jacobian
from tests.known_systems import SYSTEMS

HENON = SYSTEMS["Hénon map"]


def autoregressive(correlation, steps, count):
    """Series x(t + 1) = φ x(t) + noise; the standard error of their means is 1/((1 − φ)√T)."""
    noise = np.random.default_rng(0).standard_normal((steps + 500, count))
    return lfilter([1], [1, -correlation], noise, axis=0)[500:]


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.5, 0.9])
def test_standard_errors_are_those_of_correlated_series(correlation):
    found = convergence.assess(autoregressive(correlation, 4000, 500))
    exact = 1 / (1 - correlation) / np.sqrt(4000)
    assert np.sqrt((found.error**2).mean()) == pytest.approx(exact, rel=0.08)
    covered = (found.low < 0) & (0 < found.high)
    assert 0.92 < covered.mean() < 0.99  # 95%, with four standard errors of 500 series
    # The mean moves from half to half by chance alone.
    assert (np.abs(found.drift) > found.high - found.low).mean() < 0.1


def test_exponents_of_the_henon_map_say_how_sure_they_are():
    run = benettin.spectrum(by_jacobian(HENON.function), HENON.start[::4], 2100)
    np.testing.assert_allclose(run.rates(100).mean(0), run.exponents(100), rtol=1e-12)
    found = run.convergence(100)
    covered = (found.low < HENON.exponents) & (HENON.exponents < found.high)
    assert covered.mean() > 0.9 and (found.verdict == "converged").mean() > 0.9
    # the same map as one whose step takes half a unit of time
    twice = run.convergence(100, dt=0.5)
    np.testing.assert_allclose(twice.error, 2 * found.error)
    short = run.convergence(100, 104)
    assert (short.verdict == "too short").all() and np.isnan(short.error).all()
    lengths, running = convergence.running(run.rates(100)[:, 0], points=9)
    assert lengths[0] == 1 and lengths[-1] == 2000 and running.estimate.shape == (9, 2)
    np.testing.assert_array_equal(running.error[-1], found.error[0])


def test_what_drifts_or_is_unsure_has_not_converged():
    noise = autoregressive(0.0, 2000, 4) / 100
    drifting = noise + np.linspace(0, 0.008, 2000)[:, None] + 1
    assert (convergence.assess(drifting).verdict == "not yet").all()
    assert (convergence.assess(noise + 1).verdict == "converged").all()
    tight = convergence.assess(noise + 1, relative=1e-5, absolute=1e-5)
    assert (tight.verdict == "not yet").all()


def test_series_without_noise_or_an_end():
    cycle = np.tile([[0.5, -np.inf, np.nan], [1.5, 0.0, 1.0]], (50, 1))
    found = convergence.assess(cycle)
    assert list(found.verdict) == ["converged", "not finite", "not finite"]
    assert found.estimate[0] == 1 and found.error[0] == 0 and found.estimate[1] == -np.inf
    # the logarithms of a linear map differ by rounding
    constant = np.diff(np.cumsum(np.full(3000, 0.1)))
    assert convergence.assess(constant).verdict == "converged"
    assert convergence.assess(np.linspace(0, 1, 500)).verdict == "too short"


def test_bad_input_is_refused():
    run = benettin.spectrum(by_jacobian(HENON.function), HENON.start[:1], 20, at=[5, 20])
    with pytest.raises(ValueError, match=r"stretches of \[ 5 15\] steps .* one length"):
        run.convergence()
    with pytest.raises(ValueError, match="of at least 1 step"):
        convergence.assess(np.empty((0, 2)))
    with pytest.raises(ValueError, match="level 95 is outside"):
        convergence.assess(np.ones(9), level=95)
    with pytest.raises(ValueError, match="absolute = 0"):
        convergence.assess(np.ones(9), absolute=0)
