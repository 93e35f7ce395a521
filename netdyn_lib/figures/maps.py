"""Figures of one-dimensional maps."""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator

from . import numbers, style
from .style import MUTED, PALETTE

RIGHT, LEFT = PALETTE[0], PALETTE[1]  # orbits that start at w > 0 and at w < 0
RATE, WEIGHT = r"learning rate $\eta$", r"weight $w$"
_BINS = 480


def bifurcation(diagram, marks, height=3.6):
    """Plot a bifurcation diagram, orbits from w₀ > 0 and w₀ < 0 in two colours.

    Parameters
    ----------
    diagram : netdyn_lib.maps.one_dimensional.Diagram
    marks : dict of str to float
        Learning rates to mark, each with its label.
    """
    with style.figure(height=height) as (fig, ((axis,),)):
        _orbits(axis, diagram)
        _mark(axis, marks)
        axis.set(xlabel=RATE, ylabel=WEIGHT)
        for colour, name in ((RIGHT, r"$w_0>0$"), (LEFT, r"$w_0<0$")):
            axis.plot([], [], "s", color=colour, ms=5, label=name)
        axis.legend(loc="lower left")
    return fig


def exponent(diagram, exponents, marks, known):
    """Plot a bifurcation diagram above, the Lyapunov exponent below, on one axis of rates.

    ``known`` is a point (η, λ) that theory gives.  Learning rates below 0.4 and exponents below
    -1.6 are cut off.
    """
    p, value = exponents.parameters, exponents.value
    options = dict(height=2.3, sharex=True, height_ratios=(1, 1.15))
    with style.figure(2, 1, **options) as (fig, ((top,), (bottom,))):
        _orbits(top, diagram)
        top.set(ylabel=WEIGHT, xlim=(0.4, p[-1]))
        bottom.level(0, color="black")
        shown = np.where(np.isnan(value), np.nan, np.maximum(value, -2.6))
        bottom.line(p, shown, "_exponent", color=MUTED, lw=0.5)
        bottom.band(p, 0, shown, "_positive", shown > 0, color=PALETTE[1], alpha=0.8)
        bottom.band(p, 0, shown, "_negative", shown < 0, color=PALETTE[0], alpha=0.35)
        name = rf"$\ln 3$ at $\eta$ = {known[0]:g}"
        bottom.point(*known, f"_{name}", color="black", ms=4, clip_on=False, zorder=5)
        where = dict(textcoords="offset points", ha="right", va="center")
        bottom.annotate(rf"$\ln 3$ at $\eta={known[0]:.0f}$", known, (-6, 4), **where)
        bottom.set(xlabel=RATE, ylabel=r"exponent $\lambda$ per step", ylim=(-1.6, 1.3))
        _mark(top, marks)
        _mark(bottom, marks, size=None)
        fig.align_ylabels()
    return fig


