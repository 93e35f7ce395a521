"""What each class of a batch's directions contributes to the descent of the whole training loss.

A step −γ g_b changes the loss L of all samples by −γ ⟨g, g_b⟩ to first order, g its gradient.  The
eigenvectors of the batch's Hessian split g_b = Σ_c P_c g_b, and the change with it: class c
contributes ⟨g, P_c g_b⟩, and Σ_c ⟨g, P_c g_b⟩ = ⟨g, g_b⟩, whose mean over batches is |g|².  A class
may hold much of |g_b|² and contribute little, where its part of g_b is noise of the batch: it
points another way in every batch.

What pruning a class leaves of the descent is 1 less its share; pruning a random subspace of k of n
dimensions leaves 1 − k/n.
"""

from dataclasses import dataclass

import numpy as np
import torch

from .. import torch_utils
from ..statistics.intervals import Interval, clustered_interval
from ..tasks import gradients
from ..training import minibatches
from ..validation import whole
from . import batch_hessian

#: Classes of a batch's directions, by the sign of their curvature.
CLASSES = ("negative", "positive", "neutral")


@dataclass(frozen=True)
class Contributions:
    """Of k batches at one network: ``length`` (k, 3) the shares of |g_b|² in :data:`CLASSES`,
    ``descent`` (k, 3) the parts ⟨g, P_c g_b⟩ of ⟨g, g_b⟩, ``whole`` (k,), and ``dimensions`` (k, 3)
    how many eigenvectors each class has."""

    length: np.ndarray
    descent: np.ndarray
    whole: np.ndarray
    dimensions: np.ndarray

    def lengths(self):
        """Share of |g_b|² in each class, mean over batches: class → Interval over batches."""
        return {
            name: self._over(self.length[:, k], np.ones(len(self.whole)))
            for k, name in enumerate(CLASSES)
        }

    def shares(self):
        """Share of the descent that each class contributes, Σ_b ⟨g, P_c g_b⟩/Σ_b ⟨g, g_b⟩: class →
        Interval over batches.
        """
        return {name: self._over(self.descent[:, k], self.whole) for k, name in enumerate(CLASSES)}

    def random(self):
        """The share Σk/Σn that random subspaces take of the descent, k the dimensions of each
        batch's negative class, n with the positive; Interval.
        """
        live = self.dimensions[:, 0] + self.dimensions[:, 1]
        return self._over(self.dimensions[:, 0], live)

    def _over(self, above, below):
        pairs = np.stack([above, below], 1)
        if len(pairs) < 2:
            return Interval(float(above.sum() / below.sum()), np.nan, np.nan)
        return clustered_interval(
            pairs, np.arange(len(pairs)), lambda some: float(some[:, 0].sum() / some[:, 1].sum())
        )


@torch_utils.one()
@torch.no_grad()
def measure(task, params, learning_rate, batch, count=40, seed=0, start=0):
    """:class:`Contributions` of the batches ``start`` … ``start`` + k of a run's order, at one
    network ``params`` (P,).

    Parameters
    ----------
    task : Task
        Without weight decay.
    learning_rate : float
        γ, which decides what is chaotic; no class here depends on it.
    batch, count : int
        Samples of a batch; batches, of one epoch if no sample is to enter twice.
    seed : int
        Of the order of samples, :func:`netdyn_lib.training.minibatches.order`.

    Raises
    ------
    ValueError
        For numbers out of bounds; as :func:`netdyn_lib.curvature.batch_hessian.spectrum`.
    """
    full = gradients.of(task)(params[None])[0]
    rows = []
    for step in range(whole(start, "start"), start + whole(count, "count", 1)):
        part = minibatches.part(
            task, torch.tensor(minibatches.at(len(task.x), batch, step, seed), device=task.x.device)
        )
        slope = gradients.of(part)(params[None])[0]
        found = batch_hessian.spectrum(part, params)
        known = found.classes(learning_rate)
        own, of_all = (found.project(v).cpu().numpy() for v in (slope, full))
        masks = [getattr(known, name) for name in CLASSES]
        square = float(slope @ slope)
        rows.append(
            (
                [(own[m] ** 2).sum() / square for m in masks],
                [(own[m] * of_all[m]).sum() for m in masks],
                float(full @ slope),
                [int(m.sum()) for m in masks],
            )
        )
    return Contributions(*(np.array(column) for column in zip(*rows)))


def table(by_step):
    """step → :class:`Contributions` as a :class:`pandas.DataFrame`: for each class its share of
    directions, of |g_b|² and of the descent.
    """
    import pandas as pd

    rows = {}
    for step, found in by_step.items():
        lengths, shares = found.lengths(), found.shares()
        for k, name in enumerate(CLASSES[:2]):
            directions = found.dimensions[:, k].sum() / found.dimensions[:, :2].sum()
            words = {"share of |g|²": lengths[name], "share of the descent": shares[name]}
            rows[step, name] = {"share of directions": f"{directions:.2f}"} | {
                key: f"{i.estimate:.2f} ({i.low:.2f} to {i.high:.2f})" for key, i in words.items()
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["step", "class"])
