"""Classification of series that were made to be fixed, periodic or irregular."""

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
    with pytest.raises(ValueError, match="no phase is fixed"):
        found.longest(1)


def test_representatives_are_what_they_are_called():
    labels = np.array([[0, 0, 0, 0]] + [[3, 1, 0, 3]] * 4 + [[3, 1, 0, 0]] * 4)
    assert phases.representatives(labels, skip=1) == {
        "fixed": 1,
        "mixed": 3,
        "periodic": 0,
        "irregular": 2,
    }


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
    with pytest.raises(ValueError, match="one trajectory at a time"):
        phases.runs(np.zeros((5, 2)))
    with pytest.raises(ValueError, match="mask is empty"):
        phases.sample(np.zeros((3, 3), dtype=bool))
