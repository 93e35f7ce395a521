"""What tells the outcome: on synthetic campaigns of which it is known."""

import json

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.experiments.outcome_prediction import (
    campaign,
    measures,
    nearest,
    predicting,
    predictors,
    results,
)
from netdyn_lib.lyapunov import angles
from tests.small_campaigns import small

RULES = ["random", "loss", "loss, fitted", "weights", "Hessian", "exponents", "vectors"]
STEPS, TIMES = 1000, np.array([5, 15, 50])  # steps; a step takes 0.001
CURVE = small(steps=STEPS).curve


def synthetic(known=(), count=200, failed=None, size=9, seed=0, **given):
    """A campaign of noise, but for the variables ``known``, which are larger by ten in failed runs;
    every second run has failed.

    Variables ``given`` are taken as they are.
    """
    rng = np.random.default_rng(seed)
    failed = np.arange(count) % 2 == 0 if failed is None else failed
    lengths = dict(
        time=len(TIMES),
        step=len(CURVE),
        parameter=size,
        index=size,
        pair=size * (size - 1) // 2,
        split=size - 1,
    )
    variables = {}
    for name, dims in campaign._DIMS.items():
        dims = dims[:1] + ("network",) + dims[1:]
        values = rng.random([count if d == "network" else lengths[d] for d in dims]) + 0.1
        if name in known:
            values += 10 * failed.reshape([-1 if d == "network" else 1 for d in dims])
        variables[name] = dims, values
    variables["final_loss"] = "network", np.where(failed, 150.0, 1.0) + rng.random(count)
    variables["diverged_at"] = "network", np.full(count, -1)
    for name, values in given.items():
        variables[name] = variables[name][0], values
    coords = dict(
        time=TIMES / STEPS,
        step=np.array(CURVE),
        network=np.arange(count),
        index=np.arange(1, size + 1),
        split=np.arange(1, size),
        pair=list(angles.labels(size)),
    )
    return xr.Dataset(
        variables,
        coords,
        {"name": "synthetic", "steps": STEPS, "duration": 1.0, "provenance": "made up"},
    )


@pytest.fixture(scope="module")
def table():
    return predicting.table(synthetic(("hessian", "exponents")), resamples=50)


# Features


def test_features_of_every_predictor_are_those_of_the_dataset():
    data = synthetic(count=4)
    found = predictors.by_name(data)
    widths = {
        "loss": 1,
        "gradient": 1,
        "weights": 9,
        "Hessian": 9,
        "exponents": 9,
        "singular values": 9,
        "vectors": 44,
        "growth": 9,
        "degeneracy": 1,
        "vectors 5 to 8": 10,
        "vectors, far future": 44,
        "growth, far future": 9,
    }
    assert {name: values.shape for name, values in found.items()} == {
        name: (3, 4, width) for name, width in widths.items()
    }
    assert set(predictors.FROM_THE_FUTURE) <= set(found)
    np.testing.assert_array_equal(found["loss"][..., 0], np.log(data["loss"]))
    np.testing.assert_array_equal(found["vectors"][..., :36], data["frozen_angles"])
    np.testing.assert_array_equal(found["vectors"][..., 36:], data["frozen_splitting"])
    pairs = ["(5,6)", "(5,7)", "(5,8)", "(6,7)", "(6,8)", "(7,8)"]
    np.testing.assert_array_equal(
        found["vectors 5 to 8"][..., 4:], data["frozen_angles"].sel(pair=pairs)
    )
    np.testing.assert_array_equal(
        found["vectors 5 to 8"][..., :4], data["frozen_growth"].sel(index=[5, 6, 7, 8])
    )
    np.testing.assert_array_equal(found["vectors, far future"][..., :36], data["far_angles"])


@pytest.mark.filterwarnings("error")
def test_a_loss_of_zero_has_a_logarithm():
    data = synthetic(count=4, loss=np.zeros((3, 4)))
    assert (predictors.by_name(data)["loss"] == -np.inf).all()


def test_networks_too_small_for_the_middle_vectors_are_an_error():
    with pytest.raises(ValueError, match="networks of 7 parameters"):
        predictors.by_name(synthetic(count=4, size=7))


def test_networks_are_undecided_until_they_diverge():
    """Whatever the first of the times is."""
    data = synthetic(count=6, diverged_at=np.array([-1, 5, 6, 15, 50, 51]))
    wanted = [[1, 0, 1, 1, 1, 1], [1, 0, 0, 0, 1, 1], [1, 0, 0, 0, 0, 1]]
    np.testing.assert_array_equal(predictors.undecided(data), np.array(wanted, bool))
    np.testing.assert_array_equal(
        predictors.undecided(data.isel(time=[1])), np.array(wanted[1:2], bool)
    )


# Scores


