"""Ensembles under momentum and Adam, their exponents, and their sharpness along training."""

import math

import numpy as np
import torch

from ... import torch_utils
from ...lyapunov import benettin
from ...training import gradient_descent, observables
from ...training.gradient_descent import Record
from ...validation import floats, whole
from .. import hessian, jacobian
from .maps import Optimizer, plain


@torch_utils.one()
def run(optimizer, start, epochs, observe=("loss",), every=1, at=None):
    """Iterate an ensemble and keep what was observed; as
    :func:`netdyn_lib.training.gradient_descent.run`, for momentum and Adam.

    Parameters
    ----------
    optimizer : Momentum or Adam
    start : torch.Tensor
        Weights (n, P), or (n, 1 + M, P) with perturbed copies, all else then zero; or states (n,
        D), (n, 1 + M, D), to go on.
    epochs : int
        Steps taken.
    observe, every, at
        As for :func:`netdyn_lib.training.gradient_descent.run`, of the weights; without
        ``"displacement"`` and ``"path_length"``.

    Returns
    -------
    netdyn_lib.training.gradient_descent.Record
        ``final`` are the *states* after the last step, (n, D) or (n, 1 + M, D).

    Raises
    ------
    ValueError
        For a start that fits neither weights nor states, an observable that is unknown or needs
        what is not there, or numbers that are none.
    """
    task = optimizer.task
    epochs, every = whole(epochs, "epochs"), whole(every, "every", 1)
    asked = None if at is None else np.ravel(at).tolist()
    chosen = (
        None
        if at is None
        else {whole(t, "epoch in at", 0, epochs, cause="the epochs of the run") for t in asked}
    )
    groups = _groups(optimizer, start)
    n, together, _ = groups.shape
    found = observables.collect(observe, task, copies=together - 1)
    for name, function in found.items():
        if observables.needs(function, "start") or observables.needs(function, "path"):
            raise ValueError(f"{name} is not kept here: observe weights, or take descent.run")
    rates = optimizer.descent.rates(n, groups.device).repeat_interleave(together)
    target = None
    gone, states = np.full((n, together), -1), groups.flatten(0, 1)
    epochs_seen, rows = [], {name: [] for name in found}
    with torch.no_grad():
        for t in range(epochs + 1):
            lost = ~states.isfinite().all(-1).view(n, together).cpu().numpy() & (gone < 0)
            gone[lost] = t
            if t % every == 0 if chosen is None else t in chosen:
                weights = optimizer.weights(states).view(n, together, -1)
                snapshot = observables.Snapshot(t, weights, task)
                if any(observables.needs(f, "output") for f in found.values()):
                    # (E, C, N)
                    output = task.network.outputs(weights.flatten(0, 1), task.x).transpose(1, 2)
                    target = task.loss.encode(task.y, output.shape[1]) if target is None else target
                    snapshot.output, snapshot.target = output.unflatten(0, (n, together)), target
                blank = (
                    torch.as_tensor(gone >= 0, device=states.device) if (gone >= 0).any() else None
                )
                epochs_seen.append(t)
                for name, function in found.items():
                    rows[name].append(observables.look(name, function, snapshot, blank))
            if t < epochs:
                states = optimizer.step(states, rates)
    if not epochs_seen:
        raise ValueError("at names no epoch: nothing would be observed")
    flat = np.ndim(start) == 2
    values = {name: torch.stack(row).cpu().numpy() for name, row in rows.items()}
    values = {
        name: observables.without_copies(found[name], v) if flat else v
        for name, v in values.items()
    }
    final = states.view(n, together, -1)
    return Record(
        np.array(epochs_seen),
        values,
        (final[:, 0] if flat else final).cpu(),
        gone[:, 0] if flat else gone,
    )


def _groups(optimizer, start):
    """A start as states (n, 1 + M, D)."""
    start = floats(start, optimizer.task.x.device)
    sizes = {optimizer.count: "weights", optimizer.size: "states"}
    if start.dim() not in (2, 3) or start.numel() == 0 or start.shape[-1] not in sizes:
        raise ValueError(
            f"start has shape {tuple(start.shape)}; expected (n, …) or (n, 1 + M, …) with {optimizer.count} numbers last (weights) "
            f"or {optimizer.size} (states of {type(optimizer).__name__})"
        )
    start = start[:, None] if start.dim() == 2 else start
    return optimizer.states(start) if start.shape[-1] == optimizer.count else start


