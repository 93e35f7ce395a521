"""Curvature of the training loss: Hessian products, spectra, sharpness.

Most functions here see an *objective*, any function from a parameter vector
(P,) to a scalar, such as ``task.objective``.  :class:`TrainingHessian` takes a
task, and goes through its samples block by block: for training sets whose
activations do not fit into memory at once.
"""

from dataclasses import replace

import numpy as np
import torch
from torch.func import grad, jacfwd, vmap

from .. import torch_utils
from ..tasks import gradients
from ..tasks.derivatives import checked, forward_over_reverse, twice_differentiable
from ..tasks.losses import CrossEntropy, HalfSquaredError
from ..tasks.networks import MLP, ModuleNetwork
from ..training import blocked
from ..validation import double, floats, whole
from . import blocked_hessian
from . import lanczos as eigen

#: Samples in a block, at most.
BLOCK = 8192
_KEPT = 2**28  # bytes of a network's backpropagation that are kept for its products
_DENSE = 400  # parameters up to which a Hessian is formed whole
# entries of Hessians computed at a time; intermediate values are some hundred times as many
_VALUES = 100_000


def product_of(objective, params):
    """(W, v) ↦ (∇L(W), H(W) v), (P,) each, near ``params`` (P,), and whether ``vmap`` may follow
    it.

    Forward over reverse where that is right, else a slower way: that of the task's module for a
    ``task.objective`` (:func:`netdyn_lib.tasks.gradients.ways`), and for any other function one
    that is right at ``params`` (:func:`netdyn_lib.tasks.derivatives.checked`).
    """
    task = getattr(objective, "__self__", None)
    network, loss = getattr(task, "network", None), getattr(task, "loss", None)
    if isinstance(network, ModuleNetwork):
        gradient = gradients.of(task)
        symmetric(gradient.ways, network)

        def one(w, v):
            return tuple(part[0] for part in gradient.product(w[None], v[None]))

        return one, gradient.ways.product == "forward over reverse"
    if isinstance(network, MLP) and isinstance(loss, (CrossEntropy, HalfSquaredError)):
        return forward_over_reverse(objective), True
    return checked(objective, params)


def symmetric(ways, network):
    """ValueError where the gradient of a network is that of no loss: it has no Hessian."""
    if not ways.symmetric:
        raise ValueError(
            f"{network!r} has no Hessian, for its gradient is not the derivative of its loss (detach, "
            "a straight-through estimate, the padding of an embedding): its descent has tangent "
            "products, GradientDescent.product, and exponents"
        )


def hessian_vector_product(objective, params, vector):
    """H v = ∂/∂s ∇L(W + s v) at s = 0; ``params`` and ``vector`` (P,), result (P,)."""
    return product_of(objective, params)[0](params, vector)[1]


def dense_hessian(objective):
    """The Hessian (P, P) of a scalar function, as a function of its parameters (P,).

    Forward over reverse, ``jacfwd(grad(…))``.  Not ``torch.func.hessian``, which is
    ``jacfwd(jacrev(…))`` and wrong for ``LayerNorm`` with weights (PyTorch 2.15).
    """
    return jacfwd(grad(objective))


