"""Published arms: what the book shows of them, one small file for each task, and a part recomputed.

A file is an archive of :mod:`netdyn_lib.results.store`: NumPy arrays and JSON, no pickle.  It holds
what :func:`netdyn_lib.experiments.pruning_ablation.running.load` gives, in single precision, shares
in half precision (to 0.0005), without the networks themselves.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from ...results import provenance, reading, store
from ...results.store import turn
from ...tasks import datasets, tasks
from ...validation import whole
from ..learning_rate_sweep.published import Unchecked
from .arm import Arm
from .measuring import follow
from .running import load as _load_all

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


def folder():
    """``book/results/arms`` of the checkout that this library lies in."""
    return Path(__file__).resolve().parents[3] / "book" / "results" / "arms"


def path_of(task, root=None):
    """Where the published arms of a task lie, or would; ValueError for a name that no file has."""
    return store.published(root or folder(), task, "task")


def names(root=None):
    """Names of the tasks whose arms are published."""
    return store.published_names(root or folder())


def command(task):
    """The commands that compute the arms of a task at the paper's size and publish them."""
    return f"python -m netdyn_lib.experiments.pruning_ablation run {task} --profile paper && python -m netdyn_lib.experiments.pruning_ablation publish {task} --profile paper"


def write(arms, store=None, root=None):
    """Publish the arms of one task, as far as a store has them, beside what is published already
    (:func:`merged`); the path of their file.

    Raises
    ------
    netdyn_lib.results.store.StoreError
        Where it cannot be written; otherwise as
        :func:`netdyn_lib.experiments.pruning_ablation.running.load`.
    """
    data = _load_all(arms, store, partial=True)
    with turn(path_of(data.attrs["task"], root)):  # what another publishes meanwhile is not lost
        if data.attrs["task"] in names(root):
            data = merged(data, load(data.attrs["task"], root))
        return save(data, root)


def merged(data, known):
    """Some arms, and beside them the networks of ``known`` that they lack: of other arms, or
    further ones of the same.

    An arm of the same name that is another one (its rule, rate or length differ) gives way.  Both
    are datasets of one task. Where the numbers come from is said of both, each run once.
    """
    mine, theirs = (
        {one.label: one for one in (Arm(**one) for one in json.loads(some.attrs["arms"]))}
        for some in (data, known)
    )
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
    """Publish a dataset as of :func:`netdyn_lib.experiments.pruning_ablation.running.load`; the
    path of its file.
    """
    arrays = {}
    for name in (name for name in data.data_vars if name not in _LEFT_OUT):
        values = data[name].transpose("arm", "seed", ...).values
        if name in _COUNTS:  # −1 for unknown
            values = np.where(np.isnan(values), -1, values)
        with np.errstate(over="ignore"):  # what is beyond single precision is infinite
            arrays[name] = values.astype(_type(name))
    meta = dict(arms=json.loads(data.attrs["arms"]), steps=data["step"].values.tolist())
    meta |= {name: data.attrs[name] for name in ("task", "data", "provenance")}
    return store.write_archive(path_of(data.attrs["task"], root), arrays, meta)


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
    """The published arms of a task, a dataset as
    :func:`netdyn_lib.experiments.pruning_ablation.running.load`'s without ``final`` and
    ``velocity``.

    Raises
    ------
    FileNotFoundError
        Where nothing is published of the task; the message says how to compute it.
    netdyn_lib.results.store.DamagedShard
        For a file that is damaged.
    """
    path = path_of(task, root)
    if not path.exists():
        raise FileNotFoundError(
            f"nothing is published of the arms of {task!r}; compute them: {command(task)}"
        )
    arrays, meta = store.read_archive(path)
    with reading.of_kind(path, "file of arms"):
        return provenance.published_in(_dataset(arrays, meta), path)


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
    attrs = {name: meta[name] for name in ("task", "data", "provenance")} | {
        "arms": json.dumps(meta["arms"])
    }
    return xr.Dataset(variables, coords, attrs)


@dataclass(frozen=True)
class Check:
    """The first ``steps`` steps of network ``seed`` of a published ``arm``, recomputed.

    ``apart``: from the name of a quantity to the largest difference, relative to 1 plus the size of
    the value, infinite where one of the two is not a number; ``agrees``: whether all are below the
    tolerance.
    """

    task: str
    arm: str
    seed: int
    steps: int
    apart: dict
    agrees: bool

    def __str__(self):
        verdict = "agree" if self.agrees else "DISAGREE"
        worst = max(self.apart, key=self.apart.get)
        return (
            f"{self.task}, arm {self.arm}, network {self.seed}: {self.steps} steps, recomputed and published {verdict} "
            f"(all of {len(self.apart)} quantities to {self.apart[worst]:.0e})"
        )


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
        As for :class:`Check`.
    root : path-like, optional
        The folder, :func:`folder` where not given.

    Returns
    -------
    Check

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
    row, seed = (
        int(k)
        for k in places[int(store.key({"token": str(token), "arms": task}), 16) % len(places)]
    )
    arm = Arm(**json.loads(data.attrs["arms"])[row])
    there = data.isel(arm=row, seed=seed)
    here = follow(tasks.get(arm.task), arm, seed, 0, min(steps, arm.steps))
    apart = {"loss": _apart(here["losses"], there["first_loss"].values[: len(here["losses"])])}
    apart |= {name: _apart(here[name][:1], there[name].values[:1]) for name in _COMPARED}
    return Check(task, arm.label, seed, len(here["losses"]), apart, max(apart.values()) < tolerance)


def check_all(token, steps=20, root=None):
    """:func:`recompute` a part of every published task: a list of :class:`Check`, or of
    ``Unchecked`` where data cannot be had.
    """
    found = []
    for task in names(root):
        try:
            found.append(recompute(task, token, steps, root=root))
        except datasets.MissingData:
            found.append(Unchecked(task))
    return found


def made(checks):
    """Those of some checks that were made: whose data were at hand."""
    return [check for check in checks if not isinstance(check, Unchecked)]


def _apart(mine, theirs):
    """The largest of |mine − theirs|/(1 + |theirs|), 0 where both are the same infinity, or both
    NaN.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mine = mine.astype(np.float32).astype(float)  # as it was published
        apart = np.abs(mine - theirs) / (1 + np.abs(theirs))
    same = (mine == theirs) | (np.isnan(mine) & np.isnan(theirs))
    return float(np.max(np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))))
