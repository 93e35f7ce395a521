"""The regimes of training over the learning rate in one picture."""

import numpy as np
from matplotlib.patches import Patch

from . import style
from .rates import RATE, rate_axis, vertical, with_intervals

#: Up to which share p hardly any network is sensitive, and from which on nearly all are.
FEW, MOST = 0.1, 0.9
_NAMES = {
    "calm": (style.PALETTE[5], "hardly any sensitive"),
    "mixed": (style.PALETTE[4], "some sensitive"),
    "sensitive": (style.PALETTE[1], "nearly all sensitive"),
}
_ALPHA = 0.16


def regime(share):
    """Name of the regime by the share p of sensitive initial conditions: calm below :data:`FEW`,
    sensitive from :data:`MOST` on, mixed between.
    """
    return "calm" if share < FEW else "sensitive" if share >= MOST else "mixed"


def regimes(exponents, arrivals, fastest):
    """Share of sensitive networks and of those that learn, and the exponent, over η; behind them
    the regimes by :func:`regime`.

    ``exponents`` and ``arrivals`` are those of
    :mod:`netdyn_lib.experiments.learning_rate_sweep.responses` at the same learning rates,
    ``fastest`` the learning rate at which training is fastest.  Where the regime changes, the
    background does half-way (in ln η) between two rates.
    """
    rates = np.asarray(exponents.rates, dtype=float)
    with style.figure(2, 1, height=2.3, sharex=True, height_ratios=(1.2, 1)) as (
        fig,
        ((top,), (below,)),
    ):
        with_intervals(
            top,
            rates,
            exponents.share,
            color=style.PALETTE[1],
            marker="o",
            ms=4.5,
            label="sensitive, $p$",
        )
        reached = [type(i)(1 - i.estimate, 1 - i.high, 1 - i.low) for i in arrivals.never]
        with_intervals(
            top,
            arrivals.rates,
            reached,
            color=style.PALETTE[2],
            marker="s",
            ms=4.5,
            ls="--",
            label=f"at the target accuracy by epoch {arrivals.cap:,}",
        )
        with_intervals(
            below,
            rates,
            exponents.exponent,
            color=style.PALETTE[0],
            marker="D",
            ms=4.5,
            label="_mean exponent",
        )
        rate_axis(below, rates)
        edges = np.concatenate(
            [below.get_xlim()[:1], np.sqrt(rates[1:] * rates[:-1]), below.get_xlim()[1:]]
        )
        kinds = [regime(interval.estimate) for interval in exponents.share]
        start = 0
        for k in range(1, len(kinds) + 1):
            if k == len(kinds) or kinds[k] != kinds[start]:
                for axis in (top, below):
                    axis.axvspan(
                        edges[start],
                        edges[k],
                        color=_NAMES[kinds[start]][0],
                        alpha=_ALPHA,
                        lw=0,
                        zorder=0,
                        label=f"_{_NAMES[kinds[start]][1]}",
                    )
                start = k
        for axis in (top, below):
            vertical(axis, fastest, "fastest", told=axis is top)
        top.set(ylabel="share of networks", ylim=(-0.04, 1.06))
        top.legend(loc="center left")
        below.set(xlabel=RATE, ylabel=r"exponent $\lambda$" + "\n(per epoch)", ylim=(0, None))
        below.legend(
            handles=[
                Patch(color=_NAMES[kind][0], alpha=_ALPHA, label=_NAMES[kind][1])
                for kind in _NAMES
                if kind in kinds
            ],
            loc="upper left",
        )
    return fig
