"""Numbers, arrays and packages that were given: what is needed of them, or one clear error."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def whole(value, name: str, least: int = 0, most: int | None = None, cause: str = "") -> int:
    """Return ``value`` as an int, from ``least`` to ``most``.

    Raises ValueError where it is no whole number (NaN, infinite, 1.5, text, True) or out of bounds;
    the message names value and bounds, and the ``cause`` where one is given.

    >>> whole(20.0, "epochs")
    20
    >>> whole(float("nan"), "epochs")
    Traceback (most recent call last):
    ValueError: epochs = nan: must be a whole number, at least 0
    """
    try:
        number = int(value)
        exact = bool(number == value) and not _truth(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        number, exact = 0, False
    if not exact or number < least or (most is not None and number > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        why = f" ({cause})" if cause else ""
        raise ValueError(f"{name} = {value}: must be a whole number, {bounds}{why}")
    return number


def positive(value, name: str, meaning: str) -> float:
    """Return ``value``, which is ``meaning``, as a float; ValueError unless positive and finite."""
    number = real(value)
    if not 0 < number < math.inf:
        raise ValueError(f"{name} = {value}: {meaning} must be positive and finite")
    return number


def real(value) -> float:
    """Return ``value`` as a float; NaN for what is no number, as text, True or None."""
    if isinstance(value, (str, bytes)) or _truth(value):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return math.nan


def _truth(value):
    return isinstance(value, bool) or str(getattr(value, "dtype", "")) in ("bool", "torch.bool")


def finite(values: torch.Tensor, name: str, cause: str) -> torch.Tensor:
    """Return the tensor itself; ValueError at its first entry that is NaN or infinite."""
    good = values.isfinite()
    if not bool(good.all()):
        index = tuple((~good).nonzero()[0].tolist())
        found = f"{values[index].item()} at {list(index)}"
        raise ValueError(f"{name} holds {found}, not finite: {cause}")
    return values


def double(values, what: str) -> None:
    """Raise ValueError where a tensor or a task is of single precision, too little for ``what``."""
    import torch  # slow to load, and one-dimensional maps need none of it

    if values.dtype != torch.float64:
        raise ValueError(
            f"numbers of {values.dtype}: {what} need torch.float64; a task goes back to it by "
            "task.to(dtype=torch.float64)"
        )


def numbers(values, name: str = "values", kinds: str = "biuf") -> torch.Tensor:
    """Return anything that ``numpy.asarray`` takes, as a tensor in memory of its own.

    Whole numbers and truth values become int64, all others float64. A tensor stays on its device.
    ``kinds`` are NumPy's letters for what may be given.  Raises ValueError for text, complex
    numbers, missing values, rows of different lengths, and what is no array.

    >>> numbers([[1, 2], [3, 4]])[::2].dtype
    torch.int64
    """
    import torch

    if isinstance(values, (list, tuple)) and values and all(map(torch.is_tensor, values)):
        if len({v.shape for v in values}) > 1:
            raise ValueError(f"{name} is a {type(values).__name__} of tensors of different shapes")
        values = torch.stack([v.detach() for v in values])
    if not torch.is_tensor(values):
        return torch.from_numpy(_array(values, name, kinds))
    odd = values.is_complex() or values.is_quantized or _truth(values) and "b" not in kinds
    if values.layout != torch.strided or odd:
        given = f"{values.dtype}, {values.layout}"
        raise ValueError(f"{name} is a tensor of {given}: expected real numbers, dense")
    kind = torch.float64 if values.is_floating_point() else torch.int64
    return values.detach().to(kind, memory_format=torch.contiguous_format, copy=True)


def _array(values, name, kinds):
    """A copy as an array of int64 or float64."""
    if np.ma.is_masked(values):
        raise ValueError(f"{name} is masked, values are missing: leave out those samples")
    try:
        array = np.asarray(values)
        array = np.asarray(array.tolist()) if array.dtype == object else array
    except Exception as error:  # whatever an object's own conversion raises
        raise ValueError(f"{name} is no array of numbers: {error}") from error
    kind = array.dtype.kind
    if kind not in kinds:
        odd = (v for v in array.flat if _truth(v) or not isinstance(v, (int, float, np.number)))
        cause = "; numpy.unique(y, return_inverse=True)[1] numbers classes" * (kind in "US")
        raise ValueError(
            f"{name} of {type(values).__name__} holds {next(odd, array)!s:.60}, "
            f"of {array.dtype}: expected real numbers{cause}"
        )
    return np.array(array, dtype=float if kind == "f" else np.int64, order="C")


def floats(values, device=None, name: str = "values") -> torch.Tensor:
    """Return anything like an array as a float64 tensor without a history of differentiation."""
    import torch

    # Not by way of torch alone: Python's numbers would pass through float32.
    plain = torch.is_tensor(values) and not _truth(values)
    held = values if plain else numbers(values, name, "iuf")
    return held.detach().to(device, torch.float64)


class MissingExtra(ImportError):
    """A part of the library needs packages that this installation lacks."""


def need(part: str, extra: str, *packages: str) -> None:
    """Raise :class:`MissingExtra` unless all packages are installed; nothing is imported.

    ``part`` is the module that needs them, ``extra`` the extra of this library that brings them.

    >>> need("a module", "book", "json")
    """
    missing = ", ".join(package for package in packages if not _there(package))
    if missing:
        raise MissingExtra(
            f"{part} needs {missing}, which a plain install of netdyn_lib leaves out: "
            f'pip install "netdyn_lib[{extra}]", or in a clone of the repository '
            f'pip install ".[{extra}]"'
        )


def _there(package):
    try:
        return find_spec(package) is not None
    except ImportError:
        return False
