"""An ensemble of networks under way, advanced in chunks.

Networks advance together in chunks that fit the processor's cache, several chunks side by side.

With a perceptron, or a network of :mod:`~netdyn_lib.training.convolutional_steppers`, on a
processor a network's numbers are the same to the last bit whatever chunk, batch or number of
threads it runs in; where samples go in blocks, that holds for groups (a reference and its copies),
not for a network in a group and by itself.  With any other module, or on a GPU, PyTorch may compute
another batch by other products.  The last bits then differ, chaos amplifies the difference, and
trajectories part; exponents, fitted before that matters, agree to 0.05 per epoch for each initial
condition, and to 1e-5 in the median (Iris at η = 1).
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..torch_utils import Stopped
from ..validation import floats, whole
from . import observables, steppers

# A chunk's intermediate values should stay in cache, and a chunk be large enough
# to spread the cost of calling PyTorch (measured on Iris, 6 to 360 networks: about
# 100 are fastest).
_CACHE_BYTES = 4_500_000
_GPU_SHARE = 0.4  # of the free memory of a GPU
# Chunks below this share of the cache's are not made smaller to busy another
# worker (two threads on Iris: 2 × 50 networks take 0.75 of the time of 1 × 100, but
# 2 × 20 take 1.2 of the time of 1 × 40).
_WORTH = 0.33


@dataclass(frozen=True)
class Block:
    """A stretch of observations: ``epochs`` (B,) and ``values``, each (B, n, …)."""

    epochs: np.ndarray
    values: dict[str, np.ndarray]


class Simulation:
    """An ensemble under way: :meth:`advance` it, observing as it goes.

    Parameters
    ----------
    descent : GradientDescent
    start : torch.Tensor
        (n, P) initial conditions, or (n, 1 + M, P) with perturbed copies; taken
        in the task's precision.
    observe : sequence of str or callable
        Observables, by name or as functions of an
        :class:`~netdyn_lib.training.observables.Snapshot`.
    observed : callable, optional
        Which epochs are observed, a function of the epoch; all where not given.
    workers : int, optional
        Chunks computed side by side; by default ``torch.get_num_threads()``
        on a processor and 1 on a GPU.
    stop : callable, optional
        Asked before every epoch of every chunk; where it answers true, :meth:`advance` raises
        :class:`~netdyn_lib.torch_utils.Stopped`.
    """

    def __init__(
        self,
        descent,
        start: torch.Tensor,
        observe=("loss",),
        observed: Callable[[int], bool] = lambda epoch: True,
        workers: int | None = None,
        stop: Callable[[], bool] | None = None,
    ):
        task = descent.task
        device, count = task.x.device, task.network.count
        start = resolved(floats(start, device), task.dtype)
        if start.dim() not in (2, 3) or start.shape[-1] != count:
            raise ValueError(
                f"start has shape {tuple(start.shape)}; expected (n, {count}) or "
                f"(n, 1 + M, {count}) for {task.network!r}"
            )
        if start.numel() == 0:
            raise ValueError(f"start has shape {tuple(start.shape)}: an ensemble of zero networks")
        self.descent, self.epoch, self.observed = descent, 0, observed
        self._stop, self._abandoned = stop or (lambda: False), False
        self._flat = start.dim() == 2
        groups = start.unsqueeze(1) if self._flat else start  # (n, 1 + M, P)
        self._observe = observables.collect(observe, task, copies=groups.shape[1] - 1)
        cores = torch.get_num_threads() if device.type == "cpu" else 1
        self.workers = cores if workers is None else whole(workers, "workers", 1)
        self._own = threading.local()  # a stepper for each thread
        mine = self._stepper(groups.shape[1])
        rates = descent.rates(len(groups), device).to(start.dtype)
        size = groups.element_size() * groups.shape[1] * mine.values_per_network
        self._rows = self._split(len(groups), device, size)
        several = ("start", "path", "output")
        needs = {w for w in several for f in self._observe.values() if observables.needs(f, w)}
        self._needs_output = "output" in needs
        self._chunks = [_Chunk(groups[r], rates[r], needs, mine.padded) for r in self._rows]
        self.diverged_at = np.full(groups.shape[:2], -1)

    def _stepper(self, together):
        if not hasattr(self._own, "stepper"):
            self._own.stepper = steppers.of(self.descent.task, together)
        return self._own.stepper

    def _split(self, count, device, group_bytes):
        """Slices of the ensemble, alike in size; where that pays, as many for each worker."""
        budget = _CACHE_BYTES
        if device.type == "cuda":
            budget = _GPU_SHARE * torch.cuda.mem_get_info(device)[0]
        largest = max(1, int(budget // group_bytes))
        number = math.ceil(count / largest)
        shared = self.workers * math.ceil(number / self.workers)
        number = max(number, min(shared, count // max(1, math.ceil(_WORTH * largest))))
        parts = np.array_split(np.arange(count), number)
        return [slice(int(part[0]), int(part[-1]) + 1) for part in parts]

    @property
    def params(self) -> torch.Tensor:
        """The present parameters, shaped as the start."""
        groups = torch.cat([c.groups() for c in self._chunks])
        return groups.squeeze(1) if self._flat else groups

    def abandon(self) -> None:
        """Make whatever :meth:`advance` is still at in other threads stop before its next epoch."""
        self._abandoned = True

    def advance(self, epochs: int, pool, last: bool = False) -> Block | None:
        """Iterate ``epochs`` times in a ``pool`` of threads; return what was observed on the way.

        Observes before each step; ``last`` also after the last one.  None where nothing was.
        """
        times = [t for t in range(self.epoch, self.epoch + epochs + last) if self.observed(t)]
        parts = list(pool.map(lambda c: self._advance_chunk(c, epochs, last), self._chunks))
        for rows, chunk in zip(self._rows, self._chunks):
            self.diverged_at[rows] = chunk.diverged_at
        self.epoch += epochs
        if not times:
            return None
        values = {name: np.concatenate([p[name] for p in parts], axis=1) for name in self._observe}
        if self._flat:
            # A lone reference needs no axis of copies.
            values = {k: observables.without_copies(self._observe[k], v) for k, v in values.items()}
        return Block(np.array(times, dtype=int), values)

    def _advance_chunk(self, chunk, epochs, last):
        with torch.no_grad():  # here, for each thread has its own
            before = chunk.saved()
            rows = self._iterate(chunk, epochs, last)
            if chunk.newly_diverged().any():
                # Somewhere in this block a network overflowed: go through it again, looking at each
                # step.
                chunk.restore(before)
                rows = self._iterate(chunk, epochs, last, watch=True)
            return {k: torch.stack(v).cpu().numpy() for k, v in rows.items() if v}

    def _iterate(self, chunk, epochs, last, watch=False):
        stepper = self._stepper(chunk.groups().shape[1])
        rows: dict[str, list] = {name: [] for name in self._observe}
        end = self.epoch + epochs
        for t in range(self.epoch, end + last):
            if self._abandoned or self._stop():
                raise Stopped(f"stopped before epoch {t}")
            look = self.observed(t)
            if watch:
                chunk.note_divergence(t)
            output = None
            if t < end or look and self._needs_output:
                output = stepper.forward(chunk.state)
            if look:
                for name, value in self._look(chunk, t, output, stepper).items():
                    rows[name].append(value)
            if t < end:
                chunk.step(stepper, self.descent.weight_decay)
        if watch:
            chunk.note_divergence(end)
        return rows

    def _look(self, chunk, t, output, stepper):
        groups = chunk.groups()
        if output is not None:
            output = output[: chunk.real].unflatten(0, groups.shape[:2])
        start, path = (None if v is None else chunk.groups(v) for v in (chunk.start, chunk.path))
        snapshot = observables.Snapshot(
            t, groups, stepper.task, stepper.target, output, start, path
        )
        gone = chunk.gone(t)
        return {
            name: observables.look(name, f, snapshot, gone) for name, f in self._observe.items()
        }


def resolved(start: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return ``start`` in a floating type.

    Raises ValueError where rounding changes the distance of a copy, of (n, 1 + M, P), from its
    reference by 1% or more.
    """
    rounded = start.to(dtype)
    if rounded.dtype != start.dtype and start.dim() == 3:
        after, before = (
            torch.linalg.vector_norm((some[:, 1:] - some[:, :1]).double(), ord=1, dim=-1)
            for some in (rounded, start)
        )
        lost = (after - before).abs() > 0.01 * before
        if bool(lost.any()):
            n, m = lost.nonzero()[0].tolist()
            raise ValueError(
                f"copy {m + 1} of initial condition {n} is {float(before[n, m]):.3g} from its "
                f"reference, and {float(after[n, m]):.3g} in {dtype}: the radius is too small for "
                "that type; take a larger one, or torch.float64"
            )
    return rounded


