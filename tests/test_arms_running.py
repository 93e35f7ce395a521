"""Following arms: only what is missing, killed and gone on with to the last bit, shared by
processes, damage, and time limits.
"""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from netdyn_lib.curvature.pruned_descent import Rule
from netdyn_lib.experiments.pruning_ablation import measuring, pieces, running
from netdyn_lib.experiments.pruning_ablation.arm import Arm
from netdyn_lib.results.store import DamagedShard, Store
from netdyn_lib.tasks import tasks
from tests.small_arms import OBSERVED, TASK, small

ARMS = [small("none"), small("random-same"), small("negative", momentum=0.9, networks=1)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("store")
    assert running.lacks(ARMS, path) == 5
    assert running.run(ARMS, path) == (0, 0)
    assert running.lacks(ARMS, path) == 0
    return path


@pytest.fixture(scope="module")
def data(folder):
    return running.load(ARMS, folder)


@pytest.fixture
def counted(monkeypatch):
    """The stretches that are followed: (label, network, start, stop) of each."""
    seen = []

    def follow(task, arm, network, start, stop, *state, **more):
        seen.append((arm.label, network, start, stop))
        return measuring.follow(task, arm, network, start, stop, *state, **more)

    monkeypatch.setattr(running, "follow", follow)
    return seen


def same(one, other):
    for name in one.data_vars:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def segments(folder):
    return [
        path for path in folder.glob("*.npz") if "segment" in Store(folder).read(path.stem).meta
    ]


def test_a_dataset_is_what_was_measured(data):
    task = tasks.get(TASK)
    for arm in ARMS:
        for k in range(arm.networks):
            found, part = measuring.follow(task, arm, k, 0, 12), data.sel(arm=arm.label, seed=k)
            for name in (*OBSERVED, "final", "velocity", "diverged_at"):
                np.testing.assert_array_equal(part[name], found[name], err_msg=name)
            np.testing.assert_array_equal(part["first_loss"], found["losses"])


def test_dimensions_and_provenance(data):
    assert dict(data.sizes) == {"arm": 3, "seed": 2, "step": 7, "parameter": 235, "first": 12}
    assert (
        data["arm"].values.tolist() == ["none", "random-same", "negative"]
        and data["step"].values[-1] == 12
    )
    assert data["test_loss"].dims == ("arm", "seed", "step")
    assert data["present"].values.tolist() == [[True, True], [True, True], [True, False]]
    assert np.isnan(data["test_loss"].sel(arm="negative", seed=1)).all()
    assert [Arm(**one) for one in json.loads(data.attrs["arms"])] == ARMS
    for word in ("one core of", "PyTorch", "commit"):
        assert word in data.attrs["provenance"]


def test_arms_of_other_lengths_and_numbers_stand_in_one_dataset(folder, data):
    arms = [*ARMS[:2], small("none", name="longer", steps=20, every=4, networks=1)]
    running.run(arms, folder)
    found = running.load(arms, folder)
    assert found["step"].values.tolist() == [0, 2, 4, 6, 8, 10, 12, 16, 20]
    np.testing.assert_array_equal(
        found["loss"].sel(arm="none", step=data["step"]), data["loss"].sel(arm="none")
    )
    later = found["test_loss"].sel(arm="longer", seed=0)
    np.testing.assert_array_equal(
        later.sel(step=[4, 8, 12]), data["test_loss"].sel(arm="none", seed=0, step=[4, 8, 12])
    )
    assert (
        np.isnan(later.sel(step=[2, 6, 10])).all() and np.isfinite(later.sel(step=[16, 20])).all()
    )


def test_a_second_run_follows_nothing_and_more_networks_or_steps_only_the_rest(folder, counted):
    assert running.run(ARMS, folder) == (5, 0) and counted == []
    assert running.run([small("none", networks=3)], folder) == (2, 0)
    assert counted == [("none", 2, *span) for span in ((0, 4), (4, 8), (8, 12))]
    counted.clear()
    assert running.run([small("none", steps=16)], folder) == (0, 0)
    assert counted == [("none", 0, 12, 16), ("none", 1, 12, 16)]


def test_arms_that_do_the_same_are_followed_once(tmp_path, counted):
    arms = [small("none", networks=1), small("none", name="again", networks=1)]
    assert running.run(arms, tmp_path) == (0, 0) and len(counted) == 3
    found = running.load(arms, tmp_path)
    same(found.sel(arm="none"), found.sel(arm="again"))


def test_segments_change_no_number(data, tmp_path):
    arms = [Arm(**vars(arm) | dict(segment=6)) for arm in ARMS]
    running.run(arms, tmp_path)
    assert len(segments(tmp_path)) == 10
    same(running.load(arms, tmp_path), data)


def test_a_killed_run_is_gone_on_with_to_the_last_bit(tmp_path, counted):
    """Killed with −9, anywhere in a segment: no claim is left, and the rest is followed from the
    last checkpoint.
    """
    endless = "small('random-same', momentum=0.5, networks=1, steps=1_000_000)"
    code = f"from tests.small_arms import small; from netdyn_lib.experiments.pruning_ablation import running; running.run([{endless}], {str(tmp_path)!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[1]
    )
    try:
        end = time.monotonic() + 120
        while len(list(tmp_path.glob("*.npz"))) < 3:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    done = len(segments(tmp_path))
    arm = small("random-same", momentum=0.5, networks=1, steps=4 * (done + 2))
    assert running.run([arm], tmp_path) == (0, 0)
    assert counted == [
        ("random-same", 0, 4 * done, 4 * done + 4),
        ("random-same", 0, 4 * done + 4, 4 * done + 8),
    ]
    whole = Arm(**vars(arm) | dict(segment=arm.steps))
    running.run([whole], tmp_path / "whole")
    same(running.load([arm], tmp_path), running.load([whole], tmp_path / "whole"))
    (piece,) = pieces.pieces([small("random-same", momentum=0.5, networks=1, steps=1_000_000)])
    with Store(tmp_path).claim(piece.key) as mine:
        assert mine


