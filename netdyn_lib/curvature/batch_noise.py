"""Full batch beside mini-batch: how much of the negative spectrum is noise of the batch.

:func:`compare` takes the full batch's curvature along each negative eigenvector of a mini-batch's
Hessian.  :func:`measure` says what each class of a batch's directions contributes to the descent of
the whole training loss.  A step −γ g_b changes the loss L of all samples by −γ ⟨g, g_b⟩ to first
order, g its gradient.  The eigenvectors of the batch's Hessian split g_b = Σ_c P_c g_b, and the
change with it: class c contributes ⟨g, P_c g_b⟩, and Σ_c ⟨g, P_c g_b⟩ = ⟨g, g_b⟩, whose mean over
batches is |g|².  A class may hold much of |g_b|² and contribute little, where its part of g_b is
noise of the batch: it points another way in every batch.  What pruning a class leaves of the
descent is 1 less its share; pruning a random subspace of k of n dimensions leaves 1 − k/n.

The batches at a network are those from step ``start`` on of the order of samples ``seed``,
:func:`netdyn_lib.training.minibatches.order`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .. import torch_utils
from ..statistics.intervals import Interval, clustered_interval
from ..tasks import gradients
from ..tasks.tasks import Task
from ..training import minibatches
from ..validation import floats, whole
from . import batch_hessian, hessian
from .batch_hessian import LowRank

#: Classes of a batch's directions, by the sign of their curvature.
CLASSES = ("negative", "positive", "neutral")


@dataclass(frozen=True)
class Batches:
    """Negative eigenvectors of k mini-batches at one network, and the full curvature along them.

    ``counts`` has a row of :func:`counts` for each batch; ``own`` and ``full``, each of k arrays,
    are λ < 0 of each negative eigenvector v, and vᵀ H v of the full batch.
    """

    counts: pd.DataFrame
    own: tuple
    full: tuple

    @property
    def share_negative(self) -> np.ndarray:
        """Share of negative directions along which the full curvature is negative too, (k,)."""
        return np.array([np.mean(values < 0) if len(values) else np.nan for values in self.full])

    @property
    def share_kept(self) -> np.ndarray:
        """Σ vᵀHv/Σλ over the negative directions, (k,).

        It is 1 where all negative curvature is the full batch's, 0 or less where it is noise.
        """
        pairs = zip(self.full, self.own)
        return np.array([one.sum() / own.sum() if len(own) else np.nan for one, own in pairs])


def counts(found: LowRank) -> dict[str, float]:
    """Return how many eigenvalues are negative and positive, and Σ|λ| of each sign."""
    negative, positive, _ = batch_hessian.signs(found.values)
    return {
        "negative": int(negative.sum()),
        "positive": int(positive.sum()),
        "negative sum": float(-found.values[negative].sum()),
        "positive sum": float(found.values[positive].sum()),
    }


def compare(
    task: Task, params: Tensor, batch: int, count: int = 10, seed: int = 0, start: int = 0
) -> Batches:
    """Compare ``count`` mini-batches at one network ``params`` (P,) with the full batch.

    The full batch enters by Hessian–vector products, one for each negative eigenvector.
    """
    product = hessian.operator(task, params)
    seen, own, full = [], [], []
    for part in _parts(task, batch, count, seed, start):
        found = batch_hessian.spectrum(part, params)
        negative = batch_hessian.signs(found.values)[0]
        units = torch.eye(len(negative)).to(found.vectors)[torch.from_numpy(negative)]
        seen.append(counts(found))
        own.append(found.values[negative])
        full.append(np.array([float(v @ product(v)) for v in found.expand(units)]))
    return Batches(pd.DataFrame(seen), tuple(own), tuple(full))


def along(
    task: Task, by_step: Mapping[int, Tensor], batch: int, count: int, seed: int = 0
) -> pd.DataFrame:
    """Compare mini-batches with the full batch along training: a row for each step.

    ``by_step`` is step → the network (P,) before it.  Columns are the means of :func:`counts` over
    batches, ``share_negative`` and ``share_kept`` of :class:`Batches`, means over those that have
    negative eigenvalues, and the counts of the full batch as ``full …``, from its whole spectrum:
    for small tasks.
    """
    rows = {}
    for step, params in by_step.items():
        params = floats(params, task.x.device)
        found = compare(task, params, batch, count, seed, step)
        rows[step] = found.counts.mean().to_dict()
        for name in ("share_negative", "share_kept"):
            rows[step][name] = pd.Series(getattr(found, name)).mean()
        full = counts(batch_hessian.spectrum(task, params))
        rows[step] |= {f"full {name}": value for name, value in full.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("step")


def table(by_name: Mapping[str, Batches]) -> pd.DataFrame:
    """Tabulate, by name, how many directions are negative, and how far the full batch's too.

    All are means over batches.
    """
    rows = {
        name: {
            "negative": found.counts["negative"].mean(),
            "of these negative in full": np.nanmean(found.share_negative),
            "curvature kept": np.nanmean(found.share_kept),
        }
        for name, found in by_name.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


@dataclass(frozen=True)
class Contributions:
    """Contributions of :data:`CLASSES` in k batches at one network.

    ``length`` (k, 3) are the shares of |g_b|², ``descent`` (k, 3) the parts ⟨g, P_c g_b⟩ of
    ⟨g, g_b⟩, ``whole`` (k,), and ``dimensions`` (k, 3) the numbers of eigenvectors.
    """

    length: np.ndarray
    descent: np.ndarray
    whole: np.ndarray
    dimensions: np.ndarray

    def lengths(self) -> dict[str, Interval]:
        """Return the share of |g_b|² in each class, the mean over batches."""
        return {
            c: _ratio(self.length[:, k], np.ones_like(self.whole)) for k, c in enumerate(CLASSES)
        }

    def shares(self) -> dict[str, Interval]:
        """Return the share of the descent by each class, Σ_b ⟨g, P_c g_b⟩/Σ_b ⟨g, g_b⟩."""
        return {c: _ratio(self.descent[:, k], self.whole) for k, c in enumerate(CLASSES)}

    def random(self) -> Interval:
        """Return the share Σk/Σn of the descent that as many random directions would take.

        k are the dimensions of each batch's negative class, n with the positive.
        """
        return _ratio(self.dimensions[:, 0], self.dimensions[:, :2].sum(1))


@torch_utils.one()
@torch.no_grad()
def measure(
    task: Task, params: Tensor, batch: int, count: int = 40, seed: int = 0
) -> Contributions:
    """Measure the :class:`Contributions` in the first ``count`` batches of a run at one network.

    ``task`` is without weight decay; with more batches than an epoch has, samples enter twice.
    """
    full = gradients.of(task)(params[None])[0]
    rows = []
    for part in _parts(task, batch, count, seed, 0):
        slope = gradients.of(part)(params[None])[0]
        found = batch_hessian.spectrum(part, params)
        own, of_all = (found.project(v).cpu().numpy() for v in (slope, full))
        masks = batch_hessian.signs(found.values)
        length = [(own[m] ** 2).sum() / float(slope @ slope) for m in masks]
        descent = [(own[m] * of_all[m]).sum() for m in masks]
        rows.append((length, descent, float(full @ slope), [int(m.sum()) for m in masks]))
    return Contributions(*(np.array(column) for column in zip(*rows)))


def contribution_table(by_step: Mapping[int, Contributions]) -> pd.DataFrame:
    """Tabulate, for each step and class, its share of directions, of |g_b|² and of the descent."""
    rows = {}
    for step, found in by_step.items():
        lengths, shares = found.lengths(), found.shares()
        for k, name in enumerate(CLASSES[:2]):
            directions = found.dimensions[:, k].sum() / found.dimensions[:, :2].sum()
            intervals = {"share of |g|²": lengths[name], "share of the descent": shares[name]}
            rows[step, name] = {"share of directions": f"{directions:.2f}"} | {
                key: f"{i.estimate:.2f} ({i.low:.2f} to {i.high:.2f})"
                for key, i in intervals.items()
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["step", "class"])


def _parts(task, batch, count, seed, start) -> Iterator[Task]:
    """Yield the task of each of some batches."""
    for step in range(whole(start, "start"), start + whole(count, "count", 1)):
        index = minibatches.at(len(task.x), batch, step, seed)
        yield minibatches.batch_task(task, torch.tensor(index, device=task.x.device))


def _ratio(above, below):
    """Return Σ above/Σ below with an interval over batches."""
    pairs = np.stack([above, below], 1)
    if len(pairs) < 2:
        return Interval(float(above.sum() / below.sum()), np.nan, np.nan)
    return clustered_interval(
        pairs, np.arange(len(pairs)), lambda some: float(some[:, 0].sum() / some[:, 1].sum())
    )
