"""Frames: k tangent vectors of each of n trajectories, the columns of (n, P, k)."""

import numpy as np
import torch

from ..validation import whole


def orthonormalise(frames):
    """QR decomposition with a diagonal that is not negative: frames = Q R.

    Parameters
    ----------
    frames : torch.Tensor
        (n, P, k), k ≤ P.

    Returns
    -------
    Q : torch.Tensor
        (n, P, k), orthonormal columns, also where the frame is singular.
    R : torch.Tensor
        (n, k, k), upper triangular.  R_ii = 0 where column i lies in the span of
        those before it.  A frame that is not finite has NaN in Q and R.
    """
    if not bool(frames.isfinite().all()):
        # LAPACK may loop over NaN; CUDA's solver raises.
        good = frames.isfinite().flatten(1).all(1)
        q, r = orthonormalise(torch.where(good[:, None, None], frames, torch.zeros_like(frames)))
        nan = torch.where(good, 0.0, torch.nan).to(frames)[:, None, None]
        return q + nan, r + nan
    q, r = torch.linalg.qr(frames)
    sign = torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(frames)  # (n, k)
    return q * sign[:, None, :], r * sign[:, :, None]


def random_orthogonal(size, count=None, seed=0):
    """One orthonormal frame (P, k), drawn from a seed: Q of a Gaussian matrix, uniform over such
    frames (Stewart, 1980).

    The identity is no generic start: its columns may lie in subspaces that the
    map keeps apart, as the weights of one unit, and never leave them.

    >>> q = random_orthogonal(4, 2)
    >>> bool((q.T @ q - torch.eye(2)).abs().max() < 1e-12)
    True
    """
    size = whole(size, "size", 1)
    count = (
        size if count is None else whole(count, "count", 1, size, "vectors of a space of that size")
    )
    draw = torch.from_numpy(
        np.random.default_rng([whole(seed, "seed"), size, 3]).standard_normal((size, count))
    )
    return orthonormalise(draw[None])[0][0]
