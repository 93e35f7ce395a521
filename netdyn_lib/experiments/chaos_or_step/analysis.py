"""What the arms say: paired differences of the epochs to a target, and what decides."""

import numpy as np

from ...statistics.intervals import (
    Interval,
    bootstrap_interval,
    percentile_interval,
    share_interval,
)

#: The ratio of mean epochs that counts as slower, and its inverse as faster.
SLOWER = 1.1
#: The share of the exponent of gradient descent that a control may keep.
KEPT = 0.5
_RESAMPLES = 4000


def spent(data, arm, cap=None, sustained=False):
    """Return min(τ, cap) of an arm, (rate, network), the cap that of its record by default.

    NaN at learning rates at which the arm is not followed, and for networks of the flow that left
    its domain before they arrived.
    """
    chosen = data.sel(arm=arm)
    cap = record(data, arm) if cap is None else cap
    times = chosen["sustained" if sustained else "first"]
    found = times.fillna(cap).clip(max=cap).where(chosen["test_accuracy"].notnull().any("epoch"))
    if arm == "flow":
        left = chosen["loss"].sel(epoch=slice(0, cap)).isnull().any("epoch")
        found = found.where(~left | times.notnull())
    return found.transpose("rate", "network").values


def late(data, arm):
    """Return the share of networks that do not arrive within the record of an arm at each rate, an
    Interval each.
    """
    cap = record(data, arm)
    rows = [row[np.isfinite(row)] for row in spent(data, arm)]
    none = Interval(np.nan, np.nan, np.nan)
    return [share_interval(row >= cap) if len(row) else none for row in rows]


def record(data, arm):
    """Return the last epoch to which an arm is followed."""
    known = data["test_accuracy"].sel(arm=arm).notnull().any(["rate", "network"])
    return int(data["epoch"].values[known.values].max())


def means(data, arm, cap=None, sustained=False):
    """Return the mean of min(τ, cap) at each rate, an Interval each, NaN where too few are
    defined.
    """
    return averages(spent(data, arm, cap, sustained))


def averages(rows):
    """Return the mean of each of several rows over networks, an Interval each; NaN is left out,
    and is the mean where fewer than two are left.
    """
    return [_mean(row) for row in rows]


def _mean(values):
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return Interval(np.nan, np.nan, np.nan, count=len(values))
    return bootstrap_interval(values, seed=0)


def differences(data, arm, beside="descent", sustained=False):
    """Return the mean of min(τ, cap) of an arm less that of another at each rate, paired by
    network: an Interval each, in epochs, at the shorter of both records.
    """
    cap = min(record(data, arm), record(data, beside))
    pairs = (spent(data, name, cap, sustained) for name in (arm, beside))
    return averages(mine - other for mine, other in zip(*pairs))


def ratios(data, arm, beside="descent", sustained=False):
    """Return the ratio of both means of min(τ, cap) at each rate, with a bootstrap interval over
    pairs.
    """
    cap = min(record(data, arm), record(data, beside))
    pairs = zip(*(spent(data, name, cap, sustained) for name in (arm, beside)))
    return [_ratio(mine, other) for mine, other in pairs]


def _ratio(mine, other):
    both = np.isfinite(mine) & np.isfinite(other)
    mine, other = mine[both], np.maximum(other[both], 1e-300)
    count = len(mine)
    if count < 2:
        return Interval(np.nan, np.nan, np.nan, count=count)
    drawn = np.random.default_rng(0).integers(count, size=(_RESAMPLES, count))
    found = mine[drawn].mean(1) / other[drawn].mean(1)
    return percentile_interval(mine.mean() / other.mean(), found, count=count)


def fastest(data, arm="descent"):
    """Return the number of the rate at which the mean of min(τ, cap) of an arm is least."""
    return int(np.nanargmin(np.nanmean(spent(data, arm), axis=1)))


def exponents(data, arm, span=50):
    """Return finite-time exponents per epoch over the first ``span`` epochs, (rate, network)."""
    grown = data["growth"].sel(arm=arm, span=span).transpose("rate", "network").values
    return grown / span


def kept(data, arm, rate, span=50):
    """Return the share of the mean exponent of gradient descent that an arm keeps at the rate of
    that number, an Interval over pairs.
    """
    mine, other = (exponents(data, name, span)[rate] for name in (arm, "descent"))
    both = np.isfinite(mine) & np.isfinite(other)
    drawn = np.random.default_rng(0).integers(both.sum(), size=(_RESAMPLES, both.sum()))
    found = mine[both][drawn].mean(1) / other[both][drawn].mean(1)
    return percentile_interval(mine[both].mean() / other[both].mean(), found, count=int(both.sum()))


def decision(data, rate, control="neutral"):
    """Return what the protocol says at the rate of that number: ``"chaos helps"``, ``"only the step
    helps"`` or ``"undecided"``, and why.
    """
    ratio, other = ratios(data, control)[rate], differences(data, control)[rate]
    share, small = kept(data, control, rate), ratios(data, "small")[rate]
    flow = Interval(np.nan, np.nan, np.nan, count=0)
    if "flow" in data["arm"].values:
        flow = ratios(data, "flow")[rate]
    told = f"{control}/descent {ratio}, exponent kept {share}, small/descent {small}"
    told += f", flow/descent {flow} (n = {flow.count})" if flow.count else ""
    if share.estimate > KEPT:
        return "undecided", f"{told}: {control} keeps the exponent and is no control"
    if ratio.estimate > SLOWER and other.low > 0 and not flow.estimate <= SLOWER:
        return "chaos helps", told
    if ratio.high < SLOWER and small.estimate > SLOWER:
        return "only the step helps", told
    return "undecided", told


def departures(data):
    """Return, of networks whose flow starts at the initial condition, when it leaves the orbit and
    when a small perturbation has grown tenfold: epochs (rate, network) each, infinite for never
    within the flow's record, NaN for the other networks.
    """
    end = record(data, "flow")
    leaves = data["leaves"].sel(arm="flow").transpose("rate", "network").values
    grows = data["tenfold"].sel(arm="descent").transpose("rate", "network").values
    known = data["start_moved"].sel(arm="flow").transpose("rate", "network").values == 0
    return tuple(
        np.where(known, np.where(np.isnan(t) | (t > end), np.inf, t), np.nan)
        for t in (leaves, grows)
    )
