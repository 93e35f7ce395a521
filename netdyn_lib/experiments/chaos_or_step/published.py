"""Published comparisons: one small file each, written, read and recomputed in part.

A file is an archive of :mod:`netdyn_lib.results.store` with the dataset of
:func:`netdyn_lib.experiments.campaign.load` in single precision.
"""

import json
from dataclasses import replace

import xarray as xr

from ...results import datasets, provenance
from ...tasks import tasks
from .. import published
from ..published import Check, command  # noqa: F401, part of this module
from . import arms
from .experiment import Comparison, Rate
from .following import follow

SHELF = Comparison.shelf
names = SHELF.names
_COMPARED = ("loss", "test_loss", "distance", "path")
_FEW, _SHORT = 3, 20  # networks and epochs that are recomputed, of which the first ten are compared


def write(data, root=None):
    """Publish a comparison, beside the learning rates of the same comparison that are published
    already; the path of its file.
    """
    name = data.attrs["name"]
    if name in names(root):
        there = load(name, root)
        rates = [rate for rate in there["rate"].values if rate not in data["rate"].values]
        if rates and _same(setting(data), data.attrs["content"], there):
            made = f"{data.attrs['provenance']}; {there.attrs['provenance']}"
            data = xr.concat([data, there.sel(rate=rates)], "rate", combine_attrs="override")
            data = data.sortby("rate").assign_attrs(provenance=made)
    return datasets.write(SHELF.path(name, root), data)


def _same(comparison, content, data):
    """Return whether a dataset is of a comparison, of whatever learning rates."""
    same = data.attrs["version"] == comparison.version
    same = same and json.loads(data.attrs["content"]) == json.loads(content)
    return same and replace(setting(data), rates=comparison.rates) == comparison


def load(name, root=None):
    """Return a published comparison, a dataset over (rate, arm, network, …).

    Raises FileNotFoundError where nothing is published under that name; the message says how to
    compute it.
    """
    path = SHELF.path(name, root)
    if not path.exists():
        raise FileNotFoundError(
            f"nothing is published of the comparison {name!r}; compute it: {command(name)}"
        )
    return provenance.published_in(datasets.read(path), path)


def setting(data):
    """Return the :class:`~netdyn_lib.experiments.chaos_or_step.experiment.Comparison` of a
    dataset.
    """
    return Comparison(**json.loads(data.attrs["comparison"]))


def known(comparison, root, about):
    """Return the learning rates of a comparison that are published with the same parameters;
    ``about`` is the identity of a piece.
    """
    if comparison.name not in names(root):
        return []
    data = load(comparison.name, root)
    same = _same(comparison, json.dumps(about["data"]), data)
    return [Rate(rate) for rate in comparison.rates if same and rate in data["rate"].values]


def recompute(name, token, tolerance=1e-3, root=None):
    """Recompute the first epochs of a few networks of one arm at one learning rate, and compare: a
    :class:`netdyn_lib.experiments.published.Check`.  The token chooses them.
    """
    data = load(name, root)
    known = setting(data)
    few = min(_FEW, known.conditions)
    here = replace(known, conditions=few, epochs=_SHORT, flow_epochs=_SHORT, copied=_SHORT)
    rates = data["rate"].values.tolist()
    rate = rates[published.chosen(token, name, len(rates))]
    there = known.at(rate)
    arm = there[published.chosen(f"{token} arm", name, len(there))]
    task = tasks.get(known.task)
    derivatives, lengths = arms.Derivatives.of(task), None
    for one in ("descent", arm) if arm.startswith("small ") else (arm,):
        found = follow(task, arms.of(one, derivatives, rate, here, lengths), here)
        lengths = found["lengths"]
    there = data.sel(rate=rate, arm=arm).isel(network=slice(0, few)).sel(epoch=slice(0, 10))
    mine = {key: found[key][:, : there.sizes["epoch"]] for key in _COMPARED}
    theirs = {key: there[key].transpose("network", "epoch").values for key in mine}
    part = f"{arm} at η = {rate:g}, {few} networks"
    return published.compared(f"{SHELF.folder}/{name}", part, mine, theirs, tolerance)
