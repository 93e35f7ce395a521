"""Figures of one-dimensional maps: arrays in, Figure out."""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator

from . import numbers, style

RIGHT, LEFT = style.PALETTE[0], style.PALETTE[1]  # orbits that start at w > 0 and at w < 0
_BINS = 480


def bifurcation(diagram, marks, height=3.6):
    """Bifurcation diagram, orbits from w₀ > 0 and w₀ < 0 in two colours.

    Parameters
    ----------
    diagram : netdyn_lib.maps.one_dimensional.Diagram
    marks : dict of str to float
        Learning rates to mark, each with its label.
    """
    with style.figure(height=height) as (fig, ((axis,),)):
        _draw(axis, diagram)
        _mark(axis, marks)
        axis.set(xlabel=r"learning rate $\eta$", ylabel=r"weight $w$")
        _colour_key(axis, "lower left")
    return fig


def exponent(diagram, exponents, marks, known, start=0.4, low=-1.6, height=2.3):
    """Bifurcation diagram above, Lyapunov exponent below, on one axis of learning rates.

    ``known`` is a point (η, λ) that theory gives.  Learning rates below ``start``
    and exponents below ``low`` are cut off.
    """
    p, value = exponents.parameters, exponents.value
    with style.figure(2, 1, height=height, sharex=True, height_ratios=(1, 1.15)) as (
        fig,
        ((top,), (bottom,)),
    ):
        _draw(top, diagram)
        top.set(ylabel=r"weight $w$", xlim=(start, p[-1]))
        bottom.axhline(0, color="black", linewidth=0.8)
        shown = np.where(np.isnan(value), np.nan, np.maximum(value, low - 1))
        bottom.plot(p, shown, color=style.MUTED, linewidth=0.5, label="_exponent")
        bottom.fill_between(
            p,
            0,
            shown,
            where=shown > 0,
            color=style.PALETTE[1],
            alpha=0.8,
            linewidth=0,
            label="_positive",
        )
        bottom.fill_between(
            p,
            0,
            shown,
            where=shown < 0,
            color=style.PALETTE[0],
            alpha=0.35,
            linewidth=0,
            label="_negative",
        )
        bottom.plot(
            *known,
            "o",
            color="black",
            markersize=4,
            clip_on=False,
            zorder=5,
            label=rf"_$\ln 3$ at $\eta$ = {known[0]:g}",
        )
        bottom.annotate(
            rf"$\ln 3$ at $\eta={known[0]:.0f}$",
            known,
            (-6, 4),
            textcoords="offset points",
            ha="right",
            va="center",
        )
        bottom.set(
            xlabel=r"learning rate $\eta$", ylabel=r"exponent $\lambda$ per step", ylim=(low, 1.3)
        )
        _mark(top, marks)
        _mark(bottom, marks, labels=False)
        style.letter((top, bottom))
        fig.align_ylabels()
    return fig


