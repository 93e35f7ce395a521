"""What spectra of exponents say: dimension, zeros, degeneracies."""

import numpy as np


def kaplan_yorke(exponents):
    """Kaplan–Yorke dimension D = j + (λ_1 + … + λ_j)/|λ_{j+1}|, j the most exponents whose sum is
    not negative.

    Takes (…, P) in any order and returns (…), 0 where all exponents are negative (Kaplan &
    Yorke, Lecture Notes in Mathematics 730, 204, 1979).  NaN where it is undefined: the sum of
    all is positive (volumes grow, or exponents are missing), or one is NaN.

    >>> round(float(kaplan_yorke([0.906, 0.0, -14.572])), 4)
    2.0622
    """
    ordered = _descending(exponents)
    # (…, P + 1)
    sums = np.concatenate([np.zeros_like(ordered[..., :1]), np.cumsum(ordered, -1)], -1)
    # Where the sum of all is zero, the formula with j = P − 1 is its limit P.
    j = np.clip((sums >= 0).sum(-1) - 1, 0, ordered.shape[-1] - 1)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        dimension = j + np.take_along_axis(sums, j, -1) / np.abs(np.take_along_axis(ordered, j, -1))
    return np.where(
        sums[..., -1] <= 0,
        np.where((ordered == 0).all(-1), ordered.shape[-1], dimension[..., 0]),
        np.nan,
    )


def near_zero(exponents, within):
    """How many of the exponents (…, P) are 0 to ``within``: (…), as floats, NaN where one of them
    is NaN.
    """
    exponents = np.asarray(exponents, float)
    return np.where(
        np.isnan(exponents).any(-1), np.nan, (np.abs(exponents) <= _distance(within)).sum(-1)
    )


def degenerate(exponents, within):
    """Which neighbours of the exponents (…, P), sorted descending, are no more than ``within``
    apart: (…, P − 1) bool.

    Their single vectors are undetermined, only the subspace they span is.
    True too where it is unknown, next to NaN or between two of −inf.
    """
    ordered = _descending(exponents)
    within = _distance(within)
    with np.errstate(invalid="ignore"):
        return ~(ordered[..., :-1] - ordered[..., 1:] > within)


def _descending(exponents):
    exponents = np.asarray(exponents, float)
    if exponents.ndim == 0 or exponents.shape[-1] == 0:
        raise ValueError(
            f"exponents of shape {exponents.shape}: expected (…, P), at least 1 exponent"
        )
    return -np.sort(-exponents, -1)


def _distance(within):
    if not (within >= 0 and np.isfinite(within)):
        raise ValueError(
            f"within = {within}: the distance of two exponents must be at least 0, and finite"
        )
    return within
