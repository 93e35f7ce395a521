"""Tangent dynamics of many tiny networks: closed-form Hessians, exponents and covariant vectors of
whole ensembles.

1,000 networks 2-2-1 learn 100 points, y ∝ ((x₁ + x₂)/√2)², at η = 0.001.  The
Hessian's rival is ``torch.func.hessian`` under ``vmap``, on the same stack.
The ensemble's rival is one network after another with the same calls, on a
sample of the same networks.  Ratios are of times per network-step, measured in
turn in this run, on one thread.
"""

import numpy as np
import torch
from torch.func import hessian, vmap

from netdyn_lib.curvature import closed_form, jacobian
from netdyn_lib.experiments.benchmarks import Row
from netdyn_lib.lyapunov import benettin, covariant
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent

from . import profiles
from .measuring import agree, alone, begin_peak, peak, timed

NETWORKS, SAMPLES, RATE = 1000, 100, 0.001
# steps in all, those of them that only the future of vectors needs, between vectors kept
STEPS, FUTURE, EVERY = 1000, 100, 10
SAMPLE = 1  # networks in one pass of the rival that takes one at a time
HESSIAN_ROUNDS, ROUNDS = 9, 3
GOAL_HESSIAN, GOAL_ENSEMBLE = 10, 50  # times as fast


def regression(activation):
    """A 2-2-1 network and points in a square whose best constant prediction has a loss of 200."""
    x = np.random.default_rng(0).uniform(-1, 1, (SAMPLES, 2))
    y = x.sum(1) ** 2 / 2
    y *= np.sqrt(400 / np.square(y - y.mean()).sum())
    network = networks.MLP((2, 2, 1), activation)
    return tasks.custom("2-2-1", network, losses.HalfSquaredError(), x, torch.tensor(y))


def hessians(activation, keep):
    task = regression(activation)
    params = task.initial(NETWORKS)
    function, rival = closed_form.OneHiddenLayerHessian(task), vmap(hessian(task.objective))
    found, known = function(params)[1], rival(params)
    difference = agree(float((found - known).abs().amax() / known.abs().amax()), 1e-9, "Hessians")
    ours, theirs = [], []
    for _ in range(HESSIAN_ROUNDS):
        ours.append(timed(function, params)[0])
        theirs.append(timed(rival, params)[0])
    work = f"Gradient and Hessian, {NETWORKS:,} networks 2-2-1, {activation}, 1 thread"
    ours, theirs = ([1e6 * s / NETWORKS for s in values] for values in (ours, theirs))
    said = f"entries differ by at most {difference:.0e} of the largest"
    pair, words = (ours, theirs), dict(accuracy=said, group="tangent")
    keep(Row(work, "torch.func.hessian under vmap", *pair, "µs a network", GOAL_HESSIAN, **words))


def dynamics(task, params, steps):
    """Exponents (n, P) over ``steps``, and growth (T, n, P) along covariant vectors with some
    future at each of their times.
    """
    advance = jacobian.of_descent(gradient_descent.GradientDescent(task, RATE))
    last = steps - min(FUTURE, steps // 2)
    exponents = benettin.spectrum(advance, params, steps, at=[steps], progress=False).exponents()
    at = range(0, last + 1, EVERY)
    options = dict(backward=steps - at[-1], observe=lambda moment: None)
    found = covariant.vectors(advance, params, at, **options)
    return exponents, found.growth, found.residuals


def ensembles(activation, keep):
    task = regression(activation)
    params = task.initial(NETWORKS)
    dynamics(task, params[:50], 20)
    ours, theirs, error = [], [], 0.0
    for k in range(ROUNDS):
        seconds, (exponents, _, residuals) = timed(dynamics, task, params, STEPS)
        ours.append(seconds / (NETWORKS * STEPS) * 1e6)
        rows = range(k * SAMPLE, (k + 1) * SAMPLE)
        each = lambda rows: [dynamics(task, params[row : row + 1], STEPS)[0] for row in rows]
        seconds, single = timed(each, rows)
        theirs.append(seconds / (SAMPLE * STEPS) * 1e6)
        apart = float(np.abs(exponents[rows] - np.concatenate(single)).max())
        error = max(error, agree(apart, 1e-6, "exponents"))
    work = (
        f"Exponents and covariant vectors, {NETWORKS:,} "
        f"networks 2-2-1, {activation}, {STEPS:,} steps, 1 thread"
    )
    said = (
        f"exponents differ by at most {error:.0e}; covariance "
        f"defect {np.nanmedian(residuals):.0e} (median)"
    )
    limit = profiles.alone(lambda: dynamics(task, params, STEPS // 10))
    rival = f"one network at a time ({ROUNDS * SAMPLE} of them)"
    words = dict(accuracy=said, group="tangent", limit=limit)
    keep(Row(work, rival, ours, theirs, "µs a network-step", GOAL_ENSEMBLE, **words))


def memory(count, steps):
    """Run by itself in a fresh process: print the memory after set-up and the peak, in MiB, of
    :func:`dynamics`.
    """
    torch.set_num_threads(1)
    task = regression("tanh")
    params = task.initial(count)
    dynamics(task, params[:50], 20)  # so that set-up includes what is made once
    before = begin_peak()
    dynamics(task, params, steps)
    print(before, peak())


def report_memory():
    before, top = alone("tangents", f"memory({NETWORKS}, {STEPS})")
    print(
        f"{NETWORKS:,} networks, {STEPS:,} steps: peak {top:.0f} "
        f"MiB, {top - before:.0f} MiB over {before:.0f} after set-up",
        flush=True,
    )


def main(keep=print):
    torch.set_num_threads(1)
    for activation in ("tanh", "relu"):
        hessians(activation, keep)
    for activation in ("tanh", "relu"):
        ensembles(activation, keep)
    report_memory()
