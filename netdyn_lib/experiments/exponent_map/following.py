"""Networks and one tangent vector each, followed over many learning rates at once.

:func:`plain` takes any task by the library's closed form.  :func:`compiled` takes perceptrons of
one sigmoid hidden layer under cross-entropy by ``descent.c``, in a seventh of the time on one core
(Iris); it needs a C compiler, ``cc``.  The two agree to rounding, which chaos amplifies.
"""

import ctypes
import functools
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...tasks import gradients

_LANES = 4  # networks in one vector of the processor
_TOGETHER = 64  # networks in a product of the plain way


@dataclass(frozen=True)
class Followed:
    """What was seen of n networks: ``growth`` ln(|v(T)|/|v(0)|) (n,), the mean training ``loss``
    of the T weights that were stepped from, (n,), and the weights and the tangent vector of
    length 1 after the last step, (n, P).
    """

    growth: np.ndarray
    loss: np.ndarray
    params: np.ndarray
    vectors: np.ndarray


def plain(task, params, vectors, rates, epochs):
    """Follow networks (n, P) and tangent vectors (n, P) at their learning rates (n,).

    Vectors are renormalised at every step, in the Euclidean norm (Benettin et al., 1980).
    """
    gradient, parts = gradients.of(task), []
    every = [torch.as_tensor(a, dtype=torch.float64) for a in (params, vectors, rates)]
    with torch.no_grad():
        for w, v, rate in zip(*(a.split(_TOGETHER) for a in every)):
            growth, loss = torch.zeros(len(w)).double(), torch.zeros(len(w)).double()
            for _ in range(epochs):
                point = gradient.at(w)
                loss += point.losses
                w, v = w - rate[:, None] * point.gradient, v - rate[:, None] * point.product(v)
                length = torch.linalg.vector_norm(v, dim=1)
                growth, v = growth + length.log(), v / length[:, None]
            parts.append([a.numpy() for a in (growth, loss / epochs, w, v)])
    return Followed(*(np.concatenate(a) for a in zip(*parts)))


def compiled(task, params, vectors, rates, epochs):
    """Return what :func:`plain` does, by ``descent.c``.

    Raises
    ------
    ValueError
        For another network, loss or penalty than the code is of.
    RuntimeError
        Where there is no C compiler, or it fails; the message says what it said.
    """
    sizes = getattr(task.network, "sizes", ())
    known = len(sizes) == 3 and task.network.activation.name == "sigmoid"
    if not known or type(task.loss).__name__ != "CrossEntropy" or task.weight_decay:
        raise ValueError(
            f"{task.network!r} under {type(task.loss).__name__}, weight decay {task.weight_decay}: "
            "descent.c is of one sigmoid hidden layer under CrossEntropy, without decay"
        )
    count, rows = len(params), -(-len(params) // _LANES)

    def packed(values):  # (n, …) → (groups, …, lanes), the last network repeated
        values = np.asarray(values, dtype=float)
        more = np.repeat(values[-1:], rows * _LANES - count, 0)
        values = np.concatenate([values, more]).reshape(rows, _LANES, *values.shape[1:])
        return np.ascontiguousarray(np.moveaxis(values, 1, -1))

    def unpacked(values):
        values = np.moveaxis(values, -1, 1)
        return np.ascontiguousarray(values.reshape(-1, *values.shape[2:])[:count])

    x, y = task.x.numpy().reshape(len(task.x), -1), task.y.numpy().astype(np.intc)
    x = np.ascontiguousarray(np.hstack([x, np.ones((len(x), 1))]))
    w, v, rate = packed(params), packed(vectors), packed(rates)
    growth, loss = np.zeros_like(rate), np.zeros_like(rate)
    whole = (ctypes.c_long(k) for k in (rows, epochs, len(x)))
    _library(*sizes)(*whole, *(a.ctypes.data_as(ctypes.c_void_p) for a in (x, y, w, v, rate)),
                     *(a.ctypes.data_as(ctypes.c_void_p) for a in (growth, loss)))  # fmt: skip
    return Followed(unpacked(growth), unpacked(loss) / epochs, unpacked(w), unpacked(v))


@functools.cache
def _library(inputs, hidden, classes):
    """The function ``follow`` of ``descent.c``, compiled for sizes of layers."""
    sizes = dict(D=inputs, J=hidden, C=classes, LANES=_LANES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "descent.so"
        call = [
            "cc",
            "-O3",
            "-march=native",
            "-fno-trapping-math",
            "-shared",
            "-fPIC",
            "-o",
            str(path),
        ]
        call += [f"-D{name}={size}" for name, size in sizes.items()]
        call += [str(Path(__file__).with_name("descent.c")), "-lm"]
        try:
            done = subprocess.run(call, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise RuntimeError(f"no C compiler ({error}): take compiled=False") from error
        if done.returncode:
            raise RuntimeError(f"cc could not compile descent.c: {done.stderr.strip()[:500]}")
        return ctypes.CDLL(str(path)).follow
