"""The exact spectrum of a mini-batch's Hessian, from the few dimensions in which it acts.

The loss of B samples depends on the first layer's weights W only through W x̃_b, x̃_b the input
with a 1 appended for the bias.  With X̃ᵀ = Q R, Q of r ≤ B orthonormal columns, it is a function of
W Q: the loss of a network whose inputs are the columns of R.  So with S = (I_units ⊗ Q) ⊕ I of all
deeper parameters,

    H = S H_small Sᵀ,    SᵀS = I,

the eigenvalues of H are those of H_small, its eigenvectors S u, and all others are exactly 0.  The
gradient is S g_small: it has no part outside.  Only the first layer acts in so few dimensions; what
a deeper one sees changes with the weights below it.

H_small is M of :mod:`netdyn_lib.curvature.batch_frames`.  With one hidden layer some of its m
dimensions are known not to be curved, before anything is solved: M = T M' Tᵀ, M' of m' ≤ m.
Spectra are solved in those m'.

Eigenvalues are classed by what gradient descent does along them: chaotic, negative, positive,
neutral.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import vmap

from ..tasks.derivatives import directional
from ..tasks.networks import ACTIVATIONS, MLP
from ..tasks.tasks import Task
from ..validation import double, floats, positive
from . import batch_frames
from .batch_frames import Range, Subspace
from .hessian import dense_hessian

#: Parameters up to which a network that is no MLP has a spectrum.
DENSE = 6000
#: Eigenvalues of at most this share of the largest magnitude count as 0.  Rounding leaves 1e-15 of
#: it, and where a batch is learned to 1 − p = δ up to 1e-16/δ, for L'' is then a difference of
#: numbers that agree to δ.  Early in training nothing lies between 1e-15 and 1e-11; late, samples
#: that are learned leave true eigenvalues of all sizes down to rounding, and a count of signs
#: depends on this bound by some percent (the gradient's overlap does not).
ZERO = 1e-12


@dataclass(frozen=True)
class Batch:
    """What a Hessian needs of a :class:`~netdyn_lib.tasks.tasks.Task`."""

    network: Any
    loss: Any
    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Local(Range):
    """A batch's Hessian H(W) = S M(Sᵀ W) Sᵀ around a network W: ``function`` is M, of (m,) to (m,
    m), ``params`` W (P,).

    ``reduced``, of (m,), is M' (m', m') and T of :mod:`netdyn_lib.curvature.batch_frames`, where
    the network has them.
    """

    function: Callable
    params: Tensor
    frame: Tensor
    units: int
    size: int
    order: Tensor | None = None
    reduced: Callable | None = None

    @torch.no_grad()
    def hessian(self) -> "LowRankHessian":
        """Return the Hessian at W."""
        matrix = self.function(self.restrict(self.params))
        return LowRankHessian(matrix, self.frame, self.units, self.size, self.order)

    @torch.no_grad()
    def spectrum(self) -> "LowRank":
        """Return the spectrum at W, solved in m' dimensions where ``reduced`` gives M' and T."""
        if self.reduced is None:
            return self.hessian().solved()
        matrix, directions = self.reduced(self.restrict(self.params))
        return LowRank(*eigh(matrix), self.frame, self.units, self.size, self.order, directions)

    @torch.no_grad()
    def changes(self, directions: Tensor) -> Tensor:
        """Return derivatives of M along ``directions`` (k, P), third ones of the loss: (k, m, m).

        At a ReLU's kink those from one side.  Where many directions make large tensors, call with
        few.
        """
        point = self.restrict(self.params)
        return vmap(lambda v: directional(self.function, point, v)[1])(self.restrict(directions))


def spectrum(task: Task | Batch, params: Tensor) -> "LowRank":
    """Return the spectrum of the Hessian of the training loss at one network, without decay.

    For a mini-batch, ``task`` has only its samples
    (:func:`netdyn_lib.training.minibatches.batch_task`).

    Parameters
    ----------
    task : Task
        An MLP goes the module's way, a network
        that ends in a linear layer that of :mod:`netdyn_lib.curvature.batch_frames`, of at most
        2p + C r dimensions, p the parameters below; any other has its Hessian formed whole.  Both
        up to :data:`DENSE` parameters.
    params : torch.Tensor
        (P,).

    Returns
    -------
    LowRank
        Of m' ≤ m = units · r + deeper parameters, r the rank of the inputs with a 1 appended: 8 ·
        20 + 210 = 370 for 8 samples and the 5,350 parameters of 256-20-10; m' is 349 of these with
        cross-entropy, and with a ReLU some 260 early in training and 315 late.

    Raises FloatingPointError where the Hessian overflows.
    """
    return around(task, params).spectrum()


def hessian(task: Task | Batch, params: Tensor) -> "LowRankHessian":
    """Return the Hessian itself, not yet solved for its spectrum; otherwise as :func:`spectrum`.

    Its numbers may be infinite or NaN where the loss overflows.
    """
    return around(task, params).hessian()


def around(task: Task | Batch, params: Tensor) -> Local:
    """Return the Hessian as a function around ``params``; otherwise as :func:`spectrum`."""
    network, loss, x, y = task.network, task.loss, task.x, task.y
    double(x, "spectra")
    params = floats(params)
    if params.shape != (network.count,):
        raise ValueError(
            f"params of shape {tuple(params.shape)}: expected ({network.count},), one network"
        )
    if not bool(params.isfinite().all()):
        raise ValueError("parameters are not finite: the network diverged, and has no Hessian")
    if isinstance(network, MLP):
        frame, inputs = batch_frames.frame_of(x)
        function = batch_frames.matrix_of(network, loss, inputs, y)
        reduced = batch_frames.reduced_matrix(network, loss, inputs, y)
        units = network.shapes[0][0]
        return Local(function, params, frame, units, network.count, reduced=reduced)
    if network.count > DENSE:
        raise ValueError(
            f"{network!r}: its Hessian takes memory as their square, and is formed for at most "
            f"{DENSE:,} parameters; an MLP has no such bound"
        )
    reduced = batch_frames.linear_head_matrix(network, loss, x, y)
    whole = dense_hessian(lambda p: loss.value(network.forward(p, x), y))
    return Local(whole, params, params.new_ones(1, 1), 0, network.count, reduced=reduced)


@dataclass(frozen=True)
class AgainstDense:
    """The low-rank spectrum of a batch beside that of its whole Hessian.

    It has ``dimensions`` m' of ``size`` P; ``apart`` is the largest difference of eigenvalues,
    ``matrix_apart`` that of the Hessians themselves, in units of the largest eigenvalue's
    magnitude.
    """

    dimensions: int
    size: int
    apart: float
    matrix_apart: float

    def __str__(self):
        return (
            f"{self.dimensions} of {self.size:,} dimensions; eigenvalues apart by "
            f"{self.apart:.0e} of the largest, Hessians by {self.matrix_apart:.0e}"
        )


def against_dense(task: Task, params: Tensor) -> AgainstDense:
    """Compare :func:`spectrum` at one network (P,) with automatic differentiation of the whole."""
    found = spectrum(task, params)
    if found.size > DENSE:
        raise ValueError(
            f"{found.size:,} parameters: the Hessian is formed whole, for at most {DENSE:,}"
        )
    whole = dense_hessian(task.objective)(params)
    values = torch.linalg.eigvalsh(whole).cpu().numpy()
    scale = np.abs(values).max() or 1.0
    mine = np.sort(np.concatenate([found.values, np.zeros(found.size - len(found.values))]))
    formed = found.product(torch.eye(found.size).to(params))
    apart = float(np.abs(mine - values).max() / scale), float((formed - whole).abs().max() / scale)
    return AgainstDense(len(found.values), found.size, *apart)


def of_matrix(hessian: Tensor) -> "LowRank":
    """Return the spectrum of a dense Hessian (P, P): m = P."""
    whole = hessian.detach().to(torch.float64)
    return LowRankHessian(whole, whole.new_ones(1, 1), 0, len(whole)).solved()


def of_module(module: nn.Module, loss, x: Tensor, y: Tensor) -> "LowRank":
    """Return the spectrum of a plain :class:`torch.nn.Sequential`, parameters in its own order.

    ``module`` is of ``Linear`` layers with one kind of ``Sigmoid``, ``Tanh`` or
    ``ReLU`` between them, after ``Flatten`` where there is one; ``loss`` a
    ``CrossEntropy`` or ``HalfSquaredError``; ``x`` (B, …) and ``y`` the batch.
    It is computed in float64.
    """
    parts = [
        part
        for part in (module if isinstance(module, nn.Sequential) else [module])
        if not isinstance(part, nn.Flatten)
    ]
    layers, between = parts[::2], parts[1::2]
    kinds = {type(part) for part in between}
    names = [name for name, known in ACTIVATIONS.items() if known.module in kinds]
    plain = all(isinstance(part, nn.Linear) and part.bias is not None for part in layers)
    if not plain or len(parts) % 2 == 0 or len(kinds) != len(names) or len(names) > 1:
        raise ValueError(
            f"{type(module).__name__} is no plain perceptron (Linear, activation, …, Linear, with "
            "biases): take of_matrix"
        )
    linear = [cast(nn.Linear, layer) for layer in layers]
    network = MLP([linear[0].in_features, *(layer.out_features for layer in linear)], *names)
    values = [tensor.detach().to(torch.float64) for tensor in module.parameters()]
    places = torch.arange(network.count, device=values[0].device).split([v.numel() for v in values])
    places = [place.view(value.shape) for place, value in zip(places, values)]
    order = torch.cat(
        [torch.cat([w, b[:, None]], 1).flatten() for w, b in zip(places[::2], places[1::2])]
    )
    flat = torch.cat([value.flatten() for value in values])
    found = spectrum(Batch(network, loss, x.to(torch.float64), y), flat[order])
    return replace(found, order=order)


@dataclass(frozen=True)
class Classes:
    """Which eigenvalues (m,) are what: (1 − γλ)² > 1 and |λ| > z, λ < −z, λ > z, |λ| ≤ z."""

    chaotic: np.ndarray
    negative: np.ndarray
    positive: np.ndarray
    neutral: np.ndarray

    def counts(self) -> dict[str, int]:
        """Return how many there are of each."""
        return {name: int(mask.sum()) for name, mask in vars(self).items()}


def classes(values, learning_rate: float, zero: float | None = None) -> Classes:
    """Return the classes of eigenvalues λ (m,) at one learning rate γ.

    A direction is locally chaotic where |1 − γλ| > 1: for λ < 0 or λ > 2/γ (Herrmann 2022, theorem
    2.1).  ``zero`` is as for :func:`signs`.

    >>> classes([-1.0, 0.0, 1.0, 5.0], 0.5).counts()
    {'chaotic': 2, 'negative': 1, 'positive': 2, 'neutral': 1}
    """
    rate = positive(learning_rate, "learning_rate", "γ")
    negative, above, neutral = signs(values, zero)
    # As a bound on λ: (1 − γλ)² rounds to 1 for small |λ|.
    values = np.asarray(values, dtype=float)
    chaotic = ((values < 0) | (values > 2 / rate)) & ~neutral
    return Classes(chaotic, negative, above, neutral)


def signs(values, zero: float | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which eigenvalues (m,) are negative, positive and neutral.

    ``zero`` is z, up to which |λ| is neutral, what rounding leaves: by default :data:`ZERO` times
    the largest |λ|.
    """
    values = np.asarray(values, dtype=float)
    if not np.isfinite(values).all():
        raise ValueError(
            "eigenvalues are not finite: the network diverged, and its directions have no class"
        )
    if zero is None:
        zero = ZERO * np.abs(values).max(initial=0.0)
    if not zero >= 0:
        raise ValueError(f"zero = {zero}: must be zero or positive (it bounds a magnitude)")
    return values < -zero, values > zero, np.abs(values) <= zero


