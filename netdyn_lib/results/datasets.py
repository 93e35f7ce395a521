"""Labelled datasets on disk: one archive of :mod:`netdyn_lib.results.store` each, NumPy arrays and
JSON, no pickle.

The archive holds an array for each variable and each coordinate; its metadata the dimensions of the
variables, ``dims``, and the ``attributes``.  What has no dimensions there is a coordinate along the
dimension of its name.  :func:`to_netcdf` writes any dataset for other tools.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from . import provenance, reading, store


def write(path, data, exact=()):
    """Write a dataset to ``path``, whole or not at all; return the path.

    Parameters
    ----------
    path : path-like
    data : xarray.Dataset
        Variables of numbers or text; coordinates along the dimension of their name; attributes that
        JSON can state exactly.
    exact : sequence of str
        Variables kept in double precision.  The others become single: 6e-8 of each number is lost,
        what is beyond 3e38 is infinite and what is below 1e-45 zero.  Coordinates are kept as they
        are.

    Raises
    ------
    ValueError
        For a coordinate that is not along the dimension of its name, a name in ``exact`` that is no
        variable, or NaN in an attribute.
    TypeError
        For an attribute that is no plain number, text, list or dict, as NumPy's numbers.
    netdyn_lib.results.store.StoreError
        Where it cannot be written.
    """
    strange = [name for name, values in data.coords.items() if values.dims != (name,)]
    if strange:
        what = f"coordinates {strange}: each must be along the dimension of its name"
        raise ValueError(f"{what}; make them variables with reset_coords")
    unknown = [name for name in exact if name not in data.data_vars]
    if unknown:
        known = ", ".join(map(str, data.data_vars))
        raise ValueError(f"exact = {unknown}: no variables of the data, which are {known}")
    arrays = {name: _plain(values.values, name in exact) for name, values in data.data_vars.items()}
    arrays |= {name: _plain(values.values, True) for name, values in data.coords.items()}
    dims = {name: list(values.dims) for name, values in data.data_vars.items()}
    return store.write_archive(path, arrays, dict(dims=dims, attributes=dict(data.attrs)))


def read(path):
    """Return the dataset at ``path``; its floating-point numbers are in double precision.

    Raises
    ------
    FileNotFoundError
        Where there is none.
    netdyn_lib.results.store.DamagedShard
        For a file that is damaged.
    """
    arrays, meta = store.read_archive(path)
    for name, values in arrays.items():
        arrays[name] = values.astype(float) if values.dtype.kind == "f" else values
    with reading.of_kind(path, "labelled dataset"):
        variables = {name: (tuple(dims), arrays.pop(name)) for name, dims in meta["dims"].items()}
        return xr.Dataset(variables, arrays, meta["attributes"])


def to_netcdf(data, path):
    """Write a dataset as netCDF 3, which needs no package beyond SciPy; return the path.

    ``xarray.open_dataset(path, engine="scipy")`` and every tool of the format read it.  netCDF 3
    has no whole numbers beyond 32 bits: those become double precision.  Truth values are 0 and 1
    there, and again true and false for xarray.  Attributes that are no text and no number, as None
    or a list, become JSON.

    Raises
    ------
    ValueError
        For a whole number beyond 2⁵³, which double precision does not hold either.
    """
    held = data.copy()
    for name, values in data.variables.items():
        held = held.assign({name: (values.dims, _netcdf(name, values.values), values.attrs)})
    for part in (held, *held.variables.values()):
        part.attrs = {key: _attribute(value) for key, value in part.attrs.items()}
    held.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")
    return Path(path)


def _netcdf(name, values):
    """Return an array of a type that netCDF 3 has, beside text and truth values."""
    if values.dtype.kind not in "iu" or not values.size:
        return values
    low, high = int(values.min()), int(values.max())
    if max(-low, high) > 2**53:
        raise ValueError(
            f"{name} holds {low} to {high}: netCDF 3 has no whole numbers beyond 2**53; write it "
            "as text, or leave it out"
        )
    return values.astype(np.int32 if max(-low, high) < 2**31 else np.float64)


def _attribute(value):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    plain = isinstance(value, str) or number and abs(value) < 2**31
    return value if plain else json.dumps(value, default=lambda number: number.item())


def _plain(values, exact):
    """Return an array that an archive can hold."""
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values.flat):
        return values.astype(str)
    if values.dtype == np.float64 and not exact:
        with np.errstate(over="ignore", under="ignore"):
            return values.astype(np.float32)
    return values


@dataclass(frozen=True)
class Shelf:
    """Published datasets of one kind: the files ``book/results/FOLDER/NAME.npz``, in double
    precision where ``exact``, else in single.
    """

    folder: str
    exact: bool = False

    def publish(self, data, name, root=None):
        """Write a dataset to ``NAME.npz``; return its path.

        ``root`` is the folder where it is another than the book's.  Raises
        :class:`netdyn_lib.results.store.StoreError` where it cannot be written; otherwise as
        :func:`write`.
        """
        exact = tuple(data.data_vars) if self.exact else ()
        return write(store.published(self._root(root), name), data, exact=exact)

    def published(self, root=None):
        """Return all that is published, name → dataset, with its provenance among the attributes.

        There is none where there is no such folder.
        ``root`` is the folder where it is another than the book's.  Raises
        :class:`netdyn_lib.results.store.DamagedShard` for a damaged file.
        """
        root = self._root(root)
        paths = {name: store.published(root, name) for name in store.published_names(root)}
        return {name: provenance.published_in(read(path), path) for name, path in paths.items()}

    def _root(self, root):
        return Path(root or Path(__file__).resolve().parents[2] / "book" / "results" / self.folder)
