"""Whether the subspaces of mini-batch descent stand still: those of the Lyapunov matrix, and those
of one batch's Hessian (H, appendix C.2).
"""

import math

import numpy as np
import pandas as pd
import torch

from .. import torch_utils
from ..curvature import batch_hessian
from ..training import minibatches
from ..training.replay import Reference
from ..validation import whole
from .sgd_spectra import NEUTRAL, Whole, leading


@torch_utils.one()
def overlaps(
    task,
    network,
    rate,
    batch,
    times,
    count,
    seed=0,
    whole_up_to=700,
    interval=10,
    sweeps=30,
    turning=1e-2,
):
    """Do the eigenspaces of Λ(t) stand still (H, appendix C.2)?  Overlaps of those at successive
    times.

    With V(t) the right singular vectors of Y(t), the overlap is ‖V(t)ᵀV(t′)‖²_F/k(t′): the mean
    share of the later directions that lies within the earlier subspace.  Random subspaces have
    k(t)/P, ``chance``.

    Parameters
    ----------
    task, rate, batch, seed, interval
        As for :func:`netdyn_lib.experiments.sgd_spectra.over_time`; ``network`` is the number of
        one.
    times : sequence of int
        At least two steps.
    count : int
        k of the leading directions.
    whole_up_to : int
        Parameters up to which all directions are taken, and also those with ln σ >
        :data:`~netdyn_lib.experiments.sgd_spectra.NEUTRAL`, ``chaotic``, with ln σ below minus
        that, ``contracting``, and all that are not chaotic, ``non-chaotic``.
    sweeps, turning : int, float
        Of larger networks: passes at most, and the bound on 1 − overlap with the true span up to
        which it counts as converged.

    Returns
    -------
    pandas.DataFrame
        A row for each ``subspace`` and pair ``time``, ``later``: ``earlier k``, ``k``, ``overlap``,
        ``chance``, ``converged``. Directions with σ that are alike belong to no span of few: see
        whether ``converged``.

    Raises
    ------
    ValueError
        For fewer than two times; as :func:`netdyn_lib.experiments.sgd_spectra.over_time`.
    """
    times = _several(times)
    size, order = task.network.count, minibatches.order_of(seed, network)
    count = whole(count, "count", 1, size, "directions of a space of that size")
    params = task.initial(1, seed, network, device=task.x.device)[0]
    spans = []
    with torch.no_grad():
        if size <= whole_up_to:
            total = Whole(task, (params, rate, batch), times, interval, order)
            for t, _ in total.blocks():
                if t in times:
                    logs, right = total.singular(True)
                    masks = {
                        "chaotic": logs > NEUTRAL,
                        "non-chaotic": logs <= NEUTRAL,
                        "contracting": logs < -NEUTRAL,
                    }
                    apart = (
                        bool(logs[count - 1] - logs[min(count, size - 1)] > NEUTRAL)
                        or count == size
                    )
                    parts = {
                        name: (right[:, torch.from_numpy(mask)], True)
                        for name, mask in masks.items()
                    }
                    spans.append({"leading": (right[:, :count], apart)} | parts)
        else:
            frame = None
            for t in times:
                found = leading(
                    Reference(task, params, rate, batch, t, order),
                    count,
                    sweeps,
                    math.inf,
                    frame,
                    turning,
                )
                frame = found.vectors
                spans.append({"leading": (frame, found.turn <= turning)})
    return _pairs(times, spans, size)


def _pairs(times, spans, size):
    rows = []
    for a, b, one, other in zip(times, times[1:], spans, spans[1:]):
        for name, ((v, good), (w, fine)) in ((name, (one[name], other[name])) for name in one):
            numbers = {
                "earlier k": v.shape[1],
                "k": w.shape[1],
                "overlap": _share(v, w),
                "chance": v.shape[1] / size,
            }
            rows.append(
                {"subspace": name, "time": a, "later": b} | numbers | {"converged": good and fine}
            )
    return pd.DataFrame(rows).set_index(["subspace", "time"])


@torch_utils.one()
def of_hessian(task, network, rate, batch, times, lag, seed=0):
    """Do the eigenspaces of one batch's Hessian stand still while the network goes on?

    For the batch of each step t of ``times``, kept as it is: its negative and positive eigenspaces
    at W(t) and at W(t + ``lag``).

    Returns
    -------
    pandas.DataFrame
        A row for each ``class`` and ``time``: ``earlier k``, ``k``, the ``overlap`` as of
        :func:`overlaps`, ``chance`` of subspaces of all P dimensions, k/P, and ``chance in range``,
        k/m: both lie in the few m dimensions in which the batch acts, whatever the network.

    Raises ValueError as :func:`netdyn_lib.experiments.sgd_spectra.over_time`.
    """
    times, lag = _several(times, 0, 1), whole(lag, "lag", 1)
    wanted = {*times, *(t + lag for t in times)}
    params = task.initial(1, seed, network, device=task.x.device)[0]
    reference = Reference(
        task, params, rate, batch, max(wanted), minibatches.order_of(seed, network)
    )
    states = {t: w for t, w in reference.weights() if t in wanted} | {max(wanted): reference.final}
    rows = []
    for t in times:
        found = [batch_hessian.spectrum(reference.part(t), states[s]) for s in (t, t + lag)]
        for name in ("negative", "positive"):
            v, w = (
                one.basis[:, torch.from_numpy(getattr(one.classes(rate), name))] for one in found
            )
            chances = {"chance": v.shape[1] / found[0].size, "chance in range": v.shape[1] / len(v)}
            rows.append(
                {
                    "class": name,
                    "time": t,
                    "earlier k": v.shape[1],
                    "k": w.shape[1],
                    "overlap": _share(v, w),
                }
                | chances
            )
    return pd.DataFrame(rows).set_index(["class", "time"])


def _several(times, least=1, number=2):
    times = sorted({whole(t, "time", least) for t in np.ravel(times).tolist()})
    if len(times) < number:
        raise ValueError(f"{len(times)} different times: give at least {number}")
    return times


def _share(one, other):
    """‖VᵀW‖²_F/k, the mean share of the k columns of W (P, k) that lies in the span of V, both
    orthonormal; NaN for no columns.
    """
    return float((one.T @ other).square().sum()) / other.shape[1] if other.shape[1] else math.nan


def last(table, name):
    """The overlap of a subspace at the last two of the times compared, of a table of
    :func:`overlaps`; ValueError for an unknown one.
    """
    known = list(dict.fromkeys(table.index.get_level_values(0)))
    if name not in known:
        raise ValueError(f"subspace = {name!r}; known: {', '.join(known)}")
    return float(table.loc[name]["overlap"].iloc[-1])


def saw(table):
    """Overlaps from the first to the last pair of times by subspace, and what chance gives, in
    words.
    """
    parts = [
        f"{name} {table.loc[name]['overlap'].iloc[0]:.2f} to {table.loc[name]['overlap'].iloc[-1]:.2f} (chance {table.loc[name]['chance'].iloc[-1]:.2f})"
        for name in dict.fromkeys(table.index.get_level_values(0))
    ]
    return f"Overlap of successive times, from the first to the last: {', '.join(parts)}."
