"""Published arms: what the book shows of them, one small file for each task, and a part recomputed.

A file is an archive of :mod:`netdyn_lib.results.store`: NumPy arrays and JSON, no pickle.  It holds
what :func:`netdyn_lib.experiments.campaign.load` gives, in single precision, shares
in half precision (to 0.0005), without the networks themselves.
"""

import json
from dataclasses import asdict, replace

import numpy as np
import xarray as xr

from ...results import store
from ...tasks import tasks
from ...validation import whole
from .. import published
from ..published import Check, Unchecked, command, verified  # noqa: F401, part of this module
from .arm import Ablation, Arm
from .measuring import follow

SHELF = Ablation.shelf
names, path_of = SHELF.names, SHELF.path
_DIMS = {"first_loss": ("first",), "diverged_at": (), "present": ()}
_COUNTS = ("chaotic", "negative", "positive", "neutral")
_SHARES = ("kept", *(f"overlap_{name}" for name in _COUNTS))
_LEFT_OUT = ("final", "velocity")
# How many are neutral depends on the dimensions in which a spectrum is solved: those known to be
# flat are left out.
_COMPARED = (
    "test_loss",
    "test_accuracy",
    "norm",
    "gradient_norm",
    "smallest",
    "largest",
    *_COUNTS[:-1],
    *_SHARES[:-1],
)


def write(data, root=None):
    """Publish arms of one task, a dataset as :func:`netdyn_lib.experiments.campaign.load`'s, beside
    what is published already (:func:`merged`); the path of their file.

    Raises :class:`netdyn_lib.results.store.StoreError` where it cannot be written.
    """
    task = data.attrs["task"]
    with store.turn(path_of(task, root)):  # what another publishes meanwhile is not lost
        if task in names(root):
            there = load(task, root)
            if there.attrs["version"] == Ablation.version:
                data = merged(data, there)
        return save(data, root)


def known(ablation, root, about):
    """Return those networks of some arms that are published in ``root``: of arms that do the same,
    of the same version; ``about`` is the identity of one of them.
    """
    if ablation.task not in names(root):
        return []
    there = load(ablation.task, root)
    content = json.loads(there.attrs["content"])  # which the oldest do not say
    if there.attrs["version"] != ablation.version or content not in (None, about["data"]):
        return []
    theirs = [replace(arm, networks=1) for arm in _arms(there)]
    present = dict(zip(theirs, there["present"].values.tolist()))
    held = {p: present.get(replace(p.arm, networks=1), []) for p in ablation.pieces()}
    return [piece for piece, row in held.items() if any(row[piece.number : piece.number + 1])]


def _arms(data):
    return [Arm(**one) for one in json.loads(data.attrs["arms"])]


def merged(data, known):
    """Some arms, and beside them the networks of ``known`` that they lack: of other arms, or
    further ones of the same.

    An arm of the same name that is another one (its rule, rate or length differ) gives way.  Both
    are datasets of one task. Where the numbers come from is said of both, each run once.
    """
    mine, theirs = ({one.label: one for one in _arms(some)} for some in (data, known))
    same = [
        label
        for label, one in theirs.items()
        if label not in mine or replace(one, networks=1) == replace(mine[label], networks=1)
    ]
    known = known.sel(arm=same)
    labels, seeds = (
        list(dict.fromkeys([*mine, *same])),
        max(data.sizes["seed"], known.sizes["seed"]),
    )
    steps = np.union1d(data["step"], known["step"])
    grown = dict(arm=labels, seed=np.arange(seeds), step=steps)
    new, old = (
        some.drop_vars(["present", *(set(_LEFT_OUT) & set(some))]).reindex(grown)
        for some in (data, known)
    )
    have, had = (
        some["present"].reindex(arm=labels, seed=grown["seed"], fill_value=False)
        for some in (data, known)
    )
    found = new.where(have, old.where(had)).assign(present=have | had)
    arms = [
        replace(
            mine.get(label, theirs.get(label)), networks=int(found["present"].sel(arm=label).sum())
        )
        for label in labels
    ]
    attrs = data.attrs | {"arms": json.dumps([asdict(one) for one in arms])}
    if bool((had & ~have).any()):
        # What is published already may be joined itself, and of the same runs.
        attrs["provenance"] = "; ".join(
            dict.fromkeys(
                part for some in (data, known) for part in some.attrs["provenance"].split("; ")
            )
        )
    return found.assign_attrs(attrs)


