"""Figures of arms with and without expansion: against the learning rate, over epochs, and where a
flow leaves the orbit.
"""

import numpy as np
from matplotlib.ticker import NullLocator

from . import style
from .style import MUTED, dash, key, look
from .sweeps import EPOCH, RATE, log_epochs, rate_axis, shift


def against_rate(rates, panels):
    """Plot Intervals of several arms against η, a panel each.

    ``panels`` maps the name of a y axis to ``(by_arm, level, kind)``: label → Intervals (R,), NaN
    left out; a level drawn across, or None; and ``"epochs"`` for a logarithmic axis of epochs,
    ``"log"`` or ``"linear"``.  A label has one colour in all panels.
    """
    labels = list(dict.fromkeys(label for by_arm, *_ in panels.values() for label in by_arm))
    height = 2.9 if len(panels) < 3 else 2.5
    columns = min(len(panels), 2)
    with style.figure(-(-len(panels) // columns), columns, height) as (fig, axes):
        for axis, (name, (by_arm, level, kind)) in zip(np.ravel(axes), panels.items()):
            for label, intervals in by_arm.items():
                k = labels.index(label)
                axis.estimates(rates, intervals, label, shift(k, len(labels)), **look(k))
            if level is not None:
                axis.level(level, "_level", color="black")
            rate_axis(axis, rates)
            axis.set(xlabel=RATE, ylabel=name)
            if kind == "epochs":
                log_epochs(axis, name)
            elif kind == "log":
                axis.set_yscale("log")
        key(fig, columns=4)
    return fig


def courses(epochs, by_arm, ylabel):
    """Plot curves over epochs, a panel for each network: ``by_arm`` maps a label to (k, T)."""
    count = len(next(iter(by_arm.values())))
    with style.figure(1, count, 2.5, sharey=True) as (fig, axes):
        for n, axis in enumerate(axes[0]):
            for k, (label, curves) in enumerate(by_arm.items()):
                there = np.isfinite(curves[n])
                axis.line(epochs[there], curves[n][there], label, **dash(k))
            axis.set(yscale="log", xlabel=EPOCH)
            axis.set_title(f"network {n}", fontsize="small")
        axes[0, 0].set_ylabel(ylabel)
        key(fig, columns=4)
    return fig


def departures(by_rate, end):
    """Plot when a perturbation has grown tenfold against when the flow leaves the orbit, a point
    for each network.

    ``by_rate`` maps a label to two arrays of epochs, infinite for never within ``end`` epochs;
    those stand beyond the dashed lines.
    """
    rng = np.random.default_rng(0)  # points on each other are moved apart
    with style.figure(1, 1, 4.0, width=5.0) as (fig, axes):
        axis = axes[0, 0]
        for k, (label, times) in enumerate(by_rate.items()):
            x, y = (np.where(np.isinf(t), 1.5 * end, 1 + t) for t in times)
            apart = 1.12 ** rng.uniform(-1, 1, (2, len(x)))
            looks = dict(look(k), ls="", alpha=0.8)
            axis.points(x * apart[0], y * apart[1], label, **looks)
        axis.mark(1.15 * end, "_never within the record", color=MUTED)
        axis.level(1.15 * end, "_never within the record", ls="--")
        ticks, names = [1, 3, 10, 30], ["0", "2", "9", "29"]
        kept = [k for k, tick in enumerate(ticks) if tick <= end]
        axis.set(xscale="log", yscale="log", aspect="equal")
        for one in (axis.xaxis, axis.yaxis):
            one.set_ticks(
                [*(ticks[k] for k in kept), 1.5 * end], [*(names[k] for k in kept), "never"]
            )
            one.set_minor_locator(NullLocator())
        axis.set_xlabel("epoch at which the flow has left the orbit")
        axis.set_ylabel("epoch at which a perturbation\nhas grown tenfold")
        key(fig, columns=3)
    return fig


def predicted(by_loss):
    """Plot the loss that gradient descent shows beside the average that the flow predicts, and the
    flow's sharpness: ``by_loss`` maps a label to losses, predictions and sharpness/(2/η), (T,).
    """
    with style.figure(2, len(by_loss), 2.3, sharex=True) as (fig, axes):
        for j, (label, (seen, told, ratio)) in enumerate(by_loss.items()):
            upper, lower = axes[:, j]
            epochs = np.arange(len(seen))
            upper.line(epochs, seen, "gradient descent", color=MUTED, lw=0.8)
            upper.line(epochs, told, "the flow's prediction", **dash(0))
            lower.line(epochs, ratio, "the flow's sharpness/(2/η)", **dash(1))
            lower.level(1.0, "_threshold", ls="--")
            upper.set_yscale("log")
            upper.set_title(label, fontsize="small")
            lower.set_xlabel(EPOCH)
        axes[0, 0].set_ylabel("training loss $L$")
        axes[1, 0].set_ylabel(r"sharpness/$(2/\eta)$")
        key(fig)
    return fig
