"""Initial perturbations by how much they grow along a run: the right singular vectors of its
tangent product.

Y = J(T − 1) … J(0), J = I − γH symmetric.  The eigenvectors of H's Lyapunov matrix ln(YᵀY)/2T
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


@dataclass(frozen=True)
class Directions:
    """Orthonormal initial directions, the columns of ``vectors`` (P, k), and ln σ of each over T
    ``steps``, (k,).

    Descending, from the most expanding; ascending from :func:`contracting`.  ``bound`` is on the
    error of all ln σ, after so many ``sweeps``; ``converged`` whether it is within the tolerance.
    """

    vectors: torch.Tensor
    log_singular: np.ndarray
    steps: int
    sweeps: int
    bound: float
    converged: bool

    @property
    def exponents(self):
        """Finite-time Lyapunov exponents ln σ/T per step, (k,)."""
        return self.log_singular / self.steps


class Tangent:
    """Products of J(t), or of what ``step`` gives in its place, along a run, made orthonormal every
    ``interval`` steps.
    """

    def __init__(self, reference, step, interval=10):
        self.reference, self._step, self._interval = reference, step, whole(interval, "interval", 1)

    def forth(self, frame, at=()):
        """J(T − 1) … J(0) = Q diag(2^m) T of an orthonormal ``frame``: Q (P, k), ln σ (k,), and
        what is stretched, (P, k).

        Then ln σ after so many steps ``at``, (T', k).
        """
        count = frame.shape[1]
        product = Product(frame.new_zeros(1, count), torch.eye(count).to(frame)[None])
        q, seen = frame, [np.zeros(count)] if 0 in at else []
        for t, params in self.reference.weights():
            q = self._step(self.reference, t, params, q)
            if (t + 1) % self._interval == 0 or t + 1 == self.reference.steps or t + 1 in at:
                q = product.multiply(q[None])[0]
                if t + 1 in at:
                    seen.append(product.singular(False)[0][0])
        logs, vectors = product.singular(True)
        return q, logs[0], frame @ vectors[0], np.array(seen)


@torch_utils.one()
@torch.no_grad()
def leading(reference, count, *, sweeps=20, tolerance=1e-2, seed=0):
    """The k directions that grow most along a run.

    Parameters
    ----------
    reference : Reference
    count : int
        k.
    sweeps : int
        Of one pass forwards and one backwards with eight vectors, at most.
    tolerance : float
        On the bound on the error of all ln σ, in units of the largest |ln σ|.
    seed : int
        Of the start vectors.

    Returns
    -------
    Directions

    Raises
    ------
    ValueError
        For numbers out of bounds.
    FloatingPointError
        Where a perturbation grows by more than e^350.
    """
    return _sought(reference, forward_step, count, sweeps, tolerance, seed)


@torch_utils.one()
@torch.no_grad()
def contracting(reference, count, *, sweeps=20, tolerance=1e-2, seed=0):
    """The k directions that shrink most, ascending in ln σ; as :func:`leading`.

    Raises :class:`torch.linalg.LinAlgError` where a step has no inverse, 1/γ an eigenvalue of its
    Hessian.
    """
    found = _sought(reference, inverse_step, count, sweeps, tolerance, seed)
    return Directions(
        found.vectors, -found.log_singular, found.steps, found.sweeps, found.bound, found.converged
    )


@torch_utils.one()
@torch.no_grad()
def all_directions(reference, interval=10):
    """All P directions of a small network, descending in ln σ, in one pass."""
    start = torch.eye(reference.task.network.count).to(reference.final)
    _, logs, vectors, _ = Tangent(reference, forward_step, interval).forth(start)
    return Directions(vectors, logs, reference.steps, 1, 0.0, True)


def _sought(reference, step, count, sweeps, tolerance, seed):
    """Leading directions of Y, or of Y⁻¹ by ``step`` = J⁻¹: (YᵀY)⁻¹ = Y⁻¹Y⁻ᵀ, and Y⁻¹ goes back
    through the run, Y⁻ᵀ forth.
    """
    size = reference.task.network.count
    count = whole(count, "count", 1, size, "directions of a space of that size")
    tolerance, sweeps = positive(tolerance, "tolerance", "on ln σ"), whole(sweeps, "sweeps", 1)

    def product(frame):
        for reverse in (False, True):  # each J is symmetric, and so is its inverse
            for t, params in reference.weights(reverse=reverse):
                frame = step(reference, t, params, frame)
        return frame

    found = singular_values.leading(product, reference.final, count, sweeps, tolerance, seed=seed)
    good = found.bound <= tolerance * abs(float(found.logs[0]))
    return Directions(found.vectors, found.logs, reference.steps, found.sweeps, found.bound, good)


def strategies(known, shrinking=None, seed=0, neutral=1e-8):
    """H's five perturbations, as unit vectors (P,) by name.

    ``top`` and ``bottom`` are the directions that grow and shrink most; ``chaotic`` and
    ``non-chaotic`` Gaussian combinations of all with ln σ > 0 and < 0; ``random`` is isotropic.

    Parameters
    ----------
    known : Directions
        All, or the leading ones.  The chaotic combination is of those among them.
    shrinking : Directions, optional
        From :func:`contracting`; needed where ``known`` are not all.  The non-chaotic direction is
        then isotropic but orthogonal to those of ``known`` that do not shrink, if these are all
        such (the last of ``known`` shrinks), and else of the span of ``shrinking``.
    seed : int
    neutral : float
        |ln σ| up to which a direction neither grows nor shrinks.

    Raises
    ------
    ValueError
        Where no direction grows, or none shrinks, or ``shrinking`` is missing.
    """
    size, count = known.vectors.shape
    draw = np.random.default_rng([whole(seed, "seed"), size, 6])
    if shrinking is None and count < size:
        raise ValueError(
            f"{count} of {size} directions are known: give also those that shrink, of twins.contracting"
        )
    vectors, logs = known.vectors, known.log_singular
    low = (
        Directions(vectors.flip(1), logs[::-1], known.steps, 1, 0.0, True)
        if shrinking is None
        else shrinking
    )
    if not logs[0] > neutral or not low.log_singular[0] < -neutral:
        raise ValueError(
            f"ln σ from {low.log_singular[0]:.3g} to {logs[0]:.3g}: a direction must grow and one shrink by more than {neutral}"
        )

    def combined(some):
        return some @ torch.from_numpy(draw.standard_normal(some.shape[1])).to(some)

    isotropic = torch.from_numpy(draw.standard_normal(size)).to(vectors)
    chaotic = combined(vectors[:, torch.from_numpy(logs > neutral)])
    if logs[-1] < -neutral:
        others = vectors[:, torch.from_numpy(logs >= -neutral)]
        calm = torch.from_numpy(draw.standard_normal(size)).to(vectors)
        calm = calm - others @ (others.T @ calm)
    else:
        calm = combined(
            low.vectors[:, torch.from_numpy(np.ascontiguousarray(low.log_singular) < -neutral)]
        )
    found = {
        "top": vectors[:, 0],
        "bottom": low.vectors[:, 0],
        "chaotic": chaotic,
        "non-chaotic": calm,
        "random": isotropic,
    }
    return {name: v / v.norm() for name, v in found.items()}
