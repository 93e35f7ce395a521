"""Figures of the phases of series: each block coloured by its kind; arrays in, Figure out."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patches import Patch

from ..series.phases import KINDS, kinds
from . import style

FIXED, IRREGULAR, PERIOD3, OTHER = (style.PALETTE[k] for k in (0, 1, 2, 4))
#: Colour of each of the ``KINDS``.
COLOURS = (FIXED, PERIOD3, OTHER, IRREGULAR)


def strip(axis, labels, block, height=0.035):
    """Colour a strip along the top of an axis by the label of each block."""
    colours = [COLOURS[k] for k in kinds(labels)]
    axis.broken_barh(
        [(b * block, block) for b in range(len(labels))],
        (1.01, height),
        facecolors=colours,
        transform=axis.get_xaxis_transform(),
        clip_on=False,
    )


#: Which number stands for which kind in a picture of kinds.
NUMBERED = ", ".join(f"{k} = {kind}" for k, kind in enumerate(KINDS))


def key(fig, **options):
    """Name the colours of the kinds of block, below the panels."""
    handles = [Patch(color=colour, label=kind) for colour, kind in zip(COLOURS, KINDS, strict=True)]
    fig.legend(handles=handles, loc="outside lower center", ncols=4, **options)


def trajectories(loss, norm, labels, titles, block=60, height=1.9):
    """Loss above, weight norm below, one column a trajectory (D, Fig 9).

    Parameters
    ----------
    loss, norm : arrays, shape (T, columns)
    labels : array of int, shape (blocks, columns)
        Drawn as a strip above each panel.
    titles : sequence of str
    block : int
    """
    with style.figure(2, len(titles), height=height, sharex=True) as (fig, axes):
        for k, title in enumerate(titles):
            for axis, values in zip(axes[:, k], (loss, norm), strict=True):
                axis.plot(
                    values[:, k],
                    ".",
                    markersize=1.5,
                    color="black",
                    alpha=0.5,
                    rasterized=True,
                    mew=0,
                    label="_one network",
                )
                strip(axis, labels[:, k], block)
            axes[0, k].set_title(title, pad=9, fontsize="small")
            axes[0, k].set_title(chr(ord("a") + k), pad=9, loc="left", fontweight="bold")
            axes[1, k].set_xlabel("epoch")
        axes[0, 0].set_ylabel(r"training loss $\mathcal{L}$")
        axes[1, 0].set_ylabel(r"weight norm $\|W\|$")
        for axis in axes[0]:
            axis.set_ylim(bottom=0)
        key(fig)
    return fig


def raster(labels, kappa, order, block=60, height=4.0):
    """Every trajectory as a row: its phases on the left, the number κ on the right.

    Parameters
    ----------
    labels : array of int, shape (B, n)
    kappa : array of float, shape (B, n)
        NaN is left white.
    order : array of int, shape (n,)
        Rows from top to bottom.
    block : int
    """
    count, rows = labels.shape
    extent = (0, count * block, rows, 0)
    with style.figure(1, 2, height=height, sharey=True) as (fig, ((left, right),)):
        left.imshow(
            kinds(labels[:, order].T),
            cmap=ListedColormap(COLOURS),
            vmin=-0.5,
            vmax=3.5,
            aspect="auto",
            extent=extent,
            interpolation="none",
            label=f"_{NUMBERED}",
        )
        top = int(np.nanmax(kappa))
        scale = ListedColormap(colormaps["cividis"](np.linspace(0, 1, top)))
        image = right.imshow(
            kappa[:, order].T,
            cmap=scale,
            norm=BoundaryNorm(np.arange(0.5, top + 1), top),
            aspect="auto",
            extent=extent,
            interpolation="none",
        )
        fig.colorbar(
            image, ax=right, ticks=np.arange(1, top + 1), label=r"$\kappa = 1 + |h|^2$", pad=0.02
        )
        left.set(xlabel="epoch", ylabel="trajectory")
        right.set(xlabel="epoch")
        style.letter((left, right))
        key(fig)
    return fig


def bands(block, width, gap, narrowing):
    """One periodic block, and the widths of bands and gaps between them against the epoch (D,
    footnote 3).

    Parameters
    ----------
    block : array, shape (steps,)
        Loss of one period-3 block.
    width, gap : arrays, shape (3, B)
        Quantiles of the width of bands, and of the distance of the nearest
        two, in the successive blocks of training.
    narrowing : float
        Power of the epoch to draw beside the widths.
    """
    with style.figure(1, 3, height=2.6, width_ratios=(1, 1, 1.25)) as (
        fig,
        ((first, second, third),),
    ):
        steps = np.arange(len(block))
        epochs = (np.arange(width.shape[1]) + 0.5) * len(block)
        first.plot(steps, block, color=style.MUTED, linewidth=0.4, label="_training")
        for k, colour in enumerate((0, 4, 3)):
            visits = block[k::3]
            first.plot(
                steps[k::3],
                visits,
                ".",
                color=style.PALETTE[colour],
                markersize=4,
                label=f"_every third epoch from {k}",
            )
            unit = np.ptp(visits) or 1.0
            second.plot(
                steps[k::3],
                (visits - visits.min()) / unit,
                ".-",
                color=style.PALETTE[colour],
                linewidth=0.6,
                label=f"{np.ptp(visits):.1e}",
            )
        first.set(xlabel="epoch in the block", ylabel=r"training loss $\mathcal{L}$")
        second.set(xlabel="epoch in the block", ylabel="place within the band", ylim=(-0.05, 1.75))
        second.legend(title="width", title_fontsize="small", loc="upper right")
        for (low, middle, high), colour, name in (
            (gap, "black", "nearest gap"),
            (width, PERIOD3, "width of bands"),
        ):
            third.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
            third.loglog(epochs, middle, ".", color=colour, markersize=4, label=name)
        shown = np.isfinite(width[1]) & (width[1] > 0)
        anchor = np.exp(np.log(width[1][shown]).mean() - narrowing * np.log(epochs[shown]).mean())
        third.loglog(
            epochs[shown],
            anchor * epochs[shown] ** narrowing,
            "--",
            color="#cc0000",
            linewidth=0.9,
            label=f"slope ${narrowing:.0f}$",
        )
        third.axhspan(
            1e-7, 1e-5, color=style.MUTED, alpha=0.25, linewidth=0, label="_widths that D reports"
        )
        third.set(xlabel="epoch", ylabel="width or distance in loss", ylim=(1e-9, 1e4))
        third.set_yticks(10.0 ** np.arange(-9, 2, 2))
        third.legend(fontsize="x-small", loc="upper right", ncols=2)
        style.letter((first, second, third))
    return fig


def weights(series, labels, names, moment, steps, block=60):
    """Intermittent weights of one network, whole and around one moment (D, Fig 12).

    Parameters
    ----------
    series : array, shape (T, weights)
    labels : array of int, shape (blocks, weights)
    names : sequence of str
    moment, steps : int
        The right panel shows so many epochs on either side of the moment.
    """
    near = np.arange(max(moment - steps, 0), min(moment + steps, len(series)))
    count = len(names)
    with style.figure(count, 2, height=1.25, sharex="col", width_ratios=(1.6, 1)) as (fig, axes):
        for k, name in enumerate(names):
            left, right = axes[k]
            left.plot(
                series[:, k],
                ".",
                markersize=1.5,
                color=style.PALETTE[k],
                alpha=0.6,
                mew=0,
                rasterized=True,
                label=f"_{name}",
            )
            strip(left, labels[:, k], block, height=0.06)
            left.axvspan(
                near[0],
                near[-1],
                color=style.MUTED,
                alpha=0.35,
                linewidth=0,
                label="_stretch drawn beside",
            )
            right.plot(
                near,
                series[near, k],
                ".-",
                markersize=2,
                linewidth=0.3,
                color=style.PALETTE[k],
                label=f"_{name}",
            )
            right.axvline(moment, color="black", linewidth=0.7, linestyle=":")
            left.set_ylabel(name)
        for axis in axes[-1]:
            axis.set_xlabel("epoch")
        fig.align_ylabels()
        key(fig)
    return fig
