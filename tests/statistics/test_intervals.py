"""Intervals cover what they should; modes are counted."""

import numpy as np
import pytest
from scipy import stats

from netdyn_lib.statistics import intervals
from netdyn_lib.statistics.intervals import bootstrap_interval, clustered_interval, share_interval


def coverage(interval, truth, trials=300):
    return np.mean([truth in interval(np.random.default_rng(k)) for k in range(trials)])


@pytest.mark.parametrize(
    ("interval", "truth", "bounds"),
    [
        (lambda rng: bootstrap_interval(rng.normal(3, 2, 60), resamples=400), 3.0, (0.9, 0.985)),
        (lambda rng: share_interval(rng.random(40) < 0.1), 0.1, (0.91, 0.99)),
    ],
    ids=["mean", "share"],
)
def test_intervals_cover_the_truth(interval, truth, bounds):
    assert bounds[0] <= coverage(interval, truth) <= bounds[1]


@pytest.mark.parametrize("count", [5, 12])
def test_few_values_are_covered_as_well_as_many(count):
    """Percentiles of the bootstrap hold 0.83 of the means of 5 normal values, and 0.91 of those of
    12.
    """
    values = np.random.default_rng(count).normal(3, 2, (count, 4000))
    found = bootstrap_interval(values)
    assert np.mean((found.low <= 3) & (3 <= found.high)) == pytest.approx(0.95, abs=0.012)
    known = stats.ttest_1samp(values, 0).confidence_interval()
    assert found.low == pytest.approx(known.low) and found.high == pytest.approx(known.high)


def test_students_interval_is_the_textbooks():
    """t(4, 0.975) = 2.776445, and the standard error of 1 … 5 is √(2.5/5)."""
    found, half = intervals.student([1, 2, 3, np.nan, 4, 5]), 2.776445 * 0.5**0.5
    assert tuple(found) == pytest.approx((3, 3 - half, 3 + half)) and found.count == 5
    for values, estimate in (([1, 2, 3, 6, np.nan], 3), ([np.nan], np.nan)):
        few = tuple(intervals.student(values))
        assert few == pytest.approx((estimate, np.nan, np.nan), nan_ok=True)


def test_percentiles_of_few_values_are_as_wide_as_students():
    """Of a mean of normal values they are Student's interval, but for chance."""
    rng, count = np.random.default_rng(0), 12
    values = rng.normal(size=count)
    draws = rng.normal(values.mean(), values.std() / count**0.5, 200_000)
    found = intervals.percentile_interval(values.mean(), draws, count=count)
    assert tuple(found) == pytest.approx(tuple(intervals.student(values)), abs=0.01)


def test_percentiles_keep_infinities_in_order():
    draws = np.r_[np.arange(90.0), np.full(10, np.inf)]
    found = intervals.percentile_interval(45, draws, 0.9)
    assert (found.low, found.high) == (5.0, np.inf)
    assert np.isnan(intervals.percentile_interval(45, np.r_[draws, np.nan]).low)


def test_fewer_than_five_values_have_no_interval():
    four, members = [1.0, 2.0, 3.0, 4.0], [0, 1, 2, 3]
    for found in (
        bootstrap_interval(four),
        bootstrap_interval(four, np.median),
        clustered_interval(four * 9, members * 9),
        share_interval([True, True, False, False]),
    ):
        assert np.isfinite(found.estimate) and np.isnan([found.low, found.high]).all()
        assert found.estimate not in found and found.count == 4
        assert str(found).endswith("(no interval: n = 4 values, 5 needed)")
    assert np.isnan(bootstrap_interval(np.ones((4, 3))).high).all()


def test_an_interval_contains_its_estimate_and_a_share_never_shrinks_to_a_point():
    """Also where the statistic is biased: no resample has as many distinct values as the sample."""

    def distinct(values, axis):
        return np.apply_along_axis(lambda v: len(set(v)), axis, values)

    rng = np.random.default_rng(0)
    for count in (5, 8, 30):
        values = rng.exponential(size=count) ** 3
        found = bootstrap_interval(values, distinct, resamples=200)
        assert found.low < found.estimate == found.high == count
        for statistic in (np.mean, np.std, np.max, np.median):
            found = bootstrap_interval(values, statistic, resamples=200)
            assert found.low <= found.estimate <= found.high
        for true in range(count + 1):
            found = share_interval(np.arange(count) < true)
            assert 0 <= found.low <= found.estimate <= found.high <= 1 and found.low < found.high


