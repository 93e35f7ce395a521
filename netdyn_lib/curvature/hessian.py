"""Curvature of the training loss: Hessian products, spectra, sharpness.

Most functions here see an *objective*, any function from a parameter vector (P,) to a scalar, such
as ``task.objective``.  :class:`TrainingHessian` takes a task, and goes through its samples block by
block: for training sets whose activations do not fit into memory at once.

:class:`BlockedHessian` is for a perceptron on a processor.  Its blocks are those of descent
(:mod:`netdyn_lib.training.blocked`): samples with alike zeros together, so that most zeros need no
product.  What backpropagation leaves at the weights is kept for all products there, or made again
in each where there is no room for it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, jacfwd, vmap

from .. import torch_utils
from ..tasks import gradients
from ..tasks.derivatives import checked, forward_over_reverse, twice_differentiable
from ..tasks.losses import CrossEntropy, HalfSquaredError
from ..tasks.networks import MLP, ModuleNetwork
from ..tasks.tasks import Task
from ..training import blocked
from ..validation import double, floats, whole
from .lanczos import lanczos

#: Samples in a block, at most.
BLOCK = 8192
_KEPT = 2**28  # bytes of a network's backpropagation that are kept for its products
_DENSE = 400  # parameters up to which a Hessian is formed whole
# entries of Hessians computed at a time; intermediate values are some hundred times as many
_VALUES = 100_000
# sums over blocks that are made side by side; as many on any machine, so that numbers do not depend
# on its threads
_LANES = 4

Objective = Callable[[Tensor], Tensor]


def product_of(
    objective: Objective, params: Tensor
) -> tuple[Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], bool]:
    """Return (W, v) ↦ (∇L(W), H(W) v), (P,) each, near ``params``, and whether ``vmap`` may follow.

    Forward over reverse where that is right, else a slower way: that of the task's module for a
    ``task.objective`` (:func:`netdyn_lib.tasks.gradients.ways`), and for any other function one
    that is right at ``params`` (:func:`netdyn_lib.tasks.derivatives.checked`).
    """
    task = getattr(objective, "__self__", None)
    network, loss = getattr(task, "network", None), getattr(task, "loss", None)
    if isinstance(network, ModuleNetwork) and task is not None:
        gradient = gradients.of(task)
        symmetric(gradient.ways, network)

        def one(w, v):
            return tuple(part[0] for part in gradient.product(w[None], v[None]))

        return one, gradient.ways.product == "forward over reverse"
    if isinstance(network, MLP) and isinstance(loss, (CrossEntropy, HalfSquaredError)):
        return forward_over_reverse(objective), True
    return checked(objective, params)


def symmetric(ways, network) -> None:
    """Raise ValueError where the gradient of a network is that of no loss: it has no Hessian."""
    if not ways.symmetric:
        raise ValueError(
            f"{network!r} has no Hessian, for its gradient is not the derivative of its loss "
            "(detach, a straight-through estimate, the padding of an embedding): its descent has "
            "tangent products, GradientDescent.product, and exponents"
        )


def dense_hessian(objective: Objective) -> Callable[[Tensor], Tensor]:
    """Return the Hessian (P, P) of a scalar function, as a function of its parameters (P,).

    Forward over reverse, ``jacfwd(grad(…))``.  Not ``torch.func.hessian``, which is
    ``jacfwd(jacrev(…))`` and wrong for ``LayerNorm`` with weights (PyTorch 2.15).
    """
    return jacfwd(grad(objective))


def hessians(objective: Objective, params: Tensor) -> Tensor:
    """Return the Hessians ∂²L/∂w_i∂w_j (E, P, P), symmetrised, of networks ``params`` (E, P).

    For small networks: time and memory grow as P².
    """
    double(params, "Hessians")
    if params.dim() != 2 or len(params) == 0:
        raise ValueError(
            f"params of shape {tuple(params.shape)}: expected (E, P), of at least 1 network"
        )
    size = params.shape[1]
    step = max(1, _VALUES // (size * size))
    product, followed = product_of(objective, params[0])
    if not followed:
        units = torch.eye(size).to(params)
        dense = torch.stack([torch.stack([product(w, v)[1] for v in units]) for w in params])
        return (dense + dense.transpose(1, 2)) / 2
    rows = range(0, len(params), step)
    # Many small operations: threads would wait for each other more than they help.
    with torch_utils.pool(1, alone=params.device.type == "cpu") as pool, twice_differentiable():
        dense = torch.cat(
            list(pool.map(lambda a: vmap(dense_hessian(objective))(params[a : a + step]), rows))
        )
    return (dense + dense.transpose(1, 2)) / 2


def spectra(objective: Objective, params: Tensor) -> np.ndarray:
    """Return all eigenvalues of the Hessian of each network, ascending: (E, P)."""
    if not bool(params.isfinite().all()):
        row = int((~params.isfinite().all(1)).nonzero()[0])
        raise ValueError(
            f"network {row} has parameters that are not finite: it diverged, and has no Hessian"
        )
    return torch.linalg.eigvalsh(hessians(objective, params)).cpu().numpy()


def sharpness(objective: Objective, params: Tensor, tolerance: float = 1e-6) -> np.ndarray:
    """Return the largest algebraic eigenvalue of the Hessian of each network (E, P): (E,).

    Up to 400 parameters from the dense spectrum, beyond by Lanczos on Hessian–vector products
    (:func:`netdyn_lib.curvature.lanczos.lanczos`, relative ``tolerance``).
    """
    if params.shape[1] <= _DENSE:
        return spectra(objective, params)[:, -1]
    double(params, "Hessian products")

    def one(w):
        product = product_of(objective, w)[0]
        return largest(lambda v: product(w, v.to(w.device))[1], len(w), tolerance)

    with torch_utils.pool(1, alone=params.device.type == "cpu") as pool:
        return np.array(list(pool.map(one, params)))


def along(objective: Objective, weights, device="cpu") -> np.ndarray:
    """Return the sharpness along trajectories ``weights`` (T, n, P): (T, n), NaN once diverged."""
    flat = torch.as_tensor(np.asarray(weights), device=device).flatten(0, 1)
    sharp = np.full(len(flat), np.nan)
    alive = flat.isfinite().all(1)
    if bool(alive.any()):
        sharp[alive.cpu().numpy()] = sharpness(objective, flat[alive])
    return sharp.reshape(np.shape(weights)[:2])


def largest(product: Callable[[Tensor], Tensor], size: int, tolerance: float = 1e-6) -> float:
    """Return the largest eigenvalue of a symmetric matrix by its products v ↦ A v, (P,) to (P,).

    Raises RuntimeError where Lanczos does not converge.
    """
    found = lanczos(product, size, None, tolerance)
    if not found.converged:
        raise RuntimeError(
            f"Lanczos did not converge in {found.products} products: λ ≥ {found.value:.6g}, "
            f"residual {found.residual:.1e}; the largest eigenvalues may lie close together: "
            "raise tolerance"
        )
    return found.value


def local_exponents(eigenvalues, learning_rate: float) -> np.ndarray:
    """Return growth rates per step ln|1 − ηλ|, −inf where ηλ = 1 (Herrmann 2022, theorem 2.1)."""
    with np.errstate(divide="ignore"):
        return np.log(np.abs(1 - learning_rate * np.asarray(eigenvalues)))


class TrainingHessian:
    """Hessian of a task's training loss as a linear operator, its samples taken in blocks.

    H = Σ_b c_b H_b + λI, with c_b the share of the samples in block b for a
    loss that is a mean over samples (cross-entropy) and 1 for one that is
    a sum (half squared error).  A perceptron's products are in closed form
    (:class:`netdyn_lib.tasks.gradients.Linearised`; on a processor and with many samples
    :class:`netdyn_lib.curvature.hessian.BlockedHessian`), any other module's
    forward-over-reverse.

    Parameters
    ----------
    task : Task
    block : int
        Samples in a block, at most.  Those of a perceptron may have a few blocks in memory at a
        time, and what serves all products at some weights is kept up to 256 MiB, whatever the
        block.
    weight_decay : float, optional
        λ of the penalty (λ/2)‖W‖²; the task's own, or 0, where not given.
    """

    def __init__(self, task: Task, block: int = BLOCK, weight_decay: float | None = None):
        whole(block, "block", 1, cause="samples")
        double(task, "Hessian products")
        self.size = task.network.count
        self.device = task.x.device
        self.weight_decay = float(
            getattr(task, "weight_decay", 0.0) if weight_decay is None else weight_decay
        )
        # What backpropagation leaves at a point serves all products there, where there is room for
        # it.
        network = task.network
        kept = 8 * 4 * sum(network.sizes[1:]) * len(task.x) if isinstance(network, MLP) else 0
        self._keep = kept <= _KEPT
        if suits(task, block):
            hessian = BlockedHessian(task, block, self._keep)
            self._blocks, self._keep = [(1.0, hessian.at)], True  # it keeps by itself what it may
        else:
            self._blocks = self._plain(task, block, isinstance(network, MLP))

    @staticmethod
    def _plain(task, block, perceptron):
        """Return blocks of samples as they come, each with its share of the loss."""
        product = _closed_form if perceptron else _automatic
        gradients.ways(task)  # which also sees whether gradients of blocks add up
        whole_weight = task.loss.weight(len(task.x))
        blocks = []
        block = block if blocked.separable(task) else len(task.x)
        for x, y in zip(task.x.split(block), task.y.split(block)):
            part = replace(task, split=replace(task.split, x=x, y=y))
            blocks.append((whole_weight / task.loss.weight(len(x)), product(part)))
        return blocks

    def at(self, params: Tensor) -> Callable[[Tensor], Tensor]:
        """Return v ↦ H(W) v at one network W, ``params`` (P,); (P,) to (P,), on the device of v."""
        params = floats(params, self.device)
        if params.shape != (self.size,):
            raise ValueError(
                f"params of shape {tuple(params.shape)}: expected ({self.size},), one network"
            )
        if not bool(params.isfinite().all()):
            raise ValueError("parameters are not finite: the network diverged, and has no Hessian")

        products = [(share, self._keep and at(params), at) for share, at in self._blocks]

        def matvec(v):
            direction = v.to(self.device)
            total = self.weight_decay * direction
            for share, product, at in products:
                total = total + share * (product or at(params))(direction)
            return total.to(v.device)

        return matvec


def _closed_form(task):
    gradient = gradients.MLPGradient(task)

    def at(params):
        product = gradient.at(params[None]).product
        return lambda v: product(v[None])[0]

    return at


def _automatic(task):
    gradient = gradients.of(task)
    symmetric(gradient.ways, task.network)
    product = gradient.product
    return lambda params: lambda v: product(params[None], v[None])[1][0]


def operator(task: Task, params: Tensor, block: int = BLOCK) -> Callable[[Tensor], Tensor]:
    """Return the Hessian of the training loss at one network as v ↦ Hv."""
    return TrainingHessian(task, block).at(params)


def suits(task: Task, block: int) -> bool:
    """Return whether a task is worth blocks of at most ``block`` samples.

    It is for a perceptron on a processor with more samples than one of them holds.
    """
    if (
        not isinstance(task.network, MLP)
        or len(task.network.shapes) == 1
        or task.x.device.type != "cpu"
    ):
        return False
    return len(task.x) > length(task, block)


def length(task: Task, block: int) -> int:
    """Return the samples in a block: as many as in descent, and at most ``block``."""
    return min(block, blocked.size(task, 3 * sum(cast(MLP, task.network).sizes[1:])))


class BlockedHessian:
    """The Hessian of the training loss of one perceptron, without weight decay, as products.

    Parameters
    ----------
    task : Task
        With an :class:`~netdyn_lib.tasks.networks.MLP` that has a hidden layer, in double
        precision.
    block : int
        Samples in a block, at most.
    keep : bool
        Whether backpropagation is kept from one product to the next.
    """

    def __init__(self, task: Task, block: int, keep: bool):
        double(task, "Hessian products")
        self.network, self.loss, self._keep = task.network, task.loss, keep
        self._weight = task.loss.weight(len(task.x))
        self._data = blocked.ordered(task, length(task, block))
        target = task.loss.encode(task.y, cast(MLP, task.network).sizes[-1])  # (C, N)
        self._targets = [
            target[:, self._data.samples[b.place]].contiguous() for b in self._data.blocks
        ]

    def at(self, params):
        """Return v ↦ H(W) v at ``params`` (P,), without a history of differentiation."""
        params = params.detach()
        layers = _Layers(self.network, params, self._data)
        places = list(zip(self._data.blocks, self._targets))
        lanes = [range(first, len(places), _LANES) for first in range(min(_LANES, len(places)))]
        number = min(len(lanes), torch.get_num_threads())
        # Threads with blocks of their own: within products this small they would mostly wait for
        # each other.
        each = torch_utils.workers(number).map if number > 1 else map
        points = {}
        if self._keep:
            for lane, made in zip(
                lanes, each(lambda lane: [_Point(self, layers, *places[k]) for k in lane], lanes)
            ):
                points.update(zip(lane, made))

        @torch.no_grad()  # here, for each thread has its own
        def along(directions, lane):
            result = torch.zeros_like(params)
            sums = _Layers(self.network, result, self._data, into=True)
            for k in lane:
                point = points[k] if points else _Point(self, layers, *places[k])
                point.add_product(directions, sums)
            sums.finish()
            return result

        def product(v):
            directions = _Layers(self.network, v.detach(), self._data)
            total, *others = each(lambda lane: along(directions, lane), lanes)
            for other in others:
                total += other
            return total.mul_(self._weight)

        return product


class _Layers:
    """Views of a parameter vector (P,): ``weights`` (units, inputs) and ``biases`` (units, 1).

    ``first`` (units, 1 + used inputs) is the first layer as blocks meet it, biases first.  ``into``
    it sums are gathered (one column more, which stays zero, for inputs that are never used) until
    :meth:`finish` writes them to the vector.
    """

    def __init__(self, network, vector, data, into=False):
        layers = [m[0] for m in network.matrices(vector[None])]
        self.weights, self.biases = [m[:, :-1] for m in layers], [m[:, -1:] for m in layers]
        self._layer, self._data = layers[0], data
        self.first = (
            vector.new_zeros(len(layers[0]), len(data.inputs) + 1)
            if into
            else layers[0].index_select(1, data.inputs)
        )

    def met(self, block):
        """Return the columns of ``first`` that the samples of a block meet, (units, m)."""
        if block.active is None:
            return self.first
        # a third of the time of index_select
        return self.first.gather(1, block.active.expand(len(self.first), -1))

    def finish(self):
        torch.index_select(self.first, 1, self._data.scattered, out=self._layer)


class _Point:
    """Backpropagation through one block of B samples.

    All values lie unit by unit, (units, B).  Of the layouts that give the products of one network
    with its samples this was the fastest: 31 to 40 Gflop/s against 23 to 27 sample by sample (one
    thread of an AMD EPYC, MKL, blocks of 500).
    """

    def __init__(self, of, layers, block, target):
        self._of, self._block, self._weights = of, block, layers.weights
        activation = of.network.activation
        self._hidden = [activation.function(torch.mm(layers.met(block), block.x.T))]
        for bias, weights in zip(layers.biases[1:-1], layers.weights[1:-1]):
            self._hidden.append(activation.function(torch.addmm(bias, weights, self._hidden[-1])))
        # (C, B)
        self._output = torch.addmm(layers.biases[-1], layers.weights[-1], self._hidden[-1])
        delta = of.loss.residual(self._output[None], target)[0]
        self._deltas, self._bends = [delta], []  # from the last layer down
        for k in range(len(self._hidden), 0, -1):
            hidden, back = self._hidden[k - 1], torch.mm(layers.weights[k].T, delta)
            # Of d/ds (back φ'(z)) the part with φ''(z), as a factor of d/ds of the hidden value.
            self._bends.append(activation.bend(hidden).mul_(back) if activation.bends else None)
            if k > 1:
                delta = activation.pullback(back, hidden, grad_input=back)
                self._deltas.append(delta)

    def add_product(self, directions, sums):
        """Add this block's part of H v to ``sums``: the derivative of backpropagation along v.

        Pearlmutter, Neural Computation 6, 147, 1994.  As in
        :class:`netdyn_lib.tasks.gradients.Linearised`: R marks d/ds at W + s v.
        """
        activation, block, weights = self._of.network.activation, self._block, self._weights
        r_pre, r_hidden = torch.mm(directions.met(block), block.x.T), []
        for k, hidden in enumerate(self._hidden, 1):
            r_hidden.append(activation.pullback(r_pre, hidden, grad_input=r_pre))
            r_pre = torch.addmm(directions.biases[k], directions.weights[k], hidden).addmm_(
                weights[k], r_hidden[-1]
            )
        r_delta = self._of.loss.curve(self._output[None], r_pre[None])[0]
        for k, delta, bend in zip(range(len(r_hidden), 0, -1), self._deltas, self._bends):
            hidden = self._hidden[k - 1]
            sums.weights[k].addmm_(r_delta, hidden.T).addmm_(delta, r_hidden[k - 1].T)
            sums.biases[k].add_(r_delta.sum(1, keepdim=True))
            r_back = torch.mm(directions.weights[k].T, delta).addmm_(weights[k].T, r_delta)
            r_delta = activation.pullback(r_back, hidden, grad_input=r_back)
            if bend is not None:
                r_delta.addcmul_(bend, r_hidden[k - 1])
        if block.active is None:
            sums.first[:, :-1].addmm_(r_delta, block.x_t.T)
        else:
            sums.first.index_add_(1, block.active, torch.mm(r_delta, block.x_t.T))
