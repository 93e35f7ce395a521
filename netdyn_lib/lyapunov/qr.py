"""Frames: k tangent vectors of each of n trajectories, the columns of (n, P, k).

Trajectories and frames on their way, in chunks: what the algorithms of this package share.
"""

import threading

import numpy as np
import torch
from tqdm import tqdm

from .. import torch_utils
from ..torch_utils import Stopped, quiet
from ..validation import floats, whole
from .tangent_vectors import Rows, sees_rows


def orthonormalise(frames):
    """QR decomposition with a diagonal that is not negative: frames = Q R.

    Parameters
    ----------
    frames : torch.Tensor
        (n, P, k), k ≤ P.

    Returns
    -------
    Q : torch.Tensor
        (n, P, k), orthonormal columns, also where the frame is singular.
    R : torch.Tensor
        (n, k, k), upper triangular.  R_ii = 0 where column i lies in the span of
        those before it.  A frame that is not finite has NaN in Q and R.
    """
    if not bool(frames.isfinite().all()):
        # LAPACK may loop over NaN; CUDA's solver raises.
        good = frames.isfinite().flatten(1).all(1)
        q, r = orthonormalise(torch.where(good[:, None, None], frames, torch.zeros_like(frames)))
        nan = torch.where(good, 0.0, torch.nan).to(frames)[:, None, None]
        return q + nan, r + nan
    q, r = torch.linalg.qr(frames)
    sign = torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(frames)  # (n, k)
    return q * sign[:, None, :], r * sign[:, :, None]


def random_orthogonal(size, count=None, seed=0):
    """One orthonormal frame (P, k), drawn from a seed: Q of a Gaussian matrix, uniform over such
    frames (Stewart, 1980).

    The identity is no generic start: its columns may lie in subspaces that the
    map keeps apart, as the weights of one unit, and never leave them.

    >>> q = random_orthogonal(4, 2)
    >>> bool((q.T @ q - torch.eye(2)).abs().max() < 1e-12)
    True
    """
    size = whole(size, "size", 1)
    count = (
        size if count is None else whole(count, "count", 1, size, "vectors of a space of that size")
    )
    draw = torch.from_numpy(
        np.random.default_rng([whole(seed, "seed"), size, 3]).standard_normal((size, count))
    )
    return orthonormalise(draw[None])[0][0]


# Frames of a chunk: on a processor they stay in cache.
_BYTES = {"cpu": 1_000_000, "cuda": 1_000_000_000}


def start_frame(params, count, frame):
    """The frame to begin with, (n, P, k), orthonormal; ValueError for one that does not fit
    ``params`` (n, P), or has dependent columns.
    """
    n, size = params.shape
    if frame is None:
        frame = random_orthogonal(size, count)
    frame = floats(frame, params.device)
    if (
        frame.dim() not in (2, 3)
        or frame.shape[-2] != size
        or not 1 <= frame.shape[-1] <= size
        or frame.shape[:-2] not in ((), (n,))
    ):
        raise ValueError(
            f"frame of shape {tuple(frame.shape)} for {n} states of {size} numbers: expected (P, k) or (n, P, k), 1 ≤ k ≤ P"
        )
    if count is not None and whole(count, "count", 1, size) != frame.shape[-1]:
        raise ValueError(
            f"count = {count} for a frame of {frame.shape[-1]} columns: leave count out where a frame is given"
        )
    q, r = orthonormalise(frame.expand(n, *frame.shape[-2:]))
    if not bool((r.diagonal(dim1=-2, dim2=-1) > 0).all()):
        raise ValueError(
            "a start frame has columns that depend on each other, or are not finite: they span no k dimensions"
        )
    return q


def states(params):
    """Initial conditions as float64, (n, P); ValueError for another shape, or none."""
    params = floats(params)
    if params.dim() != 2 or params.numel() == 0:
        raise ValueError(
            f"params of shape {tuple(params.shape)}: expected (n, P), of at least 1 initial condition"
        )
    return params


def timetable(steps, interval, at):
    """Steps (B,) after which frames are made orthonormal, the last step included, and those ``at``
    which to keep, or None.
    """
    if at is not None:
        at = np.unique(
            [
                whole(t, "step in at", 0, steps, "the steps of the run")
                for t in np.ravel(at).tolist()
            ]
        ).astype(int)
        if not len(at):
            raise ValueError("at names no step: nothing would be kept")
    marks = np.union1d(
        np.arange(interval, steps + 1, interval), [steps] if at is None else [*at, steps]
    )
    return marks[marks > 0], at


class Walk:
    """Some trajectories on their way together, watched for states that are not finite."""

    def __init__(self, advance, params, t, before, context):
        self.params, self.t = params, t
        self._advance, self._before, self._context = advance, before, context
        self._gone = torch.full((len(params),), torch.iinfo(torch.int64).max, device=params.device)
        self._look()

    def to(self, mark, frames):
        """Images (n, P, k) of ``frames`` after the steps from here to ``mark``; NaN where the state
        is not finite.
        """
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
        """The first step at which state or frame was not finite, −1 for never, (n,); ``frames``
        (n,) the frame's, so too.
        """
        gone = self._gone.cpu().numpy()
        first = np.minimum(gone, np.where(frames < 0, gone, frames))
        return np.where(first == np.iinfo(np.int64).max, -1, first)


def chunked(follow, advance, params, steps, width, chunk, progress, stop, first=0):
    """``follow(walk, rows)`` of each chunk of trajectories, as a list; frames have ``width``
    vectors, steps begin at ``first``.
    """
    n, size = params.shape
    kind = params.device.type
    with_rows = sees_rows(advance)
    if chunk is None:
        chunk = max(1, _BYTES.get(kind, _BYTES["cpu"]) // (8 * size * width)) if with_rows else n
    chunk = whole(chunk, "chunk", 1)
    parts = [slice(a, min(a + chunk, n)) for a in range(0, n, chunk)]
    abandoned = threading.Event()
    bar = tqdm(total=len(parts) * steps, unit="step", disable=quiet(progress), leave=False)

    def before(t):
        if abandoned.is_set() or (stop is not None and stop()):
            raise Stopped(f"stopped before step {t}")
        bar.update()

    def one(part):
        index = torch.arange(part.start, part.stop, device=params.device)
        context = {"rows": Rows(index, n)} if with_rows else {}
        with torch.no_grad():  # here, for each thread has its own
            return follow(Walk(advance, params[part], first, before, context), part)

    with bar, torch_utils.pool(1, alone=kind == "cpu") as pool:
        try:
            return list(pool.map(one, parts))
        except BaseException:  # an interrupt, too: leaving the pool waits for its thread
            abandoned.set()
            raise
