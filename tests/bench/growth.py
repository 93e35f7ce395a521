"""Time and memory as one quantity of the work grows, each size in a process of its own; and one and
two processes of a cluster.

``point`` is what such a process runs: a warm-up on the smallest size, the peak of memory begun
anew, the work some times.
"""

import tempfile
from pathlib import Path

import dask
import numpy as np
import torch
from distributed import LocalCluster

from netdyn_lib.experiments.benchmarks import Growth, Row
from netdyn_lib.experiments.campaign import run
from netdyn_lib.experiments.learning_rate_sweep import grid
from netdyn_lib.results import provenance
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent

from .measuring import alone, begin_peak, peak, timed

REPEATS = 3
NETWORKS = (30, 100, 300, 1000, 3000)
EPOCHS = (200, 600, 2000, 6000, 20_000)
SAMPLES = (600, 2000, 6000, 20_000, 60_000)
WIDTHS = (6, 20, 64, 200, 640)


def _iris(count, epochs):
    task = tasks.get("iris")
    gd, start = gradient_descent.GradientDescent(task, 1.0), task.initial(count)

    def work():
        for _ in gradient_descent.stream(gd, start, epochs, observe=("loss", "norm")):
            pass

    return work


def _images(samples, width, epochs=2):
    """6 networks 784-``width``-10 on random images, dense ones: no product is left out, so that
    samples are alike.
    """
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(samples, 784)), torch.from_numpy(rng.integers(0, 10, samples))
    network = networks.MLP((784, width, 10), "tanh")
    task = tasks.custom("images", network, losses.CrossEntropy(), x, y)
    gd = gradient_descent.GradientDescent(task, 1.0)
    groups = networks.perturbed(task.initial(1), 1e-8, 5)
    return lambda: gradient_descent.run(gd, groups, epochs, observe=("distance",))


#: Quantity → what it is in words, the sizes, the work at a size, and in what the sizes are told.
QUANTITIES = {
    "networks": ("Iris 4-10-3, 200 epochs", NETWORKS, lambda n: _iris(n, 200), lambda n: n),
    "epochs": ("Iris 4-10-3, 60 networks, streamed", EPOCHS, lambda n: _iris(60, n), lambda n: n),
    "samples": ("784-64-10, 6 networks, 2 epochs", SAMPLES, lambda n: _images(n, 64), lambda n: n),
    "parameters": (
        "784-h-10, 6 networks, 2,000 samples, 2 epochs",
        WIDTHS,
        lambda n: _images(2000, n),
        lambda n: 785 * n + 10 * (n + 1),
    ),
}


def point(quantity, size):
    """Run by itself in a fresh process: print median seconds, memory before and peak in MiB."""
    _, sizes, make, _ = QUANTITIES[quantity]
    make(sizes[0])()
    before = begin_peak()
    work = make(size)
    seconds = sorted(timed(work)[0] for _ in range(REPEATS))[REPEATS // 2]
    print(seconds, before, peak())


def growth(quantity):
    """The :class:`~netdyn_lib.experiments.benchmarks.Growth` of one quantity."""
    what, sizes, _, told = QUANTITIES[quantity]
    call = f"point({quantity!r}, {{}})".format
    found = [alone("growth", call(size), MALLOC_MMAP_THRESHOLD_="65536") for size in sizes]
    seconds, before, top = zip(*found)
    memory = tuple(max(0.0, t - b) for b, t in zip(before, top))
    return Growth(what, quantity, tuple(told(size) for size in sizes), seconds, memory)


def cluster(workers, folder):
    """A Dask cluster of so many worker processes on this machine."""
    quiet = dict(dashboard_address=None, silence_logs=50, local_directory=folder)
    place = dict(processes=True, protocol="tcp", host="127.0.0.1")
    return LocalCluster(n_workers=workers, threads_per_worker=1, **place, **quiet)


def clusters(rounds=3):
    """A sweep of digits on one and on two worker processes of a Dask cluster on this machine, in
    turn; seconds (R,) of each.
    """
    seconds = {1: [], 2: []}
    with (
        tempfile.TemporaryDirectory() as folder,
        dask.config.set({"distributed.admin.log-format": "%(message)s"}),
    ):
        with cluster(1, folder) as one, cluster(2, folder) as two:
            for k in range(rounds + 1):  # the first warms the workers up
                for count, found in ((1, one), (2, two)):
                    rates, size = (0.5, 1.0, 2.0, 5.0), dict(epochs=100, block=1, seed=k)
                    sweep = grid.Sweep("bench", "digits", rates, 4, 5, **size)
                    store, place = Path(folder) / f"store-{count}-{k}", found.scheduler_address
                    took, done = timed(lambda: run(sweep, store, scheduler=place))
                    if done.missing or done.computed != 16:
                        why = f"{done.computed} of 16 shards: {done.stopped}"
                        raise RuntimeError(f"the cluster computed {why}")
                    if k:
                        seconds[count].append(took)
    return seconds


def main(keep=print):
    for quantity in QUANTITIES:
        found = growth(quantity)
        keep(found)
        print(f"  time grows as {quantity} to the power {found.exponent()}", flush=True)
    if provenance.describe()["cores"] < 2:
        print("one core: two processes of a cluster are not measured")
        return
    seconds = clusters()
    work, pair = "Sweep of digits, 16 shards, two worker processes", (seconds[2], seconds[1])
    keep(Row(work, "one worker process", *map(tuple, pair), "s", group="cluster"))
