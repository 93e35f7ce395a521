"""The central flow of gradient descent (Cohen et al., 2025).

It averages gradient descent over its oscillation at the edge of stability:

    dW/dt = −η [∇L(W) + ½ ∇⟨H(W), Σ⟩],    Σ ⪰ 0,  H ⪯ (2/η) I,  ⟨Σ, (2/η) I − H⟩ = 0,

in units of steps.  Σ is the covariance of the oscillation; it lives on the eigenvectors whose
eigenvalue is at 2/η and is what keeps them there (Damian et al., 2023, for one direction).  The
loss that gradient descent shows, averaged over time, is L(W) + tr Σ/η.

Each unit of time goes in Euler steps; at each Σ solves a semidefinite complementarity problem, that
eigenvalues linearised in the step stay below 2/η.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .spectral_steps import pause

_CRITICAL = 1.95  # eigenvalues above this many 1/η take part, as in the authors' program
_STEP = 1e-4  # of central differences of H, relative error about 1e-8
_TOLERANCE = 1e-6
_SWEEPS = 400


def complementary(offset: Tensor, force: Tensor, sweeps: int = _SWEEPS) -> Tensor:
    """Solve X ⪰ 0, A + B[X] ⪰ 0, ⟨X, A + B[X]⟩ = 0 for stacked symmetric matrices.

    The minimum of ½⟨X, B[X]⟩ + ⟨A, X⟩ over X ⪰ 0, by accelerated projected gradients with restarts.

    Parameters
    ----------
    offset : Tensor, shape (E, k, k)
        A.
    force : Tensor, shape (E, k, k, k, k)
        B, symmetric and positive semidefinite as a map of matrices.

    Returns
    -------
    Tensor, shape (E, k, k)
    """
    count, k = offset.shape[:2]
    matrix = force.reshape(count, k * k, k * k)
    size = torch.linalg.matrix_norm(matrix, ord=2)[:, None, None]
    size = torch.where(size > 0, size, torch.ones_like(size))  # no force: there is no solution

    def slope(x):
        return offset + torch.bmm(matrix, x.reshape(count, k * k, 1)).reshape(count, k, k)

    x = y = offset.new_zeros(count, k, k)
    momentum = offset.new_ones(count, 1, 1)
    scale = torch.linalg.matrix_norm(offset).clamp(min=1e-300)[:, None, None] / size
    for sweep in range(sweeps):
        following = _semidefinite(y - slope(y) / size)
        change = following - x
        restart = ((y - following) * change).sum((1, 2), keepdim=True) > 0
        momentum = torch.where(restart, torch.ones_like(momentum), momentum)
        larger = (1 + (1 + 4 * momentum**2).sqrt()) / 2
        y = following + torch.where(restart, 0.0, (momentum - 1) / larger) * change
        x, momentum = following, larger
        if sweep % 10 == 9:
            far = torch.linalg.matrix_norm(change)[:, None, None] / scale
            if bool((far.nan_to_num(nan=0.0) < _TOLERANCE).all()):
                break
    return x


def _semidefinite(x):
    if x.shape[1] == 1:
        return x.clamp(min=0)
    x = (x + x.mT) / 2
    good = x.isfinite().all(2).all(1)[:, None, None]
    values, vectors = torch.linalg.eigh(torch.where(good, x, torch.zeros_like(x)))
    return (vectors * values.clamp(min=0)[:, None]) @ vectors.mT


@dataclass(frozen=True)
class Critical:
    """Eigenvalues near 2/η of each network, descending, padded to the largest number k of them:
    ``values`` (E, k), ``vectors`` (E, P, k), ``there`` (E, k).
    """

    values: Tensor
    vectors: Tensor
    there: Tensor


def critical(hessian: Tensor, rate: float, above: float = _CRITICAL) -> tuple[Critical, Tensor]:
    """Return the eigenpairs above ``above``/η, and the sharpness (E,), of H (E, P, P)."""
    values, vectors = torch.linalg.eigh(hessian)
    values, vectors = values.flip(1), vectors.flip(2)
    there = values > above / rate
    k = int(there.sum(1).max())
    return Critical(values[:, :k], vectors[:, :, :k], there[:, :k]), values[:, 0]


class CentralFlow:
    """The central flow of gradient descent for stacked networks, in Euler steps.

    Parameters
    ----------
    derivatives : callable
        W (E, P) ↦ (∇L (E, P), H (E, P, P)).
    product : callable
        (W, v) ↦ (∇L(W), H(W) v), (E, P) each.
    rate : float
        η.
    substeps : int
        Euler steps of one step of gradient descent.

    Attributes
    ----------
    ratio, trace : Tensor, shape (n,)
        Sharpness/(2/η) as last computed, and tr Σ of the last Euler step.
    """

    def __init__(self, derivatives: Callable, product: Callable, rate: float, substeps: int = 4):
        self._derivatives, self._product = derivatives, product
        self.rate, self.substeps = rate, substeps
        self._wait = torch.zeros(0, dtype=torch.int64)
        self.ratio = self.trace = torch.zeros(0)

    def step(self, params: Tensor) -> Tensor:
        """Return W (E, P) after one unit of time."""
        if len(self._wait) != len(params):
            self._wait = torch.zeros(len(params), dtype=torch.int64)
            self.ratio = params.new_full((len(params),), torch.nan)
        for _ in range(self.substeps):
            params = self._substep(params)
        return params

    def _substep(self, params):
        dt = 1 / self.substeps
        gradient = self._product(params, torch.zeros_like(params))[0]
        velocity = -self.rate * gradient
        self.trace = params.new_zeros(len(params))
        finite = params.isfinite().all(1)
        look = (self._wait <= 0) & finite
        if bool(look.any()):
            _, hessian = self._derivatives(params[look])
            good = hessian.isfinite().all(2).all(1)
            hessian = torch.where(good[:, None, None], hessian, torch.zeros_like(hessian))
            near, sharpness = critical(hessian, self.rate)
            self.ratio[look] = sharpness * self.rate / 2
            at = torch.arange(len(params))[look][near.there.any(1)]
            if len(at):
                some = near.there.any(1)
                near = Critical(near.values[some], near.vectors[some], near.there[some])
                push, self.trace[at] = self.push(params[at], near, velocity[at], dt)
                velocity[at] += push
        following = params + dt * velocity
        moved = dt * velocity.norm(dim=1)
        fresh = pause((_CRITICAL - 2 * self.ratio) / self.rate, moved)
        self._wait = torch.where(look, fresh, self._wait - 1)
        return following

    def push(self, params: Tensor, near: Critical, velocity: Tensor, dt: float):
        """Return −(η/2) ∇⟨H, Σ⟩ (E, P) and tr Σ (E,) at the Σ that keeps H below 2/η.

        ``velocity`` (E, P) is what W does otherwise, ``dt`` the time within which it must hold.
        """
        count, k = near.values.shape
        slopes = self.slopes(params, near)  # (E, k, k, P)
        slack = 2 / self.rate - near.values
        # a direction that is padding has slack and feels no force
        slack = torch.where(near.there, slack, torch.full_like(slack, 1 / self.rate))
        offset = torch.diag_embed(slack) - dt * torch.einsum("eijp,ep->eij", slopes, velocity)
        force = dt * self.rate / 2 * torch.einsum("eijp,eklp->eijkl", slopes, slopes)
        sigma = complementary(offset, force)
        return -self.rate / 2 * torch.einsum("eijp,eij->ep", slopes, sigma), sigma.diagonal(
            dim1=1, dim2=2
        ).sum(1)

    def slopes(self, params: Tensor, near: Critical) -> Tensor:
        """Return ∇(uᵢᵀ H uⱼ), (E, k, k, P), of the critical eigenvectors; zero for padding."""
        count, k = near.values.shape
        found = params.new_zeros(count, k, k, params.shape[1])
        i, j = torch.triu_indices(k, k)
        for a, b in zip(i.tolist(), j.tolist()):
            rows = near.there[:, a] & near.there[:, b]
            if bool(rows.any()):
                w, u, v = params[rows], near.vectors[rows][:, :, a], near.vectors[rows][:, :, b]
                up, down = (self._product(w + h * u, v)[1] for h in (_STEP, -_STEP))
                found[rows, a, b] = found[rows, b, a] = (up - down) / (2 * _STEP)
        return found

    def project(self, params: Tensor, sweeps: int = 200, longest: float = 0.3, within=1e-3):
        """Move W (E, P) to where no eigenvalue exceeds 2/η, by Σ alone, and return it.

        Each sweep is the shortest move that brings the linearised eigenvalues to 2/η, or a part of
        it of length ``longest``.  Networks that are not there after ``sweeps`` are NaN: the flow
        has no start near them.
        """
        params, out = params.clone(), torch.arange(len(params))
        for _ in range(sweeps):
            _, hessian = self._derivatives(params[out])
            near, sharpness = critical(hessian, self.rate)
            over = sharpness > 2 / self.rate * (1 + within)
            if not bool(over.any()):
                return params
            out = out[over]
            near = Critical(near.values[over], near.vectors[over], near.there[over])
            move = self.push(params[out], near, torch.zeros_like(params[out]), 1.0)[0]
            length = move.norm(dim=1, keepdim=True).clamp(min=1e-300)
            params[out] += move * (longest / length).clamp(max=1)
            pushed = move.isfinite().all(1) & (length[:, 0] > 1e-300)
            params[out[~pushed]] = torch.nan
            out = out[pushed]
            if not len(out):
                return params
        _, hessian = self._derivatives(params[out])
        over = torch.linalg.eigvalsh(hessian)[:, -1] > 2 / self.rate * (1 + within)
        params[out[over]] = torch.nan
        return params
