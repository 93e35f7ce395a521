"""Exponents, their share p and arrivals against the learning rate, from a sweep's dataset.

``data`` is the dataset of a sweep, computed here or published.  An initial condition whose
distances have no window of growth counts as *regular*, one of which a network or a copy overflows
as *diverged*; neither counts towards p.

Intervals are over initial conditions.  Those of what compares learning rates are percentiles of a
bootstrap that takes the same initial conditions at every rate, since the rates of a sweep share
them; fewer than 5 have an estimate and no interval.
"""

import json
from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp

from ... import lyapunov
from ...lyapunov import growth_fits
from ...statistics.intervals import (
    Interval,
    bootstrap_interval,
    percentile_interval,
    share_interval,
)
from ...tasks import networks
from ...training.gradient_descent import GradientDescent
from ...training.observables import first_hit
from ...validation import whole

_NOTHING = Interval(np.nan, np.nan, np.nan)
_NO_CURVES = growth_fits.Fit("", *np.empty((5, 0)), np.empty(0, dtype=object))
_RESAMPLES = 2000
#: Two sets of τ with a smaller p are of two distributions.
LEVEL = 0.01


@dataclass(frozen=True)
class Exponents:
    """λ_nMLE and p at each of k learning rates, under one window rule.

    Lists of length k: ``exponent`` (mean of the kept Λ, 1/epoch) and ``share`` (p) are
    :class:`~netdyn_lib.statistics.intervals.Interval`; ``slopes``, ``keeps`` and ``reasons`` hold
    Λ, which are kept, and why there is no Λ, (n,) each.  Arrays (k,): ``sd``, the standard
    deviation of the kept, and the numbers of initial conditions ``count``, ``kept``, ``diverged``.
    """

    rule: str
    rates: np.ndarray
    exponent: list
    share: list
    sd: np.ndarray
    count: np.ndarray
    kept: np.ndarray
    diverged: np.ndarray
    slopes: list
    keeps: list
    reasons: list

    def at(self, rate):
        """Return λ_nMLE at a learning rate, an Interval."""
        return self.exponent[index(self.rates, rate)]

    def without(self):
        """Return why there is no λ_nMLE, a line for each learning rate that has none."""
        rows = zip(self.rates, self.exponent, self.reasons, self.keeps)
        return "\n".join(
            f"η = {rate:g}: no exponent; {growth_fits.why(reasons, keeps)}"
            for rate, exponent, reasons, keeps in rows
            if np.isnan(exponent.estimate)
        )


@dataclass(frozen=True)
class Arrivals:
    """Epochs τ to the target accuracy at each of k learning rates.

    Lists of Intervals: ``mean`` is ⟨τ⟩ over the networks that arrive within ``cap`` epochs, as the
    papers take it; ``never`` the share that do not; ``restricted`` the mean of min(τ, cap) over
    all, which is lower than the true mean but leaves nobody out.  ``times`` (k, n) are NaN for
    never, and for what was not computed; ``present`` (k, n) bool says what was.
    """

    rates: np.ndarray
    cap: int
    mean: list
    never: list
    restricted: list
    times: np.ndarray
    present: np.ndarray

    @property
    def spent(self):
        """min(τ, cap), (k, n), of the n initial conditions computed at every learning rate."""
        there = self.present.all(0)
        if not there.any():
            raise ValueError(
                "no initial condition was computed at every learning rate: "
                "the sweep has hardly begun"
            )
        return np.where(np.isnan(self.times), self.cap, self.times)[:, there]

    def reached(self, rate=None):
        """Return in words how many networks arrive at a learning rate, or at any without one."""
        k = slice(None) if rate is None else [index(self.rates, rate)]
        arrived = int((~np.isnan(self.times[k])).any(0).sum())
        count = int(self.present[k].any(0).sum())
        which = f"{arrived or 'none'} of {count} networks arrive{'s' * (arrived < 2)}"
        return f"{which} within {self.cap:,} epochs"


def log_mean_distance(data):
    """Return ln d̄(t), (eta, epoch, init); NaN where a network diverged or is missing."""
    if "log_mean_distance" in data:
        logs = data["log_mean_distance"]
    else:
        with np.errstate(divide="ignore"):
            logs = np.log(data["distance"].mean("perturbation", skipna=False))
    return logs.transpose("eta", "epoch", "init").values.astype(float)


