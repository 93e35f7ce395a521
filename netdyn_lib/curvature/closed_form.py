"""Closed-form Hessians of the training loss of stacked one-hidden-layer perceptrons.

For f(x) = V φ(W x̃), samples n, x̃ and ã the inputs and hidden values with a 1
appended, r = ∂L/∂f and L'' = ∂²L/∂f² of each sample (weighted as the loss is),
the blocks are (Bishop, Neural Computation 4, 494, 1992, for this architecture):

    ∂²L/∂W_ji ∂W_kl = Σ_n [φ'_j φ'_k v_jᵀL''v_k + δ_jk φ''_j v_jᵀr] x̃_i x̃_l
    ∂²L/∂W_ji ∂V_ck = Σ_n [φ'_j (L''v_j)_c ã_k + δ_jk φ'_j r_c] x̃_i
    ∂²L/∂V_cj ∂V_dk = Σ_n L''_cd ã_j ã_k

Each is one batched product, of one row of samples for each bracket with the factors after it.
"""

import math
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ..tasks import gradients
from ..tasks.losses import HalfSquaredError
from ..tasks.networks import MLP
from ..tasks.tasks import Task
from ..validation import double

_VALUES = 2**20  # intermediate values of a chunk of networks, where it is more than one: 8 MiB
# intermediate values of one network, and products of inputs, of a block of samples: 16 MiB
_BLOCK = 2**21


def suits(task: Task) -> bool:
    """Return whether the network is an MLP with one hidden layer."""
    return isinstance(task.network, MLP) and len(task.network.sizes) == 3


