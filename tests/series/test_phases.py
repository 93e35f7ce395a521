"""Series made to be fixed, periodic or irregular, with bands and switches that are known."""

import numpy as np
import pytest

from netdyn_lib.series import phases
from tests.examples import cycle

T = np.arange(240)
RNG = np.random.default_rng(0)


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


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_noise_of_the_last_digits_is_no_irregularity(dtype):
    ulp = RNG.integers(-1, 2, 240) * np.spacing(dtype(0.3))
    settled = (dtype(0.3) + ulp).astype(dtype)
    assert len(np.unique(settled)) == 3
    assert phases.classify(settled).tolist() == [1] * 4
    assert phases.classify(settled[:60], scale=0.0).tolist() == [1]
    above = 0.3 + 1000 * ulp.astype(float)  # far above rounding: noise of its own
    assert phases.classify(above).tolist() == [0] * 4
    assert set(phases.classify(cycle(3) + ulp)) == {3}
    tiny = 1e-12 * cycle(3)  # small values have small rounding
    assert set(phases.classify(tiny)) == {3} and set(phases.classify(0.3 + tiny)) == {3}


def test_a_slice_has_the_labels_it_has_in_its_record():
    early = 1e3 * RNG.uniform(size=60)
    settled = 0.3 + 1e-16 * RNG.normal(size=60)
    record = np.r_[early, settled, cycle(3, 60), 0.3 + 1e-9 * RNG.normal(size=60)]
    for scale in (np.ptp(record), 1e-8):
        labels = phases.classify(record, scale=scale)
        slices = [phases.classify(part, scale=scale)[0] for part in record.reshape(4, 60)]
        assert labels.tolist() == slices
    assert phases.classify(record)[1] == 1 == phases.classify(settled)[0]


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
    with pytest.raises(ValueError, match="no phase has the label 1; there are: 0, 3"):
        found.longest(1)


def test_shares_and_confusion():
    labels = np.array([[0, 1], [3, 3], [3, 6]])
    assert phases.shares(labels, skip=1) == {3: 0.75, 6: 0.25}
    matrix = phases.confusion(labels, np.full((3, 2), 3))
    assert matrix[:, 1].tolist() == [1, 3, 1, 1]
    assert matrix.sum() == 6


def test_blocks_are_taken_where_the_mask_says():
    values, mask = np.arange(4 * 60 * 2).reshape(240, 2), np.zeros((4, 2), dtype=bool)
    mask[2:, 1] = True
    taken = phases.blocks_of(values, mask)
    assert taken.shape == (2, 60)
    assert taken[0, 0] == values[120, 1] and taken[1, 59] == values[239, 1]


def test_bands_are_measured():
    decay = np.exp(-np.arange(60) / 20)
    series = np.tile([1.0, 5.0, 3.0], 20) + np.tile([1e-3, -1e-3, 2e-3], 20) * decay
    found = phases.measure(series[:, None], np.array([[3]]))
    scale = 1e-3 * np.array([1, 2 * np.exp(-2 / 20), np.exp(-1 / 20)])
    assert found.width[0] == pytest.approx(scale * (1 - np.exp(-57 / 20)))
    assert found.centre[0] == pytest.approx([1, 3, 5], abs=1e-3)
    assert found.gap[0] == pytest.approx(2, abs=0.01)
    assert found.decaying[0].tolist() == [True, True, False]
    assert (found.member[0], found.when[0]) == (0, 0)


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
    near, late = (np.stack([one, np.roll(one, by)], axis=1) for by in (1, 7))
    same = phases.coincidence(np.stack([one, one, one], axis=1))
    assert same.share == 1 and same.p < 0.05 and same.chance < 0.5 and same.switches == 6
    assert phases.coincidence(late).share == 0
    assert phases.coincidence(near).share == 1
    assert phases.coincidence(near, window=0).share == 0


def test_unrelated_switches_coincide_as_often_as_chance():
    labels = np.where(RNG.random((2000, 3)) < 0.1, 0, 3)
    found = phases.coincidence(labels, shifts=200)
    assert found.share == pytest.approx(found.chance, abs=0.08) and found.p > 0.01


def test_pooling_counts_the_same_as_one_by_one():
    labels = np.where(RNG.random((60, 4, 5)) < 0.3, 0, 3)
    groups = [0, 1, 2, None, 0]
    chosen = [labels[:, k, phases.most_intermittent(labels[:, k], groups)] for k in range(4)]
    singles = [phases.coincidence(some, shifts=1) for some in chosen]
    shared = sum(s.share * s.switches for s in singles) / sum(s.switches for s in singles)
    assert phases.pooled_coincidence(labels, groups).estimate == pytest.approx(shared)


def test_intermittent_series_are_chosen_one_of_each_group():
    labels = np.zeros((10, 4), dtype=int)
    labels[:, 0] = 1  # never irregular
    for column, regular in ((1, 5), (2, 4), (3, 2)):
        labels[:regular, column] = 3
    assert phases.most_intermittent(labels, ["a", "b", "b", "c"]) == [1, 3]
    assert phases.most_intermittent(labels, [None, None, "b", "c"]) == [2, 3]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: phases.classify(np.r_[np.ones(100), np.nan, np.ones(9)]), "from step 100"),
        (lambda: phases.classify(np.ones(59)), "shorter than one block of 60"),
        (lambda: phases.classify(np.ones(100), 20), "block of 20 cannot show a period of 12"),
        (lambda: phases.classify(np.ones(100), tolerance=np.nan), "tolerance nan"),
        (lambda: phases.classify(np.ones(100), scale="narrowest"), "unknown scale 'narrowest'"),
        (lambda: phases.runs(np.zeros((5, 2))), "one trajectory at a time"),
        (lambda: phases.sample(np.zeros((3, 3), dtype=bool)), "mask is empty"),
        (lambda: phases.measure(np.ones((60, 1)), [[1]]), "no block has period 3"),
        (lambda: phases.measure(np.ones((60, 1)), [[7]], 7), "period 7 must"),
        (lambda: phases.coincidence(np.zeros((5, 1))), "at least 2 series"),
        (lambda: phases.departure(np.ones(10), 9, 3), "within a series of 10"),
    ],
)
def test_bad_input_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()
