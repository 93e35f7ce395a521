"""Figures of performance: ratios to rivals, shares of the machine's rate, growth with the size of
the work, and costs on paper.
"""

import textwrap

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from . import style
from .style import MUTED, PALETTE, dash, key, look, say

#: Looks by verdict: form and fill say it too, so that colour is not needed.
_VERDICTS = {
    True: ("goal met", dict(color=PALETTE[0], marker="o", ls="", ms=5)),
    False: ("goal missed", dict(color=PALETTE[1], marker="s", ls="", ms=5.5, mfc="white", mew=1.4)),
    None: ("no goal set", dict(color=MUTED, marker="D", ls="", ms=4)),
}
_GOAL = dict(color="black", marker="|", ls="", ms=11, mew=1.6)
_PROPORTION = dict(color=MUTED, ls=style.DASHES, lw=0.9)
_WRAP = 66  # characters in a line of a row's name


def ratios(found):
    """Plot how many times as fast as its rival each work is, on a logarithmic axis: a row for each
    work, a mark for each number of threads and variant, the range over rounds, and the goal.

    ``found``: name → :class:`netdyn_lib.experiments.benchmarks.Results`.  Shares of the machine's
    rate are left to :func:`shares`.  Raises ValueError where there is no row to show.
    """
    works = [
        (f"{name}: " if len(found) > 1 else "", work)
        for name, results in found.items()
        for work in results.by_work()
    ]
    if not works:
        raise ValueError(f"nothing to show: {', '.join(found) or 'no results'} has no such row")
    counts = sorted({count for _, work in works for count in work.threads})
    marks = dict(zip(counts, "o^sv"))
    with style.figure(height=1.1 + 0.24 * len(works)) as (fig, ((axis,),)):
        for place, (name, work) in enumerate(works):
            label = f"_{name}{work.name}; {work.rival}"
            for count, rows in work.threads.items():
                height = -place + 0.3 * ((counts.index(count) + 0.5) / len(counts) - 0.5)
                for row in rows:
                    looks = _VERDICTS[row.met][1] | dict(marker=marks[count], ms=4.5, lw=1)
                    told = f"{label}; {count} threads"
                    estimate = row.ratio, row.low, row.high
                    axis.lying_estimates([estimate], [height], told, **looks)
            if work.goal is not None:
                axis.point(work.goal, -place, f"{label}, goal", **_GOAL)
        axis.mark(1, "_as fast as the rival", color=MUTED, ls="-")
        names = [f"{name}{work.name} | {work.rival}" for name, work in works]
        axis.names("y", -np.arange(len(works)), names, fontsize=7)
        axis.set(xlabel="times as fast as the rival", ylabel="work | rival", xscale="log")
        axis.set_ylim(0.6 - len(works), 0.6)
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        dark = dict(color="black", ls="", ms=4.5)
        entries = {
            f"{n} thread{'s' * (n > 1)}": dark | dict(marker=mark) for n, mark in marks.items()
        }
        met = {row.met for _, work in works for row in work.rows}
        entries |= dict(named for verdict, named in _VERDICTS.items() if verdict in met)
        key(fig, entries | {"goal": _GOAL}, 3)
    return fig


def shares(found):
    """Plot the share of the machine's rate of arithmetic that the engine reaches, by work: median
    over rounds, their range, and the goal, from 0.

    ``found`` is as for :func:`ratios`.  Raises ValueError where there is no row to show.
    """
    rows = [
        (f"{name}: " if len(found) > 1 else "", row)
        for name, results in found.items()
        for row in results.by_group()
        if row.shares
    ]
    if not rows:
        known = ", ".join(found) or "no results"
        raise ValueError(f"nothing to show: no row of {known} is of this kind")
    names = [textwrap.fill(name + row.work, _WRAP) for name, row in rows]
    lines = sum(1 + name.count("\n") for name in names)
    with style.figure(height=0.9 + 0.12 * lines + 0.08 * len(rows)) as (fig, ((axis,),)):
        for place, (name, row) in enumerate(rows):
            label_of = "; ".join(filter(None, (name.removesuffix(": "), row.work, row.rival)))
            looks, interval = dict(lw=1.4) | _VERDICTS[row.met][1], (row.ratio, row.low, row.high)
            axis.lying_estimates([interval], [-place], f"_{label_of}", **looks)
            if row.goal is not None:
                axis.point(row.goal, -place, f"_{label_of}, goal", **_GOAL)
        axis.mark(1, "_as fast as the rival", color=MUTED, ls="-")
        axis.names("y", -np.arange(len(rows)), names, fontsize=6)
        label = "share of the rate of large matrix products"
        axis.set(xlabel=label, ylabel="work", ylim=(0.6 - len(rows), 0.6))
        axis.set_xlim(0, 1.05 * max(1, *(row.high for _, row in rows)))
        met = {row.met for _, row in rows}
        entries = dict(named for verdict, named in _VERDICTS.items() if verdict in met)
        if any(row.goal is not None for _, row in rows):
            entries["goal"] = _GOAL
        key(fig, entries, 4)
    return fig


