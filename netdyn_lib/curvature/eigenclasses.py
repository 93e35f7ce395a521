"""Eigenvalues of a Hessian by what gradient descent does along them: chaotic, negative, positive,
neutral.
"""

from dataclasses import dataclass

import numpy as np

from ..validation import floats, positive

#: Eigenvalues of at most this share of the largest magnitude count as 0.  Rounding leaves 1e-15 of
#: it, and where a batch is learned to 1 − p = δ up to 1e-16/δ, for L'' is then a difference of
#: numbers that agree to δ.  Early in training nothing lies between 1e-15 and 1e-11; late, samples
#: that are learned leave true eigenvalues of all sizes down to rounding, and a count of signs
#: depends on this bound by some percent (the gradient's overlap does not).
ZERO = 1e-12


@dataclass(frozen=True)
class Classes:
    """Which eigenvalues are what, (m,) bool each: λ < −z, λ > z, |λ| ≤ z, and (1 − γλ)² > 1 of
    those that are not neutral.
    """

    chaotic: np.ndarray
    negative: np.ndarray
    positive: np.ndarray
    neutral: np.ndarray

    def counts(self):
        """How many of each, a dict by name."""
        return {name: int(mask.sum()) for name, mask in vars(self).items()}


def classes(values, learning_rate, zero=None):
    """Classes of eigenvalues at one learning rate γ.

    A direction is locally chaotic where |1 − γλ| > 1: for λ < 0 or λ > 2/γ (H, theorem 2.1).

    Parameters
    ----------
    values : array_like
        λ (m,).
    learning_rate : float
        γ.
    zero : float, optional
        z, up to which |λ| is neutral: what rounding alone leaves.  By default :data:`ZERO` times
        the largest |λ|.

    Raises
    ------
    ValueError
        For values or γ that are not finite, or γ or z that are negative.

    >>> classes([-1.0, 0.0, 1.0, 5.0], 0.5).counts()
    {'chaotic': 2, 'negative': 1, 'positive': 2, 'neutral': 1}
    """
    values, rate = np.asarray(values, dtype=float), positive(learning_rate, "learning_rate", "γ")
    if not np.isfinite(values).all():
        raise ValueError(
            "eigenvalues are not finite: the network diverged, and its directions have no class"
        )
    if zero is None:
        zero = ZERO * np.abs(values).max(initial=0.0)
    if not zero >= 0:
        raise ValueError(f"zero = {zero}: must be zero or positive (it bounds a magnitude)")
    neutral = np.abs(values) <= zero
    # As a bound on λ: (1 − γλ)² rounds to 1 for small |λ|.
    chaotic = ((values < 0) | (values > 2 / rate)) & ~neutral
    return Classes(chaotic, values < -zero, values > zero, neutral)


def overlap(coefficients, known):
    """Share of |gradient|² in each class, a dict by name; NaN for a gradient of zero.

    ``coefficients`` (m,) are the gradient's,
    :meth:`netdyn_lib.curvature.batch_hessian.LowRank.project`; ``known`` the :class:`Classes`.
    Negative, positive and neutral add up to 1.
    """
    squares = floats(coefficients, "cpu").square().numpy()
    total = squares.sum()
    return {
        name: float(squares[mask].sum() / total) if total > 0 else np.nan
        for name, mask in vars(known).items()
    }
