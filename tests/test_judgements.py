import numpy as np
import pytest

from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.training import judgements

T = np.arange(0, 101, 10)


def test_comparing_epochs():
    curves = np.stack([T + 1.0, 101.0 - T], 1)
    assert judgements.larger_at(T, curves, 100, 50).tolist() == [True, False]
    assert judgements.leaves_origin(T, curves, 50, 100).tolist() == [True, False]
    with pytest.raises(
        ValueError, match="epoch 55 was not observed; observed are 0 … 100, 11 in all"
    ):
        judgements.row(T, 55)


def test_unlike_copies():
    start = np.ones((1, 2, 3))
    end = np.array([[[1.0, 1.2, 1.4], [1.0, 1.2, 1.6]]])
    assert judgements.unlike(np.concatenate([start, end])).tolist() == [False, True]


def test_levelling_off_is_neither_exponential_nor_growing():
    curves = np.stack(
        [np.exp(-T / 20), 1 + np.exp(-T / 5), np.exp(-T / 20) + np.exp(T / 40 - 2)], 1
    )
    assert judgements.levels_off(T, curves, (0, 20), (50, 100)).tolist() == [False, True, False]
    assert judgements.grows_late(T, curves, (50, 100)).tolist() == [False, False, True]


def test_settling_erratically():
    loss = np.array([[1.0, 1.0, 1.0], [2.0, 0.5, 2.0], [0.01, 0.01, 0.5]])
    assert judgements.settles_erratically(loss).tolist() == [True, False, False]


def test_multipliers():
    values = np.array([[1.0, 0.99, 1.0001, 0.5]])
    assert (
        judgements.neutral(values, 1e-3)[0] == 0.5 and judgements.contracting(values, 1e-3)[0] == 2
    )


def test_the_edge():
    scaled = np.stack([np.linspace(3, 1, 11), np.linspace(1, 0.2, 11)], 1)
    assert judgements.near_edge(T, scaled, (90, 100)).tolist() == [True, False]
    assert judgements.beyond_edge(T, scaled, (50, 100)).tolist() == [True, False]
    assert judgements.below_edge(T, scaled, 100).tolist() == [False, True]
    with pytest.raises(ValueError, match="no observation between epochs 91 and 99"):
        judgements.near_edge(T, scaled, (91, 99))


def test_overlooked_growth():
    t = np.arange(201.0)
    slow_start = 1e-8 * np.exp(0.02 * np.minimum(t, 80)) * np.where(t > 80, 1e7, 1)
    curves = np.stack([slow_start, np.full(201, 1e-8)], 1)
    assert judgements.overlooked(growth_fits.best_fit(curves), curves).tolist() == [True, False]


def test_arrivals():
    slow, fast = [10.0, np.nan, 30.0], [5.0, 2.0, 10.0]
    np.testing.assert_allclose(judgements.ratio_of_arrivals(slow, fast), [2, 3])
    assert judgements.never(slow).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="no network arrives both times"):
        judgements.ratio_of_arrivals([np.nan], [1.0])


def test_orders_of_magnitude():
    np.testing.assert_allclose(
        judgements.orders_apart(np.array([[1.0], [100.0]]), np.array([[0.1], [0.01]])), 3
    )


def test_growth_and_ratios():
    curves = np.array([[2.0, 4.0], [1.0, 8.0], [3.0, 2.0]])
    np.testing.assert_allclose(judgements.growth(curves), [1.5, 0.5])
    np.testing.assert_allclose(judgements.lowest(curves), [0.5, 0.5])
    np.testing.assert_allclose(judgements.ratio_at_end(curves, 2 * curves), 0.5)
    assert judgements.falls(curves).tolist() == [False, True]
    np.testing.assert_allclose(judgements.difference([1.0, 2.0], [3.0, 1.5]), [2.0, 0.5])
    np.testing.assert_allclose(judgements.share_below([[0.1, 0.9, np.nan]], 0.5), 0.5)
