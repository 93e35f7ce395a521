"""Figures of sweeps over learning rates: losses, divergence, exponents, arrivals, sharpness and
regimes against η, and the search for a learning rate.

``data`` is a sweep's dataset, live or published; exponents and arrivals are objects with the
attributes of :mod:`netdyn_lib.experiments.learning_rate_sweep.responses`.  NaN is left out.
"""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from . import style
from .style import GOAL, MUTED, PALETTE, above, key, look, say

EPOCH, EXPONENT, SHARE = r"epoch $t$", r"$\lambda_{nMLE}$ (per epoch)", r"share sensitive $p$"
RATE = r"learning rate $\eta$"
#: Up to which share p hardly any network is sensitive, and from which on nearly all are.
FEW, MOST = 0.1, 0.9
_REGIMES = {
    "calm": dict(color=PALETTE[5], alpha=0.16, label="hardly any sensitive"),
    "mixed": dict(color=PALETTE[4], alpha=0.16, label="some, or the records disagree"),
    "sensitive": dict(color=PALETTE[1], alpha=0.16, label="nearly all sensitive"),
}
_BOLD = dict(color="black", lw=1.8)
_LOOKS = 7  # that can be told apart
_UNIT = (-0.04, 1.06)


def shift(j, count):
    """Return the factor by which the j-th of several series moves right, so that markers do not
    hide each other.
    """
    return 1.12 ** (j / count)


def rate_axis(axis, rates):
    """Make a logarithmic axis that holds each of ``rates``, whether anything is there or not."""
    axis.set(xscale="log", xlim=(min(rates) / 1.35, max(rates) * 1.35))
    axis.xaxis.set_major_locator(LogLocator(numticks=7))
    axis.xaxis.set_minor_formatter(NullFormatter())


def log_epochs(axis, name):
    """Make a logarithmic y axis of epochs with a name, between round numbers, labelled in full;
    after all is plotted.
    """
    axis.set(yscale="log", ylabel=name)
    low, high = axis.get_ylim()
    steps = 10.0 ** np.arange(np.floor(np.log10(low)) - 1, np.ceil(np.log10(high)) + 2)
    fine = np.sort(np.outer(steps, (1, 2, 5)).ravel())
    low, high = fine[fine <= low][-1], fine[fine >= high][0]
    axis.set_ylim(low, high)
    axis.yaxis.set_major_locator(FixedLocator(fine if high / low < 30 else steps))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def against_rate(axis, by_label, what, band=False):
    """Plot the Intervals ``what`` of each of several Exponents against η."""
    for j, (label, found) in enumerate(by_label.items()):
        by, intervals = shift(j, len(by_label)), getattr(found, what)
        if band:
            middle = np.array([i.estimate for i in intervals])
            low, high = middle - found.sd, middle + found.sd
            looks = dict(by=by, color=look(j)["color"], alpha=0.13)
            axis.band(found.rates, low, high, f"_{label}, one standard deviation", **looks)
        axis.estimates(found.rates, intervals, label, by, **look(j, elinewidth=0.9))
    rate_axis(axis, np.concatenate([found.rates for found in by_label.values()]))


def losses(data, rates):
    """Plot training loss against epoch, one panel for each of ``rates``: every initial condition,
    the first one bold (Jiménez-González 2025, Fig. 1).
    """
    return _over_epochs(data, data["loss"], rates, "training loss $L$", yscale="log")


def accuracy(data, rates, target):
    """Plot test accuracy of the references against epoch, one panel for each of ``rates``, with the
    target accuracy dashed.
    """
    return _over_epochs(data, data["test_accuracy"], rates, "test accuracy", target, ylim=(0, 1.02))


def distances(data, rates):
    """Plot the mean distance d̄(t) of copies from their reference, one panel for each of ``rates``,
    every initial condition.
    """
    distance = _mean_distance(data)
    distance = distance.where(np.isfinite(distance) & (distance > 0))
    return _over_epochs(data, distance, rates, r"mean distance $\bar d(t)$", yscale="log")


