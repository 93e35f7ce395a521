"""The largest algebraic eigenvalue of a symmetric operator, from its products with vectors.

The algorithms here see ``matvec``, a function from a (P,) tensor to a (P,)
tensor, and know nothing of networks; :mod:`netdyn_lib.curvature` has the
operators.  Sharpness is the largest *algebraic* eigenvalue of the Hessian of
the training loss: early in training a negative one may be larger in magnitude.

>>> matrix = torch.diag(torch.tensor([2.0, 1.0, -5.0], dtype=torch.float64))
>>> round(lanczos(lambda v: matrix @ v, 3).value, 6)
2.0
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

from .checks import floats, positive, whole

# A warm start may be an eigenvector that is no longer the top one.  Lanczos
# would not leave it, so this share of a fixed random direction is mixed in.
_MIX = 0.01
# ARPACK looks at what it has only once it holds so many vectors.  From a warm
# start few will do (measured on digits; see the tests).
_COLD, _WARM = 20, 8


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
    vector: torch.Tensor
    residual: float
    products: int
    converged: bool


def power_iteration(matvec, start, tolerance=1e-6, most=1000):
    """Largest algebraic eigenvalue by power iteration (J, appendix C), shifted where that is needed.

    v ← Hv/|Hv| converges to the eigenvector of the eigenvalue largest in
    *magnitude*, |λ₂/λ₁|^k close after k products.  Where that eigenvalue is
    negative it is λ_min, and a second stage iterates on H − λ_min I, whose
    largest eigenvalue in magnitude is λ_max − λ_min.  Two eigenvalues λ and −λ
    keep the first stage from converging: the result says so.

    Parameters
    ----------
    matvec : callable
        v ↦ Hv, (P,) to (P,), H symmetric.
    start : torch.Tensor
        (P,), not zero; random, or an eigenvector found nearby.  What it
        is orthogonal to is not found.
    tolerance : float
        Converged when |Hv − λv| ≤ tolerance · |λ|, in the second stage
        tolerance · (λ − λ_min).
    most : int
        Products at most, both stages together.

    Returns
    -------
    Eigenpair
        With ``vector`` on the device of ``start``.

    Raises
    ------
    ValueError
        For a start that is zero, not finite or not (P,), a tolerance that is not
        positive and finite, or ``most`` below 1.
    FloatingPointError
        For a product that is not finite.

    >>> matrix = torch.diag(torch.tensor([2.0, 1.0, -5.0], dtype=torch.float64))
    >>> round(power_iteration(lambda v: matrix @ v, torch.ones(3)).value, 6)
    2.0
    """
    tolerance = positive(tolerance, "tolerance", "the relative residual to reach")
    most = whole(most, "most", 1, cause="products")
    start = _direction(start)
    found = _iterate(matvec, start, 0.0, tolerance, most)
    left = most - found.products
    if found.converged and found.value < 0:
        if not left:
            return Eigenpair(found.value, found.vector, found.residual, found.products, False)
        top = _iterate(matvec, start, found.value, tolerance, left)
        found = Eigenpair(top.value, top.vector, top.residual, found.products + top.products, top.converged)
    return found


def _iterate(matvec, v, shift, tolerance, most):
    """Power iteration on H − shift I, from a unit vector."""
    for count in range(1, most + 1):
        image = _product(matvec, v)  # H v
        value = float(v @ image)
        residual = float(torch.linalg.vector_norm(image - value * v))
        if residual <= tolerance * abs(value - shift) or count == most:
            break
        image = image - shift * v
        v = image / torch.linalg.vector_norm(image)
    return Eigenpair(value, v, residual, count, residual <= tolerance * abs(value - shift))


def lanczos(matvec, size, start=None, tolerance=1e-6, most=1000):
    """Largest algebraic eigenvalue by implicitly restarted Lanczos iteration (ARPACK, which='LA').

    A warm ``start`` v enters as v/|v| + 0.01 u with a fixed random unit vector
    u.  For at an exact eigenvector Lanczos breaks down, and were it no
    longer the top one, nothing would tell: its residual is zero too.

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
        Relative to λ, ARPACK's.
    most : int
        Products at most.

    Returns
    -------
    Eigenpair
        Where Lanczos does not converge, of the vector with the largest Rayleigh
        quotient among all it multiplied, and ``converged`` false.

    Raises
    ------
    ValueError
        For a start that is zero, not finite or not (P,), a tolerance that is not
        positive and finite, or ``size`` or ``most`` below 1.
    FloatingPointError
        For a product that is not finite.
    """
    size, most = whole(size, "size", 1), whole(most, "most", 1, cause="products")
    tolerance = positive(tolerance, "tolerance", "the relative accuracy to reach")
    first = np.random.default_rng(0).standard_normal(size)
    if start is not None:
        first = _direction(start, size).cpu().numpy() + _MIX * first / np.linalg.norm(first)
    counted = _Counted(matvec, most)
    exhausted = False
    try:
        if size == 1:
            vector = np.ones(1)
        else:
            basis = min(size, _COLD if start is None else _WARM)
            operator = LinearOperator((size, size), matvec=counted, dtype=np.float64)
            vector = eigsh(operator, k=1, which="LA", tol=tolerance, v0=first, ncv=basis)[1][:, 0]
        return counted.pair(torch.from_numpy(vector))
    except (_Spent, ArpackNoConvergence):
        pass
    except ArpackError:  # no further direction in the Krylov space, as for a multiple of the identity
        exhausted = True
    best = counted.best
    return Eigenpair(*best, counted.count, exhausted and best[2] <= tolerance * abs(best[0]))


class _Spent(Exception):
    """All products allowed are spent."""


class _Counted:
    """Products for ARPACK, counted, with (value, vector, residual) of the largest Rayleigh quotient seen."""

    def __init__(self, matvec, most):
        self._matvec, self._most = matvec, most
        self.count, self.best = 0, (-math.inf, None, math.inf)

    def __call__(self, v):
        if self.count == self._most:
            raise _Spent
        # ARPACK overwrites the vectors it hands out.
        return self._look(torch.from_numpy(np.array(v, dtype=np.float64).ravel())).numpy()

    def _look(self, v):
        self.count += 1
        image = _product(self._matvec, v).cpu()
        square = float(v @ v)
        value = float(v @ image) / square if square else -math.inf
        if value > self.best[0]:
            residual = float(torch.linalg.vector_norm(image - value * v)) / math.sqrt(square)
            self.best = value, v / math.sqrt(square), residual
        return image

    def pair(self, vector):
        """What ARPACK found, with one more product for its residual."""
        self.count += 1
        image = _product(self._matvec, vector).cpu()
        value = float(vector @ image)
        return Eigenpair(value, vector, float(torch.linalg.vector_norm(image - value * vector)), self.count, True)


def _direction(start, size=None):
    """A start as a float64 unit vector."""
    start = floats(start)
    if start.dim() != 1 or len(start) == 0 or (size is not None and len(start) != size):
        raise ValueError(f"start has shape {tuple(start.shape)}: expected ({'P' if size is None else size},)")
    length = float(torch.linalg.vector_norm(start))
    if not (length > 0 and math.isfinite(length)):
        raise ValueError(f"start has length {length}: a direction needs a positive and finite one")
    return start / length


def _product(matvec, v):
    image = matvec(v)
    if not bool(image.isfinite().all()):
        raise FloatingPointError("a Hessian–vector product is not finite: the loss overflows at these parameters")
    return image
