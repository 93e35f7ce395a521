"""Samples in groups that share their zeros: products with a group need only the inputs that some
sample of it has.

Images of digits are mostly background, at other places in each.  The cost of
a product with a group is the size of the *union* of its samples' active
inputs; to make the sum of unions small is set packing's sibling and hard, and a greedy
order does well: of 6,000 images of MNIST, 664 of whose pixels are ever active,
groups of 500 have 394 active ones on average, groups by lot 585.
"""

import numpy as np

from ..validation import whole

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
