"""What tells the outcome: on synthetic campaigns of which it is known."""

import json

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.outcomes import measures, predicting, predictors, results, running
from netdyn_lib.tangent import angles
from tests.test_outcomes_campaign import small

RULES = ["random", "loss", "loss, fitted", "weights", "Hessian", "exponents", "vectors"]
STEPS, TIMES = 1000, np.array([5, 15, 50])  # steps; a step takes 0.001
CURVE = small(steps=STEPS).curve


def synthetic(known=(), count=200, failed=None, size=9, seed=0, **given):
    """A campaign of noise, but for the variables ``known``, which are larger by ten in failed runs; every second run has failed.

    Variables ``given`` are taken as they are.
    """
    rng = np.random.default_rng(seed)
    failed = np.arange(count) % 2 == 0 if failed is None else failed
    lengths = dict(time=len(TIMES), step=len(CURVE), parameter=size, index=size, pair=size * (size - 1) // 2, split=size - 1)
    variables = {}
    for name, dims in running._DIMS.items():
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
        time=TIMES / STEPS, step=np.array(CURVE), network=np.arange(count), index=np.arange(1, size + 1),
        split=np.arange(1, size), pair=list(angles.labels(size)),
    )  # fmt: skip
    return xr.Dataset(variables, coords, {"name": "synthetic", "steps": STEPS, "duration": 1.0, "provenance": "made up"})


@pytest.fixture(scope="module")
def table():
    return predicting.table(synthetic(("hessian", "exponents")), resamples=50)


# Features


def test_features_of_every_predictor_are_those_of_the_dataset():
    data = synthetic(count=4)
    found = predictors.by_name(data)
    widths = {
        "loss": 1, "gradient": 1, "weights": 9, "Hessian": 9, "exponents": 9, "singular values": 9, "vectors": 44, "growth": 9, "degeneracy": 1,
        "vectors 5 to 8": 10, "vectors, far future": 44, "growth, far future": 9,
    }  # fmt: skip
    assert {name: values.shape for name, values in found.items()} == {name: (3, 4, width) for name, width in widths.items()}
    assert set(predictors.FROM_THE_FUTURE) <= set(found)
    np.testing.assert_array_equal(found["loss"][..., 0], np.log(data["loss"]))
    np.testing.assert_array_equal(found["vectors"][..., :36], data["frozen_angles"])
    np.testing.assert_array_equal(found["vectors"][..., 36:], data["frozen_splitting"])
    pairs = ["(5,6)", "(5,7)", "(5,8)", "(6,7)", "(6,8)", "(7,8)"]
    np.testing.assert_array_equal(found["vectors 5 to 8"][..., 4:], data["frozen_angles"].sel(pair=pairs))
    np.testing.assert_array_equal(found["vectors 5 to 8"][..., :4], data["frozen_growth"].sel(index=[5, 6, 7, 8]))
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
    np.testing.assert_array_equal(predictors.undecided(data.isel(time=[1])), np.array(wanted[1:2], bool))


# Scores


def test_outcomes_are_by_the_papers_bounds():
    found = predicting.outcomes(synthetic(count=6, final_loss=np.array([3.9, 4, 100, 100.1, np.nan, np.inf])))
    assert found.ideal.tolist() == [True] + [False] * 5 and found.failed.tolist() == [False] * 3 + [True] * 3


def test_a_table_has_names_and_bounds(table):
    assert table["auc"].dims == table["difference"].dims == ("outcome", "predictor", "time", "bound")
    assert table["outcome"].values.tolist() == ["ideal", "failed"] and table["bound"].values.tolist() == ["estimate", "low", "high"]
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


def test_differences_are_to_the_loss(table):
    apart, areas = table["difference"].sel(bound="estimate"), table["auc"].sel(bound="estimate")
    assert np.isnan(apart.sel(predictor="loss")).all()
    np.testing.assert_allclose(apart.drop_sel(predictor="loss"), (areas - areas.sel(predictor="loss")).drop_sel(predictor="loss"))
    sure = table["difference"].sel(predictor="Hessian", bound="low")
    assert (sure > 0.25).all()


def test_the_loss_at_the_end_knows_all():
    final = synthetic()["final_loss"].values
    data = synthetic(loss=np.array([np.ones(200), final, final]))
    table = predicting.table(data, resamples=20)
    np.testing.assert_array_equal(table["auc"].sel(predictor="loss", bound="estimate"), [[0.5, 1, 1]] * 2)


def test_other_methods_and_seeds_are_other_numbers():
    data = synthetic()
    one, other, seeded = (predicting.table(data, *words) for words in (("binned", 5), ("ranked", 5), ("binned", 5, 1)))
    assert other.attrs["method"] == "ranked" and not one["auc"].equals(other["auc"]) and not one["auc"].equals(seeded["auc"])
    assert one.equals(predicting.table(data, resamples=5))