class OneHiddenLayerHessian:
    """Gradient and Hessian of the training loss of stacked one-hidden-layer perceptrons.

    Without weight decay: a penalty (λ/2)‖W‖² adds λW and λI.  A network's
    numbers do not depend on which others are in the stack, but for the last bit
    of what holds an exponential (a sigmoid, a softmax): at the end of a thread's
    share of a tensor it is computed one by one, elsewhere in SIMD registers.
    The gradient is computed as :func:`netdyn_lib.tasks.gradients.of` does.  Networks
    go by in chunks and samples in blocks: memory beside the result stays within
    some tens of MB.

    At the kink of a ReLU there is no second derivative; what is returned is the
    one from the side of negative inputs, as if that unit were off for that
    sample.  :func:`kinks` counts where.

    Parameters
    ----------
    task : Task
        With an :class:`~netdyn_lib.tasks.networks.MLP` of three sizes, any
        activation, ``HalfSquaredError`` or ``CrossEntropy``.
    """

    def __init__(self, task: Task):
        if not suits(task):
            raise ValueError(
                f"{task.network!r}: the closed-form Hessian is for an MLP of one hidden layer "
                "(three sizes); take hessian.hessians or products for any other network"
            )
        double(task, "closed-form Hessians")
        self._network, self._loss = cast(MLP, task.network), task.loss
        self._inputs = gradients.with_ones(task.x.reshape(len(task.x), -1).T[None])[0]  # (d + 1, N)
        self._target = task.loss.encode(task.y, self._network.sizes[2])  # (C, N)
        self._weight = task.loss.weight(len(task.x))
        self._plain = isinstance(task.loss, HalfSquaredError)  # L'' is the identity
        inputs, (hidden, outputs) = len(self._inputs), self._network.sizes[1:]
        device = task.x.device
        self._pairs = torch.triu_indices(inputs, inputs, device=device)  # of inputs, (2, K)
        self._classes = [(c, d) for c in range(outputs) for d in range(c, outputs)]  # of outputs
        # (P²,)
        self._index = torch.from_numpy(_places(inputs, hidden, outputs, self._plain)).to(device)
        # Rows of numbers of each sample: ã, and the brackets of the three blocks.
        self._parts = [hidden + 1, hidden * (hidden + 1) // 2, outputs * hidden * (hidden + 1)]
        self._parts += [0 if self._plain else len(self._classes) * (hidden + 1)]
        # with what else is in memory
        rows = sum(self._parts) + hidden * (6 + 2 * outputs) + outputs * (3 + outputs)
        self._block = max(1, min(len(task.x), _BLOCK // (rows + self._pairs.shape[1])))
        chunk = _VALUES // (rows * self._block)
        # whole SIMD registers: the same bits as in one piece
        self._chunk = max(1, chunk if chunk < 8 else chunk // 8 * 8)
        self._whole = self._shared(self._inputs) if self._block == len(task.x) else None

    @torch.no_grad()
    def __call__(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return ∇L (E, P) and H (E, P, P), exactly symmetric, for ``params`` (E, P).

        Parameters that are not finite, or overflow, give numbers that are not
        finite, not an error.  The result has no history of differentiation.
        """
        size = self._network.count
        if params.dim() != 2 or params.shape[1] != size:
            raise ValueError(
                f"params of shape {tuple(params.shape)} for {self._network!r}: expected (E, {size})"
            )
        gradient = params.new_empty(len(params), size)
        hessian = params.new_empty(len(params), size, size)
        room = params.new_empty(sum(self._parts), min(len(params), self._chunk), self._block)
        for a in range(0, len(params), self._chunk):
            part = slice(a, a + self._chunk)
            gradient[part], entries = self._summed(params[part], room)
            torch.index_select(entries, 1, self._index, out=hessian[part].flatten(1))
        return gradient, hessian

    def _summed(self, params, room):
        """Return gradients (e, P), and the different entries of the Hessians and a zero (e, M)."""
        total = None
        samples = self._inputs.shape[1]
        for a in range(0, samples, self._block):
            part = slice(a, a + self._block)
            inputs, target = self._inputs[:, part], self._target[:, part]
            shared = self._shared(inputs) if self._whole is None else self._whole
            found = self._entries(
                params, inputs, target, shared, room[:, : len(params), : inputs.shape[1]]
            )
            total = found if total is None else [old.add_(new) for old, new in zip(total, found)]
        return [self._weight * part for part in total] if self._weight != 1 else total

    def _shared(self, inputs):
        """Return x̃_i (N, d + 1) and x̃_i x̃_l, i ≤ l, (N, K) of samples ``inputs`` (d + 1, N)."""
        i, j = self._pairs
        # Samples outermost: the batched products are up to five times as fast as with the
        # transpose.
        return inputs.T.contiguous(), (inputs[i] * inputs[j]).T.contiguous()

    def _entries(self, params, inputs, target, shared, room):
        """Return :meth:`_summed` of a block of samples without weight, in the memory ``room``."""
        activation = self._network.activation
        below, above = self._network.matrices(params)  # (e, J, d + 1), (e, C, J + 1)
        v = above[..., :-1]  # (e, C, J)
        count, outputs, hidden = v.shape
        inputs = inputs.expand(count, *inputs.shape)  # (e, d + 1, N)
        first, squares = (part.expand(count, *part.shape) for part in shared)
        values, lower, mixed, upper = room.split(self._parts)  # rows outermost: (rows, e, N)
        a = values[:-1]  # (J, e, N)
        # Evaluated in the order of MLPGradient: the last bit of a sigmoid depends on where in
        # memory it lies.
        a.copy_(activation.function(torch.bmm(below, inputs)).transpose(0, 1))
        values[-1] = 1
        each = values.transpose(0, 1)  # ã: (e, J + 1, N)
        output = torch.bmm(above, each)
        residual = self._loss.residual(output, target)  # r: (e, C, N)
        # vᵀr: (e, J, N)
        back = (
            v.transpose(1, 2) * residual if outputs == 1 else torch.bmm(v.transpose(1, 2), residual)
        )
        delta = activation.pullback(back.transpose(0, 1), a)  # φ' vᵀr: (J, e, N)
        gradient = (
            torch.bmm(delta.transpose(0, 1), inputs.transpose(1, 2)),
            torch.bmm(residual, each.transpose(1, 2)),
        )
        residual = residual.transpose(0, 1)  # (C, e, N)

        slope = activation.pullback(params.new_ones(()).expand_as(a), a)  # φ': (J, e, N)
        reach = slope * v.permute(1, 2, 0)[..., None]  # φ'_j v_cj: (C, J, e, N)
        if self._plain:
            bent = reach  # φ'_j (L''v_j)_c: (C, J, e, N)
        else:
            second = self._second(output)  # L'': (C, C, e, N)
            bent = sum(second[:, d, None] * reach[d] for d in range(outputs))
            pairs = upper.unflatten(0, (len(self._classes), hidden + 1))
            for k, (c, d) in enumerate(self._classes):
                torch.mul(second[c, d], values, out=pairs[k])  # rows (c, d, j), c ≤ d

        # φ''_j v_jᵀr: (J, e, N)
        bend = None if activation.name == "relu" else activation.bend(a).mul_(delta)
        start = 0
        for j in range(hidden):
            row = lower[start : start + hidden - j]  # rows (j, k), j ≤ k
            torch.mul(bent[0, j], reach[0, j:], out=row)
            for c in range(1, outputs):
                row.addcmul_(bent[c, j], reach[c, j:])
            if bend is not None:
                row[0] += bend[j]
            start += hidden - j

        rows = mixed.unflatten(0, (outputs, hidden, hidden + 1))  # rows (c, j, k)
        torch.mul(bent[:, :, None], values, out=rows)
        rows.diagonal(dim1=1, dim2=2).movedim(-1, 1).addcmul_(slope, residual[:, None])

        entries = [
            torch.bmm(lower.transpose(0, 1), squares),
            torch.bmm(mixed.transpose(0, 1), first),
            torch.bmm(each if self._plain else upper.transpose(0, 1), each.transpose(1, 2)),
            params.new_zeros(count, 1),
        ]
        return [torch.cat([part.flatten(1) for part in parts], 1) for parts in (gradient, entries)]

    def _second(self, output):
        """Return L'' of each sample, (C, C, e, N), at ``output`` (e, C, N)."""
        # (C, C, 1)
        units = torch.eye(output.shape[1], dtype=output.dtype, device=output.device)[:, :, None]
        return torch.stack(
            [self._loss.curve(output, unit.expand_as(output)).transpose(0, 1) for unit in units], 1
        )


def _places(inputs, hidden, outputs, plain):
    """Return where each entry of a Hessian (P, P) stands among those of ``_entries``: (P²,)."""

    def pair(i, j, size):
        """Return the place of (i, j) among the pairs of ``size``, as of triu_indices."""
        i, j = np.minimum(i, j), np.maximum(i, j)
        return i * size - i * (i - 1) // 2 + j - i

    columns = inputs * (inputs + 1) // 2
    start = hidden * (hidden + 1) // 2 * columns
    end = start + outputs * hidden * (hidden + 1) * inputs
    j, i = (part.ravel() for part in np.indices((hidden, inputs)))  # of the weights below
    c, k = (part.ravel() for part in np.indices((outputs, hidden + 1)))  # and above
    lower = pair(j[:, None], j, hidden) * columns + pair(i[:, None], i, inputs)
    mixed = start + ((c * hidden + j[:, None]) * (hidden + 1) + k) * inputs + i[:, None]
    small, large = np.minimum(k[:, None], k), np.maximum(k[:, None], k)
    upper = end + small * (hidden + 1) + large
    if plain:
        zero = end + (hidden + 1) ** 2
        upper = np.where(c[:, None] == c, upper, zero)
    else:
        upper += pair(c[:, None], c, outputs) * (hidden + 1) ** 2
    return np.block([[lower, mixed], [mixed.T, upper]]).ravel()


@torch.no_grad()
def kinks(task: Task, params: Tensor, within: float = 0.0) -> Tensor:
    """Count the pre-activations ``within`` a distance of a ReLU's kink: (E,) for ``params`` (E, P).

    Counted over hidden units and samples; 0 for a smooth activation.  There the second
    derivative does not exist, and the Hessians of this module are one-sided.
    """
    if not suits(task):
        raise ValueError(
            f"{task.network!r}: pre-activations are counted for an MLP of one hidden layer "
            "(three sizes)"
        )
    if not (within >= 0 and math.isfinite(within)):
        raise ValueError(f"within = {within}: a distance must be zero or positive, and finite")
    counts = torch.zeros(len(params), dtype=torch.int64, device=params.device)
    network = cast(MLP, task.network)
    if network.activation.name != "relu":
        return counts
    inputs = gradients.with_ones(task.x.reshape(len(task.x), -1).T[None])[0]  # (d + 1, N)
    step = max(1, _BLOCK // (inputs.shape[1] * network.sizes[1]))
    for a in range(0, len(params), step):
        layer = network.matrices(params[a : a + step])[0]
        # (e, J, N)
        close = torch.bmm(layer, inputs.expand(len(layer), *inputs.shape)).abs() <= within
        counts[a : a + step] = close.sum((1, 2))
    return counts
