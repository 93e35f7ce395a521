"""Areas under the curve: exact with ties, and intervals that cover."""

import time

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from netdyn_lib.statistics import classification

NAN, INF = np.nan, np.inf


def binormal(n, shift, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3 == 0
    return labels, rng.normal(size=n) + shift * labels


def delong_error(labels, scores):
    """Standard error of the area (DeLong, DeLong and Clarke-Pearson, Biometrics 44, 837, 1988)."""
    wins = (scores[labels][:, None] > scores[~labels]) + 0.5 * (
        scores[labels][:, None] == scores[~labels]
    )
    return np.sqrt(
        wins.mean(1).var(ddof=1) / labels.sum() + wins.mean(0).var(ddof=1) / (~labels).sum()
    )


def test_known_areas():
    labels = np.array([False, False, True, True])
    assert classification.auc(labels, [1, 2, 3, 4]) == 1.0
    assert classification.auc(labels, [4, 3, 2, 1]) == 0.0
    assert classification.auc(labels, [7, 7, 7, 7]) == 0.5
    assert classification.auc(labels, [1, 3, 2, 4]) == 0.75
    assert classification.auc(labels, [1, 3, 3, INF]) == 0.875
    assert classification.auc(labels, [-INF, -INF, 0, 0]) == 1.0


@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_curve_and_area_are_scikit_learns(decimals):
    labels, scores = binormal(500, 0.7, 1)
    scores = scores.round(decimals)
    false_positive, true_positive, _ = roc_curve(labels, scores, drop_intermediate=False)
    got = classification.roc(labels, scores)
    assert got[0] == pytest.approx(false_positive) and got[1] == pytest.approx(true_positive)
    assert classification.auc(labels, scores) == pytest.approx(
        roc_auc_score(labels, scores), abs=1e-14
    )
    assert classification.auc(labels, scores) == pytest.approx(
        np.trapezoid(got[1], got[0]), abs=1e-14
    )


def test_the_area_does_not_change_under_increasing_functions_and_turns_with_the_sign():
    labels, scores = binormal(300, 0.7, 2)
    assert classification.auc(labels, np.exp(5 * scores)) == classification.auc(labels, scores)
    assert classification.auc(labels, -scores) == pytest.approx(
        1 - classification.auc(labels, scores), abs=1e-15
    )
    assert classification.auc(~labels, scores) == pytest.approx(
        1 - classification.auc(labels, scores), abs=1e-15
    )


def test_the_binormal_area_and_its_error():
    labels, scores = binormal(3000, 0.8, 3)
    found = classification.auc_interval(labels, scores)
    error = delong_error(labels, scores)
    assert found.estimate == classification.auc(labels, scores)
    assert abs(found.estimate - norm.cdf(0.8 / np.sqrt(2))) < 3 * error
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.1)
    half = classification.auc_interval(labels, scores, level=0.5)
    assert (half.high - half.low) / 2 == pytest.approx(0.674 * error, rel=0.15)


def test_the_interval_covers_also_with_ties():
    # Of shift 1, rounded to whole numbers: P(X > Y) + P(X = Y)/2.
    cells = np.arange(-9, 10)

    def masses(mean):
        return norm.cdf(cells + 0.5 - mean) - norm.cdf(cells - 0.5 - mean)

    p, q = masses(1), masses(0)
    truth = (p * (np.cumsum(q) - q / 2)).sum()
    hits = []
    for seed in range(300):
        labels, scores = binormal(120, 1.0, seed)
        hits.append(truth in classification.auc_interval(labels, scores.round(), resamples=300))
    assert 0.90 <= np.mean(hits) <= 0.985


def test_perfect_and_constant_scores_have_intervals_of_a_point():
    labels = np.arange(40) < 15
    assert tuple(classification.auc_interval(labels, labels)) == (1.0, 1.0, 1.0)
    assert tuple(classification.auc_interval(labels, np.zeros(40))) == (0.5, 0.5, 0.5)


def test_four_rows_in_a_class_have_no_interval():
    found = classification.auc_interval(np.arange(90) < 4, np.arange(90.0))
    assert found.estimate == 0 and np.isnan([found.low, found.high]).all()


def test_pairs_share_their_resamples():
    rng = np.random.default_rng(4)
    labels, base = binormal(900, 1.0, 4)
    scores = {
        "base": base,
        "same": 3 * base - 1,
        "near": base + 0.1 * rng.normal(size=900),
        "noise": rng.normal(size=900),
    }
    found = classification.paired(labels, scores, ("base", "noise"))
    apart = found.difference["base"]
    assert tuple(apart["same"]) == (0.0, 0.0, 0.0)
    assert tuple(found.auc["base"]) == tuple(classification.auc_interval(labels, base))
    assert apart["near"].high - apart["near"].low < 0.3 * (
        found.auc["base"].high - found.auc["base"].low
    )
    assert apart["noise"].estimate == pytest.approx(
        found.auc["noise"].estimate - found.auc["base"].estimate
    )
    assert apart["noise"].high < 0 and 0.5 in found.auc["noise"]
    assert (
        list(found.difference) == ["base", "noise"]
        and "base" not in apart
        and classification.paired(labels, scores).difference == {}
    )
    back = found.difference["noise"]["base"]
    assert (back.estimate, back.low, back.high) == (
        -apart["noise"].estimate,
        -apart["noise"].high,
        -apart["noise"].low,
    )


