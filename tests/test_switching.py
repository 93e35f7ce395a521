"""Switches that were made to coincide, or not to; settling, leaving, intermittency."""

import numpy as np
import pytest

from netdyn_lib.series import phases
from tests.examples import cycle

RNG = np.random.default_rng(0)


def test_settling_and_leaving():
    quiet, loud = np.full(60, 0.5), np.full(60, 2.0)
    stays, leaves, never = (
        np.r_[loud, quiet, quiet],
        np.r_[quiet, loud, quiet],
        np.r_[loud, loud, loud],
    )
    series = np.stack([stays, leaves, never], axis=1)
    settled, left = phases.settled(series, phases.classify(series), below=1.0)
    assert settled.tolist() == [True, True, False]
    assert left.tolist() == [False, True, False]


def test_departure_is_found_to_the_epoch():
    series = cycle(3, 200)
    series[100:] = 2.0
    assert phases.departure(series, 0, 3) == 97  # s(100) is the first not to return
    assert np.isnan(phases.departure(cycle(3, 200), 0, 3))
    settled = 0.3 + np.spacing(0.3) * RNG.integers(-1, 2, 200)
    assert np.isnan(phases.departure(settled, 0, 3))  # by the last digits only
    # a constant series, left at 50
    assert phases.departure(np.r_[np.zeros(50), np.arange(1.0, 20)], 10, 3) == 47


def test_switches_that_coincide_and_switches_that_do_not():
    one = np.r_[[3] * 10, [0] * 10, [3] * 20]
    late = np.roll(one, 7)
    same = phases.coincidence(np.stack([one, one, one], axis=1))
    apart = phases.coincidence(np.stack([one, late], axis=1))
    assert same.share == 1 and same.p < 0.05 and same.chance < 0.5
    assert apart.share == 0
    assert same.switches == 6
    near = phases.coincidence(np.stack([one, np.roll(one, 1)], axis=1))
    assert near.share == 1
    assert phases.coincidence(np.stack([one, np.roll(one, 1)], axis=1), window=0).share == 0


def test_unrelated_switches_coincide_as_often_as_chance():
    labels = np.where(RNG.random((2000, 3)) < 0.1, 0, 3)
    found = phases.coincidence(labels, shifts=200)
    assert found.share == pytest.approx(found.chance, abs=0.08)
    assert found.p > 0.01


def test_pooling_counts_the_same_as_one_by_one():
    labels = np.where(RNG.random((60, 4, 5)) < 0.3, 0, 3)
    groups = [0, 1, 2, None, 0]
    pooled = phases.pooled_coincidence(labels, groups)
    singles = [
        phases.coincidence(labels[:, k, phases.most_intermittent(labels[:, k], groups)], shifts=1)
        for k in range(4)
    ]
    total = sum(s.switches for s in singles)
    assert pooled.estimate == pytest.approx(sum(s.share * s.switches for s in singles) / total)


def test_intermittent_series_are_chosen_one_of_each_group():
    labels = np.zeros((10, 4), dtype=int)
    labels[:, 0] = 1  # never irregular
    labels[:5, 1] = 3
    labels[:4, 2] = 3
    labels[:2, 3] = 3
    assert phases.intermittent(labels).tolist() == [False, True, True, True]
    assert phases.most_intermittent(labels, ["a", "b", "b", "c"]) == [1, 3]
    assert phases.most_intermittent(labels, [None, None, "b", "c"]) == [2, 3]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="at least 2 series"):
        phases.coincidence(np.zeros((5, 1)))
    with pytest.raises(ValueError, match="within a series of 10"):
        phases.departure(np.ones(10), 9, 3)
