"""What an axis shows, thing by thing, in its own coordinates."""

from dataclasses import dataclass

import numpy as np
from matplotlib.collections import LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.lines import AxLine
from matplotlib.patches import Polygon, Rectangle, StepPatch

from .naming import own_name


def moved(artist, by=1.0, shift=0.0, lift=1.0):
    """Say that ``artist`` is drawn beside its place, so that it hides no other: at x · ``by`` +
    ``shift`` and y · ``lift``; the artist.

    The table behind its figure has x and y.
    """
    artist.netdyn_moved = by, shift, lift
    return artist


def _in_place(thing, artist):
    by, shift, lift = getattr(artist, "netdyn_moved", (1.0, 0.0, 1.0))
    for name in thing.columns:
        if name.startswith("x"):
            thing.columns[name] = (thing.columns[name] - shift) / by
        elif name.startswith("y"):
            thing.columns[name] = thing.columns[name] / lift
    return thing


@dataclass
class Thing:
    """One curve, cloud, band, set of bars or picture.

    ``artist`` is what it looks like, ``name`` what it calls itself, ``kind`` as in
    :func:`netdyn_lib.figures.numbers.table`, and ``columns`` its values by their columns' names,
    arrays of one length.
    """

    artist: object
    name: str
    kind: str
    columns: dict

    def __len__(self):
        return len(self.columns["x"])


def things(axis):
    """Yield the :class:`Thing` of all that an axis shows; what is hidden, or stands where no data
    do, is left out.
    """
    whole = [one for one in axis.containers if isinstance(one, BarContainer | ErrorbarContainer)]
    owned = {id(part) for one in whole for part in _flat(one) if part is not None}
    names = {
        id(part): _named(one, part)
        for one in axis.containers
        for part in _flat(one)
        if part is not None
    }
    for one in whole:
        found = _bars(one, one) if isinstance(one, BarContainer) else _estimates(one)
        yield from (_in_place(thing, one) for thing in found if thing.artist.get_visible())
    for readers, artists in (
        (_line, axis.lines),
        (_collection, axis.collections),
        (_patch, axis.patches),
        (_image, axis.images),
    ):
        for artist in artists:
            if artist.get_visible() and id(artist) not in owned:
                for thing in readers(axis, artist):
                    thing.name = thing.name or own_name(artist) or names.get(id(artist), "")
                    yield _in_place(thing, artist)


def axes(figure):
    """The axes of a figure that are shown, with those within them, without those of colour scales."""
    for axis in figure.axes:
        if axis.get_visible() and axis.get_label() != "<colorbar>":
            yield axis
            yield from (
                child
                for child in axis.child_axes
                if hasattr(child, "lines") and child.get_visible()
            )


def _flat(container):
    for part in container:
        yield from part if isinstance(part, tuple | list) else [part]


def _named(container, part):
    return own_name(part) or own_name(container)


def _numbers(values):
    return np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)


def _places(transform, axis):
    """Whether x and y are those of the data."""
    return transform.contains_branch_seperately(axis.transData)


def _line(axis, line):
    if isinstance(line, AxLine):
        yield _straight(axis, line)
        return
    x, y = _numbers(line.get_xdata()), _numbers(line.get_ydata())
    dots = line.get_linestyle() in ("None", "none", "", " ")
    if not len(x) or (dots and line.get_marker() in ("None", "none", "", " ", None)):
        return
    match _places(line.get_transform(), axis):
        case (True, True):
            kind = (
                "points"
                if dots
                else "stairs"
                if line.get_drawstyle().startswith("steps")
                else "line"
            )
            yield Thing(line, "", kind, {"x": x, "y": y})
        case (False, True):
            yield Thing(line, "", "level", _blank(y=np.unique(y)))
        case (True, False):
            yield Thing(line, "", "mark", _blank(x=np.unique(x)))


def _blank(x=None, y=None):
    known = x if x is not None else y
    empty = np.full(len(known), np.nan)
    return {"x": empty if x is None else x, "y": empty if y is None else y}


def _straight(axis, line):
    """A line without ends: where it crosses the sides of its axis."""
    (x, y), slope = line.get_xy1(), line.get_slope()
    if slope is None:
        (right, top) = line.get_xy2()
        slope = np.inf if right == x else (top - y) / (right - x)
    ends = np.array(axis.get_xlim())
    if np.isinf(slope):
        return Thing(line, "", "mark", _blank(x=np.array([x])))
    return Thing(line, "", "line", {"x": ends, "y": y + slope * (ends - x)})


def _estimates(container):
    """Points with the ends of their intervals; the caps that matplotlib draws at the ends are no
    data.
    """
    data, _, bars = container.lines
    ends = {}
    for bar, across in zip(
        bars, [False] * container.has_xerr + [True] * container.has_yerr, strict=True
    ):
        low, high = ("y_low", "y_high") if across else ("x_low", "x_high")
        # Not get_segments, which leaves out an end that is not finite, and with it the other.
        pairs = [
            _numbers(path.vertices)[:, int(across)] if len(path.vertices) == 2 else (np.nan, np.nan)
            for path in bar.get_paths()
        ]
        ends[low], ends[high] = np.array(pairs, dtype=float).reshape(-1, 2).T
    artist = bars[0] if data is None else data
    name = own_name(container) or own_name(artist)
    if data is None:
        middle = np.full(len(next(iter(ends.values()))), np.nan)
        at = {"x": middle, "y": middle}
    else:
        at = {"x": _numbers(data.get_xdata()), "y": _numbers(data.get_ydata())}
    dots = data is None or data.get_linestyle() in ("None", "none", "", " ")
    yield Thing(artist, name, "points" if dots else "line", at | ends)


