"""Figures of twins: how they part along H's directions, between which bounds and by which law, and
what the length of a perturbation does.

``data`` and ``sizes`` are datasets of :mod:`netdyn_lib.experiments.perturbation_growth.experiment`.
A colour is a direction, the same in every figure.
"""

import matplotlib as mpl
import numpy as np

from ..experiments.perturbation_growth import measures
from ..experiments.perturbation_growth.experiment import EXPECTED
from ..experiments.pruning_ablation.measures import TAIL
from ..statistics.intervals import student
from . import style
from .rates import key, look, say, with_intervals
from .style import MUTED

_DISTANCE = r"distance $\|W' - W\|$"
_BOUND = dict(color="black", ls=(0, (4, 3)))
_PAPERS = "drift and walk"


def divergence(data, log=False):
    """Distance of twins to the reference over training by direction, as H's Fig. 3a: mean over
    networks, and their range.

    Twins that overflowed are left out.  ``log``: a logarithmic axis of distance.
    """
    with style.figure(height=2.8, width=0.8 * style.WIDTH) as (fig, axes):
        for k, direction in enumerate(EXPECTED):
            _band(axes[0, 0], data["distance"].sel(direction=direction), k)
        axes[0, 0].set(xlabel="step", ylabel=_DISTANCE, yscale="log" if log else "linear")
        key(fig, _entries(), columns=5)
    return fig


def bounds(data):
    """Distances between the limits ε e^{λ_N t} and ε e^{λ_1 t} up to the horizon, as H's Fig.

    3b: means over networks, and ranges.
    """
    epsilon = data.attrs["epsilon"]
    with style.figure(height=2.8, width=0.8 * style.WIDTH) as (fig, axes):
        axis, marks = axes[0, 0], [0, *data["mark"].values]
        for k, direction in enumerate(EXPECTED):
            _band(axis, data["distance"].sel(direction=direction, step=marks), k)
        for name, label in (("log_top", "_upper bound"), ("log_bottom", "_lower bound")):
            logs = np.pad(data[name].values, ((0, 0), (1, 0)))  # both are ε at t = 0
            axis.plot(marks, epsilon * np.exp(logs.mean(0)), **_BOUND, lw=1.5, label=label)
            axis.fill_between(
                marks,
                epsilon * np.exp(logs.min(0)),
                epsilon * np.exp(logs.max(0)),
                color=MUTED,
                alpha=0.2,
                lw=0,
                label=label,
            )
        axis.set(xlabel="step", ylabel=_DISTANCE, yscale="log")
        key(fig, [*_entries(), ("bounds", _BOUND)])
    return fig


def fits(data, network=0):
    """The curves of one network, each with H's law, as fitted by AICc and by least squares, and
    with the best of the others by AICc.
    """
    found = {
        direction: comparison
        for one, direction, comparison in measures.compared(data)
        if one == network
    }
    if not found:
        raise ValueError(
            f"network = {network}: the data hold {', '.join(map(str, data['network'].values))}"
        )
    with style.figure(2, 3, height=2.2) as (fig, axes):
        for k, direction in enumerate(EXPECTED):
            axis, curve = axes.flat[k], data["distance"].sel(network=network, direction=direction)
            axis.set(xlabel="step", ylabel=_DISTANCE if k % 3 == 0 else "")
            if found[direction] is None:
                axis.set_title(direction, fontsize="small")
                say(axis, "overflowed")
                continue
            steps, known = curve["step"].values, found[direction].fits
            rival = min((law for law in known if law != _PAPERS), key=lambda law: known[law].aicc)
            axis.plot(steps, curve, **look(k) | dict(ls="", ms=3), label="_measured")
            axis.plot(steps, known[_PAPERS](steps), color="black")
            axis.plot(steps, known[rival](steps), color=style.PALETTE[1], ls="--")
            axis.plot(
                steps,
                measures.least_squares(steps, curve.values, data.attrs["epsilon"])[0],
                color=MUTED,
                ls=":",
            )
            axis.set_title(f"{direction}\nrival: {rival}", fontsize="small")
        axes.flat[-1].set_visible(False)
        rest = [
            ("best other law", dict(color=style.PALETTE[1], ls="--")),
            ("drift and walk, least squares", dict(color=MUTED, ls=":")),
        ]
        key(fig, [(_PAPERS, dict(color="black")), *rest])
    return fig


def sizes(sizes, tail=TAIL):
    """Test accuracy at the end against the length of the perturbation, intervals over networks; the
    reference's as a line and a band.
    """
    final, plain = (
        measures.ends(sizes["test_accuracy"], tail),
        student(measures.ends(sizes["reference_accuracy"], tail).values),
    )
    with style.figure(height=2.6, width=0.7 * style.WIDTH) as (fig, axes):
        axis, epsilon = axes[0, 0], sizes["epsilon"].values
        with_intervals(
            axis, epsilon, [student(final.sel(epsilon=e).values) for e in epsilon], **look(0)
        )
        axis.axhline(plain.estimate, color=MUTED, lw=1, zorder=1)
        if not np.isnan(plain.low):
            axis.axhspan(
                plain.low,
                plain.high,
                color=MUTED,
                alpha=0.2,
                lw=0,
                zorder=0,
                label="_reference, its interval",
            )
        axis.set(
            xscale="log",
            xlabel=r"length of the perturbation $\varepsilon$",
            ylabel="final test accuracy",
        )
        key(fig, [("twin", look(0)), ("reference", dict(color=MUTED))])
    return fig


def shape(sizes, most=0.1):
    """d(t)/ε for every ε up to ``most``, mean over networks: one curve where twins behave alike.

    Raises ValueError where there is no such ε.
    """
    chosen = [float(e) for e in sizes["epsilon"] if e <= most * (1 + 1e-9)]
    if not chosen:
        raise ValueError(f"most = {most}: the least epsilon is {float(sizes['epsilon'].min()):g}")
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(chosen)))
    with style.figure(height=2.8, width=0.8 * style.WIDTH) as (fig, axes):
        entries = []
        for k, (epsilon, colour) in enumerate(zip(chosen, colours)):
            looks = dict(color=colour, ls=look(k)["ls"])
            curve = _known(sizes["distance"].sel(epsilon=epsilon) / epsilon).mean("network")
            axes[0, 0].plot(curve["step"], curve, **looks)
            entries.append((rf"$\varepsilon$ = {epsilon:g}", looks))
        axes[0, 0].set(xlabel="step", ylabel=r"distance$/\varepsilon$")
        low, high = axes[0, 0].dataLim.intervaly
        if high > 4 * low > 0:  # over less, a logarithmic axis has unreadable ticks
            axes[0, 0].set_yscale("log")
        key(fig, entries, columns=4)
    return fig


def _entries():
    return [
        (direction, {name: look(k)[name] for name in ("color", "ls")})
        for k, direction in enumerate(EXPECTED)
    ]


def _known(values):
    """Without the networks, and then the steps, of which nothing is finite."""
    return values.where(np.isfinite(values)).dropna("network", how="all").dropna("step", how="all")


def _band(axis, values, k):
    """Mean over networks of (network, step), and their range."""
    values, looks = _known(values), look(k)
    axis.plot(values["step"], values.mean("network"), color=looks["color"], ls=looks["ls"])
    axis.fill_between(
        values["step"],
        values.min("network"),
        values.max("network"),
        color=looks["color"],
        alpha=0.15,
        lw=0,
    )
