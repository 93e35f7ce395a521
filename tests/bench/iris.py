"""Many small networks: the papers' work on Iris.

500 initial conditions, each with 5 perturbed copies, 201 epochs at η = 1,
distances at every epoch.  The rival does it as most scripts do, one
``nn.Module`` after another with ``torch.optim.SGD``, on a sample of the same
initial conditions.  Ratios are of times per network-step, measured in turn in
this run.
"""

import sys

import numpy as np
import torch
from torch.nn.utils import parameters_to_vector

from netdyn_lib.experiments.benchmarks import Row
from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import gradient_descent

from . import jax_rival, profiles
from .measuring import agree, alone, begin_peak, beside, counts_of_threads, peak, timed

CONDITIONS, COPIES, EPOCHS, RATE = 500, 5, 201, 1.0
SAMPLE = 1  # groups of 1 + COPIES networks in one pass of the rival
ROUNDS = 5
FIRST = 30  # epochs over which results are compared
GOAL, GOAL_JAX = 100, 1.5  # times as fast
MOST_GROWTH = 20  # MiB that ten times as many epochs may add to the peak


def loop(task, groups):
    """Distances (T, n, M) by a plain loop over networks."""
    distances = []
    for group in groups:
        states = []
        for params in group:
            module = task.network.module(params)
            optimiser = torch.optim.SGD(module.parameters(), lr=RATE)
            criterion = torch.nn.CrossEntropyLoss()
            path = []
            for _ in range(EPOCHS):
                path.append(parameters_to_vector(module.parameters()).detach().clone())
                optimiser.zero_grad()
                criterion(module(task.x), task.y).backward()
                optimiser.step()
            states.append(torch.stack(path))
        distances.append(torch.stack([(s - states[0]).abs().sum(1) for s in states[1:]], 1))
    return torch.stack(distances, 1).numpy()


def engine(task, groups, threads):
    """The same distances, by the engine."""
    gd = gradient_descent.GradientDescent(task, RATE)
    record = gradient_descent.run(gd, groups, EPOCHS, observe=("distance",), workers=threads)
    return record["distance"][:EPOCHS]  # as many steps as the rivals take


def speed(threads, keep):
    torch.set_num_threads(threads)
    task = tasks.get("iris")
    groups = networks.perturbed(task.initial(CONDITIONS), 1e-8, COPIES)
    step = groups.shape[1] * EPOCHS
    engine(task, groups[:60], threads)
    loop(task, groups[:1])
    ours, theirs, error = [], [], 0.0
    for k in range(ROUNDS):
        rows = slice(k * SAMPLE, (k + 1) * SAMPLE)
        seconds, distances = timed(engine, task, groups, threads)
        ours.append(seconds / (CONDITIONS * step) * 1e6)
        seconds, plain = timed(loop, task, groups[rows])
        theirs.append(seconds / (SAMPLE * step) * 1e6)
        error = max(error, difference(distances[:, rows], plain))
    limit = profiles.alone(lambda: engine(task, groups[:60], 1))
    rival = "one nn.Module after another, torch.optim.SGD"
    keep(row(threads, rival, ours, theirs, GOAL, said(error), limit))


def against_jax(keep):
    """The same beside JAX, each with all cores."""
    jax = jax_rival.get()
    if jax is None:
        return
    threads = torch.get_num_threads()
    task = tasks.get("iris")
    groups = networks.perturbed(task.initial(CONDITIONS), 1e-8, COPIES)
    forward = jax_rival.mlp(jax, task.network.sizes, task.network.activation.name)
    function = jax_rival.descent(jax, forward, task.x.numpy(), task.y.numpy(), RATE, EPOCHS)
    call, compiling = jax_rival.compiled(jax, function, groups.numpy())
    calls = {
        "ours": lambda: engine(task, groups, threads),
        "jax": lambda: np.asarray(call(groups.numpy())[0]),
    }
    seconds, found = beside(calls, ROUNDS)
    number = CONDITIONS * groups.shape[1] * EPOCHS
    ours, theirs = ([1e6 * s / number for s in seconds[who]] for who in ("ours", "jax"))
    about = (
        f"{said(difference(found['ours'], found['jax']))}; "
        f"JAX compiled for {compiling:.1f} s, not counted"
    )
    limit = profiles.limit(task, groups[:17], EPOCHS)
    keep(row(threads, "JAX, vmap and scan under jit", ours, theirs, GOAL_JAX, about, limit))


def row(threads, rival, ours, theirs, goal, accuracy, limit=""):
    work = (
        f"Iris 4-10-3, {CONDITIONS * (1 + COPIES):,} networks × "
        f"{EPOCHS} epochs, {threads} thread{'s' * (threads > 1)}"
    )
    words = dict(accuracy=accuracy, group="Iris", limit=limit)
    return Row(work, rival, ours, theirs, "µs a network-step", goal, **words)


def difference(distances, others):
    """Largest difference of ln d over the first epochs, before chaos amplifies the last bit.

    It may do so long before d is large, along a direction in which d has next to nothing.
    """
    apart = np.abs(np.log(distances[:FIRST] / others[:FIRST])).max()
    return agree(float(apart), 1e-3, "distances on Iris")


def said(error):
    return f"ln d differs by at most {error:.0e} over the first {FIRST} epochs"


def memory(epochs, hoard=False):
    """Run by itself in a fresh process: follow 120 networks, print the memory after set-up and the
    peak, in MiB.

    ``hoard`` keeps every network's parameters at every epoch, as a script
    does that appends states to a list.
    """
    task = tasks.get("iris")
    groups = networks.perturbed(task.initial(20), 1e-8, COPIES)
    gd = gradient_descent.GradientDescent(task, RATE)
    observe = ("distance", "loss", "norm", "mean_distance") + hoard * ("weights",)
    kept = []
    # so that set-up includes what is made once
    follow(gd, groups, 100, observe, kept.append if hoard else None)
    before = begin_peak()
    follow(gd, groups, epochs, observe, kept.append if hoard else None)
    print(before, peak())


def follow(gd, groups, epochs, observe, keep=None):
    largest = np.zeros(groups.shape[0])
    for block, _ in gradient_descent.stream(gd, groups, epochs, observe=observe):
        largest = np.maximum(largest, block.values["mean_distance"].max(0))
        if keep:
            keep(block)


def measured(epochs, hoard=False):
    """Memory after set-up and peak of :func:`memory` in a process of its own, in MiB.

    Left to itself, glibc keeps up to 64 MiB of freed memory for each thread,
    and gives it back now and then; here it gives back every array at once.
    """
    return alone("iris", f"memory({epochs}, {hoard})", MALLOC_MMAP_THRESHOLD_="65536")


def report_memory(lengths=(1000, 10_000)):
    """Print the peaks; exit with an error if more epochs take more memory."""
    increments = []
    for epochs in lengths:
        before, top = measured(epochs)
        increments.append(top - before)
        print(
            f"stream of 120 networks, {epochs:6,} epochs: peak {top:.0f} "
            f"MiB, {top - before:.1f} MiB over {before:.0f} after set-up"
        )
    if increments[-1] - increments[0] > MOST_GROWTH:
        sys.exit(
            f"memory grows with the number of epochs: by {increments[-1] - increments[0]:.0f} MiB"
        )


def main(keep=print):
    for threads in counts_of_threads():
        speed(threads, keep)
    against_jax(keep)
    report_memory()
