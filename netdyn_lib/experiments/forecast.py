"""What the reduced map foretells of networks, from one state and with nothing fitted, and how far
it is off.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..series import phases
from . import reduced
from .saturation import check_parameters, measure


def class_frequencies(task):
    """q: share of each class in the training set, (C,).

    A whole class missing would be a fault of the split, and counts as 0.
    """
    classes = task.network.sizes[-1]
    return np.bincount(task.y.cpu().numpy(), minlength=classes) / len(task.y)


def predict(task, params, learning_rate, steps):
    """Loss of networks as the reduced map foretells it from their present state.

    Nothing is fitted: h and z are the means over the training samples, q is
    counted.

    Parameters
    ----------
    task : Task
    params : array or torch.Tensor, shape (..., P)
    learning_rate : float
    steps : int

    Returns
    -------
    array, shape (steps + 1, ...)

    Raises
    ------
    ValueError
        As :func:`netdyn_lib.experiments.saturation.measure`.
    """
    state = measure(task, params)
    target = class_frequencies(task)
    orbit = reduced.orbit(state.logits, learning_rate * state.kappa, target, steps)
    return reduced.loss(orbit, target)


def predict_frozen(task, params, learning_rate, steps):
    """Loss of networks whose hidden layer is frozen as it is, each sample with its own hidden
    vector.

    With logits z_s and hidden vectors h_s of N samples,
    ``z_s(t + 1) = z_s(t) − (η/N) Σ_r (h_s·h_r + 1)(softmax(z_r(t)) − y_r)``:
    descent of the output layer alone.  What it misses is due to hidden units
    that move; what :func:`predict` misses beyond that, to samples that differ.

    Parameters, result and errors as :func:`predict`.
    """
    params = check_parameters(task, params)
    lead = params.shape[:-1]
    losses = []
    for some in params.reshape(-1, params.shape[-1]).split(256):
        h = task.network.hidden(some, task.x)
        h = torch.cat([h, torch.ones_like(h[..., :1])], dim=-1)  # (m, N, U + 1)
        outer = task.network.matrices(some)[-1].clone()  # (m, C, U + 1)
        y = torch.nn.functional.one_hot(task.y, outer.shape[1]).to(h.dtype)  # (N, C)
        part = []
        for _ in range(steps + 1):
            z = h @ outer.transpose(1, 2)  # (m, N, C)
            log_p = torch.log_softmax(z, dim=-1)
            part.append(-(log_p * y).sum(-1).mean(-1))
            outer -= learning_rate / len(y) * (log_p.exp() - y).transpose(1, 2) @ h
        losses.append(torch.stack(part))
    return torch.cat(losses, dim=1).cpu().numpy().reshape(steps + 1, *lead)


@dataclass(frozen=True)
class Forecast:
    """Losses foretold from the states at some blocks, beside those that followed.

    Attributes
    ----------
    predicted, true : array, shape (horizon + 1, K, n)
        From each of K blocks of n trajectories.
    range : array, shape (n,)
        max - min of the loss of each whole trajectory.
    block : int
    """

    predicted: np.ndarray
    true: np.ndarray
    range: np.ndarray
    block: int

    @property
    def error(self):
        """``|predicted - true| / range``, (horizon + 1, K, n)."""
        return np.abs(self.predicted - self.true) / self.range

    def labels(self, tolerance=1e-3, longest=12):
        """Period of each foretold block, (K, n), by the rule and the scale of the true ones."""
        scale = np.broadcast_to(self.range, self.predicted.shape[1:])
        return phases.classify(self.predicted[: self.block], self.block, tolerance, longest, scale)[
            0
        ]

    def typical(self, where):
        """``(block, trajectory)`` in the mask ``where`` (K, n) whose error at the horizon is the
        median (the lower).
        """
        blocks, trajectories = np.nonzero(where)
        last = self.error[-1][where]
        k = np.argsort(last, kind="stable")[(len(last) - 1) // 2]
        return int(blocks[k]), int(trajectories[k])

    def quantiles(self, where, levels=(0.1, 0.5, 0.9)):
        """Quantiles of the error over the blocks ``where`` (K, n): (levels, horizon + 1)."""
        return np.quantile(self.error[:, where], levels, axis=1)


def from_blocks(task, trajectories, learning_rate, horizon, blocks, model=predict):
    """Foretell the loss from the states at the start of some blocks.

    Parameters
    ----------
    task : Task
    trajectories : netdyn_lib.training.trajectories.Trajectories
        With the loss observed.
    learning_rate : float
    horizon : int
        Steps ahead, at least one block.
    blocks : sequence of int
        Blocks to start from.
    model : callable
        :func:`predict` or :func:`predict_frozen`.

    Returns
    -------
    Forecast

    Raises
    ------
    ValueError
        For a horizon shorter than a block, or that leads beyond the last
        epoch.
    """
    loss, block = trajectories["loss"], trajectories.block
    starts = np.asarray(blocks) * block
    if horizon < block or starts.max() + horizon >= len(loss):
        raise ValueError(
            f"a horizon of {horizon} from epoch {starts.max()} must be at least a block of {block} "
            f"and end by epoch {len(loss) - 1}"
        )
    true = loss[starts + np.arange(horizon + 1)[:, None]]  # (horizon + 1, K, n)
    predicted = model(task, trajectories.states[np.asarray(blocks)], learning_rate, horizon)
    return Forecast(predicted, true, np.ptp(loss, axis=0), block)
