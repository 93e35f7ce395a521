"""Exponents beside arrivals: do they change at the same learning rate?  Each answer with an
interval.

Intervals are percentiles of a bootstrap that draws initial conditions anew, the
same ones at every learning rate, since the rows of a sweep share them; none for
fewer than 5 (:func:`netdyn_lib.statistics.intervals.percentile_interval`).
"""

import numpy as np

from ...statistics.intervals import Interval, percentile_interval, share_interval

_RESAMPLES = 2000


def times(arrivals):
    """min(τ, cap) of every network, (k, n): what it spends if it is given up at the cap.

    Of the n initial conditions that were computed at every learning rate;
    ValueError where there is none.
    """
    whole = _whole(arrivals)
    return np.where(np.isnan(arrivals.times[:, whole]), arrivals.cap, arrivals.times[:, whole])


def _whole(arrivals):
    whole = np.flatnonzero(arrivals.present.all(0))
    if not len(whole):
        raise ValueError(
            "no initial condition was computed at every learning rate: the sweep has hardly begun"
        )
    return whole


def fastest(arrivals, seed=0):
    """Learning rate of the least mean of min(τ, cap), the smallest of equals; an Interval of rates
    of the grid.
    """
    return _boot(lambda t: float(arrivals.rates[t.mean(1).argmin()]), (times(arrivals),), seed)


def share_at_fastest(exponents, arrivals):
    """p at the learning rate of the least mean of min(τ, cap); an Interval."""
    return exponents.share[int(times(arrivals).mean(1).argmin())]


def rise(arrivals, rate, seed=0):
    """Mean of min(τ, cap) at a learning rate over its least value; an Interval, at least 1."""
    k = _index(arrivals.rates, rate)
    return _boot(lambda t: float(t[k].mean() / t.mean(1).min()), (times(arrivals),), seed)


def slowdown(slow, fast, seed=0):
    """Least mean of min(τ, cap) of one sweep over that of another; an Interval.

    The two have initial conditions of their own, and are resampled apart.
    """
    a, b = (
        _draws(times(x), seed + s, lambda t: t.mean(1).min()) for s, x in enumerate((slow, fast))
    )
    ratio = a[0] / b[0]
    few = min(times(x).shape[1] for x in (slow, fast))
    return percentile_interval(ratio, a[1] / b[1], count=few)


def largest_ratio(arrivals):
    """Cap over the least mean of min(τ, cap): no ratio to that mean can be larger."""
    return float(arrivals.cap / times(arrivals).mean(1).min())


def cut_short(claim, ratio, largest):
    """Why a ratio that the cap keeps at or below ``largest`` cannot be judged; empty where it can.

    A test must be able to meet its claim.  And where all networks are cut off, the
    ratio is the cap's: enough for a claim of at least so much, but not for one of at most so much.
    """
    asked = claim.reproduced
    if asked.low is not None and largest < asked.low:
        return f"With this cap the ratio cannot exceed {largest:.2f}, where {asked} is asked."
    if asked.high is not None and ratio >= largest * (1 - 1e-9):
        return (
            f"All networks are cut off at the cap: {ratio:.2f} is the largest ratio that it allows."
        )
    return ""


def coincidence(exponents, arrivals, level=0.1, seed=0):
    """Steps on the grid between the fastest learning rate and the onset of sensitivity; an
    Interval.

    The onset is the least η with p ≥ ``level``.  NaN, with its ends, where there are no
    steps to count (:func:`uncounted` says why): nothing arrives within the cap at any η, or p
    never is as large, or is so at the smallest η already, so that the onset lies outside the
    grid.  A draw of the bootstrap in which it is so counts as the number of
    learning rates, more than any step, so that the interval is wide.

    Raises
    ------
    ValueError
        For exponents and arrivals of different learning rates or initial conditions.
    """
    keeps = _aligned(exponents, arrivals)

    def steps(t, k):
        if _why_uncounted(t, k, arrivals.cap, level):
            return float(len(k))
        return float(abs(int(t.mean(1).argmin()) - int((k.mean(1) >= level).argmax())))

    if _why_uncounted(times(arrivals), keeps, arrivals.cap, level):
        return Interval(np.nan, np.nan, np.nan)
    return _boot(steps, (times(arrivals), keeps), seed)


def uncounted(exponents, arrivals, level=0.1):
    """Why :func:`coincidence` is NaN, in words; empty where it is not.

    Raises ValueError as that does.
    """
    return _why_uncounted(times(arrivals), _aligned(exponents, arrivals), arrivals.cap, level)