def test_outcomes_are_by_the_papers_bounds():
    found = predicting.outcomes(
        synthetic(count=6, final_loss=np.array([3.9, 4, 100, 100.1, np.nan, np.inf]))
    )
    assert (
        found.ideal.tolist() == [True] + [False] * 5
        and found.failed.tolist() == [False] * 3 + [True] * 3
    )


def test_a_table_has_names_and_bounds(table):
    assert table["auc"].dims == ("outcome", "predictor", "time", "bound")
    assert table["difference"].dims == ("outcome", "predictor", "baseline", "time", "bound")
    assert table["baseline"].values.tolist() == ["loss", "weights", "Hessian"]
    assert table["outcome"].values.tolist() == ["ideal", "failed"] and table[
        "bound"
    ].values.tolist() == ["estimate", "low", "high"]
    assert table["predictor"].values.tolist() == list(predictors.by_name(synthetic(count=4)))
    np.testing.assert_array_equal(table["time"], TIMES / STEPS)
    assert table["runs"].dims == ("outcome", "time", "side") and (table["runs"] == 50).all()
    assert table.attrs == {"method": "binned", "reasons": []}
    ordered = table["auc"].transpose("bound", ...).values
    assert (ordered[1] <= ordered[2]).all()


def test_what_knows_the_outcome_has_an_area_of_one_and_noise_one_half(table):
    for outcome in ("ideal", "failed"):
        part = table["auc"].sel(outcome=outcome, bound="estimate")
        assert (part.sel(predictor=["Hessian", "exponents"]) == 1).all()
        noise = part.drop_sel(predictor=["Hessian", "exponents"])
        assert abs(noise - 0.5).max() < 0.25 and abs(noise.mean() - 0.5) < 0.05


@pytest.mark.parametrize("baseline", ["loss", "weights", "Hessian"])
def test_differences_are_to_each_baseline(table, baseline):
    apart, areas = (
        table["difference"].sel(bound="estimate", baseline=baseline),
        table["auc"].sel(bound="estimate"),
    )
    assert np.isnan(apart.sel(predictor=baseline)).all()
    np.testing.assert_allclose(
        apart.drop_sel(predictor=baseline),
        (areas - areas.sel(predictor=baseline)).drop_sel(predictor=baseline),
    )
    sure = table["difference"].sel(predictor="exponents", bound="low", baseline=baseline)
    assert (sure == 0).all() if baseline == "Hessian" else (sure > 0.25).all()


def test_the_loss_at_the_end_knows_all():
    final = synthetic()["final_loss"].values
    data = synthetic(loss=np.array([np.ones(200), final, final]))
    table = predicting.table(data, resamples=20)
    np.testing.assert_array_equal(
        table["auc"].sel(predictor="loss", bound="estimate"), [[0.5, 1, 1]] * 2
    )


def test_other_methods_and_seeds_are_other_numbers():
    data = synthetic()
    one, other, seeded = (
        predicting.table(data, *words) for words in (("binned", 5), ("ranked", 5), ("binned", 5, 1))
    )
    assert (
        other.attrs["method"] == "ranked"
        and not one["auc"].equals(other["auc"])
        and not one["auc"].equals(seeded["auc"])
    )
    assert one.equals(predicting.table(data, resamples=5))


def test_too_few_runs_are_nan_with_a_reason():
    table = predicting.table(synthetic(("hessian",), failed=np.arange(200) < 12), resamples=5)
    assert np.isnan(table["auc"]).all() and np.isnan(table["difference"]).all()
    (reason,) = {r.partition(":")[0] for r in table.attrs["reasons"]}
    assert reason == "train" and table["runs"].sel(outcome="failed", side="in").values.tolist() == [
        6,
        6,
        6,
    ]


def test_runs_that_have_diverged_take_no_part():
    gone = np.full(200, -1)
    gone[:80:2] = 10  # forty of the failed, between the first two times
    data = synthetic(("hessian",), diverged_at=gone)
    runs = predicting.table(data, resamples=5)["runs"].sel(outcome="failed", side="in").values
    assert runs[0] == 50 and runs[1] == runs[2] and 20 <= runs[1] <= 40


def test_a_course_is_one_outcome_of_a_table(table):
    course = predicting.course(synthetic(("hessian", "exponents")), "failed", resamples=50)
    np.testing.assert_array_equal(
        course.auc["weights"].low,
        table["auc"].sel(outcome="failed", predictor="weights", bound="low"),
    )
    for name in predicting.BASELINES:
        np.testing.assert_array_equal(
            course.difference[name]["exponents"].high,
            table["difference"].sel(
                outcome="failed", predictor="exponents", baseline=name, bound="high"
            ),
        )


# Stopping early


