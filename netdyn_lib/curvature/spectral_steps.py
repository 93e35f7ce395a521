"""Steps of gradient descent whose expanding parts are made neutral.

A step W − η∇L multiplies a small displacement along a Hessian eigenvector of eigenvalue λ by
1 − ηλ.  It expands where λ > 2/η, and where λ < 0.  Here the part of the step along each expanding
eigenvector is scaled, not removed:

    W' = W − η f(H) ∇L,    f(λ) = 2/(ηλ) where λ > 2/η, else 1,

so that the multiplier 1 − η f(λ) λ is −1 instead of less: neutral.  With a ``growth`` c the
multiplier along negative curvature is limited to 1 + c as well, f(λ) = c/(η|λ|) where λ < −c/η.
f is continuous, and so is the new map.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..validation import positive

#: The most that the sharpness is taken to change per unit of distance in weight space.  Where the
#: threshold is farther off than that, no spectrum is computed (:func:`pause`).
STEEPEST = 50.0
LONGEST = 10  # steps without a spectrum, at most


def factors(values: Tensor, rate: float, growth: float | None = None) -> Tensor:
    """Return f(λ) of eigenvalues of any shape, see the module.

    >>> factors(torch.tensor([-1.0, 0.5, 4.0]), rate=1.0)
    tensor([1.0000, 1.0000, 0.5000])
    >>> factors(torch.tensor([-1.0, 0.5, 4.0]), rate=1.0, growth=0.01)
    tensor([0.0100, 1.0000, 0.5000])
    """
    bound = 2 / (rate * values.clamp(min=torch.finfo(values.dtype).tiny))
    found = torch.where(values > 0, bound.clamp(max=1), torch.ones_like(values))
    if growth is None:
        return found
    limit = growth / (rate * (-values).clamp(min=torch.finfo(values.dtype).tiny))
    return torch.where(values < 0, limit.clamp(max=1), found)


@dataclass(frozen=True)
class Split:
    """A step of gradient descent in two parts, W' = W + ``kept`` + ``excess``, (E, P) each.

    ``kept`` is −η f(H) ∇L, ``excess`` the part of the step by which expansion exceeds neutral.
    ``values`` (E, P) and ``vectors`` (E, P, P) are the Hessian's, ascending.
    """

    kept: Tensor
    excess: Tensor
    values: Tensor
    vectors: Tensor


def split(gradient: Tensor, hessian: Tensor, rate: float, growth: float | None = None) -> Split:
    """Return a step of stacked networks in parts, from ∇L (E, P) and H (E, P, P)."""
    values, vectors = torch.linalg.eigh(hessian)
    along = torch.einsum("epk,ep->ek", vectors, gradient)
    scale = factors(values, rate, growth)
    excess = -rate * torch.einsum("epk,ek->ep", vectors, (1 - scale) * along)
    return Split(-rate * gradient - excess, excess, values, vectors)


def pause(room: Tensor, moved: Tensor) -> Tensor:
    """Return for how many more steps no eigenvalue can cross its threshold, (E,) whole numbers.

    It is ``room`` away from it, and steps of length ``moved`` change it by at most
    :data:`STEEPEST` times that; at most :data:`LONGEST` steps.
    """
    steps = room / (STEEPEST * moved).clamp(min=1e-300)
    return steps.nan_to_num(nan=0.0).clamp(min=0, max=LONGEST).floor().to(torch.int64)


class NeutralDescent:
    """Gradient descent with its expansion made neutral, or measured and left as it is.

    Parameters
    ----------
    derivatives : callable
        W (E, P) ↦ (∇L (E, P), H (E, P, P)), as
        :class:`~netdyn_lib.curvature.closed_form.OneHiddenLayerHessian`.
    gradient : callable
        W (E, P) ↦ ∇L (E, P), for steps at which no spectrum is needed.
    rate : float
        η, the same for all networks.
    growth : float, optional
        c, the most that a step may grow along negative curvature; not limited where not given.
    neutral : bool
        Whether the excess is left out; otherwise this is gradient descent.

    Attributes
    ----------
    ratio, excess : Tensor, shape (n,)
        Sharpness/(2/η) as last computed, and the length of the excess of the last step.
    looks : int
        How many spectra were computed.
    """

    def __init__(
        self,
        derivatives: Callable,
        gradient: Callable,
        rate: float,
        growth: float | None = None,
        neutral: bool = True,
    ):
        self._derivatives, self._gradient = derivatives, gradient
        self.rate, self.growth, self.neutral = positive(rate, "rate", "η"), growth, neutral
        self.looks = 0
        self._wait = torch.zeros(0, dtype=torch.int64)
        self.ratio = self.excess = self._room = torch.zeros(0)

    def step(self, params: Tensor, networks: Tensor | None = None) -> Tensor:
        """Return the map of ``params`` (E, P).

        ``networks`` (E,) says which network, from 0, each row belongs to, where perturbed copies
        follow in further rows: copies get a spectrum where their network, the first n rows, does.
        """
        own = torch.arange(len(params)) if networks is None else networks
        count = int(own.max()) + 1
        if len(self._wait) != count:
            self._wait = torch.zeros(count, dtype=torch.int64)
            self.ratio = self._room = params.new_full((count,), torch.nan)
            self.ratio = self.ratio.clone()
        look = self._wait <= 0
        rows = look[own] & params.isfinite().all(1)
        if not self.neutral:  # copies go by the gradient alone
            rows[count:] = False
        following = params - self.rate * self._gradient(params)
        self.excess = params.new_zeros(count)
        if bool(rows.any()):
            following[rows] = self._looked(params[rows], own[rows], int(rows[:count].sum()))
        moved = (following - params)[:count].norm(dim=1)
        self._wait = torch.where(look, pause(self._room, moved), self._wait - 1)
        return following

    def _looked(self, params, own, count):
        gradient, hessian = self._derivatives(params)
        good = hessian.isfinite().all(2).all(1)
        hessian = torch.where(good[:, None, None], hessian, torch.eye(hessian.shape[1]).to(hessian))
        parts = split(gradient, hessian, self.rate, self.growth)
        self.looks += len(params)
        largest, own = parts.values[:count, -1], own[:count]
        self.ratio[own] = largest * self.rate / 2
        room = 2 / self.rate - largest
        if self.growth is not None:
            room = torch.minimum(room, parts.values[:count, 0] + self.growth / self.rate)
        self._room[own] = room
        self.excess[own] = parts.excess[:count].norm(dim=1)
        return params + parts.kept + (0 if self.neutral else parts.excess)
