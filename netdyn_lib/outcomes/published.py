"""Published campaigns: what the book shows of them, one small file each, and a part recomputed.

A file is an archive of :mod:`netdyn_lib.store`: NumPy arrays and JSON, no
pickle.  Of every network it holds the final loss and, at S's early time, loss, exponents,
Hessian and angles; of all times the scores of every predictor.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from .. import store, tasks
from ..checks import whole
from . import campaign as grid
from . import predicting
from .measuring import measure

_EARLY = ("loss", "weights", "exponents", "singular", "hessian", "frozen_angles", "far_angles", "frozen_growth", "far_growth")
_FEW = 100  # networks whose exponents are published at all times
_ALL = ("final_loss", "diverged_at")


def folder():
    """``book/results/outcomes`` of the checkout that this library lies in."""
    return Path(__file__).resolve().parents[2] / "book" / "results" / "outcomes"


def names(root=None):
    """Names of the published campaigns."""
    return sorted(path.stem for path in Path(root or folder()).glob("*.npz"))


def command(name):
    """The commands that compute a campaign at the paper's size and publish it."""
    return f"python -m netdyn_lib.outcomes run {name} --profile paper && python -m netdyn_lib.outcomes publish {name} --profile paper"


def write(data, campaign, resamples=300, root=None, early=0.015):
    """Publish a campaign's numbers and scores; the path of its file.

    Parameters
    ----------
    data : xarray.Dataset
        As :func:`netdyn_lib.outcomes.running.load` gives it.
    campaign : Campaign
        Of which the data are.
    resamples : int
        Of the bootstrap intervals of the scores.
    root : path-like, optional
        The folder, :func:`folder` where not given.
    early : float
        The time, in units of steps · η, whose nearest is published of every network.

    Raises
    ------
    netdyn_lib.store.StoreError
        Where it cannot be written.
    """
    scores = predicting.table(data, resamples=resamples, seed=campaign.seed)
    now = int(np.argmin(np.abs(data["time"].values - early)))
    arrays = {f"score_{name}": scores[name].values.astype(np.float32) for name in scores.data_vars}
    arrays |= {name: data[name].values.astype(np.int32 if name == "diverged_at" else np.float64) for name in _ALL}
    with np.errstate(over="ignore"):  # what is beyond float32 is infinite
        arrays |= {f"early_{name}": data[name].values[now].astype(np.float16 if "angles" in name else np.float32) for name in _EARLY}
        arrays["course_exponents"] = data["exponents"].values[:, :_FEW].astype(np.float32)
        arrays["course_loss"] = data["curve"].values[:, :_FEW].astype(np.float32)
    worst = np.nanmax(data["far_residual"].values, axis=(1, 2), initial=-np.inf)  # (T,)
    arrays["worst_far_residual"] = np.where(np.isfinite(worst), worst, np.nan).astype(np.float32)
    meta = dict(
        early=campaign.times[now],
        campaign=dataclasses.asdict(campaign),
        provenance=data.attrs["provenance"],
        predictors=scores["predictor"].values.tolist(),
        method=scores.attrs["method"],
    )
    path = Path(root or folder()) / f"{campaign.name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    store.write_archive(path, arrays, meta)
    return path


