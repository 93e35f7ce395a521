"""Figures of chapter 9: ratios to rivals, shares of the machine's rate, growth with the size of the
work, and costs on paper.
"""

import textwrap

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from . import style
from .rates import key, look, say
from .style import MUTED, PALETTE

#: Looks by verdict: form and fill say it too, so that colour is not needed.
_VERDICTS = {
    True: ("goal met", dict(color=PALETTE[0], marker="o", ls="", ms=5)),
    False: ("goal missed", dict(color=PALETTE[1], marker="s", ls="", ms=5.5, mfc="white", mew=1.4)),
    None: ("no goal set", dict(color=MUTED, marker="D", ls="", ms=4)),
}
_GOAL = dict(color="black", marker="|", ls="", ms=11, mew=1.6)
_WRAP = 66  # characters in a line of a row's name


def ratios(found):
    """How many times as fast as its rival each work is, on a logarithmic axis: the median of the
    rounds, their range, and the goal.

    Parameters
    ----------
    found : dict
        Name → :class:`netdyn_lib.experiments.benchmarks.Results`.  Shares of the machine's rate are
        left to :func:`shares`.

    Raises
    ------
    ValueError
        Where there is no row to show.
    """
    return _rows(found, lambda row: not row.shares, "times as fast as the rival", "log")


def shares(found):
    """The share of the machine's rate of arithmetic that the engine reaches, by work; as
    :func:`ratios`, from 0.
    """
    return _rows(
        found, lambda row: row.shares, "share of the rate of large matrix products", "linear"
    )


def growth(found):
    """Time, and memory where it was measured, against the size of the work, both logarithmic, with
    the power that fits.

    A column for each quantity that grows, in the order of the measurements; each name of ``found``,
    as for :func:`ratios`, has its own look. Sizes whose memory was not above that before the work
    are left out.  Dashes show a growth in proportion.
    """
    several = {
        name: {one.quantity: one for one in results.growths} for name, results in found.items()
    }
    quantities = list(dict.fromkeys(quantity for each in several.values() for quantity in each))
    if not quantities:
        raise ValueError("nothing was measured at several sizes: growths is empty")
    names = {"seconds": "time (s)", "mebibytes": "memory (MiB)"}
    with style.figure(2, len(quantities), height=2.0, sharex="col") as (fig, axes):
        for column, quantity in zip(axes.T, quantities):
            for (what, label), axis in zip(names.items(), column):
                there = {
                    name: each[quantity]
                    for name, each in several.items()
                    if quantity in each and _any(each[quantity], what)
                }
                for k, (name, one) in enumerate(several.items()):
                    if name in there:
                        _powers(axis, name, there[name], what, look(k), len(several) > 1)
                axis.set(xscale="log", yscale="log" if there else "linear")
                if there:
                    low, high = axis.get_ylim()
                    # a tenfold at least, else ticks are fractions
                    axis.set_ylim(min(low, 0.3 * high), max(high, 3 * low))
                    axis.yaxis.set_minor_formatter(NullFormatter())
                if not there:
                    say(axis, "not measured")
            column[-1].set_xlabel(quantity)
        for (_, label), axis in zip(names.items(), axes[:, 0]):
            axis.set_ylabel(label)
        key(
            fig,
            [*((name, look(k)) for k, name in enumerate(several)), ("in proportion", _PROPORTION)],
            4,
        )
        fig.align_ylabels()
    return fig


_PROPORTION = dict(color=MUTED, ls=(0, (4, 3)), lw=0.9)


def plans(curves):
    """What work would cost: the memory of one piece by its parts beside that of a device (a), and
    hours against the number of devices (b).

    ``curves`` is that of :func:`netdyn_lib.experiments.cost_model.over_devices`: a
    :class:`netdyn_lib.experiments.cost_model.Cost` with numbers of devices (n,) and hours (n,).
    """
    works = list({one.work.name: one.work for one, *_ in curves}.values())
    kinds = list({one.machine.name: one.machine for one, *_ in curves}.values())
    rows = [(k, part, size) for k, work in enumerate(works) for part, size in work.memory.items()]
    dashes = {kind.name: look(k + 1)["ls"] for k, kind in enumerate(kinds)}
    with style.figure(1, 2, height=0.9 + 0.36 * len(rows)) as (fig, ((memory, time),)):
        for row, (k, part, size) in enumerate(rows):
            looks = dict(
                color="white" if k % 2 else PALETTE[k], edgecolor=PALETTE[k], hatch="///" * (k % 2)
            )
            memory.barh(-row, size / 1e9, height=0.6, label=f"_{works[k].name}: {part}", **looks)
        memory.set_yticks(
            -np.arange(len(rows)),
            [textwrap.fill(part, 20) for _, part, _ in rows],
            fontsize="small",
        )
        for kind in kinds:
            memory.axvline(
                kind.memory / 1e9,
                color="black",
                lw=1,
                ls=dashes[kind.name],
                label=f"_memory of {kind.name}",
            )
        memory.set(
            xscale="log",
            xlabel="memory of one piece (GB)",
            ylabel="what is in memory",
            xlim=(min(size for *_, size in rows) / 3e9, None),
        )
        for one, devices, hours in curves:
            k = [work.name for work in works].index(one.work.name)
            time.plot(
                devices,
                hours,
                **_marked(k),
                ls=dashes[one.machine.name],
                markevery=(5 * k, 15),
                label=f"_{one.work.name}, {one.machine.name}",
            )
        time.set(xscale="log", yscale="log", xlabel="devices", ylabel="hours")
        style.letter((memory, time))
        bars = [(work.name, _marked(k) | dict(lw=3, ms=7)) for k, work in enumerate(works)]
        key(
            fig,
            [
                *bars,
                *((kind.name, dict(color="black", lw=1, ls=dashes[kind.name])) for kind in kinds),
            ],
            1,
        )
    return fig


