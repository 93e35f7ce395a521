"""Single tangent vectors along the trajectories of a map: how infinitesimal perturbations grow.

With J(t) = I − η H(W(t)), a tangent vector obeys v(t + 1) = J(t) v(t).  J is
never formed: the algorithms here see a *product*, a function that takes (W, v)
to (F(W), J(W) v), such as ``GradientDescent(task, 1.0).product``, or any map's by
:func:`by_derivative`.
"""

import inspect
from dataclasses import dataclass

import numpy as np
import torch

from .. import torch_utils
from ..tasks.derivatives import directional
from ..validation import whole

_CHUNK = 64  # tangent vectors advanced together


@dataclass(frozen=True)
class Growth:
    """Growth of tangent vectors along trajectories.

    ``log_norm`` (T + 1, n, k) is ln(|v_j(t)| / |v_j(0)|); ``directions`` (n, k, P)
    are the vectors after the last epoch, of norm 1; ``final`` (n, P) the
    parameters there; ``lengths`` (n, k) the initial norms |v_j(0)|.
    """

    log_norm: np.ndarray
    lengths: np.ndarray
    directions: torch.Tensor
    final: torch.Tensor

    def exponent(self, start=0, stop=None):
        """Finite-time exponents (ln|v(stop)| − ln|v(start)|)/(stop − start) per epoch, (n, k).

        ``start`` and ``stop`` are epochs, one for all or one for each initial
        condition, (n,).  Rows with ``start`` −1, a :class:`~netdyn_lib.lyapunov.growth_fits.Fit`'s
        mark of no window, are NaN.

        Raises
        ------
        ValueError
            For a window that is empty or leaves the epochs followed.
        """
        last = len(self.log_norm) - 1
        start, stop = np.broadcast_arrays(
            np.asarray(start), np.asarray(last if stop is None else stop)
        )
        none = (start == -1) & (start.ndim > 0)
        outside = ~none & ~((0 <= start) & (start < stop) & (stop <= last))
        if outside.any():
            window = f"{start[outside][0]}–{stop[outside][0]}"
            raise ValueError(f"window {window}: must lie within 0–{last} and have a length")
        if start.ndim == 0:
            return (self.log_norm[stop] - self.log_norm[start]) / (stop - start)
        start, stop = np.where(none, 0, start), np.where(none, 1, stop)
        rows = np.arange(len(start))
        slopes = (self.log_norm[stop, rows] - self.log_norm[start, rows]) / (stop - start)[:, None]
        return np.where(none[:, None], np.nan, slopes)


@dataclass(frozen=True)
class Rows:
    """Which of ``count`` initial conditions each of E stacked rows belongs to: ``index`` (E,), from
    0.
    """

    index: torch.Tensor
    count: int


def by_derivative(step):
    """The product (F(W), J(W) v) of a differentiable map, by forward-mode differentiation.

    ``step`` maps (E, P) to (E, P), each row by itself.  A step whose initial
    conditions differ in more than their parameters, as in their learning
    rates, takes a keyword ``rows``, a :class:`Rows`.
    """
    takes_rows = sees_rows(step)

    def product(params, vectors, rows=None):
        function = (lambda w: step(w, rows=rows)) if takes_rows else step
        return directional(function, params, vectors)

    return product


def sees_rows(function):
    """Whether a map, a product or an advance has a keyword ``rows``, and so wants to know which
    initial conditions it sees.
    """
    return "rows" in inspect.signature(function).parameters


def growth(product, params, directions, epochs, order=2, workers=1):
    """Follow tangent vectors along the trajectories of a map.

    Vectors are renormalised at every step and the logarithms of their norms
    added up, so nothing overflows (Benettin et al., 1980).

    Parameters
    ----------
    product : callable
        Takes (W, v), (E, P) each, to (F(W), J(W) v), row by row; where it has a
        keyword ``rows``, it is given a :class:`Rows`, for E rows are not n.
    params : torch.Tensor
        (n, P) initial conditions.
    directions : torch.Tensor
        (n, k, P) initial tangent vectors, of any length but zero.
    epochs : int
    order : 1 or 2
        Norm: L1, which matches the papers' distance, or Euclidean.
    workers : int
        Threads.  More than one only for a product in closed form, such as a
        multilayer perceptron's: forward-mode differentiation keeps a level
        that threads share.

    Returns
    -------
    Growth

    Raises
    ------
    ValueError
        For directions that do not fit the parameters, none at all, a vector of
        length zero or not finite, or epochs that are no whole number of at least 0.
    """
    epochs = whole(epochs, "epochs")
    if directions.dim() != 3 or directions.shape[::2] != params.shape:
        raise ValueError(
            f"directions of shape {tuple(directions.shape)} for params {tuple(params.shape)}: expected (n, k, P)"
        )
    n, k, size = directions.shape
    if n * k == 0:
        raise ValueError(
            f"directions of shape {tuple(directions.shape)}: there is no tangent vector to follow"
        )
    directions = directions.to(params)
    lengths = torch.linalg.vector_norm(directions, ord=order, dim=-1, keepdim=True)
    if not bool((lengths > 0).all()):
        raise ValueError("a tangent vector of length zero (or NaN) has no direction to follow")
    states = params.repeat_interleave(k, 0)  # (n k, P)
    vectors = (directions / lengths).reshape(n * k, size)
    owner = torch.arange(n, device=params.device).repeat_interleave(k)  # (n k,)
    takes_rows = sees_rows(product)

    def follow(part):
        context = {"rows": Rows(owner[part], n)} if takes_rows else {}
        return _follow(product, states[part], vectors[part], epochs, order, context)

    with torch_utils.pool(whole(workers, "workers", 1), alone=params.device.type == "cpu") as pool:
        parts = list(pool.map(follow, [slice(a, a + _CHUNK) for a in range(0, n * k, _CHUNK)]))
    logs = torch.cat([p[0] for p in parts], 1).view(-1, n, k)
    return Growth(
        logs.cpu().numpy(),
        lengths[..., 0].cpu().numpy(),
        torch.cat([p[1] for p in parts]).view(n, k, size),
        torch.cat([p[2] for p in parts]).view(n, k, size)[:, 0],
    )


def _follow(product, w, v, epochs, order, context):
    logs = [torch.zeros(len(w), dtype=w.dtype, device=w.device)]
    with torch.no_grad():
        for _ in range(epochs):
            w, v = product(w, v, **context)
            norm = torch.linalg.vector_norm(v, ord=order, dim=-1)
            v = v / norm[:, None]
            logs.append(logs[-1] + norm.log())
    return torch.stack(logs), v, w


def random_directions(params, count=1, seed=0):
    """Independent Gaussian directions, (n, ``count``, P), one stream of random numbers for each
    initial condition.
    """
    draws = [
        np.random.default_rng([seed, i, 2]).standard_normal((count, params.shape[1]))
        for i in range(len(params))
    ]
    return torch.tensor(np.stack(draws), dtype=params.dtype, device=params.device)


def mean_growth(growth):
    """ln(v̄(t)/v̄(0)) with v̄ the mean of |v_j| over the k vectors: (T + 1, n), the linear
    counterpart of ln(d̄(t)/d̄(0)).
    """
    sums = np.logaddexp.reduce(growth.log_norm + np.log(growth.lengths), axis=2)
    return sums - sums[0]