def test_savings_are_of_the_runs_abandoned_less_the_work():
    data = synthetic(
        ("hessian", "exponents", "frozen_angles"), count=400, failed=np.arange(400) % 10 < 7
    )
    found = predicting.savings(data, 0.016, resamples=20)
    assert list(found.rules) == RULES and found.baseline == "loss"
    now = 15
    for rule, work in {
        "random": 0,
        "loss": 0,
        "loss, fitted": 0,
        "weights": 0,
        "Hessian": 18,
        "exponents": 18 * now,
        "vectors": 18 * now,
    }.items():
        saving = found.rules[rule]
        assert saving.saved.estimate == pytest.approx(
            saving.abandoned.estimate * (1 - now / STEPS) - work / STEPS
        )
    # Who knows the outcome abandons the 0.7 that fail; a lot q with 0.7 + 0.3 q = 0.05^(1/10), for
    # ideal runs are equally good.
    shares = {rule: saving.abandoned.estimate for rule, saving in found.rules.items()}
    assert min(shares["Hessian"], shares["exponents"], shares["vectors"]) > 0.68, shares
    assert max(shares["random"], shares["loss"], shares["weights"]) < 0.4, shares
    assert found.saved["Hessian"].low > 0


def test_savings_of_other_rules_and_of_a_known_loss():
    final = synthetic(count=1000)["final_loss"].values
    data = synthetic(count=1000, loss=np.tile(final, (3, 1)))
    found = predicting.savings(data, 0.05, ("loss", "gradient"), resamples=20)
    assert list(found.rules) == ["loss", "gradient"]
    assert found.rules["loss"].abandoned.estimate == pytest.approx(0.05**0.1, abs=0.08)
    assert found.rules["gradient"].abandoned.estimate < 0.6


def test_a_fitted_loss_knows_what_a_small_loss_means():
    """Where failed runs begin with the smaller loss, stopping those of large loss is worse than by
    lot.
    """
    failed = np.arange(400) % 10 < 7
    loss = np.where(failed, 1.0, 2.0) + np.random.default_rng(0).random((3, 400)) / 10
    found = predicting.savings(synthetic(count=400, failed=failed, loss=loss), 0.015, resamples=20)
    assert (
        found.rules["loss, fitted"].abandoned.estimate
        > 0.65
        > 0.3
        > found.rules["loss"].abandoned.estimate
    )


def test_savings_over_time_are_those_of_each_time():
    data = synthetic(("hessian",), count=400, failed=np.arange(400) % 10 < 7)
    found = predicting.savings_over_time(data, resamples=20, seed=3)
    assert found["saved"].dims == ("rule", "time", "bound") and found.attrs == {
        "group": 10,
        "risk": 0.05,
        "reason": "",
    }
    assert found["rule"].values.tolist() == RULES and found["bound"].values.tolist() == [
        "estimate",
        "low",
        "high",
    ]
    np.testing.assert_array_equal(found["time"], data["time"])
    for time in data["time"].values:
        to = {
            name: predicting.savings(data, time, resamples=20, seed=3, baseline=name)
            for name in ("loss", "loss, fitted")
        }
        one, here = to["loss"], found.sel(time=time)
        for rule in RULES:
            np.testing.assert_array_equal(
                here["saved"].sel(rule=rule), tuple(one.rules[rule].saved)
            )
            np.testing.assert_array_equal(
                here["missed"].sel(rule=rule), tuple(one.rules[rule].missed)
            )
            for baseline, other in to.items():
                wanted = tuple(other.saved[rule]) if rule != baseline else [np.nan] * 3
                np.testing.assert_array_equal(
                    here["difference"].sel(rule=rule, baseline=baseline), wanted
                )
    two = predicting.savings_over_time(data, ("loss", "gradient"), group=5, risk=0.1, resamples=5)
    assert two["baseline"].values.tolist() == ["loss"]
    with pytest.raises(ValueError, match="no rule 'loss'"):
        predicting.savings_over_time(data, ("gradient",), resamples=5)
    assert two["rule"].values.tolist() == ["loss", "gradient"] and (
        two.attrs["group"],
        two.attrs["risk"],
    ) == (5, 0.1)


@pytest.mark.parametrize("ideal", [0, 18, 182, 200])
def test_savings_over_time_of_too_few_runs_are_nan_with_a_reason(ideal):
    found = predicting.savings_over_time(synthetic(failed=np.arange(200) >= ideal), resamples=5)
    assert all(np.isnan(found[name]).all() for name in ("saved", "missed", "difference"))
    assert found.attrs["reason"].startswith("train: ")
    enough = predicting.savings_over_time(
        synthetic(failed=np.arange(200) >= np.clip(ideal, 20, 180)), resamples=5
    )
    assert enough.attrs["reason"] == "" and np.isfinite(enough["saved"]).all()


def test_savings_without_both_classes_are_one_error():
    with pytest.raises(ValueError, match="0 runs in the class"):
        predicting.savings(synthetic(failed=np.zeros(200, bool)), 0.015, resamples=5)


