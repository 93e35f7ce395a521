"""Axes that note what they plot, as it is given."""

import numpy as np
from matplotlib.axes import Axes

MUTED = "#8c8c8c"
DASHES = (0, (4, 3))


class Panel(Axes):
    """Axes with a method for each kind of mark, which plots it and notes its numbers.

    ``noted`` lists dicts with ``kind``, ``series`` (the label, without the underscore that hides it
    from legends) and columns of one length, see :func:`netdyn_lib.figures.numbers.table`.
    Further keywords of a method go to matplotlib, by their short names (``lw``, ``ms``).
    """

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.noted, self.named, self.scale_name = [], {}, ""

    def note(self, kind, label, **columns):
        """Note numbers without plotting them, such as the points that a picture stands for."""
        columns = {
            name: np.ma.filled(np.ma.asarray(values, dtype=float), np.nan).flatten()
            for name, values in columns.items()
        }
        if len(columns["x"]):
            series = (label or "").removeprefix("_")
            self.noted.append(dict(kind=kind, series=series, columns=columns))

    def line(self, x, y, label=None, kind="line", lift=1.0, **looks):
        """Plot y (T,), or each column of y (T, k), against x (T,), at y · ``lift``; y is noted."""
        x, y = np.asarray(x), np.asarray(y)
        for column in np.atleast_2d(y.T):
            self.note(kind, label, x=x, y=column)
        return self.plot(x, y * lift, label=label, **looks)

    def points(self, x, y, label=None, **looks):
        """Plot markers that no line joins."""
        return self.line(x, y, label, "points", **{"marker": "o"} | looks | {"ls": ""})

    def point(self, x, y, label=None, **looks):
        """Plot one marker."""
        return self.points(np.array([x]), np.array([y]), label, **looks)

    def band(self, x, low, high, label=None, where=True, by=1.0, **looks):
        """Shade between ``low`` and ``high``, numbers or (T,), at x · ``by``; x (T,) is noted."""
        x, low, high = (np.array(a, dtype=float) for a in np.broadcast_arrays(x, low, high))
        where = np.broadcast_to(where, x.shape)
        keep = where & np.isfinite(low) & np.isfinite(high)
        self.note("band", label, x=x[keep], y=low[keep], y2=high[keep])
        looks = {"alpha": 0.15, "lw": 0} | looks
        return self.fill_between(x * by, low, high, where=where, label=label, **looks)

    def ranged(self, x, values, label=None, alpha=0.15, **looks):
        """Plot a line with a band in its colour; ``values`` are middle, low and high, (T,) each."""
        middle, low, high = values
        self.line(x, middle, label, **looks)
        self.band(x, low, high, f"_{label}" if label else None, color=looks["color"], alpha=alpha)

    def estimates(self, x, intervals, label=None, by=1.0, shift=0.0, **looks):
        """Plot Intervals with their bars at x · ``by`` + ``shift``, beside others; x is noted.

        NaN is left out, as is a bar without ends.
        """
        middle, low, high = np.array([tuple(i) for i in intervals], dtype=float).reshape(-1, 3).T
        x = np.asarray(x, dtype=float)
        kind = "line" if looks.get("ls", "-") else "points"
        self.note(kind, label, x=x, y=middle, y_low=low, y_high=high)
        errors = np.maximum([middle - low, high - middle], 0)  # keeps NaN
        looks = {"capsize": 2} | looks
        return self.errorbar(x * by + shift, middle, errors, label=label, **looks)

    def lying_estimates(self, intervals, y, label=None, **looks):
        """Plot Intervals with lying bars at heights y (k,)."""
        middle, low, high = np.array([tuple(i) for i in intervals], dtype=float).reshape(-1, 3).T
        self.note("points", label, x=middle, y=y, x_low=low, x_high=high)
        looks = {"lw": 1.2, "color": "black"} | looks
        for height, left, right in zip(y, low, high):
            self.plot((left, right), (height, height), color=looks["color"], lw=looks["lw"])
        return self.plot(middle, y, label=label, **{"marker": "o"} | looks | {"ls": ""})

    def level(self, y, label=None, **looks):
        """Draw a horizontal line across the panel."""
        self.note("level", label, x=[np.nan], y=[y])
        return self.axhline(y, label=label, **{"color": MUTED, "lw": 0.8} | looks)

    def mark(self, x, label=None, **looks):
        """Draw a vertical line across the panel, dashed by default."""
        self.note("mark", label, x=[x], y=[np.nan])
        return self.axvline(x, label=label, **{"color": "black", "lw": 0.8, "ls": DASHES} | looks)

    def span(self, low, high, label=None, **looks):
        """Shade from x = ``low`` to ``high``, over the whole height."""
        self.note("span", label, x=[low], y=[np.nan], x2=[high])
        return self.axvspan(low, high, label=label, **{"lw": 0} | looks)

    def lying_span(self, low, high, label=None, **looks):
        """Shade from y = ``low`` to ``high``, over the whole width."""
        self.note("span", label, x=[np.nan], y=[low], y2=[high])
        return self.axhspan(low, high, label=label, **{"lw": 0} | looks)

    def bars(self, x, heights, label=None, base=0.0, **looks):
        """Draw upright bars from ``base``, centred at x."""
        x, heights, base = np.broadcast_arrays(x, heights, base)
        self.note("bar", label, x=x, y=base + heights, y2=base)
        return self.bar(x, heights, bottom=base, label=label, **looks)

    def lying_bar(self, y, width, label=None, left=0.0, **looks):
        """Draw one lying bar from ``left``, at the height y."""
        self.note("bar", label, x=[left + width], y=[y], x2=[left])
        return self.barh(y, width, left=left, label=label, **looks)

    def histogram(self, values, edges, label=None, base=0.0, **looks):
        """Draw how many of ``values`` lie between each two edges, as bars; the counts."""
        counts = np.histogram(values, edges)[0]
        middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
        self.bars(middle, counts, label, base, **{"width": width} | looks)
        return counts

    def steps(self, values, edges, label=None, **looks):
        """Draw the outline of a histogram, values (k,) between edges (k + 1,)."""
        self.note("stairs", label, x=edges, y=np.append(values, values[-1:]))
        return self.stairs(values, edges, label=label, **looks)

    def stems(self, x, low, high, label=None, **looks):
        """Draw vertical lines at x (k,) from ``low`` to ``high``, numbers or (k,)."""
        x, low, high = np.broadcast_arrays(x, low, high)
        self.note("segment", label, x=x, y=low, y2=high)
        return self.vlines(x, low, high, label=label, **looks)

    def image(self, values, label=None, scale_name="", **looks):
        """Draw values (rows, columns) as colours; ``scale_name`` says what they are."""
        rows, columns = np.shape(values)
        ends = (-0.5, rows - 0.5) if looks.get("origin") == "lower" else (rows - 0.5, -0.5)
        left, right, bottom, top = looks.get("extent", (-0.5, columns - 0.5, *ends))
        first, last = (bottom, top) if looks.get("origin") == "lower" else (top, bottom)
        x = left + (np.arange(columns) + 0.5) * (right - left) / columns
        y = first + (np.arange(rows) + 0.5) * (last - first) / rows
        self.note("image", label, x=np.tile(x, rows), y=np.repeat(y, columns), value=values)
        self.scale_name = scale_name
        return self.imshow(values, label=label, **looks)

    def names(self, which, places, names, **looks):
        """Write ``names`` at ``places`` of the ``which`` axis, "x" or "y"."""
        self.named[which] = dict(zip(places, (" ".join(str(name).split()) for name in names)))
        getattr(self, f"set_{which}ticks")(places, names, **looks)

    def twin(self):
        """Return a panel upon this one with a y axis of its own, on the right."""
        other = self.figure.add_subplot(self.get_subplotspec(), sharex=self, axes_class=Panel)
        other.yaxis.tick_right()
        other.yaxis.set_label_position("right")
        other.xaxis.set_visible(False)
        other.patch.set_visible(False)
        return other
