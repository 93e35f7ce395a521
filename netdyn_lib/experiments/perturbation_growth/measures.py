"""H's claims on twins as numbers, each with an interval over networks; Student's t, as
:mod:`netdyn_lib.experiments.pruning_ablation.measures`.

``data`` are those of
:func:`netdyn_lib.experiments.perturbation_growth.experiment.along_strategies`, ``sizes`` those of
:func:`~netdyn_lib.experiments.perturbation_growth.experiment.over_sizes`.  Directions of one network are no independent samples: they are averaged
before an interval is taken.
"""

from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import optimize, stats

from ...statistics.growth_laws import LAWS, compare
from ...statistics.intervals import Interval, student
from ..pruning_ablation.measures import TAIL
from .bounds import Extremes, share_within
from .experiment import EXPECTED

_ROUNDING = 1e-6  # of ln(d/ε): what single precision leaves unknown of it, and of the bounds
_LEAST = 12  # observations, for laws to be told apart
_SMALL = (1e-8, 1e-2)  # perturbations that H says behave at random

#: H's law of the distance and its special cases.
FAMILY = ("drift and walk", *LAWS["drift and walk"].contains)


def within(data):
    """Share of the marks 0 < t ≤ horizon, and of directions, at which ε e^{λ_N t} ≤ d ≤ ε e^{λ_1 t}
    (H, eq. 5), an Interval.
    """
    return _obeyed(data, True, True)


def upper_within(data):
    """As :func:`within`, of d ≤ ε e^{λ_1 t} alone."""
    return _obeyed(data, False, True)


def lower_within(data):
    """As :func:`within`, of ε e^{λ_N t} ≤ d alone."""
    return _obeyed(data, True, False)


def late_growth(data):
    """Whether twins keep parting: growth over the last quarter of the steps, in units of a straight
    line's, an Interval.

    (d(T) − d(¾T))/¼ over (d(¾T) − d(0))/¾, d the mean over directions: 1 where d keeps the pace
    that it had on average before, 0 where it has saturated.  Directions whose twins overflow are
    left out; NaN where d had not grown.
    """
    steps = data["step"].values
    place = int(np.abs(steps - 0.75 * steps[-1]).argmin())
    d = data["distance"].isel(step=[0, place, -1]).values  # (network, direction, 3)
    # what overflowed adds nothing to any of the three
    d = np.where(np.isfinite(d).all(2, keepdims=True), d, 0)
    first, middle, last = np.moveaxis(d.sum(1), 1, 0)
    expected = (middle - first) * (steps[-1] - steps[place]) / (steps[place] - steps[0])
    return student(_ratio(last - middle, np.where(expected > 0, expected, 0)))


def largest(data):
    """The largest distance of any twin, in units of the root mean square distance of two
    independent networks, an Interval.

    Infinite or NaN distances are left out.  Raises ValueError where the latter is not known.
    """
    if data.attrs["independent"] is None:
        cause = (
            "its weights are not drawn uniformly, so how far apart two networks are is not known"
        )
        raise ValueError(f"task {data.attrs['task']!r}: {cause}")
    return student(
        _finite(data["distance"]).max(["direction", "step"]).values / data.attrs["independent"]
    )


def ordered(data):
    """Kendall's τ between H's expected order of directions and the distances at the end, an
    Interval: 1 for the same, −1 reversed.
    """
    ends = data["distance"].isel(step=-1).sel(direction=list(EXPECTED)).values
    order = -np.arange(len(EXPECTED))
    return student([stats.kendalltau(order, row).statistic for row in ends])