def growth(found):
    """Plot time, and memory where it was measured, against the size of the work, both logarithmic,
    with the power that fits.

    A column for each quantity that grows, in the order of the measurements; each name of ``found``,
    as for :func:`ratios`, has its own look. Sizes whose memory was not above that before the work
    are left out.  Dashes show a growth in proportion.
    """
    several = {name: {one.quantity: one for one in of.growths} for name, of in found.items()}
    quantities = list(dict.fromkeys(quantity for each in several.values() for quantity in each))
    if not quantities:
        raise ValueError("nothing was measured at several sizes: growths is empty")
    labels = {"seconds": "time (s)", "mebibytes": "memory (MiB)"}
    with style.figure(2, len(quantities), height=2.0, sharex="col") as (fig, axes):
        for column, quantity in zip(axes.T, quantities):
            for axis, what in zip(column, labels):
                shown = 0
                for k, (name, each) in enumerate(several.items()):
                    one = each.get(quantity)
                    values = None if one is None else getattr(one, what)
                    if values is not None and max(values) > 0:
                        _power(axis, name if len(several) > 1 else "", one, what, k, name)
                        shown += 1
                axis.set(xscale="log", yscale="log" if shown else "linear")
                if shown:
                    low, high = axis.get_ylim()
                    # a tenfold at least, else ticks are fractions
                    axis.set_ylim(min(low, 0.3 * high), max(high, 3 * low))
                    axis.yaxis.set_minor_formatter(NullFormatter())
                else:
                    say(axis, "not measured")
        style.frame(axes, (), labels.values(), quantities)
        entries = {name: look(k) for k, name in enumerate(several)}
        key(fig, entries | {"in proportion": _PROPORTION}, 4)
        fig.align_ylabels()
    return fig


def _power(axis, told, one, what, k, name):
    """Plot the points that are above 0, the power that fits all of them, and growth in proportion
    through the last; the title gives the power, with the name that is ``told``.
    """
    sizes, values = np.array(one.sizes), np.array(getattr(one, what))
    sizes, values = sizes[values > 0], values[values > 0]
    axis.points(sizes, values, f"_{name}, {one.work}", **look(k))
    looks = _PROPORTION | dict(zorder=1)
    axis.line(sizes, values[-1] * sizes / sizes[-1], f"_{name}, in proportion", **looks)
    if len(values) < len(one.sizes):
        return  # an exponent of some of the sizes would not be the one in the table
    power, logs = one.exponent(what).estimate, np.log(sizes)
    middle = np.exp(np.log(values).mean() + power * (logs - logs.mean()))
    axis.line(sizes, middle, f"_{name}, power {power:.2f}", **dash(k))
    title = f"{told} " * bool(told) + rf"$\propto$ size$^{{{power:.2f}}}$"
    axis.set_title("\n".join(filter(None, (axis.get_title(), title))), fontsize="small")


def plans(curves):
    """Plot what work would cost: the memory of one piece by its parts beside that of a device (a),
    and hours against the number of devices (b).

    ``curves`` is that of :func:`netdyn_lib.experiments.cost_model.over_devices`: a
    :class:`netdyn_lib.experiments.cost_model.Cost` with numbers of devices (n,) and hours (n,).
    """
    works = list({one.work.name: one.work for one, *_ in curves}.values())
    kinds = list({one.machine.name: one.machine for one, *_ in curves}.values())
    rows = [(k, part, size) for k, work in enumerate(works) for part, size in work.memory.items()]
    dashes = {kind.name: dash(k + 1)["ls"] for k, kind in enumerate(kinds)}
    marks = [look(k) for k in range(len(works))]
    height = 0.9 + 0.36 * len(rows)
    with style.figure(1, 2, height=height) as (fig, ((memory, time),)):
        for row, (k, part, size) in enumerate(rows):
            fill = dict(color="white", hatch="///") if k % 2 else dict(color=PALETTE[k])
            looks = fill | dict(edgecolor=PALETTE[k], height=0.6)
            memory.lying_bar(-row, size / 1e9, f"_{works[k].name}: {part}", **looks)
        parts = [textwrap.fill(part, 20) for _, part, _ in rows]
        memory.names("y", -np.arange(len(rows)), parts, fontsize="small")
        for kind in kinds:
            looks = dict(lw=1, ls=dashes[kind.name])
            memory.mark(kind.memory / 1e9, f"_memory of {kind.name}", **looks)
        memory.set(xscale="log", xlabel="memory of one piece (GB)", ylabel="what is in memory")
        memory.set_xlim(min(size for *_, size in rows) / 3e9, None)
        for one, devices, hours in curves:
            k = [work.name for work in works].index(one.work.name)
            looks = marks[k] | dict(ls=dashes[one.machine.name], markevery=(5 * k, 15))
            time.line(devices, hours, f"_{one.work.name}, {one.machine.name}", **looks)
        time.set(xscale="log", yscale="log", xlabel="devices", ylabel="hours")
        entries = {work.name: mark | dict(ls="-", lw=3, ms=7) for work, mark in zip(works, marks)}
        entries |= {kind.name: dict(color="black", lw=1, ls=dashes[kind.name]) for kind in kinds}
        key(fig, entries, 1)
    return fig
