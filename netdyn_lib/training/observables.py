"""What is observed of a trajectory: loss, accuracy, distance, norm, displacement.

An observable is a function of a :class:`Snapshot`, one chunk of an ensemble at
one epoch, and returns a tensor whose first axis is the chunk's groups.  Those
with a name can be asked for by name.

A function of one's own may carry attributes.  ``per`` says what its second axis
is: ``"network"`` (1 + M, the reference and its copies), ``"copy"`` (M),
``"reference"`` (none: it looks at the reference alone) or
``"group"`` (something else, or none); it decides what becomes NaN once a network has
diverged.  Without it, any network that diverges blanks its whole group.
``needs_output``, ``needs_start``, ``needs_path``, ``needs_labels`` and
``needs_copies``, where true, ask for those parts of a snapshot, of the task or
of the ensemble.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

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
    task: object
    target: torch.Tensor | None = None
    output: torch.Tensor | None = None
    start: torch.Tensor | None = None
    path: torch.Tensor | None = None


def loss(s):
    """Training loss of every network, without weight decay; (g, 1 + M)."""
    return s.task.loss.values(s.output.flatten(0, 1), s.target).view(s.params.shape[:2])


def accuracy(s):
    """Share of training samples classified correctly; (g, 1 + M)."""
    return (s.output.argmax(2) == s.task.y).double().mean(-1)


def test_accuracy(s):
    """Share of test samples classified correctly; (g, 1 + M)."""
    flat = s.params.flatten(0, 1)
    predicted = s.task.network.outputs(flat, s.task.x_test).argmax(-1)  # (g (1 + M), N)
    return (predicted == s.task.y_test).double().mean(-1).view(s.params.shape[:2])


test_accuracy.__test__ = False  # the name is no test's


def norm(s):
    """Euclidean norm ‖W‖ of every network; (g, 1 + M)."""
    return torch.linalg.vector_norm(s.params, dim=-1)


def distance(s):
    """L1 distance of every copy from its reference, d_j = Σ_k |w_k − w'_k|; (g, M)."""
    return torch.linalg.vector_norm(s.params[:, 1:] - s.params[:, :1], ord=1, dim=-1)


def mean_distance(s):
    """d̄ = mean of d_j over the M copies of a reference; (g,)."""
    return distance(s).mean(-1)


def weights(s):
    """The parameters themselves, (g, 1 + M, P): for few networks or few epochs."""
    return s.params.clone()


def displacement(s):
    """Net displacement of each parameter since epoch 0, Δw = |w(t) − w(0)| (D, section 3.1); (g, 1
    + M, P).
    """
    return (s.params - s.start).abs_()


def path_length(s):
    """Distance travelled by each parameter up to now, D_w = Σ|w(t + 1) − w(t)| over every epoch;
    (g, 1 + M, P).
    """
    return s.path.clone()


for _f in (loss, accuracy, test_accuracy, norm, weights, displacement, path_length):
    _f.per = "network"
distance.per, mean_distance.per = "copy", "group"
loss.needs_output = accuracy.needs_output = True
accuracy.needs_labels = test_accuracy.needs_labels = True
distance.needs_copies = mean_distance.needs_copies = True
displacement.needs_start = path_length.needs_path = True

_NAMED = {
    f.__name__: f
    for f in (
        loss,
        accuracy,
        test_accuracy,
        norm,
        distance,
        mean_distance,
        weights,
        displacement,
        path_length,
    )
}


def of_reference(name):
    """A named observable of one network, looked at in the references alone: (g,), called
    ``reference_…``.

    Raises
    ------
    ValueError
        For an observable that is not one value for each network.
    """
    name, function = named(name)
    if getattr(function, "per", None) != "network":
        raise ValueError(
            f"{name} is not observed for each network: it has no value for a reference alone"
        )

    def reference(s):
        parts = {k: getattr(s, k) for k in ("params", "output", "start", "path")}
        return function(replace(s, **{k: v if v is None else v[:, :1] for k, v in parts.items()}))[
            :, 0
        ]

    reference.__name__ = f"reference_{name}"
    reference.per = "reference"
    for what in ("output", "start", "path", "labels"):
        setattr(reference, f"needs_{what}", needs(function, what))
    return reference


def named(name):
    """An observable's name and function, from its name or the function itself.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the known.
    """
    if callable(name):
        return getattr(name, "__name__", type(name).__name__), name
    if name not in _NAMED:
        raise ValueError(f"unknown observable {name!r}; known: {', '.join(_NAMED)}")
    return name, _NAMED[name]


def needs(observable, what):
    """Whether an observable needs the ``"output"``, ``"start"``, ``"path"``, ``"labels"`` or
    ``"copies"``.
    """
    return getattr(observable, f"needs_{what}", False)


