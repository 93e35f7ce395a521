"""The few dimensions in which the loss of a mini-batch acts, and its Hessian there: M (m, m) of H =
S M Sᵀ.

What S is, is said in :mod:`netdyn_lib.curvature.batch_hessian`.  It depends on the batch's inputs
and not on the weights: for any direction v, dH[v] = S dM[Sᵀ v] Sᵀ.  For one hidden layer M is in
closed form, the blocks as in
:mod:`netdyn_lib.curvature.closed_form`; for others by automatic differentiation.
"""

from functools import reduce

import torch

from ..tasks.gradients import with_ones

_VALUES = 2**24  # intermediate values of a block of samples: 128 MiB


class Range:
    """What acts as S … Sᵀ, with the fields ``frame``, ``units``, ``size`` and ``order`` of
    :class:`netdyn_lib.curvature.batch_hessian.LowRank`.
    """

    def restrict(self, vectors):
        """Sᵀ v: (…, m) of ``vectors`` (…, P), in the few dimensions, and of their floating type."""
        if vectors.shape[-1] != self.size:
            raise ValueError(f"vectors of shape {tuple(vectors.shape)}: expected (…, {self.size})")
        vectors = vectors.to(self.frame)
        if self.order is not None:
            vectors = vectors[..., self.order]
        end = self.units * len(self.frame)
        first = vectors[..., :end].unflatten(-1, (self.units, len(self.frame))) @ self.frame
        return torch.cat([first.flatten(-2), vectors[..., end:]], -1)

    def embed(self, small):
        """S c: vectors (…, P) from ``small`` (…, m)."""
        end = self.units * self.frame.shape[1]
        first = small[..., :end].unflatten(-1, (self.units, self.frame.shape[1])) @ self.frame.T
        vectors = torch.cat([first.flatten(-2), small[..., end:]], -1)
        if self.order is None:
            return vectors
        return torch.empty_like(vectors).index_copy_(-1, self.order, vectors)


def frame_of(x):
    """Q (d + 1, r) orthonormal, and the samples in its coordinates (r, B): Q times these are ``x``
    (B, …) with a row of ones below.
    """
    samples = with_ones(x.reshape(len(x), -1).T[None])[0]  # (d + 1, B)
    frame, sizes, rows = torch.linalg.svd(samples, full_matrices=False)
    # Inputs that repeat or depend on each other leave singular values of rounding size.
    rank = int((sizes > sizes[0] * max(samples.shape) * torch.finfo(sizes.dtype).eps).sum())
    return frame[:, :rank], sizes[:rank, None] * rows[:rank]


def matrix_of(network, loss, inputs, y):
    """M (m, m) as a function of Sᵀ W (m,), for a perceptron; ``inputs`` (r, B) as from
    :func:`frame_of`.
    """
    shapes = [(network.shapes[0][0], len(inputs)), *network.shapes[1:]]
    small = one_hidden if len(shapes) == 2 else _automatic

    def function(params):
        parts = params.split([rows * columns for rows, columns in shapes])
        return small(
            network, loss, [part.view(shape) for part, shape in zip(parts, shapes)], inputs, y
        )

    return function


def _automatic(network, loss, layers, inputs, y):
    """M (m, m) of a perceptron of any depth, ``layers`` its matrices, the first (units, r), on
    ``inputs`` (r, B).
    """
    shapes = [layer.shape for layer in layers]

    def objective(small):
        values = inputs
        for k, part in enumerate(small.split([shape.numel() for shape in shapes])):
            values = part.view(shapes[k]) @ (
                with_ones(network.activation.function(values)[None])[0] if k else values
            )
        return loss.value(values.T, y)

    return torch.func.hessian(objective)(torch.cat([layer.flatten() for layer in layers]))


def one_hidden(network, loss, layers, inputs, y):
    """M (m, m) of a perceptron with one hidden layer, its samples taken in blocks."""
    (units, rank), (classes_, above) = (layer.shape for layer in layers)
    target = loss.encode(y, classes_)
    rows = units**2 + rank**2 + classes_ * above * (units + classes_)
    block = max(1, _VALUES // rows)
    parts = zip(inputs.split(block, 1), target.split(block, 1))
    weight = loss.weight(inputs.shape[1])
    total = [
        reduce(torch.add, same)
        for same in zip(*(_blocks(network, loss, weight, *layers, *part) for part in parts))
    ]
    size = units * rank
    lower = total[0].permute(0, 2, 1, 3).reshape(size, size)
    mixed = total[1].permute(0, 3, 1, 2).reshape(size, -1)
    upper = total[2].permute(0, 2, 1, 3).reshape(mixed.shape[1], -1)
    # Out of place, for it is differentiated too.
    return torch.cat([torch.cat([lower, mixed], 1), torch.cat([mixed.T, upper], 1)])


def _blocks(network, loss, weight, below, above, inputs, target):
    """The three blocks of M, summed over N samples of this ``weight``: (J, K, r, r), (J, C, K + 1,
    r) and (C, D, K + 1, K + 1).
    """
    pullback, v = network.activation.pullback, above[:, :-1]
    a = network.activation.function(below @ inputs)  # (J, N)
    each = with_ones(a[None])[0]  # (J + 1, N)
    output = above @ each  # (C, N)
    residual = weight * loss.residual(output[None], target)[0]
    slope = pullback(torch.ones_like(a), a)
    reach = v.T[:, :, None] * slope[:, None]  # ∂output_c/∂(W x̃)_j: (J, C, N)
    bent = weight * loss.curve(output.expand_as(reach), reach)  # L'' v_j φ'_j
    lower = torch.einsum("jcn,kcn->jkn", bent, reach)
    lower.diagonal().add_((network.activation.bend(a) * pullback(v.T @ residual, a)).T)
    mixed = bent[:, :, None] * each  # (J, C, K + 1, N)
    mixed[:, :, :-1].diagonal(dim1=0, dim2=2).add_((slope * residual[:, None]).transpose(1, 2))
    units = torch.eye(len(output), dtype=output.dtype, device=output.device)[:, :, None]
    # L'': (C, C, N)
    second = weight * loss.curve(
        output.expand(len(output), *output.shape), units.expand(-1, -1, output.shape[1])
    )
    squares = (inputs[:, None] * inputs).flatten(0, 1)  # (r r, N)
    return (
        (lower.flatten(0, 1) @ squares.T).view(len(a), len(a), len(inputs), len(inputs)),
        mixed @ inputs.T,
        (second[:, :, None] * each) @ each.T,
    )
