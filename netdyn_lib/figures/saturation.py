"""Figures of the map that a saturated network obeys."""

import numpy as np
from matplotlib.colors import ListedColormap

from . import style
from .series import COLOURS, FIXED, IRREGULAR, KINDS, NUMBERED, PERIOD3, key, kinds
from .style import MUTED, PALETTE

_LOSS = r"training loss $\mathcal{L}$"
_SMALL = dict(fontsize="x-small", labelspacing=0.25)


def diagram(gains, losses, exponents, marks, measured, critical):
    """Plot the loss of the reduced map against its gain, with the network's own; its exponent
    below.

    Parameters
    ----------
    gains : array, shape (G,)
    losses : array, shape (G, points)
    exponents : array, shape (G, starts)
    marks : dict of str to float
        Gains to mark.
    measured : dict of float to array
        Losses seen in networks of that gain.
    critical : float
        Where the fixed point loses its stability.
    """
    options = dict(height=2.6, sharex=True, height_ratios=(1.7, 1))
    with style.figure(2, 1, **options) as (fig, ((top,), (bottom,))):
        looks = dict(marker=",", color="black", alpha=0.25, rasterized=True)
        x = np.repeat(gains, losses.shape[1])
        top.points(x, losses.ravel(), "_iterates of the map", **looks)
        networks, looks = r"networks, at $g = \eta\kappa$", dict(marker="_", color=IRREGULAR)
        for gain, values in measured.items():
            faint = dict(ms=8, mew=0.4, alpha=0.6, rasterized=True)
            top.points(np.full(values.size, gain), values.ravel(), f"_{networks}", **looks, **faint)
        top.plot([], label=networks, ls="", ms=9, **looks)
        top.line(gains, gains / 3, r"$g/3$", color=PALETTE[0], lw=0.9, ls="--")
        top.set(ylabel=_LOSS, ylim=(0, np.quantile(losses[-1], 0.999) * 1.1))
        top.legend(loc="upper left", frameon=True, framealpha=1, edgecolor="none")
        high = exponents.max(1)
        looks = dict(marker=".", color=MUTED, ms=1.2, rasterized=True)
        bottom.points(gains, exponents, "_exponents of one start", **looks)
        name = "_largest exponent, where positive"
        bottom.band(gains, 0, high, name, high > 0, color=IRREGULAR, alpha=0.6)
        bottom.level(0, color="black", lw=0.7)
        bottom.set(xlabel=r"gain $g = \eta\kappa$", ylabel="exponent per step")
        bottom.set_ylim(-1.0, max(0.4, high.max() * 1.1))
        for axis in (top, bottom):
            axis.mark(critical, "_critical gain", color=PALETTE[0], lw=0.7, ls=":")
            for name, gain in marks.items():
                axis.mark(gain, f"_{name}", color=MUTED, lw=0.5, ls="-", zorder=0)
        where = dict(xycoords=("data", "axes fraction"), ha="center", fontsize="small")
        for name, gain in marks.items():
            top.annotate(name, (gain, 1.02), **where)
        top.set_xlim(gains[0], gains[-1])
        fig.align_ylabels()
    return fig


def prediction(true, predicted, errors, counts, matrix, names):
    """Plot the reduced map against networks: one block, errors over the steps, and the class of
    blocks.

    Parameters
    ----------
    true, predicted : arrays, shape (steps + 1,)
        Loss of one irregular block.
    errors : dict of str to dict of str to array
        By model and kind of block: quantiles 0.1, 0.5 and 0.9 of the relative
        error, (3, steps + 1).
    counts : dict of str to int
        Blocks of each kind.
    matrix : array of int, shape (K, K)
        Blocks by true (row) and predicted (column) kind.
    names : sequence of str
    """
    colours = {"fixed": FIXED, "period 3": PERIOD3, "irregular": IRREGULAR}
    sizes = dict(height=2.8, width_ratios=(1.1, 1.1, 1.0))
    with style.figure(1, 3, **sizes) as (fig, ((first, second, third),)):
        steps = np.arange(len(true))
        first.points(steps, true, "network", color="black", ms=3, mfc="none", mew=0.7)
        looks = dict(marker=".", color=IRREGULAR, ms=3, lw=0.6)
        first.line(steps, predicted, "reduced map", **looks)
        first.set(xlabel="epochs ahead", ylabel=_LOSS, ylim=(0, true.max() * 1.35))
        first.legend(loc="upper right", **_SMALL)
        for (model, by_kind), line in zip(errors.items(), ("-", ":")):
            for kind, quantiles in by_kind.items():
                low, middle, high = np.maximum(quantiles, 1e-17)
                label, colour = f"_{kind}, {model}", colours[kind]
                if line == "-":
                    second.band(steps, low, high, f"{label}, quantiles", color=colour)
                    label = f"{kind} ({counts[kind]})"
                second.line(steps, middle, label, ls=line, color=colour)
            second.plot([], line, color="black", label=model)
        second.set(xlabel="epochs ahead", ylabel="error / range of loss", yscale="log")
        second.set(ylim=(1e-18, 3), yticks=10.0 ** np.arange(-12, 1, 3))
        second.legend(loc="lower right", **_SMALL)
        _matrix(third, matrix, [name.replace("other period", "other") for name in names])
    return fig


