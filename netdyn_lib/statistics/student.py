"""Student's t interval of a mean, for a few values of which some may be unknown."""

import numpy as np

from .intervals import Interval, real_array, student_interval


def student(values, level=0.95):
    """Mean of independent values (n,) and its t interval; NaN are left out.

    The bounds are NaN for fewer than five known values, the mean as well for none.

    >>> print(student([1.0, 2.0, np.nan, 3.0]))
    2 (no interval: n = 3 values, 5 needed)
    """
    values = real_array(values, "values")
    known = values[~np.isnan(values)]
    if not len(known):
        return Interval(np.nan, np.nan, np.nan, level, 0)
    return student_interval(known, level)
