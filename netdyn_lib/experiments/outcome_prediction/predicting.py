"""How early, and how well, each predictor knows the outcome; and what stopping early on it would
save.
"""

import numpy as np
import xarray as xr

from ...statistics import classification, early_stopping
from . import predictors
from .nearest import place

IDEAL, FAILED = 4.0, 100.0  # S's bounds of the final loss
#: Rules for stopping early; those of predictors, and the loss as it is and as a classifier sees it.
RULES = ("random", "loss", "loss, fitted", "weights", "Hessian", "exponents", "vectors")
#: Predictors that others are compared with, paired over networks: what is known without tangent
#: dynamics.
BASELINES = ("loss", "weights", "Hessian")
_STOPPED = ("loss", "loss, fitted")  # rules that others are compared with


def outcomes(data):
    """:class:`~netdyn_lib.statistics.classification.Outcomes` of a campaign by S's bounds."""
    return classification.outcomes(data["final_loss"].values, IDEAL, FAILED)


def course(data, outcome, method="binned", resamples=300, seed=0):
    """Held-out areas under the curve of all predictors over time, and their differences to
    :data:`BASELINES`.

    Parameters
    ----------
    data : xarray.Dataset
        As :func:`netdyn_lib.experiments.campaign.load` gives it.
    outcome : {"ideal", "failed"}
        What is told from all else.
    method, resamples, seed
        As for :func:`netdyn_lib.statistics.classification.over_time`.

    Returns
    -------
    netdyn_lib.statistics.classification.Course
    """
    labels = getattr(outcomes(data), outcome)
    halves = classification.split(len(labels), seed, strata=labels)
    how = classification.Evaluation(method, BASELINES, resamples, seed)
    features, undecided = predictors.by_name(data), predictors.undecided(data)
    return classification.over_time(labels, features, halves, undecided, how)


def table(data, method="binned", resamples=300, seed=0):
    """:func:`course` for both outcomes as one :class:`xarray.Dataset` over (outcome, predictor,
    time).

    ``auc`` and ``difference``, which has a dimension ``baseline`` (:data:`BASELINES`) too, have a
    dimension ``bound``: estimate, low, high; a baseline's difference to itself is NaN; ``runs``
    (outcome, time, side) are how many test runs were inside the class and outside.
    """
    found = {
        outcome: course(data, outcome, method, resamples, seed) for outcome in ("ideal", "failed")
    }
    names = list(next(iter(found.values())).auc)
    shape = len(data["time"]), 3
    nothing = np.full(shape, np.nan)

    def stacked(intervals):
        return [np.transpose(tuple(intervals[n])) if n in intervals else nothing for n in names]

    areas = (
        ("outcome", "predictor", "time", "bound"),
        np.array([stacked(c.auc) for c in found.values()]),
    )
    # (outcome, baseline, …)
    apart = np.array([[stacked(c.difference[b]) for b in BASELINES] for c in found.values()])
    apart = ("outcome", "predictor", "baseline", "time", "bound"), apart.swapaxes(1, 2)
    coords = {
        "outcome": list(found),
        "predictor": names,
        "baseline": list(BASELINES),
        "time": data["time"].values,
        "bound": ["estimate", "low", "high"],
        "side": ["in", "out"],
    }
    runs = ("outcome", "time", "side"), np.array([c.rows for c in found.values()])
    attrs = {
        "method": method,
        "reasons": sorted({r for c in found.values() for r in c.reasons if r}),
    }
    return xr.Dataset({"auc": areas, "difference": apart, "runs": runs}, coords, attrs)


def savings(data, time, rules=RULES, group=10, risk=0.05, resamples=300, seed=0, baseline="loss"):
    """What stopping early on each rule at the measured time nearest to ``time`` saves at equal best
    loss, beside stopping on the ``baseline``.

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

    Raises
    ------
    ValueError
        Where nothing was measured near ``time``, or a half has too few runs of a class; also as
        :func:`netdyn_lib.statistics.early_stopping.savings`.
    """
    scores, now, halves, overhead = _scored(data, place(data, time), rules, seed)
    return _saved(data, scores, now, halves, overhead, group, risk, resamples, seed, baseline)


