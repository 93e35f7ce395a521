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
from . import campaign as grid
from . import predicting
from .measuring import measure

_EARLY = ("loss", "exponents", "singular", "hessian", "frozen_angles", "far_angles", "frozen_growth", "far_growth")
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
    """Publish a campaign's numbers and scores; the path of its file.  Raises StoreError where it cannot be written."""
    scores = predicting.table(data, resamples=resamples, seed=campaign.seed)
    arrays = {f"score_{name}": scores[name].values.astype(np.float32) for name in scores.data_vars}
    now = data.sel(time=early, method="nearest")
    arrays |= {f"early_{name}": now[name].values.astype(np.float16 if "angles" in name else np.float32) for name in _EARLY}
    arrays |= {name: data[name].values.astype(np.int32 if name == "diverged_at" else np.float64) for name in _ALL}
    arrays["course_exponents"] = data["exponents"].values[:, :_FEW].astype(np.float32)
    arrays["course_loss"] = data["curve"].values[:, :_FEW].astype(np.float32)
    arrays["worst_far_residual"] = np.nanmax(data["far_residual"].values, axis=(1, 2)).astype(np.float32)
    meta = dict(
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

    ``data`` has one time, the early one.

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
    campaign = grid.Campaign(**{k: tuple(v) if isinstance(v, list) else v for k, v in meta["campaign"].items()})
    size = arrays["early_hessian"].shape[-1]
    dims = {"loss": ()} | {n: ("pair",) if "angles" in n else ("index",) for n in _EARLY[1:]}
    variables = {n: (("network", *dims[n]), arrays[f"early_{n}"].astype(float)) for n in _EARLY} | {n: ("network", arrays[n]) for n in _ALL}
    times = np.array(campaign.times) * campaign.learning_rate
    variables["course_exponents"] = ("time", "few", "index"), arrays["course_exponents"]
    variables["course_loss"] = ("step", "few"), arrays["course_loss"]
    pairs = [f"({i + 1},{j + 1})" for i, j in zip(*np.triu_indices(size, 1))]
    coords = {"pair": pairs, "index": np.arange(1, size + 1), "time": times, "step": np.array(campaign.curve)}
    attrs = {"name": name, "campaign": json.dumps(meta["campaign"]), "provenance": meta["provenance"]}
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
    value; ``agrees`` whether both are below the tolerance.
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
    """Recompute ``count`` networks of a published campaign, chosen by a token such as the commit, and compare."""
    data, _ = load(name, root)
    campaign = grid.Campaign(**{k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(data.attrs["campaign"]).items()})
    first = int(store.key({"token": str(token), "campaign": name}), 16) % (campaign.count - count)
    steps = [t for t in campaign.times if t * campaign.learning_rate <= 0.0151]
    short = dataclasses.replace(campaign, times=tuple(steps), steps=steps[-1] + 1, backward=1)
    here = measure(tasks.get(campaign.task), short, first, count, workers=1)
    there = data.isel(network=slice(first, first + count))

    def apart(mine, theirs):
        return float(np.nanmax(np.abs(mine - theirs) / (1 + np.abs(theirs)), initial=0.0))

    loss = apart(here["loss"][-1], there["loss"].values)
    exponents = apart(here["exponents"][-1], there["exponents"].values)
    return Check(name, first, count, loss, exponents, bool(max(loss, exponents) < tolerance))
