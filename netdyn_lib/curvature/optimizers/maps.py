"""Momentum and Adam as maps of an extended state, with their derivatives; see the package."""

import numpy as np
import torch

from ...lyapunov.qr import random_orthogonal
from ...tasks import gradients
from ...tasks.networks import MLP
from ...training import minibatches
from ...training.gradient_descent import GradientDescent
from ...validation import floats, positive, real
from .. import hessian

_DENSE = 400  # parameters up to which a Hessian is formed whole, for frames of
_SHARE = 0.25  # at least this share of so many vectors


class Optimizer:
    """What momentum and Adam share: state, step, tangent map.

    A subclass says how a step moves the state, given the gradient, and how it moves tangent
    vectors, given the Hessian's products with their part in W.
    """

    parts = 2  # vectors of P numbers in a state
    clock = False  # whether a state ends in the number of steps

    def __init__(self, task, learning_rate, weight_decay=None):
        # Learning rates and weight decay are those of plain descent, with its checks.
        self.descent = GradientDescent(task, learning_rate, weight_decay)
        self.task, self.count = task, task.network.count
        self.size = self.parts * self.count + self.clock
        self._gradient = gradients.of(task)

    def states(self, params):
        """States (…, D) of weights ``params`` (…, P) before the first step: all else is zero."""
        params = floats(params, self.task.x.device)
        return torch.cat([params, params.new_zeros(*params.shape[:-1], self.size - self.count)], -1)

    def weights(self, states):
        """The weights (…, P) in ``states`` (…, D)."""
        return states[..., : self.count]

    def step(self, states, rates=None, rows=None):
        """The map itself: (E, D) from ``states`` (E, D), out of place.

        ``rates`` (E,) overrides the learning rates; ``rows`` as for
        :meth:`netdyn_lib.training.gradient_descent.GradientDescent.step`.
        """
        rates = self._rates(len(states), states.device, rows) if rates is None else rates
        w = self.weights(states)
        return self._next(states, self._gradient(w) + self.descent.weight_decay * w, rates[:, None])

    def product(self, states, vectors, rows=None):
        """Map and tangent map together, (F(S), J(S) v), each (E, D); as for
        :func:`netdyn_lib.lyapunov.growth`.
        """
        following, images = self.advance(states, vectors[:, :, None], rows)
        return following, images[:, :, 0]

    def advance(self, states, frames, rows=None):
        """The next states (n, D) and the images of ``frames`` (n, D, k), as
        :mod:`netdyn_lib.lyapunov.tangent_maps` says.

        A clock is no direction: what a tangent vector has there stays as it is, and :meth:`frame`
        has zeros there.
        """
        rates = self._rates(len(states), states.device, rows)[:, None]
        w, decay = self.weights(states), self.descent.weight_decay
        slope, curved = self._curved(w, frames[:, : self.count])
        slope, curved = slope + decay * w, curved + decay * frames[:, : self.count]
        following = self._next(states, slope, rates)
        images = self._along(states, following, slope, frames, curved, rates[:, :, None])
        return following, torch.cat([images, frames[:, -1:]], 1) if self.clock else images

    def frame(self, count=None, seed=0):
        """A random orthonormal frame (D, k) without a part in the clock; all such directions where
        ``count`` is not given.
        """
        frame = random_orthogonal(self.size - self.clock, count, seed)
        return torch.cat([frame, frame.new_zeros(int(self.clock), frame.shape[1])])

    def _split(self, values):
        """The vectors of P numbers in states (n, D), or in frames (n, D, k)."""
        return values[:, : self.parts * self.count].split(self.count, 1)

    def _rates(self, count, device, rows=None):
        rates = self.descent.rates(count if rows is None else rows.count, device)
        return rates if rows is None else rates[rows.index]

    def _curved(self, params, frames):
        """Gradients (n, P) and H V (n, P, k), by whole Hessians where the network is small and the
        vectors are many.
        """
        n, size, k = frames.shape
        closed = isinstance(self.task.network, MLP)  # and so are its products
        if size <= _DENSE and k >= _SHARE * size and not closed and self._gradient.ways.symmetric:
            return self._gradient(params), torch.bmm(
                hessian.hessians(self.task.objective, params), frames
            )
        flat = frames.transpose(1, 2).reshape(n * k, size)
        slope, along = self._gradient.product(params.repeat_interleave(k, 0), flat)
        return slope.view(n, k, size)[:, 0], along.view(n, k, size).transpose(1, 2)


class Momentum(Optimizer):
    """Descent with momentum (the heavy ball), as ``torch.optim.SGD(momentum=μ)``: states (W, u), 2P
    numbers.

    u ← μ u + ∇L(W) + λW,  W ← W − η u;  the derivative is in :mod:`netdyn_lib.curvature.jacobian`.

    Parameters
    ----------
    task : Task
    learning_rate : float or sequence of float
        η, of all or (n,).
    momentum : float
        μ.
    weight_decay : float, optional
        λ; by default the task's own.

    Raises
    ------
    ValueError
        For μ outside [0, 1), and as :class:`~netdyn_lib.training.gradient_descent.GradientDescent`.
    """

    def __init__(self, task, learning_rate, momentum=0.9, weight_decay=None):
        super().__init__(task, learning_rate, weight_decay)
        self.momentum = minibatches.momentum(momentum)

    @property
    def threshold(self):
        """Largest stable curvature (2 + 2μ)/η: z² − (1 + μ − ηh) z + μ then has the root −1 (Cohen
        et al., 2021).
        """
        return plain((2 + 2 * self.momentum) / self.descent.learning_rate)

    def sharpness(self, states):
        """Largest eigenvalue of H + λ at each of ``states`` (n, D), (n,); the quantity that
        ``threshold`` bounds.
        """
        return (
            hessian.sharpness(self.task.objective, self.weights(states)) + self.descent.weight_decay
        )

    def _next(self, states, slope, rates):
        w, u = self._split(states)
        u = self.momentum * u + slope
        return torch.cat([w - rates * u, u], 1)

    def _along(self, states, following, slope, frames, curved, rates):
        dw, du = self._split(frames)
        du = self.momentum * du + curved
        return torch.cat([dw - rates * du, du], 1)