def test_a_time_limit_stops_within_a_segment_and_the_next_run_goes_on(tmp_path, counted):
    arm = small("negative", steps=1_000_000, segment=100, networks=1)
    began = time.monotonic()
    assert running.run([arm], tmp_path, time_limit=2) == (0, 1)
    assert time.monotonic() - began < 20
    done = len(segments(tmp_path))
    assert done == len(counted) - 1 and not list(tmp_path.glob("locks/*"))
    counted.clear()
    running.run([arm], tmp_path, time_limit=0.3)
    assert not counted or counted[0] == ("negative", 0, 100 * done, 100 * done + 100)


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_is_positive(tmp_path, limit):
    with pytest.raises(ValueError, match="time_limit"):
        running.run(ARMS, tmp_path, time_limit=limit)


def test_two_at_once_share_the_work(tmp_path, counted, data):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: running.run(ARMS, tmp_path), range(2)))
    assert found == [(0, 0)] * 2 and len(counted) == len(set(counted)) == 15
    same(running.load(ARMS, tmp_path), data)


def test_what_another_has_claimed_is_waited_for_until_the_time_is_over(tmp_path, counted):
    arm = small(networks=2)
    name = pieces.pieces([arm])[0].key
    with Store(tmp_path).claim(name) as mine:
        assert mine and running.run([arm], tmp_path, time_limit=1.5) == (0, 1)
    assert {k for _, k, *_ in counted} == {1}


def test_a_damaged_network_is_put_together_again_from_its_segments(folder, data, tmp_path, counted):
    running.run(ARMS, tmp_path)
    counted.clear()
    path = Store(tmp_path).path(pieces.pieces(ARMS)[1].key)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DamagedShard, match=path.name):
        running.load(ARMS, tmp_path)
    lines = []
    assert running.run(ARMS, tmp_path, log=lines.append) == (4, 0) and counted == []
    assert len(lines) == 1 and path.name in lines[0] and "counts as missing" in lines[0]
    same(running.load(ARMS, tmp_path), data)


