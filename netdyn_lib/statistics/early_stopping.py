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

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ..validation import positive, whole
from .classification import disjoint
from .intervals import Interval, percentile_interval

_VALUES = 1_000_000  # resampled runs held at a time


@dataclass(frozen=True)
class Plan:
    """When runs are abandoned, and what for.

    Attributes
    ----------
    decision_time, horizon : float
        t and T in epochs, 0 ≤ t ≤ T.
    group : int
        Runs m in a group.
    risk : float
        Share of groups that may be missed on the training half, in [0, 1).
    baseline : str
        The rule that the others are compared with.
    overhead : dict
        From a rule's name to what its score costs each run, in epochs; 0 where not given.
    """

    decision_time: float
    horizon: float
    group: int = 10
    risk: float = 0.05
    baseline: str = "loss"
    overhead: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Saving:
    """What one rule does on the test half.

    ``threshold``: runs with a higher score are abandoned; −inf abandons all.
    Intervals: ``abandoned``, share of runs; ``saved``, share of epochs;
    ``missed``, share of groups.
    """

    threshold: float
    abandoned: Interval
    saved: Interval
    missed: Interval


@dataclass(frozen=True)
class Comparison:
    """Rules by name: ``rules`` to its :class:`Saving`, ``saved`` and ``missed`` to the Interval of
    rule − ``baseline``.
    """

    rules: dict
    saved: dict
    missed: dict
    baseline: str


def savings(
    final_loss: ArrayLike,
    scores: Mapping[str, ArrayLike],
    halves: tuple[ArrayLike, ArrayLike],
    plan: Plan,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Return the epochs saved by each rule at equal best loss: thresholds learned on the training
    half, measured on the test half.

    95% percentile bootstrap intervals over runs: each resample draws both halves,
    the same runs for all rules, and learns the thresholds anew.

    Parameters
    ----------
    final_loss : array, shape (n,)
        NaN or infinite for a run that diverged.  To count losses as equally good,
        make them equal before (``np.maximum(loss, target)``).
    scores : dict
        From a rule's name to the scores of all runs at the decision time, (n,), high for runs to
        abandon; NaN counts as highest.  A classifier's must be
        :func:`netdyn_lib.statistics.classification.cross_fitted`, or the
        threshold is learned on better scores than it is used on.
    halves : pair of arrays of int
        Rows of train and test without one in common, as from
        :func:`netdyn_lib.statistics.classification.split`.
    plan : Plan
    resamples, seed
        As for :func:`netdyn_lib.statistics.intervals.bootstrap_interval`.

    Raises
    ------
    ValueError
        For shapes that do not fit, times out of order, a risk outside
        [0, 1), a half without rows, rows in both, or an unknown rule.
    """
    group, resamples = whole(plan.group, "group", 1), whole(resamples, "resamples", 1)
    horizon, risk = positive(plan.horizon, "horizon", "epochs"), plan.risk
    if not 0 <= plan.decision_time <= horizon:
        what = f"decision_time = {plan.decision_time}"
        raise ValueError(f"{what}: must lie within 0 and the horizon, {horizon:g} epochs")
    if not 0 <= risk < 1:
        raise ValueError(f"risk = {risk}: must be a share of groups, from 0 to below 1")
    for name in (plan.baseline, *plan.overhead):
        if name not in scores:
            raise ValueError(f"no rule {name!r}; there are {', '.join(map(repr, scores))}")
    train, test = disjoint(*halves)
    loss = np.asarray(final_loss, dtype=float)
    if loss.ndim != 1 or not len(train) or not len(test):
        what = f"final_loss of shape {loss.shape}"
        raise ValueError(f"{what}: expected (n,), of at least 1 run in each half")
    loss = np.where(np.isnan(loss), np.inf, loss)
    both = {}
    for name, score in scores.items():
        score = np.asarray(score, dtype=float)
        if score.shape != loss.shape:
            what = f"score of shape {score.shape} for {len(loss)} runs"
            raise ValueError(f"{what}: expected ({len(loss)},)")
        score = np.where(np.isnan(score), np.inf, score)
        both[name] = [_Half(loss[rows], score[rows], group) for rows in (train, test)]

    found: dict[str, list] = {name: [] for name in scores}
    rng, step = np.random.default_rng(seed), max(1, _VALUES // max(len(train), len(test)))
    for start in range(-1, resamples, step):
        rows = min(step, resamples - start)
        weights = [_weights(rng, rows, len(half)) for half in (train, test)]
        if start == -1:  # the first row: every run once
            for some in weights:
                some[:, 0] = 1
        for name, (learn, use) in both.items():
            found[name].append(_measure(learn, use, weights, risk))

    rules, draws = {}, {}
    left = 1 - plan.decision_time / horizon
    for name, parts in found.items():
        threshold, abandoned, missed = np.concatenate(parts, axis=1)
        saved = abandoned * left - plan.overhead.get(name, 0) / horizon
        draws[name] = saved, missed
        measured = map(_interval, (abandoned, saved, missed))
        rules[name] = Saving(float(threshold[0]), *measured)
    others, base = [name for name in scores if name != plan.baseline], draws[plan.baseline]
    saved, missed = ({n: _interval(draws[n][k] - base[k]) for n in others} for k in (0, 1))
    return Comparison(rules, saved, missed, plan.baseline)


def _interval(draws):
    """Interval of what was measured with every run once, first, and then of resamples."""
    return percentile_interval(draws[0], draws[1:])


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

    def curves(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the shares abandoned and missed at each threshold, (k + 1, R), of runs with
        ``weights`` (n, R).
        """
        weights = weights[self.by_loss]
        # (1 − F_i)^m
        best = _power(np.cumsum(weights[::-1], axis=0)[::-1] / len(weights), self.group)
        best[:-1] -= best[1:].copy()
        best[~np.isfinite(self.loss)] = 0
        sums = (np.cumsum(x[self.by_score], axis=0) for x in (weights, best))
        abandoned, missed = (np.pad(x, ((1, 0), (0, 0)))[self.last + 1] for x in sums)
        return abandoned / len(weights), missed


def _measure(learn, use, weights, risk):
    """Thresholds, and on the test half shares abandoned and missed: (3, R)."""
    missed = learn.curves(weights[0])[1]
    # Sums of probabilities: rounding may not decide whether a threshold is allowed.
    threshold = learn.thresholds[(missed <= risk * (1 + 1e-12)).sum(0) - 1]
    # distinct scores above the threshold
    place = np.searchsorted(-use.distinct, -threshold, side="left")
    curves = (curve[place, np.arange(len(place))] for curve in use.curves(weights[1]))
    return np.stack([threshold, *curves])


def _weights(rng, resamples, count):
    """How often each of ``count`` runs is drawn, (count, resamples)."""
    drawn = rng.integers(count, size=(resamples, count)) + count * np.arange(resamples)[:, None]
    times = np.bincount(drawn.ravel(), minlength=resamples * count)
    return times.reshape(resamples, count).T.astype(float, order="C")


def _power(x, exponent):
    """x to a whole power at least 1, by squaring: many times as fast as ``x**exponent``."""
    result = None
    while exponent:
        if exponent & 1:
            result = x.copy() if result is None else result * x
        x, exponent = x * x, exponent >> 1
    return result
