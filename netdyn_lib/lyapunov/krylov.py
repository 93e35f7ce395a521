"""Leading eigenpairs of a symmetric operator that has no negative eigenvalue, by block Krylov
methods, with bounds on their error.

Rayleigh and Ritz with all of V, AV, A²V … (Saad, Numerical Methods for Large Eigenvalue Problems,
ch. 6).  For A = YᵀY of a tangent product these are singular values and initial directions.  Where
its eigenvalues are all near 1, subspace iteration moves by next to nothing and seems converged; a
Krylov space is that of any A − c too.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from .qr import orthonormalise, random_orthogonal

#: Vectors taken along together: for tangent products as long as one takes, or two.
BLOCK = 8


@dataclass(frozen=True)
class Leading:
    """Half the logarithms of the k leading eigenvalues, ``logs`` (k,), ln σ for A = YᵀY, and their
    eigenvectors (P, k), after so many ``sweeps``.

    ``bound`` is on the error of all ``logs``, to first order in the residuals; Ritz values bound ln
    σ from below.  ``turn`` is on 1 − overlap of the span of all k with the true one (Davis and
    Kahan), infinite where the gap after them is not known.
    """

    logs: np.ndarray
    vectors: torch.Tensor
    bound: float
    turn: float
    sweeps: int


def leading(
    product, like, count, sweeps, tolerance, start=None, turn=math.inf, relative=True, seed=0
):
    """The k leading eigenpairs of A.

    Parameters
    ----------
    product : callable
        A V of V (P, w), w at most :data:`BLOCK`.
    like : torch.Tensor
        Any (P,), for its type and device.
    count : int
        k.
    sweeps : int
        Products at most; as many as k needs in any case.
    tolerance : float
        On ``bound``, in units of the largest ln σ where ``relative``.  Ends where both this and
        ``turn`` are kept.
    start : torch.Tensor, optional
        Vectors (P, k') to begin with, as those of a similar operator.
    seed : int
        Of the random vectors to begin with.

    Raises
    ------
    FloatingPointError
        Where a product is not finite.
    """
    size = len(like)
    width = min(size, BLOCK)
    block = random_orthogonal(size, width, seed).to(like)
    if start is not None:
        block = orthonormalise(
            (
                start[:, :width]
                if start.shape[1] >= width
                else torch.cat([start, block], 1)[:, :width]
            )[None]
        )[0][0]
    basis, images = block[:, :0], block[:, :0]
    for sweep in range(1, max(sweeps, -(-count // width)) + 1):
        image = product(block)
        if not bool(image.isfinite().all()):
            raise FloatingPointError(
                "growth is beyond e^350, and its square beyond doubles: take fewer steps"
            )
        basis, images = torch.cat([basis, block], 1), torch.cat([images, image], 1)
        small = basis.T @ images
        values, turned = torch.linalg.eigh((small + small.T) / 2)
        values, turned = values.flip(0), turned.flip(1)
        if len(values) >= count:
            some = turned[:, :count]
            vectors = basis @ some
            residuals = (images @ some - vectors * values[:count]).norm(dim=0)
            bound = float((residuals / (2 * values[:count])).max())
            gap = (
                float(values[count - 1] - values[count])
                if len(values) > count
                else (math.inf if count == size else 0.0)
            )
            moved = float(residuals.square().sum()) / (gap**2 * count) if gap > 0 else math.inf
            logs = values[:count].log() / 2
            small_enough = bound <= (tolerance * abs(float(logs[0])) if relative else tolerance)
            if len(values) == size or (small_enough and moved <= turn):
                break
        block = _beyond(basis, image, min(width, size - basis.shape[1]), sweep)
    return Leading(logs.cpu().numpy(), vectors, bound, moved, sweep)


def _beyond(basis, image, width, seed):
    """Up to ``width`` orthonormal columns (P, k) of an image's part outside of a ``basis``; where
    nothing is left, random ones.
    """
    draw = random_orthogonal(len(basis), width, seed).to(basis)
    size = image.norm(dim=0).max()
    image = image[:, :width]
    for _ in range(2):  # once leaves rounding errors
        image = image - basis @ (basis.T @ image)
        draw = draw - basis @ (basis.T @ draw)
    lost = image.norm(dim=0) <= 1e-13 * size
    image = torch.where(lost, draw, image / size)
    for _ in range(2):
        image = image - basis @ (basis.T @ image)
        image = orthonormalise(image[None])[0][0]
    return image
