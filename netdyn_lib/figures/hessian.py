"""Figures of the Hessian's part in training: pruned descent, perturbed copies, exponents of
mini-batch descent, whether its subspaces stand still, and a batch's noise.

Colours and dashes of the directions of a perturbation are the same in every figure.
"""

import re
import textwrap

import matplotlib as mpl
import numpy as np

from ..statistics import growth_laws
from ..statistics.intervals import student
from . import style
from .style import DASHED, MUTED, PALETTE, dash, frame, key, look, say

_NAMES = {
    "test_accuracy": "test accuracy",
    "test_loss": "test loss",
    "loss": "training loss",
    "kept": r"length left $|\tilde g|/|g|$",
}
_CLASSES = ("positive", "negative")
#: Rules of pruned descent, by their label.
_RULES = {
    "none": "whole gradient",
    "negative": "without negative",
    "positive": "without positive",
    "chaotic": "without chaotic",
    "random-same": "random, as many as negative",
    "random-same-positive": "random, as many as positive",
    "negative-norm": "without negative, length restored",
    "random-same-norm": "random, length restored",
    "none-momentum": "whole gradient, momentum",
    "negative-momentum": "without negative, momentum",
    "none-full-batch": "whole gradient, all samples",
}
_TITLE = 21  # characters in a line above one of four panels
#: Directions of a perturbation, by the growth that is expected along them.
DIRECTIONS = ("top", "chaotic", "random", "non-chaotic", "bottom")
_MEAN = dict(color=PALETTE[0], lw=2)
#: The law of Herrmann 2022, and the one that ends.
_LAWS = {
    "drift and walk": dict(color="black", ls="--", lw=1),
    "bounded drift": dict(color=PALETTE[1], ls=":", lw=1.6),
}
_DISTANCE = r"distance $\|W' - W\|$"
_NARROW = dict(height=2.6, width=0.7 * style.WIDTH)


def named(label):
    """Return a rule of pruned descent in words, for readers.

    >>> named("negative-at-0.1"), named("chaotic-from-2000"), named("negative-top-10")
    ('without negative, γ = 0.1', 'without chaotic from step 2,000', 'without the 10 most negative')
    """
    if label in _RULES:
        return _RULES[label]
    forms = {
        r"(.+)-at-([\d.e-]+)": lambda rule, rate: f"{named(rule)}, γ = {rate}",
        r"(.+)-from-(\d+)": lambda rule, step: f"{named(rule)} from step {int(step):,}",
        r"negative-top-(\d+)": lambda count: f"without the {count} most negative",
        r"negative-random-(\d+)": lambda count: f"without {count} of the negative",
    }
    found = ((words, re.fullmatch(form, label)) for form, words in forms.items())
    return next((words(*match.groups()) for words, match in found if match), label)


def _counted(data, arm, what):
    """A rule in words, and of how many networks anything is known."""
    count = int(data[what].sel(arm=arm).notnull().any("step").sum())
    return f"{named(arm)} (n = {count})"


def _range(axis, values, label, over="network", along="step", **looks):
    """Plot the mean over networks and their range of (network, step); networks, and then steps, of
    which nothing is finite are left out.
    """
    values = values.where(np.isfinite(values)).dropna(over, how="all").dropna(along, how="all")
    ranges = values.mean(over), values.min(over), values.max(over)
    axis.ranged(values[along], ranges, label, **looks)


def curves(data, arms=None, what=("test_accuracy", "test_loss"), onsets=None):
    """Plot learning curves by rule: mean over networks, and the range from the least to the
    greatest (Herrmann 2022, Figs 1 and 2).

    Parameters
    ----------
    data : xarray.Dataset
        With variables ``what`` (arm, seed, step).
    arms : sequence of str, optional
        At most seven; the first seven by default.
    what : sequence of str
        Variables, a panel each.
    onsets : dict, optional
        Label → the step at which its pruning begins, to be marked.
    """
    arms, onsets = arms or data["arm"].values.tolist()[:7], onsets or {}
    with style.figure(1, len(what), height=2.6) as (fig, axes):
        for axis, name in zip(axes[0], what):
            for k, arm in enumerate(arms):
                label = _counted(data, arm, what[0])
                _range(axis, data[name].sel(arm=arm), label, "seed", **dash(k))
                if arm in onsets:
                    colour = look(k)["color"]
                    axis.mark(onsets[arm], f"_{label}, onset", color=colour, zorder=1)
            axis.set(xlabel="step", ylabel=_NAMES.get(name, name))
            if "loss" in name:
                style.log_if_wide(axis)
        key(fig, columns=3)
    return fig


