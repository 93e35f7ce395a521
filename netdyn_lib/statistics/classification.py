"""The outcome of training runs, predicted from numbers known early.

A naive Bayes classifier adds up the evidence of features as if they were
independent in each class (Hastie, Tibshirani and Friedman 2009, section
6.6.3).  The classifiers are scikit-learn's CategoricalNB and GaussianNB; what goes
before them is here, because they refuse NaN and infinite values.

What is not a number.  NaN is *missing*: a value of its own, whose frequency in
each class is counted.  ±inf is beyond every number.  A value beyond the range
seen in training counts as at its end, and what training never saw (NaN in a
feature that had none) is no evidence for either class.

How well a score tells two classes apart: the area under the receiver operating
characteristic is the probability that a run of the class scores
higher than one outside it, ties counting half: 1 for perfect, 0.5 for no
information (Hanley and McNeil, Radiology 143, 29, 1982).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from scipy.stats import mannwhitneyu
from sklearn.naive_bayes import CategoricalNB, GaussianNB

from ..validation import whole
from .intervals import Interval, percentile_interval

METHODS = ("binned", "ranked")
#: Fewer runs in a class, in either half, are too few to be told apart.
LEAST = 10
_FOLDS = 5  # of cross-fitting
_VALUES = 1_000_000  # resampled rows held at a time


@dataclass(frozen=True)
class Outcomes:
    """Classes of n training runs, (n,) bool, one for each run; ``diverged`` (n,) are the failed
    whose final loss is not finite.
    """

    ideal: np.ndarray
    middle: np.ndarray
    failed: np.ndarray
    diverged: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of runs by the name of their class."""
        return {name: int(getattr(self, name).sum()) for name in ("ideal", "middle", "failed")}

    @property
    def shares(self) -> dict[str, float]:
        """Return the share of runs by the name of their class; NaN for no runs."""
        runs = len(self.ideal)
        return {name: count / runs if runs else np.nan for name, count in self.counts.items()}


def outcomes(final_loss: ArrayLike, ideal: float = 4.0, failed: float = 100.0) -> Outcomes:
    """Return the classes of training runs by their final loss (Storm 2024: ideal below 4, failed
    above 100).

    ``final_loss`` (n,) is NaN or infinite for a run that diverged, which has failed; a loss at a
    bound is in the middle. Raises ValueError for losses not (n,), or bounds not in order.

    >>> outcomes([0.5, 4.0, 100.5, float("nan")]).counts
    {'ideal': 1, 'middle': 1, 'failed': 2}
    """
    loss = np.asarray(final_loss, dtype=float)
    if loss.ndim != 1:
        raise ValueError(f"final_loss of shape {loss.shape}: expected (n,), a number for each run")
    if not ideal <= failed:
        what = f"ideal = {ideal}, failed = {failed}"
        raise ValueError(f"{what}: the bound of ideal runs must not lie above that of failed ones")
    diverged = ~np.isfinite(loss)
    good, bad = ~diverged & (loss < ideal), diverged | (loss > failed)
    return Outcomes(good, ~good & ~bad, bad, diverged)


