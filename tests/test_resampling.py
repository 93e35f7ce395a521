"""Intervals cover what they should; modes are counted."""

import numpy as np
import pytest
from scipy import stats

from netdyn_lib.statistics import intervals


def coverage(interval, truth, trials=300):
    return np.mean([truth in interval(np.random.default_rng(k)) for k in range(trials)])


def test_the_bootstrap_covers_the_mean_of_a_normal_sample():
    def interval(rng):
        return intervals.bootstrap_interval(
            rng.normal(3, 2, 60), resamples=400, seed=int(rng.integers(99))
        )

    assert 0.90 <= coverage(interval, 3.0) <= 0.985


@pytest.mark.parametrize("count", [5, 12])
def test_few_values_are_covered_as_well_as_many(count):
    """Percentiles of the bootstrap hold 0.83 of the means of 5 normal values, and 0.91 of those of
    12.
    """
    values = np.random.default_rng(count).normal(3, 2, (count, 4000))
    found = intervals.bootstrap_interval(values)
    assert np.mean((found.low <= 3) & (3 <= found.high)) == pytest.approx(0.95, abs=0.012)
    assert found.low == pytest.approx(stats.ttest_1samp(values, 0).confidence_interval().low)


def test_percentiles_of_few_values_are_as_wide_as_students():
    """Of a mean of normal values they are Student's interval, but for chance."""
    rng, count = np.random.default_rng(0), 12
    values = rng.normal(size=count)
    draws = rng.normal(values.mean(), values.std() / count**0.5, 200_000)
    found = intervals.percentile_interval(values.mean(), draws, count=count)
    assert tuple(found) == pytest.approx(tuple(intervals.student_interval(values)), abs=0.01)


def test_fewer_than_five_values_have_no_interval():
    four, members = [1.0, 2.0, 3.0, 4.0], [0, 1, 2, 3]
    for found in (
        intervals.bootstrap_interval(four),
        intervals.bootstrap_interval(four, intervals.median),
        intervals.paired_interval(four, [0.0] * 4),
        intervals.clustered_interval(four * 9, members * 9),
        intervals.share_interval([True, True, False, False]),
    ):
        assert np.isfinite(found.estimate) and np.isnan([found.low, found.high]).all()
        assert found.estimate not in found and found.count == 4
        assert str(found).endswith("(no interval: n = 4 values, 5 needed)")
    assert np.isnan(intervals.bootstrap_interval(np.ones((4, 3))).high).all()


def test_an_interval_contains_its_estimate():
    """Also where the statistic is biased: no resample has as many distinct values as the sample."""

    def distinct(values, axis):
        return np.apply_along_axis(lambda v: len(set(v)), axis, values)

    rng = np.random.default_rng(0)
    for count in (5, 8, 30):
        values = rng.exponential(size=count) ** 3
        found = intervals.bootstrap_interval(values, distinct, resamples=200)
        assert found.low < found.estimate == found.high == count
        for statistic in (np.mean, np.std, np.max, intervals.median):
            found = intervals.bootstrap_interval(values, statistic, resamples=200)
            assert found.low <= found.estimate <= found.high
        for true in range(count + 1):
            found = intervals.share_interval(np.arange(count) < true)
            assert found.low <= found.estimate <= found.high


def test_the_paired_interval_covers_and_is_narrower_than_the_unpaired():
    rng = np.random.default_rng(0)
    common = rng.normal(0, 5, 100)
    first, second = common + rng.normal(1, 0.1, 100), common + rng.normal(0, 0.1, 100)
    paired = intervals.paired_interval(first, second)
    alone = intervals.bootstrap_interval(first)
    assert 1.0 in paired
    assert paired.high - paired.low < 0.1 * (alone.high - alone.low)


def test_the_clustered_interval_covers_where_the_plain_one_does_not():
    def sample(rng):
        centres = rng.normal(0, 1, 30)
        return np.repeat(centres, 20) + rng.normal(0, 0.1, 600), np.repeat(np.arange(30), 20)

    def clustered(rng):
        return intervals.clustered_interval(*sample(rng), resamples=200)

    def plain(rng):
        return intervals.bootstrap_interval(sample(rng)[0], resamples=200)

    assert coverage(clustered, 0.0, 200) >= 0.88
    assert coverage(plain, 0.0, 200) <= 0.5


def test_the_mean_of_clusters_is_that_of_their_values():
    rng = np.random.default_rng(7)
    values, members = rng.normal(size=(200, 3)), rng.integers(9, size=200)
    quick = intervals.clustered_interval(values, members, resamples=50)
    slow = intervals.clustered_interval(values, members, lambda v: np.mean(v), resamples=50)
    assert tuple(quick) == pytest.approx(tuple(slow))


