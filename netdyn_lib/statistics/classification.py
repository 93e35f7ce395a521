"""The outcome of training runs, predicted from numbers known early.

A naive Bayes classifier adds up the evidence of features as if they were
independent in each class (Hastie, Tibshirani and Friedman 2009, section
6.6.3).  The classifiers are scikit-learn's CategoricalNB and GaussianNB; what goes
before them is here, because they refuse NaN and infinite values.

What is not a number.  NaN is *missing*: a value of its own, whose frequency in
each class is counted.  ±inf is beyond every number.  A value beyond the range
seen in training counts as at its end, and what training never saw (NaN in a
feature that had none) is no evidence for either class.

How well a score tells two classes apart: receiver operating characteristics.

The area under the curve is the probability that a run of the class scores
higher than one outside it, ties counting half: 1 for perfect, 0.5 for no
information (Hanley and McNeil, Radiology 143, 29, 1982).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from sklearn.naive_bayes import CategoricalNB, GaussianNB

from ..validation import whole
from .intervals import Interval, percentile_interval

METHODS = ("binned", "gaussian", "ranked")
_FLOOR = 1e-9  # of a feature's variance, added to that in each class, as scikit-learn's GaussianNB


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
    def counts(self):
        """Number of runs by the name of their class."""
        return {name: int(getattr(self, name).sum()) for name in ("ideal", "middle", "failed")}

    @property
    def shares(self):
        """Share of runs by the name of their class; NaN for no runs."""
        runs = len(self.ideal)
        return {name: count / runs if runs else np.nan for name, count in self.counts.items()}


def outcomes(final_loss, ideal=4.0, failed=100.0):
    """Classes of training runs by their final loss (S: ideal below 4, failed above 100).

    ``final_loss`` (n,) is NaN or infinite for a run that diverged, which has failed; a loss at a
    bound is in the middle. Raises ValueError for losses not (n,), or bounds not in order.

    >>> outcomes([0.5, 4.0, 100.5, float("nan")]).counts
    {'ideal': 1, 'middle': 1, 'failed': 2}
    """
    loss = np.asarray(final_loss, dtype=float)
    if loss.ndim != 1:
        raise ValueError(
            f"final_loss of shape {loss.shape}: expected (n,), one number for each run"
        )
    if not ideal <= failed:
        raise ValueError(
            f"ideal = {ideal}, failed = {failed}: the bound of ideal runs must not lie above that of failed ones"
        )
    diverged = ~np.isfinite(loss)
    good, bad = ~diverged & (loss < ideal), diverged | (loss > failed)
    return Outcomes(good, ~good & ~bad, bad, diverged)


def split(count, seed, train=0.5, strata=None):
    """A held-out split of ``count`` runs by one random permutation: ascending index arrays (train,
    test).

    ``train``: share of the training half, in (0, 1), rounded to whole runs.
    ``strata`` (count,): a class for each run; every class is then split in
    that share, up to one run.  Raises ValueError for a half without runs, or
    not one stratum for each run.

    >>> train, test = split(10, seed=0, train=0.7)
    >>> len(train), sorted([*train, *test]) == list(range(10))
    (7, True)
    """
    count = whole(count, "count", 2, cause="a split has two halves")
    order = np.random.default_rng(seed).permutation(count)
    if strata is not None:
        strata = np.asarray(strata)
        if strata.shape != (count,):
            raise ValueError(
                f"strata of shape {strata.shape}: expected ({count},), one for each run"
            )
        order = order[np.argsort(strata[order], kind="stable")]
    # Every k-th of a permutation is as random as its first part, and splits each stratum alike.
    chosen = np.diff(np.floor(np.arange(count + 1) * train + 0.5)) > 0
    if not 0 < train < 1 or chosen.all() or not chosen.any():
        raise ValueError(
            f"train = {train} of {count} runs leaves a half without runs: take a share between 0 and 1, or more runs"
        )
    return np.sort(order[chosen]), np.sort(order[~chosen])


def as_flags(labels):
    """``labels`` as an array of bool; ValueError for what is neither true nor false, such as a loss
    or NaN.
    """
    labels = np.asarray(labels)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be true or false: pass a condition, not a measurement")
    return labels.astype(bool)


def too_few(labels, rows, least, name):
    """Why some rows will not do: a class of ``labels`` (n,) has fewer than ``least`` of them; ""
    where they will.
    """
    labels = as_flags(labels)[rows]
    counts = int(labels.sum()), int((~labels).sum())
    if min(counts) >= least:
        return ""
    return f"{name}: {counts[0]} runs in the class and {counts[1]} outside it, of which at least {least} each are needed"


def log_odds(features, labels, train, test, method="binned", bins=10):
    """Log-odds ln P(class | features)/P(not class | features) of a naive Bayes classifier, on the
    test rows.

    The evidence ln p(x | class)/p(x | not class) of one feature is, by ``method``:

    - ``"binned"``: from its frequencies in bins, which hold equally many
      training rows, with one count added to each bin (Laplace); a value that fills a bin has it to
      itself.  Any shape of distribution; the same for every increasing function of the feature.
    - ``"gaussian"``: of a normal distribution in each class, not for heavy tails.
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
    method : {"binned", "gaussian", "ranked"}
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
    features, labels = _checked(features, labels)
    bins = whole(bins, "bins", 2)
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    train, test = np.asarray(train, dtype=int), np.asarray(test, dtype=int)
    both = np.intersect1d(train, test)
    if len(both):
        raise ValueError(
            f"{len(both)} rows, the first {both[0]}, are both in train and test: the test would not be held out"
        )
    if reason := too_few(labels, train, 2, "train"):
        raise ValueError(reason)
    known = labels[train]
    x, asked = features[train], features[test]
    total = np.full(len(test), np.log(known.sum() / (~known).sum()))
    if method == "binned":
        return total + _categorical(*_codes(x, asked, bins), known)
    return (
        total
        + _categorical(np.isnan(x).astype(int), np.isnan(asked).astype(int), known)
        + _normal(x, asked, known, method)
    )


