"""What is observed of a trajectory: loss, accuracy, distance, norm, displacement.

An observable is a function of a :class:`Snapshot`, one chunk of an ensemble at one epoch, and
returns a tensor whose first axis is the chunk's groups.  Those with a name can be asked for by
name.

A function of one's own may carry attributes.  ``per`` says what its second axis is: ``"network"``
(1 + M, the reference and its copies), ``"copy"`` (M), ``"reference"`` (none: it looks at the
reference only) or ``"group"`` (something else, or none); it decides what becomes NaN once a network
has diverged.  Without it, any network that diverges blanks its whole group.  ``needs_output``,
``needs_start``, ``needs_path``, ``needs_labels`` and ``needs_copies``, where true, ask for those
parts of a snapshot, of the task or of the ensemble.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..tasks.tasks import Task
from ..validation import whole


@dataclass
class Snapshot:
    """A chunk of an ensemble at one epoch.

    ``params`` is (g, 1 + M, P): g references, each first in its group, with M
    copies.  Present when an observable needs them: ``output``
    (g, 1 + M, C, N), the network's output on the training samples; ``start``,
    the parameters at epoch 0, and ``path``, Σ|w(t + 1) − w(t)| of every
    parameter up to now, both shaped as ``params``.
    """

    epoch: int
    params: torch.Tensor
    task: Task
    target: torch.Tensor | Any = None
    output: torch.Tensor | Any = None
    start: torch.Tensor | Any = None
    path: torch.Tensor | Any = None


_NAMED: dict[str, Callable] = {}


def _observable(per, *needed):
    """A decorator that names an observable, declares its second axis and what it needs."""

    def named(function):
        function.per = per
        for what in needed:
            setattr(function, f"needs_{what}", True)
        _NAMED[function.__name__] = function
        return function

    return named


@_observable("network", "output")
def loss(s: Snapshot) -> torch.Tensor:
    """Return the training loss of every network, without weight decay; (g, 1 + M)."""
    return s.task.loss.values(s.output.flatten(0, 1), s.target).view(s.params.shape[:2])


@_observable("network", "output", "labels")
def accuracy(s: Snapshot) -> torch.Tensor:
    """Return the share of training samples classified correctly; (g, 1 + M)."""
    return (s.output.argmax(2) == s.task.y).double().mean(-1)


@_observable("network", "labels")
def test_accuracy(s: Snapshot) -> torch.Tensor:
    """Return the share of test samples classified correctly; (g, 1 + M)."""
    flat = s.params.flatten(0, 1)
    predicted = s.task.network.outputs(flat, s.task.x_test).argmax(-1)  # (g (1 + M), N)
    return (predicted == s.task.y_test).double().mean(-1).view(s.params.shape[:2])


setattr(test_accuracy, "__test__", False)  # noqa: B010 (the name is no test's)


@_observable("network")
def norm(s: Snapshot) -> torch.Tensor:
    """Return the Euclidean norm ‖W‖ of every network; (g, 1 + M)."""
    return torch.linalg.vector_norm(s.params, dim=-1)


@_observable("copy", "copies")
def distance(s: Snapshot) -> torch.Tensor:
    """Return the L1 distance of copies from their reference, d_j = Σ_k |w_k − w'_k|; (g, M)."""
    return torch.linalg.vector_norm(s.params[:, 1:] - s.params[:, :1], ord=1, dim=-1)


@_observable("group", "copies")
def mean_distance(s: Snapshot) -> torch.Tensor:
    """Return d̄, the mean of d_j over the M copies of a reference; (g,)."""
    return distance(s).mean(-1)


@_observable("network")
def weights(s: Snapshot) -> torch.Tensor:
    """Return the parameters themselves, (g, 1 + M, P): for few networks or few epochs."""
    return s.params.clone()


@_observable("network", "start")
def displacement(s: Snapshot) -> torch.Tensor:
    """Return how far each parameter is from epoch 0, Δw = |w(t) − w(0)|; (g, 1 + M, P).

    Danovski 2024, section 3.1.
    """
    return (s.params - s.start).abs_()


@_observable("network", "path")
def path_length(s: Snapshot) -> torch.Tensor:
    """Return the way of each parameter, D_w = Σ|w(t + 1) − w(t)| over epochs; (g, 1 + M, P)."""
    return s.path.clone()


