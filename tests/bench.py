"""Speed and memory of the engine: ``make bench``.

The work is the papers' on Iris: 500 initial conditions, each with 5 perturbed
copies, 201 epochs at η = 1, distances at every epoch.  The rival does it as
most scripts do, one ``nn.Module`` after another with ``torch.optim.SGD``, on a
sample of the same initial conditions.  Ratios are of times per network-step,
measured in turn in this run.
"""

import resource
import subprocess
import sys
import time

import numpy as np
import torch

from netdyn_lib import descent, networks, tasks

CONDITIONS, COPIES, EPOCHS, RATE = 500, 5, 201, 1.0
SAMPLE = 1  # groups of 1 + COPIES networks in one pass of the rival
ROUNDS = 5


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
                path.append(torch.nn.utils.parameters_to_vector(module.parameters()).detach().clone())
                optimiser.zero_grad()
                criterion(module(task.x), task.y).backward()
                optimiser.step()
            states.append(torch.stack(path))
        distances.append(torch.stack([(s - states[0]).abs().sum(1) for s in states[1:]], 1))
    return torch.stack(distances, 1).numpy()


def engine(task, groups, threads):
    """The same distances, by the engine."""
    gd = descent.GradientDescent(task, RATE)
    return descent.run(gd, groups, EPOCHS - 1, observe=("distance",), workers=threads)["distance"]


def timed(function, *arguments):
    begin = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - begin, result


def speed(threads):
    torch.set_num_threads(threads)
    task = tasks.get("iris")
    groups = networks.perturbed(task.initial(CONDITIONS), 1e-8, COPIES)
    step = groups.shape[1] * EPOCHS
    engine(task, groups[:60], threads)
    loop(task, groups[:1])
    ours, theirs = [], []
    for k in range(ROUNDS):
        rows = slice(k * SAMPLE, (k + 1) * SAMPLE)
        seconds, distances = timed(engine, task, groups, threads)
        ours.append(seconds / (CONDITIONS * step) * 1e6)
        seconds, plain = timed(loop, task, groups[rows])
        theirs.append(seconds / (SAMPLE * step) * 1e6)
        small = plain < 1e-5  # before chaos has amplified the last bit
        error = np.abs(np.log(distances[:, rows] / plain))[small].max()
    ratios = np.array(theirs) / np.array(ours)
    print(
        f"{threads} thread(s): engine {np.median(ours):6.1f} µs, loop {np.median(theirs):6.1f} µs a network-step; "
        f"ratio {np.median(ratios):5.1f} (from {ratios.min():.1f} to {ratios.max():.1f} over {ROUNDS} rounds); "
        f"|ln d| differs by at most {error:.0e} while d < 1e-5"
    )


def memory(epochs):
    """Run by itself in a fresh process: follow 120 networks for ``epochs`` and print the peak."""
    task = tasks.get("iris")
    groups = networks.perturbed(task.initial(20), 1e-8, COPIES)
    gd = descent.GradientDescent(task, RATE)
    largest = np.zeros(groups.shape[0])
    for block, _ in descent.stream(gd, groups, epochs, observe=("distance", "loss", "norm", "mean_distance")):
        largest = np.maximum(largest, block.values["mean_distance"].max(0))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2))


def main():
    print(f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; Iris 4-10-3, {CONDITIONS} × {1 + COPIES} networks, {EPOCHS} epochs")
    for threads in (1, 2):
        speed(threads)
    peaks = {}
    for epochs in (1000, 10_000):
        call = [sys.executable, "-c", f"from tests.bench import memory; memory({epochs})"]
        peaks[epochs] = float(subprocess.run(call, capture_output=True, text=True, check=True).stdout)
    print("peak memory of a stream, 120 networks: " + ", ".join(f"{e:,} epochs {m:.0f} MiB" for e, m in peaks.items()))


if __name__ == "__main__":
    main()