def exponents(data, rule="best_fit", seed=0, **options):
    """Return λ_nMLE and p at every learning rate of a sweep, :class:`Exponents`.

    ``rule`` and ``options`` are a window rule and its options, as for
    :func:`netdyn_lib.lyapunov.growth_fits.exponents`; ``seed`` is that of the bootstrap.
    """
    fits = [
        growth_fits.exponents(np.exp(curves[:, there]), rule, **options)
        if there.any()
        else _NO_CURVES
        for curves, there in zip(log_mean_distance(data), data["present"].values)
    ]
    return collect(fits, data["eta"].values, seed)


def tangent_exponents(task, rates, balls, epochs=100, seed=0):
    """Return λ and p by the tangent rule, without a window, at several learning rates.

    Tangent vectors start along the displacements of perturbed copies, ``balls`` (n, 1 + M, P): they
    are the linear counterpart of the same ε-balls.  p is the share with Λ > 0.05; see
    :func:`netdyn_lib.lyapunov.growth_fits.tangent`.
    """
    directions, fits = networks.displacements(balls), []
    for rate in rates:
        product = GradientDescent(task, rate).product
        growth = lyapunov.growth(product, balls[:, 0], directions, epochs, order=1, workers=2)
        fits.append(growth_fits.tangent(lyapunov.mean_growth(growth)))
    return collect(fits, rates, seed)


def collect(fits, rates, seed=0):
    """Return :class:`Exponents` from a :class:`~netdyn_lib.lyapunov.growth_fits.Fit` a rate."""
    keeps = [fit.kept() for fit in fits]
    kept = [fit.slope[k] for fit, k in zip(fits, keeps)]
    return Exponents(
        rule=next((fit.rule for fit in fits if fit.rule), ""),
        rates=np.asarray(rates, dtype=float),
        exponent=[_mean(slopes, seed) for slopes in kept],
        share=[share_interval(k) if len(k) else _NOTHING for k in keeps],
        sd=np.array([slopes.std(ddof=1) if len(slopes) > 1 else np.nan for slopes in kept]),
        count=np.array([len(k) for k in keeps]),
        kept=np.array([len(slopes) for slopes in kept]),
        diverged=np.array([sum(r.startswith("diverged") for r in fit.reason) for fit in fits]),
        slopes=[fit.slope for fit in fits],
        keeps=keeps,
        reasons=[fit.reason for fit in fits],
    )


def multiverse(data, seed=0):
    """Return :func:`exponents` under each of :data:`~netdyn_lib.lyapunov.growth_fits.READINGS`."""
    readings = growth_fits.READINGS.items()
    return {name: exponents(data, seed=seed, **options) for name, options in readings}


def by_length(data, lengths, rule="best_fit", seed=0, **options):
    """Return p and λ_nMLE had the same distances been recorded for fewer epochs.

    A window rule chooses among the windows of the whole record, so that what comes after growth
    has ended can move the window, and with it p and λ.  ``lengths`` are last epochs T.

    Returns
    -------
    pandas.DataFrame
        A row for each learning rate and length, ``rate`` and ``epochs``: p as ``share``, λ in
        1/epoch as ``exponent`` (NaN where none is kept), their ends ``…_low`` and ``…_high``, and
        numbers of initial conditions, ``count`` and ``kept``.
    """
    import pandas as pd

    last, rows = int(data["epoch"].values[-1]), []
    for length in lengths:
        length = whole(length, "length", 1, last, cause=f"the record ends at epoch {last}")
        found = exponents(data.sel(epoch=slice(0, length)), rule, seed, **options)
        for k, rate in enumerate(found.rates):
            ends = [*found.share[k], *found.exponent[k]]
            rows.append([rate, length, *ends, found.count[k], found.kept[k]])
    names = [f"{name}{end}" for name in ("share", "exponent") for end in ("", "_low", "_high")]
    table = pd.DataFrame(rows, columns=["rate", "epochs", *names, "count", "kept"])
    return table.sort_values(["rate", "epochs"], ignore_index=True)


def saturation_epochs(data, rate):
    """Return the epochs at which distances stop growing at one learning rate, (m,).

    Of the m initial conditions that grow by the rule :func:`~netdyn_lib.lyapunov.growth_fits.ramp`
    (R² > 0.9 and Λ > 0.05), the epoch at which the ramp meets its upper plateau, 2 at the earliest:
    no least length of a window bounds it from below.
    """
    curves = log_mean_distance(data)[index(data["eta"].values, rate)]
    curves = curves[:, np.isfinite(curves).all(0)]
    fit = growth_fits.ramp(np.exp(curves)) if curves.shape[1] else _NO_CURVES
    return fit.stop[fit.kept()].astype(float)


