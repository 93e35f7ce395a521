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
#: Steps without a spectrum, at most.
LONGEST = 10


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
    ``smallest`` and ``largest`` (E,) are eigenvalues of H.
    """

    kept: Tensor
    excess: Tensor
    smallest: Tensor
    largest: Tensor


@dataclass(frozen=True)
class Dense:
    """Split steps by all eigenvectors; ``derivatives`` W (E, P) ↦ (∇L (E, P), H (E, P, P))."""

    derivatives: Callable
    rate: float
    growth: float | None = None

    def __call__(self, params: Tensor) -> Split:
        """Return the :class:`Split` at ``params`` (E, P); plain steps where H is not finite."""
        gradient, hessian = self.derivatives(params)
        good = hessian.isfinite().all(2).all(1)
        flat = torch.eye(hessian.shape[1]).to(hessian)
        values, vectors = torch.linalg.eigh(torch.where(good[:, None, None], hessian, flat))
        along = torch.einsum("epk,ep->ek", vectors, gradient)
        scale = factors(values, self.rate, self.growth)
        excess = -self.rate * torch.einsum("epk,ek->ep", vectors, (1 - scale) * along)
        return Split(-self.rate * gradient - excess, excess, values[:, 0], values[:, -1])


@dataclass(frozen=True)
class Krylov:
    """Split steps of large networks: f(H) ∇L by Lanczos from the gradient.

    f(H) g ≈ |g| V f(T) e₁ with T = VᵀHV of ``steps`` vectors, made orthogonal twice to all before
    them; the outlying eigenvalues, for which f is not 1, are found first.  ``at`` maps W (E, P) to
    an object with ``gradient`` and ``product(v)``, both (E, P), as
    :meth:`netdyn_lib.tasks.gradients.MLPGradient.at`.
    """

    at: Callable
    rate: float
    growth: float | None = None
    steps: int = 12

    def __call__(self, params: Tensor) -> Split:
        """Return the :class:`Split` at ``params`` (E, P)."""
        point = self.at(params)
        gradient = point.gradient
        size = gradient.norm(dim=1, keepdim=True).clamp(min=1e-300)
        basis, images = [gradient / size], []
        for step in range(min(self.steps, params.shape[1])):
            images.append(point.product(basis[-1]))
            if step + 1 < min(self.steps, params.shape[1]):
                known, following = torch.stack(basis, 2), images[-1]
                for _ in range(2):
                    following = following - (known @ (known.mT @ following[..., None]))[..., 0]
                length = following.norm(dim=1, keepdim=True)
                basis.append(following / length.clamp(min=1e-300))
        frame = torch.stack(basis, 2)  # (E, P, m)
        small = frame.mT @ torch.stack(images, 2)
        small = ((small + small.mT) / 2).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        values, vectors = torch.linalg.eigh(small)
        weights = (1 - factors(values, self.rate, self.growth)) * vectors[:, 0]
        along = (vectors @ weights[..., None])[..., 0] * size
        excess = -self.rate * (frame @ along[..., None])[..., 0]
        return Split(-self.rate * gradient - excess, excess, values[:, 0], values[:, -1])


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
    split : Dense or Krylov
        With η and the limit of growth.
    gradient : callable
        W (E, P) ↦ ∇L (E, P), for steps at which no spectrum is needed.
    neutral : bool
        Whether the excess is left out; otherwise this is gradient descent.
    shortened : bool
        Whether, instead, the whole step of gradient descent is scaled to the length of what is
        left of it without the excess: a step as short, which keeps its direction.

    Attributes
    ----------
    ratio, excess : Tensor, shape (n,)
        Sharpness/(2/η) as last computed, and the length of the excess of the last step.
    looks : int
        How many spectra were computed.
    """

    def __init__(
        self,
        split: Dense | Krylov,
        gradient: Callable,
        neutral: bool = True,
        shortened: bool = False,
    ):
        self._split, self._gradient = split, gradient
        self.neutral, self.shortened = neutral, shortened
        self.rate = positive(split.rate, "rate", "η")
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
            self.ratio, self._room = (params.new_full((count,), torch.nan) for _ in range(2))
        look = self._wait <= 0
        rows = look[own] & params.isfinite().all(1)
        if not self.neutral:  # copies go by the gradient alone
            rows[count:] = False
        following = params - self.rate * self._gradient(params)
        self.excess = params.new_zeros(count)
        if bool(rows.any()):
            parts = self._split(params[rows])
            self._note(parts, own[rows], int(rows[:count].sum()))
            kept = parts.kept if self.neutral else parts.kept + parts.excess
            if self.shortened:
                whole = parts.kept + parts.excess
                share = parts.kept.norm(dim=1) / whole.norm(dim=1).clamp(min=1e-300)
                kept = share[:, None] * whole
            following[rows] = params[rows] + kept
        moved = (following - params)[:count].norm(dim=1)
        self._wait = torch.where(look, pause(self._room, moved), self._wait - 1)
        return following

    def _note(self, parts, own, count):
        self.looks += len(own)
        own, largest = own[:count], parts.largest[:count]
        room, growth = 2 / self.rate - largest, self._split.growth
        if growth is not None:
            room = torch.minimum(room, parts.smallest[:count] + growth / self.rate)
        self.ratio[own] = largest * self.rate / 2
        self._room[own] = room
        self.excess[own] = parts.excess[:count].norm(dim=1)
