"""Datasets come back from disk as they were written, but for what was asked to be short."""

import numpy as np
import pytest
import xarray as xr
from scipy.io import netcdf_file

from netdyn_lib.experiments.learning_rate_sweep import published
from netdyn_lib.results import datasets
from netdyn_lib.results.store import DamagedShard, read_archive, write_archive

VALUES = np.array([[1 / 3, np.nan, -np.inf], [1e300, 1e-300, 0.5]])


@pytest.fixture
def data():
    variables = {
        "long": (("name", "step"), VALUES),
        "short": (("name", "step"), VALUES),
        "flag": ("name", np.array([True, False])),
        "count": ("step", np.arange(3)),
        "word": ("name", ["one", "three"]),
        "alone": ((), 0.25),
    }
    return xr.Dataset(
        variables,
        {"name": ["a", "bb"], "step": [0, 10, 20]},
        {"task": "t", "sizes": [1, 2], "none": None, "rate": 0.1},
    )


def test_what_is_read_is_what_was_written(data, tmp_path):
    path = datasets.write(tmp_path / "new" / "few.npz", data, exact=("long",))
    assert path == tmp_path / "new" / "few.npz"
    found = datasets.read(path)
    assert found.attrs == data.attrs and set(found.variables) == set(data.variables)
    assert list(found.coords) == ["name", "step"] and found["name"].values.tolist() == ["a", "bb"]
    for name in set(data.variables) - {"short"}:
        assert found[name].dims == data[name].dims and found[name].dtype == data[name].dtype
        np.testing.assert_array_equal(found[name], data[name])


def test_single_precision_unless_asked(data, tmp_path):
    path = datasets.write(tmp_path / "few.npz", data, exact=("long",))
    kept = read_archive(path)[0]
    assert kept["long"].dtype == np.float64 and kept["short"].dtype == np.float32
    found = datasets.read(path)["short"]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[np.float32(1 / 3), np.nan, -np.inf], [np.inf, 0, 0.5]])


def test_coordinates_and_text_lose_nothing(tmp_path):
    tiny, names = np.array([1e-12, 1 / 3]), np.array(["a", "long"], dtype=object)
    data = xr.Dataset(
        {"d": (("epsilon", "name"), np.ones((2, 2)))}, {"epsilon": tiny, "name": names}
    )
    found = datasets.read(datasets.write(tmp_path / "few.npz", data))
    np.testing.assert_array_equal(found["epsilon"], tiny)
    assert found["name"].values.tolist() == ["a", "long"]


def test_files_of_this_layout_from_before(tmp_path):
    arrays = {"loss": np.array([[1 / 3, 2.0]]), "eta": np.array([0.1]), "end": np.array([0, 10])}
    meta = dict(dims={"loss": ["eta", "end"]}, attributes={"task": "t"})
    write_archive(tmp_path / "old.npz", arrays, meta)
    found = datasets.read(tmp_path / "old.npz")
    assert found["loss"].dims == ("eta", "end") and found.attrs == {"task": "t"}
    assert list(found.coords) == ["end", "eta"]
    np.testing.assert_array_equal(found["loss"], arrays["loss"])


def test_bad_data_and_files_are_refused(data, tmp_path):
    path = tmp_path / "few.npz"
    with pytest.raises(ValueError, match=r"coordinates \['half'\]"):
        datasets.write(path, data.assign_coords(half=("step", [0.0, 0.5, 1.0])))
    with pytest.raises(ValueError, match=r"exact = \['none'\].*long, short"):
        datasets.write(path, data, exact=("none",))
    with pytest.raises(TypeError, match="plain number"):
        datasets.write(path, data.assign_attrs(rate=np.float32(1)))
    with pytest.raises(ValueError, match="NaN"):
        datasets.write(path, data.assign_attrs(rate=np.nan))
    assert not path.exists()
    with pytest.raises(FileNotFoundError):
        datasets.read(path)
    datasets.write(path, data)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DamagedShard, match="few.npz"):
        datasets.read(path)


@pytest.mark.parametrize("exact", [True, False])
def test_a_shelf_holds_what_is_published(data, tmp_path, exact):
    shelf = datasets.Shelf("things", exact=exact)
    assert shelf.published(tmp_path / "none") == {}
    path = shelf.publish(data, "one", tmp_path / "new")
    assert path == tmp_path / "new" / "one.npz"
    (found,) = shelf.published(tmp_path / "new").values()
    assert bool(found["long"][0, 0] == 1 / 3) == exact and found.attrs == data.attrs | {
        "published_in": "new/one.npz"
    }


def test_a_shelf_of_the_book_is_in_its_results():
    assert set(datasets.Shelf("twins").published()) >= {"usps", "usps-sizes"}


def test_netcdf_holds_a_dataset_for_other_tools(data, tmp_path):
    large = data.assign(seed=("name", np.array([2**40, 1])), byte=("name", np.uint8([200, 1])))
    path = datasets.to_netcdf(large, tmp_path / "few.nc")
    found = xr.load_dataset(path, engine="scipy")
    xr.testing.assert_equal(found, large)
    assert (found["flag"].dtype, found["seed"].dtype) == (bool, float)
    assert found.attrs == {"task": "t", "sizes": "[1, 2]", "none": "null", "rate": 0.1}
    with netcdf_file(path) as plain:  # without xarray
        np.testing.assert_array_equal(plain.variables["long"][:], VALUES)
    with pytest.raises(ValueError, match=r"seed holds 1 to 9007199254740993: netCDF 3 has no"):
        datasets.to_netcdf(data.assign(seed=("name", [2**53 + 1, 1])), path)


def test_published_results_become_netcdf(tmp_path):
    sets = {**datasets.Shelf("twins").published(), "iris": published.load("iris")}
    assert len(sets) > 2
    for data in sets.values():
        path = datasets.to_netcdf(data, tmp_path / "published.nc")
        xr.testing.assert_equal(xr.load_dataset(path, engine="scipy"), data)
