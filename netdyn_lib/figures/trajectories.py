"""Figures of trajectories in weight space: distances, losses, norms, what weights do."""

import numpy as np
import torch
from matplotlib.ticker import MaxNLocator

from . import style
from .style import MANY, MUTED, PALETTE

LOSS = PALETTE[1]
EPOCH = "epoch $t$"


def trained_networks(network, weights, loss, shown):
    """Plot one network at several epochs above its loss curve (Danovski 2024, Fig. 1).

    ``weights`` (T, P) and ``loss`` (T,) at every epoch, ``shown`` the epochs of the networks; line
    widths show |w|, colours its sign.
    """
    layers = [[w.numpy() for w, _ in network.unpack(torch.as_tensor(weights[t]))] for t in shown]
    with style.figure(2, 1, height=2.3) as (fig, ((top,), (below,))):
        scale = max(np.abs(w).max() for ws in layers for w in ws)
        arrow = {"arrowstyle": "->", "color": MUTED}
        for k, matrices in enumerate(layers):
            _network(top, matrices, 3.2 * k, scale)
            top.text(3.2 * k + 1, -0.62, f"$t$ = {shown[k]:,}", ha="center", va="top")
            if k:
                top.annotate("", (3.2 * k - 0.35, 0), (3.2 * k - 0.85, 0), arrowprops=arrow)
        top.set_axis_off()
        top.set_ylim(-0.8, 0.6)
        below.line(np.arange(len(loss)), loss, "_loss", color=LOSS)
        below.points(shown, loss[list(shown)], "_networks shown", color=PALETTE[0], zorder=3)
        below.set(xlabel=EPOCH, ylabel="training loss $L$")
        below.set_ylim(bottom=0)
    return fig


def _network(axis, weights, left, scale):
    sizes = [weights[0].shape[1]] + [w.shape[0] for w in weights]
    spots = [np.linspace(-0.5, 0.5, s) * (0.5 + 0.5 * s / max(sizes)) for s in sizes]
    for layer, matrix in enumerate(weights):
        for (unit, source), w in np.ndenumerate(matrix):
            ends = [spots[layer][source], spots[layer + 1][unit]]
            looks = dict(color=PALETTE[0] if w > 0 else PALETTE[1], alpha=0.7)
            x = [left + layer, left + layer + 1]
            axis.line(x, ends, f"_weight {w:.3g}", lw=2.5 * abs(w) / scale, **looks)
    for layer, y in enumerate(spots):
        x = np.full(len(y), left + layer)
        axis.points(x, y, "_units", color="white", mec="black", ms=5, zorder=3)


def flowers(split, wrong, wrong_test):
    """Plot all samples in two planes of features, crosses where a network is wrong, (N,) bool for
    training and test (Danovski 2024, Fig. 2).
    """
    x = np.concatenate([split.x.cpu(), split.x_test.cpu()])
    y = np.concatenate([split.y.cpu(), split.y_test.cpu()])
    wrong = np.concatenate([wrong, wrong_test])
    with style.figure(1, 2, height=2.9) as (fig, axes):
        for axis, (i, j) in zip(axes[0], ((0, 1), (2, 3))):
            for k, name in enumerate(split.classes):
                right, missed = x[(y == k) & ~wrong], x[(y == k) & wrong]
                axis.points(right[:, i], right[:, j], name, ms=4, alpha=0.75, color=PALETTE[k])
                cross = dict(marker="x", ms=8, mew=2, color=PALETTE[k])
                axis.points(missed[:, i], missed[:, j], f"_{name}, misclassified", **cross)
            axis.set(xlabel=f"{split.features[i]} (cm)", ylabel=f"{split.features[j]} (cm)")
        axes[0, 0].plot([], [], "x", color="black", mew=2, label="misclassified")
        axes[0, 0].legend(loc="upper right", handletextpad=0.1)
    return fig


