"""Tangent maps of gradient descent: full-batch, by mini-batches, with momentum, and pruned.

By mini-batches, with the velocity u ← μ u + g(W), W ← W − γ u, as in PyTorch, the state is (W, u)
and

    J = [[I − γH, −γμ I], [H, μ I]],    det J = μ^P,

H and g those of the batch of that step.  Eq. 8 of Herrmann 2022,
Y(t + 1) = Y(t) − γ Σ_s μ^{t−s} H(s) Y(s), is the part of this in W for a perturbation that leaves
the first velocity as it is.  Without momentum J = I − γH.

A map by mini-batches is another one at every step.  The state carries the clock, here in its last
entry, the number of the step: (W, t) or (W, u, t).  Time is no direction: J leaves what a tangent
vector has there as it is, and :meth:`StochasticDescent.frame` has zeros there.

Pruned: the step of :mod:`netdyn_lib.curvature.pruned_descent` is W − γ P(W) g(W), P = I − Σ v_i
v_iᵀ over the pruned directions i ∈ A of H(W).  Its derivative along δ is

    J δ = δ − γ [P H δ + (∂P[δ]) g].

Theorem 2.2 prints Y ← (I − γ P) Y (Herrmann 2022, eq. 12).  That is no derivative of this step: H
is missing, and with it the units of curvature.  Three maps are to be told apart:

*   I − γP, as printed, takes the same share γ off all that is kept, whatever the curvature.
*   I − γPH, with P held fixed.  It is symmetric, for P and H commute, and has eigenvalues 1 on A,
    1 − γλ elsewhere; where A is all that is chaotic no perturbation grows, and nor does it in
    products of such.  It is the derivative where ∂P = 0 or g = 0: for a quadratic loss, and at a
    stationary point.
*   The true one.  First-order perturbation theory of the projector on A (Kato, Perturbation Theory
    for Linear Operators, II.2) gives

        ∂P[δ] = −Σ_{i ∈ A, j ∉ A} (v_jᵀ ∂H[δ] v_i)/(λ_i − λ_j) (v_j v_iᵀ + v_i v_jᵀ),

    of third derivatives of the loss.  It is not symmetric, has parts along A, and may expand, at
    any rate γ: for L = φ(r), φ' < 0 < φ'', the tangential direction is the chaotic one, with λ =
    φ'/r, the gradient has no part along it, and pruning changes nothing; the derivative there is 1
    − γλ > 1, as without. So the theorem's guarantee, no orbits that diverge exponentially, does not
    follow, and mini-batches that take turns give counterexamples.

The map itself jumps where an eigenvalue crosses the bound of its class, as λ = 0 or 2/γ, if the
gradient has a part along it; J holds between such jumps, and grows as 1/(λ_i − λ_j) towards a
crossing with an eigenvalue that is kept.

All of this takes place in the range of the batch's Hessian, for ∂H lies there too
(:mod:`netdyn_lib.curvature.batch_frames`): m dimensions instead of P.  Nor do j count that are left
out of these for being exactly 0: T is locally constant, so ∂M = T ∂M' Tᵀ has no part there, and
v_jᵀ ∂H v_i = 0.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..lyapunov import benettin, tangent_maps
from ..lyapunov.benettin import Spectrum
from ..lyapunov.qr import random_orthogonal
from ..lyapunov.tangent_maps import TangentMap
from ..tasks import gradients
from ..tasks.networks import MLP
from ..tasks.tasks import Task
from ..training import minibatches
from ..training.gradient_descent import GradientDescent
from ..validation import floats, positive, whole
from . import batch_hessian
from .batch_hessian import Local, LowRank
from .closed_form import OneHiddenLayerHessian, suits
from .hessian import Objective, hessians
from .pruned_descent import Rule, each, named, pruned, unpenalised

# Tangent vectors from which the low-rank Hessian is formed; fewer go by products.  At 5,350
# parameters and 8 samples it takes as long to form as some 60 products.
_MANY = 64
_DENSE = 400  # parameters up to which a Jacobian is formed whole
_TOGETHER = 2**23  # entries of derivatives of the Hessian that are formed together: 64 MiB


def of_descent(descent: GradientDescent, closed: bool | None = None) -> TangentMap:
    """Return the advance of full-batch descent, J(W) = I − η (H(W) + λI), each at its own η.

    The Jacobian of a perceptron with one hidden layer and at most 400 parameters is formed whole,
    in closed form (:class:`~netdyn_lib.curvature.closed_form.OneHiddenLayerHessian`, also for what
    holds at a ReLU's kink).  Any other network goes by Hessian–vector products.  ``closed`` says
    which, where given.
    """
    task = descent.task
    if closed is None:
        closed = suits(task) and task.network.count <= _DENSE
    if not closed:
        return tangent_maps.by_product(descent.product)
    closed_form = OneHiddenLayerHessian(task)

    def function(params, rows=None):
        n = len(params) if rows is None else rows.count
        rates = descent.rates(n, params.device)
        rates = rates if rows is None else rates[rows.index]
        gradient, jacobian = closed_form(params)
        following = params - rates[:, None] * (gradient + descent.weight_decay * params)
        jacobian.mul_(-rates[:, None, None])
        jacobian.diagonal(dim1=1, dim2=2).add_(1 - rates[:, None] * descent.weight_decay)
        return following, jacobian

    return tangent_maps.by_jacobian(function)


class StochasticDescent:
    """The advance of descent by mini-batches, with or without momentum.

    Parameters
    ----------
    task : Task
        Without weight decay.
    rates : float or sequence of float
        γ, of all or (n,).
    batch : int
        Samples of a batch.
    seed : int or sequence of int
        Of the order of samples, :func:`netdyn_lib.training.minibatches.order`; of all or (n,).
    momentum : float
        μ.
    """

    def __init__(
        self,
        task: Task,
        rates: float | Sequence[float],
        batch: int,
        seed: int | Sequence[int] = 0,
        momentum: float = 0.0,
    ):
        unpenalised(task)
        self.task, self.batch, self.momentum = task, batch, minibatches.momentum(momentum)
        minibatches.per_epoch(len(task.x), batch)
        self._rates = [positive(rate, "rates", "γ") for rate in np.ravel(rates).tolist()]
        self._seeds = [whole(one, "seed") for one in np.ravel(seed).tolist()]
        self.size = task.network.count * (2 if self.momentum else 1)  # of a state without its clock

    def states(self, params: Tensor, start: int = 0, velocity: Tensor | None = None) -> Tensor:
        """Return states (n, D) before step ``start``; ``velocity`` (n, P) is zero by default."""
        params = floats(params, self.task.x.device)
        parts = [params, params.new_full((len(params), 1), whole(start, "start"))]
        if self.momentum:
            still = torch.zeros_like(params)
            parts.insert(1, still if velocity is None else floats(velocity, params.device))
        return torch.cat(parts, 1)

    def frame(self, count: int | None = None, seed: int = 0) -> Tensor:
        """Return a random orthonormal frame (D, k) without a part in time, k = D − 1 by default."""
        frame = random_orthogonal(self.size, count, seed)
        return torch.cat([frame, frame.new_zeros(1, frame.shape[1])])

    def __call__(self, states, frames, rows=None):
        index = range(len(states)) if rows is None else rows.index.tolist()
        count = len(states) if rows is None else rows.count
        rates = each(self._rates, count, "rates")
        seeds = each(self._seeds, count, "seeds")
        pairs = [self._one(*pair, rates[k], seeds[k]) for *pair, k in zip(states, frames, index)]
        following, images = zip(*pairs)
        return torch.stack(following), torch.stack(images)

    def _one(self, state, frame, rate, seed):
        """Return the next state (D,) and the images (D, k) of one network's ``frame`` (D, k)."""
        following, images = state.clone(), frame.clone()
        following[-1] += 1
        if not bool(state.isfinite().all()):
            return following, torch.full_like(frame, torch.nan)
        size = self.task.network.count
        index = minibatches.at(len(self.task.x), self.batch, int(state[-1]), seed)
        part = minibatches.batch_task(self.task, torch.tensor(index, device=state.device))
        step, along = self._step(part, state[:size], frame[:size], rate)  # (P,) and (P, k)
        if self.momentum:
            step = self.momentum * state[size : 2 * size] + step
            along = self.momentum * frame[size : 2 * size] + along
            following[size : 2 * size], images[size : 2 * size] = step, along
        following[:size] -= rate * step
        images[:size] -= rate * along
        return following, images

    def _step(self, part, params, frame, rate):
        """Return what a step goes against (P,), and its derivative along a ``frame`` (P, k)."""
        return curved(part, params, frame)


def curved(part: Task, params: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient (P,) of a batch ``part`` and H ``frame`` (P, k), by the quicker way."""
    gradient = gradients.of(part)
    if frame.shape[1] < _MANY or not isinstance(part.network, MLP):
        slope, images = gradient.product(params.repeat(frame.shape[1], 1), frame.T)
        return slope[0], images.T
    return gradient(params[None])[0], batch_hessian.hessian(part, params).product(frame.T).T


def spectrum(
    advance: StochasticDescent,
    params: Tensor,
    steps: int,
    count: int | Tensor | None = None,
    start: int = 0,
    velocity: Tensor | None = None,
    **options,
) -> Spectrum:
    """Return the Lyapunov exponents of mini-batch descent, a spectrum without the clock.

    ``count`` is k, all of (W) or (W, u) by default, or a frame as of
    :meth:`StochasticDescent.frame`; ``params`` and ``velocity`` (n, P) are before step ``start``.
    ``options`` are those of :func:`netdyn_lib.lyapunov.benettin.spectrum`.
    """
    frame = count if isinstance(count, Tensor) else advance.frame(count)
    states = advance.states(params, start, velocity)
    found = benettin.spectrum(advance, states, steps, frame, **options)
    return replace(found, frame=found.frame[:, :-1], final=found.final[:, :-1])


def forward_step(reference: minibatches.Reference, t: int, params: Tensor, frame: Tensor) -> Tensor:
    """Return J(t) ``frame``, (P, k), at W(t) = ``params`` of a kept run."""
    return frame - reference.rate * curved(reference.part(t), params, frame)[1]


def inverse_step(reference: minibatches.Reference, t: int, params: Tensor, frame: Tensor) -> Tensor:
    """Return J(t)⁻¹ ``frame``, (P, k), as :func:`forward_step`.

    Raises :class:`torch.linalg.LinAlgError` where a step has no inverse.
    """
    return batch_hessian.hessian(reference.part(t), params).undone(frame.T, reference.rate).T


def frozen_growth(
    hessian: Tensor, directions: Tensor, epochs, learning_rate: float, order: int = 1
) -> np.ndarray:
    """Return the growth |(I − ηH)^t u| of perturbations if curvature stayed as it is: (T, k).

    ``hessian`` (P, P) is symmetric, ``directions`` (k, P) are the u, ``epochs`` (T,) the times t,
    and ``order`` 1 or 2 the norm.
    """
    learning_rate = positive(learning_rate, "learning_rate", "η")
    times = [whole(t, "epoch") for t in np.ravel(epochs).tolist()]
    if directions.dim() != 2 or len(directions) == 0 or directions.shape[1] != len(hessian):
        raise ValueError(
            f"directions of shape {tuple(directions.shape)} for a Hessian "
            f"{tuple(hessian.shape)}: expected (k, P), k > 0"
        )
    values, vectors = torch.linalg.eigh(hessian)
    parts = directions.to(values) @ vectors  # (k, P), components along eigenvectors
    factors = (1 - learning_rate * values)[None] ** values.new_tensor(times)[:, None]  # (T, P)
    moved = (factors[:, None] * parts[None]) @ vectors.T  # (T, k, P)
    return torch.linalg.vector_norm(moved, ord=order, dim=-1).cpu().numpy()


def frozen_distance(objective: Objective, ball: Tensor, epochs, learning_rate: float) -> np.ndarray:
    """Return the mean L1 distance (T, n) of copies if curvature stayed what it is at the reference.

    ``ball`` (n, 1 + M, P) is as from :func:`~netdyn_lib.tasks.networks.perturbed`.
    """
    if ball.dim() != 3 or len(ball) == 0 or ball.shape[1] < 2:
        raise ValueError(
            f"ball of shape {tuple(ball.shape)}: expected (n, 1 + M, P) with n and M at least 1"
        )
    curvature = hessians(objective, ball[:, 0])
    means = [
        frozen_growth(h, group[1:] - group[:1], epochs, learning_rate).mean(1)
        for h, group in zip(curvature, ball)
    ]
    return np.stack(means, axis=1)


def pruned_derivative(
    local: Local,
    gradient: Tensor,
    directions: Tensor,
    learning_rate: float,
    rule: str | Rule = "chaotic",
    found: LowRank | None = None,
) -> Tensor:
    """Return the derivatives of the pruned gradient, P H δ + (∂P[δ]) g, along δ (k, P): (k, P).

    Parameters
    ----------
    local : netdyn_lib.curvature.batch_hessian.Local
        The batch's Hessian around W.
    gradient : torch.Tensor
        g (P,) there.
    directions : torch.Tensor
        δ.
    learning_rate : float
        γ, which decides what is chaotic.
    rule : str or Rule
        One that is a projection on eigenvectors: not ``elsewhere``, ``restore``, or random.
    found : netdyn_lib.curvature.batch_hessian.LowRank, optional
        The Hessian's spectrum, where it is known already.

    Where a pruned eigenvalue equals one that is kept the derivative does not exist; the result is
    then not finite, or very large.
    """
    rule = named(rule)
    if rule.draws or rule.restore:
        raise ValueError(
            f"{rule}: what draws random numbers or restores lengths has no derivative here; "
            "take a projection on eigenvectors"
        )
    found = local.spectrum() if found is None else found
    if len(directions) > len(found.values):  # nothing changes outside the span of eigenvectors
        units = found.expand(torch.eye(len(found.values)))
        whole = pruned_derivative(local, gradient, units, learning_rate, rule, found)
        return found.project(directions) @ whole
    curved = found.product(directions)
    mask = torch.from_numpy(rule.mask(found.values, learning_rate, None)).to(found.basis.device)
    if not bool(mask.any()):
        return curved
    values, basis = torch.as_tensor(found.values).to(found.basis), found.basis
    gone, kept = basis[:, mask], basis[:, ~mask]  # (m, a), (m, b), a + b = m'
    coefficients = found.project(gradient)
    gaps = values[mask] - values[~mask, None]  # λ_i − λ_j: (b, a)
    moved = found.project(curved) * ~mask  # P H δ: (k, m')
    turned = []
    for some in directions.split(max(1, _TOGETHER // len(values) ** 2)):
        mixed = kept.T @ local.changes(some) @ gone / gaps  # (k, b, a)
        part = torch.empty(len(some), len(values)).to(basis)
        part[:, ~mask] = mixed @ coefficients[mask]
        part[:, mask] = mixed.transpose(1, 2) @ coefficients[~mask]
        turned.append(part)
    return found.expand(moved - torch.cat(turned))


class PrunedDescent(StochasticDescent):
    """The advance of pruned descent by mini-batches: its true tangent map, without momentum.

    Takes a ``rule`` as :func:`pruned_derivative` does; otherwise a :class:`StochasticDescent`.  A
    step takes as long as some 7 ms for each tangent vector at 5,350 parameters.  ``fixed`` leaves
    ∂P out: the map I − γPH.
    """

    def __init__(
        self,
        task: Task,
        rates: float | Sequence[float],
        batch: int,
        rule: str | Rule = "chaotic",
        seed: int | Sequence[int] = 0,
        fixed: bool = False,
    ):
        super().__init__(task, rates, batch, seed)
        self.rule, self.fixed = named(rule), fixed

    def _step(self, part, params, frame, rate):
        gradient = gradients.of(part)(params[None])[0]
        local = batch_hessian.around(part, params)
        found = local.spectrum()
        left = pruned(gradient, found, rate, self.rule)
        if self.fixed:
            kept = torch.from_numpy(~self.rule.mask(found.values, rate, None) * found.values)
            return left, found.expand(found.project(frame.T) * kept.to(frame)).T
        return left, pruned_derivative(local, gradient, frame.T, rate, self.rule, found).T
