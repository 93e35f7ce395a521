"""Gradients of the training loss for a whole stack of networks at once.

Two ways to the same numbers: closed-form backpropagation for multilayer
perceptrons, by batched matrix products over one network each, and automatic
differentiation through :mod:`torch.func` for any other module.
"""

from dataclasses import dataclass

import torch
from torch.func import grad, grad_and_value, vmap

from .checks import double
from .derivatives import directional
from .networks import MLP


class MLPGradient:
    """Closed-form gradient of stacked multilayer perceptrons, out of place and differentiable.

    Samples lie innermost and every product is one small matrix product a
    network, never one over the folded ensemble: a network's numbers then do
    not depend on which others share its batch.
    """

    def __init__(self, task):
        self.network, self.loss = task.network, task.loss
        self._inputs = with_ones(task.x.reshape(len(task.x), -1).T[None])[0]  # (d + 1, N)
        self.target = task.loss.encode(task.y, self.network.sizes[-1])  # (C, N)
        self._weight = task.loss.weight(len(task.x))

    def _forward(self, layers):
        """Output (E, C, N), and the inputs of each layer, (E, inputs + 1, N), ones below."""
        values = [self._inputs.expand(len(layers[0]), *self._inputs.shape)]
        for layer in layers[:-1]:
            values.append(with_ones(self.network.activation.function(torch.bmm(layer, values[-1]))))
        return torch.bmm(layers[-1], values[-1]), values

    def __call__(self, params):
        """∇L of each network: (E, P) for ``params`` (E, P)."""
        return self.at(params).gradient

    def at(self, params):
        """Backpropagation at ``params`` (E, P), kept for products with the Hessian there: a :class:`Linearised`."""
        return Linearised(self, params)

    def product(self, params, vectors):
        """Gradients and Hessian–vector products (∇L(W), H(W) v): (E, P) each, for ``params`` and ``vectors`` (E, P)."""
        point = self.at(params)
        return point.gradient, point.product(vectors)


class Linearised:
    """Backpropagation through stacked perceptrons at one point, and its derivative along any direction from there.

    ``gradient`` ∇L (E, P) and ``losses`` (E,).  A product H v then costs as many operations as the gradient: what
    depends on the weights alone is not computed again.
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
    def losses(self):
        """Training loss of each network, (E,)."""
        return self._of.loss.values(self._output, self._of.target)

    def product(self, vectors):
        """H v (E, P) for ``vectors`` (E, P).

        The derivative of backpropagation along v (Pearlmutter, Neural Computation 6, 147, 1994), layer by layer: R below
        marks d/ds at W + s v.
        """
        network, layers, values = self._of.network, self._layers, self._values
        directions = network.matrices(vectors)
        pullback, bend = network.activation.pullback, network.activation.bend
        r_value, r_pre, r_values = None, None, [None]
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
                # d/ds of back φ'(pre) = r_back φ' + back φ'' R(pre), and φ' R(pre) is R of the value.
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


class ModuleGradient:
    """Gradient of stacked networks of any kind, by ``vmap`` of automatic differentiation."""

    def __init__(self, task):
        self._gradient = vmap(grad(task.objective))
        self._both = vmap(grad_and_value(task.objective))

    def __call__(self, params):
        """∇L of each network: (E, P) for ``params`` (E, P)."""
        return self._gradient(params)

    def at(self, params):
        """The gradient at ``params`` (E, P) with the losses, a :class:`Point`."""
        return Point(*self._both(params))

    def product(self, params, vectors):
        """Gradients and Hessian–vector products (∇L(W), H(W) v): (E, P) each, for ``params`` and ``vectors`` (E, P)."""
        return directional(self._gradient, params, vectors)


def with_ones(values):
    """A row of ones below: (E, units + 1, N) from (E, units, N), so that a bias is one more weight."""
    return torch.cat([values, torch.ones_like(values[:, :1])], 1)


def of(task):
    """The gradient for a task's network: closed form for an MLP, automatic for any other.  Raises ValueError for a task in single precision."""
    double(task.x, "gradients that are differentiated or followed by tangent vectors")
    return (MLPGradient if isinstance(task.network, MLP) else ModuleGradient)(task)