def overlap(coefficients, known: Classes) -> dict[str, float]:
    """Return the share of |gradient|² in each class; NaN for a gradient of zero.

    ``coefficients`` (m,) are the gradient's, of :meth:`LowRank.project`.  Negative, positive and
    neutral add up to 1.
    """
    squares = floats(coefficients, "cpu").square().numpy()
    total = squares.sum()
    return {
        name: float(squares[mask].sum() / total) if total > 0 else np.nan
        for name, mask in vars(known).items()
    }


@dataclass(frozen=True)
class LowRankHessian(Range):
    """H = S M Sᵀ in P dimensions, ``matrix`` M (m, m) symmetric; else as :class:`LowRank`."""

    matrix: Tensor
    frame: Tensor
    units: int
    size: int
    order: Tensor | None = None

    def product(self, vectors: Tensor) -> Tensor:
        """Return H v (…, P) of ``vectors`` (…, P)."""
        return self.embed(self.restrict(vectors) @ self.matrix)

    def undone(self, vectors: Tensor, learning_rate: float) -> Tensor:
        """Return (I − γH)⁻¹ v (…, P): a step of descent in tangent space taken back.

        It is v + S [(I − γM)⁻¹ − I] Sᵀ v.  Raises :class:`torch.linalg.LinAlgError` where 1/γ is an
        eigenvalue: that step has no inverse.
        """
        small = self.restrict(vectors)
        step = torch.eye(len(self.matrix)).to(self.matrix) - learning_rate * self.matrix
        back = torch.linalg.solve(step, small.reshape(-1, len(step)).T).T.reshape(small.shape)
        return vectors + self.embed(back - small)

    def solved(self) -> "LowRank":
        """Return all m eigenvalues and eigenvectors, with T = I."""
        return LowRank(*eigh(self.matrix), self.frame, self.units, self.size, self.order)


