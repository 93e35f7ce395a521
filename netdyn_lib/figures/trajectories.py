"""Figures of trajectories in weight space: distances, losses, norms, what weights do."""

import numpy as np
import seaborn as sns
import torch
from matplotlib.ticker import MaxNLocator

from . import style
from .style import MUTED, PALETTE

LOSS = PALETTE[1]


def _loss_axis(axis, epochs, loss, label=True):
    twin = axis.twinx()
    twin.plot(epochs, loss, color=LOSS, ls="--", lw=1, label="_loss")
    twin.tick_params(axis="y", colors=LOSS)
    twin.set_ylim(bottom=0)
    if label:
        twin.set_ylabel("loss $L$", color=LOSS)
    return twin


def trained_networks(network, weights, loss, shown):
    """D's Fig. 1 drawn anew: one network at several epochs above its loss curve.

    ``weights`` (T, P) and ``loss`` (T,) at every epoch, ``shown`` the epochs
    drawn; line widths show |w|, colours its sign.
    """
    layers = [[w.numpy() for w, _ in network.unpack(torch.as_tensor(weights[t]))] for t in shown]
    with style.figure(2, 1, height=2.3) as (fig, axes):
        top, below = axes[:, 0]
        scale = max(np.abs(w).max() for ws in layers for w in ws)
        for k, matrices in enumerate(layers):
            _draw_network(top, matrices, 3.2 * k, scale)
            top.text(3.2 * k + 1, -0.62, f"$t$ = {shown[k]:,}", ha="center", va="top")
        for k in range(len(layers) - 1):
            top.annotate(
                "",
                (3.2 * k + 2.85, 0),
                (3.2 * k + 2.35, 0),
                arrowprops={"arrowstyle": "->", "color": MUTED},
            )
        top.set_axis_off()
        top.set_ylim(-0.8, 0.6)
        below.plot(loss, color=LOSS, label="_loss")
        below.plot(
            shown, loss[list(shown)], "o", color=PALETTE[0], zorder=3, label="_networks drawn"
        )
        below.set(xlabel="epoch $t$", ylabel="training loss $L$")
        below.set_ylim(bottom=0)
    return fig


def _draw_network(axis, weights, left, scale):
    sizes = [weights[0].shape[1]] + [w.shape[0] for w in weights]
    spots = [np.linspace(-0.5, 0.5, s) * (0.5 + 0.5 * s / max(sizes)) for s in sizes]
    for layer, matrix in enumerate(weights):
        for unit, source in np.ndindex(*matrix.shape):
            w = matrix[unit, source]
            colour = PALETTE[0] if w > 0 else PALETTE[1]
            ends = [spots[layer][source], spots[layer + 1][unit]]
            axis.plot(
                [left + layer, left + layer + 1],
                ends,
                color=colour,
                lw=2.5 * abs(w) / scale,
                alpha=0.7,
                label=f"_weight {w:.3g}",
            )
    for layer, y in enumerate(spots):
        axis.plot(
            np.full(len(y), left + layer),
            y,
            "o",
            color="white",
            mec="black",
            ms=5,
            zorder=3,
            label="_units",
        )


def flowers(split, wrong, wrong_test):
    """D's Fig. 2: all samples in two planes of features, crosses where a network is wrong, (N,)
    bool for training and test.
    """
    x = np.concatenate([split.x.cpu(), split.x_test.cpu()])
    y = np.concatenate([split.y.cpu(), split.y_test.cpu()])
    wrong = np.concatenate([wrong, wrong_test])
    with style.figure(1, 2, height=2.9) as (fig, axes):
        for axis, (i, j) in zip(axes[0], ((0, 1), (2, 3))):
            for k, name in enumerate(split.classes):
                right, missed = (y == k) & ~wrong, (y == k) & wrong
                axis.plot(
                    x[right, i], x[right, j], "o", ms=4, alpha=0.75, color=PALETTE[k], label=name
                )
                axis.plot(
                    x[missed, i],
                    x[missed, j],
                    "x",
                    ms=8,
                    mew=2,
                    color=PALETTE[k],
                    label=f"_{name}, misclassified",
                )
            axis.set(xlabel=f"{split.features[i]} (cm)", ylabel=f"{split.features[j]} (cm)")
        axes[0, 0].plot([], [], "x", color="black", mew=2, label="misclassified")
        axes[0, 0].legend(loc="upper right", handletextpad=0.1)
        style.letter(axes)
    return fig


