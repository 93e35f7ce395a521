"""H's two experiments with twins: along five directions of the tangent product, and over sizes of
the perturbation.
"""

import time
from datetime import UTC, datetime

import numpy as np
import xarray as xr

from ...lyapunov.qr import random_orthogonal
from ...results import datasets, provenance
from ...training import minibatches
from ...training.minibatches import Reference
from ...validation import positive, whole
from .bounds import extremes
from .directions import contracting, leading, strategies
from .divergence import diverge
from .independent import independent

_SHELF = datasets.Shelf("twins")
publish, published = _SHELF.publish, _SHELF.published
#: H's directions, from the one along which twins should part most to the one along which least.
EXPECTED = ("top", "chaotic", "random", "non-chaotic", "bottom")
_UNIFORM = ("pytorch", "glorot")


def along_strategies(
    task,
    networks,
    rate,
    batch,
    steps,
    every,
    horizon,
    epsilon=0.1,
    count=8,
    sweeps=20,
    tolerance=1e-2,
    marks=None,
    seed=0,
    progress=None,
):
    """Twins along H's five directions (H, §4.2 and Fig. 3), of each of several networks.

    Parameters
    ----------
    task : Task
        Without weight decay.
    networks : int
        How many; network k has the weights and the order of samples that it has in
        :mod:`netdyn_lib.experiments.pruning_ablation`.
    rate : float
        γ.
    batch, steps, every : int
        Samples of a batch; steps followed; those that are multiples of ``every`` are observed.
    horizon : int
        T_conv: directions are those of the tangent product Y of so many first steps.
    epsilon : float
        ε, the length of the perturbation.
    count, sweeps, tolerance
        Directions wanted at each end of the spectrum, and how hard they are sought: see
        :func:`netdyn_lib.experiments.perturbation_growth.leading`. The chaotic direction is of the
        ``count`` leading ones alone, and the non-chaotic one of as many contracting ones, unless
        all directions are among them.
    marks : sequence of int, optional
        Steps at which the bounds are computed, multiples of ``every`` up to ``horizon``; all such
        where not given.
    seed : int
    progress : bool, optional

    Returns
    -------
    xarray.Dataset
        ``distance`` (network, direction, step), in the L2 norm; ``test_accuracy`` and ``test_loss``
        (network, run, step), the reference first; ``log_top`` and ``log_bottom`` (network, mark),
        ln of the largest and smallest singular value of Y(t); ``log_singular`` and
        ``log_shrinking`` (network, index), ln σ of the leading directions, descending, and of the
        contracting, ascending, at the horizon; ``bound_top``, ``bound_bottom``, ``converged_top``
        and ``converged_bottom`` (network,) as in
        :class:`~netdyn_lib.experiments.perturbation_growth.Directions`.  A twin that overflows has distances that are NaN or infinite from there on.

    Raises
    ------
    ValueError
        For numbers out of bounds, a reference that overflows, or one along which nothing grows, or
        nothing shrinks.
    torch.linalg.LinAlgError
        Where a step of the reference has no inverse.
    """
    steps, every, began = whole(steps, "steps", 1), whole(every, "every", 1), time.monotonic()
    horizon = whole(horizon, "horizon", 1, steps, "directions of the steps that are followed")
    marks = _marks(range(every, horizon + 1, every) if marks is None else marks, every, horizon)
    epsilon, rows = positive(epsilon, "epsilon", "the length of a perturbation"), []
    for start, order in _starts(task, networks, seed):
        reference = Reference(task, start, rate, batch, horizon, seed=order)
        sought = dict(sweeps=sweeps, tolerance=tolerance, seed=order)
        top, low = leading(reference, count, **sought), contracting(reference, count, **sought)
        ways = strategies(top, low, seed=order)
        limits = extremes(reference, top, low, marks)
        found = diverge(
            task,
            start,
            rate,
            batch,
            steps,
            ways,
            epsilon,
            seed=order,
            every=every,
            progress=progress,
        )
        rows.append(
            {
                "distance": found.distance.T,
                "test_accuracy": found.test_accuracy.T,
                "test_loss": found.test_loss.T,
                "log_top": limits.largest,
                "log_bottom": limits.smallest,
                "log_singular": top.log_singular,
                "log_shrinking": low.log_singular,
                "bound_top": top.bound,
                "bound_bottom": low.bound,
                "converged_top": top.converged,
                "converged_bottom": low.converged,
            }
        )
    dims = {
        "distance": ("direction", "step"),
        "log_singular": ("index",),
        "log_shrinking": ("index",),
    }
    dims |= {
        "test_accuracy": ("run", "step"),
        "test_loss": ("run", "step"),
        "log_top": ("mark",),
        "log_bottom": ("mark",),
    }
    coords = {
        "direction": list(ways),
        "run": ["reference", *ways],
        "step": found.steps,
        "mark": marks,
    }
    coords["index"] = np.arange(1, len(top.log_singular) + 1)
    more = dict(epsilon=epsilon, horizon=horizon, sweeps=sweeps, tolerance=float(tolerance))
    return _dataset(
        rows, dims, coords, _attributes(task, rate, batch, steps, every, seed, began) | more
    )


