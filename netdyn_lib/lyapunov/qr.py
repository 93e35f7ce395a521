"""Frames of k tangent vectors, the columns of (n, P, k), made orthonormal and taken along a map."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from .. import torch_utils
from ..torch_utils import Stopped, quiet
from ..validation import floats, whole
from .tangent_maps import Rows, TangentMap, sees_rows

# Bytes of the frames of a chunk: on a processor they stay in cache.
_BYTES = {"cpu": 1_000_000, "cuda": 1_000_000_000}


def orthonormalise(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Return the QR decomposition frames = Q R with R_ii ≥ 0: Q (n, P, k) and R (n, k, k).

    Q is orthonormal also where the frame (n, P, k), k ≤ P, is singular; R_ii = 0 where column i
    lies in the span of those before it.  A frame that is not finite has NaN in Q and R.
    """
    if not bool(frames.isfinite().all()):
        # LAPACK may loop over NaN; CUDA's solver raises.
        good = frames.isfinite().flatten(1).all(1)[:, None, None]
        q, r = orthonormalise(torch.where(good, frames, torch.zeros_like(frames)))
        nan = torch.where(good, 0.0, torch.nan).to(frames)
        return q + nan, r + nan
    q, r = torch.linalg.qr(frames)
    sign = torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(frames)  # (n, k)
    return q * sign[:, None, :], r * sign[:, :, None]


def random_orthogonal(size: int, count: int | None = None, seed: int = 0) -> Tensor:
    """Return a random orthonormal frame (P, k), Q of a Gaussian matrix: uniform (Stewart, 1980).

    The identity is no generic start: its columns may lie in subspaces that the map keeps apart, as
    the weights of one unit, and never leave them.

    >>> q = random_orthogonal(4, 2)
    >>> bool((q.T @ q - torch.eye(2)).abs().max() < 1e-12)
    True
    """
    size = whole(size, "size", 1)
    count = whole(
        size if count is None else count, "count", 1, size, "vectors in that many dimensions"
    )
    rng = np.random.default_rng([whole(seed, "seed"), size, 3])
    return orthonormalise(torch.from_numpy(rng.standard_normal((size, count)))[None])[0][0]


def start_frame(params: Tensor, frame: int | Tensor | None) -> Tensor:
    """Return Q₀ (n, P, k), orthonormal, for states (n, P).

    ``frame`` is (P, k) or (n, P, k), or k for :func:`random_orthogonal`, P by default.
    """
    n, size = params.shape
    given = frame if isinstance(frame, Tensor) else random_orthogonal(size, frame)
    q0 = floats(given, params.device)
    if (
        q0.dim() not in (2, 3)
        or q0.shape[-2] != size
        or not 1 <= q0.shape[-1] <= size
        or tuple(q0.shape[:-2]) not in ((), (n,))
    ):
        raise ValueError(
            f"frame of shape {tuple(q0.shape)} for {n} states of {size} numbers: "
            "expected (P, k) or (n, P, k), 1 ≤ k ≤ P"
        )
    q, r = orthonormalise(q0.expand(n, *q0.shape[-2:]))
    if not bool((r.diagonal(dim1=-2, dim2=-1) > 0).all()):
        raise ValueError(
            "a start frame has columns that depend on each other, or are not finite: "
            "they span no k dimensions"
        )
    return q


def states(params) -> Tensor:
    """Return initial conditions (n, P) as float64; ValueError for another shape, or none."""
    params = floats(params)
    if params.dim() != 2 or params.numel() == 0:
        raise ValueError(
            f"params of shape {tuple(params.shape)}: "
            "expected (n, P), of at least 1 initial condition"
        )
    return params


