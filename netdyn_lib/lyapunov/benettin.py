"""Lyapunov exponents by QR: Benettin's method.

A frame Q of k tangent vectors is carried along a trajectory and made
orthonormal again, J(t) Q(t) = Q(t + 1) R(t).  The means of ln R_ii are the k
largest exponents (Benettin, Galgani, Giorgilli & Strelcyn, Meccanica 15, 9 and 21,
1980; Geist, Parlitz & Lauterborn, Prog. Theor. Phys. 83, 875, 1990).
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..validation import positive, whole
from .qr import chunked, orthonormalise, start_frame, states, timetable

_BLOCK = 256  # R's whose logarithms are taken together


@dataclass(frozen=True)
class Spectrum:
    """Growth along k directions of each of n trajectories, of P numbers each.

    ``times`` (T,) are steps after the transient, 0 the first of them;
    ``log_growth`` (T, n, k) is Σ ln R_ii up to each; ``frame`` (n, P, k) the
    orthonormal Q after the last step, ``final`` (n, P) the states there.
    ``diverged_at`` (n,) is the first step with a state or a tangent vector that is
    not finite, 0 also where that happened in the transient, −1 for never: growth
    is NaN from there on.  ``singular_at`` (n,) is the first step at which an R had a
    zero on its diagonal, −1 for never: growth along that direction is −inf from
    there on.  A J that is singular only up to rounding gives R_ii near 1e-16 instead.
    """

    times: np.ndarray
    log_growth: np.ndarray
    frame: torch.Tensor
    final: torch.Tensor
    diverged_at: np.ndarray
    singular_at: np.ndarray

    def exponents(self, start=0, stop=None, dt=1.0):
        """Exponents (log_growth(stop) − log_growth(start))/((stop − start) dt) of a window of kept
        steps, (n, k).

        ``stop`` is by default the last step kept, ``dt`` the time one step takes.
        A direction that was lost before ``start`` has NaN.

        Raises
        ------
        ValueError
            For steps that were not kept, a window without length, or ``dt`` that
            is not positive and finite.
        """
        stop = self.times[-1] if stop is None else stop
        a, b = self._index(start), self._index(stop)
        if a >= b:
            raise ValueError(f"window {start}–{stop}: must have a length")
        with np.errstate(invalid="ignore"):  # −inf less −inf
            return (self.log_growth[b] - self.log_growth[a]) / (
                (stop - start) * positive(dt, "dt", "the time of a step")
            )

    def finite_time(self, dt=1.0):
        """Finite-time exponents λ_i(t) = log_growth(t)/(t dt) at each kept step t > 0, (T', n, k)."""
        return over_time(self.times, self.log_growth, dt)

    def _index(self, step):
        found = np.flatnonzero(self.times == step)
        if not len(found):
            few = [
                *map(str, self.times[:8]),
                *(["…"] if len(self.times) > 9 else []),
                *map(str, self.times[8:][-1:]),
            ]
            raise ValueError(
                f"step {step} was not kept: steps kept are {', '.join(few)} (name it in `at`)"
            )
        return found[0]


def over_time(times, logs, dt):
    """``logs`` (T, …) over the times they took, t dt, for each t > 0: (T', …).

    Raises ValueError for ``dt`` not positive.
    """
    later = times > 0
    return logs[later] / (times[later] * positive(dt, "dt", "the time of a step")).reshape(
        -1, *[1] * (logs.ndim - 1)
    )


def spectrum(
    advance,
    params,
    steps,
    count=None,
    frame=None,
    interval=1,
    transient=0,
    at=None,
    progress=None,
    stop=None,
    chunk=None,
):
    """Lyapunov exponents of the trajectories of a map, by Benettin's method.

    Parameters
    ----------
    advance : callable
        Takes states (n, P) and frames (n, P, k) to the next states and the images
        of the frames, as in :mod:`netdyn_lib.lyapunov.tangent_maps`.  Where it has a keyword
        ``rows``, it is given a :class:`~netdyn_lib.lyapunov.Rows` that says
        which initial conditions it sees.
    params : torch.Tensor
        (n, P) initial conditions.
    steps : int
        Steps counted.
    count : int, optional
        k, the number of exponents; by default all P, or as many as ``frame`` has columns.
    frame : torch.Tensor, optional
        Q₀, (P, k) or (n, P, k), made orthonormal first; by default
        ``random_orthogonal(P, k)``, one fixed random frame, the same for all.
    interval : int
        Steps between QR decompositions.
    transient : int
        Steps before those counted.  State and frame move, growth is not kept.
    at : sequence of int, optional
        Steps to keep growth at, from 0 to ``steps``, and 0 in any case; a QR is
        done at each.  By default every QR's.
    progress : bool, optional
        Show a progress bar; by default on a terminal only.
    stop : callable, optional
        Asked before every step; where it answers true, the run is given up
        with :class:`~netdyn_lib.torch_utils.Stopped`.
    chunk : int, optional
        Trajectories advanced together, at most: it bounds memory, and small chunks stay in
        cache.  By default all, for a map with a setting for each trajectory
        needs all together, unless it takes ``rows``: then about a megabyte of frames
        on a processor.  Results there are the same to the last bit whatever it is,
        where ``advance`` computes row by row.

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        For no initial conditions, a frame that does not fit them, is not finite or
        has dependent columns, or numbers of steps or exponents that are none.
    """
    params, steps, transient = states(params), whole(steps, "steps"), whole(transient, "transient")
    frame = start_frame(params, count, frame)
    interval = whole(interval, "interval", 1)
    marks, kept = timetable(steps, interval, at)
    # QRs of the transient, at −transient … 0
    settling = timetable(transient, interval, None)[0] - transient
    kept = np.concatenate([[0], marks]) if kept is None else np.union1d([0], kept)

    def follow(walk, part):
        q = frame[part]
        for mark in settling:
            q = orthonormalise(walk.to(mark, q))[0]
        diagonals, logs, total = [], [np.zeros(q.shape[::2])], 0.0
        lost = np.full(len(q), -1)
        nan = np.where(q.isnan().any(-1).any(-1).cpu().numpy(), 0, -1)
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

    parts = chunked(
        follow,
        advance,
        params,
        transient + steps,
        frame.shape[2],
        chunk,
        progress,
        stop,
        -transient,
    )
    logs, q, final, gone, lost = zip(*parts)
    logs, gone, lost = np.concatenate(logs, 1), np.concatenate(gone), np.concatenate(lost)
    logs[(gone >= 0) & (kept[:, None] >= gone)] = np.nan
    lost = np.where((gone >= 0) & (lost >= gone), -1, lost)
    return Spectrum(kept, logs, torch.cat(q), torch.cat(final), gone, lost)


def _first(known, seen, marks):
    """The first mark at which any entry of each trajectory is ``seen`` (B, n, k), where none is
    ``known`` (n,).
    """
    here = seen.any(-1)
    return np.where((known < 0) & here.any(0), marks[here.argmax(0)], known)
