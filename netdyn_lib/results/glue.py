"""Numbers of a notebook for its prose."""

import numpy as np


def glue_all(prefix, **values):
    """Glue numbers for the prose of a chapter, each as ``prefix-name``, without showing them.

    Without myst-nb, as outside the book, they are printed, for there is no prose to show them.

    Parameters
    ----------
    prefix : str
        Of the chapter, such as ``"edge"``.
    values : float, int, bool, str, or an interval
        By name; an underscore becomes a dash.  Of what has an ``estimate``, as an
        :class:`~netdyn_lib.statistics.intervals.Interval`, that is glued.

    Raises
    ------
    TypeError
        For what is no single number and no text.
    """
    try:
        from myst_nb import glue
    except ImportError:

        def glue(name, value, display):
            print(f"{name} = {value}")

    for name, value in values.items():
        value = getattr(value, "estimate", value)
        if not isinstance(value, str):
            if np.ndim(value) != 0:
                raise TypeError(f"{prefix}-{name}: {value!r} is no single number")
            value = np.asarray(value).item()  # np.float64(0.5) would be shown as such
        glue(f"{prefix}-{name.replace('_', '-')}", value, display=False)
