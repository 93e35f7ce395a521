"""Published campaigns: what the book shows of them, one small file each, and a part recomputed.

A file is an archive of :mod:`netdyn_lib.results.store`: NumPy arrays and JSON, no pickle.  Of every
network it holds the final loss; at S's early time loss, weights, exponents, Hessian and angles; at
the later time at which signs and tangencies are judged exponents and the angles of
:data:`netdyn_lib.experiments.outcome_prediction.measures.PAIRS`, and of the first networks these
angles as a longer future knows them; of all times the scores of every predictor, and what stopping
early saves.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ...lyapunov import angles
from ...results import provenance, reading, store
from ...tasks import tasks
from ...validation import whole
from . import campaign as grid
from . import measures, predicting
from .measuring import measure
from .nearest import NEAR, at, place

_EARLY = (
    "loss",
    "weights",
    "exponents",
    "singular",
    "hessian",
    "frozen_angles",
    "far_angles",
    "frozen_growth",
    "far_growth",
)
# what is published at the later time too
_LATE = ("exponents", "singular", "frozen_angles", "far_angles")
_SAVINGS = ("saved", "missed", "difference")
_COMPARED = ("loss", "weights", "hessian", "exponents", "singular")  # what is recomputed
_FEW = 100  # networks whose exponents are published at all times
_ALL = ("final_loss", "diverged_at")


def folder():
    """``book/results/outcomes`` of the checkout that this library lies in."""
    return Path(__file__).resolve().parents[3] / "book" / "results" / "outcomes"


def names(root=None):
    """Names of the published campaigns."""
    return store.published_names(root or folder())


def command(name):
    """The commands that compute a campaign at the paper's size and publish it."""
    return f"python -m netdyn_lib.experiments.outcome_prediction run {name} --profile paper && python -m netdyn_lib.experiments.outcome_prediction publish {name} --profile paper"


def longer_future(campaign, steps, count=60, more=4.2):
    """Angles between far-future vectors of the first networks of a campaign that know more of the
    future than its own do.

    Ginelli's vectors converge with the steps beyond t that they know: where these angles are
    others, those of the campaign had not converged.  The networks are followed anew, which takes
    half a minute or so of one core for 60 of the book's.

    Parameters
    ----------
    campaign : Campaign
    steps : sequence of int
        At which of the campaign's steps.
    count : int
        How many networks, or all where there are fewer.
    more : float
        How much longer the future is, in units of steps · η, or as much as the training has.

    Returns
    -------
    angles : numpy.ndarray, shape (len(steps), n, 6)
        Of :data:`netdyn_lib.experiments.outcome_prediction.measures.PAIRS`, in radians; NaN where
        the training has no more future than the campaign knows.
    more : float
        By how much the future is longer, 0 where it is not.

    Raises
    ------
    ValueError
        For a count below 1, or a step that is not among the campaign's.
    """
    count, times = (
        min(whole(count, "count", 1, cause="networks to follow"), campaign.count),
        list(campaign.times),
    )
    where = [times.index(step) for step in steps]
    added = min(
        round(more / campaign.learning_rate), campaign.steps - times[-1] - campaign.backward
    )
    if added < 1:
        return np.full((len(where), count, len(measures.PAIRS)), np.nan), 0.0
    longer = dataclasses.replace(campaign, backward=campaign.backward + added)
    found = measure(tasks.get(campaign.task), longer, 0, count)["far_angles"]
    labels = angles.labels(int(np.ceil(np.sqrt(2 * found.shape[-1]))))
    return found[where][
        ..., [labels.index(pair) for pair in measures.PAIRS]
    ], added * campaign.learning_rate


