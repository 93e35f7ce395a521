"""Figures of the exponents of mini-batch descent, of whether its subspaces stand still, of a
batch's noise, and of pruned maps.
"""

import numpy as np

from . import style
from .rates import key, look
from .style import MUTED, PALETTE


def exponents(data, times=None):
    """Spectra over [0, t] at several t, and the extreme exponents over time.

    Parameters
    ----------
    data : xarray.Dataset
        As from :func:`netdyn_lib.experiments.sgd_spectra.over_time`; of leading exponents alone the
        smallest is not drawn.
    times : sequence of int, optional
        At most seven of the data's steps; by default four, from the first to the last.

    Spectra are means over networks; of the extremes also the range over networks is drawn.
    """
    steps = data["time"].values
    times = (
        steps[np.unique(np.linspace(0, len(steps) - 1, min(4, len(steps))).astype(int))]
        if times is None
        else list(times)
    )
    whole = data.attrs["count"] == data.attrs["parameters"]
    with style.figure(1, 2, height=2.6) as (fig, axes):
        left, right = axes[0]
        mean = data["exponent"].mean("network")
        for k, t in enumerate(times):
            left.plot(data["index"], mean.sel(time=t), **_line(k), label=f"{t:,}")
        left.axhline(0, color=MUTED, lw=0.8)
        left.set(xlabel="index $i$", ylabel=r"$\lambda_i$ over $[0, t]$, per step")
        left.legend(title="$t$", loc="lower left")
        drawn = [
            (r"$\lambda_1$ over $[0, t]$", "exponent", 0),
            (r"$\lambda_1$ of a stretch", "local", 0),
        ]
        drawn += [(r"$\lambda_N$ over $[0, t]$", "exponent", -1)] * whole
        for k, (_, variable, index) in enumerate(drawn):
            values = data[variable].isel(index=index)
            right.plot(steps, values.mean("network"), **look(k) | dict(ms=2.8))
            right.fill_between(
                steps,
                values.min("network"),
                values.max("network"),
                color=look(k)["color"],
                alpha=0.15,
                lw=0,
            )
        right.axhline(0, color=MUTED, lw=0.8)
        right.set(xlabel="step $t$", ylabel="exponent per step")
        key(fig, [(name, look(k) | dict(ms=2.8)) for k, (name, *_) in enumerate(drawn)])
    return fig


def stabilising(found, batch=None):
    """Overlap of subspaces at successive times, dotted what chance gives; open where a subspace had
    not converged.

    Parameters
    ----------
    found : pandas.DataFrame
        From :func:`netdyn_lib.experiments.sgd_spectra.overlaps`.
    batch : pandas.DataFrame, optional
        From :func:`netdyn_lib.experiments.sgd_spectra.of_hessian`, for a second panel; its chance
        is that within the range.
    """
    tables = [(found, "chance", "subspaces of the whole run")]
    if batch is not None:
        tables.append((batch, "chance in range", "one batch's Hessian"))
    with style.figure(
        1, len(tables), height=2.5, sharey=True, width=style.WIDTH * (0.6 if batch is None else 1)
    ) as (fig, axes):
        for axis, (table, chance, title) in zip(axes[0], tables):
            for k, name in enumerate(table.index.get_level_values(0).unique()):
                part, colour = table.loc[name], look(k)["color"]
                axis.plot(part.index, part["overlap"], **look(k) | dict(ms=0), label=name)
                good = (
                    part["converged"].astype(bool)
                    if "converged" in part
                    else np.ones(len(part), dtype=bool)
                )
                for chosen, fill, state in (
                    (good, colour, "converged"),
                    (~good, "white", "not converged"),
                ):
                    looks = dict(
                        ls="", marker="o", ms=3.5, color=colour, mfc=fill, label=f"_{name}, {state}"
                    )
                    axis.plot(part.index[chosen], part["overlap"][chosen], **looks)
                axis.plot(
                    part.index, part[chance], color=colour, ls=":", lw=0.9, label=f"_{name}, chance"
                )
            axis.set_title(title, fontsize="small")
            axis.set(xlabel="step $t$", ylim=(-0.03, 1.03))
            axis.legend()
        axes[0, 0].set_ylabel("overlap with the next")
    return fig


def noise(by_name):
    """The full batch's curvature along each mini-batch's negative eigenvectors, against its
    eigenvalue.

    ``by_name``: label → :class:`netdyn_lib.curvature.batch_noise.Batches`, a panel each.  On the
    dashed line curvature is the full batch's, on the grey one noise alone.
    """
    with style.figure(1, len(by_name), height=2.6) as (fig, axes):
        for axis, (name, found) in zip(axes[0], by_name.items()):
            own, full = (
                np.concatenate([np.empty(0), *arrays]) for arrays in (found.own, found.full)
            )
            axis.axhline(0, color=MUTED, lw=0.8)
            axis.plot(
                own,
                full,
                ls="",
                marker="o",
                ms=2,
                color=PALETTE[0],
                alpha=0.5,
                mew=0,
                label="_one direction",
            )
            low = own.min(initial=0)
            axis.plot((low, 0), (low, 0), color="black", lw=0.8, ls=(0, (4, 3)), label="_equal")
            axis.set_title(name, fontsize="small")
            axis.set_xlabel(r"$\lambda$ of the mini-batch")
        axes[0, 0].set_ylabel(r"$v^\top H v$ of the full batch")
    return fig


def maps(data):
    """The largest growth along plain and pruned descent and with the projector held fixed, mean
    over networks and range.

    ``data`` is that of :func:`netdyn_lib.experiments.pruning_exponents.compare`.
    """
    names = {
        "plain": "plain",
        "pruned": "pruned, true derivative",
        "fixed": "pruned, projector held fixed",
    }
    with style.figure(height=2.6, width=0.7 * style.WIDTH) as (fig, axes):
        axis, steps = axes[0, 0], data["time"].values
        for k, name in enumerate(data["map"].values):
            values = data["growth"].sel(map=name)
            axis.plot(steps, values.mean("network"), **look(k))
            axis.fill_between(
                steps,
                values.min("network"),
                values.max("network"),
                color=look(k)["color"],
                alpha=0.15,
                lw=0,
            )
        # Growth with the projector fixed is rounding alone, and the others lie decades apart.
        axis.set_yscale("symlog", linthresh=1e-4)
        axis.axhline(0, color=MUTED, lw=0.8)
        axis.set(xlabel="step $t$", ylabel=r"$\ln \sigma_1$")
        key(fig, [(names[name], look(k)) for k, name in enumerate(data["map"].values)])
    return fig


def _line(k):
    return {name: value for name, value in look(k).items() if name in ("color", "ls")}
