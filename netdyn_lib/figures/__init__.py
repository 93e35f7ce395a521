"""Figures of the book, in one style: arrays in, a figure out.

Its panels note what they plot; :func:`netdyn_lib.figures.numbers.table` gives the numbers.

A figure is a function with a panel for each :class:`netdyn_lib.figures.panel.Panel`::

    with style.figure(1, 2) as (fig, ((left, right),)):
        left.line(epochs, loss, "loss")
        right.points(rates, shares, "share", **style.look(1))
    return fig

Nothing else in the library imports Matplotlib; nothing here needs the book or its other packages.
"""

from ..validation import need

need("netdyn_lib.figures", "plot", "matplotlib", "seaborn")