def test_too_few_runs_are_nan_with_a_reason():
    table = predicting.table(synthetic(("hessian",), failed=np.arange(200) < 12), resamples=5)
    assert np.isnan(table["auc"]).all() and np.isnan(table["difference"]).all()
    (reason,) = {r.partition(":")[0] for r in table.attrs["reasons"]}
    assert reason == "train" and table["runs"].sel(outcome="failed", side="in").values.tolist() == [6, 6, 6]


def test_runs_that_have_diverged_take_no_part():
    gone = np.full(200, -1)
    gone[:80:2] = 10  # forty of the failed, between the first two times
    data = synthetic(("hessian",), diverged_at=gone)
    runs = predicting.table(data, resamples=5)["runs"].sel(outcome="failed", side="in").values
    assert runs[0] == 50 and runs[1] == runs[2] and 20 <= runs[1] <= 40


def test_a_course_is_one_outcome_of_a_table(table):
    course = predicting.course(synthetic(("hessian", "exponents")), "failed", resamples=50)
    np.testing.assert_array_equal(course.auc["weights"].low, table["auc"].sel(outcome="failed", predictor="weights", bound="low"))
    assert course.baseline == "loss"


# Stopping early


def test_savings_are_of_the_runs_abandoned_less_the_work():
    data = synthetic(("hessian", "exponents", "frozen_angles"), count=400, failed=np.arange(400) % 10 < 7)
    found = predicting.savings(data, 0.016, resamples=20)
    assert list(found.rules) == RULES and found.baseline == "loss"
    now = 15
    for rule, work in {"random": 0, "loss": 0, "loss, fitted": 0, "weights": 0, "Hessian": 18, "exponents": 18 * now, "vectors": 18 * now}.items():
        saving = found.rules[rule]
        assert saving.saved.estimate == pytest.approx(saving.abandoned.estimate * (1 - now / STEPS) - work / STEPS)
    # Who knows the outcome abandons the 0.7 that fail; a lot q with 0.7 + 0.3 q = 0.05^(1/10), for ideal runs are equally good.
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
    """Where failed runs begin with the smaller loss, stopping those of large loss is worse than by lot."""
    failed = np.arange(400) % 10 < 7
    loss = np.where(failed, 1.0, 2.0) + np.random.default_rng(0).random((3, 400)) / 10
    found = predicting.savings(synthetic(count=400, failed=failed, loss=loss), 0.015, resamples=20)
    assert found.rules["loss, fitted"].abandoned.estimate > 0.65 > 0.3 > found.rules["loss"].abandoned.estimate


def test_savings_over_time_are_those_of_each_time():
    data = synthetic(("hessian",), count=400, failed=np.arange(400) % 10 < 7)
    found = predicting.savings_over_time(data, resamples=20, seed=3)
    assert found["saved"].dims == ("rule", "time", "bound") and found.attrs == {"group": 10, "risk": 0.05, "reason": ""}
    assert found["rule"].values.tolist() == RULES and found["bound"].values.tolist() == ["estimate", "low", "high"]
    np.testing.assert_array_equal(found["time"], data["time"])
    for time in data["time"].values:
        one, here = predicting.savings(data, time, resamples=20, seed=3), found.sel(time=time)
        for rule in RULES:
            np.testing.assert_array_equal(here["saved"].sel(rule=rule), tuple(one.rules[rule].saved))
            np.testing.assert_array_equal(here["missed"].sel(rule=rule), tuple(one.rules[rule].missed))
            np.testing.assert_array_equal(here["difference"].sel(rule=rule), tuple(one.saved[rule]) if rule != "loss" else [np.nan] * 3)
    two = predicting.savings_over_time(data, ("loss", "gradient"), group=5, risk=0.1, resamples=5)
    assert two["rule"].values.tolist() == ["loss", "gradient"] and (two.attrs["group"], two.attrs["risk"]) == (5, 0.1)


@pytest.mark.parametrize("ideal", [0, 18, 182, 200])
def test_savings_over_time_of_too_few_runs_are_nan_with_a_reason(ideal):
    found = predicting.savings_over_time(synthetic(failed=np.arange(200) >= ideal), resamples=5)
    assert all(np.isnan(found[name]).all() for name in ("saved", "missed", "difference"))
    assert found.attrs["reason"].startswith("train: ")
    enough = predicting.savings_over_time(synthetic(failed=np.arange(200) >= np.clip(ideal, 20, 180)), resamples=5)
    assert enough.attrs["reason"] == "" and np.isfinite(enough["saved"]).all()


