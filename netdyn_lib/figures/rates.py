"""How anything is drawn against learning rates: looks, intervals, axes, and keys below the panels."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from .drawn import moved
from .style import MUTED, PALETTE

RATE = r"learning rate $\eta$"
_LOOKS = list(
    zip(
        PALETTE[:7],
        "osD^vPX",
        ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 2))),
    )
)


def look(k):
    """Colour, marker and line style of the k-th series; every second marker is open."""
    colour, marker, line = _LOOKS[k % len(_LOOKS)]
    return dict(color=colour, marker=marker, ls=line, mfc="white" if k % 2 else colour, ms=4.5)


def with_intervals(axis, x, intervals, by=1.0, shift=0.0, **options):
    """Draw k Intervals against ``x`` (k,) with their bars; NaN is left out, as is a bar without
    ends.

    They stand at ``x * by + shift``, beside others; the table behind the figure has ``x``.
    """
    middle, low, high = np.array([tuple(i) for i in intervals], dtype=float).reshape(-1, 3).T
    errors = np.maximum(np.array([middle - low, high - middle]), 0)  # keeps NaN
    moved(
        axis.errorbar(
            np.asarray(x) * by + shift, middle, errors, **dict(capsize=2, elinewidth=0.9) | options
        ),
        by,
        shift,
    )


def rate_axis(axis, rates):
    """A logarithmic axis that holds every one of ``rates``, whether anything is drawn there or not."""
    axis.set(xscale="log", xlim=(min(rates) / 1.35, max(rates) * 1.35))
    axis.xaxis.set_major_locator(LogLocator(numticks=7))
    axis.xaxis.set_minor_formatter(NullFormatter())


def log_epochs(axis, name):
    """A logarithmic y axis of epochs with a name, between round numbers, labelled in full; to be
    called after drawing.
    """
    axis.set(yscale="log", ylabel=name)
    low, high = axis.get_ylim()
    steps = 10.0 ** np.arange(np.floor(np.log10(low)) - 1, np.ceil(np.log10(high)) + 2)
    fine = np.sort(np.outer(steps, (1, 2, 5)).ravel())
    low, high = fine[fine <= low][-1], fine[fine >= high][0]
    axis.set_ylim(low, high)
    axis.yaxis.set_major_locator(FixedLocator(fine if high / low < 30 else steps))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def say(axis, text):
    """Words in place of curves."""
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=MUTED)
    axis.set_yticks([])


def key(fig, entries, columns=3):
    """A legend below the panels; ``entries`` are pairs of a name and the properties of a line."""
    handles = [Line2D([], [], label=name, **looks) for name, looks in entries]
    fig.legend(handles=handles, loc="outside lower center", ncols=columns)


def vertical(axis, rate, name="", told=True):
    """A vertical line at a learning rate, its name above the axis; with ``told`` false only in the
    table behind the figure.
    """
    axis.axvline(rate, color="black", lw=0.8, ls=(0, (4, 3)), zorder=1, label=f"_{name}")
    above = dict(
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize="small",
    )
    if told:
        axis.annotate(name, (rate, 1), (0, 2), **above)


def against_rate(axis, by_label, what, band=False):
    """The Intervals ``what`` of each of several Exponents against η."""
    for j, (label, found) in enumerate(by_label.items()):
        aside, intervals = shift(j, len(by_label)), getattr(found, what)
        if band:
            middle = np.array([i.estimate for i in intervals])
            looks = dict(
                color=look(j)["color"], alpha=0.13, lw=0, label=f"_{label}, one standard deviation"
            )
            area = axis.fill_between(
                found.rates * aside, middle - found.sd, middle + found.sd, **looks
            )
            moved(area, aside)
        with_intervals(axis, found.rates, intervals, aside, label=label, **look(j))
    rate_axis(axis, np.concatenate([found.rates for found in by_label.values()]))


def shift(j, count):
    """Factor by which the j-th of several series moves right, so that markers do not hide each
    other.
    """
    return 1.12 ** (j / count)
