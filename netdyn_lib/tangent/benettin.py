"""Lyapunov exponents by QR: Benettin's method.

A frame Q of k tangent vectors is carried along a trajectory and made
orthonormal again, J(t) Q(t) = Q(t + 1) R(t).  The means of ln R_ii are the k
largest exponents (Benettin, Galgani, Giorgilli & Strelcyn, Meccanica 15, 9 and 21,
1980; Geist, Parlitz & Lauterborn, Prog. Theor. Phys. 83, 875, 1990).
"""

import threading
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from .. import threads
from ..checks import floats, positive, whole
from ..descent import _quiet
from ..ensembles import Stopped
from .frames import orthonormalise, random_orthogonal
from .perturbations import Rows, _takes_rows

# Frames of a chunk: on a processor they stay in cache.
_BYTES = {"cpu": 1_000_000, "cuda": 1_000_000_000}
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
        """Exponents (log_growth(stop) − log_growth(start))/((stop − start) dt) of a window of kept steps, (n, k).

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
            return (self.log_growth[b] - self.log_growth[a]) / ((stop - start) * positive(dt, "dt", "the time of a step"))

    def finite_time(self, dt=1.0):
        """Finite-time exponents λ_i(t) = log_growth(t)/(t dt) at each kept step t > 0, (T', n, k)."""
        return over_time(self.times, self.log_growth, dt)

    def _index(self, step):
        found = np.flatnonzero(self.times == step)
        if not len(found):
            few = [*map(str, self.times[:8]), *(["…"] if len(self.times) > 9 else []), *map(str, self.times[8:][-1:])]
            raise ValueError(f"step {step} was not kept: steps kept are {', '.join(few)} (name it in `at`)")
        return found[0]


def over_time(times, logs, dt):
    """``logs`` (T, …) over the times they took, t dt, for each t > 0: (T', …).  Raises ValueError for ``dt`` not positive."""
    later = times > 0
    return logs[later] / (times[later] * positive(dt, "dt", "the time of a step")).reshape(-1, *[1] * (logs.ndim - 1))


def spectrum(
    advance, params, steps, count=None, frame=None, interval=1, transient=0, at=None, progress=None, stop=None, chunk=None
):
    """Lyapunov exponents of the trajectories of a map, by Benettin's method.

    Parameters
    ----------
    advance : callable
        Takes states (n, P) and frames (n, P, k) to the next states and the images
        of the frames, as in :mod:`netdyn_lib.tangent.operators`.  Where it has a keyword
        ``rows``, it is given a :class:`~netdyn_lib.tangent.Rows` that says
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
        with :class:`~netdyn_lib.ensembles.Stopped`.
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
    frame = _first_frame(params, count, frame)
    interval = whole(interval, "interval", 1)
    marks, kept = timetable(steps, interval, at)
    settling = timetable(transient, interval, None)[0] - transient  # QRs of the transient, at −transient … 0
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

    parts = chunked(follow, advance, params, transient + steps, frame.shape[2], chunk, progress, stop, -transient)
    logs, q, final, gone, lost = zip(*parts)
    logs, gone, lost = np.concatenate(logs, 1), np.concatenate(gone), np.concatenate(lost)
    logs[(gone >= 0) & (kept[:, None] >= gone)] = np.nan
    lost = np.where((gone >= 0) & (lost >= gone), -1, lost)
    return Spectrum(kept, logs, torch.cat(q), torch.cat(final), gone, lost)


def _first(known, seen, marks):
    """The first mark at which any entry of each trajectory is ``seen`` (B, n, k), where none is ``known`` (n,)."""
    here = seen.any(-1)
    return np.where((known < 0) & here.any(0), marks[here.argmax(0)], known)


def _first_frame(params, count, frame):
    n, size = params.shape
    if frame is None:
        frame = random_orthogonal(size, count)
    frame = floats(frame, params.device)
    if frame.dim() not in (2, 3) or frame.shape[-2] != size or not 1 <= frame.shape[-1] <= size or frame.shape[:-2] not in ((), (n,)):
        raise ValueError(f"frame of shape {tuple(frame.shape)} for {n} states of {size} numbers: expected (P, k) or (n, P, k), 1 ≤ k ≤ P")
    if count is not None and whole(count, "count", 1, size) != frame.shape[-1]:
        raise ValueError(f"count = {count} for a frame of {frame.shape[-1]} columns: leave count out where a frame is given")
    q, r = orthonormalise(frame.expand(n, *frame.shape[-2:]))
    if not bool((r.diagonal(dim1=-2, dim2=-1) > 0).all()):
        raise ValueError("a start frame has columns that depend on each other, or are not finite: they span no k dimensions")
    return q


def states(params):
    """Initial conditions as float64, (n, P); ValueError for another shape, or none."""
    params = floats(params)
    if params.dim() != 2 or params.numel() == 0:
        raise ValueError(f"params of shape {tuple(params.shape)}: expected (n, P), of at least 1 initial condition")
    return params


def kaplan_yorke(exponents):
    """Kaplan–Yorke dimension D = j + (λ_1 + … + λ_j)/|λ_{j+1}|, j the most exponents whose sum is not negative.

    Takes (…, P) in any order and returns (…), 0 where all exponents are negative (Kaplan &
    Yorke, Lecture Notes in Mathematics 730, 204, 1979).  NaN where it is undefined: the sum of
    all is positive (volumes grow, or exponents are missing), or one is NaN.

    >>> round(float(kaplan_yorke([0.906, 0.0, -14.572])), 4)
    2.0622
    """
    ordered = _descending(exponents)
    sums = np.concatenate([np.zeros_like(ordered[..., :1]), np.cumsum(ordered, -1)], -1)  # (…, P + 1)
    # Where the sum of all is zero, the formula with j = P − 1 is its limit P.
    j = np.clip((sums >= 0).sum(-1) - 1, 0, ordered.shape[-1] - 1)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        dimension = j + np.take_along_axis(sums, j, -1) / np.abs(np.take_along_axis(ordered, j, -1))
    return np.where(sums[..., -1] <= 0, np.where((ordered == 0).all(-1), ordered.shape[-1], dimension[..., 0]), np.nan)


def near_zero(exponents, within):
    """How many of the exponents (…, P) are 0 to ``within``: (…), as floats, NaN where one of them is NaN."""
    exponents = np.asarray(exponents, float)
    return np.where(np.isnan(exponents).any(-1), np.nan, (np.abs(exponents) <= _distance(within)).sum(-1))


def degenerate(exponents, within):
    """Which neighbours of the exponents (…, P), sorted descending, are no more than ``within`` apart: (…, P − 1) bool.

    Their single vectors are undetermined, only the subspace they span is.
    True too where it is unknown, next to NaN or between two of −inf.
    """
    ordered = _descending(exponents)
    within = _distance(within)
    with np.errstate(invalid="ignore"):
        return ~(ordered[..., :-1] - ordered[..., 1:] > within)


def _descending(exponents):
    exponents = np.asarray(exponents, float)
    if exponents.ndim == 0 or exponents.shape[-1] == 0:
        raise ValueError(f"exponents of shape {exponents.shape}: expected (…, P), at least 1 exponent")
    return -np.sort(-exponents, -1)


def _distance(within):
    if not (within >= 0 and np.isfinite(within)):
        raise ValueError(f"within = {within}: the distance of two exponents must be at least 0, and finite")
    return within


def timetable(steps, interval, at):
    """Steps (B,) after which frames are made orthonormal, the last step included, and those ``at`` which to keep, or None."""
    if at is not None:
        at = np.unique([whole(t, "step in at", 0, steps, "the steps of the run") for t in np.ravel(at).tolist()]).astype(int)
        if not len(at):
            raise ValueError("at names no step: nothing would be kept")
    marks = np.union1d(np.arange(interval, steps + 1, interval), [steps] if at is None else [*at, steps])
    return marks[marks > 0], at


class Walk:
    """Some trajectories on their way together, watched for states that are not finite."""

    def __init__(self, advance, params, t, before, context):
        self.params, self.t = params, t
        self._advance, self._before, self._context = advance, before, context
        self._gone = torch.full((len(params),), torch.iinfo(torch.int64).max, device=params.device)
        self._look()

    def to(self, mark, frames):
        """Images (n, P, k) of ``frames`` after the steps from here to ``mark``; NaN where the state is not finite."""
        while self.t < mark:
            self._before(self.t)
            following, images = self._advance(self.params, frames, **self._context)
            if following.shape != self.params.shape or images.shape != frames.shape:
                raise ValueError(
                    f"advance made states {tuple(following.shape)} and images {tuple(images.shape)} of {tuple(self.params.shape)} "
                    f"and {tuple(frames.shape)}: shapes must stay (settings for each trajectory need a `rows` keyword, or no chunks)"
                )
            self.params, frames = following, images
            self.t += 1
            gone = self._look()
        return torch.where(gone[:, None, None], torch.nan, frames)

    def _look(self):
        gone = ~self.params.isfinite().all(1)
        self._gone = torch.where(gone, self._gone.clamp(max=max(self.t, 0)), self._gone)
        return gone

    def diverged(self, frames):
        """The first step at which state or frame was not finite, −1 for never, (n,); ``frames`` (n,) the frame's, so too."""
        gone = self._gone.cpu().numpy()
        first = np.minimum(gone, np.where(frames < 0, gone, frames))
        return np.where(first == np.iinfo(np.int64).max, -1, first)


def chunked(follow, advance, params, steps, width, chunk, progress, stop, first=0):
    """``follow(walk, rows)`` of each chunk of trajectories, as a list; frames have ``width`` vectors, steps begin at ``first``."""
    n, size = params.shape
    kind = params.device.type
    takes_rows = _takes_rows(advance)
    if chunk is None:
        chunk = max(1, _BYTES.get(kind, _BYTES["cpu"]) // (8 * size * width)) if takes_rows else n
    chunk = whole(chunk, "chunk", 1)
    parts = [slice(a, min(a + chunk, n)) for a in range(0, n, chunk)]
    abandoned = threading.Event()
    bar = tqdm(total=len(parts) * steps, unit="step", disable=_quiet(progress), leave=False)

    def before(t):
        if abandoned.is_set() or (stop is not None and stop()):
            raise Stopped(f"stopped before step {t}")
        bar.update()

    def one(part):
        index = torch.arange(part.start, part.stop, device=params.device)
        context = {"rows": Rows(index, n)} if takes_rows else {}
        with torch.no_grad():  # here, for each thread has its own
            return follow(Walk(advance, params[part], first, before, context), part)

    with bar, threads.pool(1, alone=kind == "cpu") as pool:
        try:
            return list(pool.map(one, parts))
        except BaseException:  # an interrupt, too: leaving the pool waits for its thread
            abandoned.set()
            raise
