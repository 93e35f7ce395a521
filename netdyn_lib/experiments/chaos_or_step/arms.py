"""The arms: maps of stacked networks that differ from gradient descent in one thing each.

Each has ``step(params, networks)``, W (E, P) to the next; ``networks`` (E,) numbers the network of
each row, from 0, where perturbed copies follow in further rows.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ...curvature.central_flow import CentralFlow
from ...curvature.closed_form import OneHiddenLayerHessian
from ...curvature.spectral_steps import Dense, Krylov, NeutralDescent
from ...tasks import gradients

#: Arms by name, in the order in which they are shown; those of the ball are named by its radius.
ARMS = ("descent", "neutral", "neutral both", "shortened", "flow")
ARMS += ("small", "small isotropic", "small unstable")
_DENSE = 300  # parameters; beyond, a dense spectrum takes longer than Lanczos
GROWTH = 0.01  # that "neutral both" leaves to negative curvature, per step
_DOMAIN = 1.1  # sharpness/(2/η) beyond which the flow is not followed
_REFRESHED = 5  # steps between spectra of the small step, which hardly moves


@dataclass(frozen=True)
class Derivatives:
    """What the arms see of a loss: ``gradient`` W ↦ ∇L, ``product`` (W, v) ↦ (∇L, H v), rows
    (E, P), and ``both`` W ↦ (∇L, H), None for a network that is too large for that.
    """

    gradient: object
    product: object
    both: object = None

    @classmethod
    def of(cls, task):
        """Return those of a multilayer perceptron, in closed form."""
        slope, dense = gradients.of(task), task.network.count <= _DENSE
        return cls(slope, slope.product, OneHiddenLayerHessian(task) if dense else None)

    def split(self, rate, growth=None):
        """Return what splits steps: by all eigenvectors, or by Lanczos where there is no H."""
        if self.both is None:
            return Krylov(self.gradient.at, rate, growth)
        return Dense(self.both, rate, growth)


def ball(radius):
    """Return the name of the arm that averages over a ball, such as ``"ball 0.1"``."""
    return f"ball {radius:g}"


class BallAverage:
    """Descend by the mean gradient at copies of W within a ball, W' = W − η mean ∇L(W + u).

    u ~ U(−ρ, ρ) per parameter; ``copies`` come in pairs ±u, and each network keeps its own: the map
    is deterministic, the gradient of a smoothed loss.
    """

    def __init__(self, derivatives, rate, radius, copies, seeds):
        self._gradient, self._rate, self._copies = derivatives.gradient, rate, copies
        self._seeds, self._radius, self._offsets = seeds, radius, None

    def step(self, params, networks):
        """Return the weights (n, P) after one more epoch, of those networks of the arm."""
        size = params.shape[1]
        if self._offsets is None:
            half = [
                np.random.default_rng([*seed, 5]).uniform(
                    -self._radius, self._radius, (self._copies // 2, size)
                )
                for seed in self._seeds
            ]
            self._offsets = torch.from_numpy(np.concatenate([half, -np.array(half)], 1))
        near = params[:, None] + self._offsets[networks]
        slope = self._gradient(near.reshape(-1, size)).reshape(near.shape)
        return params - self._rate * slope.mean(1)


class NoisyDescent:
    """Descend by small steps with noise whose length is given, step by step and network by network.

    Parameters
    ----------
    rate : float
        η of the small step.
    lengths : Tensor, shape (T, n)
        Of the noise.
    unstable_above : float, optional
        Where given, the noise lies in the span of the Hessian eigenvectors above this eigenvalue,
        or along the largest where none is; otherwise it is isotropic.
    """

    def __init__(self, derivatives, rate, lengths, seeds, unstable_above=None):
        self._of, self._rate, self._lengths = derivatives, rate, lengths
        self._seeds, self._above, self._epoch, self._frames = seeds, unstable_above, 0, None

    def step(self, params, networks):
        """Return the weights (n, P) after one more epoch, of those networks of the arm."""
        following = params - self._rate * self._of.gradient(params)
        lengths = self._lengths[self._epoch]
        if bool((lengths > 0).any()):
            draws = [
                np.random.default_rng([*seed, 7, self._epoch]).standard_normal(params.shape[1])
                for seed in self._seeds
            ]
            noise = self._spanned(torch.from_numpy(np.array(draws)), params)
            noise *= (lengths / noise.norm(dim=1).clamp(min=1e-300))[:, None]
            following += noise[networks]
        self._epoch += 1
        return following

    def _spanned(self, noise, params):
        if self._above is None:
            return noise
        if self._frames is None or self._epoch % _REFRESHED == 0:
            hessian = self._of.both(params[: len(noise)])[1]
            good = hessian.isfinite().all(2).all(1)[:, None, None]
            values, vectors = torch.linalg.eigh(torch.where(good, hessian, 0.0))
            values[:, -1] = torch.inf  # one direction at least
            self._frames = vectors * (values > self._above)[:, None]
        return torch.einsum("epk,eqk,eq->ep", self._frames, self._frames, noise)


class Descent:
    """Plain gradient descent."""

    def __init__(self, derivatives, rate):
        self._gradient, self._rate = derivatives.gradient, rate

    def step(self, params, networks):
        """Return the weights (n, P) after one more epoch, of those networks of the arm."""
        return params - self._rate * self._gradient(params)


class Flow:
    """The central flow, and gradient descent beside it from the same start.

    Where the sharpness of a network exceeds 2/η it has no central flow; it starts where
    :meth:`~netdyn_lib.curvature.central_flow.CentralFlow.project` brings it.  Once the sharpness
    exceeds 2/η by more than a tenth the network has left the flow's domain, and is NaN.
    """

    copies = False

    def __init__(self, derivatives, rate, substeps):
        self._flow = CentralFlow(derivatives.both, derivatives.product, rate, substeps)
        self._gradient, self._rate, self._beside = derivatives.gradient, rate, None

    def begin(self, params):
        """Return where the flow starts."""
        self._beside = self._flow.project(params)
        return self._beside.clone()

    def step(self, params, networks):
        """Return the weights (n, P) after one more epoch, of those networks of the arm."""
        ahead = self._beside - self._rate * self._gradient(self._beside)
        following = self._flow.step(params)
        middle = (params + following) / 2 - (self._beside + ahead) / 2
        #: The distance of the means of two successive states, over the length of the weights.
        self.apart = middle.norm(dim=1) / params.norm(dim=1)
        self._beside = ahead
        self.ratio, self.variance = self._flow.ratio.clone(), self._flow.trace / self._rate
        following[self.ratio > _DOMAIN] = torch.nan
        return following


def of(name, derivatives, rate, setting, lengths=None):
    """Return an arm by name.

    Parameters
    ----------
    name : str
        One of :data:`ARMS`, or a :func:`ball`.
    derivatives : Derivatives
    rate : float
        The long step η.
    setting : Experiment
        With ``small``, the share of η and the most that the small step takes; ``ball_copies``;
        ``substeps`` of the flow; ``conditions`` and ``seed``.
    lengths : array, shape (T, n), optional
        Of the noise.
    """
    short = small_rate(rate, setting)
    seeds = [(setting.seed, k) for k in range(setting.conditions)]
    if name == "descent":
        return NeutralDescent(derivatives.split(rate), derivatives.gradient, neutral=False)
    if name.startswith("neutral") or name == "shortened":
        split = derivatives.split(rate, GROWTH if name == "neutral both" else None)
        arm = NeutralDescent(split, derivatives.gradient, shortened=name == "shortened")
        arm.followed = setting.copied  # copies double the number of spectra
        return arm
    if name == "flow":
        return Flow(derivatives, rate, setting.substeps)
    if name == "small":
        return Descent(derivatives, short)
    if name.startswith("ball "):
        return BallAverage(derivatives, rate, float(name[5:]), setting.ball_copies, seeds)
    above = 2 / rate if name == "small unstable" else None
    return NoisyDescent(derivatives, short, torch.as_tensor(lengths), seeds, above)


def small_rate(rate, setting):
    """Return the small step that stands beside a long one: a tenth of it, and at most 0.1."""
    share, most = setting.small
    return min(share * rate, most)
