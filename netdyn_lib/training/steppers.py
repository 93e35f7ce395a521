"""One step of descent in place: what an ensemble repeats.

``of(task)`` chooses the stepper: closed-form backpropagation for a perceptron and, on a processor,
for stacked convolutions (:mod:`netdyn_lib.training.convolutional_steppers`), automatic
differentiation for any other module.  Samples go in blocks (:mod:`netdyn_lib.training.blocked`),
so that memory does not grow with the data and a block stays in cache; few samples are one block.

``forward(params)`` returns the output (E, C, N) of a stack of networks ``params`` (E, P), written
again at the next call, and keeps their gradient; ``subtract(params, rates)`` then moves them down
that gradient, W ← W − η ∇L(W), η = ``rates`` (E, 1).  A stepper belongs to one thread.

On a processor the closed form gives a network the same numbers, to the last bit, in any stack;
where samples are many, in any stack of whole groups of one size (a reference and its copies).
Automatic differentiation does so only to rounding, for PyTorch may fold a stack into one product.
``padded`` says whether a stack needs one more row, which is no network's, for its numbers not to
depend on their place in it.
"""

import copy
from dataclasses import replace
from typing import cast

import torch
from torch import nn
from torch.func import grad, vmap

from ..tasks import gradients
from ..tasks.networks import MLP, ModuleNetwork
from ..tasks.tasks import Task
from . import blocked, convolutional_steppers

_STACK = 8  # networks of a group that go through a block as one