def by_rate(data, groups, what="test_accuracy"):
    """Plot learning curves in a panel for each learning rate, every network a line.

    ``groups``: learning rate γ → rule → arm; a rule has the same look in all panels.
    """
    rules = list(dict.fromkeys(rule for group in groups.values() for rule in group))
    with style.figure(1, len(groups), height=2.3, sharex=True, sharey=True) as (fig, axes):
        for axis, group in zip(axes[0], groups.values()):
            for rule, arm in group.items():
                values = data[what].sel(arm=arm).dropna("seed", how="all").transpose("step", "seed")
                looks = dash(rules.index(rule)) | dict(lw=0.9)
                axis.line(values["step"], values, f"_{named(rule)}", **looks)
        frame(axes, [rf"$\gamma$ = {rate:g}" for rate in groups], [_NAMES.get(what, what)], "step")
        key(fig, {named(rule): dash(k) for k, rule in enumerate(rules)})
    return fig


def counts(data, arms=None):
    """Plot eigenvalues of each sign in the range of a batch's Hessian over training, a panel for
    each arm; without those that are 0 outside it.
    """
    return _by_class(data, arms, "{}", "eigenvalues", (0, None))


def overlaps(data, arms=None):
    """Plot the share of |gradient|² along eigenvectors of each class over training, a panel for
    each arm.
    """
    return _by_class(data, arms, "overlap_{}", r"share of $|g|^2$", (-0.02, 1.02))


def kept(data, arms):
    """Plot the length of the gradient after pruning, in units of the whole, over training."""
    with style.figure(**_NARROW | dict(height=2.4)) as (fig, ((axis,),)):
        for k, arm in enumerate(arms):
            label = _counted(data, arm, "kept")
            _range(axis, data["kept"].sel(arm=arm), label, "seed", **dash(k))
        axis.set(xlabel="step", ylabel=_NAMES["kept"], ylim=(0, 1.03))
        key(fig, columns=2)
    return fig


def differences(found, name="test accuracy, less than without pruning"):
    """Plot what rules end with less than the baseline, an interval each, from above.

    ``found``: label → Interval.
    """
    height, rows = 0.5 + 0.24 * len(found), -np.arange(len(found))
    with style.figure(height=height, width=0.8 * style.WIDTH) as (fig, ((axis,),)):
        for row, (arm, interval) in zip(rows, found.items()):
            axis.lying_estimates([interval], [row], f"_{named(arm)}", **look(0, lw=1.2))
        axis.mark(0, color=MUTED, ls="-")
        counts = [f" (n = {one.count})" * (one.count is not None) for one in found.values()]
        axis.names("y", rows, [named(arm) + count for arm, count in zip(found, counts)])
        axis.set(xlabel=name, ylabel="rule", ylim=(0.5 - len(found), 0.5))
    return fig


def contributions(by_step):
    """Plot what the negative directions of batches hold, and what they contribute to the descent of
    the whole training loss, over training.

    ``by_step``: step → :class:`netdyn_lib.curvature.batch_noise.Contributions`; intervals are
    over batches.
    """
    found, steps = by_step.values(), np.array(list(by_step), dtype=float)
    kinds = {
        "of |g|²": [one.lengths()["negative"] for one in found],
        "of the descent": [one.shares()["negative"] for one in found],
        "of the directions: what as many random ones would take": [one.random() for one in found],
    }
    with style.figure(**_NARROW | dict(height=2.5)) as (fig, ((axis,),)):
        for k, (name, intervals) in enumerate(kinds.items()):
            shift = 0.01 * (k - 1) * steps.max()
            axis.estimates(steps, intervals, name, shift=shift, **look(k, elinewidth=0.9))
        axis.level(0.5)
        axis.set(xlabel="step", ylabel="share of the negative\ndirections of a batch", ylim=(0, 1))
        key(fig, columns=1)
    return fig


def rates(found, name="test accuracy", mark=None):
    """Plot what each rule ends with at every learning rate.

    ``found``: rule → (learning rates, Intervals); ``mark`` a learning rate to mark.
    """
    with style.figure(**_NARROW) as (fig, ((axis,),)):
        for k, (rule, (values, intervals)) in enumerate(found.items()):
            shift = 1.05 ** (k - 1)
            axis.estimates(values, intervals, named(rule), shift, **look(k, elinewidth=0.9))
        if mark is not None:
            axis.mark(mark, "_learning rate of the paper", zorder=1)
        axis.set(xscale="log", xlabel=r"learning rate $\gamma$", ylabel=name)
        key(fig)
    return fig


