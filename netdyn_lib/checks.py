"""Numbers and arrays that were given: what is needed of them, or one clear error."""

import math

import torch


def whole(value, name, least=0, most=None, cause=""):
    """``value`` as an int.

    Raises
    ------
    ValueError
        Where it is no whole number (NaN, infinite, 1.5, text) or outside
        ``least`` … ``most``; the message names value and bounds, and the ``cause``
        where one is given.

    >>> whole(20.0, "epochs")
    20
    >>> whole(float("nan"), "epochs")
    Traceback (most recent call last):
    ValueError: epochs = nan: must be a whole number, at least 0
    """
    try:
        number = int(value)
        exact = bool(number == value)
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact or number < least or (most is not None and number > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} = {value}: must be a whole number, {bounds}" + (f" ({cause})" if cause else ""))
    return number


def positive(value, name, meaning):
    """``value`` as a float; ValueError where it is not positive and finite.  ``meaning`` says in the message what it is."""
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} = {value}: {meaning} must be positive and finite")
    return float(value)


def finite(values, name, cause):
    """The tensor ``values`` itself; ValueError at its first entry that is NaN or infinite."""
    good = values.isfinite()
    if not bool(good.all()):
        index = tuple((~good).nonzero()[0].tolist())
        raise ValueError(f"{name} holds {values[index].item()} at {list(index)}, not finite: {cause}")
    return values


def double(values, what):
    """ValueError where ``values``, a tensor or a task, are of single precision, in which ``what`` is not computed."""
    if values.dtype != torch.float64:
        raise ValueError(f"numbers of {values.dtype}: {what} need torch.float64; a task goes back to it by task.to(dtype=torch.float64)")


def floats(values, device=None):
    """Anything like an array as a float64 tensor without a history of differentiation."""
    # One call: Python's numbers would pass through float32 on the way.
    return torch.as_tensor(values, dtype=torch.float64, device=device).detach()