def cobwebs(map, rates, early, late, columns=3):
    """Cobwebs at several learning rates.

    Parameters
    ----------
    map : netdyn_lib.maps.one_dimensional.Map
        Drawn as a curve.
    rates : sequence of float
    early, late : sequences of arrays, shape (points, 2)
        For each rate the first steps of an orbit, and what it settles to.
    """
    rows = -(-len(rates) // columns)
    w = np.linspace(-1.75, 1.75, 400)
    with style.figure(rows, columns, height=2.5, sharex=True, sharey=True) as (fig, axes):
        for axis, rate, first, last in zip(axes.flat, rates, early, late, strict=False):
            axis.plot(w, w, color=style.MUTED, linewidth=0.7, label="_diagonal")
            axis.plot(w, map.f(w, rate), color="black", linewidth=1.1, label="_map")
            axis.plot(*first.T, color=style.PALETTE[5], linewidth=0.7, label="_first iterates")
            axis.plot(*last.T, color=style.PALETTE[1], linewidth=0.9, label="_last iterates")
            axis.plot(
                *first[0], "o", color=style.PALETTE[0], markersize=3.5, zorder=5, label="_start"
            )
            axis.plot(
                *last[-1], "o", color=style.PALETTE[1], markersize=2.5, zorder=5, label="_end"
            )
            axis.set(
                xlim=(-1.75, 1.75),
                ylim=(-1.75, 1.75),
                xticks=(-1, 0, 1),
                yticks=(-1, 0, 1),
                aspect="equal",
            )
            axis.set_title(rf"$\eta = {rate:g}$")
        for axis in axes.flat[len(rates) :]:
            axis.set_visible(False)
        fig.supxlabel(r"weight $w_t$", fontsize="medium")
        fig.supylabel(r"next weight $w_{t+1}$", fontsize="medium")
    return fig


def cascade(rows, limit, ratios):
    """How a period-doubling cascade converges.

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
        for (kind, points), marker in zip(rows.items(), "os", strict=False):
            left.semilogy(limit - points, marker + "-", markersize=4, label=kind)
            found = ratios[kind]
            level = 2 + np.arange(len(found.estimates))
            right.errorbar(
                level,
                found.estimates,
                found.errors,
                fmt=marker + "-",
                markersize=4,
                capsize=2,
                label=kind,
            )
        best = min(ratios.values(), key=lambda found: found.error)
        right.axhline(
            best.value, color=style.MUTED, linewidth=0.8, zorder=0, label="_best estimate"
        )
        left.set(xlabel=r"level $k$ of the cascade", ylabel=r"distance $\eta_\infty-\eta_k$")
        right.set(xlabel=r"level $k$ of the cascade", ylabel=r"ratio $\delta_k$", ylim=(4.3, 4.8))
        for axis in (left, right):
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        left.legend()
        inset = right.inset_axes((0.42, 0.14, 0.55, 0.4))
        for (kind, found), marker in zip(ratios.items(), "os", strict=False):
            inset.semilogy(
                2 + np.arange(len(found.errors)),
                found.errors,
                marker + "-",
                markersize=3,
                linewidth=0.9,
                label=f"_{kind}",
            )
        inset.set_title(r"error of $\delta_k$", fontsize="small")
        inset.tick_params(labelsize="x-small")
        style.letter((left, right))
    return fig


def window_widths(windows, low, high, labelled=10):
    """Width of every periodic window against its place; the widest carry their period."""
    with style.figure(height=3.0) as (fig, ((axis,),)):
        floor = windows.width.min() / 2
        for sign, colour, name in (
            (1, style.PALETTE[0], "two mirror-image cycles"),
            (-1, style.PALETTE[1], "one symmetric cycle"),
        ):
            mine = windows.sign == sign
            axis.vlines(
                windows.superstable[mine],
                floor,
                windows.width[mine],
                color=colour,
                linewidth=0.7,
                alpha=0.6,
            )
            axis.plot(
                windows.superstable[mine],
                windows.width[mine],
                "o",
                color=colour,
                markersize=2.8,
                label=name,
            )
        for k in np.flatnonzero(windows.outermost)[:labelled]:
            axis.annotate(
                str(windows.full_period[k]),
                (windows.superstable[k], windows.width[k]),
                (0, 4),
                textcoords="offset points",
                ha="center",
                fontsize="small",
            )
        axis.set(yscale="log", xlim=(low, high), ylim=(floor, windows.width.max() * 3))
        axis.set(xlabel=r"learning rate $\eta$", ylabel=r"width of window in $\eta$")
        axis.legend(loc="upper right", ncols=2, bbox_to_anchor=(1, 1.08))
    return fig


def window_zoom(diagrams, marks, height=2.7):
    """Periodic windows, magnified: one column each, the orbits of ±c in two colours.

    Parameters
    ----------
    diagrams : sequence of netdyn_lib.maps.one_dimensional.Diagram
        Orbits of two critical points, at w > 0 and at w < 0.
    marks : sequence of dicts
        Learning rates to mark in each.
    """
    with style.figure(1, len(diagrams), height=height, sharey=True) as (fig, axes):
        for axis, diagram, here in zip(axes.flat, diagrams, marks, strict=True):
            _draw(axis, diagram)
            _mark(axis, here, size="x-small")
            axis.set_xlabel(r"learning rate $\eta$")
            axis.xaxis.set_major_locator(MaxNLocator(4))
        axes[0, 0].set_ylabel(r"weight $w$")
        style.letter(axes)
    return fig


def self_affine(diagrams, ends, boxes, titles, height=2.8):
    """The diagram of one attractor beside small copies of it from periodic windows.

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
    with style.figure(1, len(diagrams), height=height) as (fig, axes):
        for axis, diagram, (start, stop), box, title in zip(
            axes.flat, diagrams, ends, boxes, titles, strict=True
        ):
            room = 0.04 * (box[1] - box[0])
            box = (box[0] - room, box[1] + room)
            _draw(axis, diagram, (min(box), max(box)))
            axis.set(xlim=(start, stop), ylim=box)
            axis.set(xlabel=r"learning rate $\eta$", title=title)
            axis.xaxis.set_major_locator(MaxNLocator(3))
            axis.yaxis.set_major_locator(MaxNLocator(4))
        axes[0, 0].set_ylabel(r"weight $w$")
        style.letter(axes)
    return fig


def _draw(axis, diagram, box=None):
    """Densities of the orbits, column by column, as one image; each sign of w₀ takes its colour's
    ink.
    """
    p = diagram.parameters
    if box is None:
        span = np.nanmax(abs(diagram.states)) * 1.04
        box = (-span, span)
    ink = np.zeros((len(p), _BINS, 3))
    for sign, colour in ((1, RIGHT), (-1, LEFT)):
        dense = _density(diagram.states, np.sign(diagram.initial) == sign, box)
        ink += dense[:, :, None] * (1 - np.array(to_rgb(colour)))
    image = np.clip(1 - ink, 0, 1).transpose(1, 0, 2)
    half = (p[1] - p[0]) / 2
    extent = (p[0] - half, p[-1] + half, *box)
    picture = axis.imshow(
        image, origin="lower", aspect="auto", extent=extent, interpolation="antialiased", zorder=0
    )
    seen = np.where((diagram.states >= box[0]) & (diagram.states <= box[1]), diagram.states, np.nan)
    numbers.stands_for(picture, p[None, :, None], seen)


def _density(states, chosen, box):
    """Ink from 0 to 1, shape (P, bins): a power of the share of visits, so that sparse bins still
    show.
    """
    columns = states.shape[1]
    place = np.floor((states - box[0]) / (box[1] - box[0]) * _BINS)
    use = np.isfinite(place) & (place >= 0) & (place < _BINS) & chosen
    column = np.broadcast_to(np.arange(columns)[None, :, None], states.shape)[use]
    visits = np.bincount(
        column * _BINS + place[use].astype(int), minlength=columns * _BINS
    ).reshape(columns, _BINS)
    share = visits / np.maximum(1, visits.sum(axis=1, keepdims=True))
    ink = np.minimum(1, (20 * share) ** 0.5)
    line = np.where(ink > 0.9, ink, 0)  # a cycle fills one bin: draw it three bins wide
    ink[:, 1:] = np.maximum(ink[:, 1:], 0.8 * line[:, :-1])
    ink[:, :-1] = np.maximum(ink[:, :-1], 0.8 * line[:, 1:])
    return ink


def _mark(axis, marks, labels=True, size="small"):
    for label, place in marks.items():
        axis.axvline(
            place, color="black", linewidth=0.7, linestyle=(0, (4, 3)), zorder=3, label=f"_{label}"
        )
        if labels:
            axis.annotate(
                label,
                (place, 1),
                (0, 2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=size,
            )


def _colour_key(axis, place):
    for colour, name in ((RIGHT, r"$w_0>0$"), (LEFT, r"$w_0<0$")):
        axis.plot([], [], "s", color=colour, markersize=5, label=name)
    axis.legend(loc=place)