def cobwebs(map, rates, early, late, columns=3):
    """Plot cobwebs at several learning rates.

    Parameters
    ----------
    map : netdyn_lib.maps.one_dimensional.Map
        Plotted as a curve.
    rates : sequence of float
    early, late : sequences of arrays, shape (points, 2)
        For each rate the first steps of an orbit, and what it settles to.
    """
    rows = -(-len(rates) // columns)
    w, limits = np.linspace(-1.75, 1.75, 400), (-1.75, 1.75)
    with style.figure(rows, columns, height=2.5, sharex=True, sharey=True) as (fig, axes):
        for axis, rate, first, last in zip(axes.flat, rates, early, late):
            axis.line(w, w, "_diagonal", color=MUTED, lw=0.7)
            axis.line(w, map.f(w, rate), "_map", color="black", lw=1.1)
            axis.line(*first.T, "_first iterates", color=PALETTE[5], lw=0.7)
            axis.line(*last.T, "_last iterates", color=PALETTE[1], lw=0.9)
            axis.point(*first[0], "_start", color=PALETTE[0], ms=3.5, zorder=5)
            axis.point(*last[-1], "_end", color=PALETTE[1], ms=2.5, zorder=5)
            ticks = (-1, 0, 1)
            axis.set(xlim=limits, ylim=limits, xticks=ticks, yticks=ticks, aspect="equal")
            axis.set_title(rf"$\eta = {rate:g}$")
        for axis in axes.flat[len(rates) :]:
            axis.set_visible(False)
        fig.supxlabel(r"weight $w_t$", fontsize="medium")
        fig.supylabel(r"next weight $w_{t+1}$", fontsize="medium")
    return fig


def cascade(rows, limit, ratios):
    """Plot how a period-doubling cascade converges.

    Parameters
    ----------
    rows : dict of str to array
        Points of the cascade by kind, such as superstable and doubling.
    limit : float
        Their accumulation point.
    ratios : dict of str to netdyn_lib.maps.cascades.Limit
        Estimates of Feigenbaum's ratio by kind.
    """
    with style.figure(1, 2, height=2.9) as (fig, ((left, right),)):
        inset = right.inset_axes((0.42, 0.14, 0.55, 0.4), axes_class=type(right))
        for k, ((kind, points), marker) in enumerate(zip(rows.items(), "os")):
            looks, found = dict(color=PALETTE[k], marker=marker), ratios[kind]
            left.line(np.arange(len(points)), limit - points, kind, ms=4, **looks)
            values, errors = found.estimates, found.errors
            level, ends = 2 + np.arange(len(values)), zip(values, values - errors, values + errors)
            right.estimates(level, ends, kind, ms=4, **looks)
            inset.line(level, errors, f"_{kind}", ms=3, lw=0.9, **looks)
        best = min(ratios.values(), key=lambda found: found.error)
        right.level(best.value, "_best estimate", zorder=0)
        xlabel = r"level $k$ of the cascade"
        left.set(xlabel=xlabel, ylabel=r"distance $\eta_\infty-\eta_k$", yscale="log")
        right.set(xlabel=xlabel, ylabel=r"ratio $\delta_k$", ylim=(4.3, 4.8))
        for axis in (left, right):
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        left.legend()
        inset.set_yscale("log")
        inset.set_title(r"error of $\delta_k$", fontsize="small")
        inset.tick_params(labelsize="x-small")
    return fig


def window_widths(windows, low, high):
    """Plot the width of every periodic window against its place; the ten widest carry their
    period.
    """
    kinds = {1: (PALETTE[0], "two mirror-image cycles"), -1: (PALETTE[1], "one symmetric cycle")}
    with style.figure(height=3.0) as (fig, ((axis,),)):
        floor = windows.width.min() / 2
        for sign, (colour, name) in kinds.items():
            place, width = (v[windows.sign == sign] for v in (windows.superstable, windows.width))
            axis.stems(place, floor, width, f"_{name}", color=colour, lw=0.7, alpha=0.6)
            axis.points(place, width, name, color=colour, ms=2.8)
        where = dict(textcoords="offset points", ha="center", fontsize="small")
        for k in np.flatnonzero(windows.outermost)[:10]:
            at = (windows.superstable[k], windows.width[k])
            axis.annotate(str(windows.full_period[k]), at, (0, 4), **where)
        axis.set(yscale="log", xlim=(low, high), ylim=(floor, windows.width.max() * 3))
        axis.set(xlabel=RATE, ylabel=r"width of window in $\eta$")
        axis.legend(loc="upper right", ncols=2, bbox_to_anchor=(1, 1.08))
    return fig


def window_zoom(diagrams, marks):
    """Plot periodic windows, magnified: one column each, the orbits of ±c in two colours.

    Parameters
    ----------
    diagrams : sequence of netdyn_lib.maps.one_dimensional.Diagram
        Orbits of two critical points, at w > 0 and at w < 0.
    marks : sequence of dicts
        Learning rates to mark in each.
    """
    with style.figure(1, len(diagrams), height=2.7, sharey=True) as (fig, axes):
        for axis, diagram, here in zip(axes.flat, diagrams, marks, strict=True):
            _orbits(axis, diagram)
            _mark(axis, here, size="x-small")
            axis.xaxis.set_major_locator(MaxNLocator(4))
        style.frame(axes, (), [WEIGHT], RATE)
    return fig


def self_affine(diagrams, ends, boxes, titles):
    """Plot the diagram of one attractor beside small copies of it from periodic windows.

    Parameters
    ----------
    diagrams : sequence of netdyn_lib.maps.one_dimensional.Diagram
    ends : sequence of (float, float)
        For each the superstable and the closing learning rate, which are the
        left and the right edge of its panel.
    boxes : sequence of (float, float)
        For each the range of w; upside down where it decreases.
    titles : sequence of str
    """
    panels = zip(diagrams, ends, boxes, titles, strict=True)
    with style.figure(1, len(diagrams), height=2.8) as (fig, axes):
        for axis, (diagram, limits, box, title) in zip(axes.flat, panels):
            room = 0.04 * (box[1] - box[0])
            box = (box[0] - room, box[1] + room)
            _orbits(axis, diagram, (min(box), max(box)))
            axis.set(xlim=limits, ylim=box, xlabel=RATE, title=title)
            axis.xaxis.set_major_locator(MaxNLocator(3))
            axis.yaxis.set_major_locator(MaxNLocator(4))
        axes[0, 0].set_ylabel(WEIGHT)
    return fig


def _orbits(axis, diagram, box=None):
    """Draw densities of the orbits, column by column, as one image; each sign of w₀ takes its
    colour's ink.  Points of the orbits are noted.
    """
    p, states = diagram.parameters, diagram.states
    if box is None:
        span = np.nanmax(abs(states)) * 1.04
        box = (-span, span)
    ink = np.zeros((len(p), _BINS, 3))
    for sign, colour in ((1, RIGHT), (-1, LEFT)):
        dense = _density(states, np.sign(diagram.initial) == sign, box)
        ink += dense[:, :, None] * (1 - np.array(to_rgb(colour)))
    image = np.clip(1 - ink, 0, 1).transpose(1, 0, 2)
    half = (p[1] - p[0]) / 2
    extent = (p[0] - half, p[-1] + half, *box)
    looks = dict(aspect="auto", interpolation="antialiased", zorder=0)
    axis.imshow(image, origin="lower", extent=extent, **looks)
    seen = np.where((states >= box[0]) & (states <= box[1]), states, np.nan)
    x, y, name = numbers.some_of(p[None, :, None], seen)
    axis.note("points", name, x=x, y=y)


def _density(states, chosen, box):
    """Ink from 0 to 1, shape (P, bins): a power of the share of visits, so that sparse bins still
    show.
    """
    columns = states.shape[1]
    place = np.floor((states - box[0]) / (box[1] - box[0]) * _BINS)
    use = np.isfinite(place) & (place >= 0) & (place < _BINS) & chosen
    column = np.broadcast_to(np.arange(columns)[None, :, None], states.shape)[use]
    cells = column * _BINS + place[use].astype(int)
    visits = np.bincount(cells, minlength=columns * _BINS).reshape(columns, _BINS)
    share = visits / np.maximum(1, visits.sum(axis=1, keepdims=True))
    ink = np.minimum(1, (20 * share) ** 0.5)
    line = np.where(ink > 0.9, ink, 0)  # a cycle fills one bin: draw it three bins wide
    ink[:, 1:] = np.maximum(ink[:, 1:], 0.8 * line[:, :-1])
    ink[:, :-1] = np.maximum(ink[:, :-1], 0.8 * line[:, 1:])
    return ink


def _mark(axis, marks, size="small"):
    for label, place in marks.items():
        axis.mark(place, f"_{label}", lw=0.7, zorder=3)
        if size:
            style.above(axis, place, label, fontsize=size)
