"""Full batch beside mini-batch: how much of the negative spectrum is noise of the batch."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from ..training import minibatches
from ..validation import floats, whole
from . import batch_hessian, hessian


@dataclass(frozen=True)
class Counts:
    """Eigenvalues of one Hessian: how many of each class
    (:func:`netdyn_lib.curvature.eigenclasses.classes`), of ``size`` P, and sums of them.

    ``neutral`` are those among the m' that are solved for (:mod:`netdyn_lib.curvature.narrowing`).
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
        part = minibatches.part(
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
