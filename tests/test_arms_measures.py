"""Claims as numbers, on made-up arms whose answers are known."""

import numpy as np
import pytest

from netdyn_lib.experiments.pruning_ablation import measures
from netdyn_lib.statistics.intervals import Interval
from tests.small_arms import TASK, small, synthetic

ENDS = {
    "none": (0.9, 0.91, 0.92, 0.93, 0.94),
    "negative": (0.5,) * 5,
    "positive": (0.8, 0.81, 0.82, 0.83, 0.84),
}
STEPS = tuple(range(0, 101, 5))
HALF = (np.array(STEPS) >= 50).astype(float)


@pytest.fixture
def data():
    return synthetic(ENDS, STEPS)


def known(interval, estimate, low=None, high=None):
    assert isinstance(interval, Interval) and interval.estimate == pytest.approx(estimate)
    if low is not None:
        assert (interval.low, interval.high) == pytest.approx((low, high))


def test_the_end_is_the_mean_of_the_last_steps(data):
    ends = measures.final(data, tail=0)
    np.testing.assert_allclose(ends.sel(arm="none"), ENDS["none"])
    later = measures.final(data, tail=0.1).sel(arm="negative")
    np.testing.assert_allclose(later, 0.1 + 0.4 * 0.95)
    data["test_accuracy"][0, 1, -1] = np.nan
    assert np.isnan(measures.final(data).sel(arm="none")).values.tolist() == [
        False,
        True,
        False,
        False,
        False,
    ]


def test_what_pruning_costs_is_paired(data):
    known(measures.lost(data, "positive", tail=0), 0.1, 0.1, 0.1)
    found = measures.lost(data, "negative", tail=0)
    half = 2.776445 * (0.001 / 4) ** 0.5 / 5**0.5
    known(found, 0.42, 0.42 - half, 0.42 + half)
    known(measures.lost(data, "negative", what="test_loss", tail=0), -0.42)
    known(measures.lost(data, "negative", "positive", tail=0), 0.32)


def test_damage_in_units_of_anothers(data):
    known(
        measures.share_of_damage(data, tail=0),
        np.mean(0.1 / np.array([0.4, 0.41, 0.42, 0.43, 0.44])),
    )
    known(measures.share_of_damage(data, "negative", tail=0), 1, 1, 1)
    # no damage to compare with
    assert np.isnan([*measures.share_of_damage(data, "negative", "none")]).all()


def test_the_best_learning_rate_of_each_rule():
    rates = {
        "none": 0.5,
        "negative": 0.5,
        "none-at-1": 1,
        "negative-at-1": 1,
        "negative-at-2": 2,
        "none-at-2": 2,
        "negative-momentum": 4,
    }
    arms = [
        small(
            name.partition("-")[0],
            name=f"{TASK}/{name}",
            learning_rate=rate,
            momentum=0.9 * name.endswith("m"),
        )
        for name, rate in rates.items()
    ]
    ends = dict(
        zip(
            rates,
            [
                (0.5, 0.6),
                (0.3, 0.4),
                (0.8, 0.9),
                (0.5, 0.7),
                (0.7, 0.6),
                (0.99, np.nan),
                (0.95, 0.95),
            ],
        )
    )
    data = synthetic(ends, STEPS, arms)
    assert measures.by_rate(data, "negative") == {
        0.5: "negative",
        1: "negative-at-1",
        2: "negative-at-2",
    }
    found, mine, theirs = measures.retuned(data, "negative", tail=0)
    assert (mine, theirs) == (2, 1), "a rate at which a network diverged is not the best"
    known(found, 0.2)
    data["test_accuracy"][:] = np.nan
    assert np.isnan(measures.retuned(data, "negative")[1])


def test_eigenvalues_over_training():
    counts = dict(negative=10 - 5 * HALF, positive=20 + 10 * HALF, chaotic=10 - 4 * HALF)
    data = synthetic(ENDS, STEPS, overlap_positive=0.7, overlap_negative=0.2, **counts)
    known(measures.beyond_edge(data), HALF.mean())
    known(measures.ever_negative(data), 1, 1, 1)
    known(measures.trend(data, "negative", part=0.25), -0.5, -0.5, -0.5)
    known(measures.trend(data, "positive", "negative"), 0.5)
    known(measures.overlap_lead(data), 0.5)
    data["negative"][0, :, :2] = 0
    known(measures.ever_negative(data), 1 - 2 / len(STEPS))
    data["negative"][0, :, 10:] = np.nan  # diverged: what is not known does not count
    known(measures.ever_negative(data), 0.8)


def test_the_pace_after_an_onset():
    arms = [
        small(rule, name=f"{TASK}/{name}", onset=onset)
        for rule, name, onset in [("none", "none", 0), ("chaotic", "late", 52)]
    ]
    data = synthetic({"none": (0.9,) * 5, "late": (0.9,) * 5}, STEPS, arms)
    fall = np.linspace(1, 0, len(STEPS))
    data["test_loss"][0] = fall
    data["test_loss"][1] = np.where(HALF == 1, 0.5 - 0.25 * (0.5 - fall), fall)
    known(measures.pace_after(data, "late", tail=0), 0.25, 0.25, 0.25)
    known(measures.pace_after(data, "none", tail=0), 1)


def test_words_and_unknown_arms(data):
    assert (
        measures.saw(data, ("none", "other", "negative"), tail=0)
        == "Final test accuracy: none 0.920, negative 0.500."
    )
    for call in (
        lambda: measures.lost(data, "other"),
        lambda: measures.retuned(data, "other"),
        lambda: measures.trend(data, "negative", "other"),
        lambda: measures.pace_after(data, "other"),
        lambda: measures.share_of_damage(data, "other"),
        lambda: measures.beyond_edge(data, "other"),
    ):
        with pytest.raises(ValueError, match="no arm 'other' among none, negative, positive"):
            call()
