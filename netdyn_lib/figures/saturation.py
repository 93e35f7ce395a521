"""Figures of the map that a saturated network obeys: arrays in, Figure out."""

import numpy as np
from matplotlib.colors import ListedColormap

from ..series.phases import kinds
from . import style
from .phases import COLOURS, FIXED, IRREGULAR, NUMBERED, PERIOD3, key


def diagram(gains, losses, exponents, marks, measured, critical, height=2.6):
    """Loss of the reduced map against its gain, with the network's own; its exponent below.

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
    with style.figure(2, 1, height=height, sharex=True, height_ratios=(1.7, 1)) as (
        fig,
        ((top,), (bottom,)),
    ):
        x = np.repeat(gains, losses.shape[1])
        top.plot(
            x,
            losses.ravel(),
            ",",
            color="black",
            alpha=0.25,
            rasterized=True,
            label="_iterates of the map",
        )
        for gain, values in measured.items():
            top.plot(
                np.full(values.size, gain),
                values.ravel(),
                "_",
                color=IRREGULAR,
                markersize=8,
                mew=0.4,
                alpha=0.6,
                rasterized=True,
            )
        top.plot([], "_", color=IRREGULAR, markersize=9, label=r"networks, at $g = \eta\kappa$")
        top.plot(gains, gains / 3, "--", color=style.PALETTE[0], linewidth=0.9, label=r"$g/3$")
        top.set(
            ylabel=r"training loss $\mathcal{L}$", ylim=(0, np.quantile(losses[-1], 0.999) * 1.1)
        )
        top.legend(loc="upper left", frameon=True, framealpha=1, edgecolor="none")
        high = exponents.max(1)
        bottom.plot(
            gains,
            exponents,
            ".",
            color=style.MUTED,
            markersize=1.2,
            rasterized=True,
            label="_exponents of one start",
        )
        bottom.fill_between(
            gains,
            0,
            high,
            where=high > 0,
            color=IRREGULAR,
            alpha=0.6,
            linewidth=0,
            label="_largest exponent, where positive",
        )
        bottom.axhline(0, color="black", linewidth=0.7)
        bottom.set(
            xlabel=r"gain $g = \eta\kappa$",
            ylabel=r"exponent per step",
            ylim=(-1.0, max(0.4, high.max() * 1.1)),
        )
        for axis in (top, bottom):
            axis.axvline(critical, color=style.PALETTE[0], linewidth=0.7, linestyle=":")
            for gain in marks.values():
                axis.axvline(gain, color=style.MUTED, linewidth=0.5, zorder=0)
        for name, gain in marks.items():
            top.annotate(
                name,
                (gain, 1.02),
                xycoords=("data", "axes fraction"),
                ha="center",
                fontsize="small",
            )
        top.set_xlim(gains[0], gains[-1])
        fig.align_ylabels()
    return fig


def prediction(true, predicted, errors, counts, matrix, names):
    """The reduced map against networks: one block, errors over the steps, and the class of blocks.

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
    with style.figure(1, 3, height=2.8, width_ratios=(1.1, 1.1, 1.0)) as (
        fig,
        ((first, second, third),),
    ):
        steps = np.arange(len(true))
        first.plot(
            steps,
            true,
            "o",
            color="black",
            markersize=3,
            markerfacecolor="none",
            mew=0.7,
            label="network",
        )
        first.plot(
            steps,
            predicted,
            ".-",
            color=IRREGULAR,
            markersize=3,
            linewidth=0.6,
            label="reduced map",
        )
        first.set(
            xlabel="epochs ahead",
            ylabel=r"training loss $\mathcal{L}$",
            ylim=(0, true.max() * 1.35),
        )
        first.legend(loc="upper right", fontsize="x-small", labelspacing=0.25)
        for (model, by_kind), line in zip(errors.items(), ("-", ":"), strict=False):
            for kind, quantiles in by_kind.items():
                low, middle, high = np.maximum(quantiles, 1e-17)
                label = f"{kind} ({counts[kind]})" if line == "-" else f"_{kind}, {model}"
                second.semilogy(steps, middle, line, color=colours[kind], label=label)
                if line == "-":
                    second.fill_between(
                        steps,
                        low,
                        high,
                        color=colours[kind],
                        alpha=0.15,
                        linewidth=0,
                        label=f"_{kind}, {model}, quantiles",
                    )
            second.plot([], [], line, color="black", label=model)
        second.set(xlabel="epochs ahead", ylabel="error / range of loss", ylim=(1e-18, 3))
        second.set_yticks(10.0 ** np.arange(-12, 1, 3))
        second.legend(fontsize="x-small", loc="lower right", labelspacing=0.25)
        _matrix(third, matrix, names)
        style.letter((first, second, third))
    return fig


def _matrix(axis, matrix, names):
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1.3)
    for (i, j), value in np.ndenumerate(matrix):
        axis.annotate(
            str(value),
            (j, i),
            ha="center",
            va="center",
            fontsize="small",
            color="white" if share[i, j] > 0.6 else "black",
        )
    short = [n.replace("other period", "other") for n in names]
    axis.set(
        xticks=range(len(names)),
        yticks=range(len(names)),
        xlabel="predicted",
        ylabel="seen in the network",
    )
    axis.set_xticklabels(short, rotation=35, ha="right", fontsize="small")
    axis.set_yticklabels(short, fontsize="small")


