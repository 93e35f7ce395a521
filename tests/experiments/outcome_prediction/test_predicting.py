"""What tells the outcome: on synthetic campaigns of which it is known."""

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.experiments.outcome_prediction import predicting
from netdyn_lib.lyapunov import angles
from tests.made_up_campaigns import STEPS, TIMES, of_campaign, synthetic


@pytest.fixture(scope="module")
def table():
    return predicting.table(synthetic(("hessian", "exponents")), resamples=50)


def test_features_of_every_predictor_are_those_of_the_dataset():
    data = synthetic(count=4)
    found = predicting.features(data)
    wide = ["weights", "Hessian", "exponents", "singular values", "growth", "growth, far future"]
    widths = dict.fromkeys(("loss", "gradient", "degeneracy"), 1) | dict.fromkeys(wide, 9)
    widths |= {"vectors": 44, "vectors, far future": 44, "vectors 5 to 8": 10}
    assert {name: values.shape for name, values in found.items()} == {
        name: (3, 4, width) for name, width in widths.items()
    }
    np.testing.assert_array_equal(found["loss"][..., 0], np.log(data["loss"]))
    np.testing.assert_array_equal(found["vectors"][..., :36], data["frozen_angles"])
    pairs = ["(5,6)", "(5,7)", "(5,8)", "(6,7)", "(6,8)", "(7,8)"]
    middle = found["vectors 5 to 8"]
    np.testing.assert_array_equal(middle[..., 4:], data["frozen_angles"].sel(pair=pairs))
    np.testing.assert_array_equal(middle[..., :4], data["frozen_growth"].sel(index=[5, 6, 7, 8]))
    with pytest.raises(ValueError, match="networks of 7 parameters"):
        predicting.features(synthetic(count=4, size=7))


@pytest.mark.filterwarnings("error")
def test_a_loss_of_zero_has_a_logarithm():
    data = synthetic(count=4, loss=np.zeros((3, 4)))
    assert (predicting.features(data)["loss"] == -np.inf).all()


def test_networks_are_undecided_until_they_diverge():
    """Whatever the first of the times is."""
    data = synthetic(count=6, diverged_at=np.array([-1, 5, 6, 15, 50, 51]))
    wanted = np.array([[1, 0, 1, 1, 1, 1], [1, 0, 0, 0, 1, 1], [1, 0, 0, 0, 0, 1]], bool)
    np.testing.assert_array_equal(predicting.undecided(data), wanted)
    np.testing.assert_array_equal(predicting.undecided(data.isel(time=[1])), wanted[1:2])


def test_outcomes_are_by_the_papers_bounds():
    final = np.array([3.9, 4, 100, 100.1, np.nan, np.inf])
    found = predicting.outcomes(synthetic(count=6, final_loss=final))
    assert found.ideal.tolist() == [True] + [False] * 5
    assert found.failed.tolist() == [False] * 3 + [True] * 3


def test_what_knows_the_outcome_has_an_area_of_one_and_noise_one_half(table):
    assert table["auc"].dims == ("outcome", "predictor", "time", "bound")
    assert (table["runs"] == 50).all() and table.attrs == {"method": "binned", "reasons": []}
    for outcome in ("ideal", "failed"):
        part = table["auc"].sel(outcome=outcome, bound="estimate")
        assert (part.sel(predictor=["Hessian", "exponents"]) == 1).all()
        noise = part.drop_sel(predictor=["Hessian", "exponents"])
        assert abs(noise - 0.5).max() < 0.25 and abs(noise.mean() - 0.5) < 0.05


@pytest.mark.parametrize("baseline", predicting.BASELINES)
def test_differences_are_to_each_baseline(table, baseline):
    apart = table["difference"].sel(bound="estimate", baseline=baseline)
    areas = table["auc"].sel(bound="estimate")
    assert np.isnan(apart.sel(predictor=baseline)).all()
    wanted = (areas - areas.sel(predictor=baseline)).drop_sel(predictor=baseline)
    np.testing.assert_allclose(apart.drop_sel(predictor=baseline), wanted)
    sure = table["difference"].sel(predictor="exponents", bound="low", baseline=baseline)
    assert (sure == 0).all() if baseline == "Hessian" else (sure > 0.25).all()