def test_times_that_were_not_measured_are_one_error():
    data = synthetic()
    with pytest.raises(
        ValueError,
        match="time = 0.1: nothing was measured within 20% of it, but at 0.005, 0.015, 0.05",
    ):
        predicting.savings(data, 0.1, resamples=5)
    for look in (
        measures.positive,
        measures.less_stable,
        measures.nearer_tangency,
        measures.saw_tangencies,
        measures.saw_stability,
    ):
        with pytest.raises(ValueError, match="time = nan"):
            look(data, float("nan"))
    assert nearest.place(data, 0.06) == 2 and float(nearest.at(data, 0.0125)["time"]) == 0.015


# Marks of failed runs


def marks(data, **options):
    return [
        measure(data, 0.015, resamples=20, **options)
        for measure in (measures.positive, measures.less_stable, measures.nearer_tangency)
    ]


def alternating(values):
    """Exponents (T, n, P) and angles (T, n, pairs) of failed and of ideal runs."""
    failed = (np.arange(200) % 2 == 0)[None, :, None]
    noise = np.random.default_rng(1).random((3, 200, 36)) / 10
    return np.where(failed, values[0], values[1]) + noise


@pytest.mark.parametrize(("failed", "ideal", "wanted"), [(1, -1, [1, 1, 0]), (-1, 1, [-1, 0, 1])])
def test_marks_are_shares_that_are_known(failed, ideal, wanted):
    values = alternating((failed, ideal))
    found = marks(synthetic(exponents=values[..., :9], singular=values[..., :9], far_angles=values))
    assert [tuple(i) for i in found] == [(w,) * 3 for w in wanted] and found[0].level == 0.95


def test_marks_of_noise_are_between():
    for found, low, high in zip(
        marks(
            synthetic(
                exponents=alternating((-0.05, -0.05))[..., :9],
                singular=alternating((-0.05, -0.05))[..., :9],
            )
        ),
        (-0.3, 0, 0),
        (0.3, 1, 1),
    ):
        assert low <= found.low <= found.estimate <= found.high <= high and found.low < found.high


def test_nearer_tangency_looks_at_the_pairs_of_the_paper():
    values = alternating((1, 1))
    values[..., [angles.labels(9).index(p) for p in measures.PAIRS]] -= np.where(
        np.arange(200) % 2 == 0, 5, 0
    )[None, :, None]
    data = synthetic(far_angles=values)
    assert measures.nearer_tangency(data, 0.015, resamples=5).estimate == 1
    assert (
        0 <= measures.nearer_tangency(data, 0.015, pairs=("(1,2)", "(8,9)"), resamples=5).low <= 1
    )


def test_angles_of_equal_multipliers_take_no_part():
    values = alternating((1, -1))
    known = synthetic(far_angles=values)
    assert measures.nearer_tangency(known, 0.015, resamples=5).estimate == 0
    assert np.isnan(
        tuple(
            measures.nearer_tangency(
                synthetic(far_angles=values, frozen_angles=np.full_like(values, np.nan)), 0.015
            )
        )
    ).all()
    assert np.isnan(
        measures.determined(
            synthetic(frozen_angles=np.full_like(values, np.nan)), 0.015, measures.PAIRS
        )
    ).all()


def tangent_data(failed, ideal, count=800):
    """Angles of which the shares ``failed`` and ``ideal`` (6,) are below 10°, for the pairs of the
    paper.
    """
    values = np.full((3, count, 36), np.radians(50))
    for kind, shares in enumerate((failed, ideal)):
        for pair, share in zip(measures.PAIRS, shares):
            rows = np.arange(kind, count, 2)
            values[:, rows[: round(share * len(rows))], angles.labels(9).index(pair)] = np.radians(
                9
            )
    return synthetic(count=count, far_angles=values)


def test_a_pair_counts_where_failed_runs_surely_have_more_small_angles():
    data = tangent_data((0.3, 0.3, 0.1, 0.1, 0.1, 0), (0.1, 0.1, 0.1, 0.3, 0.3, 0))
    # (2,3) may be either; none is never more
    assert tuple(measures.nearer_tangency(data, 0.015)) == (2 / 6, 2 / 6, 3 / 6)
    assert (
        measures.saw_tangencies(data, 0.015)
        == "Angles below 10° are more frequent in failed runs: (1,2), (1,3); less frequent: (3,4), (4,5)."
    )
    shares = [i[0].estimate for i in measures.tangency(data, 0.015)]
    assert shares == pytest.approx([0.2, 0.2, 0, -0.2, -0.2, 0])
    # all or none: no difference
    assert measures.nearer_tangency(data, 0.015, below=60) == measures.nearer_tangency(
        data, 0.015, below=5
    )


def test_a_coin_has_no_tangencies():
    """By medians it had half; by chance one pair in forty counts."""
    rng = np.random.default_rng(3)
    found = [
        measures.nearer_tangency(
            synthetic(count=600, far_angles=rng.random((3, 600, 36)) * 1.5), 0.015, resamples=400
        )
        for _ in range(20)
    ]
    assert (
        np.mean([i.estimate for i in found]) < 0.08
        and np.mean([i.low == 0 and i.high == 1 for i in found]) > 0.8
    )


