"""What a thing in a figure is called: by itself, by the container it belongs to, or by the entry of
a legend that looks like it.

A label that begins with an underscore is shown by no legend; it names its curve in the table behind
the figure.
"""

import re

import numpy as np
from matplotlib.collections import Collection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

_NOTHING = ("", "None", "none", " ", None)
_AUTOMATIC = re.compile(r"_(child|container|line|collection|patch|image)?\d*|_nolegend_")


def own_name(artist):
    """Its label, without the underscore that hides it from legends; empty where it has none but
    matplotlib's (``_child3``).
    """
    name = str(artist.get_label() or "")
    return "" if name in _NOTHING or _AUTOMATIC.fullmatch(name) else name.removeprefix("_")


class Legends:
    """The legends of a figure, as a list of names for what looks like their entries.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    """

    def __init__(self, figure):
        self._of_axis = {axis: _entries(axis.get_legend()) for axis in _every(figure)}
        self._of_figure = [entry for legend in figure.legends for entry in _entries(legend)]

    def name(self, axis, artist, guide=False):
        """The entry that ``artist`` looks like, searched in the legend of its axis, then in those
        of the figure.

        Colours have to agree, and dashes and markers where both have some.  Of a ``guide``, a line
        across an axis or a span, they have to be the same, because guides borrow their colours.
        Empty where no entry is left, or more than one: a name that may be wrong is worse than none.
        """
        return _fitting(artist, self._of_axis.get(axis, []), guide) or _fitting(
            artist, self._of_figure, guide
        )


def _every(figure):
    for axis in figure.axes:
        yield axis
        yield from (child for child in axis.child_axes if hasattr(child, "get_legend"))


def _entries(legend):
    return (
        []
        if legend is None
        else [
            (text.get_text(), handle)
            for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True)
        ]
    )


def _fitting(artist, entries, all_of_it):
    colour = _colour(artist)
    if colour is None:
        return ""
    fits = [
        (name, handle)
        for name, handle in entries
        if (other := _colour(handle)) is not None and np.allclose(colour, other, atol=1e-3)
    ]
    if all_of_it:
        fits = [
            (name, one) for name, one in fits if isinstance(one, Patch) == isinstance(artist, Patch)
        ]
    for what in (_dashes, _marker):
        mine = what(artist)
        fits = [
            (name, one)
            for name, one in fits
            if what(one) == mine or (not all_of_it and None in (what(one), mine))
        ]
        exactly = [(name, one) for name, one in fits if what(one) == mine]
        fits = exactly or fits
    texts = {name for name, _ in fits}
    return texts.pop() if len(texts) == 1 else ""


def _colour(artist):
    """Its one colour as three numbers, None where it has several or a scale."""
    if isinstance(artist, Line2D):
        return to_rgb(artist.get_color())
    if isinstance(artist, Patch):
        face = artist.get_facecolor()
        return to_rgb(face if face[3] else artist.get_edgecolor())
    if not isinstance(artist, Collection) or artist.get_array() is not None:
        return None
    colours = artist.get_facecolor() if len(artist.get_facecolor()) else artist.get_edgecolor()
    if isinstance(artist, PathCollection) and not np.any(np.asarray(colours)[:, 3:]):
        colours = artist.get_edgecolor()
    colours = np.asarray(colours)[:, :3]
    return tuple(colours[0]) if len(colours) and np.allclose(colours, colours[0]) else None


def _dashes(artist):
    """The pattern of a line, in line widths; None where none is drawn."""
    if isinstance(artist, Line2D) and artist.get_linestyle() not in _NOTHING:
        # get_linestyle calls every pattern of one's own "--"
        offset, pattern = getattr(artist, "_unscaled_dash_pattern", (0, None))
        return (offset or 0, tuple(pattern or ()))
    return None


def _marker(artist):
    marker = artist.get_marker() if isinstance(artist, Line2D) else None
    return None if marker in _NOTHING else marker