def test_the_loss_at_the_end_knows_all():
    final = synthetic()["final_loss"].values
    data = synthetic(loss=np.array([np.ones(200), final, final]))
    area = predicting.table(data, resamples=5)["auc"].sel(predictor="loss", bound="estimate")
    np.testing.assert_array_equal(area, [[0.5, 1, 1]] * 2)


def test_too_few_runs_are_nan_with_a_reason():
    table = predicting.table(synthetic(("hessian",), failed=np.arange(200) < 12), resamples=5)
    assert np.isnan(table["auc"]).all() and np.isnan(table["difference"]).all()
    assert {reason.partition(":")[0] for reason in table.attrs["reasons"]} == {"train"}


def test_runs_that_have_diverged_take_no_part():
    gone = np.full(200, -1)
    gone[:80:2] = 10  # forty of the failed, between the first two times
    data = synthetic(("hessian",), diverged_at=gone)
    runs = predicting.table(data, resamples=5)["runs"].sel(outcome="failed", side="in").values
    assert runs[0] == 50 and runs[1] == runs[2] and 20 <= runs[1] <= 40


def test_words_keep_the_order_of_rows_and_columns(table):
    part = predicting.at(table, 0.016)["auc"]
    found = predicting.words(part.sel(predictor=["weights", "Hessian"]), "outcome")
    assert found.index.tolist() == ["weights", "Hessian"]
    assert found.columns.tolist() == ["ideal", "failed"]
    assert found.loc["Hessian", "failed"] == "1.00 (1.00 to 1.00)"


# Stopping early


def test_savings_are_of_the_runs_abandoned_less_the_work():
    failed = np.arange(400) % 10 < 7
    data = synthetic(("hessian", "exponents", "frozen_angles"), count=400, failed=failed)
    found = predicting.savings(data, 0.016, resamples=20)
    assert tuple(found.rules) == predicting.RULES and found.baseline == "loss"
    now, work = 15, {"Hessian": 18, "exponents": 18 * 15, "vectors": 18 * 15}
    for rule, saving in found.rules.items():
        assert saving.saved.estimate == pytest.approx(
            saving.abandoned.estimate * (1 - now / STEPS) - work.get(rule, 0) / STEPS
        )
    # Who knows the outcome abandons the 0.7 that fail; a lot q with 0.7 + 0.3 q = 0.05^(1/10), for
    # ideal runs are equally good.
    shares = {rule: saving.abandoned.estimate for rule, saving in found.rules.items()}
    assert min(shares["Hessian"], shares["exponents"], shares["vectors"]) > 0.68, shares
    assert max(shares["random"], shares["loss"], shares["weights"]) < 0.4, shares
    assert found.saved["Hessian"].low > 0


def test_a_fitted_loss_knows_what_a_small_loss_means():
    """Where failed runs begin with the smaller loss, stopping those of large loss is worse than by
    lot.
    """
    failed = np.arange(400) % 10 < 7
    loss = np.where(failed, 1.0, 2.0) + np.random.default_rng(0).random((3, 400)) / 10
    data = synthetic(count=400, failed=failed, loss=loss)
    rules = predicting.savings(data, 0.015, resamples=5).rules
    assert rules["loss, fitted"].abandoned.estimate > 0.65
    assert rules["loss"].abandoned.estimate < 0.3


def test_savings_over_time_are_those_of_each_time():
    data = synthetic(("hessian",), count=400, failed=np.arange(400) % 10 < 7)
    found = predicting.savings_over_time(data, resamples=5, seed=3)
    assert found["saved"].dims == ("rule", "time", "bound")
    assert found.attrs == {"group": 10, "risk": 0.05, "reason": ""}
    for time in data["time"].values:
        one, here = predicting.savings(data, time, resamples=5, seed=3), found.sel(time=time)
        for rule in predicting.RULES:
            np.testing.assert_array_equal(here["saved"].sel(rule=rule), [*one.rules[rule].saved])
            np.testing.assert_array_equal(here["missed"].sel(rule=rule), [*one.rules[rule].missed])
            apart = here["difference"].sel(rule=rule, baseline="loss")
            wanted = [np.nan] * 3 if rule == "loss" else [*one.saved[rule]]
            np.testing.assert_array_equal(apart, wanted)
    saved = found["saved"].sel(bound="estimate")
    fitted = found["difference"].sel(baseline="loss, fitted", bound="estimate")
    apart = saved - saved.sel(rule="loss, fitted")
    np.testing.assert_allclose(
        fitted.drop_sel(rule="loss, fitted"), apart.drop_sel(rule="loss, fitted"), atol=1e-12
    )


