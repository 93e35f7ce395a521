"""Published maps: exponents and losses in whole steps, rounded down so that signs are kept.

A file is an archive of :mod:`netdyn_lib.results.store`.  ``exponent`` comes in steps of
:data:`STEPS` per epoch, ``late`` and ``loss`` likewise; zero, the papers' threshold 0.05 and ln 3,
the loss of equal guesses among three classes, are multiples of a step, so what lies above one in
the file lies above it in the computation.
"""

import json
import math
from dataclasses import fields, replace

import numpy as np
import xarray as xr

from ...tasks import tasks
from ..published import Check, chosen
from . import grid

SHELF = grid.ExponentMap.shelf
names, path_of = SHELF.names, SHELF.path
#: Of each variable the unit, the steps in a unit, and the type that holds whole steps.
STEPS = {
    "exponent": (1.0, 2000, np.int16),
    "late": (1.0, 100, np.int8),
    "loss": (math.log(3), 64, np.uint8),
}
_MOVED = (1e-15, 1e-14, 1e-13, 1e-12, 1e-11)  # shares of the initial weights
_EACH = 8  # networks recomputed in a row


def rounded(name, values):
    """Return values of a variable in whole steps, rounded down, at the ends of what the type holds
    where they lie beyond.

    >>> rounded("exponent", np.array([-1e-9, 0.0, 0.05])).tolist()
    [-1, 0, 100]
    """
    unit, steps, kind = STEPS[name]
    ends = np.iinfo(kind)
    return np.clip(np.floor(np.asarray(values) / unit * steps), ends.min, ends.max).astype(kind)


def write(data, root=None):
    """Publish a map as :func:`netdyn_lib.experiments.campaign.load` gives it; the path."""
    about = json.loads(data.attrs["map"])
    arrays = {name: rounded(name, data[name].values) for name in grid.VARIABLES}
    meta = dict(
        map=about,
        version=grid.ExponentMap.version,
        steps={name: unit / steps for name, (unit, steps, _) in STEPS.items()},
        provenance=data.attrs["provenance"],
        content=json.loads(data.attrs["content"]),
    )
    return SHELF.write(about["name"], arrays, meta, root)


def load(name, root=None):
    """Return a published map, with values at the lower ends of their steps.

    It is as :class:`~netdyn_lib.experiments.exponent_map.grid.ExponentMap` combines it.

    Raises as :meth:`netdyn_lib.experiments.published.Shelf.read`.
    """
    return SHELF.read(name, _decoded, root)


def experiment(data):
    """Return the :class:`~netdyn_lib.experiments.exponent_map.grid.ExponentMap` of a dataset."""
    about = json.loads(data.attrs["map"])
    known = {f.name for f in fields(grid.ExponentMap)}
    return grid.ExponentMap(**{k: tuple(v) if isinstance(v, list) else v for k, v in about.items()
                               if k in known})  # fmt: skip


def _decoded(arrays, meta):
    about = dict(
        map=json.dumps(meta["map"]),
        version=meta["version"],
        content=json.dumps(meta["content"]),
        provenance=meta["provenance"],
    )
    variables = {
        name: (("draw", "scale", "rate"), arrays[name] * meta["steps"][name])
        for name in grid.VARIABLES
    }
    empty = xr.Dataset(attrs=about)
    return xr.Dataset(variables, grid.coordinates(experiment(empty)), about)


def known(one, root, about):
    """Return all pieces of a map that is published, else none; ``about`` is a piece's identity."""
    if one.name not in names(root):
        return []
    there = load(one.name, root)
    same = replace(experiment(there), rows=one.rows) == one
    same = same and json.loads(there.attrs["content"]) == about["data"]
    return one.pieces() if same and there.attrs["version"] == one.version else []


def recompute(name, token, root=None, rows=4):
    """Recompute networks of a published map by the library's closed form, whatever computed them,
    and compare exponents: a :class:`~netdyn_lib.experiments.published.Check`.

    The token chooses rows, and networks spread over each.  Two computations differ in their last
    bits, and a chaotic network makes that difference as large as it likes.  So each network is also
    computed from initial weights that are larger by shares of 1e-15 to 1e-11, and left out where
    one of these moves any of its numbers by more than one step.  All others agree with the file to
    one step: rounding may cross its end.
    """
    data = load(name, root)
    one, apart = experiment(data), []
    task, rates = tasks.get(one.task), one.axis("rates")
    first = chosen(token, name, one.side)
    columns = np.linspace(0, one.side - 1, min(_EACH, one.side)).round().astype(int)
    places = [(first + k * one.side // rows) % one.side for k in range(rows)]
    for row in places:
        draw, scale = one.draws[row % len(one.draws)], one.axis("scales")[row]
        here, *moved = (
            _in_steps(one.networks(task, draw, scale * (1 + share), rates[columns], compiled=False))
            for share in (0.0, *_MOVED)
        )
        there = data.sel(draw=draw).isel(scale=row, rate=columns)
        units = ((there[v].values, *STEPS[v]) for v in grid.VARIABLES)
        stored = np.array([np.rint(values / unit * steps) for values, unit, steps, _ in units])
        reproducible = np.all(np.abs(np.array(moved) - here) <= 1, axis=(0, 1))
        apart += np.abs(here - stored).max(0)[reproducible].tolist()
    part = f"{len(apart)} networks of rows {', '.join(map(str, sorted(places)))}"
    far = max(apart, default=np.inf)
    return Check(f"{SHELF.folder}/{name}", part, {"steps": far}, far <= 1)


def _in_steps(found):
    """Return what a map keeps of networks, in whole steps, over (variable, network)."""
    return np.array([rounded(*one) for one in zip(grid.VARIABLES, found)], dtype=int)
