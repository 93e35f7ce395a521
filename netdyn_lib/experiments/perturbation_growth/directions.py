"""Initial perturbations by how much they grow along a run: the right singular vectors of its
tangent product.

Y = J(T − 1) … J(0), J = I − γH symmetric.  The eigenvectors of the Lyapunov matrix ln(YᵀY)/2T
belong to the start of the run.  Forward QR gives those of YYᵀ, which belong to its end; the
transposed product Yᵀ = J(0) … J(T − 1), the same run backwards, ends in those of the start.  One
pass finds them only as far as singular values lie apart, so the passes take turns, backwards and
forwards, and what they give is gathered in a block Krylov space of YᵀY
(:mod:`netdyn_lib.lyapunov.singular_values`).

The directions that shrink most are the leading ones of the inverse, Y⁻¹ = J(0)⁻¹ … J(T − 1)⁻¹, by
the same passes.  J = I − γ S M Sᵀ has J⁻¹ = I + S [(I − γM)⁻¹ − I] Sᵀ, a system of equations in few
dimensions (:mod:`netdyn_lib.curvature.batch_hessian`).
"""

from dataclasses import dataclass

import numpy as np
import torch

from ... import torch_utils
from ...curvature.jacobian import forward_step, inverse_step
from ...lyapunov import singular_values
from ...lyapunov.singular_values import Product
from ...validation import positive, whole
from ..sgd_spectra import NEUTRAL


@dataclass(frozen=True)
class Search:
    """How directions are sought: those of the first ``horizon`` steps, ``count`` at each end of the
    spectrum, in at most ``sweeps`` of one pass forwards and one backwards with eight vectors, to a
    ``tolerance`` on the error of all ln σ, in units of the largest |ln σ|.
    """

    horizon: int
    count: int = 8
    sweeps: int = 20
    tolerance: float = 1e-2


@dataclass(frozen=True)
class Directions:
    """Orthonormal initial directions, the columns of ``vectors`` (P, k), and ln σ of each, (k,).

    Descending, from the most expanding; ascending from :func:`contracting`.  ``bound`` is on the
    error of all ln σ; ``converged`` whether it is within the tolerance.
    """

    vectors: torch.Tensor
    log_singular: np.ndarray
    bound: float = 0.0
    converged: bool = True


@torch_utils.one()
@torch.no_grad()
def leading(reference, search, seed=0):
    """Return the directions that grow most along a run.

    reference : netdyn_lib.training.minibatches.Reference, of ``search.horizon`` steps
    search : Search; ``seed`` of the start vectors

    Raises FloatingPointError where a perturbation grows by more than e^350.
    """
    return _found(reference, forward_step, search, seed)


@torch_utils.one()
@torch.no_grad()
def contracting(reference, search, seed=0):
    """Return the directions that shrink most, ascending in ln σ; as :func:`leading`.

    Raises :class:`torch.linalg.LinAlgError` where a step has no inverse, 1/γ an eigenvalue of its
    Hessian.
    """
    found = _found(reference, inverse_step, search, seed)
    return Directions(found.vectors, -found.log_singular, found.bound, found.converged)


def _found(reference, step, search, seed):
    """Return leading directions of Y, or of Y⁻¹ by ``step`` = J⁻¹: (YᵀY)⁻¹ = Y⁻¹Y⁻ᵀ, and Y⁻¹ goes
    back through the run, Y⁻ᵀ forth.
    """
    size = reference.task.network.count
    count = whole(search.count, "count", 1, size, "directions of a space of that size")
    tolerance = positive(search.tolerance, "tolerance", "on ln σ")
    sweeps = whole(search.sweeps, "sweeps", 1)

    def product(frame):
        for reverse in (False, True):  # each J is symmetric, and so is its inverse
            for t, params in reference.weights(reverse=reverse):
                frame = step(reference, t, params, frame)
        return frame

    found = singular_values.leading(product, reference.final, count, sweeps, tolerance, seed=seed)
    good = found.bound <= tolerance * abs(float(found.logs[0]))
    return Directions(found.vectors, found.logs, found.bound, good)


def strategies(growing, shrinking, seed=0):
    """Return the five perturbations of Herrmann 2022, as unit vectors (P,) by name.

    ``top`` and ``bottom`` are the directions that grow and shrink most; ``chaotic`` a Gaussian
    combination of those ``growing``, from :func:`leading`, with ln σ > 0; ``non-chaotic`` of those
    ``shrinking``, from :func:`contracting`, with ln σ < 0; ``random`` is isotropic.
    """
    size = len(growing.vectors)
    random = np.random.default_rng([whole(seed, "seed"), size, 6])
    up, down = growing.log_singular, shrinking.log_singular
    if not (up[0] > NEUTRAL and down[0] < -NEUTRAL):
        raise ValueError(
            f"ln σ from {down[0]:.3g} to {up[0]:.3g}: a direction must grow and one shrink by more"
            f" than {NEUTRAL}"
        )

    def combined(vectors, chosen):
        vectors = vectors[:, torch.from_numpy(np.ascontiguousarray(chosen))]
        return vectors @ torch.from_numpy(random.standard_normal(vectors.shape[1])).to(vectors)

    isotropic = torch.from_numpy(random.standard_normal(size)).to(growing.vectors)
    found = {
        "top": growing.vectors[:, 0],
        "bottom": shrinking.vectors[:, 0],
        "chaotic": combined(growing.vectors, up > NEUTRAL),
        "non-chaotic": combined(shrinking.vectors, down < -NEUTRAL),
        "random": isotropic,
    }
    return {name: v / v.norm() for name, v in found.items()}


@torch_utils.one()
@torch.no_grad()
def extremes(reference, growing, shrinking, at, interval=10):
    """Return ln of the largest and of the smallest singular value of Y(t) after so many steps
    ``at``, (T,) each, within two frames of initial directions.

    They bound the distance of infinitesimally perturbed copies: ε e^{λ_N(t) t} ≤ d(t) ≤ ε
    e^{λ_1(t) t} (Herrmann 2022, eq. 5).  ``growing`` and ``shrinking`` are as from :func:`leading`
    and :func:`contracting`.  At T they are as exact as these directions.  Before, a frame of few
    may miss the extremes: the largest is then too small and the smallest too large, never the other
    way round; frames of all P directions miss nothing.
    """
    return (
        _largest(reference, forward_step, growing.vectors, at, interval),
        -_largest(reference, inverse_step, shrinking.vectors, at, interval),
    )


def _largest(reference, step, frame, at, interval):
    """Return the largest ln σ of the product of what ``step`` gives, within an orthonormal
    ``frame`` (P, k), after each of the steps ``at``, (T,).
    """
    count = frame.shape[1]
    product = Product(frame.new_zeros(1, count), torch.eye(count).to(frame)[None])
    seen, q, last = {0: 0.0}, frame, max(at)
    for t, params in reference.weights():
        if t == last:
            break
        q = step(reference, t, params, q)
        if (t + 1) % interval == 0 or t + 1 in at:
            q = product.multiply(q[None])[0]
            if t + 1 in at:
                seen[t + 1] = product.singular(False)[0][0, 0]
    return np.array([seen[t] for t in at])
