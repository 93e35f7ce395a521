"""Following a campaign: only what is missing, the same numbers however it is cut, damage, and time
limits.
"""

import json
import time

import numpy as np
import pytest

from netdyn_lib.experiments import sizes as profiles
from netdyn_lib.experiments.outcome_prediction import campaign, results, running
from netdyn_lib.experiments.outcome_prediction.campaign import Campaign
from netdyn_lib.experiments.outcome_prediction.measuring import measure
from netdyn_lib.results.store import DamagedShard, Store
from netdyn_lib.tasks import tasks
from tests.test_outcomes_campaign import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("store")
    assert running.run(small(), path, workers=1) == (0, 0)
    return path


@pytest.fixture(scope="module")
def data(folder):
    return running.load(small(), folder)


def test_a_dataset_is_what_was_measured(data):
    found = measure(tasks.get("ridge-tanh-normal"), small(), 0, 12, workers=1)
    for name, values in found.items():
        wanted = values[..., 0] if name in ("gradient", "kinks") else values
        np.testing.assert_allclose(data[name].values, wanted, rtol=1e-12, atol=1e-12, err_msg=name)
    assert set(data.data_vars) == set(found)


def test_dimensions_and_coordinates_have_names_and_units(data):
    assert dict(data.sizes) == {
        "network": 12,
        "time": 3,
        "index": 9,
        "parameter": 9,
        "pair": 36,
        "split": 8,
        "step": len(small().curve),
    }
    assert data["far_angles"].dims == ("time", "network", "pair") and data["curve"].dims == (
        "step",
        "network",
    )
    np.testing.assert_allclose(data["time"], [0.001, 0.005, 0.015])
    assert data["pair"].values[[0, 7, 8, 35]].tolist() == ["(1,2)", "(1,9)", "(2,3)", "(8,9)"]
    assert tuple(data["step"].values) == small().curve
    assert (data.attrs["name"], data.attrs["steps"]) == ("small", 60) and data.attrs[
        "duration"
    ] == pytest.approx(0.06)
    assert Campaign(**json.loads(data.attrs["campaign"])) == small()
    for word in ("cores", "PyTorch", "commit"):
        assert word in data.attrs["provenance"]


def test_a_second_run_computes_nothing_and_a_larger_one_only_the_rest(folder, monkeypatch):
    computed = []
    monkeypatch.setattr(
        running,
        "measure",
        lambda *words, **more: computed.append(words[2:]) or measure(*words, **more),
    )
    assert running.run(small(), folder) == (2, 0) and computed == []
    assert running.run(small(count=21, name="larger"), folder) == (1, 0) and computed == [
        (7, 7),
        (14, 7),
    ]


def test_blocks_and_threads_change_no_number(data, tmp_path):
    other = small(block=5)
    assert running.run(other, tmp_path, workers=2) == (0, 0) and len(Store(tmp_path).keys()) == 3
    found = running.load(other, tmp_path)
    for name in data.data_vars:
        np.testing.assert_allclose(found[name], data[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    "changes",
    [
        dict(seed=1),
        dict(times=(1, 5, 16)),
        dict(backward=21),
        dict(learning_rate=0.002),
        dict(task="ridge-tanh-glorot"),
        dict(steps=61),
    ],
)
def test_whatever_determines_the_numbers_is_in_the_key(changes):
    assert running.identity(small(**changes), 0, 7) != running.identity(small(), 0, 7)
    assert running.identity(small(), 0, 7) != running.identity(small(), 7, 7)


def test_names_and_sizes_are_not():
    assert running.identity(small(name="other", count=500, block=3), 0, 7) == running.identity(
        small(), 0, 7
    )


def test_a_damaged_block_is_named_set_aside_and_computed_again(tmp_path, data):
    running.run(small(), tmp_path)
    path = sorted(tmp_path.glob("*.npz"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedShard, match=path.name):
        running.load(small(), tmp_path)
    lines = []
    assert running.run(small(), tmp_path, log=lines.append) == (1, 0)
    assert len(lines) == 1 and path.name in lines[0] and "counts as missing" in lines[0]
    assert path.with_name(path.name + ".damaged").exists()
    np.testing.assert_array_equal(running.load(small(), tmp_path)["exponents"], data["exponents"])


def test_damage_is_told_on_the_error_stream_unless_it_is_logged(tmp_path, capsys):
    one = small(count=2)
    running.run(one, tmp_path)
    next(tmp_path.glob("*.npz")).write_bytes(b"nothing")
    running.run(one, tmp_path)
    out, err = capsys.readouterr()
    assert out == "" and err.count("counts as missing") == 1


def test_blocks_that_are_missing_are_one_clear_error(tmp_path):
    running.run(small(count=7), tmp_path)
    with pytest.raises(KeyError, match="lacks 1 of 2 blocks of the campaign 'small'"):
        running.load(small(), tmp_path)
    assert running.load(small(count=7), tmp_path).sizes["network"] == 7


def test_a_time_limit_stops_inside_a_block(tmp_path):
    long = small(steps=2_000_000)
    began = time.monotonic()
    assert running.run(long, tmp_path, time_limit=0.5) == (0, 2)
    assert time.monotonic() - began < 20
    assert not list(tmp_path.glob("*.npz")) and not list(tmp_path.glob("locks/*"))


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_is_positive(tmp_path, limit):
    with pytest.raises(ValueError, match="time_limit"):
        running.run(small(), tmp_path, time_limit=limit)


def test_an_unknown_task_is_named(tmp_path):
    with pytest.raises(ValueError, match="unknown task 'none'"):
        running.run(small(task="none"), tmp_path)


def test_progress_is_quiet_unless_asked(tmp_path, capsys):
    running.run(small(count=2), tmp_path)
    assert capsys.readouterr() == ("", "")
    running.run(small(count=3), tmp_path, progress=True)
    assert "block" in capsys.readouterr().err


def test_the_books_campaigns_are_computed_where_they_are_missing(
    monkeypatch, tmp_path, folder, data
):
    sizes = {
        k: getattr(small(), k)
        for k in ("count", "learning_rate", "steps", "times", "backward", "block")
    }
    monkeypatch.setitem(
        profiles._PAPER, "06_prediction", sizes | {"campaigns": ("ridge-tanh-normal",)}
    )
    monkeypatch.setitem(profiles._LAPTOP, "06_prediction", {})
    found = results.live(folder=folder)
    assert (
        list(found) == ["ridge-tanh-normal"]
        and found["ridge-tanh-normal"].attrs["name"] == "ridge-tanh-normal"
    )
    np.testing.assert_array_equal(found["ridge-tanh-normal"]["loss"], data["loss"])
    assert running.live("ridge-tanh-normal", folder=tmp_path, count=2).sizes["network"] == 2
    assert campaign.get("ridge-tanh-normal").count == 12
