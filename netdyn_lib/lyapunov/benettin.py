"""Lyapunov exponents by QR: Benettin's method.

A frame Q of k tangent vectors is carried along a trajectory and made orthonormal again,
J(t) Q(t) = Q(t + 1) R(t).  The means of ln R_ii are the k largest exponents (Benettin, Galgani,
Giorgilli & Strelcyn, Meccanica 15, 9 and 21, 1980; Geist, Parlitz & Lauterborn, Prog. Theor. Phys.
83, 875, 1990).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..results.datasets import to_netcdf
from ..validation import positive, whole
from . import convergence
from .qr import Walk, chunked, orthonormalise, shown, start_frame, states, timetable
from .tangent_maps import TangentMap

_BLOCK = 256  # R's whose logarithms are taken together


@dataclass(frozen=True)
class Spectrum:
    """Growth along k directions of each of n trajectories, of P numbers each.

    ``times`` (T,) are steps, 0 the first of them; ``log_growth`` (T, n, k) is Σ ln R_ii up to each;
    ``frame`` (n, P, k) the orthonormal Q after the last step, ``final`` (n, P) the states there.
    ``diverged_at`` (n,) is the first step with a state or a tangent vector that is not finite, −1
    for never: growth is NaN from there on.  ``singular_at`` (n,) is the first step at which an R
    had a zero on its diagonal, −1 for never: growth along that direction is −inf from there on.  A
    J that is singular only up to rounding gives R_ii near 1e-16 instead.
    """

    times: np.ndarray
    log_growth: np.ndarray
    frame: Tensor
    final: Tensor
    diverged_at: np.ndarray
    singular_at: np.ndarray

    def exponents(self, start: int = 0, stop: int | None = None, dt: float = 1.0) -> np.ndarray:
        """Return (log_growth(stop) − log_growth(start))/((stop − start) dt), (n, k).

        ``start`` and ``stop`` are steps that were kept, ``stop`` the last of them by default;
        ``dt`` is the time of a step.  A start past a transient leaves the transient out.  A
        direction that was lost before ``start`` has NaN.
        """
        stop = int(self.times[-1]) if stop is None else stop
        a, b = self._index(start), self._index(stop)
        if a >= b:
            raise ValueError(f"window {start}–{stop}: must have a length")
        time = (stop - start) * positive(dt, "dt", "the time of a step")
        with np.errstate(invalid="ignore"):  # −inf less −inf
            return (self.log_growth[b] - self.log_growth[a]) / time

    def rates(self, start: int = 0, stop: int | None = None, dt: float = 1.0) -> np.ndarray:
        """Return growth per unit of time in each stretch that was kept, (T', n, k).

        Their mean is :meth:`exponents`.  Raises ValueError for stretches of different lengths.
        """
        first, last = self._index(start), self._index(int(self.times[-1]) if stop is None else stop)
        steps = np.diff(self.times[first : last + 1])
        if not len(steps) or (steps != steps[0]).any():
            few = np.array2string(np.unique(steps), threshold=8)
            raise ValueError(
                f"stretches of {few} steps between those kept: expected one length, of at least 1 "
                "(leave `at` out, or space it evenly)"
            )
        time = steps[0] * positive(dt, "dt", "the time of a step")
        with np.errstate(invalid="ignore"):
            return np.diff(self.log_growth[first : last + 1], axis=0) / time

    def convergence(self, start: int = 0, stop: int | None = None, dt: float = 1.0, **options):
        """Return how sure :meth:`exponents` are, and whether they have converged, (n, k).

        A :class:`~netdyn_lib.lyapunov.convergence.Convergence` of :meth:`rates`, whose blocks are
        counted in stretches; ``options`` are those of
        :func:`~netdyn_lib.lyapunov.convergence.assess`.
        """
        return convergence.assess(self.rates(start, stop, dt), **options)

    def to_dataset(self) -> xr.Dataset:
        """Return all of it as labelled arrays, of ``time``, ``init``, ``parameter``, ``index``."""
        variables = {
            "log_growth": (("time", "init", "index"), self.log_growth),
            "frame": (("init", "parameter", "index"), self.frame.cpu().numpy()),
            "final": (("init", "parameter"), self.final.cpu().numpy()),
            "diverged_at": ("init", self.diverged_at),
            "singular_at": ("init", self.singular_at),
        }
        return xr.Dataset(variables, {"time": self.times})

    def to_netcdf(self, path) -> Path:
        """Write :meth:`to_dataset` as netCDF 3 (:func:`netdyn_lib.results.datasets.to_netcdf`)."""
        return to_netcdf(self.to_dataset(), path)

    def _index(self, step):
        found = np.flatnonzero(self.times == step)
        if not len(found):
            few = np.array2string(self.times, threshold=8, edgeitems=3, separator=", ")
            raise ValueError(
                f"step {step} was not kept: steps kept are {few[1:-1]} (name it in `at`)"
            )
        return found[0]


def spectrum(
    advance: TangentMap,
    params: Tensor,
    steps: int,
    frame: int | Tensor | None = None,
    *,
    interval: int = 1,
    at: Sequence[int] | None = None,
    progress: bool | None = None,
    stop: Callable[[], bool] | None = None,
) -> Spectrum:
    """Return the Lyapunov exponents of the trajectories of a map, by Benettin's method.

    Parameters
    ----------
    advance : callable
        (W, V) ↦ (F(W), J(W) V), W (n, P) and V (n, P, k), of
        :mod:`netdyn_lib.lyapunov.tangent_maps`.  With a keyword ``rows``, trajectories go in
        chunks.
    params : torch.Tensor
        (n, P) initial conditions.
    steps : int
    frame : int or torch.Tensor, optional
        k, the number of exponents, all P by default: Q₀ is then ``random_orthogonal(P, k)``, the
        same for all trajectories.  Or Q₀ itself, (P, k) or (n, P, k).
    interval : int
        Steps between QR decompositions.
    at : sequence of int, optional
        Steps at which to keep growth, and 0 in any case; a decomposition is done at each.  By
        default those of every decomposition.
    progress : bool, optional
        Show a progress bar; by default on a terminal only.
    stop : callable, optional
        Asked before every step; where it returns true, the run ends with
        :class:`~netdyn_lib.torch_utils.Stopped`.
    """
    params, steps = states(params), whole(steps, "steps")
    q0 = start_frame(params, frame)
    marks, kept = timetable(steps, whole(interval, "interval", 1), at)
    kept = np.union1d([0], kept)

    def follow(step, part):
        q, walk = q0[part], Walk(step, params[part])
        diagonals, logs, total = [], [np.zeros(q.shape[::2])], 0.0
        lost, nan = np.full(len(q), -1), np.full(len(q), -1)
        for i, mark in enumerate(marks):
            q, r = orthonormalise(walk.to(mark, q))
            diagonals.append(r.diagonal(dim1=-2, dim2=-1))
            if len(diagonals) == _BLOCK or i == len(marks) - 1:
                these = marks[i + 1 - len(diagonals) : i + 1]
                seen = torch.stack(diagonals).cpu().numpy()  # (B, n, k)
                lost, nan = _first(lost, seen == 0, these), _first(nan, np.isnan(seen), these)
                with np.errstate(divide="ignore"):
                    sums = total + np.cumsum(np.log(seen), 0)
                logs.extend(sums[np.isin(these, kept)])
                total, diagonals = sums[-1], []
        return np.stack(logs), q, walk.params, walk.diverged(nan), lost

    parts = chunked(follow, advance, params, q0.shape[2], shown(steps, progress), stop)
    logs = np.concatenate([part[0] for part in parts], 1)
    gone, lost = (np.concatenate([part[k] for part in parts]) for k in (3, 4))
    logs[(gone >= 0) & (kept[:, None] >= gone)] = np.nan
    lost = np.where((gone >= 0) & (lost >= gone), -1, lost)
    q, final = (torch.cat([part[k] for part in parts]) for k in (1, 2))
    return Spectrum(kept, logs, q, final, gone, lost)


def _first(known, seen, marks):
    """Return the first mark with any entry ``seen`` (B, n, k), where none is ``known``: (n,)."""
    here = seen.any(-1)
    return np.where((known < 0) & here.any(0), marks[here.argmax(0)], known)