def _by_class(data, arms, variable, name, limits):
    arms = arms or data["arm"].values.tolist()[:7]
    with style.figure(1, len(arms), height=2.3, sharex=True, sharey=True) as (fig, axes):
        for axis, arm in zip(axes[0], arms):
            for k, kind in enumerate(_CLASSES):
                _range(axis, data[variable.format(kind)].sel(arm=arm), kind, "seed", **dash(k))
            axis.set_ylim(limits)
        frame(axes, [textwrap.fill(named(arm), _TITLE) for arm in arms], [name], "step")
        key(fig)
    return fig


def exponents(data):
    """Plot spectra over [0, t] at several t, and the extreme exponents over time.

    Parameters
    ----------
    data : xarray.Dataset
        As from :func:`netdyn_lib.experiments.sgd_spectra.over_time`; of leading exponents only, the
        smallest is left out.

    Spectra are means over networks, at four steps from the first to the last; of the extremes also
    the range over networks is shown.
    """
    steps = data["time"].values
    times = steps[np.unique(np.linspace(0, len(steps) - 1, min(4, len(steps))).astype(int))]
    extremes = {
        r"$\lambda_1$ over $[0, t]$": ("exponent", 0),
        r"$\lambda_1$ of a stretch": ("local", 0),
        r"$\lambda_N$ over $[0, t]$": ("exponent", -1),
    }
    if data.attrs["count"] != data.attrs["parameters"]:
        extremes.popitem()
    with style.figure(1, 2, height=2.6) as (fig, ((left, right),)):
        mean = data["exponent"].mean("network")
        for k, t in enumerate(times):
            left.line(data["index"], mean.sel(time=t), f"{t:,}", **dash(k))
        left.legend(title="$t$", loc="lower left")
        left.set(xlabel="index $i$", ylabel=r"$\lambda_i$ over $[0, t]$, per step")
        for k, (name, (variable, index)) in enumerate(extremes.items()):
            _range(right, data[variable].isel(index=index), name, along="time", **look(k, ms=2.8))
        right.set(xlabel="step $t$", ylabel="exponent per step")
        for axis in (left, right):
            axis.level(0)
        key(fig, {name: look(k, ms=2.8) for k, name in enumerate(extremes)})
    return fig


def noise(by_name):
    """Plot the full batch's curvature along each mini-batch's negative eigenvectors, against its
    eigenvalue.

    ``by_name``: label → :class:`netdyn_lib.curvature.batch_noise.Batches`, a panel each.  On the
    dashed line curvature is the full batch's, on the grey one only noise.
    """
    with style.figure(1, len(by_name), height=2.6) as (fig, axes):
        for axis, found in zip(axes[0], by_name.values()):
            own, full = (np.concatenate([np.empty(0), *a]) for a in (found.own, found.full))
            axis.level(0)
            axis.points(own, full, "_one direction", ms=2, color=PALETTE[0], alpha=0.5, mew=0)
            ends = (own.min(initial=0), 0)
            axis.line(ends, ends, "_equal", **DASHED)
        names = "curvature of the full batch", "curvature $h < 0$ of the mini-batch"
        frame(axes, by_name, names[:1], names[1])
    return fig


def maps(data):
    """Plot the largest growth along plain and pruned descent, mean over networks and range.

    ``data`` is that of :func:`netdyn_lib.experiments.pruning_exponents.compare`.  With the
    projector held fixed growth is rounding, and left out.
    """
    names = {"plain": "plain descent", "pruned": "pruned descent, true derivative"}
    with style.figure(**_NARROW) as (fig, ((axis,),)):
        for k, (name, label) in enumerate(names.items()):
            _range(axis, data["growth"].sel(map=name), label, along="time", **look(k))
        axis.set(xlabel="step $t$", ylabel=r"$\ln \sigma_1$", yscale="log")
        key(fig)
    return fig


def divergence(data):
    """Plot the distance of perturbed copies to the reference over training, a panel for each
    direction and a line for each network, with two laws fitted to the mean over networks by least
    squares (Herrmann 2022, Fig. 3a).

    Copies that overflowed are left out.
    """
    steps, epsilon = data["step"].values, data.attrs["epsilon"]
    with style.figure(1, 5, height=2.3, sharex=True, sharey=True) as (fig, axes):
        for axis, direction in zip(axes[0], DIRECTIONS):
            distance = data["distance"].sel(direction=direction).transpose("network", "step")
            distance = distance.values[np.isfinite(distance).all("step")]
            axis.line(steps, distance.T, "_measured", **style.MANY | dict(lw=0.9))
            if not len(distance):
                say(axis, "overflowed")
                continue
            mean = distance.mean(0)
            axis.line(steps, mean, "_mean", **_MEAN)
            for law, looks in _LAWS.items():
                fitted = growth_laws.least_squares(steps, mean, epsilon, law)[0]
                axis.line(steps, fitted, f"_{law}", **looks)
        frame(axes, DIRECTIONS, [_DISTANCE], "step")
        key(fig, {"one network": style.MANY | dict(lw=0.9), "mean": _MEAN} | _LAWS, 4)
    return fig


