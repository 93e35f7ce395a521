"""The few dimensions in which the loss of a mini-batch acts, and its Hessian there.

M (m, m) is that of H = S M Sᵀ, S as in :mod:`netdyn_lib.curvature.batch_hessian`.  S depends on the
batch's inputs and not on the weights: for any direction v, dH[v] = S dM[Sᵀ v] Sᵀ.  For one hidden
layer M is in closed form, the blocks as in :mod:`netdyn_lib.curvature.closed_form`; for others by
automatic differentiation.

:class:`UnitSubspace` leaves out directions along which M of one hidden layer of J units is exactly
0, known beforehand: M = T M' Tᵀ.  With R = (r_1, …, r_N) the samples' coordinates, z = W₂ ã the
outputs and ã = (φ(W r), 1),

    M = Σ_b (∂z_b)ᵀ L''_b ∂z_b + Σ_b Σ_c ∂L/∂z_cb ∂²z_cb.

*   Where φ'(w_j r_b) = 0, and φ'' with it, neither term sees r_b in unit j: its block acts in the
    span of those n_j samples for which the unit is on, min(n_j, r) dimensions instead of r.  The
    first columns of Q span it, R P_j = Q · (upper triangular) by Householder reflections, P_j the
    permutation that puts these samples first; samples that depend on each other are spanned as
    well.
*   Where ã_kb = 0 for all b, and φ' too, the weights out of unit k are seen by neither term.
*   Cross-entropy does not change when the same is added to all outputs: L'' 1 = 0 and Σ_c ∂L/∂z_c =
    0, so the weights out of each unit act in the C − 1 dimensions across 1 = (1, …, 1).

So m' = Σ_j min(n_j, r) + (C − 1)(units that are not dead + 1), and T (m, m') has orthonormal
columns: a block of Q for each hidden unit, a basis E across 1 for the weights out of each unit.
The gradient Σ_b (∂z_b)ᵀ ∂L/∂z_b has no part outside them either.  T depends on which units are on,
and on nothing else: it is constant between the kinks of a ReLU.

With L''_b = F_b F_bᵀ the first term is B Bᵀ, B = (Tᵀ (∂z_b)ᵀ F_b)_b of m' rows: one product.  In
the second, ∂²z_c couples weights into a unit with those out of it, φ'_j r_b at ∂L/∂z_cb; and those
into it with each other, φ''_j v_cj r_b r_bᵀ.

:class:`HeadSubspace` is for networks that end in a linear layer.  The outputs of N samples are z_b
= V ã_b: V (C, f + 1) the last layer with its bias as last column, ã_b the features of sample b with
a 1 appended, functions of the p parameters θ below.  Then

    ∂²L/∂V∂V = Σ_b L''_b ⊗ ã_b ã_bᵀ,    L''_b = ∂²L/∂z_b∂z_b,

is known without differentiating twice, and p Hessian–vector products, along each parameter below,
give all the rest: A = ∂²L/∂θ∂θ and X = ∂²L/∂V∂θ.  The Hessian is 0 beyond θ, the span of E ⊗ Q, and
that of the columns of X.  The columns of Q (f + 1, r) are an orthonormal basis of the span of the
ã_b, those of E (C, C') one of all outputs, or of those across (1, …, 1) where the loss does not see
that.  With (I − E Eᵀ ⊗ Q Qᵀ) X = R diag(s) Wᵀ, the columns of T = I ⊕ (E ⊗ Q, R) are orthonormal,
and

             | A      Bᵀ  W s |
    TᵀHT =   | B      D   0   | ,    B = (E ⊗ Q)ᵀ X,    D = Σ_b Eᵀ L''_b E ⊗ Qᵀ ã_b ã_bᵀ Q,
             | s Wᵀ   0   0   |

of m' ≤ 2p + C'r dimensions.  The gradient, Σ_b ∂L/∂z_b ⊗ ã_b in V, has no part outside.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from ..tasks import gradients
from ..tasks.derivatives import directional
from ..tasks.gradients import with_ones
from ..tasks.losses import across

_VALUES = 2**24  # intermediate values of a block of samples: 128 MiB


class Range:
    """S, with fields as of :class:`netdyn_lib.curvature.batch_hessian.LowRank`."""

    frame: Tensor
    units: int
    size: int
    order: Tensor | None

    def restrict(self, vectors: Tensor) -> Tensor:
        """Return Sᵀ v: (…, m) of ``vectors`` (…, P), in their floating type."""
        if vectors.shape[-1] != self.size:
            raise ValueError(f"vectors of shape {tuple(vectors.shape)}: expected (…, {self.size})")
        vectors = vectors.to(self.frame)
        if self.order is not None:
            vectors = vectors[..., self.order]
        end = self.units * len(self.frame)
        first = vectors[..., :end].unflatten(-1, (self.units, len(self.frame))) @ self.frame
        return torch.cat([first.flatten(-2), vectors[..., end:]], -1)

    def embed(self, small: Tensor) -> Tensor:
        """Return S c: vectors (…, P) from ``small`` (…, m)."""
        end = self.units * self.frame.shape[1]
        first = small[..., :end].unflatten(-1, (self.units, self.frame.shape[1])) @ self.frame.T
        vectors = torch.cat([first.flatten(-2), small[..., end:]], -1)
        if self.order is None:
            return vectors
        return torch.empty_like(vectors).index_copy_(-1, self.order, vectors)


def frame_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return Q (d + 1, r) orthonormal, and the samples in its coordinates (r, B).

    Q times these are ``x`` (B, …) with a row of ones below.
    """
    samples = with_ones(x.reshape(len(x), -1).T[None])[0]  # (d + 1, B)
    frame, sizes, rows = torch.linalg.svd(samples, full_matrices=False)
    # Inputs that repeat or depend on each other leave singular values of rounding size.
    rank = int((sizes > sizes[0] * max(samples.shape) * torch.finfo(sizes.dtype).eps).sum())
    return frame[:, :rank], sizes[:rank, None] * rows[:rank]


