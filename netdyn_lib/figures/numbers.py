"""The numbers behind a figure: what its axes show, as one table.

They are read off the finished figure, so the table holds what was drawn, curve by curve, and
nothing that was not. Where a picture stands for points (a density of orbits), the function that
draws it says for which, by :func:`stands_for`.
"""

import math
import os

import numpy as np
import pandas as pd
from matplotlib.category import StrCategoryFormatter
from matplotlib.ticker import FixedFormatter, FuncFormatter

from ..results import provenance
from . import drawn
from .naming import Legends
from .packing import packed

#: Under which a figure hands its table to a notebook that is executed with ``ASKED`` in its
#: environment.
MIME = "application/vnd.netdyn.numbers"
ASKED = "NETDYN_NUMBERS"
#: Rows of a table, about; of figures that show more, long curves are thinned.
MOST = 12_000
_COLUMNS = (
    "panel",
    "curve",
    "series",
    "kind",
    "part",
    "x",
    "y",
    "x_low",
    "x_high",
    "y_low",
    "y_high",
    "x2",
    "y2",
    "value",
    "every",
)
_ALWAYS = ("panel", "curve", "series", "kind", "x", "y")


def table(figure):
    """What a figure shows.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    pandas.DataFrame
        A row for each point, in data coordinates.  ``panel`` counts the axes that show something,
        from 1, as in ``attrs["panels"]``, their descriptions.  ``curve`` counts what a panel shows,
        from 1; ``series`` is its name: its own, or that of the entry of a legend that looks like it
        (:class:`netdyn_lib.figures.naming.Legends`).  ``kind`` is line, points, stairs, level (a
        horizontal line at ``y``), mark (a vertical one at ``x``), span (from ``x`` to ``x2`` or
        ``y`` to ``y2``), band (from ``y`` to ``y2``), outline, segment (its ends), bar (from ``y2``
        to ``y``, or from ``x2`` to ``x`` where it lies), cell, or image (``value`` at the centre of
        a pixel).  ``part`` counts the pieces of what has several.  Ends of an interval stand beside
        its estimate, as ``y_low`` and ``y_high`` or ``x_low`` and ``x_high``. ``every`` is how many
        points, or parts, lie between a row and the one before it where not all are kept, 1 for the
        next.  Columns that nothing uses are left out.
    """
    panels = [
        (axis, [thing for thing in drawn.things(axis) if len(thing)]) for axis in drawn.axes(figure)
    ]
    panels, legends, frames = (
        [(axis, found) for axis, found in panels if found],
        Legends(figure),
        [],
    )
    share = iter(_share([len(thing) for _, found in panels for thing in found]))
    for number, (axis, found) in enumerate(panels, 1):
        for count, thing in enumerate(found, 1):
            name = thing.name or legends.name(
                axis, thing.artist, thing.kind in ("level", "mark", "span")
            )
            rows = thinned(thing.columns, next(share), axis.get_xscale() in ("log", "symlog"))
            frames.append(
                pd.DataFrame(rows).assign(panel=number, curve=count, series=name, kind=thing.kind)
            )
    whole = (
        pd.concat(frames, ignore_index=True).reindex(columns=list(_COLUMNS))
        if frames
        else pd.DataFrame(columns=list(_COLUMNS))
    )
    used = [name for name in _COLUMNS if name in _ALWAYS or whole[name].notna().any()]
    whole = whole[used]
    for name in ("part", "every"):
        if name in whole:
            whole = whole.astype({name: "Int64"})
    whole.attrs = {"panels": [_described(axis) for axis, _ in panels]}
    return whole


def csv(figure):
    """:func:`table` as text: lines that begin with ``#`` say what the panels are, then
    comma-separated values to six digits.

    ``pandas.read_csv(path, comment="#")`` opens it.
    """
    found = table(figure)
    common = ", ".join(
        f"{name} = {text}"
        for name, text in (("x", figure.get_supxlabel()), ("y", figure.get_supylabel()))
        if text
    )
    head = [f"# all panels: {common}"] if common else []
    head += [f"# panel {number}: {text}" for number, text in enumerate(found.attrs["panels"], 1)]
    head.append(f"# {provenance.in_words(provenance.of_figure(figure))}")
    if "every" in found:
        head.append(
            '# of a curve with numbers in the column "every" not all points are kept: k says that it is the k-th after the row before'
        )
    found = found.assign(series=found["series"].fillna("").str.replace("#", "no. ", regex=False))
    return "\n".join([*head, found.to_csv(index=False, float_format="%.6g")])


def hand_on(figure):
    """Let a notebook that shows the figure keep its numbers too, where ``ASKED`` is set; nothing
    otherwise.
    """
    if os.environ.get(ASKED):
        figure._repr_mimebundle_ = lambda include=None, exclude=None: {
            MIME: packed(csv(figure)),
            provenance.MIME: list(provenance.of_figure(figure)),
        }