def test_the_clustered_interval_covers_where_the_plain_one_does_not():
    def sample(rng):
        centres = rng.normal(0, 1, 30)
        return np.repeat(centres, 20) + rng.normal(0, 0.1, 600), np.repeat(np.arange(30), 20)

    clustered = coverage(lambda rng: clustered_interval(*sample(rng), resamples=200), 0.0, 200)
    plain = coverage(lambda rng: bootstrap_interval(sample(rng)[0], resamples=200), 0.0, 200)
    assert clustered >= 0.88 and plain <= 0.5


def test_the_mean_of_clusters_is_that_of_their_values():
    rng = np.random.default_rng(7)
    values, members = rng.normal(size=(200, 3)), rng.integers(9, size=200)
    quick = clustered_interval(values, members, resamples=50)
    slow = clustered_interval(values, members, lambda v: np.mean(v), resamples=50)
    assert tuple(quick) == pytest.approx(tuple(slow))


def test_arrays_are_resampled_along_their_first_axis_and_by_their_seed():
    values = np.random.default_rng(1).normal(size=(50, 3))
    found, again, other = (bootstrap_interval(values, seed=s) for s in (5, 5, 6))
    assert found.low.shape == (3,) and found.estimate == pytest.approx(values.mean(0))
    assert np.all((found.low < found.estimate) & (found.estimate < found.high))
    assert np.array_equal(found.low, again.low) and not np.array_equal(found.low, other.low)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: bootstrap_interval([1.0]), "at least 2"),
        (lambda: bootstrap_interval([1.0, np.nan, 2.0]), "1 entries.*index 1"),
        (lambda: bootstrap_interval([1.0, 2.0], level=95), "level 95"),
        (lambda: bootstrap_interval([1.0, 2.0], resamples=0), "0 resamples"),
        (lambda: share_interval([]), "at least one flag"),
        (lambda: share_interval([0.2, 0.7]), "true or false"),
        (lambda: clustered_interval([1.0, 2.0], [0, 0]), "one trajectory"),
        (lambda: clustered_interval([1.0, 2.0], [0, 0, 1]), "one for each"),
        (lambda: intervals.modality([1.0, 2.0]), "at least 4"),
        (lambda: intervals.modality([2.0] * 9), "all 9 values equal 2.0"),
        (lambda: intervals.modality([1.0, 2.0, 3.0, 4.0], 0), "at_most 0"),
    ],
)
def test_bad_input_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_humps_are_counted():
    rng = np.random.default_rng(3)
    one = intervals.modality(rng.normal(size=150), resamples=200)
    two = intervals.modality(np.r_[rng.normal(size=75), 5 + rng.normal(size=75)], resamples=200)
    assert one.modes == 1 and one.p > 0.1
    assert two.modes == 2 and two.p < 0.01
    three = np.concatenate([c + 0.5 * rng.normal(size=50) for c in (0, 5, 10)])
    assert intervals.modality(three, at_most=2, resamples=200).p < 0.01
    assert intervals.modality(three, at_most=3, resamples=200).p > 0.05


@pytest.mark.parametrize(
    "draw", ["normal", "uniform", "exponential", "laplace", "standard_t", "standard_cauchy"]
)
def test_unimodal_values_are_not_called_multimodal_heavy_tails_or_not(draw):
    """Of Student's t with three degrees of freedom Silverman's test on the whole line called 67%
    multimodal.
    """
    options = dict(df=3) if draw == "standard_t" else {}
    draws = (getattr(np.random.default_rng(k), draw)(size=150, **options) for k in range(30))
    p = np.array([intervals.modality(values, resamples=200).p for values in draws])
    # for the uniform 0.05 is expected, and 0.14 met by 98% of tests
    assert np.mean(p < 0.05) <= 0.14


def test_the_excess_mass_is_twice_hartigans_dip():
    """1/4 for two equal point masses, 1/(2n) for n values at equal distances."""
    for values, at_most, known in (
        (np.repeat([0.0, 1.0], 50), 1, 1 / 2),
        (np.arange(50.0), 1, 1 / 50),
        (np.repeat([0.0, 1.0, 3.0], 50), 2, 1 / 3),
    ):
        assert intervals.modality(values, at_most, 1).excess == pytest.approx(known)
