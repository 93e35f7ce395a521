"""The outcome of training runs, predicted from numbers known early.

A naive Bayes classifier adds up the evidence of features as if they were
independent in each class (Hastie, Tibshirani and Friedman 2009, section
6.6.3).  The evidence of one feature is written out here, because
scikit-learn's classifiers refuse NaN, add the variance of the widest feature
to all, and remove bins narrower than 1e-8; the tests hold them against these.

What is not a number.  NaN is *missing*: a value of its own, whose frequency in
each class is counted.  ±inf is beyond every number.  A value beyond the range
seen in training counts as at its end, and what training never saw (NaN in a
feature that had none) is no evidence for either class.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import ndtri

from .checks import whole

METHODS = ("binned", "gaussian", "ranked")
_FLOOR = 1e-9  # of a feature's variance, added to that in each class, as scikit-learn's GaussianNB


@dataclass(frozen=True)
class Outcomes:
    """Classes of n training runs, (n,) bool, one for each run; ``diverged`` (n,) are the failed whose final loss is not finite."""

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

    ``final_loss`` (n,) is NaN or infinite for a run that diverged, which has failed; a loss at a bound is in the middle.
    Raises ValueError for losses not (n,), or bounds not in order.

    >>> outcomes([0.5, 4.0, 100.5, float("nan")]).counts
    {'ideal': 1, 'middle': 1, 'failed': 2}
    """
    loss = np.asarray(final_loss, dtype=float)
    if loss.ndim != 1:
        raise ValueError(f"final_loss of shape {loss.shape}: expected (n,), one number for each run")
    if not ideal <= failed:
        raise ValueError(f"ideal = {ideal}, failed = {failed}: the bound of ideal runs must not lie above that of failed ones")
    diverged = ~np.isfinite(loss)
    good, bad = ~diverged & (loss < ideal), diverged | (loss > failed)
    return Outcomes(good, ~good & ~bad, bad, diverged)


def split(count, seed, train=0.5, strata=None):
    """A held-out split of ``count`` runs by one random permutation: ascending index arrays (train, test).

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
            raise ValueError(f"strata of shape {strata.shape}: expected ({count},), one for each run")
        order = order[np.argsort(strata[order], kind="stable")]
    # Every k-th of a permutation is as random as its first part, and splits each stratum alike.
    chosen = np.diff(np.floor(np.arange(count + 1) * train + 0.5)) > 0
    if not 0 < train < 1 or chosen.all() or not chosen.any():
        raise ValueError(f"train = {train} of {count} runs leaves a half without runs: take a share between 0 and 1, or more runs")
    return np.sort(order[chosen]), np.sort(order[~chosen])


def flags(labels):
    """``labels`` as an array of bool; ValueError for what is neither true nor false, such as a loss or NaN."""
    labels = np.asarray(labels)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be true or false: pass a condition, not a measurement")
    return labels.astype(bool)


def too_few(labels, rows, least, name):
    """Why some rows will not do: a class of ``labels`` (n,) has fewer than ``least`` of them; "" where they will."""
    labels = flags(labels)[rows]
    counts = int(labels.sum()), int((~labels).sum())
    if min(counts) >= least:
        return ""
    return f"{name}: {counts[0]} runs in the class and {counts[1]} outside it, of which at least {least} each are needed"


def scores(features, labels, train, test, method="binned", bins=10):
    """Log-odds ln P(class | features)/P(not class | features) of a naive Bayes classifier, on the test rows.

    The evidence ln p(x | class)/p(x | not class) of one feature is, by ``method``:

    - ``"binned"``: from its frequencies in bins, which hold equally many
      training rows, with one count added to each bin (Laplace).  Any shape of
      distribution; the same for every increasing function of the feature.
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
        raise ValueError(f"{len(both)} rows, the first {both[0]}, are both in train and test: the test would not be held out")
    if reason := too_few(labels, train, 2, "train"):
        raise ValueError(reason)
    known = labels[train]
    evidence = partial(_binned, bins=bins) if method == "binned" else partial(_normal, method=method)
    total = np.full(len(test), np.log(known.sum() / (~known).sum()))
    return total + sum(evidence(x[train], known, x[test]) for x in features.T)


