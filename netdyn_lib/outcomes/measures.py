"""What marks failed runs: growth, loss of stability, tangencies; each with a bootstrap interval over networks."""

import numpy as np

from ..resampling import Interval
from ..receiver import percentile_interval
from . import predicting

#: The pairs in which S sees tangencies with both activations.
PAIRS = ("(1,2)", "(1,3)", "(2,3)", "(3,4)", "(4,5)", "(5,6)")


def score(table, outcome, predictor, time):
    """The area under the curve of a predictor at a time, an Interval."""
    found = table["auc"].sel(outcome=outcome, predictor=predictor).sel(time=time, method="nearest").values
    return Interval(*map(float, found), 0.95)


def lead(table, outcome, predictor, time):
    """By how much a predictor's area exceeds the loss's at a time, an Interval, paired over networks."""
    found = table["difference"].sel(outcome=outcome, predictor=predictor).sel(time=time, method="nearest").values
    return Interval(*map(float, found), 0.95)


def worst(tables, outcome, predictors, time):
    """The least of the areas of some predictors over all ensembles, an Interval."""
    return min((score(t, outcome, p, time) for t in tables.values() for p in predictors), key=lambda i: i.estimate)


def positive(data, time, resamples=1000, seed=0):
    """Share with a positive first exponent over [0, t] among failed runs, less that among ideal ones."""
    first = data["exponents"].sel(time=time, method="nearest").values[:, 0] > 0
    return _apart(data, first[:, None], lambda failed, ideal: failed.mean(-2)[..., 0] - ideal.mean(-2)[..., 0], resamples, seed)


def less_stable(data, time, resamples=300, seed=0):
    """Share of the P exponents over [0, t] whose median is larger in failed runs than in ideal ones: 1 is loss of stability in all directions."""
    exponents = data["exponents"].sel(time=time, method="nearest").values
    return _apart(data, exponents, lambda failed, ideal: (_median(failed) > _median(ideal)).mean(-1), resamples, seed)


def nearer_tangency(data, time, pairs=PAIRS, resamples=300, seed=0):
    """Share of the pairs of far-future covariant vectors whose median angle at t is smaller in failed runs than in ideal ones."""
    angles = data["far_angles"].sel(time=time, method="nearest").sel(pair=list(pairs)).values
    return _apart(data, angles, lambda failed, ideal: (_median(failed) < _median(ideal)).mean(-1), resamples, seed)


def _median(values):
    return np.nanmedian(values, axis=-2)


def _apart(data, values, statistic, resamples, seed):
    """A statistic of the rows of failed and of ideal runs, (…, rows, f) each, with its interval; NaN where a class has fewer than 10."""
    found = predicting.outcomes(data)
    failed, ideal = values[found.failed], values[found.ideal]
    if min(len(failed), len(ideal)) < 10:
        return Interval(np.nan, np.nan, np.nan, 0.95)
    rng = np.random.default_rng(seed)
    draws = [
        statistic(failed[rng.integers(len(failed), size=len(failed))], ideal[rng.integers(len(ideal), size=len(ideal))])
        for _ in range(resamples)
    ]
    return percentile_interval(float(statistic(failed, ideal)), np.array(draws))