def _over_epochs(data, variable, rates, name, level=None, **limits):
    values = variable.transpose("eta", "epoch", "init").values
    entries = {"first initial condition": _BOLD}
    with _grid(len(rates), 3, 2.2, name) as (fig, shown):
        for axis, rate in zip(shown, rates):
            k = _index(data, rate)
            _thin(axis, data["epoch"].values, values[k], data["present"].values[k])
            if level is not None:
                entries[f"target {level:g}"] = GOAL
                axis.level(level, f"target {level:g}", **GOAL)
            axis.set(title=rf"$\eta = {rate:g}$", **limits)
        key(fig, entries)
    return fig


def divergence(data, rate, fit, paper=0.68):
    """Plot how copies part at one learning rate: of one initial condition with its window, of all,
    and all Λ (Jiménez-González 2025, Figs 2 and 3).

    ``fit`` is a :class:`netdyn_lib.lyapunov.growth_fits.Fit` of the mean distances, of all
    initial conditions or of those that stay finite and positive, or None;
    ``paper`` is λ_nMLE in the paper, or None.  Raises ValueError for a rate that
    the data do not hold, and for a fit of another number of curves.
    """
    k = _index(data, rate)
    epochs, there = data["epoch"].values, data["present"].values[k]
    mean = _positive(_mean_distance(data).transpose("eta", "epoch", "init").values[k])
    of = "few" if "few" in data["distance"].dims else "init"
    single = data["distance"].transpose("eta", "epoch", of, "perturbation").values[k]  # (T, m, M)
    whole = there & np.isfinite(mean).all(0)  # (n,)
    fit = _aligned(fit, whole)
    slope, kept = fit.slope, fit.accepted
    first = int(np.argmax(whole[: single.shape[1]]))
    with style.figure(1, 3, height=3.0) as (fig, ((left, middle, right),)):
        left.line(epochs, _positive(single[:, first]), "_one copy", color=MUTED, lw=0.8)
        if style.fitted(left, fit, first, lw=4, ls=(0, (0.7, 0.5))):
            text = rf"$\Lambda$ = {slope[first]:.2f}"
            left.text(0.96, 0.06, text, transform=left.transAxes, ha="right")
        left.set(xlabel=EPOCH, ylabel="distance $d_j(t)$", yscale="log", title="one initial cond.")
        _thin(middle, epochs, mean, there, first)
        middle.set(xlabel=EPOCH, ylabel=r"mean distance $\bar d(t)$", yscale="log", title="all")
        known = slope[~np.isnan(slope)]
        ends = np.append(known, (0, paper or 0.1))
        bins = np.linspace(ends.min(), ends.max() * 1.05, 20)
        counts = right.histogram(slope[kept], bins, "sensitive", color=PALETTE[0])
        hatched = dict(color="#dddddd", hatch="////", edgecolor=MUTED)
        right.histogram(known[~kept[~np.isnan(slope)]], bins, "not sensitive", counts, **hatched)
        entries = {
            "sensitive": dict(color=PALETTE[0], lw=6),
            "not sensitive": dict(color="#cccccc", lw=6),
            "window": style.WINDOW,
        }
        mean_kept = slope[kept].mean() if kept.any() else None
        for value, name, looks in ((mean_kept, "mean of sensitive", _BOLD), (paper, "paper", GOAL)):
            if value is not None:
                right.mark(value, f"{name} {value:.2f}", **{"ls": "-"} | looks)
                entries[f"{name} {value:.2f}"] = looks
        right.set(xlabel=r"$\Lambda$ (per epoch)", ylabel="initial conditions")
        right.set(title=rf"$\eta = {rate:g}$")
        right.yaxis.set_major_locator(MaxNLocator(integer=True))
        key(fig, entries)
    return fig


def exponent_by_rate(by_label):
    """Plot λ_nMLE against η: mean of the kept Λ with its 95% interval, and ± one sd as a band
    (Jiménez-González 2025, Fig. 4).

    ``by_label`` maps labels to Exponents, each a little right of the one before.
    """
    with style.figure(height=3.2) as (fig, ((axis,),)):
        against_rate(axis, by_label, "exponent", band=True)
        axis.set(xlabel=RATE, ylabel=EXPONENT)
        axis.legend(loc="upper left")
    return fig


