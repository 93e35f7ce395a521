"""Figures of perturbed copies as functions, and of the map of finite-time exponents."""

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap

from . import style
from .style import MUTED, PALETTE

#: Colours of the four kinds of cell: calm or chaotic, learned or failed.
KINDS = {
    "calm, learned": "#ffffff",
    "calm, failed": "#c9c9c9",
    "chaotic, learned": PALETTE[5],
    "chaotic, failed": PALETTE[1],
}


def growth(epochs, curves, rates):
    """Plot how distances of copies grow, in units of those at epoch 0.

    Parameters
    ----------
    epochs, curves : dict
        By task: epochs (T,); and (name of the distance, (rate, T, n)) pairs, as a dict.
    rates : sequence of float
        The learning rates of the curves.
    """
    rows = len(next(iter(curves.values())))
    with style.figure(rows, len(curves), height=2.2, sharex="col") as (fig, axes):
        for column, (task, found) in enumerate(curves.items()):
            for row, (name, values) in enumerate(found.items()):
                axis = axes[row, column]
                for k, (rate, one) in enumerate(zip(rates, values)):
                    scaled = one / one[:1]
                    bounds = np.nanquantile(scaled, (0.5, 0.25, 0.75), axis=1)
                    axis.ranged(epochs[task], bounds, f"η = {rate:g}", **style.dash(k))
                axis.set(yscale="log", xscale="symlog")
                axis.set_xlim(0, epochs[task][-1])
                axis.set_ylabel(f"{name} / its start" if column == 0 else "")
        style.frame(axes, titles=list(curves), xlabels="epoch")
        style.key(fig, columns=len(rates))
    return fig


def over_rates(rates, series, ylabels, level=None):
    """Plot medians of pairs over learning rates with the middle half of them, a column a task.

    ``rates``: by task, (rate,); ``series``: by task, a sequence (one for each row) of name →
    (rate, n); ``level`` draws a line in the last row.
    """
    with style.figure(len(ylabels), len(series), height=2.3, sharex="col", sharey="row") as opened:
        fig, axes = opened
        for column, (task, rows) in enumerate(series.items()):
            for axis, named in zip(axes[:, column], rows):
                for k, (name, values) in enumerate(named.items()):
                    bounds = np.nanquantile(values, (0.5, 0.25, 0.75), axis=1)
                    axis.ranged(rates[task], bounds, name, **style.look(k, ms=3))
                axis.set(xscale="log")
            if level is not None:
                axes[-1, column].level(level, "_criterion", ls="--")
        style.frame(axes, titles=list(series), ylabels=ylabels, xlabels="learning rate η")
        style.key(fig, columns=4)
    return fig


def functions(found):
    """Plot the function distance of each pair against the distance of its weights, both in units
    of those of unrelated networks at the same rate.

    ``found``: by task, (weights (k,), functions (k,), rates (k,)).
    """
    with style.figure(1, len(found), height=2.8, sharey=True) as (fig, (axes,)):
        for axis, (task, (weights, values, rates)) in zip(axes, found.items()):
            known = np.unique(rates)
            tones = np.interp(np.log(rates), np.log([known[0], known[-1]]), (0, 1))
            axis.note("points", "pairs", x=weights, y=values)
            looks = dict(c=tones, cmap="viridis", s=5, alpha=0.7, rasterized=True)
            drawn = axis.scatter(weights, np.maximum(values, 1e-10), **looks)
            axis.mark(0.01, "_parted")
            axis.level(0.5, "_another function", ls="--")
            axis.set(xscale="log", yscale="log", title=task)
            axis.set(xlabel="distance of weights / unrelated networks'")
        axes[0].set_ylabel("function distance / unrelated")
        bar = fig.colorbar(drawn, ax=axes, ticks=(0, 1), pad=0.02)
        bar.set_ticklabels((f"{known[0]:g}", f"{known[-1]:g}"))
        bar.set_label("learning rate η", labelpad=-12)
    return fig


