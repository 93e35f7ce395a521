"""Published campaigns: written and read again, recomputed, altered, damaged and missing."""

import dataclasses
import json

import numpy as np
import pytest

from netdyn_lib.experiments import campaign as engine
from netdyn_lib.experiments import sizes
from netdyn_lib.experiments.outcome_prediction import measures, predicting, published, results
from netdyn_lib.results.store import read_archive, write_archive
from tests.small_campaigns import small
from tests.test_outcomes_predicting import CURVE, STEPS, TIMES, synthetic


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    engine.run(small(), folder)
    return engine.load(small(), folder)


@pytest.fixture
def root(data, tmp_path):
    published.write(data, tmp_path, resamples=2, followed=5)
    return tmp_path


def made_up(data, root, times=(0.015, 0.05), resamples=2):
    """Publish made-up data, and open them."""
    campaign = small(count=data.sizes["network"], times=tuple(TIMES.tolist()), steps=STEPS)
    data = data.assign_attrs(campaign=json.dumps(dataclasses.asdict(campaign)))
    path = published.write(data, root, resamples, times, followed=2)
    assert path == root / "small.npz" and published.names(root) == ["small"]
    return published.load("small", root)


def close(mine, theirs, rtol=1e-6):
    assert mine.dims == theirs.dims
    np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=1e-9)


def alter(root, **changes):
    """Write the published file anew with other arrays: its checksum is good."""
    path = root / "small.npz"
    arrays, meta = read_archive(path)
    for name, change in changes.items():
        arrays[name] = change(arrays[name])
    write_archive(path, arrays, meta)


def test_what_is_read_is_what_was_written(tmp_path):
    data, pairs = synthetic(("hessian",), count=150), list(measures.PAIRS)
    found, table, savings = made_up(data, tmp_path, resamples=7)
    now, then = data.isel(time=1), data.isel(time=[1, 2])
    for name in ("loss", "weights", "hessian", "frozen_growth", "far_growth"):
        close(found[name], now[name])
    for name in ("exponents", "singular"):
        close(found[name], then[name])
    for name in ("frozen_angles", "far_angles"):
        close(found[name][0], now[name], 1e-3)
        close(found[name][1].sel(pair=pairs), data[name][2].sel(pair=pairs), 1e-3)
        assert np.isnan(found[name][1].drop_sel(pair=pairs)).all()
    for name in ("final_loss", "diverged_at", "pair", "index"):
        np.testing.assert_array_equal(found[name], data[name])
    np.testing.assert_allclose(found["course_exponents"], data["exponents"][:, :100], rtol=1e-6)
    assert found["course_exponents"].dims == ("moment", "few", "index")
    np.testing.assert_allclose(found["moment"], data["time"])
    np.testing.assert_allclose(found["time"], [0.015, 0.05])
    assert found.attrs["provenance"] == "made up" and found.attrs["early"] == 15
    wanted = predicting.table(data, resamples=7), predicting.savings_over_time(data, resamples=7)
    for mine, theirs in zip((table, savings), wanted):
        assert set(mine.data_vars) == set(theirs.data_vars)
        for name in theirs.data_vars:
            close(mine[name], theirs[name])
        for name in mine.coords:
            np.testing.assert_array_equal(mine[name], theirs[name])
    where = {"published_in": f"{tmp_path.name}/small.npz"}
    assert savings.attrs == wanted[1].attrs | where
    # What the figures and tables of the book take of it.
    assert results.losses({"a": found})["a"][1].counts == {"ideal": 75, "middle": 0, "failed": 75}
    assert results.range_at({"a": table}, "failed", "Hessian", 0.015) == (1, 1)


@pytest.mark.parametrize("time", [0.015, 0.05])
def test_marks_of_what_is_published_are_those_of_what_was_measured(tmp_path, time):
    unlike = np.random.default_rng(1).random((3, 150, 36)) - 0.5
    data = synthetic(count=150, singular=unlike[..., :9], exponents=unlike[..., 9:18])
    data["frozen_angles"][:, ::3, :2] = np.nan
    found, *_ = made_up(data, tmp_path)
    for mark in (measures.positive, measures.less_stable, measures.nearer_tangency):
        np.testing.assert_allclose(
            tuple(mark(found, time, resamples=20)), tuple(mark(data, time, resamples=20)), rtol=1e-6
        )
    for saw in (measures.saw_positive, measures.saw_stability, measures.saw_tangencies):
        assert saw(found, time) == saw(data, time)
    for kind in ("far", "frozen"):
        (mine, _), (theirs, _) = (
            results.angles({"a": d}, measures.PAIRS, time, kind)["a"] for d in (found, data)
        )
        np.testing.assert_allclose(mine, theirs, rtol=1e-3)
        assert np.isnan(mine[::3, :2]).all() and np.isfinite(mine[1::3]).all()


