"""Early stopping: exact shares for scores that know all, nothing, or the opposite."""

import itertools

import numpy as np
import pytest

from netdyn_lib.statistics import classification
from netdyn_lib.statistics.early_stopping import Plan, _Half, savings

NAN, INF = np.nan, np.inf
M, RISK = 10, 0.05


def trade_off(loss, score, group):
    """Thresholds, and the shares of runs abandoned and of groups missed at each."""
    half = _Half(np.where(np.isnan(loss), INF, loss), np.where(np.isnan(score), INF, score), group)
    abandoned, missed = half.curves(np.ones((len(loss), 1)))
    return half.thresholds, abandoned[:, 0], missed[:, 0]


def rule(loss, score, halves, plan, **options):
    return savings(loss, {"loss": score}, halves, plan, **options).rules["loss"]


def enumerated(loss, kept, group):
    """Share of groups missed, over all groups drawn with replacement."""
    missed = 0
    for members in itertools.product(range(len(loss)), repeat=group):
        members = np.array(members)
        best, carried = loss[members].min(), loss[members][kept[members]]
        missed += bool(np.isfinite(best) and (not len(carried) or carried.min() > best))
    return missed / len(loss) ** group


@pytest.mark.parametrize("group", [1, 2, 3])
def test_shares_are_those_of_all_groups_counted_out(group):
    loss = np.array([3.0, 1.0, 1.0, NAN, 2.0, 1.0])
    score = np.array([0.5, 2.0, 1.0, 3.0, 2.0, NAN])
    threshold, abandoned, missed = trade_off(loss, score, group)
    assert threshold.tolist() == [INF, 3.0, 2.0, 1.0, 0.5, -INF]
    level, finite = np.where(np.isnan(score), INF, score), np.where(np.isnan(loss), INF, loss)
    for t, share, miss in zip(threshold, abandoned, missed):
        assert share == pytest.approx((level > t).mean())
        assert miss == pytest.approx(enumerated(finite, level <= t, group))


def test_scores_that_know_all_nothing_or_the_opposite():
    rng = np.random.default_rng(0)
    loss = rng.exponential(size=4000)
    _, q, missed = trade_off(loss, loss, M)
    assert missed == pytest.approx(q**M, abs=1e-12)
    _, q, missed = trade_off(loss, -loss, M)
    assert missed == pytest.approx(1 - (1 - q) ** M, abs=1e-12)
    curves = [trade_off(loss, rng.random(4000), M)[2] for _ in range(40)]
    assert np.mean(curves, axis=0) == pytest.approx(q, abs=0.02)


def test_equal_losses_are_missed_only_together():
    # Half of the runs reach the target alike: keeping any of them does.
    loss = np.repeat([1.0, 5.0], 100)
    score = np.r_[np.arange(100), np.full(100, 1000)]
    _, abandoned, missed = trade_off(loss, score, group=3)
    kept = np.isclose(abandoned, 0.9)  # 20 of the 100 go on
    # Missed: some of the 80 in the group, none of the 20; or of the other 100 alone, none of which
    # goes on.
    assert missed[kept] == pytest.approx(0.9**3, abs=1e-12)
    assert missed[np.isclose(abandoned, 0.5)] == pytest.approx(0.5**3, abs=1e-12)


def test_runs_that_diverged_are_given_up_at_no_risk():
    rng = np.random.default_rng(3)
    loss = np.where(np.arange(400) % 4 == 0, NAN, rng.random(400))
    halves = classification.split(400, 0, strata=np.isnan(loss))
    found = rule(loss, loss, halves, Plan(0, 100, risk=0), resamples=20)
    assert found.threshold == np.nanmax(loss[halves[0]]) and found.missed.estimate < 1e-5
    assert found.abandoned.estimate == pytest.approx(0.25, abs=0.02)
    halves = range(20), range(20, 40)
    found = rule(np.full(40, NAN), np.zeros(40), halves, Plan(0, 9), resamples=5)
    shares = found.threshold, found.abandoned.estimate, found.missed.estimate
    assert shares == (-INF, 1, 0)


@pytest.fixture(scope="module")
def ensemble():
    rng = np.random.default_rng(4)
    loss, blurred, nothing = rng.exponential(size=6000), rng.normal(size=6000), rng.random(6000)
    scores = {"loss": loss * np.exp(blurred), "all": loss, "nothing": nothing, "opposite": -loss}
    return loss, scores, classification.split(6000, 4)


