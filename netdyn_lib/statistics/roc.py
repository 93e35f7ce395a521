"""How well a score tells two classes apart: receiver operating characteristics.

The area under the curve is the probability that a run of the class scores
higher than one outside it, ties counting half: 1 for perfect, 0.5 for no
information (Hanley and McNeil, Radiology 143, 29, 1982).
"""

from dataclasses import dataclass

import numpy as np

from ..validation import whole
from . import classification
from .intervals import Interval, percentile_interval

_VALUES = 1_000_000  # resampled rows held at a time


def roc(labels, scores):
    """The receiver operating characteristic: rates of false and true positives as the threshold
    falls.

    Parameters
    ----------
    labels : array of bool, shape (n,)
    scores : array, shape (n,)
        High for the class; ±inf is in order.

    Returns
    -------
    false_positive, true_positive : array, shape (k + 1,)
        From (0, 0) to (1, 1), one point for each of k distinct scores.

    Raises
    ------
    ValueError
        For shapes that do not fit, NaN among the scores, labels that are not
        true or false, or a class without rows.

    >>> roc([False, False, True], [0.0, 1.0, 1.0])
    (array([0. , 0.5, 1. ]), array([0., 1., 1.]))
    """
    labels, codes, size = _coded(labels, scores)
    rates = []
    for chosen in (~labels, labels):
        counts = np.bincount(codes[chosen], minlength=size)[::-1]
        rates.append(np.r_[0, np.cumsum(counts)] / chosen.sum())
    return rates[0], rates[1]


def auc(labels, scores):
    """Area under the curve of :func:`roc`, exact also with ties (the Mann–Whitney statistic over
    its maximum).

    Parameters and errors as for :func:`roc`.

    >>> auc([False, True, True], [0.0, 0.0, 1.0])
    0.75
    """
    labels, codes, size = _coded(labels, scores)
    return float(_areas(codes[labels][None], codes[~labels][None], size)[0])


def auc_interval(labels, scores, level=0.95, resamples=1000, seed=0):
    """:func:`auc` with its percentile bootstrap interval, each class resampled by itself.

    The classifier stays as it was fitted: the interval is that of new test
    rows, not of a new training.  Without any error (area 1) it shrinks to a point.
    Also ValueError for a level outside (0, 1) or no resamples.
    """
    return paired(labels, {"": scores}, level=level, resamples=resamples, seed=seed).auc[""]


@dataclass(frozen=True)
class Comparison:
    """Areas under the curve of several predictors on the same rows.

    ``auc``: from a predictor's name to its :class:`~netdyn_lib.statistics.intervals.Interval`.
    ``difference``: from the name of each baseline to such a dict of the others' areas minus that of
    the baseline.
    """

    auc: dict
    difference: dict


