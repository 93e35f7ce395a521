"""One look for every figure: size, palette, axes.

Figures come back closed: a notebook shows one by making it the value of a
cell, and no figure lingers in pyplot's memory.
"""

from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from . import numbers, vector

#: Okabe and Ito's colours, told apart by readers with any colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MUTED = "#8c8c8c"
WIDTH = 7.2  # inches, a text column


@contextmanager
def figure(rows=1, columns=1, height=2.6, width=WIDTH, **options):
    """Open ``(fig, axes)`` in the book's style, tidy and close it afterwards.

    ``axes`` is always a (rows, columns) array; ``height`` is that of one row,
    in inches.  Other options go to :func:`matplotlib.pyplot.subplots`.
    """
    with (
        sns.axes_style("ticks"),
        sns.plotting_context("paper", font_scale=1.05),
        plt.rc_context(RC),
    ):
        fig, axes = plt.subplots(
            rows,
            columns,
            figsize=(width, rows * height),
            squeeze=False,
            layout="constrained",
            **options,
        )
        yield fig, axes
        for axis in np.ravel(axes):
            sns.despine(ax=axis, right=not axis.yaxis.get_ticks_position() == "right")
        numbers.hand_on(fig)
        vector.hand_on(fig)
        plt.close(fig)


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


def letter(axes):
    """Mark panels a, b, c … at their upper left corners."""
    for k, axis in enumerate(np.ravel(axes)):
        axis.set_title(chr(ord("a") + k), loc="left", fontweight="bold")
