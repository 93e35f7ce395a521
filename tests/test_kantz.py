"""Kantz's exponent, against maps whose exponents are known."""

import time

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import linregress

from netdyn_lib.series import autocorrelation, kantz


def logistic(steps, x=0.3123):
    orbit = np.empty(steps)
    for t in range(steps):
        x = 4 * x * (1 - x)
        orbit[t] = x
    return orbit


def henon(steps, x=0.1, y=0.1):
    orbit = np.empty(steps + 100)
    for t in range(len(orbit)):
        x, y = 1 - 1.4 * x * x + y, 0.3 * x
        orbit[t] = x
    return orbit[100:]


KNOWN = {"logistic": (logistic(20_000), 1, np.log(2)), "Hénon": (henon(20_000), 2, 0.41922)}


@pytest.mark.parametrize("name", KNOWN)
def test_the_true_exponent_lies_in_kantz_interval(name):
    orbit, dimension, exponent = KNOWN[name]
    found = []
    for seed in range(20):
        curves = kantz.divergence(orbit, 1000, dimension, seed=seed)
        found.append(kantz.global_exponent(curves.log_curves, 1, 6, resamples=500))
    assert sum(exponent in interval for interval in found) >= 17  # 19 are expected of 95% intervals
    assert np.mean([i.estimate for i in found]) == pytest.approx(exponent, rel=0.02)


def test_one_delay_is_not_enough_for_henon():
    curves = kantz.divergence(KNOWN["Hénon"][0], 1000, dimension=1)
    assert kantz.global_exponent(curves.log_curves, 1, 6).high < 0.3


def share(values, threshold=0.05):
    return kantz.expansion(kantz.divergence(values).log_curves).significant(threshold).mean()


def test_shuffled_series_are_not_significant_beyond_the_level():
    orbit = KNOWN["logistic"][0][:3000]
    null = kantz.calibrate(orbit, copies=5, null=autocorrelation.shuffled)
    for seed in range(3):
        control = kantz.divergence(autocorrelation.shuffled(orbit, 100 + seed), seed=seed)
        share = kantz.expansion(control.log_curves).significant(null.threshold).mean()
        assert 0.02 <= share <= 0.08
    assert abs(null.slope) < 0.01


def test_most_references_of_a_chaotic_series_are_significant():
    orbit = KNOWN["logistic"][0][:3000]
    assert share(orbit, kantz.calibrate(orbit, copies=5).threshold) > 0.8


def test_noise_with_a_memory_does_not_expand():
    """Distances grow as √(1 - φ²ⁿ) where x(t + 1) = φ x(t) + noise, and that is no divergence."""
    values = lfilter([1], [1, -0.9], np.random.default_rng(0).normal(size=3300))[300:]
    assert share(values) > 0.5
    assert (
        share(values, kantz.calibrate(values, copies=5, null=autocorrelation.shuffled).threshold)
        > 0.5
    )
    assert share(values, kantz.calibrate(values, copies=5).threshold) < 0.1


def test_a_fit_from_zero_finds_expansion_in_noise():
    noise = np.random.default_rng(0).normal(size=3000)
    assert kantz.calibrate(noise, copies=3, first=0).slope > 0.1


def test_neighbours_are_the_nearest_outside_the_window_in_time():
    values = np.random.default_rng(1).normal(size=300)
    found = kantz.divergence(values, 20, dimension=2, neighbours=3, theiler=5, steps=4, seed=2)
    for row, i in enumerate(found.index):
        times = np.arange(1, 296)
        distance = np.maximum(
            np.abs(values[times] - values[i]), np.abs(values[times - 1] - values[i - 1])
        )
        distance[np.abs(times - i) <= 5] = np.inf
        nearest = times[np.argsort(distance)[:3]]
        expected = np.abs(values[nearest[:, None] + np.arange(5)] - values[i + np.arange(5)])
        assert found.distances[row] == pytest.approx(expected)
    assert found.start == pytest.approx(values[found.index])


def test_an_exact_line_is_fitted_exactly():
    n = np.arange(11.0)
    logs = np.stack([0.3 * n - 5, -0.2 * n, np.sin(n)])
    fit = kantz.expansion(logs, 1, 10)
    assert fit.slope[:2] == pytest.approx([0.3, -0.2])
    assert fit.intercept[0] == pytest.approx(-5)
    assert fit.p[0] < 1e-12 and fit.p[1] > 1 - 1e-12
    assert fit.significant().tolist()[:2] == [True, False]


def test_the_slope_and_its_probability_are_those_of_a_known_routine():
    y = np.random.default_rng(3).normal(size=11).cumsum()
    fit = kantz.expansion(y[None], 2, 9)
    reference = linregress(np.arange(2, 10), y[2:10], alternative="greater")
    assert fit.slope[0] == pytest.approx(reference.slope)
    assert fit.p[0] == pytest.approx(reference.pvalue)


def test_exactly_periodic_stretches_are_undefined_and_counted():
    curves = kantz.divergence(np.tile([0.0, 1.0, 3.0], 200), 50)
    assert (curves.curves == 0).all()
    assert np.isnan(curves.log_curves).all()
    fit = kantz.expansion(curves.log_curves)
    assert fit.undefined.all() and not fit.significant().any()
    with pytest.raises(ValueError, match="exactly zero"):
        kantz.global_exponent(curves.log_curves)


def test_the_global_exponent_is_the_slope_of_the_mean_curve():
    logs = np.random.default_rng(4).normal(size=(40, 8)).cumsum(1)
    slope = np.polyfit(np.arange(1, 8), logs.mean(0)[1:], 1)[0]
    assert kantz.global_exponent(logs).estimate == pytest.approx(slope)


def test_twenty_thousand_values_take_seconds():
    begin = time.perf_counter()
    kantz.divergence(KNOWN["Hénon"][0], 1000, 2)
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize(
    ("steps", "options", "match"),
    [
        (100, {"neighbours": 80}, "80 neighbours.*need at least 101"),
        (15, {}, "has 5 states"),
        (100, {"dimension": 0}, "dimension = 0"),
        (100, {"theiler": -1}, "theiler = -1"),
        (100, {"references": 0}, "references = 0"),
        (100, {"steps": 0}, "steps = 0"),
    ],
)
def test_divergence_refuses_bad_input(steps, options, match):
    with pytest.raises(ValueError, match=match):
        kantz.divergence(np.random.default_rng(6).normal(size=steps), **options)


def test_divergence_and_expansion_refuse_what_is_not_finite():
    with pytest.raises(ValueError, match="NaN or infinite"):
        kantz.divergence(np.r_[np.ones(50), np.inf])
    with pytest.raises(ValueError, match="logarithms are infinite"):
        kantz.expansion(np.full((2, 11), -np.inf))
    with pytest.raises(ValueError, match="hold 3 points"):
        kantz.expansion(np.zeros((2, 11)), 9, 10)
    with pytest.raises(ValueError, match="hold 3 points"):
        kantz.expansion(np.zeros((2, 11)), 1, 11)
    with pytest.raises(ValueError, match="one row for each reference"):
        kantz.expansion(np.zeros(11))
    with pytest.raises(ValueError, match="0 copies"):
        kantz.calibrate(np.arange(100.0), copies=0)
    with pytest.raises(ValueError, match="log_curves is complex"):
        kantz.expansion(np.zeros((2, 11), complex))
