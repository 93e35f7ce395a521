"""The numbers behind a figure: what its axes show, as one table.

They are read off the finished figure, so the table holds what was drawn, curve by curve, and nothing that was not.
Where a picture stands for points (a density of orbits), the function that draws it says for which, by :func:`stands_for`.
"""

import os

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle, StepPatch

from .packing import packed

#: Under which a figure hands its table to a notebook that is executed with ``ASKED`` in its environment.
MIME = "application/vnd.netdyn.numbers"
ASKED = "NETDYN_NUMBERS"
#: Rows of a table.  Of more points every k-th is kept, and the table says so.
MOST = 12_000
_COLUMNS = ("panel", "series", "kind", "part", "x", "y", "y2", "value")


def table(figure):
    """What a figure shows.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    pandas.DataFrame
        A row for each point, in data coordinates.  ``panel`` counts the axes that show something, from 1, as in
        ``attrs["panels"]``, their descriptions; ``series`` is the label of a curve where it has one; ``kind`` is line, points, level
        (a horizontal line at ``y``), mark (a vertical one at ``x``), band (from ``y`` to ``y2``), outline, segment (its
        ends, numbered by ``part``), bar (from ``y2`` to ``y``, or at ``y`` from ``value`` to ``x`` where it lies), stairs, cell, or image
        (``value`` at the centre of a pixel).  Columns that nothing uses are left out.  ``attrs["every"]`` is k where only every k-th
        point is kept, 1 for all.
    """
    panels = [(axis, list(_artists(axis))) for axis in _axes(figure)]
    panels = [(axis, found) for axis, found in panels if found]
    every = max(1, -(-sum(len(rows["x"]) for _, found in panels for rows in found) // MOST))
    frames = []
    for number, (_, found) in enumerate(panels, 1):
        for rows in found:
            few = {name: np.asarray(values)[::every] if np.ndim(values) else values for name, values in rows.items()}
            frames.append(pd.DataFrame(few).assign(panel=number))
    whole = pd.concat(frames, ignore_index=True).reindex(columns=list(_COLUMNS)) if frames else pd.DataFrame(columns=list(_COLUMNS))
    used = [name for name in _COLUMNS if name in ("panel", "series", "kind", "x", "y") or whole[name].notna().any()]
    whole = whole[used]
    whole.attrs = {"panels": [_described(axis) for axis, _ in panels], "every": every}
    return whole


def csv(figure):
    """:func:`table` as text: lines that begin with ``#`` say what the panels are, then comma-separated values to six digits.

    ``pandas.read_csv(path, comment="#")`` opens it.
    """
    found = table(figure)
    common = ", ".join(f"{name} = {text}" for name, text in (("x", figure.get_supxlabel()), ("y", figure.get_supylabel())) if text)
    head = [f"# all panels: {common}"] if common else []
    head += [f"# panel {number}: {text}" for number, text in enumerate(found.attrs["panels"], 1)]
    if found.attrs["every"] > 1:
        head.append(f"# one point in {found.attrs['every']} is kept; the notebook computes all")
    found = found.assign(series=found["series"].fillna("").str.replace("#", "no. ", regex=False))
    return "\n".join([*head, found.to_csv(index=False, float_format="%.6g")])


def hand_on(figure):
    """Let a notebook that shows the figure keep its numbers too, where ``ASKED`` is set; nothing otherwise."""
    if os.environ.get(ASKED):
        figure._repr_mimebundle_ = lambda include=None, exclude=None: {MIME: packed(csv(figure))}


def stands_for(artist, x, y):
    """Say for which points, ``x`` and ``y`` of any shapes that agree, a picture stands.

    Those that are not finite are left out, and of more than :data:`MOST` as many are drawn at random, always the same; the series says so.
    """
    x, y = np.broadcast_arrays(x, y)
    series, some = "", np.arange(x.size)
    if x.size > MOST:
        series = f"{MOST:,} of {x.size:,} points, drawn at random"
        some = np.sort(np.random.default_rng(0).choice(x.size, MOST, replace=False))
    places = np.unravel_index(some, x.shape)
    x, y = x[places], y[places]
    good = np.isfinite(x) & np.isfinite(y)
    artist.netdyn_points = {"series": series, "kind": "points", "x": x[good], "y": y[good]}


def _axes(figure):
    for axis in figure.axes:
        if axis.get_visible() and axis.get_label() != "<colorbar>":
            yield axis
            yield from (child for child in axis.child_axes if hasattr(child, "lines"))


def _described(axis):
    words = [axis.get_title(loc) for loc in ("left", "center", "right")]
    text = " ".join(word for word in words if word)
    scales = [f"{name} = {label}" for name, label in (("x", axis.get_xlabel()), ("y", axis.get_ylabel())) if label]
    return " ".join(": ".join(part for part in (text, ", ".join(scales)) if part).split())


def _artists(axis):
    """Rows of each thing that is drawn: a dict of columns, numbers or arrays of one length."""
    bars = [one for one in axis.containers if isinstance(one, BarContainer)]
    owned = {id(patch) for bar in bars for patch in bar.patches}
    labelled = {id(part): one.get_label() for one in axis.containers for part in _flat(one)}

    def series(artist):
        name = str(artist.get_label() or "")
        name = str(labelled.get(id(artist)) or "") if name.startswith("_") else name
        return "" if name.startswith("_") or name == "None" else name

    for line in axis.lines:
        yield from _of_line(axis, line, series(line))
    for part in axis.collections:
        yield from _of_collection(axis, part, series(part))
    for bar in bars:
        yield from _of_bars(bar, "" if bar.get_label().startswith("_") else bar.get_label())
    for patch in axis.patches:
        if id(patch) in owned or patch.get_transform() is None:
            continue
        if isinstance(patch, StepPatch):
            values, edges, _ = patch.get_data()
            yield {"series": series(patch), "kind": "stairs", "x": edges, "y": np.append(values, values[-1:])}
        elif isinstance(patch, Rectangle) and patch.get_data_transform() == axis.transData:
            yield from _of_bars([patch], series(patch))
    for image in axis.images:
        yield from _of_image(image)


def _flat(container):
    for part in container:
        yield from part if isinstance(part, tuple | list) else [part]


def _of_line(axis, line, series):
    x, y = (np.asarray(values, dtype=float) for values in (line.get_xdata(), line.get_ydata()))
    if not len(x) or line.get_transform() == axis.transAxes:
        return
    if line.get_transform() == axis.get_yaxis_transform(which="grid"):
        yield {"series": series, "kind": "level", "x": [np.nan], "y": y[:1]}
    elif line.get_transform() == axis.get_xaxis_transform(which="grid"):
        yield {"series": series, "kind": "mark", "x": x[:1], "y": [np.nan]}
    else:
        yield {"series": series, "kind": "points" if line.get_linestyle() in ("None", "none", "", " ") else "line", "x": x, "y": y}


def _of_collection(axis, part, series):
    if isinstance(part, PathCollection):
        at = np.ma.filled(np.ma.asarray(part.get_offsets(), dtype=float), np.nan)
        value = part.get_array()
        more = {} if value is None or len(value) != len(at) else {"value": np.asarray(value, dtype=float)}
        if len(at):
            yield {"series": series, "kind": "points", "x": at[:, 0], "y": at[:, 1]} | more
    elif isinstance(part, LineCollection):
        segments = [np.asarray(one, dtype=float) for one in part.get_segments() if len(one)]
        if segments:
            at = np.concatenate(segments)
            part = np.repeat(np.arange(len(segments)), [len(one) for one in segments])
            yield {"series": series, "kind": "segment", "part": part, "x": at[:, 0], "y": at[:, 1]}
    elif isinstance(part, QuadMesh):
        corners = part.get_coordinates()
        middle = (corners[:-1, :-1] + corners[1:, 1:]) / 2
        value = np.ma.filled(np.ma.asarray(part.get_array(), dtype=float), np.nan)
        yield {"series": series, "kind": "cell", "x": middle[..., 0].ravel(), "y": middle[..., 1].ravel(), "value": value.ravel()}
    elif isinstance(part, PolyCollection) and part.get_transform() == axis.transData:
        yield from _of_polygons(part, series)


def _of_polygons(part, series):
    for k, path in enumerate(part.get_paths()):
        at = np.asarray(path.vertices, dtype=float)
        count = (len(at) - 3) // 2  # fill_between: a start, the lower edge, an end, the upper edge backwards, and the start again
        low, high = at[1 : count + 1], at[count + 2 : 2 * count + 2][::-1]
        if count > 0 and len(at) == 2 * count + 3 and np.array_equal(low[:, 0], high[:, 0]):
            yield {"series": series, "kind": "band", "part": k, "x": low[:, 0], "y": low[:, 1], "y2": high[:, 1]}
        else:
            yield {"series": series, "kind": "outline", "part": k, "x": at[:, 0], "y": at[:, 1]}


def _of_bars(bars, series):
    patches = list(bars)
    if not patches:
        return
    at = np.array([[p.get_x(), p.get_y(), p.get_width(), p.get_height()] for p in patches], dtype=float)
    if getattr(bars, "orientation", "vertical") == "horizontal":
        yield {"series": series, "kind": "bar", "x": at[:, 0] + at[:, 2], "y": at[:, 1] + at[:, 3] / 2, "value": at[:, 0]}
    else:
        yield {"series": series, "kind": "bar", "x": at[:, 0] + at[:, 2] / 2, "y": at[:, 1] + at[:, 3], "y2": at[:, 1]}


def _of_image(image):
    if hasattr(image, "netdyn_points"):
        yield image.netdyn_points
        return
    values = np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)
    if values.ndim == 3:  # colours: one number says how dark
        values = 1 - values[..., :3].mean(-1) / (255 if values.max() > 1 else 1)
    rows, columns = values.shape
    left, right, bottom, top = image.get_extent()
    first, last = (top, bottom) if image.origin == "upper" else (bottom, top)
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = first + (np.arange(rows) + 0.5) * (last - first) / rows
    yield {"series": "", "kind": "image", "x": np.tile(x, rows), "y": np.repeat(y, columns), "value": values.ravel()}
