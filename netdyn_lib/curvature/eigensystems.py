"""A Hessian that acts in few dimensions, before and after it is solved; where they come from is
:mod:`netdyn_lib.curvature.batch_hessian`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from . import hessian
from .batch_frames import Range
from .eigenclasses import classes
from .linear_heads import Reach
from .narrowing import Narrowing


@dataclass(frozen=True)
class LowRankHessian(Range):
    """H = S M Sᵀ in P dimensions, ``matrix`` M (m, m) symmetric; the rest as for :class:`LowRank`,
    which it becomes by :meth:`solved`.
    """

    matrix: torch.Tensor
    frame: torch.Tensor
    units: int
    size: int
    order: torch.Tensor | None = None

    def product(self, vectors):
        """H v (…, P) of ``vectors`` (…, P)."""
        return self.embed(self.restrict(vectors) @ self.matrix)

    def undone(self, vectors, learning_rate):
        """(I − γH)⁻¹ v (…, P): a step of descent in tangent space taken back, v + S [(I − γM)⁻¹ −
        I] Sᵀ v.

        Raises :class:`torch.linalg.LinAlgError` where 1/γ is an eigenvalue: that step has no
        inverse.
        """
        small = self.restrict(vectors)
        step = torch.eye(len(self.matrix)).to(self.matrix) - learning_rate * self.matrix
        back = torch.linalg.solve(step, small.reshape(-1, len(step)).T).T.reshape(small.shape)
        return vectors + self.embed(back - small)

    def solved(self):
        """All m eigenvalues and eigenvectors, a :class:`LowRank` with T = I.

        Raises FloatingPointError where M is not finite.
        """
        return LowRank(*eigh(self.matrix), self.frame, self.units, self.size, self.order)


def eigh(matrix):
    """Eigenvalues (m,), an array, and eigenvectors (m, m).

    Raises FloatingPointError where the matrix is not finite.
    """
    # A finite sum has finite terms, and is many times as fast as asking each; one that is not
    # finite is looked into.
    if not (bool(matrix.sum().isfinite()) or bool(matrix.isfinite().all())):
        raise FloatingPointError(
            "the Hessian is not finite: the loss overflows at these parameters, and there is no spectrum"
        )
    values, basis = torch.linalg.eigh(matrix)
    return values.cpu().numpy(), basis


@dataclass(frozen=True)
class LowRank(Range):
    """Eigenvalues and eigenvectors of a Hessian H = S T U diag(λ) Uᵀ Tᵀ Sᵀ in P dimensions, of rank
    at most m'.

    ``values`` λ (m',) ascending; ``vectors`` U (m', m'), orthonormal columns; ``frame`` Q (inputs +
    1, r) of the first layer's ``units``; ``size`` P.  The other P − m' eigenvalues are exactly 0.
    ``order`` (P,), where given, says where an MLP's parameters stand among those of the vectors
    that come and go. ``narrowing`` is T (m, m') of :mod:`netdyn_lib.curvature.narrowing` or
    :mod:`netdyn_lib.curvature.linear_heads`; where it is None T is the unit matrix, m' = m.
    """

    values: np.ndarray
    vectors: torch.Tensor
    frame: torch.Tensor
    units: int
    size: int
    order: torch.Tensor | None = None
    narrowing: Narrowing | Reach | None = None

    @cached_property
    def basis(self):
        """T U (m, m'), orthonormal columns: the eigenvectors in the m dimensions of the range.
        Formed when first asked for.
        """
        return self.vectors if self.narrowing is None else self.narrowing.times(self.vectors)

    def project(self, vectors):
        """Coefficients Uᵀ Tᵀ Sᵀ v along the eigenvectors: (…, m') of ``vectors`` (…, P)."""
        small = self.restrict(vectors)
        return (small if self.narrowing is None else self.narrowing.restrict(small)) @ self.vectors

    def expand(self, coefficients):
        """S T U c: vectors (…, P) with these ``coefficients`` (…, m') along the eigenvectors."""
        small = coefficients.to(self.vectors) @ self.vectors.T
        return self.embed(small if self.narrowing is None else self.narrowing.embed(small))

    def product(self, vectors):
        """H v (…, P) of ``vectors`` (…, P)."""
        return self.expand(self.project(vectors) * torch.as_tensor(self.values).to(self.vectors))

    def dense_vectors(self):
        """All m' eigenvectors as columns, (P, m'); for small networks."""
        return self.expand(
            torch.eye(len(self.values), dtype=self.vectors.dtype, device=self.vectors.device)
        ).T

    def local_exponents(self, learning_rate):
        """ln|1 − γλ| (m',) of the eigenvectors (H, theorem 2.1); 0 for the other P − m' directions."""
        return hessian.local_exponents(self.values, learning_rate)

    def classes(self, learning_rate, zero=None):
        """:func:`netdyn_lib.curvature.eigenclasses.classes` of ``values``."""
        return classes(self.values, learning_rate, zero)