def collect(observe, task, copies):
    """Observables by name, a dict, for a task and references with so many perturbed ``copies``.

    Raises
    ------
    ValueError
        For an unknown name, two functions of one name, an unknown ``per``, or
        an observable that needs class labels or copies where there are none.
    """
    found = {}
    for name, function in map(
        named, (observe,) if isinstance(observe, str) or callable(observe) else observe
    ):
        if found.setdefault(name, function) is not function:
            raise ValueError(f"two observables are called {name!r}: give one another __name__")
        if getattr(function, "per", None) not in (None, "network", "copy", "reference", "group"):
            raise ValueError(
                f"{name} is declared per {function.per!r}; known: network, copy, reference, group"
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
            f"{name} needs class labels, but the targets of task {task.name!r} are {task.y.dtype} of shape "
            f"{tuple(task.y.shape)}: a regression has no accuracy; observe its loss"
        )


def look(name, observable, snapshot, gone=None):
    """The value of an observable, NaN where it depends on networks that have diverged.

    ``gone`` (g, 1 + M) bool marks those networks.  Values that are not floating
    point cannot be NaN, and stay.

    Raises
    ------
    ValueError
        For a value whose axes are not what the observable declares.
    """
    value = observable(snapshot)
    per = getattr(observable, "per", None)
    groups, networks = snapshot.params.shape[:2]
    axes = {"network": (groups, networks), "copy": (groups, networks - 1)}.get(per, (groups,))
    if tuple(value.shape[: len(axes)]) != axes:
        raise ValueError(
            f"observable {name} has shape {tuple(value.shape)}; expected {axes} first, {per or 'group'} by {per or 'group'}"
        )
    if gone is None or not value.is_floating_point():
        return value
    mask = {
        "network": lambda: gone,
        "copy": lambda: gone[:, 1:] | gone[:, :1],
        "reference": lambda: gone[:, 0],
    }.get(per, lambda: gone.any(1))()
    return value.masked_fill(mask.view(mask.shape + (1,) * (value.dim() - mask.dim())), math.nan)


def without_copies(observable, values):
    """Observations (B, n, 1, …) of lone references without the axis of networks, (B, n, …).

    An observable that is declared per group has no such axis.
    """
    has_axis = (
        values.ndim > 2 and values.shape[2] == 1 and getattr(observable, "per", None) != "group"
    )
    return values[:, :, 0] if has_axis else values


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


def straightness(displacement, path):
    """Straightness of every weight's way, from its ``displacement`` and ``path`` length, (n, P)
    each.

    Raises
    ------
    ValueError
        For arrays of other or different shapes.
    """
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


def first_hit(epochs, curves, target, sustained=1):
    """First observed epoch from which a curve is at least ``target`` for ``sustained``
    observations.

    (…), NaN for never, for ``epochs`` (T,) and ``curves`` (T, …).  Curves that
    never arrive are censored, not large: report their share beside any mean.

    Raises
    ------
    ValueError
        For ``sustained`` that is no whole number from 1 to T.
    """
    curves = np.asarray(curves, dtype=float)
    sustained = whole(sustained, "sustained", 1, len(curves), cause="observations of a curve")
    good = curves >= target
    windows = np.lib.stride_tricks.sliding_window_view(good, sustained, axis=0).all(-1)
    return np.where(windows.any(0), np.asarray(epochs, dtype=float)[windows.argmax(0)], np.nan)


def collapse(by_radius):
    """Largest relative difference between two scaled curves d̄(t)/ε: the largest over t of max/min
    − 1.

    ``by_radius`` maps each ε to distances (T, M).  Zero for an exactly linear
    response to the same directions.
    """
    scaled = np.array([np.asarray(d).mean(1) / radius for radius, d in by_radius.items()])
    return float((scaled.max(0) / scaled.min(0) - 1).max())


def radial_loss(task, params, factors):
    """Training loss with all parameters scaled, L(αW): (k, n) for ``params`` (n, P) and k
    ``factors`` α.

    Falling with α at α = 1, it shows a basin that opens outward from the origin.
    """
    return np.stack([task.objectives(float(a) * params).cpu().numpy() for a in factors])


def weight_importance(task, params):
    """Change of the training loss on setting one parameter at a time to zero (D, Fig. 5).

    ``params`` is (P,); the result is (P,), L(w_k = 0) − L.
    """
    silenced = params.repeat(len(params), 1)
    silenced.fill_diagonal_(0.0)
    return (task.objectives(silenced) - task.objective(params)).cpu().numpy()


def importances(task, params):
    """:func:`weight_importance` of stacked networks, (n, P) for ``params`` (n, P)."""
    return np.stack([weight_importance(task, p) for p in params])


def misclassified(task, params):
    """Which training and test samples one network, ``params`` (P,), gets wrong; two bool arrays.

    Raises ValueError for a task without class labels.
    """
    _check_labels(task, "misclassified")
    wrong = []
    for x, y in ((task.x, task.y), (task.x_test, task.y_test)):
        wrong.append((task.network.forward(params, x).argmax(-1) != y).cpu().numpy())
    return tuple(wrong)


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
