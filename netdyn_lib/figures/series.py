"""Figures of scalar series: phases of their blocks, correlation, divergence of neighbours."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patches import Patch

from . import style
from .style import MUTED, PALETTE

FIXED, IRREGULAR, PERIOD3, OTHER = (PALETTE[k] for k in (0, 1, 2, 4))
#: Kinds of block, and their colours.
KINDS = ("fixed", "period 3", "other period", "irregular")
COLOURS = (FIXED, PERIOD3, OTHER, IRREGULAR)
#: Which number stands for which kind in a picture of kinds.
NUMBERED = ", ".join(f"{k} = {kind}" for k, kind in enumerate(KINDS))
_RED = "#cc0000"
_LOSS = r"training loss $\mathcal{L}$"
_DOTS = dict(alpha=0.5, ms=1.5, mew=0, marker=".", rasterized=True)
_STRETCH = dict(color=MUTED, alpha=0.35)


def kinds(labels):
    """Return labels of blocks (1 fixed, q of period q, 0 irregular) as positions in
    :data:`KINDS`.
    """
    labels = np.asarray(labels)
    return np.select([labels == 1, labels == 3, labels > 1], [0, 1, 2], 3)


def strip(axis, labels, block, height=0.03):
    """Colour a strip along the top of an axis by the label of each block."""
    stretches = [(b * block, block) for b in range(len(labels))]
    looks = dict(transform=axis.get_xaxis_transform(), clip_on=False)
    colours = [COLOURS[k] for k in kinds(labels)]
    axis.broken_barh(stretches, (1, height), facecolors=colours, **looks)


def key(fig):
    """Name the colours of the kinds of block, below the panels."""
    handles = [Patch(color=colour, label=kind) for colour, kind in zip(COLOURS, KINDS)]
    fig.legend(handles=handles, loc="outside lower center", ncols=4)


def trajectories(loss, norm, labels, titles, block=60, height=1.9):
    """Plot loss above, weight norm below, one column a trajectory (Danovski 2024, Fig. 9).

    Parameters
    ----------
    loss, norm : arrays, shape (T, columns)
    labels : array of int, shape (blocks, columns)
        Shown as a strip above each panel.
    titles : sequence of str
    block : int
    """
    with style.figure(2, len(titles), height=height, sharex=True) as (fig, axes):
        for k, title in enumerate(titles):
            for axis, values in zip(axes[:, k], (loss, norm), strict=True):
                steps = np.arange(len(values))
                axis.points(steps, values[:, k], "_one network", color="black", **_DOTS)
                strip(axis, labels[:, k], block)
            axes[0, k].set_title(title, fontsize="small")
            axes[0, k].set_ylim(bottom=0)
        style.frame(axes, (), (_LOSS, r"weight norm $\|W\|$"), "epoch")
        key(fig)
    return fig


def raster(labels, kappa, order, block=60):
    """Plot every trajectory as a row: its phases on the left, the number κ on the right.

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
    place = dict(aspect="auto", extent=(0, count * block, rows, 0), interpolation="none")
    with style.figure(1, 2, height=4.0, sharey=True) as (fig, ((left, right),)):
        looks = dict(cmap=ListedColormap(COLOURS), vmin=-0.5, vmax=3.5) | place
        left.image(kinds(labels[:, order].T), f"_{NUMBERED}", **looks)
        top, name = int(np.nanmax(kappa)), r"$\kappa = 1 + |h|^2$"
        colours = ListedColormap(colormaps["cividis"](np.linspace(0, 1, top)))
        looks = dict(cmap=colours, norm=BoundaryNorm(np.arange(0.5, top + 1), top)) | place
        image = right.image(kappa[:, order].T, scale_name=name, **looks)
        fig.colorbar(image, ax=right, ticks=np.arange(1, top + 1), label=name, pad=0.02)
        left.set(xlabel="epoch", ylabel="trajectory")
        right.set(xlabel="epoch")
        key(fig)
    return fig


