"""Figures of exponential growth: distances with their windows, distributions of exponents,
sharpness.
"""

import numpy as np
import seaborn as sns

from . import style
from .drawn import moved
from .style import MUTED, PALETTE

# Colour, mark and label of each cause of netdyn_lib.lyapunov.linear_regime.
_CAUSES = {
    "saturation": (PALETTE[1], "o", "saturated"),
    "rounding": (PALETTE[2], "^", "rounded"),
    "undecided": (PALETTE[3], "x", "undecided"),
    "never": (PALETTE[0], ".", "agree"),
}
_RADII = (PALETTE[4], PALETTE[5], PALETTE[6], PALETTE[7])  # colours that no cause has


def growth_panels(epochs, distance, loss, fit, zoom=200, tail=50):
    """D's Fig. 7: one row for each initial condition; whole, early with the fitted window, late,
    and loss.

    ``distance`` (T, n, M), ``loss`` (T, n), ``fit`` a Fit of the n mean curves.
    """
    count = distance.shape[1]
    with style.figure(count, 4, height=1.6, width=9.4) as (fig, axes):
        for k, row in enumerate(axes):
            mean = distance[:, k].mean(1)
            for axis, part in zip(row, (slice(None), slice(0, zoom + 1))):
                axis.plot(
                    epochs[part],
                    distance[part, k],
                    color=MUTED,
                    lw=0.5,
                    alpha=0.7,
                    label="_one copy",
                )
                axis.plot(
                    epochs[part], mean[part], color="black", lw=1.2, label="_mean over copies"
                )
            row[2].plot(
                epochs[-tail:], mean[-tail:], "k.-", lw=0.6, ms=2, label="_mean over copies"
            )
            row[1].set_yscale("log")
            if fit.start[k] >= 0:
                t = np.array([fit.start[k], fit.stop[k]])
                row[1].plot(
                    t,
                    np.exp(fit.intercept[k] + fit.slope[k] * t),
                    color=PALETTE[1],
                    ls=":",
                    lw=2.5,
                    label="_fit",
                )
                row[1].text(
                    0.97,
                    0.08,
                    f"$\\Lambda$ = {fit.slope[k]:.2f}",
                    transform=row[1].transAxes,
                    ha="right",
                )
            row[3].plot(epochs, loss[:, k], color=PALETTE[1], lw=0.8, label="_loss")
            row[3].set_yscale("log")
            row[0].set_ylabel("$d(t)$")
        for axis, title in zip(
            axes[0], ("distance", f"first {zoom} epochs", f"last {tail} epochs", "loss $L$")
        ):
            axis.set_title(title)
        for axis in axes[-1]:
            axis.set_xlabel("epoch $t$")
    return fig


def distribution(slopes, kept, radii, summaries, paper=0.33):
    """D's Fig. 8: histogram of the exponents, kept and discarded, and λ_nMLE ± one sd against ε.

    ``slopes`` (n,), ``kept`` (n,) bool; ``summaries`` one Summary for each of ``radii``.
    """
    with style.figure(1, 2, height=2.8) as (fig, axes):
        left, right = axes[0]
        bins = np.linspace(0, np.nanmax(slopes) * 1.02, 40)
        left.hist(
            [slopes[kept], slopes[~kept]],
            bins,
            stacked=True,
            color=[PALETTE[0], "#c8c8c8"],
            label=["kept", "discarded"],
        )
        left.axvline(slopes[kept].mean(), color="black", lw=1.5, label="_mean of the kept")
        left.axvline(paper, color=PALETTE[1], ls="--", lw=1.5)
        left.set(xlabel="finite exponent $\\Lambda$ (per epoch)", ylabel="initial conditions")
        left.legend()
        middle = np.array([s.exponent.estimate for s in summaries])
        spread = np.array([s.sd for s in summaries])
        right.fill_between(
            radii,
            middle - spread,
            middle + spread,
            color=PALETTE[0],
            alpha=0.15,
            lw=0,
            label="± one sd",
        )
        errors = np.abs(np.array([(s.exponent.low, s.exponent.high) for s in summaries]).T - middle)
        right.errorbar(
            radii, middle, errors, fmt="o", color=PALETTE[0], capsize=2, label="mean, 95%"
        )
        right.axhline(paper, color=PALETTE[1], ls="--", lw=1.5, label="paper")
        right.set(xscale="log", xlabel="radius $\\epsilon$", ylabel="$\\lambda_{nMLE}$ (per epoch)")
        right.set_ylim(bottom=0)
        right.legend(loc="lower left", ncols=2)
        style.letter(axes)
    return fig


