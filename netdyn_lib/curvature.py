"""Curvature of the training loss: Hessian products, spectra, sharpness.

Functions here see an *objective*, any function from a parameter vector (P,) to
a scalar, such as ``task.objective``.
"""

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch.func import grad, hessian, vmap

from . import threads
from .derivatives import directional

_DENSE = 400  # parameters up to which a Hessian is formed whole
_VALUES = 100_000  # entries of Hessians computed at a time; intermediate values are some hundred times as many


def hessian_vector_product(objective, params, vector):
    """H v = ∂/∂s ∇L(W + s v) at s = 0; ``params`` and ``vector`` (P,), result (P,).  Forward over reverse."""
    return directional(grad(objective), params, vector)[1]


def hessians(objective, params):
    """Dense Hessians ∂²L/∂w_i∂w_j of stacked networks: (E, P, P), symmetrised, for ``params`` (E, P).

    For small networks: time and memory grow as P².  Raises ValueError for no networks.
    """
    if params.dim() != 2 or len(params) == 0:
        raise ValueError(f"params of shape {tuple(params.shape)}: expected (E, P), of at least 1 network")
    size = params.shape[1]
    step = max(1, _VALUES // (size * size))
    rows = range(0, len(params), step)
    # Many small operations: threads would wait for each other more than they help.
    with threads.pool(1, alone=params.device.type == "cpu") as pool:
        dense = torch.cat(list(pool.map(lambda a: vmap(hessian(objective))(params[a : a + step]), rows)))
    return (dense + dense.transpose(1, 2)) / 2


def spectra(objective, params):
    """All eigenvalues of the Hessian of each network, ascending: (E, P) array for ``params`` (E, P).

    Raises
    ------
    ValueError
        For parameters that are not finite (a diverged network has no curvature).
    """
    if not bool(params.isfinite().all()):
        row = int((~params.isfinite().all(1)).nonzero()[0])
        raise ValueError(f"network {row} has parameters that are not finite: it diverged, and has no Hessian")
    return torch.linalg.eigvalsh(hessians(objective, params)).cpu().numpy()


def sharpness(objective, params, tolerance=1e-6):
    """Largest algebraic eigenvalue of the Hessian of each network: (E,) array for ``params`` (E, P).

    Up to 400 parameters from the dense spectrum, beyond by Lanczos on
    Hessian–vector products (ARPACK, which='LA', relative ``tolerance``).
    """
    if params.shape[1] <= _DENSE:
        return spectra(objective, params)[:, -1]
    return np.array([_lanczos(objective, p, tolerance) for p in params])


def along(objective, weights, device="cpu"):
    """Sharpness along recorded trajectories: (T, n) for ``weights`` (T, n, P), NaN where a network has diverged."""
    flat = torch.as_tensor(np.asarray(weights), device=device).flatten(0, 1)
    sharp = np.full(len(flat), np.nan)
    alive = flat.isfinite().all(1)
    if bool(alive.any()):
        sharp[alive.cpu().numpy()] = sharpness(objective, flat[alive])
    return sharp.reshape(np.shape(weights)[:2])


def _lanczos(objective, params, tolerance):
    def matvec(v):
        v = torch.as_tensor(np.asarray(v).ravel(), dtype=params.dtype, device=params.device)
        return hessian_vector_product(objective, params, v).cpu().numpy()

    size = len(params)
    operator = LinearOperator((size, size), matvec=matvec, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)  # a fixed start, so that reruns agree
    return float(eigsh(operator, k=1, which="LA", tol=tolerance, v0=start, return_eigenvectors=False)[0])


def multipliers(objective, params, learning_rate):
    """Eigenvalues 1 − ηλ of the descent map's Jacobian I − ηH at each network: (E, P) array for ``params`` (E, P)."""
    return 1 - learning_rate * spectra(objective, params)


def in_edge_units(sharp, learning_rate):
    """Sharpness in units of 2/η: 1 is the edge of stability."""
    return np.asarray(sharp) * learning_rate / 2


def local_exponents(eigenvalues, learning_rate):
    """Growth rate per step along each Hessian eigenvector, ln|1 − ηλ| (H, theorem 2.1); −inf where ηλ = 1."""
    with np.errstate(divide="ignore"):
        return np.log(np.abs(1 - learning_rate * np.asarray(eigenvalues)))