def test_intervals_of_tangency_are_those_of_two_shares():
    found = measures.tangency(
        tangent_data((0.3,) * 6, (0.1,) * 6), 0.015, levels=(0.95, 0.99), resamples=4000
    )[0]
    error = np.sqrt(0.3 * 0.7 / 400 + 0.1 * 0.9 / 400)
    for interval, z in zip(found, (1.96, 2.576)):
        assert (interval.low, interval.high) == pytest.approx(
            (0.2 - z * error, 0.2 + z * error), abs=0.008
        )


def test_pairs_of_which_little_is_determined_are_left_out_of_tangencies():
    data = tangent_data((0.5,) * 6, (0.1,) * 6)
    data["frozen_angles"][:, 18::2, 0] = np.nan  # nine failed runs are left
    assert measures.tangency(data, 0.015)[0] is None and tuple(
        measures.nearer_tangency(data, 0.015)
    ) == (1, 1, 1)
    assert "in failed runs: (1,3), (2,3)" in measures.saw_tangencies(data, 0.015)


def test_marks_need_ten_runs_of_a_class():
    for found in marks(synthetic(failed=np.arange(200) < 9)):
        assert np.isnan(tuple(found)).all()
    for found in marks(synthetic(failed=np.arange(200) < 10)):
        assert np.isfinite(tuple(found)).all()


@pytest.mark.filterwarnings("error")
def test_runs_without_numbers_are_left_out_of_marks():
    """A run that has diverged has no exponent: that is not one that is not positive."""
    values = alternating((1, -1))
    values[:, :120:2] = np.nan
    values[:, :, 7] = np.nan  # a pair that nobody has
    assert [
        i.estimate
        for i in marks(
            synthetic(
                exponents=values[..., [0] * 9], singular=values[..., [0] * 9], far_angles=values
            )
        )
    ] == [1, 1, 0]
    values[:, :190:2] = np.nan  # five are left
    for found in marks(
        synthetic(exponents=values[..., :9], singular=values[..., :9], far_angles=values)
    ):
        assert np.isnan(tuple(found)).all()


# Convergence of vectors, tangencies


def of_campaign(data, **changes):
    """A dataset that says which campaign it is of."""
    settings = dict(task="a", seed=0, learning_rate=0.001, times=TIMES.tolist(), backward=20)
    return data.assign_attrs(campaign=json.dumps(settings | changes))


def test_the_share_of_unconverged_angles_is_of_those_determined_in_both():
    angle = np.full((3, 10, 36), 0.5)
    paper = of_campaign(synthetic(count=10, far_angles=angle), backward=400)
    other = angle[:, :6].copy()
    other[1, :3, :2] += np.radians(6)  # six of 36 angles, and
    other[1, 3:, :2] -= np.radians(4)
    here = of_campaign(synthetic(count=6, far_angles=other))
    found = measures.unconverged(here, paper, 0.015)
    assert (
        found.estimate == pytest.approx(6 / 36)
        and 0 <= found.low < found.estimate < found.high <= 1
    )
    assert measures.unconverged(here, paper, 0.015, degrees=3).estimate == pytest.approx(12 / 36)
    assert measures.unconverged(here, paper, 0.015, degrees=7) == measures.unconverged(
        here, paper, 0.05
    )
    assert measures.unconverged(here, paper, 0.015, ("(1,2)",)).estimate == 0.5
    for data in (here, paper):  # a pair that one of the two does not determine takes no part
        undetermined = data.copy(deep=True)
        undetermined["frozen_angles"][1, :3, 0] = np.nan
        both = (undetermined, paper) if data is here else (here, undetermined)
        assert measures.unconverged(*both, 0.015).estimate == pytest.approx(3 / 33)
    assert measures.future(here, 0.015) == pytest.approx(0.055) and measures.future(
        paper, 0.05
    ) == pytest.approx(0.4)


def test_unconverged_angles_of_nobody_are_nan():
    data = of_campaign(synthetic(count=5, far_angles=np.full((3, 5, 36), np.nan)))
    assert np.isnan(tuple(measures.unconverged(data, data, 0.015))).all()


@pytest.mark.parametrize("changes", [dict(seed=1), dict(task="b"), dict(learning_rate=0.002)])
def test_vectors_of_other_networks_are_not_compared(changes):
    data = synthetic(count=5)
    (name,) = changes
    with pytest.raises(
        ValueError, match=f"{name} = .* here, .* there: networks of different campaigns"
    ):
        measures.unconverged(of_campaign(data), of_campaign(data, **changes), 0.015)
    with pytest.raises(ValueError, match="time = 0.015: measured at 0.015 here, at 0.016 there"):
        measures.unconverged(
            of_campaign(data), of_campaign(data.assign_coords(time=[0.005, 0.016, 0.05])), 0.015
        )
    with pytest.raises(ValueError, match="no attribute 'campaign'"):
        measures.unconverged(data, of_campaign(data), 0.015)


