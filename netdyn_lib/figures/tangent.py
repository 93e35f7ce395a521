"""Figures of whole spectra of exponents, of neutral directions and those that are not, and of
leading exponents.
"""

import numpy as np

from ..experiments.neutral_directions import KINDS
from . import style
from .rates import key, look
from .style import MUTED, PALETTE


def iris(spectra, directions):
    """Early and late spectra and the make-up of neutral directions, a row for each learning rate.

    Parameters
    ----------
    spectra : dict
        η → :class:`netdyn_lib.experiments.spectra.Stretches`.
    directions : dict
        η → :class:`netdyn_lib.experiments.neutral_directions.Directions`.
    """
    with style.figure(len(spectra), 3, height=1.7, sharex="col") as (fig, axes):
        for row, (rate, found) in enumerate(spectra.items()):
            for axis, exponents in zip(axes[row], (found.early, found.late)):
                axis.axhline(0, color=MUTED, lw=0.8)
                for line in exponents:
                    axis.plot(
                        np.arange(1, len(line) + 1),
                        line,
                        color=PALETTE[0],
                        lw=0.9,
                        alpha=0.7,
                        label="_one network",
                    )
                axis.set_yscale("symlog", linthresh=1e-2)
            axes[row, 0].set_ylabel(rf"$\lambda_i$ at $\eta$ = {rate:g}")
            shares = directions[rate].shares
            axes[row, 2].hist(
                np.clip(shares[np.isfinite(shares)], 0, 1), np.linspace(0, 1, 21), color=PALETTE[2]
            )
            axes[row, 2].set_ylabel("weights")
        for axis, name in zip(axes[0], ("first epochs", "late", "neutral span")):
            axis.set_title(name, fontsize="small")
        for axis, name in zip(axes[-1], ("index $i$", "index $i$", "share in neutral span")):
            axis.set_xlabel(name)
    return fig


def phases(found):
    """Growth in blocks of an intermittent training, and which weights hold what is not neutral; a
    row for each kind of phase.

    ``found`` is a :class:`netdyn_lib.experiments.neutral_directions.Blocks`; kinds of which there is no
    block have no row. The middle column has the first block of a kind, and of its vectors that are
    not neutral those that grow most and least.
    """
    rates = found.directions.growth
    index = np.arange(1, rates.shape[1] + 1)
    present = [kind for kind in range(len(KINDS)) if kind in found.kind]
    most, least = dict(color=PALETTE[2], lw=0.9), dict(color=PALETTE[3], lw=0.9, ls="--")
    with style.figure(len(present), 3, height=1.5, sharex="col") as (fig, axes):
        for row, kind in zip(axes, present):
            spectrum, local, made_of = row
            spectrum.axhspan(
                -found.within, found.within, color=MUTED, alpha=0.3, lw=0, label="_zero by the rule"
            )
            spectrum.set_yscale("symlog", linthresh=found.within)
            blocks = np.flatnonzero(found.kind == kind)
            for k, block in enumerate(blocks):
                spectrum.plot(
                    index,
                    -np.sort(-rates[block]),
                    **look(k) | dict(ls="", ms=2.2),
                    label=f"_block {k + 1}",
                )
                made_of.plot(
                    index,
                    found.weights[block],
                    color=look(k)["color"],
                    lw=0.9,
                    label=f"_block {k + 1}",
                )
            rest = np.flatnonzero(np.isfinite(found.local[blocks[0]]).all(0))
            rest = rest[np.argsort(rates[blocks[0], rest])]
            for column, looks in ((rest[-1:], most), (rest[:-1][:1], least)):
                local.plot(found.local[blocks[0]][:, column], **looks)
            for axis in (spectrum, local):
                axis.axhline(0, color=MUTED, lw=0.8)
            made_of.axvline(
                found.inner + 0.5,
                color="black",
                lw=0.8,
                ls=(0, (4, 3)),
                label="_end of the first layer",
            )
            made_of.set_ylim(0, 1.03)
            spectrum.set_ylabel(KINDS[kind])
        for axis, name in zip(
            axes[0], ("growth per epoch", "growth at each epoch", "share of what is not neutral")
        ):
            axis.set_title(name, fontsize="small")
        for axis, name in zip(axes[-1], ("index $i$", "epoch of the block", "weight")):
            axis.set_xlabel(name)
        key(fig, [("grows most", most), ("grows least", least)])
    return fig


def leading(by_name):
    """Leading exponents along training, and the sharpness beside them.

    ``by_name``: name → dataset as from
    :func:`netdyn_lib.experiments.spectra.along_training`; columns are learning rates.
    """
    columns = [(name, data, rate) for name, data in by_name.items() for rate in data["eta"].values]
    with style.figure(2, len(columns), height=1.9, sharex="col", sharey="row") as (fig, axes):
        for (name, data, rate), (above, below) in zip(columns, axes.T):
            part = data.sel(eta=rate)
            for k in range(len(part["index"])):
                above.plot(
                    part["stretch"],
                    part["exponent"].isel(index=k).mean("init"),
                    **look(k) | dict(ms=2.8),
                )
            sharp = part["sharpness"]
            with np.errstate(divide="ignore"):
                frozen = np.maximum(0, np.log(np.abs(1 - 2 * sharp)))  # λ_max = sharpness · 2/η
            above.plot(part["end"], frozen.mean("init"), color=MUTED, ls=":")
            above.axhline(0, color=MUTED, lw=0.8)
            below.plot(
                part["end"], sharp, color=PALETTE[0], lw=0.9, label="_sharpness of one network"
            )
            below.axhline(1, color="black", lw=0.8, ls=(0, (4, 3)))
            below.set_yscale("log")
            above.set_title(f"{name}\n" + rf"$\eta$ = {rate:g}", fontsize="small")
            below.set_xlabel("epoch")
        axes[0, 0].set_ylabel("exponent per epoch")
        axes[1, 0].set_ylabel(r"sharpness $\cdot\,\eta/2$")
        count = max(len(data["index"]) for data in by_name.values())
        key(
            fig,
            [
                *((rf"$\lambda_{k + 1}$", look(k)) for k in range(count)),
                ("frozen curvature", dict(color=MUTED, ls=":")),
            ],
            columns=4,
        )
    return fig
