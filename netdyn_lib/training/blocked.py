"""One step of descent with the samples taken block by block: memory does not grow with the data.

What :mod:`~netdyn_lib.training.steppers` keeps for all samples at once is here kept for
one block of them.  A block's forward and backward pass follow each other while
its values are still in cache, and gradients add up over blocks, always in the
same order.  The size of a block depends on the task alone, so that numbers do
not depend on the machine's memory.

The interface is that of :mod:`~netdyn_lib.training.steppers`, except that ``forward``
also computes the gradient that ``subtract`` then follows.

Samples in groups that share their zeros: products with a group need only the inputs that some
sample of it has.

Images of digits are mostly background, at other places in each.  The cost of
a product with a group is the size of the *union* of its samples' active
inputs; to make the sum of unions small is set packing's sibling and hard, and a greedy
order does well: of 6,000 images of MNIST, 664 of whose pixels are ever active,
groups of 500 have 394 active ones on average, groups by lot 585.
"""

import copy
import weakref
from dataclasses import replace

import numpy as np
import torch
from torch.func import grad, vmap

from ..tasks import gradients
from ..validation import whole

_VALUES = 400_000  # intermediate values of one network in a block: some megabytes
_LEAST = 250  # samples in a block: fewer make matrix products slow
_ALIKE = 500  # samples in a block of alike ones: fewer share more zeros, more make faster products
_STACK = 8  # networks of a group that go through a block as one
_WORTH = 0.15  # share of the inputs that smaller blocks of alike samples must save


def separable(task):
    """Whether the loss is a sum over samples: they do not see each other, in the network or the
    loss.
    """
    return not getattr(task.network, "coupled", False) and getattr(task.loss, "separable", True)


