"""Sharpness along training: the edge of stability, epoch by epoch (J, appendix C and Fig. 14).

From one epoch to the next the top eigenvector turns little, so a search may
start from the one before.
"""

from dataclasses import dataclass

import numpy as np
import torch

from .. import torch_utils
from ..tasks.networks import MLP
from ..torch_utils import Stopped
from ..training import gradient_descent as engine
from ..validation import floats
from . import lanczos as eigen
from .hessian import BLOCK, TrainingHessian


@dataclass(frozen=True)
class Track:
    """Sharpness of n networks along training: ``epochs`` (T,), all other arrays (T, n).

    ``values`` is NaN where a network has diverged.  ``products`` counts the
    Hessian–vector products spent; ``residuals`` |Hv − λv| and ``converged`` are those of
    :class:`netdyn_lib.curvature.lanczos.Eigenpair`.
    """

    epochs: np.ndarray
    values: np.ndarray
    products: np.ndarray
    residuals: np.ndarray
    converged: np.ndarray


def track(
    task,
    trajectory,
    method="lanczos",
    tolerance=1e-6,
    most=1000,
    warm=None,
    block=BLOCK,
    weight_decay=None,
    stop=None,
):
    """Sharpness along trajectories, epoch by epoch.

    Parameters
    ----------
    task : Task
    trajectory : array_like or iterable
        (T, n, P), or pairs (epoch, (n, P)) as they come; only the present one is held.
    method : {"lanczos", "power"}
        ``"power"`` is the paper's (J, appendix C).
    tolerance, most
        As for :func:`netdyn_lib.curvature.lanczos.lanczos`, ``most`` for each value.
    warm : bool, optional
        Whether each epoch starts from the eigenvector of the one before, or anew from one fixed
        random vector.  By default power iteration does, which saves it many products, and Lanczos
        does not: it takes 16 products at least, and few more either way.
    block, weight_decay
        As for :class:`TrainingHessian`.
    stop : callable, optional
        As for :func:`along_descent`.

    Returns
    -------
    Track

    Raises
    ------
    ValueError
        For an unknown method, a trajectory of no epoch, or one that is not (T, n, P).
    """
    if method not in ("lanczos", "power"):
        raise ValueError(f"unknown method {method!r}; known: lanczos, power")
    if hasattr(trajectory, "shape"):
        if len(trajectory.shape) != 3:
            raise ValueError(f"trajectory of shape {tuple(trajectory.shape)}: expected (T, n, P)")
        trajectory = enumerate(trajectory)
    warm = method == "power" if warm is None else warm
    hessian_of = TrainingHessian(task, block, weight_decay)
    cold = torch.from_numpy(np.random.default_rng(0).standard_normal(hessian_of.size))
    vectors, epochs, rows = {}, [], []

    def solve(k, params):
        if stop is not None and stop():
            raise Stopped(
                f"stopped before the sharpness of network {k}, after {len(rows)} epochs of them"
            )
        found = _solve(
            hessian_of, params, method, vectors.get(k) if warm else None, cold, tolerance, most
        )
        if found.vector is not None:
            vectors[k] = found.vector
        return found.value, found.products, found.residual, found.converged

    # Each network keeps to one thread: threads that wait for each other cost more than they bring.
    # Products of other modules than perceptrons are derivatives in forward mode, of which PyTorch
    # computes one at a time in a process.
    alone = hessian_of.device.type == "cpu" and isinstance(task.network, MLP)
    with torch_utils.pool(torch.get_num_threads() if alone else 1, alone) as pool:
        for epoch, params in trajectory:
            params = floats(params, hessian_of.device)
            epochs.append(epoch)
            rows.append(list(pool.map(solve, range(len(params)), params)))
    if not rows:
        raise ValueError("the trajectory has no epoch")
    values, products, residuals, converged = np.moveaxis(np.array(rows, dtype=float), 2, 0)
    return Track(np.array(epochs), values, products.astype(int), residuals, converged.astype(bool))


def _solve(hessian_of, params, method, start, cold, tolerance, most):
    diverged = eigen.Eigenpair(np.nan, None, np.nan, 0, False)
    if not bool(params.isfinite().all()):
        return diverged
    matvec = hessian_of.at(params)
    try:
        if method == "lanczos":
            return eigen.lanczos(matvec, hessian_of.size, start, tolerance, most)
        return eigen.power_iteration(matvec, cold if start is None else start, tolerance, most)
    except FloatingPointError:  # weights so large that the loss overflows
        return diverged


def along_descent(descent, start, epochs, at, stop=None, **options):
    """Sharpness while an ensemble descends, without storing its trajectory.

    The weights observed within 100 epochs are held at a time.  The penalty is
    the descent's own.

    Parameters
    ----------
    descent : GradientDescent
    start : torch.Tensor
        (n, P).
    epochs : int
        Steps taken.
    at : sequence of int
        The epochs at which sharpness is wanted.
    stop : callable, optional
        Asked before every epoch and every network; where it answers true, all is
        given up with :class:`~netdyn_lib.torch_utils.Stopped`.
    options
        ``method``, ``tolerance``, ``most``, ``warm``, ``block`` of :func:`track`.

    Returns
    -------
    Track

    Raises
    ------
    ValueError
        For a start that is not (n, P); as :func:`netdyn_lib.training.gradient_descent.run` and
        :func:`track`.
    """
    if np.ndim(start) != 2:
        raise ValueError(
            f"start has shape {tuple(np.shape(start))}: expected (n, P), references without copies"
        )
    blocks = engine.stream(descent, start, epochs, observe=("weights",), at=at, stop=stop)
    states = (pair for block, _ in blocks for pair in zip(block.epochs, block.values["weights"]))
    return track(descent.task, states, stop=stop, weight_decay=descent.weight_decay, **options)
