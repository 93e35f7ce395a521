"""Few large networks: J's work on all 60,000 images of MNIST, in float64.

2 initial conditions of 784-64-10, each with 5 perturbed copies, at η = 10,
distances at every epoch.  The rival does it as the authors did: one
``nn.Module`` after another with ``torch.optim.SGD``, its batch of all images
read at every epoch through torchvision's ``ToTensor`` and a ``DataLoader``.  It
is timed on a sample, one network for one epoch in each round, and once more
with the batch kept in memory: so much of the ratio is not the reading.

The engine's arithmetic is also set against the rate at which this machine
multiplies large float64 matrices, measured in the same rounds.
"""

import os
import sys
from contextlib import contextmanager
from unittest import mock

import numpy as np
import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from netdyn_lib import archives, descent, networks, steppers, tasks
from netdyn_lib.sweeps import grid, measuring

from .measuring import alone, begin_peak, peak, spread, timed

TASK, CONDITIONS, COPIES, EPOCHS, RATE = "mnist", 2, 5, 2, 10.0
ROUNDS = 3
SIDE, TRIES = 2000, 3  # of the square matrices, and how often they are multiplied in a round
GOAL = 15  # times as fast as the authors' way, on two cores
MOST_MEMORY = 6.0  # GiB at the peak of one shard


class Images(datasets.MNIST):
    """torchvision's MNIST over images that are in memory; what it does with each is its own."""

    def __init__(self, images, labels):
        self.data, self.targets = torch.tensor(images), torch.tensor(labels)
        self.transform, self.target_transform = transforms.ToTensor(), None


@contextmanager
def double():
    """PyTorch's default type is float64, and that is what ``ToTensor`` makes of an image."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def reader(images, labels):
    """All images as one batch, read anew whenever it is iterated."""
    return DataLoader(Images(images, labels), batch_size=len(images), shuffle=False, num_workers=0)


def loop(network, params, batches, epochs):
    """Losses (T,), weights (T + 1, P) of one network by the plain loop; ``batches`` is iterated at every epoch."""
    module = network.module(params)
    optimiser = torch.optim.SGD(module.parameters(), lr=RATE)
    criterion = torch.nn.CrossEntropyLoss()
    losses, path = [], [flat(module)]
    for _ in range(epochs):
        for x, y in batches:
            optimiser.zero_grad()
            loss = criterion(module(x.flatten(1)), y)
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        path.append(flat(module))
    return np.array(losses), torch.stack(path)


def flat(module):
    """Parameters (P,) in the order of an MLP's: those of a unit lie together."""
    layers = [layer for layer in module if isinstance(layer, torch.nn.Linear)]
    return torch.cat([torch.cat([m.weight, m.bias[:, None]], 1).flatten() for m in layers]).detach()


def engine(task, groups, epochs, threads, observe=("distance",)):
    """The same by the engine, for the whole ensemble."""
    return descent.run(descent.GradientDescent(task, RATE), groups, epochs, observe=observe, workers=threads)


def disagreement(record, losses, path):
    """Relative difference of the loss at the start, and of the first step of the first network."""
    start, after = path[0], path[1]
    loss = abs(record["loss"][0].ravel()[0] / losses[0] - 1)
    step = (record.final.flatten(0, -2)[0] - after).abs().max() / (after - start).abs().max()
    return float(loss), float(step)


def operations(inputs, hidden, outputs, samples):
    """Additions and multiplications in the products of one epoch of one network with one hidden layer.

    Two of them for each weight and sample, in a layer's output, in its gradient
    and, but for the first layer, in what goes back to the layer below; a bias
    counts as one more input.
    """
    return (4 * (inputs + 1) * hidden + 6 * (hidden + 1) * outputs) * samples


def product_rate():
    """Operations per second of a product of large float64 matrices, the best of a few, with PyTorch's threads."""
    a, b = torch.rand(2, SIDE, SIDE, dtype=torch.float64)
    best = min(timed(torch.mm, a, b)[0] for _ in range(TRIES))
    return 2 * SIDE**3 / best


def speed(task, groups, reading, threads):
    torch.set_num_threads(threads)
    resident = [(task.x, task.y)]
    number = groups.shape[0] * groups.shape[1] * EPOCHS
    engine(task, groups[:, :2], 1, threads)  # lays out the samples, once for all
    times = {"engine": [], "reading": [], "resident": []}
    rates = []
    for k in range(ROUNDS):
        rates.append(product_rate())
        times["engine"].append(timed(engine, task, groups, EPOCHS, threads)[0] / number)
        start = groups.flatten(0, 1)[k % (groups.shape[0] * groups.shape[1])]
        with double():
            times["reading"].append(timed(loop, task.network, start, reading, 1)[0])
            times["resident"].append(timed(loop, task.network, start, resident, 1)[0])
    report_speed(threads, {name: np.array(seconds) for name, seconds in times.items()})
    report_share(task, times["engine"], rates)


