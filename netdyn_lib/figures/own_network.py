"""Figures of chapter 8: exponents, edges and spectra of one's own network, and the floors that
noise sets.
"""

import numpy as np

from . import style
from .rates import key, look
from .style import MUTED, PALETTE


def answer(record, fit, exponents):
    """Is it chaotic?  Distances with the windows of their fits, losses, and leading exponents of
    the tangent map.

    ``record`` holds ``mean_distance`` (T, n) and ``loss`` (T, n, 1 + M), ``fit`` is of the
    distances of those that never diverged, ``exponents`` (n', k) per epoch.
    """
    with style.figure(1, 3, height=2.4) as (fig, ((distance, loss, spectrum),)):
        distance.plot(
            record.epochs, record["mean_distance"], color=MUTED, lw=0.8, label="_one network"
        )
        for k in range(len(fit.start)):
            if fit.start[k] >= 0:
                ends = np.array([fit.start[k], fit.stop[k]])
                distance.plot(
                    record.epochs[ends],
                    np.exp(fit.intercept[k] + fit.slope[k] * ends),
                    color=PALETTE[1],
                    ls=":",
                    lw=1.8,
                    label="_fit",
                )
        loss.plot(
            record.epochs, record["loss"][..., 0], color=PALETTE[0], lw=0.8, label="_one network"
        )
        index = np.arange(1, exponents.shape[1] + 1)
        for k, line in enumerate(exponents):
            spectrum.plot(index, line, **look(k) | dict(lw=0.9, ms=3), label=f"_network {k + 1}")
        spectrum.axhline(0, color=MUTED, lw=0.8)
        distance.set(xlabel="epoch", ylabel=r"$\bar d(t)$", yscale="log")
        loss.set(xlabel="epoch", ylabel="loss $L$", yscale="log")
        spectrum.set(xlabel="index $i$", ylabel=r"$\lambda_i$ per epoch")
        style.letter((distance, loss, spectrum))
    return fig


def edges(at, by_name):
    """Sharpness in units of each method's threshold, median and range over networks; ``by_name``:
    name → (T, n) at epochs ``at``.
    """
    with style.figure(1, 1, height=2.6) as (fig, ((axis,),)):
        for k, (name, values) in enumerate(by_name.items()):
            axis.plot(at, np.nanmedian(values, 1), **look(k), label=name)
            axis.fill_between(
                at,
                np.nanmin(values, 1),
                np.nanmax(values, 1),
                color=look(k)["color"],
                alpha=0.15,
                lw=0,
            )
        axis.axhline(1, color="black", lw=0.8, ls=(0, (4, 3)), label="_threshold")
        axis.set(xlabel="epoch", ylabel="sharpness / threshold", ylim=(0, None))
        fig.legend(loc="outside lower center", ncols=3)
    return fig


def methods(growth, exponents):
    """Distance of copies beside a tangent vector's length, a panel for each method, and the leading
    exponents of all.

    ``growth``: name → (epochs (T,), ln d(t)/d(0) (T,), ln of the tangent vector's length (T,));
    ``exponents``: name → (k,).
    """
    copies, vector = dict(color=PALETTE[0], lw=1.6), dict(color=PALETTE[1], ls="--", lw=1.4)
    with style.figure(1, len(growth) + 1, height=2.4) as (fig, axes):
        for axis, (name, (epochs, parted, grown)) in zip(axes[0], growth.items()):
            axis.plot(epochs, parted, **copies)
            axis.plot(epochs, grown, **vector)
            axis.set(title=name, xlabel="epoch")
        axes[0, 0].set_ylabel(r"$\ln\,d(t)/d(0)$")
        last = axes[0, -1]
        looks = {name: look(k + 2) | dict(ms=3) for k, name in enumerate(exponents)}
        for name, values in exponents.items():
            last.plot(np.arange(1, len(values) + 1), values, **looks[name])
        last.axhline(0, color=MUTED, lw=0.8)
        last.set(xlabel="index $i$", ylabel=r"$\lambda_i$ per epoch")
        key(
            fig, [("perturbed copy", copies), ("tangent vector", vector), *looks.items()], columns=4
        )
    return fig


def floors(panels, radius):
    """Distance of two trainings under the same noise and under other noise; ``panels``: name →
    (same, other), each (T,).

    Distances of zero are not drawn: a logarithmic axis has no place for them.
    """
    same, other = dict(color=PALETTE[0], lw=1.4), dict(color=PALETTE[1], ls="--", lw=1.4)
    with style.figure(1, len(panels), height=2.4, sharey=True) as (fig, axes):
        for axis, (name, pair) in zip(axes[0], panels.items()):
            for values, looks in zip(pair, (same, other)):
                axis.plot(np.arange(len(values)), np.where(values > 0, values, np.nan), **looks)
            axis.set(title=name, xlabel="step", yscale="log")
        axes[0, 0].set_ylabel("$d(t)$")
        key(
            fig,
            [
                (rf"$\epsilon$ = {radius:g}, same noise", same),
                (r"$\epsilon$ = 0, other noise", other),
            ],
        )
    return fig


def remembered(steps, loss, evaluated):
    """Loss of the same weights with a layer as it trains and as it is used, (T,) each."""
    with style.figure(1, 1, height=2.4, width=0.6 * style.WIDTH) as (fig, ((axis,),)):
        axis.plot(steps, loss, **look(0) | dict(marker=""), label="statistics of the batch")
        axis.plot(steps, evaluated, **look(1) | dict(marker=""), label="remembered statistics")
        axis.set(xlabel="step", ylabel="loss $L$", yscale="log")
        fig.legend(loc="outside lower center", ncols=2)
    return fig
