"""The spectrum of a large symmetric operator from its products with random vectors.

:func:`spectral_measure` is stochastic Lanczos quadrature: Lanczos from a random vector sees all
eigenvalues at once, each with the weight of its eigenvector in that vector, and the mean over
vectors is the density of the spectrum (Lin, Saad & Yang, SIAM Rev. 58, 34, 2016; of neural networks
Ghorbani, Krishnan & Xiao, ICML 2019).  :func:`trace` is Hutch++ (Meyer, Musco, Musco & Woodruff,
SOSA 2021).  An operator is one of :mod:`netdyn_lib.curvature.operators`, any SciPy
``LinearOperator``, or a function of tensors (P,) and its ``size``.

>>> measure = spectral_measure(lambda v: 2 * v, 50, probes=5, products=3)
>>> print(measure.mean(lambda eigenvalues: eigenvalues > 1))
1 [1, 1]
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import stats

from ..statistics.intervals import Interval, bootstrap_interval, student
from ..validation import positive, whole
from .hessian import largest
from .lanczos import quadrature
from .operators import Operator, product_of


@dataclass(frozen=True)
class SpectralMeasure:
    """Nodes and weights (m, k) of m random vectors, a row each; the weights of a row add up to 1.

    ``size`` is P: P times a weight is a number of eigenvalues.
    """

    nodes: np.ndarray
    weights: np.ndarray
    size: int

    def mean(self, function: Callable[[np.ndarray], np.ndarray]) -> Interval:
        """Return the mean of f(λ) over all eigenvalues, tr f(A)/P; its interval is over probes.

        A step of f within a dense part of the spectrum is resolved to the distance of the nodes.
        """
        return student((self.weights * function(self.nodes)).sum(1))

    def density(self, at: ArrayLike, width: float) -> Interval:
        """Return the density of eigenvalues at some values (g,), with its interval over probes.

        Each node is a Gaussian of standard deviation ``width``; the density's integral is 1.
        """
        width = positive(width, "width", "the standard deviation that eigenvalues are blurred by")
        apart = np.asarray(at, dtype=float)[:, None, None] - self.nodes  # (g, m, k)
        return student((self.weights * stats.norm.pdf(apart, scale=width)).sum(2).T)


def spectral_measure(
    operator: Callable, size: int | None = None, probes: int = 10, products: int = 80, seed: int = 0
) -> SpectralMeasure:
    """Return the spectral measure of a symmetric operator by stochastic Lanczos quadrature.

    ``probes`` random vectors of signs, with ``products`` each; ``products`` vectors are in memory.
    Moments tr Aʲ/P have no other error than that of the probes up to j = 2 · products − 1.
    """
    product, size = product_of(operator, size)
    signs = _signs(size, whole(probes, "probes", 1), seed)
    found = [quadrature(product, probe, min(products, size)) for probe in signs]
    nodes, weights = (np.stack(column) for column in zip(*found))
    return SpectralMeasure(nodes, weights, size)


@dataclass(frozen=True)
class Trace:
    """The trace of an operator, its standard error, and Student's interval."""

    value: float
    error: float
    interval: Interval


def trace(operator: Callable, size: int | None = None, products: int = 60, seed: int = 0) -> Trace:
    """Return the trace of a symmetric operator by Hutch++.

    A third of the ``products`` find a subspace Q that holds most of A, a third its trace there, and
    the last third, of random signs g orthogonal to Q, are a mean of gᵀAg, whose scatter is the
    standard error.  As many vectors are in memory.  Where a few eigenvalues make up most of the
    spectrum, as with Hessians of networks, this needs far fewer products than Hutchinson's mean.
    """
    product, size = product_of(operator, size)
    count = whole(products, "products", 6) // 3
    signs = _signs(size, 2 * count, seed)
    images = lambda rows: torch.stack([product(row) for row in rows])  # (k, P)
    basis = torch.linalg.qr(images(signs[:count]).T)[0].T  # (k, P), orthonormal rows
    within = (basis * images(basis)).sum()
    rest = signs[count:] - signs[count:] @ basis.T @ basis
    values = (within + (rest * images(rest)).sum(1)).numpy()  # (k,)
    return Trace(float(values.mean()), float(stats.sem(values)), student(values))


def over_batches(
    operators: Iterable[Operator], measure: Callable[[Operator], float] | None = None
) -> tuple[np.ndarray, Interval]:
    """Return a number of each mini-batch's operator, (k,), and the interval of their mean.

    By default the largest eigenvalue, the sharpness; ``lambda A: trace(A).value`` has the trace.
    ``operators`` may be a generator, so that one is in memory at a time:

        over_batches(operators.of_loss(model, loss_fn, batch) for batch in loader)
    """
    measure = measure or (lambda operator: largest(operator, operator.size))
    values = np.array([measure(operator) for operator in operators])
    return values, bootstrap_interval(values)


def _signs(size, count, seed):
    """Return rows of random signs, (count, size)."""
    drawn = np.random.default_rng(seed).integers(0, 2, (count, size))
    return torch.from_numpy(2.0 * drawn - 1)
