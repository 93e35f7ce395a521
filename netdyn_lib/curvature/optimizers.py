"""Exponents and sharpness of momentum and Adam, beside gradient descent's.

    adam = Adam(task, learning_rate=0.01)
    found = spectrum(adam, task.initial(1), 200, count=10)

The maps are those of :mod:`netdyn_lib.training.optimizers`; tangent vectors and exponents are of
the whole state.  A *method* is a GradientDescent, Momentum or Adam.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from .. import torch_utils
from ..lyapunov import benettin
from ..lyapunov.benettin import Spectrum
from ..lyapunov.qr import random_orthogonal
from ..lyapunov.tangent_maps import TangentMap
from ..training import gradient_descent
from ..training.gradient_descent import GradientDescent, Record
from ..training.optimizers import Adam, Momentum, Optimizer, groups_of, run, threshold_of
from ..validation import floats, whole
from . import hessian, jacobian

__all__ = [
    "Adam",
    "Momentum",
    "advance_of",
    "beside_tangent",
    "frame",
    "run",
    "sharpness",
    "sharpness_along",
    "spectrum",
    "threshold_of",
]

Method = GradientDescent | Optimizer


def advance_of(method: Method) -> TangentMap:
    """Return the advance of a method for the algorithms of :mod:`netdyn_lib.lyapunov`."""
    return method.advance if isinstance(method, Optimizer) else jacobian.of_descent(method)


def frame(method: Method, count: int | None = None, seed: int = 0) -> Tensor:
    """Return a random orthonormal frame (D, k) without a part in a clock; all such by default."""
    if not isinstance(method, Optimizer):
        return random_orthogonal(method.task.network.count, count, seed)
    found = random_orthogonal(method.size - method.clock, count, seed)
    return torch.cat([found, found.new_zeros(int(method.clock), found.shape[1])])


@torch_utils.one()
def spectrum(
    method: Method, start: Tensor, steps: int, count: int | Tensor | None = None, **options
) -> Spectrum:
    """Return the Lyapunov exponents of a method's map by QR, of whole states.

    ``start`` are weights (n, P) or states (n, D); ``count`` is k, by default all D but a clock, or
    a frame as of :func:`frame`.  ``options`` are those of
    :func:`netdyn_lib.lyapunov.benettin.spectrum`.
    """
    q0 = count if isinstance(count, Tensor) else frame(method, count)
    if isinstance(method, Optimizer):
        start = groups_of(method, start)[:, 0]
    return benettin.spectrum(advance_of(method), start, steps, q0, **options)


@torch_utils.one()
def beside_tangent(method: Method, ball: Tensor, record: Record) -> tuple[np.ndarray, np.ndarray]:
    """Return the growth of one copy's distance, and of the tangent vector along its displacement.

    Both are ln of lengths relative to epoch 0, (T,), in L1, of W without the rest of the state.
    Where they part, the copy is no longer infinitely near, or its digits are used up.

    Parameters
    ----------
    method : GradientDescent, Momentum or Adam
    ball : torch.Tensor
        Weights (1, 2, P): a reference and one copy.
    record : netdyn_lib.training.gradient_descent.Record
        Of a run from there, with ``mean_distance``.
    """
    if ball.dim() != 3 or ball.shape[:2] != (1, 2):
        raise ValueError(
            f"ball of shape {tuple(ball.shape)}: expected (1, 2, P), one reference and one copy"
        )
    advance, state, vector = advance_of(method), ball[:, 0], (ball[:, 1] - ball[:, 0])
    if isinstance(method, Optimizer):
        state, vector = method.states(state), method.states(vector)
    size, scale, logs = ball.shape[2], 0.0, []
    with torch.no_grad():
        for _ in range(int(record.epochs[-1]) + 1):
            logs.append(scale + math.log(float(vector[0, :size].abs().sum())))
            length = float(vector.norm())
            scale, vector = scale + math.log(length), vector / length
            state, images = advance(state, vector[:, :, None])
            vector = images[:, :, 0]
    grown, parted = np.array(logs)[record.epochs], np.log(record["mean_distance"][:, 0])
    return parted - parted[0], grown - logs[0]


@torch_utils.one()
def sharpness_along(method: Method, start: Tensor, at: Sequence[int]) -> np.ndarray:
    """Return sharpness along training in units of the method's threshold, (T, n); 1 is the edge.

    Of weights ``start`` (n, P), at rising epochs ``at``, for Adam from 1 on; see :func:`sharpness`.
    NaN from where a network has diverged.
    """
    at = [whole(t, "epoch in at") for t in np.ravel(at).tolist()]
    if at != sorted(set(at)) or not at:
        raise ValueError(f"at = {at}: give at least one epoch, each once and in order")
    state = floats(start, method.task.x.device)
    if isinstance(method, Optimizer):
        state = groups_of(method, start)[:, 0]
    take: Callable[..., Record] = run if isinstance(method, Optimizer) else gradient_descent.run
    now, threshold = 0, np.broadcast_to(threshold_of(method), len(state))
    found = np.full((len(at), len(state)), math.nan)
    for row, t in zip(found, at):
        state, now = take(method, state, t - now, ("norm",), at=(t - now,)).final.to(state), t
        alive = state.isfinite().all(1)
        if bool(alive.any()):
            there = alive.cpu().numpy()
            row[there] = sharpness(method, state[alive]) / threshold[there]
    return found


def sharpness(method: Method, states: Tensor) -> np.ndarray:
    """Return the sharpness that the method's threshold bounds at ``states`` (n, D): (n,).

    It is the largest eigenvalue of H + λ, for Adam of P^{-1/2} (H + λ) P^{-1/2}.
    """
    objective, decay = method.task.objective, _decay(method)
    weights = method.weights(states) if isinstance(method, Optimizer) else states
    if not isinstance(method, Adam):
        return hessian.sharpness(objective, weights) + decay
    found = []
    for w, diagonal in zip(weights, method.preconditioner(states)):
        root, product = diagonal.sqrt(), hessian.product_of(objective, w)[0]

        def scaled(v, w=w, root=root, product=product):
            v = v.to(root) / root
            return (product(w, v)[1] + decay * v) / root

        found.append(hessian.largest(scaled, len(w)))
    return np.array(found)


def _decay(method):
    return (method.descent if isinstance(method, Optimizer) else method).weight_decay