class MLPStepper:
    """Descent of stacked multilayer perceptrons by closed-form backpropagation, block by block.

    The arithmetic is that of :class:`~netdyn_lib.tasks.gradients.MLPGradient`, but large arrays
    and views of the parameters are kept: on a processor memory and bookkeeping would otherwise cost
    more than the products of such small matrices.  Values lie unit by unit, samples innermost.

    One block: every product is one small matrix product a network.  Several blocks: the
    ``together`` networks of a group, such as a reference and its copies, are one matrix in the
    product with the samples, which are then read once for all; on a GPU the whole stack is.
    """

    def __init__(self, task: Task, together: int = 1):
        self.task, self.network, self._together = task, cast(MLP, task.network), together
        self.target = task.loss.encode(task.y, self.network.sizes[-1]).to(task.x)  # (C, N)
        self._weight = task.loss.weight(len(task.x))
        self._per_sample = values_per_sample(task)
        length = blocked.size(task, self._per_sample)
        # without a hidden layer there is little to keep
        self._data = None
        if length < len(task.x) and len(task.network.shapes) > 1:
            self._data = blocked.ordered(task, length)
            self._blocks = self._data.blocks
            order = self._data.samples
            self._targets = [self.target[:, order[b.place]].contiguous() for b in self._blocks]
        else:
            rows = gradients.with_ones(task.x.reshape(len(task.x), -1).T[None])[0].T  # (N, d + 1)
            self._blocks = [blocked.Block(rows, None, slice(0, len(rows)))]
            self._targets = [self.target]
        self._grouped = self._data is not None and task.x.device.type == "cpu"
        self._count = None
        self._spaces: dict[tuple[int, int], _Space] = {}
        self._views: dict[int, tuple] = {}

    @property
    def padded(self) -> bool:
        """Whether a stack needs one more row, which is no network's."""
        return not self._grouped

    @property
    def values_per_network(self) -> int:
        """Intermediate values held for one network: of a block, and of what adds up over blocks."""
        more = 2 * (self.target.numel() + self.network.count) if self._data is not None else 0
        return self._per_sample * len(self._blocks[0]) + more

    def forward(self, params: torch.Tensor) -> torch.Tensor:
        """Return the output (E, C, N) of ``params`` (E, P), and keep their gradient."""
        stacks, _ = self._of(params)
        for stack in stacks:
            stack.begin(self._data)
        # stacks within, so that a block stays in cache
        for block, target in zip(self._blocks, self._targets):
            for stack in stacks:
                self._pass(stack, block, target)
        if self._data is None:
            return self._space(len(params), len(self._blocks[0])).pre[-1]
        for stack in stacks:
            stack.finish(self._data)
        return torch.index_select(self._sorted, 2, self._data.unsorted, out=self._output)

    def _pass(self, stack, block, target):
        """One stack through one block: its output, and its gradient added to what it has."""
        space, phi = self._space(stack.count, len(block)), self.network.activation
        last = len(stack.matrices) - 1
        first = None
        if stack.first is None:
            torch.bmm(stack.matrices[0], block.x_t.expand(stack.count, -1, -1), out=space.pre[0])
        else:
            first = stack.first  # (m, E units)
            if block.active is not None:
                first = first.index_select(0, block.active)
            torch.mm(first.T, block.x_t, out=space.pre[0].view(-1, len(block)))
        for k in range(last):
            phi.into(space.pre[k], space.hidden[k])
            torch.bmm(stack.matrices[k + 1], space.augmented[k], out=space.pre[k + 1])
        if stack.output is not None:
            stack.output[:, :, block.place] = space.pre[-1]
        delta = self.task.loss.residual(space.pre[-1], target, out=space.residual)  # (E, C, B)
        more = int(block is not self._blocks[0])  # 0: what the gradient was is written over
        for k in range(last, 0, -1):
            stack.gradients[k].baddbmm_(delta, space.augmented_t[k - 1], beta=more)
            back = torch.bmm(stack.weights_t[k], delta, out=space.delta[k - 1])
            delta = phi.pullback(back, space.hidden[k - 1], grad_input=back)
        if first is None:
            stack.gradients[0].baddbmm_(delta, block.x.expand(stack.count, -1, -1), beta=more)
            return
        delta_t = delta.view(-1, len(block)).T  # (B, E units)
        if block.active is None:
            stack.into_first[:-1].addmm_(block.x_t, delta_t)
        else:
            part = torch.mm(block.x_t, delta_t, out=first)
            stack.into_first.index_add_(0, block.active, part)

    def subtract(self, params: torch.Tensor, rates: torch.Tensor) -> None:
        """Move ``params`` down the gradient of the last :meth:`forward`, by ``rates`` (E, 1)."""
        for layer, gradient in zip(self._of(params)[1], self._flat):
            layer.addcmul_(gradient, rates, value=-self._weight)

    def _of(self, params):
        """The stacks of ``params`` (E, P), and its layers as flat views."""
        count = len(params)
        if count != self._count:  # a chunk of another size comes once, at the end
            self._count = count
            self._spaces.clear(), self._views.clear()
            self._gradients = [params.new_zeros(count, *s) for s in self.network.shapes]
            self._flat = [g.flatten(1) for g in self._gradients]
            if self._data is not None:
                self._output = params.new_empty(count, *self.target.shape)
                self._sorted = torch.empty_like(self._output)
        # Kept views keep their tensor alive, so an address stands for one tensor.
        key = params.data_ptr()
        if key not in self._views:
            if len(self._views) > 1000:
                self._views.clear()
            ends = _ends(count, self._together) if self._grouped else [(0, count)]
            stacks = [self._stack(params, slice(*pair)) for pair in ends]
            self._views[key] = stacks, [params[:, s] for s in self.network.slices]
        return self._views[key]

    def _stack(self, params, rows):
        output = None if self._data is None else self._sorted[rows]
        found = [g[rows] for g in self._gradients]
        return _Stack(self.network.matrices(params[rows]), found, output)

    def _space(self, count, samples):
        key = count, samples
        if key not in self._spaces:
            self._spaces[key] = _Space(self.target.new_ones, self.network.sizes, *key)
        return self._spaces[key]


def _ends(count, together):
    """(start, stop) of stacks: groups of ``together``, and of at most :data:`_STACK` in a group."""
    for a in range(0, count, together):
        stop = min(a + together, count)
        for b in range(a, stop, _STACK):
            yield b, min(b + _STACK, stop)


class _Stack:
    """Networks that go through the blocks together: views of their layers and gradients.

    ``first`` (1 + inputs that are used, E units), where samples are in several blocks, holds the
    first layers side by side, ``into_first`` their gradient, with one row more, which stays zero:
    the gradient of inputs that are never used.
    """

    def __init__(self, matrices, found, output):
        self.matrices, self.gradients, self.output = matrices, found, output
        self.count, self.first = len(matrices[0]), None
        self.weights_t = [m[..., :-1].transpose(1, 2) for m in matrices]

    def begin(self, data):
        if data is not None:
            self.first = self.matrices[0].flatten(0, 1).T.index_select(0, data.inputs)
            self.into_first = nn.functional.pad(torch.zeros_like(self.first), (0, 0, 0, 1))

    def finish(self, data):
        rows = self.into_first.index_select(0, data.scattered)  # (d + 1, E units)
        self.gradients[0].copy_(rows.T.unflatten(0, (self.count, -1)))