def _window(axis, rates, scales):
    """The extent of an image over (rate, scale), with ticks at round values."""
    ends = [np.log10(v[k]) for v in (rates, scales) for k in (0, -1)]
    for which, values in (("x", rates), ("y", scales)):
        whole = [m * 10.0**p for p in range(-3, 4) for m in (1, 2, 5)]
        inside = [v for v in whole if values[0] <= v * 1.0001 and v <= values[-1] * 1.0001]
        tens = [v for v in inside if np.isclose(np.log10(v), np.round(np.log10(v)))]
        shown = tens if len(tens) > 1 else inside
        if len(shown) < 2:  # a narrow window
            shown = np.geomspace(values[0], values[-1], 5)[1:-1:2]
        axis.names(which, np.log10(shown), [f"{v:.4g}" for v in shown])
    return dict(extent=ends, origin="lower", aspect="auto", interpolation="nearest")


def maps(panels, full=0.3):
    """Plot maps over the learning rate and the scale of the initial weights, side by side.

    ``panels``: by title, (rates, scales, values (scale, rate)); colours run from −``full`` to
    ``full`` per epoch, and the zero level is drawn where it is.
    """
    with style.figure(1, len(panels), height=3.0) as (fig, (axes,)):
        for axis, (title, (rates, scales, values)) in zip(axes, panels.items()):
            looks = _window(axis, rates, scales) | dict(cmap="RdBu_r", vmin=-full, vmax=full)
            drawn = axis.image(np.clip(values, -full, full), title, "exponent per epoch", **looks)
            axis.set(title=title, xlabel="learning rate η")
        axes[0].set_ylabel("scale s of the initial weights")
        fig.colorbar(drawn, ax=axes, label="exponent per epoch", pad=0.02)
    return fig


def kinds(panels):
    """Plot which cells are chaotic and which fail, side by side.

    ``panels``: by title, (rates, scales, chaotic, failed), both (scale, rate) bool.
    """
    palette = ListedColormap(list(KINDS.values()))
    norm = BoundaryNorm(np.arange(5) - 0.5, 4)
    with style.figure(1, len(panels), height=3.0, sharey=True) as (fig, (axes,)):
        for axis, (title, (rates, scales, chaotic, failed)) in zip(axes, panels.items()):
            values = 2 * chaotic.astype(int) + failed
            looks = _window(axis, rates, scales) | dict(cmap=palette, norm=norm)
            drawn = axis.image(values, title, ", ".join(KINDS), **looks)
            axis.set(title=title, xlabel="learning rate η")
        axes[0].set_ylabel("scale s of the initial weights")
        bar = fig.colorbar(drawn, ax=axes, ticks=range(4), pad=0.02)
        bar.set_ticklabels(list(KINDS))
    return fig


def boxes(sides, counted, dimensions):
    """Plot how many boxes a boundary crosses over their side, and dimensions.

    ``counted``: by name, counts (k,); ``dimensions``: by name, values of several pictures, in the
    order from the top.
    """
    with style.figure(1, 2, height=3.0, width_ratios=(1.3, 1)) as (fig, ((left, right),)):
        for k, (name, counts) in enumerate(counted.items()):
            left.line(sides, counts / counts[-1], name, **style.look(k, ms=3.5))
        slopes = np.array(sides, dtype=float)
        for power, looks in ((1, dict(ls=":")), (2, dict(ls="--"))):
            label = f"_slope {power}"
            left.line(slopes, (slopes / slopes[-1]) ** -power, label, color=MUTED, **looks)
        left.set(xscale="log", yscale="log", xlabel="side of the boxes, in cells")
        left.set(ylabel="boxes crossed / those of the largest")
        left.set_xticks(sides, [str(s) for s in sides])
        left.minorticks_off()
        left.legend(loc="upper right", fontsize="x-small")
        places = np.arange(len(dimensions))[::-1]
        for place, values in zip(places, dimensions.values()):
            right.points(np.atleast_1d(values), np.full(np.size(values), place), color=PALETTE[0])
        right.names("y", places, dimensions, fontsize="small")
        right.mark(1)
        right.set(xlabel="dimension by box counts", xlim=(0.9, 2.05))
    return fig
