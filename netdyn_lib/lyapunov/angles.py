"""Angles between tangent vectors and the subspaces they span, and the dimension of a spectrum.

A small angle is lost in its cosine: arccos(1 − θ²/2) knows θ to 1e-8 only.  The functions here are
accurate to rounding from 0 to π/2.
"""

from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from ..validation import floats
from .qr import orthonormalise


def between(vectors: Tensor) -> np.ndarray:
    """Return the angles in radians, 0 … π/2, between all pairs of columns, whatever their signs.

    θ = 2 atan2(min |u ± w|, max |u ± w|) for the columns scaled to norm 1
    (Kahan, "How futile are mindless assessments of roundoff", 2006, §12).

    Parameters
    ----------
    vectors : torch.Tensor or array_like
        (…, P, k).

    Returns
    -------
    numpy.ndarray
        (…, k, k), symmetric, 0 on the diagonal.  NaN for a vector that is zero or not finite.

    >>> float(between([[1.0, 1.0], [0.0, 1e-9]])[0, 1])
    1e-09
    """
    units = _units(vectors)
    count = units.shape[-1]
    rows = [_angles(units[..., i : i + 1], units) for i in range(count)]
    return torch.stack(rows, -2).cpu().numpy()


def labels(count: int) -> tuple[str, ...]:
    """Return the names of the pairs of ``count`` vectors, which are counted from 1.

    >>> labels(3)
    ('(1,2)', '(1,3)', '(2,3)')
    """
    return tuple(f"({i},{j})" for i, j in combinations(range(1, count + 1), 2))


def between_pairs(vectors: Tensor) -> np.ndarray:
    """Return the angles of :func:`between` for the pairs i < j, row by row: (…, k(k − 1)/2)."""
    units = _units(vectors)
    i, j = np.triu_indices(units.shape[-1], 1)
    return _angles(units[..., i], units[..., j]).cpu().numpy()


def between_subspaces(a: Tensor, b: Tensor) -> np.ndarray:
    """Return the principal angles in radians between the spans of columns, smallest first.

    From the cosines where the angle is large and the sines where it is small
    (Knyazev & Argentati, SIAM J. Sci. Comput. 23, 2008, 2002).

    Parameters
    ----------
    a, b : torch.Tensor or array_like
        (…, P, p) and (…, P, q), of the same leading axes.

    Returns
    -------
    numpy.ndarray
        (…, min(p, q)); entry 0 is the smallest angle between a vector of one and a vector of the
        other. NaN where columns depend on each other to rounding, or are not finite: their span has
        not as many dimensions.
    """
    a, b = floats(a), floats(b)
    fit = a.dim() >= 2 and a.shape[:-1] == b.shape[:-1] and 1 <= min(a.shape[-1], b.shape[-1])
    if not fit or max(a.shape[-1], b.shape[-1]) > a.shape[-2]:
        shapes = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ValueError(
            f"columns of shapes {shapes}: expected (…, P, p) and (…, P, q), p and q from 1 to P"
        )
    b = b.to(a.device)
    if a.shape[-1] < b.shape[-1]:
        a, b = b, a
    leading = a.shape[:-2]
    # (B, P, p), (B, P, q), p ≥ q
    (a, good), (b, fine) = (_basis(m.reshape(-1, *m.shape[-2:])) for m in (a, b))
    cosines = torch.linalg.svdvals(a.mT @ b)  # (B, q), descending
    sines = torch.linalg.svdvals(b - a @ (a.mT @ b)).flip(-1)  # (B, q), ascending
    small = cosines.square() >= 0.5
    angles = torch.where(small, sines.clamp(max=1).arcsin(), cosines.clamp(max=1).arccos())
    angles[~(good & fine)] = torch.nan
    return angles.reshape(*leading, -1).cpu().numpy()


def kaplan_yorke(exponents) -> np.ndarray:
    """Return the Kaplan–Yorke dimension D = j + (λ_1 + … + λ_j)/|λ_{j+1}|.

    j is the most exponents whose sum is not negative.

    Takes (…, P) in any order and returns (…), 0 where all exponents are negative (Kaplan &
    Yorke, Lecture Notes in Mathematics 730, 204, 1979).  NaN where it is undefined: the sum of
    all is positive (volumes grow, or exponents are missing), or one is NaN.

    >>> round(float(kaplan_yorke([0.906, 0.0, -14.572])), 4)
    2.0622
    """
    exponents = np.asarray(exponents, float)
    if exponents.ndim == 0 or exponents.shape[-1] == 0:
        raise ValueError(
            f"exponents of shape {exponents.shape}: expected (…, P), at least 1 exponent"
        )
    ordered = -np.sort(-exponents, -1)
    # (…, P + 1)
    sums = np.concatenate([np.zeros_like(ordered[..., :1]), np.cumsum(ordered, -1)], -1)
    # Where the sum of all is zero, the formula with j = P − 1 is its limit P.
    j = np.clip((sums >= 0).sum(-1) - 1, 0, ordered.shape[-1] - 1)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        dimension = j + np.take_along_axis(sums, j, -1) / np.abs(np.take_along_axis(ordered, j, -1))
    return np.where(
        sums[..., -1] <= 0,
        np.where((ordered == 0).all(-1), ordered.shape[-1], dimension[..., 0]),
        np.nan,
    )


def _units(vectors):
    vectors = floats(vectors)
    if vectors.dim() < 2:
        raise ValueError(
            f"vectors of shape {tuple(vectors.shape)}: expected (…, P, k), the vectors in columns"
        )
    # no overflow in the norm; 0/0 of a zero vector is NaN
    vectors = vectors / vectors.abs().amax(-2, keepdim=True)
    return vectors / torch.linalg.vector_norm(vectors, dim=-2, keepdim=True)


def _angles(u, w):
    apart, together = (torch.linalg.vector_norm(u - sign * w, dim=-2) for sign in (1, -1))
    return 2 * torch.atan2(torch.minimum(apart, together), torch.maximum(apart, together))


def _basis(columns):
    """Orthonormal basis of the span, and where its dimension is the number of columns, (B,)."""
    columns = columns / columns.abs().amax(-2, keepdim=True)
    q, r = orthonormalise(columns)
    least = 2 * columns.shape[-2] * torch.finfo(r.dtype).eps * torch.linalg.vector_norm(r, dim=-2)
    good = (r.diagonal(dim1=-2, dim2=-1) > least).all(-1)
    return torch.where(good[:, None, None], q, 0.0), good
