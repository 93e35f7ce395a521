"""Which measured time is meant by a time asked for."""

import numpy as np

#: How far from the time asked for a measured one may be, as a share of it.
NEAR = 0.2


def place(data, time):
    """Index of the measured time of a dataset nearest to ``time``.

    Raises ValueError where none is within :data:`NEAR` of it; the message says which there are.
    """
    times = data["time"].values
    where = int(np.argmin(np.abs(times - time)))
    if not abs(times[where] - time) <= NEAR * time:
        raise ValueError(
            f"time = {time:g}: nothing was measured within {NEAR:.0%} of it, but at {', '.join(f'{t:g}' for t in times)}"
        )
    return where


def at(data, time):
    """A dataset at its measured time nearest to ``time``; ValueError as of :func:`place`."""
    return data.isel(time=place(data, time))
