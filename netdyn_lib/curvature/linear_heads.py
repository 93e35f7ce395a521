"""Spectra of networks that end in a linear layer, from the dimensions below it and the few that a
batch reaches in it.

The outputs of N samples are z_b = V ã_b: V (C, f + 1) the last layer with its bias as last column,
ã_b the features of sample b with a 1 appended, functions of the p parameters θ below.  Then

    ∂²L/∂V∂V = Σ_b L''_b ⊗ ã_b ã_bᵀ,    L''_b = ∂²L/∂z_b∂z_b,

is known without differentiating twice, and p Hessian–vector products, along each parameter below,
give all the rest: A = ∂²L/∂θ∂θ and X = ∂²L/∂V∂θ.

The Hessian is 0 beyond θ, the span of E ⊗ Q, and that of the columns of X.  The columns of Q (f +
1, r) are an orthonormal basis of the span of the ã_b, those of E (C, C') one of all outputs, or of
those across (1, …, 1) where the loss does not see that (:mod:`netdyn_lib.curvature.narrowing`).
With (I − E Eᵀ ⊗ Q Qᵀ) X = R diag(s) Wᵀ, the columns of T = I ⊕ (E ⊗ Q, R) are orthonormal, and

             | A      Bᵀ  W s |
    TᵀHT =   | B      D   0   | ,    B = (E ⊗ Q)ᵀ X,    D = Σ_b Eᵀ L''_b E ⊗ Qᵀ ã_b ã_bᵀ Q,
             | s Wᵀ   0   0   |

of m' ≤ 2p + C'r dimensions.  The gradient, Σ_b ∂L/∂z_b ⊗ ã_b in V, has no part outside.
"""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from ..tasks import gradients
from ..tasks.derivatives import directional
from . import batch_frames, narrowing


@dataclass(frozen=True)
class Reach:
    """T (m, m') = I ⊕ ``head``, orthonormal columns: ``below`` parameters as they are, and ``head``
    (q, m' − p) of those of the last layer.
    """

    below: int
    head: torch.Tensor

    def times(self, columns):
        """T X: (m, k) of ``columns`` X (m', k)."""
        return torch.cat([columns[: self.below], self.head @ columns[self.below :]])

    def transposed(self, columns):
        """Tᵀ X: (m', k) of ``columns`` X (m, k)."""
        return torch.cat([columns[: self.below], self.head.T @ columns[self.below :]])

    def restrict(self, vectors):
        """Tᵀ v: (…, m') of ``vectors`` (…, m)."""
        return torch.cat([vectors[..., : self.below], vectors[..., self.below :] @ self.head], -1)

    def embed(self, vectors):
        """T c: (…, m) of ``vectors`` (…, m')."""
        return torch.cat([vectors[..., : self.below], vectors[..., self.below :] @ self.head.T], -1)


def matrix_of(network, loss, x, y):
    """TᵀHT (m', m') and T, a :class:`Reach`, as a function of the parameters (P,), for the batch
    ``x`` (N, …), ``y``.

    None for a network that is not a :class:`torch.nn.Sequential` with a plain ``Linear`` layer at
    its end, whose parameters no other layer shares, and for a loss whose second derivative is not
    known.
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
                "the Hessian is not finite: the loss overflows at these parameters, and there is no spectrum"
            )
        return _assembled(loss, seen, output, rows, below)

    def objective(params):
        return loss.value(network.forward(params, x), y)

    return function


def _assembled(loss, seen, output, rows, below):
    outputs, features = len(output), seen.shape[1]
    frame, inner = batch_frames.frame_of(seen)  # Q (f + 1, r), Qᵀ ã (r, N)
    basis = narrowing.outputs_seen(loss, output)  # E (C, C')
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
    # What rounding alone leaves of X is no direction of it.
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
    return matrix, Reach(below, torch.cat([reached, further], 1))


def _head(network):
    """The last layer of a network that is as :func:`matrix_of` needs it; else None."""
    module = getattr(network, "_module", None)
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
