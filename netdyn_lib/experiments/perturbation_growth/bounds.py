"""The limits that tangent dynamics sets to the distance of twins: ε e^{λ_N(t) t} ≤ d(t) ≤ ε
e^{λ_1(t) t} (H, eq. 5).

They hold for infinitesimal ε, and d may leave them where ε is not.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ... import torch_utils
from ...curvature import batch_hessian
from ...curvature import hessian as curvature
from ...curvature.jacobian import forward_step, inverse_step
from ...validation import whole
from .directions import Tangent


@dataclass(frozen=True)
class Extremes:
    """ln of the ``largest`` and ``smallest`` singular value of Y(t), (T,) each, after ``steps``
    (T,).
    """

    steps: np.ndarray
    largest: np.ndarray
    smallest: np.ndarray

    @property
    def exponents(self):
        """λ_1(t) and λ_N(t) per step, (T, 2); NaN at t = 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return (
                np.stack([self.largest, self.smallest], 1)
                / np.where(self.steps > 0, self.steps, np.nan)[:, None]
            )


@torch_utils.one()
@torch.no_grad()
def extremes(reference, leading, contracting, at, interval=10):
    """Extreme singular values of Y(t) within two frames of initial directions.

    ``leading`` and ``contracting`` are
    :class:`~netdyn_lib.experiments.perturbation_growth.Directions` of the run, ``at`` steps.  At T
    they are as exact as the directions.  Before, a frame of few may miss the extremes: ``largest``
    is then too small and ``smallest`` too large, never the other way round; frames of all P
    directions miss nothing.
    """
    at = _steps(reference, at)
    top = Tangent(reference, forward_step, interval).forth(leading.vectors, at)[3][:, 0]
    bottom = -Tangent(reference, inverse_step, interval).forth(contracting.vectors, at)[3][:, 0]
    return Extremes(at, top, bottom)


@torch_utils.one()
@torch.no_grad()
def norm_bounds(reference, at):
    """What no perturbation can leave: Σ ln max|1 − γλ| and Σ ln min|1 − γλ| over the steps, λ = 0
    included; :class:`Extremes`.

    ‖J‖ adds up as if one direction were the most chaotic at every step, so they are wide.
    """
    at = _steps(reference, at)
    rows = [np.zeros(2)]
    for t, params in reference.weights():
        hessian = batch_hessian.hessian(reference.part(t), params)
        values = torch.linalg.eigvalsh(hessian.matrix).cpu().numpy()
        if len(values) < hessian.size:
            values = np.append(values, 0.0)
        exponents = curvature.local_exponents(values, reference.rate)
        rows.append(np.array([exponents.max(), exponents.min()]))
    sums = np.cumsum(rows, 0)[at]
    return Extremes(at, sums[:, 0], sums[:, 1])


def share_within(distance, epsilon, known, slack=1e-9):
    """Share of the observed times t > 0 at which ε e^{λ_N t} ≤ d ≤ ε e^{λ_1 t}, each to a relative
    ``slack``: (…) of ``distance`` (T, …).

    ``known`` are the :class:`Extremes` at the same T times; ``epsilon`` ε is one, or (…).  NaN in a
    distance is outside. Raises ValueError for lengths that differ, or no time after 0.
    """
    distance, epsilon = np.asarray(distance, dtype=float), np.asarray(epsilon, dtype=float)
    if len(distance) != len(known.steps):
        raise ValueError(
            f"{len(distance)} distances for {len(known.steps)} times: observe both at the same steps"
        )
    later = known.steps > 0
    if not later.any():
        raise ValueError("no time after 0: there is nothing to be within")
    shape = (-1, *[1] * (distance.ndim - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = np.log(distance[later] / epsilon)
    low, high = known.smallest[later].reshape(shape), known.largest[later].reshape(shape)
    return ((grown >= low - slack) & (grown <= high + slack)).mean(0)


def _steps(reference, at):
    return np.unique(
        [
            whole(t, "step in at", 0, reference.steps, "the steps of the run")
            for t in np.ravel(at).tolist()
        ]
    ).astype(int)
