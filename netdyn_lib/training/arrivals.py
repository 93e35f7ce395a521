"""How many epochs a network needs to its target accuracy; and those that never arrive."""

from dataclasses import dataclass

import numpy as np

from . import gradient_descent as engine
from .observables import first_hit

_STRETCH = 50  # epochs between looks at who has arrived


@dataclass(frozen=True)
class Arrivals:
    """First arrivals of n networks, in epochs.

    ``first`` (n,) is the first epoch at the target, ``sustained`` (n,) the first
    of so many epochs in a row; NaN for a network that did not arrive within
    ``followed`` (n,) epochs: the cap, or where it overflowed.  Such a network is censored: it
    arrives later, or never.  One that did arrive was followed until that was certain.
    """

    first: np.ndarray
    sustained: np.ndarray
    followed: np.ndarray


def search(descent, start, target, cap, sustained=20, seen=None, workers=None, stop=None):
    """Train networks until each has arrived for good, or to a cap.

    Parameters
    ----------
    descent : GradientDescent
        With one learning rate for all.
    start : torch.Tensor
        (n, P).
    target : float
        Test accuracy to reach.
    cap : int
        Epochs after which a network is given up.
    sustained : int
        Epochs in a row, at the target or above, that end the search; all of them
        within the cap, so that a sustained arrival is never later than cap − sustained + 1.
    seen : array, optional
        Test accuracies (T, n) at epochs 0 … T − 1, where they are known; ``start``
        are then the parameters at epoch T − 1.
    workers, stop
        As in :func:`netdyn_lib.training.gradient_descent.run`.

    Returns
    -------
    Arrivals
    """
    count = len(start)
    curves = (
        [[] for _ in range(count)]
        if seen is None
        else [list(c) for c in np.asarray(seen)[: cap + 1].T]
    )
    first, lasting = np.full(count, np.nan), np.full(count, np.nan)
    params = start.clone()
    remaining = np.arange(count)
    while True:
        for k in remaining:
            if curves[k]:
                times = np.arange(len(curves[k]))
                first[k] = first_hit(times, curves[k], target)
                lasting[k] = (
                    first_hit(times, curves[k], target, min(sustained, len(times)))
                    if len(times) >= sustained
                    else np.nan
                )
        alive = params[remaining].isfinite().all(1).cpu().numpy()
        here = np.array([max(len(curves[k]) - 1, 0) for k in remaining])
        remaining = remaining[np.isnan(lasting[remaining]) & alive & (here < cap)]
        if not len(remaining):
            break
        length = max(len(curves[remaining[0]]) - 1, 0)
        record = engine.run(
            descent,
            params[remaining],
            min(_STRETCH, cap - length),
            ("test_accuracy",),
            workers=workers,
            stop=stop,
        )
        params[remaining] = record.final.to(params)
        for column, k in enumerate(remaining):
            # Epoch 0 of a stretch is the last of the one before.
            curves[k] += list(record["test_accuracy"][1 if curves[k] else 0 :, column])
    lengths = np.array([len(c) - 1 for c in curves])
    # Not to the end of a stretch: where a network arrived cannot depend on how often one looks.
    followed = np.where(np.isnan(lasting), lengths, lasting + sustained - 1).astype(int)
    return Arrivals(first, lasting, followed)
