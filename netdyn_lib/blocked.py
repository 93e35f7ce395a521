"""One step of descent with the samples taken block by block: memory does not grow with the data.

What :mod:`~netdyn_lib.steppers` keeps for all samples at once is here kept for
one block of them.  A block's forward and backward pass follow each other while
its values are still in cache, and gradients add up over blocks, always in the
same order.  The size of a block depends on the task alone, so that numbers do
not depend on the machine's memory.

The interface is that of :mod:`~netdyn_lib.steppers`, except that ``forward``
also computes the gradient that ``subtract`` then follows.
"""

import copy
from dataclasses import replace

import torch
from torch.func import grad, vmap

_VALUES = 400_000  # intermediate values of one network in a block: some megabytes
_LEAST = 250  # samples in a block: fewer make matrix products slow


def size(task, values_per_sample):
    """Samples in a block, all but the last alike, for a network with so many intermediate values a sample."""
    largest = max(_LEAST, _VALUES // values_per_sample)
    number = -(-len(task.x) // largest)
    return -(-len(task.x) // number)


def slices(task, length):
    """The blocks, slices of the samples."""
    return [slice(a, min(a + length, len(task.x))) for a in range(0, len(task.x), length)]


class _Block:
    """Some samples in the two layouts that products want, and which of the ordered samples they are."""

    def __init__(self, x, place):
        self.place = place
        self.x = x.contiguous()  # (B, m), ones first
        self.x_t = self.x.T.contiguous()  # (m, B)

    def __len__(self):
        return len(self.x)


class _Ordered:
    """A task's samples in blocks, and in an order in which most of their zeros need no product.

    Inputs are ordered by how many samples they are not zero in, samples by the
    rarest input they have.  Each block then needs only the first m inputs, m far
    below d for most blocks (MNIST, 6,000 images: 475 of 784 on average).  The
    weights of an input that is zero in every sample never move.

    ``samples`` (N,) and ``inputs`` (used inputs + 1,), the bias first, are the
    orders; ``unsorted`` (N,) and ``scattered`` (d + 1,) lead back, ``scattered`` with one past
    the last for inputs that are never used.
    """

    def __init__(self, task, length):
        x = task.x.reshape(len(task.x), -1)
        present = x != 0
        uses = present.sum(0)
        order = uses.argsort(descending=True, stable=True)
        order = order[uses[order] > 0]
        places = torch.arange(1, len(order) + 1, device=x.device)
        last = torch.where(present[:, order], places, 0).amax(1) if len(order) else places.new_zeros(len(x))
        self.samples = last.argsort(stable=True)
        self.unsorted = self.samples.argsort()
        self.inputs = torch.cat([order.new_tensor([x.shape[1]]), order])
        self.scattered = torch.full((x.shape[1] + 1,), len(self.inputs), device=x.device)
        self.scattered[self.inputs] = torch.arange(len(self.inputs), device=x.device)
        self.blocks = []
        for place in slices(task, length):
            rows = self.samples[place]
            part = x[rows][:, order[: int(last[rows[-1]])]]
            self.blocks.append(_Block(torch.cat([torch.ones_like(x[rows, :1]), part], 1), place))


def _ordered(task, length):
    """The samples of a task, ordered once for all threads."""
    kept = vars(task.split)  # so that they live as long as the samples
    if ("_ordered", length) not in kept:
        kept["_ordered", length] = _Ordered(task, length)
    return kept["_ordered", length]


class BlockedMLPStepper:
    """Descent of stacked multilayer perceptrons by closed-form backpropagation, block by block.

    On a processor each network goes through a block alone: its matrices are
    large enough to be worth a call each, and its numbers then cannot depend on
    which others share its batch.  On a GPU the stack is one batched product.
    """

    def __init__(self, task):
        self.task, self.network, self.loss = task, task.network, task.loss
        self.target = task.loss.encode(task.y, task.network.sizes[-1])  # (C, N)
        self._weight = task.loss.weight(len(task.x))
        self._per_sample = 3 * sum(self.network.sizes[1:])
        self._data = _ordered(task, size(task, self._per_sample))
        self._blocks = self._data.blocks
        self._targets = [self.target[:, self._data.samples[b.place]].contiguous() for b in self._blocks]
        self._alone = task.x.device.type == "cpu"
        self.padded = not self._alone
        self._spaces, self._count = {}, None

    @property
    def values_per_network(self):
        """Intermediate values held for one network: those of a block, its output twice and its gradient."""
        return self._per_sample * len(self._blocks[0]) + 2 * self.target.numel() + 2 * self.network.count

    def forward(self, params):
        """Output (E, C, N) of ``params`` (E, P); keeps the gradient for :meth:`subtract`."""
        count = len(params)
        if count != self._count:
            self._output = params.new_empty(count, *self.target.shape)
            self._sorted = torch.empty_like(self._output)
            self._gradient = torch.zeros_like(params)
            self._count = count
        stacks = [slice(e, e + 1) for e in range(count)] if self._alone else [slice(0, count)]
        stacks = [_Stack(self.network, params[s], self._gradient[s], self._sorted[s], self._data) for s in stacks]
        for block, target in zip(self._blocks, self._targets):  # outside, so that a block stays in cache
            for stack in stacks:
                self._pass(stack, block, target)
        for stack in stacks:
            stack.finish()
        return torch.index_select(self._sorted, 2, self._data.unsorted, out=self._output)

    def _pass(self, stack, block, target):
        # Hidden values lie sample by sample, outputs class by class: of the layouts
        # that give these products, the fastest (65 against 30 to 40 Gflop/s with MKL).
        space = self._space(stack.count, len(block))
        last = len(stack.weights) - 1
        below = block.x.expand(stack.count, -1, -1)  # (E, B, m)
        for k in range(last):
            if k == 0:
                torch.bmm(below, stack.first_t[:, : below.shape[2]], out=space.pre[0])  # (E, B, units)
            else:
                torch.baddbmm(stack.biases[k].transpose(1, 2), below, stack.weights[k].transpose(1, 2), out=space.pre[k])
            self.network.activation.into(space.pre[k], space.hidden[k])
            below = space.hidden[k]
        output = torch.baddbmm(stack.biases[last], stack.weights[last], below.transpose(1, 2), out=space.output)  # (E, C, B)
        stack.output[:, :, block.place] = output
        delta = self.loss.residual(output, target)  # (E, C, B)
        for k in range(last, 0, -1):
            stack.into[k][..., :-1].baddbmm_(delta, space.hidden[k - 1])
            stack.into[k][..., -1] += delta.sum(-1)
            back = torch.bmm(delta.transpose(1, 2), stack.weights[k], out=space.delta[k - 1])  # (E, B, units)
            back = self.network.activation.pullback(back, space.hidden[k - 1], grad_input=back)
            delta = back.transpose(1, 2)
        stack.into_first_t[:, : len(block.x_t)].baddbmm_(block.x_t.expand(stack.count, -1, -1), back)

    def _space(self, count, samples):
        key = count, samples
        if key not in self._spaces:
            if len(self._spaces) > 2:
                self._spaces.clear()
            self._spaces[key] = _Space(self.target, self.network.sizes, count, samples)
        return self._spaces[key]

    def subtract(self, params, rates):
        """Move ``params`` (E, P) down the gradient of the last :meth:`forward`, W ← W − η ∇L(W), η = ``rates`` (E, 1)."""
        params.addcmul_(self._gradient, rates, value=-self._weight)


class _Stack:
    """Networks that go through the blocks together: their layers, and where gradients add up."""

    def __init__(self, network, params, gradient, output, data):
        layers = network.matrices(params)
        self.count, self.output, self._data = len(params), output, data
        self.weights = [m[..., :-1] for m in layers]  # (E, units, inputs)
        self.biases = [m[..., -1:] for m in layers]  # (E, units, 1)
        self.into = network.matrices(gradient.zero_())
        self.first_t = layers[0].transpose(1, 2).index_select(1, data.inputs)  # (E, 1 + inputs that are used, units)
        # One row more, which stays zero: the gradient of inputs that are never used.
        self.into_first_t = torch.nn.functional.pad(torch.zeros_like(self.first_t), (0, 0, 0, 1))

    def finish(self):
        self.into[0].copy_(self.into_first_t.index_select(1, self._data.scattered).transpose(1, 2))


class _Space:
    """The arrays of one block for ``count`` networks."""

    def __init__(self, like, sizes, count, samples):
        self.pre = [like.new_empty(count, samples, units) for units in sizes[1:-1]]
        self.hidden = [like.new_empty(count, samples, units) for units in sizes[1:-1]]
        self.delta = [like.new_empty(count, samples, units) for units in sizes[1:-1]]
        self.output = like.new_empty(count, sizes[-1], samples)


class BlockedModuleStepper:
    """Descent of stacked networks of any kind by automatic differentiation, block by block.

    On a processor each network goes through a block alone, on a GPU the stack.
    """

    def __init__(self, task, values_per_sample):
        # A module of its own, as in steppers.ModuleStepper.
        self.task = task = replace(task, network=copy.deepcopy(task.network))
        zero = torch.zeros(task.network.count, dtype=task.x.dtype, device=task.x.device)
        self.target = task.loss.encode(task.y, task.network.forward(zero, task.x[:1]).shape[-1])  # (C, N)
        self._per_sample = values_per_sample
        self._blocks = slices(task, size(task, values_per_sample))
        self._total = task.loss.weight(len(task.x))
        self._alone = task.x.device.type == "cpu"
        self.padded = not self._alone
        self._stacked = vmap(grad(self._objective, has_aux=True), in_dims=(0, None, None))

    def _objective(self, params, x, y):
        """A block's share of the whole loss of one network: of a mean, by its samples; of a sum, all of it.  And the output."""
        output = self.task.network.forward(params, x)
        return self.task.loss.value(output, y) * (self._total / self.task.loss.weight(len(x))), output

    def _one(self, params, x, y):
        # On a processor, PyTorch's convolution of stacked networks takes ten times as long as one after another.
        with torch.enable_grad():
            params = params.detach().requires_grad_()
            value, output = self._objective(params, x, y)
            return torch.autograd.grad(value, params)[0], output.detach()

    def _gradient_of(self, params, x, y):
        if not self._alone:
            return self._stacked(params, x, y)
        gradients, outputs = zip(*(self._one(p, x, y) for p in params))
        return torch.stack(gradients), torch.stack(outputs)

    @property
    def values_per_network(self):
        """Intermediate values held for one network."""
        return self._per_sample * self._blocks[0].stop + self.target.numel() + 2 * self.task.network.count

    def forward(self, params):
        """Output (E, C, N) of ``params`` (E, P); keeps the gradient for :meth:`subtract`."""
        output = params.new_empty(len(params), *self.target.shape)
        self._gradient = torch.zeros_like(params)
        for block in self._blocks:
            gradient, values = self._gradient_of(params, self.task.x[block], self.task.y[block])
            self._gradient += gradient
            output[:, :, block] = values.transpose(1, 2)
        return output

    def subtract(self, params, rates):
        """Move ``params`` (E, P) down the gradient of the last :meth:`forward`."""
        params -= rates * self._gradient