def write(data, campaign, resamples=300, root=None, early=0.015, later=0.2, followed=60):
    """Publish a campaign's numbers and scores; the path of its file.

    Parameters
    ----------
    data : xarray.Dataset
        As :func:`netdyn_lib.experiments.outcome_prediction.running.load` gives it.
    campaign : Campaign
        Of which the data are.
    resamples : int
        Of the bootstrap intervals of the scores and of the savings.
    root : path-like, optional
        The folder, :func:`folder` where not given.
    early, later : float
        The times, in units of steps · η, whose nearest are published of every network: once where
        it is the same, or nothing was measured near the later one.
    followed : int
        Networks followed again by :func:`longer_future`.

    Raises
    ------
    ValueError
        Where nothing was measured near the early time, or the campaign's name is none of a file.
    netdyn_lib.results.store.StoreError
        Where it cannot be written.
    """
    path = store.published(root or folder(), campaign.name, "campaign")
    scores = predicting.table(data, resamples=resamples, seed=campaign.seed)
    savings = predicting.savings_over_time(data, resamples=resamples, seed=campaign.seed)
    now = place(data, early)
    then = place(data, later) if (abs(data["time"] - later) <= NEAR * later).any() else now
    shown = [now] if then == now else [now, then]
    turned, more = longer_future(campaign, [campaign.times[k] for k in shown], followed)
    arrays = {f"score_{name}": scores[name].values.astype(np.float32) for name in scores.data_vars}
    arrays |= {f"savings_{name}": savings[name].values.astype(np.float32) for name in _SAVINGS}
    arrays |= {
        name: data[name].values.astype(np.int32 if name == "diverged_at" else np.float64)
        for name in _ALL
    }
    with np.errstate(over="ignore"):  # what is beyond float32 is infinite
        arrays |= {f"early_{name}": _small(name, data[name].values[now]) for name in _EARLY}
        if then != now:
            chosen = data.isel(time=then).sel(pair=list(measures.PAIRS))
            arrays |= {f"late_{name}": _small(name, chosen[name].values) for name in _LATE}
        arrays["course_exponents"] = data["exponents"].values[:, :_FEW].astype(np.float32)
        arrays["course_loss"] = data["curve"].values[:, :_FEW].astype(np.float32)
    arrays["longer_angles"] = _small("longer_angles", turned)
    meta = dict(
        early=campaign.times[now],
        late=campaign.times[then],
        longer=more,
        campaign=dataclasses.asdict(campaign),
        provenance=data.attrs["provenance"],
        predictors=scores["predictor"].values.tolist(),
        baselines=scores["baseline"].values.tolist(),
        method=scores.attrs["method"],
        savings=dict(
            rules=savings["rule"].values.tolist(),
            baselines=savings["baseline"].values.tolist(),
            **savings.attrs,
        ),
    )
    return store.write_archive(path, arrays, meta)


def _small(name, values):
    """Angles in half precision, to a twentieth of a degree; other numbers in single."""
    return values.astype(np.float16 if "angles" in name else np.float32)


def load(name, root=None):
    """A published campaign: (data, table, savings), three datasets.

    ``table`` and ``savings`` are named as
    :func:`~netdyn_lib.experiments.outcome_prediction.predicting.table`'s and
    :func:`~netdyn_lib.experiments.outcome_prediction.predicting.savings_over_time`'s, ``data`` as :func:`netdyn_lib.experiments.outcome_prediction.running.load`'s.
    It has numbers of every network, at one or two times: ``exponents``, ``singular``,
    ``frozen_angles`` and ``far_angles`` (time, network, …) at the early time, that of the step
    ``data.attrs["early"]``, and at the later one, there with the pairs of
    :data:`netdyn_lib.experiments.outcome_prediction.measures.PAIRS` alone (other angles are NaN);
    ``loss``, ``weights``, ``hessian``, ``frozen_growth`` and ``far_growth`` (network, …) at the
    early one. ``longer_angles`` (time, followed, pair) are those of the first networks by
    :func:`longer_future`, of the same six pairs, and ``data.attrs["longer"]`` by how much, in units
    of time, their future is longer. Of the first hundred networks it has ``course_exponents``
    (moment, few, P) at all times of the campaign and ``course_loss`` (step, few) at the steps of
    its curve.

    Raises
    ------
    FileNotFoundError
        Where nothing is published under that name; the message says how to compute it.
    netdyn_lib.results.store.DamagedShard
        For a file that is damaged.
    """
    path = store.published(root or folder(), name, "campaign")
    if not path.exists():
        raise FileNotFoundError(
            f"nothing is published of the campaign {name!r}; compute it: {command(name)}"
        )
    arrays, meta = store.read_archive(path)
    with reading.of_kind(path, "published campaign"):
        times = np.array(meta["campaign"]["times"]) * meta["campaign"]["learning_rate"]
        found = _data(name, arrays, meta, times), *_summaries(arrays, meta, times)
        return tuple(provenance.published_in(data, path) for data in found)


