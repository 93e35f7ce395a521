"""What networks trained by pruned descent end with, and how their spectra change, with intervals.

Networks of different arms are compared in pairs, seed by seed: they start from the same weights and
see the same batches.  Intervals are Student's t over seeds; fewer than five known values have no
bounds.
"""

import dataclasses
import json

import numpy as np
import pandas as pd

from ...statistics.intervals import student
from .arm import Arm

#: Share of the steps, the last ones, over which what is called final is averaged.
TAIL = 0.05


def final(data, what="test_accuracy"):
    """Return what the networks end with, a DataArray (arm, seed): the mean over the last
    :data:`TAIL` of the steps; NaN for those that diverged.
    """
    late = data["step"] >= (1 - TAIL) * data["step"].max()
    return data[what].where(late, drop=True).mean("step", skipna=False)


def lost(data, arm, baseline="none", what="test_accuracy"):
    """Return by how much ``baseline`` ends above an ``arm``, an Interval."""
    _known(data, arm, baseline)
    ends = final(data, what)
    return student((ends.sel(arm=baseline) - ends.sel(arm=arm)).values)


def arms(data):
    """Return label → :class:`~netdyn_lib.experiments.pruning_ablation.arm.Arm` of a dataset."""
    found = [Arm(**one) for one in json.loads(data.attrs["arms"])]
    return {one.label: one for one in found}


def by_rate(data, rule):
    """Return γ → label of the arms of a rule at all its learning rates, ascending; those that
    differ in nothing else from the arm ``rule``.
    """
    _known(data, rule)
    found = arms(data)
    same = {
        label: dataclasses.replace(one, name="", learning_rate=1.0, networks=1)
        for label, one in found.items()
    }
    alike = [label for label in found if same[label] == same[rule]]
    return dict(sorted((found[label].learning_rate, label) for label in alike))


def retuned(data, rule, baseline="none", what="test_accuracy"):
    """Return by how much the best of all learning rates of ``baseline`` ends above the best of
    ``rule``: an Interval, the best γ, the best γ of the baseline.

    The best is that with the greatest mean over networks none of which diverged.  It is chosen on
    the data that it is measured on, which favours both alike.  NaN where either has no arm at a
    rate but its own, or none without divergence.
    """
    ends, best = final(data, what), {}
    for one in (rule, baseline):
        rates = by_rate(data, one) if one in data["arm"] else {}
        there = data["present"]  # what diverged is there, and NaN
        means = {
            rate: float(ends.sel(arm=label)[there.sel(arm=label)].mean(skipna=False))
            for rate, label in rates.items()
        }
        known = {rate: mean for rate, mean in means.items() if not np.isnan(mean)}
        if len(rates) < 2 or not known:
            return student([np.nan]), np.nan, np.nan
        best[one] = max(known, key=known.get)
    mine, theirs = (ends.sel(arm=by_rate(data, one)[best[one]]).values for one in (rule, baseline))
    return student(theirs - mine), best[rule], best[baseline]


def beyond_edge(data, arm):
    """Return the share of the observed steps at which an eigenvalue is above 2/γ, an Interval."""
    _known(data, arm)
    part = data.sel(arm=arm)
    above = (part["chaotic"] > part["negative"]).where(part["negative"].notnull())
    return student(above.mean("step").values)


def pace_after(data, arm, baseline="none"):
    """Return how much of the baseline's fall in test loss from an arm's onset to the end the arm
    has, an Interval: 1 for all, 0 for none.
    """
    _known(data, arm, baseline)
    before = data["step"] <= arms(data)[arm].onset
    at = data["test_loss"].where(before, drop=True).isel(step=-1)
    fall = at - final(data, "test_loss")
    mine, whole = fall.sel(arm=arm).values, fall.sel(arm=baseline).values
    with np.errstate(divide="ignore", invalid="ignore"):
        return student(np.where(whole == 0, np.nan, mine / whole))


def rates(data, rules=("none", "negative", "positive")):
    """Return the final test accuracy of each rule at every learning rate, rule → (γ (k,), list of k
    Intervals); rules without an arm are left out.
    """
    found, ends = {}, final(data)
    for rule in (rule for rule in rules if rule in data["arm"]):
        known = by_rate(data, rule)
        intervals = [student(ends.sel(arm=label).values) for label in known.values()]
        found[rule] = np.array(list(known)), intervals
    return found


def summary(data):
    """Return what arms end with, a :class:`pandas.DataFrame` indexed by arm, intervals over
    networks in words; differences are from the arm ``none``, where it is there.
    """
    ends = {what: final(data, what) for what in ("test_accuracy", "test_loss", "loss")}
    rows = {}
    for arm in data["arm"].values.tolist():
        row = {
            "networks": int(data["present"].sel(arm=arm).sum()),
            "diverged": int((data["diverged_at"].sel(arm=arm) >= 0).sum()),
        }
        for what, values in ends.items():
            row[what.replace("_", " ")] = _words(student(values.sel(arm=arm).values))
        if "none" in data["arm"]:
            row["accuracy, less than none"] = "" if arm == "none" else _words(lost(data, arm))
        kept = data["kept"].sel(arm=arm).mean("step").mean("seed")
        rows[arm] = row | {"kept length": float(kept)}
    return pd.DataFrame.from_dict(rows, orient="index")


def _words(interval):
    """Return estimate and bounds as text; without bounds where they are not known."""
    middle, low, high = (f"{value:.3f}" for value in interval)
    return middle if np.isnan(interval.low) else f"{middle} ({low} to {high})"


def _known(data, *wanted):
    for arm in wanted:
        if arm not in data["arm"]:
            there = ", ".join(map(str, data["arm"].values))
            raise ValueError(f"no arm {arm!r} among {there}: run or publish it first")
