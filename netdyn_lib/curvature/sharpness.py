"""Sharpness along training: the edge of stability, epoch by epoch.

Jiménez-González 2025, appendix C and Fig. 14.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .. import torch_utils
from ..tasks.networks import MLP
from ..tasks.tasks import Task
from ..torch_utils import Stopped
from ..training import gradient_descent
from ..training.gradient_descent import GradientDescent
from ..validation import floats
from .hessian import TrainingHessian
from .lanczos import lanczos


@dataclass(frozen=True)
class Track:
    """Sharpness of n networks along training: ``epochs`` (T,), all other arrays (T, n).

    ``values`` is NaN where a network has diverged.  ``products`` counts the Hessian–vector products
    spent; ``residuals`` |Hv − λv| and ``converged`` are those of
    :class:`netdyn_lib.curvature.lanczos.Eigenpair`.
    """

    epochs: np.ndarray
    values: np.ndarray
    products: np.ndarray
    residuals: np.ndarray
    converged: np.ndarray


def track(
    task: Task,
    trajectory: Iterable[tuple[int, Tensor]],
    tolerance: float = 1e-6,
    weight_decay: float | None = None,
    stop: Callable[[], bool] | None = None,
) -> Track:
    """Return the sharpness along trajectories, epoch by epoch, each from one fixed random start.

    Parameters
    ----------
    task : Task
    trajectory : iterable
        Pairs (epoch, parameters (n, P)) as they come; only the present one is held.
    tolerance : float
        As for :func:`netdyn_lib.curvature.lanczos.lanczos`.
    weight_decay : float, optional
        As for :class:`~netdyn_lib.curvature.hessian.TrainingHessian`.
    stop : callable, optional
        Asked before every network; where it returns true, the run ends with
        :class:`~netdyn_lib.torch_utils.Stopped`.
    """
    hessian_of = TrainingHessian(task, weight_decay=weight_decay)
    epochs: list[int] = []
    rows: list[list[tuple]] = []

    def solve(params):
        if stop is not None and stop():
            raise Stopped(f"stopped after the sharpness of {len(rows)} epochs")
        if not bool(params.isfinite().all()):
            return np.nan, 0, np.nan, False
        try:
            found = lanczos(hessian_of.at(params), hessian_of.size, None, tolerance)
        except FloatingPointError:  # weights so large that the loss overflows
            return np.nan, 0, np.nan, False
        return found.value, found.products, found.residual, found.converged

    # Each network keeps to one thread: threads that wait for each other cost more than they bring.
    # Products of other modules than perceptrons are derivatives in forward mode, of which PyTorch
    # computes one at a time in a process.
    alone = hessian_of.device.type == "cpu" and isinstance(task.network, MLP)
    with torch_utils.pool(torch.get_num_threads() if alone else 1, alone) as pool:
        for epoch, params in trajectory:
            epochs.append(epoch)
            rows.append(list(pool.map(solve, floats(params, hessian_of.device))))
    if not rows:
        raise ValueError("the trajectory has no epoch")
    values, products, residuals, converged = np.moveaxis(np.array(rows, dtype=float), 2, 0)
    return Track(np.array(epochs), values, products.astype(int), residuals, converged.astype(bool))


def along_descent(
    descent: GradientDescent,
    start: Tensor,
    epochs: int,
    at: Sequence[int],
    tolerance: float = 1e-6,
    stop: Callable[[], bool] | None = None,
) -> Track:
    """Return the sharpness while an ensemble (n, P) descends, without storing its trajectory.

    The weights observed within 100 epochs are held at a time.  ``at`` are the epochs at which
    sharpness is wanted; the penalty is the descent's own.  ``tolerance`` and ``stop`` are as for
    :func:`track`.
    """
    if np.ndim(start) != 2:
        raise ValueError(
            f"start has shape {tuple(np.shape(start))}: expected (n, P), references without copies"
        )
    blocks = gradient_descent.stream(descent, start, epochs, observe=("weights",), at=at, stop=stop)
    states = (pair for block, _ in blocks for pair in zip(block.epochs, block.values["weights"]))
    return track(descent.task, states, tolerance, descent.weight_decay, stop)