def distances(epochs, distance, loss=None, frozen=None):
    """Plot distances of perturbed copies over their mean at the start, one panel for each initial
    condition (Danovski 2024, Figs 3 and 6).

    ``distance`` (T, n, M); ``loss`` (T, n) on a second axis; ``frozen`` (T, n) a
    prediction of the mean, dotted.
    """
    count, first = distance.shape[1], distance[0].mean(1)  # (n,)
    options = dict(height=2.1, sharex=True, sharey=True)
    with style.figure(-(-count // 2), 2, **options) as (fig, axes):
        for k, axis in enumerate(axes.flat[:count]):
            copies = distance[:, k] / first[k]
            axis.line(epochs, copies, "_one copy", color=MUTED, lw=0.6, alpha=0.7)
            axis.line(epochs, copies.mean(1), "_mean over copies", color="black", lw=1.6)
            if frozen is not None:
                looks = dict(color=PALETTE[0], ls=":", lw=1.8)
                name = "_prediction with the Hessian frozen"
                axis.line(epochs, frozen[:, k] / first[k], name, **looks)
            if loss is not None:
                axis.set_ylim(bottom=0)
                twin = axis.twin()
                twin.line(epochs, loss[:, k], "_loss", color=LOSS, ls="--", lw=1)
                twin.tick_params(axis="y", colors=LOSS)
                twin.set_ylim(0, 1.05 * loss[:, :count].max())
                if k % 2:
                    twin.set_ylabel("loss $L$", color=LOSS)
        style.frame(axes, (), r"distance $d(t)/\bar d(0)$", EPOCH)
    return fig


def radii(epochs, by_radius):
    """Plot the mean distance over ε for each ε, and their deviation from the curve of the second ε
    (Danovski 2024, Fig. 4).

    ``by_radius`` maps ε to distances (T, M).
    """
    scaled = {r: d.mean(1) / r for r, d in by_radius.items()}
    reference = list(scaled)[1]
    with style.figure(1, 2, height=2.7) as (fig, ((left, right),)):
        for k, (radius, curve) in enumerate(scaled.items()):
            label, colour = f"$\\epsilon = 10^{{{np.log10(radius):.0f}}}$", PALETTE[k]
            copies = by_radius[radius] / radius
            left.line(epochs, copies, f"_one copy, {label}", color=colour, lw=0.4, alpha=0.35)
            left.line(epochs, curve, label, color=colour, lw=2.4 - 0.5 * k)
            if radius != reference:
                right.line(epochs, curve / scaled[reference] - 1, f"_{label}", color=colour)
        left.set(xlabel=EPOCH, ylabel="$d(t)/\\epsilon$")
        left.set_ylim(bottom=0)
        right.level(0)
        right.set(xlabel=EPOCH, ylabel=f"relative to $\\epsilon$ = {reference:g}, less 1")
        left.legend(loc="lower right", ncols=2)
    return fig


def weights(network, importance, displacement, path):
    """Plot the importance of the first layer's weights, and displacement against path; all are (P,)
    (Danovski 2024, Fig. 5).
    """
    importance = network.unpack(torch.as_tensor(importance))[0][0].numpy()  # (units, inputs)
    kinds = {"weights": (network.is_weight, "o"), "biases": (~network.is_weight, "s")}
    options = dict(height=3.0, width_ratios=(1, 1.25))
    with style.figure(1, 2, **options) as (fig, ((left, right),)):
        bound, scale = np.abs(importance).max(), "$L(w_{ji} = 0) - L$"
        looks = dict(cmap="RdBu_r", vmin=-bound, vmax=bound, aspect="auto")
        fig.colorbar(left.image(importance, scale_name=scale, **looks), ax=left, label=scale)
        left.set(xlabel="input $i$", ylabel="hidden unit $j$")
        left.set_xticks(range(importance.shape[1]))
        ends = [1e-4, path.max() * 1.3]
        right.line(ends, ends, "$\\Delta_w = D_w$", color=MUTED, lw=1)
        for k, (name, (mask, marker)) in enumerate(kinds.items()):
            looks = dict(color=PALETTE[k], marker=marker, ms=4, alpha=0.7)
            right.points(path[mask], displacement[mask], name, **looks)
        low = max(displacement[displacement > 0].min() / 2, 1e-6)
        right.set(xscale="log", yscale="log")
        right.set(xlim=(path.min() / 1.5, ends[1]), ylim=(low, ends[1]))
        right.set(xlabel="distance travelled $D_w$", ylabel="displacement $\\Delta_w$")
        right.legend()
    return fig


def outward(epochs, norm, factors, radial):
    """Plot the norm ‖W(t)‖ (T, n), and the loss along the ray αW of trained networks (k, n)."""
    with style.figure(1, 2, height=2.6) as (fig, ((left, right),)):
        left.line(epochs, norm, "_one network", **MANY)
        left.line(epochs, norm.mean(1), "_mean over networks", color="black", lw=2)
        left.set(xscale="symlog", xlabel=EPOCH, ylabel="norm $\\|W(t)\\|$")
        left.set_xticks([0, 1, 10, 100, 1000, 10_000])
        right.line(factors, radial, "_one network", **MANY)
        right.line(factors, np.median(radial, 1), "_median", color="black", lw=2)
        right.mark(1, "_trained", color=PALETTE[0], lw=1, ls=":")
        right.set(xlabel="scale $\\alpha$", ylabel="loss $L(\\alpha W)$", yscale="log")
    return fig


def multipliers(values, band=1e-3):
    """Plot eigenvalues of I − ηH, (n, P): sorted, and how many lie outside 1 ± ``band``."""
    ordered, index = np.sort(values, 1), np.arange(1, values.shape[1] + 1)
    with style.figure(1, 2, height=2.6) as (fig, ((left, right),)):
        left.line(index, ordered.T, "_one network", **MANY)
        left.line(index, np.median(ordered, 0), "_median", color="black", lw=2)
        left.level(1, color=PALETTE[0], lw=1, ls=":")
        left.set(xlabel="direction, sorted", ylabel="eigenvalue of $I - \\eta H$")
        below, above = (values < 1 - band).sum(1), (values > 1 + band).sum(1)
        bins = np.arange(-0.5, max(below.max(), above.max()) + 1.5)
        name = f"contracting, $< 1 - {band:g}$"
        right.histogram(below, bins, name, color=PALETTE[0], alpha=0.8)
        right.histogram(above, bins, f"expanding, $> 1 + {band:g}$", color=PALETTE[1], alpha=0.6)
        right.set(xlabel="directions", ylabel="networks")
        right.xaxis.set_major_locator(MaxNLocator(integer=True))
        right.legend()
    return fig


def learning_curves(epochs, train, test):
    """Plot accuracy on training and test samples, (T, n) each; mean and 5–95% band (Danovski 2024,
    Fig. S1).
    """
    with style.figure(height=2.6, width=4.8) as (fig, ((axis,),)):
        for k, (name, values) in enumerate({"training": train, "test": test}.items()):
            ends = np.percentile(values, [5, 95], axis=1)
            axis.ranged(epochs, (values.mean(1), *ends), name, 0.2, color=PALETTE[k])
        axis.set(xlabel=EPOCH, ylabel="accuracy", ylim=(0, 1.02))
        axis.legend(loc="lower right")
    return fig


def share_against_rate(rates, shares, paper_rates=()):
    """Plot a share with its interval against η; ``shares`` is a list of Intervals, ``paper_rates``
    are marked.
    """
    with style.figure(height=2.6, width=4.8) as (fig, ((axis,),)):
        axis.estimates(rates, shares, marker="o", color=PALETTE[0])
        for rate in paper_rates:
            axis.mark(rate, "_rate of an experiment", color=MUTED, lw=1, ls=":")
        axis.set(xscale="log", xlabel="learning rate $\\eta$", ylim=(-0.04, 1.04))
        axis.set_ylabel("share with monotonic loss")
    return fig


def decays(epochs, curves):
    """Plot the distance relative to its start, medians over networks and, of the first and the last
    decay, the 5–95% band: ``curves`` maps weight decay λ to (T, n).
    """
    with style.figure(height=2.8, width=5.2) as (fig, ((axis,),)):
        for k, (decay, values) in enumerate(curves.items()):
            ends = np.percentile(values / values[:1], [50, 5, 95], axis=1)
            banded = k in (0, len(curves) - 1)
            looks = style.dash(k)
            axis.ranged(epochs, ends, f"$\\lambda$ = {decay:g}", 0.2 if banded else 0, **looks)
        axis.set(xlabel=EPOCH, ylabel="$\\bar d(t)/\\bar d(0)$")
        style.octaves(axis)
        axis.legend(loc="best")
    return fig


def spread(values, xlabel, reference=None, bins=30):
    """Plot a histogram of one positive number for each network, with its median, and mark a
    reference value.
    """
    with style.figure(height=2.4, width=4.8) as (fig, ((axis,),)):
        edges = np.geomspace(np.min(values), np.max(values), bins + 1)
        axis.histogram(values, edges, color=PALETTE[0], alpha=0.75, edgecolor="white", lw=0.6)
        axis.mark(np.median(values), "_median", lw=1.5, ls="-")
        if reference is not None:
            axis.mark(reference, "_reference", **style.GOAL)
        axis.set(xlabel=xlabel, ylabel="networks", xscale="log")
    return fig
