"""Whole spectra of exponents at several learning rates, early and late in training.

The leading exponents of large networks along training, beside what curvature alone would say.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import xarray as xr

from ..curvature import jacobian, sharpness
from ..lyapunov import angles, benettin
from ..results import datasets, provenance
from ..training import gradient_descent
from ..validation import positive, whole


@dataclass(frozen=True)
class Stretches:
    """All exponents, per epoch and descending as QR orders them, of n networks: ``early`` and
    ``late`` (n, P).
    """

    early: np.ndarray
    late: np.ndarray

    def neutral(self, within):
        """How many exponents are below ``within`` in magnitude, early and late: (n,) each; NaN for
        networks that overflowed.
        """
        return tuple(
            np.where(np.isnan(found).any(-1), np.nan, (np.abs(found) <= within).sum(-1))
            for found in (self.early, self.late)
        )


def late_states(task, rates, count, epochs, seed=0):
    """States of ``count`` networks after so many epochs at each learning rate: rate → (n, P); NaN
    where one has overflowed.
    """
    start = task.initial(count, seed, device=task.x.device)
    ends = {
        rate: gradient_descent.run(
            gradient_descent.GradientDescent(task, rate), start, epochs, ("loss",), at=(epochs,)
        )
        for rate in rates
    }
    return {rate: record.final.to(start) for rate, record in ends.items()}


def early_and_late(task, late, steps, seed=0):
    """Exponents over the first ``steps`` epochs, and over as many from ``late`` states on, after as
    many in which the frame turns.

    ``late`` is rate → (n, P) as from :func:`late_states`; the result rate → :class:`Stretches`.
    """
    found = {}
    for rate, states in late.items():
        advance = jacobian.of_descent(gradient_descent.GradientDescent(task, rate))
        start = task.initial(len(states), seed, device=states.device)
        early = benettin.spectrum(advance, start, steps, at=(steps,), progress=False)
        after = benettin.spectrum(
            advance, states, 2 * steps, at=(steps, 2 * steps), progress=False
        )
        found[rate] = Stretches(early.exponents(), after.exponents(steps))
    return found


def table(spectra, directions, within):
    """One row for each learning rate and network: neutral exponents, what their directions are, and
    dimensions.

    Columns: ``neutral early``, ``neutral late``, ``largest late`` exponent, ``Kaplan–Yorke``
    dimension (NaN where it is not defined), and of the neutral covariant vectors ``angle`` in
    degrees to the others, and ``weights of the others``, how many weights effectively hold those
    that are not neutral.  A :class:`pandas.DataFrame`.
    """
    import pandas as pd

    rows = []
    for rate, found in spectra.items():
        early, late = found.neutral(within)
        known = directions[rate]
        dimension = angles.kaplan_yorke(np.where(np.abs(found.late) < within, 0.0, found.late))
        for k in range(len(early)):
            rows.append(
                {
                    "η": rate,
                    "network": k,
                    "neutral early": early[k],
                    "neutral late": late[k],
                    "largest late": found.late[k].max().round(4),
                    "Kaplan–Yorke": np.round(dimension[k], 1),
                    "weights of the others": known.active_weights[k].round(1),
                    "angle": np.degrees(known.splitting[k]).round(0),
                }
            )
    return pd.DataFrame(rows).set_index(["η", "network"])


_SHELF = datasets.Shelf("leading", exact=True)
publish, published = _SHELF.publish, _SHELF.published


def along_training(task, rates, conditions, count=3, epochs=60, every=10, seed=0, progress=None):
    """The k largest finite-time exponents of descent in successive stretches of training, and the
    sharpness at their ends.

    Exponents are Benettin's, by Hessian–vector products, from one random frame;
    the first stretch is also that in which the frame turns.

    Parameters
    ----------
    task : Task
    rates : sequence of float
        Learning rates η.
    conditions : int
        Initial conditions at each.
    count : int
        k.
    epochs, every : int
        Epochs followed, and the length of a stretch; what is left of the epochs after the last
        whole stretch is not followed.
    seed : int
        Of the initial conditions.
    progress : bool, optional
        As for :func:`netdyn_lib.lyapunov.benettin.spectrum`.

    Returns
    -------
    xarray.Dataset
        ``exponent`` (eta, stretch, init, index) per epoch; ``sharpness`` (eta, end, init) in
        units of 2/η, and ``loss`` likewise; coordinate ``end`` is the epoch, with 0 first.
        NaN from the stretch on in which a network diverged.

    Raises
    ------
    ValueError
        For no rates, numbers that are none, or a stretch longer than the epochs; as
        :func:`netdyn_lib.lyapunov.benettin.spectrum` and :class:`netdyn_lib.training.gradient_descent.GradientDescent`.
    """
    every = whole(every, "every", 1, whole(epochs, "epochs", 1), "a stretch within the epochs")
    rates = [positive(rate, "rates", "a learning rate η") for rate in rates]
    if not rates:
        raise ValueError("rates is empty: give at least one learning rate")
    epochs -= epochs % every
    began = time.monotonic()
    start = task.initial(conditions, seed, device=task.x.device)
    ends = np.arange(0, epochs + 1, every)
    shape = len(rates), len(ends), conditions
    exponent = np.full((len(rates), len(ends) - 1, conditions, count), np.nan)
    sharp, losses = np.full(shape, np.nan), np.full(shape, np.nan)
    for k, rate in enumerate(rates):
        gd = gradient_descent.GradientDescent(task, rate)
        found = benettin.spectrum(
            jacobian.of_descent(gd), start, epochs, count, at=ends, progress=progress
        )
        exponent[k] = np.diff(found.log_growth, axis=0) / every
        edge = sharpness.along_descent(gd, start, epochs, ends, tolerance=1e-4)
        sharp[k] = edge.values * rate / 2
        losses[k] = gradient_descent.run(gd, start, epochs, ("loss",), at=ends)["loss"]
    variables = {
        "exponent": (("eta", "stretch", "init", "index"), exponent),
        "sharpness": (("eta", "end", "init"), sharp),
        "loss": (("eta", "end", "init"), losses),
    }
    coords = {
        "eta": rates,
        "end": ends,
        "stretch": ends[1:] - every / 2,
        "index": np.arange(1, count + 1),
    }
    where = provenance.describe(str(task.x.device))
    about = f"{(time.monotonic() - began) / 3600:.2g} h on {where['device'] or where['processor']}, commit {provenance.commit()}, {datetime.now(UTC):%Y-%m-%d}"
    attrs = {
        "task": task.name,
        "data": task.split.provenance(),
        "conditions": conditions,
        "epochs": epochs,
        "seed": seed,
        "provenance": about,
    }
    return xr.Dataset(variables, coords, attrs)


def notes(by_name):
    """Of what data and how many networks leading exponents are, and where they were computed: a
    line for each dataset of :func:`along_training`.
    """
    return "\n".join(
        f"{name}: {about['data']}; {about['conditions']} networks, {about['epochs']} epochs; {about['provenance']}"
        for name, about in ((name, data.attrs) for name, data in by_name.items())
    )
