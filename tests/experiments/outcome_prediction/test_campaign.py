"""What a campaign is: its blocks, its bounds, its numbers, and the book's by name."""

import json

import numpy as np
import pytest

from netdyn_lib.experiments import campaign as engine
from netdyn_lib.experiments import sizes as profiles
from netdyn_lib.experiments.outcome_prediction import campaign, results
from netdyn_lib.experiments.outcome_prediction.campaign import Campaign
from netdyn_lib.experiments.outcome_prediction.measuring import measure
from netdyn_lib.tasks import tasks
from tests.small_campaigns import small


@pytest.mark.parametrize(
    ("count", "block", "blocks"),
    [(12, 7, [(0, 7), (7, 5)]), (14, 7, [(0, 7), (7, 7)]), (3, 7, [(0, 3)])],
)
def test_blocks_cover_every_network_once(count, block, blocks):
    pieces = small(count=count, block=block).pieces()
    assert [(piece.start, piece.count) for piece in pieces] == blocks
    assert str(pieces[0]) == f"networks 0 to {blocks[0][1] - 1}"


def test_the_curve_grows_from_the_first_step_to_the_last():
    curve = small(steps=10_000).curve
    assert curve[:3] == (0, 1, 2) and curve[-1] == 10_000
    assert list(curve) == sorted(set(curve)) and 40 < len(curve) < 63
    assert small(steps=60).curve[-1] == 60
    assert small(steps=2, times=(1,), backward=1).curve == (0, 1, 2)


def test_numbers_of_other_types_are_the_same_campaign():
    assert small(count=12.0, times=[1, 5.0, 15], steps=60.0) == small()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(learning_rate=float("nan")), "learning_rate = nan"),
        (dict(count=0), "count = 0"),
        (dict(steps=1.5), "steps = 1.5"),
        (dict(times=()), "at least one"),
        (dict(times=(5, 1)), r"times = \(5, 1\): must grow"),
        (dict(times=(0, 5)), "time = 0"),
        (dict(times=(41,)), "last time . backward = 61: must be a whole number, from 1 to 60"),
    ],
)
def test_bad_numbers_are_one_clear_error(changes, said):
    with pytest.raises(ValueError, match=said):
        small(**changes)


def test_the_books_campaigns_are_those_of_its_profile():
    assert campaign.names() == profiles.sizes("06_prediction").campaigns
    paper, size = (
        campaign.get("ridge-relu-normal", "paper", 3),
        profiles.sizes("06_prediction", "paper"),
    )
    assert (paper.name, paper.task, paper.seed) == ("ridge-relu-normal", "ridge-relu-normal", 3)
    assert (paper.count, paper.steps, paper.times) == (size.count, size.steps, size.times)
    assert campaign.get("ridge-relu-normal").count < paper.count
    with pytest.raises(ValueError, match="unknown campaign 'none'; known: ridge-tanh-normal, "):
        campaign.get("none")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("store")
    assert engine.run(small(), path, workers=1).missing == 0
    return path


@pytest.fixture(scope="module")
def data(folder):
    return engine.load(small(), folder)


def test_a_dataset_is_what_was_measured(data):
    found = measure(tasks.get("ridge-tanh-normal"), small(), 0, 12, workers=1)
    for name, values in found.items():
        wanted = values[..., 0] if name in ("gradient", "kinks") else values
        np.testing.assert_allclose(data[name].values, wanted, rtol=1e-12, atol=1e-12, err_msg=name)
    assert set(data.data_vars) == set(found)


def test_dimensions_and_coordinates_have_names_and_units(data):
    sizes = dict(network=12, time=3, index=9, parameter=9, pair=36, split=8)
    assert dict(data.sizes) == sizes | dict(step=len(small().curve))
    assert data["far_angles"].dims == ("time", "network", "pair")
    assert data["curve"].dims == ("step", "network") and tuple(data["step"].values) == small().curve
    np.testing.assert_allclose(data["time"], [0.001, 0.005, 0.015])
    assert data["pair"].values[[0, 7, 8, 35]].tolist() == ["(1,2)", "(1,9)", "(2,3)", "(8,9)"]
    assert (data.attrs["name"], data.attrs["steps"]) == ("small", 60)
    assert data.attrs["duration"] == pytest.approx(0.06)
    assert Campaign(**json.loads(data.attrs["campaign"])) == small()
    assert all(word in data.attrs["provenance"] for word in ("cores", "PyTorch", "commit"))


def test_blocks_and_threads_change_no_number(data, tmp_path):
    engine.run(small(block=5), tmp_path, workers=2)
    found = engine.load(small(block=5), tmp_path)
    for name in data.data_vars:
        np.testing.assert_allclose(found[name], data[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_a_time_limit_stops_inside_a_block(tmp_path):
    done = engine.run(small(steps=2_000_000), tmp_path, time_limit=0.5)
    assert (done.computed, done.missing) == (0, 2) and done.seconds < 20
    assert not list(tmp_path.glob("*.npz")) and not list(tmp_path.glob("locks/*"))


def test_the_books_campaigns_are_computed_where_they_are_missing(monkeypatch, folder, data):
    own = {k: v for k, v in vars(small()).items() if k not in ("name", "task")}
    monkeypatch.setitem(profiles._PAPER, "06_prediction", own | {"campaigns": (small().task,)})
    monkeypatch.setitem(profiles._LAPTOP, "06_prediction", {})
    found = results.live(folder=folder)
    assert list(found) == ["ridge-tanh-normal"]
    np.testing.assert_array_equal(found["ridge-tanh-normal"]["loss"], data["loss"])