def load(name, root=None):
    """A published campaign: (data, table), two datasets named as :func:`netdyn_lib.outcomes.running.load`'s and :func:`~netdyn_lib.outcomes.predicting.table`'s.

    ``data`` has numbers of every network (n, …) at one time only, that of the step ``data.attrs["early"]``; of
    the first hundred networks ``course_exponents`` (T, few, P) at all times and ``course_loss`` (C, few) at the steps of
    the campaign's curve.

    Raises
    ------
    FileNotFoundError
        Where nothing is published under that name; the message says how to compute it.
    netdyn_lib.store.DamagedShard
        For a file that is damaged.
    """
    path = Path(root or folder()) / f"{name}.npz"
    if not path.exists():
        raise FileNotFoundError(f"nothing is published of the campaign {name!r}; compute it: {command(name)}")
    arrays, meta = store.read_archive(path)
    campaign = grid.Campaign(**meta["campaign"])
    size = arrays["early_hessian"].shape[-1]
    dims = {"loss": ()} | {n: ("pair",) if "angles" in n else ("index",) for n in _EARLY[1:]}
    variables = {n: (("network", *dims[n]), arrays[f"early_{n}"].astype(float)) for n in _EARLY} | {n: ("network", arrays[n]) for n in _ALL}
    times = np.array(campaign.times) * campaign.learning_rate
    variables["course_exponents"] = ("time", "few", "index"), arrays["course_exponents"]
    variables["course_loss"] = ("step", "few"), arrays["course_loss"]
    pairs = [f"({i + 1},{j + 1})" for i, j in zip(*np.triu_indices(size, 1))]
    coords = {"pair": pairs, "index": np.arange(1, size + 1), "time": times, "step": np.array(campaign.curve)}
    attrs = {"name": name, "campaign": json.dumps(meta["campaign"]), "early": meta["early"], "provenance": meta["provenance"]}
    data = xr.Dataset(variables, coords, attrs)
    coords = {"outcome": ["ideal", "failed"], "predictor": meta["predictors"], "time": times, "bound": ["estimate", "low", "high"], "side": ["in", "out"]}
    dims = {"auc": ("outcome", "predictor", "time", "bound"), "runs": ("outcome", "time", "side")}
    dims["difference"] = dims["auc"]
    scores = xr.Dataset({n: (dims[n], arrays[f"score_{n}"]) for n in dims}, coords, {"method": meta["method"]})
    return data, scores


@dataclass(frozen=True)
class Check:
    """Networks ``first`` … ``first + count − 1`` of a published campaign, recomputed up to the early time.

    ``loss`` and ``exponents`` are the largest differences, relative to 1 plus the size of the
    value, infinite where one of the two is not a number; ``agrees`` whether both are below the tolerance.
    """

    name: str
    first: int
    count: int
    loss: float
    exponents: float
    agrees: bool

    def __str__(self):
        verdict = "agree" if self.agrees else "DISAGREE"
        return (
            f"{self.name}: networks {self.first} to {self.first + self.count - 1}, recomputed and published {verdict} "
            f"(loss to {self.loss:.0e}, exponents to {self.exponents:.0e})"
        )


def recompute(name, token, count=5, tolerance=1e-3, root=None):
    """Recompute networks of a published campaign and compare.

    Parameters
    ----------
    name : str
    token : object
        Which networks are chosen: a text such as the commit, or anything that has one.
    count : int
        How many, or all where there are fewer.
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
        For a count below 1; and as :func:`load`.
    """
    data, _ = load(name, root)
    campaign = grid.Campaign(**json.loads(data.attrs["campaign"]))
    count = min(whole(count, "count", 1, cause="networks to recompute"), campaign.count)
    first = int(store.key({"token": str(token), "campaign": name}), 16) % (campaign.count - count + 1)
    early = data.attrs["early"]
    times = tuple(t for t in campaign.times if t <= early)
    short = dataclasses.replace(campaign, times=times, steps=early + 1, backward=1)
    here = measure(tasks.get(campaign.task), short, first, count, workers=1)
    there = data.isel(network=slice(first, first + count))
    loss, exponents = (_apart(here[n][-1], there[n].values) for n in ("loss", "exponents"))
    return Check(name, first, count, loss, exponents, bool(max(loss, exponents) < tolerance))


def _apart(mine, theirs):
    """The largest of |mine − theirs|/(1 + |theirs|), 0 where both are the same infinity, or both NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        mine = mine.astype(np.float32).astype(float)  # as it was published
        apart = np.abs(mine - theirs) / (1 + np.abs(theirs))
    same = (mine == theirs) | (np.isnan(mine) & np.isnan(theirs))
    return float(np.max(np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))))
