"""Does abandoning training runs early, on an indicator, save training?

The definitions are ours.  An *ensemble* is a group of m runs, drawn at random,
trained for the sake of the best of them.  A *rule* gives each run a score at a
decision time t and abandons the runs whose score exceeds a threshold; the
others go on to the horizon T.

- *Missed*: every run that attains the group's least final loss was abandoned.
  A group without any run of finite final loss has nothing to miss.
- *Epochs saved*, as a share of the m T epochs without the rule: q (1 − t/T) − o/T
  for a share q of runs abandoned and an overhead of o epochs' work for each run
  to get its score.
- Rules are compared *at equal best loss*: each has the lowest threshold that
  misses at most a given share of groups (the *risk* r) on the training half.

Groups are drawn with replacement, and their averages are exact: with runs in order
of final loss and F_i the share of runs before run i, run i is the best of a
group with probability p_i = (1 − F_i)^m − (1 − F_{i+1})^m, and the share of groups
missed is the sum of p_i over the abandoned.  Hence what a rule can reach at risk r:
a score that orders runs by their final loss abandons the share r^{1/m}, a score
that knows nothing r, and one that is upside down 1 − (1 − r)^{1/m}.
"""

from dataclasses import dataclass

import numpy as np

from ..validation import positive, whole
from .intervals import Interval, percentile_interval

_VALUES = 1_000_000  # resampled runs held at a time


@dataclass(frozen=True)
class Saving:
    """What one rule does on the test half.

    ``threshold``: runs with a higher score are abandoned; −inf abandons all.
    Intervals: ``abandoned``, share of runs; ``saved``, share of epochs;
    ``missed``, share of groups; ``best_loss_ratio``, the median over groups of
    the best final loss with the rule over that without it (NaN where the
    latter is not finite, infinite where most groups are abandoned whole).
    """

    threshold: float
    abandoned: Interval
    saved: Interval
    missed: Interval
    best_loss_ratio: Interval


@dataclass(frozen=True)
class Comparison:
    """Rules by name: ``rules`` to its :class:`Saving`, ``saved`` and ``missed`` to the Interval of
    rule − ``baseline``.
    """

    rules: dict
    saved: dict
    missed: dict
    baseline: str


def trade_off(final_loss, score, group=10):
    """Share of runs abandoned, and of groups missed, as the threshold falls.

    Parameters
    ----------
    final_loss : array, shape (n,)
        At least 0; NaN or infinite for a run that diverged.  To count losses
        as equally good, make them equal before (``np.maximum(loss, target)``).
    score : array, shape (n,)
        High for runs to abandon; NaN counts as highest.
    group : int
        Runs m in a group.

    Returns
    -------
    threshold, abandoned, missed : array, shape (k + 1,)
        The k distinct scores from the highest, which abandons none, and −inf.

    Raises
    ------
    ValueError
        For shapes that do not fit, no runs, a negative loss, or a group of no runs.

    >>> _, abandoned, missed = trade_off([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], group=2)
    >>> missed == abandoned**2
    array([ True,  True,  True,  True,  True])
    """
    group = whole(group, "group", 1)
    loss = _losses(final_loss)
    half = _Half(loss, _ranked(score, loss), group)
    abandoned, missed = half.curves(np.ones((len(loss), 1)))
    return half.thresholds, abandoned[:, 0], missed[:, 0]


