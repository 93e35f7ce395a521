"""Stochastic gradient descent without chosen eigendirections of the present mini-batch's Hessian.

    W(t + 1) = W(t) − γ (g − Σ_i v_i v_iᵀ g),   i over the directions that a rule prunes

(Herrmann, Granz and Landgraf, 2022, H: theorem 2.2, eq. 12).  Directions without
curvature are never pruned: those outside the range of a batch's Hessian hold no
part of its gradient (:mod:`netdyn_lib.curvature.batch_hessian`), neutral ones within it stay.

A :class:`Rule` says which.  :class:`PrunedSGD` is for a training loop in PyTorch,
:func:`step` the map, and :func:`run` follows ensembles and counts eigenvalues on the way.  The map's
derivative, and what theorem 2.2 says of it, are in :mod:`netdyn_lib.curvature.pruning.tangents`.
"""

from .descent import PrunedRun, run, step
from .optimizer import PrunedSGD
from .rules import RULES, Rule, named, pruned

__all__ = ["RULES", "PrunedRun", "PrunedSGD", "Rule", "named", "pruned", "run", "step"]
