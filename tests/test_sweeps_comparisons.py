"""Exponents beside arrivals: answers that are known by construction."""

import dataclasses
import math

import numpy as np
import pytest

from netdyn_lib.experiments.learning_rate_sweep import comparisons, responses
from netdyn_lib.results import claims

RATES = (0.5, 1.0, 2.0, 4.0)


def exponents(keeps, rates=RATES):
    """Exponents of which so many of ten initial conditions are kept at each rate."""
    rows = []
    for count in keeps:
        kept = np.arange(10) < count
        rows.append(responses.row(np.where(kept, 0.5, 0.0), kept, 0, "made"))
    return responses.collect(rows, rates)


def arrivals(means, cap=100, rates=RATES):
    """Arrivals of ten networks that all take the same time; None for never."""
    times = np.array([[np.nan if m is None else m] * 10 for m in means], dtype=float)
    return responses.Arrivals(
        np.array(rates), False, cap, [], [], [], times, np.ones(times.shape, bool)
    )


def test_fastest_counts_those_that_never_arrive_at_the_cap():
    mixed = arrivals([50, 40, 30, None])
    mixed.times[2, :5] = np.nan  # half never arrive: 65 on average
    assert comparisons.fastest(mixed).estimate == 1.0
    assert comparisons.fastest(arrivals([50, 40, 30, None])).estimate == 2.0
    assert comparisons.fastest(arrivals([30, 40, 30, 50])).estimate == 0.5  # the smallest of equals


def test_three_networks_have_an_estimate_and_no_interval():
    ten = arrivals([50, 40, 30, None])
    three = dataclasses.replace(ten, times=ten.times[:, :3], present=ten.present[:, :3])
    for found in (
        comparisons.fastest(three),
        comparisons.rise(three, 0.5),
        comparisons.slowdown(three, ten),
        comparisons.arrived(three, 2.0),
    ):
        assert np.isfinite(found.estimate) and np.isnan([found.low, found.high]).all()
    assert tuple(comparisons.slowdown(ten, ten)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("kept", "means", "steps"),
    [
        ((0, 0, 5, 10), (90, 50, 20, 60), 0),
        ((0, 0, 5, 10), (90, 20, 50, 60), 1),
        ((0, 10, 10, 10), (90, 80, 70, 60), 2),
    ],
)
def test_coincidence(kept, means, steps):
    found = exponents(kept), arrivals(means)
    assert comparisons.coincidence(*found).estimate == steps and comparisons.uncounted(*found) == ""


@pytest.mark.parametrize(
    ("kept", "means", "why"),
    [
        (
            (1, 10, 10, 10),
            (90, 80, 70, 60),
            "the share sensitive is 0.1 at the smallest learning rate already",
        ),
        ((0, 0, 0, 0), (90, 50, 20, 60), "the share sensitive is below 0.1 at every learning rate"),
        (
            (0, 0, 5, 10),
            (None, None, None, None),
            "no network arrives before epoch 100 at any learning rate",
        ),
        (
            (0, 0, 0, 0),
            (None, None, None, None),
            "no network arrives before epoch 100 at any learning rate, and the share sensitive is below 0.1 at every learning rate",
        ),
    ],
)
def test_where_there_are_no_steps_nothing_is_measured(kept, means, why):
    found = exponents(kept), arrivals(means)
    steps = comparisons.coincidence(*found)
    assert np.isnan(tuple(steps)).all() and comparisons.uncounted(*found) == why
    counted = comparisons.coincidence(exponents((0, 0, 5, 10)), arrivals((90, 50, 20, 60)))
    assert np.isnan(comparisons.worst(counted, steps).estimate) and np.isnan(
        comparisons.worst(steps, counted).estimate
    )


def test_a_draw_without_an_onset_widens_the_interval():
    found = comparisons.coincidence(exponents((0, 0, 0, 1)), arrivals((90, 50, 20, 15)))
    # a third of the draws lack the one that is sensitive
    assert (found.estimate, found.low, found.high) == (0, 0, 4)