def savings(
    final_loss,
    scores,
    decision_time,
    horizon,
    train,
    test,
    group=10,
    risk=0.05,
    baseline="loss",
    overhead=None,
    level=0.95,
    resamples=1000,
    seed=0,
):
    """Epochs saved by each rule at equal best loss: thresholds learned on the training half,
    measured on the test half.

    Percentile bootstrap intervals over runs: each resample draws both halves,
    the same runs for all rules, and learns the thresholds anew.

    Parameters
    ----------
    final_loss, group
        As for :func:`trade_off`.
    scores : dict
        From a rule's name to the scores of all runs at the decision time, (n,);
        a classifier's must be :func:`netdyn_lib.statistics.classification.cross_fitted`, or the
        threshold is learned on better scores than it is used on.
    decision_time, horizon : float
        t and T in epochs, 0 ≤ t ≤ T.
    train, test : array of int
        Rows without one in common, as from :func:`netdyn_lib.statistics.classification.split`.
    risk : float
        Share of groups that may be missed on the training half, in [0, 1).
    baseline : str
        The rule that the others are compared with.
    overhead : dict, optional
        From a rule's name to what its score costs each run, in epochs; 0 where not given.
    level, resamples, seed
        As for :func:`netdyn_lib.statistics.intervals.bootstrap_interval`.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        As :func:`trade_off`; also for times out of order, a risk outside
        [0, 1), a half without rows, rows in both, or an unknown rule.
    """
    group, resamples, horizon = (
        whole(group, "group", 1),
        whole(resamples, "resamples", 1),
        positive(horizon, "horizon", "epochs"),
    )
    overhead = overhead or {}
    if not 0 <= decision_time <= horizon:
        raise ValueError(
            f"decision_time = {decision_time}: must lie within 0 and the horizon, {horizon:g} epochs"
        )
    if not 0 <= risk < 1:
        raise ValueError(f"risk = {risk}: must be a share of groups, from 0 to below 1")
    for name in (baseline, *overhead):
        if name not in scores:
            raise ValueError(f"no rule {name!r}; there are {', '.join(map(repr, scores))}")
    train, test = np.asarray(train, dtype=int), np.asarray(test, dtype=int)
    if len(both := np.intersect1d(train, test)):
        raise ValueError(
            f"{len(both)} rows, the first {both[0]}, are both in train and test: the test would not be held out"
        )
    loss = _losses(final_loss)
    ranked = {name: _ranked(score, loss) for name, score in scores.items()}
    losses = _losses(loss[train]), _losses(loss[test])
    halves = {
        name: (_Half(losses[0], s[train], group), _Half(losses[1], s[test], group))
        for name, s in ranked.items()
    }

    found = {name: [] for name in scores}
    rng, step = np.random.default_rng(seed), max(1, _VALUES // max(len(train), len(test)))
    for start in range(-1, resamples, step):  # the first row: every run once
        rows = min(step, resamples - start)
        weights = [
            _weights(rng, rows, len(half), whole_first=start == -1) for half in (train, test)
        ]
        for name, (learn, use) in halves.items():
            found[name].append(_measure(learn, use, weights, risk))

    rules, draws = {}, {}
    for name, parts in found.items():
        threshold, abandoned, missed, ratio = np.concatenate(parts, axis=1)
        saved = abandoned * (1 - decision_time / horizon) - overhead.get(name, 0) / horizon
        draws[name] = saved, missed
        rules[name] = Saving(
            float(threshold[0]),
            *(percentile_interval(x[0], x[1:], level) for x in (abandoned, saved, missed, ratio)),
        )
    apart = {
        name: [
            percentile_interval((a - b)[0], (a - b)[1:], level)
            for a, b in zip(draws[name], draws[baseline])
        ]
        for name in scores
        if name != baseline
    }
    return Comparison(
        rules,
        {name: d[0] for name, d in apart.items()},
        {name: d[1] for name, d in apart.items()},
        baseline,
    )


class _Half:
    """Runs of one half, in order of loss and in order of score."""

    def __init__(self, loss, score, group):
        # Of equal losses the lowest score comes first: it is abandoned only after all others.
        self.by_loss = np.lexsort((score, loss))
        self.loss, self.score, self.group = loss[self.by_loss], score[self.by_loss], group
        self.by_score = np.argsort(-self.score, kind="stable")  # of runs in order of loss
        falling = self.score[self.by_score]
        # of each distinct score
        self.last = np.r_[-1, np.flatnonzero(np.r_[falling[1:] != falling[:-1], True])]
        self.distinct = falling[self.last[1:]]
        self.thresholds = np.r_[self.distinct, -np.inf]

    def curves(self, weights):
        """Shares abandoned and missed at each threshold, (k + 1, R), of runs with ``weights`` (n,
        R).
        """
        weights = weights[self.by_loss]
        # (1 − F_i)^m
        best = _power(np.cumsum(weights[::-1], axis=0)[::-1] / len(weights), self.group)
        best[:-1] -= best[1:].copy()
        best[~np.isfinite(self.loss)] = 0
        abandoned, missed = (
            np.pad(np.cumsum(x[self.by_score], axis=0), ((1, 0), (0, 0)))[self.last + 1]
            for x in (weights, best)
        )
        return abandoned / len(weights), missed

    def median_best(self, weights, threshold):
        """Median over groups of the best loss among runs with scores up to ``threshold`` (R,); inf
        where none.
        """
        kept = weights[self.by_loss] * (self.score[:, None] <= threshold)
        enough = np.cumsum(kept, axis=0) >= len(kept) * (1 - 0.5 ** (1 / self.group))
        return np.where(enough.any(0), self.loss[enough.argmax(0)], np.inf)


def _measure(learn, use, weights, risk):
    """Thresholds, and on the test half shares abandoned and missed, and the ratio of losses: (4,
    R).
    """
    missed = learn.curves(weights[0])[1]
    # Sums of probabilities: rounding may not decide whether a threshold is allowed.
    threshold = learn.thresholds[(missed <= risk * (1 + 1e-12)).sum(0) - 1]
    # distinct scores above the threshold
    place = np.searchsorted(-use.distinct, -threshold, side="left")
    abandoned, missed = (curve[place, np.arange(len(place))] for curve in use.curves(weights[1]))
    best, stopped = (
        use.median_best(weights[1], np.full(len(place), np.inf)),
        use.median_best(weights[1], threshold),
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(best == stopped, 1.0, stopped / best)
    return np.stack([threshold, abandoned, missed, np.where(np.isfinite(best), ratio, np.nan)])


def _weights(rng, resamples, count, whole_first):
    """How often each of ``count`` runs is drawn, (count, resamples); all once in the first resample
    where asked.
    """
    drawn = rng.integers(count, size=(resamples, count)) + count * np.arange(resamples)[:, None]
    weights = (
        np.bincount(drawn.ravel(), minlength=resamples * count)
        .reshape(resamples, count)
        .T.astype(float, order="C")
    )
    if whole_first:
        weights[:, 0] = 1
    return weights


def _power(x, exponent):
    """x to a whole power at least 1, by squaring: many times as fast as ``x**exponent``."""
    result = None
    while exponent:
        if exponent & 1:
            result = x.copy() if result is None else result * x
        x, exponent = x * x, exponent >> 1
    return result


def _losses(final_loss):
    loss = np.asarray(final_loss, dtype=float)
    if loss.ndim != 1 or not len(loss):
        raise ValueError(
            f"final_loss of shape {loss.shape}: expected (n,), of at least 1 run in each half"
        )
    if (loss < 0).any():
        raise ValueError(
            f"final loss {loss[loss < 0][0]}: must not be negative, for ratios of losses to mean something"
        )
    return np.where(np.isnan(loss), np.inf, loss)


def _ranked(score, loss):
    score = np.asarray(score, dtype=float)
    if score.shape != loss.shape:
        raise ValueError(
            f"score of shape {score.shape} for {len(loss)} runs: expected ({len(loss)},)"
        )
    return np.where(np.isnan(score), np.inf, score)
