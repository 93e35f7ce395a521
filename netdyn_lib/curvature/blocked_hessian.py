"""Products with the Hessian of one perceptron, its samples taken block by block.

The blocks are those of descent (:mod:`netdyn_lib.training.blocked`): samples with alike zeros
together, so that most zeros need no product.  What backpropagation leaves at the weights is kept
for all products there, or made again in each where there is no room for it.
"""

import torch

from .. import torch_utils
from ..tasks.networks import MLP
from ..training import blocked
from ..validation import double

# sums over blocks that are made side by side; as many on any machine, so that numbers do not depend
# on its threads
_LANES = 4


def suits(task, block):
    """Whether a task is worth blocks of at most ``block`` samples: a perceptron on a processor,
    with more samples than one of them holds.
    """
    if (
        not isinstance(task.network, MLP)
        or len(task.network.shapes) == 1
        or task.x.device.type != "cpu"
    ):
        return False
    return len(task.x) > length(task, block)


def length(task, block):
    """Samples in a block: as many as in descent, and at most ``block``."""
    return min(block, blocked.size(task, 3 * sum(task.network.sizes[1:])))


class BlockedHessian:
    """The Hessian of the training loss of one perceptron, without weight decay, as products with
    vectors.

    Parameters
    ----------
    task : Task
        With an :class:`~netdyn_lib.tasks.networks.MLP` that has a hidden layer, in double
        precision.
    block : int
        Samples in a block, at most.
    keep : bool
        Whether backpropagation is kept from one product to the next.
    """

    def __init__(self, task, block, keep):
        double(task, "Hessian products")
        self.network, self.loss, self._keep = task.network, task.loss, keep
        self._weight = task.loss.weight(len(task.x))
        self._data = blocked.ordered(task, length(task, block))
        target = task.loss.encode(task.y, task.network.sizes[-1])  # (C, N)
        self._targets = [
            target[:, self._data.samples[b.place]].contiguous() for b in self._data.blocks
        ]

    def at(self, params):
        """The product v ↦ H(W) v at ``params`` (P,); (P,) to (P,), without a history of
        differentiation.
        """
        params = params.detach()
        layers = _Layers(self.network, params, self._data)
        places = list(zip(self._data.blocks, self._targets))
        lanes = [range(first, len(places), _LANES) for first in range(min(_LANES, len(places)))]
        number = min(len(lanes), torch.get_num_threads())
        # Threads with blocks of their own: within products this small they would mostly wait for
        # each other.
        each = torch_utils.workers(number).map if number > 1 else map
        points = {}
        if self._keep:
            for lane, made in zip(
                lanes, each(lambda lane: [_Point(self, layers, *places[k]) for k in lane], lanes)
            ):
                points.update(zip(lane, made))

        @torch.no_grad()  # here, for each thread has its own
        def along(directions, lane):
            result = torch.zeros_like(params)
            sums = _Layers(self.network, result, self._data, into=True)
            for k in lane:
                point = points[k] if points else _Point(self, layers, *places[k])
                point.add_product(directions, sums)
            sums.finish()
            return result

        def product(v):
            directions = _Layers(self.network, v.detach(), self._data)
            total, *others = each(lambda lane: along(directions, lane), lanes)
            for other in others:
                total += other
            return total.mul_(self._weight)

        return product


class _Layers:
    """The layers of one vector of parameters (P,): ``weights`` (units, inputs) and ``biases``
    (units, 1) of each, views of it.

    ``first`` (units, 1 + used inputs) is the first layer as blocks meet it, biases first.  ``into``
    it sums are gathered (one column more, which stays zero, for inputs that are never used) until
    :meth:`finish` writes them to the vector.
    """

    def __init__(self, network, vector, data, into=False):
        layers = [m[0] for m in network.matrices(vector[None])]
        self.weights, self.biases = [m[:, :-1] for m in layers], [m[:, -1:] for m in layers]
        self._layer, self._data = layers[0], data
        self.first = (
            vector.new_zeros(len(layers[0]), len(data.inputs) + 1)
            if into
            else layers[0].index_select(1, data.inputs)
        )

    def met(self, block):
        """Columns of ``first`` that the samples of a block meet, (units, m)."""
        if block.active is None:
            return self.first
        # a third of the time of index_select
        return self.first.gather(1, block.active.expand(len(self.first), -1))

    def finish(self):
        torch.index_select(self.first, 1, self._data.scattered, out=self._layer)


class _Point:
    """Backpropagation through one block of B samples.

    All values lie unit by unit, (units, B).  Of the layouts that give the products of one network
    with its samples this was the fastest: 31 to 40 Gflop/s against 23 to 27 sample by sample (one
    thread of an AMD EPYC, MKL, blocks of 500).
    """

    def __init__(self, of, layers, block, target):
        self._of, self._block, self._weights = of, block, layers.weights
        activation = of.network.activation
        self._hidden = [activation.function(torch.mm(layers.met(block), block.x.T))]
        for bias, weights in zip(layers.biases[1:-1], layers.weights[1:-1]):
            self._hidden.append(activation.function(torch.addmm(bias, weights, self._hidden[-1])))
        # (C, B)
        self._output = torch.addmm(layers.biases[-1], layers.weights[-1], self._hidden[-1])
        delta = of.loss.residual(self._output[None], target)[0]
        self._deltas, self._bends = [delta], []  # from the last layer down
        for k in range(len(self._hidden), 0, -1):
            hidden, back = self._hidden[k - 1], torch.mm(layers.weights[k].T, delta)
            # Of d/ds (back φ'(z)) the part with φ''(z), as a factor of d/ds of the hidden value.
            self._bends.append(activation.bend(hidden).mul_(back) if activation.bends else None)
            if k > 1:
                delta = activation.pullback(back, hidden, grad_input=back)
                self._deltas.append(delta)

    def add_product(self, directions, sums):
        """Add this block's part of H v to ``sums``: the derivative of backpropagation along v
        (Pearlmutter, Neural Computation 6, 147, 1994).

        As in :class:`netdyn_lib.tasks.gradients.Linearised`: R marks d/ds at W + s v.
        """
        activation, block, weights = self._of.network.activation, self._block, self._weights
        r_pre, r_hidden = torch.mm(directions.met(block), block.x.T), []
        for k, hidden in enumerate(self._hidden, 1):
            r_hidden.append(activation.pullback(r_pre, hidden, grad_input=r_pre))
            r_pre = torch.addmm(directions.biases[k], directions.weights[k], hidden).addmm_(
                weights[k], r_hidden[-1]
            )
        r_delta = self._of.loss.curve(self._output[None], r_pre[None])[0]
        for k, delta, bend in zip(range(len(r_hidden), 0, -1), self._deltas, self._bends):
            hidden = self._hidden[k - 1]
            sums.weights[k].addmm_(r_delta, hidden.T).addmm_(delta, r_hidden[k - 1].T)
            sums.biases[k].add_(r_delta.sum(1, keepdim=True))
            r_back = torch.mm(directions.weights[k].T, delta).addmm_(weights[k].T, r_delta)
            r_delta = activation.pullback(r_back, hidden, grad_input=r_back)
            if bend is not None:
                r_delta.addcmul_(bend, r_hidden[k - 1])
        if block.active is None:
            sums.first[:, :-1].addmm_(r_delta, block.x_t.T)
        else:
            sums.first.index_add_(1, block.active, torch.mm(r_delta, block.x_t.T))
