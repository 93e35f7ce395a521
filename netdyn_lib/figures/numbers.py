"""The table of a figure, which a reader can download: what its panels noted when they plotted."""

import base64
import gzip
import math

import numpy as np
import pandas as pd
from scipy import optimize

from ..results import provenance

#: Under which a figure hands its table to a notebook that is executed with ``ASKED`` in its
#: environment.
MIME = "application/vnd.netdyn.numbers"
ASKED = "NETDYN_NUMBERS"
#: Rows of a table, about; of figures that show more, long curves are thinned.
MOST = 12_000
_NUMBERS = ("x", "y", "x_low", "x_high", "y_low", "y_high", "x2", "y2", "value", "every")
_COLUMNS = ("panel", "curve", "series", "kind", *_NUMBERS)


def table(figure):
    """Return what a figure shows, a row for each point, in data coordinates.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        From :func:`netdyn_lib.figures.style.figure`.

    Returns
    -------
    pandas.DataFrame
        ``panel`` counts the panels that show something, from 1, as in ``attrs["panels"]``, their
        descriptions.  ``curve`` counts what a panel shows, from 1, ``series`` is its name.
        ``kind`` is line, points, stairs, level (a horizontal line at ``y``), mark (a vertical one
        at ``x``), span (from ``x`` to ``x2`` or ``y`` to ``y2``), band or segment (from ``y`` to
        ``y2``), bar (from ``y2`` to ``y``, or from ``x2`` to ``x`` where it lies), or image
        (``value`` at the centre of a pixel).  Ends of an interval stand beside its estimate, as
        ``y_low`` and ``y_high`` or ``x_low`` and ``x_high``.  ``every`` is how many points lie
        between a row and the one before it where not all are kept, 1 for the next.  Columns that
        nothing uses are left out.
    """
    panels = [panel for panel in _panels(figure) if panel.noted]
    share = iter(_share([len(one["columns"]["x"]) for panel in panels for one in panel.noted]))
    frames = [pd.DataFrame(columns=list(_COLUMNS))]
    for number, panel in enumerate(panels, 1):
        logarithmic = panel.get_xscale() in ("log", "symlog")
        for count, one in enumerate(panel.noted, 1):
            frame = pd.DataFrame(thinned(one["columns"], next(share), logarithmic))
            said = dict(panel=number, curve=count, series=one["series"], kind=one["kind"])
            frames.append(frame.assign(**said))
    whole = pd.concat(frames[1:] or frames, ignore_index=True).reindex(columns=list(_COLUMNS))
    unused = [n for n in _NUMBERS if n not in ("x", "y") and not whole[n].notna().any()]
    whole = whole.drop(columns=unused)
    if "every" in whole:
        whole = whole.astype({"every": "Int64"})
    whole.attrs = {"panels": [_described(panel) for panel in panels]}
    return whole


def csv(figure):
    """Return :func:`table` as text: lines that begin with ``#`` say what the panels are, then
    comma-separated values to six digits.

    ``pandas.read_csv(path, comment="#")`` opens it.
    """
    found = table(figure)
    whole = [("x", figure.get_supxlabel()), ("y", figure.get_supylabel())]
    common = ", ".join(f"{name} = {text}" for name, text in whole if text)
    head = [f"# all panels: {common}"] if common else []
    head += [f"# panel {number}: {text}" for number, text in enumerate(found.attrs["panels"], 1)]
    head.append(f"# {provenance.in_words(provenance.of_figure(figure))}")
    if "every" in found:
        head.append(
            '# of a curve with numbers in the column "every" not all points are kept: k says that'
            " it is the k-th after the row before"
        )
    found = found.assign(series=found["series"].fillna("").str.replace("#", "no. ", regex=False))
    return "\n".join([*head, found.to_csv(index=False, float_format="%.6g")])


def packed(text):
    """Return text, compressed, in letters that a notebook can hold; the same for the same text.

    >>> unpacked(packed("<svg/>"))
    '<svg/>'
    """
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def unpacked(letters):
    """Undo :func:`packed`."""
    return gzip.decompress(base64.b64decode(letters, validate=True)).decode()


def some_of(x, y):
    """Return the finite points of x and y, of shapes that broadcast, and a name for them.

    Of more than :data:`MOST` as many are drawn at random, always the same; the name says so.
    """
    x, y = np.broadcast_arrays(x, y)
    some = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    name = f"points drawn at random from {some.size:,}" if some.size > MOST else ""
    if name:
        some = np.sort(np.random.default_rng(0).choice(some, MOST, replace=False))
    places = np.unravel_index(some, x.shape)
    return x[places], y[places], name


def thinned(columns, most, logarithmic=False):
    """Return about ``most`` of the rows of a curve, with the distance to the row kept before in a
    column ``every``.

    Every k-th, where k has no factor 2 or 3, so that of an orbit of period 2, 3, 4, 6 … all points
    stay, and the last.  On a ``logarithmic`` axis rows at equal ratios instead, where x grows.
    """
    rows = len(columns["x"])
    k = -(-rows // most)
    if k <= 1:
        return columns
    while math.gcd(k, 6) > 1:
        k += 1
    if logarithmic and (np.diff(columns["x"]) > 0).all():
        keep = np.unique(np.append(0, np.geomspace(1, rows - 1, most).round().astype(int)))
    else:
        keep = np.union1d(np.arange(0, rows, k), rows - 1)
    kept = {name: values[keep] for name, values in columns.items()}
    return kept | {"every": np.diff(keep, prepend=keep[0] - 1)}


def _panels(figure):
    """Panels that can be seen, each before those within it."""
    for axis in figure.axes:
        for one in (axis, *axis.child_axes) if axis.get_visible() else ():
            if hasattr(one, "noted"):
                yield one


def _share(lengths):
    """How many rows each of several curves keeps, so that all together make :data:`MOST`: short
    ones all, longer ones as the root of their length.
    """
    lengths = np.asarray(lengths, dtype=float)
    if lengths.sum() <= MOST:
        return lengths.astype(int)
    kept = lambda factor: np.minimum(lengths, factor * np.sqrt(lengths))
    top = math.sqrt(lengths.max())
    factor = optimize.brentq(lambda factor: kept(factor).sum() - MOST, 0, top, xtol=1e-12)
    return np.clip(np.ceil(kept(factor) - 1e-6), 1, lengths).astype(int)


def _described(panel):
    """Letter and title, what the scales are, and names at ticks; a shared axis has its label from
    the panel that shows it.
    """
    text = " ".join(filter(None, (panel.get_title(loc) for loc in ("left", "center", "right"))))
    labels = [(name, _label(panel, name)) for name in ("x", "y")] + [("value", panel.scale_name)]
    scales = ", ".join(f"{name} = {label}" for name, label in labels if label)
    named = [(axis, one.named.get(axis, {})) for axis in "xy" for one in _sharing(panel, axis)]
    names = [
        ", ".join(f"{x} {at:g} = {name}" for at, name in of.items() if name) for x, of in named
    ]
    scales = "; ".join(filter(None, (scales, *names)))
    return " ".join(": ".join(filter(None, (text, scales))).split())


def _label(panel, name):
    of = lambda one: getattr(one, f"get_{name}label")()
    labels = {of(one) for one in _sharing(panel, name)} - {""}
    return of(panel) or (labels.pop() if len(labels) == 1 else "")


def _sharing(panel, name):
    """The panels that share an axis with one, and itself."""
    return getattr(panel, f"get_shared_{name}_axes")().get_siblings(panel)