def save(data, root=None):
    """Write a dataset of arms; the path of its file."""
    arrays = {}
    for name in (name for name in data.data_vars if name not in _LEFT_OUT):
        values = data[name].transpose("arm", "seed", ...).values
        if name in _COUNTS:  # −1 for unknown
            values = np.where(np.isnan(values), -1, values)
        with np.errstate(over="ignore"):  # what is beyond single precision is infinite
            arrays[name] = values.astype(_type(name))
    meta = dict(arms=json.loads(data.attrs["arms"]), steps=data["step"].values.tolist())
    meta |= {name: data.attrs[name] for name in ("task", "data", "provenance")}
    meta |= dict(content=json.loads(data.attrs["content"]), version=Ablation.version)
    return SHELF.write(data.attrs["task"], arrays, meta, root)


def _type(name):
    return (
        bool
        if name == "present"
        else np.int16
        if name in _COUNTS
        else np.float16
        if name in _SHARES
        else np.float32
    )


def load(task, root=None):
    """Return the published arms of a task, a dataset as of
    :func:`netdyn_lib.experiments.campaign.load` without ``final`` and ``velocity``.

    Raises as :meth:`netdyn_lib.experiments.published.Shelf.read`.
    """
    return SHELF.read(task, _dataset, root)


def _dataset(arrays, meta):
    variables = {}
    for name, values in arrays.items():
        if name != "present":
            values = values.astype(float)
        if name in _COUNTS:
            values[values < 0] = np.nan
        variables[name] = ("arm", "seed", *_DIMS.get(name, ("step",))), values
    coords = {
        "arm": [Arm(**one).label for one in meta["arms"]],
        "seed": np.arange(arrays["present"].shape[1]),
        "step": meta["steps"],
    }
    attrs = {name: meta[name] for name in ("task", "data", "provenance")}
    attrs |= {name: json.dumps(meta.get(name)) for name in ("arms", "content")}
    attrs["version"] = meta.get("version", 1)
    return xr.Dataset(variables, coords, attrs)


def recompute(task, token, steps=20, tolerance=1e-3, root=None):
    """Recompute the first steps of a published network, and compare the losses of single batches
    and all that is observed at step 0.

    Only the start can be: a later checkpoint takes 43 kB of each network.  Of an arm with a late
    onset, that is descent without pruning.

    Parameters
    ----------
    task : str
    token : object
        Which arm and network are chosen: a text such as the commit, or anything that has one.
    steps : int
        At most as many as there are losses published of single batches, 20.
    tolerance : float
    root : path-like, optional

    Returns
    -------
    netdyn_lib.experiments.published.Check

    Raises
    ------
    ValueError
        For a number of steps below 1.
    netdyn_lib.tasks.datasets.MissingData
        Where the task's data cannot be had; and as :func:`load`.
    """
    data = load(task, root)
    steps = min(whole(steps, "steps", 1), data.sizes["first"])
    places = np.argwhere(data["present"].values)
    row, seed = places[published.chosen(token, task, len(places))].tolist()
    arm, there = _arms(data)[row], data.isel(arm=row, seed=seed)
    here = follow(tasks.get(arm.task), arm, seed, 0, min(steps, arm.steps))
    count = len(here["losses"])
    far = {"loss": published.apart(here["losses"], there["first_loss"].values[:count])}
    far |= {name: published.apart(here[name][:1], there[name].values[:1]) for name in _COMPARED}
    part = f"arm {arm.label}, network {seed}, {count} steps"
    return Check(task, part, far, max(far.values()) < tolerance)


def check_all(token, steps=20, root=None):
    """:func:`recompute` a part of every published task; see
    :func:`netdyn_lib.experiments.published.check_all`.
    """
    return published.check_all(names(root), lambda t: recompute(t, token, steps, root=root), token)


def made(checks):
    """Return those of some checks whose data were at hand."""
    return [check for check in checks if not isinstance(check, Unchecked)]
