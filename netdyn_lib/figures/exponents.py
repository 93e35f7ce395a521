"""Figures of exponential growth: distances with the windows of their fits, distributions of
exponents, tangent space, sharpness; of the examples and of one's own network.
"""

import numpy as np

from . import style
from .style import DASHED, GOAL, MUTED, PALETTE, key, look

#: Colour, marker and label of each cause of netdyn_lib.lyapunov.linear_regime.
_CAUSES = {
    "saturation": (PALETTE[1], "o", "saturated"),
    "rounding": (PALETTE[2], "^", "rounded"),
    "undecided": (PALETTE[3], "x", "undecided"),
    "never": (PALETTE[0], ".", "agree"),
}
_RADII = (PALETTE[4], PALETTE[5], PALETTE[6], PALETTE[7])  # colours that no cause has
_SMALL = dict(fontsize="x-small")
EXPONENT, EPOCH = "$\\lambda_{nMLE}$ (per epoch)", "epoch $t$"


def growth_panels(epochs, distance, loss, fit, zoom=200, tail=50):
    """Plot distances of perturbed copies from some networks: early with the fitted windows, whole,
    late, and the loss, a colour for each network (Danovski 2024, Fig. 7).

    ``distance`` (T, n, M), ``loss`` (T, n), ``fit`` a Fit of the n mean curves.  Late means are
    taken over their range there, one above the other.
    """
    mean, early = distance.mean(2), slice(0, zoom + 1)
    with style.figure(2, 2, height=2.4) as (fig, ((first, whole), (late, losses))):
        for k in range(distance.shape[1]):
            name, looks = f"_network {k + 1}", dict(color=PALETTE[k], lw=1.1)
            first.line(epochs[early], distance[early, k], "_one copy", color=MUTED, lw=0.4)
            first.line(epochs[early], mean[early, k], name, **looks)
            if style.fitted(first, fit, k, label=f"{name}, fit", color="black", lw=1.8):
                first.plot([], [], label=f"$\\Lambda$ = {fit.slope[k]:.2f}", **looks)
            whole.line(epochs, mean[:, k], name, **looks | dict(lw=0.7))
            last = mean[-tail:, k]
            late.line(epochs[-tail:], (last - last.min()) / np.ptp(last) - 1.3 * k, name, **looks)
            losses.line(epochs, loss[:, k], name, **looks | dict(lw=0.6))
        first.set(yscale="log", title=f"first {zoom} epochs", ylabel="distance $d(t)$")
        whole.set(yscale="log", title="all epochs", ylabel="distance $d(t)$")
        late.set(title=f"last {tail} epochs", ylabel="distance, scaled", yticks=[], xlabel=EPOCH)
        losses.set(yscale="log", title="all epochs", ylabel="loss $L$", xlabel=EPOCH)
        first.legend(loc="lower right", handlelength=1.2, **_SMALL)
    return fig


def distribution(slopes, kept, radii, summaries, paper=0.33):
    """Plot a histogram of the exponents, those counted as exponential growth and the others, and
    λ_nMLE ± one sd against ε (Danovski 2024, Fig. 8).

    ``slopes`` (n,), ``kept`` (n,) bool; ``summaries`` one Summary for each of ``radii``.
    """
    with style.figure(1, 2, height=2.8) as (fig, ((left, right),)):
        bins = np.linspace(0, np.nanmax(slopes) * 1.02, 40)
        counts = left.histogram(slopes[kept], bins, "counted", color=PALETTE[0])
        left.histogram(slopes[~kept], bins, "not counted", base=counts, color="#c8c8c8")
        left.mark(slopes[kept].mean(), "_mean of the counted", lw=1.5, ls="-")
        left.mark(paper, "_paper", **GOAL)
        left.set(xlabel="finite exponent $\\Lambda$ (per epoch)", ylabel="initial conditions")
        left.legend()
        middle = np.array([s.exponent.estimate for s in summaries])
        sd = np.array([s.sd for s in summaries])
        right.band(radii, middle - sd, middle + sd, "± one sd", color=PALETTE[0])
        looks = dict(marker="o", ls="", color=PALETTE[0])
        right.estimates(radii, [s.exponent for s in summaries], "mean, 95%", **looks)
        right.level(paper, "paper", **GOAL)
        right.set(xscale="log", xlabel="radius $\\epsilon$", ylabel=EXPONENT)
        right.set_ylim(bottom=0)
        right.legend(loc="lower left", ncols=2)
    return fig


