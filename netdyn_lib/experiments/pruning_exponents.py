"""Does pruned descent rule out growth?  Largest finite-time exponents of three maps, each along its
own run.

``plain`` descent I − γH; ``fixed``, pruned descent as theorem 2.2 of Herrmann 2022 has it, I − γPH
with the projector held fixed, for which no product grows; and ``pruned``, its true derivative, in
which the projector turns (:mod:`netdyn_lib.curvature.jacobian`).

All P directions are taken along, so that ln σ_1 is that of the product and not of a random vector,
which in so short a time does not turn towards what grows
(:mod:`netdyn_lib.experiments.sgd_spectra`).
"""

import math

import numpy as np
import torch
import xarray as xr

from .. import torch_utils
from ..curvature.jacobian import PrunedDescent, StochasticDescent
from ..curvature.pruned_descent import named
from ..validation import positive, whole
from . import sgd_spectra

MAPS = ("plain", "pruned", "fixed")


@torch_utils.one()
def compare(descent, networks, at, rule="chaotic"):
    """Return the growth along plain descent, pruned descent, and pruned descent with the projector
    held fixed.

    Parameters
    ----------
    descent : netdyn_lib.experiments.sgd_spectra.MiniBatchDescent
        Of a small task, for products of P × P are formed, without weight decay.
    networks : int
        How many; the same for all maps.
    at : sequence of int
        Steps t, from 1 on.
    rule : str or Rule
        As for :func:`netdyn_lib.curvature.jacobian.pruned_derivative`.

    Returns
    -------
    xarray.Dataset
        ``growth`` (map, network, time): the largest ln σ of J(t − 1) … J(0), the finite-time
        exponent times t.  NaN from where a product is not finite.
    """
    networks, at, rule = whole(networks, "networks", 1), sgd_spectra.times(at), named(rule)
    positive(descent.rate, "rate", "γ")
    if descent.task.weight_decay:
        raise ValueError(
            f"weight_decay = {descent.task.weight_decay}: mini-batch descent is of the loss alone;"
            " take a task without"
        )
    if rule.elsewhere or rule.restore or (rule.chosen == "random" and rule.count is not None):
        raise ValueError(
            f"{rule}: what takes random numbers or restores lengths has no derivative here;"
            " take a projection on eigenvectors"
        )
    found = [[_follow(descent, which, at, rule, k) for k in range(networks)] for which in MAPS]
    coords = {"map": list(MAPS), "network": np.arange(networks), "time": at}
    attrs = descent.attributes() | dict(rule=str(rule))
    return xr.Dataset({"growth": (("map", "network", "time"), np.array(found))}, coords, attrs)


@torch.no_grad()
def _follow(descent, which, at, rule, network):
    """Return ln σ of the largest one at each t, (T,), of one network's run under one map."""
    settings = descent.task, descent.rate, descent.batch
    more = dict(seed=descent.order(network))
    if which == "plain":
        advance = StochasticDescent(*settings, **more)
    else:
        advance = PrunedDescent(*settings, rule, **more, fixed=which == "fixed")
    states, scale = advance.states(descent.initial(network)[None]), 0.0
    product, known = torch.eye(advance.size + 1, advance.size).to(states)[None], []
    for t in range(1, int(at[-1]) + 1):
        states, product = advance(states, product)
        if t in at:
            size = float(product.abs().max())
            if not (math.isfinite(size) and size > 0 and bool(states.isfinite().all())):
                break
            # One power of the largest number, so that growth has no bound.
            product, scale = product / size, scale + math.log(size)
            known.append(math.log(torch.linalg.matrix_norm(product[0], 2)) + scale)
    return np.array(known + [np.nan] * (len(at) - len(known)))
