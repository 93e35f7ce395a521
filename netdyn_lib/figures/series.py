"""Figures of scalar series, their phases and their divergence: arrays in, Figure out."""

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patches import Patch

from netdyn_lib.figures import style

FIXED, IRREGULAR, PERIOD3, OTHER = (style.PALETTE[k] for k in (0, 1, 2, 4))
KINDS = (("fixed", FIXED), ("period 3", PERIOD3), ("other period", OTHER), ("irregular", IRREGULAR))


def kind_of(labels):
    """Labels of blocks to positions in ``KINDS``."""
    return np.select([labels == 1, labels == 3, labels > 1], [0, 1, 2], 3)


def strip(axis, labels, block, height=0.035):
    """Colour a strip along the top of an axis by the label of each block."""
    colours = [KINDS[k][1] for k in kind_of(labels)]
    axis.broken_barh(
        [(b * block, block) for b in range(len(labels))],
        (1.01, height),
        facecolors=colours,
        transform=axis.get_xaxis_transform(),
        clip_on=False,
    )


def key(fig, **options):
    """Name the colours of the kinds of block, below the panels."""
    fig.legend(handles=[Patch(color=c, label=n) for n, c in KINDS], loc="outside lower center", ncols=4, **options)


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
                axis.plot(values[:, k], ".", markersize=1.5, color="black", alpha=0.5, rasterized=True, mew=0)
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


def phases(labels, kappa, order, block=60, height=4.0):
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
        colours = ListedColormap([c for _, c in KINDS])
        left.imshow(
            kind_of(labels[:, order].T),
            cmap=colours,
            vmin=-0.5,
            vmax=3.5,
            aspect="auto",
            extent=extent,
            interpolation="none",
        )
        top = int(np.nanmax(kappa))
        scale = ListedColormap(_steps(top))
        image = right.imshow(
            kappa[:, order].T,
            cmap=scale,
            norm=BoundaryNorm(np.arange(0.5, top + 1), top),
            aspect="auto",
            extent=extent,
            interpolation="none",
        )
        fig.colorbar(image, ax=right, ticks=np.arange(1, top + 1), label=r"$\kappa = 1 + |h|^2$", pad=0.02)
        left.set(xlabel="epoch", ylabel="trajectory")
        right.set(xlabel="epoch")
        style.letter((left, right))
        key(fig)
    return fig


def _steps(count):
    from matplotlib import colormaps

    return colormaps["cividis"](np.linspace(0, 1, count))


