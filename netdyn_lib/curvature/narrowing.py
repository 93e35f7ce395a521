"""Directions along which a mini-batch's Hessian is exactly 0, known beforehand and left out: M = T
M' Tᵀ.

M (m, m) is that of :mod:`netdyn_lib.curvature.batch_frames`, at one point of a perceptron with one
hidden layer of J units.  In its m dimensions, with R = (r_1, …, r_N) the samples' coordinates, z =
W₂ ã the outputs and ã = (φ(W r), 1),

    M = Σ_b (∂z_b)ᵀ L''_b ∂z_b + Σ_b Σ_c ∂L/∂z_cb ∂²z_cb.

*   Where φ'(w_j r_b) = 0, and φ'' with it, neither term sees r_b in unit j: its block acts in the span of those n_j samples for
    which the unit is on, min(n_j, r) dimensions instead of r.  The first columns of Q span it, R
    P_j = Q · (upper triangular) by Householder reflections, P_j the permutation that puts these
    samples first; samples that depend on each other are spanned as well.
*   Where ã_kb = 0 for all b, and φ' too, the weights out of unit k are seen by neither term.
*   Cross-entropy does not change when the same is added to all outputs: L'' 1 = 0 and Σ_c ∂L/∂z_c = 0, so the
    weights out of each unit act in the C − 1 dimensions across 1 = (1, …, 1).

So m' = Σ_j min(n_j, r) + (C − 1)(units that are not dead + 1), and T (m, m') has orthonormal
columns: a block of Q for each hidden unit, a basis E across 1 for the weights out of each unit. The
gradient Σ_b (∂z_b)ᵀ ∂L/∂z_b has no part outside them either.

With L''_b = F_b F_bᵀ the first term is B Bᵀ, B = (Tᵀ (∂z_b)ᵀ F_b)_b of m' rows: one product.  In
the second, ∂²z_c couples weights into a unit with those out of it, φ'_j r_b at ∂L/∂z_cb; and those
into it with each other, φ''_j v_cj r_b r_bᵀ.

T depends on which units are on, and on nothing else: it is constant between the kinks of a ReLU.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch

from ..tasks.gradients import with_ones
from ..tasks.losses import across
from . import batch_frames


@dataclass(frozen=True)
class Narrowing:
    """T (m, m'), orthonormal columns.

    ``frames`` (J, r, r) are the Q of each hidden unit, ``classes`` E (C, C'), each None for the
    unit matrix.  ``first`` are the places that are left of the J r dimensions below the hidden
    units, rows of Qᵀ; ``above`` the units left of the J + 1 below the C ``outputs``.  T's columns
    are in that order, then by outputs and by units.
    """

    frames: torch.Tensor | None
    classes: torch.Tensor | None
    first: torch.Tensor
    above: torch.Tensor
    units: int
    rank: int
    outputs: int

    def times(self, columns):
        """T X: (m, k) of ``columns`` X (m', k)."""
        count, wide = len(self.first), columns.shape[1]
        lower = columns.new_zeros(self.units * self.rank, wide).index_copy_(
            0, self.first, columns[:count]
        )
        if self.frames is not None:
            lower = (self.frames @ lower.unflatten(0, (self.units, -1))).flatten(0, 1)
        upper = columns[count:].unflatten(0, (-1, len(self.above)))  # (C', units, k)
        upper = (
            columns.new_zeros(len(upper), self.units + 1, wide)
            .index_copy_(1, self.above, upper)
            .flatten(1)
        )
        if self.classes is not None:
            upper = self.classes @ upper
        return torch.cat([lower, upper.view(-1, wide)])

    def transposed(self, columns):
        """Tᵀ X: (m', k) of ``columns`` X (m, k)."""
        end, wide = self.units * self.rank, columns.shape[1]
        lower = columns[:end]
        if self.frames is not None:
            lower = (self.frames.mT @ lower.unflatten(0, (self.units, -1))).flatten(0, 1)
        upper = (
            columns[end:].unflatten(0, (self.outputs, -1)).index_select(1, self.above).flatten(1)
        )
        if self.classes is not None:
            upper = self.classes.T @ upper
        return torch.cat([lower.index_select(0, self.first), upper.view(-1, wide)])

    def restrict(self, vectors):
        """Tᵀ v: (…, m') of ``vectors`` (…, m)."""
        return self.transposed(vectors.reshape(-1, vectors.shape[-1]).T).T.view(
            *vectors.shape[:-1], -1
        )

    def embed(self, vectors):
        """T c: (…, m) of ``vectors`` (…, m')."""
        return self.times(vectors.reshape(-1, vectors.shape[-1]).T).T.view(*vectors.shape[:-1], -1)


def matrix_of(network, loss, inputs, y):
    """M' (m', m') and its :class:`Narrowing`, as a function of Sᵀ W (m,); ``inputs`` (r, N) as from
    :func:`netdyn_lib.curvature.batch_frames.frame_of`.

    None for a perceptron that has not one hidden layer: nothing is known of it beforehand.
    """
    if len(network.shapes) != 2:
        return None
    shapes = [(network.shapes[0][0], len(inputs)), network.shapes[1]]

    def function(params):
        below, above = (
            part.view(shape)
            for part, shape in zip(params.split([a * b for a, b in shapes]), shapes)
        )
        return _narrow(network, loss, below, above, inputs, y)

    return function


def _narrow(network, loss, below, above, inputs, y):
    a = network.activation.function(below @ inputs)  # (J, N)
    each = with_ones(a[None])[0]  # ã: (J + 1, N)
    slope = network.activation.pullback(torch.ones_like(a), a)
    output = above @ each  # (C, N)
    found = _directions(slope, each, inputs, outputs_seen(loss, output), len(output))
    root = loss.root(output)  # F: (C, k, N)
    # B Bᵀ would be more work than M of many samples
    if root[0].numel() > below.numel() + above.numel():
        whole = batch_frames.one_hidden(network, loss, (below, above), inputs, y)
        return found.transposed(found.transposed(whole).T), found
    weight = loss.weight(inputs.shape[1])
    residual = weight * loss.residual(output[None], loss.encode(y, len(output)))[0]  # ∂L/∂z: (C, N)
    root, v = weight**0.5 * root, above[:, :-1]
    # r_b in each unit's frame: (J, r, N)
    points = inputs.expand(len(a), -1, -1) if found.frames is None else found.frames.mT @ inputs
    seen = points * slope[:, None]
    unit = found.first // len(inputs)
    # (n, k, N)
    lower = (
        seen.flatten(0, 1)[found.first][:, None]
        * (v.T @ root.flatten(1)).view(len(a), *root.shape[1:])[unit]
    )
    sides = torch.cat([root.flatten(1), residual], 1)
    if found.classes is not None:
        sides = found.classes.T @ sides
    narrow, pull = sides.split([root[0].numel(), residual.shape[1]], 1)
    # (C', units, k, N)
    upper = each[found.above, None] * narrow.view(len(narrow), 1, *root.shape[1:])
    factor = torch.cat([lower.flatten(1), upper.flatten(0, 1).flatten(1)])  # B: (m', k N)
    matrix = factor @ factor.T
    # of weights into unit j with those out of it: (n, C')
    mixed = (seen @ pull.T).flatten(0, 1)[found.first]
    where = torch.searchsorted(found.above, unit)[:, None] + len(found.above) * torch.arange(
        len(pull), device=unit.device
    )
    count = len(unit)
    matrix[:count, count:].scatter_add_(1, where, mixed)
    matrix[count:, :count].T.scatter_add_(1, where, mixed)
    if network.activation.name != "relu":
        # of weights into it: (J, r, r)
        bends = (seen * (network.activation.bend(a) * (v.T @ residual))[:, None]) @ points.mT
        diagonal = torch.block_diag(*bends)
        matrix[:count, :count] += diagonal[found.first][:, found.first]
    return matrix, found


def outputs_seen(loss, output):
    """E, an orthonormal basis across 1 in the space of C outputs, (C, C − 1); None where the loss
    sees 1, or there is nothing else.
    """
    return _across_ones(len(output)).to(output) if loss.shifts and len(output) > 1 else None


@lru_cache
def _across_ones(count):
    return across(torch.full((count, 1), count**-0.5, dtype=torch.float64))[:, :, 0]


def _directions(slope, each, inputs, classes, outputs):
    """The :class:`Narrowing` for φ' ``slope`` (J, N) and ã ``each`` (J + 1, N)."""
    on, rank = slope != 0, len(inputs)
    counts = on.sum(1)
    alive = (each != 0).any(1)
    alive[:-1] |= counts > 0
    kept = torch.arange(rank, device=on.device) < counts[:, None]  # (J, r)
    frames = None
    if bool(((counts > 0) & (counts < rank)).any()):
        # A unit that is on for fewer than r samples has them among the first r, and r columns make
        # Q square.
        order = on.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :rank]
        frames = torch.linalg.qr(inputs.T[order].mT)[0]  # (J, r, r)
    return Narrowing(
        frames,
        classes,
        kept.flatten().nonzero()[:, 0],
        alive.nonzero()[:, 0],
        len(slope),
        rank,
        outputs,
    )
