"""The spectrum of a mini-batch at H's network, descent that prunes by it, and a Hessian–vector
product against a gradient.

256-20-10 ReLU, 5,350 parameters, batches of 8, γ = 0.001, on USPS; without it on
random images, for which the work is the same.  The dense rival is
the whole Hessian by automatic differentiation and its ``eigh``: once, for it takes tens of seconds.
"""

import os
from unittest import mock

import numpy as np
import torch

from netdyn_lib.curvature import batch_hessian, hessian, jacobian, pruned_descent
from netdyn_lib.experiments.benchmarks import Row
from netdyn_lib.tasks import datasets, gradients, losses, networks, tasks
from netdyn_lib.training import minibatches

from .measuring import agree, beside, spread, timed

SIZES, BATCH, RATE = (256, 20, 10), 8, 0.001
STEPS, ROUNDS, REPEATS = 40, 5, 20
COUNT = 20  # exponents
# times as fast as the dense spectrum; gradients that a product may take
GOAL, MOST_PRODUCT = 500, 3


def problem():
    """The task and one network as PyTorch draws it."""
    with mock.patch.dict(os.environ, NETDYN_OFFLINE="1"):
        try:
            held = datasets.get("usps")
            x, y = held.x, held.y
        except datasets.MissingData:
            print("USPS is not at hand: random images, and times of the same work")
            rng = np.random.default_rng(0)
            x, y = rng.uniform(size=(7291, 256)), torch.from_numpy(rng.integers(0, 10, 7291))
    task = tasks.custom("usps", networks.MLP(SIZES, "relu"), losses.CrossEntropy(), x, y)
    return task, networks.initial_parameters(task.network, 1, 0, "pytorch")


def repeated(function, *arguments):
    """Seconds of a call in each of some rounds, (R,)."""
    function(*arguments)
    several = lambda: [function(*arguments) for _ in range(REPEATS)]
    return np.array([timed(several)[0] / REPEATS for _ in range(ROUNDS)])


def spectra(task, params, keep, goal=GOAL):
    part = minibatches.batch_task(task, next(minibatches.order(len(task.x), BATCH)))
    ours = repeated(batch_hessian.spectrum, part, params[0])
    found = batch_hessian.spectrum(part, params[0])
    square = torch.randn(len(found.values), len(found.values), dtype=torch.float64)
    alone = repeated(torch.linalg.eigh, square + square.T)
    print(
        f"low-rank spectrum, {len(found.values)} of "
        f"{found.size:,} dimensions: {spread(1e3 * ours)} ms, "
        f"of which eigh of that size takes {spread(1e3 * alone)}",
        flush=True,
    )
    # The whole of 5,350 parameters takes tens of seconds: once.
    rounds = ROUNDS if found.size < 2000 else 1
    whole = lambda: torch.linalg.eigh(hessian.hessians(part.objective, params)[0])[0].numpy()
    theirs, (dense, *_) = zip(*(timed(whole) for _ in range(rounds)))
    known = np.sort(np.concatenate([found.values, np.zeros(found.size - len(found.values))]))
    kind = "" if isinstance(task.network, networks.MLP) else "convolutional network, "
    work = f"Spectrum of a batch of {BATCH}, {kind}{found.size:,} parameters, 1 thread"
    differs = agree(np.abs(known - dense).max(), 1e-9, "spectra of a batch")
    words = dict(accuracy=f"eigenvalues differ by at most {differs:.0e}", group="batches")
    rival = "the whole Hessian, forward over reverse, and its eigh"
    mine = ours if rounds > 1 else [np.median(ours)]
    keep(Row(work, rival, 1e3 * np.array(mine), 1e3 * np.array(theirs), "ms", goal, **words))


def convolutional(task):
    """The book's small convolutional network on the same images, and one network as PyTorch draws
    it.
    """
    found = tasks.custom("usps-cnn", tasks.recipe("usps-cnn").network(), task.loss, task.x, task.y)
    return found, networks.initial_parameters(found.network, 1, 0, "pytorch")


def descents(task, params, keep):
    calls = {
        rule: lambda rule=rule: pruned_descent.run(
            pruned_descent.Descent(task, BATCH, rule, every=1000), params, RATE, STEPS
        )
        for rule in ("none", "negative", "random-same")
    }
    rates = {rule: STEPS / np.array(seconds) for rule, seconds in beside(calls, ROUNDS)[0].items()}
    for rule in ("negative", "random-same"):
        work = (
            f"Descent, batches of {BATCH}, {task.network.count:,} "
            f"parameters, pruned by the rule {rule}, 1 thread"
        )
        pair, words = (rates[rule], rates["none"]), dict(rate=True, group="batches")
        keep(Row(work, "without pruning", *pair, "steps a second", **words))


def tangents(task, params):
    heavy = jacobian.StochasticDescent(task, RATE, BATCH, 0, 0.9)
    ways = {
        "mini-batches": (jacobian.StochasticDescent(task, RATE, BATCH), STEPS),
        "mini-batches with momentum": (heavy, STEPS),
        "pruned, its true derivative": (jacobian.PrunedDescent(task, RATE, BATCH, "negative"), 3),
    }
    for name, (advance, steps) in ways.items():
        spectrum = lambda steps: jacobian.spectrum(advance, params, steps, COUNT, progress=False)
        spectrum(1)
        times = [timed(spectrum, steps)[0] for _ in range(ROUNDS)]
        print(
            f"leading {COUNT} exponents by QR, {name}: "
            f"{spread(1e3 * np.array(times) / steps)} ms a step",
            flush=True,
        )


def products(task, params, keep):
    for name, part in (
        (f"{len(task.x):,} samples", task),
        (f"{BATCH} samples", minibatches.batch_task(task, torch.arange(BATCH))),
    ):
        gradient = gradients.of(part)
        v = torch.randn_like(params)
        calls = {
            "ours": lambda: [gradient.product(params, v) for _ in range(REPEATS)],
            "theirs": lambda: [gradient(params) for _ in range(REPEATS)],
        }
        # How many gradients a product takes: the ratio of times the other way round.
        work, goal = "Hessian–vector product with its gradient", 1 / MOST_PRODUCT
        beside_one(work, name, calls, keep, goal if part is task else None)
        point = gradient.at(params)
        calls["ours"] = lambda: [point.product(v) for _ in range(REPEATS)]
        beside_one("One more Hessian–vector product at the same weights", name, calls, keep)


def beside_one(work, name, calls, keep, goal=None):
    """Keep the row of a product beside one gradient."""
    pair = (1e3 * np.array(s) / REPEATS for s in beside(calls, ROUNDS)[0].values())
    keep(Row(f"{work}, {name}, 1 thread", "one gradient", *pair, "ms", goal, group="batches"))


def main(keep=print):
    torch.set_num_threads(1)
    task, params = problem()
    products(task, params, keep)
    descents(task, params, keep)
    tangents(task, params)
    spectra(*convolutional(task), keep, None)
    spectra(task, params, keep)
