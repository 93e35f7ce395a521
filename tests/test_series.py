"""Autocorrelation and Kantz's exponent, against processes whose values are known."""

import numpy as np
import pytest

from netdyn_lib import resampling, series


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


def autoregressive(phi, steps, seed):
    noise = np.random.default_rng(seed).normal(size=steps + 200)
    x = np.zeros(len(noise))
    for t in range(1, len(x)):
        x[t] = phi * x[t - 1] + noise[t]
    return x[200:]


KNOWN = {
    "logistic": (logistic(20_000), 1, np.log(2)),
    "Hénon": (henon(20_000), 2, 0.41922),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_true_exponent_lies_in_kantz_interval(name):
    orbit, dimension, exponent = KNOWN[name]
    found = []
    for seed in range(20):
        curves = series.divergence(orbit, 1000, dimension, seed=seed)
        found.append(series.global_exponent(curves.log_curves, 1, 6, resamples=500))
    assert sum(exponent in interval for interval in found) >= 17  # 19 are expected of 95% intervals
    assert np.mean([i.estimate for i in found]) == pytest.approx(exponent, rel=0.02)


def test_one_delay_is_not_enough_for_henon():
    curves = series.divergence(KNOWN["Hénon"][0], 1000, dimension=1)
    assert series.global_exponent(curves.log_curves, 1, 6).high < 0.3


def test_shuffled_series_are_not_significant_beyond_the_level():
    orbit = KNOWN["logistic"][0][:3000]
    null = series.calibrate(orbit, shuffles=5)
    for seed in range(3):
        control = series.divergence(series.shuffled(orbit, 100 + seed), seed=seed)
        share = series.expansion(control.log_curves).significant(null.threshold).mean()
        assert 0.02 <= share <= 0.08
    assert abs(null.slope) < 0.01


def test_most_references_of_a_chaotic_series_are_significant():
    orbit = KNOWN["logistic"][0][:3000]
    null = series.calibrate(orbit, shuffles=5)
    assert series.expansion(series.divergence(orbit).log_curves).significant(null.threshold).mean() > 0.8


def test_a_fit_from_zero_finds_expansion_in_noise():
    noise = np.random.default_rng(0).normal(size=3000)
    assert series.calibrate(noise, shuffles=3, first=0).slope > 0.1


def test_neighbours_are_the_nearest_outside_the_window_in_time():
    values = np.random.default_rng(1).normal(size=300)
    found = series.divergence(values, 20, dimension=2, neighbours=3, theiler=5, steps=4, seed=2)
    for row, i in enumerate(found.index):
        times = np.arange(1, 296)
        distance = np.maximum(np.abs(values[times] - values[i]), np.abs(values[times - 1] - values[i - 1]))
        distance[np.abs(times - i) <= 5] = np.inf
        nearest = times[np.argsort(distance)[:3]]
        expected = np.abs(values[nearest[:, None] + np.arange(5)] - values[i + np.arange(5)])
        assert found.distances[row] == pytest.approx(expected)
    assert found.start == pytest.approx(values[found.index])


def test_an_exact_line_is_fitted_exactly():
    n = np.arange(11.0)
    logs = np.stack([0.3 * n - 5, -0.2 * n, np.sin(n)])
    fit = series.expansion(logs, 1, 10)
    assert fit.slope[:2] == pytest.approx([0.3, -0.2])
    assert fit.intercept[0] == pytest.approx(-5)
    assert fit.p[0] < 1e-12 and fit.p[1] > 1 - 1e-12
    assert fit.significant().tolist()[:2] == [True, False]


def test_the_slope_and_its_probability_are_those_of_a_known_routine():
    from scipy.stats import linregress

    y = np.random.default_rng(3).normal(size=11).cumsum()
    fit = series.expansion(y[None], 2, 9)
    reference = linregress(np.arange(2, 10), y[2:10], alternative="greater")
    assert fit.slope[0] == pytest.approx(reference.slope)
    assert fit.p[0] == pytest.approx(reference.pvalue)


def test_exactly_periodic_stretches_are_undefined_and_counted():
    curves = series.divergence(np.tile([0.0, 1.0, 3.0], 200), 50)
    assert curves.zeros == curves.curves.size
    assert np.isnan(curves.log_curves).all()
    fit = series.expansion(curves.log_curves)
    assert fit.undefined.all() and not fit.significant().any()
    with pytest.raises(ValueError, match="exactly zero"):
        series.global_exponent(curves.log_curves)


def test_the_global_exponent_is_the_slope_of_the_mean_curve():
    logs = np.random.default_rng(4).normal(size=(40, 8)).cumsum(1)
    slope = np.polyfit(np.arange(1, 8), logs.mean(0)[1:], 1)[0]
    assert series.global_exponent(logs).estimate == pytest.approx(slope)


def test_twenty_thousand_values_take_seconds():
    import time

    begin = time.perf_counter()
    series.divergence(KNOWN["Hénon"][0], 1000, 2)
    assert time.perf_counter() - begin < 5


def test_autocorrelation_of_an_autoregressive_process_is_a_power():
    phi, lags = 0.7, np.arange(11)
    found = np.array([series.autocorrelation(autoregressive(phi, 4000, s), 10, 2).values for s in range(40)])
    interval = resampling.bootstrap_interval(found, level=0.999)
    # The estimate is biased by O(1/T); 0.002 is that.
    assert np.all((interval.low - 0.002 <= phi**lags) & (phi**lags <= interval.high + 0.002))


def test_noise_lies_within_the_band_of_its_shuffles():
    outside = [
        series.autocorrelation(np.random.default_rng(s).normal(size=800), 40, 200, seed=s).share_outside
        for s in range(10)
    ]
    assert np.mean(outside) == pytest.approx(0.05, abs=0.025)


def test_a_noisy_rhythm_lies_outside_and_peaks_at_its_period():
    values = np.tile([0.0, 1.0, 5.0], 200) + np.random.default_rng(5).normal(size=600)
    found = series.autocorrelation(values, 30, 200)
    assert found.share_outside == 1
    assert found.peak() == 3
    assert not found.outside[0]


@pytest.mark.parametrize(
    ("values", "options", "match"),
    [
        ([1.0, np.nan, 2.0] * 20, {}, "20 values.*first at step 1"),
        ([1.0, 2.0] * 20, {"lags": 40}, "40 lags of a series of 40"),
        ([1.0, 2.0] * 20, {"lags": 5, "shuffles": 0}, "0 shuffles"),
        ([1.0, 2.0] * 20, {"lags": 5, "level": 95}, "level 95"),
        ([2.0] * 40, {"lags": 5}, "constant at 2.0"),
    ],
)
def test_autocorrelation_refuses_bad_input(values, options, match):
    with pytest.raises(ValueError, match=match):
        series.autocorrelation(values, **options)


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
        series.divergence(np.random.default_rng(6).normal(size=steps), **options)


def test_divergence_and_expansion_refuse_what_is_not_finite():
    with pytest.raises(ValueError, match="NaN or infinite"):
        series.divergence(np.r_[np.ones(50), np.inf])
    with pytest.raises(ValueError, match="logarithms are infinite"):
        series.expansion(np.full((2, 11), -np.inf))
    with pytest.raises(ValueError, match="hold 3 points"):
        series.expansion(np.zeros((2, 11)), 9, 10)
    with pytest.raises(ValueError, match="hold 3 points"):
        series.expansion(np.zeros((2, 11)), 1, 11)
    with pytest.raises(ValueError, match="one row for each reference"):
        series.expansion(np.zeros(11))
    with pytest.raises(ValueError, match="0 shuffles"):
        series.calibrate(np.arange(100.0), shuffles=0)
