"""Student's t interval of a mean, for a few values: a bootstrap of three knows no tails."""

import numpy as np
from scipy import stats

from .resampling import Interval


def student(values, level=0.95):
    """Mean of independent values (n,) and its t interval; NaN are left out.  Bounds are NaN for fewer than two known values.

    >>> print(student([1.0, 2.0, 3.0]))
    2 [-0.484, 4.48]
    """
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return Interval(float(values.mean()) if len(values) else np.nan, np.nan, np.nan, level)
    middle, half = values.mean(), stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return Interval(float(middle), float(middle - half), float(middle + half), level)
