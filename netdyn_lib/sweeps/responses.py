"""How exponents, their share, and arrivals depend on the learning rate: from a sweep's dataset, with intervals.

Initial conditions are the unit of every interval.  An initial condition counts
as *regular* where its distances grow in no window, as *diverged* where it or a
copy overflows; neither counts towards p.
"""

import json
from dataclasses import dataclass

import numpy as np

from .. import lyapunov
from ..observables import first_hit
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
    never, and for what was not computed: ``present`` (k, n) bool says what was.
    """

    rates: np.ndarray
    sustained: bool
    cap: int
    mean: list
    never: list
    restricted: list
    times: np.ndarray
    present: np.ndarray


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
    return collect(rows, data["eta"].values, rule)


def _at_rate(curves, there, rule, seed, options):
    """Exponents of one learning rate; ``curves`` (T, n) and ``there`` (n,)."""
    curves = curves[:, there]
    whole = np.isfinite(curves).all(0)  # −inf: copies that met their reference; they have not grown
    met = (curves == -np.inf).any(0) & ~np.isnan(curves).any(0)
    slopes, keeps = np.full(len(whole), np.nan), np.zeros(len(whole), bool)
    name = None
    if whole.any():
        fit = lyapunov.exponents(np.exp(curves[:, whole]), rule, **options)
        slopes[whole], keeps[whole], name = fit.slope, fit.kept(), fit.rule
    return row(slopes, keeps, int((~whole & ~met).sum()), seed, name)


def row(slopes, keeps, diverged, seed, rule):
    """What :class:`Exponents` says of one learning rate: from Λ (n,), NaN for none, and which are kept (n,) bool."""
    kept, known = slopes[keeps], slopes[~np.isnan(slopes)]
    return dict(
        rule=rule,
        exponent=_mean(kept, seed),
        everything=_mean(known, seed),
        share=share_interval(keeps) if len(keeps) else _NOTHING,
        sd=kept.std(ddof=1) if len(kept) > 1 else np.nan,
        count=len(keeps),
        kept=len(kept),
        diverged=diverged,
        slopes=slopes,
        keeps=keeps,
    )


def collect(rows, rates, rule=None):
    """:class:`Exponents` from a :func:`row` for each of the learning rates."""
    keys = ("exponent", "everything", "share", "sd", "count", "kept", "diverged", "slopes", "keeps")
    found = {k: [r[k] for r in rows] for k in keys}
    arrays = {k: np.array(found[k]) for k in ("sd", "count", "kept", "diverged")}
    rule = next((r["rule"] for r in rows if r["rule"]), rule)  # none where nothing was whole
    return Exponents(rule, np.asarray(rates, dtype=float), **(found | arrays))


def _mean(values, seed):
    if len(values) > 1:
        return bootstrap_interval(values, seed=seed)
    return Interval(float(values[0]), np.nan, np.nan) if len(values) else _NOTHING


def arrivals(data, sustained=False, seed=0, target=None):
    """⟨τ⟩, and the share that never arrives, at every learning rate of a sweep.

    ``sustained`` takes the first of 20 epochs in a row (or as many as the sweep
    says) at the target, in place of the first epoch.  Another ``target`` than the
    task's is looked for in the epochs whose accuracies are there, and these are
    then the cap.  Raises ValueError for a sweep that searched no arrivals.
    """
    sweep = json.loads(data.attrs["sweep"])
    if target is not None:
        curves = data["test_accuracy"].transpose("epoch", "eta", "init").values
        cap, times = sweep["epochs"], first_hit(data["epoch"].values, curves, target, sweep["sustained"] if sustained else 1)
    elif "first_hit" in data:
        cap, times = sweep["cap"], data["sustained_hit" if sustained else "first_hit"].transpose("eta", "init").values
    else:
        raise ValueError("this sweep searched no arrivals: its cap is 0")
    present = data["present"].values
    mean, never, restricted = [], [], []
    for row, there in zip(times, present):
        here = row[there]
        gone = np.isnan(here)
        mean.append(_mean(here[~gone], seed))
        never.append(share_interval(gone) if len(here) else _NOTHING)
        restricted.append(_mean(np.where(gone, cap, here), seed))
    return Arrivals(data["eta"].values, sustained, cap, mean, never, restricted, np.where(present, times, np.nan), present)


def fit_at(data, rate, rule="best_fit", **options):
    """The growth windows at one learning rate, a :class:`~netdyn_lib.lyapunov.Fit` of all whole curves.

    Curves that are missing, diverged, or whose copies met their reference are
    left out.  Raises ValueError for a rate that was not swept.
    """
    rates = data["eta"].values
    found = np.flatnonzero(np.isclose(rates, rate))
    if not len(found):
        raise ValueError(f"η = {rate} was not swept; there are: {rates.tolist()}")
    curves = log_mean_distance(data)[found[0]]
    return lyapunov.exponents(np.exp(curves[:, np.isfinite(curves).all(0)]), rule, **options)


def losses_at(data, rate):
    """Training losses of the references at one learning rate, (T, n), those present.  Raises ValueError for a rate that was not swept."""
    found = np.flatnonzero(np.isclose(data["eta"].values, rate))
    if not len(found):
        raise ValueError(f"η = {rate} was not swept; there are: {data['eta'].values.tolist()}")
    there = data["present"].values[found[0]]
    return data["loss"].transpose("eta", "epoch", "init").values[found[0]][:, there].astype(float)


def sharpness_at(data, rate):
    """Sharpness in units of 2/η at the sharp epochs, (k, n), of the networks of which it was taken; and those epochs (k,)."""
    rates = data["eta"].values
    near = int(np.abs(np.log(rates / rate)).argmin())
    scaled = data["sharpness"].transpose("eta", "sharp_epoch", "init").values[near].astype(float) * rates[near] / 2
    return data["sharp_epoch"].values, scaled[:, ~np.isnan(scaled).all(0)]
