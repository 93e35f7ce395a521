"""How exponents, their share, and arrivals depend on the learning rate: from a sweep's dataset, with intervals.

Initial conditions are the unit of every interval.  An initial condition counts
as *regular* where its distances grow in no window, as *diverged* where it or a
copy overflows; neither counts towards p.
"""

import json
from dataclasses import dataclass

import numpy as np

from .. import lyapunov
from ..resampling import Interval, bootstrap_interval, share_interval

_NOTHING = Interval(np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class Exponents:
    """λ_nMLE and p at each of k learning rates, under one window rule.

    Lists of length k: ``exponent`` (mean of the kept Λ), ``share`` (p) and
    ``everything`` (mean of all Λ that have a window) are
    :class:`~netdyn_lib.resampling.Interval`; ``sd`` (k,) the standard deviation
    of the kept; ``count``, ``kept`` and ``diverged`` (k,) numbers of initial
    conditions; ``slopes`` and ``keeps`` the Λ and which are kept, a list of (n,).
    """

    rule: str
    rates: np.ndarray
    exponent: list
    everything: list
    share: list
    sd: np.ndarray
    count: np.ndarray
    kept: np.ndarray
    diverged: np.ndarray
    slopes: list
    keeps: list


@dataclass(frozen=True)
class Arrivals:
    """Epochs to the target accuracy at each of k learning rates.

    ``mean`` is ⟨τ⟩ over the networks that arrive within ``cap`` epochs, as the
    paper takes it; ``never`` the share that do not; ``restricted`` the mean of
    min(τ, cap) over all, which is lower than the true mean but leaves nobody out.
    Lists of :class:`~netdyn_lib.resampling.Interval`.  ``times`` (k, n), NaN for
    never.
    """

    rates: np.ndarray
    sustained: bool
    cap: int
    mean: list
    never: list
    restricted: list
    times: np.ndarray


def log_mean_distance(data):
    """ln d̄(t) of every initial condition, (eta, epoch, init) array, NaN where it diverged or is missing.

    ``data`` is a sweep's dataset, live or published.
    """
    if "log_mean_distance" in data:
        return data["log_mean_distance"].transpose("eta", "epoch", "init").values.astype(float)
    with np.errstate(divide="ignore"):
        return np.log(data["distance"].mean("perturbation", skipna=False).transpose("eta", "epoch", "init").values)


def exponents(data, rule="best_fit", seed=0, **options):
    """λ_nMLE and p at every learning rate of a sweep.

    Parameters
    ----------
    data : xarray.Dataset
        See :func:`netdyn_lib.sweeps.dataset.load`.
    rule, options
        A window rule and its options, as for :func:`netdyn_lib.lyapunov.exponents`.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Exponents
    """
    curves = log_mean_distance(data)
    rows = [_at_rate(c, there, rule, seed, options) for c, there in zip(curves, data["present"].values)]
    keys = ("exponent", "everything", "share", "sd", "count", "kept", "diverged", "slopes", "keeps")
    found = {k: [row[k] for row in rows] for k in keys}
    arrays = {k: np.array(found[k]) for k in ("sd", "count", "kept", "diverged")}
    return Exponents(rows[0]["rule"], data["eta"].values, **(found | arrays))


def _at_rate(curves, there, rule, seed, options):
    """Exponents of one learning rate; ``curves`` (T, n) and ``there`` (n,)."""
    curves = curves[:, there]
    whole = np.isfinite(curves).all(0)  # −inf: copies that met their reference; they have not grown
    met = (curves == -np.inf).any(0)
    slopes, keeps = np.full(len(whole), np.nan), np.zeros(len(whole), bool)
    name = rule
    if whole.any():
        fit = lyapunov.exponents(np.exp(curves[:, whole]), rule, **options)
        slopes[whole], keeps[whole], name = fit.slope, fit.kept(), fit.rule
    kept, known = slopes[keeps], slopes[~np.isnan(slopes)]
    return dict(
        rule=name,
        exponent=_mean(kept, seed),
        everything=_mean(known, seed),
        share=share_interval(keeps) if len(keeps) else _NOTHING,
        sd=kept.std(ddof=1) if len(kept) > 1 else np.nan,
        count=len(keeps),
        kept=len(kept),
        diverged=int((~whole & ~met).sum()),
        slopes=slopes,
        keeps=keeps,
    )


def _mean(values, seed):
    if len(values) > 1:
        return bootstrap_interval(values, seed=seed)
    return Interval(float(values[0]), np.nan, np.nan) if len(values) else _NOTHING


def arrivals(data, sustained=False, seed=0):
    """⟨τ⟩, and the share that never arrives, at every learning rate of a sweep.

    ``sustained`` takes the first of 20 epochs in a row (or as many as the sweep
    says) at the target, in place of the first epoch.  Raises ValueError for a
    sweep that searched no arrivals.
    """
    if "first_hit" not in data:
        raise ValueError("this sweep searched no arrivals: its cap is 0")
    cap = json.loads(data.attrs["sweep"])["cap"]
    times = data["sustained_hit" if sustained else "first_hit"].transpose("eta", "init").values
    present = data["present"].values
    mean, never, restricted = [], [], []
    for row, there in zip(times, present):
        here = row[there]
        gone = np.isnan(here)
        mean.append(_mean(here[~gone], seed))
        never.append(share_interval(gone) if len(here) else _NOTHING)
        restricted.append(_mean(np.where(gone, cap, here), seed))
    return Arrivals(data["eta"].values, sustained, cap, mean, never, restricted, np.where(present, times, np.nan))


def fastest(found):
    """Learning rate of the least ⟨τ⟩, and of the least mean of min(τ, cap); a pair.  Raises ValueError where nothing arrives."""
    if np.isnan([m.estimate for m in found.mean]).all():
        raise ValueError(f"no network arrives within {found.cap} epochs at any learning rate")
    best = [np.nanargmin([i.estimate for i in values]) for values in (found.mean, found.restricted)]
    return tuple(float(found.rates[k]) for k in best)


def onset(found, level):
    """Least learning rate from which on p is at least ``level``, up to the end of the rise.

    The first η at which p ≥ ``level``; NaN where it never is.
    """
    reached = [i.estimate >= level for i in found.share]
    return float(found.rates[int(np.argmax(reached))]) if any(reached) else np.nan


def best_rate_interval(found, resamples=2000, seed=0, restricted=True):
    """Bootstrap interval of the fastest learning rate, over initial conditions.

    Each resample draws initial conditions anew, the same ones at every rate
    (rows of a sweep share their initial conditions), and takes the η of the
    least mean of min(τ, cap), or of τ over arrivals.

    Returns
    -------
    Interval
        Estimate and 2.5th and 97.5th percentile, all of them rates of the grid.
    """
    times = found.times[:, ~np.isnan(found.times).all(0)] if not restricted else found.times
    values = np.where(np.isnan(times), found.cap, times) if restricted else times
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, values.shape[1], (resamples, values.shape[1]))
    with np.errstate(invalid="ignore"):
        means = np.nanmean(values[:, picks], axis=2) if not restricted else values[:, picks].mean(2)
    best = found.rates[np.nanargmin(means, axis=0)]
    whole = np.nanmean(values, axis=1)
    return Interval(float(found.rates[np.nanargmin(whole)]), *(float(q) for q in np.percentile(best, (2.5, 97.5), method="nearest")))