def matrix_of(network, loss, inputs: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
    """Return M (m, m) of a perceptron as a function of Sᵀ W (m,); ``inputs`` (r, B) in Q."""
    shapes = [(network.shapes[0][0], len(inputs)), *network.shapes[1:]]
    small = one_hidden if len(shapes) == 2 else _automatic

    def function(params):
        parts = params.split([rows * columns for rows, columns in shapes])
        return small(
            network, loss, [part.view(shape) for part, shape in zip(parts, shapes)], inputs, y
        )

    return function


def _automatic(network, loss, layers, inputs, y):
    """Return M (m, m) of a perceptron of any depth, ``layers`` its matrices."""
    shapes = [layer.shape for layer in layers]

    def objective(small):
        values = inputs
        for k, part in enumerate(small.split([shape.numel() for shape in shapes])):
            values = part.view(shapes[k]) @ (
                with_ones(network.activation.function(values)[None])[0] if k else values
            )
        return loss.value(values.T, y)

    return torch.func.hessian(objective)(torch.cat([layer.flatten() for layer in layers]))


def one_hidden(network, loss, layers: Sequence[Tensor], inputs: Tensor, y: Tensor) -> Tensor:
    """Return M (m, m) of a perceptron with one hidden layer, its samples taken in blocks."""
    (units, rank), (classes_, above) = (layer.shape for layer in layers)
    target = loss.encode(y, classes_)
    rows = units**2 + rank**2 + classes_ * above * (units + classes_)
    block = max(1, _VALUES // rows)
    parts = zip(inputs.split(block, 1), target.split(block, 1))
    weight = loss.weight(inputs.shape[1])
    blocks = (_blocks(network, loss, layers, *part) for part in parts)
    total = [weight * reduce(torch.add, same) for same in zip(*blocks)]
    size = units * rank
    lower = total[0].permute(0, 2, 1, 3).reshape(size, size)
    mixed = total[1].permute(0, 3, 1, 2).reshape(size, -1)
    upper = total[2].permute(0, 2, 1, 3).reshape(mixed.shape[1], -1)
    # Out of place, for it is differentiated too.
    return torch.cat([torch.cat([lower, mixed], 1), torch.cat([mixed.T, upper], 1)])


def _blocks(network, loss, layers, inputs, target):
    """Return the blocks of M, sums over N samples without their weight.

    They are (J, K, r, r), (J, C, K + 1, r) and (C, D, K + 1, K + 1).
    """
    below, above = layers
    pullback, v = network.activation.pullback, above[:, :-1]
    a = network.activation.function(below @ inputs)  # (J, N)
    each = with_ones(a[None])[0]  # (J + 1, N)
    output = above @ each  # (C, N)
    residual = loss.residual(output[None], target)[0]
    slope = pullback(torch.ones_like(a), a)
    reach = v.T[:, :, None] * slope[:, None]  # ∂output_c/∂(W x̃)_j: (J, C, N)
    bent = loss.curve(output.expand_as(reach), reach)  # L'' v_j φ'_j
    lower = torch.einsum("jcn,kcn->jkn", bent, reach)
    lower.diagonal().add_((network.activation.bend(a) * pullback(v.T @ residual, a)).T)
    mixed = bent[:, :, None] * each  # (J, C, K + 1, N)
    mixed[:, :, :-1].diagonal(dim1=0, dim2=2).add_((slope * residual[:, None]).transpose(1, 2))
    units = torch.eye(len(output), dtype=output.dtype, device=output.device)[:, :, None]
    units = units.expand(-1, -1, output.shape[1])
    second = loss.curve(output.expand_as(units), units)  # L'': (C, C, N)
    squares = (inputs[:, None] * inputs).flatten(0, 1)  # (r r, N)
    return (
        (lower.flatten(0, 1) @ squares.T).view(len(a), len(a), len(inputs), len(inputs)),
        mixed @ inputs.T,
        (second[:, :, None] * each) @ each.T,
    )


class Subspace:
    """T (m, m'), orthonormal columns."""

    def times(self, columns: Tensor) -> Tensor:
        """Return T X: (m, k) of ``columns`` X (m', k)."""
        raise NotImplementedError

    def transposed(self, columns: Tensor) -> Tensor:
        """Return Tᵀ X: (m', k) of ``columns`` X (m, k)."""
        raise NotImplementedError

    def restrict(self, vectors: Tensor) -> Tensor:
        """Return Tᵀ v: (…, m') of ``vectors`` (…, m)."""
        flat = vectors.reshape(-1, vectors.shape[-1])
        return self.transposed(flat.T).T.view(*vectors.shape[:-1], -1)

    def embed(self, vectors: Tensor) -> Tensor:
        """Return T c: (…, m) of ``vectors`` (…, m')."""
        flat = vectors.reshape(-1, vectors.shape[-1])
        return self.times(flat.T).T.view(*vectors.shape[:-1], -1)


@dataclass(frozen=True)
class UnitSubspace(Subspace):
    """T for one hidden layer.

    ``frames`` (J, r, r) are the Q of each hidden unit, ``classes`` E (C, C'), each None for the
    unit matrix.  ``first`` are the places that are left of the J r dimensions below the hidden
    units, rows of Qᵀ; ``above`` the units left of the J + 1 below the C ``outputs``.  T's columns
    are in that order, then by outputs and by units.
    """

    frames: Tensor | None
    classes: Tensor | None
    first: Tensor
    above: Tensor
    units: int
    rank: int
    outputs: int

    def times(self, columns):
        """Return T X."""
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
        """Return Tᵀ X."""
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


def reduced_matrix(network, loss, inputs: Tensor, y: Tensor) -> Callable | None:
    """Return M' (m', m') and its :class:`UnitSubspace` as a function of Sᵀ W (m,).

    It is None for a perceptron that has not one hidden layer: nothing is known of it beforehand.
    """
    if len(network.shapes) != 2:
        return None
    shapes = [(network.shapes[0][0], len(inputs)), network.shapes[1]]

    def function(params):
        below, above = (
            part.view(shape)
            for part, shape in zip(params.split([a * b for a, b in shapes]), shapes)
        )
        return _reduced(network, loss, below, above, inputs, y)

    return function


def _reduced(network, loss, below, above, inputs, y):
    a = network.activation.function(below @ inputs)  # (J, N)
    each = with_ones(a[None])[0]  # ã: (J + 1, N)
    slope = network.activation.pullback(torch.ones_like(a), a)
    output = above @ each  # (C, N)
    found = _directions(slope, each, inputs, outputs_seen(loss, output), len(output))
    root = loss.root(output)  # F: (C, k, N)
    # B Bᵀ would be more work than M of many samples
    if root[0].numel() > below.numel() + above.numel():
        whole = one_hidden(network, loss, (below, above), inputs, y)
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


def outputs_seen(loss, output: Tensor) -> Tensor | None:
    """Return E, an orthonormal basis across 1 in the space of C outputs, (C, C − 1).

    It is None where the loss sees 1, or there is nothing else.
    """
    return _across_ones(len(output)).to(output) if loss.shifts and len(output) > 1 else None


@lru_cache
def _across_ones(count):
    return across(torch.full((count, 1), count**-0.5, dtype=torch.float64))[:, :, 0]


def _directions(slope, each, inputs, classes, outputs):
    """Return the :class:`UnitSubspace` for φ' ``slope`` (J, N) and ã ``each`` (J + 1, N)."""
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
    return UnitSubspace(
        frames,
        classes,
        kept.flatten().nonzero()[:, 0],
        alive.nonzero()[:, 0],
        len(slope),
        rank,
        outputs,
    )


@dataclass(frozen=True)
class HeadSubspace(Subspace):
    """T = I ⊕ ``head``: ``below`` parameters as they are, ``head`` (q, m' − p) of the last."""

    below: int
    head: Tensor

    def times(self, columns):
        """Return T X."""
        return torch.cat([columns[: self.below], self.head @ columns[self.below :]])

    def transposed(self, columns):
        """Return Tᵀ X."""
        return torch.cat([columns[: self.below], self.head.T @ columns[self.below :]])


def linear_head_matrix(network, loss, x: Tensor, y: Tensor) -> Callable | None:
    """Return TᵀHT (m', m') and T, a :class:`HeadSubspace`, as a function of the parameters (P,).

    It is for the batch ``x`` (N, …), ``y``; None for a network that is not a
    :class:`torch.nn.Sequential` with a plain ``Linear`` layer at its end, whose parameters no other
    layer shares, and for a loss whose second derivative is not known.
    """
    last = _head(network) if hasattr(loss, "curve") else None
    if last is None:
        return None
    outputs, features = last.weight.shape
    body, below = copy.deepcopy(network.template[:-1]), network.count - outputs * (features + 1)

    names = [name for name, _ in body.named_parameters()]

    def function(params):
        theta, weights = params[:below], params[below:]
        parts = network.unpack(params)
        # (N, f)
        seen = functional_call(body, {name: parts[name] for name in names if name in parts}, (x,))
        layer = torch.cat(
            [
                weights[: outputs * features].view(outputs, features),
                weights[outputs * features :, None],
            ],
            1,
        )
        output = layer @ gradients.with_ones(seen.T[None])[0]  # (C, N)
        rows = params.new_zeros(0, network.count)  # nothing below the last layer is trained
        if below:
            units = torch.eye(below, dtype=params.dtype, device=params.device)
            # (p, P)
            rows = vmap(
                lambda v: directional(lambda t: grad(objective)(torch.cat([t, weights])), theta, v)[
                    1
                ]
            )(units)
        if not bool(rows.isfinite().all() & output.isfinite().all()):
            raise FloatingPointError(
                "the Hessian is not finite: the loss overflows at these parameters, "
                "and there is no spectrum"
            )
        return _assembled(loss, seen, output, rows, below)

    def objective(params):
        return loss.value(network.forward(params, x), y)

    return function


def _assembled(loss, seen, output, rows, below):
    outputs, features = len(output), seen.shape[1]
    frame, inner = frame_of(seen)  # Q (f + 1, r), Qᵀ ã (r, N)
    basis = outputs_seen(loss, output)  # E (C, C')
    basis = torch.eye(outputs, dtype=seen.dtype, device=seen.device) if basis is None else basis
    bent = loss.weight(seen.shape[0]) * loss.curve(
        output.expand(basis.shape[1], -1, -1), basis.T[:, :, None].expand(-1, -1, output.shape[1])
    )
    inside = torch.einsum("ecn,cd->edn", bent, basis)  # Eᵀ L'' E (C', C', N)
    curved = torch.einsum("edn,rn,sn->erds", inside, inner, inner)
    curved = curved.flatten(2).flatten(0, 1)  # D
    reached = torch.einsum("ce,fr->cfer", basis, frame).flatten(2)  # (C, f + 1, C' r)
    # In the order of a Linear layer: all weights, then all biases.
    reached = torch.cat([reached[:, :features].flatten(0, 1), reached[:, features]])  # E ⊗ Q
    mixed = rows[:, below:].T  # X (q, p)
    lower = reached.T @ mixed  # B
    further, sizes, turned = torch.linalg.svd(mixed - reached @ lower, full_matrices=False)
    # What rounding leaves of X is no direction of it.
    left = sizes > torch.linalg.matrix_norm(mixed) * max(mixed.shape) * torch.finfo(sizes.dtype).eps
    further, rest = further[:, left], (sizes[:, None] * turned)[left]  # R, s Wᵀ
    between = torch.cat([lower, rest])
    upper = torch.block_diag(curved, rest.new_zeros(len(rest), len(rest)))
    top = rows[:, :below]
    matrix = torch.cat(
        [
            torch.cat([(top + top.T) / 2, between.T], 1),
            torch.cat([between, (upper + upper.T) / 2], 1),
        ]
    )
    return matrix, HeadSubspace(below, torch.cat([reached, further], 1))


def _head(network):
    """Return the last layer of a network that :func:`linear_head_matrix` takes; else None."""
    module = getattr(network, "template", None)
    if (
        type(module) is not nn.Sequential
        or len(module) < 2
        or type(module[-1]) is not nn.Linear
        or module[-1].bias is None
    ):
        return None
    name, names = list(module._modules)[-1], list(network.shapes)
    changed = any(
        part._forward_hooks or part._forward_pre_hooks or "forward" in vars(part)
        for part in (module, module[-1])
    )
    return module[-1] if names[-2:] == [f"{name}.weight", f"{name}.bias"] and not changed else None
