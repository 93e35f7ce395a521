"""The largest algebraic eigenvalues of a symmetric operator, from its products with vectors.

:func:`lanczos` sees ``matvec``, a function from a (P,) tensor to a (P,) tensor, and knows nothing
of networks; :mod:`netdyn_lib.curvature.hessian` has the operators.  Sharpness is the largest
*algebraic* eigenvalue of the Hessian of the training loss: early in training a negative one may be
larger in magnitude.

>>> matrix = torch.diag(torch.tensor([2.0, 1.0, -5.0], dtype=torch.float64))
>>> round(lanczos(lambda v: matrix @ v, 3).value, 6)
2.0
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..validation import floats, positive, whole

# A warm start may be an eigenvector that is no longer the top one.  Lanczos
# would not leave it, so this share of a fixed random direction is mixed in.
_MIX = 0.01
# Products before a small residual is believed.  Believed after 6, at a tolerance of 0.001, it named
# an eigenvalue below the top one for 5 of 246 Hessians of digits and MNIST along training.  Of 234
# others neither 6 nor 16 named a lower one: 16 is a margin, not a proof.
_LEAST = 16
_BASIS = 24  # vectors held
_ROUNDING = 1e-13  # of the largest Ritz value: a direction this short is rounding


@dataclass(frozen=True)
class Eigenpair:
    """An eigenvalue λ of H with its unit eigenvector v.

    ``value`` is the Rayleigh quotient v·Hv, ``vector`` (P,) a float64 tensor,
    ``residual`` |Hv − λv| in the units of λ (some eigenvalue lies within it of
    ``value``), ``products`` the Hessian–vector products spent, and
    ``converged`` whether the algorithm's own criterion was met.  An Eigenpair that did
    not converge is a lower bound of the largest eigenvalue, and no more.
    """

    value: float
    vector: Tensor
    residual: float
    products: int
    converged: bool


@dataclass(frozen=True)
class Leading:
    """The largest eigenvalues, and the spectral measure of the start.

    ``pairs`` are in descending order.  ``nodes`` (m,) and ``weights`` (m,) are those of
    :func:`quadrature` for the start as it enters, from the m products before the first restart.
    """

    pairs: list[Eigenpair]
    nodes: np.ndarray
    weights: np.ndarray


def lanczos(
    matvec: Callable[[Tensor], Tensor],
    size: int,
    start: Tensor | None = None,
    tolerance: float = 1e-6,
    most: int = 1000,
) -> Eigenpair:
    """Find the largest algebraic eigenvalue by thick-restart Lanczos iteration.

    Wu and Simon, SIAM J. Matrix Anal. Appl. 22, 602, 2000.

    In the span of v, Hv, H²v, … the largest Ritz value θ is the largest Rayleigh quotient; its
    vector's residual |Hy − θy| is known without a further product.  Each new direction is made
    orthogonal to all before, twice.  Once the basis has 24 vectors, the 12 with the largest Ritz
    values are kept and it goes on from these.

    A small residual says that an eigenvalue is near, not that it is the largest: a start may by
    chance have next to nothing of the top eigenvector, which the first few products cannot tell.
    So at least 16 are taken. A warm ``start`` v enters as v/|v| + 0.01 u with a fixed random unit
    vector u, for at an eigenvector that is no longer the top one nothing would tell: its residual
    is zero too.

    Parameters
    ----------
    matvec : callable
        v ↦ Hv, (P,) to (P,), H symmetric; sees float64 tensors on the processor.
    size : int
        P.
    start : torch.Tensor, optional
        (P,), not zero, such as the eigenvector of an epoch before; a fixed
        random vector where none is given, so that reruns agree.
    tolerance : float
        Converged when |Hy − θy| ≤ tolerance · |θ|; θ is then off by about the square of that,
        relative to the gap to the next eigenvalue.
    most : int
        Products at most.

    Where Lanczos does not converge, the result is of the largest Ritz value, and says so.  Raises
    FloatingPointError for a product that is not finite.
    """
    return leading(matvec, size, 1, start, tolerance, most).pairs[0]


def leading(
    matvec: Callable[[Tensor], Tensor],
    size: int,
    count: int,
    start: Tensor | None = None,
    tolerance: float = 1e-6,
    most: int = 1000,
) -> Leading:
    """Find the ``count`` largest algebraic eigenvalues, 1 to 12, in the way of :func:`lanczos`.

    They have converged when every residual |Hy − θy| is at most tolerance · |θ_1|.  Of an
    eigenvalue with several eigenvectors one alone is found, as long as ``start`` reaches more.
    """
    size, most = whole(size, "size", 1), whole(most, "most", 1, cause="products")
    # A restart keeps half of the basis: the eigenvectors wanted must be among it.
    count = whole(count, "count", 1, min(size, _BASIS // 2), "eigenvalues at a time")
    tolerance = positive(tolerance, "tolerance", "the relative residual to reach")
    random = np.random.default_rng(0)
    first = torch.from_numpy(random.standard_normal(size))
    if start is not None:
        first = _direction(start, size).cpu() + _MIX * first / torch.linalg.vector_norm(first)
    krylov = _Krylov(matvec, first / torch.linalg.vector_norm(first), random)
    least = min(_LEAST, size)
    for products in range(1, most + 1):
        krylov.grow()
        if products <= min(_BASIS, size):
            nodes, weights = krylov.values, krylov.first**2
        values, residuals = krylov.values[:count], krylov.residuals[:count]
        good = residuals.max() <= tolerance * abs(values[0]) and products >= least
        if good:
            break
    found = zip(values.tolist(), krylov.vectors(count), residuals.tolist())
    return Leading([Eigenpair(*one, products, bool(good)) for one in found], nodes, weights)


def quadrature(
    matvec: Callable[[Tensor], Tensor], vector: Tensor, products: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes θ (m,), descending, and weights w (m,) of the spectral measure of a vector.

    The parts of the vector v (P,) along the eigenvectors of H, squared, as Lanczos from v sees
    them: v·f(H)v / |v|² ≈ Σ w_i f(θ_i), exact for polynomials of degree up to 2m − 1 (Golub and
    Meurant, Matrices, Moments and Quadrature, 2010).  m is ``products``, or P where that is less;
    as many vectors are held.
    """
    products = min(whole(products, "products", 1), len(vector))
    first = _direction(vector, len(vector)).cpu()
    krylov = _Krylov(matvec, first, np.random.default_rng(0), products)
    for _ in range(products):
        krylov.grow()
    return krylov.values, krylov.first**2


