"""Figures of the Hessian's part in training: pruned descent, perturbed copies, exponents of
mini-batch descent, whether its subspaces stand still, and a batch's noise.

Colours and dashes of the directions of a perturbation are the same in every figure.
"""

import matplotlib as mpl
import numpy as np
from scipy import optimize

from ..statistics import growth_laws
from ..statistics.intervals import student
from . import style
from .style import DASHED, MUTED, PALETTE, dash, frame, key, look, say

_NAMES = {
    "test_accuracy": "test accuracy",
    "test_loss": "test loss",
    "loss": "training loss",
    "kept": r"kept length $|\tilde g|/|g|$",
}
_CLASSES = ("positive", "negative")
#: Directions of a perturbation, by the growth that is expected along them.
DIRECTIONS = ("top", "chaotic", "random", "non-chaotic", "bottom")
_LAW = "drift and walk"  # of Herrmann 2022
_DISTANCE = r"distance $\|W' - W\|$"
_NARROW = dict(height=2.6, width=0.7 * style.WIDTH)


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
                _range(axis, data[name].sel(arm=arm), arm, "seed", **dash(k))
                if arm in onsets:
                    colour = look(k)["color"]
                    axis.mark(onsets[arm], f"_{arm}, onset", color=colour, zorder=1)
            axis.set(xlabel="step", ylabel=_NAMES.get(name, name))
            if "loss" in name:
                style.log_if_wide(axis)
        key(fig, columns=4)
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
            _range(axis, data["kept"].sel(arm=arm), arm, "seed", **dash(k))
        axis.set(xlabel="step", ylabel=_NAMES["kept"], ylim=(0, 1.03))
        key(fig)
    return fig


def differences(found, name="test accuracy, less than without pruning"):
    """Plot what arms end with less than the baseline, an interval each, from above.

    ``found``: label → Interval.
    """
    height, rows = 0.5 + 0.24 * len(found), -np.arange(len(found))
    with style.figure(height=height, width=0.8 * style.WIDTH) as (fig, ((axis,),)):
        for row, (arm, interval) in zip(rows, found.items()):
            axis.lying_estimates([interval], [row], f"_{arm}", **look(0, lw=1.2))
        axis.mark(0, color=MUTED, ls="-")
        axis.names("y", rows, list(found))
        axis.set(xlabel=name, ylabel="arm", ylim=(0.5 - len(found), 0.5))
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
            axis.estimates(values, intervals, rule, 1.05 ** (k - 1), **look(k, elinewidth=0.9))
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
        frame(axes, arms, [name], "step")
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


def stabilising(found, batch=None):
    """Plot the overlap of subspaces at successive times, dotted what chance gives; open where a
    subspace had not converged.

    Parameters
    ----------
    found : pandas.DataFrame
        From :func:`netdyn_lib.experiments.sgd_spectra.overlaps`.
    batch : pandas.DataFrame, optional
        From :func:`netdyn_lib.experiments.sgd_spectra.of_hessian`, for a second panel; its chance
        is that within the range.
    """
    tables = {"subspaces of the whole run": (found, "chance")}
    if batch is not None:
        tables["one batch's Hessian"] = batch, "chance in range"
    width = style.WIDTH * (0.6 if batch is None else 1)
    with style.figure(1, len(tables), height=2.5, sharey=True, width=width) as (fig, axes):
        for axis, (table, chance) in zip(axes[0], tables.values()):
            for k, name in enumerate(table.index.get_level_values(0).unique()):
                part, colour = table.loc[name], look(k)["color"]
                steps, overlap = part.index.to_numpy(), part["overlap"].to_numpy()
                axis.line(steps, overlap, name, **look(k, ms=0))
                good = np.asarray(part.get("converged", np.ones(len(part))), dtype=bool)
                looks = dict(ms=3.5, color=colour)
                axis.points(steps[good], overlap[good], f"_{name}, converged", **looks)
                looks |= dict(mfc="white")
                axis.points(steps[~good], overlap[~good], f"_{name}, not converged", **looks)
                looks = dict(color=colour, ls=":", lw=0.9)
                axis.line(steps, part[chance], f"_{name}, chance", **looks)
            axis.set_ylim(-0.03, 1.03)
            axis.legend()
        frame(axes, tables, ["overlap with the next"], "step $t$")
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
        names = r"$v^\top H v$ of the full batch", r"$\lambda$ of the mini-batch"
        frame(axes, by_name, names[:1], names[1])
    return fig


