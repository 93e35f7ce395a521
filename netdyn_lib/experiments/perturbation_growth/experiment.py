"""The two experiments of Herrmann 2022 with perturbed copies: along five directions of the tangent
product, and over sizes of the perturbation.
"""

import time

import numpy as np
import xarray as xr

from ...lyapunov.qr import random_orthogonal
from ...results import datasets
from ...validation import positive, whole
from .. import published as checks
from ..sgd_spectra import of_published
from ..spectra import computed
from .directions import contracting, extremes, leading, strategies
from .divergence import UNIFORM, diverge, independent

_SHELF = datasets.Shelf("twins")
publish, published = _SHELF.publish, _SHELF.published
#: Directions, from the one along which copies should part most to the one along which least.
EXPECTED = ("top", "chaotic", "random", "non-chaotic", "bottom")


def along_strategies(descent, networks, steps, every, search, epsilon=0.1):
    """Follow copies along five directions (Herrmann 2022, §4.2 and Fig. 3), of several networks.

    Parameters
    ----------
    descent : netdyn_lib.experiments.sgd_spectra.MiniBatchDescent
    networks : int
        How many; 0, 1, … of the descent.
    steps, every : int
        Steps followed; those that are multiples of ``every`` are observed.
    search : netdyn_lib.experiments.perturbation_growth.directions.Search
        Its horizon is T_conv: directions are those of the tangent product Y of so many first steps.
    epsilon : float
        ε, the length of the perturbation.

    Returns
    -------
    xarray.Dataset
        ``distance`` (network, direction, step), in the L2 norm; ``test_accuracy`` and ``test_loss``
        (network, run, step), the reference first; ``log_top`` and ``log_bottom`` (network, mark),
        ln of the largest and smallest singular value of Y(t), at the steps observed up to the
        horizon; ``log_singular`` and ``log_shrinking`` (network, index), ln σ of the leading
        directions, descending, and of the contracting, ascending, at the horizon; ``bound_top``,
        ``bound_bottom``, ``converged_top`` and ``converged_bottom`` (network,) as in
        :class:`~netdyn_lib.experiments.perturbation_growth.directions.Directions`.
        A copy that overflows has distances that are NaN or infinite from there on.

    Raises
    ------
    ValueError
        For numbers out of bounds, a reference that overflows, or one along which nothing grows, or
        nothing shrinks.
    torch.linalg.LinAlgError
        Where a step of the reference has no inverse.
    """
    began, steps, every = time.monotonic(), whole(steps, "steps", 1), whole(every, "every", 1)
    horizon = whole(search.horizon, "horizon", every, steps, "one observed step at least")
    marks = range(every, horizon + 1, every)
    epsilon, rows = positive(epsilon, "epsilon", "the length of a perturbation"), []
    for network in range(whole(networks, "networks", 1)):
        order, reference = descent.order(network), descent.reference(network, horizon)
        top, low = leading(reference, search, order), contracting(reference, search, order)
        ways = strategies(top, low, order)
        largest, smallest = extremes(reference, top, low, marks)
        found = diverge(descent, network, steps, every, [*ways.values()], epsilon)
        rows.append(
            {
                "distance": found.distance.T,
                "test_accuracy": found.test_accuracy.T,
                "test_loss": found.test_loss.T,
                "log_top": largest,
                "log_bottom": smallest,
                "log_singular": top.log_singular,
                "log_shrinking": low.log_singular,
                "bound_top": top.bound,
                "bound_bottom": low.bound,
                "converged_top": top.converged,
                "converged_bottom": low.converged,
            }
        )
    dims = {"distance": ("direction", "step")}
    dims |= dict.fromkeys(("test_accuracy", "test_loss"), ("run", "step"))
    dims |= dict.fromkeys(("log_top", "log_bottom"), ("mark",))
    dims |= dict.fromkeys(("log_singular", "log_shrinking"), ("index",))
    coords = {
        "direction": list(ways),
        "run": ["reference", *ways],
        "step": found.steps,
        "mark": np.array(marks),
        "index": np.arange(1, search.count + 1),
    }
    more = dict(epsilon=epsilon, horizon=horizon, sweeps=search.sweeps)
    more |= dict(tolerance=float(search.tolerance), steps=steps, every=every)
    return _dataset(rows, dims, coords, _attributes(descent, began) | more)


