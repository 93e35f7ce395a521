"""How early, and how well, each predictor knows the outcome; what stopping early on it would save;
and what marks failed runs: growth, loss of stability, tangencies.
"""

import json

import numpy as np
import xarray as xr

from ...statistics import classification, early_stopping
from ...statistics.intervals import Interval, clustered_interval, percentile_interval

IDEAL, FAILED = 4.0, 100.0  # bounds of the final loss in Sharafi 2024
#: How far from the time asked for a measured one may be, as a share of it.
NEAR = 0.2
#: Tangent indicators, that need no future.
TANGENT = ("exponents", "singular values", "vectors", "growth")
#: Predictors that others are compared with, paired over networks: what is known without tangent
#: dynamics.
BASELINES = ("loss", "weights", "Hessian")
#: Rules for stopping early; those of predictors, and the loss as it is and as a classifier sees it.
RULES = ("random", "loss", "loss, fitted", "weights", "Hessian", "exponents", "vectors")
_STOPPED = ("loss", "loss, fitted")  # rules that others are compared with
#: The pairs in which Sharafi 2024 see tangencies with both activations.
PAIRS = ("(1,2)", "(1,3)", "(2,3)", "(3,4)", "(4,5)", "(5,6)")
TANGENCY = 10.0  # degrees, below which an angle is near a tangency
_LEAST = 10  # runs of a class, in each half
_UNKNOWN = Interval(np.nan, np.nan, np.nan, 0.95)


def place(data, time):
    """Return the index of the measured time of a dataset nearest to ``time``.

    Raises ValueError where none is within :data:`NEAR` of it; the message says which there are.
    """
    times = data["time"].values
    where = int(np.argmin(np.abs(times - time)))
    if not abs(times[where] - time) <= NEAR * time:
        there = ", ".join(f"{t:g}" for t in times)
        raise ValueError(
            f"time = {time:g}: nothing was measured within {NEAR:.0%} of it, but at {there}"
        )
    return where


def at(data, time):
    """Return a dataset at its measured time nearest to ``time``; ValueError as :func:`place`."""
    return data.isel(time=place(data, time))


def outcomes(data):
    """Return :class:`~netdyn_lib.statistics.classification.Outcomes` of a campaign, by the bounds
    of Sharafi 2024.
    """
    return classification.outcomes(data["final_loss"].values, IDEAL, FAILED)


def features(data):
    """Return the features of every predictor, a dict of (T, n, f) arrays.

    ``exponents`` are Benettin's over [0, t], ``singular values`` their counterpart that needs no
    first frame; ``vectors`` the angles between frozen-future covariant vectors, all pairs and
    splittings, ``growth`` the rates along them, ``vectors 5 to 8`` rates and angles of these four;
    ``degeneracy`` how many of the angles are undetermined; ``Hessian`` the eigenvalues at t.  Rates
    and exponents are per unit of time, angles in radians; ``loss`` and ``gradient`` are logarithms.
    Those of the ``far future`` know the end of training, which no one has who predicts.  NaN where
    a network has diverged.
    """
    if len(data["index"]) < 8:
        raise ValueError(
            f"networks of {len(data['index'])} parameters: the predictors look at covariant"
            " vectors 5 to 8"
        )
    late = [f"({i},{j})" for i in range(5, 9) for j in range(i + 1, 9)]
    of = {name: values.values for name, values in data.data_vars.items()}
    with np.errstate(divide="ignore"):  # a loss of zero
        logs = {name: np.log(of[name])[..., None] for name in ("loss", "gradient")}
    middle = of["frozen_growth"][..., 4:8], data["frozen_angles"].sel(pair=late).values
    return logs | {
        "weights": of["weights"],
        "Hessian": of["hessian"],
        "exponents": of["exponents"],
        "singular values": of["singular"],
        "vectors": np.concatenate([of["frozen_angles"], of["frozen_splitting"]], 2),
        "growth": of["frozen_growth"],
        "degeneracy": np.isnan(of["frozen_angles"]).sum(2, keepdims=True).astype(float),
        "vectors 5 to 8": np.concatenate(middle, 2),
        "vectors, far future": np.concatenate([of["far_angles"], of["far_splitting"]], 2),
        "growth, far future": of["far_growth"],
    }


def undecided(data):
    """Return which networks have not diverged by each time, (T, n) bool: the outcome of the others
    is known.
    """
    steps = np.rint(data["time"].values / data.attrs["duration"] * data.attrs["steps"])  # (T,)
    gone = data["diverged_at"].values
    return (gone < 0) | (gone[None] > steps[:, None])