def _why_uncounted(times, keeps, cap, level):
    """``times`` (k, n) and ``keeps`` (k, n) of the same networks."""
    p, why = keeps.mean(1), []
    if (times >= cap).all():
        why.append(f"no network arrives before epoch {cap:,} at any learning rate")
    if (p < level).all():
        why.append(f"the share sensitive is below {level:g} at every learning rate")
    elif p[0] >= level:
        why.append(f"the share sensitive is {p[0]:.2g} at the smallest learning rate already")
    return ", and ".join(why)


def _aligned(exponents, arrivals):
    """Which networks are sensitive, (k, n) bool, of those computed at every learning rate."""
    present = arrivals.present
    if [len(kept) for kept in exponents.keeps] != present.sum(1).tolist():
        raise ValueError(
            f"exponents of {[len(k) for k in exponents.keeps]} initial conditions at each rate, and arrivals of {present.sum(1).tolist()}: must be of one sweep"
        )
    keeps = np.zeros(present.shape, bool)  # (k, n)
    for row, there, kept in zip(keeps, present, exponents.keeps):
        row[there] = kept
    return keeps[:, _whole(arrivals)]


def sensitive_while_fast(exponents, arrivals, factor=1.5):
    """Largest p among the learning rates whose mean of min(τ, cap) is within a factor of the least;
    an Interval.
    """
    means = times(arrivals).mean(1)
    near = np.flatnonzero(means <= factor * means.min())
    return exponents.share[max(near, key=lambda k: exponents.share[k].estimate)]


def least_share(exponents, low, high=np.inf):
    """Least p at learning rates from ``low`` to ``high``; the Interval of the rate that has it."""
    return min(_within(exponents, low, high), key=lambda share: share.estimate)


def largest_share(exponents, low, high=np.inf):
    """Largest p at learning rates from ``low`` to ``high``; the Interval of the rate that has it."""
    return max(_within(exponents, low, high), key=lambda share: share.estimate)


def onset(exponents, level=0.5, seed=0):
    """Least learning rate with p ≥ ``level``, twice the largest where none has; an Interval of
    rates.
    """
    # a sweep that was cut short has the first ones at every rate
    few = min(len(kept) for kept in exponents.keeps)
    keeps = np.array([kept[:few] for kept in exponents.keeps])

    def first(k):
        there = k.mean(1) >= level
        return (
            float(exponents.rates[there.argmax()])
            if there.any()
            else float(2 * exponents.rates[-1])
        )

    return _boot(first, (keeps,), seed)


def arrived(arrivals, rate):
    """Share of networks that arrive within the cap at a learning rate; an Interval."""
    k = _index(arrivals.rates, rate)
    return share_interval(~np.isnan(arrivals.times[k, arrivals.present[k]]))


def at(exponents, rate):
    """λ_nMLE at a learning rate; an Interval."""
    return exponents.exponent[_index(exponents.rates, rate)]


def ratio(race, method, rival, seed=0):
    """Mean of min(τ, cap) of one method's learning rate over a rival's, of a
    :class:`~netdyn_lib.experiments.sweet_spot.Comparison`; an Interval.

    Both trained the same initial conditions, which are resampled together.
    """
    spent = [
        np.where(np.isnan(race.arrivals[m]), race.cap, race.arrivals[m])[None]
        for m in (method, rival)
    ]
    return _boot(lambda a, b: float(a.mean() / b.mean()), spent, seed)


def worst(*found):
    """The Interval of the largest estimate; of one that is NaN where any is, for the largest is
    then unknown.
    """
    return max(
        found, key=lambda interval: np.inf if np.isnan(interval.estimate) else interval.estimate
    )


def _within(exponents, low, high):
    shares = [s for r, s in zip(exponents.rates, exponents.share) if low <= r <= high]
    if not shares:
        raise ValueError(f"no learning rate from {low} to {high} among {exponents.rates.tolist()}")
    return shares


def _index(rates, rate):
    found = np.flatnonzero(np.isclose(rates, rate))
    if not len(found):
        raise ValueError(f"η = {rate} was not swept; there are: {np.asarray(rates).tolist()}")
    return int(found[0])


def _boot(statistic, arrays, seed):
    """Percentile interval of a statistic of arrays (k, n), resampled along their second axis
    together.
    """
    count = arrays[0].shape[1]
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, count, (_RESAMPLES, count))
    drawn = [statistic(*(a[:, p] for a in arrays)) for p in picks]
    return percentile_interval(statistic(*arrays), drawn, count=count)


def _draws(values, seed, statistic):
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, values.shape[1], (_RESAMPLES, values.shape[1]))
    return statistic(values), np.array([statistic(values[:, p]) for p in picks])