@pytest.mark.filterwarnings("error")
def test_tangencies_are_shares_of_determined_angles():
    angle = np.full((3, 20, 36), np.radians(50))
    failed = np.arange(20) % 2 == 0
    angle[1, failed, 0] = np.radians(9)
    angle[1, :4, 1] = np.radians(9)
    data = synthetic(count=20, far_angles=angle)
    data["frozen_angles"][1, :2, 1] = np.nan
    data["frozen_angles"][1, failed, 8] = np.nan  # (2,3)
    found = results.tangencies({"a": data}, 0.015)
    assert found.index.tolist() == [("a", pair) for pair in measures.PAIRS]
    assert found.loc[("a", "(1,2)")].to_dict() == {
        "failed, below 10°": 1,
        "ideal, below 10°": 0,
        "failed, determined": 10,
        "ideal, determined": 10,
    }
    assert found.loc[("a", "(1,3)")].tolist() == pytest.approx([1 / 9, 1 / 9, 9, 9])
    assert (
        np.isnan(found.loc[("a", "(2,3)"), "failed, below 10°"])
        and found.loc[("a", "(2,3)"), "failed, determined"] == 0
    )
    assert (
        results.tangencies({"a": data}, 0.015, below=60, pairs=["(8,9)"]).loc[
            ("a", "(8,9)"), "ideal, below 60°"
        ]
        == 1
    )


def test_angles_of_a_longer_future_are_held_against_published_ones():
    angle = np.full((3, 10, 36), 0.5)
    data = synthetic(count=10, far_angles=angle)
    longer = angle[:, :6].copy()
    longer[1, :2, :2] += np.radians(6)  # (1,2) and (1,3) of two of six networks
    data["longer_angles"] = ("time", "followed", "pair"), longer
    found = measures.turned(data, 0.015)
    assert found.estimate == pytest.approx(4 / 36) and found.low <= found.estimate <= found.high
    assert (
        measures.turned(data, 0.015, degrees=7).estimate
        == measures.turned(data, 0.05).estimate
        == 0
    )
    data["frozen_angles"][1, 0] = np.nan
    assert measures.turned(data, 0.015).estimate == pytest.approx(2 / 30)
    assert np.isnan(
        measures.turned(data.assign(longer_angles=data["longer_angles"] * np.nan), 0.015).estimate
    )


# What the chapter shows of them


def test_scores_and_leads_are_entries_of_the_table(table):
    found = measures.score(table, "failed", "weights", 0.0151)
    assert tuple(found) == tuple(table["auc"].sel(outcome="failed", predictor="weights").values[1])
    found = measures.lead(table, "ideal", "Hessian", 0.06)
    assert tuple(found) == tuple(
        table["difference"].sel(outcome="ideal", predictor="Hessian", baseline="loss").values[2]
    )
    found = measures.lead(table, "ideal", "vectors", 0.06, "weights")
    assert tuple(found) == tuple(
        table["difference"].sel(outcome="ideal", predictor="vectors", baseline="weights").values[2]
    )
    assert measures.saw(table, "failed", 0.015).startswith(
        "Areas at that time, failed runs: loss 0."
    )
    assert "Hessian 1.00, exponents 1.00, vectors 0." in measures.saw(table, "failed", 0.015)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_worst_is_the_least_that_is_known_in_any_order(table, reverse):
    lost = table.copy(deep=True)
    lost["auc"][:] = np.nan
    tables = dict(sorted({"a": table, "b": lost}.items(), reverse=reverse))
    assert measures.worst(tables, "failed", ("Hessian", "weights"), 0.015) == measures.score(
        table, "failed", "weights", 0.015
    )
    assert np.isnan(measures.worst({"b": lost}, "failed", ("Hessian",), 0.015).estimate)


def test_results_hand_figures_what_they_draw():
    data = synthetic()
    losses, found = results.losses({"a": data})["a"]
    assert np.array_equal(losses, data["final_loss"]) and found.counts == {
        "ideal": 100,
        "middle": 0,
        "failed": 100,
    }
    times, exponents, _ = results.exponents({"a": data})["a"]
    assert np.array_equal(times, data["time"]) and np.array_equal(exponents, data["exponents"])
    for kind in ("far", "frozen"):
        values, _ = results.angles({"a": data}, ("(1,2)", "(5,6)"), 0.016, kind)["a"]
        assert np.array_equal(
            values, data[f"{kind}_angles"].values[1][:, [0, angles.labels(9).index("(5,6)")]]
        )


def test_results_put_tables_in_words(table):
    ranking = results.ranking({"a": table}, "failed", 0.015)
    assert list(ranking.columns) == ["a"] and ranking.loc["Hessian", "a"] == "1.00 (1.00–1.00)"
    lost = table.copy(deep=True)
    lost["auc"][:] = np.nan
    low = table.copy(deep=True)
    low["auc"].loc[dict(predictor="Hessian")] = 0.25
    assert results.range_at({"a": table, "b": low, "c": lost}, "failed", "Hessian", 0.016) == (
        0.25,
        1.0,
    )
    assert results.scores({"a": (None, low)}, {"a": table, "b": table}) == {"a": low, "b": table}


