"""Lyapunov exponents and vectors of any differentiable map, and exponents fitted to distances.

:mod:`~netdyn_lib.lyapunov.tangent_maps` makes tangent maps and follows single tangent vectors,
:mod:`~netdyn_lib.lyapunov.benettin` computes exponents by QR, of which
:mod:`~netdyn_lib.lyapunov.convergence` says how sure they are and whether they have converged,
:mod:`~netdyn_lib.lyapunov.singular_values` by singular values,
:mod:`~netdyn_lib.lyapunov.covariant` covariant vectors, and
:mod:`~netdyn_lib.lyapunov.angles` the angles between them and the dimension of a spectrum.
:mod:`~netdyn_lib.lyapunov.growth_fits` fits exponents to distances between perturbed copies, and
:mod:`~netdyn_lib.lyapunov.linear_regime` finds where such distances leave tangent space.
"""

from .tangent_maps import Growth, Rows, by_derivative, growth, mean_growth, random_directions

__all__ = ["Growth", "Rows", "by_derivative", "growth", "mean_growth", "random_directions"]
