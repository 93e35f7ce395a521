"""Tangent dynamics of a map: how infinitesimal perturbations grow, and in which directions.

``perturbations`` follows single vectors; ``operators`` make the tangent map of any map,
``benettin`` its Lyapunov exponents by QR, ``singular`` by singular values,
``covariant`` its covariant Lyapunov vectors by Ginelli's method and ``frozen_future``
without a future, ``angles`` what lies between them; ``dimensions`` reads a spectrum,
``stochastic`` makes the maps of mini-batches and of momentum; ``spectra``, ``neutral``,
``intermittent`` and ``leading`` look at networks with all this.
"""

from .tangent_vectors import Growth, Rows, by_derivative, growth, mean_growth, random_directions

__all__ = ["Growth", "Rows", "by_derivative", "growth", "mean_growth", "random_directions"]