def timetable(steps: int, interval: int, at: Sequence[int] | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps (B,) after which to decompose, and those to keep: ``at``, by default all.

    The last step and each of ``at`` but 0 are among the first.
    """
    marks = {*range(interval, steps + 1, interval), steps}
    kept = marks
    if at is not None:
        kept = {whole(t, "step in at", 0, steps) for t in np.ravel(at).tolist()}
        if not kept:
            raise ValueError("at names no step: nothing would be kept")
    return np.array(sorted((marks | kept) - {0}), dtype=int), np.array(sorted(kept))


def chunked(
    follow: Callable[[TangentMap, slice], Any],
    advance: TangentMap,
    params: Tensor,
    width: int,
    steps: int = 0,
    stop: Callable[[], bool] | None = None,
) -> list:
    """Return ``follow(step, part)`` for each chunk of trajectories, a slice ``part`` of ``params``.

    ``step`` is the ``advance`` of that chunk.  All trajectories go together for a map that needs
    all together; a map with a keyword ``rows`` has about a megabyte of frames of ``width`` vectors
    in a chunk.  Where ``stop()`` is true, :class:`~netdyn_lib.torch_utils.Stopped` is raised before
    the next step.  A progress bar counts ``steps``; 0 for none.
    """
    n, size = params.shape
    kind, takes_rows = params.device.type, sees_rows(advance)
    chunk = max(1, _BYTES.get(kind, _BYTES["cpu"]) // (8 * size * width)) if takes_rows else n
    parts = [slice(a, min(a + chunk, n)) for a in range(0, n, chunk)]
    abandoned = threading.Event()
    bar = tqdm(total=len(parts) * steps, unit="step", disable=not steps, leave=False)

    def one(part):
        rows = Rows(torch.arange(part.start, part.stop, device=params.device), n)
        context = {"rows": rows} if takes_rows else {}

        def step(state, frames):
            if abandoned.is_set() or (stop is not None and stop()):
                raise Stopped("stopped between two steps of tangent vectors")
            bar.update()
            following, images = advance(state, frames, **context)
            if following.shape != state.shape or images.shape != frames.shape:
                raise ValueError(
                    f"advance made states {tuple(following.shape)} and images "
                    f"{tuple(images.shape)} of {tuple(state.shape)} and {tuple(frames.shape)}: "
                    "shapes must stay (settings for each trajectory need a `rows` keyword)"
                )
            return following, images

        with torch.no_grad():  # here, for each thread has its own
            return follow(step, part)

    with bar, torch_utils.pool(1, alone=kind == "cpu") as pool:
        try:
            return list(pool.map(one, parts))
        except BaseException:  # an interrupt, too: leaving the pool waits for its thread
            abandoned.set()
            raise


def shown(steps: int, progress: bool | None) -> int:
    """Return the steps that a progress bar counts: 0 where none is to be shown."""
    return 0 if quiet(progress) else steps


class Walk:
    """Some trajectories on their way together, watched for states that are not finite."""

    def __init__(self, step: TangentMap, params: Tensor):
        self.params, self.t, self._step = params, 0, step
        self._gone = torch.full((len(params),), torch.iinfo(torch.int64).max, device=params.device)
        self._look()

    def to(self, mark: int, frames: Tensor) -> Tensor:
        """Return the images (n, P, k) of ``frames`` at step ``mark``; NaN where a state is lost."""
        while self.t < mark:
            self.params, frames = self._step(self.params, frames)
            self.t += 1
            gone = self._look()
        return torch.where(gone[:, None, None], torch.nan, frames)

    def _look(self):
        gone = ~self.params.isfinite().all(1)
        self._gone = torch.where(gone, self._gone.clamp(max=self.t), self._gone)
        return gone

    def diverged(self, frames: np.ndarray) -> np.ndarray:
        """Return the first step with a state or frame that is not finite, −1 for never: (n,).

        ``frames`` (n,) is that of the frame, −1 for never.
        """
        gone = self._gone.cpu().numpy()
        first = np.minimum(gone, np.where(frames < 0, gone, frames))
        return np.where(first == np.iinfo(np.int64).max, -1, first)