class Adam(Optimizer):
    """Adam, as ``torch.optim.Adam``: states (W, m, s, t), 3P + 1 numbers, with s = √v.

        m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²,   g = ∇L(W) + λW,   t ← t + 1
        W ← W − η m̂/(√v̂ + ε),   m̂ = m/(1 − β₁^t),   v̂ = v/(1 − β₂^t)

    The state holds √v, not v: √v has the units of m, and the derivative of √(β₂ s² + (1 − β₂) g²)
    is bounded, where that of √v is not as v → 0.  Coordinates change what exponents are over few
    steps, and not in the long run. Where a gradient has always been zero, m = s = 0, the root has a
    kink; there m = 0, so the map has a derivative all the same, and that of the root is taken to be
    0.

    Parameters
    ----------
    task : Task
    learning_rate : float or sequence of float
        η, of all or (n,).
    betas : (float, float)
        β₁, β₂.
    epsilon : float
        ε.
    weight_decay : float, optional
        λ, which enters g (not AdamW's); by default the task's own.

    Raises
    ------
    ValueError
        For β outside [0, 1), ε that is not positive, and as
        :class:`~netdyn_lib.training.gradient_descent.GradientDescent`.
    """

    parts, clock = 3, True

    def __init__(self, task, learning_rate, betas=(0.9, 0.999), epsilon=1e-8, weight_decay=None):
        super().__init__(task, learning_rate, weight_decay)
        for name, beta in zip(("beta1", "beta2"), betas, strict=True):
            if not 0 <= real(beta) < 1:
                raise ValueError(
                    f"{name} = {beta}: must be at least 0 and below 1, or the mean forgets nothing"
                )
        self.betas, self.epsilon = (
            tuple(map(float, betas)),
            positive(epsilon, "epsilon", "what is added to √v̂"),
        )

    @property
    def threshold(self):
        """Largest stable preconditioned curvature (2 + 2β₁)/((1 − β₁) η), 38/η at β₁ = 0.9 (Cohen
        et al., arXiv:2207.14484).
        """
        beta = self.betas[0]
        return plain((2 + 2 * beta) / ((1 - beta) * self.descent.learning_rate))

    def preconditioner(self, states):
        """The diagonal of P = (1 − β₁^t)(√v̂ + ε) of ``states`` (n, D) after t > 0 steps, (n, P): W
        ← W − η P⁻¹ m.

        Raises ValueError for states before the first step, which have none.
        """
        if not bool((states[:, -1] > 0).all()):
            raise ValueError(
                "a state before the first step: Adam has no preconditioner yet; take at least one step"
            )
        first, second = self._corrections(states[:, -1:])
        return first * (self._split(states)[2] / second.sqrt() + self.epsilon)

    def sharpness(self, states):
        """Preconditioned sharpness, the largest eigenvalue of P^{-1/2} (H + λ) P^{-1/2} at each of
        ``states`` (n, D), (n,).

        Raises as :meth:`preconditioner`.
        """
        found = []
        for w, diagonal in zip(self.weights(states), self.preconditioner(states)):
            root = diagonal.sqrt()
            product = hessian.product_of(self.task.objective, w)[0]

            def scaled(v, w=w, root=root, product=product):
                v = v.to(root) / root
                return (product(w, v)[1] + self.descent.weight_decay * v) / root

            found.append(hessian.largest(scaled, len(w)))
        return np.array(found)

    def _corrections(self, t):
        """1 − β^t for both β, shaped as ``t``."""
        return tuple(1 - beta**t for beta in self.betas)

    def _next(self, states, slope, rates):
        w, m, s = self._split(states)
        t = states[:, -1:] + 1
        one, two = self.betas
        m = one * m + (1 - one) * slope
        s = (two * s**2 + (1 - two) * slope**2).sqrt()
        first, second = self._corrections(t)
        return torch.cat([w - rates / first * (m / (s / second.sqrt() + self.epsilon)), m, s, t], 1)

    def _along(self, states, following, slope, frames, curved, rates):
        dw, dm, ds = self._split(frames)
        _, m, after = (part[:, :, None] for part in self._split(following))
        before = self._split(states)[2][:, :, None]
        one, two = self.betas
        dm = one * dm + (1 - one) * curved
        safe = torch.where(after > 0, after, torch.ones_like(after))
        ds = two * (before / safe) * ds + (1 - two) * (slope[:, :, None] / safe) * curved
        ds = torch.where(after > 0, ds, torch.zeros_like(ds))
        first, second = self._corrections(following[:, -1:, None])
        below = after / second.sqrt() + self.epsilon
        return torch.cat(
            [dw - rates / first * (dm / below - m / below**2 * (ds / second.sqrt())), dm, ds], 1
        )


def plain(value):
    """A tensor of one number as a float, of several as an array."""
    return value.item() if value.dim() == 0 else value.numpy()
