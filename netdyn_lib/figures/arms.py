"""Figures of pruned descent: curves of arms, onsets, eigenvalues, the gradient's overlap and kept
length, and what the arms end with.
"""

import numpy as np

from . import style
from .rates import key, look, with_intervals
from .style import MUTED

_NAMES = {
    "test_accuracy": "test accuracy",
    "test_loss": "test loss",
    "loss": "training loss",
    "kept": r"kept length $|\tilde g|/|g|$",
}
_CLASSES = ("positive", "negative")


def curves(data, arms=None, what=("test_accuracy", "test_loss"), onsets=None):
    """Learning curves by rule, as H's Fig. 1: mean over networks, and the range from the least to
    the greatest.

    Parameters
    ----------
    data : xarray.Dataset
        As from :func:`netdyn_lib.experiments.campaign.load`.
    arms : sequence of str, optional
        At most seven; the first seven by default.
    what : sequence of str
        Variables, a panel each.
    onsets : dict, optional
        Label → the step at which its pruning begins, to be marked, as in H's Fig. 2.
    """
    arms, onsets = _arms(data, arms), onsets or {}
    with style.figure(1, len(what), height=2.6) as (fig, axes):
        for axis, name in zip(axes[0], what):
            for k, arm in enumerate(arms):
                _band(axis, data[name].sel(arm=arm), look(k))
                if arm in onsets:
                    axis.axvline(
                        onsets[arm], color=look(k)["color"], lw=0.8, ls=(0, (4, 3)), zorder=1
                    )
            axis.set(xlabel="step", ylabel=_NAMES.get(name, name))
            low, high = axis.dataLim.intervaly
            # over less, a logarithmic axis has unreadable ticks
            if "loss" in name and 0 < 4 * low < high:
                axis.set_yscale("log")
        key(fig, [(arm, _line(k)) for k, arm in enumerate(arms)], columns=4)
    return fig


def counts(data, arms=None):
    """Eigenvalues of each sign in the range of a batch's Hessian over training, a panel for each
    arm; without those that are 0 outside it.
    """
    return _by_class(data, arms, "{}".format, "eigenvalues", (0, None))


def overlaps(data, arms=None):
    """Share of |gradient|² along eigenvectors of each class over training, a panel for each arm."""
    return _by_class(data, arms, "overlap_{}".format, r"share of $|g|^2$", (-0.02, 1.02))


def kept(data, arms):
    """Length of the gradient after pruning, in units of the whole, over training."""
    with style.figure(height=2.4, width=0.7 * style.WIDTH) as (fig, axes):
        for k, arm in enumerate(arms):
            _band(axes[0, 0], data["kept"].sel(arm=arm), look(k))
        axes[0, 0].set(xlabel="step", ylabel=_NAMES["kept"], ylim=(0, 1.03))
        key(fig, [(arm, _line(k)) for k, arm in enumerate(arms)])
    return fig


def differences(found, name="test accuracy, less than without pruning"):
    """What arms end with beside the baseline, an interval each, from above.

    ``found``: label → Interval.
    """
    with style.figure(height=0.5 + 0.24 * len(found), width=0.8 * style.WIDTH) as (fig, axes):
        axis = axes[0, 0]
        for row, (arm, (middle, low, high)) in enumerate(found.items()):
            axis.plot(
                (low, high), (-row, -row), color=look(0)["color"], lw=1.2, label=f"_{arm}, interval"
            )
            axis.plot(middle, -row, **look(0) | dict(ls=""), label=f"_{arm}")
        axis.axvline(0, color=MUTED, lw=0.8)
        axis.set_yticks(-np.arange(len(found)), list(found))
        axis.set(xlabel=name, ylabel="arm", ylim=(0.5 - len(found), 0.5))
    return fig


def contributions(by_step):
    """What the negative directions of batches hold, and what they contribute to the descent of the
    whole training loss, over training.

    ``by_step``: step → :class:`netdyn_lib.curvature.batch_noise.Contributions`; intervals are
    over batches.
    """
    names = {
        "of |g|²": lambda one: one.lengths()["negative"],
        "of the descent": lambda one: one.shares()["negative"],
    }
    names["of the directions: what as many random ones would take"] = lambda one: one.random()
    with style.figure(height=2.5, width=0.7 * style.WIDTH) as (fig, axes):
        axis, steps = axes[0, 0], np.array(list(by_step), dtype=float)
        for k, of in enumerate(names.values()):
            with_intervals(
                axis,
                steps,
                [of(one) for one in by_step.values()],
                shift=0.01 * (k - 1) * steps.max(),
                **look(k),
            )
        axis.axhline(0.5, color=MUTED, lw=0.8)
        axis.set(xlabel="step", ylabel="share of the negative\ndirections of a batch", ylim=(0, 1))
        key(fig, [(name, look(k)) for k, name in enumerate(names)], columns=1)
    return fig


def rates(found, name="test accuracy", mark=None):
    """What each rule ends with at every learning rate.

    ``found`` is that of :func:`netdyn_lib.experiments.pruning_ablation.results.rates`; ``mark`` a
    learning rate to mark, H's.
    """
    with style.figure(height=2.6, width=0.7 * style.WIDTH) as (fig, axes):
        axis = axes[0, 0]
        for k, (values, intervals) in enumerate(found.values()):
            with_intervals(axis, values, intervals, 1.05 ** (k - 1), **look(k))
        if mark is not None:
            axis.axvline(mark, color="black", lw=0.8, ls=(0, (4, 3)), zorder=1)
        axis.set(xscale="log", xlabel=r"learning rate $\gamma$", ylabel=name)
        key(fig, [(rule, look(k)) for k, rule in enumerate(found)])
    return fig


def _arms(data, arms):
    return data["arm"].values.tolist()[:7] if arms is None else list(arms)


def _line(k):
    return {name: value for name, value in look(k).items() if name in ("color", "ls")}


def _band(axis, values, looks):
    """Mean over networks of (seed, step), and their range; steps of which nothing is known are left
    out, as are networks that diverged.
    """
    values = values.dropna("seed", how="all").dropna("step", how="all")
    steps = values["step"].values
    axis.plot(steps, values.mean("seed"), color=looks["color"], ls=looks["ls"])
    axis.fill_between(
        steps, values.min("seed"), values.max("seed"), color=looks["color"], alpha=0.15, lw=0
    )


def _by_class(data, arms, variable, name, limits):
    arms = _arms(data, arms)
    with style.figure(1, len(arms), height=2.3, sharex=True, sharey=True) as (fig, axes):
        for axis, arm in zip(axes[0], arms):
            for k, kind in enumerate(_CLASSES):
                _band(axis, data[variable(kind)].sel(arm=arm), look(k))
            axis.set_title(arm, fontsize="small")
            axis.set(xlabel="step", ylim=limits)
        axes[0, 0].set_ylabel(name)
        key(fig, [(kind, _line(k)) for k, kind in enumerate(_CLASSES)])
    return fig
