"""Two networks as functions: hidden units matched, and the barrier on the line between them.

A perceptron of one hidden layer computes the same function after a permutation of its hidden units
and, for odd units, after a change of sign of all weights of a unit; for the sigmoid too, where the
output's bias makes up for it, since σ(−z) = 1 − σ(z).
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from .networks import MLP
from .tasks import Task


@torch.no_grad()
def matched(network: MLP, references: Tensor, others: Tensor) -> Tensor:
    """Return ``others`` (n, P) with hidden units reordered, and their signs changed, so that each
    is as near to its reference (n, P) as it can be, and the same function as before.

    With u_j the weights into and out of unit j, and its bias, the squared distance Σ|u_j − s_j
    u'_π(j)|² is least where Σ s_j u_j·u'_π(j) is largest: a linear assignment (Ainsworth 2023,
    weight matching; with one hidden layer it needs no iteration).  The sign s_j is +1 for ReLU.
    Rows that are not finite are NaN.

    Raises ValueError for a network without exactly one hidden layer.
    """
    if not isinstance(network, MLP) or len(network.sizes) != 3:
        raise ValueError(f"{network!r}: hidden units are matched in an MLP of one hidden layer")
    signed = network.activation.name in ("tanh", "sigmoid")
    found = torch.full_like(others, torch.nan)
    for row, (one, other) in enumerate(zip(references, others)):
        if not bool(one.isfinite().all() & other.isfinite().all()):
            continue
        (low, high), (below, above) = network.matrices(one), network.matrices(other.clone())
        alike = torch.cat([low, high[:, :-1].T], 1) @ torch.cat([below, above[:, :-1].T], 1).T
        gain = alike.abs() if signed else alike
        order = linear_sum_assignment(gain.numpy(), maximize=True)[1]
        sign = alike[torch.arange(len(order)), order].sign() if signed else torch.ones(len(order))
        sign = torch.where(sign == 0, 1.0, sign).to(other)
        out = above[:, :-1][:, order]
        bias = above[:, -1].clone()
        if network.activation.name == "sigmoid":
            bias += (out * (sign < 0)).sum(1)
        top = torch.cat([out * sign, bias[:, None]], 1)
        found[row] = torch.cat([(below[order] * sign[:, None]).flatten(), top.flatten()])
    return found


@dataclass(frozen=True)
class Barrier:
    """Barriers on the lines between n pairs of networks: of the training ``loss``, the largest
    excess over the line between the ends (n,), and of the training ``error``, over their mean.
    """

    loss: np.ndarray
    error: np.ndarray


@torch.no_grad()
def barrier(task: Task, references: Tensor, others: Tensor, points: int = 21) -> Barrier:
    """Return the barriers between ``references`` and ``others``, (n, P) each, at so many points of
    each line, the ends among them; NaN where an end is not finite.

    The error's is that of Frankle 2020, linear mode connectivity.
    """
    network = cast(MLP, task.network)
    target = task.loss.encode(task.y, network.sizes[-1]).to(task.x)
    shares = torch.linspace(0, 1, points, dtype=references.dtype)
    losses, errors = [], []
    for share in shares:
        output = network.outputs(torch.lerp(references, others, share), task.x)  # (n, N, C)
        losses.append(task.loss.values(output.transpose(1, 2), target))
        errors.append((output.argmax(-1) != task.y).double().mean(-1))
    loss, error = torch.stack(losses), torch.stack(errors)  # (points, n)
    line = torch.lerp(loss[0], loss[-1], shares[:, None])
    gone = ~(references.isfinite().all(1) & others.isfinite().all(1))
    found = (loss - line).amax(0), error.amax(0) - (error[0] + error[-1]) / 2
    return Barrier(*(value.masked_fill(gone, torch.nan).numpy() for value in found))


@torch.no_grad()
def apart(task: Task, references: Tensor, others: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return how far two functions are on the test set, pair by pair, (n,) each: the share of
    samples put in different classes, and the mean total variation distance of class probabilities.

    The latter is (1/2) Σ_c |p_c − p'_c|, between 0 and 1; NaN where an end is not finite.
    """
    one, other = (task.network.outputs(w, task.x_test) for w in (references, others))
    gone = ~(one.isfinite().all(-1).all(-1) & other.isfinite().all(-1).all(-1))
    classes = (one.argmax(-1) != other.argmax(-1)).double().mean(-1)
    far = (one.softmax(-1) - other.softmax(-1)).abs().sum(-1).mean(-1) / 2
    return classes.masked_fill(gone, torch.nan).numpy(), far.masked_fill(gone, torch.nan).numpy()
