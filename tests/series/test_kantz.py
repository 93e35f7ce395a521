"""Kantz's exponent, against maps whose exponents are known."""

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import linregress

from netdyn_lib.series import kantz
from netdyn_lib.series.autocorrelation import shuffled


def logistic(steps, x=0.3123):
    return np.array([x := 4 * x * (1 - x) for _ in range(steps)])


def henon(steps, x=0.1, y=0.1):
    orbit = np.empty(steps + 100)
    for t in range(len(orbit)):
        x, y = 1 - 1.4 * x * x + y, 0.3 * x
        orbit[t] = x
    return orbit[100:]


KNOWN = {"logistic": (logistic(20_000), 1, np.log(2)), "Hénon": (henon(20_000), 2, 0.41922)}


def share(values, threshold=0.05):
    return kantz.expansion(kantz.divergence(values).log_curves).significant(threshold).mean()


@pytest.mark.parametrize("name", KNOWN)
def test_the_true_exponent_lies_in_kantz_interval(name):
    orbit, dimension, exponent = KNOWN[name]
    curves = [kantz.divergence(orbit, 1000, dimension, seed=seed) for seed in range(10)]
    found = [kantz.global_exponent(c.log_curves, 1, 6) for c in curves]
    assert sum(exponent in interval for interval in found) >= 8  # of 95% intervals
    assert np.mean([i.estimate for i in found]) == pytest.approx(exponent, rel=0.02)


def test_one_delay_is_not_enough_for_henon():
    curves = kantz.divergence(KNOWN["Hénon"][0], 1000, dimension=1)
    assert kantz.global_exponent(curves.log_curves, 1, 6).high < 0.3


def test_chaos_is_significant_and_shuffled_series_are_not_beyond_the_level():
    orbit = KNOWN["logistic"][0][:3000]
    assert share(orbit, kantz.calibrate(orbit, copies=5).threshold) > 0.8
    null = kantz.calibrate(orbit, shuffled, copies=5)
    assert abs(null.slope) < 0.01
    for seed in range(3):
        assert 0.02 <= share(shuffled(orbit, 100 + seed), null.threshold) <= 0.08


def test_noise_with_a_memory_does_not_expand():
    """Distances grow as √(1 - φ²ⁿ) where x(t + 1) = φ x(t) + noise, and that is no divergence."""
    values = lfilter([1], [1, -0.9], np.random.default_rng(0).normal(size=3300))[300:]
    assert share(values) > 0.5
    assert share(values, kantz.calibrate(values, shuffled, copies=5).threshold) > 0.5
    assert share(values, kantz.calibrate(values, copies=5).threshold) < 0.1


def test_a_fit_from_zero_finds_expansion_in_noise():
    noise = np.random.default_rng(0).normal(size=3000)
    assert kantz.calibrate(noise, copies=3, first=0).slope > 0.1


def test_neighbours_are_the_nearest_outside_the_window_in_time():
    values = np.random.default_rng(1).normal(size=300)
    found = kantz.divergence(values, 20, dimension=2, neighbours=3, theiler=5, steps=4, seed=2)
    times = np.arange(1, 296)
    for row, i in enumerate(found.index):
        both = np.stack([values[times] - values[i], values[times - 1] - values[i - 1]])
        distance = np.where(np.abs(times - i) <= 5, np.inf, np.abs(both).max(0))
        nearest = times[np.argsort(distance)[:3]]
        expected = np.abs(values[nearest[:, None] + np.arange(5)] - values[i + np.arange(5)])
        assert found.distances[row] == pytest.approx(expected)
    assert found.start == pytest.approx(values[found.index])


def test_the_slope_and_its_probability_are_those_of_a_known_routine():
    logs = np.random.default_rng(3).normal(size=(5, 11)).cumsum(1)
    fit = kantz.expansion(logs, 2, 9)
    for k, y in enumerate(logs):
        reference = linregress(np.arange(2, 10), y[2:10], alternative="greater")
        assert (fit.slope[k], fit.p[k]) == pytest.approx((reference.slope, reference.pvalue))
        assert fit.intercept[k] == pytest.approx(reference.intercept)
    mean = np.polyfit(np.arange(2, 10), logs.mean(0)[2:10], 1)[0]
    assert kantz.global_exponent(logs, 2, 9).estimate == pytest.approx(mean)


def test_exactly_periodic_stretches_are_undefined_and_counted():
    curves = kantz.divergence(np.tile([0.0, 1.0, 3.0], 200), 50)
    assert (curves.curves == 0).all() and np.isnan(curves.log_curves).all()
    fit = kantz.expansion(curves.log_curves)
    assert fit.undefined.all() and not fit.significant().any()
    with pytest.raises(ValueError, match="exactly zero"):
        kantz.global_exponent(curves.log_curves)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda v: kantz.divergence(v, neighbours=80), "80 neighbours.*need at least 101"),
        (lambda v: kantz.divergence(v[:15]), "has 5 states"),
        (lambda v: kantz.divergence(v, dimension=0), "dimension = 0"),
        (lambda v: kantz.divergence(np.r_[v, np.inf]), "NaN or infinite"),
        (lambda v: kantz.expansion(np.full((2, 11), -np.inf)), "logarithms are infinite"),
        (lambda v: kantz.expansion(np.zeros((2, 11)), 9, 10), "hold 3 points"),
    ],
)
def test_bad_input_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call(np.random.default_rng(6).normal(size=100))
