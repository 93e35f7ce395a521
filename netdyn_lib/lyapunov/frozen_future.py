"""Covariant vectors with no future: what they would be if the tangent map stayed as it is now.

A covariant vector needs the future, and so knows how a run ends.  Here the
future is guessed instead: all Jacobians from step t on are taken to be J(t).
The past is as it was, in the frame Q(t) of forward QR.  This variant is ours.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..validation import floats


@dataclass(frozen=True)
class FrozenFuture:
    """Frozen-future covariant vectors of n trajectories at one step.

    ``vectors`` (n, P, k): v_i, of norm 1, in column i.  ``growth`` (n, k): ln|J v_i|.
    ``multipliers`` (n, P): |eigenvalues| of J, descending.  ``condition`` (n, k): by how much an
    error of frame or eigenvectors is multiplied in v_i; infinite where past and future do not
    determine v_i. ``undetermined`` (n, k): v_i needs two multipliers told apart that are not; the
    vector given is one of many, yet the span of v_i and its undetermined successors is determined.
    NaN rows of frames or Jacobians stay NaN.
    """

    vectors: torch.Tensor
    growth: np.ndarray
    multipliers: np.ndarray
    condition: np.ndarray
    undetermined: np.ndarray


def frozen_future(frame, jacobian, within=1e-9):
    """Ginelli's vectors at time t for a future in which all Jacobians are J(t).

    v_i = span(q_1 … q_i) ∩ span(e_i … e_P), the e_j the eigenvectors of J by descending
    |multiplier|: from the definition of covariant vectors (Ginelli et al., J. Phys. A 46,
    254005, 2013), for J to the power −m maps the second span onto itself.
    v_i = Q c with w_jᵀ Q c = 0 for j < i, the w_j an orthonormal basis of
    the j leading left eigenvectors, which for a symmetric J are the e_j themselves.

    Parameters
    ----------
    frame : torch.Tensor
        (n, P, k), orthonormal columns: Q(t) of forward QR.
    jacobian : torch.Tensor
        (n, P, P), J(t).  Any real matrices; symmetric ones, as of gradient descent, by ``eigh``.
    within : float
        Multipliers are not told apart where ln|μ_{i−1}| − ln|μ_i| is not above it.

    Returns
    -------
    FrozenFuture

    Raises
    ------
    ValueError
        For shapes that do not fit each other, a frame whose columns are not
        orthonormal, or ``within`` that is negative or NaN.
    """
    frame, jacobian = floats(frame), floats(jacobian)
    n, size, count = frame.shape if frame.dim() == 3 else (0, 0, 0)
    if jacobian.shape != (n, size, size) or not 1 <= count <= size or n == 0:
        raise ValueError(
            f"frame of shape {tuple(frame.shape)} and jacobian of shape {tuple(jacobian.shape)}: expected (n, P, k) and (n, P, P), k ≤ P"
        )
    if not within >= 0:
        raise ValueError(
            f"within = {within}: a difference of growth rates must be zero or positive"
        )
    good = frame.isfinite().flatten(1).all(1) & jacobian.isfinite().flatten(1).all(1)
    eye = torch.eye(size, dtype=frame.dtype, device=frame.device)
    q = torch.where(good[:, None, None], frame, eye[:, :count])
    j = torch.where(good[:, None, None], jacobian, eye)
    defect = float((q.mT @ q - eye[:count, :count]).abs().max())
    if defect > 1e-6:
        raise ValueError(
            f"frame has columns that are not orthonormal (by {defect:.1e}, bound 1e-6): give the Q of a QR decomposition"
        )
    left, multipliers = _left(j)
    coefficients, condition = _intersections(left.mT @ q)
    vectors = q @ coefficients  # (n, P, k)
    vectors = vectors / torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    growth = torch.linalg.vector_norm(j @ vectors, dim=1).log()  # (n, k)
    # Below the rounding of the largest, multipliers are zero, and not told apart; nor are ln 0 and
    # ln 0, their difference NaN.
    logs = multipliers.clamp(min=size * torch.finfo(frame.dtype).eps * multipliers[:, :1]).log()
    together = ~(logs[:, :-1] - logs[:, 1:] > within)  # (n, P − 1)
    undetermined = torch.nn.functional.pad(together, (1, 0))[:, :count]
    nan = torch.where(good, 0.0, torch.nan).to(frame)[:, None]
    return FrozenFuture(
        vectors + nan[..., None],
        *((values + nan).cpu().numpy() for values in (growth, multipliers, condition)),
        (undetermined & good[:, None]).cpu().numpy(),
    )


def _left(jacobian):
    """Orthonormal bases of the leading left eigenvectors, in columns (n, P, P), and |multipliers|
    (n, P), descending.
    """
    scale = jacobian.abs().amax((-2, -1), keepdim=True)
    if bool(((jacobian - jacobian.mT).abs() <= 1e-12 * scale).all()):
        values, vectors = torch.linalg.eigh((jacobian + jacobian.mT) / 2)
    else:
        values, vectors = torch.linalg.eig(jacobian.mT)
        # A complex pair spans the plane of its real and imaginary part; the second of the pair has
        # the same ones.
        vectors = torch.where(values.imag[:, None, :] < 0, vectors.imag, vectors.real)
    order = values.abs().argsort(dim=-1, descending=True, stable=True)  # (n, P)
    vectors = vectors.gather(2, order[:, None, :].expand_as(vectors))
    return torch.linalg.qr(vectors)[0], values.abs().gather(1, order)


def _intersections(products):
    """Columns c_i (n, k, k), upper triangular, with rows j < i of ``products`` c_i zero; and 1/σ,
    how well they are determined.
    """
    n, size, count = products.shape
    c = products.new_zeros(n, count, count)
    condition = products.new_ones(n, count)
    c[:, 0, 0] = 1.0
    for i in range(1, count):
        # i conditions on i + 1 numbers; the SVD finds their null vector to rounding, near a
        # tangency too.
        _, sigma, right = torch.linalg.svd(products[:, :i, : i + 1])
        null = right[:, -1]  # (n, i + 1)
        c[:, : i + 1, i] = null * torch.where(null[:, -1:] < 0, -1.0, 1.0)
        condition[:, i] = 1 / sigma[:, -1]
    return c, condition