def test_leads_are_differences_in_words(table):
    lost = table.copy(deep=True)
    lost["difference"][:] = np.nan
    found = results.leads(
        {"a": table, "b": lost}, "failed", 0.015, ("exponents", "loss"), ("loss", "Hessian")
    )
    assert found.index.tolist() == [
        ("a", "exponents"),
        ("a", "loss"),
        ("b", "exponents"),
        ("b", "loss"),
    ]
    middle, low, high = measures.lead(table, "failed", "exponents", 0.015)
    assert found.loc[("a", "exponents")].tolist() == [
        f"{middle:+.2f} ({low:.2f} to {high:.2f})",
        "+0.00 (0.00 to 0.00)",
    ]
    assert found.loc[("a", "loss"), "over loss"] == "" and (found.loc["b"] == "").all(axis=None)
    assert list(results.leads({"a": table}, "ideal", 0.05).columns) == [
        "over loss",
        "over weights",
        "over Hessian",
    ]


def test_beyond_rivals_is_the_best_against_the_better(table):
    made = table.copy(deep=True)
    at = dict(outcome="failed", time=0.015)
    for predictor, area in {
        "weights": 0.8,
        "Hessian": 0.7,
        "growth": 0.9,
        "exponents": 0.75,
        "vectors": 0.6,
        "singular values": 0.6,
    }.items():
        made["auc"].loc[at | dict(predictor=predictor, bound="estimate")] = area
    made["difference"].loc[at | dict(predictor="growth", baseline="weights")] = [0.1, 0.08, 0.12]
    made["auc"].loc[dict(outcome="failed", time=0.05)] = np.nan
    found = results.beyond_rivals({"a": made, "b": table}, "failed")
    assert found.index.tolist() == [0.005, 0.015, 0.05] and list(found.columns) == ["a", "b"]
    assert found.loc[0.015, "a"] == "growth +0.10 (0.08 to 0.12)" and found.loc[0.05, "a"] == ""
    assert found.loc[0.015, "b"] == "exponents +0.00 (0.00 to 0.00)"


@pytest.mark.filterwarnings("error")
def test_signs_are_of_medians_and_shares():
    failed = np.arange(200) % 2 == 0
    exponents, singular = np.full((3, 200, 9), -1.0), np.full((3, 200, 9), -1.0)
    exponents[:, failed, :4], exponents[:, failed, 4:6] = 1, -0.5
    singular[1, :50, 0] = 1  # a quarter of either class
    singular[1, failed, 1] = 2
    singular[1, 52:100:2] = exponents[1, 52:100:2] = np.nan  # a quarter of the failed has diverged
    found = results.signs({"a": synthetic(exponents=exponents, singular=singular)}, (0.015, 0.05))
    assert found.index.tolist() == [("a", 0.015), ("a", 0.05)]
    names = ["largest positive, failed", "largest positive, ideal"] + [
        f"{w} in failed, {k}" for k in ("QR", "singular values") for w in ("larger", "positive")
    ]
    assert found.columns.tolist() == names
    assert found.loc[("a", 0.015)].tolist() == pytest.approx([25 / 76, 0.25, 6, 4, 1, 1])
    assert found.loc[("a", 0.05)].tolist() == [0, 0, 6, 4, 0, 0]
    nobody = results.signs({"a": synthetic(failed=np.ones(200, bool))}, (0.05,))
    assert np.isnan(nobody["largest positive, ideal"]).all() and nobody.iloc[0, 2] == 0


def test_the_error_of_no_future_is_over_determined_angles():
    far = np.full((3, 10, 36), 0.5)
    frozen = far + np.radians(2)
    frozen[1, :2, :9] -= np.radians(14)
    frozen[1, 5:] = np.nan
    found = results.future_error(
        {"a": synthetic(count=10, far_angles=far, frozen_angles=frozen)}, 0.015
    )
    assert (
        found.loc["a", "median, degrees"] == pytest.approx(2) and found.loc["a", "angles"] == 5 * 36
    )
    assert found.loc["a", "more than 10°"].startswith("0.10 (0.00 to 0.")
    lost = results.future_error({"a": synthetic(count=10, far_angles=far * np.nan)}, 0.015)
    assert (
        np.isnan(lost.loc["a", "median, degrees"])
        and lost.loc["a", "more than 10°"] == "nan (nan to nan)"
    )


