"""Outcome classes, held-out splits, and naive Bayes evidence that is right also where numbers are
missing.
"""

import warnings

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.naive_bayes import CategoricalNB, GaussianNB

from netdyn_lib.statistics import classification
from netdyn_lib.statistics.classification import auc, auc_interval

NAN, INF = np.nan, np.inf


def two_classes(n=2000, f=3, shift=1.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.3
    return rng.normal(size=(n, f)) + shift * labels[:, None], labels, *classification.split(n, seed)


def test_every_run_has_one_outcome():
    found = classification.outcomes([3.9, 4.0, 100.0, 100.1, NAN, INF, -INF])
    assert found.ideal.tolist() == [True] + 6 * [False]
    assert found.failed.tolist() == [False, False, False, True, True, True, True]
    assert found.diverged.tolist() == [False] * 4 + [True] * 3
    assert (found.ideal.astype(int) + found.middle + found.failed == 1).all()
    assert found.counts == {"ideal": 1, "middle": 2, "failed": 4}
    assert found.shares == pytest.approx({"ideal": 1 / 7, "middle": 2 / 7, "failed": 4 / 7})
    assert np.isnan(classification.outcomes([]).shares["ideal"])


def test_a_split_takes_every_run_once_and_each_stratum_in_the_share():
    strata = np.repeat([0, 1, 2], [50, 30, 21])
    train, test = classification.split(101, seed=3, train=0.6, strata=strata)
    assert np.array_equal(np.sort(np.r_[train, test]), np.arange(101))
    for stratum, size in enumerate((50, 30, 21)):
        assert abs((strata[train] == stratum).sum() - 0.6 * size) <= 1
    assert np.array_equal(classification.split(101, 3, 0.6, strata)[0], train)
    assert not np.array_equal(classification.split(101, 4, 0.6, strata)[0], train)


@pytest.mark.parametrize(("count", "share"), [(100, 0.29), (100, 0.57), (7, 0.5), (8000, 0.5)])
def test_a_split_has_the_size_asked_for_and_is_random(count, share):
    train, _ = classification.split(count, 0, share)
    assert len(train) == int(np.floor(count * share + 0.5))
    hits = np.mean(
        [np.isin(np.arange(7), classification.split(7, seed)[0]) for seed in range(600)], axis=0
    )
    assert hits == pytest.approx(4 / 7, abs=0.07)


def test_gaussian_scores_are_scikit_learns_on_standardised_features():
    x, labels, train, test = two_classes()
    scaled = (x - x[train].mean(0)) / x[train].std(0)
    joint = GaussianNB().fit(scaled[train], labels[train]).predict_joint_log_proba(scaled[test])
    inside = ((x[test] >= x[train].min(0)) & (x[test] <= x[train].max(0))).all(1)
    got = classification.log_odds(x * [1e-9, 1.0, 1e9], labels, train, test, "gaussian")
    assert got[inside] == pytest.approx((joint[:, 1] - joint[:, 0])[inside], rel=1e-7, abs=1e-7)
    assert 0.98 < inside.mean() < 1


def test_binned_scores_are_scikit_learns_of_the_same_bins():
    x, labels, train, test = two_classes()
    codes = []
    for column in x.T:
        order = np.sort(column[train])
        codes.append(
            np.searchsorted(order[len(order) * np.arange(1, 8) // 8], column, side="right")
        )
    codes = np.stack(codes, axis=1)
    joint = CategoricalNB().fit(codes[train], labels[train]).predict_joint_log_proba(codes[test])
    assert classification.log_odds(x, labels, train, test, "binned", 8) == pytest.approx(
        joint[:, 1] - joint[:, 0], abs=1e-10
    )


@pytest.mark.parametrize("method", classification.METHODS)
def test_the_score_of_two_normal_classes_reaches_their_area(method):
    x, labels, train, test = two_classes(20000, 4, 0.5)
    # The sum of 4 independent features of shift 0.5 is the likelihood ratio: Φ(√4 · 0.5/√2).
    assert auc(
        labels[test], classification.log_odds(x, labels, train, test, method)
    ) == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.012)


@pytest.mark.parametrize("method", classification.METHODS)
def test_log_odds_are_calibrated(method):
    x, labels, train, test = two_classes(40000, 1, 1.0)
    truth = np.log(0.3 / 0.7) + x[test, 0] - 0.5
    got = classification.log_odds(x, labels, train, test, method, bins=100)
    middle = np.abs(x[test, 0]) < 1.5
    assert np.sqrt(np.mean((got - truth)[middle] ** 2)) < (0.25 if method == "binned" else 0.1)


@pytest.mark.parametrize("method", ["binned", "ranked"])
def test_rank_methods_do_not_change_under_increasing_functions(method):
    x, labels, train, test = two_classes()
    assert np.array_equal(
        classification.log_odds(x, labels, train, test, method),
        classification.log_odds(np.exp(20 * x), labels, train, test, method),
    )


def test_the_binned_score_sees_what_is_not_monotone():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 4000)
    labels, halves = np.abs(x) < 0.5, classification.split(4000, 0)
    assert auc(labels[halves[1]], classification.log_odds(x, labels, *halves, "binned", 20)) > 0.97
    assert 0.4 < auc(labels[halves[1]], x[halves[1]]) < 0.6


@pytest.mark.parametrize("method", classification.METHODS)
@pytest.mark.parametrize("value", [0.0, -3e7, 1e-300, NAN, INF, -INF])
def test_a_constant_feature_is_no_evidence(method, value):
    x, labels, train, test = two_classes(400, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prior = classification.log_odds(np.full(400, value), labels, train, test, method)
        more = classification.log_odds(np.c_[x, np.full(400, value)], labels, train, test, method)
    assert auc(labels[test], prior) == 0.5
    assert prior == pytest.approx(np.log(labels[train].sum() / (~labels[train]).sum()))
    assert more == pytest.approx(classification.log_odds(x, labels, train, test, method), abs=1e-12)


@pytest.mark.parametrize("method", classification.METHODS)
def test_missing_numbers_are_counted(method):
    rng = np.random.default_rng(1)
    labels = np.arange(8000) % 2 == 0
    missing = rng.random(8000) < np.where(labels, 0.6, 0.2)
    x = np.where(missing, NAN, rng.normal(size=8000))
    train, test = classification.split(8000, 1)
    got = classification.log_odds(x, labels, train, test, method)
    assert np.isfinite(got).all()
    assert got[missing[test]] == pytest.approx(np.log(0.6 / 0.2), abs=0.15)
    assert np.median(got[~missing[test]]) == pytest.approx(np.log(0.4 / 0.8), abs=0.2)


@pytest.mark.parametrize("method", classification.METHODS)
def test_a_missing_number_that_training_never_saw_is_no_evidence(method):
    x, labels, train, test = two_classes(400, 2)
    x[test[0]] = NAN
    assert classification.log_odds(x, labels, train, test, method)[0] == pytest.approx(
        np.log(labels[train].sum() / (~labels[train]).sum())
    )
    x[test[0], 1] = 0.3
    assert classification.log_odds(x, labels, train, test, method)[0] == pytest.approx(
        classification.log_odds(x[:, 1], labels, train, test, method)[0]
    )


@pytest.mark.parametrize("method", classification.METHODS)
def test_infinities_are_beyond_every_number(method):
    x, labels, train, test = two_classes(2000, 1)
    x[test[:4], 0] = INF, x[train].max(), -INF, x[train].min()
    got = classification.log_odds(x, labels, train, test, method)
    assert got[0] == pytest.approx(got[1], abs=0.3) and got[2] == pytest.approx(got[3], abs=0.3)
    assert got[0] > got[2] + 1
    x[labels & (np.arange(2000) % 3 == 0)] = INF
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = classification.log_odds(x, labels, train, test, method)
    assert np.isfinite(got).all() and auc(labels[test], got) > 0.8


def test_below_the_least_of_many_ties_is_in_their_bin():
    x, labels, train, test = two_classes(2000, 1)
    x = np.maximum(x, 0.5)
    tied = classification.log_odds(x, labels, train, test)[x[test, 0] == 0.5]
    x[test[0]] = -3.0
    assert classification.log_odds(x, labels, train, test)[0] == tied[0] < np.log(0.3 / 0.7)


@pytest.mark.parametrize(("most", "few"), [(0.0, 1.0), (1.0, 0.0), (-INF, 0.0), (0.0, INF)])
def test_few_values_beside_a_tied_extreme_are_seen(most, few):
    """Five per cent above a tied minimum, or below a tied maximum: far less than a bin, and yet
    they tell.
    """
    rng = np.random.default_rng(2)
    labels = rng.random(8000) < 0.5
    x = np.where(rng.random(8000) < np.where(labels, 0.08, 0.02), few, most)
    train, test = classification.split(8000, 2)
    got = classification.log_odds(x, labels, train, test)
    assert got[x[test] == few] == pytest.approx(np.log(0.08 / 0.02), abs=0.4)
    assert got[x[test] == most] == pytest.approx(np.log(0.92 / 0.98), abs=0.1)
    assert auc(labels[test], got) == auc(labels[test], x[test] == few)


def test_few_values_on_either_side_of_a_tied_middle_are_seen():
    rng = np.random.default_rng(3)
    labels, side = rng.random(8000) < 0.5, rng.random(8000) < 0.5
    x = np.where(rng.random(8000) < 0.1, np.where(side ^ labels, 1.0, -1.0), 0.0) * rng.uniform(
        1, 2, 8000
    )
    x[side & (x > 0)] += 5  # what is above the tie is one bin
    labels = np.where(x == 0, labels, x > 0)
    train, test = classification.split(8000, 3)
    got = classification.log_odds(x, labels, train, test)
    assert (
        got[x[test] > 0].min() > 3
        and got[x[test] < 0].max() < -3
        and abs(got[x[test] == 0]).max() < 0.2
    )
    assert len(np.unique(got)) == 3


def test_bins_are_no_more_than_asked_for_whatever_is_tied():
    rng = np.random.default_rng(4)
    for share in (0.05, 0.3, 0.8, 0.97):
        x = np.where(rng.random(2000) < share, rng.integers(0, 3, 2000), rng.normal(size=2000))
        labels, halves = rng.random(2000) < 0.5, classification.split(2000, 4)
        assert len(np.unique(classification.log_odds(x, labels, *halves, bins=10))) <= 10


@pytest.mark.parametrize("method", classification.METHODS)
def test_huge_numbers_do_not_overflow(method):
    x, labels, train, test = two_classes(400, 1)
    x[::7] = 1e308
    x[3::7] = -1e308
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(classification.log_odds(x, labels, train, test, method)).all()


@pytest.mark.parametrize("method", classification.METHODS)
def test_noise_is_learned_by_heart_and_forgotten_on_the_test(method):
    rng = np.random.default_rng(5)
    x, labels, (train, test) = (
        rng.normal(size=(600, 60)),
        rng.random(600) < 0.5,
        classification.split(600, 5),
    )
    # The same rows again under other numbers: a test on the training rows.
    again = classification.log_odds(np.r_[x, x], np.r_[labels, labels], train, train + 600, method)
    assert auc(labels[train], again) > 0.7
    assert 0.5 in auc_interval(
        labels[test], classification.log_odds(x, labels, train, test, method)
    )


@pytest.mark.parametrize("method", classification.METHODS)
def test_cross_fitted_scores_never_saw_their_row(method):
    rng = np.random.default_rng(6)
    x, labels, (train, test) = (
        rng.normal(size=(700, 60)),
        rng.random(700) < 0.5,
        classification.split(600, 6),
    )
    got = classification.cross_fitted(x, labels, train, test, method)
    assert np.isnan(got[600:]).all() and np.isfinite(got[:600]).all()
    assert np.array_equal(got[test], classification.log_odds(x, labels, train, test, method))
    assert 0.5 in auc_interval(labels[train], got[train])


def test_bad_input_is_refused():
    x, labels, train, test = two_classes(40, 2)
    for wrong, match in [
        (dict(train=[0, 1], test=[1, 2]), "1 rows, the first 1, are both in train and test"),
        (dict(labels=np.where(labels, 0.2, NAN)), "true or false"),
        (dict(labels=labels[1:]), r"\(40, 2\) and labels of shape \(39,\)"),
        (dict(method="bayes"), "unknown method 'bayes'"),
        (dict(bins=1), "bins = 1"),
        (
            dict(labels=np.arange(40) == train[0]),
            "train: 1 runs in the class and 19 outside it, of which at least 2",
        ),
    ]:
        with pytest.raises(ValueError, match=match):
            classification.log_odds(
                **{**dict(features=x, labels=labels, train=train, test=test), **wrong}
            )
    for wrong, match in [
        (dict(count=1), "count = 1"),
        (dict(train=1.0), "leaves a half without runs"),
        (dict(train=NAN), "leaves a half without runs"),
        (dict(train=0.01), "leaves a half without runs"),
        (dict(strata=[1, 2]), r"strata of shape \(2,\)"),
    ]:
        with pytest.raises(ValueError, match=match):
            classification.split(**{**dict(count=10, seed=0), **wrong})
    with pytest.raises(ValueError, match=r"expected \(n,\)"):
        classification.outcomes([[1.0]])
    with pytest.raises(ValueError, match="must not lie above"):
        classification.outcomes([1.0], ideal=5, failed=4)