def share_and_arrival(by_label, first, sustained, mark=None):
    """Plot p(η), ⟨τ⟩ over arrivals and the share that never arrives, one above the other
    (Jiménez-González 2025, Fig. 5).

    ``by_label`` maps labels to Exponents; ``first`` and ``sustained`` are
    Arrivals by one epoch and by many in a row at the target, of one cap; ``mark`` is a learning
    rate to mark.
    """
    found = {"first epoch at the target": first, "first of 20 in a row": sustained}
    with style.figure(3, 1, height=1.9, sharex=True) as (fig, axes):
        top, middle, below = axes[:, 0]
        against_rate(top, by_label, "share")
        for j, (name, arrivals) in enumerate(found.items()):
            by, looks = shift(j, len(found)), look(len(by_label) + j, elinewidth=0.9)
            middle.estimates(arrivals.rates, arrivals.mean, name, by, **looks)
            below.estimates(arrivals.rates, arrivals.never, f"_{name}", by, **looks)
        top.set(ylabel=SHARE, ylim=_UNIT)
        log_epochs(middle, r"$\langle\tau\rangle$ (epochs)")
        below.set(ylabel=f"share not there\nby epoch {first.cap:,}", ylim=_UNIT, xlabel=RATE)
        for axis in (top, middle):
            axis.legend(loc="best")
        for axis in axes.flat if mark is not None else ():
            axis.mark(mark, rf"_$\eta = {mark:g}$", zorder=1)
        if mark is not None:
            above(top, mark, rf"$\eta = {mark:g}$")
        every = (*by_label.values(), *found.values())
        rate_axis(below, np.concatenate([each.rates for each in every]))
        fig.align_ylabels()
    return fig


