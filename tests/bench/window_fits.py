"""The growth window of 500 distance curves of 201 epochs, all windows tried, beside
``numpy.polyfit`` for each window.

The curves are of Iris at η = 1.  The rival is timed on a sample of them, one curve a round.
"""

import numpy as np

from netdyn_lib.experiments.benchmarks import Row
from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import gradient_descent

from .measuring import agree, timed

CURVES, EPOCHS, LEAST, ROUNDS, RATE = 500, 201, 20, 3, 1.0
GOAL = 200


def curves(count=CURVES, epochs=EPOCHS):
    """Mean distances (T, n) of as many ε-balls."""
    task = tasks.get("iris")
    groups = networks.perturbed(task.initial(count), 1e-8, 5)
    return gradient_descent.run(
        gradient_descent.GradientDescent(task, RATE), groups, epochs - 1, observe=("mean_distance",)
    )["mean_distance"]


def by_polyfit(distance, least=LEAST):
    """R², start, stop and slope of the growing window of largest R², among all of at least
    ``least`` steps; one curve (T,).
    """
    y, best = np.log(distance), (-np.inf, 0, 0, np.nan)
    for start in range(len(y) - least):
        for stop in range(start + least, len(y)):
            part = y[start : stop + 1]
            t = np.arange(len(part))
            slope, intercept = np.polyfit(t, part, 1)
            total = np.square(part - part.mean()).sum()
            r2 = 1 - np.square(part - slope * t - intercept).sum() / total if slope > 0 else -np.inf
            best = max(best, (r2, start, stop, slope))
    return best


def main(keep=print):
    distance = curves()
    growth_fits.best_fit(distance[:, :10], LEAST)
    by_polyfit(distance[:50, 0], LEAST)
    ours, theirs, error = [], [], 0.0
    for k in range(ROUNDS):
        seconds, found = timed(growth_fits.best_fit, distance, LEAST)
        ours.append(1e3 * seconds / distance.shape[1])
        seconds, (_, _, _, slope) = timed(by_polyfit, distance[:, k])
        theirs.append(1e3 * seconds)
        error = max(error, agree(abs(found.slope[k] - slope), 1e-9, "slopes of windows"))
    work = f"Growth window, all windows of at least {LEAST} epochs, {CURVES} series × {EPOCHS}"
    words = dict(accuracy=f"slopes differ by at most {error:.0e}", group="series")
    keep(Row(work, "numpy.polyfit for each window", ours, theirs, "ms a series", GOAL, **words))