def table(data, method="binned", resamples=300, seed=0):
    """Return held-out areas under the ROC curve of all predictors over time, and their differences
    to :data:`BASELINES`.

    Parameters
    ----------
    data : xarray.Dataset
        As :func:`netdyn_lib.experiments.campaign.load` gives it.
    method, resamples, seed
        As for :func:`netdyn_lib.statistics.classification.over_time`.

    Returns
    -------
    xarray.Dataset
        Over (outcome, predictor, time), what is told from all else being the ``ideal`` and the
        ``failed`` runs.  ``auc`` and ``difference``, which has a dimension ``baseline`` too, have a
        dimension ``bound``: estimate, low, high; a baseline's difference to itself is NaN; ``runs``
        (outcome, time, side) are how many test runs were inside the class and outside.
    """
    found, known = {}, features(data)
    how = classification.Evaluation(method, BASELINES, resamples, seed)
    for outcome in ("ideal", "failed"):
        labels = getattr(outcomes(data), outcome)
        halves = classification.split(len(labels), seed, strata=labels)
        found[outcome] = classification.over_time(labels, known, halves, undecided(data), how)
    nothing = [np.full(len(data["time"]), np.nan)] * 3

    def stacked(intervals):  # (predictor, time, bound)
        return np.array([np.transpose(tuple(intervals.get(name, nothing))) for name in known])

    areas = np.array([stacked(course.auc) for course in found.values()])
    apart = [[stacked(c.difference[base]) for base in BASELINES] for c in found.values()]
    variables = {
        "auc": (("outcome", "predictor", "time", "bound"), areas),
        "difference": (
            ("outcome", "predictor", "baseline", "time", "bound"),
            np.array(apart).swapaxes(1, 2),
        ),
        "runs": (("outcome", "time", "side"), np.array([c.rows for c in found.values()])),
    }
    coords = {
        "outcome": list(found),
        "predictor": list(known),
        "baseline": list(BASELINES),
        "time": data["time"].values,
        "bound": ["estimate", "low", "high"],
        "side": ["in", "out"],
    }
    reasons = sorted({reason for c in found.values() for reason in c.reasons if reason})
    return xr.Dataset(variables, coords, {"method": method, "reasons": reasons})


def words(values, columns=None, sign=""):
    """Return intervals in words, "estimate (low to high)", as a Series or, with the dimension
    ``columns`` side by side, a DataFrame; "" for NaN.

    values : xarray.DataArray
        With a dimension ``bound`` of estimate, low and high.
    sign : str
        "+" for differences.

    >>> import xarray as xr
    >>> values = [[0.5, 0.25, 0.75], [np.nan] * 3]
    >>> words(xr.DataArray(values, {"rule": ["a", "b"]}, ("rule", "bound"))).tolist()
    ['0.50 (0.25 to 0.75)', '']
    """

    def text(bounds):
        middle, low, high = bounds
        return "" if np.isnan(middle) else f"{middle:{sign}.2f} ({low:.2f} to {high:.2f})"

    dims = dict(input_core_dims=[["bound"]], vectorize=True, output_dtypes=[object])
    found = xr.apply_ufunc(text, values, **dims).reset_coords(drop=True)
    if columns is None:
        return found.to_series()
    order = [name for name in found.dims if name != columns]
    return found.to_dataset(dim=columns).to_dataframe(dim_order=order)


def savings(data, time, group=10, risk=0.05, resamples=300, seed=0):
    """Return what stopping early on each of :data:`RULES` at the measured time nearest to ``time``
    saves at equal best loss, beside stopping on the loss.

    ``"random"`` abandons runs by lot: with many ideal runs in a group, that saves much already. The
    loss is its own score; any other rule scores a run by the cross-fitted log-odds that it will
    *not* be ideal, ``"loss, fitted"`` by those given the loss: early, a small loss need not be a
    good sign. (Of ``"ranked"`` losses: ten bins of a single feature would leave a threshold ten
    values to choose from.) Ideal runs count as equally good: their losses differ by how far the
    last digits of a minimum have converged.  Work beyond the training itself is charged: a dense
    Hessian as 2P epochs, one Hessian–vector product costing about two gradients, and exponents or
    vectors as one at every step up to ``time``.

    Returns
    -------
    netdyn_lib.statistics.early_stopping.Comparison
    """
    return _compared(data, place(data, time), group, risk, resamples, seed)["loss"]