def by_length(tables):
    """Plot p against the length of the record, for the same networks: one panel for each of
    ``tables``, a line for each learning rate.

    ``tables`` maps titles to what
    :func:`netdyn_lib.experiments.learning_rate_sweep.responses.by_length` gives; shown are the
    learning rates, seven at most, whose p moves most. Bars are 95% intervals.
    """
    spans = {}
    for table in tables.values():
        for rate, rows in table.groupby("rate"):
            spans[rate] = max(spans.get(rate, 0.0), float(np.ptp(rows["share"].values)))
    moving = [rate for rate in spans if spans[rate] > 0] or list(spans)
    rates = sorted(moving, key=lambda rate: -spans[rate])[:_LOOKS]
    looks = {rate: look(k) for k, rate in enumerate(sorted(rates))}
    columns = 2 if len(tables) == 4 else min(len(tables), 3)
    count = -(-len(tables) // columns)
    with style.figure(count, columns, height=2.5, sharey=True) as (fig, axes):
        for axis in axes.flat[len(tables) :]:
            axis.set_visible(False)
        for axis, (title, table) in zip(axes.flat, tables.items()):
            shown = [(rate, rows) for rate, rows in table.groupby("rate") if rate in looks]
            for j, (rate, rows) in enumerate(shown):
                intervals = rows[["share", "share_low", "share_high"]].values
                name, by = rf"$\eta = {rate:g}$", shift(j, 2 * len(shown))
                axis.estimates(rows["epochs"], intervals, name, by, **looks[rate], elinewidth=0.9)
            lengths = np.unique(table["epochs"])
            axis.set(xscale="log", xlabel="epochs followed", title=title)
            axis.set(xlim=(lengths[0] / 1.15, lengths[-1] * 1.2), ylim=_UNIT)
            axis.xaxis.set_major_locator(FixedLocator(lengths))
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.xaxis.set_minor_locator(NullLocator())
        for axis in axes[:, 0]:
            axis.set_ylabel(SHARE)
        key(fig, {rf"$\eta = {rate:g}$": looks[rate] for rate in looks}, 4)
    return fig


def robustness(rows):
    """Plot one row for each task: λ_nMLE, p, and epochs to the target, against η (Jiménez-González
    2025, Figs 8 to 13).

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
            where = dict(transform=left.transAxes, va="top", fontsize="small")
            left.text(0.03, 0.97, name, fontweight="bold", **where)  # a letter is above
            middle.set(ylabel="$p$", ylim=(-0.06, 1.08))
            rate_axis(right, found.rates)
            say(right, "arrivals not searched") if arrivals is None else _epochs(right, arrivals)
        style.frame(axes, (), (), RATE)
        key(fig, dict(zip(_SPENT, (look(0), look(1), _STAR | dict(ms=9), _CAP))), 4)
        fig.align_ylabels()
    return fig


_SPENT = (
    r"mean of $\min(\tau,$ cap$)$",
    r"$\langle\tau\rangle$ over arrivals",
    "least mean",
    "cap",
)
_STAR, _CAP = dict(color=PALETTE[4], mec="black", marker="*", ls=""), dict(color=MUTED, ls=":")


def _epochs(axis, arrivals):
    kinds = (arrivals.restricted, arrivals.mean)
    for j, (name, intervals) in enumerate(zip(_SPENT, kinds)):
        looks = look(j, elinewidth=0.9)
        axis.estimates(arrivals.rates, intervals, name, shift(j, 2), **looks)
    spent = np.array([i.estimate for i in arrivals.restricted])
    if (spent < arrivals.cap).any():
        k = np.nanargmin(spent)
        axis.point(arrivals.rates[k], spent[k], "least mean", ms=10, zorder=5, **_STAR)
    axis.level(arrivals.cap, "cap", lw=1.2, **_CAP)
    log_epochs(axis, r"$\tau$ (epochs)")


def window_rules(by_rule):
    """Plot λ_nMLE and p against η under every window rule; ``by_rule`` maps each to its
    Exponents.
    """
    by_label = {rule.replace("_", " "): found for rule, found in by_rule.items()}
    with style.figure(2, 1, height=2.3, sharex=True) as (fig, ((top,), (below,))):
        against_rate(top, by_label, "exponent")
        against_rate(below, by_label, "share")
        top.set(ylabel=EXPONENT)
        below.set(xlabel=RATE, ylabel=SHARE, ylim=_UNIT)
        top.legend(loc="upper left", ncols=2)
        fig.align_ylabels()
    return fig


def sharpness(panels):
    """Plot sharpness times η/2 along training; 1 is the edge of stability (Jiménez-González 2025,
    Fig. 14).

    ``panels`` maps titles to (data, learning rate).  Thin lines are initial conditions; the bold
    one is the median of those not diverged yet.  Raises ValueError for a sweep that took no
    sharpness.
    """
    if not all("sharpness" in data for data, _ in panels.values()):
        raise ValueError("this sweep took no sharpness: its sharp_at is empty")
    last = max(data["sharp_epoch"].values[-1] for data, _ in panels.values())
    with _grid(len(panels), 4, 2.0, r"sharpness $\times\,\eta/2$") as (fig, shown):
        for axis, (title, (data, rate)) in zip(shown, panels.items()):
            epochs = data["sharp_epoch"].values
            values = data["sharpness"].transpose("eta", "sharp_epoch", "init").values
            scaled = _positive(values[_index(data, rate)] * rate / 2)  # (k, n)
            axis.line(epochs, scaled, "_one network", color=MUTED, lw=0.7, alpha=0.7)
            known = [row[~np.isnan(row)] for row in scaled]
            median = [np.median(row) if row.size else np.nan for row in known]
            axis.line(epochs, median, "median", **_BOLD)
            axis.level(1, "edge of stability", **GOAL)
            axis.set(title=title, yscale="log")
            axis.set_xscale("symlog", linthresh=1)
            axis.set_xlim(0, max(last, 1))
        key(fig)
    return fig


def regime(share):
    """Return the name of the regime by the share p of sensitive initial conditions: calm below
    :data:`FEW`, sensitive from :data:`MOST` on, mixed between.
    """
    return "calm" if share < FEW else "sensitive" if share >= MOST else "mixed"


def regimes(by_record, arrivals, fastest):
    """Plot the share of sensitive networks and the training time over η, with the regimes by
    :func:`regime` in the background.

    ``by_record`` maps names of records, as "over 40 epochs", to Exponents at the learning rates of
    ``arrivals``; where they are of different regimes the background is *mixed*.  ``fastest`` is the
    learning rate at which training is fastest.  Where the regime changes, the background does
    half-way (in ln η) between two rates.
    """
    rates = np.asarray(arrivals.rates, dtype=float)
    each = [[regime(i.estimate) for i in found.share] for found in by_record.values()]
    kinds = np.array([some[0] if len(set(some)) == 1 else "mixed" for some in zip(*each)])
    with style.figure(2, 1, height=2.1, sharex=True) as (fig, ((top,), (below,))):
        for j, (name, found) in enumerate(by_record.items()):
            looks = look(j + 1, elinewidth=0.9)
            top.estimates(rates, found.share, name, shift(j, 2 * len(by_record)), **looks)
        below.estimates(rates, arrivals.restricted, "_training time", **look(0, elinewidth=0.9))
        below.level(arrivals.cap, "_cap", **_CAP)
        rate_axis(below, rates)
        change = np.flatnonzero(kinds[1:] != kinds[:-1])
        left, right = below.get_xlim()
        edges = [left, *np.sqrt(rates[change] * rates[change + 1]), right]
        for k, kind in enumerate(kinds[[0, *(change + 1)]]):
            for axis in (top, below):
                looks = _REGIMES[kind] | dict(label=f"_{_REGIMES[kind]['label']}", zorder=0)
                axis.span(edges[k], edges[k + 1], **looks)
        for axis in (top, below):
            axis.mark(fastest, "_fastest", zorder=1)
        above(top, fastest, "fastest")
        top.set(ylabel=SHARE, ylim=_UNIT)
        log_epochs(below, "epochs to the target")
        below.set(xlabel=RATE)
        looks = _REGIMES | {"mixed": _REGIMES["mixed"] | dict(label="some sensitive")}
        shown = _REGIMES if len(by_record) > 1 else looks
        backgrounds = [Patch(**look) for kind, look in shown.items() if kind in kinds]
        top.legend(loc="center left")
        fig.legend(handles=backgrounds, loc="outside lower center", ncols=3)
        fig.align_ylabels()
    return fig


def onset_and_fastest(rows):
    """Plot a row of learning rates for each task: a mark for each by its regime (:func:`regime`),
    and a star at the fastest, where any network arrives.

    ``rows`` maps names to (Exponents, Arrivals).
    """
    looks = {
        "calm": dict(color="#b5b5b5", marker="o", ms=3.5),
        "mixed": dict(color=PALETTE[1], mfc="white", marker="D", ms=5),
        "sensitive": dict(color=PALETTE[1], marker="D", ms=5),
    }
    with style.figure(height=0.9 + 0.3 * len(rows)) as (fig, ((axis,),)):
        for y, (found, arrivals) in zip(-np.arange(len(rows)), rows.values()):
            kinds = np.array([regime(i.estimate) for i in found.share])
            for kind, how in looks.items():
                rates = found.rates[kinds == kind]
                axis.points(rates, np.full(len(rates), y), f"_{kind}", **how)
            spent = np.array([i.estimate for i in arrivals.restricted])
            if (spent < arrivals.cap).any():
                star = _STAR | dict(color=PALETTE[0], mec="white", ms=11)
                axis.point(arrivals.rates[np.nanargmin(spent)], y + 0.3, "_fastest", **star)
        rate_axis(axis, np.concatenate([found.rates for found, _ in rows.values()]))
        axis.names("y", -np.arange(len(rows)), rows)
        axis.set(xlabel=RATE, ylim=(0.4 - len(rows), 0.8))
        names = {"calm": "p < 0.1", "mixed": "0.1 ≤ p < 0.9", "sensitive": "p ≥ 0.9"}
        entries = {names[kind]: how | dict(ls="") for kind, how in looks.items()}
        key(fig, entries | {"fastest": _STAR | dict(color=PALETTE[0], mec="white", ms=11)}, 4)
    return fig


def search(spot, truth=None):
    """Plot what a search for the sweet spot saw: p with its interval at every probe, the level, and
    the bracket shaded.

    Above the axis stands when each was probed, 1 for the first (``spot.order``; nothing for a
    search that does not say); a cross marks those at which networks overflowed.

    Parameters
    ----------
    spot : netdyn_lib.experiments.sweet_spot.SweetSpot
    truth : netdyn_lib.experiments.learning_rate_sweep.responses.Exponents, optional
        p(η) on a grid, in grey.
    """
    rates, shares = np.array([p.learning_rate for p in spot.probes]), [p.share for p in spot.probes]
    lost = np.array([p.diverged > 0 for p in spot.probes])
    order = list(getattr(spot, "order", ()))  # learning rates as they were probed
    with style.figure(height=3.2) as (fig, ((axis,),)):
        if truth is not None:
            looks = dict(color="#b5b5b5", marker="s", ms=3.5, elinewidth=0.9, zorder=1)
            axis.estimates(truth.rates, truth.share, "sweep", **looks)
        name = f"bracket {spot.low:.3g} to {spot.high:.3g}"
        axis.span(spot.low, spot.high, name, color=PALETTE[4], alpha=0.3)
        axis.level(spot.level, f"level {spot.level:g}", **GOAL | dict(lw=1.2))
        axis.estimates(rates, shares, f"{len(rates)} probes", **look(0, ls="", elinewidth=0.9))
        if lost.any():
            middle = np.array([i.estimate for i in shares])[lost]
            looks = dict(marker="x", color="black", ms=9, mew=1.2)
            axis.points(rates[lost], middle, "some overflowed", **looks)
        near = np.diff(np.log(rates), prepend=-np.inf) < 0.04 * np.log(rates[-1] / rates[0])
        lift = 0
        # probes crowd where the search converges: there, numbers at three heights
        for k, rate in enumerate(rates if order else ()):
            lift = (lift + 1) % 3 if near[k] else 0
            above(axis, rate, str(order.index(rate) + 1), 2 + 9 * lift, va="baseline")
        rate_axis(axis, np.append(rates, () if truth is None else truth.rates))
        axis.set(xlabel=RATE, ylabel=SHARE, ylim=_UNIT)
        fig.legend(loc="outside lower center", ncols=3)
    return fig


def comparison(result):
    """Plot what rival ways to a learning rate cost and save: epochs to the target, share never
    arriving, search plus N trainings.

    ``result`` is a :class:`netdyn_lib.experiments.sweet_spot.Comparison`.  Stars mark from which N
    a method costs less than the default, which the legend says too.
    """
    rows, y = result.rows, -np.arange(len(result.rows))
    ends = [row.break_even for row in rows if np.isfinite(row.break_even)]
    trainings = np.geomspace(1, max([100, *(3 * e for e in ends)]), 60)
    ratios = (0.35 + 0.16 * len(rows), 1.6)
    with style.figure(2, 2, height=2.4, height_ratios=ratios) as (fig, ((left, right), rest)):
        grid = rest[0].get_gridspec()
        for axis in rest:
            axis.remove()
        below = fig.add_subplot(grid[1, :], axes_class=type(left))
        for k, row in enumerate(rows):
            looks = look(k)
            left.lying_estimates([row.restricted], y[k : k + 1], f"_{row.method}", **looks)
            right.lying_estimates([row.never], y[k : k + 1], f"_{row.method}", **looks)
            total = row.cost_epochs + row.restricted.estimate * trainings
            name = f"{row.method}: {_pays(row, result.default)}"
            below.line(trainings, total, name, **style.dash(k))
            if 1 <= row.break_even < np.inf:
                spent = row.cost_epochs + row.restricted.estimate * row.break_even
                star = dict(marker="*", color=looks["color"], mec="black", mew=0.6, ms=11)
                below.point(row.break_even, spent, f"_{row.method}, pays", zorder=5, **star)
        left.mark(result.cap, "_cap", color=MUTED, ls=":", lw=1.2)
        where = dict(transform=left.get_xaxis_transform(), ha="center", va="bottom")
        left.text(result.cap, 1.01, "cap", fontsize="small", **where)
        left.set(xlabel=r"mean of $\min(\tau,$ cap$)$ (epochs)", xlim=(0, result.cap * 1.05))
        left.names("y", y, [rf"{row.method}, $\eta$ = {row.learning_rate:.3g}" for row in rows])
        right.set(xlabel="share never arriving", xlim=(-0.04, 1.04))
        right.set_yticks(y, [])
        for axis in (left, right):
            axis.set_ylim(y[-1] - 0.6, 0.6)
        below.set(xscale="log", yscale="log", xlabel=r"trainings $N$")
        below.set_ylabel("cost with search\n(network-epochs)")
        below.spines[["top", "right"]].set_visible(False)
        key(fig, columns=2)
    return fig


def _pays(row, default):
    if row.method == default:
        return "baseline"
    if not np.isfinite(row.break_even):
        return "never pays"
    return f"pays from {np.ceil(row.break_even):,.0f}" if row.break_even > 1 else "pays at once"


@contextmanager
def _grid(count, columns, height, name):
    """Yield ``(fig, shown)``: so many panels against epochs, row by row, on common axes; ``name``
    is that of y.
    """
    columns = min(columns, count)
    options = dict(height=height, sharex=True, sharey=True)
    with style.figure(-(-count // columns), columns, **options) as (fig, axes):
        for k, axis in enumerate(axes.flat):
            axis.set_visible(k < count)
            if k + columns >= count:
                axis.set_xlabel(EPOCH)
                axis.tick_params(labelbottom=True)
            if k % columns == 0:
                axis.set_ylabel(name)
        yield fig, axes.flat[:count]


def _thin(axis, epochs, values, there, first=0):
    """Plot curves (T, n) of the initial conditions that are there, thin; the first one on top,
    bold.
    """
    looks = dict(color=MUTED, lw=0.5, alpha=0.7)
    axis.line(epochs, values[:, there], "_one initial condition", **looks)
    if there[first]:
        axis.line(epochs, values[:, first], "_first initial condition", **_BOLD)


def _index(data, rate):
    close = np.isclose(data["eta"].values, rate)
    if not close.any():
        known = ", ".join(f"{r:g}" for r in data["eta"].values)
        raise ValueError(f"η = {rate:g} is not in this sweep; its learning rates: {known}")
    return int(np.argmax(close))


def _mean_distance(data):
    """d̄(t) of every initial condition, (eta, epoch, init), NaN where it diverged or is missing;
    published data have its logarithm.
    """
    if "log_mean_distance" in data:
        return np.exp(data["log_mean_distance"].astype(float))
    return data["distance"].mean("perturbation", skipna=False)


def _positive(values):
    """NaN for what a logarithmic axis cannot show."""
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _aligned(fit, whole):
    """A fit whose arrays are (n,), over all initial conditions, with those ``accepted``; ``whole``
    (n,) are those with curves.
    """
    nothing = dict(slope=np.nan, intercept=np.nan, start=-1, stop=-1, accepted=False)
    found = {name: np.full(len(whole), value) for name, value in nothing.items()}
    if fit is not None:
        if len(fit.slope) not in (len(whole), whole.sum()):
            raise ValueError(
                f"fit of {len(fit.slope)} curves, but of {len(whole)} initial conditions"
                f" {whole.sum()} have whole curves: fit all or those"
            )
        where = np.ones_like(whole) if len(fit.slope) == len(whole) else whole
        for name, values in found.items():
            values[where] = fit.kept() if name == "accepted" else getattr(fit, name)
    return SimpleNamespace(**found)