def test_resampling_is_fast_repeatable_and_independent_of_its_blocks(monkeypatch):
    labels, scores = binormal(4000, 0.5, 5)
    start = time.process_time()
    found = classification.auc_interval(labels, scores, resamples=1000, seed=7)
    assert time.process_time() - start < 3
    assert tuple(found) == tuple(
        classification.auc_interval(labels, scores, resamples=1000, seed=7)
    )
    assert tuple(found) != tuple(
        classification.auc_interval(labels, scores, resamples=1000, seed=8)
    )
    monkeypatch.setattr(classification, "_VALUES", 1)
    few = binormal(30, 0.5, 5)
    assert classification.auc_interval(*few, resamples=50).low < classification.auc(*few)


def test_percentiles_keep_infinities_in_order():
    draws = np.r_[np.arange(90.0), np.full(10, INF)]
    found = classification.percentile_interval(45, draws, 0.9)
    assert (found.low, found.high) == (5.0, INF)
    assert np.isnan(classification.percentile_interval(45, np.r_[draws, NAN]).low)
    found = classification.percentile_interval(0, np.random.default_rng(0).normal(size=200_000))
    assert (found.low, found.high) == pytest.approx((-1.96, 1.96), abs=0.02)


def test_prediction_over_time_grows_with_the_signal():
    rng = np.random.default_rng(8)
    n, shifts = 3000, np.array([0.0, 0.5, 1.0, 2.0])
    labels = rng.random(n) < 0.4
    signal = rng.normal(size=(4, n, 2)) + (shifts[:, None] * labels)[:, :, None] / np.sqrt(2)
    features = {"signal": signal, "noise": rng.normal(size=(4, n))}
    train, test = classification.split(n, 8, strata=labels)
    found = classification.over_time(
        labels, features, train, test, "gaussian", baselines=("noise", "signal"), resamples=200
    )
    assert found.auc["signal"].estimate == pytest.approx(norm.cdf(shifts / np.sqrt(2)), abs=0.035)
    assert ((found.auc["noise"].low < 0.5) & (found.auc["noise"].high > 0.5)).sum() >= 3
    apart = found.difference["noise"]
    assert apart["signal"].estimate == pytest.approx(
        found.auc["signal"].estimate - found.auc["noise"].estimate
    )
    assert (
        list(apart) == ["signal"]
        and list(found.difference) == ["noise", "signal"]
        and (apart["signal"].low[1:] > 0).all()
    )
    np.testing.assert_array_equal(found.difference["signal"]["noise"].low, -apart["signal"].high)
    assert found.reasons == ("",) * 4
    assert found.rows.tolist() == [[labels[test].sum(), (~labels[test]).sum()]] * 4
    alone = classification.auc_interval(
        labels[test],
        classification.log_odds(signal[2], labels, train, test, "gaussian"),
        resamples=200,
    )
    assert tuple(x[2] for x in found.auc["signal"]) == tuple(alone)


def test_decided_runs_are_left_out_and_too_few_give_nan_with_a_reason():
    rng = np.random.default_rng(9)
    labels = np.arange(200) % 2 == 0
    features = {"leak": np.stack([np.where(labels, NAN, rng.normal(size=200))] * 3)}
    undecided = np.ones((3, 200), dtype=bool)
    undecided[1, 16:] = ~labels[16:]
    undecided[2] = False
    train, test = classification.split(200, 9, strata=labels)
    found = classification.over_time(
        labels, features, train, test, undecided=undecided, least=10, resamples=20
    )
    assert found.auc["leak"].estimate[0] == 1.0
    assert (
        np.isnan(found.auc["leak"].estimate[1:]).all() and np.isnan(found.auc["leak"].low[1:]).all()
    )
    assert found.reasons[0] == "" and "at least 10 each are needed" in found.reasons[1]
    assert (
        found.reasons[2]
        == "train: 0 runs in the class and 0 outside it, of which at least 10 each are needed"
    )
    assert found.rows[2].tolist() == [0, 0]


def test_bad_input_is_refused():
    labels = np.array([True, False])
    for scores, match in [([1.0, NAN], "score NaN in row 1"), ([1.0], r"shape \(1,\)")]:
        for function in (classification.roc, classification.auc, classification.auc_interval):
            with pytest.raises(ValueError, match=match):
                function(labels, scores)
    with pytest.raises(ValueError, match="all 2 rows are in one class"):
        classification.auc([True, True], [1, 2])
    with pytest.raises(ValueError, match="true or false"):
        classification.auc([0.5, 1], [1, 2])
    with pytest.raises(ValueError, match="level 95"):
        classification.auc_interval(labels, [1, 2], level=95)
    with pytest.raises(ValueError, match="resamples = 0"):
        classification.auc_interval(labels, [1, 2], resamples=0)
    with pytest.raises(ValueError, match="baseline 'loss' has no scores; there are 'norm'"):
        classification.paired(labels, {"norm": [1, 2]}, ("norm", "loss"))
    for function in (
        lambda: classification.paired(labels, {"loss": [1, 2]}, "loss"),
        lambda: classification.over_time(
            labels, {"loss": np.zeros((1, 2))}, [0], [1], baselines="loss"
        ),
    ):
        with pytest.raises(ValueError, match="baselines = 'loss': expected a sequence of names"):
            function()
    for features in (
        {},
        {"loss": np.zeros((3, 5))},
        {"a": np.zeros((3, 2)), "b": np.zeros((4, 2))},
    ):
        with pytest.raises(ValueError, match="expected .T, n, f. each"):
            classification.over_time(labels, features, [0], [1])
    with pytest.raises(ValueError, match="expected .3, 2. and bool"):
        classification.over_time(
            labels, {"a": np.zeros((3, 2))}, [0], [1], undecided=np.ones(2, dtype=bool)
        )