def _marked(k):
    """Colour and marker of the k-th work; dashes are the machine's."""
    return {name: value for name, value in look(k).items() if name != "ls"}


def _rows(found, which, label, scale):
    rows = [
        (name, row) for name, results in found.items() for row in results.by_group() if which(row)
    ]
    if not rows:
        raise ValueError(
            f"nothing to show: no row of {', '.join(found) or 'no results'} is of this kind"
        )
    lines = sum(1 + _ticked("", row).count("\n") for _, row in rows)
    with style.figure(height=0.9 + 0.12 * lines + 0.08 * len(rows)) as (fig, axes):
        axis = axes[0, 0]
        for place, (name, row) in enumerate(rows):
            label_of = _named(name if len(found) > 1 else "", row)
            looks = _VERDICTS[row.met][1]
            axis.plot(
                (row.low, row.high),
                (-place, -place),
                color=looks["color"],
                lw=1.4,
                label=f"_{label_of}, range over rounds",
            )
            axis.plot(row.ratio, -place, **looks, label=f"_{label_of}")
            if row.goal is not None:
                axis.plot(row.goal, -place, **_GOAL, label=f"_{label_of}, goal")
        axis.axvline(1, color=MUTED, lw=0.8, label="_as fast as the rival")
        axis.set_yticks(
            -np.arange(len(rows)),
            [_ticked(name if len(found) > 1 else "", row) for name, row in rows],
            fontsize=6,
        )
        if scale == "log":
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
            axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set(xlabel=label, ylabel="work, and its rival", ylim=(0.6 - len(rows), 0.6))
        if scale == "linear":
            axis.set_xlim(0, max(1.05, 1.05 * max(row.high for _, row in rows)))
        shown = {row.met for _, row in rows}
        entries = [_VERDICTS[verdict] for verdict in _VERDICTS if verdict in shown]
        key(fig, [*entries, *[("goal", _GOAL)] * any(row.goal is not None for _, row in rows)], 4)
    return fig


def _named(name, row):
    return "; ".join(part for part in (name, row.work, row.rival) if part)


def _ticked(name, row):
    """The work, and its rival, in lines."""
    return "\n".join(
        textwrap.fill(text, _WRAP)
        for text in (f"{name}: {row.work}" if name else row.work, f"beside {row.rival}")
    )


def _any(one, what):
    values = getattr(one, what)
    return values is not None and max(values) > 0


def _powers(axis, name, one, what, looks, told):
    """Points that are above 0, the power that fits all of them, and growth in proportion through
    the last; the power is ``told`` with the name or without.
    """
    sizes, values = np.array(one.sizes), np.array(getattr(one, what))
    sizes, values = sizes[values > 0], values[values > 0]
    axis.plot(sizes, values, **looks | dict(ls=""), label=f"_{name}, {one.work}")
    axis.plot(
        sizes,
        values[-1] * sizes / sizes[-1],
        **_PROPORTION,
        zorder=1,
        label=f"_{name}, in proportion",
    )
    if len(values) < len(one.sizes):
        return  # an exponent of some of the sizes would not be the one in the table
    power = one.exponent(what)
    middle = np.exp(np.log(values).mean() + power.estimate * (np.log(sizes) - np.log(sizes).mean()))
    axis.plot(
        sizes,
        middle,
        color=looks["color"],
        ls=looks["ls"],
        label=f"_{name}, power {power.estimate:.2f}",
    )
    lines = (axis.get_title(), f"{name} " * told + rf"$\propto$ size$^{{{power.estimate:.2f}}}$")
    axis.set_title("\n".join(filter(None, lines)), fontsize="small")
