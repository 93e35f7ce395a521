"""Figures of the outcome of training, and of what tells it early."""

import numpy as np

from . import style
from .rates import key, look, say
from .style import MUTED, PALETTE

IDEAL, MIDDLE, FAILED = PALETTE[0], PALETTE[4], PALETTE[1]
_COLOURS = {"ideal": IDEAL, "middle": MIDDLE, "failed": FAILED}


def outcomes(by_name):
    """Final losses of each ensemble, coloured by outcome, with the shares above.

    Losses below 1e-3 are drawn there.  Runs that diverged have no loss, and appear in the shares
    alone.

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
            for kind, colour in _COLOURS.items():
                axis.hist(
                    np.clip(losses[getattr(found, kind) & np.isfinite(losses)], low, None),
                    edges,
                    color=colour,
                )
            lines = [f"{k} {share:.2f}" for k, share in found.shares.items()]
            axis.set_title("\n".join([_title(name), *lines]), fontsize="small")
            axis.set(xscale="log", xlabel="final loss")
        axes[0, 0].set_ylabel("networks")
        key(fig, [(k, dict(color=c, lw=5)) for k, c in _COLOURS.items()])
    return fig


def courses(by_name, directions=(1, 2, 5, 9)):
    """Finite-time exponents over time, of ideal and of failed runs: median and the middle half of
    those that have not diverged.

    Parameters
    ----------
    by_name : dict
        Ensemble → (times (T,), exponents (T, n, P), Outcomes).
    directions : sequence of int
        Which exponents, from 1, a row each.
    """
    with style.figure(len(directions), len(by_name), height=1.45, sharex=True, sharey="row") as (
        fig,
        axes,
    ):
        for column, (name, (times, exponents, found)) in enumerate(by_name.items()):
            for row, direction in enumerate(directions):
                axis = axes[row, column]
                axis.axhline(0, color=MUTED, lw=0.8)
                for kind in ("ideal", "failed"):
                    chosen = exponents[:, getattr(found, kind)[: exponents.shape[1]], direction - 1]
                    if chosen.shape[1] == 0:
                        continue
                    some = ~np.isnan(chosen).all(1)
                    # no mean of −∞ and a number
                    low, middle, high = np.nanpercentile(
                        chosen[some], (25, 50, 75), axis=1, method="nearest"
                    )
                    axis.plot(
                        times[some],
                        middle,
                        color=_COLOURS[kind],
                        ls="-" if kind == "ideal" else "--",
                    )
                    axis.fill_between(times[some], low, high, color=_COLOURS[kind], alpha=0.2, lw=0)
                axis.set(xscale="log", yscale="symlog")
                if column == 0:
                    axis.set_ylabel(rf"$\lambda_{direction}$")
                if row == 0:
                    axis.set_title(_title(name), fontsize="small")
        for axis in axes[-1]:
            axis.set_xlabel("time $t$")
        key(fig, [("ideal", dict(color=IDEAL)), ("failed", dict(color=FAILED, ls="--"))])
    return fig


def tangencies(by_name, labels, bins=30):
    """Distribution of the angle between pairs of covariant vectors, of ideal and of failed runs.

    Parameters
    ----------
    by_name : dict
        Ensemble → (angles (n, k) in radians, Outcomes).
    labels : sequence of str
        Names of the k pairs, a row each.
    """
    edges = np.linspace(0, 90, bins + 1)
    with style.figure(len(labels), len(by_name), height=1.1, sharex=True, sharey="row") as (
        fig,
        axes,
    ):
        for column, (name, (angles, found)) in enumerate(by_name.items()):
            for row, label in enumerate(labels):
                axis = axes[row, column]
                for kind in ("ideal", "failed"):
                    degrees = np.degrees(angles[getattr(found, kind), row])
                    degrees = degrees[np.isfinite(degrees)]
                    if len(degrees):
                        axis.stairs(
                            np.histogram(degrees, edges)[0] / len(degrees),
                            edges,
                            color=_COLOURS[kind],
                            ls="-" if kind == "ideal" else "--",
                        )
                    axis.set_yticks([])
                if column == 0:
                    axis.set_ylabel(label)
                if row == 0:
                    axis.set_title(_title(name), fontsize="small")
        for axis in axes[-1]:
            axis.set(xlabel="angle / degrees", xlim=(0, 90))
        key(fig, [("ideal", dict(color=IDEAL)), ("failed", dict(color=FAILED, ls="--"))])
    return fig


def areas(by_name, predictors, early=None, bands=True):
    """Area under the curve of some predictors over time: ensembles side by side, a row for each
    outcome.

    Parameters
    ----------
    by_name : dict
        Ensemble → table as from :func:`netdyn_lib.experiments.outcome_prediction.predicting.table`.
    predictors : sequence of str
        At most seven.
    early : float, optional
        A time to mark.
    bands : bool
        Whether 95% intervals are shaded.
    """
    rows = ("ideal", "failed")
    with style.figure(len(rows), len(by_name), height=2.3, sharex=True, sharey=True) as (fig, axes):
        for column, (name, table) in enumerate(by_name.items()):
            times = table["time"].values
            for row, outcome in enumerate(rows):
                axis = axes[row, column]
                axis.axhline(0.5, color=MUTED, lw=0.8)
                if early is not None:
                    axis.axvline(
                        early, color="black", lw=0.8, ls=(0, (4, 3)), label=f"_t = {early:g}"
                    )
                part = table["auc"].sel(outcome=outcome)
                if not np.isfinite(part.values).any():
                    say(axis, "too few runs")
                    continue
                for k, predictor in enumerate(predictors):
                    middle, low, high = part.sel(predictor=predictor).values.T
                    axis.plot(times, middle, label=predictor, **look(k) | dict(ms=2.6))
                    if bands:
                        axis.fill_between(
                            times, low, high, color=look(k)["color"], alpha=0.12, lw=0
                        )
                axis.set(xscale="log", ylim=(0.35, 1.02))
                if row == 0:
                    axis.set_title(_title(name), fontsize="small")
                if column == 0:
                    axis.set_ylabel(f"AUC, {outcome}")
        for axis in axes[-1]:
            axis.set_xlabel("time $t$")
        key(fig, [(name, look(k)) for k, name in enumerate(predictors)], columns=4)
    return fig


def savings(by_name):
    """Share of epochs saved by stopping early on each rule at equal best loss, with intervals.

    ``by_name``: ensemble → :class:`netdyn_lib.statistics.early_stopping.Comparison`.
    """
    with style.figure(1, len(by_name), height=2.3, sharey=True, sharex=True) as (fig, axes):
        for axis, (name, found) in zip(axes[0], by_name.items()):
            rules = list(found.rules)
            for k, rule in enumerate(rules):
                middle, low, high = found.rules[rule].saved
                # a percentile interval may lie beside the estimate
                axis.plot(
                    (low, high),
                    (-k, -k),
                    color=look(k)["color"],
                    lw=1.2,
                    label=f"_{rule}, interval",
                )
                axis.plot(middle, -k, **look(k) | dict(ls=""), label=f"_{rule}")
            axis.set_yticks(-np.arange(len(rules)), rules)
            axis.axvline(0, color=MUTED, lw=0.8)
            axis.set_title(_title(name), fontsize="small")
        fig.supxlabel("share of epochs saved", fontsize="medium")
    return fig


def savings_over_time(by_name, early=None, bottom=-0.1):
    """Share of epochs saved against the time of the decision: a panel for each ensemble, a line
    with its interval for each rule.

    Lines go below the panel where the work for a score costs more than stopping saves.

    Parameters
    ----------
    by_name : dict
        Ensemble → dataset as from
        :func:`netdyn_lib.experiments.outcome_prediction.predicting.savings_over_time`, all of the
        same rules, at most seven.
    early : float, optional
        A time to mark.
    bottom : float
        The least share shown.
    """
    rules = next(iter(by_name.values()))["rule"].values.tolist()
    with style.figure(1, len(by_name), height=2.6, sharex=True, sharey=True) as (fig, axes):
        for axis, (name, data) in zip(axes[0], by_name.items()):
            times = data["time"].values
            axis.set_title(_title(name), fontsize="small")
            axis.axhline(0, color=MUTED, lw=0.8)
            if early is not None:
                axis.axvline(early, color="black", lw=0.8, ls=(0, (4, 3)), label=f"_t = {early:g}")
            axis.set(xscale="log", ylim=(bottom, 1), xlabel="decision time $t$")
            if not np.isfinite(data["saved"].values).any():
                say(axis, "too few runs")
                continue
            for k, rule in enumerate(rules):
                middle, low, high = data["saved"].sel(rule=rule).transpose("time", "bound").values.T
                axis.plot(times, middle, **look(k) | dict(ms=2.6))
                axis.fill_between(times, low, high, color=look(k)["color"], alpha=0.12, lw=0)
        axes[0, 0].set_ylabel("share of epochs saved")
        key(fig, [(rule, look(k)) for k, rule in enumerate(rules)], columns=4)
    return fig


def _title(name):
    """``ridge-tanh-normal`` as ``tanh, normal``."""
    return name.removeprefix("ridge-").replace("-", ", ")
