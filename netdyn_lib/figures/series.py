"""Figures of a scalar series by itself: its values, correlation and divergence; arrays in, Figure
out.
"""

import numpy as np

from . import style
from .phases import IRREGULAR, PERIOD3


def episode(series, start, zoom, correlation):
    """An irregular episode, a zoom into its middle, and its autocorrelation (D, Fig 10).

    Parameters
    ----------
    series : array, shape (T,)
    start : int
        Epoch of its first value.
    zoom : int
        Steps magnified.
    correlation : netdyn_lib.series.autocorrelation.Autocorrelation
    """
    middle = len(series) // 2
    epochs = start + np.arange(len(series))
    near = slice(middle, middle + zoom)
    with style.figure(1, 3, height=2.4) as (fig, ((first, second, third),)):
        first.plot(
            epochs,
            series,
            ".",
            markersize=1.8,
            color=IRREGULAR,
            mew=0,
            rasterized=True,
            label="_loss",
        )
        first.axvspan(
            epochs[near][0],
            epochs[near][-1],
            color=style.MUTED,
            alpha=0.35,
            linewidth=0,
            label="_stretch drawn beside",
        )
        second.plot(
            epochs[near],
            series[near],
            ".-",
            color=IRREGULAR,
            linewidth=0.7,
            markersize=4,
            label="_loss",
        )
        first.set(xlabel="epoch", ylabel=r"training loss $\mathcal{L}$")
        second.set(xlabel="epoch")
        lags = correlation.lags[1:]
        third.fill_between(
            lags,
            correlation.low[1:],
            correlation.high[1:],
            color=style.MUTED,
            alpha=0.35,
            linewidth=0,
            label="_of shuffled series",
        )
        third.vlines(
            lags,
            0,
            correlation.values[1:],
            color=style.PALETTE[0],
            linewidth=0.9,
            label="_correlation",
        )
        threes = lags % 3 == 0
        third.plot(
            lags[~threes],
            correlation.values[1:][~threes],
            "o",
            markersize=2.6,
            color=style.PALETTE[0],
            label="_other lags",
        )
        third.plot(
            lags[threes],
            correlation.values[1:][threes],
            "o",
            markersize=3.6,
            color=PERIOD3,
            label="multiples of 3",
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
    curves : netdyn_lib.series.kantz.Divergence
    fit : netdyn_lib.series.kantz.Expansion
    threshold : float
    """
    yes = fit.significant(threshold)
    examples = [
        _median_of(fit.slope, yes),
        _median_of(np.abs(fit.slope), ~yes & ~fit.undefined, smallest=True),
    ]
    n = np.arange(curves.curves.shape[1])
    red, grey = IRREGULAR, style.MUTED
    with style.figure(2, 2, height=2.2) as (fig, axes):
        for axis, k in zip(axes[:, 0], examples, strict=True):
            if k is None:
                axis.set_visible(False)
                continue
            axis.semilogy(
                n,
                curves.distances[k].T,
                color=style.PALETTE[5],
                linewidth=0.7,
                alpha=0.8,
                label="_distance of one neighbour",
            )
            axis.semilogy(
                n,
                curves.curves[k],
                "o-",
                color=style.PALETTE[0],
                markersize=3,
                label="_mean over neighbours",
            )
            inside = n[fit.first : fit.last + 1]
            axis.semilogy(
                inside,
                np.exp(fit.intercept[k] + fit.slope[k] * inside),
                "--",
                color="#cc0000",
                linewidth=1.4,
                label="_fit",
            )
            axis.set_title(
                rf"$\Lambda = {fit.slope[k] + 0.0:.3f}$, $p = {fit.p[k]:.2g}$", fontsize="small"
            )
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
        for some, colour, name in ((~yes, grey, "not significant"), (yes, red, "significant")):
            axes[1, 1].plot(
                fit.slope[some],
                curves.start[some],
                ".",
                markersize=3,
                color=colour,
                alpha=0.7,
                mew=0,
                label=f"_{name}",
            )
        axes[1, 1].axvline(0, color="black", linewidth=0.7)
        axes[1, 1].set(
            xlabel=r"finite exponent $\Lambda$ per epoch", ylabel=r"loss $\mathcal{L}$ at reference"
        )
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
    exponents : dict of str to netdyn_lib.statistics.intervals.Interval
    known : float
        The exponent to compare with.
    first : int
        The fit starts here.
    """
    with style.figure(1, 2, height=2.7) as (fig, ((left, right),)):
        for k, m in enumerate(curves):
            mean, null = np.nanmean(curves[m], 0), np.nanmean(controls[m], 0)
            left.plot(mean, "o-", markersize=3, color=style.PALETTE[k], label=f"$m = {m}$")
            left.plot(
                null,
                "s--",
                markersize=2.5,
                color=style.PALETTE[k],
                linewidth=0.8,
                alpha=0.6,
                label=f"_$m = {m}$, shuffled",
            )
        left.plot([], "s--", color=style.MUTED, markersize=2.5, linewidth=0.8, label="shuffled")
        left.axvspan(
            -0.3,
            first - 0.5,
            color=style.MUTED,
            alpha=0.15,
            linewidth=0,
            label="_steps before the fit",
        )
        left.set(xlabel="step $n$", ylabel=r"mean of $\ln d_n$", xlim=(-0.3, None))
        left.legend()
        names = list(exponents)[::-1]
        for y, name in enumerate(names):
            found = exponents[name]
            colour = style.PALETTE[0] if name.startswith("Kantz") else "black"
            right.plot(
                [found.low, found.high],
                [y, y],
                color=colour,
                linewidth=2,
                label=f"_{name}, interval",
            )
            right.plot(found.estimate, y, "o", color=colour, markersize=4.5, label=f"_{name}")
        right.axvline(known, color=IRREGULAR, linewidth=0.9, zorder=0)
        right.axvline(0, color="black", linewidth=0.7, zorder=0)
        right.set(
            yticks=range(len(names)),
            yticklabels=names,
            xlabel="exponent per epoch",
            ylim=(-0.6, len(names) - 0.4),
        )
        style.letter((left, right))
    return fig
