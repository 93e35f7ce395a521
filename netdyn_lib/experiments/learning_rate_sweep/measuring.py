"""What a shard measures: distances, losses, accuracies, arrivals, sharpness."""

import time

import numpy as np

from ...curvature import sharpness
from ...tasks import networks
from ...training import gradient_descent, observables

OF_REFERENCES = tuple(
    observables.of_reference(name) for name in ("loss", "accuracy", "test_accuracy")
)


def measure(task, sweep, shard, workers=None, deadline=None):
    """Measure one shard of a sweep.

    Parameters
    ----------
    task : Task
        With its samples on the device that computes.
    sweep : Sweep
    shard : Shard
    workers : int, optional
        Threads.
    deadline : float, optional
        Reading of :func:`time.monotonic` after which the shard is given up.

    Returns
    -------
    dict of numpy.ndarray
        For n initial conditions, M copies and T = epochs + 1 observations:
        ``distance`` (T, n, M) of each copy from its reference; ``loss``,
        ``accuracy`` and ``test_accuracy`` (T, n) of the references;
        ``diverged_at`` (n, 1 + M), −1 for never.  With a cap, ``first_hit``,
        ``sustained_hit`` and ``followed`` (n,) as in
        :class:`~netdyn_lib.training.gradient_descent.Arrivals`; with ``sharp_at`` of k epochs,
        ``sharpness`` (k, n), NaN where it was not taken.

    Raises
    ------
    netdyn_lib.torch_utils.Stopped
        Past the deadline.
    """
    stop = None if deadline is None else lambda: time.monotonic() > deadline
    start = task.initial(shard.count, sweep.seed, shard.start)
    ball = networks.perturbed(start, sweep.radius, sweep.copies, sweep.seed, shard.start)
    gd = gradient_descent.GradientDescent(task, shard.rate)
    # A regression has no accuracy.
    observed = OF_REFERENCES[:1] if task.y.is_floating_point() else OF_REFERENCES
    record = gradient_descent.run(
        gd, ball, sweep.epochs, ("distance", *observed), workers=workers, stop=stop
    )
    found = {"distance": record["distance"], "diverged_at": record.diverged_at}
    found |= {f.__name__.removeprefix("reference_"): record[f.__name__] for f in observed}
    if sweep.cap:
        last = record.final[:, 0].to(task.x.device)
        arrived = gradient_descent.search(
            gd,
            last,
            task.target_accuracy,
            sweep.cap,
            sweep.sustained,
            record["reference_test_accuracy"],
            workers,
            stop,
        )
        found |= {
            "first_hit": arrived.first,
            "sustained_hit": arrived.sustained,
            "followed": arrived.followed,
        }
    if sweep.sharp_at:
        found["sharpness"] = np.full((len(sweep.sharp_at), shard.count), np.nan)
        few = sweep.sharp_in(shard)
        if few:
            track = sharpness.along_descent(
                gd, start[:few], sweep.epochs, sweep.sharp_at, stop=stop
            )
            found["sharpness"][:, :few] = track.values
    return found