def arrivals(data, sustained=False, seed=0, target=None):
    """Return ⟨τ⟩, and the share that never arrives, at every learning rate, :class:`Arrivals`.

    ``sustained`` takes the first of 20 epochs in a row (or as many as the sweep says) at the
    target, in place of the first epoch.  Another ``target`` than the task's is looked for in the
    epochs whose accuracies are there, and these are then the cap.
    """
    sweep = json.loads(data.attrs["sweep"])
    if target is not None:
        cap, row = sweep["epochs"], sweep["sustained"] if sustained else 1
        curves = data["test_accuracy"].transpose("epoch", "eta", "init").values
        times = first_hit(data["epoch"].values, curves, target, row)
    elif "first_hit" in data:
        cap, name = sweep["cap"], "sustained_hit" if sustained else "first_hit"
        times = data[name].transpose("eta", "init").values
    else:
        raise ValueError("this sweep searched no arrivals: its cap is 0")
    present = data["present"].values
    here = [row[there] for row, there in zip(times, present)]
    return Arrivals(
        rates=data["eta"].values,
        cap=cap,
        mean=[_mean(tau[~np.isnan(tau)], seed) for tau in here],
        never=[share_interval(np.isnan(tau)) if len(tau) else _NOTHING for tau in here],
        restricted=[_mean(np.where(np.isnan(tau), cap, tau), seed) for tau in here],
        times=np.where(present, times, np.nan),
        present=present,
    )


def sharpness_at(data, rate):
    """Return the epochs at which sharpness was taken (k,), and it in units of 2/η, (k, n).

    At the swept learning rate nearest to ``rate``, of the networks whose sharpness was taken.
    """
    rates = data["eta"].values
    near = int(np.abs(np.log(rates / rate)).argmin())
    sharp = data["sharpness"].transpose("eta", "sharp_epoch", "init").values[near].astype(float)
    scaled = sharp * rates[near] / 2
    return data["sharp_epoch"].values, scaled[:, ~np.isnan(scaled).all(0)]


def fastest(arrivals, seed=0):
    """Return the learning rate of the least mean of min(τ, cap), an Interval.

    The smallest of equals.
    """
    return resampled(
        lambda spent: arrivals.rates[spent.mean(1).argmin()], arrivals.spent, seed=seed
    )


def onset(exponents, level=0.5, seed=0):
    """Return the least learning rate with p ≥ ``level``, twice the largest where none has."""
    few = min(len(keeps) for keeps in exponents.keeps)  # a sweep cut short has the first ones
    rates = np.append(exponents.rates, 2 * exponents.rates[-1])

    def first(keeps):
        return rates[np.append(keeps.mean(1) >= level, True).argmax()]

    return resampled(first, np.array([keeps[:few] for keeps in exponents.keeps]), seed=seed)


def rise(arrivals, rate, seed=0):
    """Return the mean of min(τ, cap) at a learning rate over its least value, an Interval."""
    k = index(arrivals.rates, rate)
    return resampled(lambda t: t[k].mean() / t.mean(1).min(), arrivals.spent, seed=seed)


def slowdown(slow, fast, seed=0):
    """Return the least mean of min(τ, cap) of one sweep over that of another, an Interval.

    The two have initial conditions of their own, and are resampled apart.
    """
    best, draws = [], []
    for k, one in enumerate((slow, fast)):
        spent = one.spent
        best.append(spent.mean(1).min())
        draws.append([spent[:, p].mean(1).min() for p in _picks(spent.shape[1], seed + k)])
    few = min(slow.spent.shape[1], fast.spent.shape[1])
    return percentile_interval(best[0] / best[1], np.divide(*draws), count=few)


