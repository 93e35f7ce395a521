"""How curves settle: monotone or not, at what rate, and whether that rate is constant.

Time runs along the first axis.
"""

import numpy as np

from ..validation import whole


def _several(values, name):
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        raise ValueError(f"{name} has {len(values)} epochs: nothing to compare with fewer than 2")
    return values


def _finite(values, name):
    values = _several(values, name)
    if not np.isfinite(values).all():
        first = tuple(np.argwhere(~np.isfinite(values))[0])
        raise ValueError(
            f"{name} holds {values[first]} from epoch {first[0]}, NaN or infinite: the network diverged; "
            "leave it out (Record.alive) or shorten the curve"
        )
    return values


def non_increasing(curves, rounding=1e-13):
    """Which curves never rise, s(t + 1) ≤ s(t) (1 + ``rounding``): (…) bool from (T, …) positive
    values.

    A curve with NaN or infinite values, a network that diverged, is not one of
    them.  Raises ValueError for fewer than 2 epochs.
    """
    curves = _several(curves, "curves")
    with np.errstate(invalid="ignore"):
        return np.isfinite(curves).all(0) & (curves[1:] <= curves[:-1] * (1 + rounding)).all(0)


def turns(curves):
    """Which curves both rise and fall: (…) bool from (T, …).

    Raises ValueError for NaN or infinite values.
    """
    steps = np.diff(_finite(curves, "curves"), axis=0)
    return (steps > 0).any(0) & (steps < 0).any(0)


def decay_rate(epochs, curves, start, stop):
    """Rate γ of s ∝ exp(−γ t) over ``start`` ≤ epoch ≤ ``stop``: (…) from (T, …) positive values.

    Ordinary least squares on ln s; negative where the curve grows.

    Raises
    ------
    ValueError
        For fewer than 2 observations in the window, or values that are not
        positive and finite.
    """
    curves = _finite(curves, "curves")
    epochs = np.asarray(epochs)
    inside = (epochs >= start) & (epochs <= stop)
    if inside.sum() < 2:
        raise ValueError(
            f"epochs {start} to {stop} hold {inside.sum()} observations; a rate needs 2"
        )
    if (curves <= 0).any():
        raise ValueError("a decay rate needs positive values: a curve reaches zero")
    t = epochs[inside] - epochs[inside].mean()
    y = np.log(curves[inside])
    return -(t.reshape(-1, *[1] * (y.ndim - 1)) * y).sum(0) / (t**2).sum()


def log_epochs(last, count, include=()):
    """About ``count`` different whole epochs from 0 to ``last``, evenly spaced in the logarithm of
    1 + t, and those to ``include``.

    >>> log_epochs(1000, 5).tolist()
    [0, 5, 31, 177, 1000]
    """
    last, count = whole(last, "last"), whole(count, "count", 1)
    return np.union1d(
        np.round(np.geomspace(1, last + 1, count) - 1).astype(int), np.asarray(include, dtype=int)
    )


def with_successors(epochs):
    """The epochs and those that follow them, each once, in order.

    >>> with_successors([0, 1, 5]).tolist()
    [0, 1, 2, 5, 6]
    """
    epochs = np.asarray(epochs)
    return np.union1d(epochs, epochs + 1)


def two_epoch_mean(observed, values, epochs):
    """Mean of a curve over each of some epochs and the next: evens out a zigzag of period two.

    ``values`` (T, …) were observed at the epochs ``observed`` (T,), in order,
    and these hold every t and t + 1 for t in ``epochs`` (k,); the result is
    (k, …).

    Raises
    ------
    ValueError
        For an epoch that was not observed.
    """
    observed, epochs, values = np.asarray(observed), np.asarray(epochs), np.asarray(values)
    absent = np.setdiff1d(with_successors(epochs), observed)
    if len(absent):
        raise ValueError(f"epoch {absent[0]} was not observed: observe at with_successors(epochs)")
    rows = np.searchsorted(observed, epochs)
    return (values[rows] + values[rows + 1]) / 2
