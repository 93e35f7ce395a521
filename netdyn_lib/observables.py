"""What is observed of a trajectory: loss, accuracy, distance, norm, displacement.

An observable is a function of a :class:`Snapshot`, one chunk of an ensemble at
one epoch, and returns a tensor whose first axis is the chunk's.  Those with a
name can be asked for by name.
"""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass
class Snapshot:
    """A chunk of an ensemble at one epoch.

    ``params`` is (g, 1 + M, P): g references, each first in its group, with M
    copies.  ``output`` (g, 1 + M, C, N) is the network's output on the
    training samples, present when an observable needs it.
    """

    epoch: int
    params: torch.Tensor
    task: object
    target: torch.Tensor | None = None
    output: torch.Tensor | None = None


def loss(s):
    """Training loss of every network, without weight decay; (g, 1 + M)."""
    return s.task.loss.values(s.output.flatten(0, 1), s.target).view(s.params.shape[:2])


def accuracy(s):
    """Share of training samples classified correctly; (g, 1 + M)."""
    return (s.output.argmax(2) == s.task.y).double().mean(-1)


def test_accuracy(s):
    """Share of test samples classified correctly; (g, 1 + M)."""
    flat = s.params.flatten(0, 1)
    forward = s.task.network.forward
    batched = forward if hasattr(s.task.network, "matrices") else torch.func.vmap(forward, in_dims=(0, None))
    predicted = batched(flat, s.task.x_test).argmax(-1)  # (g (1 + M), N)
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
    """The parameters themselves, (g, 1 + M, P): for few networks."""
    return s.params.clone()


for _f in (loss, accuracy):
    _f.needs_output = True

_NAMED = {f.__name__: f for f in (loss, accuracy, test_accuracy, norm, distance, mean_distance, weights)}


def named(name):
    """An observable by name, or the function itself if it is one.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the known.
    """
    if callable(name):
        return name.__name__, name
    if name not in _NAMED:
        raise ValueError(f"unknown observable {name!r}; known: {', '.join(_NAMED)}")
    return name, _NAMED[name]


def displacement(weights):
    """Net displacement of each weight, Δw = |w(T) − w(0)| (D, section 3.1).

    ``weights`` is (T + 1, …, P) over time; the result is (…, P).
    """
    weights = np.asarray(weights)
    return np.abs(weights[-1] - weights[0])


def path_length(weights):
    """Distance travelled by each weight, D_w = Σ_t |w(t + 1) − w(t)|; shapes as in :func:`displacement`."""
    return np.abs(np.diff(np.asarray(weights), axis=0)).sum(0)


@dataclass(frozen=True)
class Straightness:
    """How straight weights travel, for n networks: displacement Δw against path length D_w.

    ``ratio`` (n, P) is Δw/D_w, 1 on a straight way (NaN for a weight that never
    moved); ``slope`` and ``correlation`` (n,) are those of the line Δw on D_w
    over a network's weights.
    """

    ratio: np.ndarray
    slope: np.ndarray
    correlation: np.ndarray


def straightness(weights):
    """Straightness of every weight's way, from ``weights`` (T + 1, n, P)."""
    moved, travelled = displacement(weights), path_length(weights)
    x = travelled - travelled.mean(1, keepdims=True)
    y = moved - moved.mean(1, keepdims=True)
    xy, xx, yy = (x * y).sum(1), (x * x).sum(1), (y * y).sum(1)
    ratio = np.divide(moved, travelled, out=np.full_like(moved, np.nan), where=travelled > 0)
    return Straightness(ratio, xy / xx, xy / np.sqrt(xx * yy))


def collapse(by_radius):
    """Largest relative deviation of a scaled curve d̄(t)/ε from the median of them all.

    ``by_radius`` maps each ε to distances (T, M).  Zero for an exactly linear
    response to the same directions.
    """
    scaled = np.array([np.asarray(d).mean(1) / radius for radius, d in by_radius.items()])
    return float(np.abs(scaled / np.median(scaled, axis=0) - 1).max())


def radial_loss(task, params, factors):
    """Training loss with all parameters scaled, L(αW): (k, n) for ``params`` (n, P) and k ``factors`` α.

    Falling with α at α = 1, it shows a basin that opens outward from the origin.
    """
    objective = torch.func.vmap(task.objective)
    return np.stack([objective(float(a) * params).cpu().numpy() for a in factors])


def weight_importance(task, params):
    """Change of the training loss on setting one parameter at a time to zero (D, Fig. 5).

    ``params`` is (P,); the result is (P,), L(w_k = 0) − L.
    """
    silenced = params.repeat(len(params), 1)
    silenced.fill_diagonal_(0.0)
    objective = torch.func.vmap(task.objective)
    return (objective(silenced) - task.objective(params)).cpu().numpy()


def importances(task, params):
    """:func:`weight_importance` of stacked networks, (n, P) for ``params`` (n, P)."""
    return np.stack([weight_importance(task, p) for p in params])


def misclassified(task, params):
    """Which training and test samples one network, ``params`` (P,), gets wrong; two bool arrays."""
    wrong = []
    for x, y in ((task.x, task.y), (task.x_test, task.y_test)):
        wrong.append((task.network.forward(params, x).argmax(-1) != y).cpu().numpy())
    return tuple(wrong)