def of_reference(name) -> Callable:
    """Return an observable of each network for the references only: (g,), ``reference_…``."""
    name, function = named(name)
    if getattr(function, "per", None) != "network":
        raise ValueError(
            f"{name} is not observed for each network: it has no value for a reference by itself"
        )

    def reference(s):
        parts = {k: getattr(s, k) for k in ("params", "output", "start", "path")}
        first = {k: v if v is None else v[:, :1] for k, v in parts.items()}
        return function(replace(s, **first))[:, 0]

    kept = {
        f"needs_{what}": needs(function, what) for what in ("output", "start", "path", "labels")
    }
    vars(reference).update(kept, per="reference")
    reference.__name__ = f"reference_{name}"
    return reference


def named(name) -> tuple[str, Callable]:
    """Return an observable's name and function, from its name or the function itself."""
    if callable(name):
        return getattr(name, "__name__", type(name).__name__), name
    if name not in _NAMED:
        raise ValueError(f"unknown observable {name!r}; known: {', '.join(_NAMED)}")
    return name, _NAMED[name]


def axis(name: str) -> str:
    """Return what the second axis of a named observable is, its ``per``; "" for your own."""
    return getattr(_NAMED.get(name), "per", "")


def needs(observable: Callable, what: str) -> bool:
    """Whether an observable needs the "output", "start", "path", "labels" or "copies"."""
    return getattr(observable, f"needs_{what}", False)


def collect(observe, task: Task, copies: int) -> dict[str, Callable]:
    """Return observables by name, for a task and references with so many perturbed ``copies``."""
    found: dict[str, Callable] = {}
    several = (observe,) if isinstance(observe, str) or callable(observe) else observe
    for name, function in map(named, several):
        if found.setdefault(name, function) is not function:
            raise ValueError(f"two observables are called {name!r}: give one another __name__")
        if getattr(function, "per", None) not in (None, "network", "copy", "reference", "group"):
            raise ValueError(
                f"{name} is declared per {vars(function)['per']!r}; "
                "known: network, copy, reference, group"
            )
        if needs(function, "labels"):
            _check_labels(task, name)
        if needs(function, "copies") and not copies:
            raise ValueError(
                f"{name} needs perturbed copies: start from networks.perturbed(...), (n, 1 + M, P)"
            )
    return found


def _check_labels(task, name):
    if task.y.is_floating_point():
        raise ValueError(
            f"{name} needs class labels, but the targets of task {task.name!r} are "
            f"{task.y.dtype} of shape {tuple(task.y.shape)}: a regression has no accuracy; "
            "observe its loss"
        )


def look(name: str, observable: Callable, snapshot: Snapshot, gone=None) -> torch.Tensor:
    """Return the value of an observable, NaN where it depends on networks that have diverged.

    ``gone`` (g, 1 + M) bool marks those networks.  Values that are not floating point cannot be
    NaN, and stay.
    """
    value = observable(snapshot)
    per = getattr(observable, "per", None)
    groups, networks = snapshot.params.shape[:2]
    second = {"network": (networks,), "copy": (networks - 1,)}
    axes = (groups, *second.get(per or "group", ()))
    if tuple(value.shape[: len(axes)]) != axes:
        kind = per or "group"
        raise ValueError(
            f"observable {name} has shape {tuple(value.shape)}; expected {axes} first, "
            f"{kind} by {kind}"
        )
    if gone is None or not value.is_floating_point():
        return value
    if per == "copy":
        gone = gone[:, 1:] | gone[:, :1]
    elif per != "network":
        gone = gone[:, 0] if per == "reference" else gone.any(1)
    return value.masked_fill(gone.view(gone.shape + (1,) * (value.dim() - gone.dim())), math.nan)


def without_copies(observable: Callable, values: np.ndarray) -> np.ndarray:
    """Return observations (B, n, 1, …) of references without copies as (B, n, …).

    An observable that is declared per group has no such axis.
    """
    per = getattr(observable, "per", None)
    return values[:, :, 0] if values.shape[2:3] == (1,) and per != "group" else values