def test_savings_without_both_classes_are_one_error():
    with pytest.raises(ValueError, match="0 runs in the class"):
        predicting.savings(synthetic(failed=np.zeros(200, bool)), 0.015, resamples=5)


# Marks of failed runs


def marks(data, **options):
    return [
        measure(data, 0.015, resamples=20, **options) for measure in (measures.positive, measures.less_stable, measures.nearer_tangency)
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
    for found, low, high in zip(marks(synthetic(exponents=alternating((-0.05, -0.05))[..., :9], singular=alternating((-0.05, -0.05))[..., :9])), (-0.3, 0, 0), (0.3, 1, 1)):
        assert low <= found.low <= found.estimate <= found.high <= high and found.low < found.high


def test_nearer_tangency_looks_at_the_pairs_of_the_paper():
    values = alternating((1, 1))
    values[..., [angles.labels(9).index(p) for p in measures.PAIRS]] -= np.where(np.arange(200) % 2 == 0, 5, 0)[None, :, None]
    data = synthetic(far_angles=values)
    assert measures.nearer_tangency(data, 0.015, resamples=5).estimate == 1
    assert 0 <= measures.nearer_tangency(data, 0.015, pairs=("(1,2)", "(8,9)"), resamples=5).low <= 1


def test_angles_of_equal_multipliers_take_no_part():
    values = alternating((1, -1))
    known = synthetic(far_angles=values)
    assert measures.nearer_tangency(known, 0.015, resamples=5).estimate == 0
    assert np.isnan(tuple(measures.nearer_tangency(synthetic(far_angles=values, frozen_angles=np.full_like(values, np.nan)), 0.015))).all()
    assert np.isnan(measures.determined(synthetic(frozen_angles=np.full_like(values, np.nan)), 0.015, measures.PAIRS)).all()


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
    assert [i.estimate for i in marks(synthetic(exponents=values[..., [0] * 9], singular=values[..., [0] * 9], far_angles=values))] == [1, 1, 0]
    values[:, :190:2] = np.nan  # five are left
    for found in marks(synthetic(exponents=values[..., :9], singular=values[..., :9], far_angles=values)):
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
    assert found.estimate == pytest.approx(6 / 36) and 0 <= found.low < found.estimate < found.high <= 1
    assert measures.unconverged(here, paper, 0.015, degrees=3).estimate == pytest.approx(12 / 36)
    assert measures.unconverged(here, paper, 0.015, degrees=7) == measures.unconverged(here, paper, 0.05)
    assert measures.unconverged(here, paper, 0.015, ("(1,2)",)).estimate == 0.5
    for data in (here, paper):  # a pair that one of the two does not determine takes no part
        undetermined = data.copy(deep=True)
        undetermined["frozen_angles"][1, :3, 0] = np.nan
        both = (undetermined, paper) if data is here else (here, undetermined)
        assert measures.unconverged(*both, 0.015).estimate == pytest.approx(3 / 33)
    assert measures.future(here, 0.015) == pytest.approx(0.055) and measures.future(paper, 0.05) == pytest.approx(0.4)


def test_unconverged_angles_of_nobody_are_nan():
    data = of_campaign(synthetic(count=5, far_angles=np.full((3, 5, 36), np.nan)))
    assert np.isnan(tuple(measures.unconverged(data, data, 0.015))).all()


@pytest.mark.parametrize("changes", [dict(seed=1), dict(task="b"), dict(learning_rate=0.002)])
def test_vectors_of_other_networks_are_not_compared(changes):
    data = synthetic(count=5)
    (name,) = changes
    with pytest.raises(ValueError, match=f"{name} = .* here, .* there: networks of different campaigns"):
        measures.unconverged(of_campaign(data), of_campaign(data, **changes), 0.015)
    with pytest.raises(ValueError, match="time = 0.015: measured at 0.015 here, at 0.016 there"):
        measures.unconverged(of_campaign(data), of_campaign(data.assign_coords(time=[0.005, 0.016, 0.05])), 0.015)
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
    assert found.loc[("a", "(1,2)")].to_dict() == {"failed, below 10°": 1, "ideal, below 10°": 0, "failed, determined": 10, "ideal, determined": 10}
    assert found.loc[("a", "(1,3)")].tolist() == pytest.approx([1 / 9, 1 / 9, 9, 9])
    assert np.isnan(found.loc[("a", "(2,3)"), "failed, below 10°"]) and found.loc[("a", "(2,3)"), "failed, determined"] == 0
    assert results.tangencies({"a": data}, 0.015, below=60, pairs=["(8,9)"]).loc[("a", "(8,9)"), "ideal, below 60°"] == 1


# What the chapter shows of them


def test_scores_and_leads_are_entries_of_the_table(table):
    found = measures.score(table, "failed", "weights", 0.0151)
    assert tuple(found) == tuple(table["auc"].sel(outcome="failed", predictor="weights").values[1])
    found = measures.lead(table, "ideal", "Hessian", 0.06)
    assert tuple(found) == tuple(table["difference"].sel(outcome="ideal", predictor="Hessian").values[2])
    assert measures.saw(table, "failed", 0.015).startswith("Areas at that time, failed runs: loss 0.")
    assert "Hessian 1.00, exponents 1.00, vectors 0." in measures.saw(table, "failed", 0.015)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_worst_is_the_least_that_is_known_in_any_order(table, reverse):
    lost = table.copy(deep=True)
    lost["auc"][:] = np.nan
    tables = dict(sorted({"a": table, "b": lost}.items(), reverse=reverse))
    assert measures.worst(tables, "failed", ("Hessian", "weights"), 0.015) == measures.score(table, "failed", "weights", 0.015)
    assert np.isnan(measures.worst({"b": lost}, "failed", ("Hessian",), 0.015).estimate)


def test_results_hand_figures_what_they_draw():
    data = synthetic()
    losses, found = results.losses({"a": data})["a"]
    assert np.array_equal(losses, data["final_loss"]) and found.counts == {"ideal": 100, "middle": 0, "failed": 100}
    times, exponents, _ = results.exponents({"a": data})["a"]
    assert np.array_equal(times, data["time"]) and np.array_equal(exponents, data["exponents"])
    for kind in ("far", "frozen"):
        values, _ = results.angles({"a": data}, ("(1,2)", "(5,6)"), 0.016, kind)["a"]
        assert np.array_equal(values, data[f"{kind}_angles"].values[1][:, [0, angles.labels(9).index("(5,6)")]])


def test_results_put_tables_in_words(table):
    ranking = results.ranking({"a": table}, "failed", 0.015)
    assert list(ranking.columns) == ["a"] and ranking.loc["Hessian", "a"] == "1.00 (1.00–1.00)"
    lost = table.copy(deep=True)
    lost["auc"][:] = np.nan
    low = table.copy(deep=True)
    low["auc"].loc[dict(predictor="Hessian")] = 0.25
    assert results.range_at({"a": table, "b": low, "c": lost}, "failed", "Hessian", 0.016) == (0.25, 1.0)
    assert results.scores({"a": (None, low)}, {"a": table, "b": table}) == {"a": low, "b": table}


def test_results_of_every_ensemble():
    data = synthetic(("hessian",))
    tables, saved = results.tables({"a": data}, 5, 0), results.savings({"a": data}, 0.015, 10, 0.05, 5, 0)
    assert tables["a"].equals(predicting.table(data, resamples=5))
    words = results.savings_table(saved)
    assert words.index.tolist() == [("a", rule) for rule in RULES]
    middle, low, high = saved["a"].rules["Hessian"].saved
    assert words.loc[("a", "Hessian"), "epochs saved"] == f"{middle:.2f} ({low:.2f} to {high:.2f})"
    assert words.loc[("a", "loss"), "more than the loss saves"] == ""


def test_results_are_judged_on_what_is_published():
    here, there = synthetic(count=4), synthetic(count=6)
    found = results.judged({"a": (there, None, None), "c": (there, None, None)}, {"a": here, "b": here})
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
    saved = np.array([[[0.1, 0, 0.9], [0.3, 0.2, 0.4], [0.2, 0.1, 0.3]], [[np.nan] * 3, [-0.2, -0.3, -0.1], [-0.3, -0.4, -0.2]]])  # (rule, time, bound)
    coords = {"rule": ["loss", "vectors"], "time": TIMES / STEPS, "bound": ["estimate", "low", "high"]}
    data = xr.Dataset({name: (tuple(coords), values) for name, values in (("saved", saved), ("missed", saved / 10))}, coords)
    found = results.best_savings({"a": data, "lost": data * np.nan})
    assert found.loc[("a", "loss")].tolist() == [0.015, "0.30 (0.20 to 0.40)", "0.03 (0.02 to 0.04)"]
    assert found.loc[("a", "vectors")].tolist() == [0.015, "-0.20 (-0.30 to -0.10)", "-0.02 (-0.03 to -0.01)"]
    assert np.isnan(found.loc[("lost", "loss"), "best time"]) and found.loc[("lost", "loss"), "epochs saved"] == ""


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
    assert "NOTE: nothing is published of the campaign 'b'; compute it: python -m netdyn_lib.outcomes run b" in text
