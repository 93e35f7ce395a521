"""A sweep as a grid, and what its pieces measure."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from netdyn_lib.experiments import campaign
from netdyn_lib.experiments.learning_rate_sweep import grid
from netdyn_lib.experiments.learning_rate_sweep.grid import Shard
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import blocked, steppers
from tests.small_sweeps import TASK, same, small


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(rates=(0.5, 0.0)), "rates = 0.0.*positive"),
        (dict(rates=(float("nan"),)), "rates = nan"),
        (dict(rates=()), "at least one"),
        (dict(rates=(0.5, 0.5)), "each once"),
        (dict(rates=0.5), "rates = 0.5"),
        (dict(radius=0.0), "radius = 0.0"),
        (dict(block=1.5), "block = 1.5"),
        (dict(cap=5), "cap = 5 below epochs"),
        (dict(samples=0), "samples = 0"),
        (dict(sharp_at=(0, 13)), "sharp_at = 13"),
        (dict(sharp_at=(5, 0)), "in order"),
    ],
)
def test_what_is_no_sweep_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        small(**changes)


@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_pieces_cover_the_grid_once_and_see_every_rate_early(block):
    sweep = small(conditions=5, block=block)
    pieces = sweep.pieces()
    cells = [(s.rate, i) for s in pieces for i in range(s.start, s.start + s.count)]
    assert sorted(cells) == [(r, i) for r in (0.5, 5.0) for i in range(5)]
    assert [s.rate for s in pieces[:2]] == [0.5, 5.0]
    assert str(Shard(5.0, 2, 3)) == "η = 5, initial conditions 2 to 4"
    assert sweep.network_epochs == 2 * 5 * 3 * 12


def test_sharpness_is_of_the_first_references():
    sweep = small(conditions=6, block=4, sharp_at=(0, 3), sharp_conditions=5)
    assert [sweep.sharp_in(s) for s in sweep.pieces()] == [4, 4, 1, 1]
    assert small(sharp_conditions=3).sharp_in(sweep.pieces()[0]) == 0


def loaded(sweep, folder, **options):
    done = campaign.run(sweep, folder, **options)
    assert done.missing == 0 and done.stopped == ""
    return campaign.load(sweep, folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return loaded(small(block=3), tmp_path_factory.mktemp("whole"))


def test_everything_is_labelled(whole):
    assert whole["distance"].dims == ("eta", "epoch", "init", "perturbation")
    assert whole["distance"].shape == (2, 13, 3, 2) and whole["eta"].values.tolist() == [0.5, 5.0]
    assert set(whole) == {*grid.DIMS, "present"} - {"sharpness"} and whole["present"].all()
    assert all("units" in whole[name].attrs for name in set(whole) - {"present"})
    assert grid.of(whole) == small(block=3)
    (group,) = json.loads(whole.attrs["provenance"])
    assert group["shards"] == 2 and group["content"]["samples"] == 40


@pytest.mark.parametrize(("block", "workers"), [(1, 1), (2, 2), (3, 3)])
def test_numbers_do_not_depend_on_pieces_or_threads(tmp_path, whole, block, workers):
    assert same(loaded(small(block=block), tmp_path, workers=workers), whole)


def test_numbers_do_not_depend_on_the_order_of_rates_or_other_conditions(tmp_path, whole):
    backwards = loaded(small(rates=(5.0, 0.5), conditions=4, block=1), tmp_path)
    assert same(backwards.sel(eta=[0.5, 5.0]).isel(init=slice(0, 3)), whole)


def test_samples_in_blocks_give_numbers_that_do_not_depend_on_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(blocked, "_VALUES", 500)
    monkeypatch.setattr(blocked, "_LEAST", 7)
    assert isinstance(steppers.of(tasks.get(TASK, samples=40)), blocked.BlockedMLPStepper)
    one = loaded(small(block=3), tmp_path / "3", workers=1)
    assert same(loaded(small(block=1), tmp_path / "1", workers=2), one)


@pytest.mark.parametrize(
    "changes",
    [dict(epochs=2_000_000, cap=0), dict(rates=(1e-9,), cap=2_000_000)],
    ids=["distances", "arrivals"],
)
def test_a_time_limit_inside_a_piece_stops_it_within_an_epoch(tmp_path, changes):
    done = campaign.run(small(conditions=1, **changes), tmp_path, time_limit=1)
    assert (done.computed, done.stopped) == (0, "time limit") and done.seconds < 30
    assert not list(tmp_path.glob("*.npz")) and not list(tmp_path.glob("locks/*"))


def test_a_piece_measures_what_single_networks_do(whole):
    task = tasks.get(TASK, samples=40, test_samples=30)
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


def test_sharpness_is_of_the_references_chosen(tmp_path):
    sharp_at = dict(sharp_at=(0, 6, 12), sharp_conditions=2, cap=0)
    data = loaded(small(block=1, **sharp_at), tmp_path)
    assert data["sharpness"].dims == ("eta", "sharp_epoch", "init") and "first_hit" not in data
    sharp = data["sharpness"].transpose("init", "eta", "sharp_epoch").values
    assert (sharp[:2] > 0).all() and np.isnan(sharp[2]).all()
    # before the first step, at any rate
    np.testing.assert_array_equal(sharp[:, 0, 0], sharp[:, 1, 0])
    assert same(loaded(small(block=3, **sharp_at), tmp_path), data)


def test_networks_that_overflow_are_data(tmp_path):
    """W grows past what a float holds: a divergence has its epoch, and what follows is NaN."""
    if "overflowing" not in tasks.names():
        network = partial(networks.MLP, (64, 8, 10), "relu")
        tasks.register(tasks.Recipe("overflowing", "digits", network, losses.CrossEntropy(), 0.9))
    sharp = dict(cap=40, sharp_at=(0, 5), sharp_conditions=3)
    sweep = small(task="overflowing", rates=(0.1, 1e160), **sharp)
    data = loaded(sweep, tmp_path)
    tame, wild = data.sel(eta=0.1), data.sel(eta=1e160)
    assert (tame["diverged_at"] == -1).all() and np.isfinite(tame["distance"]).all()
    gone = wild["diverged_at"].values
    assert (gone > 0).all()
    for k in range(3):
        assert np.isfinite(wild["loss"].values[0, k])
        assert np.isnan(wild["loss"].values[gone[k, 0] :, k]).all()
        assert np.isnan(wild["accuracy"].values[gone[k, 0] :, k]).all()
    assert np.isnan(wild["first_hit"]).all() and np.isnan(wild["sustained_hit"]).all()
    assert np.isfinite(wild["sharpness"].values[0]).all()
    assert np.isnan(wild["sharpness"].values[1]).all()
    assert same(loaded(sweep, tmp_path / "again", workers=1), data)