def hessians(objective, params):
    """Dense Hessians ∂²L/∂w_i∂w_j of stacked networks: (E, P, P), symmetrised, for ``params`` (E,
    P).

    For small networks: time and memory grow as P².  Raises ValueError for no networks, or single
    precision.
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


def spectra(objective, params):
    """All eigenvalues of the Hessian of each network, ascending: (E, P) array for ``params`` (E,
    P).

    Raises
    ------
    ValueError
        For parameters that are not finite (a diverged network has no curvature).
    """
    if not bool(params.isfinite().all()):
        row = int((~params.isfinite().all(1)).nonzero()[0])
        raise ValueError(
            f"network {row} has parameters that are not finite: it diverged, and has no Hessian"
        )
    return torch.linalg.eigvalsh(hessians(objective, params)).cpu().numpy()


def sharpness(objective, params, tolerance=1e-6):
    """Largest algebraic eigenvalue of the Hessian of each network: (E,) array for ``params`` (E,
    P).

    Up to 400 parameters from the dense spectrum, beyond by Lanczos on
    Hessian–vector products (:func:`netdyn_lib.curvature.lanczos.lanczos`, relative
    ``tolerance``).  Raises ValueError for parameters that are not finite, and
    RuntimeError where Lanczos does not converge.
    """
    if params.shape[1] <= _DENSE:
        return spectra(objective, params)[:, -1]
    with torch_utils.pool(1, alone=params.device.type == "cpu") as pool:
        return np.array(list(pool.map(lambda p: _largest(objective, p, tolerance), params)))


def along(objective, weights, device="cpu"):
    """Sharpness along recorded trajectories: (T, n) for ``weights`` (T, n, P), NaN where a network
    has diverged.
    """
    flat = torch.as_tensor(np.asarray(weights), device=device).flatten(0, 1)
    sharp = np.full(len(flat), np.nan)
    alive = flat.isfinite().all(1)
    if bool(alive.any()):
        sharp[alive.cpu().numpy()] = sharpness(objective, flat[alive])
    return sharp.reshape(np.shape(weights)[:2])


def _largest(objective, params, tolerance):
    double(params, "Hessian products")
    product = product_of(objective, params)[0]
    return largest(lambda v: product(params, v.to(params.device))[1], len(params), tolerance)


def largest(product, size, tolerance=1e-6):
    """Largest eigenvalue of a symmetric matrix known by its products v ↦ A v, (P,) to (P,); a
    float.

    By Lanczos; raises RuntimeError where it does not converge.
    """
    found = eigen.lanczos(product, size, None, tolerance)
    if not found.converged:
        raise RuntimeError(
            f"Lanczos did not converge in {found.products} products: λ ≥ {found.value:.6g}, residual {found.residual:.1e}; "
            "the largest eigenvalues may lie close together: raise tolerance"
        )
    return found.value


def multipliers(objective, params, learning_rate):
    """Eigenvalues 1 − ηλ of the descent map's Jacobian I − ηH at each network: (E, P) array for
    ``params`` (E, P).
    """
    return 1 - learning_rate * spectra(objective, params)


def in_edge_units(sharp, learning_rate):
    """Sharpness in units of 2/η: 1 is the edge of stability."""
    return np.asarray(sharp) * learning_rate / 2


def local_exponents(eigenvalues, learning_rate):
    """Growth rate per step along each Hessian eigenvector, ln|1 − ηλ| (H, theorem 2.1); −inf where
    ηλ = 1.
    """
    with np.errstate(divide="ignore"):
        return np.log(np.abs(1 - learning_rate * np.asarray(eigenvalues)))


class TrainingHessian:
    """Hessian of a task's training loss as a linear operator, its samples taken in blocks.

    H = Σ_b c_b H_b + λI, with c_b the share of the samples in block b for a
    loss that is a mean over samples (cross-entropy) and 1 for one that is
    a sum (half squared error).  A perceptron's products are in closed form
    (:class:`netdyn_lib.tasks.gradients.Linearised`; on a processor and with many samples
    :class:`netdyn_lib.curvature.blocked_hessian.BlockedHessian`), any other module's
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

    Raises
    ------
    ValueError
        For a block of less than one sample.
    """

    def __init__(self, task, block=BLOCK, weight_decay=None):
        whole(block, "block", 1, cause="samples")
        double(task, "Hessian products")
        self.size = task.network.count
        self.device = task.x.device
        self.weight_decay = float(
            getattr(task, "weight_decay", 0.0) if weight_decay is None else weight_decay
        )
        # What backpropagation leaves at a point serves all products there, where there is room for
        # it.
        perceptron = isinstance(task.network, MLP)
        self._keep = not perceptron or 8 * 4 * sum(task.network.sizes[1:]) * len(task.x) <= _KEPT
        if blocked_hessian.suits(task, block):
            hessian = blocked_hessian.BlockedHessian(task, block, self._keep)
            self._blocks, self._keep = [(1.0, hessian.at)], True  # it keeps by itself what it may
        else:
            self._blocks = self._plain(task, block, perceptron)

    @staticmethod
    def _plain(task, block, perceptron):
        """Blocks of samples as they come, each with its share of the loss."""
        product = _closed_form if perceptron else _automatic
        gradients.ways(task)  # which also sees whether gradients of blocks add up
        whole_weight = task.loss.weight(len(task.x))
        blocks = []
        block = block if blocked.separable(task) else len(task.x)
        for x, y in zip(task.x.split(block), task.y.split(block)):
            part = replace(task, split=replace(task.split, x=x, y=y))
            blocks.append((whole_weight / task.loss.weight(len(x)), product(part)))
        return blocks

    def at(self, params):
        """The product v ↦ H(W) v at one network W, ``params`` (P,); (P,) to (P,), on the device of
        v.

        Raises ValueError for parameters that are not (P,) or not finite.
        """
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


def operator(task, params, block=BLOCK):
    """The Hessian of the training loss at one network, as v ↦ Hv; see :class:`TrainingHessian`."""
    return TrainingHessian(task, block).at(params)
