"""Momentum and Adam as maps, for the tools that look at gradient descent.

    adam = Adam(task, learning_rate=0.01)
    ball = networks.perturbed(task.initial(10), 1e-8, 2)
    record = run(adam, ball, 200, observe=("mean_distance",))

An optimizer remembers more than the weights, so its step is no map of them.  It is one of an
extended *state*: (W, u) with the velocity u of momentum, and (W, m, s, t) with Adam's means m of
the gradient and s² = v of its square, and the number t of steps taken.  Distances are those of the
weights; tangent vectors and exponents are of the whole state
(:mod:`netdyn_lib.curvature.optimizers`).

Full batch, constant learning rate; one step is one epoch.  By mini-batches:
:mod:`netdyn_lib.curvature.jacobian`.

For a quadratic loss of curvature h, both are linear once Adam's v stands still, and oscillate with
growing amplitude beyond a sharpness that ``Momentum.threshold`` and ``Adam.threshold`` give (Cohen
et al., 2021 and arXiv:2207.14484).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .. import torch_utils
from ..tasks import gradients
from ..tasks.tasks import Task
from ..validation import floats, positive, whole
from . import minibatches, observables
from .gradient_descent import GradientDescent, Record, epochs_at

Rates = float | Sequence[float]


class Optimizer:
    """What momentum and Adam share: state, step, tangent map.

    A subclass says how a step moves the state, given the gradient, and how it moves tangent
    vectors, given the Hessian's products with their part in W.
    """

    parts = 2  # vectors of P numbers in a state
    clock = False  # whether a state ends in the number of steps

    def __init__(self, task: Task, learning_rate: Rates, weight_decay: float | None = None):
        # Learning rates and weight decay are those of plain descent, with its checks.
        self.descent = GradientDescent(task, learning_rate, weight_decay)
        self.task, self.count = task, task.network.count
        self.size = self.parts * self.count + self.clock
        self._gradient = gradients.of(task)

    @property
    def threshold(self) -> float | np.ndarray:
        """The largest stable curvature, of all or (n,)."""
        raise NotImplementedError

    def states(self, params: Tensor) -> Tensor:
        """Return states (…, D) of weights (…, P) before the first step: all else is zero."""
        params = floats(params, self.task.x.device)
        return torch.cat([params, params.new_zeros(*params.shape[:-1], self.size - self.count)], -1)

    def weights(self, states: Tensor) -> Tensor:
        """Return the weights (…, P) in ``states`` (…, D)."""
        return states[..., : self.count]

    def step(self, states: Tensor, rates: Tensor | None = None, rows=None) -> Tensor:
        """Apply the map itself: (E, D) from ``states`` (E, D), out of place.

        ``rates`` (E,) overrides the learning rates; ``rows`` is as for
        :meth:`netdyn_lib.training.gradient_descent.GradientDescent.step`.
        """
        rates = self.descent.row_rates(states, rows) if rates is None else rates
        w = self.weights(states)
        return self._next(states, self._gradient(w) + self.descent.weight_decay * w, rates[:, None])

    def product(self, states: Tensor, vectors: Tensor, rows=None) -> tuple[Tensor, Tensor]:
        """Return map and tangent map together, (F(S), J(S) v), each (E, D)."""
        following, images = self.advance(states, vectors[:, :, None], rows)
        return following, images[:, :, 0]

    def advance(self, states: Tensor, frames: Tensor, rows=None) -> tuple[Tensor, Tensor]:
        """Return the next states (n, D) and the images of ``frames`` (n, D, k).

        A clock is no direction: what a tangent vector has there stays as it is.
        """
        rates = self.descent.row_rates(states, rows)[:, None]
        w, decay = self.weights(states), self.descent.weight_decay
        slope, curved = self._curved(w, frames[:, : self.count])
        slope, curved = slope + decay * w, curved + decay * frames[:, : self.count]
        following = self._next(states, slope, rates)
        images = self._along(states, following, slope, frames, curved, rates[:, :, None])
        return following, torch.cat([images, frames[:, -1:]], 1) if self.clock else images

    def _split(self, values):
        """Return the vectors of P numbers in states (n, D), or in frames (n, D, k)."""
        return values[:, : self.parts * self.count].split(self.count, 1)

    def _curved(self, params, frames):
        """Return gradients (n, P) and H V (n, P, k)."""
        n, size, k = frames.shape
        flat = frames.transpose(1, 2).reshape(n * k, size)
        slope, along = self._gradient.product(params.repeat_interleave(k, 0), flat)
        return slope.view(n, k, size)[:, 0], along.view(n, k, size).transpose(1, 2)

    def _next(self, states, slope, rates):
        raise NotImplementedError

    def _along(self, states, following, slope, frames, curved, rates):
        raise NotImplementedError


class Momentum(Optimizer):
    """Descent with momentum (the heavy ball), as ``torch.optim.SGD(momentum=μ)``: states (W, u), 2P
    numbers.

    u ← μ u + ∇L(W) + λW,  W ← W − η u,  with the derivative in
    :mod:`netdyn_lib.curvature.jacobian`.

    Parameters
    ----------
    task : Task
    learning_rate : float or sequence of float
        η, of all or (n,).
    momentum : float
        μ.
    weight_decay : float, optional
        λ; by default the task's own.
    """

    def __init__(
        self,
        task: Task,
        learning_rate: Rates,
        momentum: float = 0.9,
        weight_decay: float | None = None,
    ):
        super().__init__(task, learning_rate, weight_decay)
        self.momentum = minibatches.momentum(momentum)

    @property
    def threshold(self) -> float | np.ndarray:
        """The largest stable curvature (2 + 2μ)/η: z² − (1 + μ − ηh) z + μ has the root −1 there.

        Cohen et al., 2021.
        """
        return plain((2 + 2 * self.momentum) / self.descent.learning_rate)

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
    """

    parts, clock = 3, True

    def __init__(
        self,
        task: Task,
        learning_rate: Rates,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
    ):
        super().__init__(task, learning_rate, weight_decay)
        named, otherwise = zip(betas, ("beta1", "beta2"), strict=True), "the mean forgets nothing"
        self.betas = tuple(minibatches.momentum(*pair, otherwise) for pair in named)
        self.epsilon = positive(epsilon, "epsilon", "what is added to √v̂")

    @property
    def threshold(self) -> float | np.ndarray:
        """The largest stable preconditioned curvature (2 + 2β₁)/((1 − β₁) η), 38/η at β₁ = 0.9.

        Cohen et al., arXiv:2207.14484.
        """
        beta = self.betas[0]
        return plain((2 + 2 * beta) / ((1 - beta) * self.descent.learning_rate))

    def preconditioner(self, states: Tensor) -> Tensor:
        """Return the diagonal of P = (1 − β₁^t)(√v̂ + ε) after t > 0 steps: W ← W − η P⁻¹ m.

        It is (n, P) for ``states`` (n, D).
        """
        if not bool((states[:, -1] > 0).all()):
            raise ValueError(
                "a state before the first step: Adam has no preconditioner yet; "
                "take at least one step"
            )
        first, second = self._corrections(states[:, -1:])
        return first * (self._split(states)[2] / second.sqrt() + self.epsilon)

    def _corrections(self, t):
        """Return 1 − β^t for both β, shaped as ``t``."""
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