def cross_fitted(features, labels, train, test, method="binned", bins=10, folds=5, seed=0):
    """Scores of all rows by classifiers that never saw them: (n,), NaN for rows in neither half.

    Test rows as by :func:`scores`, whose parameters and errors these are; each of
    ``folds`` stratified parts of the training rows by a classifier fitted to the
    others.  A threshold learned on these training scores holds for test scores.
    """
    features, labels = _checked(features, labels)
    train, folds = (
        np.asarray(train, dtype=int),
        whole(folds, "folds", 2, len(train), "each fold needs a training row"),
    )
    result = np.full(len(labels), np.nan)
    result[test] = log_odds(features, labels, train, test, method, bins)
    order = np.random.default_rng(seed).permutation(train)
    order = order[np.argsort(labels[order], kind="stable")]
    for k in range(folds):
        fold = np.arange(len(order)) % folds == k
        result[order[fold]] = log_odds(features, labels, order[~fold], order[fold], method, bins)
    return result


def _checked(features, labels):
    features, labels = np.asarray(features, dtype=float), np.asarray(labels)
    features = features[:, None] if features.ndim == 1 else features
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f"features of shape {features.shape} and labels of shape {labels.shape}: expected (n, f) and (n,)"
        )
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
        codes.append(
            [
                np.where(np.isnan(v), len(edges) + 1, np.searchsorted(edges, v, side="right"))
                for v in (values, others)
            ]
        )
    return np.array([c[0] for c in codes]).T, np.array([c[1] for c in codes]).T


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


def _normal(x, asked, known, method):
    """Evidence of the values that there are, summed over features: (m,).

    A class without a variance gives none.
    """
    total = np.zeros(len(asked))
    together = [], []
    for values, others in zip(x.T, asked.T):
        there, missing = ~np.isnan(values), np.isnan(others)
        if min(known[there].sum(), (~known[there]).sum()) < 2:
            continue
        pair = (_normal_scores if method == "ranked" else _scaled)(
            values[there], np.where(missing, values[there][0], others)
        )
        if pair is None:
            continue
        if there.all() and not missing.any():
            for columns, column in zip(together, pair):
                columns.append(column)
        else:
            total += np.where(
                missing, 0.0, _gaussian(pair[0][:, None], pair[1][:, None], known[there])
            )
    if together[0]:
        total += _gaussian(np.stack(together[0], 1), np.stack(together[1], 1), known)
    return total


def _gaussian(x, asked, known):
    """Log-odds of scikit-learn's classifier without the odds of the classes, (m,)."""
    spread = x.std(0)  # the smoothing of variances is of the widest feature: here all are alike
    model = GaussianNB(priors=(0.5, 0.5), var_smoothing=_FLOOR).fit(x / spread, known)
    log_odds = model.predict_joint_log_proba(asked / spread)
    return log_odds[:, 1] - log_odds[:, 0]


def _normal_scores(x, asked):
    """Φ⁻¹ of the mean rank among x over n + 1, for x and for what is asked; None for constant x."""
    order = np.sort(x)
    if order[0] == order[-1]:
        return None

    def score(values):
        twice = np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right") + 1
        return ndtri(
            np.clip(
                twice / (2 * (len(order) + 1)), 1 / (len(order) + 1), len(order) / (len(order) + 1)
            )
        )

    return score(x), score(asked)


def _scaled(x, asked):
    """Both within the range of finite x, and in its largest size, so that no square overflows; None
    for constant x.
    """
    finite = x[np.isfinite(x)]
    if not len(finite) or finite.min() == finite.max():
        return None
    low, high = finite.min(), finite.max()
    size = max(abs(low), abs(high))
    return np.clip(x, low, high) / size, np.clip(asked, low, high) / size


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
    flags = as_flags(labels)
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
    labels, least = as_flags(labels), whole(least, "least", 2)
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
        reasons.append(too_few(labels, fit, least, "train") or too_few(labels, held, least, "test"))
        if reasons[-1]:
            continue
        scores = {
            name: log_odds(values[t], labels, fit, held, method, bins)
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
    labels, scores = as_flags(labels), np.asarray(scores, dtype=float)
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
