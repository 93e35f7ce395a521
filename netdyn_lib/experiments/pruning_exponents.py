"""Does pruned descent rule out growth?  Leading finite-time exponents of three maps, each along its
own run.

``plain`` descent I − γH; ``fixed``, pruned descent as theorem 2.2 has it, I − γPH with the
projector held fixed, for which no product grows; and ``pruned``, its true derivative, in which the
projector turns (:mod:`netdyn_lib.curvature.jacobian`).

All P directions are taken along, so that ln σ_1 is that of the product and not of a vector drawn at
random, which in so short a time does not turn towards what grows
(:mod:`netdyn_lib.experiments.sgd_spectra`).  Each J differs from I by S K Sᵀ, in the few dimensions
of a batch (:mod:`netdyn_lib.curvature.batch_frames`); K of the true derivative is found along each
of these.
"""

import math

import numpy as np
import torch
import xarray as xr

from .. import torch_utils
from ..curvature import batch_hessian
from ..curvature.jacobian import pruned_derivative
from ..curvature.pruned_descent import named, pruned
from ..statistics.intervals import student
from ..tasks import gradients
from ..training import minibatches
from ..validation import positive, whole

MAPS = ("plain", "pruned", "fixed")


@torch_utils.one()
def compare(task, networks, rate, batch, steps, at, count=3, rule="chaotic", seed=0):
    """Growth along plain descent, pruned descent, and pruned descent with the projector held fixed.

    Parameters
    ----------
    task : Task
        Small, and without weight decay: products of P × P are formed.
    networks : int
        How many; starts and orders of samples as in
        :func:`netdyn_lib.experiments.sgd_spectra.over_time`, the same for all maps.
    rate : float
        γ.
    batch, steps : int
    at : sequence of int
        Steps t, from 1 to ``steps``, which is one in any case.
    count : int
        Leading ones kept.
    rule : str or Rule
        As for :func:`netdyn_lib.curvature.jacobian.pruned_derivative`.
    seed : int

    Returns
    -------
    xarray.Dataset
        ``growth`` (map, network, time): the largest ln σ of J(t − 1) … J(0), the finite-time
        exponent times t; ``leading`` (map, network, time, index) of the ``count`` largest.  NaN
        from where a product is not finite.

    Raises
    ------
    ValueError
        For numbers out of bounds, a task with weight decay, or a rule without a derivative.
    """
    if task.weight_decay:
        raise ValueError(
            f"weight_decay = {task.weight_decay}: mini-batch descent is of the loss alone; take a task without"
        )
    steps, networks = whole(steps, "steps", 1), whole(networks, "networks", 1)
    count, rate = whole(count, "count", 1, task.network.count), positive(rate, "rate", "γ")
    seed, rule = whole(seed, "seed"), named(rule)
    if rule.elsewhere or rule.restore or (rule.chosen == "random" and rule.count is not None):
        raise ValueError(
            f"{rule}: what draws random numbers or restores lengths has no derivative here; take a projection on eigenvectors"
        )
    at = np.unique(
        [
            steps,
            *(
                whole(t, "step in at", 1, steps, "the steps of the run")
                for t in np.ravel(at).tolist()
            ),
        ]
    )
    found = [
        [_follow(task, which, rate, batch, at, count, rule, seed, k) for k in range(networks)]
        for which in MAPS
    ]
    coords = {
        "map": list(MAPS),
        "network": np.arange(networks),
        "time": at,
        "index": np.arange(1, count + 1),
    }
    attrs = dict(
        task=task.name,
        data=task.split.provenance(),
        rate=rate,
        batch=batch,
        seed=seed,
        rule=str(rule),
    )
    data = xr.Dataset(
        {"leading": (("map", "network", "time", "index"), np.array(found))}, coords, attrs
    )
    return data.assign(growth=data["leading"].isel(index=0, drop=True))


def expands(data, name="pruned"):
    """The largest exponent over [0, T] of a map in units of plain descent's, an Interval over
    networks: 0 or less where nothing grows.
    """
    ends = data["growth"].isel(time=-1)
    return student(ends.sel(map=name).values / ends.sel(map="plain").values)


def saw(data):
    """The growth of each map at the end, mean over networks, in words."""
    ends = data["growth"].isel(time=-1).mean("network")
    words = ", ".join(f"{name} {float(ends.sel(map=name)):.2g}" for name in MAPS)
    return f"ln σ₁ after {int(data['time'][-1]):,} steps: {words}."


@torch.no_grad()
def _follow(task, which, rate, batch, at, count, rule, seed, network):
    """ln σ of the leading ones at each t, (T, k), of one network's run under one map."""
    params = task.initial(1, seed, network, device=task.x.device)[0]
    product, scale, logs = torch.eye(task.network.count).to(params), 0.0, []
    for t in range(int(at[-1])):
        index = torch.tensor(
            minibatches.at(len(task.x), batch, t, minibatches.order_of(seed, network)),
            device=task.x.device,
        )
        part = minibatches.batch_task(task, index)
        against, small, local = _step(part, params, rate, rule, which)
        # Rows of `product.T` are the images so far; those of `small` K e_i.
        product = product - rate * local.embed(local.restrict(product.T) @ small).T
        params = params - rate * against
        if t + 1 in at:
            size = float(product.abs().max())
            if not (math.isfinite(size) and size > 0 and bool(params.isfinite().all())):
                return np.array(logs + [np.full(count, np.nan)] * (len(at) - len(logs)))
            # One power of the largest number, so that growth has no bound; what is 1e-16 of it is
            # lost, and is not asked for.
            product, scale = product / size, scale + math.log(size)
            with np.errstate(divide="ignore"):
                logs.append(np.log(torch.linalg.svdvals(product)[:count].cpu().numpy()) + scale)
    return np.array(logs)


def _step(part, params, rate, rule, which):
    """What a step goes against (P,), its derivative within the range as rows K e_i (m, m), and the
    range.
    """
    gradient, local = gradients.of(part)(params[None])[0], batch_hessian.around(part, params)
    hessian = local.hessian()
    if which == "plain":
        return gradient, hessian.matrix, local
    found = hessian.solved()
    left = pruned(gradient, found, rate, rule)
    if which == "fixed":
        keep = torch.from_numpy(~rule.mask(found.values, rate, None) * found.values).to(found.basis)
        return left, (found.basis * keep) @ found.basis.T, local
    units = local.embed(torch.eye(len(found.values)).to(found.basis))  # S: rows (m, P)
    return left, local.restrict(pruned_derivative(local, gradient, units, rate, rule, found)), local
