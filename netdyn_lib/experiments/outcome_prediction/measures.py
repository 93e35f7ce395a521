"""What marks failed runs: growth, loss of stability, tangencies; each with a bootstrap interval
over networks.
"""

import json

import numpy as np

from ...statistics.intervals import Interval, clustered_interval, percentile_interval
from . import predicting
from .nearest import at, place

#: The pairs in which S sees tangencies with both activations.
PAIRS = ("(1,2)", "(1,3)", "(2,3)", "(3,4)", "(4,5)", "(5,6)")
_SAME = ("task", "seed", "learning_rate")  # what makes network k the same network in two campaigns


def score(table, outcome, predictor, time):
    """The area under the curve of a predictor at a time, an Interval."""
    found = at(table, time)["auc"].sel(outcome=outcome, predictor=predictor).values
    return Interval(*map(float, found), 0.95)


def lead(table, outcome, predictor, time, baseline="loss"):
    """By how much a predictor's area exceeds that of a baseline at a time, an Interval, paired over
    the test networks.

    The classifiers and the split into halves are as they were: the interval is of other test
    networks alone.
    """
    found = (
        at(table, time)["difference"]
        .sel(outcome=outcome, predictor=predictor, baseline=baseline)
        .values
    )
    return Interval(*map(float, found), 0.95)


def worst(tables, outcome, predictors, time):
    """The least of the areas of some predictors over all ensembles, an Interval; those that are not
    known are left out.
    """
    found = [score(t, outcome, p, time) for t in tables.values() for p in predictors]
    return min(found, key=lambda i: np.inf if np.isnan(i.estimate) else i.estimate)


def positive(data, time, resamples=1000, seed=0):
    """Share with a positive largest exponent, by singular values, over [0, t] among failed runs,
    less that among ideal ones: from −1 to 1.

    Runs that have diverged by t have no exponent, and are left out.
    """
    first = at(data, time)["singular"].values[:, :1]  # (n, 1)
    return _apart(
        data,
        first,
        lambda failed, ideal: float((failed > 0).mean() - (ideal > 0).mean()),
        resamples,
        seed,
    )


def less_stable(data, time, resamples=300, seed=0):
    """Share of the P exponents over [0, t] whose median is larger in failed runs than in ideal
    ones: 1 is loss of all stability.

    Runs that have diverged by t have no exponents, and are left out.
    """
    exponents = at(data, time)["exponents"].values
    return _apart(
        data,
        exponents,
        lambda failed, ideal: _share(medians(failed) - medians(ideal)),
        resamples,
        seed,
    )


def nearer_tangency(data, time, pairs=PAIRS, below=10.0, resamples=1000, seed=0):
    """Share of the pairs of far-future covariant vectors that have *tangencies* in failed runs more
    often than in ideal ones.

    A pair counts where its :func:`tangency` is certainly positive: its 95% interval lies above
    zero.  By chance one pair in forty does.  The interval of the share is from the pairs that are
    certain to the pairs that are possible, by intervals at the level 1 − 0.05/k for each of k
    pairs.  All k hold what they are of at once in at least 95% of cases (Bonferroni), however pairs
    depend on each other, and then the share of pairs in which failed runs truly have more lies
    between. Pairs with fewer than 10 determined angles in a class are left out; NaN where none is
    left.
    """
    found = [
        i
        for i in tangency(data, time, pairs, below, (0.95, 1 - 0.05 / len(pairs)), resamples, seed)
        if i is not None
    ]
    if not found:
        return Interval(np.nan, np.nan, np.nan, 0.95)
    shares = [
        np.mean(flags)
        for flags in zip(*((i.low > 0, wide.low > 0, wide.high > 0) for i, wide in found))
    ]
    return Interval(*map(float, shares), 0.95)