def multiverse(summaries, paper=0.33, paper_share=0.9):
    """λ_nMLE and p under every window rule, with 95% intervals."""
    rules = [s.rule.replace("_", " ") for s in summaries]
    rows = np.arange(len(rules))[::-1]
    with style.figure(1, 2, height=0.9 + 0.3 * len(rules), sharey=True) as (fig, axes):
        for axis, name, mark in zip(axes[0], ("exponent", "share"), (paper, paper_share)):
            intervals = [getattr(s, name) for s in summaries]
            middle = np.array([i.estimate for i in intervals])
            errors = np.abs(np.array([(i.low, i.high) for i in intervals]).T - middle)
            axis.errorbar(middle, rows, xerr=errors, fmt="o", color=PALETTE[0], capsize=3)
            axis.axvline(mark, color=PALETTE[1], ls="--", lw=1.5)
            axis.margins(y=0.15)
        axes[0, 0].set_yticks(rows, rules)
        axes[0, 0].set(xlabel="$\\lambda_{nMLE}$ (per epoch)")
        axes[0, 0].set_xlim(left=0)
        axes[0, 1].set(xlabel="share kept $p$", xlim=(0, 1.02))
        style.letter(axes)
    return fig


def window_choices(epochs, distance, fits):
    """Where each rule puts its window on the same curves: ``distance`` (T, n), ``fits`` rule → Fit."""
    count = distance.shape[1]
    with style.figure(1, count, height=2.5, width=9.4, sharey=True) as (fig, axes):
        for k, axis in enumerate(axes[0]):
            axis.semilogy(epochs, distance[:, k], color=MUTED, lw=1, label="_mean over copies")
            for j, (rule, fit) in enumerate(fits.items()):
                if fit.start[k] < 0 or np.isnan(fit.r2[k]):
                    continue
                t = np.array([fit.start[k], fit.stop[k]])
                lift = 10.0 ** (-0.35 * (j + 1))  # apart, so that windows do not hide each other
                label = ("" if k == count - 1 else "_") + rule.replace("_", " ")
                (line,) = axis.plot(
                    t,
                    lift * np.exp(fit.intercept[k] + fit.slope[k] * t),
                    color=PALETTE[j],
                    lw=2,
                    label=label,
                )
                moved(line, lift=lift)
            axis.set_xlabel("epoch $t$")
        axes[0, 0].set_ylabel("mean distance $\\bar d(t)$")
        axes[0, -1].legend(loc="lower right", fontsize="x-small")
        style.letter(axes)
    return fig


def agreement(ball, tangent, cause, error, tolerance=0.1):
    """Exponents of the same windows from ε-balls and from tangent vectors, and how far their curves
    are apart.

    ``ball`` and ``tangent`` (n,); ``cause`` (n,) names what parts them within
    the window.  ``error`` (T, m) is :func:`netdyn_lib.lyapunov.linear_regime.log_error`; where
    it is exactly zero, as at epoch 0, a logarithmic axis has no point.
    """
    with style.figure(1, 2, height=2.8) as (fig, axes):
        left, right = axes[0]
        low, high = min(ball.min(), tangent.min()), max(ball.max(), tangent.max())
        left.plot([low, high], [low, high], color=MUTED, lw=1, label="_equal")
        for name, (colour, mark, label) in _CAUSES.items():
            these = cause == name
            if these.any():
                left.plot(
                    tangent[these], ball[these], mark, ms=3, alpha=0.6, color=colour, label=label
                )
        left.set(xlabel="tangent exponent (per epoch)", ylabel="ε-ball exponent (per epoch)")
        left.legend(title="within the window", fontsize="x-small", title_fontsize="x-small")
        bands = np.percentile(np.abs(error), [50, 95], axis=1)
        for band, name, colour in zip(
            bands, ("median", "95th percentile"), (PALETTE[0], PALETTE[1])
        ):
            right.semilogy(np.where(band > 0, band, np.nan), color=colour, label=name)
        right.axhline(np.log1p(tolerance), color="black", ls="--", lw=1, label=f"{tolerance:.0%}")
        right.set(xlabel="epoch $t$", ylabel="$|\\ln(d/d_{\\mathrm{tangent}})|$")
        right.legend(loc="lower right")
        style.letter(axes)
    return fig


