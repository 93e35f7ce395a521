"""Tangent maps of gradient descent: full-batch, by mini-batches, and with momentum.

With the velocity u ← μ u + g(W), W ← W − γ u, as in PyTorch, the state is (W, u) and

    J = [[I − γH, −γμ I], [H, μ I]],    det J = μ^P,

H and g those of the batch of that step.  H's eq. 8, Y(t + 1) = Y(t) − γ Σ_s μ^{t−s} H(s) Y(s), is
the part of this in W for a perturbation that leaves the first velocity alone.  Without momentum J =
I − γH.

A map by mini-batches is another one at every step.  As in :mod:`netdyn_lib.lyapunov.known_systems` the
state carries the clock, here in its last entry, the number of the step: (W, t) or (W, u, t).  Time
is no direction: J leaves what a tangent vector has there as it is, and
:meth:`StochasticDescent.frame` has zeros there.
"""

from dataclasses import replace

import numpy as np
import torch

from ..lyapunov import benettin, tangent_maps
from ..lyapunov.qr import random_orthogonal
from ..tasks import gradients
from ..tasks.networks import MLP
from ..training import minibatches
from ..validation import floats, positive, whole
from . import batch_hessian
from .closed_form import OneHiddenLayerHessian, suits
from .hessian import hessians

# Tangent vectors from which the low-rank Hessian is formed; fewer go by products.  At 5,350
# parameters and 8 samples it takes as long to form as some 60 products.
_MANY = 64
_DENSE = 400  # parameters up to which a Jacobian is formed whole


def of_descent(descent, closed=None):
    """Advance of full-batch gradient descent, J(W) = I − η (H(W) + λI), each initial condition at
    its own η.

    The Jacobian of a perceptron with one hidden layer and at most 400
    parameters is formed whole, in closed form
    (:class:`~netdyn_lib.curvature.closed_form.OneHiddenLayerHessian`, also for what holds at a
    ReLU's kink), and the advance's attribute ``jacobian`` takes W (n, P) to
    (F(W), J(W)), (n, P) and (n, P, P).  Any other network goes by Hessian–vector products.

    Parameters
    ----------
    descent : GradientDescent
        With its weight decay λ and its learning rates.
    closed : bool, optional
        Form the Jacobian whole, or go by products; as said above where not given.

    Raises
    ------
    ValueError
        For ``closed=True`` and a network that has no closed form here.  The
        advance itself: where learning rates and initial conditions differ in number.
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


def of_momentum(descent, momentum):
    """Advance of full-batch descent with momentum, of states (W, u), (n, 2P); see the module for J.

    ``descent`` is a :class:`~netdyn_lib.training.gradient_descent.GradientDescent`: its weight
    decay adds λI to H, as it adds λW to g. Raises ValueError for μ outside [0, 1).
    """
    momentum, gradient, size = (
        minibatches.momentum(momentum),
        gradients.of(descent.task),
        descent.task.network.count,
    )

    def product(states, vectors, rows=None):
        (w, u), (dw, du) = states.split(size, 1), vectors.split(size, 1)
        n = len(states) if rows is None else rows.count
        rates = descent.rates(n, states.device)[:, None]
        rates = rates if rows is None else rates[rows.index]
        slope, curved = gradient.product(w, dw)
        u = momentum * u + slope + descent.weight_decay * w
        du = momentum * du + curved + descent.weight_decay * dw
        return torch.cat([w - rates * u, u], 1), torch.cat([dw - rates * du, du], 1)

    return tangent_maps.by_product(product)


class StochasticDescent:
    """Advance of descent by mini-batches, with or without momentum, for all algorithms of this
    package.

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

    Raises
    ------
    ValueError
        For a task with weight decay, or numbers out of bounds.
    """

    def __init__(self, task, rates, batch, seed=0, momentum=0.0):
        if task.weight_decay:
            raise ValueError(
                f"weight_decay = {task.weight_decay}: mini-batch descent is of the loss alone; take a task without"
            )
        self.task, self.batch, self.momentum = task, batch, minibatches.momentum(momentum)
        minibatches.per_epoch(len(task.x), batch)
        self._rates = [positive(rate, "rates", "γ") for rate in np.ravel(rates).tolist()]
        self._seeds = [whole(one, "seed") for one in np.ravel(seed).tolist()]
        self.size = task.network.count * (2 if self.momentum else 1)  # of a state without its clock

    def states(self, params, start=0, velocity=None):
        """States (n, D) before step ``start`` of ``params`` (n, P); ``velocity`` (n, P) is zero
        where not given.
        """
        params = floats(params, self.task.x.device)
        parts = [params, params.new_full((len(params), 1), whole(start, "start"))]
        if self.momentum:
            parts.insert(
                1, torch.zeros_like(params) if velocity is None else floats(velocity, params.device)
            )
        return torch.cat(parts, 1)

    def frame(self, count=None, seed=0):
        """A random orthonormal frame (D, k) without a part in time; ``count`` k is all D − 1 where
        not given.
        """
        frame = random_orthogonal(self.size, count, seed)
        return torch.cat([frame, frame.new_zeros(1, frame.shape[1])])

    def __call__(self, states, frames, rows=None):
        index = range(len(states)) if rows is None else rows.index.tolist()
        count = len(states) if rows is None else rows.count
        rates, seeds = (
            self._each(self._rates, count, "rates"),
            self._each(self._seeds, count, "seeds"),
        )
        pairs = [self._one(*pair, rates[k], seeds[k]) for *pair, k in zip(states, frames, index)]
        following, images = zip(*pairs)
        return torch.stack(following), torch.stack(images)

    def _each(self, values, count, name):
        if len(values) not in (1, count):
            raise ValueError(
                f"{len(values)} {name} for {count} initial conditions: give a number for all, or one for each"
            )
        return values * count if len(values) == 1 else values

    def _one(self, state, frame, rate, seed):
        """The next state (D,) and the images (D, k) of one network's ``frame`` (D, k)."""
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
        """What a step goes against (P,), and its derivative along a ``frame`` (P, k), (P, k)."""
        return curved(part, params, frame)


