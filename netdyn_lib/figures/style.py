"""One look for every figure: size, palette, axes, keys.

Figures come back closed: a notebook shows one by making it the value of a
cell, and no figure lingers in pyplot's memory.
"""

import os
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from matplotlib.ticker import StrMethodFormatter

from ..results import provenance
from . import numbers, vector
from .panel import DASHES, MUTED, Panel

#: Okabe and Ito's colours, told apart by readers with any colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
WIDTH = 7.2  # inches, a text column
GOAL = dict(color=PALETTE[1], ls="--", lw=1.5)  # a line to compare with
WINDOW = dict(color=PALETTE[1], ls=":", lw=2.5)  # a fit over its window
MANY = dict(color=MUTED, lw=0.5, alpha=0.5)  # one curve of many
DASHED = dict(color="black", lw=0.8, ls=DASHES)
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 2)))
RC = {
    "axes.prop_cycle": plt.cycler(color=PALETTE),
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "lines.linewidth": 1.2,
    "axes.titlesize": "medium",
    "legend.frameon": False,
    "legend.fontsize": "small",
    "figure.facecolor": "white",
}


@contextmanager
def figure(rows=1, columns=1, height=2.6, width=WIDTH, **options):
    """Open ``(fig, axes)`` in the book's style, tidy and close it afterwards.

    ``axes`` is always a (rows, columns) array of :class:`netdyn_lib.figures.panel.Panel`;
    ``height`` is that of one row, in inches.  Several panels are marked a, b, c ….  Other
    options go to :func:`matplotlib.pyplot.subplots`.
    """
    options |= dict(squeeze=False, layout="constrained", subplot_kw={"axes_class": Panel})
    with (
        sns.axes_style("ticks"),
        sns.plotting_context("paper", font_scale=1.05),
        plt.rc_context(RC),
    ):
        fig, axes = plt.subplots(rows, columns, figsize=(width, rows * height), **options)
        yield fig, axes
        shown = [axis for axis in fig.axes if isinstance(axis, Panel) and axis.get_visible()]
        panels = {}
        for axis in shown:  # a second axis in the same place gets no letter
            panels.setdefault(axis.get_subplotspec(), axis)
        for k, axis in enumerate(panels.values() if len(panels) > 1 else ()):
            axis.set_title(chr(ord("a") + k), loc="left", fontweight="bold")
        for axis in np.ravel(axes):
            sns.despine(ax=axis, right=not axis.yaxis.get_ticks_position() == "right")
        _hand_on(fig)
        plt.close(fig)


def _hand_on(fig):
    """Let a notebook that shows the figure keep its table and its drawing, where they are asked for
    in the environment.
    """
    bundles = {
        numbers.ASKED: lambda: {
            numbers.MIME: numbers.packed(numbers.csv(fig)),
            provenance.MIME: list(provenance.of_figure(fig)),
        },
        vector.ASKED: lambda: {vector.MIME: numbers.packed(vector.of(fig))},
    }
    asked = [make for name, make in bundles.items() if os.environ.get(name)]
    if asked:
        fig._repr_mimebundle_ = lambda include=None, exclude=None: {
            mime: data for make in asked for mime, data in make().items()
        }


def look(k, **more):
    """Return colour, marker and line style of the k-th series; every second marker is open.

    ``more`` replaces some of these properties or adds others.
    """
    k %= len(_LINES)
    fill = "white" if k % 2 else PALETTE[k]
    return dict(color=PALETTE[k], marker="osD^vPX"[k], ls=_LINES[k], mfc=fill, ms=4.5) | more


def dash(k):
    """Return colour and line style of the k-th series."""
    return dict(color=PALETTE[k % len(_LINES)], ls=_LINES[k % len(_LINES)])


def frame(axes, titles=(), ylabels=(), xlabels=()):
    """Name a grid of panels: titles above the first row, y at the first column, x below the last
    row; a text for each panel there, or one for all.
    """
    for panels, texts, write in (
        (axes[0], titles, lambda axis, text: axis.set_title(text, fontsize="small")),
        (axes[:, 0], ylabels, lambda axis, text: axis.set_ylabel(text)),
        (axes[-1], xlabels, lambda axis, text: axis.set_xlabel(text)),
    ):
        for axis, text in zip(panels, [texts] * len(panels) if isinstance(texts, str) else texts):
            write(axis, text)


def fitted(axis, fit, k, x=None, label="_fit", **looks):
    """Plot the k-th curve of a Fit over its window, where it has one, at epochs ``x``; whether it
    has.
    """
    if fit.start[k] < 0:
        return False
    t = np.array([fit.start[k], fit.stop[k]])
    values = np.exp(fit.intercept[k] + fit.slope[k] * t)
    axis.line(t if x is None else x[t], values, label, **WINDOW | looks)
    return True


def log_if_wide(axis):
    """Make a logarithmic y axis of values of more than a factor 4: over less its ticks are
    unreadable.
    """
    low, high = axis.dataLim.intervaly
    if 0 < 4 * low < high:
        axis.set_yscale("log")


def octaves(axis):
    """Make a logarithmic y axis that spans a few factors of two, with plain numbers as ticks."""
    axis.set_yscale("log", base=2)
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def say(axis, text):
    """Write words in place of curves."""
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=MUTED)
    axis.set_yticks([])


def key(fig, entries=None, columns=3):
    """Add a legend below the panels.

    ``entries`` maps names to the properties of a line; by default, what has a label in any panel.
    """
    if entries is None:
        handles = {}
        for axis in fig.axes:
            for handle, name in zip(*axis.get_legend_handles_labels()):
                lone = handle[0] if isinstance(handle, ErrorbarContainer) else handle
                handles.setdefault(name, lone)
    else:
        handles = {name: Line2D([], [], **looks) for name, looks in entries.items()}
    where = dict(loc="outside lower center", ncols=columns)
    fig.legend(handles.values(), handles.keys(), **where)


def above(axis, x, text, lift=2, **looks):
    """Write ``text`` at x, above the panel."""
    looks = dict(textcoords="offset points", ha="center", va="bottom", fontsize="small") | looks
    axis.annotate(text, (x, 1), (0, lift), xycoords=("data", "axes fraction"), **looks)