def savings_over_time(data, group=10, risk=0.05, resamples=300, seed=0):
    """Return :func:`savings` at every time of a campaign, an :class:`xarray.Dataset` over (rule,
    time, bound).

    ``saved``, the share of epochs, ``missed``, the share of groups, and ``difference`` (rule,
    baseline, time, bound), by how much more is saved than by stopping on the loss, or the loss,
    fitted, *at the same time*, paired over networks (NaN for that rule itself). ``bound``:
    estimate, low, high.  All NaN where a half has fewer than 10 ideal runs or fewer than 10 others;
    ``attrs["reason"]`` then says so, and is "" otherwise.
    """
    labels = ~outcomes(data).ideal
    halves = zip(("train", "test"), classification.split(len(labels), seed, strata=labels))
    reasons = [classification.too_few(labels, rows, name) for name, rows in halves]
    reason = next(filter(None, reasons), "")
    times = data["time"].values
    saved, missed = (np.full((len(RULES), len(times), 3), np.nan) for _ in range(2))
    difference = np.full((len(RULES), len(_STOPPED), len(times), 3), np.nan)
    for k in range(0 if reason else len(times)):
        compared = _compared(data, k, group, risk, resamples, seed)
        for r, rule in enumerate(RULES):
            saving = compared["loss"].rules[rule]
            saved[r, k], missed[r, k] = tuple(saving.saved), tuple(saving.missed)
            for b, baseline in enumerate(_STOPPED):
                if rule != baseline:
                    difference[r, b, k] = tuple(compared[baseline].saved[rule])
    dims = "rule", "time", "bound"
    variables = {
        "saved": (dims, saved),
        "missed": (dims, missed),
        "difference": (("rule", "baseline", "time", "bound"), difference),
    }
    coords = dict(rule=list(RULES), baseline=list(_STOPPED), time=times)
    coords["bound"] = ["estimate", "low", "high"]
    return xr.Dataset(variables, coords, {"group": group, "risk": risk, "reason": reason})


def _compared(data, where, group, risk, resamples, seed):
    """Return baseline → :class:`~netdyn_lib.statistics.early_stopping.Comparison` at the time
    ``where``.
    """
    labels, known = ~outcomes(data).ideal, features(data)
    halves = classification.split(len(labels), seed, strata=labels)
    scores = {
        "random": np.random.default_rng([seed, len(labels)]).random(len(labels)),
        "loss": known["loss"][where][:, 0],
    }
    for rule in RULES[2:]:
        method = "ranked" if rule == "loss, fitted" else "binned"
        values = known["loss" if rule == "loss, fitted" else rule][where]
        scores[rule] = classification.cross_fitted(values, labels, *halves, method, seed=seed)
    steps, dense = data.attrs["steps"], 2.0 * len(data["index"])
    now = data["time"].values[where] / data.attrs["duration"] * steps
    losses = np.maximum(data["final_loss"].values, IDEAL)
    work = {"Hessian": dense, "exponents": dense * now, "vectors": dense * now}
    found = {}
    for baseline in _STOPPED:  # the same resamples for each
        plan = early_stopping.Plan(now, steps, group, risk, baseline, work)
        found[baseline] = early_stopping.savings(losses, scores, halves, plan, resamples, seed)
    return found


def positive(data, time, resamples=1000, seed=0):
    """Return the share with a positive largest exponent, by singular values, over [0, t] among
    failed runs, less that among ideal ones: an Interval, from −1 to 1.

    Runs that have diverged by t have no exponent, and are left out.
    """
    return _apart(
        data,
        at(data, time)["singular"].values[:, :1],  # (n, 1)
        lambda failed, ideal: float((failed > 0).mean() - (ideal > 0).mean()),
        resamples,
        seed,
    )


def less_stable(data, time, resamples=300, seed=0):
    """Return the share of the P exponents over [0, t] whose median is larger in failed runs than in
    ideal ones, an Interval: 1 is loss of all stability.

    Runs that have diverged by t have no exponents, and are left out.
    """

    def share(failed, ideal):
        return float((np.nanmedian(failed, 0) > np.nanmedian(ideal, 0)).mean())

    return _apart(data, at(data, time)["exponents"].values, share, resamples, seed)


def _apart(data, values, statistic, resamples, seed):
    """Return a statistic of the rows of failed and of ideal runs, (rows, f) each, an Interval of
    the bootstrap over networks.

    Rows without any value are left out; NaN where a class has fewer than 10 others.
    """
    found, known = outcomes(data), ~np.isnan(values).all(1)
    failed, ideal = values[found.failed & known], values[found.ideal & known]
    least, rng = min(len(failed), len(ideal)), np.random.default_rng(seed)
    if least < _LEAST:
        return _UNKNOWN

    def drawn(rows):
        return rows[rng.integers(len(rows), size=len(rows))]

    draws = [statistic(drawn(failed), drawn(ideal)) for _ in range(resamples)]
    return percentile_interval(float(statistic(failed, ideal)), draws, count=least)


