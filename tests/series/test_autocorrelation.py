"""Autocorrelation and surrogates, against processes whose values are known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from netdyn_lib.series import autocorrelation, kantz
from netdyn_lib.series.autocorrelation import shuffled, surrogate
from netdyn_lib.statistics import intervals


def autoregressive(phi, steps, seed):
    return lfilter([1], [1, -phi], np.random.default_rng(seed).normal(size=steps + 200))[200:]


def test_autocorrelation_of_an_autoregressive_process_is_a_power():
    phi, lags = 0.7, np.arange(11)
    series = [autoregressive(phi, 4000, s) for s in range(40)]
    found = np.array([autocorrelation.autocorrelation(v, 10, 2).values for v in series])
    interval = intervals.bootstrap_interval(found, level=0.999)
    # The estimate is biased by O(1/T); 0.002 is that.
    assert np.all((interval.low - 0.002 <= phi**lags) & (phi**lags <= interval.high + 0.002))


def test_noise_lies_within_the_band_of_its_shuffles_and_a_noisy_rhythm_outside():
    noise = np.random.default_rng(5).normal(size=(11, 600))
    found = [autocorrelation.autocorrelation(v, 40, 200) for v in noise[:10]]
    assert np.mean([f.outside[1:] for f in found]) == pytest.approx(0.05, abs=0.025)
    rhythm = autocorrelation.autocorrelation(np.tile([0.0, 1.0, 5.0], 200) + noise[10], 30, 200)
    assert rhythm.outside[1:].all() and not rhythm.outside[0]
    assert rhythm.values[1:4].argmax() == 2


@pytest.mark.parametrize("steps", [2000, 1999])
def test_a_surrogate_has_the_values_and_the_spectrum_of_its_series(steps):
    # skewed, so that no phases alone would keep the values
    values = np.exp(autoregressive(0.8, steps, 3) / 2)
    found = surrogate(values, seed=1)
    assert np.array_equal(np.sort(found), np.sort(values)) and not np.array_equal(found, values)
    wanted, got = (np.abs(np.fft.rfft(v - v.mean())) for v in (values, found))
    assert np.linalg.norm(got - wanted) < 0.03 * np.linalg.norm(wanted)
    three = found, shuffled(values), values
    kept, lost, own = (autocorrelation.autocorrelation(v, 10, 1).values for v in three)
    assert kept == pytest.approx(own, abs=0.02) and lost[1] < 0.1 < own[1]
    assert np.array_equal(found, surrogate(values, seed=1))
    assert np.corrcoef(found, surrogate(values, seed=2))[0, 1] < 0.3


@pytest.mark.parametrize(
    "call", [surrogate, kantz.divergence, intervals.bootstrap_interval, intervals.student]
)
def test_masked_and_complex_values_are_refused(call):
    masked = np.ma.masked_greater(np.arange(100.0), 89)  # as plain values the mask would be lost
    with pytest.raises(ValueError, match="masked array with 10 masked entries"):
        call(masked)
    with pytest.raises(ValueError, match="is complex: pass real numbers"):
        call(np.arange(100.0) * 1j)


@pytest.mark.parametrize(
    ("values", "options", "match"),
    [
        ([1.0, np.nan, 2.0] * 20, {}, "20 values.*first at step 1"),
        ([1.0, 2.0] * 20, {"lags": 40}, "40 lags of a series of 40"),
        ([2.0] * 40, {"lags": 5}, "constant at 2.0"),
    ],
)
def test_autocorrelation_refuses_bad_input(values, options, match):
    with pytest.raises(ValueError, match=match):
        autocorrelation.autocorrelation(values, **options)