def test_a_later_time_before_the_early_one_is_in_order(tmp_path):
    data = synthetic(count=40)
    found, *_ = made_up(data, tmp_path, times=(0.015, 0.005))
    np.testing.assert_allclose(found["time"], [0.005, 0.015])
    np.testing.assert_allclose(found["exponents"], data["exponents"][:2], rtol=1e-6)


def test_a_campaign_of_few_networks_publishes_no_savings_and_says_why(root):
    _, _, savings = published.load("small", root)
    assert np.isnan(savings["saved"]).all() and savings.attrs["reason"].startswith("train: ")


def test_vectors_of_a_short_future_are_held_against_published_ones(root, data, tmp_path):
    """The same networks, fewer steps of future: only the far-future vectors differ."""
    papers = {"small": published.load("small", root)}
    same = results.convergence({"small": data, "other": data}, papers, 0.015)
    assert same.index.tolist() == ["small"] and same.loc["small", "more than 5° apart"].startswith(
        "0.00 (0.00 to 0.00)"
    )
    short = small(count=7, backward=1, times=(1, 5, 15))
    engine.run(short, tmp_path / "short")
    here = engine.load(short, tmp_path / "short")
    found = results.convergence({"small": here}, papers, 0.015, degrees=1)
    assert found.loc["small", "networks"] == 7
    assert found.loc["small", "future here"] == pytest.approx(0.001) and found.loc[
        "small", "future published"
    ] == pytest.approx(0.02)
    share = measures.unconverged(here, papers["small"][0], 0.015, degrees=1)
    assert 0.2 < share.estimate <= 1
    assert found.loc["small", "more than 1° apart"] == "{:.2f} ({:.2f} to {:.2f})".format(*share)


def test_a_longer_future_is_published_of_the_first_networks(root, data, tmp_path):
    """The training of sixty steps leaves 25 beyond the 20 that the campaign's vectors know."""
    found, *_ = published.load("small", root)
    assert found.attrs["longer"] == pytest.approx(0.025)
    assert found["longer_angles"].dims == ("time", "followed", "pair") and found[
        "longer_angles"
    ].shape == (1, 5, 36)
    longer = small(count=5, backward=45)
    engine.run(longer, tmp_path / "longer")
    pairs = list(measures.PAIRS)
    wanted = engine.load(longer, tmp_path / "longer").isel(time=[2])["far_angles"]
    np.testing.assert_allclose(
        found["longer_angles"].sel(pair=pairs), wanted.sel(pair=pairs), atol=1e-3
    )
    assert np.isnan(found["longer_angles"].drop_sel(pair=pairs)).all()
    table = results.convergence({"small": data}, {"small": (found, None, None)}, 0.015, degrees=0.1)
    share = measures.turned(found, 0.015, degrees=0.1)
    assert 0 < share.estimate <= 1
    assert table.loc[
        "small", "published, more than 0.1° from a longer future"
    ] == "{:.2f} ({:.2f} to {:.2f})".format(*share)
    assert table.loc["small", "networks followed longer"] == 5 and table.loc[
        "small", "longer future"
    ] == pytest.approx(0.045)


def test_a_longer_future_is_as_long_as_asked_for_or_as_there_is():
    for more, added in ((0.01, 0.01), (4.2, 0.025)):
        found, longer = published.longer_future(small(), (5, 15), 2, more)
        assert (
            longer == pytest.approx(added) and found.shape == (2, 2, 6) and np.isfinite(found).any()
        )
    found, longer = published.longer_future(small(backward=45), (5,), 100)
    assert longer == 0 and found.shape == (1, 12, 6) and np.isnan(found).all()
    with pytest.raises(ValueError, match="count = 0"):
        published.longer_future(small(), (5,), 0)
    with pytest.raises(ValueError):
        published.longer_future(small(), (6,), 1)