def test_coincidence_of_other_shapes_is_refused():
    with pytest.raises(ValueError, match="must be of one sweep"):
        comparisons.coincidence(exponents((0, 1, 2)[:3], RATES[:3]), arrivals([1, 2, 3, 4]))


def test_shares_onset_and_rise():
    found, reached = exponents((0, 2, 6, 10)), arrivals((90, 30, 40, 90))
    assert comparisons.onset(found, 0.5).estimate == 2.0
    # never: twice the largest
    assert comparisons.onset(exponents((0, 0, 0, 1)), 0.5).estimate == 8.0
    assert comparisons.share_at_fastest(found, reached).estimate == 0.2
    assert comparisons.sensitive_while_fast(found, reached).estimate == 0.6
    assert comparisons.largest_share(found, 0, 1).estimate == 0.2
    assert comparisons.least_share(found, 2).estimate == 0.6
    assert comparisons.rise(reached, 4.0).estimate == 3.0
    assert comparisons.arrived(arrivals([None, 3, 3, 3]), 0.5).estimate == 0
    assert comparisons.at(found, 4.0).estimate == 0.5
    assert comparisons.worst(found.share[0], found.share[2]).estimate == 0.6
    with pytest.raises(ValueError, match="η = 3.0 was not swept"):
        comparisons.rise(reached, 3.0)
    with pytest.raises(ValueError, match="no learning rate from 8"):
        comparisons.least_share(found, 8)


def test_intervals_hold_the_estimate_and_widen_with_scatter():
    scattered = arrivals((90, 30, 40, 90))
    scattered.times[1] += np.linspace(-8, 8, 10)
    rise = comparisons.rise(scattered, 4.0)
    assert rise.low < rise.estimate < rise.high
    even = comparisons.rise(arrivals((90, 30, 40, 90)), 4.0)
    assert even.low == even.estimate == even.high


def test_slowdown():
    slow = comparisons.slowdown(arrivals((90, 80, 60, 90)), arrivals((90, 30, 40, 90)))
    assert slow.estimate == slow.low == slow.high == 2.0
    assert math.isfinite(slow.estimate)


def test_what_was_not_computed_is_no_network_that_never_arrives():
    cut = arrivals((90, 30, 40, 90))
    cut.present[2:, 6:] = False
    cut.times[2:, 6:] = np.nan
    found = exponents((0, 2, 6, 10))
    for k in (2, 3):
        found.keeps[k] = found.keeps[k][:6]
    assert comparisons.times(cut).shape == (4, 6)
    assert comparisons.arrived(cut, 4.0).estimate == 1
    assert comparisons.coincidence(found, cut).estimate == 0
    cut.present[0] = False
    with pytest.raises(ValueError, match="hardly begun"):
        comparisons.times(cut)


@pytest.mark.parametrize(
    ("reproduced", "ratio", "told"),
    [
        ((10, 40), 3.5, "cannot exceed 4.74, where 10 to 40 is asked"),
        ((1.0, 1.5), 60 / 12.67, "4.74 is the largest ratio that it allows"),
        ((1.0, 1.5), 2.0, ""),
        ((1.5, None), 60 / 12.67, ""),
    ],
)
def test_a_ratio_that_the_cap_bounds_is_judged_only_where_it_can_be(reproduced, ratio, told):
    """J's factor of 20 was once judged by a ratio that 60 epochs kept below 4.74."""
    claim = claims.Claim("A", "J", "Fig. 10", "one", "s", 20, "q", claims.Range(*reproduced))
    largest = comparisons.largest_ratio(arrivals((None, 40, 12.67, None), cap=60))
    assert largest == pytest.approx(60 / 12.67)
    why = comparisons.cut_short(claim, ratio, largest)
    assert told in why and bool(why) == bool(told)
