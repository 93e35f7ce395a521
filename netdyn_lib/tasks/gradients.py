"""Gradients of the training loss for a whole stack of networks at once.

Closed-form backpropagation for multilayer perceptrons, by batched matrix products over one network
each, and automatic differentiation for any other module, by the fastest way that is right for it.
"""

import copy
import threading
import warnings
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch.func import grad, grad_and_value, vmap

from ..validation import double
from . import derivatives
from .networks import MLP, ModuleNetwork
from .tasks import Task


def of(task: Task):
    """Return the gradient for a task's network: closed form for an MLP, automatic for any other."""
    double(task, "gradients that are differentiated or followed by tangent vectors")
    return (MLPGradient if isinstance(task.network, MLP) else ModuleGradient)(task)


def with_ones(values: torch.Tensor) -> torch.Tensor:
    """Return (E, units, N) with a row of ones below, so that a bias is one more weight."""
    return torch.cat([values, torch.ones_like(values[:, :1])], 1)


class MLPGradient:
    """Closed-form gradient of stacked multilayer perceptrons, out of place and differentiable.

    Samples lie innermost and every product is one small matrix product a
    network, never one over the folded ensemble: a network's numbers then do
    not depend on which others share its batch.
    """

    def __init__(self, task: Task):
        self.network, self.loss = cast(MLP, task.network), task.loss
        self._inputs = with_ones(task.x.reshape(len(task.x), -1).T[None])[0]  # (d + 1, N)
        self.target = task.loss.encode(task.y, self.network.sizes[-1])  # (C, N)
        self._weight = task.loss.weight(len(task.x))

    def _forward(self, layers):
        """Output (E, C, N), and the inputs of each layer, (E, inputs + 1, N), ones below."""
        values = [self._inputs.expand(len(layers[0]), *self._inputs.shape)]
        for layer in layers[:-1]:
            values.append(with_ones(self.network.activation.function(torch.bmm(layer, values[-1]))))
        return torch.bmm(layers[-1], values[-1]), values

    def __call__(self, params: torch.Tensor) -> torch.Tensor:
        """Return ∇L of each network, (E, P)."""
        return self.at(params).gradient

    def at(self, params: torch.Tensor) -> "Linearised":
        """Return backpropagation at ``params`` (E, P), kept for products with the Hessian there."""
        return Linearised(self, params)

    def product(self, params: torch.Tensor, vectors: torch.Tensor):
        """Return (∇L(W), H(W) v), (E, P) each, for ``params`` and ``vectors`` (E, P)."""
        point = self.at(params)
        return point.gradient, point.product(vectors)