def tangency(data, time, pairs=PAIRS, below=10.0, levels=(0.95,), resamples=1000, seed=0):
    """The share of angles below ``below`` degrees at t in failed runs less that in ideal ones, from
    −1 to 1, for each pair of far-future vectors.

    Of angles that :func:`determined` finds determined; every resample draws networks of each class,
    each with all its angles.

    Returns
    -------
    list
        For each pair a tuple of Intervals, one for each of the ``levels``, or None where a class
        has fewer than 10 such angles.
    """
    values, found, rng = (
        determined(data, time, pairs),
        predicting.outcomes(data),
        np.random.default_rng(seed),
    )
    shares, draws, enough = [], [], np.ones(len(pairs), dtype=bool)
    for rows in (found.failed, found.ideal):
        chosen = values[rows & ~np.isnan(values).all(1)]  # (n, k)
        if not len(chosen):
            return [None] * len(pairs)
        known = ~np.isnan(chosen)
        small = known & (np.degrees(np.where(known, chosen, np.inf)) < below)
        enough &= known.sum(0) >= 10
        # (R, n)
        often = rng.multinomial(
            len(chosen), np.full(len(chosen), 1 / len(chosen)), size=resamples
        ).astype(float)
        with np.errstate(invalid="ignore"):  # a resample without any angle of a pair
            shares.append(small.sum(0) / known.sum(0))
            draws.append((often @ small) / (often @ known))
    estimate, draws = shares[0] - shares[1], draws[0] - draws[1]
    return [
        tuple(
            percentile_interval(estimate[k], draws[~np.isnan(draws[:, k]), k], level)
            for level in levels
        )
        if enough[k]
        else None
        for k in range(len(pairs))
    ]


def determined(data, time, pairs, kind="far"):
    """Angles (n, k) of some pairs of covariant vectors at a time; NaN where J does not tell its
    directions apart.

    Where neighbouring multipliers of J(t) coincide, as those of ReLU units that
    are off, a single vector is one of many, and what Ginelli's method gives is a
    trace of the matrix that it starts from.
    """
    now = at(data, time).sel(pair=list(pairs))
    return np.where(np.isnan(now["frozen_angles"].values), np.nan, now[f"{kind}_angles"].values)


def unconverged(here, paper, time, pairs=PAIRS, degrees=5.0, resamples=300, seed=0):
    """Share of the angles between far-future vectors at t that two campaigns with unlike futures
    know differently, by more than ``degrees``.

    Ginelli's vectors converge with the steps beyond t that they know; the covariance defect does
    not show it, for any triangular matrix pulled back has none.  Networks 0, 1, … of both campaigns
    are the same ones, so as many are compared as both have, in angles that :func:`determined` finds
    determined in both.  What the longer future itself lacks is not seen.

    Parameters
    ----------
    here, paper : xarray.Dataset
        From :func:`netdyn_lib.experiments.campaign.load` or
        :func:`netdyn_lib.experiments.outcome_prediction.published.load`.
    time : float
    pairs : sequence of str
    degrees : float
    resamples, seed : int
        Of the bootstrap over networks, each with all its angles.

    Returns
    -------
    Interval
        NaN where fewer than two networks have such an angle.

    Raises
    ------
    ValueError
        Where task, seed or learning rate of the campaigns differ, the measured times nearest to
        ``time`` do, or a dataset does not say which campaign it is of.
    """
    first, second = (_campaign(data) for data in (here, paper))
    for name in _SAME:
        if first[name] != second[name]:
            raise ValueError(
                f"{name} = {first[name]!r} here, {second[name]!r} there: networks of different campaigns have no angles in common"
            )
    times = [_nearest(data, time) for data in (here, paper)]
    if not np.isclose(*times, rtol=1e-9):
        raise ValueError(
            f"time = {time:g}: measured at {times[0]:g} here, at {times[1]:g} there; vectors turn from step to step"
        )
    mine, theirs = (determined(data, time, pairs) for data in (here, paper))
    count = min(len(mine), len(theirs))
    return apart(mine[:count], theirs[:count], degrees, resamples, seed)


def turned(data, time, pairs=PAIRS, degrees=5.0, resamples=300, seed=0):
    """Share of the angles between published far-future vectors at t that are another by more than
    ``degrees`` where the future is longer.

    ``data`` is a dataset from :func:`netdyn_lib.experiments.outcome_prediction.published.load`,
    whose ``attrs["longer"]`` says by how much; of the networks followed there, those angles that
    :func:`determined` finds determined.  An Interval, NaN where there are fewer than two such
    networks.
    """
    longer = at(data, time)["longer_angles"].sel(pair=list(pairs)).values
    return apart(determined(data, time, pairs)[: len(longer)], longer, degrees, resamples, seed)


