"""Figures of the outcome of training and of what predicts it, of whole spectra of exponents, of
neutral directions, and of leading exponents.
"""

import numpy as np

from . import style
from .style import DASHES, MUTED, PALETTE, frame, key, look, say

_LOOKS = {
    "ideal": dict(color=PALETTE[0], ls="-"),
    "middle": dict(color=PALETTE[4], ls="-"),
    "failed": dict(color=PALETTE[1], ls="--"),
}
_BOTH = {name: _LOOKS[name] for name in ("ideal", "failed")}
_SHARED = dict(sharex=True, sharey="row")
#: Kinds of block in an intermittent training, by number.
PHASES = ("fixed", "period 3", "other period", "irregular", "burst")


def outcomes(by_name):
    """Plot final losses of each ensemble, coloured by outcome, with the shares above.

    Losses below 1e-3 are shown there.  Runs that diverged have no loss, and count in the shares
    only.

    Parameters
    ----------
    by_name : dict
        Ensemble → (final losses (n,), :class:`netdyn_lib.statistics.classification.Outcomes`).
    """
    with style.figure(1, len(by_name), height=2.5, sharey=True) as (fig, axes):
        for axis, (name, (losses, found)) in zip(axes[0], by_name.items()):
            finite = losses[np.isfinite(losses)]
            low = np.clip(np.min(finite, initial=1.0), 1e-3, None)
            edges = np.geomspace(low, np.max(finite, initial=200) * 1.01, 45)
            for kind, looks in _LOOKS.items():
                mine = losses[getattr(found, kind) & np.isfinite(losses)]
                axis.histogram(np.clip(mine, low, None), edges, kind, color=looks["color"])
            lines = [f"{k} {share:.2f}" for k, share in found.shares.items()]
            axis.set_title("\n".join([name, *lines]), fontsize="small")
            axis.set(xscale="log", xlabel="final loss")
        axes[0, 0].set_ylabel("networks")
        key(fig, {kind: dict(color=looks["color"], lw=5) for kind, looks in _LOOKS.items()})
    return fig


def spectra(by_name):
    """Plot finite-time exponents against their index, of ideal and of failed runs: median and the
    middle half of those that have not diverged.

    Parameters
    ----------
    by_name : dict
        Ensemble → (exponents (n, P), :class:`netdyn_lib.statistics.classification.Outcomes`).
    """
    with style.figure(1, len(by_name), height=2.6, sharex=True, sharey=True) as (fig, axes):
        for axis, (exponents, found) in zip(axes[0], by_name.values()):
            axis.level(0)
            for kind, looks in _BOTH.items():
                chosen = exponents[getattr(found, kind)]
                chosen = chosen[~np.isnan(chosen).any(1)]
                if len(chosen):
                    # "nearest": no mean of −∞ and a number
                    values = np.percentile(chosen, (50, 25, 75), axis=0, method="nearest")
                    index = np.arange(1, exponents.shape[1] + 1)
                    axis.ranged(index, values, kind, 0.2, marker=".", **looks)
            axis.set_yscale("symlog", linthresh=10)
            axis.set_xticks(range(1, exponents.shape[1] + 1, 2))
        frame(axes, by_name, [r"exponent $\lambda_i$ per unit of time"], "index $i$")
        key(fig, _BOTH)
    return fig


def differences(by_name, xlabel):
    """Plot intervals row by row, a panel for each ensemble.

    ``by_name``: ensemble → dict of row → :class:`netdyn_lib.statistics.intervals.Interval`.
    """
    with style.figure(1, len(by_name), height=2.3, sharey=True, sharex=True) as (fig, axes):
        for axis, found in zip(axes[0], by_name.values()):
            for k, (name, interval) in enumerate(found.items()):
                axis.lying_estimates([interval], [-k], f"_{name}", color=PALETTE[0], lw=1.2, ms=3)
            axis.names("y", -np.arange(len(found)), list(found))
            axis.mark(0, color=MUTED, ls="-")
        frame(axes, by_name)
        fig.supxlabel(xlabel, fontsize="medium")
    return fig