def cross_fitted(features, labels, train, test, method="binned", bins=10, folds=5, seed=0):
    """Scores of all rows by classifiers that never saw them: (n,), NaN for rows in neither half.

    Test rows as by :func:`scores`, whose parameters and errors these are; each of
    ``folds`` stratified parts of the training rows by a classifier fitted to the
    others.  A threshold learned on these training scores holds for test scores.
    """
    features, labels = _checked(features, labels)
    train, folds = np.asarray(train, dtype=int), whole(folds, "folds", 2, len(train), "each fold needs a training row")
    result = np.full(len(labels), np.nan)
    result[test] = scores(features, labels, train, test, method, bins)
    order = np.random.default_rng(seed).permutation(train)
    order = order[np.argsort(labels[order], kind="stable")]
    for k in range(folds):
        fold = np.arange(len(order)) % folds == k
        result[order[fold]] = scores(features, labels, order[~fold], order[fold], method, bins)
    return result


def _checked(features, labels):
    features, labels = np.asarray(features, dtype=float), np.asarray(labels)
    features = features[:, None] if features.ndim == 1 else features
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(f"features of shape {features.shape} and labels of shape {labels.shape}: expected (n, f) and (n,)")
    return features, flags(labels)


def _categorical(codes, known, asked, size):
    """Evidence of categories: ``codes`` of training rows and ``asked`` of test rows, in 0 … size − 1."""
    counts = np.stack([np.bincount(codes[known == c], minlength=size) for c in (False, True)])  # (2, size)
    seen = counts.sum(0) > 0
    share = (counts + 1) / (counts.sum(1, keepdims=True) + seen.sum())
    return np.where(seen, np.log(share[1] / share[0]), 0.0)[asked]


def _binned(x, known, asked, bins):
    present = np.sort(x[~np.isnan(x)])
    edges = np.unique(present[len(present) * np.arange(1, bins) // bins]) if len(present) else present
    edges = edges[edges > present[0]] if len(edges) else edges  # no empty bin below the least value

    def codes(values):
        return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))

    return _categorical(codes(x), known, codes(asked), len(edges) + 2)


def _normal(x, known, asked, method):
    missing, unknown = np.isnan(x), np.isnan(asked)
    total = _categorical(missing.astype(int), known, unknown.astype(int), 2)
    x, known = x[~missing], known[~missing]
    if min(known.sum(), (~known).sum()) < 2:
        return total  # a class without a variance: only whether there is a value counts
    values = (_normal_scores if method == "ranked" else _scaled)(x, np.where(unknown, x[0], asked))
    if values is None:
        return total
    x, asked = values
    floor = _FLOOR * x.var()
    evidence = 0.0
    for sign, chosen in ((1, x[known]), (-1, x[~known])):
        variance = chosen.var() + floor
        evidence = evidence - sign * 0.5 * (np.log(variance) + (asked - chosen.mean()) ** 2 / variance)
    return np.where(unknown, total, total + evidence)


def _normal_scores(x, asked):
    """Φ⁻¹ of the mean rank among x over n + 1, for x and for what is asked; None for constant x."""
    order = np.sort(x)
    if order[0] == order[-1]:
        return None

    def score(values):
        twice = np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right") + 1
        return ndtri(np.clip(twice / (2 * (len(order) + 1)), 1 / (len(order) + 1), len(order) / (len(order) + 1)))

    return score(x), score(asked)


def _scaled(x, asked):
    """Both within the range of finite x, and in its largest size, so that no square overflows; None for constant x."""
    finite = x[np.isfinite(x)]
    if not len(finite) or finite.min() == finite.max():
        return None
    low, high = finite.min(), finite.max()
    size = max(abs(low), abs(high))
    return np.clip(x, low, high) / size, np.clip(asked, low, high) / size