def curved(part, params, frame):
    """Gradient (P,) of a batch, the task ``part``, at ``params`` (P,), and H ``frame`` (P, k), by
    whichever way is quicker.
    """
    gradient = gradients.of(part)
    if frame.shape[1] < _MANY or not isinstance(part.network, MLP):
        slope, images = gradient.product(params.expand(frame.shape[1], -1), frame.T)
        return slope[0], images.T
    return gradient(params[None])[0], batch_hessian.hessian(part, params).product(frame.T).T


def spectrum(advance, params, steps, count=None, start=0, velocity=None, **options):
    """Lyapunov exponents of mini-batch descent, a :class:`~netdyn_lib.lyapunov.benettin.Spectrum`
    without the clock.

    ``advance`` is a :class:`StochasticDescent`, ``count`` k, all of (W) or (W, u) where not given;
    ``params`` and ``velocity`` (n, P) are before step ``start``.  ``options`` are those of
    :func:`netdyn_lib.lyapunov.benettin.spectrum`; a ``frame`` is one of :meth:`StochasticDescent.frame`.
    """
    if "frame" not in options:
        options["frame"] = advance.frame(count)
    found = benettin.spectrum(advance, advance.states(params, start, velocity), steps, **options)
    return replace(found, frame=found.frame[:, :-1], final=found.final[:, :-1])


def forward_step(reference, t, params, frame):
    """J(t) ``frame``, (P, k), at W(t) = ``params`` of a kept run, a
    :class:`netdyn_lib.training.minibatches.Reference`.
    """
    return frame - reference.rate * curved(reference.part(t), params, frame)[1]


def inverse_step(reference, t, params, frame):
    """J(t)⁻¹ ``frame``, (P, k); as :func:`forward_step`.

    Raises :class:`torch.linalg.LinAlgError` where a step has no inverse.
    """
    return batch_hessian.hessian(reference.part(t), params).undone(frame.T, reference.rate).T


def frozen_growth(hessian, directions, epochs, learning_rate, order=1):
    """Growth of perturbations if curvature stayed as it is: |(I − ηH)^t u|.

    Parameters
    ----------
    hessian : torch.Tensor
        (P, P), symmetric.
    directions : torch.Tensor
        (k, P) perturbations u.
    epochs : array_like of int
        Times t, (T,).
    learning_rate : float
        η.
    order : 1 or 2
        Norm.

    Returns
    -------
    numpy.ndarray
        (T, k).

    Raises
    ------
    ValueError
        For η that is not positive and finite, an epoch that is no whole number
        of at least 0, no directions, or ones that do not fit the Hessian.
    """
    learning_rate = positive(learning_rate, "learning_rate", "η")
    times = [whole(t, "epoch") for t in np.ravel(epochs).tolist()]
    if directions.dim() != 2 or len(directions) == 0 or directions.shape[1] != len(hessian):
        raise ValueError(
            f"directions of shape {tuple(directions.shape)} for a Hessian {tuple(hessian.shape)}: expected (k, P), k > 0"
        )
    values, vectors = torch.linalg.eigh(hessian)
    parts = directions.to(values) @ vectors  # (k, P), components along eigenvectors
    factors = (1 - learning_rate * values)[None] ** values.new_tensor(times)[:, None]  # (T, P)
    moved = (factors[:, None] * parts[None]) @ vectors.T  # (T, k, P)
    return torch.linalg.vector_norm(moved, ord=order, dim=-1).cpu().numpy()


def frozen_distance(objective, ball, epochs, learning_rate):
    """Mean L1 distance of perturbed copies if curvature stayed what it is at their reference.

    ``ball`` (n, 1 + M, P) as from :func:`~netdyn_lib.tasks.networks.perturbed`; the
    result is (T, n) for ``epochs`` (T,).  See :func:`frozen_growth`; also
    ValueError for a ball without copies.
    """
    if ball.dim() != 3 or len(ball) == 0 or ball.shape[1] < 2:
        raise ValueError(
            f"ball of shape {tuple(ball.shape)}: expected (n, 1 + M, P) with n and M at least 1"
        )
    curved = hessians(objective, ball[:, 0])
    means = [
        frozen_growth(h, group[1:] - group[:1], epochs, learning_rate).mean(1)
        for h, group in zip(curved, ball)
    ]
    return np.stack(means, axis=1)
