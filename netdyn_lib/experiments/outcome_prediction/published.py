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

import numpy as np
import xarray as xr

from ...lyapunov import angles
from ...tasks import tasks
from ...validation import whole
from .. import published
from ..published import Check, command  # noqa: F401, part of this module
from . import campaign as grid
from . import measures, predicting
from .measuring import measure
from .nearest import NEAR, at, place

SHELF = grid.Campaign.shelf
names = SHELF.names
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


def write(data, root=None, resamples=300, times=(0.015, 0.2), followed=60):
    """Publish a campaign's numbers and scores; the path of its file.

    Parameters
    ----------
    data : xarray.Dataset
        As :func:`netdyn_lib.experiments.campaign.load` gives it.
    root : path-like, optional
        The folder, the book's where not given.
    resamples : int
        Of the bootstrap intervals of the scores and of the savings.
    times : (float, float)
        The early and the later time, in units of steps · η, whose nearest are published of every
        network: once where it is the same, or nothing was measured near the later one.
    followed : int
        Networks followed again by :func:`longer_future`.

    Raises
    ------
    ValueError
        Where nothing was measured near the early time, or the campaign's name is none of a file.
    netdyn_lib.results.store.StoreError
        Where it cannot be written.
    """
    campaign, (early, later) = grid.Campaign(**json.loads(data.attrs["campaign"])), times
    SHELF.path(campaign.name, root)  # before minutes of work
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
        version=campaign.version,
        provenance=data.attrs["provenance"],
        content=json.loads(data.attrs.get("content", "null")),
        predictors=scores["predictor"].values.tolist(),
        baselines=scores["baseline"].values.tolist(),
        method=scores.attrs["method"],
        savings=dict(
            rules=savings["rule"].values.tolist(),
            baselines=savings["baseline"].values.tolist(),
            **savings.attrs,
        ),
    )
    return SHELF.write(campaign.name, arrays, meta, root)


def _small(name, values):
    """Angles in half precision, to a twentieth of a degree; other numbers in single."""
    return values.astype(np.float16 if "angles" in name else np.float32)


def load(name, root=None):
    """A published campaign: (data, table, savings), three datasets.

    ``table`` and ``savings`` are named as
    :func:`~netdyn_lib.experiments.outcome_prediction.predicting.table`'s and
    :func:`~netdyn_lib.experiments.outcome_prediction.predicting.savings_over_time`'s, ``data``
    as :func:`netdyn_lib.experiments.campaign.load`'s.
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

    Raises as :meth:`netdyn_lib.experiments.published.Shelf.read`.
    """
    return SHELF.read(name, _datasets, root)


def _datasets(arrays, meta):
    times = np.array(meta["campaign"]["times"]) * meta["campaign"]["learning_rate"]
    return _data(arrays, meta, times), *_summaries(arrays, meta, times)


def known(campaign, root, about):
    """Return all blocks of a campaign where it is published whole, else none: scores are of all
    networks.  ``about`` is the identity of a block.
    """
    if campaign.name not in names(root):
        return []
    there = load(campaign.name, root)[0].attrs
    same = grid.Campaign(**json.loads(there["campaign"]))
    enough = same.count >= campaign.count
    same = dataclasses.replace(same, count=campaign.count, block=campaign.block) == campaign
    # The oldest files do not say which data they are of.
    content = json.loads(there["content"]) in (None, about["data"])
    whole = same and enough and content and there["version"] == campaign.version
    return campaign.pieces() if whole else []


def _data(arrays, meta, times):
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
        "name": campaign.name,
        "version": meta.get("version", 1),
        "content": json.dumps(meta.get("content")),
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
    root : path-like, optional

    Returns
    -------
    netdyn_lib.experiments.published.Check

    Raises
    ------
    ValueError
        For a count below 1; and as :func:`load`.
    """
    data, *_ = load(name, root)
    campaign = grid.Campaign(**json.loads(data.attrs["campaign"]))
    count = min(whole(count, "count", 1, cause="networks to recompute"), campaign.count)
    first = published.chosen(token, name, campaign.count - count + 1)
    early = data.attrs["early"]
    times = tuple(t for t in campaign.times if t <= early)
    short = dataclasses.replace(campaign, times=times, steps=early + 1, backward=1)
    here = measure(tasks.get(campaign.task), short, first, count, workers=1)
    there = at(data.isel(network=slice(first, first + count)), early * campaign.learning_rate)
    apart = {n: published.apart(here[n][-1], there[n].values) for n in _COMPARED}
    return Check(name, str(grid.Block(first, count)), apart, max(apart.values()) < tolerance)
