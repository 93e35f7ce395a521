"""Published ensembles: all that is measured, in single precision."""

import dataclasses
import json

import numpy as np
import xarray as xr

from ...tasks import tasks
from .. import published
from ..pieces import Work
from ..published import chosen
from . import grid

SHELF = grid.FunctionGrowth.shelf
names, path_of = SHELF.names, SHELF.path
_GROWTH = 1e3  # of a distance, up to which two computations are compared


def write(data, root=None):
    """Publish an ensemble as :func:`netdyn_lib.experiments.campaign.load` gives it; the path."""
    about = json.loads(data.attrs["ensemble"])
    meta = dict(
        ensemble=about,
        version=grid.FunctionGrowth.version,
        provenance=data.attrs["provenance"],
        content=json.loads(data.attrs["content"]),
    )
    arrays = {name: data[name].values.astype(np.float32) for name in grid.DIMS}
    return SHELF.write(about["name"], arrays, meta, root)


def load(name, root=None):
    """Return a published ensemble, as
    :meth:`netdyn_lib.experiments.function_growth.grid.FunctionGrowth.combine` gives it.

    Raises as :meth:`netdyn_lib.experiments.published.Shelf.read`.
    """
    return SHELF.read(name, _decoded, root)


def _decoded(arrays, meta):
    about = {key: json.dumps(meta[key]) for key in ("ensemble", "content")}
    about |= dict(version=meta["version"], provenance=meta["provenance"])
    variables = {n: (("rate", *d), arrays[n].astype(float)) for n, d in grid.DIMS.items()}
    return xr.Dataset(variables, grid.coordinates(grid.of(xr.Dataset(attrs=about))), about)


def known(one, root, about):
    """Return those pieces of an ensemble that are published; ``about`` is a piece's identity."""
    if one.name not in names(root):
        return []
    there = load(one.name, root)
    has = grid.of(there)
    same = dataclasses.replace(has, rates=one.rates) == one
    same = same and json.loads(there.attrs["content"]) == about["data"]
    if not same or there.attrs["version"] != one.version:
        return []
    return [piece for piece in one.pieces() if piece.rate in has.rates]


def recompute(name, token, root=None, count=4, epochs=20):
    """Recompute networks of a published ensemble at one rate for some epochs, and compare distances
    while copies are close: a :class:`~netdyn_lib.experiments.published.Check`.
    """
    data = load(name, root)
    one = grid.of(data)
    rate = one.rates[chosen(token, name, len(one.rates))]
    epochs = min(epochs, one.epochs)
    short = dataclasses.replace(one, conditions=min(count, one.conditions), epochs=epochs)
    here = short.compute(grid.Rate(rate), tasks.get(one.task), Work())
    there = data.sel(rate=rate, epoch=list(short.at)).isel(init=slice(short.conditions))
    far = {}
    for key in ("distance", "logits"):
        theirs = there[key].values
        close = theirs < _GROWTH * theirs[0]
        scale = theirs[0].mean()  # distances of 1e-8 would agree with anything
        far[key] = np.where(close, here[key] / scale, 0), np.where(close, theirs / scale, 0)
    part = f"η = {rate:g}, {short.conditions} networks, {epochs} epochs"
    mine, theirs = ({k: pair[i] for k, pair in far.items()} for i in (0, 1))
    return published.compared(f"{SHELF.folder}/{name}", part, mine, theirs)