def _collection(axis, part):
    if isinstance(part, PathCollection):
        at, value = _numbers(part.get_offsets()), part.get_array()
        if len(at) and all(_places(part.get_offset_transform(), axis)):
            more = {} if value is None or len(value) != len(at) else {"value": _numbers(value)}
            yield Thing(part, "", "points", {"x": at[:, 0], "y": at[:, 1]} | more)
    elif isinstance(part, LineCollection):
        segments = [np.asarray(one, dtype=float) for one in part.get_segments()]
        full = [k for k, one in enumerate(segments) if len(one)]
        if full and all(_places(part.get_transform(), axis)):
            at = np.concatenate([segments[k] for k in full])
            where = np.repeat(full, [len(segments[k]) for k in full])
            value = part.get_array()
            more = {} if value is None else {"value": _numbers(value)[where]}
            yield Thing(part, "", "segment", {"part": where, "x": at[:, 0], "y": at[:, 1]} | more)
    elif isinstance(part, QuadMesh):
        corners = part.get_coordinates()
        middle = (corners[:-1, :-1] + corners[1:, 1:]) / 2
        x, y = middle[..., 0].ravel(), middle[..., 1].ravel()
        yield Thing(part, "", "cell", {"x": x, "y": y, "value": _numbers(part.get_array()).ravel()})
    elif isinstance(part, PolyCollection) and all(_places(part.get_transform(), axis)):
        yield from _polygons(part)


def _polygons(part):
    """Bands with both their edges where a collection is what ``fill_between`` makes, outlines else."""
    bands, outlines = [], []
    for k, path in enumerate(part.get_paths()):
        at = np.asarray(path.vertices, dtype=float)
        # fill_between: a start, the lower edge, an end, the upper edge backwards, and the start
        # again
        count = (len(at) - 3) // 2
        low, high = at[1 : count + 1], at[count + 2 : 2 * count + 2][::-1]
        if count > 0 and len(at) == 2 * count + 3 and np.array_equal(low[:, 0], high[:, 0]):
            bands.append(
                {"part": np.full(count, k), "x": low[:, 0], "y": low[:, 1], "y2": high[:, 1]}
            )
        else:
            outlines.append({"part": np.full(len(at), k), "x": at[:, 0], "y": at[:, 1]})
    for kind, found in (("band", bands), ("outline", outlines)):
        if found:
            yield Thing(
                part,
                "",
                kind,
                {name: np.concatenate([one[name] for one in found]) for name in found[0]},
            )


def _patch(axis, patch):
    if isinstance(patch, StepPatch):
        values, edges, _ = patch.get_data()
        yield Thing(patch, "", "stairs", {"x": edges, "y": np.append(values, values[-1:])})
    elif isinstance(patch, Rectangle):
        yield from _rectangle(axis, patch)
    elif isinstance(patch, Polygon) and all(_places(patch.get_transform(), axis)):
        at = _numbers(patch.get_xy())
        yield Thing(patch, "", "outline", {"x": at[:, 0], "y": at[:, 1]})


def _rectangle(axis, patch):
    x, y, right, top = (
        patch.get_x(),
        patch.get_y(),
        patch.get_x() + patch.get_width(),
        patch.get_y() + patch.get_height(),
    )
    empty = np.array([np.nan])
    match _places(patch.get_data_transform(), axis):
        case (True, True):
            yield from _bars([patch], patch)
        case (True, False):
            yield Thing(
                patch, "", "span", {"x": np.array([x]), "y": empty, "x2": np.array([right])}
            )
        case (False, True):
            yield Thing(patch, "", "span", {"x": empty, "y": np.array([y]), "y2": np.array([top])})


def _bars(bars, named):
    patches = [patch for patch in bars if patch.get_visible()]
    if not patches:
        return
    at = np.array(
        [[p.get_x(), p.get_y(), p.get_width(), p.get_height()] for p in patches], dtype=float
    )
    if getattr(bars, "orientation", "vertical") == "horizontal":
        columns = {"x": at[:, 0] + at[:, 2], "y": at[:, 1] + at[:, 3] / 2, "x2": at[:, 0]}
    else:
        columns = {"x": at[:, 0] + at[:, 2] / 2, "y": at[:, 1] + at[:, 3], "y2": at[:, 1]}
    # that of a histogram stands on one of its bars
    names = {name for patch in patches if (name := own_name(patch))}
    yield Thing(
        patches[0], own_name(named) or (names.pop() if len(names) == 1 else ""), "bar", columns
    )


def _image(axis, image):
    if hasattr(image, "netdyn_points"):
        name, columns = image.netdyn_points
        yield Thing(image, name, "points", columns)
        return
    values = _numbers(image.get_array())
    if values.ndim == 3:  # colours: one number says how dark
        values = 1 - values[..., :3].mean(-1) / (255 if values.max() > 1 else 1)
    rows, columns = values.shape
    left, right, bottom, top = image.get_extent()
    first, last = (top, bottom) if image.origin == "upper" else (bottom, top)
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = first + (np.arange(rows) + 0.5) * (last - first) / rows
    yield Thing(
        image,
        "",
        "image",
        {"x": np.tile(x, rows), "y": np.repeat(y, columns), "value": values.ravel()},
    )