@torch_utils.one()
def run(
    optimizer: Optimizer,
    start: Tensor,
    epochs: int,
    observe: Sequence = ("loss",),
    every: int = 1,
    at: Sequence[int] | None = None,
) -> Record:
    """Iterate an ensemble and keep what was observed, as gradient descent's own ``run``.

    Parameters
    ----------
    optimizer : Momentum or Adam
    start : torch.Tensor
        Weights (n, P), or (n, 1 + M, P) with perturbed copies, all else then zero; or states (n,
        D), (n, 1 + M, D), to go on.
    epochs : int
        Steps taken.
    observe, every, at
        As for :func:`netdyn_lib.training.gradient_descent.run`, of the weights; without
        ``"displacement"`` and ``"path_length"``.

    Returns
    -------
    netdyn_lib.training.gradient_descent.Record
        ``final`` are the *states* after the last step, (n, D) or (n, 1 + M, D).
    """
    task = optimizer.task
    epochs, every = whole(epochs, "epochs"), whole(every, "every", 1)
    chosen = epochs_at(at, every, epochs) or range(0, epochs + 1, every)
    groups = groups_of(optimizer, start)
    n, together, _ = groups.shape
    found = observables.collect(observe, task, copies=together - 1)
    for name, function in found.items():
        if observables.needs(function, "start") or observables.needs(function, "path"):
            raise ValueError(f"{name} is not kept here: observe weights")
    rates = optimizer.descent.rates(n, groups.device).repeat_interleave(together)
    with_output, target = any(observables.needs(f, "output") for f in found.values()), None
    gone, states = np.full((n, together), -1), groups.flatten(0, 1)
    rows: dict[str, list] = {name: [] for name in found}
    with torch.no_grad():
        for t in range(epochs + 1):
            lost = ~states.isfinite().all(-1).view(n, together).cpu().numpy() & (gone < 0)
            gone[lost] = t
            if t in chosen:
                weights = optimizer.weights(states)
                seen = observables.Snapshot(t, weights.view(n, together, -1), task)
                if with_output:
                    output = task.network.outputs(weights, task.x).transpose(1, 2)  # (E, C, N)
                    target = task.loss.encode(task.y, output.shape[1]) if target is None else target
                    seen.output, seen.target = output.unflatten(0, (n, together)), target
                blank = None
                if gone.max() >= 0:
                    blank = torch.as_tensor(gone >= 0, device=states.device)
                for name, function in found.items():
                    rows[name].append(observables.look(name, function, seen, blank))
            if t < epochs:
                states = optimizer.step(states, rates)
    values = {name: torch.stack(row).cpu().numpy() for name, row in rows.items()}
    final = states.view(n, together, -1).cpu()
    if np.ndim(start) == 2:
        values = {k: observables.without_copies(found[k], v) for k, v in values.items()}
        final, gone = final[:, 0], gone[:, 0]
    return Record(np.array(sorted(chosen)), values, final, gone)


def threshold_of(method: GradientDescent | Optimizer) -> float | np.ndarray:
    """Return the largest stable sharpness, that of plain descent being 2/η; of all or (n,)."""
    return method.threshold if isinstance(method, Optimizer) else plain(2 / method.learning_rate)


def groups_of(optimizer: Optimizer, start: Tensor) -> Tensor:
    """Return a start, weights or states, with or without copies, as states (n, 1 + M, D)."""
    start = floats(start, optimizer.task.x.device)
    if (
        start.dim() not in (2, 3)
        or start.numel() == 0
        or start.shape[-1] not in (optimizer.count, optimizer.size)
    ):
        raise ValueError(
            f"start has shape {tuple(start.shape)}; expected (n, …) or (n, 1 + M, …) with "
            f"{optimizer.count} numbers last (weights) or {optimizer.size} "
            f"(states of {type(optimizer).__name__})"
        )
    start = start[:, None] if start.dim() == 2 else start
    return optimizer.states(start) if start.shape[-1] == optimizer.count else start


def plain(value: Tensor) -> float | np.ndarray:
    """Return a tensor of one number as a float, of several as an array."""
    return value.item() if value.dim() == 0 else value.numpy()
