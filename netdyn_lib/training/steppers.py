"""One step of descent in place: what the engine repeats.

The closed form of an MLP gives a network the same numbers, to the last bit, in
any stack on a processor; where samples go in blocks, in any stack of whole
groups of one size (a reference and its copies).  That of convolutional networks
does so in any stack.  Automatic differentiation of other modules does so only to
rounding, for PyTorch may fold a stack into one product.

A stepper belongs to one thread.  ``forward(params)`` returns the output
(E, C, N) of a stack of networks ``params`` (E, P), and ``subtract(params, rates)``
then moves them down their gradient, W ← W − η ∇L(W), with ``rates`` (E, 1).
``padded`` says whether a stack needs one more row, which is no network's, for
its numbers not to depend on their place in it.
"""

import copy
from dataclasses import replace

import torch
from torch import nn

from ..tasks import gradients
from ..tasks.networks import MLP
from . import blocked, convolutional_steppers


class MLPStepper:
    """Descent of stacked multilayer perceptrons by closed-form backpropagation.

    The same arithmetic as :class:`~netdyn_lib.tasks.gradients.MLPGradient`, but every
    large array is kept and written again at the next call, and so are the views
    of the parameters: on a processor, memory and bookkeeping would otherwise
    cost more than the products of such small matrices.
    """

    padded = True

    def __init__(self, task):
        self.task, self.network, self.loss = task, task.network, task.loss
        x = task.x.reshape(len(task.x), -1)
        self._inputs = gradients.with_ones(x.T[None])[0].contiguous()  # (d + 1, N)
        self._inputs_t = self._inputs.T.contiguous()  # (N, d + 1)
        self.target = task.loss.encode(task.y, self.network.sizes[-1]).to(x)  # (C, N)
        self._weight = task.loss.weight(len(x))
        self._spaces, self._views = {}, {}

    @property
    def values_per_network(self):
        """Intermediate values held for one network."""
        return 3 * sum(self.network.sizes[1:]) * self.target.shape[1]

    def forward(self, params):
        """Output (E, C, N) of ``params`` (E, P); written again at the next call, and what
        :meth:`subtract` follows is kept.
        """
        space = self._space(len(params))
        layers = self._layers(params)
        below = space.inputs
        for k, layer in enumerate(layers):
            torch.bmm(layer.matrix, below, out=space.pre[k])  # (E, units, N)
            if k < len(layers) - 1:
                self.network.activation.into(space.pre[k], space.hidden[k])
                below = space.augmented[k]
        return space.pre[-1]

    def subtract(self, params, rates):
        """Move ``params`` (E, P), those of the last :meth:`forward`, down their gradient, W ← W − η
        ∇L(W), η = ``rates`` (E, 1).
        """
        space = self._space(len(params))
        layers = self._layers(params)
        delta = self.loss.residual(space.pre[-1], self.target, out=space.residual)  # (E, C, N)
        for k in range(len(layers) - 1, 0, -1):
            torch.bmm(delta, space.augmented_t[k - 1], out=space.gradient[k])
            # The layer's weights are needed before they move.
            torch.bmm(layers[k].weights_t, delta, out=space.delta[k - 1])
            layers[k].flat.addcmul_(space.flat[k], rates, value=-self._weight)
            delta = self.network.activation.pullback(
                space.delta[k - 1], space.hidden[k - 1], grad_input=space.delta[k - 1]
            )
        torch.bmm(delta, space.inputs_t, out=space.gradient[0])
        layers[0].flat.addcmul_(space.flat[0], rates, value=-self._weight)

    def _layers(self, params):
        # Kept views keep their tensor alive, so an address stands for one tensor.
        key = params.data_ptr(), params.shape
        if key not in self._views:
            if len(self._views) > 1000:
                self._views.clear()
            self._views[key] = [
                _Layer(m, params[:, s])
                for m, s in zip(self.network.matrices(params), self.network.slices)
            ]
        return self._views[key]

    def _space(self, count):
        if count not in self._spaces:
            self._spaces.clear()  # a chunk of another size comes once, at the end
            self._spaces[count] = _Space(self, count)
        return self._spaces[count]


