"""Samples in blocks, so that memory does not grow with the data.

The size of a block depends on the task only, so that numbers do not depend on the machine's memory.

Images of digits are mostly background, at other places in each.  On a processor samples with alike
zeros share a block, whose products then take only the inputs that some sample of it has.  The cost
of a block is the size of the *union* of its samples' active inputs; to make the sum of unions small
is a sibling of set packing and hard, and a greedy order does well: of 6,000 images of MNIST, 664 of
whose pixels are ever active, groups of 500 have 394 active ones on average, random groups 585.
"""

import weakref

import numpy as np
import torch

from ..tasks.tasks import Task

_VALUES = 400_000  # intermediate values of one network in a block: some megabytes
_LEAST = 250  # samples in a block: fewer make matrix products slow
_ALIKE = 500  # samples in a block of alike ones: fewer share more zeros, more make faster products
_WORTH = 0.15  # share of the inputs that smaller blocks of alike samples must save
_TOGETHER = 6000  # samples among which groups are sought: the work grows with their square
_TAKEN = np.int64(2**62)  # a rank that no sample comes near


def separable(task: Task) -> bool:
    """Whether the loss is a sum over samples: they do not see each other, in network or loss."""
    return not getattr(task.network, "coupled", False) and getattr(task.loss, "separable", True)


def size(task: Task, values_per_sample: int) -> int:
    """Return the number of samples in a block, all of them where samples see each other.

    ``values_per_sample`` are the intermediate values of one network.  All blocks but the last are
    of this size.
    """
    if not separable(task):
        return len(task.x)
    largest = max(_LEAST, _VALUES // values_per_sample)
    number = -(-len(task.x) // largest)
    return -(-len(task.x) // number)


def slices(task: Task, length: int) -> list[slice]:
    """Return the blocks as slices of the samples."""
    return [slice(a, min(a + length, len(task.x))) for a in range(0, len(task.x), length)]


class Block:
    """Samples in both layouts, ``x`` (B, m) and ``x_t`` (m, B), a 1 for the bias among the inputs.

    ``place`` is their slice of the ordered samples; ``active`` (m,) are the rows of the first
    layer's weights, bias first, that they meet, None for all.
    """

    def __init__(self, x, active, place):
        self.place, self.active = place, active
        self.x = x.contiguous()
        self.x_t = self.x.T.contiguous()

    def __len__(self):
        return len(self.x)


class Ordered:
    """A task's samples in ``blocks``, in an order in which most of their zeros need no product.

    ``samples`` (N,) is the order and ``unsorted`` (N,) leads back; ``inputs`` (used inputs + 1,)
    are those that some sample has, the bias first, and ``scattered`` (d + 1,) leads back, with one
    past the last for inputs that are never used, whose weights never move.
    """

    def __init__(self, task, length):
        x = task.x.reshape(len(task.x), -1)
        bias = x.shape[1]
        used = (x != 0).any(0).nonzero()[:, 0]
        x = x[:, used]
        parts = _parts(x, length)
        self.samples = torch.cat(parts)
        self.unsorted = self.samples.argsort()
        self.inputs = torch.cat([used.new_tensor([bias]), used])
        self.scattered = torch.full((bias + 1,), len(self.inputs), device=x.device)
        self.scattered[self.inputs] = torch.arange(len(self.inputs), device=x.device)
        self.blocks, start = [], 0
        for rows in parts:
            part = x[rows]
            active = (part != 0).any(0).nonzero()[:, 0]
            with_ones = torch.cat([part.new_ones(len(part), 1), part[:, active]], 1)
            met = torch.cat([active.new_zeros(1), active + 1]) if len(active) < len(used) else None
            self.blocks.append(Block(with_ones, met, slice(start, start + len(rows))))
            start += len(rows)


def _parts(x, length):
    """Rows of each block of ``x`` (N, used inputs): as they come, or grouped where that saves."""
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
_orders: dict[int, dict[int, Ordered]] = {}


def ordered(task: Task, length: int) -> Ordered:
    """Return the samples of a task in blocks of at most ``length``.

    They are ordered once for all threads, and kept as long as their Split lives.
    """
    split = task.split
    if id(split) not in _orders:
        _orders[id(split)] = {}
        weakref.finalize(split, _orders.pop, id(split), None)
    kept = _orders[id(split)]
    if length not in kept:
        kept[length] = Ordered(task, length)
    return kept[length]


def groups(active: np.ndarray, length: int) -> list[np.ndarray]:
    """Return samples in groups of at most ``length`` and of alike active inputs.

    ``active`` (N, d) bool says where samples are not zero.  The result holds the rows of each
    group, ascending; every row is in one.  All groups but the last have ``length``.

    A group begins with the remaining sample that has the fewest active inputs,
    and takes again and again the one that adds the fewest to their union; of
    those, the one with the most, as it will hardly fit elsewhere; of those, the first.
    Many samples are taken in parts of at most 6,000, in their order.
    """
    found = []
    for start in range(0, len(active), _TOGETHER):
        part = active[start : start + _TOGETHER]
        left = np.arange(len(part))
        while len(left):
            chosen = _group(part[left], length)
            found.append(start + np.sort(left[chosen]))
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


def mean_union(active: np.ndarray, parts) -> float:
    """Return the mean over samples of the number of active inputs of their group."""
    return sum(len(part) * int(active[part].any(0).sum()) for part in parts) / len(active)
