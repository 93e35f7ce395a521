"""Figures of sweeps over learning rates: losses, divergence, exponents, arrivals, sharpness against
η.

``data`` is a sweep's dataset, live or published; exponents and arrivals are
those of :mod:`netdyn_lib.experiments.learning_rate_sweep.responses`.  What is NaN is not drawn.
"""

from contextlib import contextmanager

import numpy as np
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter

from ..experiments.learning_rate_sweep.responses import log_mean_distance
from . import style
from .rates import (
    RATE,
    against_rate,
    key,
    log_epochs,
    look,
    rate_axis,
    say,
    shift,
    vertical,
    with_intervals,
)
from .style import MUTED, PALETTE

EPOCH, EXPONENT, SHARE = r"epoch $t$", r"$\lambda_{nMLE}$ (per epoch)", r"share sensitive $p$"
_GOAL = dict(color=PALETTE[1], ls="--", lw=1.5)
_MOST = 7  # looks that can be told apart


def losses(data, rates):
    """Training loss against epoch, one panel for each of ``rates`` (J, Fig 1): every initial
    condition, the first one bold.
    """
    return _over_epochs(data, "loss", rates, "training loss $L$", yscale="log")


def accuracy(data, rates, target):
    """Test accuracy of the references against epoch, one panel for each of ``rates``, with the
    target accuracy dashed.
    """
    return _over_epochs(data, "test_accuracy", rates, "test accuracy", target, ylim=(0, 1.02))


def distances(data, rates):
    """Mean distance d̄(t) of copies from their reference, one panel for each of ``rates``, every
    initial condition.
    """
    logs = log_mean_distance(data)
    with _grid(len(rates), 3, 2.2, r"mean distance $\bar d(t)$") as (fig, shown):
        for axis, rate in zip(shown, rates):
            k = _index(data, rate)
            _thin(axis, data["epoch"].values, _positive(np.exp(logs[k])), data["present"].values[k])
            axis.set(title=rf"$\eta = {rate:g}$")
        shown[0].set_yscale("log")  # shared; set once, after drawing
        key(fig, [("first initial condition", dict(color="black", lw=1.8))])
    return fig


def _over_epochs(data, variable, rates, name, level=None, **limits):
    values = data[variable].transpose("eta", "epoch", "init").values
    with _grid(len(rates), 3, 2.2, name) as (fig, shown):
        for axis, rate in zip(shown, rates):
            k = _index(data, rate)
            _thin(axis, data["epoch"].values, values[k], data["present"].values[k])
            if level is not None:
                axis.axhline(level, **_GOAL)
            axis.set(title=rf"$\eta = {rate:g}$", **limits)
        key(
            fig,
            [("first initial condition", dict(color="black", lw=1.8))]
            + ([] if level is None else [(f"target {level:g}", _GOAL)]),
        )
    return fig


def divergence(data, rate, fit, paper=0.68):
    """How copies part at one learning rate (J, Figs 2 and 3): of one initial condition with its
    window, of all, and all Λ.

    ``fit`` is a :class:`netdyn_lib.lyapunov.growth_fits.Fit` of the mean distances, of all
    initial conditions or of those that stay finite and positive, or None;
    ``paper`` is λ_nMLE in the paper, or None.  Raises ValueError for a rate that
    the data do not hold, and for a fit of another number of curves.
    """
    k = _index(data, rate)
    epochs, log_mean, there = (
        data["epoch"].values,
        log_mean_distance(data)[k],
        data["present"].values[k],
    )
    of = "few" if "few" in data["distance"].dims else "init"
    single = data["distance"].transpose("eta", "epoch", of, "perturbation").values[k]  # (T, m, M)
    whole = there & np.isfinite(log_mean).all(0)  # (n,)
    slope, intercept, start, stop, kept = _aligned(fit, whole)
    first = int(np.argmax(whole[: single.shape[1]]))
    with style.figure(1, 3, height=3.0) as (fig, ((left, middle, right),)):
        left.plot(epochs, _positive(single[:, first]), color=MUTED, lw=0.8, label="_one copy")
        if start[first] >= 0:
            t = np.array([start[first], stop[first]])
            left.plot(
                t,
                np.exp(intercept[first] + slope[first] * t),
                color=PALETTE[1],
                ls=":",
                lw=2.5,
                label="_fit",
            )
            left.text(
                0.96, 0.06, rf"$\Lambda$ = {slope[first]:.2f}", transform=left.transAxes, ha="right"
            )
        left.set(xlabel=EPOCH, ylabel="distance $d_j(t)$", yscale="log", title="one initial cond.")
        with np.errstate(over="ignore"):
            _thin(middle, epochs, _positive(np.exp(log_mean)), there, first)
        middle.set(xlabel=EPOCH, ylabel=r"mean distance $\bar d(t)$", yscale="log", title="all")
        ends = np.append(slope[~np.isnan(slope)], (0, paper or 0.1))
        bins = np.linspace(ends.min(), ends.max() * 1.05, 20)
        bars = right.hist(
            [slope[kept], slope[~np.isnan(slope) & ~kept]],
            bins,
            stacked=True,
            color=[PALETTE[0], "#dddddd"],
            label=["_kept", "_discarded"],
        )[2]
        for patch in bars[1]:
            patch.set(hatch="////", edgecolor=MUTED)
        entries = [
            ("kept", dict(color=PALETTE[0], lw=6)),
            ("discarded", dict(color="#cccccc", lw=6)),
            ("window", dict(color=PALETTE[1], ls=":", lw=2.5)),
        ]
        for value, name, looks in (
            (
                slope[kept].mean() if kept.any() else None,
                "mean of kept",
                dict(color="black", lw=1.8),
            ),
            (paper, "paper", _GOAL),
        ):
            if value is not None:
                right.axvline(value, **looks)
                entries.append((f"{name} {value:.2f}", looks))
        right.set(
            xlabel=r"$\Lambda$ (per epoch)",
            ylabel="initial conditions",
            title=rf"$\eta = {rate:g}$",
        )
        right.yaxis.set_major_locator(MaxNLocator(integer=True))
        key(fig, entries)
        style.letter((left, middle, right))
    return fig


