"""Copies as functions: what is measured, published, found again and recomputed."""

import dataclasses

import numpy as np
import pytest
import torch

from netdyn_lib.experiments import campaign
from netdyn_lib.experiments.function_growth import grid, published
from netdyn_lib.tasks import tasks

SMALL = grid.FunctionGrowth("small", "iris", (0.01, 1.0), 6, 30)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    campaign.run(SMALL, folder, workers=1)
    return campaign.load(SMALL, folder)


def test_a_copy_answers_linearly_at_a_small_rate(data):
    """At η = 0.01 and after 30 epochs, twice the ball gives twice the distances."""
    wide = dataclasses.replace(SMALL, radius=2e-8, rates=(0.01,))
    found = wide.compute(wide.pieces()[0], tasks.get("iris"), _Work())
    for name in ("distance", "logits"):
        np.testing.assert_allclose(found[name], 2 * data[name][0], rtol=1e-5)


class _Work:
    workers = 1

    @staticmethod
    def stop():
        return False


def test_distances_of_logits_do_not_see_what_no_probability_sees():
    """A constant on all of a sample's logits: no distance; on one class of three, √(2/9) of it."""
    task = tasks.get("iris")
    zero = torch.zeros(1, 3, 83, dtype=torch.float64)
    biases = torch.arange(83)[task.network.slices[1]].view(3, 11)[:, -1]
    zero[0, 1, biases] = 5.0
    zero[0, 2, biases[0]] = 3.0
    snapshot = type("Snapshot", (), dict(task=task, params=zero))
    np.testing.assert_allclose(grid.logit_distance(snapshot), [[0, 3 * np.sqrt(2 / 9)]], atol=1e-12)


def test_an_unrelated_network_is_the_next_one(data):
    ends = data.sel(rate=0.01)
    start = tasks.get("iris").initial(6)
    far = np.abs((start.roll(-1, 0) - start).numpy()).sum(1)
    # 30 small steps hardly move them
    np.testing.assert_allclose(ends.apart.sel(pair="unrelated"), far, rtol=0.1)
    assert (ends.apart.sel(pair="copy") < 1e-5).all()
    assert (ends.function.sel(pair="copy") < 1e-6).all()
    assert ends.function.sel(pair="unrelated").max() > 0.01


def test_published_ensembles_are_found_again_and_recomputed(data, tmp_path):
    published.write(data, tmp_path)
    there = published.load("small", tmp_path)
    np.testing.assert_allclose(there.distance, data.distance, rtol=1e-6)
    assert grid.of(there) == SMALL
    about = campaign.plan(SMALL, tmp_path / "none").jobs[SMALL.pieces()[0]].identity()
    assert published.known(SMALL, tmp_path, about) == SMALL.pieces()
    longer = dataclasses.replace(SMALL, epochs=31)
    assert published.known(longer, tmp_path, about) == []
    assert published.recompute("small", "token", tmp_path).agrees
    published.write(data.assign(distance=1.01 * data.distance), tmp_path)
    assert not published.recompute("small", "token", tmp_path).agrees


def test_numbers_out_of_bounds_are_refused():
    for wrong in (dict(rates=(0.0,)), dict(conditions=1), dict(points=2), dict(radius=-1.0)):
        with pytest.raises(ValueError):
            dataclasses.replace(SMALL, **wrong)
    with pytest.raises(ValueError, match="known: function-iris"):
        grid.get("unheard")
