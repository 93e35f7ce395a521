"""Early stopping: exact shares for scores that know all, nothing, or the opposite."""

import itertools

import numpy as np
import pytest

from netdyn_lib.statistics import classification, early_stopping

NAN, INF = np.nan, np.inf
M, RISK = 10, 0.05


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
    threshold, abandoned, missed = early_stopping.trade_off(loss, score, group)
    assert threshold.tolist() == [INF, 3.0, 2.0, 1.0, 0.5, -INF]
    level, finite = np.where(np.isnan(score), INF, score), np.where(np.isnan(loss), INF, loss)
    for t, share, miss in zip(threshold, abandoned, missed):
        assert share == pytest.approx((level > t).mean())
        assert miss == pytest.approx(enumerated(finite, level <= t, group))


def test_scores_that_know_all_nothing_or_the_opposite():
    rng = np.random.default_rng(0)
    loss = rng.exponential(size=4000)
    _, q, missed = early_stopping.trade_off(loss, loss, M)
    assert missed == pytest.approx(q**M, abs=1e-12)
    _, q, missed = early_stopping.trade_off(loss, -loss, M)
    assert missed == pytest.approx(1 - (1 - q) ** M, abs=1e-12)
    curves = [early_stopping.trade_off(loss, rng.random(4000), M)[2] for _ in range(40)]
    assert np.mean(curves, axis=0) == pytest.approx(q, abs=0.02)


def test_a_group_of_one_misses_what_is_abandoned():
    loss, score = np.random.default_rng(1).random((2, 50))
    _, abandoned, missed = early_stopping.trade_off(loss, score, group=1)
    assert missed == pytest.approx(abandoned)


def test_only_the_order_counts():
    loss, score = np.random.default_rng(2).random((2, 300))
    first = early_stopping.trade_off(loss, score, M)
    second = early_stopping.trade_off(np.exp(9 * loss), score**3, M)
    assert np.array_equal(first[1], second[1]) and np.array_equal(first[2], second[2])


def test_equal_losses_are_missed_only_together():
    # Half of the runs reach the target alike: keeping any of them does.
    loss = np.repeat([1.0, 5.0], 100)
    score = np.r_[np.arange(100), np.full(100, 1000)]
    threshold, abandoned, missed = early_stopping.trade_off(loss, score, group=3)
    kept = np.isclose(abandoned, 0.9)  # 20 of the 100 go on
    # Missed: some of the 80 in the group, none of the 20; or of the other 100 alone, none of which
    # goes on.
    assert missed[kept] == pytest.approx(0.9**3, abs=1e-12)
    assert missed[np.isclose(abandoned, 0.5)] == pytest.approx(0.5**3, abs=1e-12)


def test_runs_that_diverged_are_given_up_at_no_risk():
    rng = np.random.default_rng(3)
    loss = np.where(np.arange(400) % 4 == 0, NAN, rng.random(400))
    halves = classification.split(400, 0, strata=np.isnan(loss))
    found = early_stopping.savings(
        loss, {"loss": loss}, 0, 100, *halves, risk=0, resamples=20
    ).rules["loss"]
    assert found.threshold == np.nanmax(loss[halves[0]]) and found.missed.estimate < 1e-5
    assert found.abandoned.estimate == pytest.approx(0.25, abs=0.02)
    everything = early_stopping.savings(
        np.full(40, NAN), {"loss": np.zeros(40)}, 0, 9, range(20), range(20, 40), resamples=5
    ).rules["loss"]
    assert (
        everything.threshold == -INF
        and everything.abandoned.estimate == 1
        and everything.missed.estimate == 0
    )
    assert np.isnan(everything.best_loss_ratio.estimate)


@pytest.fixture(scope="module")
def ensemble():
    rng = np.random.default_rng(4)
    loss = rng.exponential(size=6000)
    scores = {
        "loss": loss * np.exp(rng.normal(size=6000)),
        "all": loss,
        "nothing": rng.random(6000),
        "opposite": -loss,
    }
    return loss, scores, classification.split(6000, 4)


def test_the_share_abandoned_is_the_closed_form(ensemble):
    loss, scores, halves = ensemble
    found = early_stopping.savings(
        loss, scores, 200, 1000, *halves, M, RISK, level=0.999, resamples=1000
    )
    train = loss[halves[0]]
    knows = found.rules["all"]
    assert (train > knows.threshold).mean() == pytest.approx(
        np.floor(3000 * RISK ** (1 / M)) / 3000, abs=1e-9
    )
    assert knows.missed.estimate == pytest.approx((loss[halves[1]] > knows.threshold).mean() ** M)
    assert knows.best_loss_ratio.estimate == 1 and knows.saved.estimate == pytest.approx(
        0.8 * knows.abandoned.estimate
    )
    for name, truth in (
        ("all", RISK ** (1 / M)),
        ("nothing", RISK),
        ("opposite", 1 - (1 - RISK) ** (1 / M)),
    ):
        assert found.rules[name].abandoned.estimate == pytest.approx(
            truth, rel=0.6 if name == "opposite" else 0.25
        )
        assert truth in found.rules[name].abandoned and RISK in found.rules[name].missed
    assert (
        found.rules["all"].saved.estimate
        > found.rules["loss"].saved.estimate
        > found.rules["nothing"].saved.estimate
    )


