"""Twins: networks that start a distance ε apart in a chosen direction, and learn from the same
batches.

A run is kept by :mod:`netdyn_lib.training.minibatches`; ``directions`` finds the initial perturbations
that grow or shrink most along it (H, §4.2), ``divergence`` follows twins, ``fits`` compares laws of
their distance, ``bounds`` the limits that exponents set, and ``independent`` is how far apart two
fresh networks are.
"""

from ...statistics.growth_laws import LAWS, Comparison, Fit, compare
from ...training.minibatches import Reference
from .bounds import Extremes, extremes, norm_bounds, share_within
from .directions import Directions, all_directions, contracting, leading, strategies
from .divergence import Divergence, diverge, follow
from .independent import Apart, independent

__all__ = [
    "LAWS",
    "Apart",
    "Comparison",
    "Directions",
    "Divergence",
    "Extremes",
    "Fit",
    "Reference",
    "all_directions",
    "compare",
    "contracting",
    "diverge",
    "extremes",
    "follow",
    "independent",
    "leading",
    "norm_bounds",
    "share_within",
    "strategies",
]
