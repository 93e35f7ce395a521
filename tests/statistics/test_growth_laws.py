"""Laws of distance on curves whose law is known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from netdyn_lib.statistics import growth_laws
from netdyn_lib.statistics.growth_laws import LAWS, compare

EPSILON = 0.1
TIMES = np.arange(0, 20_001, 200.0)
TRUTH = {
    "drift and walk": (4e-9, 2e-5),
    "walk": (5e-5,),
    "drift": (4e-9,),
    "straight line": (5e-5,),
    "power law": (3e-4, 0.35),
    "exponential": (1e-3, 3e-4),
    "bounded walk": (1.0, 3000.0),
    "bounded drift": (1.0, 5000.0),
}


def noisy(law, seed, times=TIMES, sigma=0.02, rho=0.8):
    """d(t) of a law times the exponential of an AR(1) process."""
    steps = (
        sigma * np.sqrt(1 - rho**2) * np.random.default_rng(seed).standard_normal(len(times) - 1)
    )
    noise = np.r_[0, lfilter([1], [1, -rho], steps)]
    return LAWS[law].function(times, EPSILON, *TRUTH[law]) * np.exp(noise)


@pytest.mark.parametrize("law", TRUTH)
def test_the_right_law_wins_and_its_parameters_are_found_without_noise(law):
    """On most curves; on none another."""
    winners = [compare(TIMES, noisy(law, seed), EPSILON).winner for seed in range(2)]
    assert set(winners) <= {law, None} and law in winners
    exact = noisy(law, 0, sigma=0.0)
    found = compare(TIMES, exact, EPSILON)
    assert found.winner == law and law in found.reason
    fit = found.fits[law]
    np.testing.assert_allclose(list(fit.parameters.values()), TRUTH[law], rtol=1e-4)
    np.testing.assert_allclose(fit(TIMES), exact, rtol=1e-5)
    assert fit(0.0) == EPSILON and fit.held_out < 1e-5 and fit.sigma < 1e-5


def test_noise_is_found():
    fit = compare(TIMES, noisy("walk", 3), EPSILON, ["walk"]).fits["walk"]
    assert fit.sigma == pytest.approx(0.02, rel=0.5) and fit.rho == pytest.approx(0.8, abs=0.15)


def test_a_short_time_decides_nothing():
    """Over 300 steps of the same run all laws are straight."""
    times = np.linspace(0, 300, 31)
    for seed in range(3):
        found = compare(times, noisy("drift and walk", seed, times), EPSILON)
        assert found.winner is None and found.reason.startswith("undecided: AICc of")
        assert len(found.standing) > 1 and "straight line" in found.standing


def test_the_papers_law_holds_a_straight_line():
    v = 5e-5
    both = LAWS["drift and walk"].function(TIMES, EPSILON, v**2, 2 * EPSILON * v)
    np.testing.assert_allclose(both, EPSILON + v * TIMES, rtol=1e-14)


@pytest.mark.parametrize(
    "criteria, winner, standing",
    [
        ({"walk": (0, 1.0), "drift": (6.1, 1.0)}, "walk", ("walk",)),
        ({"walk": (0, 1.0), "drift": (5.9, 1.0)}, None, ("walk", "drift")),
        ({"walk": (0, 1.6), "drift": (6.1, 1.0)}, None, ("walk",)),  # the criteria disagree
        ({"walk": (0, 1.4), "drift": (6.1, 1.0)}, "walk", ("walk",)),
        # its own special case is enough
        ({"drift and walk": (0, 1.0), "walk": (1.9, 1.0)}, "walk", ("walk",)),
        ({"drift and walk": (0, 1.0), "walk": (2.1, 1.0)}, None, ("drift and walk", "walk")),
        ({"drift and walk": (0, 1.0), "walk": (6.1, 1.0)}, "drift and walk", ("drift and walk",)),
        ({"drift and walk": (0, 1.0), "power law": (5, 1.0), "walk": (1, 1.0)}, "walk", ("walk",)),
    ],
    ids=str,
)
def test_the_rule(criteria, winner, standing, monkeypatch):
    def fit(law, *_):
        return growth_laws.Fit(law, {}, *criteria[law], 0.0, 0.0, EPSILON)

    monkeypatch.setattr(growth_laws, "_fit", fit)
    found = compare(TIMES, TIMES + 1, EPSILON, list(criteria))
    assert (found.winner, found.standing) == (winner, standing)
    assert found.reason.startswith("undecided") == (winner is None)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"times": TIMES[:9], "distance": TIMES[:9] + 1}, "8 positive times"),
        ({"distance": 0 * TIMES}, "not positive and finite"),
        ({"distance": TIMES[:-1]}, "expected"),
        ({"epsilon": 0}, "epsilon = 0"),
        ({"laws": ["bad"]}, r"\['bad'\] unknown, known: drift and walk"),
    ],
)
def test_bad_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        compare(**({"times": TIMES, "distance": TIMES + 1, "epsilon": EPSILON} | change))