def bands(block, width, gap, power):
    """Plot one periodic block, and the widths of bands and gaps between them against the epoch
    (Danovski 2024, footnote 3).

    Parameters
    ----------
    block : array, shape (steps,)
        Loss of one period-3 block.
    width, gap : arrays, shape (3, B)
        Quantiles of the width of bands, and of the distance of the nearest
        two, in the successive blocks of training.
    power : float
        Power of the epoch to plot beside the widths.
    """
    sizes = dict(height=2.6, width_ratios=(1, 1, 1.25))
    with style.figure(1, 3, **sizes) as (fig, ((first, second, third),)):
        steps = np.arange(len(block))
        epochs = (np.arange(width.shape[1]) + 0.5) * len(block)
        first.line(steps, block, "_training", color=MUTED, lw=0.4)
        for k, colour in enumerate((PALETTE[0], PALETTE[4], PALETTE[3])):
            x, visits = steps[k::3], block[k::3]
            looks = dict(color=colour, marker=".")
            first.points(x, visits, f"_every third epoch from {k}", ms=4, **looks)
            place = (visits - visits.min()) / (np.ptp(visits) or 1.0)
            second.line(x, place, f"{np.ptp(visits):.1e}", lw=0.6, **looks)
        first.set(xlabel="epoch in the block", ylabel=_LOSS)
        second.set(xlabel="epoch in the block", ylabel="place within the band", ylim=(-0.05, 1.75))
        second.legend(title="width", title_fontsize="small", loc="upper right")
        both = {"nearest gap": (gap, "black"), "width of bands": (width, PERIOD3)}
        for name, ((low, middle, high), colour) in both.items():
            third.band(epochs, low, high, f"_{name}", color=colour)
            third.points(epochs, middle, name, marker=".", color=colour, ms=4)
        shown = np.isfinite(width[1]) & (width[1] > 0)
        x = epochs[shown]
        line = np.exp(np.log(width[1][shown]).mean() + power * (np.log(x) - np.log(x).mean()))
        third.line(x, line, f"slope ${power:.0f}$", ls="--", color=_RED, lw=0.9)
        third.lying_span(1e-7, 1e-5, "_widths that Danovski 2024 reports", color=MUTED, alpha=0.25)
        third.set(xlabel="epoch", ylabel="width or distance in loss", xscale="log", yscale="log")
        third.set(ylim=(1e-9, 1e4), yticks=10.0 ** np.arange(-9, 2, 2))
        third.legend(fontsize="x-small", loc="upper right", ncols=2)
    return fig


def weights(series, labels, names, moment, steps, block=60):
    """Plot intermittent weights of one network, whole and around one moment (Danovski 2024,
    Fig. 12).

    Parameters
    ----------
    series : array, shape (T, weights)
    labels : array of int, shape (blocks, weights)
    names : sequence of str
    moment, steps : int
        The right panel shows so many epochs on either side of the moment.
    """
    near = np.arange(max(moment - steps, 0), min(moment + steps, len(series)))
    options = dict(height=1.25, sharex="col", width_ratios=(1.6, 1))
    with style.figure(len(names), 2, **options) as (fig, axes):
        for k, (name, (left, right)) in enumerate(zip(names, axes)):
            looks = _DOTS | dict(alpha=0.6, color=PALETTE[k])
            left.points(np.arange(len(series)), series[:, k], f"_{name}", **looks)
            strip(left, labels[:, k], block, height=0.05)
            left.span(near[0], near[-1], "_stretch shown at the right", **_STRETCH)
            looks = dict(marker=".", ms=2, lw=0.3, color=PALETTE[k])
            right.line(near, series[near, k], f"_{name}", **looks)
            right.mark(moment, "_moment", lw=0.7, ls=":")
        style.frame(axes, (), names, "epoch")
        fig.align_ylabels()
        key(fig)
    return fig


def episode(series, start, zoom, correlation):
    """Plot an irregular episode, a zoom into its middle, and its autocorrelation (Danovski 2024,
    Fig. 10).

    Parameters
    ----------
    series : array, shape (T,)
    start : int
        Epoch of its first value.
    zoom : int
        Steps magnified.
    correlation : netdyn_lib.series.autocorrelation.Autocorrelation
    """
    middle, epochs = len(series) // 2, start + np.arange(len(series))
    near = slice(middle, middle + zoom)
    with style.figure(1, 3, height=2.4) as (fig, ((first, second, third),)):
        looks = _DOTS | dict(alpha=1, ms=1.8, color=IRREGULAR)
        first.points(epochs, series, "_loss", **looks)
        first.span(*epochs[near][[0, -1]], "_stretch magnified", **_STRETCH)
        looks = dict(marker=".", color=IRREGULAR, lw=0.7, ms=4)
        second.line(epochs[near], series[near], "_loss", **looks)
        first.set(xlabel="epoch", ylabel=_LOSS)
        second.set(xlabel="epoch")
        lags, values = correlation.lags[1:], correlation.values[1:]
        shuffled = correlation.low[1:], correlation.high[1:]
        third.band(lags, *shuffled, "_of shuffled series", **_STRETCH)
        third.stems(lags, 0, values, "_correlation", color=PALETTE[0], lw=0.9)
        threes = lags % 3 == 0
        third.points(lags[~threes], values[~threes], "_other lags", ms=2.6, color=PALETTE[0])
        third.points(lags[threes], values[threes], "multiples of 3", ms=3.6, color=PERIOD3)
        third.level(0, color="black", lw=0.6)
        third.set(xlabel="lag in epochs", ylabel="autocorrelation")
        third.legend()
    return fig


