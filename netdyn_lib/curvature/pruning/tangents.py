"""The derivative of pruned descent, and what theorem 2.2 says of it.

The step is W − γ P(W) g(W), P = I − Σ v_i v_iᵀ over the pruned directions i ∈ A of H(W).  Its
derivative along δ is

    J δ = δ − γ [P H δ + (∂P[δ]) g].

Theorem 2.2 prints Y ← (I − γ P) Y (H, eq. 12).  That is no derivative of this step: H is missing,
and with it the units of curvature.  Three maps are to be told apart:

*   I − γP, as printed, takes the same share γ off all that is kept, whatever the curvature.
*   I − γPH, with P held fixed.  It is symmetric, for P and H commute, and has eigenvalues 1 on A and
    1 − γλ elsewhere; where A is all that is chaotic no perturbation grows, and nor does it in
    products of such.  It is the derivative where ∂P = 0 or g = 0: for a quadratic loss, and at a
    stationary point.
*   The true one.  First-order perturbation theory of the projector on A (Kato, Perturbation Theory for Linear Operators, II.2) gives

        ∂P[δ] = −Σ_{i ∈ A, j ∉ A} (v_jᵀ ∂H[δ] v_i)/(λ_i − λ_j) (v_j v_iᵀ + v_i v_jᵀ),

    of third derivatives of the loss.  It is not symmetric, has parts along A, and may expand, at
    any rate γ: for L = φ(r), φ' < 0 < φ'', the tangential direction is the chaotic one, with λ =
    φ'/r, the gradient has no part along it, and pruning changes nothing; the derivative there is 1
    − γλ > 1, as without. So the theorem's guarantee, no orbits that diverge exponentially, does not
    follow, and mini-batches that take turns give counterexamples.

The map itself jumps where an eigenvalue crosses the bound of its class, as λ = 0 or 2/γ, if the
gradient has a part along it; J holds between such jumps, and grows as 1/(λ_i − λ_j) towards a
crossing with an eigenvalue that is kept.

All of this takes place in the range of the batch's Hessian, for ∂H lies there too
(:mod:`netdyn_lib.curvature.batch_frames`): m dimensions instead of P.  Nor do j count that are left
out of these for being exactly 0 (:mod:`netdyn_lib.curvature.batch_frames`): T is locally constant, so
∂M = T ∂M' Tᵀ has no part there, and v_jᵀ ∂H v_i = 0.
"""

import torch

from ...tasks import gradients
from .. import batch_hessian
from ..jacobian import StochasticDescent
from .rules import named, pruned

_TOGETHER = 2**23  # entries of derivatives of the Hessian that are formed together: 64 MiB


def derivative(local, gradient, directions, learning_rate, rule="chaotic", found=None):
    """Derivatives of the pruned gradient P(W) g(W), P H δ + (∂P[δ]) g, along ``directions`` δ (k,
    P): (k, P).

    Parameters
    ----------
    local : netdyn_lib.curvature.batch_hessian.Local
        The batch's Hessian around W.
    gradient : torch.Tensor
        g (P,) there.
    directions : torch.Tensor
    learning_rate : float
        γ, which decides what is chaotic.
    rule : str or Rule
        One that is a projection on eigenvectors: not ``elsewhere``, ``restore``, or random.
    found : netdyn_lib.curvature.batch_hessian.LowRank, optional
        The Hessian's spectrum, where it is known already.

    Raises
    ------
    ValueError
        For another rule; as :func:`netdyn_lib.curvature.batch_hessian.classes`.

    Where a pruned eigenvalue equals one that is kept the derivative does not exist; the result is
    then not finite, or very large.
    """
    rule = named(rule)
    if rule.elsewhere or rule.restore or (rule.chosen == "random" and rule.count is not None):
        raise ValueError(
            f"{rule}: what draws random numbers or restores lengths has no derivative here; take a projection on eigenvectors"
        )
    found = local.spectrum() if found is None else found
    curved = found.product(directions)
    mask = rule.mask(found.values, learning_rate, None)
    if not mask.any():
        return curved
    mask = torch.from_numpy(mask).to(found.basis.device)
    values, basis = torch.as_tensor(found.values).to(found.basis), found.basis
    gone, kept = basis[:, mask], basis[:, ~mask]  # (m, a), (m, b), a + b = m'
    coefficients = found.project(gradient)
    gaps = values[mask] - values[~mask, None]  # λ_i − λ_j: (b, a)
    moved = found.project(curved) * ~mask  # P H δ: (k, m')
    turned = []
    for some in directions.split(max(1, _TOGETHER // len(values) ** 2)):
        mixed = kept.T @ local.changes(some) @ gone / gaps  # (k, b, a)
        part = torch.empty(len(some), len(values)).to(basis)
        part[:, ~mask] = mixed @ coefficients[mask]
        part[:, mask] = mixed.transpose(1, 2) @ coefficients[~mask]
        turned.append(part)
    return found.expand(moved - torch.cat(turned))


class PrunedDescent(StochasticDescent):
    """Advance of pruned descent by mini-batches: its true tangent map, as the module says, without
    momentum.

    Takes a ``rule`` as :func:`derivative` does; otherwise a
    :class:`~netdyn_lib.curvature.jacobian.StochasticDescent`.  A step takes as long as some 7 ms
    for each tangent vector at 5,350 parameters.  ``fixed`` leaves ∂P out: the map I − γPH.
    """

    def __init__(self, task, rates, batch, rule="chaotic", seed=0, fixed=False):
        super().__init__(task, rates, batch, seed)
        self.rule, self.fixed = named(rule), fixed

    def _step(self, part, params, frame, rate):
        gradient = gradients.of(part)(params[None])[0]
        local = batch_hessian.around(part, params)
        found = local.spectrum()
        left = pruned(gradient, found, rate, self.rule)
        if self.fixed:
            keep = torch.from_numpy(~self.rule.mask(found.values, rate, None) * found.values).to(
                frame
            )
            return left, found.expand(found.project(frame.T) * keep).T
        return left, derivative(local, gradient, frame.T, rate, self.rule, found).T