def eigh(matrix: Tensor) -> tuple[np.ndarray, Tensor]:
    """Return eigenvalues (m,) and eigenvectors (m, m)."""
    # A finite sum has finite terms, and is many times as fast as asking each; one that is not
    # finite is looked into.
    if not (bool(matrix.sum().isfinite()) or bool(matrix.isfinite().all())):
        raise FloatingPointError(
            "the Hessian is not finite: the loss overflows at these parameters, "
            "and there is no spectrum"
        )
    values, basis = torch.linalg.eigh(matrix)
    return values.cpu().numpy(), basis


@dataclass(frozen=True)
class LowRank(Range):
    """Eigenvalues and eigenvectors of a Hessian H = S T U diag(λ) Uᵀ Tᵀ Sᵀ in P dimensions, of rank
    at most m'.

    ``values`` λ (m',) ascending; ``vectors`` U (m', m'), orthonormal columns; ``frame`` Q (inputs +
    1, r) of the first layer's ``units``; ``size`` P.  The other P − m' eigenvalues are exactly 0.
    ``order`` (P,), where given, says where an MLP's parameters stand among those of the vectors
    that come and go.  ``subspace`` is T (m, m') of :mod:`netdyn_lib.curvature.batch_frames`; where
    it is None T is the unit matrix, m' = m.
    """

    values: np.ndarray
    vectors: Tensor
    frame: Tensor
    units: int
    size: int
    order: Tensor | None = None
    subspace: Subspace | None = None

    @cached_property
    def basis(self) -> Tensor:
        """T U (m, m'), orthonormal columns: the eigenvectors in the m dimensions of the range."""
        return self.vectors if self.subspace is None else self.subspace.times(self.vectors)

    def project(self, vectors: Tensor) -> Tensor:
        """Return coefficients Uᵀ Tᵀ Sᵀ v along the eigenvectors: (…, m') of ``vectors`` (…, P)."""
        small = self.restrict(vectors)
        return (small if self.subspace is None else self.subspace.restrict(small)) @ self.vectors

    def expand(self, coefficients: Tensor) -> Tensor:
        """Return S T U c: vectors (…, P) of ``coefficients`` (…, m') along the eigenvectors."""
        small = coefficients.to(self.vectors) @ self.vectors.T
        return self.embed(small if self.subspace is None else self.subspace.embed(small))

    def product(self, vectors: Tensor) -> Tensor:
        """Return H v (…, P) of ``vectors`` (…, P)."""
        return self.expand(self.project(vectors) * torch.as_tensor(self.values).to(self.vectors))

    def classes(self, learning_rate: float, zero: float | None = None) -> Classes:
        """Return the classes of ``values``, as the function ``classes`` has them."""
        return classes(self.values, learning_rate, zero)