def apart(mine, theirs, degrees, resamples=300, seed=0):
    """Share of angles (n, k), in radians, that two sources know more than ``degrees`` apart, of
    those that both know.

    An Interval, of the bootstrap over networks, each with all its angles; NaN where fewer than two
    networks have one.
    """
    difference = np.degrees(np.abs(mine - theirs))
    known = ~np.isnan(difference)
    if known.any(1).sum() < 2:
        return Interval(np.nan, np.nan, np.nan, 0.95)
    return clustered_interval(
        difference[known] > degrees, np.nonzero(known)[0], resamples=resamples, seed=seed
    )


def future(data, time):
    """How much of the future far-future vectors at the measured time nearest to ``time`` know, in
    units of time.

    Raises ValueError where the dataset does not say which campaign it is of.
    """
    campaign = _campaign(data)
    return (campaign["times"][-1] + campaign["backward"]) * campaign["learning_rate"] - _nearest(
        data, time
    )


def _nearest(data, time):
    return float(data["time"][place(data, time)])


def _campaign(data):
    if "campaign" not in data.attrs:
        raise ValueError(
            "the dataset has no attribute 'campaign', so which networks it holds is not known: load it again"
        )
    return json.loads(data.attrs["campaign"])


def saw(table, outcome, time):
    """What the rivals of an indicator reach at the same time, in words."""
    found = [
        f"{name} {score(table, outcome, name, time).estimate:.2f}"
        for name in ("loss", "weights", "Hessian", "exponents", "vectors")
    ]
    return f"Areas at that time, {outcome} runs: {', '.join(found)}."


def saw_positive(data, time):
    """How many failed and how many ideal runs have a positive largest exponent, by singular values,
    in words.
    """
    first = at(data, time)["singular"].values[:, 0]
    found = predicting.outcomes(data)
    shares = [
        float((first[rows & ~np.isnan(first)] > 0).mean()) for rows in (found.failed, found.ideal)
    ]
    return "Of failed runs {:.2f} have a positive largest exponent, of ideal ones {:.2f}.".format(
        *shares
    )


def saw_stability(data, time):
    """Which exponents are larger in failed runs than in ideal ones, by their medians, in words."""
    exponents = at(data, time)["exponents"].values
    return f"Larger in failed runs: {_larger(data, exponents, range(1, exponents.shape[1] + 1))} of the nine exponents."


def saw_tangencies(data, time, pairs=PAIRS, below=10.0):
    """Which pairs of vectors have tangencies in failed runs more often, and which less often, by
    95% intervals, in words.
    """
    found = {
        pair: i[0] for pair, i in zip(pairs, tangency(data, time, pairs, below)) if i is not None
    }
    more, less = (
        ", ".join(p for p, i in found.items() if sure(i)) or "none"
        for sure in (lambda i: i.low > 0, lambda i: i.high < 0)
    )
    return (
        f"Angles below {below:g}° are more frequent in failed runs: {more}; less frequent: {less}."
    )


def _larger(data, values, names):
    found = predicting.outcomes(data)
    difference = medians(values[found.failed]) - medians(values[found.ideal])
    return ", ".join(str(name) for name, d in zip(names, difference) if d > 0) or "none"


def medians(values):
    """Medians of the columns of (rows, f), (f,): NaN for a column without a value."""
    known = ~np.isnan(values).all(0)
    median = np.full(values.shape[1], np.nan)
    median[known] = np.nanmedian(values[:, known], axis=0)
    return median


def _share(differences):
    """Share of the differences that are positive, of those that are known; NaN where none is."""
    known = differences[~np.isnan(differences)]
    return float((known > 0).mean()) if len(known) else np.nan


def _apart(data, values, statistic, resamples, seed):
    """A statistic of the rows of failed and of ideal runs, (rows, f) each, with its interval.

    Rows without any value are left out; NaN where a class has fewer than 10 others.
    """
    found, known = predicting.outcomes(data), ~np.isnan(values).all(1)
    failed, ideal = values[found.failed & known], values[found.ideal & known]
    if min(len(failed), len(ideal)) < 10:
        return Interval(np.nan, np.nan, np.nan, 0.95)
    rng = np.random.default_rng(seed)
    draws = [
        statistic(
            failed[rng.integers(len(failed), size=len(failed))],
            ideal[rng.integers(len(ideal), size=len(ideal))],
        )
        for _ in range(resamples)
    ]
    return percentile_interval(
        float(statistic(failed, ideal)), draws, count=min(len(failed), len(ideal))
    )
