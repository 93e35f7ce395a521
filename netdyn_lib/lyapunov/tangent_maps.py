"""Tangent maps, and single tangent vectors along the trajectories of a map.

With J(t) = I − η H(W(t)), a tangent vector obeys v(t + 1) = J(t) v(t).  J is never formed here.

* A *product* takes rows (W, v), (E, P) each, to (F(W), J(W) v): ``GradientDescent(task,
  1).product``, or that of any differentiable map by :func:`by_derivative`.
* An *advance* takes states W (n, P) and frames V (n, P, k) to F(W) and J(W) V.  The algorithms of
  this package see one, made by :func:`by_product` or :func:`by_jacobian`.

A map that differs between initial conditions, as in their learning rates, has a keyword ``rows``, a
:class:`Rows`, which says which of them it is given; without it, they are all of them, in order.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .. import torch_utils
from ..tasks.derivatives import directional
from ..validation import whole

_CHUNK = 64  # tangent vectors advanced together

#: A product (W, v) ↦ (F(W), J(W) v), or an advance (W, V) ↦ (F(W), J(W) V).
TangentMap = Callable[..., tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Rows:
    """The initial condition of each of E stacked rows, ``index`` (E,), of ``count`` in all."""

    index: Tensor
    count: int


@dataclass(frozen=True)
class Growth:
    """Growth of k tangent vectors along each of n trajectories.

    ``log_norm`` (T + 1, n, k) is ln(|v_j(t)| / |v_j(0)|); ``lengths`` (n, k) the initial norms
    |v_j(0)|; ``directions`` (n, k, P) the vectors after the last epoch, of norm 1; ``final`` (n, P)
    the parameters there.
    """

    log_norm: np.ndarray
    lengths: np.ndarray
    directions: Tensor
    final: Tensor

    def exponent(self, start=0, stop=None) -> np.ndarray:
        """Return finite-time exponents (ln|v(stop)| − ln|v(start)|)/(stop − start), (n, k).

        ``start`` and ``stop`` are epochs, one for all or one for each initial condition, (n,).
        Rows with ``start`` −1, which marks no window in a
        :class:`~netdyn_lib.lyapunov.growth_fits.Fit`, are NaN.
        """
        last = len(self.log_norm) - 1
        start, stop = np.broadcast_arrays(start, last if stop is None else stop)
        none = (start == -1) & (start.ndim > 0)
        outside = ~none & ~((0 <= start) & (start < stop) & (stop <= last))
        if outside.any():
            window = f"{start[outside][0]}–{stop[outside][0]}"
            raise ValueError(f"window {window}: must lie within 0–{last} and have a length")
        rows = np.arange(self.log_norm.shape[1])
        start, stop = np.where(none, 0, start), np.where(none, 1, stop)
        rise = self.log_norm[stop, rows] - self.log_norm[start, rows]  # (n, k)
        length = (stop - start) if start.ndim == 0 else (stop - start)[:, None]
        return np.where(none[..., None], np.nan, rise / length)


def growth(
    product: TangentMap,
    params: Tensor,
    directions: Tensor,
    epochs: int,
    order: int = 2,
    workers: int = 1,
) -> Growth:
    """Follow tangent vectors along the trajectories of a map.

    Vectors are renormalised at every step and the logarithms of their norms added up, so nothing
    overflows (Benettin et al., 1980).

    Parameters
    ----------
    product : callable
        (W, v) ↦ (F(W), J(W) v), rows (E, P).
    params : torch.Tensor
        (n, P) initial conditions.
    directions : torch.Tensor
        (n, k, P) initial tangent vectors, of any length but zero.
    order : 1 or 2
        Norm: L1, as the papers' distance, or Euclidean.
    workers : int
        Threads.  More than one only for a product in closed form, such as a multilayer
        perceptron's: forward-mode differentiation keeps a level that threads share.
    """
    epochs = whole(epochs, "epochs")
    if directions.dim() != 3 or directions.shape[::2] != params.shape or not directions.numel():
        raise ValueError(
            f"directions of shape {tuple(directions.shape)} for params {tuple(params.shape)}: "
            "expected (n, k, P), of at least 1 tangent vector"
        )
    n, k, size = directions.shape
    directions = directions.to(params)
    lengths = torch.linalg.vector_norm(directions, ord=order, dim=-1, keepdim=True)
    if not bool((lengths > 0).all()):
        raise ValueError("a tangent vector of length zero (or NaN) has no direction to follow")
    states = params.repeat_interleave(k, 0)  # (n k, P)
    vectors = (directions / lengths).reshape(n * k, size)
    owner = torch.arange(n, device=params.device).repeat_interleave(k)  # (n k,)
    takes_rows = sees_rows(product)

    def follow(part):
        w, v = states[part], vectors[part]
        context = {"rows": Rows(owner[part], n)} if takes_rows else {}
        logs = [torch.zeros(len(w), dtype=w.dtype, device=w.device)]
        with torch.no_grad():
            for _ in range(epochs):
                w, v = product(w, v, **context)
                norm = torch.linalg.vector_norm(v, ord=order, dim=-1)
                v = v / norm[:, None]
                logs.append(logs[-1] + norm.log())
        return torch.stack(logs), v, w

    with torch_utils.pool(whole(workers, "workers", 1), alone=params.device.type == "cpu") as pool:
        parts = list(pool.map(follow, [slice(a, a + _CHUNK) for a in range(0, n * k, _CHUNK)]))
    logs, v, w = (torch.cat(part, axis) for part, axis in zip(zip(*parts), (1, 0, 0)))
    return Growth(
        logs.view(-1, n, k).cpu().numpy(),
        lengths[..., 0].cpu().numpy(),
        v.view(n, k, size),
        w.view(n, k, size)[:, 0],
    )


def random_directions(params: Tensor, count: int = 1, seed: int = 0) -> Tensor:
    """Return Gaussian directions (n, ``count``, P), each initial condition with its own stream."""
    drawn = [
        np.random.default_rng([seed, i, 2]).standard_normal((count, params.shape[1]))
        for i in range(len(params))
    ]
    return torch.tensor(np.stack(drawn), dtype=params.dtype, device=params.device)


def mean_growth(growth: Growth) -> np.ndarray:
    """Return ln(v̄(t)/v̄(0)), v̄ the mean of |v_j| over the k vectors: (T + 1, n).

    This is the linear counterpart of ln(d̄(t)/d̄(0)).
    """
    sums = np.logaddexp.reduce(growth.log_norm + np.log(growth.lengths), axis=2)
    return sums - sums[0]


def by_derivative(step: Callable[..., Tensor]) -> TangentMap:
    """Return the product (F(W), J(W) v) of a differentiable map, by forward-mode differentiation.

    ``step`` maps (E, P) to (E, P), each row by itself; it may have a keyword ``rows``.
    """
    if sees_rows(step):
        return lambda params, vectors, rows=None: directional(
            lambda w: step(w, rows=rows), params, vectors
        )
    return lambda params, vectors: directional(step, params, vectors)


def by_jacobian(function: TangentMap) -> TangentMap:
    """Return the advance of a map that gives its Jacobian.

    ``function`` takes W (n, P) to F(W) (n, P) and J(W) (n, P, P); it may have a keyword ``rows``.
    """

    def images(params, frames, **context):
        following, jacobian = function(params, **context)
        return following, torch.bmm(jacobian, frames)

    return _with_rows(images, sees_rows(function))


def by_product(product: TangentMap) -> TangentMap:
    """Return the advance of a map that gives its product, such as ``GradientDescent(…).product``.

    ``product`` takes rows (E, P) of W and v; it may have a keyword ``rows``.
    """
    takes_rows = sees_rows(product)

    def images(params, frames, rows=None):
        n, size, k = frames.shape
        owner = torch.arange(n, device=params.device).repeat_interleave(k)  # (n k,)
        if takes_rows:
            own = Rows(owner, n) if rows is None else Rows(rows.index[owner], rows.count)
        flat = frames.transpose(1, 2).reshape(n * k, size)
        following, moved = product(params[owner], flat, **({"rows": own} if takes_rows else {}))
        return following.view(n, k, size)[:, 0], moved.view(n, k, size).transpose(1, 2)

    return _with_rows(images, takes_rows)


def sees_rows(function: Callable) -> bool:
    """Return whether a map, a product or an advance has a keyword ``rows``."""
    return "rows" in inspect.signature(function).parameters


def _with_rows(images, takes_rows):
    """Return ``images`` as an advance whose signature shows whether it takes ``rows``."""
    if takes_rows:
        return lambda params, frames, rows=None: images(params, frames, rows=rows)
    return lambda params, frames: images(params, frames)