def _data(name, arrays, meta, times):
    campaign = grid.Campaign(**meta["campaign"])
    pairs = angles.labels(arrays["early_hessian"].shape[-1])
    judged = [pairs.index(pair) for pair in measures.PAIRS]
    variables = {n: ("network", arrays[n]) for n in _ALL}
    for n in _EARLY:
        dims = (
            ()
            if n == "loss"
            else ("parameter",)
            if n == "weights"
            else ("pair",)
            if "angles" in n
            else ("index",)
        )
        variables[n] = ("network", *dims), arrays[f"early_{n}"].astype(float)
    steps = [meta["early"]] if meta["early"] == meta["late"] else [meta["early"], meta["late"]]
    for n in _LATE:
        dims, known = variables[n]
        known = known[None].repeat(len(steps), 0)  # (1 or 2, n, …)
        if len(steps) == 2:
            known[1] = np.nan
            known[1][:, judged if "angles" in n else slice(None)] = arrays[f"late_{n}"]
        variables[n] = ("time", *dims), known
    turned = np.full((*arrays["longer_angles"].shape[:2], len(pairs)), np.nan)
    turned[..., judged] = arrays["longer_angles"]
    variables["longer_angles"] = ("time", "followed", "pair"), turned
    variables["course_exponents"] = ("moment", "few", "index"), arrays["course_exponents"]
    variables["course_loss"] = ("step", "few"), arrays["course_loss"]
    coords = {
        "pair": list(pairs),
        "index": np.arange(1, arrays["early_hessian"].shape[-1] + 1),
        "time": np.array(steps) * campaign.learning_rate,
        "moment": times,
        "step": np.array(campaign.curve),
    }
    attrs = {
        "name": name,
        "campaign": json.dumps(meta["campaign"]),
        "early": meta["early"],
        "longer": meta["longer"],
        "provenance": meta["provenance"],
    }
    return xr.Dataset(variables, coords, attrs).sortby("time")


def _summaries(arrays, meta, times):
    bounds = ["estimate", "low", "high"]
    coords = {
        "outcome": ["ideal", "failed"],
        "predictor": meta["predictors"],
        "baseline": meta["baselines"],
        "time": times,
        "bound": bounds,
        "side": ["in", "out"],
    }
    dims = {"auc": ("outcome", "predictor", "time", "bound"), "runs": ("outcome", "time", "side")}
    dims["difference"] = ("outcome", "predictor", "baseline", "time", "bound")
    scores = xr.Dataset(
        {n: (dims[n], arrays[f"score_{n}"]) for n in dims}, coords, {"method": meta["method"]}
    )
    attrs = dict(meta["savings"])
    coords = {
        "rule": attrs.pop("rules"),
        "baseline": attrs.pop("baselines"),
        "time": times,
        "bound": bounds,
    }
    dims = {
        n: ("rule", *(["baseline"] if n == "difference" else []), "time", "bound") for n in _SAVINGS
    }
    return scores, xr.Dataset(
        {n: (dims[n], arrays[f"savings_{n}"]) for n in _SAVINGS}, coords, attrs
    )


@dataclass(frozen=True)
class Check:
    """Networks ``first`` … ``first + count − 1`` of a published campaign, recomputed up to the
    early time.

    ``apart``: from the name of a quantity to the largest difference, relative to 1 plus the size of
    the value, infinite where one of the two is not a number; ``agrees``: whether all are below the
    tolerance.
    """

    name: str
    first: int
    count: int
    apart: dict
    agrees: bool

    def __str__(self):
        verdict = "agree" if self.agrees else "DISAGREE"
        apart = ", ".join(f"{name} to {difference:.0e}" for name, difference in self.apart.items())
        return f"{self.name}: networks {self.first} to {self.first + self.count - 1}, recomputed and published {verdict} ({apart})"


def recompute(name, token, count=5, tolerance=1e-3, root=None):
    """Recompute networks of a published campaign up to the early time, and compare loss, weights,
    Hessian, exponents and singular values.

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
    data, *_ = load(name, root)
    campaign = grid.Campaign(**json.loads(data.attrs["campaign"]))
    count = min(whole(count, "count", 1, cause="networks to recompute"), campaign.count)
    first = int(store.key({"token": str(token), "campaign": name}), 16) % (
        campaign.count - count + 1
    )
    early = data.attrs["early"]
    times = tuple(t for t in campaign.times if t <= early)
    short = dataclasses.replace(campaign, times=times, steps=early + 1, backward=1)
    here = measure(tasks.get(campaign.task), short, first, count, workers=1)
    there = at(data.isel(network=slice(first, first + count)), early * campaign.learning_rate)
    apart = {n: _apart(here[n][-1], there[n].values) for n in _COMPARED}
    return Check(name, first, count, apart, max(apart.values()) < tolerance)


def _apart(mine, theirs):
    """The largest of |mine − theirs|/(1 + |theirs|), 0 where both are the same infinity, or both
    NaN.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mine = mine.astype(np.float32).astype(float)  # as it was published
        apart = np.abs(mine - theirs) / (1 + np.abs(theirs))
    same = (mine == theirs) | (np.isnan(mine) & np.isnan(theirs))
    return float(np.max(np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))))
