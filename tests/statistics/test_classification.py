"""Naive Bayes evidence that is right also where numbers are missing; areas exact with ties."""

import warnings

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import CategoricalNB

from netdyn_lib.statistics import classification
from netdyn_lib.statistics.classification import Evaluation, auc, log_odds, paired, split

NAN, INF = np.nan, np.inf
methods = pytest.mark.parametrize("method", classification.METHODS)


def two_classes(n=2000, f=3, shift=1.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.3
    return rng.normal(size=(n, f)) + shift * labels[:, None], labels, *split(n, seed)


def binormal(n, shift, seed):
    labels = np.arange(n) % 3 == 0
    return labels, np.random.default_rng(seed).normal(size=n) + shift * labels


def interval(labels, scores, **options):
    return paired(labels, {"": scores}, **options).auc[""]


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_every_run_has_one_outcome():
    found = classification.outcomes([3.9, 4.0, 100.0, 100.1, NAN, INF, -INF])
    assert found.ideal.tolist() == [True] + 6 * [False]
    assert found.failed.tolist() == [False, False, False, True, True, True, True]
    assert found.diverged.tolist() == [False] * 4 + [True] * 3
    assert found.counts == {"ideal": 1, "middle": 2, "failed": 4}
    assert found.shares == pytest.approx({"ideal": 1 / 7, "middle": 2 / 7, "failed": 4 / 7})
    assert np.isnan(classification.outcomes([]).shares["ideal"])


def test_a_split_is_random_and_halves_every_stratum():
    strata = np.repeat([0, 1, 2], [50, 30, 21])
    train, test = split(101, 3, strata)
    assert np.array_equal(np.sort(np.r_[train, test]), np.arange(101)) and len(train) == 51
    for stratum, size in enumerate((50, 30, 21)):
        assert abs((strata[train] == stratum).sum() - size / 2) <= 1
    assert np.array_equal(split(101, 3, strata)[0], train)
    assert not np.array_equal(split(101, 4, strata)[0], train)
    hits = np.mean([np.isin(np.arange(7), split(7, seed)[0]) for seed in range(600)], axis=0)
    assert hits == pytest.approx(4 / 7, abs=0.07)


def test_binned_scores_are_scikit_learns_of_the_same_bins():
    x, labels, train, test = two_classes()
    order = np.sort(x[train], axis=0)[len(train) * np.arange(1, 8) // 8]
    codes = np.stack([np.searchsorted(e, v, side="right") for e, v in zip(order.T, x.T)], axis=1)
    joint = CategoricalNB().fit(codes[train], labels[train]).predict_joint_log_proba(codes[test])
    got = log_odds(x, labels, train, test, "binned", 8)
    assert got == pytest.approx(joint[:, 1] - joint[:, 0], abs=1e-10)


@methods
def test_the_score_of_two_normal_classes_reaches_their_area(method):
    x, labels, train, test = two_classes(20000, 4, 0.5)
    # The sum of 4 independent features of shift 0.5 is the likelihood ratio: Φ(√4 · 0.5/√2).
    found = auc(labels[test], log_odds(x, labels, train, test, method))
    assert found == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.012)


@methods
def test_log_odds_are_calibrated_and_keep_under_increasing_functions(method):
    x, labels, train, test = two_classes(40000, 1, 1.0)
    truth = np.log(0.3 / 0.7) + x[test, 0] - 0.5
    got = log_odds(x, labels, train, test, method, bins=100)
    middle = np.abs(x[test, 0]) < 1.5
    assert np.sqrt(np.mean((got - truth)[middle] ** 2)) < (0.25 if method == "binned" else 0.1)
    assert np.array_equal(got, log_odds(np.exp(20 * x), labels, train, test, method, bins=100))


def test_the_binned_score_sees_what_is_not_monotone():
    x = np.random.default_rng(0).uniform(-1, 1, 4000)
    labels, (train, test) = np.abs(x) < 0.5, split(4000, 0)
    assert auc(labels[test], log_odds(x, labels, train, test, "binned", 20)) > 0.97
    assert 0.4 < auc(labels[test], x[test]) < 0.6


@methods
@pytest.mark.parametrize("value", [0.0, -3e7, 1e-300, NAN, INF, -INF])
def test_a_constant_feature_is_no_evidence(method, value):
    x, labels, train, test = two_classes(400, 1)
    prior = log_odds(np.full(400, value), labels, train, test, method)
    assert prior == pytest.approx(np.log(labels[train].sum() / (~labels[train]).sum()))
    more = log_odds(np.c_[x, np.full(400, value)], labels, train, test, method)
    assert more == pytest.approx(log_odds(x, labels, train, test, method), abs=1e-12)


@methods
def test_missing_numbers_are_counted(method):
    rng = np.random.default_rng(1)
    labels = np.arange(8000) % 2 == 0
    missing = rng.random(8000) < np.where(labels, 0.6, 0.2)
    train, test = split(8000, 1)
    x = np.where(missing, NAN, rng.normal(size=8000))
    got = log_odds(x, labels, train, test, method)
    assert got[missing[test]] == pytest.approx(np.log(0.6 / 0.2), abs=0.15)
    assert np.median(got[~missing[test]]) == pytest.approx(np.log(0.4 / 0.8), abs=0.2)


@methods
def test_a_missing_number_that_training_never_saw_is_no_evidence(method):
    x, labels, train, test = two_classes(400, 2)
    x[test[0]] = NAN
    prior = np.log(labels[train].sum() / (~labels[train]).sum())
    assert log_odds(x, labels, train, test, method)[0] == pytest.approx(prior)
    x[test[0], 1] = 0.3
    one, both = (log_odds(v, labels, train, test, method)[0] for v in (x[:, 1], x))
    assert both == pytest.approx(one)


@methods
def test_infinities_are_beyond_every_number(method):
    x, labels, train, test = two_classes(2000, 1)
    x[test[:4], 0] = INF, x[train].max(), -INF, x[train].min()
    got = log_odds(x, labels, train, test, method)
    assert got[:4:2] == pytest.approx(got[1:4:2], abs=0.3) and got[0] > got[2] + 1
    x[labels & (np.arange(2000) % 3 == 0)] = INF
    x[::7] = 1e308
    got = log_odds(x, labels, train, test, method)
    assert np.isfinite(got).all() and auc(labels[test], got) > 0.7


def test_below_the_least_of_many_ties_is_in_their_bin():
    x, labels, train, test = two_classes(2000, 1)
    x = np.maximum(x, 0.5)
    tied = log_odds(x, labels, train, test)[x[test, 0] == 0.5]
    x[test[0]] = -3.0
    assert log_odds(x, labels, train, test)[0] == tied[0] < np.log(0.3 / 0.7)


@pytest.mark.parametrize(("most", "few"), [(0.0, 1.0), (1.0, 0.0), (-INF, 0.0), (0.0, INF)])
def test_few_values_beside_a_tied_extreme_are_seen(most, few):
    """Five per cent above a tied minimum, or below a tied maximum: far less than a bin, and yet
    they tell.
    """
    rng = np.random.default_rng(2)
    labels = rng.random(8000) < 0.5
    x = np.where(rng.random(8000) < np.where(labels, 0.08, 0.02), few, most)
    train, test = split(8000, 2)
    got = log_odds(x, labels, train, test)
    assert got[x[test] == few] == pytest.approx(np.log(0.08 / 0.02), abs=0.4)
    assert got[x[test] == most] == pytest.approx(np.log(0.92 / 0.98), abs=0.1)


def test_few_values_on_either_side_of_a_tied_middle_are_seen():
    rng = np.random.default_rng(3)
    labels, side = rng.random(8000) < 0.5, rng.random(8000) < 0.5
    sign = np.where(side ^ labels, 1.0, -1.0)
    x = np.where(rng.random(8000) < 0.1, sign, 0.0) * rng.uniform(1, 2, 8000)
    x[side & (x > 0)] += 5  # what is above the tie is one bin
    labels = np.where(x == 0, labels, x > 0)
    train, test = split(8000, 3)
    got, asked = log_odds(x, labels, train, test), x[test]
    assert got[asked > 0].min() > 3 and got[asked < 0].max() < -3
    assert abs(got[asked == 0]).max() < 0.2 and len(np.unique(got)) == 3


def test_bins_are_no_more_than_asked_for_whatever_is_tied():
    rng = np.random.default_rng(4)
    for share in (0.05, 0.3, 0.8, 0.97):
        x = np.where(rng.random(2000) < share, rng.integers(0, 3, 2000), rng.normal(size=2000))
        labels, halves = rng.random(2000) < 0.5, split(2000, 4)
        assert len(np.unique(log_odds(x, labels, *halves, bins=10))) <= 10


@methods
def test_cross_fitted_scores_never_saw_their_row(method):
    rng = np.random.default_rng(6)
    x, labels, (train, test) = rng.normal(size=(700, 60)), rng.random(700) < 0.5, split(600, 6)
    # The same rows again under other numbers: noise is learned by heart.
    twice = np.r_[x, x], np.r_[labels, labels]
    assert auc(labels[train], log_odds(*twice, train, train + 700, method)) > 0.7
    got = classification.cross_fitted(x, labels, train, test, method)
    assert np.isnan(got[600:]).all() and np.isfinite(got[:600]).all()
    assert np.array_equal(got[test], log_odds(x, labels, train, test, method))
    assert 0.5 in interval(labels[train], got[train]) and 0.5 in interval(labels[test], got[test])


def test_known_areas():
    labels = np.array([False, False, True, True])
    for scores, known in (
        ([1, 2, 3, 4], 1.0),
        ([4, 3, 2, 1], 0.0),
        ([7, 7, 7, 7], 0.5),
        ([1, 3, 2, 4], 0.75),
        ([1, 3, 3, INF], 0.875),
        ([-INF, -INF, 0, 0], 1.0),
    ):
        assert auc(labels, scores) == known
        assert auc(labels, np.negative(scores)) == 1 - known
    flags, scores = binormal(500, 0.7, 1)
    for decimals in (0, 1, 12):
        rounded = scores.round(decimals)
        assert auc(flags, rounded) == pytest.approx(roc_auc_score(flags, rounded), abs=1e-14)


def test_the_binormal_area_and_its_error():
    """Against the standard error of DeLong, DeLong and Clarke-Pearson, Biometrics 44, 837, 1988."""
    labels, scores = binormal(3000, 0.8, 3)
    wins = (scores[labels][:, None] > scores[~labels]).astype(float)
    variances = wins.mean(1).var(ddof=1), wins.mean(0).var(ddof=1)
    error = np.sqrt(variances[0] / labels.sum() + variances[1] / (~labels).sum())
    found = interval(labels, scores)
    assert found.estimate == auc(labels, scores)
    assert abs(found.estimate - norm.cdf(0.8 / np.sqrt(2))) < 3 * error
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_the_interval_covers_also_with_ties():
    # Of shift 1, rounded to whole numbers: P(X > Y) + P(X = Y)/2.
    edges = np.arange(-9.5, 10.5)
    p, q = (np.diff(norm.cdf(edges - mean)) for mean in (1, 0))
    truth = (p * (np.cumsum(q) - q / 2)).sum()
    samples = (binormal(120, 1.0, seed) for seed in range(200))
    hits = [truth in interval(labels, s.round(), resamples=300) for labels, s in samples]
    assert 0.89 <= np.mean(hits) <= 0.99


def test_perfect_constant_and_few_scores():
    labels = np.arange(40) < 15
    assert tuple(interval(labels, labels)) == (1.0, 1.0, 1.0)
    assert tuple(interval(labels, np.zeros(40))) == (0.5, 0.5, 0.5)
    found = interval(np.arange(90) < 4, np.arange(90.0))
    assert found.estimate == 0 and np.isnan([found.low, found.high]).all()


def test_pairs_share_their_resamples(monkeypatch):
    labels, base = binormal(900, 1.0, 4)
    noise, other = np.random.default_rng(4).normal(size=(2, 900))
    scores = {"base": base, "same": 3 * base - 1, "near": base + 0.1 * noise, "noise": other}
    found = paired(labels, scores, ("base", "noise"))
    apart, back = found.difference["base"], found.difference["noise"]["base"]
    assert list(apart) == ["same", "near", "noise"] and paired(labels, scores).difference == {}
    assert tuple(apart["same"]) == (0.0, 0.0, 0.0)
    assert tuple(found.auc["base"]) == tuple(interval(labels, base))
    width, alone = (i.high - i.low for i in (apart["near"], found.auc["base"]))
    assert width < 0.3 * alone
    assert apart["noise"].high < 0 and 0.5 in found.auc["noise"]
    assert (back.estimate, back.low, back.high) == tuple(
        -v for v in np.array([*apart["noise"]])[[0, 2, 1]]
    )
    assert tuple(found.auc["base"]) != tuple(interval(labels, base, seed=8))
    monkeypatch.setattr(classification, "_VALUES", 1)
    few = binormal(30, 0.5, 5)
    assert interval(*few, resamples=50).low < auc(*few)


def test_prediction_over_time_grows_with_the_signal():
    rng = np.random.default_rng(8)
    n, shifts = 3000, np.array([0.0, 0.5, 1.0, 2.0])
    labels = rng.random(n) < 0.4
    signal = rng.normal(size=(4, n, 2)) + (shifts[:, None] * labels)[:, :, None] / np.sqrt(2)
    features = {"signal": signal, "noise": rng.normal(size=(4, n))}
    halves = train, test = split(n, 8, strata=labels)
    how = Evaluation("ranked", ("noise", "signal"), 200)
    found = classification.over_time(labels, features, halves, how=how)
    assert found.auc["signal"].estimate == pytest.approx(norm.cdf(shifts / np.sqrt(2)), abs=0.035)
    assert ((found.auc["noise"].low < 0.5) & (found.auc["noise"].high > 0.5)).sum() >= 3
    apart, back = found.difference["noise"]["signal"], found.difference["signal"]["noise"]
    lead = found.auc["signal"].estimate - found.auc["noise"].estimate
    assert apart.estimate == pytest.approx(lead) and (apart.low[1:] > 0).all()
    np.testing.assert_array_equal(back.low, -apart.high)
    assert found.reasons == ("",) * 4
    assert found.rows.tolist() == [[labels[test].sum(), (~labels[test]).sum()]] * 4
    scores = log_odds(signal[2], labels, train, test, "ranked")
    alone = interval(labels[test], scores, resamples=200)
    assert tuple(x[2] for x in found.auc["signal"]) == tuple(alone)


def test_decided_runs_are_left_out_and_too_few_give_nan_with_a_reason():
    labels, undecided = np.arange(200) % 2 == 0, np.ones((3, 200), dtype=bool)
    leak = np.where(labels, NAN, np.random.default_rng(9).normal(size=200))
    undecided[1, 16:] = ~labels[16:]
    undecided[2] = False
    halves = split(200, 9, strata=labels)
    how = Evaluation(resamples=20)
    found = classification.over_time(labels, {"leak": [leak] * 3}, halves, undecided, how)
    assert found.auc["leak"].estimate[0] == 1.0
    assert np.isnan([found.auc["leak"].estimate[1:], found.auc["leak"].low[1:]]).all()
    needed = "of which at least 10 each are needed"
    assert found.reasons[0] == "" and needed in found.reasons[1]
    assert found.reasons[2] == f"train: 0 runs in the class and 0 outside it, {needed}"
    assert found.rows[2].tolist() == [0, 0]


X, LABELS, *HALVES = two_classes(40, 2)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: log_odds(X, LABELS, [0, 1], [1, 2]), "1 rows, the first 1, are both in train"),
        (lambda: log_odds(X, np.where(LABELS, 0.2, NAN), *HALVES), "true or false"),
        (lambda: log_odds(X, LABELS[1:], *HALVES), r"\(40, 2\) and labels of shape \(39,\)"),
        (lambda: log_odds(X, LABELS, *HALVES, "bayes"), "unknown method 'bayes'"),
        (lambda: log_odds(X, np.arange(40) == HALVES[0][0], *HALVES), "train: 1 runs in the cl"),
        (lambda: split(10, 0, [1, 2]), r"strata of shape \(2,\)"),
        (lambda: classification.outcomes([1.0], ideal=5, failed=4), "must not lie above"),
        (lambda: auc([True, False], [1.0, NAN]), "score NaN in row 1"),
        (lambda: auc([True, True], [1, 2]), "all 2 rows are in one class"),
        (lambda: paired([True, False], {"a": [1, 2]}, ("b",)), r"\['b'\] have no scores"),
        (lambda: classification.over_time(LABELS, {"a": X}, HALVES), "expected .T, n, f. each"),
    ],
)
def test_bad_input_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()