def _scored(data, where, rules, seed):
    """Scores of all runs at the time ``where`` by rule, that time in steps, rows of train and test,
    and the work that scores cost, in epochs.
    """
    chosen = data["time"].values[where]
    labels = ~outcomes(data).ideal
    train, test = classification.split(len(labels), seed, strata=labels)
    features = predictors.by_name(data)
    own = {
        "random": np.random.default_rng([seed, len(labels)]).random(len(labels)),
        "loss": features["loss"][where][:, 0],
    }

    def fitted(name, method="binned"):
        return classification.cross_fitted(
            features[name][where], labels, train, test, method, seed=seed
        )

    scores = {
        rule: own[rule]
        if rule in own
        else fitted("loss", "ranked")
        if rule == "loss, fitted"
        else fitted(rule)
        for rule in rules
    }
    steps = data.attrs["steps"]
    now = chosen / data.attrs["duration"] * steps
    dense = 2.0 * len(data["index"])
    work = {
        "Hessian": dense,
        "exponents": dense * now,
        "singular values": dense * now,
        "vectors": dense * now,
        "growth": dense * now,
    }
    overhead = {rule: work[rule] for rule in rules if rule in work}
    return scores, now, (train, test), overhead


def _saved(data, scores, now, halves, overhead, group, risk, resamples, seed, baseline):
    losses, steps = np.maximum(data["final_loss"].values, IDEAL), data.attrs["steps"]
    plan = early_stopping.Plan(now, steps, group, risk, baseline, overhead)
    return early_stopping.savings(losses, scores, halves, plan, resamples, seed)


def savings_over_time(data, rules=RULES, group=10, risk=0.05, resamples=300, seed=0):
    """:func:`savings` at every time of a campaign, an :class:`xarray.Dataset` over (rule, time,
    bound).

    ``saved``, the share of epochs, ``missed``, the share of groups, and ``difference`` (rule,
    baseline, time, bound), by how much more is saved than by stopping on the loss, or the loss,
    fitted, *at the same time*, paired over networks (NaN for that rule itself). ``bound``:
    estimate, low, high.  All NaN where a half has fewer than 10 ideal runs or fewer than 10 others;
    ``attrs["reason"]`` then says so, and is "" otherwise.
    """
    labels = ~outcomes(data).ideal
    halves = zip(("train", "test"), classification.split(len(labels), seed, strata=labels))
    reason = next(
        filter(None, (classification.too_few(labels, rows, name) for name, rows in halves)), ""
    )
    times = data["time"].values
    baselines = [rule for rule in _STOPPED if rule in rules] or ["loss"]
    saved, missed = (np.full((len(rules), len(times), 3), np.nan) for _ in range(2))
    difference = np.full((len(rules), len(baselines), len(times), 3), np.nan)
    for k in range(0 if reason else len(times)):
        scored = _scored(data, k, rules, seed)
        for b, baseline in enumerate(baselines):  # the same resamples for each
            found = _saved(data, *scored, group, risk, resamples, seed, baseline)
            for r, rule in enumerate(rules):
                saved[r, k], missed[r, k] = (
                    tuple(found.rules[rule].saved),
                    tuple(found.rules[rule].missed),
                )
                if rule != baseline:
                    difference[r, b, k] = tuple(found.saved[rule])
    dims = "rule", "time", "bound"
    variables = {
        "saved": (dims, saved),
        "missed": (dims, missed),
        "difference": (("rule", "baseline", "time", "bound"), difference),
    }
    coords = {
        "rule": list(rules),
        "baseline": baselines,
        "time": times,
        "bound": ["estimate", "low", "high"],
    }
    return xr.Dataset(variables, coords, {"group": group, "risk": risk, "reason": reason})