def split(count: int, seed: int, strata: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Split ``count`` runs in half by one random permutation: ascending index arrays (train, test).

    Of an odd number, train has one more.  ``strata`` (count,) is a class for each run; every class
    is then split in half, up to one run.  Raises ValueError for fewer than two runs, or not one
    stratum for each.

    >>> train, test = split(9, seed=0)
    >>> len(train), sorted([*train, *test]) == list(range(9))
    (5, True)
    """
    count = whole(count, "count", 2, cause="a split has two halves")
    order = np.random.default_rng(seed).permutation(count)
    if strata is not None:
        kinds = np.asarray(strata)
        if kinds.shape != (count,):
            raise ValueError(
                f"strata of shape {kinds.shape}: expected ({count},), one for each run"
            )
        order = order[np.argsort(kinds[order], kind="stable")]
    # Every second of a permutation is as random as its first half, and splits each stratum alike.
    return np.sort(order[::2]), np.sort(order[1::2])


def as_flags(labels: ArrayLike) -> np.ndarray:
    """Return ``labels`` as an array of bool; ValueError for what is neither true nor false, such as
    a loss or NaN.
    """
    labels = np.asarray(labels)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be true or false: pass a condition, not a measurement")
    return labels.astype(bool)


def too_few(labels: ArrayLike, rows: np.ndarray, name: str, least: int = LEAST) -> str:
    """Return why some rows will not do, "" where they will: a class of ``labels`` (n,) has fewer
    than ``least`` of them.
    """
    flags = as_flags(labels)[rows]
    inside, outside = int(flags.sum()), int((~flags).sum())
    if min(inside, outside) >= least:
        return ""
    counts = f"{name}: {inside} runs in the class and {outside} outside it"
    return f"{counts}, of which at least {least} each are needed"


def log_odds(
    features: ArrayLike,
    labels: ArrayLike,
    train: ArrayLike,
    test: ArrayLike,
    method: str = "binned",
    bins: int = 10,
) -> np.ndarray:
    """Return the log-odds ln P(class | features)/P(not class | features) of a naive Bayes
    classifier, on the test rows.

    The evidence ln p(x | class)/p(x | not class) of one feature is, by ``method``:

    - ``"binned"``: from its frequencies in bins, which hold equally many
      training rows, with one count added to each bin (Laplace); a value that fills a bin has it to
      itself.  Any shape of distribution; the same for every increasing function of the feature.
    - ``"ranked"``: of normal distributions of the feature's normal scores
      Φ⁻¹(rank/(n + 1)) among training rows (van der Waerden).  Smooth where
      ``"binned"`` has steps, and as little moved by heavy tails.

    A feature that is constant in training is no evidence: 0.  The module's
    docstring says what NaN and ±inf count as.  Runs that had diverged when the
    prediction is made have a known outcome: leave them out of the rows.

    Parameters
    ----------
    features : array, shape (n, f) or (n,)
    labels : array of bool, shape (n,)
        Is the run in the class that a high score speaks for?
    train, test : array of int
        Rows, as from :func:`split`.
    method : {"binned", "ranked"}
    bins : int
        For ``"binned"``: at least 2; features with many ties get fewer.

    Returns
    -------
    array, shape (len(test),)

    Raises
    ------
    ValueError
        For shapes that do not fit, labels that are not true or false, an
        unknown method, rows both in train and test, or fewer than 2 training
        rows in a class.
    """
    x, flags = _checked(features, labels)
    bins = whole(bins, "bins", 2)
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    train, test = disjoint(train, test)
    if reason := too_few(flags, train, "train", 2):
        raise ValueError(reason)
    known, seen, asked = flags[train], x[train], x[test]
    total = np.full(len(test), np.log(known.sum() / (~known).sum()))
    if method == "binned":
        codes, others = _codes(seen, asked, bins)
        return total + _categorical(codes, others, known)
    missing, gone = (np.isnan(v).astype(int) for v in (seen, asked))
    return total + _categorical(missing, gone, known) + _ranked(seen, asked, known)


def cross_fitted(
    features: ArrayLike,
    labels: ArrayLike,
    train: ArrayLike,
    test: ArrayLike,
    method: str = "binned",
    seed: int = 0,
) -> np.ndarray:
    """Return scores of all rows by classifiers that never saw them: (n,), NaN for rows in neither
    half.

    Test rows as by :func:`log_odds`, whose parameters and errors these are; each of
    five stratified parts of the training rows by a classifier fitted to the
    others.  A threshold learned on these training scores holds for test scores.
    """
    x, flags = _checked(features, labels)
    train, test = disjoint(train, test)
    result = np.full(len(flags), np.nan)
    result[test] = log_odds(x, flags, train, test, method)
    order = np.random.default_rng(seed).permutation(train)
    order = order[np.argsort(flags[order], kind="stable")]
    for k in range(_FOLDS):
        fold = np.arange(len(order)) % _FOLDS == k
        result[order[fold]] = log_odds(x, flags, order[~fold], order[fold], method)
    return result


def disjoint(train: ArrayLike, test: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return rows as arrays; ValueError where one is both in ``train`` and in ``test``."""
    train, test = np.asarray(train, dtype=int), np.asarray(test, dtype=int)
    if len(both := np.intersect1d(train, test)):
        rows = f"{len(both)} rows, the first {both[0]}, are both in train and test"
        raise ValueError(f"{rows}: the test would not be held out")
    return train, test


def _checked(features, labels):
    features, labels = np.asarray(features, dtype=float), np.asarray(labels)
    features = features[:, None] if features.ndim == 1 else features
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        shapes = f"features of shape {features.shape} and labels of shape {labels.shape}"
        raise ValueError(f"{shapes}: expected (n, f) and (n,)")
    return features, as_flags(labels)


def _categorical(codes, asked, known):
    """Evidence of categories 0, 1, …, ``codes`` (n, f) of training rows and ``asked`` (m, f),
    summed over features: (m,).
    """
    dense = np.empty_like(codes)
    seen = []
    # a category that nobody has takes no part in the smoothing
    for k, column in enumerate(codes.T):
        categories, dense[:, k] = np.unique(column, return_inverse=True)
        seen.append(categories)
    model = CategoricalNB(alpha=1.0).fit(dense, known)
    total = np.zeros(len(asked))
    for column, categories, chances in zip(asked.T, seen, model.feature_log_prob_):
        place = np.searchsorted(categories, column).clip(max=len(categories) - 1)
        total += np.where(categories[place] == column, chances[1, place] - chances[0, place], 0.0)
    return total


def _codes(x, asked, bins):
    """Bins of equally many training values, the same for what is asked; NaN has one of its own: (n,
    f) and (m, f).
    """
    codes = []
    for values, others in zip(x.T, asked.T):
        present = np.sort(values[~np.isnan(values)])
        edges = _edges(present, bins) if len(present) else present
        both = np.r_[values, others]
        places = np.searchsorted(edges, both, side="right")
        codes.append(np.where(np.isnan(both), len(edges) + 1, places))
    return np.split(np.transpose(codes), [len(x)])


def _edges(present, bins):
    """Where bins begin that hold equally many of some sorted values, but for the first, which has
    no lower end.

    A value so frequent that it fills a bin has one of its own: what lies above it, however little,
    is not put with it.
    """
    marks, often = np.unique(
        [present[0], *present[len(present) * np.arange(1, bins) // bins]], return_counts=True
    )
    above = np.searchsorted(present, marks[often > 1], side="right")
    return np.unique([*marks[1:], *present[above[above < len(present)]]])


def _ranked(x, asked, known):
    """Evidence of the normal scores of the values that there are, summed over features: (m,).

    A class with fewer than two values gives none, nor does a constant feature.
    """
    total = np.zeros(len(asked))
    for values, others in zip(x.T, asked.T):
        there, missing = ~np.isnan(values), np.isnan(others)
        order = np.sort(values[there])
        if min(known[there].sum(), (~known[there]).sum()) < 2 or order[0] == order[-1]:
            continue
        own = _normal_scores(order, values[there])[:, None]
        other = _normal_scores(order, np.where(missing, order[0], others))[:, None]
        model = GaussianNB(priors=(0.5, 0.5)).fit(own / own.std(), known[there])
        odds = model.predict_joint_log_proba(other / own.std())
        total += np.where(missing, 0.0, odds[:, 1] - odds[:, 0])
    return total


def _normal_scores(order, values):
    """Φ⁻¹ of the mean rank of values among sorted ones, over their number n + 1."""
    n = len(order)
    twice = np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right") + 1
    return ndtri(np.clip(twice / (2 * (n + 1)), 1 / (n + 1), n / (n + 1)))


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the receiver operating characteristic, exact also with ties and
    infinite scores (the Mann–Whitney statistic over its maximum).

    Parameters
    ----------
    labels : array of bool, shape (n,)
    scores : array, shape (n,)
        High for the class; ±inf is in order.

    Raises
    ------
    ValueError
        For shapes that do not fit, NaN among the scores, labels that are not
        true or false, or a class without rows.

    >>> auc([False, True, True], [0.0, 0.0, 1.0])
    0.75
    """
    flags, ranks, _ = _coded(labels, scores)
    wins = mannwhitneyu(ranks[flags], ranks[~flags], method="asymptotic").statistic
    return float(wins / (flags.sum() * (~flags).sum()))


@dataclass(frozen=True)
class Comparison:
    """Areas under the curve of several predictors on the same rows.

    ``auc``: from a predictor's name to its :class:`~netdyn_lib.statistics.intervals.Interval`.
    ``difference``: from the name of each baseline to such a dict of the others' areas minus that of
    the baseline.
    """

    auc: dict
    difference: dict


def paired(
    labels: ArrayLike,
    scores: Mapping[str, ArrayLike],
    baselines: tuple[str, ...] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare areas under the curve of several predictors, with 95% percentile bootstrap intervals.

    Each class is resampled by itself, and every resample has the same rows for all predictors.
    The classifiers stay as they were fitted: the intervals are those of new test
    rows, not of a new training.  Without any error (area 1) they shrink to a point.

    Parameters
    ----------
    labels : array of bool, shape (n,)
    scores : dict
        From a predictor's name to its scores, (n,).
    baselines : sequence of str
        The predictors that the others are compared with.
    resamples, seed
        As for :func:`netdyn_lib.statistics.intervals.bootstrap_interval`.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        As :func:`auc`; also for a baseline without scores, or no resamples.
    """
    if unknown := [name for name in baselines if name not in scores]:
        known = ", ".join(map(repr, scores))
        raise ValueError(f"baselines {unknown} have no scores; there are {known}")
    resamples, rng = whole(resamples, "resamples", 1), np.random.default_rng(seed)
    coded = {name: _coded(labels, values) for name, values in scores.items()}
    flags = as_flags(labels)
    inside, outside = int(flags.sum()), int((~flags).sum())
    parts: dict[str, list] = {name: [[auc(labels, scores[name])]] for name in scores}
    step = max(1, _VALUES // max(1, len(flags)))
    for start in range(0, resamples if coded else 0, step):
        rows = min(step, resamples - start)
        wins = rng.integers(inside, size=(rows, inside))
        losses = rng.integers(outside, size=(rows, outside))
        for name, (_, codes, size) in coded.items():
            parts[name].append(_areas(codes[flags][wins], codes[~flags][losses], size))
    areas = {name: np.concatenate(found) for name, found in parts.items()}

    def interval(found):  # the area itself comes first
        return percentile_interval(found[0], found[1:], count=min(inside, outside))

    apart = {}
    for base in baselines:
        others = [name for name in scores if name != base]
        apart[base] = {name: interval(areas[name] - areas[base]) for name in others}
    return Comparison({name: interval(found) for name, found in areas.items()}, apart)


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


@dataclass(frozen=True)
class Evaluation:
    """How predictors are evaluated: the ``method`` of :func:`log_odds`, the ``baselines`` that the
    others are compared with, paired by run, and the bootstrap's ``resamples`` and ``seed``; each
    time draws from the same seed.
    """

    method: str = "binned"
    baselines: tuple[str, ...] = ()
    resamples: int = 1000
    seed: int = 0


def over_time(
    labels: ArrayLike,
    features: Mapping[str, ArrayLike],
    halves: tuple[ArrayLike, ArrayLike],
    undecided: ArrayLike | None = None,
    how: Evaluation | None = None,
) -> Course:
    """Return held-out areas under the curve of naive Bayes classifiers, fitted anew at each time.

    Parameters
    ----------
    labels : array of bool, shape (n,)
    features : dict
        From a predictor's name to its features, (T, n, f) or (T, n).
    halves : pair of arrays of int
        Rows of train and test, as from :func:`split`.
    undecided : array of bool, shape (T, n), optional
        Runs that take part at each time: leave out those that have diverged,
        whose outcome is known.  All where not given.
    how : Evaluation

    Returns
    -------
    Course
        NaN, with a reason, where a half has fewer than :data:`LEAST` runs of a class.

    Raises
    ------
    ValueError
        As :func:`paired` and :func:`log_odds`; also for no
        features, or shapes that do not fit.
    """
    how, flags = how or Evaluation(), as_flags(labels)
    values = {name: np.asarray(some, dtype=float) for name, some in features.items()}
    shapes = {some.shape[:2] for some in values.values()}
    if len(shapes) != 1 or (shape := shapes.pop())[1:] != flags.shape:
        has = f"features {[v.shape for v in values.values()]} for labels {flags.shape}"
        raise ValueError(f"{has}: expected (T, n, f) each, and (n,)")
    taking = np.ones(shape, dtype=bool) if undecided is None else np.asarray(undecided)
    if taking.shape != shape or taking.dtype != bool:
        has = f"undecided of shape {taking.shape} and {taking.dtype}"
        raise ValueError(f"{has}: expected {shape} and bool")
    train, test = disjoint(*halves)
    nothing = Interval(np.nan, np.nan, np.nan)
    found: list[Comparison | None] = []
    reasons, rows = [], np.zeros((shape[0], 2), dtype=int)
    for t, mask in enumerate(taking):
        fit, held = train[mask[train]], test[mask[test]]
        rows[t] = flags[held].sum(), (~flags[held]).sum()
        reasons.append(too_few(flags, fit, "train") or too_few(flags, held, "test"))
        if reasons[-1]:
            found.append(None)
            continue
        scores = {name: log_odds(v[t], flags, fit, held, how.method) for name, v in values.items()}
        found.append(paired(flags[held], scores, how.baselines, how.resamples, how.seed))

    def joined(take):
        """Intervals over time, NaN where there is none, as one of arrays (T,)."""
        some = [nothing if one is None else take(one) for one in found]
        return Interval(*np.array([tuple(interval) for interval in some]).T)

    areas = {name: joined(lambda one: one.auc[name]) for name in values}
    apart = {}
    for base in how.baselines:
        others = [name for name in values if name != base]
        apart[base] = {n: joined(lambda one: one.difference[base][n]) for n in others}
    return Course(areas, apart, tuple(reasons), rows)


def _coded(labels, scores):
    """Labels as bool, ranks (n,) of the scores among their distinct values, and their number."""
    labels, scores = as_flags(labels), np.asarray(scores, dtype=float)
    if labels.ndim != 1 or labels.shape != scores.shape:
        shapes = f"labels of shape {labels.shape} and scores of shape {scores.shape}"
        raise ValueError(f"{shapes}: expected (n,) both")
    if np.isnan(scores).any():
        row = np.flatnonzero(np.isnan(scores))[0]
        raise ValueError(f"score NaN in row {row}: leave it out, or decide where it belongs")
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