def distances(epochs, distance, loss=None, logarithmic=False, frozen=None, columns=2):
    """D's Figs 3 and 6: distances of perturbed copies, one panel for each initial condition.

    ``distance`` (T, n, M); ``loss`` (T, n) on a second axis; ``frozen`` (T, n) a
    prediction of the mean, dotted.
    """
    count = distance.shape[1]
    with style.figure(-(-count // columns), columns, height=2.1, sharex=True) as (fig, axes):
        for k, axis in enumerate(axes.flat[:count]):
            axis.plot(epochs, distance[:, k], color=MUTED, lw=0.6, alpha=0.7, label="_one copy")
            axis.plot(
                epochs, distance[:, k].mean(1), color="black", lw=1.6, label="_mean over copies"
            )
            if frozen is not None:
                axis.plot(
                    epochs,
                    frozen[:, k],
                    color=PALETTE[0],
                    ls=":",
                    lw=1.8,
                    label="_prediction with the Hessian frozen",
                )
            if logarithmic:
                axis.set_yscale("log")
            else:
                axis.set_ylim(bottom=0)
            if loss is not None:
                _loss_axis(axis, epochs, loss[:, k], label=k % columns == columns - 1)
        for axis in axes[:, 0]:
            axis.set_ylabel("distance $d(t)$")
        for axis in axes[-1]:
            axis.set_xlabel("epoch $t$")
        style.letter(axes.flat[:count])
    return fig


def radii(epochs, by_radius):
    """D's Fig. 4 in one scale: mean distance over ε for each ε, and their deviation from the curve
    of the second ε.

    ``by_radius`` maps ε to distances (T, M).
    """
    scaled = {r: d.mean(1) / r for r, d in by_radius.items()}
    reference = list(scaled)[1]
    with style.figure(1, 2, height=2.7) as (fig, axes):
        left, right = axes[0]
        for k, (radius, curve) in enumerate(scaled.items()):
            label = f"$\\epsilon = 10^{{{np.log10(radius):.0f}}}$"
            left.plot(
                epochs,
                by_radius[radius] / radius,
                color=PALETTE[k],
                lw=0.4,
                alpha=0.35,
                label=f"_one copy, {label}",
            )
            left.plot(epochs, curve, color=PALETTE[k], lw=2.4 - 0.5 * k, label=label)
            if radius != reference:
                right.semilogy(
                    epochs[1:],
                    np.abs(curve / scaled[reference] - 1)[1:],
                    color=PALETTE[k],
                    label=f"_{label}",
                )
        left.set(xlabel="epoch $t$", ylabel="$d(t)/\\epsilon$")
        left.set_ylim(bottom=0)
        right.set(xlabel="epoch $t$", ylabel="relative deviation")
        left.legend(loc="lower right", ncols=2)
        style.letter(axes)
    return fig


def weights(network, importance, displacement, path):
    """D's Fig. 5: importance of the first layer's weights, and displacement against path; all are
    (P,).
    """
    importance = network.unpack(torch.as_tensor(importance))[0][0].numpy()  # (units, inputs)
    is_weight = network.is_weight
    with style.figure(1, 2, height=3.0, width_ratios=(1, 1.25)) as (fig, axes):
        left, right = axes[0]
        bound = np.abs(importance).max()
        image = left.imshow(importance, cmap="RdBu_r", vmin=-bound, vmax=bound, aspect="auto")
        left.set(xlabel="input $i$", ylabel="hidden unit $j$")
        left.set_xticks(range(importance.shape[1]))
        fig.colorbar(image, ax=left, label="$L(w_{ji} = 0) - L$")
        top = path.max() * 1.3
        right.loglog([1e-4, top], [1e-4, top], color=MUTED, lw=1, label="$\\Delta_w = D_w$")
        for mask, marker, name in ((is_weight, "o", "weights"), (~is_weight, "s", "biases")):
            right.plot(path[mask], displacement[mask], marker, ms=4, alpha=0.7, label=name)
        low = max(displacement[displacement > 0].min() / 2, 1e-6)
        right.set(xlim=(path.min() / 1.5, top), ylim=(low, top))
        right.set(xlabel="distance travelled $D_w$", ylabel="displacement $\\Delta_w$")
        right.legend()
        for axis, name in ((left, "a"), (right, "b")):
            axis.set_title(name, loc="left", fontweight="bold")
    return fig


def outward(epochs, norm, factors, radial):
    """The norm ‖W(t)‖ (T, n), and the loss along the ray αW of trained networks (k, n) against α."""
    with style.figure(1, 2, height=2.6) as (fig, axes):
        left, right = axes[0]
        left.plot(epochs, norm, color=MUTED, lw=0.5, alpha=0.5, label="_one network")
        left.plot(epochs, norm.mean(1), color="black", lw=2, label="_mean over networks")
        left.set(xscale="symlog", xlabel="epoch $t$", ylabel="norm $\\|W(t)\\|$")
        left.set_xticks([0, 1, 10, 100, 1000, 10_000])
        right.semilogy(factors, radial, color=MUTED, lw=0.5, alpha=0.5, label="_one network")
        right.semilogy(factors, np.median(radial, 1), color="black", lw=2, label="_median")
        right.axvline(1, color=PALETTE[0], lw=1, ls=":", label="_trained")
        right.set(xlabel="scale $\\alpha$", ylabel="loss $L(\\alpha W)$")
        style.letter(axes)
    return fig


def multipliers(values, band=1e-3):
    """Eigenvalues of I − ηH, (n, P): sorted, and how many lie outside 1 ± ``band``."""
    ordered = np.sort(values, 1)
    with style.figure(1, 2, height=2.6) as (fig, axes):
        left, right = axes[0]
        left.plot(
            range(1, ordered.shape[1] + 1),
            ordered.T,
            color=MUTED,
            lw=0.5,
            alpha=0.5,
            label="_one network",
        )
        left.plot(
            range(1, ordered.shape[1] + 1),
            np.median(ordered, 0),
            color="black",
            lw=2,
            label="_median",
        )
        left.axhline(1, color=PALETTE[0], lw=1, ls=":")
        left.set(xlabel="direction, sorted", ylabel="eigenvalue of $I - \\eta H$")
        below, above = (values < 1 - band).sum(1), (values > 1 + band).sum(1)
        bins = np.arange(-0.5, max(below.max(), above.max()) + 1.5)
        right.hist(below, bins, color=PALETTE[0], alpha=0.8, label=f"contracting, $< 1 - {band:g}$")
        right.hist(above, bins, color=PALETTE[1], alpha=0.6, label=f"expanding, $> 1 + {band:g}$")
        right.set(xlabel="directions", ylabel="networks")
        right.xaxis.set_major_locator(MaxNLocator(integer=True))
        right.legend()
        style.letter(axes)
    return fig


def learning_curves(epochs, train, test):
    """D's Fig. S1: accuracy on training and test samples, (T, n) each; mean and 5–95% band."""
    with style.figure(1, 1, height=2.6, width=4.8) as (fig, axes):
        axis = axes[0, 0]
        for k, (name, values) in enumerate((("training", train), ("test", test))):
            low, high = np.percentile(values, [5, 95], axis=1)
            axis.fill_between(epochs, low, high, color=PALETTE[k], alpha=0.2, lw=0)
            axis.plot(epochs, values.mean(1), color=PALETTE[k], label=name)
        axis.set(xlabel="epoch $t$", ylabel="accuracy", ylim=(0, 1.02))
        axis.legend(loc="lower right")
    return fig


def share_against_rate(rates, shares, paper_rates=()):
    """A share with its interval against η; ``shares`` is a list of Intervals, ``paper_rates`` are
    marked.
    """
    with style.figure(1, 1, height=2.6, width=4.8) as (fig, axes):
        axis = axes[0, 0]
        middle = np.array([s.estimate for s in shares])
        errors = np.abs(np.array([(s.low, s.high) for s in shares]).T - middle)
        axis.errorbar(rates, middle, errors, fmt="o-", color=PALETTE[0], capsize=2)
        for rate in paper_rates:
            axis.axvline(rate, color=MUTED, lw=1, ls=":", label="_rate of an experiment")
        axis.set(
            xscale="log",
            ylim=(-0.04, 1.04),
            xlabel="learning rate $\\eta$",
            ylabel="share with monotonic loss",
        )
    return fig


def decays(epochs, curves):
    """Distance relative to its start, median and 5–95% band over networks: ``curves`` maps weight
    decay λ to (T, n).
    """
    with style.figure(1, 1, height=2.8, width=5.2) as (fig, axes):
        axis = axes[0, 0]
        for k, (decay, values) in enumerate(curves.items()):
            values = values / values[:1]
            low, high = np.percentile(values, [5, 95], axis=1)
            axis.fill_between(epochs, low, high, color=PALETTE[k], alpha=0.12, lw=0)
            axis.semilogy(
                epochs, np.median(values, axis=1), color=PALETTE[k], label=f"$\\lambda$ = {decay:g}"
            )
        axis.set(xlabel="epoch $t$", ylabel="$\\bar d(t)/\\bar d(0)$")
        axis.legend(loc="best")
    return fig


def spread(values, xlabel, reference=None, bins=30):
    """A histogram of one positive number for each network, with its median, and a marked reference
    value.
    """
    with style.figure(1, 1, height=2.4, width=4.8) as (fig, axes):
        axis = axes[0, 0]
        sns.histplot(x=values, bins=bins, color=PALETTE[0], log_scale=True, ax=axis)
        axis.axvline(np.median(values), color="black", lw=1.5, label="_median")
        if reference is not None:
            axis.axvline(reference, color=PALETTE[1], lw=1.5, ls="--")
        axis.set(xlabel=xlabel, ylabel="networks")
    return fig