def coincidence(exponents, arrivals, level=0.1, seed=0):
    """Count the steps on the grid from the fastest learning rate to the onset of sensitivity.

    The onset is the least η with p ≥ ``level``.  A draw of the bootstrap without steps to count
    counts as the number of learning rates, more than any step, so that the interval is wide.

    Returns
    -------
    steps : Interval
        NaN, with its ends, where there are no steps to count: nothing arrives within the cap at
        any η, p never is as large, or is so at the smallest η already.
    why : str
        Why there are none; empty where there are.
    """
    present = arrivals.present
    if [len(kept) for kept in exponents.keeps] != present.sum(1).tolist():
        raise ValueError(
            f"exponents of {[len(k) for k in exponents.keeps]} initial conditions at each rate, "
            f"and arrivals of {present.sum(1).tolist()}: must be of one sweep"
        )
    keeps = np.zeros(present.shape, bool)  # (k, n)
    keeps[present] = np.concatenate(exponents.keeps)
    keeps = keeps[:, present.all(0)]

    def steps(spent, keeps):
        sensitive = keeps.mean(1) >= level
        if sensitive[0] or not sensitive.any() or (spent >= arrivals.cap).all():
            return float(len(spent))
        return float(abs(int(spent.mean(1).argmin()) - int(sensitive.argmax())))

    p, why = keeps.mean(1), []
    if (arrivals.spent >= arrivals.cap).all():
        why.append(f"no network arrives before epoch {arrivals.cap:,} at any learning rate")
    if (p < level).all():
        why.append(f"the share sensitive is below {level:g} at every learning rate")
    elif p[0] >= level:
        why.append(f"the share sensitive is {p[0]:.2g} at the smallest learning rate already")
    if why:
        return _NOTHING, ", and ".join(why)
    return resampled(steps, arrivals.spent, keeps, seed=seed), ""


def cut_short(claim, ratio, largest):
    """Return why a ratio that the cap keeps at or below ``largest`` cannot be judged, or "".

    A test must be able to meet its claim.  And where all networks are cut off, the ratio is the
    cap's: enough for a claim of at least so much, but not for one of at most so much.
    """
    asked = claim.reproduced
    if asked.low is not None and largest < asked.low:
        return f"With this cap the ratio cannot exceed {largest:.2f}, where {asked} is asked."
    if asked.high is not None and ratio >= largest * (1 - 1e-9):
        return (
            f"All networks are cut off at the cap: {ratio:.2f} is the largest ratio that it allows."
        )
    return ""


def resampled(statistic, *arrays, seed=0):
    """Return a statistic of arrays (k, n), resampled along their second axis together.

    ``statistic(*arrays)`` is a number; the result an Interval.
    """
    draws = [statistic(*(a[:, p] for a in arrays)) for p in _picks(arrays[0].shape[1], seed)]
    return percentile_interval(float(statistic(*arrays)), draws, count=arrays[0].shape[1])


def same_arrivals(mine, theirs, cap, factor=1.5, seed=0):
    """Test whether two sets of training times τ have one distribution.

    At a learning rate where training is chaotic, rounding changes τ, and only distributions can be
    compared.  Two-sample Kolmogorov–Smirnov test of min(τ, cap).  Where the sets share their
    initial conditions it errs towards agreement.

    Parameters
    ----------
    mine, theirs : array_like, shapes (n,) and (m,)
        Epochs, NaN for never within ``cap``.
    factor : float
        The change of τ for which the power is said.

    Returns
    -------
    p : float
        Of the test.
    power : float
        Probability, by a bootstrap of ``theirs``, of p < :data:`LEVEL` were ``mine`` so many times
        as long.

    >>> tau = np.arange(20.0, 70.0)
    >>> p, power = same_arrivals(tau, tau[::-1], cap=1000)
    >>> p, power > 0.95
    (1.0, True)
    """
    mine, theirs = (np.where(np.isnan(t), cap, t) for t in (mine, theirs))
    rng, count = np.random.default_rng(seed), (len(mine), len(theirs))
    draws = ([rng.choice(theirs, n) for n in count] for _ in range(200))
    found = [ks_2samp(np.minimum(a * factor, cap), b).pvalue < LEVEL for a, b in draws]
    return float(ks_2samp(mine, theirs).pvalue), float(np.mean(found))


def index(rates, rate):
    """Return where a learning rate stands among those swept."""
    found = np.flatnonzero(np.isclose(rates, rate))
    if not len(found):
        raise ValueError(f"η = {rate} was not swept; there are: {np.asarray(rates).tolist()}")
    return int(found[0])


def _picks(count, seed):
    return np.random.default_rng(seed).integers(0, count, (_RESAMPLES, count))


def _mean(values, seed):
    if len(values) > 1:
        return bootstrap_interval(values, seed=seed)
    return Interval(float(values[0]), np.nan, np.nan) if len(values) else _NOTHING