def test_savings_at_a_time_are_those_of_that_time():
    data = predicting.savings_over_time(
        synthetic(("hessian",), count=400, failed=np.arange(400) % 10 < 7), resamples=5
    )
    found = results.savings_at({"a": data, "lost": data * np.nan}, 0.016)
    assert found.index.tolist() == [(name, rule) for name in ("a", "lost") for rule in RULES]
    assert found.columns.tolist() == [
        "epochs saved",
        "best missed",
        "more than on the loss, fitted",
    ]
    here = data.sel(time=0.015, rule="Hessian")
    assert found.loc[("a", "Hessian")].tolist() == [
        "{:.2f} ({:.2f} to {:.2f})".format(*here["saved"].values),
        "{:.2f} ({:.2f} to {:.2f})".format(*here["missed"].values),
        "{:+.2f} ({:.2f} to {:.2f})".format(
            *here["difference"].sel(baseline="loss, fitted").values
        ),
    ]
    assert found.loc[("a", "loss, fitted")].iloc[2] == "" and (found.loc["lost"] == "").all(
        axis=None
    )
    two = predicting.savings_over_time(synthetic(), ("loss", "gradient"), resamples=5)
    assert results.savings_at({"a": two}, 0.05).columns[2] == "more than on the loss"


def test_results_of_every_ensemble():
    data = synthetic(("hessian",))
    tables, saved = (
        results.tables({"a": data}, 5, 0),
        results.savings({"a": data}, 0.015, 10, 0.05, 5, 0),
    )
    assert tables["a"].equals(predicting.table(data, resamples=5))
    words = results.savings_table(saved)
    assert words.index.tolist() == [("a", rule) for rule in RULES]
    middle, low, high = saved["a"].rules["Hessian"].saved
    assert words.loc[("a", "Hessian"), "epochs saved"] == f"{middle:.2f} ({low:.2f} to {high:.2f})"
    assert words.loc[("a", "loss"), "more than the loss saves"] == ""


def test_results_are_judged_on_what_is_published():
    here, there = synthetic(count=4), synthetic(count=6)
    found = results.judged(
        {"a": (there, None, None), "c": (there, None, None)}, {"a": here, "b": here}
    )
    assert list(found) == ["a", "b"] and found["a"] is there and found["b"] is here


def test_stopping_is_what_is_published_for_the_same_group_and_risk():
    data = synthetic(("hessian",))
    there = predicting.savings_over_time(data, resamples=3)
    papers = {"a": (None, None, there)}
    found = results.stopping(papers, {"a": data, "b": data}, 10, 0.05, 5, 1)
    assert list(found) == ["a", "b"] and found["a"] is there
    assert found["b"].equals(predicting.savings_over_time(data, resamples=5, seed=1))
    (other,) = results.stopping(papers, {"a": data}, 5, 0.05, 3, 0).values()
    assert other.attrs["group"] == 5 and not other.equals(there)


@pytest.mark.filterwarnings("error")
def test_best_savings_are_at_the_time_of_the_largest_estimate():
    # (rule, time, bound)
    saved = np.array(
        [
            [[0.1, 0, 0.9], [0.3, 0.2, 0.4], [0.2, 0.1, 0.3]],
            [[np.nan] * 3, [-0.2, -0.3, -0.1], [-0.3, -0.4, -0.2]],
        ]
    )
    coords = {
        "rule": ["loss", "vectors"],
        "time": TIMES / STEPS,
        "bound": ["estimate", "low", "high"],
    }
    data = xr.Dataset(
        {
            name: (tuple(coords), values)
            for name, values in (("saved", saved), ("missed", saved / 10))
        },
        coords,
    )
    found = results.best_savings({"a": data, "lost": data * np.nan})
    assert found.loc[("a", "loss")].tolist() == [
        0.015,
        "0.30 (0.20 to 0.40)",
        "0.03 (0.02 to 0.04)",
    ]
    assert found.loc[("a", "vectors")].tolist() == [
        0.015,
        "-0.20 (-0.30 to -0.10)",
        "-0.02 (-0.03 to -0.01)",
    ]
    assert (
        np.isnan(found.loc[("lost", "loss"), "best time"])
        and found.loc[("lost", "loss"), "epochs saved"] == ""
    )


@pytest.mark.filterwarnings("error")
def test_the_residual_is_a_median_over_networks_that_have_one():
    residuals = np.zeros((3, 5, 9))
    residuals[1, :, 4] = [1, 2, 3, 4, 5]
    assert results.worst_residual({"a": synthetic(count=5, far_residual=residuals)}) == 3
    residuals[:, 2:] = np.nan
    assert results.worst_residual({"a": synthetic(count=5, far_residual=residuals)}) == 1.5
    residuals[:] = np.nan
    assert np.isnan(results.worst_residual({"a": synthetic(count=5, far_residual=residuals)}))


def test_notes_say_where_numbers_come_from():
    data = synthetic(count=4)
    text = results.notes({"a": data, "b": data}, {"a": (data, None)})
    assert "a: 4 networks computed here" in text and "a: 4 networks published (made up)" in text
    assert (
        "NOTE: nothing is published of the campaign 'b'; compute it: python -m netdyn_lib.experiments run b"
        in text
    )
