import numpy as np
import pytest

from netdyn_lib.training import observables

T = np.arange(0, 1000, 10)


def test_monotone_and_turning_curves():
    curves = np.stack([1 / (1 + T), np.cos(T / 100) + 2, np.ones(100)], 1)
    assert observables.non_increasing(curves).tolist() == [True, False, True]
    assert observables.turns(curves).tolist() == [False, True, False]


def test_decay_rate_of_an_exponential():
    curves = np.exp(-0.01 * T)[:, None] * np.array([1.0, 5.0])
    for window in ((0, 100), (500, 990)):
        np.testing.assert_allclose(observables.decay_rate(T, curves, *window), 0.01)
    assert observables.decay_rate(T, 1 / (1.0 + T), 500, 990) < 0.1 * observables.decay_rate(
        T, 1 / (1.0 + T), 0, 100
    )


def test_a_curve_that_diverged_does_rise():
    curves = np.stack([1 / (1.0 + T)] * 3, 1)
    curves[50:, 1], curves[50:, 2] = np.nan, np.inf
    assert observables.non_increasing(curves).tolist() == [True, False, False]
    assert not observables.non_increasing([np.inf, 1.0])


def test_bad_input_is_refused():
    with pytest.raises(
        ValueError, match="holds nan from epoch 1, NaN or infinite: the network diverged"
    ):
        observables.turns([1.0, np.nan])
    with pytest.raises(ValueError, match="nothing to compare"):
        observables.non_increasing([1.0])
    with pytest.raises(ValueError, match="last = nan"):
        observables.log_epochs(np.nan, 5)
    with pytest.raises(ValueError, match="nothing to compare"):
        observables.turns([1.0])
    with pytest.raises(ValueError, match="a rate needs 2"):
        observables.decay_rate(T, np.exp(-T / 100.0), 3, 4)
    with pytest.raises(ValueError, match="reaches zero"):
        observables.decay_rate(T, np.maximum(0, 500.0 - T), 0, 100)


def test_a_zigzag_is_evened_out():
    observed = observables.with_successors([0, 3, 4])
    values = np.where(observed % 2 == 0, 1.0, 3.0)
    np.testing.assert_allclose(observables.two_epoch_mean(observed, values, [0, 3, 4]), 2)
    with pytest.raises(ValueError, match="epoch 7 was not observed"):
        observables.two_epoch_mean(observed, values, [0, 7])
