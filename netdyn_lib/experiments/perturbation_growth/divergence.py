"""Following perturbed copies: a reference and copies that learn from the same batches."""

from dataclasses import dataclass

import numpy as np
import torch

from ... import torch_utils
from ...tasks import gradients, networks
from ...training import minibatches
from ...validation import positive, whole


@dataclass(frozen=True)
class Divergence:
    """A reference and d perturbed copies, observed before T steps, ``steps`` (T,).

    ``distance`` (T, d) is ‖W' − W‖₂ of each copy to the reference; ``test_loss`` and
    ``test_accuracy`` (T, 1 + d) are of the reference first, on all test samples (accuracy is NaN
    for targets that are no labels).  A copy that overflows has NaN, or infinity, from there on.
    """

    steps: np.ndarray
    distance: np.ndarray
    test_loss: np.ndarray
    test_accuracy: np.ndarray


def diverge(descent, network, steps, every, directions, epsilon=0.1):
    """Perturb a network by ε along directions, and follow it and its copies.

    Parameters
    ----------
    descent : netdyn_lib.experiments.sgd_spectra.MiniBatchDescent
    network : int
        The number of the reference.
    steps, every : int
        Steps to take; those that are multiples of ``every`` are observed.
    directions : sequence of torch.Tensor
        (P,), of any length but zero; as from
        :func:`netdyn_lib.experiments.perturbation_growth.directions.strategies`.
    epsilon : float or sequence of float
        ε, in the L2 norm; with several, each direction has a copy at each, directions innermost.

    Returns
    -------
    Divergence
    """
    task, start = descent.task, descent.initial(network)
    if task.weight_decay:
        raise ValueError(
            f"weight_decay = {task.weight_decay}: mini-batch descent is of the loss alone;"
            " take a task without"
        )
    sizes = [positive(e, "epsilon", "the length of a perturbation") for e in np.ravel(epsilon)]
    if not len(directions) or not sizes:
        raise ValueError("no directions, or no epsilon: there is no copy to follow")
    group = [start]
    for size in sizes:
        for vector in directions:
            if not 0 < float(vector.norm()) < np.inf:
                raise ValueError(f"a direction of length {float(vector.norm())}: must not be zero")
            group.append(start + size / vector.norm() * vector)
    steps, every = whole(steps, "steps"), whole(every, "every", 1)
    rate = positive(descent.rate, "rate", "γ")
    minibatches.per_epoch(len(task.x), descent.batch)
    order, marks, seen = descent.order(network), range(0, steps + 1, every), []

    def follow():
        w = torch.stack(group)
        for t in range(steps + 1):
            if t in marks:
                seen.append(_observed(task, w))
            index = minibatches.at(len(task.x), descent.batch, t, order)
            part = minibatches.batch_task(task, torch.tensor(index, device=w.device))
            w = w - rate * gradients.of(part)(w)

    with torch_utils.pool(1, alone=start.device.type == "cpu") as pool:
        pool.submit(torch.no_grad()(follow)).result()
    return Divergence(np.array(marks), *map(np.array, zip(*seen)))


def _observed(task, group):
    """Return distances (d,), and test loss and test accuracy (1 + d,)."""
    outputs = [task.network.forward(w, task.x_test) for w in group]
    labels = not task.y_test.is_floating_point()
    right = [(o.argmax(-1) == task.y_test).double().mean() if labels else np.nan for o in outputs]
    losses = [float(task.loss.value(output, task.y_test)) for output in outputs]
    return (group[1:] - group[0]).norm(dim=1).tolist(), losses, [float(value) for value in right]


def independent(network, scheme="pytorch"):
    """Return √E‖ΔW‖², the distance of two independently drawn networks, parameters uniform on
    (−a, a).

    E‖ΔW‖² = Σ 2 a²/3, twice the variance of each.  For PyTorch's default, a² = 1/fan in, each layer
    adds 2 (fan in + 1) units/(3 fan in).

    Herrmann 2022 prints 6.38.  For 256-20-10 the distance is 4.515, and 4.511 for the 784-20-10 of
    the text; √2 times the latter is 6.380: as if each parameter's difference had four times its
    variance, not twice.

    ``scheme`` is one of the uniform :data:`netdyn_lib.tasks.networks.SCHEMES`, ``"pytorch"``
    or ``"glorot"``.

    >>> from netdyn_lib.tasks.networks import MLP
    >>> round(independent(MLP((256, 20, 10))), 3)
    4.515
    >>> round(2**0.5 * independent(MLP((784, 20, 10))), 3)
    6.38
    """
    if scheme not in UNIFORM:
        raise ValueError(f"scheme = {scheme!r}: must be one of {', '.join(UNIFORM)}, uniform ones")
    return float(np.sqrt(2 / 3 * (networks.half_widths(network, scheme) ** 2).sum()))


#: Schemes of initial weights that are uniform.
UNIFORM = ("pytorch", "glorot")
