import numpy as np
import pytest

from netdyn_lib import relaxation

T = np.arange(0, 1000, 10)


def test_monotone_and_turning_curves():
    curves = np.stack([1 / (1 + T), np.cos(T / 100) + 2, np.ones(100)], 1)
    assert relaxation.non_increasing(curves).tolist() == [True, False, True]
    assert relaxation.turns(curves).tolist() == [False, True, False]


def test_decay_rate_of_an_exponential():
    curves = np.exp(-0.01 * T)[:, None] * np.array([1.0, 5.0])
    for window in ((0, 100), (500, 990)):
        np.testing.assert_allclose(relaxation.decay_rate(T, curves, *window), 0.01)
    assert relaxation.decay_rate(T, 1 / (1.0 + T), 500, 990) < 0.1 * relaxation.decay_rate(T, 1 / (1.0 + T), 0, 100)


def test_normality():
    rng = np.random.default_rng(0)
    assert relaxation.normality(rng.standard_normal(200))[0] > 0.01
    assert relaxation.normality(rng.standard_exponential((2, 200))).max() < 1e-6


def test_first_hit_and_sustained_arrival():
    curve = np.array([0, 1, 0, 1, 1, 1, 0.0])
    curves = np.stack([curve, np.zeros(7)], 1)
    assert relaxation.first_hit(range(0, 70, 10), curves, 0.9)[0] == 10
    assert relaxation.first_hit(range(0, 70, 10), curves, 0.9, sustained=3)[0] == 30
    assert np.isnan(relaxation.first_hit(range(7), curves, 0.9)[1])


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="NaN or infinite values from epoch 1"):
        relaxation.non_increasing([1.0, np.nan])
    with pytest.raises(ValueError, match="nothing to compare"):
        relaxation.turns([1.0])
    with pytest.raises(ValueError, match="a rate needs 2"):
        relaxation.decay_rate(T, np.exp(-T / 100.0), 3, 4)
    with pytest.raises(ValueError, match="reaches zero"):
        relaxation.decay_rate(T, np.maximum(0, 500.0 - T), 0, 100)
    with pytest.raises(ValueError, match="sustained = 9"):
        relaxation.first_hit(range(3), [0, 1, 1], 1, sustained=9)
