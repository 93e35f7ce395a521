"""How exponents, their share, and arrivals depend on the learning rate: from a sweep's dataset,
with intervals.

Initial conditions are the unit of every interval.  An initial condition counts
as *regular* where its distances grow in no window, as *diverged* where it or a
copy overflows; neither counts towards p.
"""

import json
from dataclasses import dataclass

import numpy as np

from ...lyapunov import growth_fits
from ...statistics.intervals import Interval, bootstrap_interval, median, share_interval
from ...training import judgements
from ...training.observables import first_hit
from ...validation import whole

_NOTHING = Interval(np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class Exponents:
    """λ_nMLE and p at each of k learning rates, under one window rule.

    Lists of length k: ``exponent`` (mean of the kept Λ), ``share`` (p) and
    ``everything`` (mean of all Λ that have a window) are
    :class:`~netdyn_lib.statistics.intervals.Interval`; ``sd`` (k,) the standard deviation
    of the kept; ``count``, ``kept`` and ``diverged`` (k,) numbers of initial conditions; ``slopes``
    and ``keeps`` the Λ and which are kept, a list of (n,), and ``reasons`` why an initial condition
    has no Λ, as of :class:`~netdyn_lib.lyapunov.growth_fits.Fit`.
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
    reasons: list

    def without(self):
        """Why there is no λ_nMLE, at each learning rate that has none; a text, one on each line."""
        rows = zip(self.rates, self.exponent, self.reasons, self.keeps)
        return "\n".join(
            f"η = {rate:g}: no exponent; {growth_fits.why(reasons, keeps)}"
            for rate, exponent, reasons, keeps in rows
            if np.isnan(exponent.estimate)
        )


@dataclass(frozen=True)
class Arrivals:
    """Epochs to the target accuracy at each of k learning rates.

    ``mean`` is ⟨τ⟩ over the networks that arrive within ``cap`` epochs, as the
    paper takes it; ``never`` the share that do not; ``restricted`` the mean of
    min(τ, cap) over all, which is lower than the true mean but leaves nobody out.
    Lists of :class:`~netdyn_lib.statistics.intervals.Interval`.  ``times`` (k, n), NaN for
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


@dataclass(frozen=True)
class Reached:
    """How many of some networks arrive within ``cap`` epochs; as text, a sentence without its full
    stop.

    >>> str(Reached(0, 12, 60)), str(Reached(1, 12, 60)), str(Reached(12, 12, 1000))
    ('none of 12 networks arrives within 60 epochs', '1 of 12 networks arrives within 60 epochs',
    'all 12 networks arrive within 1,000 epochs')
    """

    arrived: int
    networks: int
    cap: int

    @property
    def never(self):
        """Networks that do not arrive."""
        return self.networks - self.arrived

    def __str__(self):
        if not self.networks:
            return "no network was followed"
        if self.networks == 1:
            return f"the one network {'arrives' if self.arrived else 'does not arrive'} within {self.cap:,} epochs"
        if self.arrived == self.networks:
            return f"all {self.networks} networks arrive within {self.cap:,} epochs"
        return f"{self.arrived or 'none'} of {self.networks} networks arrive{'s' * (self.arrived < 2)} within {self.cap:,} epochs"


@dataclass(frozen=True)
class Saturation:
    """When the growth of distances ends at one learning rate.

    ``corner`` and ``half`` are (m,) epochs of the m initial conditions that grow, ``growing`` of
    ``count``; ``corner_median`` and ``half_median`` their medians, Intervals, NaN where none grows.
    """

    rate: float
    corner: np.ndarray
    half: np.ndarray
    count: int
    growing: int
    corner_median: Interval
    half_median: Interval


def log_mean_distance(data):
    """ln d̄(t) of every initial condition, (eta, epoch, init) array, NaN where it diverged or is
    missing.

    ``data`` is a sweep's dataset, live or published.
    """
    if "log_mean_distance" in data:
        return data["log_mean_distance"].transpose("eta", "epoch", "init").values.astype(float)
    with np.errstate(divide="ignore"):
        return np.log(
            data["distance"]
            .mean("perturbation", skipna=False)
            .transpose("eta", "epoch", "init")
            .values
        )


def exponents(data, rule="best_fit", seed=0, **options):
    """λ_nMLE and p at every learning rate of a sweep.

    Parameters
    ----------
    data : xarray.Dataset
        See :func:`netdyn_lib.experiments.campaign.load`.
    rule, options
        A window rule and its options, as for :func:`netdyn_lib.lyapunov.growth_fits.exponents`.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Exponents
    """
    curves = log_mean_distance(data)
    rows = [
        _at_rate(c, there, rule, seed, options) for c, there in zip(curves, data["present"].values)
    ]
    return collect(rows, data["eta"].values, rule)


def multiverse(data, seed=0):
    """:func:`exponents` under each of :data:`netdyn_lib.lyapunov.growth_fits.READINGS`, by its
    name.
    """
    readings = growth_fits.READINGS.items()
    return {name: exponents(data, seed=seed, **options) for name, options in readings}


def by_length(data, lengths, rule="best_fit", seed=0, **options):
    """p and λ_nMLE of the same networks and copies, had their distances been recorded for fewer
    epochs.

    A window rule chooses among the windows of the whole record, so that what
    comes after growth has ended can move the window, and with it p and λ.

    Parameters
    ----------
    data : xarray.Dataset
        A sweep's.
    lengths : sequence of int
        Last epochs T of the record; ln d̄(t) is cut after each.
    rule, seed, options
        As for :func:`exponents`; ``min_length`` of best_fit is 20 where not given.

    Returns
    -------
    pandas.DataFrame
        A row for each learning rate and length, ``rate`` and ``epochs``: p as ``share``,
        ``share_low`` and ``share_high``, λ in 1/epoch as ``exponent``, ``exponent_low`` and
        ``exponent_high`` (NaN where none is kept), and numbers of initial conditions, ``count`` and
        ``kept``.

    Raises
    ------
    ValueError
        For a length beyond the record, and as the window rule does for one too short for a window.
    """
    import pandas as pd

    last, rows = int(data["epoch"].values[-1]), []
    for length in lengths:
        length = whole(length, "length", 1, last, cause=f"the record ends at epoch {last}")
        found = exponents(data.sel(epoch=slice(0, length)), rule, seed, **options)
        for k, rate in enumerate(found.rates):
            share, exponent = found.share[k], found.exponent[k]
            row = dict(
                rate=rate,
                epochs=length,
                share=share.estimate,
                share_low=share.low,
                share_high=share.high,
            )
            row |= dict(
                exponent=exponent.estimate, exponent_low=exponent.low, exponent_high=exponent.high
            )
            rows.append(row | dict(count=int(found.count[k]), kept=int(found.kept[k])))
    return pd.DataFrame(rows).sort_values(["rate", "epochs"], ignore_index=True)


def shares_in_words(table, epochs):
    """p at every learning rate of a table of :func:`by_length`, over records of so many epochs, in
    words.  ValueError for a length it lacks.
    """
    rows = table[table["epochs"] == epochs]
    if not len(rows):
        raise ValueError(
            f"epochs = {epochs}: the table has records of {', '.join(str(n) for n in sorted(set(table['epochs'])))}"
        )
    return ", ".join(
        f"{share:.2f} at η = {rate:g}" for rate, share in zip(rows["rate"], rows["share"])
    )


def saturation_epochs(data, rate, seed=0):
    """When distances stop growing at one learning rate, by two measures that no least length of a
    window bounds from below.

    ``corner`` is the epoch at which the line of the rule
    :func:`~netdyn_lib.lyapunov.growth_fits.ramp` meets its upper plateau, 2 at the earliest.
    ``half`` is the first epoch at which ln d̄ has made half of its way from its
    value at epoch 0 to that plateau, so growth at an even pace from the start ends at twice that.
    Curves count that grow by that rule, R² > 0.9 and Λ > 0.05.

    Parameters
    ----------
    data : xarray.Dataset
        A sweep's.
    rate : float
        A learning rate of it.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Saturation

    Raises
    ------
    ValueError
        For a rate that was not swept.
    """
    k = _index(data, rate)
    curves = log_mean_distance(data)[k][:, data["present"].values[k]]
    count, curves = curves.shape[1], curves[:, np.isfinite(curves).all(0)]
    corner = half = np.empty(0)
    if curves.shape[1]:
        fit = growth_fits.ramp(np.exp(curves))
        grows = fit.kept()
        plateau = (fit.intercept + fit.slope * fit.stop)[grows]
        corner, curves = fit.stop[grows].astype(float), curves[:, grows]
        half = (curves >= (curves[0] + plateau) / 2).argmax(0).astype(float)
    middle = [_mean(e, seed, median) for e in (corner, half)]
    return Saturation(float(data["eta"].values[k]), corner, half, count, len(corner), *middle)


def _at_rate(curves, there, rule, seed, options):
    """Exponents of one learning rate; ``curves`` (T, n) and ``there`` (n,)."""
    if not there.any():
        return row(np.empty(0), np.empty(0, bool), seed, None)
    fit = growth_fits.exponents(np.exp(curves[:, there]), rule, **options)
    return row(fit.slope, fit.kept(), seed, fit.rule, fit.reason)


def row(slopes, keeps, seed, rule, reasons=None):
    """What :class:`Exponents` says of one learning rate.

    From Λ (n,), NaN for none, which are kept (n,) bool, and why there is none (n,), empty where
    there is.
    """
    kept, known = slopes[keeps], slopes[~np.isnan(slopes)]
    reasons = np.full(len(keeps), "") if reasons is None else reasons
    return dict(
        rule=rule,
        exponent=_mean(kept, seed),
        everything=_mean(known, seed),
        share=share_interval(keeps) if len(keeps) else _NOTHING,
        sd=kept.std(ddof=1) if len(kept) > 1 else np.nan,
        count=len(keeps),
        kept=len(kept),
        diverged=sum(reason.startswith("diverged") for reason in reasons),
        slopes=slopes,
        keeps=keeps,
        reasons=reasons,
    )


def collect(rows, rates, rule=None):
    """:class:`Exponents` from a :func:`row` for each of the learning rates."""
    keys = ("exponent", "everything", "share", "sd", "count", "kept", "diverged")
    keys += ("slopes", "keeps", "reasons")
    found = {k: [r[k] for r in rows] for k in keys}
    arrays = {k: np.array(found[k]) for k in ("sd", "count", "kept", "diverged")}
    rule = next((r["rule"] for r in rows if r["rule"]), rule)  # none where nothing was whole
    return Exponents(rule, np.asarray(rates, dtype=float), **(found | arrays))


def _mean(values, seed, statistic=np.mean):
    if len(values) > 1:
        return bootstrap_interval(values, statistic, seed=seed)
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
        cap, times = (
            sweep["epochs"],
            first_hit(data["epoch"].values, curves, target, sweep["sustained"] if sustained else 1),
        )
    elif "first_hit" in data:
        cap, times = (
            sweep["cap"],
            data["sustained_hit" if sustained else "first_hit"].transpose("eta", "init").values,
        )
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
    return Arrivals(
        data["eta"].values,
        sustained,
        cap,
        mean,
        never,
        restricted,
        np.where(present, times, np.nan),
        present,
    )


def reached(arrivals, rate=None):
    """How many networks of :class:`Arrivals` arrive within the cap, at one learning rate or,
    without one, at any of them.

    At any rate, a network is an initial condition that was computed at one rate at least, and
    arrives if it does at one at least.  Returns :class:`Reached`; raises ValueError for a rate that
    was not swept.
    """
    if rate is None:
        there = arrivals.present.any(0)
        return Reached(
            int((~np.isnan(arrivals.times[:, there])).any(0).sum()), int(there.sum()), arrivals.cap
        )
    k = _index_of(arrivals.rates, rate)
    times = arrivals.times[k, arrivals.present[k]]
    return Reached(int((~np.isnan(times)).sum()), len(times), arrivals.cap)


def fit_at(data, rate, rule="best_fit", **options):
    """The growth windows at one learning rate, a :class:`~netdyn_lib.lyapunov.growth_fits.Fit` of
    all whole curves.

    Curves that are missing, diverged, or whose copies met their reference are
    left out.  Raises ValueError for a rate that was not swept.
    """
    curves = log_mean_distance(data)[_index(data, rate)]
    return growth_fits.exponents(np.exp(curves[:, np.isfinite(curves).all(0)]), rule, **options)


def losses_at(data, rate):
    """Training losses of the references at one learning rate, (T, n), those present.

    Raises ValueError for a rate that was not swept.
    """
    k = _index(data, rate)
    return (
        data["loss"]
        .transpose("eta", "epoch", "init")
        .values[k][:, data["present"].values[k]]
        .astype(float)
    )


def sharpness_at(data, rate):
    """Sharpness in units of 2/η at the sharp epochs, (k, n), of the networks of which it was taken;
    and those epochs (k,).
    """
    rates = data["eta"].values
    near = int(np.abs(np.log(rates / rate)).argmin())
    scaled = (
        data["sharpness"].transpose("eta", "sharp_epoch", "init").values[near].astype(float)
        * rates[near]
        / 2
    )
    return data["sharp_epoch"].values, scaled[:, ~np.isnan(scaled).all(0)]


def late_sharpness(data, within=0.2):
    """Sharpness over the second half of a record, in units of 2/η: a :class:`pandas.DataFrame` over
    learning rates.

    ``median`` over networks of each one's median over time, and ``near the edge``, how many of them
    are within a share of 1.
    """
    import pandas as pd

    rows = {}
    for rate in data["eta"].values.tolist():
        epochs, scaled = sharpness_at(data, rate)
        window = (epochs[-1] // 2, epochs[-1])
        near = judgements.near_edge(epochs, scaled, window, within)
        level = np.median(judgements.late_level(epochs, scaled, window)) if len(near) else np.nan
        rows[rate] = {
            "median": np.round(level, 2),
            "near the edge": f"{int(near.sum())} of {len(near)}",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("η")


def _index(data, rate):
    return _index_of(data["eta"].values, rate)


def _index_of(rates, rate):
    found = np.flatnonzero(np.isclose(rates, rate))
    if not len(found):
        raise ValueError(f"η = {rate} was not swept; there are: {np.asarray(rates).tolist()}")
    return int(found[0])