def first_hit(epochs, curves, target: float, sustained: int = 1) -> np.ndarray:
    """Return the first observed epoch from which a curve is at least ``target``, NaN for never.

    (…) for ``epochs`` (T,) and ``curves`` (T, …); it must stay there for ``sustained``
    observations.  Curves that never arrive are censored, not large: report their share beside any
    mean.

    >>> first_hit([0, 10, 20], [0.2, 0.95, 0.96], 0.9, sustained=2)
    array(10.)
    """
    curves = np.asarray(curves, dtype=float)
    sustained = whole(sustained, "sustained", 1, len(curves), cause="observations of a curve")
    windows = np.lib.stride_tricks.sliding_window_view(curves >= target, sustained, axis=0).all(-1)
    return np.where(windows.any(0), np.asarray(epochs, dtype=float)[windows.argmax(0)], np.nan)


@dataclass(frozen=True)
class Straightness:
    """How straight weights travel, for n networks: displacement Δw against path length D_w.

    ``ratio`` (n, P) is Δw/D_w, 1 on a straight way (NaN for a weight that never
    moved); ``slope`` and ``correlation`` (n,) are those of the line Δw on D_w
    over a network's weights, NaN where its weights all moved alike.
    """

    ratio: np.ndarray
    slope: np.ndarray
    correlation: np.ndarray


def straightness(displacement, path) -> Straightness:
    """Return how straight weights travel, from ``displacement`` and ``path`` length (n, P)."""
    moved, travelled = np.asarray(displacement, dtype=float), np.asarray(path, dtype=float)
    if moved.ndim != 2 or moved.shape != travelled.shape:
        raise ValueError(
            f"displacement {moved.shape} and path {travelled.shape}: expected (n, P) for both"
        )
    x = travelled - travelled.mean(1, keepdims=True)
    y = moved - moved.mean(1, keepdims=True)
    xy, xx, yy = (x * y).sum(1), (x * x).sum(1), (y * y).sum(1)
    ratio = np.divide(moved, travelled, out=np.full_like(moved, np.nan), where=travelled > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Straightness(ratio, xy / xx, xy / np.sqrt(xx * yy))


def collapse(by_radius: dict) -> float:
    """Return the largest relative difference between scaled curves d̄(t)/ε, max/min − 1 over t.

    ``by_radius`` maps each ε to distances (T, M).  Zero for an exactly linear response to the same
    directions.
    """
    scaled = np.array([np.asarray(d).mean(1) / radius for radius, d in by_radius.items()])
    return float((scaled.max(0) / scaled.min(0) - 1).max())


def radial_loss(task: Task, params: torch.Tensor, factors) -> np.ndarray:
    """Return the training loss with all parameters scaled, L(αW), (k, n) for k ``factors`` α.

    Falling with α at α = 1, it shows a basin that opens outward from the origin.
    """
    return np.stack([task.objectives(float(a) * params).cpu().numpy() for a in factors])


def weight_importance(task: Task, params: torch.Tensor) -> np.ndarray:
    """Return how the loss changes with one parameter set to zero, L(w_k = 0) − L, (P,).

    Danovski 2024, Fig. 5; ``params`` is (P,).
    """
    silenced = params.repeat(len(params), 1)
    silenced.fill_diagonal_(0.0)
    return (task.objectives(silenced) - task.objective(params)).cpu().numpy()


def importances(task: Task, params: torch.Tensor) -> np.ndarray:
    """Return :func:`weight_importance` of stacked networks, (n, P)."""
    return np.stack([weight_importance(task, p) for p in params])


def misclassified(task: Task, params: torch.Tensor) -> tuple[np.ndarray, ...]:
    """Return which training and test samples one network (P,) gets wrong; two bool arrays."""
    _check_labels(task, "misclassified")
    parts = (task.x, task.y), (task.x_test, task.y_test)
    wrong = (task.network.forward(params, x).argmax(-1) != y for x, y in parts)
    return tuple(part.cpu().numpy() for part in wrong)


def non_increasing(curves, rounding=1e-13):
    """Return which curves never rise, s(t + 1) ≤ s(t) (1 + ``rounding``), (…) from (T, …).

    A curve with NaN or infinite values, of a network that diverged, is not one of them.
    """
    curves = np.asarray(curves, dtype=float)
    if len(curves) < 2:
        raise ValueError(
            f"curves have {len(curves)} epochs: fewer than 2 can neither rise nor fall"
        )
    with np.errstate(invalid="ignore"):
        return np.isfinite(curves).all(0) & (curves[1:] <= curves[:-1] * (1 + rounding)).all(0)