def size(task, values_per_sample):
    """Samples in a block, all but the last alike, for a network with so many intermediate values a
    sample.

    All of them where samples see each other.
    """
    if not separable(task):
        return len(task.x)
    largest = max(_LEAST, _VALUES // values_per_sample)
    number = -(-len(task.x) // largest)
    return -(-len(task.x) // number)


def slices(task, length):
    """The blocks, slices of the samples."""
    return [slice(a, min(a + length, len(task.x))) for a in range(0, len(task.x), length)]


def encoded(task):
    """Targets as the loss scores them for stacked networks, (C, N) for a classification."""
    network = task.network
    outputs = network.forward(network.own.to(task.x.device), task.x[network.some(2)]).shape[-1]
    return task.loss.encode(task.y, outputs).to(task.x.device, task.dtype)


class _Block:
    """Some samples in the two layouts that products want, and which of the ordered samples they
    are.

    ``active`` (m,) are the rows of the first layer's weights, bias first, that they meet; None
    where those are all.
    """

    def __init__(self, x, active, place):
        self.place, self.active = place, active
        self.x = x.contiguous()  # (B, m), ones first
        self.x_t = self.x.T.contiguous()  # (m, B)

    def __len__(self):
        return len(self.x)


class Ordered:
    """A task's samples in blocks, and in an order in which most of their zeros need no product.

    On a processor samples with alike zeros make a block
    (:func:`netdyn_lib.training.blocked.groups`) where that saves enough: each block then
    needs only the inputs that some sample of it has, 394 of 784 on average for
    6,000 images of MNIST.  The weights of an input that is zero in every sample never move.

    ``samples`` (N,) is the order and ``unsorted`` (N,) leads back; ``inputs`` (used inputs + 1,)
    are those that some sample has, the bias first, and ``scattered`` (d + 1,) leads back, with one
    past the last for inputs that are never used.
    """

    def __init__(self, task, length):
        x = task.x.reshape(len(task.x), -1)
        used = (x != 0).any(0).nonzero()[:, 0]
        x = x[:, used]
        parts = _parts(x, length)
        self.samples = torch.cat(parts)
        self.unsorted = self.samples.argsort()
        self.inputs = torch.cat([used.new_tensor([len(task.x[0].reshape(-1))]), used])
        self.scattered = torch.full((int(self.inputs[0]) + 1,), len(self.inputs), device=x.device)
        self.scattered[self.inputs] = torch.arange(len(self.inputs), device=x.device)
        self.blocks, start = [], 0
        for rows in parts:
            part = x[rows]
            active = (part != 0).any(0).nonzero()[:, 0]
            with_ones = torch.cat([part.new_ones(len(part), 1), part[:, active]], 1)
            met = torch.cat([active.new_zeros(1), active + 1]) if len(active) < len(used) else None
            self.blocks.append(_Block(with_ones, met, slice(start, start + len(rows))))
            start += len(rows)


def _parts(x, length):
    """Rows of each block of the samples ``x`` (N, used inputs): as they come, or grouped where that
    saves :data:`_WORTH` of the inputs.
    """
    plain = list(torch.arange(len(x), device=x.device).split(length))
    # a GPU wants large blocks, and need not send the samples' zeros here
    if x.device.type != "cpu":
        return plain
    active = (x != 0).numpy()
    # there is nothing to order by, or dense samples share no zeros
    if not active.any() or active.mean() > 1 - _WORTH:
        return plain
    found = groups(active, min(length, _ALIKE))
    if mean_union(active, found) > (1 - _WORTH) * mean_union(active, plain):
        return plain
    return [torch.from_numpy(rows) for rows in found]


#: Ordered samples by the id of their Split, then by length.  A Split equals another of
#: equal tensors, which have no truth value, so that it is no key itself.
_orders = {}


def ordered(task, length):
    """The samples of a task in blocks of at most ``length``, ordered once for all threads, and kept
    as long as its Split lives.
    """
    split = task.split
    if id(split) not in _orders:
        _orders[id(split)] = {}
        weakref.finalize(split, _orders.pop, id(split), None)
    kept = _orders[id(split)]
    if length not in kept:
        kept[length] = Ordered(task, length)
    return kept[length]


class BlockedMLPStepper:
    """Descent of stacked multilayer perceptrons by closed-form backpropagation, block by block.

    On a processor ``together`` networks that follow each other, such as a reference and its
    copies, go through a block as one: what they share, the samples, is then read
    once for all.  Their numbers then do not depend on
    which others share their batch.  On a GPU the whole stack goes as one.
    """

    def __init__(self, task, together=1):
        self.task, self.network, self.loss = task, task.network, task.loss
        self.target = task.loss.encode(task.y, task.network.sizes[-1]).to(task.x)  # (C, N)
        self._weight = task.loss.weight(len(task.x))
        self._per_sample = 3 * sum(self.network.sizes[1:])
        self._data = ordered(task, size(task, self._per_sample))
        self._blocks = self._data.blocks
        self._targets = [
            self.target[:, self._data.samples[b.place]].contiguous() for b in self._blocks
        ]
        self._alone = task.x.device.type == "cpu"
        self._together = together
        self.padded = not self._alone
        self._spaces, self._count = {}, None

    @property
    def values_per_network(self):
        """Intermediate values held for one network: those of a block, its output twice and its
        gradient.
        """
        return (
            self._per_sample * len(self._blocks[0])
            + 2 * self.target.numel()
            + 2 * self.network.count
        )

    def forward(self, params):
        """Output (E, C, N) of ``params`` (E, P); keeps the gradient for :meth:`subtract`."""
        count = len(params)
        if count != self._count:
            self._output = params.new_empty(count, *self.target.shape)
            self._sorted = torch.empty_like(self._output)
            self._gradient = torch.zeros_like(params)
            self._count = count
        stacks = (
            [slice(*ends) for ends in _ends(count, self._together)]
            if self._alone
            else [slice(0, count)]
        )
        stacks = [
            _Stack(self.network, params[s], self._gradient[s], self._sorted[s], self._data)
            for s in stacks
        ]
        # outside, so that a block stays in cache
        for block, target in zip(self._blocks, self._targets):
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
        # (m, E units)
        first = (
            stack.first_t if block.active is None else stack.first_t.index_select(0, block.active)
        )
        torch.mm(block.x, first, out=space.first)  # (B, E units)
        self.network.activation.into(space.first, space.first_hidden)
        below = space.hidden[0]  # (E, B, units)
        for k in range(1, last):
            torch.baddbmm(
                stack.biases[k].transpose(1, 2),
                below,
                stack.weights[k].transpose(1, 2),
                out=space.pre[k - 1],
            )
            self.network.activation.into(space.pre[k - 1], space.hidden[k])
            below = space.hidden[k]
        # (E, C, B)
        output = torch.baddbmm(
            stack.biases[last], stack.weights[last], below.transpose(1, 2), out=space.output
        )
        stack.output[:, :, block.place] = output
        delta = self.loss.residual(output, target)  # (E, C, B)
        for k in range(last, 0, -1):
            stack.into[k][..., :-1].baddbmm_(delta, space.hidden[k - 1])
            stack.into[k][..., -1] += delta.sum(-1)
            # (E, B, units)
            back = torch.bmm(delta.transpose(1, 2), stack.weights[k], out=space.delta[k - 1])
            if k > 1:
                delta = self.network.activation.pullback(
                    back, space.hidden[k - 1], grad_input=back
                ).transpose(1, 2)
        # From here on one matrix again, as the samples are.
        space.first.view(len(block), stack.count, -1).copy_(back.transpose(0, 1))
        back = self.network.activation.pullback(
            space.first, space.first_hidden, grad_input=space.first
        )
        if block.active is None:
            stack.into_first_t[:-1].addmm_(block.x_t, back)
        else:
            stack.into_first_t.index_add_(0, block.active, torch.mm(block.x_t, back, out=first))

    def _space(self, count, samples):
        key = count, samples
        if key not in self._spaces:
            if len(self._spaces) > 2:
                self._spaces.clear()
            self._spaces[key] = _Space(self.target, self.network.sizes, count, samples)
        return self._spaces[key]

    def subtract(self, params, rates):
        """Move ``params`` (E, P) down the gradient of the last :meth:`forward`, W ← W − η ∇L(W), η
        = ``rates`` (E, 1).
        """
        params.addcmul_(self._gradient, rates, value=-self._weight)


def _ends(count, together):
    """(start, stop) of stacks of networks: groups of ``together``, and of at most :data:`_STACK` in
    a group.
    """
    for a in range(0, count, together):
        stop = min(a + together, count)
        for b in range(a, stop, _STACK):
            yield b, min(b + _STACK, stop)


class _Stack:
    """Networks that go through the blocks together: their layers, and where gradients add up."""

    def __init__(self, network, params, gradient, output, data):
        layers = network.matrices(params)
        self.count, self.output, self._data = len(params), output, data
        self.weights = [m[..., :-1] for m in layers]  # (E, units, inputs)
        self.biases = [m[..., -1:] for m in layers]  # (E, units, 1)
        self.into = network.matrices(gradient.zero_())
        # Of the first layer, network beside network: (1 + inputs that are used, E units).
        self.first_t = layers[0].flatten(0, 1).T.index_select(0, data.inputs)
        # One row more, which stays zero: the gradient of inputs that are never used.
        self.into_first_t = torch.nn.functional.pad(torch.zeros_like(self.first_t), (0, 0, 0, 1))

    def finish(self):
        rows = self.into_first_t.index_select(0, self._data.scattered)  # (d + 1, E units)
        self.into[0].copy_(rows.T.unflatten(0, (self.count, -1)))


class _Space:
    """The arrays of one block for ``count`` networks.

    ``first`` and ``first_hidden`` (B, E units) hold the first hidden layer as its product with the
    samples gives it; ``hidden[0]`` (E, B, units) is a view of the latter.
    """

    def __init__(self, like, sizes, count, samples):
        self.first = like.new_empty(samples, count * sizes[1])
        self.first_hidden = torch.empty_like(self.first)
        self.pre = [like.new_empty(count, samples, units) for units in sizes[2:-1]]
        self.hidden = [
            self.first_hidden.view(samples, count, -1).transpose(0, 1),
            *map(torch.empty_like, self.pre),
        ]
        self.delta = [like.new_empty(count, samples, units) for units in sizes[1:-1]]
        self.output = like.new_empty(count, sizes[-1], samples)


class BlockedModuleStepper:
    """Descent of stacked networks of any kind by automatic differentiation, block by block.

    On a processor each network goes through a block alone, on a GPU the stack, where ``vmap``
    follows the module.
    """

    def __init__(self, task, values_per_sample):
        # A module of its own, as in steppers.ModuleStepper.
        self.task = task = replace(task, network=copy.copy(task.network))
        self.target = encoded(task)  # (C, N)
        self._per_sample = values_per_sample
        self._blocks = slices(task, size(task, values_per_sample))
        self._total = task.loss.weight(len(task.x))
        self._alone = task.x.device.type == "cpu" or not gradients.ways(task).stacked
        self.padded = not self._alone
        self._plain = gradients.PlainGradient(task)
        self._stacked = vmap(grad(self._objective, has_aux=True), in_dims=(0, None, None))

    def _share(self, y):
        """A block's share of the whole loss of one network: of a mean, by its samples; of a sum,
        all of it.
        """
        return self._total / self.task.loss.weight(len(y))

    def _objective(self, params, x, y):
        output = self.task.network.forward(params, x)
        return self.task.loss.value(output, y) * self._share(y), output

    def _gradient_of(self, params, x, y):
        if not self._alone:
            return self._stacked(params, x, y)
        # On a processor, PyTorch's convolution of stacked networks takes ten times as long as one
        # after another.
        _, found, outputs = zip(*(self._plain.one(p, x, y, self._share(y)) for p in params))
        return torch.stack(found), torch.stack(outputs)

    @property
    def values_per_network(self):
        """Intermediate values held for one network."""
        return (
            self._per_sample * self._blocks[0].stop
            + self.target.numel()
            + 2 * self.task.network.count
        )

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


_TOGETHER = 6000  # samples among which groups are sought: the work grows with their square
_TAKEN = np.int64(2**62)  # a rank that no sample comes near


def groups(active, length):
    """Samples in groups of at most ``length`` and of alike active inputs.

    A group begins with the remaining sample that has the fewest active inputs,
    and takes again and again the one that adds the fewest to their union; of
    those, the one with the most, as it will hardly fit elsewhere; of those, the first.
    Many samples are taken in parts of at most 6,000, in their order.

    Parameters
    ----------
    active : numpy.ndarray
        (N, d) bool: where samples are not zero.
    length : int

    Returns
    -------
    list of numpy.ndarray
        Rows of each group, int64, ascending; every row is in one.  All groups of a part but its
        last have ``length``.

    Raises
    ------
    ValueError
        For a length below 1, or an array that is not (N, d) bool.
    """
    length = whole(length, "length", 1)
    active = np.asarray(active)
    if active.ndim != 2 or active.dtype != bool:
        raise ValueError(
            f"active of shape {active.shape} and type {active.dtype}: expected (N, d) bool"
        )
    if len(active) > _TOGETHER:
        starts = range(0, len(active), _TOGETHER)
        return [
            start + rows
            for start in starts
            for rows in groups(active[start : start + _TOGETHER], length)
        ]
    left, found = np.arange(len(active)), []
    while len(left):
        chosen = _group(active[left], length)
        found.append(np.sort(left[chosen]))
        left = np.delete(left, chosen)
    return found


def _group(active, length):
    """Rows of the next group, in the order in which they were taken."""
    count, inputs = active.shape
    columns = np.ascontiguousarray(active.T)  # (d, N): a column of samples lies together
    sizes = columns.sum(0)  # (N,)
    scale = inputs + 1
    rank = sizes * scale - sizes  # what a sample adds, times the scale, less its size
    union, take, chosen = np.zeros(inputs, dtype=bool), np.array([np.argmin(sizes)]), []
    while True:
        added = active[take].any(0) & ~union
        union |= added
        rank -= scale * columns[added].sum(0)
        rank[take] = _TAKEN
        chosen.extend(take.tolist())
        if len(chosen) == min(length, count):
            return chosen
        take = np.array([np.argmin(rank)])
        if rank[take[0]] <= 0:  # nothing is added: all such at once, the largest first
            free = np.flatnonzero(rank <= 0)
            take = free[np.argsort(rank[free], kind="stable")][: length - len(chosen)]


def mean_union(active, parts):
    """Active inputs of a group, on average over samples: the number of inputs that products with a
    sample take.

    ``active`` is (N, d) bool, ``parts`` as :func:`groups` gives them.
    """
    return sum(len(part) * int(active[part].any(0).sum()) for part in parts) / len(active)
