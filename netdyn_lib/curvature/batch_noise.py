"""Full batch beside mini-batch: how much of the negative spectrum is noise of the batch.

What each class of a batch's directions contributes to the descent of the whole training loss.

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
import pandas as pd
import torch

from .. import torch_utils
from ..statistics.intervals import Interval, clustered_interval
from ..tasks import gradients
from ..training import minibatches
from ..validation import floats, whole
from . import batch_hessian, hessian


@dataclass(frozen=True)
class Counts:
    """Eigenvalues of one Hessian: how many of each class
    (:func:`netdyn_lib.curvature.batch_hessian.classes`), of ``size`` P, and sums of them.

    ``neutral`` are those among the m' that are solved for (:mod:`netdyn_lib.curvature.batch_frames`).
    ``negative_sum`` Σ|λ| over λ < 0, ``positive_sum`` over λ > 0; ``smallest`` and ``largest`` λ of
    the range.
    """

    chaotic: int
    negative: int
    positive: int
    neutral: int
    size: int
    negative_sum: float
    positive_sum: float
    smallest: float
    largest: float


@dataclass(frozen=True)
class Batches:
    """Negative eigenvectors of k mini-batches at one network, and the full batch's curvature along
    them.

    ``counts`` (k,) of :class:`Counts`; ``own`` and ``full``, each of k arrays: λ < 0 of each
    negative eigenvector v, and vᵀ H v of the full batch.
    """

    counts: tuple
    own: tuple
    full: tuple

    @property
    def share_negative(self):
        """Share of each batch's negative directions along which the full batch's curvature is
        negative too, (k,); NaN for none.
        """
        return np.array([np.mean(values < 0) if len(values) else np.nan for values in self.full])

    @property
    def share_kept(self):
        """Σ vᵀHv/Σλ over the negative directions, (k,): 1 where all negative curvature is the full
        batch's, 0 or less where it is noise.
        """
        return np.array(
            [one.sum() / own.sum() if len(own) else np.nan for one, own in zip(self.full, self.own)]
        )


def counts(found, learning_rate):
    """:class:`Counts` of a :class:`~netdyn_lib.curvature.batch_hessian.LowRank` at γ."""
    known, values = found.classes(learning_rate), found.values
    sums = -values[known.negative].sum(), values[known.positive].sum(), values[0], values[-1]
    return Counts(
        **known.counts(),
        size=found.size,
        **dict(zip(("negative_sum", "positive_sum", "smallest", "largest"), map(float, sums))),
    )


def full(task, params, learning_rate):
    """:class:`Counts` of the full batch at one network (P,), by
    :func:`netdyn_lib.curvature.batch_hessian.spectrum` of all training samples.

    With as many samples as inputs hardly anything is left out: nearly the whole Hessian, P × P.  At
    5,350 parameters that takes one or two minutes.
    """
    return counts(batch_hessian.spectrum(task, params), learning_rate)


def compare(task, params, learning_rate, batch, count=10, seed=0, start=0):
    """Mini-batches ``start`` … ``start`` + k of a run's order at one network ``params`` (P,),
    against the full batch; :class:`Batches`.

    The full batch enters by Hessian–vector products alone, one for each negative eigenvector.
    """
    product = hessian.operator(task, params)
    seen, own, whole_batch = [], [], []
    for step in range(whole(start, "start"), start + whole(count, "count", 1)):
        part = minibatches.batch_task(
            task, torch.tensor(minibatches.at(len(task.x), batch, step, seed), device=task.x.device)
        )
        found = batch_hessian.spectrum(part, params)
        negative = found.classes(learning_rate).negative
        units = torch.eye(len(negative)).to(found.vectors)[torch.from_numpy(negative)]
        seen.append(counts(found, learning_rate))
        own.append(found.values[negative])
        whole_batch.append(np.array([float(v @ product(v)) for v in found.expand(units)]))
    return Batches(tuple(seen), tuple(own), tuple(whole_batch))


def along(task, by_step, rate, batch, count, seed=0, full=True):
    """Full batch beside mini-batches along training, a :class:`pandas.DataFrame` with a row for
    each step.

    Parameters
    ----------
    task : Task
    by_step : dict
        Step → the network (P,) before it.
    rate : float
        γ.
    batch, count, seed : int
        Samples of a batch; the batches taken are the ``count`` from that step on of the order
        ``seed``.
    full : bool
        Whether to take the full batch's spectrum too, for small tasks
        (:func:`netdyn_lib.curvature.batch_noise.full`).

    Returns
    -------
    pandas.DataFrame
        ``negative`` and ``positive``, mean numbers of eigenvalues of a mini-batch; ``negative sum``
        and ``positive sum``, means of Σ|λ|; ``share_negative`` and ``share_kept`` as of
        :class:`Batches`, means over those batches that have negative eigenvalues. With ``full`` its
        own, ``full negative``, ``full positive``, ``full negative sum``, ``full positive sum``.

    Raises
    ------
    ValueError
        As :func:`compare`.
    """
    rows = []
    for step, params in by_step.items():
        params = floats(params, task.x.device)
        found = compare(task, params, rate, batch, count, seed, step)
        row = {
            name.replace("_", " "): np.mean([getattr(one, name) for one in found.counts])
            for name in _SEEN
        }
        for name in ("share_negative", "share_kept"):
            known = getattr(found, name)[~np.isnan(getattr(found, name))]
            row[name] = known.mean() if len(known) else np.nan
        if full:
            own = counts(batch_hessian.spectrum(task, params), rate)
            row |= {f"full {name.replace('_', ' ')}": getattr(own, name) for name in _SEEN}
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(list(by_step), name="step"))


def table(by_name):
    """:class:`Batches` by name, a DataFrame: how many negative directions a batch has, along how
    many of them the full batch curves downwards too, and how much of their curvature is the full
    batch's; means over batches."""
    rows = {}
    for name, found in by_name.items():
        negative = np.mean([one.negative for one in found.counts])
        rows[name] = {
            "negative": negative,
            "of these negative in full": np.nanmean(found.share_negative),
            "curvature kept": np.nanmean(found.share_kept),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


_SEEN = ("negative", "positive", "negative_sum", "positive_sum")


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
        part = minibatches.batch_task(
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


def contribution_table(by_step):
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