def _matrix(axis, matrix, names):
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axis.image(share, cmap="Blues", vmin=0, vmax=1.3)
    where = dict(ha="center", va="center", fontsize="small")
    for (i, j), value in np.ndenumerate(matrix):
        colour = "white" if share[i, j] > 0.6 else "black"
        axis.annotate(str(value), (j, i), color=colour, **where)
    axis.set(xlabel="predicted", ylabel="seen in the network")
    axis.names("x", range(len(names)), names, rotation=35, ha="right", fontsize="small")
    axis.names("y", range(len(names)), names, fontsize="small")


def portrait(basin, edge, attractors, networks, titles):
    """Plot the plane of logits: basins and attractors of the reduced map, and where networks are.

    Parameters
    ----------
    basin : sequence of array of int, shape (side, side)
        Label of the attractor reached from each point, one array a panel.
    edge : float
        Panels reach from -edge to edge.
    attractors, networks : sequences of array, shape (points, 2)
    titles : sequence of str
    """
    looks = dict(cmap=ListedColormap(COLOURS), vmin=-0.5, vmax=3.5, alpha=0.28)
    looks |= dict(origin="lower", extent=(-edge, edge, -edge, edge))
    panels = zip(basin, attractors, networks, strict=True)
    with style.figure(1, len(basin), height=2.9, sharey=True) as (fig, axes):
        for axis, (image, orbit, seen) in zip(axes[0], panels):
            axis.image(kinds(image), f"_{NUMBERED}", **looks)
            dots = dict(marker=".", ms=1.5, color="black", mew=0, rasterized=True)
            axis.points(*orbit.T, "_orbit of the map", **dots)
            axis.points(*seen.T, "_seen in training", ms=3.2, mfc="none", color="#cc0000", mew=0.7)
            axis.set(xlim=(-edge, edge), ylim=(-edge, edge))
        names = r"$(2z_3 - z_1 - z_2)/\sqrt{6}$", r"$(z_2 - z_1)/\sqrt{2}$"
        style.frame(axes, titles, names[:1], names[1])
        key(fig)
    return fig


def split(bars, loss, logits):
    """Plot what the class sizes of the split change: shares of phases, and a dozen epochs on the
    balanced one.

    Parameters
    ----------
    bars : dict of str to dict of int to float
        Shares of labels by name of the bar.
    loss : array, shape (steps,)
    logits : array, shape (steps, 3)
    """
    sizes = dict(height=2.6, width_ratios=(1.5, 1, 1))
    with style.figure(1, 3, **sizes) as (fig, ((first, second, third),)):
        where = dict(ha="center", va="center", color="white", fontsize="small")
        for y, shares in enumerate(reversed(bars.values())):
            labels, left = kinds(list(shares)), 0.0
            for k, colour in enumerate(COLOURS):
                width = np.array(list(shares.values()))[labels == k].sum()
                first.lying_bar(y, width, f"_{KINDS[k]}", left, color=colour, height=0.65)
                if width > 0.08:
                    first.annotate(f"{width:.0%}", (left + width / 2, y), **where)
                left += width
        first.names("y", range(len(bars)), list(bars)[::-1])
        first.set(xlabel="share of blocks", xlim=(0, 1))
        steps, looks = np.arange(len(loss)), dict(marker="o", ms=3, lw=0.7)
        for k, colour in enumerate((PALETTE[0], PALETTE[4], PALETTE[3])):
            second.line(steps, logits[:, k], str(k + 1), color=colour, **looks)
        second.set(xlabel="epoch in the block", ylabel=r"mean logit $z_c$")
        second.set_ylim(None, logits.max() + 0.45 * np.ptp(logits))
        small = dict(title_fontsize="x-small", fontsize="x-small", columnspacing=0.9)
        second.legend(title="class", ncols=3, loc="upper center", **small)
        third.line(steps, loss, "_training", color="black", **looks)
        third.set(xlabel="epoch in the block", ylabel=_LOSS, ylim=(0, loss.max() * 1.3))
        key(fig)
    return fig


def ageing(epochs, openness, times, approach, rate):
    """Plot that saturation never ends: how open the most open unit is, how units leave, and how
    often.

    Parameters
    ----------
    epochs : array, shape (B,)
    openness : array, shape (3, B)
        Quantiles 0.1, 0.5 and 0.9 over trajectories of the largest derivative.
    times : array, shape (K,)
        Epochs left before a unit switches.
    approach : array, shape (3, K)
        Quantiles of that unit's derivative.
    rate : netdyn_lib.experiments.saturation.Ageing
    """
    with style.figure(1, 3, height=2.5) as (fig, (axes,)):
        first, second, third = axes
        slope = dict(color="black", ls="--", lw=0.8)
        for axis, x, (low, middle, high) in ((first, epochs, openness), (second, times, approach)):
            axis.band(x, low, high, "_quantiles 0.1 to 0.9", color=PALETTE[0], alpha=0.2)
            axis.points(x, middle, "_median", color=PALETTE[0], ms=2.5)
            k = len(x) // 2
            axis.line(x, middle[k] * x[k] / x, "slope $-1$", **slope)
        first.set(xlabel="epoch $t$", ylabel="largest $h(1-h)$")
        second.set(xlabel="epochs before the switch", ylabel="$h(1-h)$ of the unit")
        third.points(rate.epochs, rate.rate, "_measured", color=IRREGULAR, ms=4)
        seen = rate.rate > 0
        middle = np.exp(np.log(rate.rate[seen]).mean() + np.log(rate.epochs[seen]).mean())
        third.line(rate.epochs, middle / rate.epochs, "slope $-1$", **slope)
        third.set(xlabel="epoch $t$", ylabel="switches per epoch")
        for axis in axes:
            axis.set(xscale="log", yscale="log")
            axis.legend()
        second.invert_xaxis()
    return fig