class _Space:
    """The arrays of one block of B samples for ``count`` networks, and views of them."""

    def __init__(self, new, sizes, count, samples):
        self.pre = [new(count, units, samples) for units in sizes[1:]]
        self.augmented = [new(count, units + 1, samples) for units in sizes[1:-1]]  # ones last
        self.augmented_t = [a.transpose(1, 2) for a in self.augmented]
        self.hidden = [a[:, :-1] for a in self.augmented]
        self.delta = [new(count, units, samples) for units in sizes[1:-1]]
        self.residual = new(count, sizes[-1], samples)


class ModuleStepper:
    """Descent of stacked networks of any kind by automatic differentiation, block by block.

    On a processor networks go one after another where they convolve, for PyTorch's convolution of
    stacked networks takes ten times as long, and where samples are in several blocks; so they do
    where ``vmap`` cannot follow the module.
    """

    def __init__(self, task: Task):
        ways = gradients.ways(task)  # which also marks networks whose blocks do not add up
        # A module of its own: a call lends the module its parameters while it lasts, so two threads
        # must not share one.
        self.task = task = replace(task, network=copy.copy(task.network))
        network = cast(ModuleNetwork, task.network)
        own, few = network.own.to(task.x.device), task.x[network.some(2)]
        outputs = network.forward(own, few).shape[-1]
        self.target = task.loss.encode(task.y, outputs).to(task.x.device, task.dtype)
        self._per_sample = values_per_sample(task)
        self._blocks = blocked.slices(task, blocked.size(task, self._per_sample))
        singly = task.x.device.type == "cpu" and (len(self._blocks) > 1 or _convolves(task.network))
        self.padded = not singly and ways.stacked
        self._plain = gradients.PlainGradient(task)
        self._stacked = vmap(grad(self._objective, has_aux=True), in_dims=(0, None, None))

    @property
    def values_per_network(self) -> int:
        """Intermediate values held for one network, counted in one forward pass of one sample."""
        held = self.target.numel() + 2 * self.task.network.count
        return self._per_sample * self._blocks[0].stop + held

    def _share(self, y):
        """A block's share of the loss: of a mean, by its samples; of a sum, all of it."""
        return self.task.loss.weight(len(self.task.x)) / self.task.loss.weight(len(y))

    def _objective(self, params, x, y):
        output = self.task.network.forward(params, x)
        return self.task.loss.value(output, y) * self._share(y), output

    def forward(self, params: torch.Tensor) -> torch.Tensor:
        """Return the output (E, C, N) of ``params`` (E, P), and keep their gradient."""
        output = params.new_empty(len(params), *self.target.shape)
        self._gradient = torch.zeros_like(params)
        for block in self._blocks:
            x, y = self.task.x[block], self.task.y[block]
            if self.padded:
                found, values = self._stacked(params, x, y)
            else:
                each = (self._plain.one(row, x, y, self._share(y)) for row in params)
                found, values = map(torch.stack, list(zip(*each))[1:])
            self._gradient += found
            output[:, :, block] = values.transpose(1, 2)
        return output

    def subtract(self, params: torch.Tensor, rates: torch.Tensor) -> None:
        """Move ``params`` down the gradient of the last :meth:`forward`, by ``rates`` (E, 1)."""
        params -= rates * self._gradient


def values_per_sample(task: Task) -> int:
    """Return how many intermediate values one network holds for one sample of a task."""
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
    convolution = nn.modules.conv._ConvNd
    return any(isinstance(part, convolution) for part in network.template.modules())


def of(task: Task, together: int = 1):
    """Return the stepper for a task, for groups of ``together`` networks that follow each other."""
    layers = convolutional_steppers.layers(task)
    if layers is not None:
        return convolutional_steppers.ConvolutionalStepper(task, layers)
    return MLPStepper(task, together) if isinstance(task.network, MLP) else ModuleStepper(task)