def over_sizes(task, networks, rate, batch, steps, every, epsilons, seed=0, progress=None):
    """Twins at several lengths of one random direction, isotropic, of each of several networks (H,
    "Choice of perturbation length").

    ``epsilons`` are the lengths, positive; other parameters as for :func:`along_strategies`.

    Returns
    -------
    xarray.Dataset
        ``distance`` and ``test_accuracy`` (network, epsilon, step), ε ascending;
        ``reference_accuracy`` (network, step).  Weights of size 1 are known to 1e-16: that is the
        least ε that means anything, times the root of their number.

    Raises
    ------
    ValueError
        For numbers out of bounds, no ``epsilons``, or one twice.
    """
    began, sizes = (
        time.monotonic(),
        sorted(positive(e, "epsilons", "the length of a perturbation") for e in epsilons),
    )
    if len(set(sizes)) != len(sizes):
        raise ValueError(f"epsilons {sizes}: one is there twice, and its twins would be the same")
    steps, rows = whole(steps, "steps", 1), []
    for start, order in _starts(task, networks, seed):
        way = {"random": random_orthogonal(task.network.count, 1, order)[:, 0]}
        found = diverge(
            task, start, rate, batch, steps, way, sizes, seed=order, every=every, progress=progress
        )
        accuracy = found.test_accuracy.T
        rows.append(
            {
                "distance": found.distance.T,
                "test_accuracy": accuracy[1:],
                "reference_accuracy": accuracy[0],
            }
        )
    dims = {
        "distance": ("epsilon", "step"),
        "test_accuracy": ("epsilon", "step"),
        "reference_accuracy": ("step",),
    }
    coords = {"epsilon": sizes, "step": found.steps}
    return _dataset(
        rows,
        dims,
        coords,
        _attributes(task, rate, batch, steps, every, seed, began)
        | dict(epsilon=sizes, horizon=None),
    )


def notes(by_name):
    """Of what data and how many networks twins are, and where they were computed: a line for each
    dataset of this module.
    """
    return "\n".join(
        f"{name}: {data.attrs['data']}; {data.sizes['network']} networks, {data.attrs['steps']:,} steps; {data.attrs['provenance']}"
        for name, data in by_name.items()
    )


def _starts(task, networks, seed):
    """(W(0) (P,), seed of the order of samples) of each network."""
    seed = whole(seed, "seed")
    networks = range(whole(networks, "networks", 1))
    return [
        (task.initial(1, seed, k, device=task.x.device)[0], minibatches.order_of(seed, k))
        for k in networks
    ]


def _marks(marks, every, horizon):
    marks = sorted(
        {whole(t, "a mark", 1, horizon, "bounds are known up to the horizon") for t in marks}
    )
    wrong = [t for t in marks if t % every]
    if wrong or not marks:
        what = (
            f"marks {wrong} are no multiples of"
            if wrong
            else f"no mark up to the horizon {horizon} is a multiple of"
        )
        raise ValueError(
            f"{what} every = {every}, and a bound needs an observed distance beside it; observe more often"
        )
    return marks


def _dataset(rows, dims, coords, attrs):
    variables = {
        name: (("network", *dims.get(name, ())), np.array([row[name] for row in rows]))
        for name in rows[0]
    }
    return xr.Dataset(variables, {"network": np.arange(len(rows)), **coords}, attrs)


def _attributes(task, rate, batch, steps, every, seed, began):
    where = provenance.describe(str(task.x.device))
    hours, device = (time.monotonic() - began) / 3600, where["device"] or where["processor"]
    about = f"{hours:.2g} h on {device}, commit {provenance.commit()}, {datetime.now(UTC):%Y-%m-%d}"
    scheme = task.initialisation
    # of others no distance is known
    apart = independent(task.network, scheme).rms if scheme in _UNIFORM else None
    attrs = dict(
        task=task.name,
        data=task.split.provenance(),
        rate=float(rate),
        batch=int(batch),
        steps=steps,
        every=int(every),
    )
    return attrs | dict(seed=int(seed), independent=apart, provenance=about)