def bounds(data):
    """Plot distances between the limits ε e^{λ_N t} and ε e^{λ_1 t} up to the horizon: means over
    networks, and ranges (Herrmann 2022, Fig. 3b).

    The axis ends at ε/10: the lower limit soon says nothing.
    """
    marks = [0, *data["mark"].values]
    with style.figure(height=2.8, width=0.8 * style.WIDTH) as (fig, ((axis,),)):
        distance = data["distance"].sel(step=marks)
        for k, direction in enumerate(DIRECTIONS):
            _range(axis, distance.sel(direction=direction), direction, **dash(k))
        for name, label in (("log_top", "_upper bound"), ("log_bottom", "_lower bound")):
            logs = np.pad(data[name].values, ((0, 0), (1, 0)))  # both are ε at t = 0
            logs = np.array([logs.mean(0), logs.min(0), logs.max(0)])
            middle, low, high = data.attrs["epsilon"] * np.exp(logs)
            axis.line(marks, middle, label, **DASHED | dict(lw=1.5))
            axis.band(marks, low, high, label, color=MUTED, alpha=0.2)
        axis.set(xlabel="step", ylabel=_DISTANCE, yscale="log")
        axis.set_ylim(0.1 * data.attrs["epsilon"], None)
        key(fig, {d: dash(k) for k, d in enumerate(DIRECTIONS)} | {"bounds": DASHED | dict(lw=1.2)})
    return fig


def sizes(sizes, tail=0.05):
    """Plot test accuracy at the end, mean over the last ``tail`` of the steps, against the length
    of the perturbation, intervals over networks; the reference's as a line and a band.
    """
    late = sizes.sel(step=sizes["step"] >= (1 - tail) * sizes["step"].max())
    final = late["test_accuracy"].mean("step", skipna=False)
    plain = student(late["reference_accuracy"].mean("step", skipna=False).values)
    with style.figure(**_NARROW) as (fig, ((axis,),)):
        intervals = [student(one.values) for one in final.transpose("epsilon", "network")]
        axis.estimates(sizes["epsilon"], intervals, "perturbed copy", **look(0, elinewidth=0.9))
        axis.level(plain.estimate, "reference", lw=1.2, zorder=1)
        if not np.isnan(plain.low):
            ends, looks = (plain.low, plain.high), dict(color=MUTED, alpha=0.2, zorder=0)
            axis.lying_span(*ends, "_reference, its interval", **looks)
        axis.set(xscale="log", ylabel="final test accuracy")
        axis.set_xlabel(r"length of the perturbation $\varepsilon$")
        key(fig)
    return fig


def shape(found, most=0.1):
    """Plot d(t)/ε for every ε up to ``most``, mean over networks: one curve where perturbed copies
    behave alike.

    ``found``: name → dataset of lengths, a panel each.  Raises ValueError where there is no such ε.
    """
    chosen = {
        name: [float(e) for e in sizes["epsilon"] if e <= most * (1 + 1e-9)]
        for name, sizes in found.items()
    }
    for name, some in chosen.items():
        if not some:
            least = float(found[name]["epsilon"].min())
            raise ValueError(f"most = {most}: the least epsilon of {name} is {least:g}")
    known = sorted(set(sum(chosen.values(), [])))
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(known)))
    looks = {e: dash(k) | dict(color=colour) for k, (e, colour) in enumerate(zip(known, colours))}
    with style.figure(1, len(found), height=2.6, sharey=True) as (fig, axes):
        for axis, (name, sizes) in zip(axes[0], found.items()):
            for epsilon in chosen[name]:
                curve = sizes["distance"].sel(epsilon=epsilon) / epsilon
                curve = curve.where(np.isfinite(curve)).dropna("network", how="all").mean("network")
                curve = curve.dropna("step")
                axis.line(curve["step"], curve, rf"$\varepsilon$ = {epsilon:g}", **looks[epsilon])
        style.log_if_wide(axes[0, 0])
        titles = [f"{name} (n = {sizes.sizes['network']})" for name, sizes in found.items()]
        frame(axes, titles, [r"distance$/\varepsilon$"], "step")
        key(fig, columns=4)
    return fig