def parting(found, radii):
    """When and at what distance copies leave their tangent vectors, and how many for which cause.

    ``found`` is a :class:`~netdyn_lib.lyapunov.linear_regime.LinearRegime`; its copies at ``radii``
    are drawn one by one, and those at all but the outermost, which only serve as witnesses,
    counted.
    """
    with style.figure(1, 2, height=2.9) as (fig, axes):
        left, right = axes[0]
        for colour, radius in zip(_RADII, radii, strict=False):
            row = found.row(radius)
            for name, (_, mark, _) in _CAUSES.items():
                these = (found.cause[row] == name) & np.isfinite(found.epoch[row])
                if these.any():
                    left.plot(
                        found.epoch[row, these],
                        found.relative[row, these],
                        mark,
                        ms=3,
                        alpha=0.6,
                        color=colour,
                        label=f"_ε = {radius:g}, {name}",
                    )
            left.plot([], [], "o", ms=4, color=colour, label=f"ε = {radius:g}")
        left.axhline(2.0**-52, color="black", ls=":", lw=1)
        left.text(
            0.98, 2.0**-52 * 1.6, "$2^{-52}$", transform=left.get_yaxis_transform(), ha="right"
        )
        # room for the key
        left.set(
            xlabel="epoch of parting",
            ylabel="distance there / size of weights",
            yscale="log",
            ylim=(2.0**-54, 1e3),
        )
        left.legend(
            fontsize="x-small", loc="upper center", ncols=3, handletextpad=0.1, columnspacing=1
        )
        inner = range(1, len(found.radii) - 1)
        base = np.zeros(len(inner))
        for name, (colour, _, _) in _CAUSES.items():
            counts = np.array([(found.cause[k] == name).sum() for k in inner])
            right.bar(range(len(inner)), counts, bottom=base, color=colour, label=name)
            base += counts
        right.set_xticks(range(len(inner)), [f"{found.radii[k]:g}" for k in inner])
        right.set(xlabel="radius $\\epsilon$", ylabel="initial conditions")
        right.set_ylim(0, 1.3 * base.max())
        right.legend(fontsize="x-small", loc="upper center", ncols=2)
        style.letter(axes)
    return fig


def rates_over_time(stretches, intervals):
    """Mean tangent growth rate in ``stretches`` of training, pairs of epochs, with an Interval for
    each.
    """
    middle = np.array([i.estimate for i in intervals])
    errors = np.abs(np.array([(i.low, i.high) for i in intervals]).T - middle)
    with style.figure(1, 1, height=2.6, width=5.2) as (fig, axes):
        axis = axes[0, 0]
        axis.errorbar(range(len(middle)), middle, errors, fmt="o", color=PALETTE[0], capsize=3)
        axis.axhline(0, color="black", lw=0.8)
        axis.set(xlabel="epochs $t$", ylabel="growth rate (per epoch)")
        axis.set_xticks(range(len(middle)), [f"{a:,}–\n{b:,}" for a, b in stretches])
    return fig


def sharpness(epochs, scaled, loss):
    """Sharpness times η/2 (T, n), and loss (T, n), over training; 1 is the edge of stability."""
    with style.figure(2, 1, height=2.1, sharex=True) as (fig, axes):
        top, below = axes[:, 0]
        top.plot(epochs, scaled, color=MUTED, lw=0.6, alpha=0.7, label="_one network")
        top.plot(epochs, np.median(scaled, 1), color="black", lw=2, label="_median")
        top.axhline(1, color=PALETTE[1], ls="--", lw=1.5, label="_edge of stability")
        top.set(ylabel="sharpness $\\times\\, \\eta/2$", yscale="log")
        below.plot(epochs, loss, color=MUTED, lw=0.6, alpha=0.7, label="_one network")
        below.plot(epochs, np.median(loss, 1), color="black", lw=2, label="_median")
        below.set(xlabel="epoch $t$", ylabel="loss $L$", yscale="log", xscale="symlog")
        below.set_xlim(0, epochs[-1])
        style.letter(axes)
    return fig


def histograms(fits, kept, top=1.2):
    """The distribution of kept exponents under each rule: ``fits`` rule → Fit, ``kept`` rule → (n,)
    bool.
    """
    with style.figure(1, 1, height=2.6, width=5.4) as (fig, axes):
        axis = axes[0, 0]
        for k, (rule, fit) in enumerate(fits.items()):
            sns.kdeplot(
                x=fit.slope[kept[rule]],
                ax=axis,
                color=PALETTE[k],
                cut=0,
                label=rule.replace("_", " "),
                clip=(0, top),
            )
        axis.set(xlabel="finite exponent $\\Lambda$ (per epoch)", ylabel="density", xlim=(0, top))
        axis.legend()
    return fig
