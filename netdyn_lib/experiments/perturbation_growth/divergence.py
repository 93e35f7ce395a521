"""Following twins: a reference and perturbed copies that learn from the same batches."""

from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from ... import torch_utils
from ...tasks import gradients
from ...torch_utils import Stopped, quiet
from ...training import minibatches
from ...validation import floats, positive, whole


@dataclass(frozen=True)
class Divergence:
    """A reference and d twins, observed before T steps, ``steps`` (T,).

    ``distance`` (T, d) is ‖W' − W‖₂ of each twin to the reference; ``loss``, ``test_loss`` and
    ``test_accuracy`` (T, 1 + d) are of the reference first, on all training and all test samples
    (accuracy is NaN for targets that are no labels).  ``names`` (d,) says which direction each twin
    took, ``epsilon`` (d,) how far.  ``final`` and ``velocity`` (1 + d, P) go on where the run
    ended.  A twin that overflows has NaN, or infinity, from there on.
    """

    names: tuple
    epsilon: np.ndarray
    steps: np.ndarray
    distance: np.ndarray
    loss: np.ndarray
    test_loss: np.ndarray
    test_accuracy: np.ndarray
    final: torch.Tensor
    velocity: torch.Tensor


def diverge(
    task, params, rate, batch, steps, directions, epsilon=0.1, seed=0, every=100, **options
):
    """Perturb a network by ε along directions, and follow it and its twins.

    Parameters
    ----------
    task : Task
        Without weight decay.
    params : torch.Tensor
        (P,), the reference before the first step.
    rate : float
        γ.
    batch, steps : int
        Samples of a batch, steps to take.
    directions : dict
        Name → (P,), of any length but zero; as from
        :func:`netdyn_lib.experiments.perturbation_growth.strategies`.
    epsilon : float or sequence of float
        ε, in the L2 norm; with several, each direction has a twin at each, directions innermost.
    seed, every
        Of the order of samples; observe at steps that are multiples.
    options
        ``start``, ``momentum``, ``velocity``, ``stop`` and ``progress``, as for :func:`follow`.

    Returns
    -------
    Divergence

    Raises
    ------
    ValueError
        For no directions, one of length zero or another shape, ε not positive; as :func:`follow`.
    """
    params = floats(params, task.x.device)
    sizes = [
        positive(e, "epsilon", "the length of a perturbation") for e in np.ravel(epsilon).tolist()
    ]
    if not directions or not sizes:
        raise ValueError("no directions, or no epsilon: there is no twin to follow")
    names, twins, lengths = [], [params], []
    for size in sizes:
        for name, vector in directions.items():
            vector = floats(vector, params.device)
            norm = float(vector.norm())
            if vector.shape != params.shape or not 0 < norm < np.inf:
                raise ValueError(
                    f"direction {name!r} of shape {tuple(vector.shape)} and length {norm}: expected {tuple(params.shape)}, not zero"
                )
            twins.append(params + size / norm * vector)
            names.append(name)
            lengths.append(size)
    return follow(
        task,
        torch.stack(twins),
        rate,
        batch,
        steps,
        seed,
        every,
        names=names,
        epsilon=lengths,
        **options,
    )


@torch.no_grad()
def follow(
    task,
    group,
    rate,
    batch,
    steps,
    seed=0,
    every=100,
    *,
    start=0,
    momentum=0.0,
    velocity=None,
    names=None,
    epsilon=None,
    stop=None,
    progress=None,
):
    """Follow a reference and its twins, also one that was broken off: give ``final``, ``velocity``
    and the step as ``start``.

    Parameters
    ----------
    task, rate, batch, steps, seed, every
        As for :func:`diverge`.
    group : torch.Tensor
        (1 + d, P), the reference first, before step ``start``.
    momentum, velocity
        μ and the velocities (1 + d, P) at ``start``, zero where not given: u ← μ u + g, W ← W − γ
        u.
    names, epsilon : sequence, optional
        Of the twins, (d,); by default numbers, and the distances at ``start``.
    stop : callable, optional
        Asked before every step; where it answers true, all is given up with
        :class:`~netdyn_lib.torch_utils.Stopped`.
    progress : bool, optional

    Returns
    -------
    Divergence

    Raises
    ------
    ValueError
        For numbers out of bounds, shapes that disagree, or a task with weight decay.
    """
    if task.weight_decay:
        raise ValueError(
            f"weight_decay = {task.weight_decay}: mini-batch descent is of the loss alone; take a task without"
        )
    group = floats(group, task.x.device)
    if group.dim() != 2 or group.shape[1] != task.network.count or len(group) < 2:
        raise ValueError(
            f"group of shape {tuple(group.shape)}: expected (1 + d, {task.network.count}), a reference and at least 1 twin"
        )
    velocity = torch.zeros_like(group) if velocity is None else floats(velocity, group.device)
    if velocity.shape != group.shape:
        raise ValueError(
            f"velocity of shape {tuple(velocity.shape)} for a group {tuple(group.shape)}: must be the same"
        )
    rate, momentum = positive(rate, "rate", "γ"), minibatches.momentum(momentum)
    start, steps, every = whole(start, "start"), whole(steps, "steps"), whole(every, "every", 1)
    names = tuple(range(len(group) - 1)) if names is None else tuple(names)
    epsilon = (group[1:] - group[:1]).norm(dim=1).tolist() if epsilon is None else epsilon
    minibatches.per_epoch(len(task.x), batch)
    bar = tqdm(total=steps, unit="step", disable=quiet(progress), leave=False)
    with bar, torch_utils.pool(1, alone=group.device.type == "cpu") as pool:

        def advance():
            with torch.no_grad():  # here, for each thread has its own
                w, u, marks, seen = group, velocity, [], []
                for t in range(start, start + steps + 1):
                    if t % every == 0:
                        marks.append(t)
                        seen.append(_observed(task, w))
                    if t == start + steps:
                        return w, u, np.array(marks, dtype=int), seen
                    if stop is not None and stop():
                        raise Stopped(f"stopped before step {t}")
                    index = torch.tensor(
                        minibatches.at(len(task.x), batch, t, seed), device=w.device
                    )
                    slope = gradients.of(minibatches.batch_task(task, index))(w)  # (1 + d, P)
                    u = momentum * u + slope if momentum else slope
                    w = w - rate * u
                    bar.update()

        w, u, marks, seen = pool.submit(advance).result()
    columns = (
        [np.array(column).reshape(len(marks), -1) for column in zip(*seen)]
        if seen
        else [np.empty((0, 0))] * 4
    )
    return Divergence(names, np.array(epsilon), marks, *columns, w.cpu(), u.cpu())


def _observed(task, group):
    """Distances (d,), and training loss, test loss and test accuracy (1 + d,)."""
    distance = (group[1:] - group[:1]).norm(dim=1)
    outputs = [[task.network.forward(w, x) for w in group] for x in (task.x, task.x_test)]
    loss, test = (
        [task.loss.value(output, y) for output in some]
        for some, y in zip(outputs, (task.y, task.y_test))
    )
    labels = not task.y_test.is_floating_point()
    right = [
        (output.argmax(-1) == task.y_test).double().mean() if labels else np.nan
        for output in outputs[1]
    ]
    return distance.tolist(), *([float(value) for value in some] for some in (loss, test, right))
