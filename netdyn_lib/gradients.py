"""Gradients of the training loss for a whole stack of networks at once.

Two ways to the same numbers: closed-form backpropagation for multilayer
perceptrons, by batched matrix products over one network each, and automatic
differentiation through :mod:`torch.func` for any other module.
"""

import torch
from torch.func import grad, vmap

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
        layers = self.network.matrices(params)
        output, values = self._forward(layers)
        delta = self.loss.residual(output, self.target)  # (E, C, N)
        gradient = []
        for layer, below in zip(layers[::-1], values[::-1]):
            gradient.append(torch.bmm(delta, below.transpose(1, 2)).flatten(1))
            if layer is not layers[0]:
                back = torch.bmm(layer[..., :-1].transpose(1, 2), delta)
                delta = self.network.activation.pullback(back, below[:, :-1])
        return self._weight * torch.cat(gradient[::-1], 1)

    def product(self, params, vectors):
        """Gradients and Hessian–vector products (∇L(W), H(W) v): (E, P) each, for ``params`` and ``vectors`` (E, P).

        Backpropagation and its derivative along v (Pearlmutter, Neural
        Computation 6, 147, 1994), layer by layer: R below marks d/ds at W + s v.
        """
        layers = self.network.matrices(params)
        output, values = self._forward(layers)
        directions = self.network.matrices(vectors)
        pullback, bend = self.network.activation.pullback, self.network.activation.bend
        r_value, r_pre, r_values = None, None, [None]
        for k, (layer, v) in enumerate(zip(layers, directions)):
            r_pre = torch.bmm(v, values[k])  # (E, units, N)
            if k:
                r_pre += torch.bmm(layer[..., :-1], r_value)
            if k < len(layers) - 1:
                r_value = pullback(r_pre, values[k + 1][:, :-1])
                r_values.append(r_value)
        delta = self.loss.residual(output, self.target)  # (E, C, N)
        r_delta = self.loss.curve(output, r_pre)
        gradient, along = [], []
        for k in range(len(layers) - 1, -1, -1):
            below = values[k].transpose(1, 2)
            gradient.append(torch.bmm(delta, below).flatten(1))
            r_gradient = torch.bmm(r_delta, below)  # (E, units, inputs + 1)
            if k:
                r_gradient[..., :-1] += torch.bmm(delta, r_values[k].transpose(1, 2))
                w, v = layers[k][..., :-1].transpose(1, 2), directions[k][..., :-1].transpose(1, 2)
                hidden = values[k][:, :-1]
                back = torch.bmm(w, delta)
                r_back = torch.bmm(v, delta) + torch.bmm(w, r_delta)
                # d/ds of back φ'(pre) = r_back φ' + back φ'' R(pre), and φ' R(pre) is R of the value.
                delta = pullback(back, hidden)
                r_delta = pullback(r_back, hidden) + back * bend(hidden) * r_values[k]
            along.append(r_gradient.flatten(1))
        return self._weight * torch.cat(gradient[::-1], 1), self._weight * torch.cat(along[::-1], 1)


class ModuleGradient:
    """Gradient of stacked networks of any kind, by ``vmap`` of automatic differentiation."""

    def __init__(self, task):
        self._gradient = vmap(grad(task.objective))

    def __call__(self, params):
        """∇L of each network: (E, P) for ``params`` (E, P)."""
        return self._gradient(params)

    def product(self, params, vectors):
        """Gradients and Hessian–vector products (∇L(W), H(W) v): (E, P) each, for ``params`` and ``vectors`` (E, P)."""
        return directional(self._gradient, params, vectors)


def with_ones(values):
    """A row of ones below: (E, units + 1, N) from (E, units, N), so that a bias is one more weight."""
    return torch.cat([values, torch.ones_like(values[:, :1])], 1)


def of(task):
    """The gradient for a task's network: closed form for an MLP, automatic for any other."""
    return (MLPGradient if isinstance(task.network, MLP) else ModuleGradient)(task)
