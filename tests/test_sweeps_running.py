"""Running sweeps: the same numbers however they are cut, only what is missing, time limits,
overflow.
"""

import time
from functools import partial

import numpy as np
import pytest
import torch

from netdyn_lib import torch_utils
from netdyn_lib.experiments.learning_rate_sweep import dataset, measuring, running
from netdyn_lib.experiments.learning_rate_sweep.running import plan, run
from netdyn_lib.results.store import Store
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import blocked, steppers
from tests.small_sweeps import TASK, same, small


def loaded(sweep, folder, **options):
    done = run(sweep, folder, **options)
    assert done.missing == 0 and done.stopped == ""
    return dataset.load(sweep, folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return loaded(small(block=3), tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize(("block", "workers"), [(1, 1), (2, 2), (3, 3)])
def test_numbers_do_not_depend_on_shards_or_threads(tmp_path, whole, block, workers):
    assert same(loaded(small(block=block), tmp_path, workers=workers), whole)


def test_numbers_do_not_depend_on_the_order_of_rates_or_other_conditions(tmp_path, whole):
    backwards = loaded(small(rates=(5.0, 0.5), conditions=4, block=1), tmp_path)
    assert same(backwards.sel(eta=[0.5, 5.0]).isel(init=slice(0, 3)), whole)


def test_samples_in_blocks_give_numbers_that_do_not_depend_on_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(blocked, "_VALUES", 500)
    monkeypatch.setattr(blocked, "_LEAST", 7)
    assert isinstance(steppers.of(tasks.get(TASK, samples=40)), steppers.MLPStepper)
    one = loaded(small(block=3), tmp_path / "3", workers=1)
    assert same(loaded(small(block=1), tmp_path / "1", workers=2), one)


def test_a_rerun_computes_only_what_is_missing(tmp_path, monkeypatch):
    sweep, store, seen = small(), Store(tmp_path), []
    monkeypatch.setattr(running, "compute", lambda *words: seen.append(words[2]) or real(*words))
    first = run(sweep, store)
    assert (first.kept, first.computed, first.missing, len(seen)) == (0, 4, 0, 4)
    before = dataset.load(sweep, store)
    lost = plan(sweep, store)
    for shard in (sweep.shards()[1], sweep.shards()[3]):
        store.path(lost.keys[shard]).unlink()
    assert plan(sweep, store).missing == [sweep.shards()[1], sweep.shards()[3]]
    again = run(sweep, store)
    assert (again.kept, again.computed, seen[4:]) == (2, 2, [sweep.shards()[1], sweep.shards()[3]])
    assert same(dataset.load(sweep, store), before)
    wider = run(small(rates=(0.5, 1.0, 5.0), name="wider"), store)
    assert (wider.kept, wider.computed) == (4, 2)
    assert run(sweep, store).computed == 0


real = running.compute


def test_progress_and_log_are_quiet_unless_asked(tmp_path, capsys):
    run(small(rates=(0.5,), conditions=1), tmp_path)
    assert capsys.readouterr() == ("", "")
    run(small(rates=(0.5,), conditions=2, block=1), tmp_path, progress=True)
    assert "shard" in capsys.readouterr().err


# Time


def test_a_time_limit_inside_a_shard_stops_it_within_an_epoch(tmp_path):
    sweep = small(epochs=2_000_000, cap=0, conditions=1)
    began = time.monotonic()
    done = run(sweep, tmp_path, time_limit=1)
    assert time.monotonic() - began < 30
    assert (done.computed, done.missing, done.stopped) == (0, 2, "time limit")
    assert not list(tmp_path.glob("*.npz")) and not list(tmp_path.glob("locks/*"))


def test_a_time_limit_inside_the_search_for_arrivals_stops_it(tmp_path):
    sweep = small(rates=(1e-9,), cap=2_000_000, conditions=1)
    done = run(sweep, tmp_path, time_limit=1)
    assert (done.computed, done.stopped) == (0, "time limit") and done.seconds < 30


def test_a_shard_that_would_not_be_finished_is_not_begun(tmp_path, monkeypatch):
    begun, clock = [], [1000.0]

    def slow(*words):
        begun.append(words[2])
        clock[0] += 10
        return real(*words[:5], None, 1)

    monkeypatch.setattr(running, "compute", slow)
    monkeypatch.setattr(running.time, "monotonic", lambda: clock[0])
    done = run(small(), tmp_path, time_limit=25)
    assert len(begun) == 2, "after 20 of 25 seconds another shard of 10 was begun"
    assert (done.computed, done.missing, done.stopped) == (2, 2, "time limit")
    monkeypatch.undo()
    assert run(small(), tmp_path).computed == 2


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_a_time_limit_is_positive(tmp_path, limit):
    with pytest.raises(ValueError, match="time_limit"):
        run(small(), tmp_path, time_limit=limit)


# What a shard measures


def test_a_shard_measures_what_single_networks_do(whole):
    sweep, task = small(), tasks.get(TASK, samples=40, test_samples=30)
    start = task.initial(3)
    balls = networks.perturbed(start, 1e-8, 2)
    np.testing.assert_allclose(
        whole["distance"].sel(eta=0.5, epoch=0).values,
        (balls[:, 1:] - balls[:, :1]).abs().sum(-1).numpy(),
        rtol=1e-12,
    )
    params = start[1].clone().requires_grad_()
    for epoch in range(4):
        loss = task.objective(params)
        assert abs(loss.item() / float(whole["loss"].sel(eta=5.0, epoch=epoch, init=1)) - 1) < 1e-12
        (slope,) = torch.autograd.grad(loss, params)
        params = (params - 5.0 * slope).detach().requires_grad_()
    assert whole.sizes["epoch"] == sweep.epochs + 1


def test_sharpness_is_of_the_references_chosen(tmp_path):
    sweep = small(sharp_at=(0, 6, 12), sharp_conditions=2, block=1, cap=0)
    data = loaded(sweep, tmp_path)
    assert data["sharpness"].dims == ("eta", "sharp_epoch", "init") and "first_hit" not in data
    sharp = data["sharpness"].transpose("init", "eta", "sharp_epoch").values
    assert (sharp[:2] > 0).all() and np.isnan(sharp[2]).all()
    # before the first step, at any rate
    np.testing.assert_array_equal(sharp[:, 0, 0], sharp[:, 1, 0])
    together = loaded(small(sharp_at=(0, 6, 12), sharp_conditions=2, block=3, cap=0), tmp_path)
    assert same(together, data)


def test_networks_that_overflow_are_data(tmp_path):
    """W grows past what a float holds: a divergence has its epoch, and what follows is NaN."""
    if "overflowing" not in tasks.names():
        network = partial(networks.MLP, (64, 8, 10), "relu")
        tasks.register(tasks.Recipe("overflowing", "digits", network, losses.CrossEntropy(), 0.9))
    sweep = small(
        task="overflowing", rates=(0.1, 1e160), cap=40, sharp_at=(0, 5), sharp_conditions=3
    )
    data = loaded(sweep, tmp_path)
    tame, wild = data.sel(eta=0.1), data.sel(eta=1e160)
    assert (tame["diverged_at"] == -1).all() and np.isfinite(tame["distance"]).all()
    gone = wild["diverged_at"].values
    assert (gone > 0).all()
    for k in range(3):
        assert (
            np.isfinite(wild["loss"].values[0, k])
            and np.isnan(wild["loss"].values[gone[k, 0] :, k]).all()
        )
        assert np.isnan(wild["accuracy"].values[gone[k, 0] :, k]).all()
    assert np.isnan(wild["first_hit"]).all() and np.isnan(wild["sustained_hit"]).all()
    assert (
        np.isfinite(wild["sharpness"].values[0]).all()
        and np.isnan(wild["sharpness"].values[1]).all()
    )
    assert same(loaded(sweep, tmp_path / "again", workers=1), data)


def test_measuring_gives_up_past_its_deadline():
    sweep = small()
    with pytest.raises(torch_utils.Stopped):
        measuring.measure(
            tasks.get(TASK, samples=40), sweep, sweep.shards()[0], deadline=time.monotonic() - 1
        )


# Errors


def test_bad_input_is_one_clear_error(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="unknown task 'none'; known: iris"):
        run(small(task="none"), tmp_path)
    with pytest.raises(ValueError, match="unknown device 'tpu'"):
        run(small(), tmp_path, device="tpu")
    with pytest.raises(ValueError, match="sees 0|asks for GPU 99"):
        run(small(), tmp_path, device="cuda:99")
    with pytest.raises(ValueError, match="samples = 5000"):
        run(small(samples=5000), tmp_path)
    with pytest.raises(ValueError, match="workers = 0"):
        run(small(), tmp_path, workers=0)
    assert not list(tmp_path.glob("*.npz"))


def test_a_folder_that_cannot_be_is_an_error_before_any_computing(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "compute", lambda *_: pytest.fail("computed for nothing"))
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="was not written"):
        run(small(), tmp_path / "file")


def test_an_error_in_a_shard_keeps_those_before_it(tmp_path, monkeypatch):
    def failing(*words):
        if words[2].rate == 5.0:
            raise RuntimeError("out of memory")
        return real(*words)

    monkeypatch.setattr(running, "compute", failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        run(small(), tmp_path)
    monkeypatch.undo()
    assert run(small(), tmp_path).kept == 1
