"""A sweep as a labelled dataset; published, opened and recomputed."""

import json

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.experiments.learning_rate_sweep import dataset, published
from netdyn_lib.experiments.learning_rate_sweep.running import plan, run
from netdyn_lib.results import store
from tests.small_sweeps import same, small

SWEEP = dict(block=1, sharp_at=(0, 6), sharp_conditions=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    run(small(**SWEEP), folder)
    return folder


@pytest.fixture
def data(folder):
    return dataset.load(small(**SWEEP), folder)


def test_everything_is_labelled(data):
    assert data["distance"].dims == ("eta", "epoch", "init", "perturbation")
    assert data["distance"].shape == (2, 13, 3, 2)
    assert data["eta"].values.tolist() == [0.5, 5.0] and data["sharp_epoch"].values.tolist() == [
        0,
        6,
    ]
    assert set(data) == {*dataset.DIMS, "present"}
    assert all("units" in data[name].attrs for name in dataset.DIMS)
    assert json.loads(data.attrs["sweep"])["name"] == "small"
    shards = json.loads(data.attrs["shards"])
    assert [s["shard"] for s in shards[:2]] == [
        dict(rate=0.5, start=0, count=1),
        dict(rate=5.0, start=0, count=1),
    ]
    assert data["present"].all() and np.isnan(data["sharpness"].values[:, :, 1:]).all()


def test_what_is_missing_is_nan(tmp_path, data):
    sweep = small(**SWEEP)
    run(sweep, tmp_path)
    found = plan(sweep, tmp_path)
    lost = sweep.shards()[3]
    store.Store(tmp_path).path(found.keys[lost]).unlink()
    part = dataset.load(sweep, tmp_path)
    assert part["present"].values.tolist() == [[True, True, True], [True, False, True]]
    assert (
        np.isnan(part["loss"].sel(eta=5.0, init=1)).all()
        and (part["diverged_at"].sel(eta=5.0, init=1) == -1).all()
    )
    assert same(part.isel(init=[0, 2]), data.isel(init=[0, 2]))


def test_an_empty_store_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="small: none of its 4 shards is in the store"):
        dataset.load(small(), tmp_path)
    assert not (tmp_path / "locks").exists()


def test_it_is_rebuilt_from_plain_data(data):
    again = xr.Dataset.from_dict(data.to_dict())
    assert same(again, data)


def test_published_results_open_as_they_were(tmp_path, data):
    path = published.write(data, tmp_path)
    assert published.names(tmp_path) == ["small"] and path == published.path_of("small", tmp_path)
    opened = published.load("small", tmp_path)
    np.testing.assert_allclose(opened["loss"], data["loss"], rtol=1e-6)
    np.testing.assert_allclose(
        np.exp(opened["log_mean_distance"]), data["distance"].mean("perturbation"), rtol=1e-5
    )
    assert (
        opened["distance"].dims == ("eta", "epoch", "few", "perturbation")
        and opened["present"].dtype == bool
    )
    np.testing.assert_array_equal(opened["first_hit"], data["first_hit"])
    np.testing.assert_array_equal(opened["diverged_at"], data["diverged_at"])
    (group,) = json.loads(opened.attrs["provenance"])
    assert group["shards"] == 6 and group["seconds"] >= 0 and group["content"]["samples"] == 40
    with pytest.raises(
        FileNotFoundError, match="nothing is published.*sweeps run none --profile paper"
    ):
        published.load("none", tmp_path)


def test_provenance_keeps_machines_apart(data):
    metas = json.loads(data.attrs["shards"])
    metas[0]["machine"]["processor"] = "another"
    groups = published._provenance(metas)
    assert sorted(g["shards"] for g in groups) == [1, 5]


def test_a_recomputed_part_agrees(tmp_path, data):
    published.write(data, tmp_path)
    checks = [published.recompute("small", token, root=tmp_path) for token in range(8)]
    assert all(c.agrees for c in checks) and len({(c.rate, c.init) for c in checks}) > 1
    assert "agree " in str(checks[0])


def test_a_rewritten_file_disagrees_and_a_damaged_one_is_named(tmp_path, data):
    path = published.write(data, tmp_path)
    arrays, meta = store.read_archive(path)
    for name, factor in (("loss", 1.01), ("log_mean_distance", 1.01)):
        store.write_archive(path, arrays | {name: (arrays[name] * factor).astype(np.float32)}, meta)
        check = published.recompute("small", "token", root=tmp_path)
        assert not check.agrees and "DISAGREE" in str(check)
    store.write_archive(path, arrays, meta | {"sweep": meta["sweep"] | {"seed": 1}})
    assert not published.recompute("small", "token", root=tmp_path).agrees
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(store.DamagedShard, match="small.npz is damaged"):
        published.load("small", tmp_path)


def test_without_a_whole_network_nothing_can_be_recomputed(tmp_path, data):
    published.write(data.assign(diverged_at=data["diverged_at"] * 0), tmp_path)
    with pytest.raises(ValueError, match="without divergence"):
        published.recompute("small", "token", root=tmp_path)