@pytest.mark.parametrize("ideal", [0, 18, 182, 200])
def test_savings_over_time_of_too_few_runs_are_nan_with_a_reason(ideal):
    found = predicting.savings_over_time(synthetic(failed=np.arange(200) >= ideal), resamples=2)
    assert all(np.isnan(found[name]).all() for name in ("saved", "missed", "difference"))
    assert found.attrs["reason"].startswith("train: ")


def test_times_that_were_not_measured_are_one_error():
    data = synthetic()
    with pytest.raises(ValueError, match="time = 0.1: .*within 20% of it, but at 0.005, 0.015, 0"):
        predicting.savings(data, 0.1, resamples=5)
    for look in (predicting.positive, predicting.less_stable, predicting.tangency):
        with pytest.raises(ValueError, match="time = nan"):
            look(data, float("nan"))
    assert predicting.place(data, 0.06) == 2
    assert float(predicting.at(data, 0.0125)["time"]) == 0.015


# Marks of failed runs


def exponents(failed, ideal, noise=0.1):
    """Exponents and singular values (T, n, P) of failed and of ideal runs, a dataset."""
    of_failed = (np.arange(200) % 2 == 0)[None, :, None]
    small = noise * np.random.default_rng(1).random((3, 200, 9))
    values = np.where(of_failed, failed, ideal) + small
    return synthetic(exponents=values, singular=values.copy())


@pytest.mark.parametrize(("failed", "ideal", "wanted"), [(1, -1, [1, 1]), (-1, 1, [-1, 0])])
def test_marks_are_shares_that_are_known(failed, ideal, wanted):
    data = exponents(failed, ideal)
    found = predicting.positive(data, 0.015), predicting.less_stable(data, 0.015, 20)
    assert [tuple(i) for i in found] == [(w,) * 3 for w in wanted]


def test_marks_of_noise_are_between():
    data = exponents(-0.05, -0.05)
    share, stability = predicting.positive(data, 0.015, 50), predicting.less_stable(data, 0.015, 50)
    assert -0.4 < share.low < 0 < share.high < 0.4 and 0 <= stability.low < stability.high <= 1


@pytest.mark.filterwarnings("error")
def test_marks_need_ten_runs_that_have_numbers():
    """A run that has diverged has no exponent: that is not one that is not positive."""
    marks = predicting.positive, predicting.less_stable
    data = exponents(1, -1)
    for name in ("exponents", "singular"):
        data[name][:, :120:2] = np.nan
    assert [mark(data, 0.015, 20).estimate for mark in marks] == [1, 1]
    for name in ("exponents", "singular"):
        data[name][:, :190:2] = np.nan  # five are left
    assert all(np.isnan(mark(data, 0.015, 20).estimate) for mark in marks)


def tangent_data(failed, ideal, count=800):
    """Angles of which the shares ``failed`` and ``ideal`` (6,) are below 10°, for the pairs of the
    paper.
    """
    values = np.full((3, count, 36), np.radians(50))
    for kind, shares in enumerate((failed, ideal)):
        for pair, share in zip(predicting.PAIRS, shares):
            rows = np.arange(kind, count, 2)[: round(share * count / 2)]
            values[:, rows, angles.labels(9).index(pair)] = np.radians(9)
    return synthetic(count=count, far_angles=values)