class _Krylov:
    """An orthonormal basis V of the directions tried, with VᵀHV, and the next direction."""

    def __init__(self, matvec, first, random, wide=_BASIS):
        self._matvec, self._random, self.size = matvec, random, len(first)
        wide = min(wide, self.size)
        self._basis = first.new_empty(wide + 1, self.size)  # a vector a row
        self._basis[0] = first
        self._small = np.zeros((wide, wide))
        self._count = 0  # of vectors that have been multiplied

    def grow(self):
        """Multiply one more vector; return the largest Ritz value and its residual.

        ``values`` (k,), descending, and ``residuals`` (k,) are then those of all k Ritz vectors,
        ``first`` (k,) their parts along the first vector of the basis.
        """
        if self._count == len(self._small) < self.size:
            self._restart()
        k = self._count
        # A copy both ways: what an operator keeps, or hands back as it is, is not to be changed
        # below.
        image = _product(self._matvec, self._basis[k].clone()).to("cpu", torch.float64, copy=True)
        along = self._cleared(image, k + 1)
        self._small[k, : k + 1] = self._small[: k + 1, k] = along.numpy()
        self._count = k = k + 1
        self._values, self._vectors = np.linalg.eigh(self._small[:k, :k])
        beta = float(torch.linalg.vector_norm(image))
        if k == self.size:  # nothing is left
            beta = 0.0
        elif beta <= _ROUNDING * np.abs(self._values).max():
            # All of H that this start reaches: what it has no part of is looked for from another.
            beta = 0.0
            image = torch.from_numpy(self._random.standard_normal(self.size))
            self._cleared(image, k)
        self._basis[k] = image / torch.linalg.vector_norm(image) if k < self.size else 0
        self.values, self.residuals = self._values[::-1], beta * np.abs(self._vectors[-1, ::-1])
        self.first = self._vectors[0, ::-1]
        return float(self.values[0]), float(self.residuals[0])

    def vectors(self, count):
        """Return the vectors of the largest Ritz values, descending, (count, P)."""
        kept = torch.from_numpy(self._vectors[:, : -count - 1 : -1].T.copy())
        vectors = kept @ self._basis[: self._count]
        return vectors / torch.linalg.vector_norm(vectors, dim=1, keepdim=True)

    def _cleared(self, vector, count):
        """Take out the part along the first ``count`` vectors, in place; return coefficients."""
        basis = self._basis[:count]
        total = 0
        for _ in range(2):  # once leaves what rounding made
            part = basis @ vector
            vector -= part @ basis
            total = total + part
        return total

    def _restart(self):
        keep = len(self._small) // 2
        self._basis[:keep] = (
            torch.from_numpy(self._vectors[:, -keep:].T.copy()) @ self._basis[: self._count]
        )
        self._basis[keep] = self._basis[self._count]
        self._small[:] = 0
        np.fill_diagonal(self._small[:keep, :keep], self._values[-keep:])
        self._count = keep


def _direction(start, size):
    """Return a start as a float64 unit vector."""
    start = floats(start)
    length = float(torch.linalg.vector_norm(start))
    if start.shape != (size,) or not (length > 0 and math.isfinite(length)):
        raise ValueError(
            f"start has shape {tuple(start.shape)} and length {length}: "
            f"expected ({size},), of positive and finite length"
        )
    return start / length


def _product(matvec, v):
    image = matvec(v)
    if not bool(image.isfinite().all()):
        raise FloatingPointError(
            "a Hessian–vector product is not finite: the loss overflows at these parameters"
        )
    return image