def over_sizes(descent, networks, steps, every, epsilons):
    """Follow copies at several lengths of one random direction, isotropic, of several networks
    (Herrmann 2022, "Choice of perturbation length").

    ``epsilons`` are the lengths, positive; other parameters as for :func:`along_strategies`.

    Returns
    -------
    xarray.Dataset
        ``distance`` and ``test_accuracy`` (network, epsilon, step), ε ascending;
        ``reference_accuracy`` (network, step).  Weights of size 1 are known to 1e-16: that is the
        least ε that means anything, times the root of their number.
    """
    began, sizes = time.monotonic(), sorted(map(float, epsilons))
    if len(set(sizes)) != len(sizes):
        raise ValueError(f"epsilons {sizes}: one is there twice, and its copies would be the same")
    rows, steps = [], whole(steps, "steps", 1)
    for network in range(whole(networks, "networks", 1)):
        way = _isotropic(descent, network)
        found = diverge(descent, network, steps, every, [way], sizes)
        rows.append(
            {
                "distance": found.distance.T,
                "test_accuracy": found.test_accuracy.T[1:],
                "reference_accuracy": found.test_accuracy.T[0],
            }
        )
    dims = dict.fromkeys(("distance", "test_accuracy"), ("epsilon", "step"))
    dims |= {"reference_accuracy": ("step",)}
    coords = {"epsilon": sizes, "step": found.steps}
    more = dict(epsilon=sizes, horizon=None, steps=steps, every=int(every))
    return _dataset(rows, dims, coords, _attributes(descent, began) | more)


def recompute(name, token, root=None):
    """Recompute a published network up to the first steps observed, and compare: a
    :class:`netdyn_lib.experiments.published.Check`.  The token chooses the network.

    With copies along its random direction where they were followed :func:`over_sizes`; the
    directions of :func:`along_strategies` take far more steps, and there the network alone.
    """
    data = published(root)[name]
    k, every = checks.chosen(token, name, data.sizes["network"]), data.attrs["every"]
    descent, there = of_published(data), data.isel(network=k, step=slice(0, 2))
    way = _isotropic(descent, k)
    found = diverge(descent, k, every, every, [way], data.attrs["epsilon"])
    if "epsilon" in data.coords:
        mine = {"distance": found.distance.T, "test_accuracy": found.test_accuracy.T[1:]}
        theirs = {key: there[key].values for key in mine}
    else:
        mine = {"test_accuracy": found.test_accuracy.T[0], "test_loss": found.test_loss.T[0]}
        theirs = {key: there[key].sel(run="reference").values for key in mine}
    return checks.compared(f"{_SHELF.folder}/{name}", f"network {k}, {every} steps", mine, theirs)


def _isotropic(descent, network):
    """The random direction (P,) of a network's copies."""
    way = random_orthogonal(descent.task.network.count, 1, descent.order(network))[:, 0]
    return way.to(descent.task.x.device)


def _dataset(rows, dims, coords, attrs):
    variables = {
        name: (("network", *dims.get(name, ())), np.array([row[name] for row in rows]))
        for name in rows[0]
    }
    return xr.Dataset(variables, {"network": np.arange(len(rows)), **coords}, attrs)


def _attributes(descent, began):
    task = descent.task
    # of other schemes no distance is known
    uniform = task.initialisation in UNIFORM
    apart = independent(task.network, task.initialisation) if uniform else None
    about = dict(independent=apart, provenance=computed(began, task.x.device))
    return descent.attributes() | about
