"""Gradients of the training loss for a whole stack of networks at once.

Two ways to the same numbers: closed-form backpropagation for multilayer
perceptrons, by batched matrix products over one network each, and automatic
differentiation through :mod:`torch.func` for any other module.
"""

import copy
from dataclasses import replace

import torch
from torch import nn
from torch.func import grad, vmap

from .derivatives import directional
from .networks import MLP


class MLPGradient:
    """Closed-form gradient of stacked multilayer perceptrons.

    Samples lie innermost and every product is one small matrix product a
    network, never one over the folded ensemble: a network's numbers then do
    not depend on which others share its batch.

    Parameters
    ----------
    task : Task
        With an :class:`~netdyn_lib.networks.MLP`.
    reuse : bool
        Keep the large intermediate arrays between calls.  Twice as fast on a
        processor; but values returned are overwritten by the next call, and
        the function can then not be differentiated.
    """

    def __init__(self, task, reuse=True):
        self.task, self.network, self.loss = task, task.network, task.loss
        x = task.x.reshape(len(task.x), -1)
        self._inputs = torch.cat([x.T, x.new_ones(1, len(x))]).contiguous()  # (d + 1, N)
        self._inputs_t = self._inputs.T.contiguous()  # (N, d + 1)
        self.target = task.loss.encode(task.y, self.network.sizes[-1])  # (C, N)
        self._reuse = reuse
        self._kept = {}

    @property
    def values_per_network(self):
        """Intermediate values held for one network."""
        return 3 * sum(self.network.sizes[1:]) * self.target.shape[1]

    def _buffer(self, key, *shape):
        if not self._reuse:
            return None
        kept = self._kept.get(key)
        if kept is None or kept.shape != shape:
            kept = self._kept[key] = self._inputs.new_ones(shape)
        return kept

    def _with_ones(self, k, pre):
        """Hidden values φ(pre) with a row of ones below: (E, units + 1, N)."""
        e, units, n = pre.shape
        function = self.network.activation.function
        kept = self._buffer(("hidden", k), e, units + 1, n)
        if kept is None:
            return torch.cat([function(pre), pre.new_ones(e, 1, n)], 1)
        function(pre, out=kept[:, :-1]) if function is not torch.relu else torch.clamp(pre, min=0, out=kept[:, :-1])
        return kept

    def forward(self, params):
        """Output (E, C, N) of the networks ``params`` (E, P), and what :meth:`backward` needs besides."""
        e, n = len(params), self.target.shape[1]
        layers = self.network.matrices(params)
        values = [self._inputs.expand(e, *self._inputs.shape)]  # inputs of each layer
        for k, matrix in enumerate(layers):
            out = self._buffer(("pre", k), e, matrix.shape[1], n)
            pre = torch.bmm(matrix, values[-1], out=out)  # (E, units, N)
            if k < len(layers) - 1:
                values.append(self._with_ones(k, pre))
        return pre, (layers, values)

    def backward(self, output, saved):
        """Each layer's number and gradient, (E, units, inputs + 1), last layer first, after :meth:`forward`.

        The gradients lack the loss's ``weight``.
        """
        layers, values = saved
        e, n = len(output), self.target.shape[1]
        delta = self.loss.residual(output, self.target, out=self._buffer("residual", *output.shape))  # (E, C, N)
        for k in range(len(layers) - 1, -1, -1):
            below = values[k].transpose(1, 2) if k else self._inputs_t.expand(e, *self._inputs_t.shape)
            gradient = torch.bmm(delta, below, out=self._buffer(("gradient", k), e, *self.network.shapes[k]))
            if k:
                # Before the yield: the caller may change the weights there.
                weights = layers[k][..., :-1]
                delta = torch.bmm(weights.transpose(1, 2), delta, out=self._buffer(("delta", k), e, weights.shape[2], n))
                delta = self._pullback(delta, values[k][:, :-1])
            yield k, gradient

    def _pullback(self, delta, values):
        if self._reuse:
            return self.network.activation.pullback(delta, values, grad_input=delta)
        return self.network.activation.pullback(delta, values)

    def __call__(self, params):
        """∇L of each network: (E, P) for ``params`` (E, P)."""
        layers = dict(self.backward(*self.forward(params)))
        weight = self.loss.weight(self.target.shape[1])
        return weight * torch.cat([layers[k].flatten(1) for k in sorted(layers)], 1)

    def product(self, params, vectors):
        """Gradients and Hessian–vector products (∇L(W), H(W) v): (E, P) each, for ``params`` and ``vectors`` (E, P).

        Backpropagation and its derivative along v (Pearlmutter, Neural
        Computation 6, 147, 1994), layer by layer: R below marks d/ds at W + s v.
        """
        output, (layers, values) = self.forward(params)
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
        weight = self.loss.weight(self.target.shape[1])
        return weight * torch.cat(gradient[::-1], 1), weight * torch.cat(along[::-1], 1)

    def subtract(self, params, passed, rates):
        """W ← W − η ∇L(W) in place, with what :meth:`forward` returned; ``rates`` (E, 1)."""
        weight = self.loss.weight(self.target.shape[1])
        for k, gradient in self.backward(*passed):
            params[:, self.network.slices[k]].addcmul_(gradient.flatten(1), rates, value=-weight)


class ModuleGradient:
    """Gradient of stacked networks of any kind, by ``vmap`` of automatic differentiation."""

    def __init__(self, task, reuse=True):
        # A module of its own: a functional call lends the module its parameters
        # while it lasts, so two threads must not share one.
        self.task = task = replace(task, network=copy.deepcopy(task.network))
        self.network, self.loss = task.network, task.loss
        classes = task.network.forward(torch.zeros(task.network.count, dtype=task.x.dtype, device=task.x.device), task.x[:1])
        self.target = task.loss.encode(task.y, classes.shape[-1])
        self._gradient = vmap(grad(task.objective))
        self._forward = vmap(lambda p: task.network.forward(p, task.x))

    @property
    def values_per_network(self):
        """Intermediate values held for one network, counted in one forward pass of one sample."""
        total = []
        module = getattr(self.network, "_module", None)
        parts = module.modules() if module is not None else ()
        hooks = [
            m.register_forward_hook(lambda _m, _i, out: total.append(out.numel()) if torch.is_tensor(out) else None)
            for m in parts
            if not list(m.children())
        ]
        with torch.no_grad():
            if isinstance(module, nn.Module):
                module(self.task.x[:1].to(next(module.parameters()).device))
        for hook in hooks:
            hook.remove()
        return 3 * len(self.task.x) * (sum(total) + self.task.x[0].numel()) + 2 * self.network.count

    def forward(self, params):
        """Output (E, C, N) of the networks ``params`` (E, P), and nothing besides."""
        return self._forward(params).transpose(1, 2), None

    def __call__(self, params):
        """∇L of each network: (E, P) for ``params`` (E, P)."""
        return self._gradient(params)

    def product(self, params, vectors):
        """Gradients and Hessian–vector products (∇L(W), H(W) v): (E, P) each, for ``params`` and ``vectors`` (E, P)."""
        return directional(self._gradient, params, vectors)

    def subtract(self, params, passed, rates):
        """W ← W − η ∇L(W) in place; ``rates`` (E, 1)."""
        params -= rates * self._gradient(params)


def of(task, reuse=False):
    """The gradient for a task's network: closed form for an MLP, automatic for any other."""
    return (MLPGradient if isinstance(task.network, MLP) else ModuleGradient)(task, reuse)