@torch_utils.one()
def spectrum(method, start, steps, count=None, **options):
    """Lyapunov exponents of a method's map by QR, a :class:`~netdyn_lib.lyapunov.benettin.Spectrum`
    of whole states.

    ``method`` is Momentum, Adam or GradientDescent, ``start`` weights (n, P) or states (n, D);
    ``count`` k, by default all D but a clock.  ``options`` are those of
    :func:`netdyn_lib.lyapunov.benettin.spectrum`; a ``frame`` is one of the optimizer's.
    """
    if not isinstance(method, Optimizer):
        return benettin.spectrum(jacobian.of_descent(method), start, steps, count=count, **options)
    if options.get("frame") is None:
        options["frame"] = method.frame(count)
    return benettin.spectrum(method.advance, _groups(method, start)[:, 0], steps, **options)


@torch_utils.one()
def beside_tangent(method, ball, record):
    """Growth of one copy's distance in W, and of the tangent vector that starts as its
    displacement: ln relative to epoch 0, (T,) each.

    Both lengths are L1, of W alone.  Where they part, the copy is no longer infinitely near, or its
    digits are used up.

    Parameters
    ----------
    method : GradientDescent, Momentum or Adam
    ball : torch.Tensor
        Weights (1, 2, P): a reference and one copy.
    record : netdyn_lib.training.gradient_descent.Record
        Of a run from there, with ``mean_distance``.

    Raises
    ------
    ValueError
        For a ball of another shape.
    """
    if ball.dim() != 3 or ball.shape[:2] != (1, 2):
        raise ValueError(
            f"ball of shape {tuple(ball.shape)}: expected (1, 2, P), one reference and one copy"
        )
    own, advance = isinstance(method, Optimizer), advance_of(method)
    state, vector = ball[:, 0], (ball[:, 1] - ball[:, 0])
    if own:
        state, vector = method.states(state), method.states(vector)
    size, logs, scale = ball.shape[2], [], 0.0
    with torch.no_grad():
        for t in range(int(record.epochs[-1]) + 1):
            logs.append(scale + math.log(float(vector[0, :size].abs().sum())))
            length = float(vector.norm())
            scale, vector = scale + math.log(length), vector / length
            state, images = advance(state, vector[:, :, None])
            vector = images[:, :, 0]
    grown, parted = np.array(logs)[record.epochs], np.log(record["mean_distance"][:, 0])
    return parted - parted[0], grown - logs[0]


@torch_utils.one()
def sharpness_along(method, start, at):
    """Sharpness along training in units of the method's threshold, (T, n): 1 is the edge of
    stability.

    Parameters
    ----------
    method : GradientDescent, Momentum or Adam
        Plain descent's threshold is 2/η; with weight decay, sharpness is that of H + λ.
    start : torch.Tensor
        Weights (n, P).
    at : sequence of int
        Epochs, rising; for Adam from 1 on.

    Returns
    -------
    numpy.ndarray
        (T, n), NaN from where a network has diverged.

    Raises
    ------
    ValueError
        For epochs that do not rise, and as :func:`run`.
    """
    at = [whole(t, "epoch in at") for t in np.ravel(at).tolist()]
    if at != sorted(set(at)) or not at:
        raise ValueError(f"at = {at}: give at least one epoch, each once and in order")
    own = isinstance(method, Optimizer)
    state, now, rows = (
        (_groups(method, start)[:, 0] if own else floats(start, method.task.x.device)),
        0,
        [],
    )
    for t in at:
        take = run if own else gradient_descent.run
        state, now = take(method, state, t - now, ("norm",), at=(t - now,)).final.to(state), t
        alive = state.isfinite().all(1)
        row = np.full(len(state), math.nan)
        if bool(alive.any()):
            row[alive.cpu().numpy()] = _in_units(method, state, alive)
        rows.append(row)
    return np.stack(rows)


def _in_units(method, state, alive):
    if isinstance(method, Optimizer):
        found = method.sharpness(state[alive])
    else:
        found = hessian.sharpness(method.task.objective, state[alive]) + method.weight_decay
    threshold = threshold_of(method)
    return found / (threshold[alive.cpu().numpy()] if np.ndim(threshold) else threshold)


def threshold_of(method):
    """Largest stable sharpness of plain descent, 2/η, momentum or Adam, a float or one for each
    learning rate.
    """
    return method.threshold if isinstance(method, Optimizer) else plain(2 / method.learning_rate)


def advance_of(method):
    """The advance of plain descent, momentum or Adam for the algorithms of
    :mod:`netdyn_lib.lyapunov`.
    """
    return method.advance if isinstance(method, Optimizer) else jacobian.of_descent(method)