def laws(data):
    """Which law each curve of distances follows, by
    :func:`netdyn_lib.experiments.perturbation_growth.compare`.

    Returns
    -------
    pandas.DataFrame
        Indexed by network and direction: ``least AICc``, the best law by it; ``standing``, those
        not told from it; ``held out``, the best on the last third of the time; ``winner``, where
        one wins by both; ``R²``, of H's fit, :func:`least_squares`. Empty, and NaN, of a twin that
        overflowed.
    """
    rows = {}
    for network, direction, found in compared(data):
        if found is None:
            row = ("", "", "", "", np.nan)
        else:
            best, ahead = (
                min(found.fits, key=lambda law: getattr(found.fits[law], what))
                for what in ("aicc", "held_out")
            )
            curve = data["distance"].sel(network=network, direction=direction)
            explained = least_squares(curve["step"].values, curve.values, data.attrs["epsilon"])[1]
            row = best, ", ".join(found.standing), ahead, found.winner or "undecided", explained
        rows[network, direction] = row
    table = pd.DataFrame.from_dict(
        rows, orient="index", columns=["least AICc", "standing", "held out", "winner", "R²"]
    )
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["network", "direction"])
    return table


def share_of(data, laws=FAMILY):
    """Share of the curves for which one of some laws stands, alone or with others, an Interval;
    twins that overflowed are left out.

    By default H's law and its special cases: it does not stand itself where one of these does as
    well (:func:`netdyn_lib.experiments.perturbation_growth.compare`).
    """
    return _standing(data, laws)


def early_exponential(data):
    """Share of the curves for which the exponential stands over 0 < t ≤ horizon, an Interval; NaN
    for fewer than 12 observations.
    """
    early = data.sel(step=data["step"] <= data.attrs["horizon"])
    if int((early["step"] > 0).sum()) < _LEAST:
        return student([np.nan])
    return _standing(early, ("exponential",))


def least_squares(times, distance, epsilon):
    """H's own fit: d = √(ε² + α t² + β t) by least squares of d, α, β ≥ 0.  Returns (d̂ (T,), R²).

    It weighs late times most and takes errors for independent, so R² is no reason to believe it;
    :func:`laws` compares.
    """
    times, distance = np.asarray(times, dtype=float), np.asarray(distance, dtype=float)
    last, size = times.max(), max(distance.max() ** 2 - epsilon**2, 1e-6 * distance.max() ** 2)

    def curve(p):
        return LAWS["drift and walk"].function(
            times, epsilon, p[0] * size / last**2, p[1] * size / last
        )

    found = optimize.least_squares(
        lambda p: (curve(p) - distance) / distance.max(), [0.5, 0.5], bounds=(0, np.inf)
    )
    known = curve(found.x)
    with np.errstate(divide="ignore", invalid="ignore"):
        return known, float(
            1 - np.sum((distance - known) ** 2) / np.sum((distance - distance.mean()) ** 2)
        )


def compared(data):
    """(network, direction, :class:`~netdyn_lib.experiments.perturbation_growth.Comparison`) of
    every curve; None in its place for one that is not finite, or zero.

    Raises ValueError for fewer than 12 observations after step 0.
    """
    times = tuple(data["step"].values.tolist())
    for curve in data["distance"].stack(curve=("network", "direction")).transpose("curve", "step"):
        values = curve.values
        good = bool((np.isfinite(values) & (values > 0)).all())
        network, direction = curve["curve"].item()
        yield (
            int(network),
            str(direction),
            _compared(times, tuple(values.tolist()), data.attrs["epsilon"]) if good else None,
        )


def harm(sizes, epsilon, tail=TAIL):
    """By how much the reference ends above its twin at ε, in test accuracy over the last ``tail``
    of the steps, an Interval.

    Raises ValueError for an ε that is not there.
    """
    known = sizes["epsilon"].values
    at = np.flatnonzero(np.isclose(known, epsilon, rtol=1e-9, atol=0))
    if not len(at):
        raise ValueError(
            f"no twins at epsilon = {epsilon:g}; there are some at {', '.join(f'{e:g}' for e in known)}"
        )
    twin = ends(sizes["test_accuracy"].isel(epsilon=int(at[0])), tail)
    return student((ends(sizes["reference_accuracy"], tail) - twin).values)


