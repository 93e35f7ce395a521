"""H's claims on pruned descent as numbers, and the controls that decide what they mean; each with
an interval over networks.

Networks of different arms are compared in pairs, seed by seed: they start from the same weights and
see the same batches.  Intervals are Student's t over seeds; fewer than five known values have no
bounds.
"""

import json

import numpy as np

from ...statistics.intervals import Interval, student
from .arm import Arm

#: Share of the steps, the last ones, over which what is called final is averaged.
TAIL = 0.05


def final(data, what="test_accuracy", tail=TAIL):
    """What the networks end with, a DataArray (arm, seed): the mean over the last ``tail`` of the
    steps; NaN for those that diverged.
    """
    return (
        data[what]
        .where(data["step"] >= (1 - tail) * data["step"].max(), drop=True)
        .mean("step", skipna=False)
    )


def lost(data, arm, baseline="none", what="test_accuracy", tail=TAIL):
    """By how much ``baseline`` ends above an ``arm``, an Interval; negative where it ends below, as
    losses do.
    """
    _known(data, arm, baseline)
    ends = final(data, what, tail)
    return student(ends.sel(arm=baseline).values - ends.sel(arm=arm).values)


def share_of_damage(
    data, first="positive", second="negative", baseline="none", what="test_loss", tail=TAIL
):
    """The damage that one arm does to the final loss in units of another's, (L₁ − L₀)/(L₂ − L₀), an
    Interval: 0 for none, 1 for as much.
    """
    _known(data, first, second, baseline)
    one, two, zero = (
        final(data, what, tail).sel(arm=arm).values for arm in (first, second, baseline)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return student(np.where(two == zero, np.nan, (one - zero) / (two - zero)))


def retuned(data, rule, baseline="none", what="test_accuracy", tail=TAIL):
    """By how much the best of all learning rates of ``baseline`` ends above the best of ``rule``:
    (Interval, best γ, best γ of the baseline).

    The best is that with the greatest mean over networks that none of which diverged.  It is
    chosen on the data that it is measured on, which favours both alike.
    """
    ends, best = final(data, what, tail), {}
    for one in (rule, baseline):
        rates = by_rate(data, one)
        means = {
            rate: float(ends.sel(arm=label).mean("seed", skipna=False))
            for rate, label in rates.items()
        }
        means = {rate: mean for rate, mean in means.items() if not np.isnan(mean)}
        if not means:
            return Interval(np.nan, np.nan, np.nan, 0.95), np.nan, np.nan
        best[one] = max(means, key=means.get)
    mine, theirs = (ends.sel(arm=by_rate(data, one)[best[one]]).values for one in (rule, baseline))
    return student(theirs - mine), best[rule], best[baseline]


def arms(data):
    """The :class:`~netdyn_lib.experiments.pruning_ablation.arm.Arm` of each arm of a dataset, in
    order.
    """
    return [Arm(**one) for one in json.loads(data.attrs["arms"])]


def by_rate(data, rule):
    """γ → label of the arms of a rule at all its learning rates, ascending; those that differ in
    nothing else from the arm ``rule``.

    Raises ValueError where there is no such arm.
    """
    _known(data, rule)
    found = {
        one["name"].removeprefix(f"{one['task']}/"): one for one in json.loads(data.attrs["arms"])
    }
    same = [
        {k: v for k, v in one.items() if k not in ("name", "learning_rate", "networks")}
        for one in (found[rule], *found.values())
    ]
    alike = [label for label, one in zip(found, same[1:]) if one == same[0]]
    return dict(sorted((found[label]["learning_rate"], label) for label in alike))


def beyond_edge(data, arm="none"):
    """Share of the observed steps at which an eigenvalue is above 2/γ, an Interval."""
    return _over_time(data, arm, lambda part: part["chaotic"] > part["negative"])


def ever_negative(data, arm="none"):
    """Share of the observed steps at which some eigenvalue is negative, an Interval."""
    return _over_time(data, arm, lambda part: part["negative"] > 0)


def overlap_lead(data, arm="none"):
    """By how much the gradient lies more along positive directions than along negative ones, of
    |g|², on average over training; an Interval.
    """
    return _over_time(data, arm, lambda part: part["overlap_positive"] - part["overlap_negative"])


def trend(data, what, arm="none", part=0.25):
    """Change of a count from the first to the last ``part`` of training, in units of the first, an
    Interval.
    """
    _known(data, arm)
    values, share = data[what].sel(arm=arm), data["step"] / data["step"].max()
    early, late = (
        values.where(chosen, drop=True).mean("step")
        for chosen in (share <= part, share >= 1 - part)
    )
    return student((late / early - 1).values)


def pace_after(data, arm, baseline="none", what="test_loss", tail=TAIL):
    """How much of the baseline's fall in loss from an arm's onset to the end the arm has, an
    Interval: 1 for all, 0 for none.
    """
    _known(data, arm, baseline)
    onset = next(
        one["onset"]
        for one in json.loads(data.attrs["arms"])
        if one["name"].removeprefix(f"{one['task']}/") == arm
    )
    at = data[what].where(data["step"] <= onset, drop=True).isel(step=-1)
    fall = (at - final(data, what, tail)).sel(arm=[arm, baseline]).transpose("arm", "seed").values
    with np.errstate(divide="ignore", invalid="ignore"):
        return student(np.where(fall[1] == 0, np.nan, fall[0] / fall[1]))


def saw(data, arms, what="test_accuracy", tail=TAIL):
    """What arms end with, in words; those that are not there are left out."""
    ends = final(data, what, tail).mean("seed")
    found = [f"{arm} {float(ends.sel(arm=arm)):.3f}" for arm in arms if arm in data["arm"].values]
    return f"Final {what.replace('_', ' ')}: {', '.join(found)}."


def _over_time(data, arm, statistic):
    _known(data, arm)
    part = data.sel(arm=arm)
    known = part["negative"].notnull()
    return student(statistic(part).where(known).mean("step").values)


def _known(data, *arms):
    for arm in arms:
        if arm not in data["arm"].values:
            raise ValueError(
                f"no arm {arm!r} among {', '.join(map(str, data['arm'].values))}: run or publish it first"
            )