def maps(data):
    """Plot the largest growth along plain and pruned descent and with the projector held fixed,
    mean over networks and range.

    ``data`` is that of :func:`netdyn_lib.experiments.pruning_exponents.compare`.
    """
    names = {"pruned": "pruned, true derivative", "fixed": "pruned, projector held fixed"}
    with style.figure(**_NARROW) as (fig, ((axis,),)):
        for k, name in enumerate(data["map"].values):
            label = names.get(name, name)
            _range(axis, data["growth"].sel(map=name), label, along="time", **look(k))
        # Growth with the projector fixed is rounding only, and the others lie decades apart.
        axis.set_yscale("symlog", linthresh=1e-4)
        axis.level(0)
        axis.set(xlabel="step $t$", ylabel=r"$\ln \sigma_1$")
        key(fig)
    return fig


def divergence(data, log=False):
    """Plot the distance of perturbed copies to the reference over training by direction: mean over
    networks, and their range (Herrmann 2022, Fig. 3a).

    Copies that overflowed are left out.  ``log``: a logarithmic axis of distance.
    """
    with style.figure(height=2.8, width=0.8 * style.WIDTH) as (fig, ((axis,),)):
        for k, direction in enumerate(DIRECTIONS):
            _range(axis, data["distance"].sel(direction=direction), direction, **dash(k))
        axis.set(xlabel="step", ylabel=_DISTANCE, yscale="log" if log else "linear")
        key(fig, columns=5)
    return fig


def bounds(data):
    """Plot distances between the limits ε e^{λ_N t} and ε e^{λ_1 t} up to the horizon: means over
    networks, and ranges (Herrmann 2022, Fig. 3b).
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
        key(fig, {d: dash(k) for k, d in enumerate(DIRECTIONS)} | {"bounds": DASHED | dict(lw=1.2)})
    return fig


def fits(data):
    """Plot the distances of perturbed copies of the first network with the laws fitted to them:
    that of Herrmann 2022 by AICc and by least squares, and the best of the others by AICc.
    """
    looks = {
        _LAW: dict(color="black"),
        "best other law": dict(color=PALETTE[1], ls="--"),
        f"{_LAW}, least squares": dict(color=MUTED, ls=":"),
    }
    steps, epsilon = data["step"].values, data.attrs["epsilon"]
    with style.figure(2, 3, height=2.2) as (fig, axes):
        for k, (axis, direction) in enumerate(zip(axes.flat, DIRECTIONS)):
            distance = data["distance"].isel(network=0).sel(direction=direction).values
            axis.set(xlabel="step", ylabel=_DISTANCE if k % 3 == 0 else "")
            axis.set_title(direction, fontsize="small")
            if not (np.isfinite(distance) & (distance > 0)).all():
                say(axis, "overflowed")
                continue
            found = growth_laws.compare(steps, distance, epsilon).fits
            rival = min((name for name in found if name != _LAW), key=lambda n: found[n].aicc)
            fitted = found[_LAW](steps), found[rival](steps)
            fitted = *fitted, _least_squares(steps, distance, epsilon)
            axis.points(steps, distance, "_measured", **look(k, ms=3))
            for (name, of), values in zip(looks.items(), fitted):
                axis.line(steps, values, name, **of)
            axis.set_title(f"{direction}\nrival: {rival}", fontsize="small")
        axes.flat[-1].set_visible(False)
        key(fig, looks)
    return fig


def _least_squares(steps, distance, epsilon):
    """d = √(ε² + α t² + β t), α, β ≥ 0, by least squares of d, in units in which α and β are about
    1 and so is d.
    """
    law, top = growth_laws.LAWS[_LAW].function, distance.max()
    size, last = max(top**2 - epsilon**2, 1e-6 * top**2), steps.max()
    scaled = lambda t, a, b: law(t, epsilon, a * size / last**2, b * size / last) / top
    start = dict(p0=(0.5, 0.5), bounds=(0, np.inf))
    return top * scaled(steps, *optimize.curve_fit(scaled, steps, distance / top, **start)[0])


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


def shape(sizes, most=0.1):
    """Plot d(t)/ε for every ε up to ``most``, mean over networks: one curve where perturbed copies
    behave alike.

    Raises ValueError where there is no such ε.
    """
    chosen = [float(e) for e in sizes["epsilon"] if e <= most * (1 + 1e-9)]
    if not chosen:
        raise ValueError(f"most = {most}: the least epsilon is {float(sizes['epsilon'].min()):g}")
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(chosen)))
    with style.figure(height=2.8, width=0.8 * style.WIDTH) as (fig, ((axis,),)):
        for k, (epsilon, colour) in enumerate(zip(chosen, colours)):
            curve = sizes["distance"].sel(epsilon=epsilon) / epsilon
            curve = curve.where(np.isfinite(curve)).dropna("network", how="all").mean("network")
            curve, looks = curve.dropna("step"), dash(k) | dict(color=colour)
            axis.line(curve["step"], curve, rf"$\varepsilon$ = {epsilon:g}", **looks)
        axis.set(xlabel="step", ylabel=r"distance$/\varepsilon$")
        style.log_if_wide(axis)
        key(fig, columns=4)
    return fig