def test_the_share_abandoned_is_the_closed_form(ensemble):
    loss, scores, halves = ensemble
    found = savings(loss, scores, halves, Plan(200, 1000, M, RISK), resamples=400)
    train, test = (loss[rows] for rows in halves)
    knows = found.rules["all"]
    most = np.floor(3000 * RISK ** (1 / M)) / 3000
    assert (train > knows.threshold).mean() == pytest.approx(most, abs=1e-9)
    assert knows.missed.estimate == pytest.approx((test > knows.threshold).mean() ** M)
    assert knows.saved.estimate == pytest.approx(0.8 * knows.abandoned.estimate)
    for name, truth, within in (
        ("all", RISK ** (1 / M), 0.25),
        ("nothing", RISK, 0.25),
        ("opposite", 1 - (1 - RISK) ** (1 / M), 0.6),
    ):
        assert found.rules[name].abandoned.estimate == pytest.approx(truth, rel=within)
        assert truth in found.rules[name].abandoned and RISK in found.rules[name].missed
    saved = [found.rules[name].saved.estimate for name in ("all", "loss", "nothing")]
    assert saved == sorted(saved, reverse=True)


def test_rules_are_compared_on_the_same_runs(ensemble):
    loss, scores, halves = ensemble
    more = {"loss": scores["loss"], "alike": 2 * scores["loss"] + 1, "all": loss}
    found = savings(loss, more, halves, Plan(200, 1000), resamples=400)
    assert tuple(found.saved["alike"]) == tuple(found.missed["alike"]) == (0, 0, 0)
    assert found.saved["all"].low > 0 and list(found.saved) == ["alike", "all"]
    lead = found.rules["all"].saved.estimate - found.rules["loss"].saved.estimate
    assert found.saved["all"].estimate == pytest.approx(lead)
    dear = savings(loss, more, halves, Plan(200, 1000, overhead={"alike": 300}), resamples=50)
    assert tuple(dear.saved["alike"]) == pytest.approx((-0.3, -0.3, -0.3))
    assert tuple(dear.missed["alike"]) == (0, 0, 0)
    late = savings(loss, more, halves, Plan(1000, 1000), resamples=20)
    assert late.rules["all"].saved.estimate == 0


def test_a_score_learned_by_heart_saves_nothing_when_cross_fitted():
    rng = np.random.default_rng(5)
    loss, noise = rng.exponential(size=800), rng.normal(size=(800, 150))
    halves = train, test = classification.split(800, 5)
    failed = loss > np.median(loss)
    honest = classification.cross_fitted(noise, failed, train, test)
    heart, twice = honest.copy(), (np.r_[noise, noise], np.r_[failed, failed])
    heart[train] = classification.log_odds(*twice, train, train + 800)
    scores = {"loss": honest, "heart": heart}
    found = savings(loss, scores, halves, Plan(0, 100), resamples=50).rules
    assert found["heart"].missed.estimate > 3 * RISK
    assert found["loss"].missed.low < 0.08 and found["loss"].abandoned.estimate < 0.2


def test_runs_at_the_threshold_go_on():
    loss = np.random.default_rng(7).random(2000)
    halves = classification.split(2000, 7)
    found = rule(loss, loss > 0.5, halves, Plan(0, 10), resamples=20)
    share = (loss[halves[1]] > 0.5).mean()
    assert found.threshold == 0 and found.abandoned.estimate == share
    assert found.missed.estimate == pytest.approx(share**M)


def test_the_intervals_cover_the_truth():
    # Of a score that knows nothing, the share of epochs saved at risk r is r (1 − t/T).
    hits = []
    for seed in range(80):
        loss, score = np.random.default_rng(seed).random((2, 400))
        halves = classification.split(400, seed)
        found = rule(loss, score, halves, Plan(50, 100, group=3), resamples=150)
        hits.append(RISK / 2 in found.saved)
    assert np.mean(hits) > 0.85


@pytest.mark.parametrize(
    ("plan", "wrong", "match"),
    [
        (dict(decision_time=10), {}, "time = 10: must lie within 0 and the horizon, 9 epochs"),
        (dict(risk=NAN), {}, "risk = nan"),
        (dict(baseline="norm"), {}, "no rule 'norm'; there are 'loss'"),
        ({}, dict(halves=([0, 1, 2], [2, 3])), "1 rows, the first 2, are both in train and test"),
        ({}, dict(halves=([0, 1, 2], [])), "at least 1 run in each half"),
        ({}, dict(scores={"loss": np.ones(5)}), r"score of shape \(5,\) for 6 runs"),
    ],
)
def test_bad_input_is_refused(plan, wrong, match):
    good = dict(final_loss=np.ones(6), scores={"loss": np.ones(6)}, halves=(range(3), range(3, 6)))
    with pytest.raises(ValueError, match=match):
        savings(**{**good, **wrong}, plan=Plan(**{**dict(decision_time=1, horizon=9), **plan}))