def multiverse(summaries, spreads, names, paper=0.33, paper_share=0.9):
    """Plot λ_nMLE and p under every window rule, with 95% intervals.

    ``spreads`` (low, high) between which most of a rule's exponents lie, ``names`` of the rules.
    """
    rows, height = np.arange(len(names))[::-1], 0.9 + 0.3 * len(names)
    with style.figure(1, 2, height=height, sharey=True) as (fig, (axes,)):
        for row, ends in zip(rows, spreads):
            axes[0].line(ends, (row, row), "_spread of networks", color=MUTED, lw=3, alpha=0.4)
        for axis, name, mark in zip(axes, ("exponent", "share"), (paper, paper_share)):
            axis.lying_estimates([getattr(s, name) for s in summaries], rows, color=PALETTE[0])
            axis.mark(mark, "_paper", **GOAL)
            axis.margins(y=0.15)
        axes[0].names("y", rows, names)
        axes[0].set(xlabel=EXPONENT)
        axes[0].set_xlim(left=0)
        axes[1].set(xlabel="share counted $p$", xlim=(0, 1.02))
    return fig


def window_choices(epochs, distance, fits):
    """Plot where each rule puts its window on the same curves: ``distance`` (T, n), ``fits`` name →
    Fit.  Lines of the fits stand apart, lower than their values, so that none hides another.
    """
    count = distance.shape[1]
    options = dict(height=2.2, sharex=True, sharey=True)
    with style.figure(-(-count // 2), 2, **options) as (fig, axes):
        for k, axis in enumerate(axes.flat[:count]):
            axis.line(epochs, distance[:, k], "_mean over copies", color=MUTED, lw=1)
            for j, (name, fit) in enumerate(fits.items()):
                looks = dict(lift=10.0 ** (-0.35 * (j + 1)), color=PALETTE[j], lw=2, ls="-")
                if not np.isnan(fit.r2[k]):
                    style.fitted(axis, fit, k, label=f"_{name}", **looks)
            axis.set(yscale="log")
        style.frame(axes, (), "distance $\\bar d(t)$", EPOCH)
        entries = {name: dict(color=PALETTE[j], lw=2) for j, name in enumerate(fits)}
        key(fig, entries, columns=2)
    return fig


def agreement(ball, tangent, cause, error, tolerance=0.1):
    """Plot exponents of the same windows from ε-balls against those from tangent vectors, and how
    far their curves are apart.

    ``ball`` and ``tangent`` (n,); ``cause`` (n,) names what parts them within
    the window.  ``error`` (T, m) is :func:`netdyn_lib.lyapunov.linear_regime.log_error`; where
    it is exactly zero, as at epoch 0, a logarithmic axis has no point.
    """
    with style.figure(1, 2, height=2.8) as (fig, ((left, right),)):
        ends = [min(ball.min(), tangent.min()), max(ball.max(), tangent.max())]
        left.line(ends, ends, "_equal", color=MUTED, lw=1)
        for name, (colour, marker, label) in _CAUSES.items():
            these = cause == name
            if these.any():
                looks = dict(marker=marker, ms=3, alpha=0.6, color=colour)
                left.points(tangent[these], ball[these], label, **looks)
        left.set(xlabel="tangent exponent (per epoch)", ylabel="ε-ball exponent (per epoch)")
        left.legend(title="within the window", title_fontsize="x-small", **_SMALL)
        bands = np.percentile(np.abs(error), [50, 95], axis=1)
        for band, name, colour in zip(bands, ("median", "95th percentile"), PALETTE):
            apart = np.where(band > 0, band, np.nan)
            right.line(np.arange(len(band)), apart, name, color=colour)
        right.level(np.log1p(tolerance), f"{tolerance:.0%}", color="black", ls="--", lw=1)
        right.set(xlabel=EPOCH, ylabel="$|\\ln(d/d_{\\mathrm{tangent}})|$", yscale="log")
        right.legend(loc="lower right")
    return fig


def parting(found, radii):
    """Plot when and at what distance copies leave their tangent vectors, and count the causes.

    ``found`` is a :class:`~netdyn_lib.lyapunov.linear_regime.LinearRegime`; its copies at ``radii``
    are plotted one by one, and those at all but the outermost, which only serve as witnesses,
    counted.
    """
    with style.figure(1, 2, height=2.9) as (fig, ((left, right),)):
        for colour, radius in zip(_RADII, radii):
            row = found.row(radius)
            for name, (_, marker, _) in _CAUSES.items():
                these = (found.cause[row] == name) & np.isfinite(found.epoch[row])
                if these.any():
                    x, y = found.epoch[row, these], found.relative[row, these]
                    looks = dict(marker=marker, ms=3, alpha=0.6, color=colour)
                    left.points(x, y, f"_ε = {radius:g}, {name}", **looks)
            label = f"$\\epsilon = 10^{{{np.log10(radius):.0f}}}$"
            left.plot([], [], "o", ms=4, color=colour, label=label)
        left.level(2.0**-52, "_rounding", color="black", ls=":", lw=1)
        where = dict(transform=left.get_yaxis_transform(), ha="right")
        left.text(0.98, 2.0**-52 * 1.6, "$2^{-52}$", **where)
        left.set(xlabel="epoch of parting", ylabel="distance there / size of weights")
        left.set(yscale="log", ylim=(2.0**-54, 1e3))  # with room for the legend
        legend = dict(loc="upper center", **_SMALL)
        left.legend(ncols=3, handletextpad=0.1, columnspacing=1, **legend)
        inner = np.arange(1, len(found.radii) - 1)
        base = np.zeros(len(inner))
        for name, (colour, _, label) in _CAUSES.items():
            counts = np.array([(found.cause[k] == name).sum() for k in inner])
            right.bars(inner - 1, counts, label, base, color=colour)
            base += counts
        right.names("x", inner - 1, [f"$10^{{{np.log10(found.radii[k]):.0f}}}$" for k in inner])
        right.set(xlabel="radius $\\epsilon$", ylabel="initial conditions")
        right.set_ylim(0, 1.3 * base.max())
        right.legend(ncols=2, **legend)
    return fig


def rates_over_time(stretches, intervals):
    """Plot the mean tangent growth rate in ``stretches`` of training, pairs of epochs, with an
    Interval for each.
    """
    places = np.arange(len(intervals))
    with style.figure(height=2.6, width=5.2) as (fig, ((axis,),)):
        axis.estimates(places, intervals, marker="o", ls="", color=PALETTE[0], capsize=3)
        axis.level(0, color="black")
        axis.set(xlabel="epochs $t$", ylabel="growth rate (per epoch)")
        axis.names("x", places, [f"{a:,}–\n{b:,}" for a, b in stretches])
    return fig


def sharpness(epochs, scaled, loss):
    """Plot sharpness times η/2 and loss, (T, n) each, over training; 1 is the edge of stability."""
    with style.figure(2, 1, height=2.1, sharex=True) as (fig, ((top,), (below,))):
        for axis, values in ((top, scaled), (below, loss)):
            axis.line(epochs, values, "_one network", color=MUTED, lw=0.6, alpha=0.7)
            axis.line(epochs, np.median(values, 1), "_median", color="black", lw=2)
        top.level(1, "_edge of stability", **GOAL)
        top.set(ylabel="sharpness $\\times\\, \\eta/2$")
        style.octaves(top)
        below.set(xlabel=EPOCH, ylabel="loss $L$", yscale="log", xscale="symlog")
        below.set_xlim(0, epochs[-1])
    return fig


def answer(record, fit, exponents):
    """Plot, for "is it chaotic?", distances with the windows of their fits, losses, and leading
    exponents of the tangent map.

    ``record`` holds ``mean_distance`` (T, n) and ``loss`` (T, n, 1 + M), ``fit`` is of the
    distances of those that never diverged, ``exponents`` (n', k) per epoch.
    """
    epochs, index = record.epochs, np.arange(1, exponents.shape[1] + 1)
    with style.figure(1, 3, height=2.4) as (fig, ((distance, loss, spectrum),)):
        distance.line(epochs, record["mean_distance"], "_one network", color=MUTED, lw=0.8)
        for k in range(len(fit.start)):
            style.fitted(distance, fit, k, epochs, lw=1.8)
        loss.line(epochs, record["loss"][..., 0], "_one network", color=PALETTE[0], lw=0.8)
        for k, line in enumerate(exponents):
            spectrum.line(index, line, f"_network {k + 1}", **look(k, lw=0.9, ms=3))
        spectrum.level(0)
        distance.set(xlabel="epoch", ylabel=r"$\bar d(t)$", yscale="log")
        loss.set(xlabel="epoch", ylabel="loss $L$", yscale="log")
        spectrum.set(xlabel="index $i$", ylabel=r"$\lambda_i$ per epoch")
    return fig


def convergence(steps, running, names=None):
    """Plot running exponents with their intervals, and say in the legend what the last verdict is.

    ``running`` is a :class:`~netdyn_lib.lyapunov.convergence.Convergence` of arrays (m, k) at
    ``steps`` (m,); ``names`` (k,) are 1, 2, … by default.  Where it has no interval, the series was
    too short.
    """
    with style.figure(height=2.6, width=5.4) as (fig, ((axis,),)):
        for k, verdict in enumerate(running.verdict[-1]):
            name = names[k] if names else f"$\\lambda_{{{k + 1}}}$"
            bounds = (getattr(running, which)[:, k] for which in ("estimate", "low", "high"))
            axis.ranged(steps, tuple(bounds), f"{name}: {verdict}", **style.dash(k))
        axis.level(0)
        axis.set(xlabel="steps", ylabel="exponent (per step)", xscale="log")
        key(fig)
    return fig


def edges(at, by_name):
    """Plot sharpness in units of each method's threshold, median and range over networks;
    ``by_name``: name → (T, n) at epochs ``at``.
    """
    with style.figure() as (fig, ((axis,),)):
        for k, (name, values) in enumerate(by_name.items()):
            ranges = np.nanmedian(values, 1), np.nanmin(values, 1), np.nanmax(values, 1)
            axis.ranged(at, ranges, name, **look(k))
        axis.level(1, "_threshold", **DASHED)
        axis.set(xlabel="epoch", ylabel="sharpness / threshold", ylim=(0, None))
        key(fig)
    return fig


def methods(growth, exponents):
    """Plot the distance of copies beside a tangent vector's length, a panel for each method, and
    the leading exponents of all.

    ``growth``: name → (epochs (T,), ln d(t)/d(0) (T,), ln of the tangent vector's length (T,));
    ``exponents``: name → (k,).
    """
    with style.figure(1, len(growth) + 1, height=2.4) as (fig, (axes,)):
        for axis, (name, (epochs, parted, grown)) in zip(axes, growth.items()):
            axis.line(epochs, parted, "perturbed copy", color=PALETTE[0], lw=1.6)
            axis.line(epochs, grown, "tangent vector", color=PALETTE[1], ls="--", lw=1.4)
            axis.set(xlabel="epoch")
            axis.set_title(name, fontsize="small")
        axes[0].set_ylabel(r"$\ln\,d(t)/d(0)$")
        for k, (name, values) in enumerate(exponents.items(), 2):
            axes[-1].line(np.arange(1, len(values) + 1), values, name, **look(k, ms=3))
        axes[-1].level(0)
        axes[-1].set(xlabel="index $i$", ylabel=r"$\lambda_i$ per epoch")
        key(fig, columns=4)
    return fig


def floors(panels, radius):
    """Plot the distance of two trainings under the same noise and under other noise; ``panels``:
    name → (same, other), each (T,).

    Distances of zero are left out: a logarithmic axis has no place for them.
    """
    looks = {
        rf"$\epsilon$ = {radius:g}, same noise": dict(color=PALETTE[0], lw=1.4),
        r"$\epsilon$ = 0, other noise": dict(color=PALETTE[1], ls="--", lw=1.4),
    }
    with style.figure(1, len(panels), height=2.4, sharey=True) as (fig, (axes,)):
        for axis, (title, pair) in zip(axes, panels.items()):
            for values, (name, of) in zip(pair, looks.items()):
                axis.line(np.arange(len(values)), np.where(values > 0, values, np.nan), name, **of)
            axis.set(title=title, xlabel="step", yscale="log")
        axes[0].set_ylabel("$d(t)$")
        key(fig)
    return fig


def remembered(steps, loss, evaluated):
    """Plot the loss of the same weights with a layer as it trains and as it is used, (T,) each."""
    with style.figure(height=2.4, width=0.6 * style.WIDTH) as (fig, ((axis,),)):
        axis.line(steps, loss, "statistics of the batch", **style.dash(0))
        axis.line(steps, evaluated, "remembered statistics", **style.dash(1))
        axis.set(xlabel="step", ylabel="loss $L$", yscale="log")
        key(fig, columns=2)
    return fig


def watched(by_name):
    """Plot reports of a monitor: loss, sharpness over the edge, the gradient's share in negative
    curvature, and the rate of local expansion with its standard error.

    ``by_name``: name → a table with the keys of :meth:`netdyn_lib.monitor.Monitor.step` and
    ``step``, a row for each report (T,).
    """
    labels = {
        "loss": "probe loss $L$",
        "sharpness_over_edge": "sharpness / threshold",
        "negative_share": "negative share",
        "exponent": "rate (per step)",
    }
    with style.figure(2, 2, height=2.1, sharex=True) as (fig, axes):
        for axis, (which, label) in zip(axes.flat, labels.items()):
            for k, (name, reports) in enumerate(by_name.items()):
                steps, values = np.array(reports["step"]), np.array(reports[which])
                if which == "exponent":
                    error = np.array(reports["exponent_se"])
                    ranges = values, values - error, values + error
                    axis.ranged(steps, ranges, name, **style.dash(k))
                else:
                    axis.line(steps, values, name, **style.dash(k))
            scale = "symlog" if which == "exponent" else "log"
            if which != "negative_share":
                axis.set_yscale(scale, **(dict(linthresh=1e-3) if scale == "symlog" else {}))
            axis.set(ylabel=label)
        axes[0, 1].level(1, "_threshold", **DASHED)
        axes[1, 1].level(0, "_no growth", **DASHED)
        for axis in axes[1]:
            axis.set(xlabel="step")
        key(fig, {name: style.dash(k) for k, name in enumerate(by_name)})
    return fig