def test_a_time_that_was_not_measured_is_not_published_as_another(root, data, tmp_path):
    found, *_ = published.load("small", root)
    assert found["time"].values.tolist() == [0.015]  # nothing is near 0.2
    np.testing.assert_allclose(found["course_loss"], data["curve"], rtol=1e-6)
    assert tuple(found["step"].values) == small().curve
    with pytest.raises(ValueError, match="time = 0.2: nothing was measured"):
        published.write(data, tmp_path / "out", times=(0.2, 0.2))
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("error")
def test_networks_that_overflow_are_published(tmp_path):
    loss = np.full((3, 40), 1e300)
    loss[:, ::2] = np.nan
    lost = np.full((3, 40, 9), np.nan)
    curve = np.full((len(CURVE), 40), np.inf)
    data = synthetic(count=40, loss=loss, exponents=lost, far_residual=lost, curve=curve)
    found, *_ = made_up(data, tmp_path)
    assert np.isnan(found["loss"][::2]).all() and np.isinf(found["loss"][1::2]).all()
    assert np.isnan(found["exponents"]).all()


def test_what_is_recomputed_agrees_and_every_network_can_be_chosen(root):
    check = published.recompute("small", "abc", 3, root=root)
    assert check.agrees and max(check.apart.values()) < 1e-6, check
    assert list(check.apart) == ["loss", "weights", "hessian", "exponents", "singular"]
    parts = {published.recompute("small", token, 11, root=root).part for token in range(5)}
    assert parts == {"networks 0 to 10", "networks 1 to 11"}
    everyone = published.recompute("small", "x", 100, root=root)
    assert everyone.part == "networks 0 to 11" and everyone.agrees
    with pytest.raises(ValueError, match="count = 0"):
        published.recompute("small", "x", 0, root=root)


@pytest.mark.parametrize("by", [1.0, np.nan, np.inf])
@pytest.mark.parametrize("name", ["loss", "weights", "hessian", "exponents", "singular"])
def test_an_altered_number_disagrees(root, name, by):
    def one_off(values):
        values = values.copy()
        values[5] += by
        return values

    alter(root, **{f"early_{name}": one_off})
    check = published.recompute("small", "x", 12, root=root)
    assert not check.agrees and "DISAGREE" in str(check)
    assert [n for n, apart in check.apart.items() if not apart < 1e-3] == [name]


def test_networks_shuffled_disagree(root):
    alter(root, early_loss=lambda values: values[::-1], early_exponents=lambda values: values[::-1])
    assert not published.recompute("small", "x", 3, root=root).agrees


def test_a_campaign_without_the_early_time_publishes_the_nearest(tmp_path):
    campaign = small(count=4, times=(2, 17, 25))
    engine.run(campaign, tmp_path)
    published.write(engine.load(campaign, tmp_path), tmp_path / "out", 2, followed=2)
    assert published.load("small", tmp_path / "out")[0].attrs["early"] == 17
    assert published.recompute("small", "x", 2, root=tmp_path / "out").agrees


@pytest.mark.filterwarnings("error")
def test_networks_that_overflow_are_recomputed(tmp_path):
    campaign = small(task="ridge-relu-normal", learning_rate=1.0, block=12)
    engine.run(campaign, tmp_path)
    data = engine.load(campaign, tmp_path)
    assert np.isnan(data["loss"].isel(time=2)).any()
    published.write(data, tmp_path / "out", 2, (15.0, 0.2), followed=2)
    check = published.recompute("small", "x", 12, root=tmp_path / "out")
    assert check.agrees, check


def test_a_campaign_counts_as_published_where_all_of_it_is(root):
    def known(**changes):
        plan = engine.plan(small(**changes), "none", published=root)
        return len(plan.known), len(plan.missing)

    assert known() == known(block=9) == (2, 0) and known(count=5) == (1, 0)
    assert known(count=13) == known(seed=1) == known(times=(1, 5)) == (0, 2)


def test_the_books_campaigns_are_those_that_are_published(root, monkeypatch):
    monkeypatch.setitem(sizes._PAPER, "06_prediction", {"campaigns": ("small", "other")})
    monkeypatch.setitem(sizes._LAPTOP, "06_prediction", {})
    found = results.paper(root)
    assert list(found) == ["small"] and found["small"][0].sizes["network"] == 12
