"""Neutral directions: those along which perturbations neither grow nor shrink, and what they are
made of.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..curvature import hessian as curvature
from ..curvature import jacobian
from ..lyapunov import angles, covariant
from ..validation import positive, whole


@dataclass(frozen=True)
class Directions:
    """Covariant vectors of n trajectories at one time, sorted into growing, neutral and shrinking.

    ``growth`` (n, P) are mean growth rates per step, of Benettin's method, over the stretch that
    begins at that time, descending up to its length; ``neutral`` (n, P) bool, |growth| below the
    bound. ``shares`` (n, P): how much of each parameter's axis lies in the span of the neutral
    vectors, from 0 to 1 (the diagonal of the projector; the sum is the span's dimension).
    ``splitting`` (n,): smallest angle in radians between that span and that of the other vectors;
    NaN where either has no vector. ``curvature`` (n, P): |v·Hv| along each vector.  ``residual``
    (n,): the largest covariance defect of vectors that are not neutral, NaN where there is none;
    those of nearly equal growth are determined as a span only. NaN, and nothing neutral, for
    trajectories that overflowed, or whose tangent map is singular.
    """

    growth: np.ndarray
    neutral: np.ndarray
    shares: np.ndarray
    splitting: np.ndarray
    curvature: np.ndarray
    residual: np.ndarray

    @property
    def count(self):
        """Number of neutral vectors of each trajectory, (n,), as floats: NaN where it is not known."""
        return np.where(np.isfinite(self.shares).all(1), self.neutral.sum(1), np.nan)

    @property
    def active_weights(self):
        """How many weights hold the directions that are not neutral: the participation ratio (Σ
        a)²/Σ a² of a = 1 − share, (n,); NaN for none.
        """
        active = 1 - self.shares
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(
                active.sum(1) > 1e-9, np.square(active.sum(1)) / np.square(active).sum(1), np.nan
            )

    @property
    def concentration(self):
        """1 where the neutral span is one of parameter axes, its dimension's share of P where it
        favours none: Σ share²/Σ share, (n,).

        NaN where nothing is neutral.
        """
        with np.errstate(invalid="ignore"):
            return np.square(self.shares).sum(1) / self.shares.sum(1)


def directions(descent, params, forward, backward, within):
    """Covariant vectors of networks under way, and which of them are neutral.

    Vectors are those at ``forward`` steps from ``params``; growth is that of the ``forward`` steps
    that follow.

    Parameters
    ----------
    descent : GradientDescent
        Of a network with one hidden layer, small enough for its whole spectrum.
    params : torch.Tensor
        (n, P) states from which the frame starts to turn.
    forward : int
        Steps before the moment looked at, in which the frame turns, and after it, over which growth
        is taken.
    backward : int
        Steps after all these, in which the vectors forget how they began.
    within : float
        Growth rates per step below this in magnitude are neutral.

    Returns
    -------
    Directions

    Raises
    ------
    ValueError
        For a bound that is not positive, or less than 1 step forward; as
        :func:`netdyn_lib.lyapunov.covariant.vectors`.
    """
    within = bound(within)
    forward = whole(forward, "forward", 1)
    found = covariant.vectors(
        jacobian.of_descent(descent),
        params,
        forward,
        2 * forward,
        backward=backward,
        at=(forward, 2 * forward),
    )
    return of_vectors(descent.task, found, within)


def bound(within):
    """``within`` as a float; ValueError where it is not positive and finite."""
    return positive(within, "within", "the growth per step that counts as none")


def of_vectors(task, found, within):
    """Covariant vectors at the first step of ``found`` as Directions, by their growth from there to
    its last step.

    ``found`` is a :class:`~netdyn_lib.lyapunov.covariant.CovariantVectors` of all P vectors of this
    task's networks, at 2 or more steps.  Raises ValueError for a bound ``within`` that is not
    positive.
    """
    within = bound(within)
    vectors, states = found.vectors[0], found.states[0]  # (n, P, P), (n, P)
    growth = (found.log_growth[-1] - found.log_growth[0]) / (found.times[-1] - found.times[0])
    neutral = np.abs(growth) < within
    n, size = growth.shape
    shares, splitting, residual = np.full((n, size), np.nan), np.full(n, np.nan), np.full(n, np.nan)
    for k in np.flatnonzero(
        np.isfinite(growth).all(1) & vectors.isfinite().flatten(1).all(1).numpy()
    ):
        flat, rest = vectors[k][:, neutral[k]], vectors[k][:, ~neutral[k]]
        if flat.shape[1]:
            left, sizes, _ = torch.linalg.svd(flat, full_matrices=False)
            basis = left[:, sizes > 1e-10 * sizes[0]]
            shares[k] = basis.square().sum(1).clamp(max=1).numpy()  # not above by rounding
            if rest.shape[1]:
                splitting[k] = angles.between_subspaces(basis[None], rest[None])[0, 0]
        else:
            shares[k] = 0.0
        if rest.shape[1]:
            residual[k] = np.max(found.residuals[0, k][~neutral[k]])
    bent = np.full((n, size), np.nan)
    alive = states.isfinite().all(1)
    if bool(alive.any()):
        hessians = curvature.hessians(task.objective, states[alive])
        bent[alive.numpy()] = (vectors[alive] * (hessians @ vectors[alive])).sum(1).abs().numpy()
    return Directions(growth, neutral, shares, splitting, bent, residual)
