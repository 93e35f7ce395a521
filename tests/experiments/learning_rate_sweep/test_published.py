"""A sweep published, opened, continued and recomputed."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from netdyn_lib.experiments import campaign
from netdyn_lib.experiments.learning_rate_sweep import grid, published
from netdyn_lib.experiments.learning_rate_sweep.grid import Sweep
from netdyn_lib.results import store
from tests.small_sweeps import small

SWEEP = dict(block=1, sharp_at=(0, 6), sharp_conditions=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    campaign.run(small(**SWEEP), folder)
    return folder


@pytest.fixture
def data(folder):
    return campaign.load(small(**SWEEP), folder)


def test_published_results_open_as_they_were(tmp_path, data):
    path = published.write(data, tmp_path)
    assert published.names(tmp_path) == ["small"] and path == published.path_of("small", tmp_path)
    opened = published.load("small", tmp_path)
    np.testing.assert_allclose(opened["loss"], data["loss"], rtol=1e-6)
    mean = data["distance"].mean("perturbation")
    np.testing.assert_allclose(np.exp(opened["log_mean_distance"]), mean, rtol=1e-5)
    assert opened["distance"].dims == ("eta", "epoch", "few", "perturbation")
    assert opened["present"].dtype == bool
    np.testing.assert_array_equal(opened["first_hit"], data["first_hit"])
    np.testing.assert_array_equal(opened["diverged_at"], data["diverged_at"])
    (group,) = json.loads(opened.attrs["provenance"])
    assert group["shards"] == 6 and group["content"]["samples"] == 40
    assert store.read_archive(path)[1] | dict(sweep=0, provenance=0) == dict(
        experiment="learning_rate_sweep", name="small", version=1, sweep=0, provenance=0
    )


def test_what_is_published_is_continued_and_merged(tmp_path, data):
    """A store is lost with its machine: further rates and initial conditions are computed in
    another, and the file then holds the same numbers as one that was computed at once.
    """
    (group,) = json.loads(data.attrs["provenance"])
    group |= dict(first="2020-01-01 10:00 UTC", last="2020-01-01 11:00 UTC")
    published.write(data.assign_attrs(provenance=json.dumps([group])), tmp_path)
    wider = small(**SWEEP | dict(block=2, conditions=5, rates=(1.0, 0.5, 5.0)))
    plan = campaign.plan(wider, tmp_path / "store", published=tmp_path)
    # Of a block of two initial conditions both must be there.
    assert [(p.rate, p.start) for p in plan.known] == [(0.5, 0), (5.0, 0)]
    done = campaign.run(plan, tmp_path / "store")
    assert (done.published, done.computed, done.missing) == (2, 7, 0)
    new = campaign.load(wider, tmp_path / "store")
    for _ in range(2):  # to publish twice changes nothing
        published.write(new, tmp_path)
        found = published.load("small", tmp_path)
        groups = json.loads(found.attrs["provenance"])
        assert [group["shards"] for group in groups] == [6, 7] and found["present"].all()
    assert not campaign.plan(wider, tmp_path / "none", published=tmp_path).missing
    campaign.run(wider, tmp_path / "whole")
    whole = campaign.load(wider, tmp_path / "whole")
    there = published.load(published.write(whole, tmp_path / "out").stem, tmp_path / "out")
    assert grid.of(found) == grid.of(there) and found.drop_attrs().identical(there.drop_attrs())
    # A narrower sweep loses nothing of what is published.
    published.write(data, tmp_path)
    assert published.load("small", tmp_path)["present"].sum() == 15


def test_what_was_published_of_another_sweep_does_not_count(tmp_path, data, monkeypatch):
    published.write(data, tmp_path)

    def known(**changes):
        return len(campaign.plan(small(**SWEEP | changes), "none", published=tmp_path).known)

    assert known() == 6 and known(seed=1) == known(epochs=13) == known(samples=41) == 0
    # The sharpness of the second initial condition was not taken.
    assert known(sharp_conditions=2) == 4 and known(sharp_conditions=0) == 4
    with pytest.raises(ValueError, match="holds a sweep with other parameters or data: was it"):
        published.write(data.assign_attrs(sweep=json.dumps(vars(small(seed=1)))), tmp_path)
    path = published.path_of("small", tmp_path)
    arrays, meta = store.read_archive(path)
    meta["provenance"][0]["content"]["checksum"] = "of other data"
    store.write_archive(path, arrays, meta)
    assert known() == 0
    with pytest.raises(ValueError, match="other parameters or data"):
        published.write(data, tmp_path)
    published.write(data, tmp_path / "2")
    monkeypatch.setattr(Sweep, "version", 2)
    assert not campaign.plan(small(**SWEEP), "none", published=tmp_path / "2").known
    published.write(data, tmp_path / "2")  # gives way
    assert published.load("small", tmp_path / "2").attrs["version"] == 2


def test_publishers_at_once_lose_nothing(tmp_path, folder):
    def publish(rate):
        one = small(**SWEEP | dict(rates=(rate,)))
        return published.write(campaign.load(one, folder), tmp_path)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(publish, (0.5, 5.0)))
    assert published.load("small", tmp_path)["present"].sum() == 6


def test_every_published_sweep_of_the_book_counts_as_done():
    """Each holds what its sweep at the paper's size would compute, and is of today's version."""
    for name in published.names():
        there, sweep = published.load(name), grid.get(name, "paper")
        sweep = dataclasses.replace(sweep, conditions=there.sizes["init"], block=1)
        groups = json.loads(there.attrs["provenance"])
        about = dict(task={"initialisation": "normal"} | groups[0]["task"])
        about["data"] = groups[0]["content"]
        assert len(published.known(sweep, None, about)) == int(there["present"].sum()) > 0, name
        assert published.summary(there).startswith("stored run (ours).  ")
    for name in ("digits", "iris"):  # whose data are always at hand
        assert not campaign.plan(grid.get(name, "paper"), "none", published=True).missing
    assert sum(path.stat().st_size for path in published.folder().glob("*.npz")) < 20e6


def test_a_recomputed_part_agrees(tmp_path, data):
    published.write(data, tmp_path)
    checks = [published.recompute("small", token, root=tmp_path) for token in range(8)]
    assert all(c.agrees for c in checks) and len({c.part for c in checks}) > 1


def test_a_rewritten_file_disagrees_and_a_damaged_one_is_named(tmp_path, data):
    path = published.write(data, tmp_path)
    arrays, meta = store.read_archive(path)
    for name in ("loss", "log_mean_distance"):
        changed = (arrays[name] * 1.01).astype(np.float32)
        store.write_archive(path, arrays | {name: changed}, meta)
        check = published.recompute("small", "token", root=tmp_path)
        assert not check.agrees and "DISAGREE" in str(check)
    store.write_archive(path, arrays, meta | {"sweep": meta["sweep"] | {"seed": 1}})
    assert not published.recompute("small", "token", root=tmp_path).agrees


def test_training_times_are_compared_in_distribution(tmp_path):
    """Rounding may change each of them where training is chaotic, but not all to 0."""
    sweep = small(conditions=8, block=8, rates=(0.5,), copies=1, cap=200)
    campaign.run(sweep, tmp_path / "store")
    path = published.write(campaign.load(sweep, tmp_path / "store"), tmp_path)
    check = published.recompute("small", "token", root=tmp_path)
    assert check.agrees and "τ of 8 networks at η = 0.5 (8 the same to the epoch; " in check.part
    arrays, meta = store.read_archive(path)
    store.write_archive(path, arrays | {"first_hit": 0 * arrays["first_hit"]}, meta)
    assert not published.recompute("small", "token", root=tmp_path).agrees
    assert published.recompute("small", "token", root=tmp_path, arrivals=0).agrees


def test_without_a_whole_network_nothing_can_be_recomputed(tmp_path, data):
    published.write(data.assign(diverged_at=data["diverged_at"] * 0), tmp_path)
    with pytest.raises(ValueError, match="without divergence"):
        published.recompute("small", "token", root=tmp_path)