def exponent_by_rate(by_label, marks={}):
    """λ_nMLE against η (J, Fig 4): mean of the kept Λ with its 95% interval, and ± one sd as a
    band.

    ``by_label`` maps labels to Exponents, each a little right of the one before; ``marks`` labels
    to learning rates.
    """
    with style.figure(1, 1, height=3.2) as (fig, ((axis,),)):
        against_rate(axis, by_label, "exponent", band=True)
        for name, rate in marks.items():
            vertical(axis, rate, name)
        axis.set(xlabel=RATE, ylabel=EXPONENT)
        axis.legend(loc="upper left")
    return fig


def share_and_arrival(by_label, first, sustained, mark=None):
    """p(η), ⟨τ⟩ over arrivals and the share that never arrives (J, Fig 5), one above the other.

    ``by_label`` maps labels to Exponents; ``first`` and ``sustained`` are
    Arrivals by one epoch and by many in a row at the target, or None, or a dict of
    label to Arrivals: a label then has its colour in every panel.  Kinds of arrivals have
    markers of their own, which no label has; ``mark`` is a learning rate to mark.
    """
    found = _arrivals_by_name(list(by_label), {"first hit": first, "sustained": sustained})
    with style.figure(3, 1, height=1.9, sharex=True) as (fig, axes):
        top, middle, below = axes[:, 0]
        against_rate(top, by_label, "share")
        for j, (name, (arrivals, looks)) in enumerate(found.items()):
            aside = shift(j, len(found))
            with_intervals(middle, arrivals.rates, arrivals.mean, aside, label=name, **looks)
            with_intervals(
                below,
                arrivals.rates,
                arrivals.never,
                aside,
                label=f"{name}, by epoch {arrivals.cap:,}",
                **looks,
            )
        top.set(ylabel=SHARE, ylim=(-0.04, 1.06))
        log_epochs(middle, r"$\langle\tau\rangle$ (epochs)")
        below.set(ylabel="share never", ylim=(-0.04, 1.06), xlabel=RATE)
        for axis in axes.flat:
            if axis is top or found:
                axis.legend(loc="best")
            else:
                say(axis, "arrivals not searched")
            if mark is not None:
                vertical(axis, mark, rf"$\eta = {mark:g}$", told=axis is top)
        rate_axis(
            below,
            np.concatenate(
                [e.rates for e in (*by_label.values(), *(a for a, _ in found.values()))]
            ),
        )
        style.letter(axes)
        fig.align_ylabels()
    return fig


def _arrivals_by_name(labels, kinds):
    """What a legend names: (Arrivals, looks) by label and kind, for ``kinds`` that map each to
    Arrivals, to some by label, or to None.
    """
    labels = labels + [
        label
        for of in kinds.values()
        if isinstance(of, dict)
        for label in of
        if label not in labels
    ]
    found = {}
    for j, (kind, of) in enumerate(kinds.items()):
        own = look(len(labels) + j)  # none of a label's
        if isinstance(of, dict):
            for label, arrivals in of.items():
                colour = look(labels.index(label))["color"]
                found[f"{label}, {kind}"] = (
                    arrivals,
                    own | dict(color=colour, mfc="white" if j % 2 else colour),
                )
        elif of is not None:
            found[kind] = of, own
    return found


