"""Figures of the search for a learning rate."""

import numpy as np

from . import style
from .rates import RATE, look, rate_axis, with_intervals
from .style import MUTED, PALETTE


def search(spot, truth=None):
    """What a search for the sweet spot saw: p with its interval at every probe, the level, and the
    bracket shaded.

    Above the axis stands when each was probed, 1 for the first (``spot.order``; nothing for a
    search that does not say); a cross marks those at which networks overflowed.

    Parameters
    ----------
    spot : netdyn_lib.experiments.sweet_spot.SweetSpot
    truth : netdyn_lib.experiments.learning_rate_sweep.responses.Exponents, optional
        p(η) on a grid, drawn behind.
    """
    rates, shares = np.array([p.learning_rate for p in spot.probes]), [p.share for p in spot.probes]
    middle = np.array([i.estimate for i in shares])
    lost = np.array([p.diverged > 0 for p in spot.probes])
    with style.figure(1, 1, height=3.2) as (fig, ((axis,),)):
        if truth is not None:
            with_intervals(
                axis,
                truth.rates,
                truth.share,
                color="#b5b5b5",
                marker="s",
                ms=3.5,
                label="sweep",
                zorder=1,
            )
        axis.axvspan(
            spot.low,
            spot.high,
            color=PALETTE[4],
            alpha=0.3,
            lw=0,
            label=f"bracket {spot.low:.3g} to {spot.high:.3g}",
        )
        axis.axhline(spot.level, color=PALETTE[1], ls="--", lw=1.2, label=f"level {spot.level:g}")
        with_intervals(axis, rates, shares, **look(0) | dict(ls=""), label=f"{len(rates)} probes")
        if lost.any():
            axis.plot(
                rates[lost],
                middle[lost],
                "x",
                color="black",
                ms=9,
                mew=1.2,
                label="some overflowed",
            )
        near = np.diff(np.log(rates), prepend=-np.inf) < 0.04 * np.log(rates[-1] / rates[0])
        lift = 0
        # probes crowd where the search converges: there, numbers at three heights
        for k, (rate, number) in enumerate(zip(rates, _numbers(spot))):
            lift = (lift + 1) % 3 if near[k] else 0
            above = dict(
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                fontsize="small",
            )
            axis.annotate(number, (rate, 1), (0, 2 + 9 * lift), **above)
        rate_axis(axis, np.append(rates, () if truth is None else truth.rates))
        axis.set(xlabel=RATE, ylabel=r"share sensitive $p$", ylim=(-0.04, 1.06))
        fig.legend(loc="outside lower center", ncols=3)
    return fig


def _numbers(spot):
    """When each probe was made, as text, in order of η."""
    order = list(getattr(spot, "order", ()))  # learning rates as they were probed
    return [str(order.index(p.learning_rate) + 1) for p in spot.probes] if order else []


def comparison(result):
    """What rival ways to a learning rate cost and save: epochs to the target, share never arriving,
    search plus N trainings.

    ``result`` is a :class:`netdyn_lib.experiments.sweet_spot.Comparison`.  Stars mark from which N
    a method costs less than the default, which the legend says too.
    """
    rows, y = result.rows, -np.arange(len(result.rows))
    ends = [row.break_even for row in rows if np.isfinite(row.break_even)]
    trainings = np.geomspace(1, max([100, *(3 * e for e in ends)]), 60)
    with style.figure(2, 2, height=2.4, height_ratios=(0.35 + 0.16 * len(rows), 1.6)) as (
        fig,
        axes,
    ):
        left, right = axes[0]
        grid = axes[1, 0].get_gridspec()
        for axis in axes[1]:
            axis.remove()
        below = fig.add_subplot(grid[1, :])
        for k, row in enumerate(rows):
            looks = look(k)
            for axis, interval in ((left, row.restricted), (right, row.never)):
                middle, low, high = interval
                axis.errorbar(
                    [middle],
                    y[k : k + 1],
                    xerr=np.maximum([[middle - low], [high - middle]], 0),
                    capsize=2,
                    **looks,
                )
            total = row.cost_epochs + row.restricted.estimate * trainings
            below.plot(
                trainings,
                total,
                label=f"{row.method}: {_pays(row, result.default)}",
                **looks | dict(marker=""),
            )
            if 1 <= row.break_even < np.inf:
                spent = row.cost_epochs + row.restricted.estimate * row.break_even
                below.plot(
                    row.break_even,
                    spent,
                    "*",
                    color=looks["color"],
                    mec="black",
                    mew=0.6,
                    ms=11,
                    zorder=5,
                )
        left.axvline(result.cap, color=MUTED, ls=":", label="_cap")
        left.text(
            result.cap,
            1.01,
            "cap",
            transform=left.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize="small",
        )
        left.set(xlabel=r"mean of $\min(\tau,$ cap$)$ (epochs)", xlim=(0, result.cap * 1.05))
        left.set_yticks(y, [rf"{row.method}, $\eta$ = {row.learning_rate:.3g}" for row in rows])
        right.set(xlabel="share never arriving", xlim=(-0.04, 1.04))
        right.set_yticks(y, [])
        for axis in (left, right):
            axis.set_ylim(y[-1] - 0.6, 0.6)
        below.set(
            xscale="log",
            yscale="log",
            xlabel=r"trainings $N$",
            ylabel="cost with search\n(network-epochs)",
        )
        below.spines[["top", "right"]].set_visible(False)
        fig.legend(*below.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        style.letter((left, right, below))
    return fig


def _pays(row, default):
    if row.method == default:
        return "baseline"
    if not np.isfinite(row.break_even):
        return "never pays"
    return f"pays from {np.ceil(row.break_even):,.0f}" if row.break_even > 1 else "pays at once"
