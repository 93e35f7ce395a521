"""Figures of the book, in one style: arrays in, ``Figure`` out.

Nothing else in the library imports Matplotlib.
"""

from ..validation import need

need("netdyn_lib.figures", "book", "matplotlib", "seaborn")
