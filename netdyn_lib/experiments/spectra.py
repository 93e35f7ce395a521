"""Whole spectra of exponents at several learning rates, early and late in training.

The leading exponents of large networks along training, beside what curvature alone would say.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import xarray as xr

from ..curvature import jacobian, sharpness
from ..lyapunov import angles, benettin
from ..results import datasets, provenance
from ..training.gradient_descent import GradientDescent, run
from ..validation import positive, whole
from . import published as checks

_SHELF = datasets.Shelf("leading", exact=True)
publish, published = _SHELF.publish, _SHELF.published


def computed(began, device):
    """Return how long a computation took since ``began``, a monotonic time, where, by what code,
    and when: a line of text.
    """
    where, hours = provenance.describe(str(device)), (time.monotonic() - began) / 3600
    about = f"{hours:.2g} h on {where['device'] or where['processor']}"
    return f"{about}, commit {provenance.commit()}, {datetime.now(UTC):%Y-%m-%d}"


def recompute(name, token, root=None):
    """Recompute the first stretch of all networks of a published dataset of :func:`along_training`,
    at a learning rate that the token chooses, and compare: a
    :class:`netdyn_lib.experiments.published.Check`.
    """
    data = published(root)[name]
    k, every = checks.chosen(token, name, data.sizes["eta"]), int(data["end"][1])
    rate, seed = float(data["eta"][k]), data.attrs["seed"]
    task = checks.task_of(data)
    mine = along_training(task, [rate], data.attrs["conditions"], every, every, seed)
    first = dict(exponent=dict(stretch=[0]), sharpness=dict(end=[0, 1]), loss=dict(end=[0, 1]))
    there = {key: data[key].isel(eta=[k], **part).values for key, part in first.items()}
    part = f"η = {rate:g}, {every} epochs"
    return checks.compared(
        f"{_SHELF.folder}/{name}", part, {key: mine[key].values for key in there}, there
    )


@dataclass(frozen=True)
class Stretches:
    """All exponents, per epoch and descending as QR orders them, of n networks: ``early`` and
    ``late`` (n, P).
    """

    early: np.ndarray
    late: np.ndarray


def late_states(task, rates, count, epochs, seed=0):
    """Return the states of ``count`` networks after so many epochs: rate → (n, P).

    NaN where a network has overflowed.
    """
    start = task.initial(count, seed, device=task.x.device)
    return {
        rate: run(GradientDescent(task, rate), start, epochs, ("loss",), at=(epochs,)).final.to(
            start
        )
        for rate in rates
    }


def early_and_late(task, late, steps, seed=0):
    """Return the exponents over the first ``steps`` epochs, and over as many from ``late`` states
    on, after as many in which the frame turns.

    ``late`` is rate → (n, P) as from :func:`late_states`; the result rate → :class:`Stretches`.
    """
    found = {}
    for rate, states in late.items():
        advance = jacobian.of_descent(GradientDescent(task, rate))
        start = task.initial(len(states), seed, device=states.device)
        early = benettin.spectrum(advance, start, steps, at=(steps,), progress=False)
        after = benettin.spectrum(advance, states, 2 * steps, at=(steps, 2 * steps), progress=False)
        found[rate] = Stretches(early.exponents(), after.exponents(steps))
    return found


def table(spectra, directions, within):
    """Return a row for each learning rate and network: neutral exponents, what their directions
    are, and dimensions.

    A DataFrame: ``neutral early``, ``neutral late``, ``largest late`` exponent, ``Kaplan–Yorke``
    dimension (NaN where it is not defined), and of the neutral covariant vectors ``angle`` in
    degrees to the others, and ``weights of the others``, how many weights effectively hold those
    that are not neutral.
    """
    tables = {}
    for rate, found in spectra.items():
        known = directions[rate]
        flat = np.where(np.abs(found.late) < within, 0.0, found.late)
        tables[rate] = pd.DataFrame(
            {
                "neutral early": _near_zero(found.early, within),
                "neutral late": _near_zero(found.late, within),
                "largest late": found.late.max(1).round(4),
                "Kaplan–Yorke": np.round(angles.kaplan_yorke(flat), 1),
                "weights of the others": known.active_weights.round(1),
                "angle": np.degrees(known.splitting).round(0),
            }
        )
    return pd.concat(tables, names=["η", "network"])


def _near_zero(exponents, within):
    """Return how many exponents (n, P) are within ``within`` of 0, (n,); NaN for overflow."""
    overflowed = np.isnan(exponents).any(-1)
    return np.where(overflowed, np.nan, (np.abs(exponents) <= within).sum(-1))


def along_training(task, rates, conditions, epochs=60, every=10, seed=0):
    """Return the three largest finite-time exponents of descent in successive stretches of
    training, and the sharpness at their ends.

    Exponents are Benettin's, by Hessian–vector products, from one random frame;
    the first stretch is also that in which the frame turns.

    Parameters
    ----------
    task : Task
    rates : sequence of float
        Learning rates η.
    conditions : int
        Initial conditions at each.
    epochs, every : int
        Epochs followed, and the length of a stretch; what is left of the epochs after the last
        whole stretch is not followed.
    seed : int
        Of the initial conditions.

    Returns
    -------
    xarray.Dataset
        ``exponent`` (eta, stretch, init, index) per epoch; ``sharpness`` (eta, end, init) in
        units of 2/η, and ``loss`` likewise; coordinate ``end`` is the epoch, with 0 first.
        NaN from the stretch on in which a network diverged.
    """
    every = whole(every, "every", 1, whole(epochs, "epochs", 1), "a stretch within the epochs")
    rates = [positive(rate, "rates", "a learning rate η") for rate in rates]
    if not rates:
        raise ValueError("rates is empty: give at least one learning rate")
    began, ends = time.monotonic(), np.arange(0, epochs + 1, every)
    epochs = int(ends[-1])
    start = task.initial(conditions, seed, device=task.x.device)
    exponents, sharp, losses = [], [], []
    for rate in rates:
        gd = GradientDescent(task, rate)
        found = benettin.spectrum(jacobian.of_descent(gd), start, epochs, 3, at=ends)
        exponents.append(np.diff(found.log_growth, axis=0) / every)
        values = sharpness.along_descent(gd, start, epochs, ends, tolerance=1e-4).values
        sharp.append(values * rate / 2)
        losses.append(run(gd, start, epochs, ("loss",), at=ends)["loss"])
    variables = {
        "exponent": (("eta", "stretch", "init", "index"), np.array(exponents)),
        "sharpness": (("eta", "end", "init"), np.array(sharp)),
        "loss": (("eta", "end", "init"), np.array(losses)),
    }
    coords = {"eta": rates, "end": ends, "stretch": ends[1:] - every / 2, "index": [1, 2, 3]}
    attrs = dict(task=task.name, data=task.split.provenance(), conditions=conditions)
    attrs |= dict(epochs=epochs, seed=seed, provenance=computed(began, task.x.device))
    return xr.Dataset(variables, coords, attrs)
