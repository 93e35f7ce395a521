"""What the distances of perturbed copies say of bounds, laws and sizes, with intervals over
networks (Student's t).

``data`` are those of
:func:`netdyn_lib.experiments.perturbation_growth.experiment.along_strategies`, ``sizes`` those of
:func:`~netdyn_lib.experiments.perturbation_growth.experiment.over_sizes`.  Directions of one
network are no independent samples: they are averaged before an interval is taken.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

from ...statistics.growth_laws import LAWS, compare, least_squares
from ...statistics.intervals import student
from ..pruning_ablation.analysis import TAIL

_ROUNDING = 1e-6  # of ln(d/ε): what single precision leaves unknown of it, and of the bounds
_LEAST = 12  # observations, for laws to be told apart

#: The law of the distance of Herrmann 2022, and its special cases.
FAMILY = ("drift and walk", *LAWS["drift and walk"].contains)


def within(data, lower=True, upper=True):
    """Return the share of the marks 0 < t ≤ horizon, and of directions, at which ε e^{λ_N t} ≤ d ≤
    ε e^{λ_1 t} (Herrmann 2022, eq. 5), or at which one of the two holds, an Interval.
    """
    distance = data["distance"].sel(step=data["mark"].values).rename(step="mark")
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = np.log(distance / data.attrs["epsilon"])
    high = data["log_top"] + _ROUNDING if upper else np.inf
    low = data["log_bottom"] - _ROUNDING if lower else -np.inf
    return student(((grown >= low) & (grown <= high)).mean(["mark", "direction"]).values)


def compared(data):
    """Yield (network, direction, :class:`~netdyn_lib.statistics.growth_laws.Comparison`) of every
    curve; None in its place for one that is not finite, or zero.

    Raises ValueError for fewer than 12 observations after step 0.
    """
    times = tuple(data["step"].values.tolist())
    for network, curves in zip(data["network"].values, data["distance"].values):
        for direction, curve in zip(data["direction"].values, curves):
            good = bool((np.isfinite(curve) & (curve > 0)).all())
            found = _compared(times, tuple(curve.tolist()), data.attrs["epsilon"]) if good else None
            yield int(network), str(direction), found


@lru_cache(1024)  # a second of work, wanted by several tables and figures
def _compared(times, distance, epsilon):
    return compare(times, distance, epsilon)


def laws(data):
    """Return which law each curve of distances follows.

    Returns
    -------
    pandas.DataFrame
        Indexed by network and direction: ``least AICc``, the best law by it; ``standing``, those
        not told from it; ``held out``, the best on the last third of the time; ``winner``, where
        one wins by both; ``R²``, of
        :func:`~netdyn_lib.statistics.growth_laws.least_squares`. Empty, and NaN, of a copy that
        overflowed.
    """
    rows = {}
    for network, direction, found in compared(data):
        row = ("", "", "", "", np.nan)
        if found is not None:
            fits, curve = found.fits, data["distance"].sel(network=network, direction=direction)
            best = min(fits, key=lambda law: fits[law].aicc)
            ahead = min(fits, key=lambda law: fits[law].held_out)
            explained = least_squares(curve["step"].values, curve.values, data.attrs["epsilon"])[1]
            row = best, ", ".join(found.standing), ahead, found.winner or "undecided", explained
        rows[network, direction] = row
    columns = ["least AICc", "standing", "held out", "winner", "R²"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["network", "direction"])
    return table


def share_of(data, laws=FAMILY):
    """Return the share of the curves for which one of some laws stands, by itself or with others,
    an Interval; copies that overflowed are left out.

    By default the law of Herrmann 2022 and its special cases: it does not stand itself where one of
    these does as well (:func:`netdyn_lib.statistics.growth_laws.compare`).
    """
    stands = pd.Series(
        {
            (network, direction): not set(laws).isdisjoint(found.standing)
            for network, direction, found in compared(data)
            if found is not None
        },
        dtype=float,
    )
    return student(stands.groupby(level=0).mean().values if len(stands) else [np.nan])


def early_exponential(data):
    """Return the share of the curves for which the exponential stands over 0 < t ≤ horizon, an
    Interval; NaN for fewer than 12 observations.
    """
    early = data.sel(step=data["step"] <= data.attrs["horizon"])
    if int((early["step"] > 0).sum()) < _LEAST:
        return student([np.nan])
    return share_of(early, ("exponential",))


def ends(values):
    """Return the mean over the last ``TAIL`` of the steps, a DataArray without ``step``."""
    late = values["step"] >= (1 - TAIL) * values["step"].max()
    return values.where(late, drop=True).mean("step", skipna=False)


def harm(sizes, epsilon):
    """Return by how much the reference ends above its copy at ε, in test accuracy, an Interval.

    Raises ValueError for an ε that is not there.
    """
    known = sizes["epsilon"].values
    at = np.flatnonzero(np.isclose(known, epsilon, rtol=1e-9, atol=0))
    if not len(at):
        there = ", ".join(f"{e:g}" for e in known)
        raise ValueError(f"no copies at epsilon = {epsilon:g}; there are some at {there}")
    copy = ends(sizes["test_accuracy"].isel(epsilon=int(at[0])))
    return student((ends(sizes["reference_accuracy"]) - copy).values)


def linear_range(sizes, reference):
    """Return down to which ε, and up to which, perturbed copies behave alike.

    d(t)/ε is the same for all ε where the map between copies is linear, whatever it is.  Its
    relative difference from that of the ε nearest to ``reference`` is taken at every t > 0, and of
    these the median.  A copy that meets a kink of ReLU jumps by a length that ε does not decide:
    one such jump of the reference sets all others apart from it.  See the curves.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``epsilon``: ``departure``, the mean over networks, and the ends ``low`` and
        ``high`` of its interval.  0 at the ε that others are compared with.
    """
    shape = sizes["distance"] / sizes["epsilon"]
    nearest = int(np.abs(np.log(sizes["epsilon"] / reference)).argmin("epsilon"))
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(shape / shape.isel(epsilon=nearest, drop=True) - 1)
    middle = apart.sel(step=apart["step"] > 0).median("step", skipna=False)
    rows = [tuple(student(values)) for values in middle.transpose("epsilon", "network").values]
    index = pd.Index(sizes["epsilon"].values, name="epsilon")
    return pd.DataFrame(rows, index, ["departure", "low", "high"])