def by_length(tables, rates=None):
    """p against the length of the record, for the same networks: one panel for each of ``tables``,
    a line for each learning rate.

    ``tables`` maps titles to what
    :func:`netdyn_lib.experiments.learning_rate_sweep.responses.by_length` gives; ``rates`` are the
    learning rates to draw, by default those, seven at most, whose p moves most. Bars are 95%
    intervals.  Raises ValueError for more than seven rates, and for one in no table.
    """
    spans = {}
    for table in tables.values():
        for rate, rows in table.groupby("rate"):
            spans[rate] = max(spans.get(rate, 0.0), float(np.ptp(rows["share"].values)))
    if rates is None:
        moving = [rate for rate in spans if spans[rate] > 0] or list(spans)
        rates = sorted(moving, key=lambda rate: -spans[rate])[:_MOST]
    elif len(rates) > _MOST or any(rate not in spans for rate in rates):
        raise ValueError(
            f"rates {list(rates)}: must be at most {_MOST} of {', '.join(f'{r:g}' for r in sorted(spans))}"
        )
    looks = {rate: look(k) for k, rate in enumerate(sorted(rates))}
    with style.figure(1, len(tables), height=2.8, sharey=True) as (fig, axes):
        for axis, (title, table) in zip(axes[0], tables.items()):
            drawn = [(rate, rows) for rate, rows in table.groupby("rate") if rate in looks]
            for j, (rate, rows) in enumerate(drawn):
                middle, low, high = rows[["share", "share_low", "share_high"]].values.T
                with_intervals(
                    axis,
                    rows["epochs"].values,
                    list(zip(middle, low, high)),
                    shift(j, 2 * len(drawn)),
                    **looks[rate],
                )
            lengths = np.unique(table["epochs"])
            axis.set(
                xscale="log",
                xlabel="length of record $T$ (epochs)",
                title=title,
                ylim=(-0.04, 1.06),
                xlim=(lengths[0] / 1.15, lengths[-1] * 1.2),
            )
            axis.xaxis.set_major_locator(FixedLocator(lengths))
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.xaxis.set_minor_locator(NullLocator())
        axes[0, 0].set_ylabel(SHARE)
        key(fig, [(rf"$\eta = {rate:g}$", looks[rate]) for rate in looks], 4)
        if len(tables) > 1:
            style.letter(axes)
    return fig


def robustness(rows):
    """One row for each task: λ_nMLE, p, and epochs to the target, against η (J, Figs 8 to 13).

    ``rows`` maps labels to (Exponents, Arrivals or None).  Epochs are the mean
    of min(τ, cap), its least starred where any network arrives, and ⟨τ⟩ over arrivals.
    """
    one_grid = len({tuple(e.rates) for e, _ in rows.values()}) == 1
    with style.figure(len(rows), 3, height=1.5, sharex="col" if one_grid else False) as (fig, axes):
        for (name, (found, arrivals)), (left, middle, right) in zip(rows.items(), axes):
            against_rate(left, {name: found}, "exponent", band=True)
            if np.isnan([i.estimate for i in found.exponent]).all():
                say(left, "none")
            against_rate(middle, {name: found}, "share")
            left.set(ylabel=r"$\lambda_{nMLE}$ (1/ep.)")
            left.set_title(name, loc="left", fontweight="bold")
            middle.set(ylabel="$p$", ylim=(-0.06, 1.08))
            rate_axis(right, found.rates)
            say(right, "arrivals not searched") if arrivals is None else _epochs(right, arrivals)
        for axis in axes[-1]:
            axis.set_xlabel(RATE)
        star = dict(color=PALETTE[4], mec="black", marker="*", ls="", ms=9)
        names = {
            r"mean of $\min(\tau,$ cap$)$": look(0),
            r"$\langle\tau\rangle$ over arrivals": look(1),
            "least mean": star,
        }
        key(fig, [*names.items(), ("cap", dict(color=MUTED, ls=":"))], 4)
        fig.align_ylabels()
    return fig