def linear_range(sizes, reference=1e-6):
    """Down to which ε, and up to which, twins behave alike.

    d(t)/ε is the same for all ε where the map between twins is linear, whatever it is.  Its
    relative difference from that of the ε nearest to ``reference`` is taken at every t > 0, and of
    these the median.  A twin that meets a kink of ReLU jumps by a length that ε does not decide:
    one such jump of the reference sets all others apart from it.  See the curves.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``epsilon``: ``departure``, the mean over networks, and the ends ``low`` and
        ``high`` of its interval.  0 at the ε that others are compared with, which is in
        ``attrs["reference"]``.
    """
    shape = sizes["distance"] / sizes["epsilon"]
    known = sizes["epsilon"].values
    reference = float(known[np.argmin(np.abs(np.log(known / reference)))])
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(shape / shape.sel(epsilon=reference) - 1)
    middle = apart.sel(step=apart["step"] > 0).median("step", skipna=False)
    rows = {float(e): tuple(student(middle.sel(epsilon=e).values)) for e in known}
    table = pd.DataFrame.from_dict(
        rows, orient="index", columns=["departure", "low", "high"]
    ).rename_axis("epsilon")
    table.attrs["reference"] = reference
    return table


def departures(by_name, reference):
    """:func:`linear_range` of several runs side by side, name → sizes: a DataFrame of departures,
    indexed by ``epsilon``.
    """
    return pd.DataFrame(
        {name: linear_range(sizes, reference)["departure"] for name, sizes in by_name.items()}
    )


def departure(sizes, reference):
    """The largest departure of a perturbation from 1e-8 to 1e-2 from the one of length
    ``reference``, an Interval; see :func:`linear_range`.
    """
    table = linear_range(sizes, reference)
    known = table[(table.index >= _SMALL[0] * (1 - 1e-9)) & (table.index <= _SMALL[1] * (1 + 1e-9))]
    worst = known["departure"].idxmax()
    return Interval(*map(float, table.loc[worst, ["departure", "low", "high"]]))


def saw(data):
    """How far twins are apart at the end by direction, and what curves they follow, in words."""
    last = _finite(data["distance"].isel(step=-1)).mean("network")
    far = ", ".join(
        f"{direction} {float(last.sel(direction=direction)):.2f}" for direction in EXPECTED
    )
    standing = [
        law for _, _, found in compared(data) if found is not None for law in found.standing
    ]
    laws = ", ".join(f"{law} {standing.count(law)}" for law in LAWS if law in standing)
    high, low = (share(data).estimate for share in (upper_within, lower_within))
    return (
        f"Distance at the end: {far}. Laws that stand, by number of curves: {laws or 'none'}. "
        f"The upper bound holds at {high:.0%} of the observed times, the lower at {low:.0%}."
    )


def saw_sizes(sizes, least=1.0):
    """What perturbations of length ``least`` and more cost in test accuracy at the end, in words."""
    costs = [
        f"{harm(sizes, e).estimate:.3f} at {e:g}"
        for e in sizes["epsilon"].values.tolist()
        if e >= least
    ]
    return f"Accuracy lost at the end: {', '.join(costs)}."


def ends(values, tail=TAIL):
    """The mean over the last ``tail`` of the steps, a DataArray without ``step``."""
    return values.where(values["step"] >= (1 - tail) * values["step"].max(), drop=True).mean(
        "step", skipna=False
    )


def _obeyed(data, lower, upper):
    marks, shares = data["mark"].values, []
    for network in data["network"].values:
        one = data.sel(network=network)
        high = one["log_top"].values if upper else np.full(len(marks), np.inf)
        low = one["log_bottom"].values if lower else np.full(len(marks), -np.inf)
        distance = one["distance"].sel(step=marks).transpose("step", "direction").values
        shares.append(
            share_within(
                distance, data.attrs["epsilon"], Extremes(marks, high, low), _ROUNDING
            ).mean()
        )
    return student(shares)


def _standing(data, laws):
    shares = {}
    for network, _, found in compared(data):
        shares.setdefault(network, []).extend(
            [] if found is None else [not set(laws).isdisjoint(found.standing)]
        )
    return student([np.mean(some) if some else np.nan for some in shares.values()])


@lru_cache(1024)  # a second of work, wanted by several tables and figures
def _compared(times, distance, epsilon):
    return compare(times, distance, epsilon)


def _finite(values):
    return values.where(np.isfinite(values))


def _ratio(above, below):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below == 0, np.nan, above / below)