def test_a_damaged_segment_is_followed_again(tmp_path, data, counted, capsys):
    running.run(ARMS, tmp_path)
    piece = pieces.pieces(ARMS)[2]
    for name in (piece.key, list(piece.segments())[1][2]):
        Store(tmp_path).path(name).write_bytes(b"nothing")
    counted.clear()
    assert running.run(ARMS, tmp_path) == (4, 0) and counted == [("random-same", 0, 4, 8)]
    same(running.load(ARMS, tmp_path), data)
    out, err = capsys.readouterr()
    assert out == "" and err.count("counts as missing") == 2


def test_runs_that_diverge_are_data(tmp_path, counted):
    arm = small("none", learning_rate=1e200)
    assert running.run([arm], tmp_path) == (0, 0) and len(counted) == 2
    found = running.load([arm], tmp_path).sel(arm="none")
    assert (found["diverged_at"] > 0).all() and found["present"].all()
    assert (
        np.isnan(found["test_loss"].isel(step=slice(3, None))).all()
        and np.isfinite(found["test_loss"].isel(step=0)).all()
    )


@pytest.mark.parametrize(
    "changes",
    [
        dict(seed=1),
        dict(learning_rate=0.4),
        dict(batch=5),
        dict(batch=None),
        dict(onset=1),
        dict(momentum=0.1),
        dict(every=4),
        dict(spectra=False),
        dict(rule="positive"),
        dict(rule=Rule("negative", 5)),
        dict(task="digits-usps"),
    ],
)
def test_whatever_determines_the_numbers_is_in_the_key(changes):
    first, other = (
        pieces.pieces([small(**more)])[0] for more in ({}, dict(rule="negative") | changes)
    )
    assert first.key != other.key and next(first.segments()) != next(other.segments())


def test_names_segments_and_numbers_are_not():
    one, other = (
        pieces.pieces([small(**more)])[0]
        for more in ({}, dict(name="other", networks=9, segment=6))
    )
    assert one.key == other.key and next(one.segments())[2] != next(other.segments())[2]
    longer = pieces.pieces([small(steps=24)])[0]
    assert longer.key != one.key and list(longer.segments())[:3] == list(one.segments())
    assert len({piece.key for piece in pieces.pieces(ARMS)}) == 5


def test_other_code_or_data_is_another_key(monkeypatch):
    first = pieces.pieces([small()])[0].key
    monkeypatch.setattr(pieces, "_code", lambda: "other")
    other = pieces.pieces([small()])[0]
    assert (
        other.key != first
        and other.identity["code"] == "other"
        and other.identity["task"]["data"] == other.task.split.checksum
    )


def test_networks_that_are_missing_are_one_clear_error_or_left_out(tmp_path):
    running.run(ARMS[:1], tmp_path)
    with pytest.raises(KeyError, match=f"lacks 3 of 5 networks of 3 arms of '{TASK}'"):
        running.load(ARMS, tmp_path)
    found = running.load([*ARMS[1:], small("none", networks=3)], tmp_path, partial=True)
    assert found["arm"].values.tolist() == ["none"] and found["present"].values.tolist() == [
        [True, True, False]
    ]
    assert np.isnan(found["diverged_at"].values[0, 2])
    with pytest.raises(KeyError, match="lacks 3 of 3"):
        running.load(ARMS[1:], tmp_path, partial=True)
    for arms in ([], [ARMS[0], small(task="digits-usps")]):
        with pytest.raises(ValueError, match="all of one task"):
            running.load(arms, tmp_path)


def test_progress_is_quiet_unless_asked(tmp_path, capsys):
    running.run(ARMS[:1], tmp_path)
    assert capsys.readouterr() == ("", "")
    running.run(ARMS[1:], tmp_path, progress=True)
    assert "random-same, network" in capsys.readouterr().err


def test_an_unknown_task_is_named(tmp_path):
    with pytest.raises(ValueError, match="unknown task 'nothing'"):
        running.run([small(task="nothing")], tmp_path)