class _Layer:
    """Views of one layer's parameters: matrix (E, units, inputs + 1), transposed weights, and flat."""

    def __init__(self, matrix, flat):
        self.matrix, self.flat = matrix, flat
        self.weights_t = matrix[..., :-1].transpose(1, 2)


class _Space:
    """The arrays of one step for ``count`` networks, and views of them."""

    def __init__(self, stepper, count):
        new, sizes, n = stepper._inputs.new_ones, stepper.network.sizes, stepper.target.shape[1]
        self.inputs = stepper._inputs.expand(count, -1, -1)
        self.inputs_t = stepper._inputs_t.expand(count, -1, -1)
        self.pre = [new(count, units, n) for units in sizes[1:]]
        self.augmented = [new(count, units + 1, n) for units in sizes[1:-1]]  # the last row stays 1
        self.augmented_t = [a.transpose(1, 2) for a in self.augmented]
        self.hidden = [a[:, :-1] for a in self.augmented]
        self.delta = [new(count, units, n) for units in sizes[1:-1]]
        self.residual = new(count, sizes[-1], n)
        self.gradient = [new(count, *shape) for shape in stepper.network.shapes]
        self.flat = [g.flatten(1) for g in self.gradient]


class ModuleStepper:
    """Descent of stacked networks of any kind."""

    padded = True

    def __init__(self, task):
        # A module of its own: a functional call lends the module its parameters
        # while it lasts, so two threads must not share one.
        self.task = task = replace(task, network=copy.copy(task.network))
        self.target = blocked.encoded(task)
        self._gradient = gradients.ModuleGradient(task)

    @property
    def values_per_network(self):
        """Intermediate values held for one network, counted in one forward pass of one sample."""
        return len(self.task.x) * values_per_sample(self.task) + 2 * self.task.network.count

    def forward(self, params):
        """Output (E, C, N) of ``params`` (E, P)."""
        return self.task.network.outputs(params, self.task.x).transpose(1, 2)

    def subtract(self, params, rates):
        """Move ``params`` (E, P) down their gradient, W ← W − η ∇L(W), η = ``rates`` (E, 1)."""
        params -= rates * self._gradient(params)


def values_per_sample(task):
    """Intermediate values that one network holds for one sample of a task, to descend."""
    if isinstance(task.network, MLP):
        return 3 * sum(task.network.sizes[1:])
    total = []
    module = copy.deepcopy(task.network.template)
    few = task.x[task.network.some(2)]

    def note(_module, _inputs, output):
        tensors = output if isinstance(output, tuple) else (output,)
        total.extend(t.numel() for t in tensors if torch.is_tensor(t))

    for part in (m for m in module.modules() if not list(m.children())):
        part.register_forward_hook(note)
    module(few)
    return 3 * (-(-sum(total) // len(few)) + task.x[0].numel())


def _convolves(network):
    module = getattr(network, "_module", None)
    return isinstance(module, nn.Module) and any(
        isinstance(m, nn.modules.conv._ConvNd) for m in module.modules()
    )


def of(task, together=1):
    """The stepper for a task: closed form for an MLP and, on a processor, for stacked convolutions;
    automatic for any other.

    In blocks where the samples are many.  Stacks are of groups of ``together`` networks that follow
    each other.
    """
    layers = convolutional_steppers.layers(task)
    if layers is not None:
        return convolutional_steppers.ConvolutionalStepper(task, layers)
    ways = gradients.ways(task)  # which also sees whether gradients of blocks add up
    per_sample = values_per_sample(task)
    # Of convolutions on a processor PyTorch takes longer for stacked ones than for one after
    # another.
    convolves = task.x.device.type == "cpu" and _convolves(task.network)
    if convolves or not ways.stacked:
        return blocked.BlockedModuleStepper(task, per_sample)
    # without a hidden layer, little to keep
    single = isinstance(task.network, MLP) and len(task.network.shapes) == 1
    if single or len(task.x) <= blocked.size(task, per_sample):
        return (MLPStepper if isinstance(task.network, MLP) else ModuleStepper)(task)
    if isinstance(task.network, MLP):
        return blocked.BlockedMLPStepper(task, together)
    return blocked.BlockedModuleStepper(task, per_sample)
