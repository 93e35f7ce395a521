"""H's claims on pruned descent, each with what the arms say of it: rows for a scorecard."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from . import measures


@dataclass(frozen=True)
class Row:
    """What :meth:`netdyn_lib.results.claims.Scorecard.measure` takes.

    It is called as ``card.measure(row.id, *row.interval, saw=row.saw, untested=row.untested,
    source=row.data)``.

    ``data`` are the arms that it was looked for in, None where there are none.
    """

    id: str
    measured: float
    low: float | None
    high: float | None
    saw: str
    untested: str
    data: xr.Dataset | None = None

    @property
    def interval(self):
        """Estimate and bounds; bounds are NaN where networks are too few, None where there are
        none.
        """
        return self.measured, self.low, self.high


def _pairs(better, worse):
    return lambda data: measures.lost(data, worse, better)


# Claim → the arms that it needs, and its quantity.
_OF_SETS = {
    "H-negative-always": (("none",), measures.ever_negative),
    "H-no-edge": (("none",), measures.beyond_edge),
    "H-counts-negative": (("none",), lambda data: measures.trend(data, "negative")),
    "H-counts-positive": (("none",), lambda data: measures.trend(data, "positive")),
    "H-overlap": (("none",), measures.overlap_lead),
    "H-negative-hurts": (("none", "negative"), _pairs("none", "negative")),
    "H-negative-loss": (
        ("none", "negative"),
        lambda data: measures.lost(data, "none", "negative", "loss"),
    ),
    "H-positive-mild": (("none", "positive", "negative"), measures.share_of_damage),
    "H-direction": (("random-same", "negative"), _pairs("random-same", "negative")),
    "H-not-length": (("none", "negative-norm"), _pairs("none", "negative-norm")),
    "H-positive-less": (
        ("positive", "random-same-positive"),
        _pairs("positive", "random-same-positive"),
    ),
}
_STEPS = (2000, 5000, 10_000)  # H's onsets
_COUNTED = ("H-negative-always", "H-no-edge", "H-counts-negative", "H-counts-positive", "H-overlap")


def rows(data, sigmoid=None):
    """A :class:`Row` for each of H's claims on sets, controls, learning rates and onsets.

    Parameters
    ----------
    data : xarray.Dataset
        Arms of H's network, as from :func:`netdyn_lib.experiments.campaign.load`.
    sigmoid : xarray.Dataset, optional
        Arms of that with sigmoid units, for the onsets.

    A claim whose arms are not there has a ``measured`` of NaN, and says in ``untested`` which are
    missing.
    """
    found = []
    for id, (arms, quantity) in _OF_SETS.items():
        seen = (
            _counted(data)
            if id in _COUNTED
            else lambda arms=arms: measures.saw(data, dict.fromkeys(("none", *arms)))
        )
        found.append(_row(id, data, arms, quantity, seen))
    found.append(_row("H-inevitable", data, _rated(data), _best, lambda: _rates(data)))
    onsets = (
        []
        if sigmoid is None
        else [arm for arm in sigmoid["arm"].values.tolist() if arm.startswith("chaotic-from-")]
    )
    needed = ("none", *(onsets or ["chaotic-from-2000"]))
    found.append(
        _row(
            "H-onset",
            sigmoid,
            needed,
            lambda data: _slowest(data, onsets),
            lambda: _onsets(sigmoid, onsets),
        )
    )
    return found


def _row(id, data, arms, quantity, seen):
    there = [] if data is None else data["arm"].values.tolist()
    missing = [arm for arm in arms if arm not in there]
    if missing:
        return Row(
            id,
            np.nan,
            None,
            None,
            "",
            f"Arms neither published nor computed here: {', '.join(missing)}.",
            data,
        )
    value = quantity(data)
    if np.isnan(value.estimate):
        return Row(
            id,
            np.nan,
            None,
            None,
            "",
            f"No network of the arms {', '.join(arms)} has a value: diverged, or not followed that far.",
            data,
        )
    return Row(id, *value, seen(), "", data)


def _counted(data):
    def words():
        part = data.sel(arm="none")
        names = {"negative": "negative", "positive": "positive"}
        counts = [
            f"{measures.student(part[name].mean('step').values).estimate:.0f} {word}"
            for name, word in names.items()
        ]
        shares = [
            f"{measures.student(part[f'overlap_{name}'].mean('step').values).estimate:.2f}"
            for name in names
        ]
        largest = float(part["largest"].max()) * _rate(data)
        return (
            f"On average {' and '.join(counts)} eigenvalues, with shares of {' and '.join(shares)} of the squared gradient; "
            f"the largest eigenvalue ever observed is {largest:.2g}/γ."
        )

    return words


def _rate(data):
    return {one.learning_rate for one in measures.arms(data) if one.label == "none"}.pop()


def _rated(data):
    """The arms without which nothing is said of retuning: those at H's rate, and at least one other
    of each.
    """
    others = {
        rule: [one.label for one in measures.arms(data) if one.label.startswith(f"{rule}-at-")]
        for rule in ("none", "negative")
    }
    return (
        "none",
        "negative",
        *((found or [f"{rule}-at-0.01"])[0] for rule, found in others.items()),
    )


def _best(data):
    return measures.retuned(data, "negative")[0]


def _rates(data):
    _, mine, theirs = measures.retuned(data, "negative")
    best = {
        "none": ("without pruning", theirs),
        "negative": ("with negative directions pruned", mine),
    }
    tried = {rule: list(measures.by_rate(data, rule)) for rule in best}
    told = [
        f"at {rate:g} of {', '.join(f'{one:g}' for one in tried[rule])} {words}"
        for rule, (words, rate) in best.items()
    ]
    rising = [words for rule, (words, rate) in best.items() if rate == max(tried[rule])]
    more = (
        f" The largest tried is the best {' and '.join(rising)}: a larger one may do better."
        if rising
        else ""
    )
    above = measures.beyond_edge(data, measures.by_rate(data, "negative")[mine]).estimate
    edge = (
        f" There, at {above:.1%} of the steps observed, an eigenvalue was above 2/γ, in a direction that is not pruned."
        if above
        else ""
    )
    return f"Best γ: {' and '.join(told)}.{more}{edge}{_all_chaotic(data, mine)}"


def _all_chaotic(data, rate):
    """What pruning all chaotic directions leaves at a learning rate, in words; nothing where there
    is no such arm.
    """
    label = f"chaotic-at-{rate:g}"
    if label not in data["arm"].values:
        return ""
    lost = measures.lost(data, label, measures.by_rate(data, "negative")[rate])
    if np.isnan(lost.estimate):
        return ""
    bounds = "" if np.isnan(lost.low) else f" ({lost.low:.3f} to {lost.high:.3f})"
    return f" With all chaotic directions pruned there, those above 2/γ too, networks end lower by {lost.estimate:.3f}{bounds}."


def _onsets(data, onsets):
    lacking = [f"{step:,}" for step in _STEPS if f"chaotic-from-{step}" not in onsets]
    rest = f" Not followed: pruning from step {' and '.join(lacking)} on." if lacking else ""
    return measures.saw(data, ("none", "chaotic", *onsets)) + rest


def _slowest(data, onsets):
    return max(
        (measures.pace_after(data, arm) for arm in onsets), key=lambda interval: interval.estimate
    )