def areas(by_name, predictors, early=None, outcomes=tuple(_BOTH)):
    """Plot the area under the ROC curve of some predictors over time, with 95% intervals: ensembles
    side by side, a row for each outcome.

    Parameters
    ----------
    by_name : dict
        Ensemble → table as from :func:`netdyn_lib.experiments.outcome_prediction.predicting.table`.
    predictors : sequence of str
        At most seven.
    early : float, optional
        A time to mark.
    outcomes : sequence of str
        "ideal", "failed" or both.
    """
    shape, height = (len(outcomes), len(by_name)), 2.3 if len(outcomes) > 1 else 2.9
    with style.figure(*shape, height=height, sharex=True, sharey=True) as (fig, axes):
        for column, table in zip(axes.T, by_name.values()):
            for axis, outcome in zip(column, outcomes):
                axis.level(0.5)
                _over_time(axis, table["auc"].sel(outcome=outcome), predictors, early)
                axis.set_ylim(0.35, 1.02)
        frame(axes, by_name, [f"AUC, {outcome}" for outcome in outcomes], "time $t$")
        key(fig, {name: look(k) for k, name in enumerate(predictors)}, columns=4)
    return fig


def savings_over_time(by_name, rules, early=None, bottom=-0.1):
    """Plot the share of epochs saved against the time of the decision: a panel for each ensemble, a
    line with its interval for each rule.

    Lines go below the panel where the work for a score costs more than stopping saves.

    Parameters
    ----------
    by_name : dict
        Ensemble → dataset as from
        :func:`netdyn_lib.experiments.outcome_prediction.predicting.savings_over_time`.
    rules : sequence of str
        At most seven.
    early : float, optional
        A time to mark.
    bottom : float
        The least share shown.
    """
    with style.figure(1, len(by_name), height=2.6, sharex=True, sharey=True) as (fig, axes):
        for axis, data in zip(axes[0], by_name.values()):
            axis.level(0)
            saved = data["saved"].rename(rule="predictor").transpose(..., "time", "bound")
            _over_time(axis, saved, rules, early)
            axis.set_ylim(bottom, 1)
        frame(axes, by_name, ["share of epochs saved"], "decision time $t$")
        key(fig, {rule: look(k) for k, rule in enumerate(rules)}, columns=4)
    return fig


def _over_time(axis, values, predictors, early=None):
    """Plot estimates and their bounds (predictor, time, bound), with a time to mark."""
    if early is not None:
        axis.mark(early, f"_t = {early:g}")
    axis.set(xscale="log")
    if not np.isfinite(values.values).any():
        say(axis, "too few runs")
        return
    for k, predictor in enumerate(predictors):
        bounds = values.sel(predictor=predictor).values.T
        axis.ranged(values["time"].values, bounds, predictor, 0.12, **look(k, ms=2.6))


def iris(spectra, directions):
    """Plot early and late spectra, and the make-up of neutral directions below; a column for each
    learning rate.

    Parameters
    ----------
    spectra : dict
        η → :class:`netdyn_lib.experiments.spectra.Stretches`.
    directions : dict
        η → :class:`netdyn_lib.experiments.neutral_directions.Directions`.
    """
    looks = {
        "first epochs": dict(color=PALETTE[1], lw=0.9, ls="--"),
        "late": dict(color=PALETTE[0], lw=1.1),
    }
    with style.figure(2, len(spectra), height=2.1, sharey="row") as (fig, axes):
        for (above, below), (rate, found) in zip(axes.T, spectra.items()):
            above.level(0)
            for name, exponents in zip(looks, (found.early, found.late)):
                index = np.arange(1, exponents.shape[1] + 1)
                above.line(index, exponents.T, f"_one network, {name}", **looks[name])
            above.set_yscale("symlog", linthresh=1e-2)
            above.set(xlabel="index $i$")
            shares = directions[rate].shares
            shares = np.clip(shares[np.isfinite(shares)], 0, 1)
            below.histogram(shares, np.linspace(0, 1, 21), color=PALETTE[2])
        titles = [rf"$\eta$ = {rate:g}" for rate in spectra]
        frame(axes, titles, (r"exponent $\lambda_i$", "weights"), "share in neutral span")
        key(fig, looks)
    return fig