def bands(block, width, gap, narrowing):
    """One periodic block, and the widths of bands and gaps between them against the epoch (D, footnote 3).

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
    with style.figure(1, 3, height=2.6, width_ratios=(1, 1, 1.25)) as (fig, ((first, second, third),)):
        steps = np.arange(len(block))
        epochs = (np.arange(width.shape[1]) + 0.5) * len(block)
        first.plot(steps, block, color=style.MUTED, linewidth=0.4)
        for k, colour in enumerate((0, 4, 3)):
            visits = block[k::3]
            first.plot(steps[k::3], visits, ".", color=style.PALETTE[colour], markersize=4)
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
        third.axhspan(1e-7, 1e-5, color=style.MUTED, alpha=0.25, linewidth=0)
        third.set(xlabel="epoch", ylabel="width or distance in loss", ylim=(1e-9, 1e4))
        third.set_yticks(10.0 ** np.arange(-9, 2, 2))
        third.legend(fontsize="x-small", loc="upper right", ncols=2)
        style.letter((first, second, third))
    return fig


def episode(series, start, zoom, correlation):
    """An irregular episode, a zoom into its middle, and its autocorrelation (D, Fig 10).

    Parameters
    ----------
    series : array, shape (T,)
    start : int
        Epoch of its first value.
    zoom : int
        Steps magnified.
    correlation : netdyn_lib.series.Autocorrelation
    """
    middle = len(series) // 2
    epochs = start + np.arange(len(series))
    near = slice(middle, middle + zoom)
    with style.figure(1, 3, height=2.4) as (fig, ((first, second, third),)):
        first.plot(epochs, series, ".", markersize=1.8, color=IRREGULAR, mew=0, rasterized=True)
        first.axvspan(epochs[near][0], epochs[near][-1], color=style.MUTED, alpha=0.35, linewidth=0)
        second.plot(epochs[near], series[near], ".-", color=IRREGULAR, linewidth=0.7, markersize=4)
        first.set(xlabel="epoch", ylabel=r"training loss $\mathcal{L}$")
        second.set(xlabel="epoch")
        lags = correlation.lags[1:]
        third.fill_between(lags, correlation.low[1:], correlation.high[1:], color=style.MUTED, alpha=0.35, linewidth=0)
        third.vlines(lags, 0, correlation.values[1:], color=style.PALETTE[0], linewidth=0.9)
        threes = lags % 3 == 0
        third.plot(lags[~threes], correlation.values[1:][~threes], "o", markersize=2.6, color=style.PALETTE[0])
        third.plot(
            lags[threes], correlation.values[1:][threes], "o", markersize=3.6, color=PERIOD3, label="multiples of 3"
        )
        third.axhline(0, color="black", linewidth=0.6)
        third.set(xlabel="lag in epochs", ylabel="autocorrelation")
        third.legend()
        style.letter((first, second, third))
    return fig


def divergence(curves, fit, threshold=0.05):
    """Kantz's analysis of one series: two references, all slopes, slope against value (D, Fig 11).

    The example that expands is the significant reference of median slope, the
    other the insignificant one whose slope is nearest to zero.

    Parameters
    ----------
    curves : netdyn_lib.series.Divergence
    fit : netdyn_lib.series.Expansion
    threshold : float
    """
    yes = fit.significant(threshold)
    examples = [_median_of(fit.slope, yes), _median_of(np.abs(fit.slope), ~yes & ~fit.undefined, smallest=True)]
    n = np.arange(curves.curves.shape[1])
    red, grey = IRREGULAR, style.MUTED
    with style.figure(2, 2, height=2.2) as (fig, axes):
        for axis, k in zip(axes[:, 0], examples, strict=True):
            if k is None:
                axis.set_visible(False)
                continue
            axis.semilogy(n, curves.distances[k].T, color=style.PALETTE[5], linewidth=0.7, alpha=0.8)
            axis.semilogy(n, curves.curves[k], "o-", color=style.PALETTE[0], markersize=3)
            inside = n[fit.first : fit.last + 1]
            axis.semilogy(
                inside, np.exp(fit.intercept[k] + fit.slope[k] * inside), "--", color="#cc0000", linewidth=1.4
            )
            axis.set_title(rf"$\Lambda = {fit.slope[k] + 0.0:.3f}$, $p = {fit.p[k]:.2g}$", fontsize="small")
            axis.set(ylabel=r"distance $d_n$")
        axes[1, 0].set_xlabel("step $n$")
        edges = np.histogram_bin_edges(fit.slope[~fit.undefined], 40)
        axes[0, 1].hist(
            [fit.slope[yes], fit.slope[~yes & ~fit.undefined]],
            edges,
            stacked=True,
            color=(red, grey),
            label=("significant", "not significant"),
        )
        axes[0, 1].axvline(0, color="black", linewidth=0.7)
        axes[0, 1].set(ylabel="references")
        axes[0, 1].legend()
        for some, colour in ((~yes, grey), (yes, red)):
            axes[1, 1].plot(fit.slope[some], curves.start[some], ".", markersize=3, color=colour, alpha=0.7, mew=0)
        axes[1, 1].axvline(0, color="black", linewidth=0.7)
        axes[1, 1].set(xlabel=r"finite exponent $\Lambda$ per epoch", ylabel=r"loss $\mathcal{L}$ at reference")
        axes[0, 1].sharex(axes[1, 1])
        style.letter(axes.T.ravel())
    return fig


def _median_of(values, allowed, smallest=False):
    """Index of the allowed entry with the median, or smallest, value; None where none is allowed."""
    here = np.flatnonzero(allowed)
    if not len(here):
        return None
    order = here[np.argsort(values[here])]
    return order[0] if smallest else order[len(order) // 2]


def embeddings(curves, controls, exponents, known, first=1):
    """Mean divergence for several embeddings beside that of shuffled series, and the exponents.

    Parameters
    ----------
    curves, controls : dict of int to array, shape (R, N + 1)
        ln d_n by embedding dimension: of the series, and of its shuffles.
    exponents : dict of str to netdyn_lib.resampling.Interval
    known : float
        The exponent to compare with.
    first : int
        The fit starts here.
    """
    with style.figure(1, 2, height=2.7) as (fig, ((left, right),)):
        for k, m in enumerate(curves):
            mean, null = np.nanmean(curves[m], 0), np.nanmean(controls[m], 0)
            left.plot(mean, "o-", markersize=3, color=style.PALETTE[k], label=f"$m = {m}$")
            left.plot(null, "s--", markersize=2.5, color=style.PALETTE[k], linewidth=0.8, alpha=0.6)
        left.plot([], "s--", color=style.MUTED, markersize=2.5, linewidth=0.8, label="shuffled")
        left.axvspan(-0.3, first - 0.5, color=style.MUTED, alpha=0.15, linewidth=0)
        left.set(xlabel="step $n$", ylabel=r"mean of $\ln d_n$", xlim=(-0.3, None))
        left.legend()
        names = list(exponents)[::-1]
        for y, name in enumerate(names):
            found = exponents[name]
            colour = style.PALETTE[0] if name.startswith("Kantz") else "black"
            right.plot([found.low, found.high], [y, y], color=colour, linewidth=2)
            right.plot(found.estimate, y, "o", color=colour, markersize=4.5)
        right.axvline(known, color=IRREGULAR, linewidth=0.9, zorder=0)
        right.axvline(0, color="black", linewidth=0.7, zorder=0)
        right.set(
            yticks=range(len(names)), yticklabels=names, xlabel="exponent per epoch", ylim=(-0.6, len(names) - 0.4)
        )
        style.letter((left, right))
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
            left.plot(series[:, k], ".", markersize=1.5, color=style.PALETTE[k], alpha=0.6, mew=0, rasterized=True)
            strip(left, labels[:, k], block, height=0.06)
            left.axvspan(near[0], near[-1], color=style.MUTED, alpha=0.35, linewidth=0)
            right.plot(near, series[near, k], ".-", markersize=2, linewidth=0.3, color=style.PALETTE[k])
            right.axvline(moment, color="black", linewidth=0.7, linestyle=":")
            left.set_ylabel(name)
        for axis in axes[-1]:
            axis.set_xlabel("epoch")
        fig.align_ylabels()
        key(fig)
    return fig
