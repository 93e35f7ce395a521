"""Published campaigns: written and read again, recomputed, altered, damaged and missing."""

import numpy as np
import pytest

from netdyn_lib import profiles
from netdyn_lib.outcomes import predicting, published, results, running
from netdyn_lib.store import DamagedShard, read_archive, write_archive
from tests.test_outcomes_campaign import small
from tests.test_outcomes_predicting import CURVE, STEPS, TIMES, synthetic


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    running.run(small(), folder)
    return running.load(small(), folder)


@pytest.fixture
def root(data, tmp_path):
    published.write(data, small(), resamples=2, root=tmp_path)
    return tmp_path


def alter(root, **changes):
    """Write the published file anew with other arrays: its checksum is good."""
    path = root / "small.npz"
    arrays, meta = read_archive(path)
    for name, change in changes.items():
        arrays[name] = change(arrays[name])
    write_archive(path, arrays, meta)


def test_what_is_read_is_what_was_written(tmp_path):
    data = synthetic(("hessian",), count=150)
    campaign = small(name="made-up", count=150, times=tuple(TIMES.tolist()), steps=STEPS)
    path = published.write(data, campaign, resamples=7, root=tmp_path)
    assert path == tmp_path / "made-up.npz" and published.names(tmp_path) == ["made-up"]
    found, table = published.load("made-up", tmp_path)
    now = data.sel(time=0.015)
    for name in ("loss", "exponents", "singular", "hessian", "frozen_growth", "far_growth"):
        assert found[name].dims == now[name].dims
        np.testing.assert_allclose(found[name], now[name], rtol=1e-6)
    for name in ("frozen_angles", "far_angles"):
        assert found[name].dims == ("network", "pair")
        np.testing.assert_allclose(found[name], now[name], rtol=1e-3)
    np.testing.assert_array_equal(found["final_loss"], data["final_loss"])
    np.testing.assert_array_equal(found["diverged_at"], data["diverged_at"])
    np.testing.assert_allclose(found["course_exponents"], data["exponents"][:, :100], rtol=1e-6)
    for name in ("pair", "index", "time"):
        np.testing.assert_array_equal(found[name], data[name])
    assert found.attrs["provenance"] == "made up" and found.attrs["early"] == 15
    wanted = predicting.table(data, resamples=7)
    assert set(table.data_vars) == set(wanted.data_vars)
    for name in wanted.data_vars:
        assert table[name].dims == wanted[name].dims
        np.testing.assert_allclose(table[name], wanted[name], rtol=1e-6)
    for name in table.coords:
        np.testing.assert_array_equal(table[name], wanted[name])
    # What the figures and tables of the book take of it.
    assert results.losses({"a": found})["a"][1].counts == {"ideal": 75, "middle": 0, "failed": 75}
    assert results.range_at({"a": table}, "failed", "Hessian", 0.015) == (1, 1)


def test_the_loss_is_that_of_the_campaigns_curve(root, data):
    found, _ = published.load("small", root)
    np.testing.assert_allclose(found["course_loss"], data["curve"], rtol=1e-6)
    assert tuple(found["step"].values) == small().curve


@pytest.mark.filterwarnings("error")
def test_networks_that_overflow_are_published(tmp_path):
    loss = np.full((3, 40), 1e300)
    loss[:, ::2] = np.nan
    lost = np.full((3, 40, 9), np.nan)
    data = synthetic(count=40, loss=loss, exponents=lost, far_residual=lost, curve=np.full((len(CURVE), 40), np.inf))
    published.write(data, small(count=40, times=tuple(TIMES.tolist()), steps=STEPS), resamples=2, root=tmp_path)
    found, _ = published.load("small", tmp_path)
    assert np.isnan(found["loss"][::2]).all() and np.isinf(found["loss"][1::2]).all() and np.isnan(found["exponents"]).all()


@pytest.mark.parametrize("token", ["abc", 7])
def test_what_is_recomputed_agrees(root, token):
    check = published.recompute("small", token, 3, root=root)
    assert check.agrees and max(check.loss, check.exponents) < 1e-6, check
    assert check.count == 3 and 0 <= check.first <= 9
    assert f"small: networks {check.first} to {check.first + 2}, recomputed and published agree" in str(check)


def test_the_token_chooses_and_every_network_can_be_chosen(root):
    firsts = {published.recompute("small", token, 11, root=root).first for token in range(5)}
    assert firsts == {0, 1}
    everyone = published.recompute("small", "x", 100, root=root)
    assert (everyone.first, everyone.count, everyone.agrees) == (0, 12, True)
    with pytest.raises(ValueError, match="count = 0"):
        published.recompute("small", "x", 0, root=root)


def one_off(by):
    def change(values):
        values = values.copy()
        values[5] += by
        return values

    return change


@pytest.mark.parametrize("by", [1.0, np.nan, np.inf])
@pytest.mark.parametrize("name", ["loss", "exponents"])
def test_an_altered_number_disagrees(root, name, by):
    alter(root, **{f"early_{name}": one_off(by)})
    check = published.recompute("small", "x", 12, root=root)
    assert not check.agrees and "DISAGREE" in str(check)
    altered, other = (check.loss, check.exponents) if name == "loss" else (check.exponents, check.loss)
    assert altered > 1e-3 > other


def test_networks_shuffled_disagree(root):
    alter(root, early_loss=lambda values: values[::-1], early_exponents=lambda values: values[::-1])
    assert not published.recompute("small", "x", 3, root=root).agrees


def test_a_campaign_without_the_early_time_publishes_the_nearest(tmp_path):
    campaign = small(count=4, times=(2, 17, 25))
    running.run(campaign, tmp_path)
    published.write(running.load(campaign, tmp_path), campaign, resamples=2, root=tmp_path / "out")
    assert published.load("small", tmp_path / "out")[0].attrs["early"] == 17
    assert published.recompute("small", "x", 2, root=tmp_path / "out").agrees


@pytest.mark.filterwarnings("error")
def test_networks_that_overflow_are_recomputed(tmp_path):
    campaign = small(task="ridge-relu-normal", learning_rate=1.0, block=12)
    running.run(campaign, tmp_path)
    data = running.load(campaign, tmp_path)
    assert np.isnan(data["loss"].isel(time=2)).any()
    published.write(data, campaign, resamples=2, root=tmp_path / "out", early=15.0)
    check = published.recompute("small", "x", 12, root=tmp_path / "out")
    assert check.agrees, check


def test_what_is_missing_says_how_to_compute_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="'none'; compute it: python -m netdyn_lib.outcomes run none --profile paper && "):
        published.load("none", tmp_path)
    assert published.names(tmp_path) == [] and published.names(tmp_path / "none") == []
    with pytest.raises(FileNotFoundError):
        published.recompute("none", "x", root=tmp_path)


def test_a_damaged_file_is_an_error(root):
    path = root / "small.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DamagedShard, match="small.npz is damaged"):
        published.load("small", root)


def test_the_books_campaigns_are_those_that_are_published(root, monkeypatch):
    monkeypatch.setitem(profiles._PAPER, "06_prediction", {"campaigns": ("small", "other")})
    monkeypatch.setitem(profiles._LAPTOP, "06_prediction", {})
    found = results.paper(root)
    assert list(found) == ["small"] and found["small"][0].sizes["network"] == 12


def test_the_folder_is_the_books():
    assert published.folder().parts[-3:] == ("book", "results", "outcomes")
