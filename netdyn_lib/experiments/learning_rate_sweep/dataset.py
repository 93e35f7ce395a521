"""The results of a sweep as one labelled :class:`xarray.Dataset`."""

import dataclasses
import json

import numpy as np
import xarray as xr

from ...results import reading
from ...results.store import Store
from .running import plan

#: Dimensions of a shard's arrays behind that of the learning rate.
DIMS = {
    "distance": ("epoch", "init", "perturbation"),
    "loss": ("epoch", "init"),
    "accuracy": ("epoch", "init"),
    "test_accuracy": ("epoch", "init"),
    "diverged_at": ("init", "network"),
    "first_hit": ("init",),
    "sustained_hit": ("init",),
    "followed": ("init",),
    "sharpness": ("sharp_epoch", "init"),
}
UNITS = {
    "distance": "L1 norm in weight space",
    "loss": "nats",
    "accuracy": "share",
    "test_accuracy": "share",
    "diverged_at": "epoch, −1 for never",
    "first_hit": "epoch, NaN for never within cap",
    "sustained_hit": "epoch, NaN for never within cap",
    "followed": "epochs",
    "sharpness": "1 / learning rate",
    "eta": "learning rate",
}


def load(sweep, store, device="auto", log=None):
    """Everything a store has of a sweep.

    Returns
    -------
    xarray.Dataset
        With the coordinates ``eta``, ``init``, ``perturbation``, ``epoch``,
        ``network`` (0 for the reference) and, where sharpness was taken,
        ``sharp_epoch``.  What is missing is NaN (−1 of whole numbers), and
        ``present`` (eta, init) says what is there.  Attributes hold the sweep
        and each shard's provenance as JSON.

    Raises
    ------
    FileNotFoundError
        Where the store holds no shard of the sweep; the message says how many it lacks.
    """
    store = store if isinstance(store, Store) else Store(store)
    found = plan(sweep, store, device, log)
    if not found.have:
        raise FileNotFoundError(
            f"{sweep.name}: none of its {len(found.keys)} shards is in the store; run the sweep first"
        )
    shards = {shard: store.read(found.keys[shard]) for shard in found.have}
    with reading.of_kind(store.folder, "store of such shards"):
        return assemble(
            sweep,
            {shard: part.arrays for shard, part in shards.items()},
            [part.meta for part in shards.values()],
        )


def assemble(sweep, arrays, metas=()):
    """A dataset from shards: ``arrays`` maps each to its arrays; ``metas`` are their metadata."""
    coords = {
        "eta": ("eta", np.array(sweep.rates), {"long_name": "learning rate η"}),
        "init": np.arange(sweep.conditions),
        "perturbation": np.arange(sweep.copies),
        "epoch": np.arange(sweep.epochs + 1),
        "network": np.arange(1 + sweep.copies),
    }
    if sweep.sharp_at:
        coords["sharp_epoch"] = np.array(sweep.sharp_at)
    sizes = {k: len(v[1]) if isinstance(v, tuple) else len(v) for k, v in coords.items()}
    names = [k for k in DIMS if any(k in part for part in arrays.values())]
    values = {}
    for name in names:
        whole = name == "diverged_at"
        shape = (sizes["eta"], *(sizes[d] for d in DIMS[name]))
        values[name] = np.full(shape, -1 if whole else np.nan, dtype=int if whole else float)
    present = np.zeros((sizes["eta"], sizes["init"]), dtype=bool)
    index = {rate: k for k, rate in enumerate(sweep.rates)}
    for shard, parts in arrays.items():
        here, inits = index[shard.rate], slice(shard.start, shard.start + shard.count)
        present[here, inits] = True
        for name in names:
            where = tuple(inits if d == "init" else slice(None) for d in DIMS[name])
            values[name][here][where] = parts[name]
    variables = {k: (("eta", *DIMS[k]), v, {"units": UNITS[k]}) for k, v in values.items()}
    variables["present"] = (("eta", "init"), present)
    attributes = dict(sweep=json.dumps(dataclasses.asdict(sweep)), shards=json.dumps(list(metas)))
    return xr.Dataset(variables, coords, attributes)