def report_speed(threads, times):
    """Print seconds per network-epoch and their ratios; ``times`` holds arrays over rounds."""
    ours = times["engine"]
    print(
        f"{threads} thread(s): engine {np.median(ours):.3f} s a network-epoch, authors' way {np.median(times['reading']):.2f} s, "
        f"of which {np.median(times['reading'] - times['resident']):.2f} s read images\n"
        f"  ratio {spread(times['reading'] / ours)}" + (f", goal {GOAL}" if threads == 2 else "") + "\n"
        f"  ratio to the same loop with its batch in memory {spread(times['resident'] / ours)}",
        flush=True,
    )


def mean_inputs(task):
    """Inputs that the engine's products with a sample take, on average over samples."""
    blocks = getattr(steppers.of(task), "_blocks", None)
    if blocks is None:
        return float(task.network.sizes[0])
    return sum(len(block) * (block.x.shape[1] - 1) for block in blocks) / len(task.x)


def report_share(task, seconds, rates):
    """Print the engine's share of the matrix-product rate; ``seconds`` a network-epoch and ``rates`` over rounds."""
    inputs, hidden, outputs = task.network.sizes
    used = mean_inputs(task)
    seconds, rates = np.array(seconds), np.array(rates)
    done, needed = (operations(n, hidden, outputs, len(task.x)) / seconds for n in (used, inputs))
    print(
        f"  products of {SIDE} × {SIDE} matrices: {np.median(rates) / 1e9:.1f} Gflop/s; engine {np.median(done) / 1e9:.1f} Gflop/s\n"
        f"  share of the matrix-product rate {spread(100 * done / rates, '{:.0f}%')} by the operations done\n"
        f"  (products with an image take {used:.0f} of {inputs} pixels on average, zeros of its block are left out; by the operations that all would need "
        f"{np.median(100 * needed / rates):.0f}%)",
        flush=True,
    )


def shard_memory():
    """Run by itself in a fresh process: measure one shard, print the memory before it and the peak, in MiB."""
    before = begin_peak()
    sweep = grid.Sweep("bench", TASK, (RATE,), CONDITIONS, COPIES, epochs=EPOCHS, block=CONDITIONS)
    measuring.measure(tasks.get(TASK), sweep, sweep.shards()[0])
    print(before, peak())


def report_memory():
    """Print the peak of one shard; exit with an error where it is too much."""
    before, top = (mebibytes / 1024 for mebibytes in alone("images", "shard_memory()"))
    print(
        f"shard of {CONDITIONS} × {1 + COPIES} networks, all images, {EPOCHS} epochs, in a process of its own: "
        f"peak {top:.2f} GiB, {before:.2f} before it; at most {MOST_MEMORY:g}"
    )
    if top > MOST_MEMORY:
        sys.exit(f"a shard takes {top:.2f} GiB, more than {MOST_MEMORY:g}")


def at_hand():
    """The image set, None where it would have to be downloaded."""
    with mock.patch.dict(os.environ, NETDYN_OFFLINE="1"):
        try:
            return archives.load(TASK)
        except archives.MissingData as error:
            print(f"MNIST: this part is skipped, and nothing stands in for it. {error}")


def main():
    held = at_hand()
    if held is None:
        return
    task = tasks.get(TASK)
    groups = networks.perturbed(task.initial(CONDITIONS), 1e-8, COPIES)
    reading = reader(held.x, held.y)
    sizes = "-".join(map(str, task.network.sizes))
    print(f"MNIST {sizes}, {len(task.x):,} images, float64, {CONDITIONS} × {1 + COPIES} networks, {EPOCHS} epochs at η = {RATE:g}", flush=True)
    with double():
        plain = loop(task.network, groups[0, 0], reading, 1)
    loss, step = disagreement(engine(task, groups[:1], 1, 1, ("loss",)), *plain)
    print(f"  engine and authors' way, one epoch from the same weights: loss differs by {loss:.0e}, step by {step:.0e} of the largest", flush=True)
    for threads in (1, 2):
        speed(task, groups, reading, threads)
    report_memory()