def tangency(data, time, resamples=1000, seed=0):
    """Return the share of angles below ``TANGENCY`` degrees at t in failed runs less that in
    ideal ones, from −1 to 1, for each of :data:`PAIRS` of far-future vectors.

    Of angles that :func:`determined` finds determined; every resample takes networks of each class,
    each with all its angles.

    Returns
    -------
    dict
        Pair → two Intervals, at the level 0.95 and at 1 − 0.05/k for each of k pairs (Bonferroni).
        Pairs with fewer than 10 determined angles in a class are left out.
    """
    values, found = determined(data, time), outcomes(data)
    rng, shares, draws = np.random.default_rng(seed), [], []
    enough = np.ones(len(PAIRS), dtype=bool)
    for rows in (found.failed, found.ideal):
        chosen = values[rows & ~np.isnan(values).all(1)]  # (n, k)
        if not len(chosen):
            return {}
        known, count = ~np.isnan(chosen), len(chosen)
        small = known & (np.degrees(np.where(known, chosen, np.inf)) < TANGENCY)
        enough &= known.sum(0) >= _LEAST
        # (R, n)
        often = rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(float)
        with np.errstate(invalid="ignore"):  # a resample without any angle of a pair
            shares.append(small.sum(0) / known.sum(0))
            draws.append((often @ small) / (often @ known))
    estimate, draws = shares[0] - shares[1], draws[0] - draws[1]
    return {
        PAIRS[k]: tuple(
            percentile_interval(estimate[k], draws[~np.isnan(draws[:, k]), k], level)
            for level in (0.95, 1 - 0.05 / len(PAIRS))
        )
        for k in np.flatnonzero(enough)
    }


def nearer_tangency(found):
    """Return the share of the pairs of far-future covariant vectors that have *tangencies* in
    failed runs more often than in ideal ones, an Interval; of what :func:`tangency` gives.

    A pair counts where its difference is certainly positive: its 95% interval lies above zero.  By
    chance one pair in forty does.  The interval of the share is from the pairs that are certain to
    the pairs that are possible, by the wider intervals.  All k hold what they are of at once in at
    least 95% of cases (Bonferroni), however pairs depend on each other, and then the share of pairs
    in which failed runs truly have more lies between.  NaN where there is no pair.
    """
    if not found:
        return _UNKNOWN
    flags = [(i.low > 0, wide.low > 0, wide.high > 0) for i, wide in found.values()]
    return Interval(*np.mean(flags, 0).tolist(), 0.95)


def determined(data, time, pairs=PAIRS, kind="far"):
    """Return angles (n, k) of some pairs of covariant vectors at a time; NaN where J does not tell
    its directions apart.

    Where neighbouring multipliers of J(t) coincide, as those of ReLU units that are off, a single
    vector is one of many, and what Ginelli's method gives is a trace of the matrix that it starts
    from.
    """
    now = at(data, time).sel(pair=list(pairs))
    return np.where(np.isnan(now["frozen_angles"].values), np.nan, now[f"{kind}_angles"].values)


def unconverged(here, paper, time, degrees=5.0, resamples=300, seed=0):
    """Return the share of the angles between far-future vectors at t that two campaigns with unlike
    futures know differently, by more than ``degrees``, an Interval.

    Ginelli's vectors converge with the steps beyond t that they know; the covariance defect does
    not show it, for any triangular matrix pulled back has none.  Networks 0, 1, … of both campaigns
    are the same ones, so as many are compared as both have, in angles that :func:`determined` finds
    determined in both.  What the longer future itself lacks is not seen.

    Raises ValueError where task, seed or learning rate of the campaigns differ, or the measured
    times nearest to ``time``.
    """
    first, second = (json.loads(data.attrs["campaign"]) for data in (here, paper))
    for name in ("task", "seed", "learning_rate"):
        if first[name] != second[name]:
            raise ValueError(
                f"{name} = {first[name]!r} here, {second[name]!r} there: networks of different"
                " campaigns have no angles in common"
            )
    times = [float(at(data, time)["time"]) for data in (here, paper)]
    if not np.isclose(*times, rtol=1e-9):
        raise ValueError(
            f"time = {time:g}: measured at {times[0]:g} here, at {times[1]:g} there; vectors turn"
            " from step to step"
        )
    mine, theirs = determined(here, time), determined(paper, time)
    count = min(len(mine), len(theirs))
    return apart(mine[:count], theirs[:count], degrees, resamples, seed)


def apart(mine, theirs, degrees, resamples=300, seed=0):
    """Return the share of angles (n, k), in radians, that two sources know more than ``degrees``
    apart, of those that both know.

    An Interval, of the bootstrap over networks, each with all its angles; NaN where fewer than two
    networks have one.
    """
    difference = np.degrees(np.abs(mine - theirs))
    known = ~np.isnan(difference)
    if known.any(1).sum() < 2:
        return _UNKNOWN
    members = np.nonzero(known)[0]
    return clustered_interval(difference[known] > degrees, members, resamples=resamples, seed=seed)


def future(data, time):
    """Return how much of the future far-future vectors at the measured time nearest to ``time``
    know, in units of time.
    """
    campaign = json.loads(data.attrs["campaign"])
    last = (campaign["times"][-1] + campaign["backward"]) * campaign["learning_rate"]
    return last - float(at(data, time)["time"])
