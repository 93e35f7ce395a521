"""A figure as a vector drawing, which a notebook keeps beside its picture where the pipeline asks
for it.
"""

import io

import matplotlib.pyplot as plt
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D

#: Under which a figure hands its drawing to a notebook that is executed with ``ASKED`` in its
#: environment.
MIME = "application/vnd.netdyn.vector"
ASKED = "NETDYN_VECTOR"
#: Points of one artist up to which each is drawn as a shape of its own; more become a picture
#: within the drawing.
SHAPES = 2_000
#: Dots per inch of such a picture.
DPI = 300
#: Letters become outlines, and names within the file do not change from run to run.
_RC = {"svg.fonttype": "path", "svg.hashsalt": "netdyn", "savefig.dpi": DPI}


def of(figure):
    """The figure as SVG, the same text for the same figure.

    Lines stay lines.  Of markers, an artist with more than :data:`SHAPES` becomes
    a picture within the drawing, because a file with that many shapes opens in
    few programs.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Comes back as it was.

    Returns
    -------
    str
    """
    dense = [artist for artist in figure.findobj(_dense) if not artist.get_rasterized()]
    for artist in dense:
        artist.set_rasterized(True)
    try:
        with plt.rc_context(_RC):
            text = io.StringIO()
            # A date would make every run's file another one; the margins are those of the
            # notebook's picture.
            figure.savefig(
                text, format="svg", dpi=DPI, bbox_inches="tight", metadata={"Date": None}
            )
    finally:
        for artist in dense:
            artist.set_rasterized(False)
    return text.getvalue()


def _dense(artist):
    """Whether an artist draws more markers than a vector drawing should hold."""
    if isinstance(artist, PathCollection):
        return len(artist.get_offsets()) > SHAPES
    return (
        isinstance(artist, Line2D)
        and artist.get_marker() not in ("None", "none", None, "", " ")
        and len(artist.get_xdata()) > SHAPES
    )
