"""An ensemble of networks under way, advanced in chunks.

Networks advance together in chunks that fit the processor's cache, several
chunks side by side.
"""

import math
import threading
from dataclasses import dataclass

import numpy as np
import torch

from . import observables, steppers

# A chunk's intermediate values should stay in cache, and a chunk be large enough
# to spread the cost of calling PyTorch (measured on Iris, 6 to 360 networks: about
# 100 are fastest).
_CACHE_BYTES = 4_500_000
_GPU_SHARE = 0.4  # of the free memory of a GPU


@dataclass(frozen=True)
class Block:
    """A stretch of observations: ``epochs`` (B,) and ``values``, each (B, n, …)."""

    epochs: np.ndarray
    values: dict


class _Worker(threading.local):
    """The stepper of one thread, which also computes alone in it."""

    def __init__(self, task):
        self._task = task
        self._stepper = None

    def stepper(self):
        if self._stepper is None:
            if self._task.x.device.type == "cpu":
                # Chunks run side by side, so each keeps to its thread.  It also
                # makes results independent of the number of threads.
                torch.set_num_threads(1)
            self._stepper = steppers.of(self._task)
        return self._stepper


class Simulation:
    """An ensemble under way: :meth:`advance` it, observing as it goes.

    Parameters
    ----------
    descent : GradientDescent
    start : torch.Tensor
        (n, P) initial conditions, or (n, 1 + M, P) with perturbed copies.
    observe : sequence of str or callable
        Observables, by name or as functions of an
        :class:`~netdyn_lib.observables.Snapshot`.
    every : int
        Observe every so many epochs.
    workers : int, optional
        Chunks computed side by side; by default ``torch.get_num_threads()``
        on a processor and 1 on a GPU.
    chunk : int, optional
        Initial conditions in one chunk; chosen by size where not given.

    Raises
    ------
    ValueError
        For an ensemble of zero, parameters that do not fit the network, an
        unknown observable, or ``every`` below 1.
    """

    def __init__(self, descent, start, observe=("loss",), every=1, workers=None, chunk=None):
        task = descent.task
        if start.dim() not in (2, 3) or start.shape[-1] != task.network.count:
            raise ValueError(
                f"start has shape {tuple(start.shape)}; expected (n, {task.network.count}) or "
                f"(n, 1 + M, {task.network.count}) for {task.network!r}"
            )
        if start.numel() == 0:
            raise ValueError(f"start has shape {tuple(start.shape)}: an ensemble of zero networks")
        if int(every) != every or every < 1:
            raise ValueError(f"every = {every}: observe every 1 epoch or more")
        self.descent, self.every, self.epoch = descent, int(every), 0
        self._flat = start.dim() == 2
        groups = start.unsqueeze(1) if self._flat else start  # (n, 1 + M, P)
        self._observe = dict(observables.named(o) for o in observe)
        if self._flat and {"distance", "mean_distance"} & set(self._observe):
            raise ValueError("distance needs perturbed copies: start from networks.perturbed(...), (n, 1 + M, P)")
        self._needs_output = any(getattr(f, "needs_output", False) for f in self._observe.values())
        device = task.x.device
        rates = descent.rates(len(groups), device)
        size = chunk or self._chunk_size(task, groups)
        self._chunks = [
            _Chunk(groups[a : a + size].to(device), rates[a : a + size]) for a in range(0, len(groups), size)
        ]
        self.diverged_at = np.full(groups.shape[:2], -1)
        self._size = size
        self.workers = workers or (torch.get_num_threads() if device.type == "cpu" else 1)
        self._worker = _Worker(task)

    @staticmethod
    def _chunk_size(task, groups):
        per_group = 8 * groups.shape[1] * steppers.of(task).values_per_network
        if task.x.device.type == "cuda":
            budget = _GPU_SHARE * torch.cuda.mem_get_info(task.x.device)[0]
        else:
            budget = _CACHE_BYTES
        return int(min(len(groups), max(1, budget // per_group)))

    @property
    def params(self):
        """The present parameters, shaped as the start."""
        groups = torch.cat([c.groups() for c in self._chunks])
        return groups.squeeze(1) if self._flat else groups

    def advance(self, epochs, pool, last=False):
        """Iterate ``epochs`` times and return the :class:`Block` observed on the way.

        Observes before each step; ``last`` also after the last one.
        """
        parts = list(pool.map(lambda c: self._advance_chunk(c, epochs, last), self._chunks))
        for k, chunk in enumerate(self._chunks):
            rows = slice(k * self._size, k * self._size + len(chunk))
            fresh = (self.diverged_at[rows] < 0) & (chunk.diverged_at >= 0)
            self.diverged_at[rows][fresh] = chunk.diverged_at[fresh]
        times = [t for t in range(self.epoch, self.epoch + epochs + last) if t % self.every == 0]
        self.epoch += epochs
        values = {name: np.concatenate([p[name] for p in parts], axis=1) for name in self._observe}
        if self._flat:
            # A lone reference needs no axis of copies.
            values = {k: v[:, :, 0] if v.ndim > 2 and v.shape[2] == 1 else v for k, v in values.items()}
        return Block(np.array(times, dtype=int), values)

    def _advance_chunk(self, chunk, epochs, last):
        before = chunk.state.clone()
        rows = self._iterate(chunk, epochs, last)
        if not bool(chunk.state.isfinite().all()):
            # Somewhere in this block a network overflowed: go through it again, looking at each step.
            chunk.state = before
            rows = self._iterate(chunk, epochs, last, watch=True)
        shapes = {name: (0, len(chunk)) for name in self._observe}
        return {k: torch.stack(v).cpu().numpy() if v else np.empty(shapes[k]) for k, v in rows.items()}

    def _iterate(self, chunk, epochs, last, watch=False):
        stepper = self._worker.stepper()
        rows = {name: [] for name in self._observe}
        for t in range(self.epoch, self.epoch + epochs + last):
            stop = t == self.epoch + epochs
            look = t % self.every == 0
            if watch:
                chunk.note_divergence(t)
            output = None if stop and not (look and self._needs_output) else stepper.forward(chunk.state)
            if look:
                for name, value in self._look(chunk, t, output, stepper).items():
                    rows[name].append(value)
            if not stop:
                chunk.step(stepper, self.descent.weight_decay)
        if watch:
            chunk.note_divergence(self.epoch + epochs)
        return rows

    def _look(self, chunk, t, output, stepper):
        groups = chunk.groups()
        if output is not None:
            output = output[: chunk.real].unflatten(0, groups.shape[:2])
        snapshot = observables.Snapshot(t, groups, stepper.task, stepper.target, output)
        values = {name: f(snapshot) for name, f in self._observe.items()}
        if (chunk.diverged_at >= 0).any():
            gone = torch.as_tensor((chunk.diverged_at >= 0) & (chunk.diverged_at <= t))
            values = {k: _blank(v, gone.to(v.device)) for k, v in values.items()}
        return values


class _Chunk:
    """Some groups of networks that advance together, as rows of one matrix.

    One more row, a copy of the first, follows them.  Vectorised loops finish
    the last few elements of an array with scalar code that may round
    differently; with the extra row those elements are never a real network's,
    and a network's numbers do not depend on its place in the batch.
    """

    def __init__(self, groups, rates):
        self._shape = groups.shape
        flat = groups.flatten(0, 1)
        self.real = len(flat)
        self.state = torch.cat([flat, flat[:1]])  # (E + 1, P)
        rates = rates.repeat_interleave(groups.shape[1])
        self.rates = torch.cat([rates, rates[:1]])[:, None]  # (E + 1, 1)
        self.diverged_at = np.full(groups.shape[:2], -1)

    def __len__(self):
        return self._shape[0]

    def groups(self):
        return self.state[: self.real].view(self._shape)

    def step(self, stepper, decay):
        """W ← W − η (∇L(W) + λ W) in place, both terms at the present weights."""
        shrink = (self.rates * decay) * self.state if decay else None
        stepper.subtract(self.state, self.rates)
        if decay:
            self.state -= shrink

    def note_divergence(self, t):
        bad = ~self.groups().isfinite().all(-1).cpu().numpy()
        self.diverged_at[bad & (self.diverged_at < 0)] = t


def _blank(values, gone):
    """Set observations of diverged networks to NaN; ``gone`` is (g, 1 + M)."""
    if not values.is_floating_point():
        return values
    if values.dim() == 1:  # one value a group
        mask = gone.any(1)
    elif values.shape[1] == gone.shape[1]:
        mask = gone
    else:  # one value a copy
        mask = gone[:, 1:] | gone[:, :1]
    return values.masked_fill(mask.view(mask.shape + (1,) * (values.dim() - mask.dim())), math.nan)
