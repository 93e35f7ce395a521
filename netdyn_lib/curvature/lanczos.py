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
# A top eigenvalue this far above the value found, relative to it, is missed with this probability.
_ABOVE, _RISK = 0.01, 1e-3
# Products before small residuals of several eigenvalues are believed, for which there is no bound.
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
    error: float | None = None,
) -> Eigenpair:
    """Find the largest algebraic eigenvalue by thick-restart Lanczos iteration.

    Wu and Simon, SIAM J. Matrix Anal. Appl. 22, 602, 2000.

    In the span of v, Hv, H²v, … the largest Ritz value θ is the largest Rayleigh quotient; its
    vector's residual |Hy − θy| is known without a further product.  Each new direction is made
    orthogonal to all before, twice.  Once the basis has 24 vectors, the 12 with the largest Ritz
    values are kept and it goes on from these.

    A small residual says that an eigenvalue is near, not that it is the largest: a start may by
    chance have next to nothing of the top eigenvector u, which the first few products cannot tell.
    What they tell is a bound on it: an eigenvalue λ above all Ritz values leaves the start at most
    (b·u)² = 1/Σ_j p_j(λ)², with the orthonormal polynomials p_j of the products so far (Christoffel
    numbers; Akhiezer, The Classical Moment Problem, 1965).  A random direction of P numbers has so
    little of u with a probability of at most √(2P/π) |b·u|.  The search ends once that is below
    0.001 for λ 1% above θ; so over random starts at most one search in a thousand names a value
    more than 1% too low, whatever H is.

    A warm ``start`` v enters as v/|v| + 0.01 u with a fixed random unit vector u, for at an
    eigenvector that is no longer the top one nothing would tell: its residual is zero too.

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
    error : float, optional
        Relative error of the value at which to stop, in place of ``tolerance``: converged when
        |Hy − θy|² ≤ error · |θ| · gap, by Kato's and Temple's bound, in which the second Ritz value
        stands for the second eigenvalue.

    Where Lanczos does not converge, the result is of the largest Ritz value, and says so.  Raises
    FloatingPointError for a product that is not finite.
    """
    return leading(matvec, size, 1, start, tolerance, most, error).pairs[0]


def leading(
    matvec: Callable[[Tensor], Tensor],
    size: int,
    count: int,
    start: Tensor | None = None,
    tolerance: float = 1e-6,
    most: int = 1000,
    error: float | None = None,
) -> Leading:
    """Find the ``count`` largest algebraic eigenvalues, 1 to 12, in the way of :func:`lanczos`.

    They have converged when every residual |Hy − θy| is at most tolerance · |θ_1|; of several, not
    before 16 products, for the bound is on what lies above the largest.  Of an eigenvalue with
    several eigenvectors one alone is found, as long as ``start`` reaches more.  ``error`` is of the
    largest alone.
    """
    size, most = whole(size, "size", 1), whole(most, "most", 1, cause="products")
    # A restart keeps half of the basis: the eigenvectors wanted must be among it.
    count = whole(count, "count", 1, min(size, _BASIS // 2), "eigenvalues at a time")
    tolerance = positive(tolerance, "tolerance", "the relative residual to reach")
    error = error and positive(error, "error", "the relative error of the value to reach")
    random = np.random.default_rng(0)
    first = torch.from_numpy(random.standard_normal(size))
    if start is not None:
        first = _direction(start, size).cpu() + _MIX * first / torch.linalg.vector_norm(first)
    krylov = _Krylov(matvec, first / torch.linalg.vector_norm(first), random)
    # Of a warm start, only what is mixed in is random.
    known = math.sqrt(2 * size / math.pi) * (1 if start is None else (1 + _MIX) / _MIX)
    least, products, good = 1 if count == 1 else min(_LEAST, size), 0, False
    while products < most and not good:
        products += 1
        krylov.grow()
        if products <= min(_BASIS, size):
            nodes, weights = krylov.values, krylov.first**2
        values, residuals = krylov.values[:count], krylov.residuals[:count]
        if error is None:
            near = residuals.max() <= tolerance * abs(values[0])
        else:
            near = residuals[0] ** 2 <= error * abs(values[0]) * krylov.gap
        good = near and products >= least and known * krylov.hidden() <= _RISK
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
        self._newest, self._share = 0, 1.0  # the start's part of what this basis began with

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
        self.first, self._beta = self._vectors[0, ::-1], beta
        return float(self.values[0]), float(self.residuals[0])

    @property
    def gap(self):
        """The distance from the largest Ritz value to the next, infinite where there is none."""
        return float(self._values[-1] - self._values[-2]) if self._count > 1 else math.inf

    def hidden(self):
        """Return how much |b·u| the start b has at most of an eigenvector u whose eigenvalue λ is
        1% above the largest Ritz value.

        With HV = VS + β v eᵀ the parts of u along V are x = β (λ − S)⁻¹ e in units of v·u, and
        x² + 1 ≤ 1/(v·u)².
        """
        along = self._parts()
        return self._share * abs(along[self._newest]) / math.sqrt(1 + along @ along)

    def _parts(self):
        k, value = self._count, self._values[-1]
        if self._beta == 0:  # u has no part in this space, or lies in it
            return np.zeros(k)
        shifted = (value + _ABOVE * abs(value)) * np.eye(k) - self._small[:k, :k]
        return np.linalg.solve(shifted, self._beta * np.eye(k)[-1])

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
        # λ only rises from here on, which only lowers what the start can have of u.
        self._share, self._newest = self._share * abs(self._parts()[self._newest]), keep
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