def divergence(curves, fit, threshold=0.05):
    """Plot Kantz's analysis of one series: two references, all slopes, slope against value
    (Danovski 2024, Fig. 11).

    The example that expands is the significant reference of median slope, the
    other the insignificant one whose slope is nearest to zero.

    Parameters
    ----------
    curves : netdyn_lib.series.kantz.Divergence
    fit : netdyn_lib.series.kantz.Expansion
    threshold : float
    """
    yes = fit.significant(threshold)
    no = ~yes & ~fit.undefined
    expands = np.flatnonzero(yes)[np.argsort(fit.slope[yes])]
    rests = np.flatnonzero(no)[np.argsort(np.abs(fit.slope[no]))]
    examples = expands[len(expands) // 2 :][:1], rests[:1]
    n = np.arange(curves.curves.shape[1])
    with style.figure(2, 2, height=2.2) as (fig, axes):
        (_, slopes), (_, values) = axes
        for axis, some in zip(axes[:, 0], examples):
            axis.set_visible(len(some) > 0)
            for k in some:
                looks = dict(color=PALETTE[5], lw=0.7, alpha=0.8)
                axis.line(n, curves.distances[k].T, "_distance of one neighbour", **looks)
                looks = dict(marker="o", color=PALETTE[0], ms=3)
                axis.line(n, curves.curves[k], "_mean over neighbours", **looks)
                inside = n[fit.first : fit.last + 1]
                line = np.exp(fit.intercept[k] + fit.slope[k] * inside)
                axis.line(inside, line, "_fit", ls="--", color=_RED, lw=1.4)
                title = rf"$\Lambda = {fit.slope[k] + 0.0:.3f}$, $p = {fit.p[k]:.2g}$"
                axis.set_title(title, fontsize="small")
                axis.set(ylabel=r"distance $d_n$", yscale="log")
        axes[1, 0].set_xlabel("step $n$")
        edges = np.histogram_bin_edges(fit.slope[~fit.undefined], 40)
        counts = slopes.histogram(fit.slope[yes], edges, "significant", color=IRREGULAR)
        slopes.histogram(fit.slope[no], edges, "not significant", base=counts, color=MUTED)
        slopes.set(ylabel="references")
        slopes.legend()
        colours = {"not significant": (~yes, MUTED), "significant": (yes, IRREGULAR)}
        for name, (some, colour) in colours.items():
            looks = dict(marker=".", ms=3, color=colour, alpha=0.7, mew=0)
            values.points(fit.slope[some], curves.start[some], f"_{name}", **looks)
        for axis in (slopes, values):
            axis.mark(0, lw=0.7, ls="-")
        values.set(xlabel=r"finite exponent $\Lambda$ per epoch")
        values.set(ylabel=r"loss $\mathcal{L}$ at reference")
        slopes.sharex(values)
    return fig


def embeddings(curves, controls, exponents, known, first=1):
    """Plot the mean divergence for several embeddings beside that of shuffled series, and the
    exponents.

    Parameters
    ----------
    curves, controls : dict of int to array, shape (R, N + 1)
        ln d_n by embedding dimension: of the series, and of its shuffles.
    exponents : dict of str to netdyn_lib.statistics.intervals.Interval
    known : float
        The exponent to compare with.
    first : int
        The fit starts here.
    """
    shuffled = dict(marker="s", ls="--", ms=2.5, lw=0.8)
    with style.figure(1, 2, height=2.7) as (fig, ((left, right),)):
        for k, m in enumerate(curves):
            mean, null = np.nanmean(curves[m], 0), np.nanmean(controls[m], 0)
            n, colour = np.arange(len(mean)), PALETTE[k]
            left.line(n, mean, f"$m = {m}$", marker="o", ms=3, color=colour)
            left.line(n, null, f"_$m = {m}$, shuffled", color=colour, alpha=0.6, **shuffled)
        left.plot([], color=MUTED, label="shuffled", **shuffled)
        left.span(-0.3, first - 0.5, "_steps before the fit", color=MUTED, alpha=0.15)
        left.set(xlabel="step $n$", ylabel=r"mean of $\ln d_n$", xlim=(-0.3, None))
        left.legend()
        for y, (name, found) in enumerate(reversed(exponents.items())):
            looks = dict(color=PALETTE[0] if name.startswith("Kantz") else "black", lw=2, ms=4.5)
            right.lying_estimates([found], [y], f"_{name}", **looks)
        right.mark(known, "_known exponent", color=IRREGULAR, lw=0.9, ls="-", zorder=0)
        right.mark(0, lw=0.7, ls="-", zorder=0)
        right.names("y", range(len(exponents)), list(exponents)[::-1])
        right.set(xlabel="exponent per epoch", ylim=(-0.6, len(exponents) - 0.4))
    return fig