def _epochs(axis, arrivals):
    with_intervals(axis, arrivals.rates, arrivals.restricted, **look(0))
    with_intervals(axis, arrivals.rates, arrivals.mean, shift(1, 2), **look(1))
    spent = np.array([i.estimate for i in arrivals.restricted])
    if (spent < arrivals.cap).any():
        k = np.nanargmin(spent)
        axis.plot(arrivals.rates[k], spent[k], "*", color=PALETTE[4], mec="black", ms=10, zorder=5)
    axis.axhline(arrivals.cap, color=MUTED, ls=":")
    log_epochs(axis, r"$\tau$ (epochs)")


def window_rules(by_rule):
    """λ_nMLE and p against η under every window rule: ``by_rule`` maps each to its Exponents."""
    by_label = {rule.replace("_", " "): found for rule, found in by_rule.items()}
    with style.figure(2, 1, height=2.3, sharex=True) as (fig, ((top,), (below,))):
        against_rate(top, by_label, "exponent")
        against_rate(below, by_label, "share")
        top.set(ylabel=EXPONENT)
        below.set(xlabel=RATE, ylabel=SHARE, ylim=(-0.04, 1.06))
        top.legend(loc="upper left", ncols=2)
        style.letter((top, below))
        fig.align_ylabels()
    return fig


def sharpness(data):
    """Sharpness times η/2 along training, one panel for each learning rate (J, Fig 14); 1 is the
    edge of stability.

    Thin lines are initial conditions; the bold one is the median of those not diverged yet.
    Raises ValueError for a sweep that took no sharpness.
    """
    if "sharpness" not in data:
        raise ValueError("this sweep took no sharpness: its sharp_at is empty")
    epochs, values = (
        data["sharp_epoch"].values,
        data["sharpness"].transpose("eta", "sharp_epoch", "init").values,
    )
    median = dict(color="black", lw=1.8)
    with _grid(len(values), 4, 1.9, r"sharpness $\times\,\eta/2$") as (fig, shown):
        for axis, rate, sharp in zip(shown, data["eta"].values, values):
            scaled = _positive(sharp * rate / 2)  # (k, n)
            axis.plot(epochs, scaled, color=MUTED, lw=0.7, alpha=0.7, label="_one network")
            axis.plot(
                epochs,
                [
                    np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else np.nan
                    for row in scaled
                ],
                **median,
            )
            axis.axhline(1, **_GOAL)
            axis.set(title=rf"$\eta = {rate:g}$", yscale="log")
            axis.set_xscale("symlog", linthresh=1)
            axis.set_xlim(0, max(epochs[-1], 1))
        key(fig, [("median", median), ("edge of stability", _GOAL)])
    return fig


@contextmanager
def _grid(count, columns, height, name):
    """``(fig, shown)``: so many panels against epochs, row by row, on common axes; ``name`` is that
    of y.
    """
    columns = min(columns, count)
    with style.figure(-(-count // columns), columns, height=height, sharex=True, sharey=True) as (
        fig,
        axes,
    ):
        for k, axis in enumerate(axes.flat):
            axis.set_visible(k < count)
            if k + columns >= count:
                axis.set_xlabel(EPOCH)
                axis.tick_params(labelbottom=True)
            if k % columns == 0:
                axis.set_ylabel(name)
        yield fig, axes.flat[:count]


def _thin(axis, epochs, values, there, first=0):
    """Curves (T, n) of the initial conditions that are there, thin; the first one on top, bold."""
    axis.plot(
        epochs, values[:, there], color=MUTED, lw=0.5, alpha=0.7, label="_one initial condition"
    )
    if there[first]:
        axis.plot(epochs, values[:, first], color="black", lw=1.8, label="_first initial condition")


def _index(data, rate):
    close = np.isclose(data["eta"].values, rate)
    if not close.any():
        raise ValueError(
            f"η = {rate:g} is not in this sweep; its learning rates: {', '.join(f'{r:g}' for r in data['eta'].values)}"
        )
    return int(np.argmax(close))


def _positive(values):
    """NaN for what a logarithmic axis cannot show."""
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _aligned(fit, whole):
    """Slope, intercept, start, stop and kept of a fit, each (n,) over all initial conditions;
    ``whole`` (n,) are those with curves.
    """
    where = np.flatnonzero(whole)
    if fit is not None:
        if len(fit.slope) not in (len(whole), len(where)):
            raise ValueError(
                f"fit of {len(fit.slope)} curves, but of {len(whole)} initial conditions {len(where)} have whole curves: fit all or those"
            )
        where = np.arange(len(whole)) if len(fit.slope) == len(whole) else where
    found = [np.full(len(whole), nothing) for nothing in (np.nan, np.nan, -1, -1, False)]
    if fit is not None:
        for out, values in zip(found, (fit.slope, fit.intercept, fit.start, fit.stop, fit.kept())):
            out[where] = values
    return found