def paired(labels, scores, baselines=(), level=0.95, resamples=1000, seed=0):
    """Areas under the curve of several predictors, every resample the same rows for all of them.

    Parameters
    ----------
    labels : array of bool, shape (n,)
    scores : dict
        From a predictor's name to its scores, (n,).
    baselines : sequence of str
        The predictors that the others are compared with.
    level, resamples, seed
        As for :func:`netdyn_lib.statistics.intervals.bootstrap_interval`.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        As :func:`auc_interval`; also for a baseline without scores.
    """
    for name in _names(baselines):
        if name not in scores:
            raise ValueError(
                f"baseline {name!r} has no scores; there are {', '.join(map(repr, scores))}"
            )
    resamples = whole(resamples, "resamples", 1)
    rng, draws = np.random.default_rng(seed), {name: [] for name in scores}
    coded = {name: _coded(labels, values) for name, values in scores.items()}
    flags = classification.flags(labels)
    step = max(1, _VALUES // len(flags)) if len(flags) else 1
    inside, outside = int(flags.sum()), int((~flags).sum())
    for start in range(0, resamples if coded else 0, step):
        rows = min(step, resamples - start)
        chosen = (
            rng.integers(inside, size=(rows, inside)),
            rng.integers(outside, size=(rows, outside)),
        )
        for name, (_, codes, size) in coded.items():
            draws[name].append(_areas(codes[flags][chosen[0]], codes[~flags][chosen[1]], size))
    draws = {name: np.concatenate(found) for name, found in draws.items()}
    point = {name: auc(labels, values) for name, values in scores.items()}
    fewest = min(inside, outside)
    areas = {
        name: percentile_interval(point[name], found, level, fewest)
        for name, found in draws.items()
    }
    apart = {
        base: {
            name: percentile_interval(
                point[name] - point[base], draws[name] - draws[base], level, fewest
            )
            for name in scores
            if name != base
        }
        for base in baselines
    }
    return Comparison(areas, apart)


@dataclass(frozen=True)
class Course:
    """How well an outcome is predicted at each of T times.

    ``auc`` and ``difference`` as in :class:`Comparison`, of intervals with arrays
    (T,), NaN at times with too few runs.  ``reasons``: T strings, why not, or "".
    ``rows`` (T, 2): how many test runs were in the class and outside it.
    """

    auc: dict
    difference: dict
    reasons: tuple
    rows: np.ndarray


def over_time(
    labels,
    features,
    train,
    test,
    method="binned",
    bins=10,
    baselines=(),
    undecided=None,
    least=10,
    level=0.95,
    resamples=1000,
    seed=0,
):
    """Held-out areas under the curve of naive Bayes classifiers, fitted anew at each time.

    Parameters
    ----------
    labels : array of bool, shape (n,)
    features : dict
        From a predictor's name to its features, (T, n, f) or (T, n).
    train, test : array of int
        Rows, as from :func:`netdyn_lib.statistics.classification.split`.
    method, bins
        As for :func:`netdyn_lib.statistics.classification.scores`.
    baselines : sequence of str
        The predictors that the others are compared with, paired by run.
    undecided : array of bool, shape (T, n), optional
        Runs that take part at each time: leave out those that have diverged,
        whose outcome is known.  All where not given.
    least : int
        Fewer runs in a class, in either half, give NaN with a reason.
    level, resamples, seed
        As for :func:`paired`; each time draws from the same seed.

    Returns
    -------
    Course

    Raises
    ------
    ValueError
        As :func:`paired` and :func:`netdyn_lib.statistics.classification.scores`; also for no
        features, or shapes that do not fit.
    """
    labels, least = classification.flags(labels), whole(least, "least", 2)
    features = {name: np.asarray(values, dtype=float) for name, values in features.items()}
    shapes = {values.shape[:2] for values in features.values()}
    if len(shapes) != 1 or (shape := shapes.pop())[1:] != labels.shape:
        raise ValueError(
            f"features {[v.shape for v in features.values()]} for labels {labels.shape}: expected (T, n, f) each, and (n,)"
        )
    undecided = np.ones(shape, dtype=bool) if undecided is None else np.asarray(undecided)
    if undecided.shape != shape or undecided.dtype != bool:
        raise ValueError(
            f"undecided of shape {undecided.shape} and {undecided.dtype}: expected {shape} and bool"
        )
    train, test = np.asarray(train, dtype=int), np.asarray(test, dtype=int)
    areas = _empty(features, shape[0])
    apart = {
        base: _empty([name for name in features if name != base], shape[0])
        for base in _names(baselines)
    }
    reasons, rows = [], np.zeros((shape[0], 2), dtype=int)
    for t, mask in enumerate(undecided):
        fit, held = train[mask[train]], test[mask[test]]
        rows[t] = labels[held].sum(), (~labels[held]).sum()
        reasons.append(
            classification.too_few(labels, fit, least, "train")
            or classification.too_few(labels, held, least, "test")
        )
        if reasons[-1]:
            continue
        scores = {
            name: classification.scores(values[t], labels, fit, held, method, bins)
            for name, values in features.items()
        }
        found = paired(labels[held], scores, baselines, level, resamples, seed)
        for into, intervals in (
            (areas, found.auc),
            *((apart[base], found.difference[base]) for base in apart),
        ):
            for name, interval in intervals.items():
                into[name][:, t] = tuple(interval)
    areas, *differences = (
        {name: Interval(*values, level) for name, values in d.items()}
        for d in (areas, *apart.values())
    )
    return Course(areas, dict(zip(apart, differences)), tuple(reasons), rows)


def _names(baselines):
    """Names of baselines; ValueError for one text, which would be taken for a name for each letter."""
    if isinstance(baselines, str):
        raise ValueError(
            f"baselines = {baselines!r}: expected a sequence of names, such as ({baselines!r},)"
        )
    return tuple(baselines)


def _empty(names, times):
    return {name: np.full((3, times), np.nan) for name in names}


def _coded(labels, scores):
    """Labels as bool, ranks of the scores among their distinct values (n,), and how many there are."""
    labels, scores = classification.flags(labels), np.asarray(scores, dtype=float)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(
            f"labels of shape {labels.shape} and scores of shape {scores.shape}: expected (n,) both"
        )
    if np.isnan(scores).any():
        raise ValueError(
            f"score NaN in row {np.flatnonzero(np.isnan(scores))[0]}: leave that row out, or decide where it belongs"
        )
    if labels.all() or not labels.any():
        raise ValueError(f"all {len(labels)} rows are in one class: there is nothing to tell apart")
    distinct, codes = np.unique(scores, return_inverse=True)
    return labels, codes, len(distinct)


def _areas(inside, outside, size):
    """Areas under the curve, (R,), from codes of the class (R, n₁) and outside it (R, n₀), in 0 …
    size − 1.
    """
    counts = []
    for codes in (inside, outside):
        flat = (codes + size * np.arange(len(codes))[:, None]).ravel()
        counts.append(np.bincount(flat, minlength=size * len(codes)).reshape(-1, size))
    won, lost = counts
    twice = (won * (2 * np.cumsum(lost, axis=1) - lost)).sum(1)  # whole numbers: exact
    return twice / (2 * inside.shape[1] * outside.shape[1])