class Linearised:
    """Backpropagation through stacked perceptrons at one point, and its derivatives there.

    ``gradient`` is ∇L (E, P).  A product H v then costs as many operations as the
    gradient: what depends on the weights alone is not computed again.
    """

    def __init__(self, of, params):
        self._of, network = of, of.network
        self._layers = network.matrices(params)
        self._output, self._values = of._forward(self._layers)
        delta = of.loss.residual(self._output, of.target)  # (E, C, N)
        self._deltas, self._backs, gradient = [], [], []
        for k in range(len(self._layers) - 1, -1, -1):
            self._deltas.append(delta)
            gradient.append(torch.bmm(delta, self._values[k].transpose(1, 2)).flatten(1))
            if k:
                back = torch.bmm(self._layers[k][..., :-1].transpose(1, 2), delta)
                self._backs.append(back)
                delta = network.activation.pullback(back, self._values[k][:, :-1])
        self._deltas, self._backs = self._deltas[::-1], self._backs[::-1]
        self.gradient = of._weight * torch.cat(gradient[::-1], 1)

    @property
    def losses(self) -> torch.Tensor:
        """Training loss of each network, (E,)."""
        return self._of.loss.values(self._output, self._of.target)

    def product(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return H v (E, P) for ``vectors`` (E, P).

        The derivative of backpropagation along v (Pearlmutter, Neural Computation 6, 147, 1994),
        layer by layer: R below marks d/ds at W + s v.
        """
        network, layers, values = self._of.network, self._layers, self._values
        directions = network.matrices(vectors)
        pullback, bend = network.activation.pullback, network.activation.bend
        # of the hidden layers, the inputs having none
        r_value = r_pre = vectors.new_empty(0)
        r_values = [r_value]
        for k, (layer, v) in enumerate(zip(layers, directions)):
            r_pre = torch.bmm(v, values[k])  # (E, units, N)
            if k:
                r_pre += torch.bmm(layer[..., :-1], r_value)
            if k < len(layers) - 1:
                r_value = pullback(r_pre, values[k + 1][:, :-1])
                r_values.append(r_value)
        r_delta = self._of.loss.curve(self._output, r_pre)
        along = []
        for k in range(len(layers) - 1, -1, -1):
            r_gradient = torch.bmm(r_delta, values[k].transpose(1, 2))  # (E, units, inputs + 1)
            if k:
                r_gradient[..., :-1] += torch.bmm(self._deltas[k], r_values[k].transpose(1, 2))
                w, v = layers[k][..., :-1].transpose(1, 2), directions[k][..., :-1].transpose(1, 2)
                hidden = values[k][:, :-1]
                r_back = torch.bmm(v, self._deltas[k]) + torch.bmm(w, r_delta)
                # d/ds of back φ'(pre) = r_back φ' + back φ'' R(pre), and φ' R(pre) is R of the
                # value.
                r_delta = pullback(r_back, hidden)
                if network.activation.bends:
                    r_delta = r_delta + self._backs[k - 1] * bend(hidden) * r_values[k]
            along.append(r_gradient.flatten(1))
        return self._of._weight * torch.cat(along[::-1], 1)


@dataclass(frozen=True)
class Point:
    """``gradient`` ∇L (E, P) and ``losses`` (E,) of stacked networks."""

    gradient: torch.Tensor
    losses: torch.Tensor


class PlainGradient:
    """Gradient of one network after another by plain autograd, as in any training loop of PyTorch.

    The module has parameters of its own and is called as its author meant it to be, so that this
    is right for whatever a module does; other ways are held against it.
    """

    def __init__(self, task: Task):
        self._loss, self._x, self._y = task.loss, task.x, task.y
        self._module = copy.deepcopy(cast(ModuleNetwork, task.network).template)
        self._parameters = [p for p in self._module.parameters() if p.requires_grad]
        self._sizes = [p.numel() for p in self._parameters]

    def one(self, params: torch.Tensor, x=None, y=None, share: float = 1.0, graph: bool = False):
        """Return ``share`` times the loss, its gradient (P,) and the output (N, C) of one network.

        On ``x``, ``y`` in place of the task's samples where given; with ``graph`` the gradient
        keeps its history.
        """
        x, y = (self._x, self._y) if x is None else (x, y)
        with torch.no_grad():
            for parameter, values in zip(self._parameters, params.split(self._sizes)):
                parameter.copy_(values.view_as(parameter))
        with torch.enable_grad():
            output = self._module(x)
            value = self._loss.value(output, y) * share
            parts = torch.autograd.grad(
                value, self._parameters, create_graph=graph, materialize_grads=True
            )
        # embeddings may be sparse
        slope = torch.cat([part.to_dense().reshape(-1) for part in parts])
        return value.detach(), slope if graph else slope.detach(), output.detach()

    def __call__(self, params: torch.Tensor) -> torch.Tensor:
        """Return ∇L of each network, (E, P)."""
        return self.at(params).gradient

    def at(self, params: torch.Tensor) -> Point:
        """Return the gradient at ``params`` (E, P) with the losses."""
        found = [self.one(row) for row in params]
        return Point(torch.stack([f[1] for f in found]), torch.stack([f[0] for f in found]))

    def twice(self, params: torch.Tensor, vector: torch.Tensor):
        """Return (∇L(W), H(W) v) of one network, (P,) each, by double backward."""
        with derivatives.twice_differentiable():
            slope = self.one(params, graph=True)[1]
            return slope.detach(), derivatives.along(slope, self._parameters, vector)


class ModuleGradient:
    """Gradient of stacked networks of any kind, by the ways that :func:`ways` finds right."""

    def __init__(self, task: Task):
        self.ways, self._task, self._kept = ways(task), task, threading.local()
        self._stacked = vmap(grad(task.objective))
        self._both = vmap(grad_and_value(task.objective))
        self._forward = derivatives.forward_over_reverse(task.objective)

    def __call__(self, params: torch.Tensor) -> torch.Tensor:
        """Return ∇L of each network, (E, P)."""
        if torch._C._functorch.is_functorch_wrapped_tensor(params):
            # Transforms around vmap(grad) are wrong through some layers, and plain autograd cannot
            # be seen through at all.
            raise ValueError(
                "the gradient of a module is not differentiated from outside: take .product of "
                "GradientDescent, or operators.of_descent, in place of a derivative of .step"
            )
        return self._stacked(params) if self.ways.stacked else self._plain(params)

    @property
    def _plain(self):
        # a module holds parameters, so each thread has its own
        if not hasattr(self._kept, "gradient"):
            self._kept.gradient = PlainGradient(self._task)
        return self._kept.gradient

    def at(self, params: torch.Tensor) -> Point:
        """Return the gradient at ``params`` (E, P) with the losses."""
        return Point(*self._both(params)) if self.ways.stacked else self._plain.at(params)

    def product(self, params: torch.Tensor, vectors: torch.Tensor):
        """Return (∇L(W), H(W) v), (E, P) each, for ``params`` and ``vectors`` (E, P)."""
        way = self.ways.product
        if way == "forward over reverse":
            if len(params) > 1:
                return vmap(self._forward)(params, vectors)
            # vmap takes time of its own
            return tuple(part[None] for part in self._forward(params[0], vectors[0]))
        one = self._plain.twice
        if way == "central differences":
            one = derivatives.central(lambda row: self._plain.one(row)[1])
        pairs = [one(*pair) for pair in zip(params, vectors)]
        return tuple(torch.stack(part) for part in zip(*pairs))


@dataclass(frozen=True)
class Ways:
    """How a module is differentiated: whether networks are ``stacked`` under ``vmap``, and by which
    way H v: "forward over reverse", "double backward" or "central differences".

    ``symmetric`` says whether H is: it is not where a gradient is that of no loss, as under
    ``detach``, a straight-through estimate or the padding of an embedding.
    """

    stacked: bool
    product: str
    symmetric: bool = True


_PROBED = 32  # samples on which ways are tried
_SPREADS = (0.01, 0.3)  # of the steps from the module's own parameters to others


def ways(task: Task) -> Ways:
    """Return the fastest ways that are right for a task's module, tried once on a few samples.

    They are held against plain autograd of one network, and Hessian products against central
    differences of its gradient (:func:`netdyn_lib.tasks.derivatives.agrees`), near the module's own
    parameters and at weights N(0, 1/4).  Where halves of the samples do not add up to the gradient
    of all, the network is marked as ``coupled``.  A warning says, once, what is slower or not
    symmetric.

    Raises ValueError where central differences are what is left, and depend on their step.
    """
    if isinstance(task.network, MLP):  # a few operations, each of which has every derivative
        return Ways(True, "forward over reverse")
    for loss, device, dtype, found in task.network.ways:
        if loss is task.loss and (device, dtype) == (task.x.device, task.dtype):
            return found
    found = _tried(task)
    task.network.ways.append((task.loss, task.x.device, task.dtype, found))
    said = [] if found.stacked else ["networks go one after another, which is slower"]
    if found.product in ("double backward", "central differences"):
        said.append(f"Hessian products go by {found.product}, which is slower")
        hint = derivatives.of_cudnn(getattr(task.network, "template", None), task.x.device)
        said += [hint] * bool(hint)
    if not found.symmetric:
        said.append(
            "its gradient is not the derivative of its loss (detach, a straight-through estimate, "
            "padding): tangent products are those of its descent, and it has no Hessian"
        )
    if said:
        warnings.warn(f"{task.network!r}: {'; '.join(said)}", stacklevel=2)
    return found


def _tried(task):
    small = _few(task, task.network.coupled)
    plain, sizes = PlainGradient(small), [s.numel() for s in task.network.shapes.values()]
    own = task.network.own.nan_to_num().to(task.x.device, task.dtype)
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(6, len(own), generator=draw, dtype=torch.float64).to(own)
    params = torch.stack([*(own + s * n for s, n in zip(_SPREADS, noise)), 0.5 * noise[2]])
    if not _adds_up(small, params, sizes):
        task.network.coupled = True
        small = _few(task, True)
        plain = PlainGradient(small)
    stacked = _same(vmap(grad(small.objective)), plain, params, sizes)
    if own.dtype != torch.float64:
        return Ways(stacked, "none in single precision")

    def gradient(row):
        return plain.one(row)[1]

    forward = vmap(derivatives.forward_over_reverse(small.objective))
    possible = {"double backward": plain.twice, "central differences": None}
    if stacked:
        fast = {"forward over reverse": lambda w, v: [x[0] for x in forward(w[None], v[None])]}
        possible = fast | possible
    trials = [t for t in zip(params, noise[3:]) if bool(gradient(t[0]).isfinite().all())]
    for name, product in possible.items():  # noqa: B007
        if product and all(derivatives.agrees(product, gradient, *t, sizes) for t in trials):
            break
    product = product or derivatives.central(gradient)
    if name == "central differences" and not all(_steady(gradient, *t, sizes) for t in trials):
        raise ValueError(
            f"{task.network!r}: no way to its Hessian products is right, and central differences "
            "of its gradient depend on their step: the gradient jumps, or its weights differ too "
            "much in size"
        )
    return Ways(stacked, name, all(_symmetric(product, w, v, noise[0]) for w, v in trials))


def _few(task, together):
    """The task with a few samples, spread evenly; with all where they belong ``together``."""
    count = len(task.x) if together else min(len(task.x), _PROBED)
    rows = torch.linspace(0, len(task.x) - 1, count).round().long().to(task.x.device)
    return replace(task, split=replace(task.split, x=task.x[rows], y=task.y[rows]))


def _adds_up(task, params, sizes):
    """Whether the gradient of all samples is that of two halves of them, by their shares."""
    count, weight, plain = len(task.x), task.loss.weight, PlainGradient(task)
    if task.network.coupled or not getattr(task.loss, "separable", True) or count < 4:
        return True  # known, or too few to tell

    def part(row, s):
        share = weight(count) / weight(s.stop - s.start)
        return plain.one(row, task.x[s], task.y[s], share)[1]

    for row in params:
        whole = plain.one(row)[1]
        try:
            halves = part(row, slice(0, count // 2)) + part(row, slice(count // 2, count))
        except Exception:  # a network that takes all its samples or none
            return False
        if bool(whole.isfinite().all()) and not derivatives.near(halves, whole, sizes, 0.0, 1e-5):
            return False
    return True


def _same(stacked, plain, params, sizes):
    try:
        found = stacked(params)
    except Exception:  # vmap cannot follow the forward pass
        return False
    tolerance = 1e-8 if params.dtype == torch.float64 else 1e-3
    pairs = [p for p in zip(found, plain(params)) if bool(p[1].isfinite().all())]
    return all(derivatives.near(*pair, sizes, 0.0, tolerance) for pair in pairs)


def _steady(gradient, params, vector, sizes):
    """Whether central differences hardly depend on their step."""
    near, far = (derivatives.central(gradient, h)(params, vector)[1] for h in (1e-6, 1e-5))
    return derivatives.near(near, far, sizes, 1e-6 * gradient(params).norm())


def _symmetric(product, params, one, other):
    ahead, back = product(params, one)[1], product(params, other)[1]
    size = ahead.norm() * other.norm() + back.norm() * one.norm()
    return bool((other @ ahead - one @ back).abs() <= 1e-3 * size)
