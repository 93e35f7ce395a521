"""Classification of series that were made to be fixed, periodic or irregular."""

import numpy as np
import pytest

from netdyn_lib import phases

T = np.arange(240)
RNG = np.random.default_rng(0)


def cycle(period, steps=240):
    return np.tile(np.arange(period) ** 2.0, -(-steps // period))[:steps]


@pytest.mark.parametrize("period", [2, 3, 4, 5, 6, 7, 12])
def test_an_exact_cycle_has_its_period(period):
    assert phases.classify(cycle(period)).tolist() == [period] * 4


def test_known_series_have_their_labels():
    noise = RNG.normal(size=240)
    table = {
        "constant": (np.full(240, 2.0), 1),
        "slow drift": (0.5 * T / 240 + np.r_[1000.0, np.zeros(239)], 1),
        "noise": (noise, 0),
        "quasi-period 3": (cycle(3) + 1e-4 * np.exp(-T / 50), 3),
        "period 13": (cycle(13), 0),
        "rotation by an irrational angle": (np.cos(2 * np.pi * T * (np.sqrt(5) - 1) / 2), 0),
    }
    for name, (series, label) in table.items():
        assert phases.classify(series)[-1] == label, name


def test_the_tolerance_is_relative_to_the_range():
    noisy = cycle(3) + 0.01 * RNG.uniform(-1, 1, 240)
    for factor in (1e-6, 1.0, 1e6):
        assert set(phases.classify(factor * noisy, tolerance=1e-2)) == {3}
        assert set(phases.classify(factor * noisy, tolerance=1e-4)) == {0}


def test_each_series_of_an_ensemble_is_judged_by_itself():
    together = np.stack([cycle(3), RNG.normal(size=240), np.ones(240)], axis=1)
    labels = phases.classify(together)
    assert labels.shape == (4, 3)
    assert labels[0].tolist() == [3, 0, 1]


def test_the_widest_series_can_be_the_scale_of_all():
    together = np.stack([1000 * cycle(3), 1e-3 * RNG.normal(size=240)], axis=1)
    assert phases.classify(together)[0].tolist() == [3, 0]
    assert phases.classify(together, scale="widest")[0].tolist() == [3, 1]


def test_phases_are_runs_of_blocks():
    series = np.r_[cycle(3, 120), RNG.uniform(0, 4, 60), cycle(3, 180)]
    found = phases.runs(phases.classify(series))
    assert found.label.tolist() == [3, 0, 3]
    assert found.start.tolist() == [0, 2, 3]
    assert found.longest(3) == (3, 6)
    with pytest.raises(ValueError, match="no phase is fixed"):
        found.longest(1)


def test_bands_are_measured():
    decay = np.exp(-np.arange(60) / 20)
    series = np.tile([1.0, 5.0, 3.0], 20) + np.tile([1e-3, -1e-3, 2e-3], 20) * decay
    found = phases.bands(series[:, None], np.array([[3]]))
    span = 1 - np.exp(-57 / 20)
    assert found.width[0] == pytest.approx(1e-3 * np.array([span, 2 * span * np.exp(-2 / 20), span * np.exp(-1 / 20)]))
    assert found.centre[0] == pytest.approx([1, 3, 5], abs=1e-3)
    assert found.gap[0] == pytest.approx(2, abs=0.01)
    assert found.decaying[0].tolist() == [True, True, False]
    assert (found.member[0], found.when[0]) == (0, 0)


def test_bands_that_narrow_as_a_power_give_the_power():
    blocks, block = 50, 60
    width = (np.arange(blocks) + 0.5) ** -2.0
    ramp = np.linspace(1, 0, block)[None] * width[:, None]  # (blocks, block)
    series = (cycle(3, block)[None] + 0.1 * ramp).ravel()
    both = np.stack([series, series], axis=1)
    found = phases.bands(both, np.full((blocks, 2), 3)).narrowing(skip=5)
    assert found.estimate == pytest.approx(-2, abs=0.01)


def test_representatives_are_what_they_are_called():
    labels = np.array([[0, 0, 0, 0]] + [[3, 1, 0, 3]] * 4 + [[3, 1, 0, 0]] * 4)
    assert phases.representatives(labels, skip=1) == {"fixed": 1, "mixed": 3, "periodic": 0, "irregular": 2}


def test_settling_and_leaving():
    quiet, loud = np.full(60, 0.5), np.full(60, 2.0)
    stays, leaves, never = np.r_[loud, quiet, quiet], np.r_[quiet, loud, quiet], np.r_[loud, loud, loud]
    series = np.stack([stays, leaves, never], axis=1)
    settled, left = phases.settled(series, phases.classify(series), below=1.0)
    assert settled.tolist() == [True, True, False]
    assert left.tolist() == [False, True, False]


def test_departure_is_found_to_the_epoch():
    series = cycle(3, 200)
    series[100:] = 2.0
    assert phases.departure(series, 0, 3) == 97  # s(100) is the first not to return
    assert np.isnan(phases.departure(cycle(3, 200), 0, 3))
    assert phases.departure(np.r_[np.zeros(50), np.arange(1.0, 20)], 10, 3) == 47  # a constant series, left at 50


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
        phases.coincidence(labels[:, k, phases.most_intermittent(labels[:, k], groups)], shifts=1) for k in range(4)
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


def test_shares_and_confusion():
    labels = np.array([[0, 1], [3, 3], [3, 6]])
    assert phases.shares(labels, skip=1) == {3: 0.75, 6: 0.25}
    matrix = phases.confusion(labels, np.full((3, 2), 3))
    assert matrix[:, 1].tolist() == [1, 3, 1, 1]
    assert matrix.sum() == 6


def test_blocks_are_taken_where_the_mask_says():
    values = np.arange(4 * 60 * 2).reshape(240, 2)
    mask = phases.part(np.zeros((4, 2)), skip=2, first=1)
    taken = phases.blocks_of(values, mask)
    assert taken.shape == (2, 60)
    assert taken[0, 0] == values[120, 1] and taken[1, 59] == values[239, 1]
    assert phases.members(mask).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("series", "options", "match"),
    [
        (np.r_[np.ones(100), np.nan, np.ones(100)], {}, "from step 100"),
        (np.ones(59), {}, "shorter than one block of 60"),
        (np.ones(100), {"block": 20}, "block of 20 cannot show a period of 12"),
        (np.ones(100), {"tolerance": -1}, "tolerance -1"),
        (np.ones(100), {"tolerance": np.nan}, "tolerance nan"),
        (np.ones((100, 2)), {"scale": "narrowest"}, "unknown scale 'narrowest'"),
    ],
)
def test_classification_refuses_bad_input(series, options, match):
    with pytest.raises(ValueError, match=match):
        phases.classify(series, **options)


def test_the_rest_refuses_bad_input():
    with pytest.raises(ValueError, match="no block has period 3"):
        phases.bands(np.ones((60, 1)), np.array([[1]]))
    with pytest.raises(ValueError, match="period 7 must"):
        phases.bands(np.ones((60, 1)), np.array([[7]]), 7)
    with pytest.raises(ValueError, match="at least 2 series"):
        phases.coincidence(np.zeros((5, 1)))
    with pytest.raises(ValueError, match="one trajectory at a time"):
        phases.runs(np.zeros((5, 2)))
    with pytest.raises(ValueError, match="mask is empty"):
        phases.sample(np.zeros((3, 3), dtype=bool))
    with pytest.raises(ValueError, match="within a series of 10"):
        phases.departure(np.ones(10), 9, 3)