def test_a_pair_counts_where_failed_runs_surely_have_more_small_angles():
    data = tangent_data((0.3, 0.3, 0.1, 0.1, 0.1, 0), (0.1, 0.1, 0.1, 0.3, 0.3, 0))
    found = predicting.tangency(data, 0.015)
    shares = [narrow.estimate for narrow, _ in found.values()]
    assert shares == pytest.approx([0.2, 0.2, 0, -0.2, -0.2, 0])
    # (2,3) may be either; none is never more
    assert tuple(predicting.nearer_tangency(found)) == (2 / 6, 2 / 6, 3 / 6)


def test_a_coin_has_no_tangencies():
    """By medians it had half; by chance one pair in forty counts."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(20):
        data = synthetic(count=600, far_angles=rng.random((3, 600, 36)) * 1.5)
        found.append(predicting.nearer_tangency(predicting.tangency(data, 0.015, 400)))
    assert np.mean([i.estimate for i in found]) < 0.08
    assert np.mean([i.low == 0 and i.high == 1 for i in found]) > 0.8


def test_intervals_of_tangency_are_those_of_two_shares():
    found = predicting.tangency(tangent_data((0.3,) * 6, (0.1,) * 6), 0.015, 4000)["(1,2)"]
    error = np.sqrt(0.3 * 0.7 / 400 + 0.1 * 0.9 / 400)
    for interval, z in zip(found, (1.96, 2.638)):  # at 0.95, and 1 − 0.05/6
        wanted = 0.2 - z * error, 0.2 + z * error
        assert (interval.low, interval.high) == pytest.approx(wanted, abs=0.008)


def test_what_is_not_determined_takes_no_part_in_tangencies():
    data = tangent_data((0.5,) * 6, (0.1,) * 6)
    data["frozen_angles"][:, 18::2, 0] = np.nan  # nine failed runs are left
    found = predicting.tangency(data, 0.015)
    assert list(found) == list(predicting.PAIRS[1:])
    assert tuple(predicting.nearer_tangency(found)) == (1, 1, 1)
    data["frozen_angles"][:] = np.nan
    assert np.isnan(predicting.determined(data, 0.015)).all()
    assert predicting.tangency(data, 0.015) == {}
    assert np.isnan(predicting.nearer_tangency({}).estimate)


def test_the_share_of_unconverged_angles_is_of_those_determined_in_both():
    angle = np.full((3, 10, 36), 0.5)
    paper = of_campaign(synthetic(count=10, far_angles=angle), backward=400)
    other = angle[:, :6].copy()
    other[1, :3, :2] += np.radians(6)  # six of 36 angles, and
    other[1, 3:, :2] -= np.radians(4)
    here = of_campaign(synthetic(count=6, far_angles=other))
    found = predicting.unconverged(here, paper, 0.015)
    assert found.estimate == pytest.approx(6 / 36) and found.low < found.estimate < found.high
    assert predicting.unconverged(here, paper, 0.015, degrees=3).estimate == pytest.approx(12 / 36)
    assert predicting.unconverged(here, paper, 0.015, degrees=7).estimate == 0
    here["frozen_angles"][1, :3, 0] = np.nan  # a pair that one of the two does not determine
    assert predicting.unconverged(here, paper, 0.015).estimate == pytest.approx(3 / 33)
    assert predicting.future(here, 0.015) == pytest.approx(0.055)
    assert predicting.future(paper, 0.05) == pytest.approx(0.4)
    nobody = of_campaign(synthetic(count=5, far_angles=np.full((3, 5, 36), np.nan)))
    assert np.isnan(predicting.unconverged(nobody, nobody, 0.015).estimate)


@pytest.mark.parametrize("changes", [dict(seed=1), dict(task="b"), dict(learning_rate=0.002)])
def test_vectors_of_other_networks_are_not_compared(changes):
    data = synthetic(count=5)
    here, (name,) = of_campaign(data), changes
    with pytest.raises(ValueError, match=f"{name} = .* here, .* there: networks of different"):
        predicting.unconverged(here, of_campaign(data, **changes), 0.015)
    moved = of_campaign(data.assign_coords(time=xr.DataArray(TIMES / STEPS * 1.05, dims="time")))
    with pytest.raises(ValueError, match="measured at 0.015 here, at 0.01575 there"):
        predicting.unconverged(here, moved, 0.015)