class _Chunk:
    """Some groups of networks that advance together, as rows of one matrix.

    Where ``padded``, one more row, a copy of the first, follows them.  Vectorised loops finish
    the last few elements of an array with scalar code that may round
    differently; with the extra row those elements are never a real network's,
    and a network's numbers do not depend on its place in the batch.

    ``state`` (E + 1, P), or (E, P), are the parameters now; where they are needed, ``start``
    those at epoch 0 and ``path`` Σ|w(t + 1) − w(t)| up to now.
    """

    def __init__(self, groups, rates, needs, padded):
        self._shape = groups.shape
        flat, rates = groups.flatten(0, 1), rates.repeat_interleave(groups.shape[1])
        self.real, more = len(flat), slice(0, int(padded))
        self.state = torch.cat([flat, flat[more]])  # (E + 1, P)
        self.rates = torch.cat([rates, rates[more]])[:, None]  # (E + 1, 1)
        self.start = self.state.clone() if "start" in needs else None
        self.path = torch.zeros_like(self.state) if "path" in needs else None
        self.diverged_at = np.full(groups.shape[:2], -1)

    def groups(self, values=None):
        """Rows as groups, (g, 1 + M, P): the state's, or those of ``values``."""
        return (self.state if values is None else values)[: self.real].view(self._shape)

    def step(self, stepper, decay):
        """W ← W − η (∇L(W) + λ W) in place, both terms at the present weights."""
        before = self.state.clone() if self.path is not None else None
        shrink = (self.rates * decay) * self.state if decay else None
        stepper.subtract(self.state, self.rates)
        if decay:
            self.state -= shrink
        if self.path is not None:
            self.path += before.sub_(self.state).abs_()

    def saved(self):
        return self.state.clone(), None if self.path is None else self.path.clone()

    def restore(self, saved):
        self.state.copy_(saved[0])
        if self.path is not None:
            self.path.copy_(saved[1])

    def newly_diverged(self):
        """Which networks are not finite now and were not known to be, (g, 1 + M) bool."""
        return ~self.groups().isfinite().all(-1).cpu().numpy() & (self.diverged_at < 0)

    def note_divergence(self, t):
        self.diverged_at[self.newly_diverged()] = t

    def gone(self, t):
        """Which networks have diverged by epoch ``t``, (g, 1 + M) bool; None where none has."""
        gone = (self.diverged_at >= 0) & (self.diverged_at <= t)
        return torch.as_tensor(gone, device=self.state.device) if gone.any() else None