def test_rules_are_compared_on_the_same_runs(ensemble):
    loss, scores, halves = ensemble
    more = {"loss": scores["loss"], "alike": 2 * scores["loss"] + 1, "all": loss}
    found = early_stopping.savings(loss, more, 200, 1000, *halves, level=0.999, resamples=1000)
    assert tuple(found.saved["alike"]) == tuple(found.missed["alike"]) == (0, 0, 0)
    assert (
        found.saved["all"].low > 0
        and 0 in found.missed["all"]
        and set(found.saved) == {"alike", "all"}
    )
    assert found.saved["all"].estimate == pytest.approx(
        found.rules["all"].saved.estimate - found.rules["loss"].saved.estimate
    )
    dear = early_stopping.savings(
        loss, more, 200, 1000, *halves, overhead={"alike": 300}, resamples=50
    )
    assert tuple(dear.saved["alike"]) == pytest.approx((-0.3, -0.3, -0.3)) and tuple(
        dear.missed["alike"]
    ) == (0, 0, 0)
    late = early_stopping.savings(loss, more, 1000, 1000, *halves, resamples=20)
    assert late.rules["all"].saved.estimate == 0


def test_a_score_learned_by_heart_saves_nothing_when_cross_fitted():
    rng = np.random.default_rng(5)
    loss, noise = rng.exponential(size=800), rng.normal(size=(800, 150))
    train, test = classification.split(800, 5)
    failed = loss > np.median(loss)
    honest = classification.cross_fitted(noise, failed, train, test, "gaussian")
    heart = honest.copy()
    heart[train] = classification.log_odds(
        np.r_[noise, noise], np.r_[failed, failed], train, train + 800, "gaussian"
    )
    found = early_stopping.savings(
        loss, {"loss": honest, "heart": heart}, 0, 100, train, test, resamples=50
    )
    assert found.rules["heart"].missed.estimate > 3 * RISK
    assert found.rules["loss"].missed.low < 0.08 and found.rules["loss"].abandoned.estimate < 0.2


def test_runs_at_the_threshold_go_on():
    loss = np.random.default_rng(7).random(2000)
    train, test = classification.split(2000, 7)
    found = early_stopping.savings(
        loss, {"loss": loss > 0.5}, 0, 10, train, test, resamples=20
    ).rules["loss"]
    assert found.threshold == 0
    assert found.abandoned.estimate == (loss[test] > 0.5).mean()
    assert found.missed.estimate == pytest.approx((loss[test] > 0.5).mean() ** M)


def test_the_median_best_loss_is_that_of_groups_drawn():
    rng = np.random.default_rng(6)
    loss = rng.exponential(size=1000)
    score = -loss + 0.5 * rng.normal(size=1000)
    halves = np.arange(500), np.arange(500, 1000)
    found = early_stopping.savings(
        loss, {"loss": score}, 0, 10, *halves, group=5, risk=0.4, resamples=200
    ).rules["loss"]
    drawn = rng.integers(500, 1000, size=(200_000, 5))
    carried = np.where(score[drawn] <= found.threshold, loss[drawn], INF).min(1)
    ratio = np.median(carried) / np.median(loss[drawn].min(1))
    assert found.best_loss_ratio.estimate == pytest.approx(ratio, rel=0.03) and ratio > 1.2
    assert found.best_loss_ratio.low < ratio < found.best_loss_ratio.high
    assert found.missed.estimate == pytest.approx((carried > loss[drawn].min(1)).mean(), abs=0.005)


def test_the_intervals_cover_the_truth():
    # Of a score that knows nothing, the share of epochs saved at risk r is r (1 − t/T).
    hits = []
    for seed in range(120):
        loss, score = np.random.default_rng(seed).random((2, 400))
        rule = early_stopping.savings(
            loss, {"loss": score}, 50, 100, *classification.split(400, seed), group=3, resamples=150
        ).rules["loss"]
        hits.append(RISK / 2 in rule.saved)
    assert np.mean(hits) > 0.85


def test_bad_input_is_refused():
    loss, halves = np.ones(6), dict(train=[0, 1, 2], test=[3, 4, 5])
    good = dict(final_loss=loss, scores={"loss": loss}, decision_time=1, horizon=9, **halves)
    for wrong, match in [
        (dict(decision_time=10), "decision_time = 10: must lie within 0 and the horizon, 9 epochs"),
        (dict(horizon=0), "horizon = 0"),
        (dict(risk=1), "risk = 1"),
        (dict(risk=NAN), "risk = nan"),
        (dict(group=0), "group = 0"),
        (dict(resamples=0), "resamples = 0"),
        (dict(level=2), "level 2"),
        (dict(baseline="norm"), "no rule 'norm'; there are 'loss'"),
        (dict(overhead={"norm": 1}), "no rule 'norm'"),
        (dict(test=[2, 3]), "1 rows, the first 2, are both in train and test"),
        (dict(test=[]), "at least 1 run in each half"),
        (dict(final_loss=-loss), "final loss -1.0: must not be negative"),
        (dict(scores={"loss": loss[1:]}), r"score of shape \(5,\) for 6 runs"),
    ]:
        with pytest.raises(ValueError, match=match):
            early_stopping.savings(**{**good, **wrong})