def stands_for(artist, x, y):
    """Say for which points, ``x`` and ``y`` of any shapes that agree, a picture stands.

    Those that are not finite are left out, and of more than :data:`MOST` as many are drawn at
    random, always the same; the name says so.
    """
    x, y = np.broadcast_arrays(x, y)
    some = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    name = f"points drawn at random from {some.size:,}" if some.size > MOST else ""
    if some.size > MOST:
        some = np.sort(np.random.default_rng(0).choice(some, MOST, replace=False))
    places = np.unravel_index(some, x.shape)
    artist.netdyn_points = name, {"x": x[places], "y": y[places]}


def thinned(columns, most, logarithmic=False):
    """Some of the rows of a thing that has more than ``most``, with the distance k to the row kept
    before in a column ``every``.

    Every k-th, where k has no factor 2 or 3, so that of an orbit of period 2, 3, 4, 6 … all points
    stay, and the last.  On a ``logarithmic`` axis rows at equal ratios instead, where x grows.  Of
    a thing in parts whole parts are kept, every k-th; where one part alone is too long, it is
    thinned like a curve.
    """
    rows = len(columns["x"])
    k = -(-rows // most)
    if k <= 1:
        return columns
    while math.gcd(k, 6) > 1:
        k += 1
    parts = columns.get("part")
    if parts is not None and len(ranks := np.unique(parts)) >= k:
        keep = np.flatnonzero(np.isin(parts, ranks[::k]))
        return {name: np.asarray(values)[keep] for name, values in columns.items()} | {
            "every": np.full(len(keep), k)
        }
    if logarithmic and (np.diff(columns["x"]) > 0).all():
        keep = np.unique(np.concatenate([[0], np.geomspace(1, rows - 1, most).round().astype(int)]))
    else:
        keep = np.union1d(np.arange(0, rows, k), rows - 1)
    return {name: np.asarray(values)[keep] for name, values in columns.items()} | {
        "every": np.diff(keep, prepend=keep[0] - 1)
    }


def _share(lengths):
    """How many rows each of several curves keeps, so that all together make :data:`MOST`: short
    ones all, longer ones as the root of their length.
    """
    lengths = np.asarray(lengths, dtype=float)
    low, high = 0.0, max(math.sqrt(max(lengths, default=1)), 1.0)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (
            (middle, high)
            if np.minimum(lengths, middle * np.sqrt(lengths)).sum() <= MOST
            else (low, middle)
        )
    return np.clip(np.ceil(low * np.sqrt(lengths) - 1e-6), 1, lengths).astype(int).tolist()


def _described(axis):
    """Title, place in the grid where there is one, and what the scales are; a shared axis has its
    label from the panel that shows it.
    """
    words = [axis.get_title(loc) for loc in ("left", "center", "right")]
    text = " ".join(word for word in words if word)
    place, labels = _place(axis), [(name, _label(axis, name)) for name in ("x", "y")]
    mapped = [
        thing
        for thing in (*axis.collections, *axis.images)
        if getattr(thing, "colorbar", None) is not None
    ]
    labels += [
        ("value", one.colorbar.ax.get_ylabel() or one.colorbar.ax.get_xlabel()) for one in mapped
    ]
    scales = ", ".join(f"{name} = {label}" for name, label in labels if label)
    scales = "; ".join(
        part for part in (scales, *(_categories(axis, name) for name in ("x", "y"))) if part
    )
    return " ".join(": ".join(part for part in (text, place, scales) if part).split())


def _place(axis):
    spec = axis.get_subplotspec()
    if spec is None or spec.get_gridspec().nrows < 2 or spec.get_gridspec().ncols < 2:
        return ""
    return f"row {spec.rowspan.start + 1}, column {spec.colspan.start + 1}"


def _label(axis, name):
    own = getattr(axis, f"get_{name}label")()
    if own:
        return own
    siblings = getattr(axis, f"get_shared_{name}_axes")().get_siblings(axis)
    labels = {label for one in siblings if (label := getattr(one, f"get_{name}label")())}
    return labels.pop() if len(labels) == 1 else ""


def _categories(axis, name):
    """Which name stands at which number, where the ticks are names."""
    scale = getattr(axis, f"{name}axis")
    if not isinstance(
        scale.get_major_formatter(), FixedFormatter | FuncFormatter | StrCategoryFormatter
    ):
        return ""
    found = zip(
        scale.get_majorticklocs(),
        (text.get_text() for text in scale.get_ticklabels()),
        strict=False,
    )
    found = [(place, " ".join(text.split())) for place, text in found if text.strip()]
    if all(_is_number(text, place) for place, text in found):
        return ""
    return ", ".join(f"{name} {place:g} = {text}" for place, text in found)


def _is_number(text, place):
    """Whether a tick's label is its place, written as a number."""
    try:
        return math.isclose(float(text.replace(",", "").replace("−", "-")), place, abs_tol=1e-12)
    except ValueError:
        return False
