"""The exact spectrum of a mini-batch's Hessian, from the few dimensions in which it acts.

The loss of B samples depends on the first layer's weights W only through W x̃_b,
x̃_b the input with a 1 appended for the bias.  With X̃ᵀ = Q R, Q of r ≤ B
orthonormal columns, it is a function of W Q: the loss of a network whose inputs
are the columns of R.  So with S = (I_units ⊗ Q) ⊕ I of all deeper parameters,

    H = S H_small Sᵀ,    SᵀS = I,

the eigenvalues of H are those of H_small, its eigenvectors S u, and all others
are exactly 0.  The gradient is S g_small: it has no part outside.  Only the first
layer is confined; what a deeper one sees changes with the weights below it.

For one hidden layer H_small is in closed form, the blocks as in
:mod:`netdyn_lib.closed_form`; for others by automatic differentiation.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from . import curvature
from .checks import floats, positive
from .gradients import with_ones
from .networks import ACTIVATIONS, MLP

#: Eigenvalues of at most this share of the largest magnitude count as 0.  Rounding leaves 1e-15 of it, and where a
#: batch is learned to 1 − p = δ up to 1e-16/δ, for L'' is then a difference of numbers that agree to δ.  Early in
#: training nothing lies between 1e-15 and 1e-11; late, samples that are learned leave true eigenvalues of all sizes
#: down to rounding, and a count of signs depends on this bound by some percent (the gradient's overlap does not).
ZERO = 1e-12
#: Parameters up to which the Hessian of a network that is no MLP is formed whole.
DENSE = 6000
_VALUES = 2**24  # intermediate values of a block of samples: 128 MiB


@dataclass(frozen=True)
class LowRank:
    """Eigenvalues and eigenvectors of a Hessian H = S U diag(λ) Uᵀ Sᵀ in P dimensions, of rank at most m.

    ``values`` λ (m,) ascending; ``basis`` U (m, m), orthonormal columns;
    ``frame`` Q (inputs + 1, r) of the first layer's ``units``; ``size`` P.  The
    other P − m eigenvalues are exactly 0.  ``order`` (P,), where given, says
    where an MLP's parameters stand among those of the vectors that come and go.
    """

    values: np.ndarray
    basis: torch.Tensor
    frame: torch.Tensor
    units: int
    size: int
    order: torch.Tensor | None = None

    def project(self, vectors):
        """Coefficients Uᵀ Sᵀ v along the eigenvectors: (…, m) of ``vectors`` (…, P)."""
        if vectors.shape[-1] != self.size:
            raise ValueError(f"vectors of shape {tuple(vectors.shape)}: expected (…, {self.size})")
        vectors = vectors.to(self.basis)
        if self.order is not None:
            vectors = vectors[..., self.order]
        end = self.units * len(self.frame)
        first = vectors[..., :end].unflatten(-1, (self.units, len(self.frame))) @ self.frame
        return torch.cat([first.flatten(-2), vectors[..., end:]], -1) @ self.basis

    def expand(self, coefficients):
        """S U c: vectors (…, P) with these ``coefficients`` (…, m) along the eigenvectors."""
        small = coefficients.to(self.basis) @ self.basis.T
        end = self.units * self.frame.shape[1]
        first = small[..., :end].unflatten(-1, (self.units, self.frame.shape[1])) @ self.frame.T
        vectors = torch.cat([first.flatten(-2), small[..., end:]], -1)
        if self.order is None:
            return vectors
        return torch.empty_like(vectors).index_copy_(-1, self.order, vectors)

    def product(self, vectors):
        """H v (…, P) of ``vectors`` (…, P)."""
        return self.expand(self.project(vectors) * torch.as_tensor(self.values).to(self.basis))

    def dense_vectors(self):
        """All m eigenvectors as columns, (P, m); for small networks."""
        return self.expand(torch.eye(len(self.values), dtype=self.basis.dtype, device=self.basis.device)).T

    def local_exponents(self, learning_rate):
        """ln|1 − γλ| (m,) of the eigenvectors (H, theorem 2.1); 0 for the other P − m directions."""
        return curvature.local_exponents(self.values, learning_rate)

    def classes(self, learning_rate, zero=None):
        """:func:`classes` of ``values``."""
        return classes(self.values, learning_rate, zero)


@dataclass(frozen=True)
class Classes:
    """Which eigenvalues are what, (m,) bool each: λ < −z, λ > z, |λ| ≤ z, and (1 − γλ)² > 1 of those that are not neutral."""

    chaotic: np.ndarray
    negative: np.ndarray
    positive: np.ndarray
    neutral: np.ndarray

    def counts(self):
        """How many of each, a dict by name."""
        return {name: int(mask.sum()) for name, mask in vars(self).items()}


def classes(values, learning_rate, zero=None):
    """Classes of eigenvalues at one learning rate γ.

    A direction is locally chaotic where |1 − γλ| > 1: for λ < 0 or λ > 2/γ (H, theorem 2.1).

    Parameters
    ----------
    values : array_like
        λ (m,).
    learning_rate : float
        γ.
    zero : float, optional
        z, up to which |λ| is neutral: what rounding alone leaves.  By default :data:`ZERO` times the largest |λ|.

    Raises
    ------
    ValueError
        For values or γ that are not finite, or γ or z that are negative.

    >>> classes([-1.0, 0.0, 1.0, 5.0], 0.5).counts()
    {'chaotic': 2, 'negative': 1, 'positive': 2, 'neutral': 1}
    """
    values, rate = np.asarray(values, dtype=float), positive(learning_rate, "learning_rate", "γ")
    if not np.isfinite(values).all():
        raise ValueError("eigenvalues are not finite: the network diverged, and its directions have no class")
    if zero is None:
        zero = ZERO * np.abs(values).max(initial=0.0)
    if not zero >= 0:
        raise ValueError(f"zero = {zero}: must be zero or positive (it bounds a magnitude)")
    neutral = np.abs(values) <= zero
    # As a bound on λ: (1 − γλ)² rounds to 1 for small |λ|.
    chaotic = ((values < 0) | (values > 2 / rate)) & ~neutral
    return Classes(chaotic, values < -zero, values > zero, neutral)


def overlap(coefficients, known):
    """Share of |gradient|² in each class, a dict by name; NaN for a gradient of zero.

    ``coefficients`` (m,) are the gradient's, :meth:`LowRank.project`; ``known``
    the :class:`Classes`.  Negative, positive and neutral add up to 1.
    """
    squares = floats(coefficients, "cpu").square().numpy()
    total = squares.sum()
    return {name: float(squares[mask].sum() / total) if total > 0 else np.nan for name, mask in vars(known).items()}


@torch.no_grad()
def spectrum(task, params, x=None, y=None):
    """Spectrum of the Hessian of the loss of a mini-batch at one network, without weight decay.

    Parameters
    ----------
    task : Task
        Or anything that has its ``network`` and ``loss``.  For an MLP the
        way is the module's; a network of another kind has its Hessian formed whole, up to :data:`DENSE` parameters.
    params : torch.Tensor
        (P,).
    x, y : torch.Tensor, optional
        The batch, (B, …) and (B,) or (B, C); the task's training samples where not given.

    Returns
    -------
    LowRank
        m = units · r + deeper parameters, r the rank of the inputs with a 1 appended: 8 · 20 + 210 = 370 for
        8 samples and the 5,350 parameters of 256-20-10.

    Raises
    ------
    ValueError
        For parameters that are not (P,), or not finite; for a module of too many parameters.
    FloatingPointError
        Where the Hessian overflows.
    """
    network, loss = task.network, task.loss
    x, y = (task.x, task.y) if x is None else (x, y)
    params = floats(params)
    if params.shape != (network.count,):
        raise ValueError(f"params of shape {tuple(params.shape)}: expected ({network.count},), one network")
    if not bool(params.isfinite().all()):
        raise ValueError("parameters are not finite: the network diverged, and has no Hessian")
    if not isinstance(network, MLP):
        if network.count > DENSE:
            raise ValueError(f"{network!r}: its Hessian is formed whole, for at most {DENSE:,} parameters; an MLP has no such bound")
        return of_matrix(torch.func.hessian(lambda p: loss.value(network.forward(p, x), y))(params))
    samples = with_ones(x.reshape(len(x), -1).T[None])[0]  # (d + 1, B)
    frame, sizes, rows = torch.linalg.svd(samples, full_matrices=False)
    # Inputs that repeat or depend on each other leave singular values of rounding size.
    rank = int((sizes > sizes[0] * max(samples.shape) * torch.finfo(sizes.dtype).eps).sum())
    frame = frame[:, :rank]
    layers = network.matrices(params)
    layers = [layers[0] @ frame, *layers[1:]]
    small = _one_hidden if len(layers) == 2 else _automatic
    return _solved(small(network, loss, layers, sizes[:rank, None] * rows[:rank], y), frame, network.shapes[0][0], network.count)


def of_matrix(hessian):
    """The same of a dense Hessian (P, P): m = P.  Raises FloatingPointError where it is not finite."""
    return _solved(hessian.detach().to(torch.float64), hessian.new_ones(1, 1, dtype=torch.float64), 0, len(hessian))


def _solved(hessian, frame, units, size):
    if not bool(hessian.isfinite().all()):
        raise FloatingPointError("the Hessian is not finite: the loss overflows at these parameters, and there is no spectrum")
    values, basis = torch.linalg.eigh(hessian)
    return LowRank(values.cpu().numpy(), basis, frame, units, size)


def of_module(module, loss, x, y):
    """The same for a plain :class:`torch.nn.Sequential`, its parameters in the module's own order.

    ``module`` is of ``Linear`` layers with one kind of ``Sigmoid``, ``Tanh`` or
    ``ReLU`` between them, after ``Flatten`` where there is one; ``loss`` a
    ``CrossEntropy`` or ``HalfSquaredError``; ``x`` (B, …) and ``y`` the batch.
    Computed in float64.  Raises ValueError for another module; as :func:`spectrum`.
    """
    parts = [part for part in (module if isinstance(module, nn.Sequential) else [module]) if not isinstance(part, nn.Flatten)]
    layers, between = parts[::2], parts[1::2]
    kinds = {type(part) for part in between}
    names = [name for name, known in ACTIVATIONS.items() if known.module in kinds]
    plain = all(isinstance(part, nn.Linear) and part.bias is not None for part in layers)
    if not plain or len(parts) % 2 == 0 or len(kinds) != len(names) or len(names) > 1:
        raise ValueError(f"{type(module).__name__} is no plain perceptron (Linear, activation, …, Linear, with biases): take of_matrix")
    network = MLP([layers[0].in_features, *(layer.out_features for layer in layers)], *names)
    values = [tensor.detach().to(torch.float64) for tensor in module.parameters()]
    places = torch.arange(network.count, device=values[0].device).split([v.numel() for v in values])
    places = [place.view(value.shape) for place, value in zip(places, values)]
    order = torch.cat([torch.cat([w, b[:, None]], 1).flatten() for w, b in zip(places[::2], places[1::2])])
    flat = torch.cat([value.flatten() for value in values])
    found = spectrum(_Scored(network, loss), flat[order], x.to(torch.float64), y)
    return LowRank(found.values, found.basis, found.frame, found.units, found.size, order)


@dataclass(frozen=True)
class _Scored:
    network: MLP
    loss: object


def _automatic(network, loss, layers, inputs, y):
    """H_small (m, m) of a perceptron of any depth, ``layers`` its matrices, the first (units, r), on ``inputs`` (r, B)."""
    shapes = [layer.shape for layer in layers]

    def objective(small):
        values = inputs
        for k, part in enumerate(small.split([shape.numel() for shape in shapes])):
            values = part.view(shapes[k]) @ (with_ones(network.activation.function(values)[None])[0] if k else values)
        return loss.value(values.T, y)

    return torch.func.hessian(objective)(torch.cat([layer.flatten() for layer in layers]))


def _one_hidden(network, loss, layers, inputs, y):
    """H_small (m, m) of a perceptron with one hidden layer, its samples taken in blocks."""
    (units, rank), (classes_, above) = (layer.shape for layer in layers)
    target = loss.encode(y, classes_)
    rows = units**2 + rank**2 + classes_ * above * (units + classes_)
    block = max(1, _VALUES // rows)
    parts = zip(inputs.split(block, 1), target.split(block, 1))
    total = [sum(same) for same in zip(*(_blocks(network, loss, *layers, *part) for part in parts))]
    size = units * rank
    hessian = inputs.new_empty(size + layers[1].numel(), size + layers[1].numel())
    hessian[:size, :size] = total[0].permute(0, 2, 1, 3).reshape(size, size)
    hessian[:size, size:] = total[1].permute(0, 3, 1, 2).reshape(size, -1)
    hessian[size:, :size] = hessian[:size, size:].T
    hessian[size:, size:] = total[2].permute(0, 2, 1, 3).reshape(classes_ * above, -1)
    return loss.weight(inputs.shape[1]) * hessian


def _blocks(network, loss, below, above, inputs, target):
    """The three blocks of H_small, summed over N samples: (J, K, r, r), (J, C, K + 1, r) and (C, D, K + 1, K + 1)."""
    pullback, v = network.activation.pullback, above[:, :-1]
    a = network.activation.function(below @ inputs)  # (J, N)
    each = with_ones(a[None])[0]  # (J + 1, N)
    output = above @ each  # (C, N)
    residual = loss.residual(output[None], target)[0]
    slope = pullback(torch.ones_like(a), a)
    reach = v.T[:, :, None] * slope[:, None]  # ∂output_c/∂(W x̃)_j: (J, C, N)
    bent = loss.curve(output.expand_as(reach), reach)  # L'' v_j φ'_j
    lower = torch.einsum("jcn,kcn->jkn", bent, reach)
    lower.diagonal().add_((network.activation.bend(a) * pullback(v.T @ residual, a)).T)
    mixed = bent[:, :, None] * each  # (J, C, K + 1, N)
    mixed[:, :, :-1].diagonal(dim1=0, dim2=2).add_((slope * residual[:, None]).transpose(1, 2))
    units = torch.eye(len(output), dtype=output.dtype, device=output.device)[:, :, None]
    second = loss.curve(output.expand(len(output), *output.shape), units.expand(-1, -1, output.shape[1]))  # L'': (C, C, N)
    squares = (inputs[:, None] * inputs).flatten(0, 1)  # (r r, N)
    return (
        (lower.flatten(0, 1) @ squares.T).view(len(a), len(a), len(inputs), len(inputs)),
        mixed @ inputs.T,
        (second[:, :, None] * each) @ each.T,
    )