def portrait(basin, edge, attractors, networks, titles):
    """The plane of logits: basins and attractors of the reduced map, and where networks are.

    Parameters
    ----------
    basin : sequence of array of int, shape (side, side)
        Label of the attractor reached from each point, one array a panel.
    edge : float
        Panels reach from -edge to edge.
    attractors, networks : sequences of array, shape (points, 2)
    titles : sequence of str
    """
    cmap = ListedColormap(COLOURS)
    with style.figure(1, len(basin), height=2.9, sharey=True) as (fig, (axes,)):
        for axis, image, orbit, seen, title in zip(
            axes, basin, attractors, networks, titles, strict=True
        ):
            axis.imshow(
                kinds(image),
                origin="lower",
                extent=(-edge, edge, -edge, edge),
                cmap=cmap,
                vmin=-0.5,
                vmax=3.5,
                alpha=0.28,
                label=f"_{NUMBERED}",
            )
            axis.plot(
                *orbit.T,
                ".",
                markersize=1.5,
                color="black",
                mew=0,
                rasterized=True,
                label="_orbit of the map",
            )
            axis.plot(
                *seen.T,
                "o",
                markersize=3.2,
                markerfacecolor="none",
                color="#cc0000",
                mew=0.7,
                label="_seen in training",
            )
            axis.set_title(title, fontsize="small")
            axis.set(xlabel=r"$(z_2 - z_1)/\sqrt{2}$", xlim=(-edge, edge), ylim=(-edge, edge))
        axes[0].set_ylabel(r"$(2z_3 - z_1 - z_2)/\sqrt{6}$")
        key(fig)
    return fig


def split(bars, loss, logits):
    """What the class sizes of the split change: shares of phases, and a dozen epochs on the
    balanced one.

    Parameters
    ----------
    bars : dict of str to dict of int to float
        Shares of labels by name of the bar.
    loss : array, shape (steps,)
    logits : array, shape (steps, 3)
    """
    with style.figure(1, 3, height=2.6, width_ratios=(1.5, 1, 1)) as (
        fig,
        ((first, second, third),),
    ):
        for y, shares in enumerate(reversed(bars.values())):
            labels = np.array(list(shares))
            left = 0.0
            for k, colour in enumerate(COLOURS):
                width = sum(shares[label] for label in labels[kinds(labels) == k])
                first.barh(y, width, left=left, color=colour, height=0.65)
                if width > 0.08:
                    first.annotate(
                        f"{width:.0%}",
                        (left + width / 2, y),
                        ha="center",
                        va="center",
                        color="white",
                        fontsize="small",
                    )
                left += width
        first.set(
            yticks=range(len(bars)),
            yticklabels=list(bars)[::-1],
            xlabel="share of blocks",
            xlim=(0, 1),
        )
        steps = np.arange(len(loss))
        for k in range(3):
            second.plot(
                steps,
                logits[:, k],
                "o-",
                color=style.PALETTE[(0, 4, 3)[k]],
                markersize=3,
                linewidth=0.7,
                label=str(k + 1),
            )
        second.set(
            xlabel="epoch in the block",
            ylabel=r"mean logit $z_c$",
            ylim=(None, logits.max() + 0.45 * np.ptp(logits)),
        )
        second.legend(
            title="class",
            title_fontsize="x-small",
            ncols=3,
            fontsize="x-small",
            loc="upper center",
            columnspacing=0.9,
        )
        third.plot(steps, loss, "o-", color="black", markersize=3, linewidth=0.7, label="_training")
        third.set(
            xlabel="epoch in the block",
            ylabel=r"training loss $\mathcal{L}$",
            ylim=(0, loss.max() * 1.3),
        )
        style.letter((first, second, third))
        key(fig)
    return fig


def ageing(epochs, openness, times, approach, rate):
    """Saturation never ends: how open the most open unit is, how units leave, and how often.

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
    with style.figure(1, 3, height=2.5) as (fig, axes):
        first, second, third = axes[0]
        for axis, x, (low, middle, high) in ((first, epochs, openness), (second, times, approach)):
            axis.fill_between(
                x,
                low,
                high,
                color=style.PALETTE[0],
                alpha=0.2,
                linewidth=0,
                label="_quantiles 0.1 to 0.9",
            )
            axis.loglog(x, middle, "o", color=style.PALETTE[0], markersize=2.5, label="_median")
            anchor = len(x) // 2
            axis.loglog(
                x,
                middle[anchor] * x[anchor] / x,
                "--",
                color="black",
                linewidth=0.8,
                label="slope $-1$",
            )
        first.set(xlabel="epoch $t$", ylabel="largest $h(1-h)$")
        second.set(xlabel="epochs before the switch", ylabel="$h(1-h)$ of the unit")
        second.invert_xaxis()
        third.loglog(rate.epochs, rate.rate, "o", color=IRREGULAR, markersize=4, label="_measured")
        middle = np.exp(
            np.log(rate.rate[rate.rate > 0]).mean() + np.log(rate.epochs[rate.rate > 0]).mean()
        )
        third.loglog(
            rate.epochs,
            middle / rate.epochs,
            "--",
            color="black",
            linewidth=0.8,
            label="slope $-1$",
        )
        third.set(xlabel="epoch $t$", ylabel="switches per epoch")
        for axis in axes[0]:
            axis.legend()
        style.letter(axes[0])
    return fig