def test_the_interval_of_a_share_covers_and_never_shrinks_to_a_point():
    def interval(rng):
        return intervals.share_interval(rng.random(40) < 0.1)

    assert 0.91 <= coverage(interval, 0.1, 500) <= 0.99
    for flags in ([True] * 20, [False] * 20):
        found = intervals.share_interval(flags)
        assert 0 <= found.low < found.high <= 1


def test_arrays_are_resampled_along_their_first_axis():
    values = np.random.default_rng(1).normal(size=(50, 3))
    found = intervals.bootstrap_interval(values)
    assert found.low.shape == (3,)
    assert found.estimate == pytest.approx(values.mean(0))
    assert np.all((found.low < found.estimate) & (found.estimate < found.high))


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(2).normal(size=30)
    one, two, other = (intervals.bootstrap_interval(values, np.std, seed=s) for s in (5, 5, 6))
    assert tuple(one) == tuple(two)
    assert tuple(one) != tuple(other)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([], "at least 2"),
        ([1.0], "at least 2"),
        ([1.0, np.nan, 2.0], "1 entries.*index 1"),
        ([1.0, np.inf], "infinite"),
    ],
)
def test_bad_samples_are_refused(values, match):
    with pytest.raises(ValueError, match=match):
        intervals.bootstrap_interval(values)
    with pytest.raises(ValueError, match=match):
        intervals.paired_interval(values, values)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="level 95"):
        intervals.bootstrap_interval([1.0, 2.0], level=95)
    with pytest.raises(ValueError, match="0 resamples"):
        intervals.bootstrap_interval([1.0, 2.0], resamples=0)
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        intervals.paired_interval([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="at least one flag"):
        intervals.share_interval([])
    with pytest.raises(ValueError, match="true or false"):
        intervals.share_interval([0.2, 0.7])
    with pytest.raises(ValueError, match="one trajectory"):
        intervals.clustered_interval([1.0, 2.0], [0, 0])
    with pytest.raises(ValueError, match="one for each"):
        intervals.clustered_interval([1.0, 2.0], [0, 0, 1])


def test_one_hump_is_unimodal_and_two_are_not():
    rng = np.random.default_rng(3)
    one = intervals.modality(rng.normal(size=150), resamples=200)
    two = intervals.modality(np.r_[rng.normal(size=75), 5 + rng.normal(size=75)], resamples=200)
    assert one.modes == 1 and one.p > 0.1
    assert two.modes == 2 and two.p < 0.01


@pytest.mark.parametrize(
    "draw", ["normal", "uniform", "exponential", "laplace", "standard_t", "standard_cauchy"]
)
def test_unimodal_values_are_not_called_multimodal_heavy_tails_or_not(draw):
    """Of Student's t with three degrees of freedom Silverman's test on the whole line called 67%
    multimodal.
    """
    options = dict(df=3) if draw == "standard_t" else {}
    p = [
        intervals.modality(
            getattr(np.random.default_rng(k), draw)(size=150, **options), resamples=200
        ).p
        for k in range(50)
    ]
    # for the uniform 0.05 is expected, and 0.12 met by 98% of tests
    assert np.mean(np.array(p) < 0.05) <= 0.12


def test_two_modes_are_allowed_when_asked_for():
    rng = np.random.default_rng(4)
    three = np.concatenate([c + 0.5 * rng.normal(size=50) for c in (0, 5, 10)])
    assert intervals.modality(three, at_most=2, resamples=200).p < 0.01
    assert intervals.modality(three, at_most=3, resamples=200).p > 0.05


def test_the_excess_mass_is_twice_hartigans_dip():
    """1/4 for two equal point masses, 1/(2n) for n values at equal distances."""
    assert intervals.modality(np.repeat([0.0, 1.0], 50), resamples=1).excess == pytest.approx(0.5)
    assert intervals.modality(np.arange(50.0), resamples=1).excess == pytest.approx(1 / 50)
    assert intervals.modality(
        np.repeat([0.0, 1.0, 3.0], 50), 2, resamples=1
    ).excess == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("values", "options", "match"),
    [
        ([1.0, 2.0], {}, "at least 4"),
        ([2.0] * 9, {}, "all 9 values equal 2.0"),
        ([1.0, np.nan, 3.0, 4.0], {}, "NaN"),
        ([1.0, 2.0, 3.0, 4.0], {"at_most": 0}, "at_most 0"),
    ],
)
def test_the_test_of_modes_refuses_bad_input(values, options, match):
    with pytest.raises(ValueError, match=match):
        intervals.modality(values, **options)


def test_normality():
    rng = np.random.default_rng(0)
    assert intervals.normality(rng.standard_normal(200))[0] > 0.01
    assert intervals.normality(rng.standard_exponential((2, 200))).max() < 1e-6
