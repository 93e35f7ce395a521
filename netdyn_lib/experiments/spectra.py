"""Whole spectra of exponents at several learning rates, early and late in training."""

from dataclasses import dataclass

import numpy as np

from ..curvature import jacobian
from ..lyapunov import benettin, dimensions
from ..training import gradient_descent


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
        return dimensions.near_zero(self.early, within), dimensions.near_zero(self.late, within)


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
            advance, states, steps, transient=steps, at=(steps,), progress=False
        )
        found[rate] = Stretches(early.exponents(), after.exponents())
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
        dimension = dimensions.kaplan_yorke(np.where(np.abs(found.late) < within, 0.0, found.late))
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