def phases(found):
    """Plot growth in blocks of an intermittent training, and which weights hold what is not
    neutral; a row for each kind of phase.

    ``found`` is a :class:`netdyn_lib.experiments.neutral_directions.Blocks`; kinds of which there
    is no block have no row. The middle column has the first block of a kind, and of its vectors
    that are not neutral those that grow most and least.
    """
    rates = found.directions.growth
    index = np.arange(1, rates.shape[1] + 1)
    present = [kind for kind in range(len(PHASES)) if kind in found.kind]
    most, least = dict(color=PALETTE[2], lw=0.9), dict(color=PALETTE[3], lw=0.9, ls="--")
    with style.figure(len(present), 3, height=1.5, sharex="col") as (fig, axes):
        for kind, (spectrum, local, made_of) in zip(present, axes):
            zero = dict(color=MUTED, alpha=0.3)
            spectrum.lying_span(-found.within, found.within, "_zero by the rule", **zero)
            spectrum.set_yscale("symlog", linthresh=found.within)
            blocks = np.flatnonzero(found.kind == kind)
            for k, block in enumerate(blocks):
                name, colour = f"_block {k + 1}", look(k)["color"]
                spectrum.points(index, -np.sort(-rates[block]), name, **look(k, ms=2.2))
                made_of.line(index, found.weights[block], name, color=colour, lw=0.9)
            growth = found.local[blocks[0]]
            rest = np.flatnonzero(np.isfinite(growth).all(0))
            rest = rest[np.argsort(rates[blocks[0], rest])]
            steps = np.arange(len(growth))
            local.line(steps, growth[:, rest[-1:]], "grows most", **most)
            local.line(steps, growth[:, rest[:-1][:1]], "grows least", **least)
            for axis in (spectrum, local):
                axis.level(0)
            made_of.mark(found.inner + 0.5, "_end of the first layer")
            made_of.set_ylim(0, 1.03)
            spectrum.set_ylabel(PHASES[kind])
        titles = ("growth per epoch", "growth at each epoch", "share not neutral")
        frame(axes, titles, (), ("index $i$", "epoch of the block", "weight"))
        key(fig, {"grows most": most, "grows least": least})
    return fig


def leading(by_name):
    """Plot leading exponents along training, and the sharpness beside them.

    ``by_name``: name → dataset as from
    :func:`netdyn_lib.experiments.spectra.along_training`; columns are learning rates.
    """
    columns = [(name, data, rate) for name, data in by_name.items() for rate in data["eta"].values]
    with style.figure(2, len(columns), height=1.9, sharex="col", sharey="row") as (fig, axes):
        for (_, data, rate), (above, below) in zip(columns, axes.T):
            part = data.sel(eta=rate)
            for k, line in enumerate(part["exponent"].mean("init").transpose("index", ...)):
                above.line(part["stretch"], line, rf"$\lambda_{k + 1}$", **look(k, ms=2.8))
            sharp = part["sharpness"]
            with np.errstate(divide="ignore"):
                frozen = np.maximum(0, np.log(np.abs(1 - 2 * sharp)))  # λ_max = sharpness · 2/η
            frozen = frozen.mean("init")
            above.line(part["end"], frozen, "frozen curvature", color=MUTED, ls=":")
            above.level(0)
            looks = dict(color=PALETTE[0], lw=0.9)
            below.line(part["end"], sharp, "_sharpness of one network", **looks)
            below.level(1, "_edge of stability", color="black", ls=DASHES)
            below.set_yscale("log")
        titles = [f"{name}\n" + rf"$\eta$ = {rate:g}" for name, _, rate in columns]
        frame(axes, titles, ("exponent per epoch", r"sharpness $\cdot\,\eta/2$"), "epoch")
        count = max(len(data["index"]) for data in by_name.values())
        entries = {rf"$\lambda_{k + 1}$": look(k) for k in range(count)}
        key(fig, entries | {"frozen curvature": dict(color=MUTED, ls=":")}, columns=4)
    return fig
